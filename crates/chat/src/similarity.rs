//! How much two answers say the same, as one figure beside the word diff that a page shows. It compares words, not meaning.

/// Words beyond these are not compared: the figure of two longer texts is that of their beginnings.
const MOST: usize = 4_000;

/// Twice the length of the longest common subsequence of words, over the words of both: 1000 for the same words in the same
/// order, 0 for none in common (the Sørensen–Dice coefficient over an LCS). A word is a run of letters and digits; a Chinese,
/// Japanese or Korean character is one by itself; blanks, punctuation and capitals do not count. Two texts without words are
/// the same.
pub(crate) fn similarity(one: &str, other: &str) -> u16 {
    let (one, other) = (words(one), words(other));
    let both = one.len() + other.len();
    if both == 0 {
        return 1000;
    }
    u16::try_from(2000 * common(&one, &other) / both).unwrap_or(1000)
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let alone = matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}');
        if c.is_alphanumeric() && !alone {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if alone && c.is_alphanumeric() {
            words.push(c.to_string());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.truncate(MOST);
    words
}

/// The length of the longest common subsequence, by rows.
fn common(one: &[String], other: &[String]) -> usize {
    let mut row = vec![0_usize; other.len() + 1];
    for word in one {
        let mut diagonal = 0;
        for (place, against) in other.iter().enumerate() {
            let above = row[place + 1];
            row[place + 1] = if word == against { diagonal + 1 } else { above.max(row[place]) };
            diagonal = above;
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_common_in_their_order() {
        for (one, other, similar) in [
            ("", "", 1000),
            ("a b c", "", 0),
            ("The answer is 42.", "the answer is 42", 1000),
            ("a b c d", "a b x d", 750),
            ("a b", "b a", 500),
            ("合同已经签署", "合同还没签署", 666),
            ("one two", "three four", 0),
        ] {
            assert_eq!(similarity(one, other), similar, "{one:?} {other:?}");
            assert_eq!(similarity(other, one), similar, "{other:?} {one:?}");
        }
        assert_eq!(similarity(&"word ".repeat(9_000), &"word ".repeat(5_000)), 1000, "only so many are compared");
    }
}
