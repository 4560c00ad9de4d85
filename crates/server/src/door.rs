//! What every API door does between a request and its answer: the line of a passing turn, and the answer in the client's own
//! dialect, in one piece or as a stream. A dialect is one [`Voice`], in a file of its own; who asks and what is read by the
//! doors themselves.

mod raw;
mod stream;

use axum::body::Body;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use chat::{Ending, Passing};
use domain::{Batch, BoxFuture, ClientBody, Priority, Task, Tokens, TurnId};
use identity::Keyholder;

use crate::key::keyholder;
use crate::{Problem, Server};

pub(crate) use raw::raw;

/// How one dialect writes an answer: as a stream (`say`, then `end` or `fault`), or in one piece (`gather`, then `whole`).
pub(crate) trait Voice: Send + 'static {
    /// The turn was let in and has its id. Called once, before anything is written.
    fn begin(&mut self, turn: TurnId);

    /// What one batch is on the wire.
    fn say(&mut self, batch: Batch) -> Bytes;

    /// The last words of a stream that ended well. Its usage is on disk.
    fn end(&mut self, ending: &Ending) -> Bytes;

    /// The last words of a stream that did not: an explicit error, never an ending made up here.
    fn fault(&mut self, problem: &Problem) -> Bytes;

    /// Takes a batch of an answer that will leave in one piece.
    fn gather(&mut self, batch: Batch);

    /// That piece.
    fn whole(&mut self, ending: &Ending) -> Result<Bytes, Problem>;

    /// What is to be kept of an answer that ended well, before its last word leaves. Where that fails, so does the answer.
    fn keep(&mut self, _ending: &Ending) -> Option<BoxFuture<'static, Result<(), Problem>>> {
        None
    }
}

/// Who is at an API door.
pub(crate) struct Guest {
    pub(crate) holder: Keyholder,
    priority: Priority,
}

/// What is asked through an API door.
pub(crate) struct Asked {
    pub(crate) model: String,
    pub(crate) door: &'static str,
    pub(crate) task: Task,
    pub(crate) stream: bool,
    pub(crate) prompt_tokens: Tokens,
    pub(crate) max_tokens: Option<Tokens>,
    pub(crate) body: ClientBody,
}

impl Guest {
    /// Whoever holds the key. `X-Portico-Priority: batch` is work that nobody waits for; anything else is somebody.
    pub(crate) fn of(server: &Server, headers: &HeaderMap, extensions: &Extensions) -> Result<Guest, Problem> {
        let holder = keyholder(server, headers, extensions)?;
        let priority = match headers.get("x-portico-priority").map(HeaderValue::as_bytes) {
            Some(b"batch") => Priority::Batch,
            _ => Priority::Interactive,
        };
        Ok(Guest { holder, priority })
    }

    fn asks(self, asked: Asked) -> (domain::Caller, chat::Request) {
        let Asked { model, door, task, stream, prompt_tokens, max_tokens, body } = asked;
        let (priority, scope) = (self.priority, self.holder.scope);
        let request = chat::Request { model, door, task, priority, stream, prompt_tokens, max_tokens, body, scope };
        (self.holder.caller, request)
    }
}

/// Takes the line, and answers in this voice.
pub(crate) async fn answer(
    server: &Server,
    guest: Guest,
    asked: Asked,
    voice: impl Voice,
) -> Result<Response, Problem> {
    if asked.stream {
        return stream::stream(server, guest, asked, voice).await;
    }
    let (caller, asked) = guest.asks(asked);
    let passing = server.chat.pass(&caller, asked).await?;
    whole(passing, voice).await
}

/// One body, sent once its usage is on disk.
async fn whole(mut passing: Passing, mut voice: impl Voice) -> Result<Response, Problem> {
    let about = about(&passing);
    voice.begin(passing.turn);
    while let Some(batch) = passing.next().await {
        voice.gather(batch);
    }
    let ending = passing.settle().await;
    if let Some(failure) = &ending.failure {
        return Err(failed(failure));
    }
    if let Some(keeping) = voice.keep(&ending) {
        keeping.await?;
    }
    let mut response = Response::new(Body::from(voice.whole(&ending)?));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().extend(about);
    Ok(response)
}

/// What the head of an answer says of its turn: which it is, and which parameters were left out because the model's own
/// dialect has no word for them.
fn about(passing: &Passing) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    if let Ok(turn) = HeaderValue::from_str(&passing.turn.to_string()) {
        headers.insert(HeaderName::from_static("x-portico-turn"), turn);
    }
    let dropped = passing.dropped();
    if let Some(dropped) = (!dropped.is_empty()).then(|| HeaderValue::from_str(&dropped.join(", ")).ok()).flatten() {
        headers.insert(HeaderName::from_static("x-portico-dropped"), dropped);
    }
    headers
}

/// A turn that ended badly, as a problem.
pub(crate) fn failed(failure: &domain::Failure) -> Problem {
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

/// A request's own name for itself, which its answer says again.
pub(crate) fn request_id<B>(request: &Request<B>) -> Option<HeaderValue> {
    let sent = request.headers().get("x-request-id")?;
    (sent.len() <= 128 && sent.to_str().is_ok()).then(|| sent.clone())
}

/// The answer, with the name of its request: the client's own, or else the turn's.
pub(crate) fn named(mut response: Response, request_id: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    if let Some(id) = request_id.or_else(|| headers.get("x-portico-turn").cloned()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}
