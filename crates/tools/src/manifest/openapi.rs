//! OpenAPI 3.0 and 3.1 documents: each chosen operation is a tool. Parameters become arguments by their names, a JSON body the
//! argument `body`. A `$ref` is followed inside the document; nothing is fetched.

use std::cell::Cell;
use std::collections::BTreeMap;

use domain::ToolSpec;
use http::Method;
use serde_json::{Map, Value, json};

use super::{Choices, Kind, Manifest, Operation, Param, ParamPlace, Work, address, asked, slug};
use crate::auth::{Auth, KeyPlace};
use crate::error::Flaw;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// How many operations one plugin may offer: each is read by the model in every question.
const OPERATIONS: usize = 64;

/// How deep references and schemas are followed; what lies deeper is left open.
const DEPTH: usize = 12;

/// Headers that are never a parameter (OpenAPI 3.1, 4.8.12.1, and what belongs to the connection).
const KEPT_HEADERS: [&str; 9] = [
    "accept",
    "content-type",
    "authorization",
    "host",
    "cookie",
    "content-length",
    "transfer-encoding",
    "connection",
    "user-agent",
];

pub(super) fn read(document: &Value, choices: &Choices, flaws: &mut Vec<Flaw>) -> Option<Manifest> {
    let version = document["openapi"].as_str().unwrap_or_default();
    if !version.starts_with("3.0") && !version.starts_with("3.1") {
        let found = document["openapi"].as_str().or(document["swagger"].as_str()).unwrap_or_default();
        flaws.push(Flaw::new("openapi", format!("version {found:?} is not read; 3.0 and 3.1 are")));
        return None;
    }
    let title = document["info"]["title"].as_str().unwrap_or_default();
    let server = choices.base_url.as_deref().or(document["servers"][0]["url"].as_str());
    let Some(server) = server else {
        flaws.push(Flaw::new("servers", "there is none; say which base_url to ask"));
        return None;
    };
    if server.starts_with('/') {
        flaws.push(Flaw::new("servers.0.url", format!("{server:?} names no host; say which base_url to ask")));
        return None;
    }
    let base = address("servers.0.url", server, flaws)?;
    let (found, skipped) = operations(document, server, choices, flaws);
    if found.is_empty() && flaws.is_empty() {
        let why = skipped.first().map_or_else(String::new, |why| format!(": {why}"));
        flaws.push(Flaw::new("paths", format!("there is no operation that can be a tool{why}")));
    }
    if found.len() > OPERATIONS {
        let message = format!("there are {} operations; choose at most {OPERATIONS}", found.len());
        flaws.push(Flaw::new("operations", message));
    }
    Some(Manifest {
        name: Some(slug(title)).filter(|name| !name.is_empty()).unwrap_or_else(|| "api".to_owned()),
        title: title.to_owned(),
        description: document["info"]["description"].as_str().unwrap_or_default().to_owned(),
        icon: String::new(),
        kind: Kind::OpenApi,
        enabled: true,
        permissions: asked(document, flaws),
        triggers: Vec::new(),
        auth: auth(document),
        secrets: BTreeMap::new(),
        addresses: vec![base],
        database: None,
        operations: found,
        server: None,
    })
}

/// The chosen operations, and why others were not taken.
fn operations(
    document: &Value,
    server: &str,
    choices: &Choices,
    flaws: &mut Vec<Flaw>,
) -> (Vec<Operation>, Vec<String>) {
    let (mut found, mut skipped, mut met) = (Vec::new(), Vec::new(), Vec::new());
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let item = resolved(document, item);
        for word in METHODS {
            let Some(operation) = item.get(word) else { continue };
            let written = format!("{} {path}", word.to_ascii_uppercase());
            let id = operation["operationId"].as_str();
            let chosen = choices.operations.as_ref().is_none_or(|chosen| {
                let mut names = chosen.iter();
                names.any(|name| Some(name.as_str()) == id || *name == written)
            });
            met.extend([Some(written.clone()), id.map(str::to_owned)].into_iter().flatten());
            if !chosen {
                continue;
            }
            match one(document, server, path, word, item, operation) {
                Ok(operation) => found.push(operation),
                Err(why) if choices.operations.is_some() => flaws.push(Flaw::new(format!("operations.{written}"), why)),
                Err(why) => skipped.push(format!("{written}: {why}")),
            }
        }
    }
    for (at, name) in choices.operations.iter().flatten().enumerate() {
        if !met.contains(name) {
            flaws.push(Flaw::new(format!("operations.{at}"), format!("there is no operation {name:?}")));
        }
    }
    (found, skipped)
}

