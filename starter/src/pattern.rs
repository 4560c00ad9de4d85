//! Patterns for sentences: `{Hi|Hello}` is one of several, `[please ]` is there or not, `<person>` is filled by whoever reads the pattern.
//! `{first|*3 second}` takes the second three times as often. It knows no meaning.

use anyhow::{Result, bail};

use crate::dice::Dice;

/// A pattern, read.
#[derive(Debug, Clone)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Choice(Vec<(usize, Pattern)>),
    Slot(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When a bracket is not closed.
    pub fn read(text: &str) -> Result<Self> {
        let mut letters = text.chars().peekable();
        let pattern = Self::sequence(&mut letters, &[])?;
        if letters.next().is_some() {
            bail!("{text}: a bracket is closed that was not opened");
        }
        Ok(pattern)
    }

    fn sequence(letters: &mut std::iter::Peekable<std::str::Chars>, ends: &[char]) -> Result<Self> {
        let (mut parts, mut text) = (Vec::new(), String::new());
        while let Some(&letter) = letters.peek() {
            if ends.contains(&letter) {
                break;
            }
            letters.next();
            match letter {
                '{' | '[' | '<' => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(match letter {
                        '{' => Part::Choice(Self::choices(letters, '}')?),
                        '[' => {
                            let mut choices = Self::choices(letters, ']')?;
                            let weight = choices.iter().map(|(weight, _)| weight).sum();
                            choices.push((weight, Pattern(Vec::new())));
                            Part::Choice(choices)
                        }
                        _ => Part::Slot(Self::name(letters)?),
                    });
                }
                '\\' => match letters.next() {
                    Some('n') => text.push('\n'),
                    Some(other) => text.push(other),
                    None => bail!("a pattern ends in a backslash"),
                },
                ']' | '}' | '>' => bail!("{letter} closes what was not opened"),
                other => text.push(other),
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Pattern(parts))
    }

    fn choices(letters: &mut std::iter::Peekable<std::str::Chars>, end: char) -> Result<Vec<(usize, Pattern)>> {
        let mut choices = Vec::new();
        loop {
            let mut weight = 1;
            if letters.peek() == Some(&'*') {
                letters.next();
                let digit = letters.next().and_then(|letter| letter.to_digit(10));
                let Some(digit) = digit else { bail!("a * before a choice needs a digit") };
                weight = digit as usize;
                letters.next_if_eq(&' ');
            }
            choices.push((weight, Self::sequence(letters, &['|', end])?));
            match letters.next() {
                Some('|') => {}
                Some(_) => return Ok(choices),
                None => bail!("a choice is not closed by {end}"),
            }
        }
    }

    fn name(letters: &mut std::iter::Peekable<std::str::Chars>) -> Result<String> {
        let mut name = String::new();
        for letter in letters.by_ref() {
            if letter == '>' {
                return Ok(name);
            }
            name.push(letter);
        }
        bail!("the slot {name} is not closed")
    }

    /// One of its sentences.
    pub fn say(&self, dice: &mut Dice, fill: &mut impl FnMut(&str, &mut Dice) -> String) -> String {
        let mut out = String::new();
        self.write(dice, fill, &mut out);
        out
    }

    fn write(&self, dice: &mut Dice, fill: &mut impl FnMut(&str, &mut Dice) -> String, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Slot(name) => out.push_str(&fill(name, dice)),
                Part::Choice(choices) => {
                    let total = choices.iter().map(|(weight, _)| weight).sum();
                    let mut left = dice.below(total);
                    for (weight, choice) in choices {
                        if left < *weight {
                            choice.write(dice, fill, out);
                            break;
                        }
                        left -= weight;
                    }
                }
            }
        }
    }

    /// The slots that any of its sentences may have.
    pub fn slots(&self) -> Vec<&str> {
        self.0
            .iter()
            .flat_map(|part| match part {
                Part::Text(_) => Vec::new(),
                Part::Slot(name) => vec![name.as_str()],
                Part::Choice(choices) => choices.iter().flat_map(|(_, choice)| choice.slots()).collect(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Pattern;
    use crate::dice::Dice;

    #[test]
    fn a_pattern_says_all_of_its_sentences_and_no_others() {
        let all = |text: &str| -> BTreeSet<String> {
            let pattern = Pattern::read(text).unwrap();
            (0..300).map(|number| pattern.say(&mut Dice::new(1, number), &mut |name, _| format!("({name})"))).collect()
        };
        let set = |these: &[&str]| these.iter().map(|&one| one.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(all("a{b|c[d]}"), set(&["ab", "ac", "acd"]));
        assert_eq!(all("<x>\\n{*9 1|2}"), set(&["(x)\n1", "(x)\n2"]));
        for broken in ["{a", "a}", "[a", "<a", "a\\", "{*a}"] {
            assert!(Pattern::read(broken).is_err(), "{broken}");
        }
    }
}
