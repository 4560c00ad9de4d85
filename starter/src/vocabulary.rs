//! The vocabulary: pairs of bytes merged as they are frequent (Sennrich et al., 2016), but only inside words of Latin letters with the blank
//! before them and inside one character of another script. Digits and punctuation stay alone, so that copying them is learned once.
//! llama.cpp's pre-tokenizer `deepseek-coder` never cuts inside such a unit, so both sides find the same tokens.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use serde::{Deserialize, Serialize};

/// Ends a document.
pub const END: u32 = 0;
/// Begins a message.
pub const OPEN: u32 = 1;
/// Ends a message.
pub const CLOSE: u32 = 2;
/// Tokens that stand for themselves, before all others; the first three are control tokens.
pub const MARKS: [&str; 5] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"];
/// How many of them never come from a text.
pub const CONTROLS: usize = 3;
const BYTES: usize = 256;

/// Bytes to tokens and back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Vocabulary {
    /// The pair of tokens that each further token joins, the most frequent first.
    merges: Vec<(u32, u32)>,
    #[serde(skip)]
    ranks: HashMap<(u32, u32), u32>,
    #[serde(skip)]
    known: RefCell<HashMap<String, Vec<u32>>>,
}

impl Vocabulary {
    /// Learns at most `size` tokens from `texts`; a pair that occurs less than `least` times is not worth one.
    pub fn learn<'a>(texts: impl IntoIterator<Item = &'a str>, size: usize, least: usize) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for text in texts {
            for unit in units(text) {
                *counts.entry(unit).or_default() += 1;
            }
        }
        let mut words: Vec<(Vec<u32>, usize)> = counts
            .into_iter()
            .filter(|(unit, _)| unit.len() > 1)
            .map(|(unit, count)| (of_bytes(unit), count))
            .collect();
        let mut merges = Vec::new();
        while MARKS.len() + BYTES + merges.len() < size {
            let mut pairs: HashMap<(u32, u32), usize> = HashMap::new();
            for (word, count) in &words {
                for pair in word.windows(2) {
                    *pairs.entry((pair[0], pair[1])).or_default() += count;
                }
            }
            // The smaller pair where two are as frequent: a map has no order of its own.
            let Some((pair, count)) = pairs.into_iter().max_by_key(|(pair, count)| (*count, std::cmp::Reverse(*pair)))
            else {
                break;
            };
            if count < least {
                break;
            }
            let token = (MARKS.len() + BYTES + merges.len()) as u32;
            merges.push(pair);
            words.iter_mut().for_each(|(word, _)| merge(word, pair, token));
            words.retain(|(word, _)| word.len() > 1);
        }
        Vocabulary { merges, ..Vocabulary::default() }.ready()
    }

    /// From what [`Vocabulary::written`] and [`Vocabulary::written_merges`] wrote; `None` where these were another's.
    pub fn of_written(tokens: &[String], merges: &[String]) -> Option<Self> {
        let numbers: HashMap<&str, u32> =
            tokens.iter().enumerate().map(|(at, token)| (token.as_str(), at as u32)).collect();
        let pair = |written: &String| {
            let (left, right) = written.split_once(' ')?;
            Some((*numbers.get(left)?, *numbers.get(right)?))
        };
        let merges = merges.iter().map(pair).collect::<Option<_>>()?;
        let vocabulary = Vocabulary { merges, ..Vocabulary::default() }.ready();
        (vocabulary.written() == tokens).then_some(vocabulary)
    }

    /// After reading it from a file.
    pub fn ready(mut self) -> Self {
        self.ranks = self.merges.iter().enumerate().map(|(rank, pair)| (*pair, rank as u32)).collect();
        self
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        MARKS.len() + BYTES + self.merges.len()
    }

    /// Whether there are none, which cannot be.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The tokens of a text; the marks of tool calls in it are tokens, those of messages are text.
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let next = (CONTROLS..MARKS.len()).filter_map(|mark| Some((rest.find(MARKS[mark])?, mark))).min();
            let (plain, mark) = next.map_or((rest.len(), None), |(at, mark)| (at, Some(mark)));
            for unit in units(&rest[..plain]) {
                tokens.extend(self.of_unit(unit));
            }
            rest = &rest[plain..];
            if let Some(mark) = mark {
                tokens.push(mark as u32);
                rest = &rest[MARKS[mark].len()..];
            }
        }
        tokens
    }

    fn of_unit(&self, unit: &str) -> Vec<u32> {
        if unit.len() == 1 {
            return of_bytes(unit);
        }
        if let Some(tokens) = self.known.borrow().get(unit) {
            return tokens.clone();
        }
        let mut tokens = of_bytes(unit);
        while let Some((rank, pair)) =
            tokens.windows(2).filter_map(|two| Some((*self.ranks.get(&(two[0], two[1]))?, (two[0], two[1])))).min()
        {
            merge(&mut tokens, pair, rank + (MARKS.len() + BYTES) as u32);
        }
        self.known.borrow_mut().insert(unit.to_owned(), tokens.clone());
        tokens
    }

    /// The bytes of a token.
    pub fn bytes(&self, token: u32) -> Vec<u8> {
        let at = token as usize;
        if at < MARKS.len() {
            return MARKS[at].as_bytes().to_vec();
        }
        if at < MARKS.len() + BYTES {
            return vec![(at - MARKS.len()) as u8];
        }
        let (left, right) = self.merges[at - MARKS.len() - BYTES];
        [self.bytes(left), self.bytes(right)].concat()
    }

    /// Each token as `tokenizer.ggml.tokens` writes it: bytes by GPT-2's table.
    pub fn written(&self) -> Vec<String> {
        let mark = |token: usize| MARKS.get(token).map(|&mark| mark.to_owned());
        (0..self.len()).map(|token| mark(token).unwrap_or_else(|| spelled(&self.bytes(token as u32)))).collect()
    }

    /// Each merge as `tokenizer.ggml.merges` writes it.
    pub fn written_merges(&self) -> Vec<String> {
        let spelled = |token: u32| spelled(&self.bytes(token));
        self.merges.iter().map(|(left, right)| format!("{} {}", spelled(*left), spelled(*right))).collect()
    }
}