fn one(
    document: &Value,
    server: &str,
    path: &str,
    word: &str,
    item: &Value,
    operation: &Value,
) -> Result<Operation, String> {
    let (mut properties, mut required, mut params) = (Map::new(), Vec::new(), Vec::<Param>::new());
    let inlined = Inlined::new(document);
    // Those of the operation come last: they stand in place of the path's.
    let shared = item["parameters"].as_array().into_iter().flatten();
    for written in shared.chain(operation["parameters"].as_array().into_iter().flatten()) {
        let param = resolved(document, written);
        let name = param["name"].as_str().ok_or("a parameter has no name")?.to_owned();
        let place = match param["in"].as_str() {
            Some("path") => ParamPlace::Path,
            Some("query") => ParamPlace::Query,
            Some("header") if KEPT_HEADERS.contains(&name.to_ascii_lowercase().as_str()) => continue,
            Some("header") => ParamPlace::Header,
            _ => continue,
        };
        let mut schema = inlined.schema(&param["schema"], 0);
        if let (Value::Object(schema), Some(said)) = (&mut schema, param["description"].as_str()) {
            schema.entry("description").or_insert_with(|| said.into());
        }
        properties.insert(name.clone(), schema);
        if (param["required"] == true || place == ParamPlace::Path) && !required.contains(&name) {
            required.push(name.clone());
        }
        params.retain(|known| known.name != name);
        params.push(Param { name, place });
    }
    let mut body = false;
    let wanted = resolved(document, &operation["requestBody"]);
    if let Some(content) = wanted["content"].as_object() {
        let json = content.iter().find(|(kind, _)| kind.starts_with("application/json") || kind.contains("+json"));
        match json {
            Some((_, media)) => {
                body = true;
                properties.insert("body".to_owned(), inlined.schema(&media["schema"], 0));
                if wanted["required"] == true {
                    required.push("body".to_owned());
                }
            }
            None if wanted["required"] == true => return Err("its body is no JSON".to_owned()),
            None => {}
        }
    }
    for name in path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name) {
        if !params.iter().any(|param| param.name == name && param.place == ParamPlace::Path) {
            return Err(format!("its path has a parameter {name:?} that is not described"));
        }
    }
    let said = ["summary", "description"].iter().filter_map(|field| operation[field].as_str());
    let description = said.filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n");
    let written = format!("{} {path}", word.to_ascii_uppercase());
    let name = operation["operationId"].as_str().map_or_else(|| slug(&format!("{word}-{path}")), str::to_owned);
    let parameters =
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let description = if description.is_empty() { written } else { crate::mask::cut(&description, 1_000) };
    let method = Method::from_bytes(word.to_ascii_uppercase().as_bytes()).map_err(|error| error.to_string())?;
    let url = format!("{}{path}", server.trim_end_matches('/'));
    Ok(Operation { spec: ToolSpec { name, description, parameters }, work: Work::Http { method, url, params, body } })
}

/// The auth of the document's first security scheme that is known here.
fn auth(document: &Value) -> Auth {
    let schemes = &document["components"]["securitySchemes"];
    let wanted = document["security"].as_array().into_iter().flatten().filter_map(Value::as_object);
    for name in wanted.flat_map(Map::keys) {
        let scheme = resolved(document, &schemes[name]);
        let kind = (scheme["type"].as_str().unwrap_or_default(), scheme["scheme"].as_str().unwrap_or_default());
        let name = scheme["name"].as_str().unwrap_or_default().to_owned();
        match (kind.0, kind.1.to_ascii_lowercase().as_str(), scheme["in"].as_str()) {
            ("apiKey", _, Some("header")) => return Auth::Key { r#in: KeyPlace::Header, name },
            ("apiKey", _, Some("query")) => return Auth::Key { r#in: KeyPlace::Query, name },
            ("http", "bearer", _) => return Auth::Bearer,
            ("http", "basic", _) => return Auth::Basic,
            ("oauth2", ..) => {
                let flow = &scheme["flows"]["clientCredentials"];
                if let Some(url) = flow["tokenUrl"].as_str() {
                    let scopes = flow["scopes"].as_object().into_iter().flat_map(Map::keys);
                    let scope = scopes.cloned().collect::<Vec<_>>().join(" ");
                    return Auth::ClientCredentials { token_url: url.to_owned(), scope };
                }
            }
            _ => {}
        }
    }
    Auth::None
}

/// What a `$ref` means, one step at a time.
fn resolved<'d>(document: &'d Value, mut value: &'d Value) -> &'d Value {
    for _ in 0..DEPTH {
        let Some(target) = value["$ref"].as_str() else { return value };
        let Some(found) = target.strip_prefix('#').and_then(|pointer| document.pointer(pointer)) else {
            return &Value::Null;
        };
        value = found;
    }
    &Value::Null
}

/// How many pieces all schemas of one operation may come to: one that leads to itself several times grows without end.
const PIECES: u32 = 4_000;

/// Puts the references of schemas in. What leads to itself is left open where it does so too deep or too often.
struct Inlined<'d> {
    document: &'d Value,
    left: Cell<u32>,
}

impl<'d> Inlined<'d> {
    fn new(document: &'d Value) -> Self {
        Inlined { document, left: Cell::new(PIECES) }
    }

    fn schema(&self, schema: &Value, depth: usize) -> Value {
        if depth > DEPTH || self.left.get() == 0 {
            return json!({});
        }
        self.left.set(self.left.get() - 1);
        match resolved(self.document, schema) {
            Value::Object(words) => {
                let keep =
                    |name: &str| !matches!(name, "example" | "examples" | "xml" | "externalDocs" | "discriminator");
                let words = words.iter().filter(|(name, _)| keep(name));
                Value::Object(words.map(|(name, value)| (name.clone(), self.word(name, value, depth + 1))).collect())
            }
            Value::Null if schema.get("$ref").is_some() => json!({}),
            other => other.clone(),
        }
    }

    fn word(&self, name: &str, value: &Value, depth: usize) -> Value {
        match (name, value) {
            ("properties", Value::Object(fields)) => {
                Value::Object(fields.iter().map(|(name, value)| (name.clone(), self.schema(value, depth))).collect())
            }
            ("items" | "additionalProperties" | "not", Value::Object(_)) => self.schema(value, depth),
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                Value::Array(parts.iter().map(|part| self.schema(part, depth)).collect())
            }
            _ => value.clone(),
        }
    }
}
