//! What may be written into a key's scope, with a sentence for what may not. What a scope means is `domain`'s.

use domain::KeyScope;

use crate::Error;

/// Names and ranges in one scope: more would be a policy, not a key.
const MOST: usize = 100;

/// A key's name as it is kept.
pub(crate) fn name(typed: &str) -> Result<String, Error> {
    let name = typed.trim();
    if !(1..=100).contains(&name.chars().count()) {
        return Err(Error::Invalid { field: "name", reason: "a key's name has 1 to 100 characters" });
    }
    Ok(name.to_owned())
}

/// Whether a scope can be kept.
pub(crate) fn check(scope: &KeyScope) -> Result<(), Error> {
    let refuse = |field, reason| Err(Error::Invalid { field, reason });
    if scope.models.len() > MOST || scope.addresses.len() > MOST {
        let field = if scope.models.len() > MOST { "models" } else { "addresses" };
        return refuse(field, "a key names at most 100 models and 100 ranges of addresses");
    }
    if !scope.models.iter().all(|pattern| named(pattern)) {
        return refuse("models", "a model is named by its id, by an alias, or all of a provider as in ollama/*");
    }
    if scope.budget.tokens_per_day == Some(0) || scope.budget.tokens_total == Some(0) {
        return refuse("tokens", "a key that may use nothing is no key; revoke it instead");
    }
    if scope.budget.requests_per_minute == Some(0) {
        return refuse("requests_per_minute", "a key that may ask nothing is no key; revoke it instead");
    }
    Ok(())
}

/// A name without blanks; a star only for all of a provider.
fn named(pattern: &str) -> bool {
    let start = pattern.strip_suffix("/*").unwrap_or(pattern);
    (1..=200).contains(&start.len()) && !start.contains('*') && !start.chars().any(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_names_or_a_whole_provider() {
        for (pattern, good) in [
            ("ollama/llama3", true),
            ("main", true),
            ("ollama/*", true),
            ("通义/*", true),
            ("", false),
            ("*", false),
            ("/*", false),
            ("ollama/*/x", false),
            ("gpt-*", false),
            ("a b", false),
        ] {
            assert_eq!(named(pattern), good, "{pattern:?}");
        }
    }
}
