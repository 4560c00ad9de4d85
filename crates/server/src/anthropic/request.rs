//! A messages request, as a chat request of OpenAI's dialect. What that dialect cannot say is refused with the field's name;
//! hints that change no answer (`cache_control`, redacted thoughts) are left out.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Problem;

/// What was read.
pub(super) struct Read {
    /// In OpenAI's dialect.
    pub(super) body: Value,
}

#[derive(Deserialize)]
struct Messages {
    model: Option<String>,
    messages: Option<Vec<Said>>,
    max_tokens: Option<u32>,
    system: Option<Content>,
    stream: Option<bool>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u32>,
    stop_sequences: Option<Vec<String>>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    metadata: Option<Value>,
    thinking: Option<Value>,
}

#[derive(Deserialize)]
struct Said {
    role: String,
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Value>),
}

/// Reads a body. `answers`: it asks for an answer, which must have a longest length.
pub(super) fn read(bytes: &[u8], answers: bool) -> Result<Read, Problem> {
    let asked: Messages = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Problem::wrong("body", format!("the body does not fit: {error}")),
        _ => Problem::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not valid JSON: {error}")),
    })?;
    let mut body = Map::new();
    body.insert("model".into(), asked.model.ok_or_else(|| missing("model"))?.into());
    match asked.max_tokens {
        Some(0) => return Err(Problem::wrong("max_tokens", "max_tokens: must be at least 1")),
        Some(most) => drop(body.insert("max_tokens".into(), most.into())),
        None if answers => return Err(missing("max_tokens")),
        None => {}
    }
    let mut messages = Vec::new();
    if let Some(system) = asked.system {
        messages.push(json!({ "role": "system", "content": texts(&system, "system")? }));
    }
    for (at, said) in asked.messages.ok_or_else(|| missing("messages"))?.into_iter().enumerate() {
        let place = format!("messages.{at}.content");
        match said.role.as_str() {
            "user" => user(said.content, &place, &mut messages)?,
            "assistant" => messages.push(assistant(said.content, &place)?),
            _ => {
                return Err(Problem::wrong(
                    &format!("messages.{at}.role"),
                    format!("messages.{at}.role: must be user or assistant"),
                ));
            }
        }
    }
    body.insert("messages".into(), messages.into());
    let set = |body: &mut Map<String, Value>, name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            body.insert(name.to_owned(), value);
        }
    };
    set(&mut body, "stream", asked.stream.map(Value::from));
    set(&mut body, "temperature", asked.temperature.map(Value::from));
    set(&mut body, "top_p", asked.top_p.map(Value::from));
    set(&mut body, "top_k", asked.top_k.map(Value::from));
    set(&mut body, "stop", asked.stop_sequences.filter(|stop| !stop.is_empty()).map(Value::from));
    set(&mut body, "user", asked.metadata.as_ref().and_then(|about| about.get("user_id")).cloned());
    set(&mut body, "reasoning_effort", asked.thinking.as_ref().and_then(effort));
    let tools = asked.tools.filter(|tools| !tools.is_empty());
    set(&mut body, "tools", tools.map(|tools| tools.iter().enumerate().map(tool).collect()).transpose()?);
    if let Some(choice) = asked.tool_choice.filter(|choice| !choice.is_null()) {
        choose(&choice, &mut body)?;
    }
    Ok(Read { body: Value::Object(body) })
}

fn user(content: Content, place: &str, messages: &mut Vec<Value>) -> Result<(), Problem> {
    let blocks = match content {
        Content::Text(text) => {
            messages.push(json!({ "role": "user", "content": text }));
            return Ok(());
        }
        Content::Blocks(blocks) => blocks,
    };
    let mut parts = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        match kind(block) {
            "text" => parts.push(json!({ "type": "text", "text": block["text"] })),
            "image" => {
                parts.push(json!({ "type": "image_url", "image_url": { "url": image(&block["source"], place, at)? } }))
            }
            "tool_result" => messages.push(result(block, place, at, &mut parts)?),
            "document" if kind(&block["source"]) == "text" => {
                parts.push(json!({ "type": "text", "text": block["source"]["data"] }));
            }
            other => return Err(unknown(place, at, other)),
        }
    }
    // One text stays plain text: not every back end takes parts.
    match parts.as_slice() {
        [] => {}
        [only] if kind(only) == "text" => messages.push(json!({ "role": "user", "content": only["text"] })),
        _ => messages.push(json!({ "role": "user", "content": parts })),
    }
    Ok(())
}

