//! The readable text of an HTML page, as such pages are found: tags that are never closed, scripts, menus. Read once, from left to
//! right; nothing is run and nothing fetched. Of a page that says where its main part is, that part; of another, all but what
//! surrounds it.

use encoding_rs::{Encoding, UTF_8};

/// Elements whose content is no text.
const SILENT: [&str; 10] =
    ["script", "style", "noscript", "template", "svg", "iframe", "object", "select", "textarea", "button"];
/// Elements that surround what a page is about.
const AROUND: [&str; 6] = ["nav", "header", "footer", "aside", "form", "menu"];
/// Elements that hold what it is about.
const MAIN: [&str; 2] = ["main", "article"];
/// Elements that stand in a line of text.
const INLINE: [&str; 28] = [
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img", "ins", "kbd",
    "label", "mark", "q", "ruby", "s", "samp", "small", "span", "strong", "sub", "sup", "time",
];
/// A main part with fewer characters is a frame around something else.
const LEAST: usize = 200;

/// Whether bytes of no told type are a page.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| head.contains(tag))
}

/// Bytes as text: by a mark at the beginning, by what the answer's head said, by what the page says of itself, else as UTF-8.
pub(super) fn decoded(bytes: &[u8], charset: Option<&str>) -> String {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).to_ascii_lowercase();
    let own = head.split("charset=").nth(1).map(|rest| {
        let rest = rest.trim_start_matches(['"', '\'', ' ']);
        rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).next().unwrap_or_default().to_owned()
    });
    let named = |name: &str| Encoding::for_label(name.as_bytes());
    let encoding = charset.and_then(named).or_else(|| own.as_deref().and_then(named)).unwrap_or(UTF_8);
    encoding.decode(bytes).0.into_owned()
}

/// Title and text of a page.
pub(super) fn read(html: &str) -> (String, String) {
    let mut page = Page::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        page.say(&rest[..at]);
        rest = page.tag(&rest[at..]);
    }
    page.say(rest);
    page.done()
}

#[derive(Default)]
struct Page {
    title: String,
    /// Everything but what surrounds it, and the main part alone.
    all: Text,
    main: Text,
    around: usize,
    within: usize,
    in_title: bool,
}

#[derive(Default)]
struct Text {
    out: String,
    /// Whether a space, or a new line, is due before the next word.
    space: bool,
    breaks: usize,
    mark: String,
    pre: usize,
}

impl Page {
    fn say(&mut self, raw: &str) {
        if raw.is_empty() {
            return;
        }
        let text = unescaped(raw);
        if self.in_title {
            self.title.push_str(&text);
            return;
        }
        if self.within > 0 {
            self.main.say(&text);
        }
        if self.around == 0 {
            self.all.say(&text);
        }
    }

    /// Takes a tag off the beginning, which is a `<`; what follows it.
    fn tag<'h>(&mut self, html: &'h str) -> &'h str {
        if let Some(comment) = html.strip_prefix("<!--") {
            return comment.find("-->").map_or("", |end| &comment[end + 3..]);
        }
        let body = &html[1..];
        let close = body.starts_with('/');
        let name_at = usize::from(close);
        let name_len = body[name_at..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(body.len() - name_at);
        if name_len == 0 && !body.starts_with(['!', '?', '/']) {
            // A sign in a text: "a < b".
            self.say("<");
            return body;
        }
        let name = body[name_at..name_at + name_len].to_ascii_lowercase();
        let rest = &body[end_of_tag(body)..];
        if !close && SILENT.contains(&name.as_str()) {
            return after_end_of(rest, &name);
        }
        if name == "title" {
            self.in_title = !close && self.title.is_empty();
            return rest;
        }
        let count = |depth: &mut usize| *depth = if close { depth.saturating_sub(1) } else { *depth + 1 };
        if AROUND.contains(&name.as_str()) {
            count(&mut self.around);
        }
        if MAIN.contains(&name.as_str()) {
            count(&mut self.within);
        }
        if self.within > 0 {
            self.main.element(&name, close);
        }
        if self.around == 0 {
            self.all.element(&name, close);
        }
        rest
    }

    fn done(self) -> (String, String) {
        let title = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        let main = self.main.out.trim();
        let text = if main.chars().count() >= LEAST { main } else { self.all.out.trim() };
        (title, text.to_owned())
    }
}

impl Text {
    fn element(&mut self, name: &str, close: bool) {
        match name {
            "pre" => {
                self.pre = if close { self.pre.saturating_sub(1) } else { self.pre + 1 };
                self.breaks = 2;
            }
            "br" => self.breaks = self.breaks.max(1),
            "td" | "th" if close => self.mark.push_str(" | "),
            "tr" => {
                self.mark.clear();
                self.breaks = self.breaks.max(1);
            }
            "li" if !close => {
                self.breaks = self.breaks.max(1);
                "- ".clone_into(&mut self.mark);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.breaks = 2;
                self.mark.clear();
                if !close {
                    let level = name.bytes().last().map_or(1, |digit| usize::from(digit - b'0'));
                    self.mark = format!("{} ", "#".repeat(level));
                }
            }
            "td" | "th" | "li" => {}
            _ if INLINE.contains(&name) => {}
            _ => self.breaks = self.breaks.max(if name == "p" { 2 } else { 1 }),
        }
    }

