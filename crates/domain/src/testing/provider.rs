//! The promises of [`ModelProvider`], tried on one whose back end is scripted: the same questions and the same answers in every
//! dialect, so that a new member needs fixtures, not tests. What only one dialect has is tested beside its adapter.

use std::future::poll_fn;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    BoxFuture, ClientBody, Clock, Finish, ModelError, ModelProvider, Prompt, Sampling, Task, TurnEvent, Usage,
};

/// The model that a scripted back end lists and answers as.
pub const MODEL: &str = "m";
const TEXT: &str = "Hello, 世界! 🌍";
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// What a dialect has words for; where it has none, the request is refused or the answer goes without.
#[derive(Debug, Clone, Copy)]
pub struct Offers {
    /// The log probabilities of an answer's tokens.
    pub logprobs: bool,
    /// Usage that tells cached tokens apart.
    pub cached: bool,
    /// Usage that tells the tokens of reasoning apart.
    pub reasoning: bool,
}

/// A back end that answers as it is told to.
///
/// The cases, each of which says in its own dialect what the suite expects: `text`, `tools` (two calls side by side), `thought`
/// (reasoning, then text), `schema`, `logprobs`; `cut` and `eof` (`text` that breaks off after its first words), `stall` (the
/// same, then silence), `fault` and `late_fault` (an error inside a good answer, before its first words and after them);
/// `refused`, `no_model`, `over_limit`, `too_long`, `rejected`, `broken`, `overloaded` (refusals).
pub trait Stage: Send + Sync {
    /// What it has words for.
    fn offers(&self) -> Offers;
    /// The next requests meet this case.
    fn set(&self, case: &str);
    /// The body of the latest request, as it was sent.
    fn sent(&self) -> String;
    /// Returns once the client of every request so far has left or was answered.
    fn left_alone(&self) -> BoxFuture<'_, ()>;
}

/// What was heard of one answer.
#[derive(Debug, Default)]
struct Heard {
    text: String,
    thought: String,
    /// Id, name, arguments.
    calls: Vec<(String, String, String)>,
    usage: Vec<Usage>,
    finish: Option<Finish>,
    wire: Vec<u8>,
}

/// Tries everything; the error is the promise that was broken.
pub async fn model_provider_suite(
    provider: &dyn ModelProvider,
    stage: &dyn Stage,
    clock: &dyn Clock,
) -> Result<(), String> {
    let offered = provider.offered().await.map_err(|error| format!("it lists no models: {error}"))?;
    if !offered.iter().any(|model| model.name == MODEL) {
        return Err(format!("it does not list {MODEL:?}: {offered:?}"));
    }
    for stream in [true, false] {
        let said = |what: &'static str| move |broken: String| format!("{what}, stream {stream}: {broken}");
        text(provider, stage, stream).await.map_err(said("text"))?;
        tools(provider, stage, stream).await.map_err(said("tools"))?;
        thought(provider, stage, stream).await.map_err(said("thought"))?;
        picture(provider, stage, stream).await.map_err(said("picture"))?;
        schema(provider, stage, stream).await.map_err(said("schema"))?;
        logprobs(provider, stage, stream).await.map_err(said("logprobs"))?;
        refusals(provider, stage, stream).await.map_err(said("refusal"))?;
    }
    truth(provider, stage).await?;
    leaving(provider, stage, clock).await
}

async fn text(provider: &dyn ModelProvider, stage: &dyn Stage, stream: bool) -> Result<(), String> {
    stage.set("text");
    let mut house = Prompt::chat(vec![crate::Message::new(crate::Author::User, "Hi")], Sampling::default());
    (house.model, house.stream) = (MODEL.to_owned(), stream);
    for prompt in [house, chat(json!({}), stream)] {
        let heard = hear(provider, prompt).await?;
        same("text", &heard.text.as_str(), &TEXT)?;
        same("finish", &heard.finish, &Some(Finish::Stop))?;
        let [usage] = heard.usage.as_slice() else { return Err(format!("usage {:?}", heard.usage)) };
        let cached = if stage.offers().cached { 4 } else { 0 };
        let told = (usage.prompt.0, usage.completion.0, usage.cached.0, usage.reported);
        same("usage", &told, &(12, 8, cached, true))?;
    }
    Ok(())
}

