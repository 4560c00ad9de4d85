//! MCP servers: a program to start (`command`, `args`, `env`) or an address of streamable HTTP (`url`, `headers`), written as other
//! programs write them. What a server has is asked of it when it is installed, and kept beside the manifest.

use std::collections::{BTreeMap, BTreeSet};

use domain::ToolSpec;
use http::HeaderName;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use serde_json::{Map, Value, json};

use super::{Choices, Kind, Manifest, NAME, Operation, Work, address, asked, slug, tool_name};
use crate::auth::Auth;
use crate::error::Flaw;
use crate::mask;
use crate::mcp::{Listing, Program, Remote, Target, secrets_in};
use crate::permission::Permission;

/// The longest description of a tool that a model is told, in characters.
const DESCRIPTION: usize = 2_000;
/// How many resources are named to a model.
const NAMED: usize = 40;

/// The servers of a file as other programs keep it, a manifest each.
pub(super) fn entries(servers: &Map<String, Value>) -> Vec<Value> {
    let entry = |(name, server): (&String, &Value)| json!({ "id": slug(name), "name": name, "mcp": server });
    servers.iter().map(entry).collect()
}

pub(super) fn read(document: &Value, choices: &Choices, flaws: &mut Vec<Flaw>) -> Option<Manifest> {
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let id = choices.name.clone().unwrap_or_else(|| text("id"));
    let mut secrets = BTreeMap::new();
    let target = target(&document["mcp"], choices, &mut secrets, flaws)?;
    let mut permissions = asked(document, flaws);
    let mut addresses = Vec::new();
    match &target {
        Target::Program(_) => _ = permissions.insert(Permission::ExecCode),
        Target::Address { url, .. } => addresses.push(url.clone()),
    }
    let none = Listing::default();
    let listing = choices.listed.as_deref().unwrap_or(&none);
    let about = |own: String, theirs: &Value| match own.is_empty() {
        true => theirs.as_str().unwrap_or_default().to_owned(),
        false => own,
    };
    let title = about(about(text("name"), &listing.server["title"]), &listing.server["name"]);
    let instructions = listing.instructions.as_deref().map(|text| mask::cut(text, DESCRIPTION));
    Some(Manifest {
        title: if title.is_empty() { id.clone() } else { title },
        description: about(text("description"), &instructions.map_or(Value::Null, Value::from)),
        icon: text("icon"),
        kind: Kind::Mcp,
        enabled: document["enabled"].as_bool().unwrap_or(true),
        permissions,
        triggers: Vec::new(),
        auth: Auth::None,
        secrets,
        addresses,
        operations: operations(&id, listing, choices),
        name: id,
        database: None,
        server: Some(target),
    })
}

fn target(
    server: &Value,
    choices: &Choices,
    secrets: &mut BTreeMap<String, bool>,
    flaws: &mut Vec<Flaw>,
) -> Option<Target> {
    match server["type"].as_str().or(server["transport"].as_str()).unwrap_or_default() {
        "" | "stdio" | "http" | "streamable-http" | "streamableHttp" | "streamable_http" => {}
        "sse" => {
            let message = "HTTP with SSE was the transport before streamable HTTP, and is not spoken here";
            flaws.push(Flaw::new("mcp.type", message));
        }
        other => flaws.push(Flaw::new("mcp.type", format!("{other:?} is neither stdio nor http"))),
    }
    match (&server["command"], server["url"].as_str().or(server["serverUrl"].as_str())) {
        (Value::String(command), None) => Some(Target::Program(program(command, server, secrets, flaws))),
        (Value::Null, Some(url)) => {
            let url = address("mcp.url", choices.base_url.as_deref().unwrap_or(url), flaws)?;
            let mut headers = Vec::new();
            for (name, value) in texts("headers", &server["headers"], secrets, flaws) {
                match HeaderName::try_from(&name) {
                    Ok(header) if [ACCEPT, CONTENT_TYPE, CONTENT_LENGTH, HOST].contains(&header) => {
                        flaws.push(Flaw::new(format!("mcp.headers.{name}"), "this header is not to be set"));
                    }
                    Ok(header) => headers.push((header, value)),
                    Err(_) => flaws.push(Flaw::new(format!("mcp.headers.{name}"), "it is no name of a header")),
                }
            }
            Some(Target::Address { url, headers })
        }
        (Value::Null, None) => {
            flaws.push(Flaw::new("mcp", "there is neither a command to start nor a url to ask"));
            None
        }
        (Value::String(_), Some(_)) => {
            flaws.push(Flaw::new("mcp", "there is a command and a url; it is one or the other"));
            None
        }
        (other, _) => {
            flaws.push(Flaw::new("mcp.command", format!("{other} is no text; its arguments stand in args")));
            None
        }
    }
}

