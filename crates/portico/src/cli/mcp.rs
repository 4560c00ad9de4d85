//! `portico mcp-probe`: what an MCP server has, and a call of one of its tools, without a portal. It goes the way of an installed
//! plugin, gateway, permissions and all; nothing is stored.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use domain::{Caller, Clock, Ids, SystemClock, ToolCall};
use egress::Egress;
use identity::Identity;
use serde_json::{Map, Value, json};
use store::Store;
use tools::{Choices, Error, Gateway, Installed, Listing, Order, Vault};

use super::house::run as in_runtime;
use super::{Place, print};
use crate::options;

/// The plugin's name while it is here.
const NAME: &str = "probe";

#[derive(Debug, clap::Args)]
pub(super) struct ProbeArgs {
    /// The address of a server that speaks streamable HTTP.
    #[arg(value_name = "URL", required_unless_present = "stdio", conflicts_with = "stdio")]
    url: Option<String>,
    /// Call this tool.
    #[arg(long, value_name = "NAME", conflicts_with = "prompt")]
    call: Option<String>,
    /// Read this prompt.
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// What the tool or prompt is called with, as a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    arguments: String,
    /// A header of every request, as `Name: value`; may be repeated.
    #[arg(long, value_name = "HEADER", conflicts_with = "stdio")]
    header: Vec<String>,
    /// A variable of the command's environment, as NAME=VALUE; may be repeated. It inherits PATH alone.
    #[arg(long, value_name = "VARIABLE", requires = "stdio")]
    env: Vec<String>,
    /// Seconds that a call may take, 1 to 120.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Print what the server has as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
    /// The command of a server that talks over standard input and output, and its arguments; it comes last.
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true)]
    stdio: Vec<String>,
}

pub(super) fn probe(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    let arguments: Map<String, Value> =
        serde_json::from_str(&args.arguments).context("--arguments is no JSON object")?;
    let order = order(args)?;
    in_runtime(async {
        let (gateway, store, caller) = open(args).await?;
        let done = look(&gateway, &caller, args, order, arguments).await;
        gateway.close().await;
        store.close().await;
        done.map(|()| ExitCode::SUCCESS)
    })
}

/// The manifest of what is to be looked at.
fn order(args: &ProbeArgs) -> anyhow::Result<Order> {
    let pairs = |all: &[String], mark: char, what: &str| {
        let pair = |text: &String| match text.split_once(mark) {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => bail!("{text:?} is no {what}"),
        };
        all.iter().map(pair).collect::<anyhow::Result<BTreeMap<_, _>>>()
    };
    let headers = pairs(&args.header, ':', "header; write it as Name: value")?;
    let env = pairs(&args.env, '=', "variable; write it as NAME=VALUE")?;
    // What was typed here may well be secret: it goes the way of a secret.
    let mut secrets = BTreeMap::new();
    let mut sealed = |values: BTreeMap<String, String>| -> Map<String, Value> {
        let mut name = |name: String, value: String| {
            secrets.insert(name.clone(), value);
            (name.clone(), Value::from(format!("${{{name}}}")))
        };
        values.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| name(key, value)).collect()
    };
    let server = match (&args.url, args.stdio.split_first()) {
        (Some(url), _) => json!({ "url": url, "headers": sealed(headers) }),
        (None, Some((command, rest))) => json!({ "command": command, "args": rest, "env": sealed(env) }),
        (None, None) => bail!("name an address, or a command after --stdio"),
    };
    let manifest = json!({ "id": NAME, "mcp": server });
    let choices = Choices { private: true, timeout_s: args.timeout, ..Choices::default() };
    Ok(Order { manifest, choices, grants: None, secrets })
}

/// A gateway over a store that is gone with the process.
async fn open(args: &ProbeArgs) -> anyhow::Result<(Gateway, Store, Caller)> {
    let config = args.place.config()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ids = Ids::new(Arc::clone(&clock));
    let options = store::Options { place: store::Place::Memory, clock: Arc::clone(&clock), ids, node: NAME.to_owned() };
    let store = Store::open(options).await?;
    let egress = Arc::new(Egress::new(options::way_out(&config)?, Arc::clone(&clock))?);
    Ok((Gateway::new(store.clone(), egress, Box::new(InMemory), clock), store, Identity::house()))
}

