//! Patterns as JSON Schema writes them (ECMA-262, read as with its flag `u`) as languages of characters. What no automaton can follow is refused by
//! name: references back, word borders, looking around anywhere but ahead at the beginning, and properties of Unicode.

use std::{iter::Peekable, str::Chars};

use super::{
    Unusable,
    language::{Language, Term},
};

/// Groups in groups, at most: reading them takes stack.
const DEEPEST: usize = 64;
/// Repetitions of one thing, at most.
const MOST_TIMES: u32 = 5000;
const LAST: u32 = char::MAX as u32;

/// The texts in which `pattern` is found.
pub(super) fn language(pattern: &str) -> Result<Language, Unusable> {
    let mut reader = Reader { left: pattern.chars().peekable(), depth: 0, ahead: Vec::new() };
    let mut branches = reader.branches().map_err(|why| Unusable(format!("the pattern {pattern:?} {why}")))?;
    if reader.left.next().is_some() {
        return Err(Unusable(format!("the pattern {pattern:?} has a ) too many")));
    }
    if branches.len() > 1 && !reader.ahead.is_empty() {
        return Err(Unusable(format!("the pattern {pattern:?} looks ahead in one of several branches")));
    }
    let whole = if branches.len() == 1 { branches.swap_remove(0) } else { Term::Any(branches) };
    let mut language = Language::holding(&whole)?;
    for (wanted, term) in reader.ahead {
        let ahead = Language::holding(&Term::All(vec![Term::Begin, term]))?;
        language = if wanted { language.and(&ahead)? } else { language.minus(&ahead)? };
    }
    Ok(language)
}

