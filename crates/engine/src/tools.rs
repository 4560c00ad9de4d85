//! Tool calls in an answer's text, as the families of models write them: Qwen 2.5 and 3 (`<tool_call>{"name": …}</tool_call>`), GLM 4
//! (`<tool_call>name<arg_key>…`), Llama 3 (`{"name": …, "parameters": …}`), Mistral (`[TOOL_CALLS][{…}]` or `[TOOL_CALLS]name[ARGS]{…}`), Phi 4
//! (`<|tool_call|>[{…}]`), and a fenced JSON for those that were only told how (Gemma). It reads one answer piece by piece; it calls nothing.

use serde_json::{Map, Value, json};

mod begun;
mod forced;
mod thoughts;

pub(crate) use forced::{Style, grammar};
pub use thoughts::Thoughts;

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";
/// What may stand before calls that are no longer marked, where the vocabulary writes its control tokens out.
const MARKS: &[&str] = &["[TOOL_CALLS]", "<|python_tag|>", "<|tool_call|>"];
const FENCES: &[&str] = &["```json", "```tool_call", "```tool_code"];
/// What stands between a name and its arguments in Mistral's later form.
const ARGS: &str = "[ARGS]";
/// Keys that a call may begin with.
const KEYS: &[&str] = &["name", "function", "type", "parameters", "arguments", "id"];

/// A call that the model wants made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The function's name.
    pub name: String,
    /// Its arguments: a JSON object, as text.
    pub arguments: String,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// To be shown.
    Text(String),
    /// A function of this name is to be called.
    Begin(String),
    /// More of the arguments of the call that was begun last.
    Arguments(String),
}

/// The calls of one answer as it grows.
#[derive(Debug, Default)]
pub struct Calls {
    names: Vec<String>,
    most: Option<usize>,
    held: String,
    /// Something was shown or called already: what comes now cannot be an answer that is nothing but a call.
    begun: bool,
    /// A call came last: the line ends that models write behind it belong to nobody.
    called: bool,
    /// How much was told of the arguments of each call in what is held.
    told: Vec<usize>,
    count: usize,
}

impl Calls {
    /// Of an answer that may call the functions of these names, and at most so many of them. A call of another name is told once it is whole.
    pub fn new(names: Vec<String>, most: Option<usize>) -> Self {
        Calls { names, most, ..Calls::default() }
    }

    /// Takes more of the answer; what is certainly text or part of a call comes back.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        self.held.push_str(text);
        let mut pieces = Vec::new();
        while self.step(&mut pieces) {}
        pieces
    }

    /// The answer is over: what was held back.
    pub fn finish(&mut self) -> Vec<Piece> {
        let rest = std::mem::take(&mut self.held);
        let calls = if self.begun && !rest.trim_start().starts_with(OPEN) { None } else { calls_in(rest.trim()) };
        let mut pieces = Vec::new();
        match calls {
            Some(calls) => self.tell(&rest, calls, &mut pieces),
            // What was told of a call that was cut stays told.
            None if rest.is_empty() || !self.told.is_empty() => {}
            None => pieces.push(Piece::Text(rest)),
        }
        pieces
    }

    /// Takes one part off what is held; false when more has to come first.
    fn step(&mut self, pieces: &mut Vec<Piece>) -> bool {
        if self.called {
            self.held = self.held.trim_start().to_owned();
            self.called = self.held.is_empty();
        }
        if self.held.starts_with(OPEN) {
            let Some(end) = self.held.find(CLOSE) else {
                self.tell_begun(pieces);
                return false;
            };
            let block: String = self.held.drain(..end + CLOSE.len()).collect();
            self.begun = true;
            match calls_in(&block) {
                Some(calls) => {
                    self.tell(&block, calls, pieces);
                    self.called = true;
                }
                None if self.told.is_empty() => pieces.push(Piece::Text(block)),
                None => self.told.clear(),
            }
            return true;
        }
        if !self.begun && may_be_calls(self.held.trim_start()) {
            self.tell_begun(pieces);
            return false;
        }
        let safe = match self.held.find(OPEN) {
            Some(at) => at,
            None => self.held.len() - beginning_at_end(&self.held, OPEN),
        };
        if safe == 0 {
            return false;
        }
        let text: String = self.held.drain(..safe).collect();
        let blank = text.trim().is_empty();
        if self.begun || !blank || !self.held.starts_with(OPEN) {
            pieces.push(Piece::Text(text));
        }
        self.begun |= !blank;
        true
    }

    /// Tells what has come of calls that are not whole.
    fn tell_begun(&mut self, pieces: &mut Vec<Piece>) {
        let held = std::mem::take(&mut self.held);
        for (nth, call) in begun::calls(&held).into_iter().enumerate() {
            if !self.names.contains(&call.name) {
                break;
            }
            self.tell_call(nth, &call.name, call.arguments, pieces);
        }
        self.held = held;
    }

    /// Tells the rest of calls that are.
    fn tell(&mut self, block: &str, calls: Vec<Call>, pieces: &mut Vec<Piece>) {
        let written = begun::calls(block);
        for (nth, call) in calls.iter().enumerate() {
            // As the model wrote them, where they stand as they are.
            let as_written = written.get(nth).filter(|written| written.name == call.name);
            let arguments = as_written.map_or(call.arguments.as_str(), |written| written.arguments);
            self.tell_call(nth, &call.name, arguments, pieces);
        }
        self.told.clear();
    }

    fn tell_call(&mut self, nth: usize, name: &str, arguments: &str, pieces: &mut Vec<Piece>) {
        let first = nth == self.told.len();
        if first {
            self.told.push(0);
            self.count += 1;
        }
        let Some(told) = self.told.get_mut(nth) else { return };
        let more = arguments.get(*told..).unwrap_or_default();
        *told += more.len();
        if self.most.is_some_and(|most| self.count > most) {
            return;
        }
        if first {
            pieces.push(Piece::Begin(name.to_owned()));
        }
        if !more.is_empty() {
            pieces.push(Piece::Arguments(more.to_owned()));
        }
    }
}

