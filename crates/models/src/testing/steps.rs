//! An answer as a list of steps, and the body that plays them.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use serde_json::{Value, json};
use tokio::time::{Sleep, sleep};

use super::{Guard, Spec};

/// One thing that happens on the wire.
pub(super) enum Step {
    /// One write.
    Send(Vec<u8>),
    /// Silence, then on.
    Wait(Duration),
    /// Silence for ever.
    Stall,
    /// The connection breaks.
    Abort,
    /// The body ends before the answer does.
    Eof,
    /// The answer is whole.
    Complete,
}

/// A streamed answer.
pub(super) fn stream(spec: &Spec, chat: bool, usage: bool) -> VecDeque<Step> {
    let script = Script { spec, chat };
    let mut steps = VecDeque::new();
    for place in (1..=spec.queued).rev() {
        let told = format!(": queued {{\"position\":{place},\"wait_ms\":{}}}\n\n", place * 100);
        steps.push_back(Step::Send(told.into_bytes()));
        steps.push_back(Step::Wait(Duration::from_millis(5)));
    }
    if chat && !spec.is_fault("norole") && !spec.fault_at("error", 0) {
        script.send(&mut steps, &script.chunk(json!({"role": "assistant", "content": ""}), "", None));
    }
    for piece in 0..spec.n {
        for (name, step) in [("stall", Step::Stall), ("abort", Step::Abort), ("eof", Step::Eof)] {
            if spec.fault_at(name, piece) {
                // What was said before has left the socket when it strikes.
                steps.push_back(Step::Wait(Duration::from_millis(5)));
                steps.push_back(step);
                return steps;
            }
        }
        if spec.fault_at("error", piece) {
            script.send(
                &mut steps,
                &json!({"error": {"message": "the script fails here", "type": "server_error", "code": "mock_error"}}),
            );
            steps.push_back(Step::Eof);
            return steps;
        }
        script.send(&mut steps, &script.piece(piece));
        if spec.itl_ms > 0 && piece + 1 < spec.n {
            steps.push_back(Step::Wait(Duration::from_millis(spec.itl_ms)));
        }
    }
    let tools = spec.is_fault("tools") || spec.is_fault("reused");
    script.send(&mut steps, &script.chunk(json!({}), "", Some(if tools { "tool_calls" } else { "stop" })));
    if usage && spec.usage != "none" {
        script.send(&mut steps, &script.usage());
    }
    if !spec.is_fault("nodone") {
        steps.push_back(Step::Send(script.frame("[DONE]").into_bytes()));
    }
    steps.push_back(Step::Complete);
    steps
}

/// An answer in one piece.
pub(super) fn whole(spec: &Spec, chat: bool) -> Value {
    let script = Script { spec, chat };
    let text: String = (0..spec.n).map(|piece| script.text(piece)).collect();
    let choice = match chat {
        true => {
            json!({"index": 0, "message": {"role": "assistant", "content": text, "refusal": null}, "logprobs": null, "finish_reason": "stop"})
        }
        false => json!({"index": 0, "text": text, "logprobs": null, "finish_reason": "stop"}),
    };
    let mut body = script.head();
    body["choices"] = json!([choice]);
    body["usage"] = script.usage()["usage"].take();
    body
}

struct Script<'a> {
    spec: &'a Spec,
    chat: bool,
}

