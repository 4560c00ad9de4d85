//! What one deployment can do, found by asking it: a tiny real request for each capability, and the evidence beside each answer.
//! Who may ask, what it costs and where the result is kept is the caller's.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::time::Duration;

use domain::{ClientBody, ModelError, ModelProvider, Prompt, Sampling, Task, TurnEvent, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

/// Something a back end may or may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Lists its models.
    Models,
    /// Answers a question.
    Chat,
    /// Answers piece by piece.
    Stream,
    /// Tells in the stream what was used.
    Usage,
    /// Calls tools.
    Tools,
    /// Keeps to a JSON schema.
    JsonSchema,
    /// Sees pictures.
    Vision,
    /// Tells the log probabilities of its tokens.
    Logprobs,
    /// Tells its reasoning apart from its answer.
    Reasoning,
    /// Makes vectors of texts.
    Embeddings,
    /// Puts documents in order.
    Rerank,
}

/// Whether it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was seen to.
    Yes,
    /// It refused, or did something else.
    No,
    /// It could not be found out.
    Unknown,
}

/// One row of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was tried.
    pub capability: Capability,
    /// What came of it.
    pub answer: Answer,
    /// The HTTP status of a refusal, where there was one.
    pub status: Option<u16>,
    /// The first words of the answer or of the error.
    pub said: String,
    /// Until the answer was whole, in milliseconds.
    pub latency_ms: u64,
}

/// Every capability, in the order of the matrix.
pub const CAPABILITIES: [Capability; 11] = [
    Capability::Models,
    Capability::Chat,
    Capability::Stream,
    Capability::Usage,
    Capability::Tools,
    Capability::JsonSchema,
    Capability::Vision,
    Capability::Logprobs,
    Capability::Reasoning,
    Capability::Embeddings,
    Capability::Rerank,
];

/// What a test costs at most, told before it is run: requests to the model, and tokens of them all together.
pub const COST: (u32, u32) = (9, 1_500);

/// Longer than a tiny request takes on a slow machine, the model's loading apart.
const PATIENCE: Duration = Duration::from_secs(90);
/// A red square of 32 x 32 pixels.
const RED: &str = "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJ0lEQVR42u3NsQkAAAjAsP7/tF7hIASyp6lTCQQCgUAgEAgEgi/BAjLD/C5w/SM9AAAAAElFTkSuQmCC";

/// Asks for everything, one after the other.
pub(crate) async fn test(backend: &dyn ModelProvider, model: &str) -> Vec<Evidence> {
    let test = Test { backend, model };
    let mut all = vec![test.models().await];
    let chat = test.chat().await;
    let reached = chat.answer != Answer::Unknown;
    all.push(chat.clone());
    if reached {
        let [stream, usage] = test.stream().await;
        all.extend([stream, usage, test.tools().await, test.schema().await]);
        all.extend([test.vision().await, test.logprobs().await, test.reasoning().await]);
        all.extend([test.embeddings().await, test.rerank().await]);
        return all;
    }
    // Nobody waits nine times for the same silence.
    all.extend(CAPABILITIES.into_iter().skip(2).map(|capability| Evidence { capability, ..chat.clone() }));
    all
}

struct Test<'a> {
    backend: &'a dyn ModelProvider,
    model: &'a str,
}

/// One whole answer.
#[derive(Default)]
struct Heard {
    text: String,
    thought: String,
    calls: Vec<String>,
    usage: Option<Usage>,
    pieces: usize,
    wire: Vec<u8>,
}

