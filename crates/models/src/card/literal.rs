//! The object literal inside a TypeScript or JavaScript file, or JSON: read, never run. Names without quotes, three kinds of
//! quotes, trailing commas and comments are understood, and so is what stands around it (`import`, `export default`,
//! `const x: Type =`, `as const`, `satisfies Type`). Whatever would have to be computed is refused, with its place.

use super::CardError;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub(super) value: T,
    /// In bytes.
    pub(super) at: usize,
}

/// What a literal can hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Number(f64),
    Flag(bool),
    Nothing,
    List(Vec<At<Literal>>),
    Object(Vec<(At<String>, At<Literal>)>),
}

impl Literal {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Literal::Text(_) => "a text",
            Literal::Number(_) => "a number",
            Literal::Flag(_) => "true or false",
            Literal::Nothing => "nothing",
            Literal::List(_) => "a list",
            Literal::Object(_) => "an object",
        }
    }
}

/// Deeper is no card, and the stack has an end.
const DEEPEST: usize = 64;

/// The object that the file is about: what `export default` names, else the first one.
pub(super) fn object(text: &str) -> Result<At<Literal>, CardError> {
    let mut reader = Reader { text, at: 0 };
    let mut named: Vec<(String, At<Literal>)> = Vec::new();
    let mut default = None;
    loop {
        reader.trivia()?;
        let at = reader.at;
        match reader.peek() {
            None => break,
            Some(';') => reader.at += 1,
            Some('{' | '[' | '(') => {
                let value = reader.value(0)?;
                named.push((String::new(), value));
                reader.after_value()?;
            }
            Some(c) if is_name(c) => match reader.word() {
                "import" => reader.import()?,
                "export" | "default" | "declare" => {
                    if text[at..].starts_with("default") {
                        reader.trivia()?;
                        if reader.peek().is_some_and(is_name) {
                            default = Some(reader.word().to_owned());
                        }
                    }
                }
                "const" | "let" | "var" | "module" | "exports" => {
                    let name = reader.declaration()?;
                    let value = reader.value(0)?;
                    named.push((name, value));
                    reader.after_value()?;
                }
                "type" | "interface" => reader.type_declaration()?,
                word => {
                    return Err(reader.wrong(
                        at,
                        format!("`{word}` is not part of a provider card"),
                        "a card is one object: const card = { id: …, url: … }",
                    ));
                }
            },
            Some(c) => {
                return Err(reader.wrong(
                    at,
                    format!("`{c}` is not expected here"),
                    "a card is one object, in braces: { id: …, url: … }",
                ));
            }
        }
    }
    let chosen = match &default {
        Some(name) => named.iter().position(|(known, _)| known == name),
        None => None,
    };
    let chosen = chosen.or_else(|| named.iter().position(|(_, found)| matches!(found.value, Literal::Object(_))));
    match chosen {
        Some(at) => Ok(named.swap_remove(at).1),
        None => Err(reader.wrong(
            0,
            "there is no object in this text".to_owned(),
            "paste the whole card, from { to }, or the file it stands in",
        )),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

impl<'a> Reader<'a> {
    fn wrong(&self, at: usize, message: String, hint: &str) -> CardError {
        CardError::at(self.text, at, message, hint)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// White space and comments.
    fn trivia(&mut self) -> Result<(), CardError> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let end = rest.find("*/");
                let end =
                    end.ok_or_else(|| self.wrong(self.at, "this comment does not end".to_owned(), "close it with */"))?;
                self.at += end + 2;
            } else {
                return Ok(());
            }
        }
    }

    /// Up to and with the module's name in quotes.
    fn import(&mut self) -> Result<(), CardError> {
        let start = self.at;
        while let Some(c) = self.peek() {
            if matches!(c, '\'' | '"') {
                self.quoted()?;
                return Ok(());
            }
            self.bump();
        }
        Err(self.wrong(start, "this import does not end".to_owned(), "leave it out: nothing is imported anyway"))
    }

    /// From `const` or `module` to behind the `=`: the name.
    fn declaration(&mut self) -> Result<String, CardError> {
        let start = self.at;
        self.trivia()?;
        if self.peek() == Some('.') {
            self.bump();
        }
        let name = self.word().to_owned();
        // A type may stand in between; its arrows are no equals sign.
        while let Some(c) = self.bump() {
            if c == '=' && self.peek() != Some('>') {
                self.trivia()?;
                return Ok(name);
            }
        }
        Err(self.wrong(start, format!("`{name}` has no value"), "write it as: const card = { … }"))
    }

    /// A type is of no interest, however it is written.
    fn type_declaration(&mut self) -> Result<(), CardError> {
        let mut depth = 0_i32;
        loop {
            self.trivia()?;
            match self.bump() {
                Some('{') => depth += 1,
                Some('}') => {
                    depth -= 1;
                    if depth <= 0 {
                        return Ok(());
                    }
                }
                Some(';') if depth == 0 => return Ok(()),
                None => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// `as const`, `satisfies Type`, `as Type<…>`, the closing parenthesis.
    fn after_value(&mut self) -> Result<(), CardError> {
        loop {
            self.trivia()?;
            let rest = self.rest();
            let told = ["as", "satisfies"]
                .into_iter()
                .find(|word| rest.strip_prefix(word).is_some_and(|rest| rest.starts_with(char::is_whitespace)));
            let Some(word) = told else { return Ok(()) };
            self.at += word.len();
            self.trivia()?;
            let mut depth = 0_i32;
            while let Some(c) = self.peek() {
                match c {
                    '<' | '[' => depth += 1,
                    '>' | ']' if depth > 0 => depth -= 1,
                    '.' => {}
                    _ if is_name(c) => {}
                    ' ' | ',' | '|' | '\'' | '"' if depth > 0 => {}
                    _ => break,
                }
                self.bump();
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<At<Literal>, CardError> {
        self.trivia()?;
        let at = self.at;
        if depth > DEEPEST {
            return Err(self.wrong(at, "this is nested too deeply".to_owned(), "a card has three levels"));
        }
        let value = match self.peek() {
            Some('(') => return self.parentheses(depth),
            Some('{') => self.braces(depth)?,
            Some('[') => self.brackets(depth)?,
            Some('"' | '\'' | '`') => Literal::Text(self.quoted()?),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number()?,
            Some(c) if is_name(c) => self.named_value()?,
            Some(c) => {
                return Err(self.wrong(
                    at,
                    format!("`{c}` is no value"),
                    "a value is a text, a number, true, false, { } or [ ]",
                ));
            }
            None => return Err(self.wrong(at, "a value is missing".to_owned(), "the text ends too early")),
        };
        Ok(At { value, at })
    }

    /// `({ … } satisfies Type)`
    fn parentheses(&mut self, depth: usize) -> Result<At<Literal>, CardError> {
        let open = self.at;
        self.bump();
        let value = self.value(depth + 1)?;
        self.after_value()?;
        if self.bump() != Some(')') {
            return Err(self.wrong(open, "this ( has no )".to_owned(), "close it behind the value"));
        }
        Ok(value)
    }

    fn braces(&mut self, depth: usize) -> Result<Literal, CardError> {
        let open = self.at;
        self.bump();
        let mut fields: Vec<(At<String>, At<Literal>)> = Vec::new();
        loop {
            self.trivia()?;
            let at = self.at;
            let key = match self.peek() {
                Some('}') => {
                    self.bump();
                    return Ok(Literal::Object(fields));
                }
                Some('"' | '\'' | '`') => self.quoted()?,
                Some(c) if is_name(c) => self.word().to_owned(),
                Some('.') => {
                    return Err(self.wrong(
                        at,
                        "`...` would have to be computed".to_owned(),
                        "write the fields themselves",
                    ));
                }
                Some('[') => {
                    return Err(self.wrong(
                        at,
                        "a computed name is no name".to_owned(),
                        "write the field's name itself",
                    ));
                }
                Some(c) => {
                    return Err(self.wrong(
                        at,
                        format!("`{c}` is no field's name"),
                        "fields are written as name: value",
                    ));
                }
                None => return Err(self.wrong(open, "this { has no }".to_owned(), "the text ends too early")),
            };
            if fields.iter().any(|(known, _)| known.value == key) {
                return Err(self.wrong(at, format!("`{key}` stands here twice"), "leave one of them out"));
            }
            self.trivia()?;
            if self.peek() != Some(':') {
                let found = self.peek().map_or_else(|| "the end".to_owned(), |c| format!("`{c}`"));
                return Err(self.wrong(
                    self.at,
                    format!("after `{key}` comes {found} instead of `:`"),
                    "every field is written with its value: name: value",
                ));
            }
            self.bump();
            let value = self.value(depth + 1)?;
            fields.push((At { value: key, at }, value));
            self.separator(open, '}')?;
        }
    }

    fn brackets(&mut self, depth: usize) -> Result<Literal, CardError> {
        let open = self.at;
        self.bump();
        let mut all = Vec::new();
        loop {
            self.trivia()?;
            if self.peek() == Some(']') {
                self.bump();
                return Ok(Literal::List(all));
            }
            if self.peek().is_none() {
                return Err(self.wrong(open, "this [ has no ]".to_owned(), "the text ends too early"));
            }
            all.push(self.value(depth + 1)?);
            self.separator(open, ']')?;
        }
    }

    /// A comma, or the end of what was opened.
    fn separator(&mut self, open: usize, close: char) -> Result<(), CardError> {
        self.after_value()?;
        match self.peek() {
            Some(',') => {
                self.bump();
                Ok(())
            }
            Some(c) if c == close => Ok(()),
            Some(c) if is_name(c) || matches!(c, '"' | '\'' | '`' | '{' | '[') => {
                Err(self.wrong(self.at, "a comma is missing before this".to_owned(), "separate them with `,`"))
            }
            Some(c) => Err(self.wrong(
                self.at,
                format!("`{c}` would have to be computed"),
                "only plain values are read; write the result itself",
            )),
            None => {
                let opened = if close == '}' { '{' } else { '[' };
                Err(self.wrong(open, format!("this {opened} has no {close}"), "the text ends too early"))
            }
        }
    }

    fn number(&mut self) -> Result<Literal, CardError> {
        let at = self.at;
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | '_')));
        let written = &rest[..end.unwrap_or(rest.len())];
        self.at += written.len();
        let plain = written.replace('_', "");
        plain.parse().map(Literal::Number).map_err(|_| {
            self.wrong(at, format!("`{written}` is not a number"), "only plain numbers are read, as in 8192 or 0.5")
        })
    }

    fn named_value(&mut self) -> Result<Literal, CardError> {
        let at = self.at;
        Ok(match self.word() {
            "true" => Literal::Flag(true),
            "false" => Literal::Flag(false),
            "null" | "undefined" => Literal::Nothing,
            word => {
                let rest = self.rest();
                let end = rest.find([',', '}', ']', '\n']).unwrap_or(rest.len());
                let code: String = format!("{word}{}", rest[..end].trim_end()).chars().take(60).collect();
                return Err(self.wrong(
                    at,
                    format!("`{code}` is code, and nothing is run"),
                    "write the value itself, in quotes",
                ));
            }
        })
    }

    fn quoted(&mut self) -> Result<String, CardError> {
        let start = self.at;
        let Some(quote) = self.bump() else { return Ok(String::new()) };
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                _ if c == quote => return Ok(text),
                '\\' => self.escape(&mut text)?,
                '\n' if quote != '`' => break,
                '$' if quote == '`' && self.peek() == Some('{') => {
                    return Err(self.wrong(
                        self.at - 1,
                        "`${…}` would have to be computed".to_owned(),
                        "write the finished text",
                    ));
                }
                c => text.push(c),
            }
        }
        Err(self.wrong(start, format!("this {quote} is not closed"), "end the text with the same quote"))
    }

    fn escape(&mut self, text: &mut String) -> Result<(), CardError> {
        let at = self.at - 1;
        match self.bump() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('0') => text.push('\0'),
            Some('\n') => {}
            Some('x') => text.push(self.code_point(at, 2)?),
            Some('u') if self.peek() == Some('{') => {
                let end = self.rest().find('}').unwrap_or(0);
                let written = self.rest().get(1..end).unwrap_or_default();
                let found = u32::from_str_radix(written, 16).ok().and_then(char::from_u32);
                text.push(found.ok_or_else(|| self.no_character(at))?);
                self.at += end + 1;
            }
            Some('u') => {
                let first = self.units(at)?;
                let found = match first {
                    0xD800..0xDC00 if self.rest().starts_with("\\u") => {
                        self.at += 2;
                        let second = self.units(at)?;
                        let joined = 0x1_0000 + ((first - 0xD800) << 10) + (second.wrapping_sub(0xDC00) & 0x3FF);
                        char::from_u32(joined)
                    }
                    other => char::from_u32(other),
                };
                text.push(found.ok_or_else(|| self.no_character(at))?);
            }
            Some(other) => text.push(other),
            None => {}
        }
        Ok(())
    }

    fn units(&mut self, at: usize) -> Result<u32, CardError> {
        self.hex(at, 4)
    }

    fn code_point(&mut self, at: usize, digits: usize) -> Result<char, CardError> {
        let value = self.hex(at, digits)?;
        char::from_u32(value).ok_or_else(|| self.no_character(at))
    }

    fn hex(&mut self, at: usize, digits: usize) -> Result<u32, CardError> {
        let written = self.rest().get(..digits).unwrap_or_default();
        let value = u32::from_str_radix(written, 16).map_err(|_| self.no_character(at))?;
        self.at += digits;
        Ok(value)
    }

    fn no_character(&self, at: usize) -> CardError {
        self.wrong(at, "this is no character".to_owned(), "write it as \\uXXXX, or the character itself")
    }
}