fn program(command: &str, server: &Value, secrets: &mut BTreeMap<String, bool>, flaws: &mut Vec<Flaw>) -> Program {
    let mut args = Vec::new();
    for (at, arg) in server["args"].as_array().into_iter().flatten().enumerate() {
        let field = format!("mcp.args.{at}");
        match arg.as_str() {
            Some(arg) => args.push(arg.to_owned()),
            None => flaws.push(Flaw::new(field, format!("{arg} is no text"))),
        }
    }
    if !server["args"].is_null() && !server["args"].is_array() {
        flaws.push(Flaw::new("mcp.args", "it must be a list of texts"));
    }
    if command.contains('\0') || args.iter().any(|arg| arg.contains('\0')) {
        flaws.push(Flaw::new("mcp.command", "there is a zero byte in it or its arguments"));
    }
    if command.trim().is_empty() {
        flaws.push(Flaw::new("mcp.command", "it is empty"));
    }
    if args.iter().any(|arg| !secrets_in(arg).is_empty()) {
        // Everybody on a machine can read the arguments of its programs.
        flaws.push(Flaw::new("mcp.args", "a secret cannot stand among the arguments; give it in env"));
    }
    let env: BTreeMap<String, String> = texts("env", &server["env"], secrets, flaws).into_iter().collect();
    for name in env.keys().filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
        flaws.push(Flaw::new("mcp.env", format!("{name:?} is no name of a variable")));
    }
    let cwd = server["cwd"].as_str().map(str::to_owned);
    if cwd.as_ref().is_some_and(|cwd| !cwd.starts_with('/')) {
        flaws.push(Flaw::new("mcp.cwd", "it must be a whole path, from /"));
    }
    Program { command: command.to_owned(), args, env, cwd }
}

/// Named texts, in which secrets stand by their names alone.
fn texts(
    what: &str,
    value: &Value,
    secrets: &mut BTreeMap<String, bool>,
    flaws: &mut Vec<Flaw>,
) -> Vec<(String, String)> {
    let fields = match value {
        Value::Object(fields) => fields,
        Value::Null => return Vec::new(),
        _ => {
            flaws.push(Flaw::new(format!("mcp.{what}"), "it must be an object of texts"));
            return Vec::new();
        }
    };
    let mut all = Vec::new();
    for (name, value) in fields {
        let field = format!("mcp.{what}.{name}");
        let Some(text) = value.as_str() else {
            flaws.push(Flaw::new(field, format!("{value} is no text")));
            continue;
        };
        let named = secrets_in(text);
        if named.is_empty() && !text.is_empty() && mask::says_secret(name) {
            let message = format!("write ${{{name}}} here, and give the value as the secret {name}: it is sealed then");
            flaws.push(Flaw::new(field, message));
        }
        secrets.extend(named.into_iter().map(|secret| (secret.to_owned(), true)));
        all.push((name.clone(), text.to_owned()));
    }
    all
}

fn operations(plugin: &str, listing: &Listing, choices: &Choices) -> Vec<Operation> {
    let chosen = |name: &str| choices.operations.as_ref().is_none_or(|all| all.iter().any(|one| one == name));
    let mut taken = BTreeSet::new();
    let mut all = Vec::new();
    for tool in &listing.tools {
        let Some(name) = tool["name"].as_str().filter(|name| !name.is_empty() && chosen(name)) else { continue };
        let said = ["description", "title"].iter().find_map(|key| tool[*key].as_str()).filter(|text| !text.is_empty());
        let spec = ToolSpec {
            name: unlike(plugin, name, &mut taken),
            description: mask::cut(said.unwrap_or(name), DESCRIPTION),
            parameters: parameters(&tool["inputSchema"]),
        };
        let output = Some(tool["outputSchema"].clone()).filter(Value::is_object);
        let remote = Remote::Tool { name: name.to_owned(), output, hints: tool["annotations"].clone() };
        all.push(Operation { spec, work: Work::Mcp(remote) });
    }
    let has_resources = !listing.resources.is_empty() || !listing.templates.is_empty();
    if has_resources && chosen("read_resource") {
        let spec = ToolSpec {
            name: unlike(plugin, "read_resource", &mut taken),
            description: resources(listing),
            parameters: json!({
                "type": "object", "required": ["uri"], "additionalProperties": false,
                "properties": { "uri": { "type": "string", "description": "The URI of the resource" } }
            }),
        };
        all.push(Operation { spec, work: Work::Mcp(Remote::Resource) });
    }
    all
}

/// A name that no tool before it comes to: names of MCP may have 128 characters, and dots.
fn unlike(plugin: &str, own: &str, taken: &mut BTreeSet<String>) -> String {
    let room = NAME.saturating_sub(plugin.len() + 2).max(8);
    let short: String = own.chars().take(room).collect();
    let head: String = own.chars().take(room.saturating_sub(3)).collect();
    let numbered = (2..).map(|n| format!("{head}_{n}"));
    let mut names = std::iter::once(short).chain(numbered);
    names.find(|name| taken.insert(tool_name(plugin, name))).unwrap_or_default()
}

/// What every model takes: an object, also where a server forgot to say so.
fn parameters(schema: &Value) -> Value {
    match schema {
        Value::Object(words) if words.get("type").is_none_or(|kind| kind == "object") => {
            let mut words = words.clone();
            words.insert("type".to_owned(), "object".into());
            words.remove("$schema");
            Value::Object(words)
        }
        _ => json!({ "type": "object", "properties": {} }),
    }
}

fn resources(listing: &Listing) -> String {
    let line = |one: &Value, key: &str| {
        let name = one["title"].as_str().or(one["name"].as_str()).unwrap_or_default();
        format!("{} ({name})", one[key].as_str().unwrap_or_default())
    };
    let all = listing.resources.iter().map(|one| line(one, "uri"));
    let all: Vec<String> = all.chain(listing.templates.iter().map(|one| line(one, "uriTemplate"))).collect();
    let more = all.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    let named = all.into_iter().take(NAMED).collect::<Vec<_>>().join("; ");
    mask::cut(&format!("Reads one of these resources: {named}{more}"), DESCRIPTION)
}
