//! Requests of the OpenAI dialect as this engine takes them: read once, checked once. Fields it does not know are left aside; a field
//! that it knows and cannot do is refused, never silently dropped.

use std::collections::HashMap;

use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{adapters::Wished, pictures::Album, problem::Problem};
use crate::{
    backend::Token,
    grammar::Grammar,
    sampler::Sampling,
    scheduler::Priority,
    tools::{self, Calls, Style},
};

const MOST_STOPS: usize = 16;
const MOST_ALTERNATIVES: u32 = 20;
/// What OpenAI's dialect says for `/v1/completions` without `max_tokens`.
const COMPLETION_TOKENS: u32 = 16;

/// `POST /v1/chat/completions`.
#[derive(Debug, Deserialize)]
pub(super) struct Chat {
    pub(super) messages: Vec<Value>,
    #[serde(default)]
    pub(super) chat_template_kwargs: Option<Map<String, Value>>,
    logprobs: Option<bool>,
    top_logprobs: Option<u32>,
    max_completion_tokens: Option<u32>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    parallel_tool_calls: Option<bool>,
    #[serde(flatten)]
    shared: Shared,
}

/// `POST /v1/completions`.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    pub(super) prompt: Prompt,
    logprobs: Option<u32>,
    echo: Option<bool>,
    suffix: Option<String>,
    #[serde(flatten)]
    shared: Shared,
}

/// `PUT /v1/prefixes`: how texts or conversations begin.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Beginning {
    Text { text: String },
    Chat(Box<Chat>),
}

/// The prompt of a completion.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Prompt {
    Text(String),
    Tokens(Vec<Token>),
    Texts(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct Shared {
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<i64>,
    min_p: Option<f32>,
    seed: Option<i64>,
    frequency_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    #[serde(alias = "repetition_penalty")]
    repeat_penalty: Option<f32>,
    logit_bias: Option<HashMap<String, f32>>,
    stop: Option<Stops>,
    ignore_eos: Option<bool>,
    n: Option<u32>,
    best_of: Option<u32>,
    response_format: Option<Value>,
    grammar: Option<String>,
    user: Option<String>,
    service_tier: Option<String>,
    model: Option<String>,
    lora: Option<Wished>,
    confidence: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Stops {
    One(String),
    Many(Vec<String>),
}

/// What both kinds of request come to, checked.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    /// `None` is as much as the context holds.
    pub(super) max_tokens: Option<u32>,
    pub(super) sampling: Sampling,
    pub(super) stops: Vec<String>,
    pub(super) likelihoods: Option<usize>,
    pub(super) confidence: bool,
    pub(super) ignore_end: bool,
    /// What the answer has to be.
    pub(super) grammar: Option<Grammar>,
    pub(super) person: String,
    pub(super) priority: Priority,
    /// The model and the adapter that are meant.
    pub(super) model: Option<String>,
    pub(super) lora: Option<Wished>,
    /// Whether its place in the queue is told, in comments of the stream.
    pub(super) tell_place: bool,
}

impl Wish {
    /// A portal says in headers whose the request is: the body is what its client sent, and what that says of itself is not to be trusted.
    pub(super) fn on_behalf_of(mut self, headers: &HeaderMap) -> Self {
        told_by_a_portal(headers, &mut self.person, &mut self.priority);
        self.tell_place = self.stream && word(headers, "x-portico-tell") == Some("place");
        self
    }
}

/// OpenAI's word for what may take longer.
pub(super) fn priority(service_tier: Option<&str>) -> Priority {
    match service_tier {
        Some("flex") => Priority::Batch,
        _ => Priority::Interactive,
    }
}

/// Whose a request is and how urgent, where headers say so.
pub(super) fn told_by_a_portal(headers: &HeaderMap, person: &mut String, priority: &mut Priority) {
    if let Some(told) = word(headers, "x-portico-person") {
        told.clone_into(person);
    }
    if word(headers, "x-portico-priority") == Some("batch") {
        *priority = Priority::Batch;
    }
}

fn word<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Reads a body.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::Unreadable { why: error.to_string() })
}

impl Chat {
    pub(super) fn wish(&self) -> Result<Wish, Problem> {
        let alternatives = self.top_logprobs.unwrap_or(0);
        let likelihoods = match (self.logprobs.unwrap_or(false), alternatives) {
            (false, 0) => None,
            (false, _) => return Err(Problem::invalid("top_logprobs", "needs logprobs: true")),
            (true, _) => Some(alternatives),
        };
        self.shared.wish(self.max_completion_tokens.or(self.shared.max_tokens), likelihoods, "top_logprobs")
    }

