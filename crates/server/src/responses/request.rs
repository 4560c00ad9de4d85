//! A request for a response, as a chat request of the same vendor's older dialect, and what the response repeats of it. Schemas
//! travel as they were written: a model fills in properties in their order. What cannot be done here is refused with the
//! field's name; fields that are not known go on as they came.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use bytes::Bytes;
use domain::TurnId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::attached::Attached;
use super::items::{self, Talk};
use crate::Problem;

type Fields = BTreeMap<String, Box<RawValue>>;

/// What was read.
pub(super) struct Request {
    pub(super) stream: bool,
    pub(super) store: bool,
    /// The response it goes on from.
    pub(super) previous: Option<TurnId>,
    pub(super) logprobs: bool,
    /// What is asked, without what was said before.
    pub(super) items: Vec<Value>,
    /// The fields that a response repeats.
    pub(super) echo: Map<String, Value>,
    instructions: Option<String>,
    /// The chat request, but for its messages.
    chat: Fields,
}

/// What a request may name and is not done here.
const NOT_OFFERED: [(&str, &str); 3] = [
    ("conversation", "conversations are not kept at this door; go on with previous_response_id"),
    ("prompt", "prompts are not kept here; send instructions and input"),
    ("context_management", "nothing is compacted here; send what the model is to read"),
];

/// What `include` may ask for. Reasoning is never encrypted here: it comes in plain text.
const INCLUDED: [&str; 2] = ["message.output_text.logprobs", "reasoning.encrypted_content"];

/// Fields that the response alone is about.
const OURS: [&str; 4] = ["background", "stream_options", "prompt_cache_options", "prompt_cache_retention"];

/// Fields that the model's server gets as they came, and the response repeats.
const REPEATED: [&str; 6] =
    ["temperature", "top_p", "parallel_tool_calls", "user", "safety_identifier", "prompt_cache_key"];

/// Reads a body.
pub(super) fn read(bytes: &[u8]) -> Result<Request, Problem> {
    let mut fields: Fields = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Problem::wrong("body", format!("the body does not fit: {error}")),
        _ => Problem::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not valid JSON: {error}")),
    })?;
    offered(&mut fields)?;
    let items = input(&mut fields)?;
    let instructions: Option<String> = take(&mut fields, "instructions", "text")?;
    let store = take(&mut fields, "store", "true or false")?.unwrap_or(true);
    let named: Option<String> = take(&mut fields, "previous_response_id", "the id of a response")?;
    let previous = named.as_deref().map(previous).transpose()?;
    let mut echo = Map::new();
    echo.insert("instructions".into(), json!(instructions));
    echo.insert("previous_response_id".into(), json!(named));
    echo.insert("store".into(), store.into());
    let mut chat = Fields::new();
    limits(&mut fields, &mut echo, &mut chat)?;
    let logprobs = likelihoods(&mut fields, &mut echo, &mut chat)?;
    reasoning(&mut fields, &mut echo, &mut chat)?;
    format(&mut fields, &mut echo, &mut chat)?;
    tools(&mut fields, &mut echo, &mut chat)?;
    for name in REPEATED {
        let sent = fields.get(name).map(|raw| read_as(raw, name, "JSON")).transpose()?;
        echo.insert(name.to_owned(), sent.unwrap_or(Value::Null));
    }
    if echo["parallel_tool_calls"].is_null() {
        echo["parallel_tool_calls"] = true.into();
    }
    let stream = fields.get("stream").map(|raw| read_as(raw, "stream", "true or false")).transpose()?;
    chat.extend(fields.into_iter().filter(|(_, raw)| raw.get() != "null"));
    Ok(Request {
        stream: stream.flatten().unwrap_or(false),
        store,
        previous,
        logprobs,
        items,
        echo,
        instructions,
        chat,
    })
}

impl Request {
    /// The chat request: instructions, what was said before, what is asked now; with the files that they name.
    pub(super) fn body(&self, before: &[Value], attached: &Attached) -> Result<Bytes, Problem> {
        let mut talk = Talk::new(self.instructions.as_deref(), attached);
        for item in before {
            talk.take(item, "previous_response_id")?;
        }
        for (at, item) in self.items.iter().enumerate() {
            talk.take(item, &format!("input.{at}"))?;
        }
        let messages = raw(&talk.messages())?;
        let body: BTreeMap<&str, &RawValue> = self
            .chat
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_ref()))
            .chain([("messages", messages.as_ref())])
            .collect();
        serde_json::to_vec(&body).map(Bytes::from).map_err(|error| Problem::wrong("body", error.to_string()))
    }
}

