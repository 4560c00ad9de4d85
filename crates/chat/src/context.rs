//! What the model gets to read: the system prompt, and as much of the history as fits. The oldest messages go first, question
//! and answer together; the system prompt and the last question always stay.

use domain::{Author, Message, Tokens};

/// Tokens a chat template spends on each message beside its text (role markers); 4 in ChatML and Llama 3.
const PER_MESSAGE: u32 = 4;

/// Tokens of a picture of middling size; models count them by its pixels, between some 85 and 1,600.
const PER_PICTURE: u32 = 1_000;

/// Assumed where a back end does not tell its context length.
const UNKNOWN_CONTEXT: u32 = 8_192;

/// A prompt's messages, and what did not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) messages: Vec<Message>,
    /// Estimated tokens of `messages`.
    pub(crate) tokens: Tokens,
    /// Messages left out, and about how many tokens they are.
    pub(crate) trimmed: Option<(u32, u32)>,
}

/// How many tokens of a context the prompt may take: what the answer needs is set aside, at most half of it.
pub(crate) fn prompt_budget(context: Option<u32>, max_answer: Option<u32>) -> u32 {
    let context = context.unwrap_or(UNKNOWN_CONTEXT);
    context - max_answer.unwrap_or(context / 4).min(context / 2)
}

/// Cuts `history` (oldest first, ending in the question) to `budget` tokens.
pub(crate) fn assemble(system: Option<&str>, history: Vec<Message>, budget: u32) -> Context {
    let cost = |message: &Message| {
        let pictures = u32::try_from(message.pictures.len()).unwrap_or(u32::MAX).saturating_mul(PER_PICTURE);
        Tokens::estimate(&message.text).0.saturating_add(PER_MESSAGE).saturating_add(pictures)
    };
    let system = system.filter(|text| !text.trim().is_empty()).map(|text| Message::new(Author::System, text));
    let fixed = system.as_ref().map_or(0, cost);
    let costs: Vec<u32> = history.iter().map(cost).collect();
    let mut total: u32 = costs.iter().fold(fixed, |sum, next| sum.saturating_add(*next));
    let mut first = 0;
    while total > budget && first + 1 < history.len() {
        total -= costs[first];
        first += 1;
        // An answer without its question misleads the model more than it helps.
        while first + 1 < history.len() && history[first].author == Author::Assistant {
            total -= costs[first];
            first += 1;
        }
    }
    let left_out: u32 = costs[..first].iter().sum();
    let trimmed = (first > 0).then(|| (u32::try_from(first).unwrap_or(u32::MAX), left_out));
    let messages = system.into_iter().chain(history.into_iter().skip(first)).collect();
    Context { messages, tokens: Tokens(total), trimmed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(texts: &[&str]) -> Vec<Message> {
        texts
            .iter()
            .enumerate()
            .map(|(n, text)| Message::new(if n % 2 == 0 { Author::User } else { Author::Assistant }, *text))
            .collect()
    }

    #[test]
    fn everything_stays_where_it_fits() {
        let context = assemble(Some("Be brief."), history(&["你好", "你好！", "再见"]), 100);
        assert_eq!(context.messages.len(), 4);
        assert_eq!(context.trimmed, None);
        assert_eq!(context.tokens, Tokens((3 + 4) + (2 + 4) + (3 + 4) + (2 + 4)));
    }

    #[test]
    fn the_oldest_pair_goes_first_and_the_system_prompt_stays() {
        let context = assemble(Some("规则"), history(&["一一一一一一", "二二二二二二", "三", "四", "五"]), 24);
        let texts: Vec<&str> = context.messages.iter().map(|m| m.text.as_str()).collect();
        assert_eq!(texts, ["规则", "三", "四", "五"]);
        assert_eq!(context.trimmed, Some((2, 20)));
    }

    #[test]
    fn the_question_stays_even_where_it_alone_is_too_long() {
        let long = "很".repeat(500);
        let context = assemble(None, history(&["一", "二", &long]), 10);
        assert_eq!(context.messages.len(), 1);
        assert_eq!(context.messages[0].text, long);
    }

    #[test]
    fn the_answer_gets_its_share_of_the_context() {
        assert_eq!(prompt_budget(Some(512), Some(185)), 327);
        assert_eq!(prompt_budget(Some(512), Some(4096)), 256);
        assert_eq!(prompt_budget(Some(8192), None), 6144);
        assert_eq!(prompt_budget(None, None), 6144);
    }
}
