//! Tools for a model that has no words for them: it is told in its instructions, and calls in its text, in the tags that Hermes and
//! Qwen were taught. What stands in the tags is a call and never shown.

use std::fmt::Write as _;

use domain::{Author, Message, ToolRound, ToolSpec};
use serde_json::{Value, json};

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// What the model is told, after its own instructions.
pub(crate) fn instructions(own: Option<&str>, tools: &[ToolSpec]) -> String {
    let mut text = own.map(|own| format!("{own}\n\n")).unwrap_or_default();
    text.push_str("You can call functions. Their signatures:\n<tools>\n");
    for tool in tools {
        let _ = writeln!(text, "{}", json!({ "type": "function", "function": tool }));
    }
    let _ = write!(
        text,
        "</tools>\nTo call one, write nothing but a JSON object in these tags, one pair for each call:\n{OPEN}\n\
         {{\"name\": \"NAME\", \"arguments\": {{}}}}\n{CLOSE}\nThe results come in <tool_response> tags. Call only where it is needed; \
         otherwise answer."
    );
    text
}

/// What was called and answered, as messages.
pub(crate) fn messages(rounds: &[ToolRound]) -> Vec<Message> {
    let mut all = Vec::with_capacity(rounds.len() * 2);
    for round in rounds {
        let mut said = round.text.clone();
        for call in &round.calls {
            let arguments: Value =
                serde_json::from_str(&call.arguments).unwrap_or_else(|_| call.arguments.clone().into());
            let _ = write!(said, "{OPEN}\n{}\n{CLOSE}\n", json!({ "name": call.name, "arguments": arguments }));
        }
        let mut answer = String::new();
        for text in &round.answers {
            let _ = write!(answer, "<tool_response>\n{text}\n</tool_response>\n");
        }
        all.extend([Message::new(Author::Assistant, said), Message::new(Author::User, answer)]);
    }
    all
}

/// Reads calls out of a text that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    held: String,
    inside: bool,
    /// Names and arguments, in order.
    pub(crate) calls: Vec<(String, String)>,
}

impl Screen {
    /// What of the text so far can be shown.
    pub(crate) fn take(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let mut shown = String::new();
        loop {
            let mark = if self.inside { CLOSE } else { OPEN };
            let Some(at) = self.held.find(mark) else { break };
            let rest = self.held.split_off(at + mark.len());
            let mut before = std::mem::replace(&mut self.held, rest);
            before.truncate(at);
            match self.inside {
                true => self.read(&before),
                false => shown.push_str(&before),
            }
            self.inside = !self.inside;
        }
        if !self.inside {
            // The end of the text may be the beginning of a tag.
            let kept = (1..OPEN.len()).rev().find(|n| self.held.ends_with(&OPEN[..*n])).unwrap_or(0);
            let rest = self.held.split_off(self.held.len() - kept);
            shown.push_str(&std::mem::replace(&mut self.held, rest));
        }
        shown
    }

    /// The text has ended: what was held back and was no tag. A call whose tag was never closed still counts.
    pub(crate) fn end(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        if std::mem::take(&mut self.inside) {
            self.read(&held);
            return String::new();
        }
        held
    }

    fn read(&mut self, text: &str) {
        let Ok(call) = serde_json::from_str::<Value>(text.trim()) else {
            // Said as an empty name, it would never be answered; so the model hears what was wrong with it.
            self.calls.push(("unreadable".to_owned(), text.trim().to_owned()));
            return;
        };
        let arguments = match &call["arguments"] {
            Value::String(text) => text.clone(),
            Value::Null => "{}".to_owned(),
            other => other.to_string(),
        };
        self.calls.push((call["name"].as_str().unwrap_or("unreadable").to_owned(), arguments));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_out_of_text_however_it_is_cut() {
        let text = "先查一下 <b> \n<tool_call>\n{\"name\":\"clock\",\"arguments\":{\"timezone\":\"UTC\"}}\n</tool_call>然后\
                    <tool_call>{\"name\":\"calculator\"}</tool_call> end <tool";
        for size in 1..text.len() {
            let mut screen = Screen::default();
            let mut shown = String::new();
            let mut piece = String::new();
            for c in text.chars() {
                piece.push(c);
                if piece.len() >= size {
                    shown.push_str(&screen.take(&std::mem::take(&mut piece)));
                }
            }
            shown.push_str(&screen.take(&piece));
            shown.push_str(&screen.end());
            assert_eq!(shown, "先查一下 <b> \n然后 end <tool", "in pieces of {size}");
            let call = |name: &str, arguments: &str| (name.to_owned(), arguments.to_owned());
            assert_eq!(screen.calls, [call("clock", "{\"timezone\":\"UTC\"}"), call("calculator", "{}")]);
        }
    }

    #[test]
    fn what_is_no_call_is_told_to_the_model_and_an_open_tag_counts() {
        let mut screen = Screen::default();
        assert_eq!(screen.take("<tool_call>nonsense</tool_call>"), "");
        assert_eq!(screen.take("<tool_call>{\"name\":\"clock\"}"), "");
        assert_eq!(screen.end(), "");
        assert_eq!(screen.calls, [("unreadable".into(), "nonsense".into()), ("clock".into(), "{}".into())]);
    }
}
