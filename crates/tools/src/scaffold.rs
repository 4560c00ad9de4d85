//! The beginning of a plugin: a manifest that installs as it is, a service that answers, its test, and how to go on. Text alone; where
//! it is written is the caller's.

/// A file of the beginning: its name, and what is in it.
pub type Part = (&'static str, String);

/// The most letters of a name.
const NAME: usize = 40;

/// The files of a plugin of this name.
///
/// # Errors
/// Why that is no name.
pub fn scaffold(name: &str) -> Result<Vec<Part>, String> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > NAME || !name.chars().all(word) || name.starts_with('-') || name.ends_with('-') {
        return Err(format!("{name:?} is no name of a plugin: 1 to {NAME} small letters, digits and -"));
    }
    let parts = [
        ("plugin.json", include_str!("scaffold/plugin.json")),
        ("service.py", include_str!("scaffold/service.py")),
        ("test_service.py", include_str!("scaffold/test_service.py")),
        ("README.md", include_str!("scaffold/README.md")),
    ];
    Ok(parts.map(|(file, text)| (file, text.replace("PLUGIN-NAME", name))).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_of_small_letters() {
        for name in ["a", "tickets-2", &"x".repeat(40)] {
            assert_eq!(scaffold(name).unwrap().len(), 4, "{name}");
        }
        for name in ["", "-a", "a-", "A", "a b", "../x", "a/b", "票", &"x".repeat(41)] {
            assert!(scaffold(name).is_err(), "{name}");
        }
    }
}
