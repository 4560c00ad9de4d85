//! Reads GBNF, llama.cpp's notation for grammars (its `grammars/README.md`): `name ::= "text" [a-z] other* (a | b){2,3} .`, comments from `#`.

use std::{collections::HashMap, iter::Peekable, str::Chars};

use super::{Grammar, Part, Unusable, utf8};

/// Brackets in brackets, at most: reading them takes stack.
const DEEPEST: usize = 64;

/// See [`Grammar::read`].
pub(super) fn read(text: &str) -> Result<Grammar, Unusable> {
    let mut reader =
        Reader { left: text.chars().peekable(), line: 1, grammar: Grammar::default(), names: HashMap::new() };
    reader.rule_named("root");
    reader.skip(true);
    while reader.left.peek().is_some() {
        reader.definition()?;
        reader.skip(true);
    }
    for (name, &rule) in &reader.names {
        if reader.grammar.rules.get(rule as usize).is_none_or(Vec::is_empty) {
            return Err(Unusable(format!("the grammar does not define {name}")));
        }
    }
    reader.grammar.check()
}

struct Reader<'a> {
    left: Peekable<Chars<'a>>,
    line: usize,
    grammar: Grammar,
    names: HashMap<String, u32>,
}

impl Reader<'_> {
    fn wrong(&mut self, expected: &str) -> Unusable {
        let found = self.left.peek().map_or("the end".to_owned(), |letter| format!("{letter:?}"));
        Unusable(format!("line {} of the grammar: {expected} is expected, not {found}", self.line))
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.left.next();
        self.line += usize::from(letter == Some('\n'));
        letter
    }

    fn takes(&mut self, letter: char) -> bool {
        let there = self.left.peek() == Some(&letter);
        if there {
            self.next();
        }
        there
    }

    /// Skips blanks and comments; ends of lines, too, where a rule cannot end there.
    fn skip(&mut self, lines: bool) {
        while let Some(&letter) = self.left.peek() {
            match letter {
                '#' => {
                    while self.left.peek().is_some_and(|&letter| letter != '\n') {
                        self.next();
                    }
                }
                '\n' | '\r' if !lines => return,
                letter if letter.is_whitespace() => _ = self.next(),
                _ => return,
            }
        }
    }

    fn rule_named(&mut self, name: &str) -> u32 {
        if let Some(&rule) = self.names.get(name) {
            return rule;
        }
        let rule = self.grammar.reserve();
        self.names.insert(name.to_owned(), rule);
        rule
    }

    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        while let Some(&letter) =
            self.left.peek().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        {
            name.push(letter);
            self.next();
        }
        (!name.is_empty()).then_some(name)
    }

    fn definition(&mut self) -> Result<(), Unusable> {
        let Some(name) = self.name() else { return Err(self.wrong("the name of a rule")) };
        self.skip(false);
        for letter in "::=".chars() {
            if !self.takes(letter) {
                return Err(self.wrong("::="));
            }
        }
        let rule = self.rule_named(&name);
        if self.grammar.rules.get(rule as usize).is_some_and(|alternatives| !alternatives.is_empty()) {
            return Err(Unusable(format!("line {} of the grammar: {name} is defined twice", self.line)));
        }
        self.skip(true);
        let part = self.alternatives(0)?;
        if self.left.peek().is_some_and(|&letter| !matches!(letter, '\n' | '\r')) {
            return Err(self.wrong("the end of the rule"));
        }
        self.grammar.define(rule, part)
    }

    fn alternatives(&mut self, depth: usize) -> Result<Part, Unusable> {
        if depth > DEEPEST {
            return Err(Unusable(format!(
                "line {} of the grammar: more than {DEEPEST} brackets in one another",
                self.line
            )));
        }
        let mut alternatives = vec![self.sequence(depth)?];
        while self.takes('|') {
            self.skip(true);
            alternatives.push(self.sequence(depth)?);
        }
        Ok(Part::Any(alternatives))
    }

    fn sequence(&mut self, depth: usize) -> Result<Part, Unusable> {
        let mut parts = Vec::new();
        loop {
            let part = match self.left.peek() {
                Some('"') => self.text()?,
                Some('[') => self.class()?,
                Some('.') => {
                    self.next();
                    Part::Class(vec![('\0', char::MAX)])
                }
                Some('(') => {
                    self.next();
                    self.skip(true);
                    let part = self.alternatives(depth + 1)?;
                    if !self.takes(')') {
                        return Err(self.wrong(")"));
                    }
                    part
                }
                _ => match self.name() {
                    Some(name) => Part::Rule(self.rule_named(&name)),
                    None => return Ok(Part::All(parts)),
                },
            };
            self.skip(depth > 0);
            let part = self.repeated(part)?;
            self.skip(depth > 0);
            parts.push(part);
        }
    }

    fn repeated(&mut self, part: Part) -> Result<Part, Unusable> {
        let (least, most) = match self.left.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.next();
                let least = self.number().unwrap_or(0);
                let most = if self.takes(',') { self.number() } else { Some(least) };
                if self.left.peek() != Some(&'}') || most.is_some_and(|most| most < least) {
                    return Err(self.wrong("a repetition such as {2}, {2,} or {2,5}"));
                }
                (least, most)
            }
            _ => return Ok(part),
        };
        self.next();
        Ok(Part::Repeat(Box::new(part), least, most))
    }

    fn number(&mut self) -> Option<u32> {
        let mut digits = String::new();
        while let Some(&digit) = self.left.peek().filter(|letter| letter.is_ascii_digit()) {
            digits.push(digit);
            self.next();
        }
        digits.parse().ok()
    }

    fn text(&mut self) -> Result<Part, Unusable> {
        self.next();
        let mut text = String::new();
        while !self.takes('"') {
            text.push(self.letter()?);
        }
        Ok(Part::Text(text))
    }

    fn class(&mut self) -> Result<Part, Unusable> {
        self.next();
        let others = self.takes('^');
        let mut ranges = Vec::new();
        while !self.takes(']') {
            let first = self.letter()?;
            let mut last = first;
            if self.takes('-') {
                if self.takes(']') {
                    ranges.extend([(first, first), ('-', '-')]);
                    break;
                }
                last = self.letter()?;
            }
            if last < first {
                return Err(Unusable(format!("line {} of the grammar: the range {first}-{last} is empty", self.line)));
            }
            ranges.push((first, last));
        }
        Ok(Part::Class(if others { utf8::complement(&ranges) } else { ranges }))
    }

    /// One letter of a text or a class, which may be written with a backslash.
    fn letter(&mut self) -> Result<char, Unusable> {
        match self.next() {
            Some('\\') => {}
            Some(letter) => return Ok(letter),
            None => return Err(self.wrong("the rest of a text or a class")),
        }
        let digits = match self.next() {
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some(letter) => return Ok(letter),
            None => return Err(self.wrong("a letter behind the backslash")),
        };
        let mut code = 0_u32;
        for _ in 0..digits {
            let digit = self.left.peek().and_then(|letter| letter.to_digit(16));
            let Some(digit) = digit else { return Err(self.wrong("a hexadecimal digit")) };
            self.next();
            code = code.wrapping_mul(16).wrapping_add(digit);
        }
        char::from_u32(code)
            .ok_or_else(|| Unusable(format!("line {} of the grammar: {code:x} is no character", self.line)))
    }
}