struct Reader<'a> {
    left: Peekable<Chars<'a>>,
    depth: usize,
    /// What the text must, or must not, begin with.
    ahead: Vec<(bool, Term)>,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn takes(&mut self, letter: char) -> bool {
        self.left.next_if_eq(&letter).is_some()
    }

    fn branches(&mut self) -> Read<Vec<Term>> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("has groups too deep in one another");
        }
        let mut branches = vec![self.sequence()?];
        while self.takes('|') {
            branches.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(branches)
    }

    fn sequence(&mut self) -> Read<Term> {
        let mut terms = Vec::new();
        while let Some(&letter) = self.left.peek() {
            if matches!(letter, '|' | ')') {
                break;
            }
            self.left.next();
            let at_begin = self.depth == 1 && terms.iter().all(|term| *term == Term::Begin) && !terms.is_empty();
            if let Some(term) = self.atom(letter, at_begin)? {
                let term = self.repeated(term)?;
                terms.push(term);
            }
        }
        Ok(Term::All(terms))
    }

    /// The term that begins with `letter`; none where it looked ahead.
    fn atom(&mut self, letter: char, at_begin: bool) -> Read<Option<Term>> {
        Ok(Some(match letter {
            '^' => Term::Begin,
            '$' => Term::End,
            '.' => Term::Class(complement(&[(10, 10), (13, 13), (0x2028, 0x2029)])),
            '[' => self.class()?,
            '(' => return self.group(at_begin),
            '\\' => Term::Class(self.escape(false)?),
            '*' | '+' | '?' => return Err("repeats nothing"),
            letter => Term::range(letter, letter),
        }))
    }

    fn group(&mut self, at_begin: bool) -> Read<Option<Term>> {
        let mut looks = None;
        if self.takes('?') {
            match self.left.next() {
                Some(':') => {}
                Some('=') if at_begin => looks = Some(true),
                Some('!') if at_begin => looks = Some(false),
                Some('=' | '!') => return Err("looks ahead elsewhere than at the beginning"),
                Some('<') if !matches!(self.left.peek(), Some('=' | '!')) => {
                    while self.left.next().ok_or("has a group without an end")? != '>' {}
                }
                Some('<') => return Err("looks behind"),
                _ => return Err("has a group with flags"),
            }
        }
        let term = Term::Any(self.branches()?);
        if !self.takes(')') {
            return Err("has a group without an end");
        }
        if let Some(wanted) = looks {
            self.ahead.push((wanted, term));
            return Ok(None);
        }
        Ok(Some(term))
    }

    fn repeated(&mut self, term: Term) -> Read<Term> {
        // Each leaves the last letter of what it read.
        let (least, most) = match self.left.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match self.count() {
                Some(count) => count,
                None => return Ok(term),
            },
            _ => return Ok(term),
        };
        self.left.next();
        // A lazy repetition finds the same texts.
        self.takes('?');
        if matches!(term, Term::Begin | Term::End) {
            return Err("repeats a border");
        }
        if most.is_some_and(|most| most < least) {
            return Err("repeats at most less often than at least");
        }
        if least.max(most.unwrap_or(0)) > MOST_TIMES {
            return Err("repeats too often");
        }
        Ok(term.times(least, most))
    }

    /// `{2}`, `{2,}` or `{2,5}` up to its last bracket; anything else stands for itself, and nothing is taken.
    fn count(&mut self) -> Option<(u32, Option<u32>)> {
        let mut ahead = self.left.clone();
        ahead.next();
        let least = digits(&mut ahead).parse().ok()?;
        let most = if ahead.next_if_eq(&',').is_none() {
            Some(least)
        } else {
            match digits(&mut ahead) {
                none if none.is_empty() => None,
                most => Some(most.parse().ok()?),
            }
        };
        if ahead.peek() != Some(&'}') {
            return None;
        }
        self.left = ahead;
        Some((least, most))
    }

    fn class(&mut self) -> Read<Term> {
        let others = self.takes('^');
        let mut ranges = Vec::new();
        loop {
            let first = match self.left.next().ok_or("has a class without an end")? {
                ']' => break,
                '\\' => self.escape(true)?,
                letter => vec![(letter.into(), letter.into())],
            };
            let one = |ranges: &[(u32, u32)]| match ranges {
                [(first, last)] if first == last => Some(*first),
                _ => None,
            };
            let mut ahead = self.left.clone();
            let ranged = ahead.next() == Some('-') && ahead.peek().is_some_and(|&letter| letter != ']');
            match one(&first).filter(|_| ranged) {
                None => ranges.extend(first),
                Some(first) => {
                    self.left.next();
                    let last = match self.left.next().ok_or("has a class without an end")? {
                        '\\' => self.escape(true)?,
                        letter => vec![(letter.into(), letter.into())],
                    };
                    match one(&last) {
                        Some(last) if first <= last => ranges.push((first, last)),
                        Some(_) => return Err("has a range that is empty"),
                        // `[a-\d]`: a hyphen that stands for itself.
                        None => {
                            ranges.extend([(first, first), (u32::from('-'), u32::from('-'))]);
                            ranges.extend(last);
                        }
                    }
                }
            }
        }
        Ok(Term::Class(if others { complement(&ranges) } else { ranges }))
    }

    fn escape(&mut self, in_class: bool) -> Read<Vec<(u32, u32)>> {
        let letter = self.left.next().ok_or("ends in a backslash")?;
        let one = |letter: u32| Ok(vec![(letter, letter)]);
        let digits = &[(0x30, 0x39)];
        let word = &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)];
        // White space and ends of lines, ECMA-262 §12.2 and §12.3.
        let space = &[
            (9, 13),
            (32, 32),
            (0xa0, 0xa0),
            (0x1680, 0x1680),
            (0x2000, 0x200a),
            (0x2028, 0x2029),
            (0x202f, 0x202f),
            (0x205f, 0x205f),
            (0x3000, 0x3000),
            (0xfeff, 0xfeff),
        ];
        match letter {
            'd' => Ok(digits.to_vec()),
            'D' => Ok(complement(digits)),
            'w' => Ok(word.to_vec()),
            'W' => Ok(complement(word)),
            's' => Ok(space.to_vec()),
            'S' => Ok(complement(space)),
            't' => one(9),
            'n' => one(10),
            'v' => one(11),
            'f' => one(12),
            'r' => one(13),
            'b' if in_class => one(8),
            'b' | 'B' => Err("asks for a word border"),
            'p' | 'P' => Err("asks for a property of Unicode"),
            '1'..='9' | 'k' => Err("refers back"),
            '0' if self.left.peek().is_none_or(|next| !next.is_ascii_digit()) => one(0),
            'c' => match self.left.next() {
                Some(letter) if letter.is_ascii_alphabetic() => one(u32::from(letter) % 32),
                _ => Err("has an escape that is not known"),
            },
            'x' => one(self.hex(2)?),
            'u' if self.takes('{') => {
                let mut code = 0;
                loop {
                    match self.left.next().ok_or("has an escape that is not known")? {
                        '}' => return if code > LAST { Err("has an escape that is not known") } else { one(code) },
                        digit => {
                            let digit = digit.to_digit(16).ok_or("has an escape that is not known")?;
                            code = (code * 16 + digit).min(LAST + 1);
                        }
                    }
                }
            }
            'u' => {
                let high = self.hex(4)?;
                if !(0xd800..0xdc00).contains(&high) {
                    return one(high);
                }
                if !(self.takes('\\') && self.takes('u')) {
                    return Err("has half a character");
                }
                let low = self.hex(4)?;
                if !(0xdc00..0xe000).contains(&low) {
                    return Err("has half a character");
                }
                one(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
            }
            letter if letter.is_ascii_alphanumeric() => Err("has an escape that is not known"),
            letter => one(letter.into()),
        }
    }

    fn hex(&mut self, digits: usize) -> Read<u32> {
        let mut code = 0;
        for _ in 0..digits {
            let digit =
                self.left.next().and_then(|digit| digit.to_digit(16)).ok_or("has an escape that is not known")?;
            code = code * 16 + digit;
        }
        Ok(code)
    }
}

