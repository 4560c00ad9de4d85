//! The sections `[[key]]`: API keys that are known beforehand, for tests. A real key is made in the portal or with `portico key
//! new`, is shown once and never stands in a file; one of these says of itself that it is for tests.

use std::collections::HashSet;

use domain::Role;

use super::reader::Reader;
use super::source::{Section, Wrong};
use super::{FixedKey, Secret};

/// What every such key begins with, so that nobody takes it for a real one.
const MARK: &str = "pk-test";

pub(super) fn keys<'a>(reader: &Reader<'_, 'a>, root: &Section<'_, 'a>) -> Vec<FixedKey> {
    let mut seen = HashSet::new();
    let mut keys = Vec::new();
    for section in root.sections("key") {
        let value = section.required("value", "the key, as in value = \"pk-test-of-our-ci\"");
        let person = section.required("person", "whose key it is: the name they sign in with");
        let role = section.text("role").and_then(|word| word.parse(reader.source, |word| role(&word)));
        let models = section.texts("models").into_iter().map(|model| model.value).collect();
        let value = value.and_then(|value| value.parse(reader.source, |text| test_key(&text, &mut seen)));
        let person = person.and_then(|person| person.parse(reader.source, |name| login_name(&name)));
        let (Some(value), Some(person)) = (value, person) else { continue };
        keys.push(FixedKey { value, person, role: role.unwrap_or(Role::Member), models });
    }
    keys
}

/// The value is not repeated in a message: who mistakes the place may have written a real one.
fn test_key(text: &str, seen: &mut HashSet<String>) -> Result<Secret, Wrong> {
    let sayable = text.bytes().all(|b| b.is_ascii_graphic());
    if !text.starts_with(MARK) || !sayable || !(16..=128).contains(&text.len()) {
        return Err(Wrong::new("this cannot be the key of a test")
            .hint("it begins with pk-test and has 16 to 128 letters; real keys are made in the portal or with `portico key new`"));
    }
    if !seen.insert(text.to_owned()) {
        return Err(Wrong::new("the same key stands here twice").hint("give each person a key of their own"));
    }
    Ok(Secret::new(text))
}

fn login_name(name: &str) -> Result<String, Wrong> {
    identity::LoginName::parse(name).map(|name| name.to_string()).map_err(|error| Wrong::new(error.to_string()))
}

/// The owner is a person who takes the printed link.
fn role(word: &str) -> Result<Role, Wrong> {
    let role = Role::parse(word).filter(|role| *role != Role::Owner);
    role.ok_or_else(|| Wrong::new(format!("`{word}` is not admin or member")))
}
