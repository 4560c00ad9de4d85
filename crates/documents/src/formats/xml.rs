//! XML as the Office formats need it: elements by their local names, text, no entities of a document's own.

use std::collections::VecDeque;

use quick_xml::Reader as Inner;
use quick_xml::events::{BytesStart, Event};

use crate::{Error, limits};

/// What comes next in a document.
pub(super) enum Bit {
    Start(Tag),
    End(String),
    Text(String),
}

/// An element's beginning.
pub(super) struct Tag {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// An attribute by its local name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key.rsplit(':').next() == Some(name)).map(|(_, value)| value.as_str())
    }

    /// An attribute by its name with the usual prefix, where another has the same local name.
    pub(super) fn exactly(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.parse().ok()
    }
}

/// A document as a row of bits. An element without content is a start and an end.
pub(super) struct Reader<'a> {
    inner: Inner<&'a [u8]>,
    depth: usize,
    next: VecDeque<Bit>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Reader<'a> {
        let inner = Inner::from_str(text);
        Reader { inner, depth: 0, next: VecDeque::new() }
    }

    /// `None` at the end; a document that ends inside an element is damaged.
    pub(super) fn next(&mut self) -> Result<Option<Bit>, Error> {
        loop {
            if let Some(bit) = self.next.pop_front() {
                return Ok(Some(bit));
            }
            match self.inner.read_event().map_err(Error::damaged)? {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > limits::DEPTH {
                        return Err(Error::TooLarge(format!("more than {} elements inside each other", limits::DEPTH)));
                    }
                    return Ok(Some(Bit::Start(tag(&start)?)));
                }
                Event::Empty(start) => {
                    let tag = tag(&start)?;
                    self.next.push_back(Bit::End(tag.name.clone()));
                    return Ok(Some(Bit::Start(tag)));
                }
                Event::End(end) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Some(Bit::End(local(end.name().as_ref()))));
                }
                Event::Text(text) => return Ok(Some(Bit::Text(text.xml10_content().into_owned()))),
                Event::CData(text) => return Ok(Some(Bit::Text(text.xml10_content().into_owned()))),
                Event::GeneralRef(name) => {
                    let known = match name.resolve_char_ref() {
                        Ok(Some(c)) => Some(c),
                        _ => match name.xml10_content().as_ref() {
                            "amp" => Some('&'),
                            "lt" => Some('<'),
                            "gt" => Some('>'),
                            "quot" => Some('"'),
                            "apos" => Some('\''),
                            _ => None,
                        },
                    };
                    if let Some(c) = known {
                        return Ok(Some(Bit::Text(c.to_string())));
                    }
                }
                Event::Eof if self.depth > 0 => return Err(Error::damaged("a part of it ends too early")),
                Event::Eof => return Ok(None),
                _ => {}
            }
        }
    }

    /// Everything up to the end of the element that has just begun.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        let mut inside = 1;
        while inside > 0 {
            match self.next()? {
                Some(Bit::Start(_)) => inside += 1,
                Some(Bit::End(_)) => inside -= 1,
                Some(Bit::Text(_)) => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

fn tag(start: &BytesStart<'_>) -> Result<Tag, Error> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(Error::damaged)?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(Error::damaged)?;
        attributes.push((AsRef::<str>::as_ref(&attribute.key).to_owned(), value.into_owned()));
    }
    Ok(Tag { name: local(start.name().as_ref()), attributes })
}

fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap_or(name).to_owned()
}