fn offered(fields: &mut Fields) -> Result<(), Problem> {
    for (name, instead) in NOT_OFFERED {
        if take::<Value>(fields, name, "JSON")?.is_some() {
            return Err(Problem::wrong(name, format!("{name}: {instead}")));
        }
    }
    if fields.get("background").is_some_and(|raw| raw.get() == "true") {
        return Err(Problem::wrong(
            "background",
            "background: responses are not made in the background here; ask for a stream",
        ));
    }
    let truncation: Option<String> = take(fields, "truncation", "auto or disabled")?;
    if truncation.is_some_and(|word| word != "disabled") {
        let message = "truncation: nothing is left out here of what a model is to read; send disabled, and less if it is \
                       too much";
        return Err(Problem::wrong("truncation", message));
    }
    for name in OURS {
        fields.remove(name);
    }
    Ok(())
}

fn input(fields: &mut Fields) -> Result<Vec<Value>, Problem> {
    let input: Value = take(fields, "input", "text or a list of items")?.ok_or_else(|| missing("input"))?;
    match input {
        Value::String(text) => Ok(vec![items::message("user", &text)]),
        Value::Array(items) if !items.is_empty() => Ok(items),
        Value::Array(_) => Err(Problem::wrong("input", "input: is empty")),
        _ => Err(Problem::wrong("input", "input: must be text or a list of items")),
    }
}

/// The turn behind a response's id.
pub(super) fn turn_of(id: &str) -> Option<TurnId> {
    id.strip_prefix("resp_")?.parse().ok()
}

fn previous(id: &str) -> Result<TurnId, Problem> {
    turn_of(id).ok_or_else(|| no_such_response("previous_response_id", id))
}

/// A response that is not there, or not the caller's.
pub(super) fn no_such_response(field: &str, id: &str) -> Problem {
    let id: String = id.chars().take(64).collect();
    let message = format!(
        "{field}: there is no response {id:?}; it was not stored, was deleted, is older than 30 days, or is another's"
    );
    Problem { status: StatusCode::NOT_FOUND, code: "not_found", ..Problem::wrong(field, message) }
}

fn limits(fields: &mut Fields, echo: &mut Map<String, Value>, chat: &mut Fields) -> Result<(), Problem> {
    let most: Option<u32> = take(fields, "max_output_tokens", "a whole number")?;
    if most == Some(0) {
        return Err(Problem::wrong("max_output_tokens", "max_output_tokens: must be at least 1"));
    }
    if let Some(most) = most {
        // The older name, which every server knows.
        put(chat, "max_tokens", &most)?;
    }
    let calls: Option<u32> = take(fields, "max_tool_calls", "a whole number")?;
    let metadata: Option<BTreeMap<String, String>> = take(fields, "metadata", "an object of texts")?;
    if metadata.as_ref().is_some_and(|all| all.len() > 16) {
        return Err(Problem::wrong("metadata", "metadata: has more than 16 entries"));
    }
    echo.insert("max_output_tokens".into(), json!(most));
    echo.insert("max_tool_calls".into(), json!(calls));
    echo.insert("metadata".into(), json!(metadata.unwrap_or_default()));
    Ok(())
}

/// Whether the tokens' likelihoods are told.
fn likelihoods(fields: &mut Fields, echo: &mut Map<String, Value>, chat: &mut Fields) -> Result<bool, Problem> {
    let include: Vec<String> = take(fields, "include", "a list of names")?.unwrap_or_default();
    if let Some(other) = include.iter().find(|name| !INCLUDED.contains(&name.as_str())) {
        let message = format!("include: {other:?} is not offered here; there are {}", INCLUDED.join(", "));
        return Err(Problem::wrong("include", message));
    }
    let most: u32 = take(fields, "top_logprobs", "a whole number from 0 to 20")?.unwrap_or(0);
    if most > 20 {
        return Err(Problem::wrong("top_logprobs", "top_logprobs: must be a whole number from 0 to 20"));
    }
    echo.insert("top_logprobs".into(), most.into());
    let wanted = most > 0 || include.iter().any(|name| name == INCLUDED[0]);
    if wanted {
        put(chat, "logprobs", &true)?;
        put(chat, "top_logprobs", &most)?;
    }
    Ok(wanted)
}

#[derive(Deserialize)]
struct Reasoning {
    effort: Option<String>,
    summary: Option<String>,
}

fn reasoning(fields: &mut Fields, echo: &mut Map<String, Value>, chat: &mut Fields) -> Result<(), Problem> {
    let asked: Option<Reasoning> = take(fields, "reasoning", "an object with an effort")?;
    let Reasoning { effort, summary } = asked.unwrap_or(Reasoning { effort: None, summary: None });
    if let Some(effort) = &effort {
        put(chat, "reasoning_effort", effort)?;
    }
    echo.insert("reasoning".into(), json!({ "effort": effort, "summary": summary }));
    Ok(())
}

#[derive(Deserialize)]
struct Text {
    format: Option<Format>,
    verbosity: Option<String>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    description: Option<String>,
    schema: Option<Box<RawValue>>,
    strict: Option<bool>,
}

