//! What is remembered of a call: a line of the log with what was sent and received, masked; a line of the audit log without either;
//! and the metrics.

use std::borrow::Cow;
use std::time::Duration;

use domain::{Act, Caller, Timestamp, ToolAnswer, ToolError, ToolInput, ToolStep, TurnId};
use serde_json::{Value, json};
use store::{PluginCall, Record, Store};

use crate::mask::masked;
use crate::plugin::Plugin;

/// A call that has ended.
pub(crate) struct Call<'c> {
    pub(crate) caller: &'c Caller,
    pub(crate) turn: Option<TurnId>,
    pub(crate) tool: &'c str,
    pub(crate) at: Timestamp,
    pub(crate) took: Duration,
    /// As it is shown: files by their names and sizes alone.
    pub(crate) sent: String,
    pub(crate) outcome: &'c Result<ToolAnswer, ToolError>,
}

/// What the log shows of an input.
pub(crate) fn shown(input: &ToolInput) -> String {
    if input.files.is_empty() {
        return input.arguments.to_string();
    }
    let file =
        |file: &domain::Attachment| json!({ "name": file.name, "type": file.media_type, "bytes": file.bytes.len() });
    json!({ "arguments": input.arguments, "files": input.files.iter().map(file).collect::<Vec<Value>>() }).to_string()
}

/// Writes all of it, and tells the step. That a line could not be written is told to the operator: the call has happened.
pub(crate) async fn note(store: &Store, plugin: &Plugin, call: Call<'_>) -> ToolStep {
    let name = plugin.manifest.name.clone();
    let ms = u32::try_from(call.took.as_millis()).unwrap_or(u32::MAX);
    let error = call.outcome.as_ref().err().map(ToolError::code);
    let outcome = error.unwrap_or("done");
    metrics::counter!("portico_tool_calls_total", "plugin" => name.clone(), "outcome" => outcome).increment(1);
    metrics::histogram!("portico_tool_seconds", "plugin" => name.clone()).record(call.took.as_secs_f64());
    let received = match call.outcome {
        Ok(answer) => answer.text.clone(),
        Err(error) => error.to_string(),
    };
    let detail = json!({
        "turn": call.turn.map(|turn| turn.to_string()), "outcome": outcome, "ms": ms, "sent_bytes": call.sent.len(),
        "received_bytes": received.len(),
    });
    let act = Act {
        at: call.at,
        caller: Some(*call.caller),
        verb: "tool.called",
        subject: format!("{name}/{}", call.tool),
        detail,
    };
    let line = PluginCall {
        person: call.caller.person,
        plugin: name.clone(),
        tool: call.tool.to_owned(),
        turn: call.turn,
        at: call.at,
        ms,
        outcome: outcome.to_owned(),
        sent: masked(&call.sent, &plugin.hidden()),
        received: masked(&received, &plugin.hidden()),
    };
    let audited = store.writer().submit(Record::Act(act)).await.await;
    let kept = store.note_plugin_call(call.caller, line).await;
    if let Err(error) = audited.and(kept) {
        tracing::warn!(%error, plugin = %name, "a call could not be written down");
    }
    let parts = call.outcome.as_ref().map(|answer| answer.parts.clone()).unwrap_or_default();
    ToolStep { plugin: name, tool: call.tool.to_owned(), error: error.map(Cow::Borrowed), ms, parts }
}