async fn tools(provider: &dyn ModelProvider, stage: &dyn Stage, stream: bool) -> Result<(), String> {
    let tool = |name: &str, argument: &str| {
        let properties = Value::Object([(argument.to_owned(), json!({"type": "string"}))].into_iter().collect());
        let parameters = json!({"type": "object", "properties": properties, "required": [argument]});
        json!({"type": "function", "function": {"name": name, "description": "Looks it up.", "parameters": parameters}})
    };
    let asked = json!({"tools": [tool("get_weather", "city"), tool("get_time", "zone")], "tool_choice": "auto"});
    stage.set("tools");
    let heard = hear(provider, chat(asked.clone(), stream)).await?;
    same("finish", &heard.finish, &Some(Finish::ToolCalls))?;
    let [weather, time] = heard.calls.as_slice() else { return Err(format!("calls {:?}", heard.calls)) };
    let parsed = |call: &(String, String, String)| {
        let arguments = serde_json::from_str(&call.2).unwrap_or(Value::String(call.2.clone()));
        (call.1.clone(), arguments)
    };
    same("call", &parsed(weather), &("get_weather".to_owned(), json!({"city": "Paris"})))?;
    same("call", &parsed(time), &("get_time".to_owned(), json!({"zone": "Europe/Paris"})))?;
    if weather.0.is_empty() || weather.0 == time.0 {
        return Err(format!("ids do not tell the calls apart: {:?}", heard.calls));
    }
    let call = |call: &(String, String, String)| json!({"id": call.0, "type": "function", "function": {"name": call.1, "arguments": call.2}});
    let result = |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
    let messages = json!([
        {"role": "user", "content": "Weather and time in Paris?"},
        {"role": "assistant", "content": null, "tool_calls": [call(weather), call(time)]},
        result(&weather.0, "21 degrees"), result(&time.0, "noon"),
    ]);
    let mut next = asked;
    next["messages"] = messages;
    stage.set("text");
    same("text after results", &hear(provider, chat(next, stream)).await?.text.as_str(), &TEXT)?;
    sent(stage, &["get_weather", "21 degrees", "noon", "Europe/Paris"])
}

async fn thought(provider: &dyn ModelProvider, stage: &dyn Stage, stream: bool) -> Result<(), String> {
    stage.set("thought");
    let heard = hear(provider, chat(json!({"reasoning_effort": "low"}), stream)).await?;
    let told = (heard.thought.as_str(), heard.text.as_str(), heard.finish);
    same("thought and text", &told, &("Two and two make four.", "4", Some(Finish::Stop)))?;
    let reasoning: Vec<u32> = heard.usage.iter().map(|usage| usage.reasoning.0).collect();
    same("tokens of reasoning", &reasoning, &vec![if stage.offers().reasoning { 6 } else { 0 }])
}

async fn picture(provider: &dyn ModelProvider, stage: &dyn Stage, stream: bool) -> Result<(), String> {
    stage.set("text");
    let url = format!("data:image/png;base64,{PICTURE}");
    let parts = json!([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]);
    let asked = json!({"messages": [{"role": "user", "content": parts}]});
    same("text", &hear(provider, chat(asked, stream)).await?.text.as_str(), &TEXT)?;
    sent(stage, &[PICTURE, "image/png", "What is this?"])
}

