//! An OpenAI chat request taken apart for a dialect that is not OpenAI's: its turns, tools and format as types, and what becomes of
//! every other parameter. It writes no dialect; each adapter does that from here.

use bytes::Bytes;
use domain::{Dialect, ModelError, Prompt};
use openai::{ChatMessage, ChatRequest, Content, ErrorBody, ErrorObject};
use serde_json::{Map, Value};

use super::wire::rejected;

/// What becomes of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The house's own: the model's name, the stream.
    House,
    /// Said in the dialect's own words.
    Mapped,
    /// Left out, and the client is told; so is every name that no table lists.
    Dropped,
    /// Refused: without it the answer would not be what was asked for.
    Refused,
}

/// A dialect's table, one row a parameter.
pub(super) type Table = &'static [(&'static str, Fate)];

/// A request, taken apart.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) turns: Vec<Turn>,
    pub(super) tools: Vec<Tool>,
    pub(super) choice: Option<Choice>,
    pub(super) format: Format,
    pub(super) max_tokens: Option<u64>,
    pub(super) stop: Vec<String>,
    pub(super) effort: Option<String>,
    /// The parameters that were left out.
    pub(super) dropped: Vec<String>,
    fields: Map<String, Value>,
}

/// One message.
#[derive(Debug)]
pub(super) enum Turn {
    System(String),
    User(Vec<Part>),
    Assistant(Assistant),
    /// The result of the call with this id.
    Tool(String, Vec<Part>),
}

/// What the model said before.
#[derive(Debug, Default)]
pub(super) struct Assistant {
    pub(super) text: String,
    pub(super) calls: Vec<Call>,
    /// Fields beyond OpenAI's own: what other gateways hand out for reasoning.
    pub(super) extra: Map<String, Value>,
}

/// A call it made.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Map<String, Value>,
    /// Fields beyond OpenAI's own.
    pub(super) extra: Map<String, Value>,
}

/// A piece of a message.
#[derive(Debug)]
pub(super) enum Part {
    Text(String),
    /// Media type and base64.
    Picture(String, String),
    /// A picture that the back end fetches itself.
    Address(String),
}

/// A tool on offer.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) parameters: Option<Value>,
    pub(super) strict: bool,
}

/// Which tools the model may or must call.
#[derive(Debug)]
pub(super) enum Choice {
    Auto,
    Never,
    Some,
    One(String),
    /// One of these; whether it must.
    Among(Vec<String>, bool),
}

/// How the text is shaped.
#[derive(Debug)]
pub(super) enum Format {
    Free,
    Json,
    Schema(Value),
}

impl Asked {
    /// Takes a chat apart and applies the table.
    pub(super) fn read(prompt: &Prompt, table: Table, who: &str) -> Result<Asked, ModelError> {
        let bytes = match &prompt.body {
            Some(own) => own.bytes.to_vec(),
            None => serde_json::to_vec(&ChatRequest::of(prompt)).map_err(|error| wrong(error.to_string()))?,
        };
        let request = ChatRequest::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
        // Read again as it was written: our types keep numbers in 32 bits.
        let fields: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let fields: Map<String, Value> = fields.into_iter().filter(|(_, value)| !is_empty(value)).collect();
        let mut dropped = self::dropped(&fields, table, who)?;
        let mut turns = Vec::with_capacity(request.messages.len());
        for (at, message) in request.messages.iter().enumerate() {
            turns.push(turn(message, at, who)?);
            if message.extra.get("name").is_some_and(|name| !name.is_null()) && message.role != "tool" {
                note(&mut dropped, "messages.name");
            }
        }
        Ok(Asked {
            turns,
            tools: tools(fields.get("tools"), who)?,
            choice: choice(fields.get("tool_choice"))?,
            format: format(fields.get("response_format"))?,
            max_tokens: request.params.max_completion_tokens.or(request.params.max_tokens).map(u64::from),
            stop: request.params.stop,
            effort: fields.get("reasoning_effort").and_then(Value::as_str).map(str::to_owned),
            dropped,
            fields,
        })
    }

