//! The items of a talk, as this dialect has them, as messages of a chat. A message of the assistant, its calls, and what it
//! thought before them become one message; pictures among a tool's results follow in a person's.

use serde_json::{Value, json};

use super::attached::Attached;
use crate::Problem;

/// What was said so far, as messages.
pub(super) struct Talk<'a> {
    /// The files that its items name.
    attached: &'a Attached,
    messages: Vec<Value>,
    /// Reasoning that belongs to what the assistant says next.
    thought: String,
    /// Pictures among the results of tools: a tool's message takes text alone.
    pictures: Vec<Value>,
    /// The last message is the assistant's, and what it says or calls next belongs to it.
    answering: bool,
}

impl<'a> Talk<'a> {
    pub(super) fn new(instructions: Option<&str>, attached: &'a Attached) -> Talk<'a> {
        let messages = instructions.map(|text| json!({ "role": "system", "content": text })).into_iter().collect();
        Talk { attached, messages, thought: String::new(), pictures: Vec::new(), answering: false }
    }

    /// Adds an item; `place` is its field's name.
    pub(super) fn take(&mut self, item: &Value, place: &str) -> Result<(), Problem> {
        let named = match kind(item) {
            "" if item["role"].is_string() => "message",
            named => named,
        };
        if named != "function_call_output" {
            self.show();
        }
        match named {
            "message" => self.message(item, place),
            "function_call" => self.call(item, place),
            "function_call_output" => self.result(item, place),
            "reasoning" => {
                self.thought.push_str(&thought(item));
                Ok(())
            }
            "item_reference" => {
                let message = format!(
                    "{place}: items are not looked up here; send the item itself, or go on with previous_response_id"
                );
                Err(Problem::wrong(place, message))
            }
            other => Err(Problem::wrong(place, format!("{place}: an item of type {other:?} cannot be passed on here"))),
        }
    }

    /// The messages.
    pub(super) fn messages(mut self) -> Vec<Value> {
        self.show();
        self.messages
    }

    fn message(&mut self, item: &Value, place: &str) -> Result<(), Problem> {
        match item["role"].as_str().unwrap_or_default() {
            "assistant" => {
                let text = texts(&item["content"], place)?;
                let message = self.assistant();
                let before = message["content"].as_str().unwrap_or_default().to_owned();
                message["content"] = (before + &text).into();
            }
            "user" => {
                let content = content(&item["content"], self.attached, place)?;
                self.say(json!({ "role": "user", "content": content }));
            }
            // The same to a model; not every server knows the newer word.
            "system" | "developer" => {
                let text = texts(&item["content"], place)?;
                self.say(json!({ "role": "system", "content": text }));
            }
            _ => {
                let field = format!("{place}.role");
                return Err(Problem::wrong(&field, format!("{field}: must be user, assistant, system or developer")));
            }
        }
        Ok(())
    }

    fn call(&mut self, item: &Value, place: &str) -> Result<(), Problem> {
        for name in ["call_id", "name", "arguments"] {
            if !item[name].is_string() {
                let field = format!("{place}.{name}");
                return Err(Problem::wrong(&field, format!("{field}: must be text")));
            }
        }
        let call = json!({ "id": item["call_id"], "type": "function",
            "function": { "name": item["name"], "arguments": item["arguments"] } });
        let message = self.assistant();
        match message["tool_calls"].as_array_mut() {
            Some(calls) => calls.push(call),
            None => message["tool_calls"] = json!([call]),
        }
        Ok(())
    }

    fn result(&mut self, item: &Value, place: &str) -> Result<(), Problem> {
        if !item["call_id"].is_string() {
            let field = format!("{place}.call_id");
            return Err(Problem::wrong(&field, format!("{field}: must be text")));
        }
        let output = &item["output"];
        let (pictures, said): (Vec<Value>, Vec<Value>) = match output {
            Value::Array(parts) => parts.iter().cloned().partition(|part| kind(part) == "input_image"),
            other => (Vec::new(), vec![other.clone()]),
        };
        let text = match output {
            Value::Array(_) => texts(&said.into(), &format!("{place}.output"))?,
            other => texts(other, &format!("{place}.output"))?,
        };
        for picture in &pictures {
            self.pictures.push(part(picture, self.attached, place)?);
        }
        self.say(json!({ "role": "tool", "tool_call_id": item["call_id"], "content": text }));
        Ok(())
    }

    /// The message that the assistant is saying.
    fn assistant(&mut self) -> &mut Value {
        if !std::mem::replace(&mut self.answering, true) {
            self.messages.push(json!({ "role": "assistant", "content": null }));
        }
        let last = self.messages.len() - 1;
        let message = &mut self.messages[last];
        if !self.thought.is_empty() {
            let before = message["reasoning_content"].as_str().unwrap_or_default().to_owned();
            message["reasoning_content"] = (before + &std::mem::take(&mut self.thought)).into();
        }
        message
    }

    fn say(&mut self, message: Value) {
        self.thought.clear();
        self.answering = false;
        self.messages.push(message);
    }

    fn show(&mut self) {
        if !self.pictures.is_empty() {
            let content = std::mem::take(&mut self.pictures);
            self.say(json!({ "role": "user", "content": content }));
        }
    }
}

/// A message with this text, as an item.
pub(super) fn message(role: &str, text: &str) -> Value {
    json!({ "type": "message", "role": role, "content": [{ "type": "input_text", "text": text }] })
}

pub(super) fn kind(value: &Value) -> &str {
    value["type"].as_str().unwrap_or_default()
}

/// What a model thought: its own words, or else their summary.
fn thought(item: &Value) -> String {
    let of = |name: &str| -> String {
        item[name].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect()
    };
    let whole = of("content");
    if whole.is_empty() { of("summary") } else { whole }
}

/// One text stays plain text: not every back end takes parts.
fn content(content: &Value, attached: &Attached, place: &str) -> Result<Value, Problem> {
    let parts = match content {
        Value::String(_) => return Ok(content.clone()),
        Value::Array(parts) => parts,
        _ => return Err(no_content(place)),
    };
    let parts: Vec<Value> = parts
        .iter()
        .enumerate()
        .map(|(at, one)| part(one, attached, &format!("{place}.content.{at}")))
        .collect::<Result<_, _>>()?;
    Ok(match parts.as_slice() {
        [only] if kind(only) == "text" => only["text"].clone(),
        _ => parts.into(),
    })
}

fn part(part: &Value, attached: &Attached, place: &str) -> Result<Value, Problem> {
    let told = |message: String| Problem::wrong(place, format!("{place}: {message}"));
    match kind(part) {
        "input_text" | "output_text" | "text" => match part["text"].as_str() {
            Some(text) => Ok(json!({ "type": "text", "text": text })),
            None => Err(told("text is missing".to_owned())),
        },
        "input_image" => {
            let url = match (part["image_url"].as_str(), part["file_id"].as_str()) {
                (Some(url), _) => url,
                (None, Some(id)) => attached.picture(id).map_err(told)?,
                (None, None) => return Err(told("send image_url, which may be a data: URL, or a file_id".to_owned())),
            };
            let mut image = json!({ "url": url });
            if part["detail"].is_string() {
                image["detail"] = part["detail"].clone();
            }
            Ok(json!({ "type": "image_url", "image_url": image }))
        }
        "input_audio" => Ok(json!({ "type": "input_audio", "input_audio": part["input_audio"] })),
        "input_file" => attached.file(part).map_err(told),
        other => Err(Problem::wrong(place, format!("{place}: a part of type {other:?} cannot be passed on here"))),
    }
}

fn texts(content: &Value, place: &str) -> Result<String, Problem> {
    let parts = match content {
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) => parts,
        _ => return Err(no_content(place)),
    };
    let mut all = String::new();
    for (at, one) in parts.iter().enumerate() {
        match one["text"].as_str().or_else(|| one["refusal"].as_str()) {
            Some(text) => all.push_str(text),
            None => {
                let place = format!("{place}.content.{at}");
                return Err(Problem::wrong(&place, format!("{place}: only text can stand here, not {:?}", kind(one))));
            }
        }
    }
    Ok(all)
}

fn no_content(place: &str) -> Problem {
    Problem::wrong(place, format!("{place}: must hold text or a list of parts"))
}
