//! Model servers that already run on this machine: offered to an administrator, added by nobody else.

use axum::Json as Reply;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Administrator;
use crate::{Problem, Server};

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundList {
    found: Vec<FoundServer>,
}

/// One server on this machine.
#[derive(Debug, Serialize, ToSchema)]
struct FoundServer {
    /// The preset it is: `ollama`, `vllm`, `tgi`, `lm-studio`, `llama-server`, `sglang`; `openai-compatible` where it does not say.
    preset: String,
    name: String,
    /// Which adapter reaches it: pass it on when adding.
    kind: String,
    base_url: String,
    version: Option<String>,
    models: Vec<String>,
    latency_ms: u64,
    /// The slug of the provider that is configured there already.
    known: Option<String>,
}

impl FoundList {
    fn new(found: Vec<models::Found>) -> Reply<FoundList> {
        let view = |one: models::Found| FoundServer {
            preset: one.preset,
            name: one.name,
            kind: one.kind,
            base_url: one.base_url,
            version: one.version,
            models: one.models,
            latency_ms: one.latency_ms,
            known: one.known,
        };
        Reply(FoundList { found: found.into_iter().map(view).collect() })
    }
}

#[utoipa::path(get, path = "/api/providers/found", tag = "models", responses((status = 200, body = FoundList, description = "what the newest look found, at start or on demand")))]
pub(crate) async fn newest(State(server): State<Server>, _: Administrator) -> Reply<FoundList> {
    FoundList::new(server.models.found())
}

#[utoipa::path(post, path = "/api/providers/discover", tag = "models", responses((status = 200, body = FoundList, description = "looks at usual ports of this machine now")))]
pub(crate) async fn look(State(server): State<Server>, _: Administrator) -> Result<Reply<FoundList>, Problem> {
    Ok(FoundList::new(server.models.discover(&server.doors.own_ports).await))
}
