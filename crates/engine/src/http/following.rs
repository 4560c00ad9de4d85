//! From the scheduler's events to a response: all of them as one object, or a stream of them. Dropping either leaves the scheduler without
//! a reader, which is how a request is cancelled.

use axum::{
    Json,
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use super::{
    answers::{Envelope, Said},
    problem::Problem,
};
use crate::{
    scheduler::{Delta, Event},
    tools::{Call, Calls, Piece, Thoughts},
};

/// What is looked for in an answer's text.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) thoughts: Option<Thoughts>,
    pub(super) calls: Option<Calls>,
}

/// A part of an answer, in order.
enum Part {
    Thought(String),
    Piece(Piece),
}

impl Reading {
    fn push(&mut self, text: &str) -> Vec<Part> {
        let (thought, answer) = match &mut self.thoughts {
            Some(thoughts) => thoughts.push(text),
            None => (String::new(), text.to_owned()),
        };
        self.parts(thought, &answer, false)
    }

    fn finish(&mut self) -> Vec<Part> {
        let (thought, answer) = self.thoughts.as_mut().map(Thoughts::finish).unwrap_or_default();
        self.parts(thought, &answer, true)
    }

    fn parts(&mut self, thought: String, answer: &str, last: bool) -> Vec<Part> {
        let mut pieces = match &mut self.calls {
            Some(calls) if !answer.is_empty() => calls.push(answer),
            None if !answer.is_empty() => vec![Piece::Text(answer.to_owned())],
            _ => Vec::new(),
        };
        if let Some(calls) = self.calls.as_mut().filter(|_| last) {
            pieces.extend(calls.finish());
        }
        let thought = (!thought.is_empty()).then_some(Part::Thought(thought));
        thought.into_iter().chain(pieces.into_iter().map(Part::Piece)).collect()
    }
}

/// Waits for the whole answer.
pub(super) async fn plain(
    mut events: Receiver<Event>,
    envelope: Envelope,
    mut reading: Reading,
    scored: bool,
) -> Result<Response, Problem> {
    let (mut answer, mut said) = (Delta::default(), Said::default());
    let mut hear = |parts: Vec<Part>, answer: &mut Delta| {
        for part in parts {
            match part {
                Part::Thought(more) => said.thought.push_str(&more),
                Part::Piece(Piece::Text(more)) => answer.text.push_str(&more),
                Part::Piece(Piece::Begin(name)) => said.calls.push(Call { name, arguments: String::new() }),
                Part::Piece(Piece::Arguments(more)) => {
                    said.calls.last_mut().into_iter().for_each(|call| call.arguments.push_str(&more));
                }
            }
        }
    };
    while let Some(event) = events.recv().await {
        match event {
            Event::Delta(delta) => {
                hear(reading.push(&delta.text), &mut answer);
                answer.tokens.extend(delta.tokens);
            }
            Event::Finished(finish, usage) => {
                hear(reading.finish(), &mut answer);
                return Ok(Json(envelope.plain(&answer, &said, scored, finish, usage)).into_response());
            }
            Event::Failed(why) => return Err(Problem::Failed { why }),
            Event::Queued { .. } => {}
        }
    }
    Err(Problem::Gone)
}

/// Answers as a stream, once there is something to say: what fails before that is still a status of its own. Who asked to be told its place
/// in the queue hears it at once, as a comment, and the first chunk comes after that.
pub(super) async fn streamed(
    mut events: Receiver<Event>,
    envelope: Envelope,
    reading: Reading,
) -> Result<Response, Problem> {
    let first = match events.recv().await {
        Some(Event::Failed(why)) => return Err(Problem::Failed { why }),
        None => return Err(Problem::Gone),
        Some(event) => event,
    };
    let stream =
        Stream { events, envelope, reading, called: 0, letters: 0, before: Some(first), begun: false, ended: false };
    let body = Body::from_stream(stream::unfold(stream, |mut stream| async {
        stream.next().await.map(|bytes| (Ok::<_, std::convert::Infallible>(bytes), stream))
    }));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, body).into_response())
}

struct Stream {
    events: Receiver<Event>,
    envelope: Envelope,
    reading: Reading,
    /// Calls that were begun.
    called: usize,
    letters: usize,
    before: Option<Event>,
    begun: bool,
    ended: bool,
}

impl Stream {
    /// The next write: every event that is there already.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut out = Vec::new();
        let event = match self.before.take() {
            Some(first) => Some(first),
            None => self.events.recv().await,
        };
        self.write(event.unwrap_or_else(|| Event::Failed("the engine stopped".into())), &mut out);
        while !self.ended
            && let Ok(event) = self.events.try_recv()
        {
            self.write(event, &mut out);
        }
        Some(out.into())
    }

    fn show(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        frame(out, &self.envelope.delta(delta, self.letters));
        self.letters += delta.text.chars().count();
    }

    /// The scores come with the first text that is shown: they are of all the tokens that it took.
    fn tell(&mut self, parts: Vec<Part>, mut scores: Delta, out: &mut Vec<u8>) {
        for part in parts {
            match part {
                Part::Thought(text) => frame(out, &self.envelope.thought(&text)),
                Part::Piece(Piece::Text(text)) => self.show(&Delta { text, ..std::mem::take(&mut scores) }, out),
                Part::Piece(Piece::Begin(name)) => {
                    frame(out, &self.envelope.begin(self.called, &name));
                    self.called += 1;
                }
                Part::Piece(Piece::Arguments(more)) => {
                    frame(out, &self.envelope.arguments(self.called.saturating_sub(1), &more));
                }
            }
        }
        if !scores.tokens.is_empty() {
            self.show(&scores, out);
        }
    }

    fn write(&mut self, event: Event, out: &mut Vec<u8>) {
        if !self.begun && !matches!(event, Event::Queued { .. }) {
            self.begun = true;
            self.envelope.first().iter().for_each(|chunk| frame(out, chunk));
        }
        match event {
            Event::Delta(mut delta) => {
                let parts = self.reading.push(&std::mem::take(&mut delta.text));
                self.tell(parts, delta, out);
            }
            Event::Queued { position, wait } => {
                let wait_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                let told = json!({"position": position, "wait_ms": wait_ms});
                out.extend_from_slice(format!(": queued {told}\n\n").as_bytes());
            }
            Event::Finished(finish, usage) => {
                let rest = self.reading.finish();
                self.tell(rest, Delta::default(), out);
                self.envelope.last(finish, self.called > 0, usage).iter().for_each(|chunk| frame(out, chunk));
                out.extend_from_slice(b"data: [DONE]\n\n");
                self.ended = true;
            }
            // Without [DONE]: a stream that was cut must not look whole.
            Event::Failed(why) => {
                frame(out, &Problem::Failed { why }.body());
                self.ended = true;
            }
        }
    }
}

fn frame(out: &mut Vec<u8>, chunk: &Value) {
    out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes());
}
