//! HTML as it is found: tags that are never closed, entities by name, scripts. What a browser would show as text comes out; nothing is
//! run and nothing fetched.

mod tokens;

use crate::{Block, Error, Kind, Out, limits, text};
use tokens::{Token, Tokens};

/// Elements whose content is no text of the page.
const SILENT: [&str; 9] = ["script", "style", "noscript", "template", "svg", "iframe", "object", "select", "textarea"];
/// Elements that begin a block of their own.
const BLOCKS: [&str; 27] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "html",
    "main",
    "nav",
    "ol",
    "p",
    "section",
    "ul",
    "title",
    "caption",
    "details",
];

pub(super) fn is(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(4096)];
    let head = text::decode(head).to_ascii_lowercase();
    let head = head.trim_start();
    head.starts_with("<!doctype html")
        || head.starts_with("<html")
        || (head.starts_with('<')
            && ["<html", "<body", "<head>", "<div", "<p>", "<table", "<h1"].iter().any(|tag| head.contains(tag)))
}

pub(super) fn read(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let text = text::decode_as(&bytes, charset(&bytes).as_deref());
    drop(bytes);
    let mut page = Page { out, text: String::new(), kind: Kind::Paragraph, lists: 0, tables: Vec::new(), pre: false };
    let mut tokens = Tokens::new(&text);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => page.say(&text)?,
            Token::Start(name) if SILENT.contains(&name.as_str()) => tokens.skip_to_end_of(&name),
            Token::Start(name) => page.begin(&name)?,
            Token::End(name) => page.end(&name)?,
        }
    }
    while !page.tables.is_empty() {
        page.end("table")?;
    }
    page.close()
}

/// `<meta charset=gbk>`, or the same inside a content type.
fn charset(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).to_ascii_lowercase();
    let after = head.split_once("charset=")?.1.trim_start_matches(['"', '\'', ' ']);
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')?;
    Some(after[..end].to_owned())
}

/// The page while it is read.
struct Page<'a, 'b> {
    out: &'a mut Out<'b>,
    text: String,
    kind: Kind,
    lists: u8,
    tables: Vec<Table>,
    pre: bool,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    /// Whether a cell is open.
    cell: bool,
}

impl Page<'_, '_> {
    fn say(&mut self, text: &str) -> Result<(), Error> {
        if let Some(cell) = self.cell() {
            cell.push_str(text);
        } else {
            self.text.push_str(text);
        }
        if self.text.len() > limits::OUTPUT {
            return self.close();
        }
        Ok(())
    }

    /// The open cell of the innermost table.
    fn cell(&mut self) -> Option<&mut String> {
        let table = self.tables.last_mut()?;
        if table.cell { table.rows.last_mut()?.last_mut() } else { None }
    }

    fn begin(&mut self, name: &str) -> Result<(), Error> {
        match name {
            "table" => {
                if self.tables.is_empty() {
                    self.close()?;
                }
                if self.tables.len() >= limits::DEPTH {
                    return Err(Error::TooLarge(format!("more than {} tables inside each other", limits::DEPTH)));
                }
                self.tables.push(Table::default());
            }
            "tr" => {
                if let Some(table) = self.tables.last_mut() {
                    table.cell = false;
                    table.rows.push(Vec::new());
                }
            }
            "td" | "th" => {
                if let Some(table) = self.tables.last_mut() {
                    table.cell = true;
                    if table.rows.is_empty() {
                        table.rows.push(Vec::new());
                    }
                    if let Some(row) = table.rows.last_mut() {
                        row.push(String::new());
                    }
                }
            }
            _ if !self.tables.is_empty() && (BLOCKS.contains(&name) || name == "li") => self.say("\n")?,
            _ if !self.tables.is_empty() => {}
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.close()?;
                self.kind = Kind::Heading { level: name.as_bytes()[1] - b'0' };
            }
            "ul" | "ol" => {
                self.close()?;
                self.lists = self.lists.saturating_add(1);
            }
            "li" => {
                self.close()?;
                self.kind = Kind::ListItem { level: self.lists.saturating_sub(1) };
            }
            "pre" => {
                self.close()?;
                (self.kind, self.pre) = (Kind::Code, true);
            }
            "br" if self.pre => self.text.push('\n'),
            _ if BLOCKS.contains(&name) && !self.text.trim().is_empty() => self.close()?,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Error> {
        match name {
            "table" => {
                let Some(table) = self.tables.pop() else { return Ok(()) };
                let rows = table.rows.into_iter().filter(|row| !row.is_empty());
                let rows: Vec<Vec<String>> =
                    rows.map(|row| row.iter().map(|cell| text::squeeze(cell).into_owned()).collect()).collect();
                let block = Block::table(rows);
                match self.tables.is_empty() {
                    true => self.out.push(block),
                    false => self.say(&block.text),
                }
            }
            "td" | "th" | "tr" => {
                if let Some(table) = self.tables.last_mut() {
                    table.cell = false;
                }
                Ok(())
            }
            _ if !self.tables.is_empty() => Ok(()),
            "ul" | "ol" => {
                self.close()?;
                self.lists = self.lists.saturating_sub(1);
                Ok(())
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "li" | "pre" => self.close(),
            _ if BLOCKS.contains(&name) => self.close(),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        let text = std::mem::take(&mut self.text);
        let kind = std::mem::replace(&mut self.kind, Kind::Paragraph);
        let text = if std::mem::take(&mut self.pre) { text } else { text::squeeze(&text).into_owned() };
        self.out.push(Block::new(kind, text))
    }
}
