//! Chat completions and completions: the client's bytes in, the model's bytes out, and the line of a passing turn between them.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chat::Ending;
use domain::{Batch, ClientBody, Dialect, Task, Tokens, TurnEvent, TurnId};
use openai::{ChunkWriter, Encoder, Whole};

use super::{DialectProblem, error_event, refused};
use crate::door::{self, Guest, Voice};
use crate::{Problem, Server};

pub(crate) async fn chat(State(server): State<Server>, request: Request) -> Response {
    let id = door::request_id(&request);
    door::named(complete(server, request, Task::Chat, "openai.chat").await.into_response(), id)
}

pub(crate) async fn text(State(server): State<Server>, request: Request) -> Response {
    let id = door::request_id(&request);
    door::named(complete(server, request, Task::Completion, "openai.completion").await.into_response(), id)
}

async fn complete(
    server: Server,
    request: Request,
    task: Task,
    door: &'static str,
) -> Result<Response, DialectProblem> {
    let guest = Guest::of(&server, request.headers(), request.extensions())?;
    let body = crate::portal::body::read(request.into_body(), server.doors.body_limit()).await?;
    let scan = openai::scan(&body).map_err(refused)?;
    let (model, created) = (scan.model.as_ref().to_owned(), server.clock.now().0 / 1000);
    let voice = OpenAi::new(task, model.clone(), created, scan.wants_usage);
    let asked = door::Asked {
        model,
        door,
        task,
        stream: scan.stream,
        prompt_tokens: scan.prompt_tokens,
        max_tokens: scan.max_tokens.map(|most| Tokens(most.saturating_mul(scan.n))),
        body: ClientBody::json(body.clone(), scan.wants_usage),
    };
    Ok(door::answer(&server, guest, asked, voice).await?)
}

/// How the house itself speaks the dialect, where the bytes are not an upstream's.
struct OpenAi {
    task: Task,
    model: String,
    created: i64,
    wants_usage: bool,
    id: String,
    writer: Option<ChunkWriter>,
    gathered: Option<Whole>,
    /// An upstream's own body, which leaves as it came.
    wire: Option<Bytes>,
}

impl OpenAi {
    fn new(task: Task, model: String, created: i64, wants_usage: bool) -> Self {
        let (id, writer, gathered, wire) = (String::new(), None, None, None);
        OpenAi { task, model, created, wants_usage, id, writer, gathered, wire }
    }

    /// Made with the first event that has no bytes: most answers are never translated.
    fn writer(&mut self) -> &mut ChunkWriter {
        let OpenAi { task, model, created, wants_usage, id, writer, .. } = self;
        writer.get_or_insert_with(|| ChunkWriter::new(*task, id.clone(), model.clone(), *created, *wants_usage))
    }

    fn gathered(&mut self) -> &mut Whole {
        let OpenAi { task, model, created, id, gathered, .. } = self;
        gathered.get_or_insert_with(|| Whole::new(*task, id.clone(), model.clone(), *created))
    }
}

impl Voice for OpenAi {
    fn begin(&mut self, turn: TurnId) {
        let kind = if self.task == Task::Chat { "chatcmpl" } else { "cmpl" };
        self.id = format!("{kind}-{turn}");
    }

    fn say(&mut self, batch: Batch) -> Bytes {
        match batch.wire {
            Some(wire) if wire.dialect == Dialect::OpenAi => wire.bytes,
            _ => {
                let mut out = Encoder::new();
                self.writer().write(&batch.events, &mut out);
                out.take()
            }
        }
    }

    fn end(&mut self, ending: &Ending) -> Bytes {
        let mut out = Encoder::new();
        if let Some(writer) = &mut self.writer {
            let finished = TurnEvent::Finished { finish: ending.finish, failure: None };
            writer.write(&[finished, TurnEvent::Used { usage: ending.usage }], &mut out);
        }
        out.done();
        out.take()
    }

    fn fault(&mut self, problem: &Problem) -> Bytes {
        error_event(problem)
    }

    fn gather(&mut self, batch: Batch) {
        match batch.wire {
            Some(wire) if wire.dialect == Dialect::OpenAi => self.wire = Some(wire.bytes),
            _ => {
                let gathered = self.gathered();
                batch.events.iter().for_each(|event| gathered.take(event));
            }
        }
    }

    fn whole(&mut self, ending: &Ending) -> Result<Bytes, Problem> {
        if let Some(bytes) = self.wire.take() {
            return Ok(bytes);
        }
        self.gathered();
        let Some(mut gathered) = self.gathered.take() else { return Ok(Bytes::new()) };
        gathered.take(&TurnEvent::Used { usage: ending.usage });
        gathered.take(&TurnEvent::Finished { finish: ending.finish, failure: None });
        let body = gathered.body();
        body.map(Bytes::from)
            .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))
    }
}
