//! Login names: what one may be called at the door. What others read is the display name, and may be anything.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use crate::Error;

/// A login name: 1 to 64 letters (Latin, Chinese, Japanese, Korean), digits and `. _ - @`, in lower case, in one spelling. Other scripts have letters that look like
/// Latin ones; two people must not be told apart by those.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoginName(String);

impl LoginName {
    /// Reads what was typed. Full-width forms (`ＡＬＩＣＥ`) and capitals are the same name.
    pub fn parse(typed: &str) -> Result<LoginName, Error> {
        let name: String = typed.trim().nfkc().flat_map(char::to_lowercase).nfc().collect();
        let length = name.chars().count();
        if !(1..=64).contains(&length) {
            return Err(Error::Invalid { field: "name", reason: "a name has 1 to 64 characters" });
        }
        if !name.chars().all(allowed) {
            let reason = "a name is made of letters, digits, and . _ - @";
            return Err(Error::Invalid { field: "name", reason });
        }
        Ok(LoginName(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn allowed(c: char) -> bool {
    let latin = c.is_ascii_alphanumeric() || ('\u{df}'..='\u{24f}').contains(&c) && c.is_alphabetic();
    let eastern = matches!(c, '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}' | '々' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}');
    latin || eastern || matches!(c, '.' | '_' | '-' | '@')
}

/// The store's word for a name that somebody else has, in ours.
pub(crate) fn name_taken(error: store::Error, name: String) -> Error {
    match error {
        store::Error::Duplicate { .. } => Error::NameTaken { name },
        other => Error::Store(other),
    }
}

/// What others read: the login name where nothing is typed.
pub(crate) fn display_name(typed: &str, name: &LoginName) -> Result<String, Error> {
    let shown = typed.trim();
    if shown.chars().count() > 100 || shown.chars().any(char::is_control) {
        return Err(Error::Invalid { field: "display_name", reason: "a display name has at most 100 characters" });
    }
    Ok(if shown.is_empty() { name.to_string() } else { shown.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for (typed, name) in [
            (" Alice ", "alice"),
            ("ＡＬＩＣＥ", "alice"),
            ("王小明", "王小明"),
            ("a.b_c-d@example.org", "a.b_c-d@example.org"),
            ("Jose\u{301}", "josé"),
        ] {
            assert_eq!(LoginName::parse(typed).expect(typed).as_str(), name);
        }
        for typed in ["", "   ", "two words", "a/b", "аlice", "a\u{200b}b", "😀", &"x".repeat(65)] {
            assert!(matches!(LoginName::parse(typed), Err(Error::Invalid { field: "name", .. })), "{typed:?}");
        }
    }
}