fn digits(left: &mut Peekable<Chars<'_>>) -> String {
    std::iter::from_fn(|| left.next_if(char::is_ascii_digit)).collect()
}

fn complement(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let (mut others, mut next) = (Vec::new(), 0);
    for (first, last) in sorted {
        if first > next {
            others.push((next, first - 1));
        }
        next = next.max(last + 1);
    }
    if next <= LAST {
        others.push((next, LAST));
    }
    others
}

#[cfg(test)]
mod tests {
    use super::language;

    #[test]
    fn patterns_find_what_ecma_262_finds() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("a+", &["a", "baab", "aaa"], &["", "b"]),
            ("^a+$", &["a", "aaa"], &["", "ba", "ab"]),
            ("^(ab|c)?$", &["", "ab", "c"], &["a", "abc"]),
            ("^[^\\d-]{2,3}$", &["ab", "你好吗"], &["a", "a1", "a-", "abcd"]),
            ("^\\w[\\w.-]*$", &["a.b-c", "_1"], &[".a", "é"]),
            ("^(?!-)(?=.*z)[a-z-]+$", &["az", "z-"], &["-z", "ab"]),
            ("x{,2}|^\\u{1F600}\\uD83D\\uDE00$", &["x{,2}", "😀😀"], &["x", "😀"]),
            ("^a$|^b|c$", &["a", "bb", "cc"], &["aa", "ab", "ca"]),
            ("", &["", "x"], &[]),
            ("^.$", &["a", "é"], &["\n", "ab"]),
            ("^\\/\\.\\$\\cA$", &["/.$\u{1}"], &["/.$a"]),
        ];
        for (pattern, fits, others) in cases {
            let language = language(pattern).unwrap_or_else(|why| panic!("{why}"));
            fits.iter().for_each(|text| assert!(language.contains(text), "{text:?} fits {pattern}"));
            others.iter().for_each(|text| assert!(!language.contains(text), "{text:?} does not fit {pattern}"));
        }
    }

    #[test]
    fn what_no_automaton_follows_is_refused_by_name() {
        for (pattern, why) in [
            ("(a)\\1", "refers back"),
            ("\\bword", "asks for a word border"),
            ("^\\p{L}+$", "asks for a property of Unicode"),
            ("a(?=b)", "looks ahead elsewhere than at the beginning"),
            ("(?<!a)b", "looks behind"),
            ("(?i)a", "has a group with flags"),
            ("(a", "has a group without an end"),
            ("a)", "has a ) too many"),
            ("*a", "repeats nothing"),
            ("[z-a]", "has a range that is empty"),
            ("a{99999}", "repeats too often"),
        ] {
            assert_eq!(language(pattern).expect_err(pattern).to_string(), format!("the pattern {pattern:?} {why}"));
        }
    }
}
