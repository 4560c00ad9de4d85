//! Tags and text of HTML. Attributes are passed over; comments and declarations vanish.

/// The next thing in a page. Names are in lower case.
pub(super) enum Token {
    Text(String),
    Start(String),
    End(String),
}

pub(super) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Tokens<'a> {
        Tokens { rest: text }
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        while !self.rest.is_empty() {
            if let Some(comment) = self.rest.strip_prefix("<!--") {
                self.rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            } else if self.rest.starts_with("<!") || self.rest.starts_with("<?") {
                self.rest = self.rest.split_once('>').map_or("", |(_, rest)| rest);
            } else if let Some(tag) = self.tag() {
                return Some(tag);
            } else {
                let from = usize::from(self.rest.starts_with('<'));
                let end = self.rest[from..].find('<').map_or(self.rest.len(), |at| at + from);
                let text = entities(&self.rest[..end]);
                self.rest = &self.rest[end..];
                return Some(Token::Text(text));
            }
        }
        None
    }

    /// A tag, if here is one; `a < b` is text.
    fn tag(&mut self) -> Option<Token> {
        let inside = self.rest.strip_prefix('<')?;
        let (inside, ends) = inside.strip_prefix('/').map_or((inside, false), |inside| (inside, true));
        if !inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let name = inside.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(inside.len());
        let (name, mut rest) = inside.split_at(name);
        // A > inside quotes does not end the tag.
        loop {
            let Some(at) = rest.find(['>', '"', '\'']) else {
                rest = "";
                break;
            };
            let quote = rest.as_bytes()[at];
            rest = &rest[at + 1..];
            if quote == b'>' {
                break;
            }
            rest = rest.split_once(char::from(quote)).map_or("", |(_, rest)| rest);
        }
        self.rest = rest;
        let name = name.to_ascii_lowercase();
        Some(if ends { Token::End(name) } else { Token::Start(name) })
    }

    /// Past `</name`, or to the end where there is none.
    pub(super) fn skip_to_end_of(&mut self, name: &str) {
        let bytes = self.rest.as_bytes();
        let mut from = 0;
        while let Some(at) = self.rest[from..].find("</").map(|at| at + from) {
            let word = bytes.get(at + 2..at + 2 + name.len());
            if word.is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes())) {
                self.rest = self.rest[at..].split_once('>').map_or("", |(_, rest)| rest);
                return;
            }
            from = at + 2;
        }
        self.rest = "";
    }
}

/// Character references: numbers, and the names that are met in practice.
fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((named(&rest[..end])?, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

fn named(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']);
        let code = hex.map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
        return code.and_then(char::from_u32);
    }
    const NAMES: [(&str, char); 28] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("ensp", ' '),
        ("emsp", ' '),
        ("copy", '©'),
        ("reg", '®'),
        ("trade", '™'),
        ("hellip", '…'),
        ("mdash", '—'),
        ("ndash", '–'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("laquo", '«'),
        ("raquo", '»'),
        ("middot", '·'),
        ("bull", '•'),
        ("yen", '¥'),
        ("euro", '€'),
        ("sect", '§'),
        ("times", '×'),
        ("deg", '°'),
        ("shy", '\u{ad}'),
    ];
    NAMES.iter().find(|(one, _)| *one == name).map(|(_, c)| *c)
}
