//! What tools were sent and answered in one's own turn, for whoever opens a step of an answer: as the log of calls keeps it, masked
//! and cut. That there were steps, and how they ended, stands with the answer itself.

use axum::Json as Reply;
use axum::extract::State;
use domain::TurnId;
use serde::Serialize;
use store::PluginCall;
use utoipa::ToSchema;

use crate::caller::SignedIn;
use crate::portal::body::Path;
use crate::{Problem, Server};

/// A call in a turn.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepCall {
    plugin: String,
    /// The plugin's title, while it is installed.
    title: Option<String>,
    tool: String,
    /// Milliseconds since 1970.
    at: i64,
    ms: u32,
    /// `done`, or why it failed.
    outcome: String,
    /// Masked and cut.
    sent: String,
    /// Masked and cut.
    received: String,
}

#[utoipa::path(get, path = "/api/turns/{turn}/steps", tag = "turns", params(("turn" = String, Path)), responses((status = 200, body = Vec<StepCall>, description = "in the order in which they ended; empty where the log has none of them any more")))]
pub(crate) async fn list(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(turn): Path<TurnId>,
) -> Result<Reply<Vec<StepCall>>, Problem> {
    let plugins = server.tools.list(&caller);
    let title =
        |name: &str| plugins.iter().find(|plugin| plugin.manifest.name == name).map(|one| one.manifest.title.clone());
    let view = |call: PluginCall| StepCall {
        title: title(&call.plugin),
        plugin: call.plugin,
        tool: call.tool,
        at: call.at.0,
        ms: call.ms,
        outcome: call.outcome,
        sent: call.sent,
        received: call.received,
    };
    Ok(Reply(server.store.turn_calls(&caller, turn).await?.into_iter().map(view).collect()))
}