impl Script<'_> {
    fn head(&self) -> Value {
        let object = if self.chat { "chat.completion.chunk" } else { "text_completion" };
        json!({"id": "mock-1", "object": object, "created": 1_700_000_000, "model": "mock", "system_fingerprint": "fp_mock"})
    }

    fn text(&self, piece: u32) -> String {
        let text = if self.spec.is_fault("splitutf8") {
            format!("{piece} 你好，世界🌍 ")
        } else {
            format!("t{piece} ")
        };
        text + &"x".repeat(self.spec.pad)
    }

    fn chunk(&self, delta: Value, text: &str, finish: Option<&str>) -> Value {
        let choice = match self.chat {
            true => json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}),
            false => json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish}),
        };
        let mut chunk = self.head();
        chunk["choices"] = json!([choice]);
        if self.spec.usage == "beside" {
            chunk["usage"] = json!({"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8});
        }
        chunk
    }

    fn piece(&self, piece: u32) -> Value {
        if self.spec.is_fault("reasoning") && piece < self.spec.n / 2 {
            return self.chunk(json!({"reasoning_content": self.text(piece)}), "", None);
        }
        // Two parallel calls, piece by piece in turn; "reused" names both by index 0 and tells them apart by id only.
        let call = piece % 2;
        if self.spec.is_fault("tools") {
            let call = match piece {
                0 | 1 => {
                    json!({"index": call, "id": format!("call_{call}"), "type": "function", "function": {"name": format!("f{call}"), "arguments": ""}})
                }
                _ => json!({"index": call, "function": {"arguments": (piece % 10).to_string()}}),
            };
            return self.chunk(json!({"tool_calls": [call]}), "", None);
        }
        if self.spec.is_fault("reused") {
            let call = json!({"index": 0, "id": format!("call_{call}"), "type": "function", "function": {"name": format!("f{call}"), "arguments": (piece % 10).to_string()}});
            return self.chunk(json!({"tool_calls": [call]}), "", None);
        }
        let text = self.text(piece);
        self.chunk(json!({"content": text}), &text, None)
    }

    fn usage(&self) -> Value {
        let mut chunk = self.head();
        match self.spec.usage.as_str() {
            "null" => chunk["choices"] = Value::Null,
            "missing" => {}
            _ => chunk["choices"] = json!([]),
        }
        let n = self.spec.n;
        chunk["usage"] = json!({"prompt_tokens": 7, "completion_tokens": n, "total_tokens": 7 + n});
        chunk
    }

    fn frame(&self, data: &str) -> String {
        let spec = self.spec;
        let end = if spec.is_fault("crlf") { "\r\n" } else { "\n" };
        let field = if spec.is_fault("nospace") { "data:" } else { "data: " };
        let before = match spec.fault.as_ref().map(|(name, _)| name.as_str()) {
            Some("comment") => format!(": keep-alive{end}{end}"),
            Some("emptydata") => format!("data:{end}{end}data: {end}{end}"),
            Some("eventname") => format!("event: message{end}id: 1{end}"),
            _ => String::new(),
        };
        match data.find(',').filter(|_| spec.is_fault("multiline")) {
            // One event over two data lines, joined by a line end, which JSON allows here.
            Some(comma) => format!("{before}{field}{}{end}{field}{}{end}{end}", &data[..=comma], &data[comma + 1..]),
            None => format!("{before}{field}{data}{end}{end}"),
        }
    }

    fn send(&self, steps: &mut VecDeque<Step>, chunk: &Value) {
        let mut frame = self.frame(&chunk.to_string()).into_bytes();
        let cut = match self.spec.fault.as_ref().map(|(name, _)| name.as_str()) {
            Some("splitutf8") => frame.iter().rposition(|byte| *byte >= 0xC0).map(|at| at + 1),
            Some("splitevent") => Some(frame.len() / 2),
            _ => None,
        };
        if let Some(cut) = cut {
            let rest = frame.split_off(cut);
            steps.push_back(Step::Send(frame));
            // Long enough for the first half to be a read of its own.
            steps.push_back(Step::Wait(Duration::from_millis(2)));
            frame = rest;
        }
        steps.push_back(Step::Send(frame));
    }
}

/// The body that plays the steps.
pub(super) struct Play {
    steps: VecDeque<Step>,
    timer: Option<Pin<Box<Sleep>>>,
    guard: Guard,
}

impl Play {
    pub(super) fn new(steps: VecDeque<Step>, guard: Guard) -> Self {
        Play { steps, timer: None, guard }
    }
}

impl http_body::Body for Play {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            if let Some(timer) = self.timer.as_mut() {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            match self.steps.pop_front() {
                Some(Step::Send(bytes)) => return Poll::Ready(Some(Ok(Frame::data(Bytes::from(bytes))))),
                Some(Step::Wait(time)) => self.timer = Some(Box::pin(sleep(time))),
                Some(Step::Stall) => {
                    self.steps.push_front(Step::Stall);
                    return Poll::Pending;
                }
                Some(Step::Abort) => {
                    self.guard.end(|stats| &mut stats.faulted);
                    return Poll::Ready(Some(Err(std::io::Error::other("the script breaks the connection"))));
                }
                Some(Step::Eof) => self.guard.end(|stats| &mut stats.faulted),
                Some(Step::Complete) => self.guard.end(|stats| &mut stats.completed),
                None => return Poll::Ready(None),
            }
        }
    }
}
