//! Chat completions and completions: the client's bytes in, the model's bytes out, and the line of a passing turn between them.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use chat::{Ending, Passing};
use domain::{Batch, ClientBody, Priority, Task, Tokens};
use openai::{ChunkWriter, Encoder, Whole};

use super::{DialectProblem, error_object};
use crate::key::keyholder;
use crate::{Problem, Server, sse};

/// How long a stream waits for its first event before it commits to 200 and heartbeats. Until then a failure is a real HTTP
/// status; proxies cut what is silent for 60 s, browsers sooner.
const PATIENCE: Duration = Duration::from_secs(12);

pub(crate) async fn chat(State(server): State<Server>, request: Request) -> Result<Response, DialectProblem> {
    complete(server, request, Task::Chat, "openai.chat").await
}

pub(crate) async fn text(State(server): State<Server>, request: Request) -> Result<Response, DialectProblem> {
    complete(server, request, Task::Completion, "openai.completion").await
}

async fn complete(
    server: Server,
    request: Request,
    task: Task,
    door: &'static str,
) -> Result<Response, DialectProblem> {
    let holder = keyholder(&server, request.headers(), request.extensions())?;
    let caller = holder.caller;
    let priority = priority(request.headers());
    let body = crate::portal::body::read(request.into_body(), server.doors.body_limit()).await?;
    let scan = openai::scan(&body).map_err(refused)?;
    let asked = chat::Request {
        model: scan.model.as_ref().to_owned(),
        door,
        task,
        priority,
        stream: scan.stream,
        prompt_tokens: scan.prompt_tokens,
        max_tokens: scan.max_tokens.map(|most| Tokens(most.saturating_mul(scan.n))),
        body: ClientBody::json(body.clone(), scan.wants_usage),
        scope: holder.scope,
    };
    let voice =
        Voice { task, model: asked.model.clone(), wants_usage: scan.wants_usage, created: server.clock.now().0 / 1000 };
    if !asked.stream {
        let passing = server.chat.pass(&caller, asked).await?;
        return whole(passing, &voice).await;
    }
    let chat = server.chat.clone();
    let mut opening: Opening = Box::pin(async move { chat.pass(&caller, asked).await });
    match tokio::time::timeout(PATIENCE, &mut opening).await {
        Ok(passing) => Ok(stream(Stage::from(passing?, voice))),
        Err(_) => Ok(stream(Stage::Opening(opening, voice))),
    }
}

/// `X-Portico-Priority: batch` is work that nobody waits for; anything else is somebody.
fn priority(headers: &HeaderMap) -> Priority {
    match headers.get("x-portico-priority").map(HeaderValue::as_bytes) {
        Some(b"batch") => Priority::Batch,
        _ => Priority::Interactive,
    }
}

fn refused(error: openai::Error) -> Problem {
    match error {
        openai::Error::Invalid { ref field, .. } => {
            Problem { status: StatusCode::BAD_REQUEST, ..Problem::invalid(field, error.to_string()) }
        }
        other => Problem::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not valid JSON: {other}")),
    }
}

type Opening = Pin<Box<dyn Future<Output = Result<Passing, chat::Error>> + Send>>;

/// How the house itself speaks the dialect, where the bytes are not an upstream's.
#[derive(Debug, Clone)]
struct Voice {
    task: Task,
    model: String,
    wants_usage: bool,
    created: i64,
}

impl Voice {
    fn id(&self, passing: &Passing) -> String {
        let kind = match self.task {
            Task::Chat => "chatcmpl",
            _ => "cmpl",
        };
        format!("{kind}-{}", passing.turn)
    }
}

/// One body, sent once its usage is on disk.
async fn whole(mut passing: Passing, voice: &Voice) -> Result<Response, DialectProblem> {
    let turn = turn_header(&passing);
    let mut gathered = Whole::new(voice.task, voice.id(&passing), voice.model.clone(), voice.created);
    let mut wire: Option<Bytes> = None;
    while let Some(Batch { events, wire: bytes }) = passing.next().await {
        match bytes {
            Some(bytes) => wire = Some(bytes.bytes),
            None => events.iter().for_each(|event| gathered.take(event)),
        }
    }
    let ending = passing.settle().await;
    if let Some(failure) = &ending.failure {
        return Err(failed(failure).into());
    }
    let body = match wire {
        Some(bytes) => bytes,
        None => {
            gathered.take(&domain::TurnEvent::Used { usage: ending.usage });
            gathered.take(&domain::TurnEvent::Finished { finish: ending.finish, failure: None });
            Bytes::from(
                gathered
                    .body()
                    .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))?,
            )
        }
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().extend(turn);
    Ok(response)
}