/// Words of Latin letters with the blank before them, and every other character alone.
fn units(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let blank = usize::from(first == ' ');
        let letters = rest[blank..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let len =
            if letters > 0 && (blank == 1 || first.is_ascii_alphabetic()) { blank + letters } else { first.len_utf8() };
        let (unit, more) = rest.split_at(len);
        rest = more;
        Some(unit)
    })
}

fn of_bytes(text: &str) -> Vec<u32> {
    text.bytes().map(|byte| u32::from(byte) + MARKS.len() as u32).collect()
}

fn merge(tokens: &mut Vec<u32>, pair: (u32, u32), into: u32) {
    let mut to = 0;
    let mut from = 0;
    while from < tokens.len() {
        if from + 1 < tokens.len() && (tokens[from], tokens[from + 1]) == pair {
            tokens[to] = into;
            from += 2;
        } else {
            tokens[to] = tokens[from];
            from += 1;
        }
        to += 1;
    }
    tokens.truncate(to);
}

/// GPT-2's letters for bytes: printable ones are themselves, the others follow from U+0100 on.
fn spelled(bytes: &[u8]) -> String {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let letter = |byte: u8| match printable(byte) {
        true => char::from(byte),
        false => {
            let before = (0..byte).filter(|&other| !printable(other)).count() as u32;
            char::from_u32(0x100 + before).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
    };
    bytes.iter().map(|&byte| letter(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Vocabulary, spelled};

    #[test]
    fn what_is_cut_into_tokens_comes_back_and_digits_stay_alone() {
        let text = "The price is 1250 yuan, the price: 价格是一千元。<tool_call>{}</tool_call>";
        let vocabulary = Vocabulary::learn([text; 5], 400, 2);
        for text in [text, "", "  two  blanks\n", "𠮷野家 it's é 12.5%", "<|im_end|>"] {
            let tokens = vocabulary.tokens(text);
            let bytes: Vec<u8> = tokens.iter().flat_map(|token| vocabulary.bytes(*token)).collect();
            assert_eq!(String::from_utf8(bytes).unwrap(), text);
        }
        assert_eq!(vocabulary.tokens("12").len(), 2);
        assert_eq!(vocabulary.tokens(" price").len(), 1);
        assert_eq!(vocabulary.tokens("价格").len(), 2);
        assert!(vocabulary.tokens("<|im_end|>").len() > 1);
        let again = Vocabulary::of_written(&vocabulary.written(), &vocabulary.written_merges()).unwrap();
        assert_eq!(again.tokens(text), vocabulary.tokens(text));
        assert!(Vocabulary::of_written(&vocabulary.written()[1..], &vocabulary.written_merges()).is_none());
    }

    #[test]
    fn bytes_are_spelled_as_gpt_2_spells_them() {
        assert_eq!(spelled(b" a\n"), "\u{120}a\u{10a}");
        assert_eq!(spelled("é".as_bytes()), "Ã©");
        assert_eq!(spelled(&[0x7f, 0xad]), "\u{121}\u{143}");
    }
}
