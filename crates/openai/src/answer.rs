//! The house's own answers in the OpenAI dialect: events in, chunks or one whole body out. For turns that were made here or
//! translated; bytes of an upstream of the same dialect never come this way.

use domain::{Finish, Task, TurnEvent, Usage};

use crate::{
    ChatChoice, ChatChunk, ChatCompletion, ChatMessage, ChunkChoice, Completion, CompletionChoice, Content, Delta,
    Encoder, ErrorBody, FunctionPiece, Logprobs, ToolCallPiece, UsageBody, finish_to_word,
};

/// Who an answer says it is.
#[derive(Debug, Clone)]
struct Identity {
    id: String,
    model: String,
    created: i64,
    task: Task,
}

/// Writes the events of one answer as SSE chunks.
#[derive(Debug)]
pub struct ChunkWriter {
    who: Identity,
    wants_usage: bool,
    greeted: bool,
}

impl ChunkWriter {
    /// `id` as the client shall see it, `created` in seconds since 1970; `wants_usage` adds the usage chunk.
    pub fn new(task: Task, id: String, model: String, created: i64, wants_usage: bool) -> Self {
        ChunkWriter { who: Identity { id, model, created, task }, wants_usage, greeted: false }
    }

    /// Appends what these events are in the dialect. Events without a counterpart (queued, warming ...) write nothing. A
    /// failure is the caller's to write ([`ChunkWriter::fault`]), since the words of errors are settled at the door; so is
    /// `[DONE]`, which belongs only after a good ending.
    pub fn write(&mut self, events: &[TurnEvent], out: &mut Encoder) {
        for event in events {
            match event {
                TurnEvent::Delta { text } => self.text(text.clone(), out),
                TurnEvent::Thought { text } => {
                    self.delta(Delta { reasoning_content: Some(text.clone()), ..Delta::default() }, None, out);
                }
                TurnEvent::ToolCalled { index, id, name, arguments } => {
                    let call = call(Some(*index), id, name, arguments.clone());
                    self.delta(Delta { tool_calls: vec![call], ..Delta::default() }, None, out);
                }
                TurnEvent::Finished { finish, .. } => self.finish(*finish, out),
                TurnEvent::Used { usage } if self.wants_usage => self.usage(usage, out),
                _ => {}
            }
        }
    }

    /// The one error event of a stream that broke off.
    pub fn fault(error: &ErrorBody, out: &mut Encoder) {
        out.json(error);
    }

    /// Appends how likely what was just written is, as a chunk of its own. Of chats alone.
    pub fn weigh(&mut self, logprobs: Logprobs, out: &mut Encoder) {
        if logprobs.content.is_empty() {
            return;
        }
        let choice = ChunkChoice { logprobs: Some(logprobs), ..ChunkChoice::default() };
        out.json(&ChatChunk { choices: vec![choice], ..self.who.chunk() });
    }

    fn text(&mut self, text: String, out: &mut Encoder) {
        match self.who.task {
            Task::Chat => self.delta(Delta { content: Some(text), ..Delta::default() }, None, out),
            _ => out.json(&self.who.completion(text, None, None)),
        }
    }

    fn finish(&mut self, finish: Finish, out: &mut Encoder) {
        let Some(word) = finish_to_word(finish) else { return };
        match self.who.task {
            Task::Chat => self.delta(Delta::default(), Some(word.to_owned()), out),
            _ => out.json(&self.who.completion(String::new(), Some(word.to_owned()), None)),
        }
    }

    fn usage(&mut self, usage: &Usage, out: &mut Encoder) {
        let usage = Some(UsageBody::from(usage));
        match self.who.task {
            Task::Chat => out.json(&ChatChunk { usage, ..self.who.chunk() }),
            _ => out.json(&Completion { choices: Vec::new(), ..self.who.completion(String::new(), None, usage) }),
        }
    }