impl Test<'_> {
    async fn models(&self) -> Evidence {
        let started = Instant::now();
        let row = |answer, said: String| evidence(Capability::Models, answer, None, &said, started);
        match timeout(PATIENCE, self.backend.offered()).await {
            Err(_) => row(Answer::Unknown, "no answer in time".to_owned()),
            Ok(Err(error)) => failed(Capability::Models, &error, started),
            Ok(Ok(offered)) => {
                let named = |name: &str| name == self.model || name.strip_suffix(":latest") == Some(self.model);
                match offered.iter().any(|offer| named(&offer.name)) {
                    true => row(Answer::Yes, format!("{} listed, this one among them", offered.len())),
                    false => row(Answer::No, format!("{} listed, this one not among them", offered.len())),
                }
            }
        }
    }

    async fn chat(&self) -> Evidence {
        self.try_out(Capability::Chat, Task::Chat, question("Say OK.", json!({})), |heard| match heard.text.trim() {
            "" if heard.thought.is_empty() => (Answer::No, "an empty answer".to_owned()),
            "" => (Answer::Yes, heard.thought.clone()),
            text => (Answer::Yes, text.to_owned()),
        })
        .await
    }

    async fn stream(&self) -> [Evidence; 2] {
        let started = Instant::now();
        let body = question("Count from 1 to 8.", json!({"stream": true}));
        let both = |row: Evidence| [row.clone(), Evidence { capability: Capability::Usage, ..row }];
        let heard = match self.ask(Task::Chat, body).await {
            Ok(heard) => heard,
            Err(error) => return both(failed(Capability::Stream, &error, started)),
        };
        let answer = if heard.pieces > 1 { Answer::Yes } else { Answer::Unknown };
        let stream = evidence(Capability::Stream, answer, None, &format!("{} pieces", heard.pieces), started);
        let usage = match heard.usage.filter(|usage| usage.reported) {
            Some(usage) => {
                let said = format!("{} tokens read, {} written", usage.prompt.0, usage.completion.0);
                evidence(Capability::Usage, Answer::Yes, None, &said, started)
            }
            None => evidence(Capability::Usage, Answer::No, None, "the stream ends without it", started),
        };
        [stream, usage]
    }

    async fn tools(&self) -> Evidence {
        let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        let tool = json!({"type": "function", "function":
            {"name": "get_weather", "description": "The weather in a city, now.", "parameters": parameters}});
        let body = question("What is the weather in Paris? Use the tool.", json!({"tools": [tool], "max_tokens": 128}));
        self.try_out(Capability::Tools, Task::Chat, body, |heard| match heard.calls.is_empty() {
            false => (Answer::Yes, heard.calls.concat()),
            true => (Answer::No, format!("it answered in words: {}", heard.text.trim())),
        })
        .await
    }

    async fn schema(&self) -> Evidence {
        let properties = json!({"answer": {"type": "integer"}});
        let shape =
            json!({"type": "object", "properties": properties, "required": ["answer"], "additionalProperties": false});
        let format = json!({"type": "json_schema", "json_schema": {"name": "reply", "strict": true, "schema": shape}});
        let body = question("How much is six times seven?", json!({"response_format": format, "max_tokens": 64}));
        self.try_out(Capability::JsonSchema, Task::Chat, body, |heard| {
            let value: Value = serde_json::from_str(heard.text.trim()).unwrap_or_default();
            let kept = value["answer"].is_i64() && value.as_object().is_some_and(|fields| fields.len() == 1);
            (if kept { Answer::Yes } else { Answer::No }, heard.text.trim().to_owned())
        })
        .await
    }

    async fn vision(&self) -> Evidence {
        let url = format!("data:image/png;base64,{RED}");
        let parts = json!([{"type": "text", "text": "Which colour is this picture? Answer in one word."},
            {"type": "image_url", "image_url": {"url": url}}]);
        let mut body = question("", json!({}));
        body["messages"][0]["content"] = parts;
        self.try_out(Capability::Vision, Task::Chat, body, |heard| {
            let text = heard.text.trim().to_lowercase();
            // Some take a picture and pass it over: only who names the colour has seen it.
            let seen = text.contains("red") || text.contains('红');
            (if seen { Answer::Yes } else { Answer::Unknown }, heard.text.trim().to_owned())
        })
        .await
    }

    async fn logprobs(&self) -> Evidence {
        let body = question("Say OK.", json!({"logprobs": true, "top_logprobs": 1}));
        self.try_out(Capability::Logprobs, Task::Chat, body, |heard| {
            let whole: Value = serde_json::from_slice(&heard.wire).unwrap_or_default();
            let first = &whole["choices"][0]["logprobs"]["content"][0];
            match first["logprob"].as_f64() {
                Some(logprob) => (Answer::Yes, format!("{} {logprob}", first["token"])),
                None => (Answer::No, "the answer has none".to_owned()),
            }
        })
        .await
    }

    async fn reasoning(&self) -> Evidence {
        let body = question("Is 91 a prime number?", json!({"max_tokens": 96, "stream": true}));
        self.try_out(Capability::Reasoning, Task::Chat, body, |heard| match heard.thought.trim() {
            "" => (Answer::No, "no reasoning came apart from the answer".to_owned()),
            thought => (Answer::Yes, thought.to_owned()),
        })
        .await
    }

    async fn embeddings(&self) -> Evidence {
        let body = json!({"model": self.model, "input": ["hello"]});
        self.try_out(Capability::Embeddings, Task::Embeddings, body, |heard| {
            let whole: Value = serde_json::from_slice(&heard.wire).unwrap_or_default();
            match whole["data"][0]["embedding"].as_array() {
                Some(vector) => (Answer::Yes, format!("{} dimensions", vector.len())),
                None => (Answer::No, "the answer has no vector".to_owned()),
            }
        })
        .await
    }

    async fn rerank(&self) -> Evidence {
        let body = json!({"model": self.model, "query": "fruit", "documents": ["an apple", "a hammer"]});
        self.try_out(Capability::Rerank, Task::Rerank, body, |heard| {
            let whole: Value = serde_json::from_slice(&heard.wire).unwrap_or_default();
            match whole["results"].as_array() {
                Some(results) => (Answer::Yes, format!("{} documents in order", results.len())),
                None => (Answer::No, "the answer has no order".to_owned()),
            }
        })
        .await
    }

    async fn try_out(
        &self,
        capability: Capability,
        task: Task,
        body: Value,
        judge: impl FnOnce(&Heard) -> (Answer, String),
    ) -> Evidence {
        let started = Instant::now();
        match self.ask(task, body).await {
            Err(error) => failed(capability, &error, started),
            Ok(heard) => {
                let (answer, said) = judge(&heard);
                evidence(capability, answer, None, &said, started)
            }
        }
    }

    async fn ask(&self, task: Task, body: Value) -> Result<Heard, ModelError> {
        let stream = body["stream"] == true;
        let mut bytes = String::new();
        // Writing JSON into a text cannot fail.
        let _ = write!(bytes, "{body}");
        let prompt = Prompt {
            model: self.model.to_owned(),
            task,
            messages: Vec::new(),
            tools: Vec::new(),
            rounds: Vec::new(),
            sampling: Sampling::default(),
            stream,
            body: Some(ClientBody::json(bytes.into_bytes().into(), false)),
            on_behalf: None,
        };
        let heard = timeout(PATIENCE, async {
            let mut reply = self.backend.open(prompt).await?;
            let mut heard = Heard::default();
            while let Some(batch) = poll_fn(|cx| reply.batches.as_mut().poll_next(cx)).await {
                let batch = batch?;
                batch.events.iter().for_each(|event| heard.take(event));
                heard.wire.extend(batch.wire.iter().flat_map(|wire| &wire.bytes[..]));
            }
            Ok(heard)
        });
        heard.await.unwrap_or_else(|_| {
            let clock = domain::TimedOut::Total;
            Err(ModelError::TimedOut { url: self.model.to_owned(), clock, after: PATIENCE })
        })
    }
}

