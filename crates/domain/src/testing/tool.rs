//! The promises of [`Tool`], tried on one of its members.

use serde_json::Value;

use crate::{Caller, Tool, ToolError, ToolInput};

/// Tries everything; the error is the promise that was broken. `good` are arguments that fit and succeed, `bad` ones that do not
/// fit.
pub async fn tool_suite(tool: &dyn Tool, caller: &Caller, good: ToolInput, bad: Value) -> Result<(), String> {
    let spec = tool.spec().clone();
    let letters = spec.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !letters || spec.name.is_empty() || spec.name.len() > 64 {
        return Err(format!("{:?} is no name that every model takes", spec.name));
    }
    if spec.description.trim().is_empty() {
        return Err(format!("{} does not say what it is good for", spec.name));
    }
    if spec.parameters["type"] != "object" {
        return Err(format!("the arguments of {} are no object: {}", spec.name, spec.parameters));
    }
    let said = tool.call(caller, good.clone()).await.map_err(|error| format!("good arguments failed: {error}"))?;
    if said.text.is_empty() {
        return Err("it answered with nothing".to_owned());
    }
    match tool.call(caller, ToolInput { arguments: bad.clone(), files: Vec::new() }).await {
        Err(ToolError::Invalid { .. }) => {}
        other => return Err(format!("{bad} was not refused as arguments: {other:?}")),
    }
    // Dropped before it ends: it can be called again.
    drop(tool.call(caller, good.clone()));
    tool.call(caller, good).await.map_err(|error| format!("the call after one that was dropped failed: {error}"))?;
    if *tool.spec() != spec {
        return Err("its description changed".to_owned());
    }
    Ok(())
}