    fn delta(&mut self, mut delta: Delta, finish_reason: Option<String>, out: &mut Encoder) {
        if self.who.task == Task::Completion && finish_reason.is_none() {
            return;
        }
        if !self.greeted {
            self.greeted = true;
            delta.role = Some("assistant".to_owned());
        }
        let choice = ChunkChoice { delta, finish_reason, ..ChunkChoice::default() };
        out.json(&ChatChunk { choices: vec![choice], ..self.who.chunk() });
    }
}

impl Identity {
    fn chunk(&self) -> ChatChunk {
        ChatChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk".to_owned(),
            created: self.created,
            model: self.model.clone(),
            ..ChatChunk::default()
        }
    }

    fn completion(&self, text: String, finish_reason: Option<String>, usage: Option<UsageBody>) -> Completion {
        Completion {
            id: self.id.clone(),
            object: "text_completion".to_owned(),
            created: self.created,
            model: self.model.clone(),
            choices: vec![CompletionChoice { text, finish_reason, ..CompletionChoice::default() }],
            usage,
            ..Completion::default()
        }
    }
}

/// Gathers the events of one answer into one body.
#[derive(Debug)]
pub struct Whole {
    who: Identity,
    text: String,
    thought: String,
    calls: Vec<ToolCallPiece>,
    logprobs: Option<Logprobs>,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

impl Whole {
    /// As [`ChunkWriter::new`].
    pub fn new(task: Task, id: String, model: String, created: i64) -> Self {
        let who = Identity { id, model, created, task };
        Whole {
            who,
            text: String::new(),
            thought: String::new(),
            calls: Vec::new(),
            logprobs: None,
            usage: None,
            finish: None,
        }
    }

    /// Takes one event.
    pub fn take(&mut self, event: &TurnEvent) {
        match event {
            TurnEvent::Delta { text } => self.text.push_str(text),
            TurnEvent::Thought { text } => self.thought.push_str(text),
            TurnEvent::ToolCalled { index, id, name, arguments } => {
                match self.calls.iter_mut().find(|call| call.index == Some(*index)) {
                    Some(call) => call.function.arguments.push_str(arguments),
                    None => self.calls.push(call(Some(*index), id, name, arguments.clone())),
                }
            }
            TurnEvent::Used { usage } => self.usage = Some(*usage),
            TurnEvent::Finished { finish, .. } => self.finish = Some(*finish),
            _ => {}
        }
    }

    /// How likely the answer is. Of chats alone.
    pub fn weigh(&mut self, logprobs: Logprobs) {
        self.logprobs = Some(logprobs);
    }

    /// The body: a JSON object.
    pub fn body(self) -> serde_json::Result<Vec<u8>> {
        let finish_reason = self.finish.and_then(finish_to_word).map(str::to_owned);
        let usage = self.usage.as_ref().map(UsageBody::from);
        if self.who.task == Task::Completion {
            return serde_json::to_vec(&self.who.completion(self.text, finish_reason, usage));
        }
        let content = (!self.text.is_empty() || self.calls.is_empty()).then_some(Content::Text(self.text));
        let tool_calls = self.calls.into_iter().map(|call| ToolCallPiece { index: None, ..call }).collect();
        let reasoning_content = Some(self.thought).filter(|thought| !thought.is_empty());
        let message = ChatMessage {
            role: "assistant".to_owned(),
            content,
            reasoning_content,
            tool_calls,
            ..ChatMessage::default()
        };
        serde_json::to_vec(&ChatCompletion {
            id: self.who.id,
            object: "chat.completion".to_owned(),
            created: self.who.created,
            model: self.who.model,
            choices: vec![ChatChoice { message, finish_reason, logprobs: self.logprobs, ..ChatChoice::default() }],
            usage,
            ..ChatCompletion::default()
        })
    }
}

fn call(index: Option<u32>, id: &Option<String>, name: &Option<String>, arguments: String) -> ToolCallPiece {
    let kind = id.as_ref().map(|_| "function".to_owned());
    let function = FunctionPiece { name: name.clone(), arguments };
    ToolCallPiece { index, id: id.clone(), kind, function, ..ToolCallPiece::default() }
}