async fn look(
    gateway: &Gateway,
    caller: &Caller,
    args: &ProbeArgs,
    order: Order,
    arguments: Map<String, Value>,
) -> anyhow::Result<()> {
    let found = gateway.install(caller, order).await.map_err(flawed)?;
    if let Some(flaw) = &found.unreachable {
        bail!("{}", flaw.message);
    }
    match (&args.call, &args.prompt) {
        (Some(tool), _) => {
            let spec = found.manifest.called(tool).with_context(|| format!("the server has no tool {tool:?}"))?;
            let arguments = Value::Object(arguments).to_string();
            let call = ToolCall { id: String::new(), name: spec.name.clone(), arguments };
            let answered = gateway.call(caller, None, &call, Vec::new()).await;
            match answered.step.error {
                None => print::line(format_args!("{}", answered.text)),
                Some(code) => bail!("{code}: {}", why(&answered.text)),
            }
        }
        (None, Some(prompt)) => {
            let plain = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let arguments = arguments.into_iter().map(|(name, value)| (name, plain(value))).collect();
            let text = gateway.prompt(caller, NAME, prompt, &arguments).await?;
            print::line(format_args!("{text}"));
        }
        (None, None) => show(&found, args.json),
    }
    Ok(())
}

/// Every flaw on a line of its own.
fn flawed(error: Error) -> anyhow::Error {
    match error {
        Error::Flawed { flaws } => {
            let lines: Vec<String> = flaws.iter().map(|flaw| format!("{}: {}", flaw.field, flaw.message)).collect();
            anyhow::anyhow!("{}", lines.join("\n"))
        }
        other => other.into(),
    }
}

/// The sentence of what a model would have read.
fn why(text: &str) -> String {
    let told: Value = serde_json::from_str(text).unwrap_or_default();
    told["message"].as_str().unwrap_or(text).to_owned()
}

fn show(found: &Installed, json: bool) {
    let none = Listing::default();
    let listing = found.choices.listed.as_deref().unwrap_or(&none);
    if json {
        print::line(format_args!("{:#}", json!(listing)));
        return;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, version) = (text(&listing.server["name"]), text(&listing.server["version"]));
    print::line(format_args!("{name} {version}, protocol {}", listing.protocol));
    let hint = |tool: &Value| {
        let said = |hint: &str| tool["annotations"][hint] == Value::Bool(true);
        let words =
            [("readOnlyHint", "reads only"), ("destructiveHint", "destructive"), ("idempotentHint", "idempotent")];
        words.into_iter().filter(|(name, _)| said(name)).map(|(_, word)| word).collect::<Vec<_>>().join(", ")
    };
    let line = |value: &Value| text(value).lines().next().unwrap_or_default().chars().take(80).collect::<String>();
    let tools: Vec<[String; 3]> =
        listing.tools.iter().map(|tool| [text(&tool["name"]), hint(tool), line(&tool["description"])]).collect();
    print::line(format_args!("\n{} tools", tools.len()));
    if !tools.is_empty() {
        print::table(["TOOL", "HINTS", "DESCRIPTION"], &tools);
    }
    for (what, all, key) in [
        ("resources", &listing.resources, "uri"),
        ("resource templates", &listing.templates, "uriTemplate"),
        ("prompts", &listing.prompts, "name"),
    ] {
        if !all.is_empty() {
            print::line(format_args!("\n{} {what}", all.len()));
            let rows: Vec<[String; 2]> = all.iter().map(|one| [text(&one[key]), line(&one["description"])]).collect();
            print::table(["NAME", "DESCRIPTION"], &rows);
        }
    }
}

/// Nothing is stored, so nothing is sealed: the values go through memory as they are.
struct InMemory;

impl Vault for InMemory {
    fn seal(&self, _: &str, plain: &[u8]) -> Option<Vec<u8>> {
        Some(plain.to_vec())
    }

    fn open(&self, _: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.to_vec())
    }
}