    /// A parameter's value as the client wrote it.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Takes a parameter out of the request, and says so.
    pub(super) fn leave_out(&mut self, name: &str) {
        if self.fields.remove(name).is_some_and(|value| !is_neutral(name, &value)) {
            self.drop(name);
        }
    }

    /// This parameter was left out after all.
    pub(super) fn drop(&mut self, name: &str) {
        note(&mut self.dropped, name);
    }
}

/// Applies a table: the names that are left out, or the refusal of one.
pub(super) fn dropped(fields: &Map<String, Value>, table: Table, who: &str) -> Result<Vec<String>, ModelError> {
    let mut dropped = Vec::new();
    for (name, _) in fields.iter().filter(|(name, value)| !is_empty(value) && !is_neutral(name, value)) {
        match table.iter().find(|row| row.0 == name).map(|row| row.1) {
            Some(Fate::House | Fate::Mapped) => {}
            Some(Fate::Dropped) | None => dropped.push(name.clone()),
            Some(Fate::Refused) => return Err(unsupported(name, &format!("{who} have no such thing"))),
        }
    }
    Ok(dropped)
}

fn note(dropped: &mut Vec<String>, name: &str) {
    if !dropped.iter().any(|known| known == name) {
        dropped.push(name.to_owned());
    }
}

/// Whether a value is as good as none.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        _ => false,
    }
}

/// Whether a value only states what holds anyway: then it is no loss where a dialect has no word for it.
fn is_neutral(name: &str, value: &Value) -> bool {
    match name {
        "frequency_penalty" | "presence_penalty" | "min_p" => value.as_f64() == Some(0.0),
        "top_logprobs" => value.as_u64() == Some(0),
        "n" => value.as_u64() == Some(1),
        "temperature" | "top_p" => value.as_f64() == Some(1.0),
        "logprobs" | "store" => value == false,
        "parallel_tool_calls" => value == true,
        "service_tier" => value == "auto",
        "verbosity" => value == "medium",
        "modalities" => value.as_array().is_some_and(|all| all.iter().all(|one| one == "text")),
        _ => false,
    }
}

fn turn(message: &ChatMessage, at: usize, who: &str) -> Result<Turn, ModelError> {
    let parts = |message: &ChatMessage| match &message.content {
        None => Ok(Vec::new()),
        Some(Content::Text(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Content::Text(text)) => Ok(vec![Part::Text(text.clone())]),
        Some(Content::Parts(parts)) => parts.iter().map(|given| part(given, at, who)).collect(),
    };
    let text = |message: &ChatMessage| message.content.as_ref().map(|content| content.text().into_owned());
    match message.role.as_str() {
        "system" | "developer" => Ok(Turn::System(text(message).unwrap_or_default())),
        "user" => Ok(Turn::User(parts(message)?)),
        "assistant" => {
            let refusal = message.extra.get("refusal").and_then(Value::as_str).map(str::to_owned);
            let calls = message.tool_calls.iter().map(|call| self::call(call, at)).collect::<Result<_, _>>()?;
            let text = text(message).or(refusal).unwrap_or_default();
            Ok(Turn::Assistant(Assistant { text, calls, extra: message.extra.clone() }))
        }
        "tool" => match message.extra.get("tool_call_id").and_then(Value::as_str) {
            Some(id) => Ok(Turn::Tool(id.to_owned(), parts(message)?)),
            None => Err(wrong(format!("messages[{at}]: a tool message names no tool_call_id"))),
        },
        other => Err(unsupported(&format!("messages[{at}].role"), &format!("{other:?} is no role of {who}"))),
    }
}

fn call(call: &openai::ToolCallPiece, at: usize) -> Result<Call, ModelError> {
    let (Some(id), Some(name)) = (&call.id, &call.function.name) else {
        return Err(wrong(format!("messages[{at}].tool_calls: a call has no id or no name")));
    };
    let arguments = match call.function.arguments.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text)
            .map_err(|_| wrong(format!("messages[{at}].tool_calls: the arguments of {id:?} are no JSON object")))?,
    };
    Ok(Call { id: id.clone(), name: name.clone(), arguments, extra: call.extra.clone() })
}

