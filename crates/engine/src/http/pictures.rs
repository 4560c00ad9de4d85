//! Pictures of a conversation on their way into its prompt: a mark stands for each while a template writes the text, then the places that the
//! model's eyes made of it. What a picture is, and that nothing is fetched, is `crate::pictures`' business.

use std::sync::Arc;

use super::problem::Problem;
use crate::{
    backend::{Rows, Token},
    model::Ready,
    pictures::{MOST, NotSeen, Sent},
};

/// The pictures of one request.
pub(super) struct Album {
    /// Whether there is somebody to look at them.
    sees: bool,
    mark: String,
    sent: Vec<Sent>,
}

/// A prompt and what is at its places.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) tokens: Vec<Token>,
    pub(super) rows: Vec<Arc<Rows>>,
}

impl Album {
    /// An empty one. No text holds `word`, because nobody has heard it.
    pub(super) fn new(ready: &Ready, word: &str) -> Self {
        Album { sees: ready.eyes.is_some(), mark: format!("<|{word}|>"), sent: Vec::new() }
    }

    /// Takes in the picture of a URL; the mark that stands for it.
    pub(super) fn lay_in(&mut self, url: &str) -> Result<String, Problem> {
        if !self.sees {
            return Err(Problem::OtherModel { needs: "this model reads text only: a picture needs one that sees" });
        }
        if self.sent.len() == MOST {
            return Err(Problem::invalid("messages", format!("hold more than {MOST} pictures")));
        }
        let nth = self.sent.len() + 1;
        self.sent.push(Sent::from_url(url).map_err(|why| refused(nth, &why.to_string()))?);
        Ok(self.mark.clone())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// What stands before, between and after the pictures in `text`.
    pub(super) fn pieces<'a>(&self, text: &'a str) -> Result<Vec<&'a str>, Problem> {
        let pieces: Vec<_> = text.split(&self.mark).collect();
        if pieces.len() == self.sent.len() + 1 {
            return Ok(pieces);
        }
        let why = "the prompt that is made of these messages does not hold every picture once";
        Err(Problem::Template { why: why.into() })
    }

    /// Looks at the pictures and puts their places between `pieces`.
    pub(super) async fn shown(self, ready: &Ready, pieces: Vec<Vec<Token>>) -> Result<Shown, Problem> {
        let mut pieces = pieces.into_iter();
        let mut shown = Shown { tokens: pieces.next().unwrap_or_default(), rows: Vec::new() };
        let Some(eyes) = &ready.eyes else { return Ok(shown) };
        for (nth, (sent, piece)) in (1..).zip(self.sent.into_iter().zip(pieces)) {
            let seen = eyes.look(sent).await.map_err(|not_seen| match not_seen {
                NotSeen::Busy => Problem::Busy,
                NotSeen::Gone => Problem::Gone,
                NotSeen::Refused(why) => refused(nth, &why.to_string()),
            })?;
            shown.tokens.extend(seen.tokens);
            shown.tokens.extend(piece);
            shown.rows.extend(seen.rows);
        }
        Ok(shown)
    }
}

fn refused(nth: usize, why: &str) -> Problem {
    Problem::invalid("messages", format!("hold a picture (number {nth}) that {why}"))
}
