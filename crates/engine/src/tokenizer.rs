//! How a model reads a conversation: its chat template and its vocabulary as the worker uses them, without its weights. Whoever teaches it
//! makes the text here, so that it learns on what it will be asked, byte for byte. Nothing is computed.

use std::sync::Arc;

use domain::Timestamp;
use serde_json::{Map, Value as Json};

use crate::{
    backend::{Token, Vocabulary},
    template::{Refused, Template, has_begun, plain_question},
};

/// A model's vocabulary and its chat template, where it has one.
pub struct Tokenizer {
    vocabulary: Arc<dyn Vocabulary>,
    template: Option<Template>,
    bos: String,
    eos: String,
}

/// A conversation that ends with an answer, as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// The text: what the model is asked, and its answer.
    pub text: String,
    /// Its tokens, with the one that ends an answer last where the vocabulary has one.
    pub tokens: Vec<Token>,
    /// How many of them are given; those behind are the answer's.
    pub given: usize,
}

impl Tokenizer {
    /// A vocabulary with the source of a template.
    ///
    /// # Errors
    /// [`Refused`] when the source is no template.
    pub fn new(vocabulary: Arc<dyn Vocabulary>, template: Option<&str>) -> Result<Self, Refused> {
        let (bos, eos) = vocabulary.marks();
        let template = template.map(|source| Template::new(source, bos.clone(), eos.clone())).transpose()?;
        Ok(Tokenizer { vocabulary, template, bos, eos })
    }

    /// Whether the model has a chat template of its own.
    pub fn templated(&self) -> bool {
        self.template.is_some()
    }

    /// How many tokens there are.
    pub fn size(&self) -> usize {
        self.vocabulary.size()
    }

    /// What `messages` (objects of the OpenAI dialect whose content is text) come to, whose last one is the answer. What stands before it is what
    /// the worker makes of the messages before it. Without a template that is the last question, and the answer follows as text does.
    ///
    /// # Errors
    /// [`Refused`] with the template's own sentence, or when there is no question or no answer.
    pub fn lesson(&self, messages: &[Json], now: Timestamp) -> Result<Lesson, Refused> {
        let Some((last, before)) = messages.split_last().filter(|(last, _)| last["role"] == "assistant") else {
            return Err(Refused("the last message is not the assistant's".into()));
        };
        let answer = last["content"].as_str().unwrap_or_default();
        let (given, learned, markup) = match &self.template {
            Some(template) => {
                let (given, learned) = self.templated_parts(template, messages, before, answer, now)?;
                (given, learned, true)
            }
            None => {
                let given = plain_question(before).ok_or_else(|| Refused("no message is the user's".into()))?;
                let learned = format!("{}{answer}", joint(&given, answer));
                (given, learned, false)
            }
        };
        let begin = !(markup && has_begun(&given, &self.bos));
        let (mut tokens, given, text) = self.joined(given, &learned, begin, markup);
        // What stands behind the end of an answer nobody asks the model for.
        let end = tokens.iter().skip(given).position(|token| self.vocabulary.ends(*token));
        match end {
            Some(end) => tokens.truncate(given + end + 1),
            None => tokens.extend(self.end()),
        }
        Ok(Lesson { text, tokens, given })
    }

    /// The tokens of what is given, as the worker cuts it, with those of the answer behind it; how many are given; and the text.
    fn joined(&self, given: String, learned: &str, begin: bool, markup: bool) -> (Vec<Token>, usize, String) {
        let encode = |text: &str, begin: bool| self.vocabulary.encode(text, begin, markup);
        let mut asked = encode(&given, begin);
        let text = given + learned;
        let whole = encode(&text, begin);
        if whole.starts_with(&asked) {
            return (whole, asked.len(), text);
        }
        // The answer's first letters would have been cut together with the last ones before it, which nobody who asks can do. Behind the end of
        // a line it is cut by itself, and without the blank that some vocabularies put before every text.
        let (line, behind) = (encode("\n", false), encode(&format!("\n{learned}"), false));
        match behind.strip_prefix(line.as_slice()) {
            Some(answer) => {
                let count = asked.len();
                asked.extend(answer);
                (asked, count, text)
            }
            None => {
                let count = asked.iter().zip(&whole).take_while(|(one, other)| one == other).count();
                (whole, count, text)
            }
        }
    }

    /// What the template writes before the answer and from there on. Where what it writes of the whole conversation does not begin with what it
    /// writes of the question (some leave thoughts out), the answer follows as it is.
    fn templated_parts(
        &self,
        template: &Template,
        messages: &[Json],
        before: &[Json],
        answer: &str,
        now: Timestamp,
    ) -> Result<(String, String), Refused> {
        let nothing = Map::new();
        let given = template.render(before, &nothing, now)?;
        let whole = template.render_whole(messages, &nothing, now)?;
        let learned = match whole.strip_prefix(given.as_str()) {
            Some(rest) => rest.to_owned(),
            None => {
                let answer = answer.trim();
                let behind = whole.rfind(answer).and_then(|at| whole.get(at + answer.len()..));
                format!("{answer}{}", behind.unwrap_or_default())
            }
        };
        Ok((given, learned))
    }

    /// The token that ends an answer, by the vocabulary's own mark.
    fn end(&self) -> Option<Token> {
        match self.vocabulary.encode(&self.eos, false, true).as_slice() {
            [token] if self.vocabulary.ends(*token) => Some(*token),
            _ => None,
        }
    }
}

/// What stands between a question and its answer where no template says: a blank, but not after white space or beside Chinese, which writes none.
fn joint(before: &str, after: &str) -> &'static str {
    let apart = |letter: Option<char>| letter.is_some_and(|letter| letter < '\u{2e80}' && !letter.is_whitespace());
    if apart(before.chars().next_back()) && apart(after.chars().next()) { " " } else { "" }
}