async fn schema(provider: &dyn ModelProvider, stage: &dyn Stage, stream: bool) -> Result<(), String> {
    stage.set("schema");
    let properties = json!({"answer": {"type": "integer"}});
    let shape =
        json!({"type": "object", "properties": properties, "required": ["answer"], "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "reply", "strict": true, "schema": shape}});
    let heard = hear(provider, chat(json!({"response_format": format}), stream)).await?;
    same("value", &serde_json::from_str(&heard.text).unwrap_or(Value::Null), &json!({"answer": 42}))?;
    sent(stage, &["\"answer\"", "integer"])
}

async fn logprobs(provider: &dyn ModelProvider, stage: &dyn Stage, stream: bool) -> Result<(), String> {
    stage.set("logprobs");
    let prompt = chat(json!({"logprobs": true, "top_logprobs": 1}), stream);
    if stage.offers().logprobs {
        let heard = hear(provider, prompt).await?;
        let told = String::from_utf8_lossy(&heard.wire).contains("-0.25");
        return if told { Ok(()) } else { Err("they do not come back".to_owned()) };
    }
    match provider.open(prompt).await {
        Err(ModelError::Rejected { status: 400, code: Some(code), message, .. })
            if code == "unsupported_parameter" && message.contains("logprobs") =>
        {
            Ok(())
        }
        other => Err(format!("they are neither offered nor refused: {other:?}")),
    }
}

/// Every class of refusal, each with what the caller can do next.
async fn refusals(provider: &dyn ModelProvider, stage: &dyn Stage, stream: bool) -> Result<(), String> {
    for (case, code, again) in [
        ("refused", "upstream_refused", false),
        ("no_model", "model_not_found", false),
        ("over_limit", "upstream_over_limit", false),
        ("too_long", "context_length_exceeded", false),
        ("rejected", "request_rejected", false),
        ("broken", "upstream_failed", true),
        ("overloaded", "upstream_failed", true),
    ] {
        stage.set(case);
        let error = match provider.open(chat(json!({}), stream)).await {
            Ok(_) => return Err(format!("{case}: it opens")),
            Err(error) => error,
        };
        same(case, &(error.code(), error.retryable()), &(code, again))?;
        if let ModelError::OverLimit { retry_after, .. } = error {
            same("retry after", &retry_after, &Some(Duration::from_secs(7)))?;
        }
    }
    Ok(())
}

/// An ending is never better than the truth.
async fn truth(provider: &dyn ModelProvider, stage: &dyn Stage) -> Result<(), String> {
    for (case, code) in [("cut", "cut"), ("eof", "cut"), ("late_fault", "upstream_failed")] {
        stage.set(case);
        let mut reply = provider.open(chat(json!({}), true)).await.map_err(|error| format!("{case}: {error}"))?;
        let mut heard = Heard::default();
        let error = loop {
            match poll_fn(|cx| reply.batches.as_mut().poll_next(cx)).await {
                Some(Ok(batch)) => batch.events.iter().try_for_each(|event| heard.take(event))?,
                Some(Err(error)) => break error,
                None => return Err(format!("{case}: it ends silently after {heard:?}")),
            }
        };
        same(case, &(error.code(), heard.text.is_empty(), heard.finish), &(code, false, None))?;
    }
    stage.set("fault");
    match provider.open(chat(json!({}), true)).await {
        Err(error) => same("fault", &error.code(), &"upstream_failed"),
        Ok(_) => Err("fault: an error before the first words opens a stream".to_owned()),
    }
}

/// A client that leaves is told on within 100 ms.
async fn leaving(provider: &dyn ModelProvider, stage: &dyn Stage, clock: &dyn Clock) -> Result<(), String> {
    stage.set("stall");
    let mut reply = provider.open(chat(json!({}), true)).await.map_err(|error| format!("leaving: {error}"))?;
    let first = poll_fn(|cx| reply.batches.as_mut().poll_next(cx)).await;
    if !matches!(first, Some(Ok(_))) {
        return Err(format!("leaving: nothing comes: {first:?}"));
    }
    drop(reply);
    let left = clock.monotonic();
    stage.left_alone().await;
    let took = clock.monotonic().saturating_sub(left);
    if took < Duration::from_millis(100) { Ok(()) } else { Err(format!("leaving: it took {took:?}")) }
}

/// A client's chat request with these fields.
fn chat(more: Value, stream: bool) -> Prompt {
    let mut body = json!({"model": "the/alias", "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    if stream {
        body["stream"] = Value::Bool(true);
    }
    let body = ClientBody::json(body.to_string().into_bytes().into(), false);
    Prompt {
        model: MODEL.to_owned(),
        task: Task::Chat,
        messages: Vec::new(),
        tools: Vec::new(),
        rounds: Vec::new(),
        sampling: Sampling::default(),
        stream,
        body: Some(body),
        on_behalf: None,
    }
}

async fn hear(provider: &dyn ModelProvider, prompt: Prompt) -> Result<Heard, String> {
    let mut reply = provider.open(prompt).await.map_err(|error| format!("it does not open: {error}"))?;
    let mut heard = Heard::default();
    while let Some(batch) = poll_fn(|cx| reply.batches.as_mut().poll_next(cx)).await {
        let batch = batch.map_err(|error| format!("it breaks off: {error}"))?;
        if batch.events.is_empty() && batch.wire.is_none() {
            return Err("a batch holds nothing".to_owned());
        }
        batch.events.iter().try_for_each(|event| heard.take(event))?;
        heard.wire.extend(batch.wire.iter().flat_map(|wire| &wire.bytes[..]));
    }
    if heard.finish.is_none() {
        return Err(format!("it ends silently after {heard:?}"));
    }
    Ok(heard)
}

impl Heard {
    fn take(&mut self, event: &TurnEvent) -> Result<(), String> {
        if self.finish.is_some() {
            return Err(format!("after its end comes {event:?}"));
        }
        match event {
            TurnEvent::Delta { text } | TurnEvent::Thought { text } if text.is_empty() => {
                return Err("an event says nothing".to_owned());
            }
            TurnEvent::Delta { text } => self.text.push_str(text),
            TurnEvent::Thought { text } => self.thought.push_str(text),
            TurnEvent::ToolCalled { index, id, name, arguments } => {
                let index = *index as usize;
                if index > self.calls.len() {
                    return Err(format!("call {index} comes after {} calls", self.calls.len()));
                }
                if index == self.calls.len() {
                    self.calls.push(Default::default());
                }
                let call = &mut self.calls[index];
                call.0.push_str(id.as_deref().filter(|_| call.0.is_empty()).unwrap_or_default());
                call.1.push_str(name.as_deref().unwrap_or_default());
                call.2.push_str(arguments);
            }
            TurnEvent::Used { usage } => self.usage.push(*usage),
            TurnEvent::Finished { finish, .. } => self.finish = Some(*finish),
            other => return Err(format!("an adapter does not say {other:?}")),
        }
        Ok(())
    }
}

fn sent(stage: &dyn Stage, words: &[&str]) -> Result<(), String> {
    let sent = stage.sent();
    match words.iter().find(|word| !sent.contains(**word)) {
        None => Ok(()),
        Some(word) => Err(format!("{word:?} is not among what was sent: {sent}")),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}")) }
}