    fn say(&mut self, text: &str) {
        if self.pre > 0 {
            self.begin();
            self.out.push_str(text);
            return;
        }
        if text.starts_with(char::is_whitespace) {
            self.space = true;
        }
        for word in text.split_whitespace() {
            self.begin();
            self.out.push_str(word);
            self.space = true;
        }
        self.space = text.ends_with(char::is_whitespace);
    }

    /// What is due before a word.
    fn begin(&mut self) {
        if self.out.is_empty() {
            self.breaks = 0;
            self.space = false;
        }
        match self.breaks {
            0 if self.mark.is_empty() && self.space => self.out.push(' '),
            0 => {}
            n => {
                self.out.truncate(self.out.trim_end().len());
                self.out.push_str(&"\n".repeat(n));
            }
        }
        self.out.push_str(&self.mark);
        self.mark.clear();
        self.breaks = 0;
        self.space = false;
    }
}

/// The length of a tag up to its `>`, which may also stand in a value between quotes.
fn end_of_tag(body: &str) -> usize {
    let mut quote = None;
    for (at, byte) in body.bytes().enumerate() {
        match (byte, quote) {
            (b'>', None) => return at + 1,
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            _ => {}
        }
    }
    // A quote that is never closed is no quote.
    body.find('>').map_or(body.len(), |at| at + 1)
}

/// What follows `</name …>`; nothing where it never comes.
fn after_end_of<'h>(html: &'h str, name: &str) -> &'h str {
    let mut rest = html;
    while let Some(at) = rest.find("</") {
        let tail = &rest[at + 2..];
        let is = tail.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name));
        if is {
            return tail.find('>').map_or("", |end| &tail[end + 1..]);
        }
        rest = tail;
    }
    ""
}

/// A text with its character references read: numbers, and the names that pages use.
fn unescaped(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let end = tail.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| character(&tail[..end]).map(|c| (c, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &tail[end + 1..];
            }
            None => {
                out.push('&');
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| !c.is_control() || c.is_whitespace());
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" | "ensp" | "emsp" | "thinsp" => ' ',
        "hellip" => '…',
        "mdash" => '—',
        "ndash" => '–',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "laquo" => '«',
        "raquo" => '»',
        "middot" => '·',
        "bull" => '•',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "deg" => '°',
        "times" => '×',
        "divide" => '÷',
        "plusmn" => '±',
        "euro" => '€',
        "pound" => '£',
        "yen" => '¥',
        "sect" => '§',
        "para" => '¶',
        "rarr" => '→',
        "larr" => '←',
        "eacute" => 'é',
        "egrave" => 'è',
        "agrave" => 'à',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "Auml" => 'Ä',
        "Ouml" => 'Ö',
        "Uuml" => 'Ü',
        "szlig" => 'ß',
        "ccedil" => 'ç',
        "ntilde" => 'ñ',
        "zwnj" | "zwj" | "shy" => return None,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_its_text() {
        let html = "<!doctype html><html><head><title> A &amp; B\n</title><style>p > a{}</style></head><body>\
                    <nav><ul><li><a href='/'>Home</a></ul></nav><h1>Prices &lt;2026&gt;</h1>\
                    <p>One <b>bold</b>word,\n two. <!-- hidden <p> --> a < b<br>next line\
                    <script>if (a < b) alert('</p>')</script>\
                    <ul><li>first<li>second <i>item</i></ul>\
                    <table><tr><th>Item</th><th>Price</th></tr><tr><td>螺丝</td><td>3&nbsp;&yen;</td></tr></table>\
                    <pre>a\n  b</pre><p title='a > b'>End&#x2026;&#8230;&unknown;</p><footer>imprint</footer></body>";
        let (title, text) = read(html);
        assert_eq!(title, "A & B");
        assert_eq!(
            text,
            "# Prices <2026>\n\nOne boldword, two. a < b\nnext line\n- first\n- second item\nItem | Price\n螺丝 | 3 ¥\n\na\n  b\n\nEnd……&unknown;"
        );
    }

    #[test]
    fn the_main_part_is_read_where_it_is_marked() {
        let long = "word ".repeat(60);
        let html = format!("<body><div>menu</div><main><header>Head</header><p>{long}</main><div>more</div>");
        assert_eq!(read(&html).1, format!("Head\n\n{}", long.trim()));
        // Too little of it: the page is read whole.
        assert_eq!(read("<div>menu</div><main>x</main><div>more</div>").1, "menu\nx\nmore");
    }

    #[test]
    fn chinese_pages_are_read_in_their_own_encoding() {
        let (gbk, _, _) = encoding_rs::GBK.encode("<meta charset=gbk><p>价格表</p>");
        assert_eq!(read(&decoded(&gbk, None)).1, "价格表");
        assert_eq!(decoded("价格".as_bytes(), Some("utf-8")), "价格");
        assert_eq!(decoded(b"\xef\xbb\xbfx", Some("gbk")), "x");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_to_its_end(html in "(<|>|</|!--|-->|script|p|title|main|nav|pre|\"|'|&|#x|;|a| |\n|甲|=){0,60}") {
            read(&html);
        }
    }
}
