//! Which styles of a Word file are headings or lists. A style takes after the one it is based on.

use std::collections::HashMap;

use crate::Error;
use crate::formats::xml::{Bit, Reader};

/// How far a style is followed to what it is based on; a file may go round in a circle.
const FAR: usize = 20;

#[derive(Default)]
pub(super) struct Styles {
    by_id: HashMap<String, Style>,
}

#[derive(Default)]
struct Style {
    base: Option<String>,
    heading: Option<u8>,
    list: Option<u8>,
}

impl Styles {
    pub(super) fn read(text: &str) -> Result<Styles, Error> {
        let mut styles = Styles::default();
        let mut open: Option<(String, Style)> = None;
        let mut xml = Reader::new(text);
        while let Some(bit) = xml.next()? {
            match bit {
                Bit::Start(tag) if tag.name == "style" => {
                    open = tag.get("styleId").map(|id| (id.to_owned(), Style::default()));
                }
                Bit::Start(tag) => {
                    let Some((_, style)) = &mut open else { continue };
                    match tag.name.as_str() {
                        "name" => style.heading = style.heading.or(tag.get("val").and_then(heading)),
                        "basedOn" => style.base = tag.get("val").map(str::to_owned),
                        // 9 is body text.
                        "outlineLvl" => {
                            let level = tag.number("val").filter(|level| *level < 9);
                            style.heading = level.and_then(|level| u8::try_from(level + 1).ok());
                        }
                        "numPr" => style.list = style.list.or(Some(0)),
                        "ilvl" => style.list = tag.number("val").and_then(|level| u8::try_from(level).ok()),
                        _ => {}
                    }
                }
                Bit::End(name) if name == "style" => styles.by_id.extend(open.take()),
                _ => {}
            }
        }
        Ok(styles)
    }

    pub(super) fn heading(&self, id: &str) -> Option<u8> {
        self.first(id, |style| style.heading)
    }

    pub(super) fn list(&self, id: &str) -> Option<u8> {
        self.first(id, |style| style.list)
    }

    fn first(&self, id: &str, what: impl Fn(&Style) -> Option<u8>) -> Option<u8> {
        let mut style = self.by_id.get(id)?;
        for _ in 0..FAR {
            if let Some(found) = what(style) {
                return Some(found);
            }
            style = self.by_id.get(style.base.as_deref()?)?;
        }
        None
    }
}

/// `heading 2`, as every language's Word calls it in the file; `Title` stands above.
fn heading(name: &str) -> Option<u8> {
    let name = name.to_lowercase();
    if name == "title" {
        return Some(1);
    }
    name.strip_prefix("heading ")?.parse().ok().filter(|level| (1..=9).contains(level))
}
