//! How a query and a document become one text for a reranker, and what its score means. What computes the score is an
//! [`Embedder`](crate::embedding::Embedder).

use crate::backend::{Token, Vocabulary};

/// How a reranker wants a query and a document to stand together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairing {
    /// How many tokens this model puts before a text, which a document in second place does not get.
    pub begins: usize,
    /// What stands between the end of the query and the beginning of the document.
    pub between: Vec<Token>,
    /// A text with the places `{query}` and `{document}`, in the model's own markup, instead of all that.
    pub template: Option<String>,
}

impl Pairing {
    /// The tokens of a pair.
    pub fn tokens(&self, vocabulary: &dyn Vocabulary, query: &str, document: &str) -> Vec<Token> {
        if let Some(template) = &self.template {
            return filled(template, vocabulary, query, document);
        }
        let mut pair = vocabulary.encode(query, true, false);
        pair.extend(&self.between);
        pair.extend(vocabulary.encode(document, true, false).iter().skip(self.begins));
        pair
    }
}

/// The template in one go, as the model was trained: a word keeps the space before it. Only where a text holds the model's own markup are the
/// parts read apart, so that it stays text.
fn filled(template: &str, vocabulary: &dyn Vocabulary, query: &str, document: &str) -> Vec<Token> {
    let harmless = |text: &str| vocabulary.encode(text, false, true) == vocabulary.encode(text, false, false);
    let (mut whole, mut apart, mut rest) = (String::new(), Vec::new(), template);
    while let Some((at, place, text)) = [("{query}", query), ("{document}", document)]
        .into_iter()
        .filter_map(|(place, text)| rest.find(place).map(|at| (at, place, text)))
        .min()
    {
        let (before, after) = rest.split_at(at);
        apart.extend(vocabulary.encode(before, apart.is_empty(), true));
        apart.extend(vocabulary.encode(text, false, false));
        whole.push_str(before);
        whole.push_str(text);
        rest = after.strip_prefix(place).unwrap_or_default();
    }
    whole.push_str(rest);
    if harmless(query) && harmless(document) {
        return vocabulary.encode(&whole, true, true);
    }
    apart.extend(vocabulary.encode(rest, false, true));
    apart
}

/// A classifier's one number as a probability, the logistic function of it.
#[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
pub fn probability(logit: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(logit)).exp())) as f32
}