fn stream(stage: Stage) -> Response {
    let turn = match &stage {
        Stage::Answering(streaming) => streaming.passing.as_ref().and_then(turn_header),
        _ => None,
    };
    let mut response = sse::response(stage);
    response.headers_mut().extend(turn);
    response
}

fn turn_header(passing: &Passing) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(&passing.turn.to_string()).ok()?;
    Some((HeaderName::from_static("x-portico-turn"), value))
}

fn failed(failure: &domain::Failure) -> Problem {
    let status = match failure.code.as_ref() {
        "over_daily_limit" | "over_key_budget" => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_GATEWAY,
    };
    let code = match &failure.code {
        std::borrow::Cow::Borrowed(code) => code,
        std::borrow::Cow::Owned(_) => "upstream_failed",
    };
    Problem::new(status, code, failure.message.clone())
}

/// Where a stream stands.
enum Stage {
    /// Committed to 200 while the model has yet to say its first word.
    Opening(Opening, Voice),
    Answering(Box<Streaming>),
    Over,
}

struct Streaming {
    passing: Option<Passing>,
    writer: ChunkWriter,
    settling: Option<Pin<Box<dyn Future<Output = Ending> + Send>>>,
    translated: bool,
}

impl Stage {
    fn from(passing: Passing, voice: Voice) -> Stage {
        let id = voice.id(&passing);
        let writer = ChunkWriter::new(voice.task, id, voice.model, voice.created, voice.wants_usage);
        Stage::Answering(Box::new(Streaming { passing: Some(passing), writer, settling: None, translated: false }))
    }
}

impl sse::Frames for Stage {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self {
                Stage::Over => return None,
                Stage::Opening(opening, voice) => match opening.as_mut().await {
                    Ok(passing) => *self = Stage::from(passing, voice.clone()),
                    Err(error) => {
                        *self = Stage::Over;
                        return Some(error_event(&error.into()));
                    }
                },
                Stage::Answering(streaming) => match streaming.next().await {
                    Some(bytes) if bytes.is_empty() => {}
                    Some(bytes) => return Some(bytes),
                    None => *self = Stage::Over,
                },
            }
        }
    }
}

impl Streaming {
    /// What one read of the upstream brought, in one piece; after the last, the end mark or the error, once the usage is on
    /// disk. Cancel safe: what is under way stays in `self`.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(passing) = &mut self.passing {
            if let Some(batch) = passing.next().await {
                return Some(self.encode(batch));
            }
            let passing = self.passing.take()?;
            self.settling = Some(Box::pin(passing.settle()));
        }
        let ending = self.settling.as_mut()?.await;
        self.settling = None;
        Some(self.end(&ending))
    }

    fn encode(&mut self, batch: Batch) -> Bytes {
        match batch.wire {
            Some(wire) => wire.bytes,
            None => {
                self.translated = true;
                let mut out = Encoder::new();
                self.writer.write(&batch.events, &mut out);
                out.take()
            }
        }
    }

    /// An explicit error and no `[DONE]`, or `[DONE]`. Nothing here is made up: a stream that broke off says so.
    fn end(&mut self, ending: &Ending) -> Bytes {
        if let Some(failure) = &ending.failure {
            return error_event(&failed(failure));
        }
        let mut out = Encoder::new();
        if self.translated {
            let finished = domain::TurnEvent::Finished { finish: ending.finish, failure: None };
            self.writer.write(&[finished, domain::TurnEvent::Used { usage: ending.usage }], &mut out);
        }
        out.done();
        out.take()
    }
}

fn error_event(problem: &Problem) -> Bytes {
    metrics::counter!("portico_refusals_total", "code" => problem.code).increment(1);
    let mut bytes = BytesMut::from(&b"data: "[..]);
    bytes.extend_from_slice(error_object(problem).to_string().as_bytes());
    bytes.extend_from_slice(b"\n\n");
    bytes.freeze()
}
