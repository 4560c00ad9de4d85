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

use super::{answers::Envelope, problem::Problem};
use crate::{
    scheduler::{Delta, Event},
    tools::{Call, Calls, Piece},
};

/// Waits for the whole answer.
pub(super) async fn plain(mut events: Receiver<Event>, envelope: Envelope, scored: bool) -> Result<Response, Problem> {
    let mut answer = Delta::default();
    while let Some(event) = events.recv().await {
        match event {
            Event::Delta(delta) => {
                answer.text.push_str(&delta.text);
                answer.tokens.extend(delta.tokens);
            }
            Event::Finished(finish, usage) => {
                let mut calls = Vec::new();
                if envelope.tools {
                    calls = split_off_calls(&mut answer.text);
                }
                return Ok(Json(envelope.plain(&answer, &calls, scored, finish, usage)).into_response());
            }
            Event::Failed(why) => return Err(Problem::Failed { why }),
            Event::Queued { .. } => {}
        }
    }
    Err(Problem::Gone)
}

/// Takes the tool calls out of a whole answer.
fn split_off_calls(text: &mut String) -> Vec<Call> {
    let (mut reader, mut calls) = (Calls::default(), Vec::new());
    let whole = std::mem::take(text);
    let pieces = reader.push(&whole);
    for piece in pieces.into_iter().chain(reader.finish()) {
        match piece {
            Piece::Text(more) => text.push_str(&more),
            Piece::Call(call) => calls.push(call),
        }
    }
    calls
}

/// Answers as a stream, once there is something to say: what fails before that is still a status of its own. Who asked to be told its place
/// in the queue hears it at once, as a comment, and the first chunk comes after that.
pub(super) async fn streamed(mut events: Receiver<Event>, envelope: Envelope) -> Result<Response, Problem> {
    let first = match events.recv().await {
        Some(Event::Failed(why)) => return Err(Problem::Failed { why }),
        None => return Err(Problem::Gone),
        Some(event) => event,
    };
    let calls = envelope.tools.then(Calls::default);
    let stream =
        Stream { events, envelope, calls, called: 0, letters: 0, before: Some(first), begun: false, ended: false };
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
    /// Looks for tool calls, where there may be any, and how many there were.
    calls: Option<Calls>,
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

    fn tell(&mut self, pieces: Vec<Piece>, mut scores: Delta, out: &mut Vec<u8>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.show(&Delta { text, ..std::mem::take(&mut scores) }, out),
                Piece::Call(call) => {
                    frame(out, &self.envelope.call(self.called, &call));
                    self.called += 1;
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
            Event::Delta(mut delta) => match &mut self.calls {
                None => self.show(&delta, out),
                Some(calls) => {
                    let pieces = calls.push(&std::mem::take(&mut delta.text));
                    // The scores come with the first that is shown: they are of all the tokens that it took.
                    self.tell(pieces, delta, out);
                }
            },
            Event::Queued { position, wait } => {
                let wait_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                let told = json!({"position": position, "wait_ms": wait_ms});
                out.extend_from_slice(format!(": queued {told}\n\n").as_bytes());
            }
            Event::Finished(finish, usage) => {
                let rest = self.calls.as_mut().map(Calls::finish).unwrap_or_default();
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
