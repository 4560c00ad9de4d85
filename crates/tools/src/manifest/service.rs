//! The house's own format: a service with an address and endpoints. `upload` and `analyze` together are a file parser: each file
//! that is uploaded is posted to the first, and what that answers to the second.

use std::collections::BTreeMap;

use domain::ToolSpec;
use http::Uri;
use regex::RegexBuilder;
use serde_json::{Value, json};

use super::{Choices, Kind, Manifest, Operation, Trigger, Work, address, asked};
use crate::auth::Auth;
use crate::error::Flaw;
use crate::permission::Permission;

pub(super) fn read(document: &Value, choices: &Choices, flaws: &mut Vec<Flaw>) -> Option<Manifest> {
    let mut text = |name: &str, needed: bool| match &document[name] {
        Value::String(text) => text.trim().to_owned(),
        Value::Null if !needed => String::new(),
        Value::Null => {
            flaws.push(Flaw::new(name, "it is missing"));
            String::new()
        }
        other => {
            flaws.push(Flaw::new(name, format!("{other} is no text")));
            String::new()
        }
    };
    let (name, title) = (text("id", true), text("name", false));
    let (description, icon) = (text("description", false), text("icon", false));
    let enabled = match &document["enabled"] {
        Value::Null => true,
        Value::Bool(enabled) => *enabled,
        other => {
            flaws.push(Flaw::new("enabled", format!("{other} is neither true nor false")));
            false
        }
    };
    let permissions = asked(document, flaws);
    let auth = match &document["auth"] {
        Value::Null => Auth::None,
        written => serde_json::from_value(written.clone()).unwrap_or_else(|error| {
            flaws.push(Flaw::new("auth", error.to_string()));
            Auth::None
        }),
    };
    let named = document["api"]["baseUrl"].as_str();
    let Some(base) = choices.base_url.as_deref().or(named) else {
        flaws.push(Flaw::new("api.baseUrl", "it is missing"));
        return None;
    };
    address("api.baseUrl", base, flaws)?;
    let mut endpoint = |name: &str| -> Option<Uri> {
        let field = format!("api.endpoints.{name}");
        match &document["api"]["endpoints"][name] {
            Value::Null => None,
            Value::String(path) if path.starts_with('/') => {
                address(&field, &format!("{}{path}", base.trim_end_matches('/')), flaws)
            }
            other => {
                flaws.push(Flaw::new(field, format!("{other} is no path: it begins with /")));
                None
            }
        }
    };
    let (upload, extract) = (endpoint("upload"), endpoint("analyze"));
    let mut operations = Vec::new();
    let mut addresses = Vec::new();
    let reads = permissions.contains(&Permission::ReadFiles);
    let mut triggers = Vec::new();
    match (upload, extract) {
        (Some(upload), Some(extract)) if reads => {
            addresses.extend([upload.clone(), extract.clone()]);
            let parameters = json!({ "type": "object", "properties": {} });
            let spec = ToolSpec { name: "analyze".to_owned(), description: description.clone(), parameters };
            operations.push(Operation { spec, work: Work::Extract { upload, extract } });
        }
        (Some(_), Some(_)) => {
            flaws.push(Flaw::new("permissions", "who takes files (api.endpoints.upload) must ask for read:files"));
        }
        (None, Some(_)) => flaws.push(Flaw::new("api.endpoints.upload", "it is missing beside analyze")),
        (Some(_), None) => flaws.push(Flaw::new("api.endpoints.analyze", "it is missing beside upload")),
        (None, None) => {}
    }
    let named = document["triggers"].as_array();
    for (at, trigger) in named.into_iter().flatten().enumerate() {
        triggers.extend(read_trigger(at, trigger, base, flaws));
    }
    if named.is_none() && !operations.is_empty() {
        triggers.push(Trigger::FileUploaded { types: Vec::new() });
    }
    for trigger in &triggers {
        match trigger {
            Trigger::Message { endpoint, .. } => addresses.push(endpoint.clone()),
            Trigger::FileUploaded { .. } if operations.is_empty() => {
                flaws.push(Flaw::new("api.endpoints", "file.uploaded needs upload and analyze"));
            }
            Trigger::FileUploaded { .. } => {}
        }
    }
    if operations.is_empty() && triggers.is_empty() && flaws.is_empty() {
        flaws.push(Flaw::new("api.endpoints", "there is nothing that it does: upload and analyze, or a trigger"));
    }
    let kind = Kind::Service;
    let secrets = BTreeMap::new();
    let title = if title.is_empty() { name.clone() } else { title };
    Some(Manifest {
        name,
        title,
        description,
        icon,
        kind,
        enabled,
        permissions,
        triggers,
        auth,
        secrets,
        addresses,
        database: None,
        operations,
        server: None,
    })
}

fn read_trigger(at: usize, trigger: &Value, base: &str, flaws: &mut Vec<Flaw>) -> Option<Trigger> {
    match trigger["on"].as_str() {
        Some("file.uploaded") => {
            let types = trigger["types"].as_array().into_iter().flatten();
            Some(Trigger::FileUploaded {
                types: types.filter_map(Value::as_str).map(str::to_ascii_lowercase).collect(),
            })
        }
        Some("message") => {
            let written = trigger["pattern"].as_str().filter(|pattern| !pattern.is_empty());
            let pattern = match written.map(|pattern| RegexBuilder::new(pattern).size_limit(1 << 20).build()) {
                Some(Ok(pattern)) => Some(pattern),
                Some(Err(error)) => {
                    flaws.push(Flaw::new(format!("triggers.{at}.pattern"), error.to_string()));
                    None
                }
                None => {
                    flaws.push(Flaw::new(format!("triggers.{at}.pattern"), "it is missing"));
                    None
                }
            };
            let path = trigger["endpoint"].as_str().filter(|path| path.starts_with('/')).unwrap_or_default();
            if path.is_empty() {
                flaws.push(Flaw::new(format!("triggers.{at}.endpoint"), "it must be a path that begins with /"));
                return None;
            }
            let endpoint = format!("{}{path}", base.trim_end_matches('/'));
            let endpoint = address(&format!("triggers.{at}.endpoint"), &endpoint, flaws)?;
            Some(Trigger::Message { pattern: pattern?, endpoint })
        }
        _ => {
            let message = format!("{} is nothing that happens; there are file.uploaded and message", trigger["on"]);
            flaws.push(Flaw::new(format!("triggers.{at}.on"), message));
            None
        }
    }
}