    /// The tools that may be called; `None` where there are none.
    pub(super) fn tools(&self) -> Result<Option<Tools<'_>>, Problem> {
        let offered = self.tools.as_deref().unwrap_or_default();
        if !offered.iter().all(|tool| tool["type"] == "function" && tool["function"]["name"].is_string()) {
            return Err(Problem::invalid("tools", "must be functions with a name each"));
        }
        let named = |tool: &Value, name: &Value| tool["function"]["name"] == *name;
        let (must, only) = match self.tool_choice.as_ref() {
            None | Some(Value::Null) => (false, None),
            Some(Value::String(word)) => match word.as_str() {
                "auto" => (false, None),
                "none" => return Ok(None),
                "required" => (true, None),
                _ => return Err(Problem::invalid("tool_choice", "must be auto, none, required or a function")),
            },
            Some(choice) => {
                let name = choice.pointer("/function/name").or(choice.get("name")).unwrap_or(&Value::Null);
                match offered.iter().position(|tool| named(tool, name)) {
                    Some(nth) => (true, Some(nth)),
                    None => {
                        return Err(Problem::invalid("tool_choice", format!("names {name}, which is no tool here")));
                    }
                }
            }
        };
        if offered.is_empty() {
            return if must { Err(Problem::invalid("tool_choice", "needs tools")) } else { Ok(None) };
        }
        if must
            && (self
                .shared
                .response_format
                .as_ref()
                .is_some_and(|format| !format.is_null() && format["type"] != "text")
                || self.shared.grammar.is_some())
        {
            return Err(Problem::invalid("tool_choice", "cannot force a call beside a response_format or grammar"));
        }
        Ok(Some(Tools { offered, must, only, many: self.parallel_tool_calls.unwrap_or(true) }))
    }

    /// The messages with their content as one text each; pictures are laid into `album`, whose marks stand for them.
    pub(super) fn texts(&self, album: &mut Album) -> Result<Vec<Value>, Problem> {
        if self.messages.is_empty() {
            return Err(Problem::invalid("messages", "must not be empty"));
        }
        self.messages.iter().map(|message| message_with_text(message, album)).collect()
    }
}

/// The tools of a chat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tools<'a> {
    pub(super) offered: &'a [Value],
    /// Whether the answer has to be a call, and of which one if not of any.
    must: bool,
    only: Option<usize>,
    /// Whether there may be several calls.
    many: bool,
}

impl Tools<'_> {
    /// What reads the calls out of an answer.
    pub(super) fn reader(&self) -> Calls {
        let names = self.offered.iter().filter_map(|tool| tool["function"]["name"].as_str()).map(str::to_owned);
        Calls::new(names.collect(), (!self.many).then_some(1))
    }

    /// What the answer has to be for a call to be made, or to fit where it is begun and its function is `strict`.
    pub(super) fn grammar(&self, template: &str) -> Result<Option<Grammar>, Problem> {
        let functions = self.offered.iter().enumerate().filter(|(nth, _)| self.only.is_none_or(|only| only == *nth));
        let functions: Vec<&Value> = functions.map(|(_, tool)| &tool["function"]).collect();
        if !self.must && !functions.iter().any(|function| function["strict"] == true) {
            return Ok(None);
        }
        let many = self.many && self.only.is_none();
        tools::grammar(&functions, Style::of(template), self.must, many)
            .map_err(|why| Problem::invalid("tools", format!("cannot be promised: {why}")))
    }
}

fn message_with_text(message: &Value, album: &mut Album) -> Result<Value, Problem> {
    let Value::Object(fields) = message else {
        return Err(Problem::invalid("messages", "must be objects with a role and a content"));
    };
    if !fields.get("role").is_some_and(Value::is_string) {
        return Err(Problem::invalid("messages", "must have a role each"));
    }
    let text = match fields.get("content") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().map(|part| part_as_text(part, album)).collect::<Result<_, _>>()?,
        Some(_) => return Err(Problem::invalid("messages", "must have a text or a list of parts as content")),
    };
    let mut fields = fields.clone();
    fields.insert("content".into(), Value::String(text));
    // Clients write arguments as text, templates want what it says.
    for call in fields.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        let said = call["function"]["arguments"].as_str().and_then(|text| serde_json::from_str(text).ok());
        if let Some(said) = said {
            call["function"]["arguments"] = said;
        }
    }
    Ok(Value::Object(fields))
}

fn part_as_text(part: &Value, album: &mut Album) -> Result<String, Problem> {
    if let Some(text) = part["text"].as_str() {
        return Ok(text.to_owned());
    }
    match part["image_url"]["url"].as_str().or(part["image_url"].as_str()) {
        Some(url) => album.lay_in(url),
        None => Err(Problem::invalid("messages", "hold a part that is neither a text nor a picture (image_url)")),
    }
}

impl Completion {
    pub(super) fn wish(&self) -> Result<Wish, Problem> {
        if self.echo == Some(true) {
            return Err(Problem::invalid("echo", "is not supported by this engine"));
        }
        if self.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()) {
            return Err(Problem::invalid("suffix", "is not supported by this engine"));
        }
        self.shared.wish(Some(self.shared.max_tokens.unwrap_or(COMPLETION_TOKENS)), self.logprobs, "logprobs")
    }
}

