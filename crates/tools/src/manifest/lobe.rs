//! LobeChat plugins: `identifier`, `meta`, and `api[]`, each a name, an address and a schema. A call posts its arguments as they are;
//! the plugin's settings travel as JSON in the header `x-lobe-plugin-settings`.

use std::collections::BTreeMap;

use domain::ToolSpec;
use serde_json::{Value, json};

use super::{Choices, Kind, Manifest, Operation, Work, address, asked, slug};
use crate::auth::Auth;
use crate::error::Flaw;

pub(super) fn read(document: &Value, choices: &Choices, flaws: &mut Vec<Flaw>) -> Option<Manifest> {
    let identifier = document["identifier"].as_str().unwrap_or_default();
    if slug(identifier).is_empty() {
        flaws.push(Flaw::new("identifier", "it must be a text with letters or digits"));
    }
    if let Some(kind) = document["type"].as_str().filter(|kind| !matches!(*kind, "default" | "markdown")) {
        flaws.push(Flaw::new(
            "type",
            format!("plugins of type {kind:?} draw pages of their own, which is not done here"),
        ));
    }
    let entries = document["api"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        let message = match document.get("openapi") {
            Some(_) => "there are none; install the OpenAPI document that `openapi` names, itself",
            None => "there are none",
        };
        flaws.push(Flaw::new("api", message));
    }
    let (mut operations, mut addresses) = (Vec::new(), Vec::new());
    for (at, entry) in entries.iter().enumerate() {
        let Some(name) = entry["name"].as_str().filter(|name| !name.is_empty()) else {
            flaws.push(Flaw::new(format!("api.{at}.name"), "it is missing"));
            continue;
        };
        let written = entry["url"].as_str().unwrap_or_default();
        let text = match &choices.base_url {
            Some(base) => moved(written, base),
            None => written.to_owned(),
        };
        let Some(url) = address(&format!("api.{at}.url"), &text, flaws) else { continue };
        let parameters = match &entry["parameters"] {
            Value::Null => json!({ "type": "object", "properties": {} }),
            schema if schema["type"] == "object" => schema.clone(),
            _ => {
                flaws.push(Flaw::new(format!("api.{at}.parameters"), "it must be a schema of type object"));
                continue;
            }
        };
        let description = entry["description"].as_str().unwrap_or(name).to_owned();
        addresses.push(url.clone());
        let spec = ToolSpec { name: name.to_owned(), description, parameters };
        operations.push(Operation { spec, work: Work::Post { url } });
    }
    let required: Vec<&str> =
        document["settings"]["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let settings = document["settings"]["properties"].as_object();
    let secrets: BTreeMap<String, bool> =
        settings.into_iter().flatten().map(|(name, _)| (name.clone(), required.contains(&name.as_str()))).collect();
    let meta = |name: &str| document["meta"][name].as_str().or(document[name].as_str()).unwrap_or_default().to_owned();
    Some(Manifest {
        name: slug(identifier),
        title: Some(meta("title")).filter(|title| !title.is_empty()).unwrap_or_else(|| identifier.to_owned()),
        description: meta("description"),
        icon: meta("avatar"),
        kind: Kind::LobeChat,
        enabled: document["enabled"].as_bool().unwrap_or(true),
        permissions: asked(document, flaws),
        triggers: Vec::new(),
        auth: Auth::None,
        secrets,
        addresses,
        database: None,
        operations,
        server: None,
    })
}

/// The path of an address at another base.
fn moved(written: &str, base: &str) -> String {
    let path = written.parse::<http::Uri>().map(|uri| uri.path().to_owned()).unwrap_or_default();
    format!("{}{path}", base.trim_end_matches('/'))
}
