//! An answer as a stream of events: opening, answering, settling, over. Nothing here is made up: a stream that broke off says
//! so in its dialect's own words.

use std::pin::Pin;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use chat::{Ending, Passing};

use super::{Asked, Guest, Voice, about, failed};
use crate::{Problem, Server, sse};

/// How long a stream waits for its first event before it commits to 200 and heartbeats. Until then a failure is a real HTTP
/// status; proxies cut what is silent for 60 s, browsers sooner.
const PATIENCE: Duration = Duration::from_secs(12);

pub(super) async fn stream<V: Voice>(
    server: &Server,
    guest: Guest,
    asked: Asked,
    voice: V,
) -> Result<Response, Problem> {
    let (caller, asked) = guest.asks(asked);
    let chat = server.chat.clone();
    let mut opening: Opening = Box::pin(async move { chat.pass(&caller, asked).await });
    match tokio::time::timeout(PATIENCE, &mut opening).await {
        Ok(passing) => {
            let passing = passing?;
            let about = about(&passing);
            Ok(respond(Stage::from(passing, voice), about))
        }
        Err(_) => Ok(respond(Stage::Opening(opening, Some(voice)), HeaderMap::new())),
    }
}

fn respond<V: Voice>(stage: Stage<V>, about: HeaderMap) -> Response {
    let mut response = sse::response(stage);
    response.headers_mut().extend(about);
    response
}

type Opening = Pin<Box<dyn Future<Output = Result<Passing, chat::Error>> + Send>>;

/// Where a stream stands.
enum Stage<V> {
    /// Committed to 200 while the model has yet to say its first word.
    Opening(Opening, Option<V>),
    Answering(Box<Streaming<V>>),
    Over,
}

struct Streaming<V> {
    passing: Option<Passing>,
    voice: V,
    settling: Option<Pin<Box<dyn Future<Output = Ending> + Send>>>,
    /// Settled, and what the voice wants kept is being kept.
    keeping: Option<(Ending, domain::BoxFuture<'static, Result<(), Problem>>)>,
}

impl<V: Voice> Stage<V> {
    fn from(passing: Passing, mut voice: V) -> Self {
        voice.begin(passing.turn);
        Stage::Answering(Box::new(Streaming { passing: Some(passing), voice, settling: None, keeping: None }))
    }
}

impl<V: Voice> sse::Frames for Stage<V> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self {
                Stage::Over => return None,
                Stage::Opening(opening, voice) => match opening.as_mut().await {
                    Ok(passing) => *self = Stage::from(passing, voice.take()?),
                    Err(error) => {
                        let fault = voice.take()?.fault(&counted(error.into()));
                        *self = Stage::Over;
                        return Some(fault);
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

impl<V: Voice> Streaming<V> {
    /// What one read of the upstream brought, in one piece; after the last, the end mark or the error, once the usage is on
    /// disk. Cancel safe: what is under way stays in `self`.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(passing) = &mut self.passing {
            if let Some(batch) = passing.next().await {
                return Some(self.voice.say(batch));
            }
            let passing = self.passing.take()?;
            self.settling = Some(Box::pin(passing.settle()));
        }
        if let Some(settling) = &mut self.settling {
            let ending = settling.await;
            self.settling = None;
            if let Some(failure) = &ending.failure {
                return Some(self.voice.fault(&counted(failed(failure))));
            }
            let keeping = self.voice.keep(&ending).unwrap_or_else(|| Box::pin(std::future::ready(Ok(()))));
            self.keeping = Some((ending, keeping));
        }
        let (_, keeping) = self.keeping.as_mut()?;
        let kept = keeping.await;
        let (ending, _) = self.keeping.take()?;
        Some(match kept {
            Err(problem) => self.voice.fault(&counted(problem)),
            Ok(()) => self.voice.end(&ending),
        })
    }
}

fn counted(problem: Problem) -> Problem {
    metrics::counter!("portico_refusals_total", "code" => problem.code).increment(1);
    problem
}
