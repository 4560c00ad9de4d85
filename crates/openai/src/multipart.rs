//! `multipart/form-data` that lies in memory: where its parts are, and the same with another model name. File names are only
//! ever shown, never used as paths.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use crate::Error;

/// The parts of one form.
#[derive(Debug, Clone)]
pub struct Form {
    body: Bytes,
    parts: Vec<Part>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The name of the file, where it is one.
    pub file_name: Option<String>,
    /// Its media type, where told.
    pub content_type: Option<String>,
    value: Range<usize>,
}

impl Form {
    /// Reads a form. `content_type` is the request's header, which names the boundary.
    pub fn read(content_type: &str, body: Bytes) -> Result<Form, Error> {
        let wrong = |message: &str| Error::invalid("body", message);
        if !content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
            return Err(wrong("must be multipart/form-data"));
        }
        let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty());
        let boundary = boundary.ok_or_else(|| wrong("has no boundary in its Content-Type"))?;
        let delimiter = format!("--{boundary}");
        let mut parts = Vec::new();
        let mut at =
            memmem::find(&body, delimiter.as_bytes()).ok_or_else(|| wrong("does not begin with its boundary"))?;
        let between = format!("\r\n{delimiter}");
        loop {
            at += delimiter.len();
            if body[at..].starts_with(b"--") {
                return Ok(Form { body, parts });
            }
            let line = memmem::find(&body[at..], b"\r\n").ok_or_else(|| wrong("ends in the middle of a part"))?;
            let head = at + line + 2;
            // A part without any header begins with the blank line itself.
            let (head_end, value) = match body[head..].starts_with(b"\r\n") {
                true => (head, head + 2),
                false => {
                    let end = memmem::find(&body[head..], b"\r\n\r\n");
                    let end = head + end.ok_or_else(|| wrong("ends in the middle of a part"))?;
                    (end, end + 4)
                }
            };
            let end = memmem::find(&body[value - 2..], between.as_bytes());
            let end = value - 2 + end.ok_or_else(|| wrong("ends in the middle of a part"))?;
            let headers = String::from_utf8_lossy(&body[head..head_end]);
            parts.extend(part(&headers, value.min(end)..end));
            at = end + 2;
        }
    }

    /// The parts in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What a part holds.
    pub fn value(&self, part: &Part) -> Bytes {
        self.body.slice(part.value.clone())
    }

    /// The first part of that name.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The text of a field, without spaces around it.
    pub fn text(&self, name: &str) -> Option<String> {
        let part = self.part(name).filter(|part| part.file_name.is_none())?;
        Some(String::from_utf8_lossy(&self.body[part.value.clone()]).trim().to_owned())
    }

    /// The whole form, with this in place of the field's text.
    pub fn replace(&self, name: &str, text: &str) -> Bytes {
        let Some(part) = self.part(name) else { return self.body.clone() };
        let before = &self.body[..part.value.start];
        Bytes::from([before, text.as_bytes(), &self.body[part.value.end..]].concat())
    }
}

fn part(headers: &str, value: Range<usize>) -> Option<Part> {
    let header = |wanted: &str| {
        let mut lines = headers.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let disposition = header("content-disposition")?;
    let name = parameter(disposition, "name")?;
    let file_name = parameter(disposition, "filename");
    Some(Part { name, file_name, content_type: header("content-type").map(str::to_owned), value })
}

/// `; name=value` or `; name="value"` of a header.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.char_indices().scan(false, |escaped, (at, c)| {
                    let ends = c == '"' && !*escaped;
                    *escaped = c == '\\' && !*escaped;
                    Some((at, ends))
                });
                let end = end.filter(|(_, ends)| *ends).map(|(at, _)| at).next()?;
                (quoted[..end].replace("\\\"", "\""), &quoted[end + 1..])
            }
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next.split_once(';')?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: &str = "multipart/form-data; boundary=\"b-1\"";

    fn form() -> Bytes {
        Bytes::from_static(
            b"--b-1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nmock/m\r\n\
              --b-1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".wav\"\r\nContent-Type: audio/wav\r\n\r\n\
              RI\r\nFF\0\r\n--b-1\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--b-1--\r\n",
        )
    }

    #[test]
    fn the_parts_are_found_and_one_is_replaced() {
        let read = Form::read(KIND, form()).expect("a form");
        let names: Vec<&str> = read.parts().iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["model", "file", "empty"]);
        let file = read.part("file").expect("a file").clone();
        assert_eq!((file.file_name.as_deref(), file.content_type.as_deref()), (Some("a \"b\".wav"), Some("audio/wav")));
        assert_eq!(&read.value(&file)[..], b"RI\r\nFF\0");
        assert_eq!(read.text("empty").as_deref(), Some(""));
        let other = Form::read(KIND, read.replace("model", "whisper-large")).expect("a form");
        assert_eq!(other.text("model").as_deref(), Some("whisper-large"));
        assert_eq!(&other.value(other.part("file").expect("a file"))[..], b"RI\r\nFF\0");
    }

    #[test]
    fn what_is_no_form_is_said() {
        let whole = form();
        for (kind, body, says) in [
            ("application/json", whole.clone(), "must be multipart/form-data"),
            ("multipart/form-data", whole.clone(), "has no boundary in its Content-Type"),
            ("multipart/form-data; boundary=c", whole.clone(), "does not begin with its boundary"),
            (KIND, whole.slice(..60), "ends in the middle of a part"),
        ] {
            assert_eq!(Form::read(kind, body).expect_err(says).to_string(), format!("body: {says}"));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(body in prop::collection::vec(prop::sample::select(b"-b1\r\n:;=\"\\ax".to_vec()), 0..200), boundary in "[b1-]{0,3}") {
            let _ = Form::read(&format!("multipart/form-data; boundary={boundary}"), Bytes::from(body));
        }
    }
}
