//! Gemini's answers as events (<https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>): each event of a
//! stream is a response of its own, whose parts become text, thoughts and calls. A call comes whole. The first candidate alone is
//! read; parts of Google's own tools are passed over.

use std::sync::Arc;

use bytes::Bytes;
use domain::{Finish, ModelError, Tokens, TurnEvent, Usage};
use serde::Deserialize;
use serde_json::Value;

use super::fault::{self, Fault};
use super::weighed::{self, Weighed};
use crate::providers::memory::Memory;
use crate::providers::reading::{Keep, Listener, Said};

/// One answer being listened to.
pub(super) struct Candidates {
    model: String,
    memory: Arc<Memory>,
    /// `responseId`
    response: String,
    /// Calls so far.
    calls: u32,
    counts: Option<Counts>,
    finish: Option<Finish>,
    /// Where the client asked for log probabilities.
    weighed: Option<Weighed>,
    /// How likely the response is that is being read.
    weights: Option<weighed::Result>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Response {
    candidates: Vec<Candidate>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Counts>,
    response_id: Option<String>,
    error: Option<Fault>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Candidate {
    index: u32,
    content: Content,
    finish_reason: Option<String>,
    finish_message: Option<String>,
    logprobs_result: Option<weighed::Result>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    thought: bool,
    thought_signature: Option<String>,
    function_call: Option<Call>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Call {
    id: Option<String>,
    name: String,
    args: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
    block_reason_message: Option<String>,
}

/// `usageMetadata`; in a stream the latest stands.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Counts {
    prompt_token_count: u32,
    tool_use_prompt_token_count: u32,
    cached_content_token_count: u32,
    candidates_token_count: u32,
    thoughts_token_count: u32,
}

impl Candidates {
    pub(super) fn new(model: &str, memory: Arc<Memory>, weighed: Option<Weighed>) -> Candidates {
        Candidates {
            model: model.to_owned(),
            memory,
            response: String::new(),
            calls: 0,
            counts: None,
            finish: None,
            weighed,
            weights: None,
        }
    }

    fn take(&mut self, said: &Said<'_>, events: &mut Vec<TurnEvent>) -> Result<(), ModelError> {
        let response: Response = serde_json::from_slice(said.data).map_err(|error| said.garbled(error))?;
        if let Some(error) = response.error {
            return Err(fault::inside(&error, said.url, &self.model));
        }
        self.counts = response.usage_metadata.or(self.counts);
        if let Some(id) = response.response_id.filter(|_| self.response.is_empty()) {
            self.response = id;
        }
        if let Some(reason) = response.prompt_feedback.as_ref().and_then(|feedback| feedback.block_reason.as_ref()) {
            let words = response.prompt_feedback.as_ref().and_then(|feedback| feedback.block_reason_message.clone());
            return Err(blocked(reason, words));
        }
        for candidate in response.candidates.into_iter().filter(|candidate| candidate.index == 0) {
            for part in candidate.content.parts {
                self.part(part, events);
            }
            self.weights = candidate.logprobs_result.or(self.weights.take());
            if let Some(reason) = candidate.finish_reason {
                self.finish = Some(self.ending(&reason, candidate.finish_message)?);
            }
        }
        Ok(())
    }

    fn part(&mut self, part: Part, events: &mut Vec<TurnEvent>) {
        if let Some(call) = part.function_call {
            return self.call(call, part.thought_signature, events);
        }
        let text = part.text.unwrap_or_default();
        if text.is_empty() {
            return;
        }
        events.push(if part.thought { TurnEvent::Thought { text } } else { TurnEvent::Delta { text } });
    }

    fn call(&mut self, call: Call, signature: Option<String>, events: &mut Vec<TurnEvent>) {
        let index = self.calls;
        self.calls += 1;
        // Older models give their calls no ids; an answer has one.
        let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{}_{index}", self.response));
        if let Some(signature) = signature {
            self.memory.keep(&id, signature);
        }
        let arguments = call.args.filter(Value::is_object).map_or_else(|| "{}".to_owned(), |args| args.to_string());
        events.push(TurnEvent::ToolCalled { index, id: Some(id), name: Some(call.name), arguments });
    }

    /// `finishReason` in the house's words; what is no ending of an answer is an error.
    fn ending(&self, reason: &str, message: Option<String>) -> Result<Finish, ModelError> {
        Ok(match reason {
            "STOP" if self.calls > 0 => Finish::ToolCalls,
            "STOP" => Finish::Stop,
            "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
            "SAFETY"
            | "RECITATION"
            | "LANGUAGE"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "ESCALATION"
            | "MODEL_ARMOR" => Finish::ContentFilter,
            // `MALFORMED_FUNCTION_CALL`, `UNEXPECTED_TOOL_CALL`, `OTHER` …
            reason => {
                let why = message.filter(|text| !text.is_empty()).map(|text| format!(": {text}")).unwrap_or_default();
                let message = format!("it ended its answer with {reason}{why}");
                return Err(ModelError::Broken { status: None, message, retry_after: None });
            }
        })
    }
}

/// A question that was not let through, as OpenAI's own filter says it.
fn blocked(reason: &str, said: Option<String>) -> ModelError {
    let why = said.map(|text| format!(": {text}")).unwrap_or_default();
    let message = format!("Google's filter blocked the prompt ({reason}){why}");
    ModelError::Rejected { status: 400, code: Some("content_filter".to_owned()), message, body: None }
}

impl Listener for Candidates {
    fn hear(&mut self, said: &Said<'_>, events: &mut Vec<TurnEvent>) -> Result<Keep, ModelError> {
        let before = events.len();
        self.take(said, events)?;
        let weights = self.weights.take();
        let new = events.get(before..).unwrap_or_default();
        let written = self.weighed.as_mut().map(|weighed| weighed.write(&self.response, new, weights));
        Ok(written.map_or(Keep::Not, Keep::Instead))
    }

    fn hear_whole(&mut self, said: &Said<'_>, events: &mut Vec<TurnEvent>) -> Result<(), ModelError> {
        self.take(said, events)
    }

    fn finish(&self) -> Option<Finish> {
        self.finish
    }

    /// There is no end mark: the connection ends.
    fn done(&self) -> bool {
        false
    }

    fn last(&mut self, events: &[TurnEvent]) -> Vec<u8> {
        // OpenAI's usage comes behind the end.
        let (used, others): (Vec<_>, Vec<_>) =
            events.iter().cloned().partition(|event| matches!(event, TurnEvent::Used { .. }));
        let events = [others, used].concat();
        self.weighed.as_mut().map(|weighed| weighed.write(&self.response, &events, None)).unwrap_or_default()
    }

    fn whole(&mut self, events: &[TurnEvent]) -> Option<Bytes> {
        let weights = self.weights.take();
        self.weighed.as_ref()?.whole(&self.response, events, weights)
    }

    fn usage(&self) -> Option<Usage> {
        let counts = self.counts?;
        Some(Usage {
            prompt: Tokens(counts.prompt_token_count) + Tokens(counts.tool_use_prompt_token_count),
            completion: Tokens(counts.candidates_token_count) + Tokens(counts.thoughts_token_count),
            cached: Tokens(counts.cached_content_token_count),
            reasoning: Tokens(counts.thoughts_token_count),
            confidence: None,
            reported: true,
        })
    }
}
