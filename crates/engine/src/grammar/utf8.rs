//! Ranges of characters as sequences of ranges of bytes, so that a grammar can be followed where a token ends in the middle of a character.

/// Ranges of bytes, one after the other: all UTF-8 texts of one character that they cover.
pub(super) type Sequence = Vec<(u8, u8)>;

/// The sequences that together cover exactly the characters of `ranges`.
pub(super) fn sequences(ranges: &[(char, char)]) -> Vec<Sequence> {
    let mut sequences = Vec::new();
    for &(first, last) in ranges {
        let mut left = vec![(u32::from(first), u32::from(last))];
        while let Some((first, last)) = left.pop() {
            if first <= last {
                match border(first, last) {
                    Some(border) => left.extend([(border, last), (first, border - 1)]),
                    None => sequences.extend(sequence(first, last)),
                }
            }
        }
    }
    sequences
}

/// The characters that are not in `ranges`.
pub(super) fn complement(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut sorted: Vec<_> = ranges.iter().map(|&(first, last)| (u32::from(first), u32::from(last))).collect();
    sorted.sort_unstable();
    let mut others = Vec::new();
    let mut next = 0;
    for (first, last) in sorted {
        if first > next {
            others.push((next, first - 1));
        }
        next = next.max(last + 1);
    }
    others.push((next, u32::from(char::MAX)));
    others
        .into_iter()
        .filter_map(|(first, last)| Some((above_surrogates(first)?, below_surrogates(last)?)))
        .filter(|(first, last)| first <= last)
        .collect()
}

fn above_surrogates(code: u32) -> Option<char> {
    char::from_u32(if (0xD800..0xE000).contains(&code) { 0xE000 } else { code })
}

fn below_surrogates(code: u32) -> Option<char> {
    char::from_u32(if (0xD800..0xE000).contains(&code) { 0xD7FF } else { code })
}

/// Where a range has to be cut so that its parts have one length each and each byte runs on its own; the first code of the second part.
fn border(first: u32, last: u32) -> Option<u32> {
    // Lengths change here, and surrogates are no characters.
    for border in [0x80, 0x800, 0xD800, 0xE000, 0x1_0000] {
        if first < border && border <= last {
            return Some(border);
        }
    }
    for bits in [6, 12, 18] {
        let mask = (1_u32 << bits) - 1;
        if first & !mask != last & !mask {
            if first & mask != 0 {
                return Some((first | mask) + 1);
            }
            if last & mask != mask {
                return Some(last & !mask);
            }
        }
    }
    None
}

fn sequence(first: u32, last: u32) -> Option<Sequence> {
    let (first, last) = (char::from_u32(first)?, char::from_u32(last)?);
    let (mut left, mut right) = ([0; 4], [0; 4]);
    let (left, right) = (first.encode_utf8(&mut left).as_bytes(), last.encode_utf8(&mut right).as_bytes());
    Some(left.iter().copied().zip(right.iter().copied()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{complement, sequences};

    fn covers(ranges: &[(char, char)], letter: char) -> usize {
        let mut bytes = [0; 4];
        let bytes = letter.encode_utf8(&mut bytes).as_bytes();
        let fits = |sequence: &Vec<(u8, u8)>| {
            sequence.len() == bytes.len()
                && sequence.iter().zip(bytes).all(|((first, last), byte)| (first..=last).contains(&byte))
        };
        sequences(ranges).iter().filter(|sequence| fits(sequence)).count()
    }

    proptest! {
        #[test]
        fn sequences_cover_a_range_and_nothing_else(first in any::<char>(), last in any::<char>(), other in any::<char>()) {
            let range = (first.min(last), first.max(last));
            for letter in [first, last, other] {
                let inside = (range.0..=range.1).contains(&letter);
                prop_assert_eq!(covers(&[range], letter), usize::from(inside), "{:?} of {:?}", letter, range);
                prop_assert_eq!(covers(&complement(&[range]), letter), usize::from(!inside));
            }
        }
    }

    #[test]
    fn all_characters_are_few_sequences() {
        assert_eq!(sequences(&[('\0', char::MAX)]).len(), 9);
    }
}
