//! What a server answers, as text for a model: texts as they are, everything else by a line that says what it is.

use domain::ToolError;
use serde_json::Value;

use super::session::failed;
use crate::schema;

/// The answer of `tools/call`. What the server itself calls a failure is one.
pub(super) fn of_call(result: &Value, output: Option<&Value>) -> Result<String, ToolError> {
    let blocks = result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut parts: Vec<String> = blocks.iter().map(block).filter(|part| !part.is_empty()).collect();
    if result["isError"] == Value::Bool(true) {
        let said = if parts.is_empty() { "it did not say why".to_owned() } else { parts.join("\n") };
        return Err(failed(crate::mask::cut(&said, 4_000)));
    }
    if let Some(structured) = result.get("structuredContent").filter(|structured| !structured.is_null()) {
        if let Some(wanted) = output {
            schema::check(wanted, structured)
                .map_err(|error| failed(format!("its structured answer is not what it promised: {error}")))?;
        }
        // Servers say the same as text for clients that read no structure; once is enough.
        let said = |part: &String| serde_json::from_str::<Value>(part).is_ok_and(|value| value == *structured);
        if !parts.iter().any(said) {
            parts.push(structured.to_string());
        }
    }
    Ok(if parts.is_empty() { "(done; it answered nothing)".to_owned() } else { parts.join("\n") })
}

/// The answer of `resources/read`.
pub(super) fn of_resource(result: &Value) -> Result<String, ToolError> {
    let contents = result["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
    match contents {
        [] => Err(failed("there is nothing in this resource")),
        [one] if one["text"].is_string() => Ok(text(one, "text").to_owned()),
        several => Ok(several.iter().map(resource).collect::<Vec<_>>().join("\n")),
    }
}

/// The answer of `prompts/get`: who says what.
pub(super) fn of_prompt(result: &Value) -> String {
    let messages = result["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let said = |message: &Value| match message["role"].as_str() {
        Some("assistant") => format!("assistant: {}", block(&message["content"])),
        _ => block(&message["content"]),
    };
    messages.iter().map(said).collect::<Vec<_>>().join("\n\n")
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn block(block: &Value) -> String {
    match text(block, "type") {
        "text" => text(block, "text").to_owned(),
        kind @ ("image" | "audio") => format!("[{kind}: {}, {}]", text(block, "mimeType"), size(text(block, "data"))),
        "resource" => resource(&block["resource"]),
        "resource_link" => {
            let about = [text(block, "title"), text(block, "name"), text(block, "description")];
            let about: Vec<&str> = about.into_iter().filter(|part| !part.is_empty()).collect();
            format!("[resource {}: {}]", text(block, "uri"), about.join(", "))
        }
        other => format!("[{other:?}: content of a kind that is not read here]"),
    }
}

fn resource(resource: &Value) -> String {
    let (uri, kind) = (text(resource, "uri"), text(resource, "mimeType"));
    let kind = if kind.is_empty() { "no type" } else { kind };
    match resource["text"].as_str() {
        Some(said) => format!("[resource {uri}, {kind}]\n{said}"),
        None => format!("[resource {uri}, {kind}, {}]", size(text(resource, "blob"))),
    }
}

/// How much base64 stands for.
fn size(base64: &str) -> String {
    let filler = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    format!("{} bytes", (base64.len() / 4 * 3).saturating_sub(filler))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(result: &Value, output: Option<&Value>) -> String {
        of_call(result, output).unwrap_or_else(|error| format!("! {error}"))
    }

    #[test]
    fn every_kind_of_content_becomes_text() {
        let said = |content: Value| told(&json!({ "content": content }), None);
        for (content, expected) in [
            (json!([{ "type": "text", "text": "北京" }, { "type": "text", "text": "26 °C" }]), "北京\n26 °C"),
            (json!([{ "type": "image", "data": "AAAA", "mimeType": "image/png" }]), "[image: image/png, 3 bytes]"),
            (json!([{ "type": "audio", "data": "AAA=", "mimeType": "audio/wav" }]), "[audio: audio/wav, 2 bytes]"),
            (
                json!([{ "type": "resource", "resource": { "uri": "a://b", "mimeType": "text/plain", "text": "x" } }]),
                "[resource a://b, text/plain]\nx",
            ),
            (
                json!([{ "type": "resource", "resource": { "uri": "a://b", "blob": "AA==" } }]),
                "[resource a://b, no type, 1 bytes]",
            ),
            (
                json!([{ "type": "resource_link", "uri": "a://b", "name": "b", "description": "the b" }]),
                "[resource a://b: b, the b]",
            ),
            (json!([{ "type": "smell" }]), "[\"smell\": content of a kind that is not read here]"),
            (json!([]), "(done; it answered nothing)"),
            (Value::Null, "(done; it answered nothing)"),
        ] {
            assert_eq!(said(content.clone()), expected, "{content}");
        }
    }

    #[test]
    fn structure_is_said_once_and_must_be_what_was_promised() {
        let structured = json!({ "degrees": 26 });
        let twice =
            json!({ "content": [{ "type": "text", "text": "{ \"degrees\": 26 }" }], "structuredContent": structured });
        assert_eq!(told(&twice, None), "{ \"degrees\": 26 }");
        let beside = json!({ "content": [{ "type": "text", "text": "warm" }], "structuredContent": structured });
        assert_eq!(told(&beside, None), "warm\n{\"degrees\":26}");
        let promised = json!({ "type": "object", "properties": { "degrees": { "type": "string" } } });
        assert_eq!(
            told(&beside, Some(&promised)),
            "! it failed: its structured answer is not what it promised: degrees: it must be of type \"string\""
        );
    }

    #[test]
    fn a_failure_of_the_server_is_one() {
        let failed = json!({ "isError": true, "content": [{ "type": "text", "text": "no such city" }] });
        assert_eq!(told(&failed, None), "! it failed: no such city");
        assert_eq!(told(&json!({ "isError": true }), None), "! it failed: it did not say why");
    }

    #[test]
    fn resources_and_prompts_are_read() {
        assert_eq!(of_resource(&json!({ "contents": [{ "uri": "a", "text": "x" }] })).unwrap(), "x");
        assert!(of_resource(&json!({})).is_err());
        let messages = json!({ "messages": [
            { "role": "user", "content": { "type": "text", "text": "q" } },
            { "role": "assistant", "content": { "type": "text", "text": "a" } }] });
        assert_eq!(of_prompt(&messages), "q\n\nassistant: a");
    }
}
