//! One assistant as one file: JSON that says what it is, so that a file of something else is refused by name.

use serde::{Deserialize, Serialize};

use crate::{Flaw, Unit};

/// The format this Portico writes and reads.
pub const FORMAT: &str = "portico.assistant.1";

/// Why a file is no assistant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Not JSON, or JSON of something else: what is wrong, and where.
    Json(String),
    /// A format that is not read here.
    Format(String),
    /// An assistant that cannot be kept.
    Flawed(Flaw),
}

#[derive(Serialize)]
struct Written<'u> {
    format: &'static str,
    assistant: &'u Unit,
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    format: String,
    assistant: serde_json::Value,
}

/// The file of one assistant.
pub fn write(unit: &Unit) -> String {
    let written = Written { format: FORMAT, assistant: unit };
    // Texts and numbers: there is nothing in it that cannot be written as JSON.
    let mut text = serde_json::to_string_pretty(&written).unwrap_or_default();
    text.push('\n');
    text
}

/// The assistant of a file.
pub fn read(bytes: &[u8]) -> Result<Unit, Unreadable> {
    let json = |error: serde_json::Error| Unreadable::Json(error.to_string());
    let Read { format, assistant } = serde_json::from_slice(bytes).map_err(json)?;
    if format != FORMAT {
        return Err(Unreadable::Format(format));
    }
    let unit: Unit = serde_json::from_value(assistant).map_err(json)?;
    unit.checked().map_err(Unreadable::Flawed)
}

#[cfg(test)]
mod tests {
    use domain::Sampling;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let sampling = Sampling { temperature: Some(0.3), ..Sampling::default() };
        let plugins = vec!["invoice".into()];
        let unit =
            Unit { name: "发票专员".into(), prompt: "{{date}}".into(), sampling, plugins, ..Unit::default() };
        let text = write(&unit);
        assert!(text.contains("\"temperature\": 0.3"), "{text}");
        assert_eq!(read(text.as_bytes()), Ok(unit));
    }

    #[test]
    fn what_is_something_else_is_refused_by_name() {
        assert!(matches!(read(b"no JSON"), Err(Unreadable::Json(_))));
        assert_eq!(
            read(br#"{"format":"portico.conversation.1","assistant":{}}"#),
            Err(Unreadable::Format("portico.conversation.1".into()))
        );
        let other = read(br#"{"format":"portico.assistant.1","assistant":{"name":"a","shell":"rm"}}"#);
        assert!(matches!(&other, Err(Unreadable::Json(why)) if why.contains("unknown field `shell`")), "{other:?}");
        let nameless = read(br#"{"format":"portico.assistant.1","assistant":{"name":" "}}"#);
        assert!(matches!(nameless, Err(Unreadable::Flawed(Flaw { field: "name", .. }))), "{nameless:?}");
    }
}