/// A tool's answer. Pictures in it cannot stand in a tool's message; they follow in the person's.
fn result(block: &Value, place: &str, at: usize, parts: &mut Vec<Value>) -> Result<Value, Problem> {
    let mut said = Vec::new();
    match &block["content"] {
        Value::Null => {}
        Value::String(text) => said.push(text.clone()),
        Value::Array(blocks) => {
            for inner in blocks {
                match kind(inner) {
                    "text" => said.push(inner["text"].as_str().unwrap_or_default().to_owned()),
                    "image" => parts.push(
                        json!({ "type": "image_url", "image_url": { "url": image(&inner["source"], place, at)? } }),
                    ),
                    other => return Err(unknown(place, at, other)),
                }
            }
        }
        _ => return Err(unknown(place, at, "tool_result")),
    }
    let mut text = said.join("\n");
    if block["is_error"] == true {
        text = format!("error: {text}");
    }
    Ok(json!({ "role": "tool", "tool_call_id": block["tool_use_id"], "content": text }))
}

fn assistant(content: Content, place: &str) -> Result<Value, Problem> {
    let blocks = match content {
        Content::Text(text) => return Ok(json!({ "role": "assistant", "content": text })),
        Content::Blocks(blocks) => blocks,
    };
    let (mut text, mut thought, mut calls) = (String::new(), String::new(), Vec::new());
    for (at, block) in blocks.iter().enumerate() {
        match kind(block) {
            "text" => text.push_str(block["text"].as_str().unwrap_or_default()),
            "thinking" => thought.push_str(block["thinking"].as_str().unwrap_or_default()),
            "redacted_thinking" => {}
            "tool_use" => calls.push(json!({ "id": block["id"], "type": "function",
                "function": { "name": block["name"], "arguments": block["input"].to_string() } })),
            other => return Err(unknown(place, at, other)),
        }
    }
    let mut message = json!({ "role": "assistant", "content": text });
    if text.is_empty() && !calls.is_empty() {
        message["content"] = Value::Null;
    }
    if !thought.is_empty() {
        message["reasoning_content"] = thought.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    Ok(message)
}

fn image(source: &Value, place: &str, at: usize) -> Result<String, Problem> {
    match (kind(source), source["data"].as_str(), source["url"].as_str()) {
        ("base64", Some(data), _) => {
            Ok(format!("data:{};base64,{data}", source["media_type"].as_str().unwrap_or("image/png")))
        }
        ("url", _, Some(url)) => Ok(url.to_owned()),
        (other, ..) => Err(unknown(place, at, &format!("image source {other}"))),
    }
}

fn tool((at, tool): (usize, &Value)) -> Result<Value, Problem> {
    if let Some(other) = tool["type"].as_str().filter(|kind| *kind != "custom") {
        let field = format!("tools.{at}.type");
        let message =
            format!("{field}: {other:?} runs at Anthropic and is not offered here; send tools with an input_schema");
        return Err(Problem::wrong(&field, message));
    }
    let mut function = json!({ "name": tool["name"], "parameters": tool["input_schema"] });
    if let Some(about) = tool["description"].as_str() {
        function["description"] = about.into();
    }
    Ok(json!({ "type": "function", "function": function }))
}

fn choose(choice: &Value, body: &mut Map<String, Value>) -> Result<(), Problem> {
    let chosen = match kind(choice) {
        "auto" => json!("auto"),
        "any" => json!("required"),
        "none" => json!("none"),
        "tool" => json!({ "type": "function", "function": { "name": choice["name"] } }),
        _ => return Err(Problem::wrong("tool_choice", "tool_choice.type: must be auto, any, tool or none")),
    };
    body.insert("tool_choice".into(), chosen);
    if choice["disable_parallel_tool_use"] == true {
        body.insert("parallel_tool_calls".into(), false.into());
    }
    Ok(())
}

/// A budget of thinking, in the three words there are for it.
fn effort(thinking: &Value) -> Option<Value> {
    let budget = (kind(thinking) == "enabled").then(|| thinking["budget_tokens"].as_u64().unwrap_or(0))?;
    Some(match budget {
        0..4_096 => "low".into(),
        4_096..16_384 => "medium".into(),
        _ => "high".into(),
    })
}

fn texts(content: &Content, place: &str) -> Result<String, Problem> {
    let blocks = match content {
        Content::Text(text) => return Ok(text.clone()),
        Content::Blocks(blocks) => blocks,
    };
    let mut all = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        match block["text"].as_str() {
            Some(text) => all.push(text),
            None => return Err(unknown(place, at, kind(block))),
        }
    }
    Ok(all.join("\n"))
}

fn kind(value: &Value) -> &str {
    value["type"].as_str().unwrap_or_default()
}

fn unknown(place: &str, at: usize, kind: &str) -> Problem {
    let field = format!("{place}.{at}");
    let message = format!("{field}: a block of type {kind:?} cannot be passed on here");
    Problem::wrong(&field, message)
}

fn missing(field: &str) -> Problem {
    Problem::wrong(field, format!("{field}: is missing"))
}