/// Whether an answer that begins so may be nothing but calls.
fn may_be_calls(text: &str) -> bool {
    let begins = |mark: &&&str| text.starts_with(**mark) || mark.starts_with(text);
    if text.is_empty() || MARKS.iter().chain(FENCES).any(|mark| begins(&mark)) {
        return true;
    }
    let inside = text.trim_start_matches(['[', '{', ' ', '\n', '\t']);
    if inside.len() == text.len() {
        return false;
    }
    match inside.strip_prefix('"') {
        Some(key) => KEYS.iter().any(|known| key.starts_with(&format!("{known}\"")) || known.starts_with(key)),
        None => inside.is_empty(),
    }
}

fn beginning_at_end(text: &str, of: &str) -> usize {
    (1..of.len()).rev().find(|&len| text.ends_with(&of[..len])).unwrap_or(0)
}

/// The calls that `text` is; `None` when it is something else.
fn calls_in(text: &str) -> Option<Vec<Call>> {
    let text = text.trim();
    if let Some(inside) = text.strip_prefix(OPEN) {
        let inside = inside.strip_suffix(CLOSE).unwrap_or(inside).trim();
        return if inside.contains("<arg_key>") || !inside.contains('{') {
            Some(vec![tagged(inside)?])
        } else {
            of_json(inside)
        };
    }
    if let Some(fence) = FENCES.iter().find(|fence| text.starts_with(**fence)) {
        return of_json(text.strip_prefix(fence)?.trim().strip_suffix("```")?);
    }
    let marked = MARKS.iter().find_map(|mark| text.strip_prefix(mark));
    let unmarked = marked.unwrap_or(text).trim_end_matches("<|/tool_call|>");
    let named = marked.and_then(|rest| rest.split_once(ARGS));
    if let Some((name, arguments)) = named {
        let arguments: Map<String, Value> = serde_json::from_str(arguments.trim()).ok()?;
        return Some(vec![Call { name: name.trim().to_owned(), arguments: Value::Object(arguments).to_string() }]);
    }
    of_json(unmarked)
}

/// `name` and pairs of `<arg_key>` and `<arg_value>`.
fn tagged(text: &str) -> Option<Call> {
    let (name, mut rest) = text.split_once("<arg_key>").map_or((text, ""), |(name, rest)| (name, rest));
    let name = name.trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    let mut arguments = Map::new();
    while !rest.is_empty() {
        let (key, after) = rest.split_once("</arg_key>")?;
        let (value, after) = after.split_once("<arg_value>")?.1.split_once("</arg_value>")?;
        let value = serde_json::from_str(value.trim()).unwrap_or_else(|_| Value::from(value));
        arguments.insert(key.trim().to_owned(), value);
        rest = after.split_once("<arg_key>").map_or("", |(_, rest)| rest);
    }
    Some(Call { name: name.to_owned(), arguments: Value::Object(arguments).to_string() })
}

/// Objects, one after the other with blanks, commas or semicolons between them, or a list of them.
fn of_json(text: &str) -> Option<Vec<Call>> {
    let mut calls = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match values.next()?.ok()? {
            Value::Array(list) => calls.extend(list.iter().map(call).collect::<Option<Vec<_>>>()?),
            value => calls.push(call(&value)?),
        }
        rest = rest
            .get(values.byte_offset()..)?
            .trim_start_matches(|letter: char| letter.is_whitespace() || matches!(letter, ';' | ','));
    }
    (!calls.is_empty()).then_some(calls)
}

fn call(value: &Value) -> Option<Call> {
    let function = if value["function"].is_object() { &value["function"] } else { value };
    let name = function["name"].as_str().or(function["function"].as_str())?;
    let given = ["arguments", "parameters"].iter().find_map(|key| function.get(*key));
    let arguments = match given {
        None | Some(Value::Null) => json!({}).to_string(),
        Some(Value::String(text)) => serde_json::from_str::<Map<String, Value>>(text).ok().map(|_| text.clone())?,
        Some(object @ Value::Object(_)) => object.to_string(),
        Some(_) => return None,
    };
    Some(Call { name: name.to_owned(), arguments })
}

/// A conversation with tools for a template that knows of none: what they are and how to call them stands before it, calls and their results
/// are written out.
pub fn explained(messages: &[Value], tools: &[Value]) -> Vec<Value> {
    let functions: Vec<_> = tools.iter().map(|tool| tool["function"].to_string()).collect();
    let how = format!(
        "You may call these functions:\n{}\n\nTo call one, answer with nothing but\n{OPEN}\n{{\"name\": NAME, \"arguments\": OBJECT}}\n{CLOSE}",
        functions.join("\n")
    );
    let written = messages.iter().map(|message| {
        let text = message["content"].as_str().unwrap_or_default();
        match message["role"].as_str() {
            Some("tool") => json!({"role": "user", "content": format!("<tool_response>\n{text}\n</tool_response>")}),
            _ => match message["tool_calls"].as_array() {
                Some(calls) => {
                    let calls = calls.iter().map(|call| format!("{OPEN}\n{}\n{CLOSE}", call["function"]));
                    let parts: Vec<_> = (!text.is_empty()).then(|| text.to_owned()).into_iter().chain(calls).collect();
                    json!({"role": "assistant", "content": parts.join("\n")})
                }
                None => message.clone(),
            },
        }
    });
    std::iter::once(json!({"role": "system", "content": how})).chain(written).collect()
}