fn part(given: &Value, at: usize, who: &str) -> Result<Part, ModelError> {
    let string = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match given.get("type").and_then(Value::as_str).unwrap_or_default() {
        "text" | "refusal" => Ok(Part::Text(string(given.get("text").or(given.get("refusal"))).unwrap_or_default())),
        "image_url" => {
            let url = string(given.pointer("/image_url/url").or(given.get("image_url")));
            let url = url.ok_or_else(|| wrong(format!("messages[{at}]: an image_url has no url")))?;
            if url.starts_with("https://") || url.starts_with("http://") {
                return Ok(Part::Address(url));
            }
            let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
            match data {
                Some((media_type, data)) => Ok(Part::Picture(media_type.to_owned(), data.to_owned())),
                None => Err(wrong(format!("messages[{at}]: an image_url is neither an address nor base64 data"))),
            }
        }
        other => Err(unsupported(
            &format!("messages[{at}].content"),
            &format!("parts of type {other:?} cannot be sent to {who}"),
        )),
    }
}

fn tools(given: Option<&Value>, who: &str) -> Result<Vec<Tool>, ModelError> {
    let mut tools = Vec::new();
    for tool in given.and_then(Value::as_array).into_iter().flatten() {
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or("function");
        if kind != "function" {
            return Err(unsupported("tools", &format!("tools of type {kind:?} cannot be offered to {who}")));
        }
        let field = |name: &str| tool.get("function").and_then(|function| function.get(name)).filter(|v| !v.is_null());
        let text = |name: &str| field(name).and_then(Value::as_str).map(str::to_owned);
        tools.push(Tool {
            name: text("name").ok_or_else(|| wrong("tools: a function has no name".to_owned()))?,
            description: text("description"),
            parameters: field("parameters").cloned(),
            strict: field("strict").and_then(Value::as_bool) == Some(true),
        });
    }
    Ok(tools)
}

fn choice(given: Option<&Value>) -> Result<Option<Choice>, ModelError> {
    let Some(given) = given else { return Ok(None) };
    let named = |value: &Value| value.pointer("/function/name").and_then(Value::as_str).map(str::to_owned);
    let choice = match given.as_str().or_else(|| given.get("type")?.as_str()) {
        Some("auto") => Choice::Auto,
        Some("none") => Choice::Never,
        Some("required") => Choice::Some,
        Some("function") => Choice::One(named(given).ok_or_else(|| wrong("tool_choice names no function".to_owned()))?),
        Some("allowed_tools") => {
            let among = given.get("allowed_tools").unwrap_or(given);
            let tools = among.get("tools").and_then(Value::as_array).into_iter().flatten();
            Choice::Among(tools.filter_map(named).collect(), among.get("mode").is_some_and(|mode| mode == "required"))
        }
        _ => return Err(unsupported("tool_choice", "it is none of auto, none, required, a function, allowed_tools")),
    };
    Ok(Some(choice))
}

fn format(given: Option<&Value>) -> Result<Format, ModelError> {
    let Some(given) = given else { return Ok(Format::Free) };
    match given.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Format::Free),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => match given.pointer("/json_schema/schema") {
            Some(schema) => Ok(Format::Schema(schema.clone())),
            None => Err(wrong("response_format: json_schema holds no schema".to_owned())),
        },
        _ => Err(unsupported("response_format", "it is none of text, json_object, json_schema")),
    }
}