impl Heard {
    fn take(&mut self, event: &TurnEvent) {
        match event {
            TurnEvent::Delta { text } => {
                self.pieces += 1;
                self.text.push_str(text);
            }
            TurnEvent::Thought { text } => {
                self.pieces += 1;
                self.thought.push_str(text);
            }
            TurnEvent::ToolCalled { name, arguments, .. } => {
                self.calls.extend(name.as_ref().map(|name| format!("{name} ")));
                self.calls.push(arguments.clone());
            }
            TurnEvent::Used { usage } => self.usage = Some(*usage),
            _ => {}
        }
    }
}

/// A chat of one short question; the model is written by the adapter.
fn question(text: &str, more: Value) -> Value {
    let mut body =
        json!({"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 24, "temperature": 0});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

/// A refusal says no; whatever may be over tomorrow leaves it open.
fn failed(capability: Capability, error: &ModelError, started: Instant) -> Evidence {
    let (answer, status) = match error {
        // Our own adapter's word: nobody was asked.
        ModelError::Rejected { code: Some(code), .. } if code == "unsupported_task" => (Answer::Unknown, None),
        ModelError::Rejected { code: Some(code), .. } if code == "unsupported_parameter" => (Answer::No, None),
        ModelError::Rejected { status, .. } => (Answer::No, Some(*status)),
        ModelError::NoSuchModel { .. } => (Answer::No, Some(404)),
        ModelError::Garbled { .. } => (Answer::No, None),
        ModelError::Broken { status, .. } => (if *status == Some(501) { Answer::No } else { Answer::Unknown }, *status),
        ModelError::Refused { status, .. } => (Answer::Unknown, Some(*status)),
        ModelError::OverLimit { .. } => (Answer::Unknown, Some(429)),
        _ => (Answer::Unknown, None),
    };
    evidence(capability, answer, status, &error.to_string(), started)
}

fn evidence(capability: Capability, answer: Answer, status: Option<u16>, said: &str, started: Instant) -> Evidence {
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Evidence { capability, answer, status, said: said.chars().take(160).collect(), latency_ms }
}