#[derive(Serialize)]
struct Schema<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<Schema<'a>>,
}

fn format(fields: &mut Fields, echo: &mut Map<String, Value>, chat: &mut Fields) -> Result<(), Problem> {
    let told = fields.get("text").map(|raw| read_as::<Value>(raw, "text", "an object")).transpose()?;
    let asked: Option<Text> = take(fields, "text", "an object with a format")?;
    let mut told = told.filter(|told| told.is_object()).unwrap_or_else(|| json!({}));
    if told["format"].is_null() {
        told["format"] = json!({ "type": "text" });
    }
    echo.insert("text".into(), told);
    let Some(Text { format, verbosity }) = asked else { return Ok(()) };
    if let Some(verbosity) = verbosity {
        put(chat, "verbosity", &verbosity)?;
    }
    let Some(format) = format else { return Ok(()) };
    let json_schema = match format.kind.as_str() {
        "text" => return Ok(()),
        "json_object" => None,
        "json_schema" => Some(Schema {
            name: format.name.as_deref().ok_or_else(|| missing("text.format.name"))?,
            description: format.description.as_deref(),
            schema: format.schema.as_deref().ok_or_else(|| missing("text.format.schema"))?,
            strict: format.strict,
        }),
        other => {
            let message = format!("text.format.type: {other:?} is not known; there are text, json_object, json_schema");
            return Err(Problem::wrong("text.format.type", message));
        }
    };
    put(chat, "response_format", &ResponseFormat { kind: &format.kind, json_schema })
}

#[derive(Deserialize)]
struct Tool {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    description: Option<String>,
    parameters: Option<Box<RawValue>>,
    strict: Option<bool>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct ChatTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

fn tools(fields: &mut Fields, echo: &mut Map<String, Value>, chat: &mut Fields) -> Result<(), Problem> {
    let tools: Vec<Tool> = take(fields, "tools", "a list of tools, each with a type")?.unwrap_or_default();
    let (mut offered, mut told) = (Vec::with_capacity(tools.len()), Vec::with_capacity(tools.len()));
    for (at, tool) in tools.iter().enumerate() {
        if tool.kind != "function" {
            let field = format!("tools.{at}.type");
            let message = format!(
                "{field}: {:?} runs at OpenAI and is not offered here; send functions and run them yourself",
                tool.kind
            );
            return Err(Problem::wrong(&field, message));
        }
        let name = tool.name.as_deref().ok_or_else(|| missing(&format!("tools.{at}.name")))?;
        let Tool { description, parameters, strict, .. } = tool;
        let (description, parameters) = (description.as_deref(), parameters.as_deref());
        told.push(json!({ "type": "function", "name": name, "description": description, "parameters": parameters,
            "strict": strict }));
        offered
            .push(ChatTool { kind: "function", function: Function { name, description, parameters, strict: *strict } });
    }
    if !offered.is_empty() {
        put(chat, "tools", &offered)?;
    }
    echo.insert("tools".into(), told.into());
    let choice: Value = take(fields, "tool_choice", "JSON")?.unwrap_or_else(|| "auto".into());
    match choice.as_str().unwrap_or_else(|| items::kind(&choice)) {
        "auto" | "none" | "required" if choice.is_string() => {
            if !offered.is_empty() || choice == "required" {
                put(chat, "tool_choice", &choice)?;
            }
        }
        "function" if choice["name"].is_string() => {
            let one = json!({ "type": "function", "function": { "name": choice["name"] } });
            put(chat, "tool_choice", &one)?;
        }
        _ => {
            let message = "tool_choice: must be auto, none, required, or a function by its name";
            return Err(Problem::wrong("tool_choice", message));
        }
    }
    echo.insert("tool_choice".into(), choice);
    Ok(())
}

fn put<T: Serialize + ?Sized>(chat: &mut Fields, name: &str, value: &T) -> Result<(), Problem> {
    chat.insert(name.to_owned(), raw(value)?);
    Ok(())
}

fn raw<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>, Problem> {
    to_raw_value(value).map_err(|error| Problem::wrong("body", error.to_string()))
}

/// Takes a field out. `null` counts as absent.
fn take<T: DeserializeOwned>(fields: &mut Fields, name: &str, what: &str) -> Result<Option<T>, Problem> {
    match fields.remove(name) {
        Some(raw) if raw.get() != "null" => read_as(&raw, name, what).map(Some),
        _ => Ok(None),
    }
}

fn read_as<T: DeserializeOwned>(raw: &RawValue, name: &str, what: &str) -> Result<T, Problem> {
    serde_json::from_str(raw.get()).map_err(|_| Problem::wrong(name, format!("{name}: must be {what}")))
}

fn missing(field: &str) -> Problem {
    Problem::wrong(field, format!("{field}: is missing"))
}