/// A parameter that the dialect has no word for, and without which the answer would be another.
pub(super) fn unsupported(name: &str, why: &str) -> ModelError {
    rejected("unsupported_parameter", format!("{name}: {why}"))
}

/// A request that makes no sense.
pub(super) fn wrong(message: String) -> ModelError {
    ModelError::Rejected { status: 400, code: None, message, body: None }
}

/// Codes of a refusal that clients of OpenAI's dialect know, or find in the book.
const CODES: [&str; 3] = ["unsupported_parameter", "unsupported_task", "content_filter"];

/// A refusal in OpenAI's words, for a client that speaks them.
pub(super) fn worded(error: ModelError, client: Option<Dialect>) -> ModelError {
    let ModelError::Rejected { status, code: Some(code), message, body: None } = error else { return error };
    let mut body = None;
    if client == Some(Dialect::OpenAi) && CODES.contains(&code.as_str()) {
        let param = message.split(':').next().filter(|_| code == "unsupported_parameter").map(str::to_owned);
        let kind = "invalid_request_error".to_owned();
        let error = ErrorObject { message: message.clone(), kind, param, code: Some(code.clone()) };
        body = serde_json::to_vec(&ErrorBody { error }).ok().map(Bytes::from);
    }
    ModelError::Rejected { status, code: Some(code), message, body }
}

/// The language of the client, where it is the client that speaks.
pub(super) fn client(prompt: &Prompt) -> Option<Dialect> {
    prompt.body.as_ref().map(domain::ClientBody::dialect)
}

/// Adds what one side said to a list of turns, whose contents stand under `key`. Both translated dialects want results of
/// parallel calls in one turn, so neighbours of one role are joined; nothing said is no turn.
pub(super) fn join(turns: &mut Vec<Value>, role: &str, key: &str, parts: Vec<Value>) {
    if parts.is_empty() {
        return;
    }
    match turns.last_mut().filter(|last| last["role"] == role).and_then(|last| last[key].as_array_mut()) {
        Some(known) => known.extend(parts),
        None => turns.push(serde_json::json!({"role": role, key: parts})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{anthropic, gemini};

    /// The rows of a page's table: names, and what is said of them in the two columns.
    fn rows(page: &str) -> Vec<(Vec<&str>, [&str; 2])> {
        let rows = page.lines().skip_while(|line| !line.ends_with("| Anthropic | Gemini |")).skip(2);
        let cells = rows.take_while(|line| line.starts_with('|')).map(|line| line.split('|').collect::<Vec<_>>());
        cells
            .map(|cells| (cells[1].split('`').skip(1).step_by(2).collect(), [cells[2].trim(), cells[3].trim()]))
            .collect()
    }

    #[test]
    fn the_book_tells_what_becomes_of_each_parameter() {
        for (page, words) in [
            (include_str!("../../../../docs/en/api.md"), ["mapped", "dropped", "refused"]),
            (include_str!("../../../../docs/zh/api.md"), ["转换", "略去", "拒绝"]),
        ] {
            let rows = rows(page);
            for (at, table) in [anthropic::TABLE, gemini::TABLE].into_iter().enumerate() {
                for (name, fate) in table {
                    let word = match fate {
                        Fate::House => continue,
                        Fate::Mapped => words[0],
                        Fate::Dropped => words[1],
                        Fate::Refused => words[2],
                    };
                    let told = rows.iter().find(|row| row.0.contains(name)).map(|row| row.1[at]);
                    assert!(told.is_some_and(|told| told.starts_with(word)), "{name}: {word}, and not {told:?}");
                }
            }
            let known = |name: &str| {
                [anthropic::TABLE, gemini::TABLE].iter().any(|table| table.iter().any(|row| row.0 == name))
            };
            let strange: Vec<&str> = rows.iter().flat_map(|row| row.0.clone()).filter(|name| !known(name)).collect();
            assert_eq!(strange, Vec::<&str>::new());
        }
    }
}
