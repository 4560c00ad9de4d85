//! What the log of calls shows: no secret of the plugin, no value under a name that says it is one, no file's bytes.

use serde_json::Value;

/// The longest text the log keeps of either direction, in characters.
const SHOWN: usize = 4_000;

/// Names whose values nobody reads in a log.
const NAMES: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "authorization",
    "access_key",
    "credential",
    "private_key",
];

/// `text` as the log keeps it.
pub(crate) fn masked(text: &str, secrets: &[&str]) -> String {
    let mut shown = match serde_json::from_str::<Value>(text) {
        Ok(mut value @ (Value::Object(_) | Value::Array(_))) => {
            hide(&mut value);
            value.to_string()
        }
        _ => text.to_owned(),
    };
    for secret in secrets.iter().filter(|secret| secret.len() > 3) {
        shown = shown.replace(secret, "***");
    }
    cut(&shown, SHOWN)
}

/// Whether a value under this name is nobody's to read.
pub(crate) fn says_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    NAMES.iter().any(|secret| name.contains(secret))
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if says_secret(name) && !value.is_null() {
                    *value = Value::from("***");
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// At most so many characters, and a word on what is missing.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text.to_owned() };
    format!("{}… (cut: {most} of {} characters)", &text[..end], text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown_by_name_or_by_value() {
        let text = r#"{"user":"anna","Password":"p","nested":[{"API-Key":"k","note":"uses sk-live-1"}],"token":null}"#;
        let expected =
            r#"{"Password":"***","nested":[{"API-Key":"***","note":"uses ***"}],"token":null,"user":"anna"}"#;
        assert_eq!(
            serde_json::from_str::<Value>(&masked(text, &["sk-live-1"])).unwrap(),
            serde_json::from_str::<Value>(expected).unwrap()
        );
        assert_eq!(masked("plain sk-live-1", &["sk-live-1", "a"]), "plain ***");
        assert_eq!(cut("甲乙丙", 2), "甲乙… (cut: 2 of 3 characters)");
    }
}
