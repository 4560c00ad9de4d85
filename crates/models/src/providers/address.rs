//! Addresses as people paste them, for dialects that lie at one known place under a host: with the version, without it, or with the
//! path of one of its calls behind it.

use domain::ModelError;
use http::Uri;

/// The base of the calls: what stands in `text` less any of `tails`, with `version` where it names none.
pub(super) fn versioned(text: &str, tails: &[&str], version: &str) -> Result<String, String> {
    let mut base = text.trim().trim_end_matches('/');
    for tail in tails {
        base = base.strip_suffix(tail).unwrap_or(base).trim_end_matches('/');
    }
    let uri: Uri = base.parse().map_err(|_| format!("{text:?} is not an address"))?;
    egress::Origin::of(&uri).map_err(|error| error.to_string())?;
    if uri.query().is_some() {
        return Err(format!("{base:?} has a query; an address ends before the question mark"));
    }
    let last = base.rsplit('/').next().unwrap_or_default();
    let named = last.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    Ok(if named { base.to_owned() } else { format!("{base}{version}") })
}

/// One call under a base.
pub(super) fn at(base: &str, path: &str) -> Result<Uri, ModelError> {
    let bad = |reason: String| ModelError::Unreachable { url: base.to_owned(), reason };
    format!("{base}{path}").parse().map_err(|error: http::uri::InvalidUri| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_version_and_with_the_whole_path() {
        for (given, base) in [
            ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
            ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1"),
            ("https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1"),
            ("https://gateway.example/anthropic", "https://gateway.example/anthropic/v1"),
            ("http://127.0.0.1:8000/v1beta/models", "http://127.0.0.1:8000/v1beta"),
        ] {
            assert_eq!(versioned(given, &["/messages", "/models"], "/v1").as_deref(), Ok(base), "{given}");
        }
        assert!(versioned("nonsense", &[], "/v1").is_err());
        assert!(versioned("https://host/v1?key=1", &[], "/v1").is_err());
    }
}