impl Shared {
    fn wish(
        &self,
        max_tokens: Option<u32>,
        likelihoods: Option<u32>,
        alternatives: &'static str,
    ) -> Result<Wish, Problem> {
        if max_tokens == Some(0) {
            return Err(Problem::invalid("max_tokens", "must be at least 1"));
        }
        if likelihoods.is_some_and(|count| count > MOST_ALTERNATIVES) {
            return Err(Problem::invalid(alternatives, format!("must be at most {MOST_ALTERNATIVES}")));
        }
        for (name, count) in [("n", self.n), ("best_of", self.best_of)] {
            if count.unwrap_or(1) != 1 {
                return Err(Problem::invalid(name, "must be 1: this engine gives one answer per request"));
            }
        }
        Ok(Wish {
            stream: self.stream.unwrap_or(false),
            include_usage: self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false),
            max_tokens,
            sampling: self.sampling()?,
            stops: self.stops()?,
            likelihoods: likelihoods.map(|count| count as usize),
            confidence: self.confidence.unwrap_or(false),
            ignore_end: self.ignore_eos.unwrap_or(false),
            grammar: self.grammar()?,
            person: self.user.clone().unwrap_or_default(),
            priority: priority(self.service_tier.as_deref()),
            model: self.model.clone(),
            lora: self.lora.clone(),
            tell_place: false,
        })
    }

    /// From `response_format`, OpenAI's word, or `grammar`, llama-server's.
    fn grammar(&self) -> Result<Option<Grammar>, Problem> {
        let format = self.response_format.as_ref().filter(|format| !format.is_null());
        let kind = format.map_or("text", |format| format["type"].as_str().unwrap_or_default());
        let of_format = match (kind, &self.grammar) {
            ("text", None) => return Ok(None),
            ("text", Some(grammar)) => {
                return Grammar::read(grammar)
                    .map(Some)
                    .map_err(|why| Problem::invalid("grammar", format!("cannot be used: {why}")));
            }
            (_, Some(_)) => return Err(Problem::invalid("grammar", "cannot be given beside a response_format")),
            ("json_object", None) => Grammar::any_object(),
            ("json_schema", None) => match format.map(|format| &format["json_schema"]["schema"]) {
                Some(schema @ (Value::Object(_) | Value::Bool(_))) => Grammar::of_schema(schema),
                _ => return Err(Problem::invalid("response_format", "has no json_schema.schema")),
            },
            (other, None) => {
                return Err(Problem::invalid("response_format", format!("{other} is not supported by this engine")));
            }
        };
        of_format.map(Some).map_err(|why| Problem::invalid("response_format", format!("cannot be promised: {why}")))
    }

    fn sampling(&self) -> Result<Sampling, Problem> {
        let default = Sampling::default();
        let bias = self.logit_bias.iter().flatten().map(|(token, &add)| match token.parse() {
            Ok(token) => Ok((token, add)),
            Err(_) => Err(Problem::invalid("logit_bias", format!("has the key {token}, which is no token id"))),
        });
        Ok(Sampling {
            temperature: within("temperature", self.temperature, 0.0..=100.0)?.unwrap_or(default.temperature),
            top_p: within("top_p", self.top_p, 0.0..=1.0)?.unwrap_or(default.top_p),
            // -1 is how several dialects write "all".
            top_k: self.top_k.map_or(default.top_k, |count| u32::try_from(count).unwrap_or(0)),
            min_p: within("min_p", self.min_p, 0.0..=1.0)?.unwrap_or(default.min_p),
            seed: self.seed.map(i64::cast_unsigned),
            frequency_penalty: within("frequency_penalty", self.frequency_penalty, -2.0..=2.0)?
                .unwrap_or(default.frequency_penalty),
            presence_penalty: within("presence_penalty", self.presence_penalty, -2.0..=2.0)?
                .unwrap_or(default.presence_penalty),
            repeat_penalty: within("repeat_penalty", self.repeat_penalty, 0.01..=100.0)?
                .unwrap_or(default.repeat_penalty),
            bias: bias.collect::<Result<_, _>>()?,
        })
    }

    fn stops(&self) -> Result<Vec<String>, Problem> {
        let stops = match &self.stop {
            None => Vec::new(),
            Some(Stops::One(stop)) => vec![stop.clone()],
            Some(Stops::Many(stops)) => stops.clone(),
        };
        if stops.len() > MOST_STOPS {
            return Err(Problem::invalid("stop", format!("must be at most {MOST_STOPS} strings")));
        }
        Ok(stops)
    }
}

fn within(
    name: &'static str,
    value: Option<f32>,
    range: std::ops::RangeInclusive<f32>,
) -> Result<Option<f32>, Problem> {
    match value {
        Some(value) if !range.contains(&value) => {
            Err(Problem::invalid(name, format!("is {value}; it must be from {} to {}", range.start(), range.end())))
        }
        value => Ok(value),
    }
}
