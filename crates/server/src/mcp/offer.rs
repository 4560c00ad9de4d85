//! What the MCP door offers: one tool for each assistant that answers the caller, and their kept texts as prompts. Who may see what
//! is the store's; a question takes the line of every passing turn, with the limits of its key.

use ::assistants::{Unit, fill, named};
use chat::TryOut;
use domain::{AssistantId, Caller};
use identity::Keyholder;
use serde_json::{Map, Value, json};

use super::Fault;
use crate::Server;
use crate::door::failed;
use crate::{Problem, portal};

/// The door's name in usage rows and metrics.
const DOOR: &str = "mcp";
/// How many things one page lists.
const PAGE: usize = 100;
/// The longest question, in characters.
const QUESTION: usize = 20_000;
/// The longest description of a prompt, in characters.
const DESCRIPTION: usize = 120;

/// An assistant under the name of its tool.
struct Offer {
    tool: String,
    unit: Unit,
}

pub(super) async fn tools(server: &Server, caller: &Caller, params: &Value) -> Result<Value, Fault> {
    let offers = offers(server, caller).await?;
    let tool = |offer: &Offer| {
        let summary = offer.unit.summary.trim();
        let about = if summary.is_empty() { String::new() } else { format!(": {summary}") };
        let question = json!({ "type": "string", "minLength": 1, "maxLength": QUESTION, "description": "The whole question, with all that is needed to answer it" });
        json!({
            "name": offer.tool,
            "title": offer.unit.name,
            "description": format!("Asks the assistant {}{about}", offer.unit.name),
            "inputSchema": { "type": "object", "properties": { "question": question }, "required": ["question"], "additionalProperties": false },
            "annotations": { "title": offer.unit.name, "readOnlyHint": true, "openWorldHint": false },
        })
    };
    page("tools", &offers.iter().map(tool).collect::<Vec<_>>(), params)
}

pub(super) async fn call(server: &Server, holder: &Keyholder, params: &Value) -> Result<Value, Fault> {
    let name = params["name"].as_str().ok_or_else(|| Fault::params("name: say which tool"))?;
    let offers = offers(server, &holder.caller).await?;
    let offer = offers.into_iter().find(|offer| offer.tool == name);
    let offer = offer.ok_or_else(|| Fault::params(format!("there is no tool {name:?}")))?;
    // What a model got wrong, it is told as the tool's answer, so that it can do better.
    let question = match params["arguments"]["question"].as_str().map(str::trim) {
        None | Some("") => return Ok(failure("question: it is missing")),
        Some(question) if question.chars().count() > QUESTION => {
            return Ok(failure(&format!("question: it has more than {QUESTION} characters")));
        }
        Some(question) => question.to_owned(),
    };
    let scope = std::sync::Arc::clone(&holder.scope);
    let ask = TryOut { unit: offer.unit, question, model: None, utc_offset: 0, door: DOOR, scope };
    let answered = match Box::pin(server.chat.try_out(&holder.caller, ask)).await {
        Ok(answered) => answered,
        Err(error) => {
            let problem = Problem::from(error);
            metrics::counter!("portico_refusals_total", "code" => problem.code).increment(1);
            return Ok(failure(&problem.message));
        }
    };
    if let Some(broken) = &answered.ending.failure {
        return Ok(failure(&failed(broken).message));
    }
    Ok(json!({ "content": [{ "type": "text", "text": answered.text }], "isError": false }))
}

fn failure(message: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": message }], "isError": true })
}

/// The published assistants that the caller sees, by age, so that a name stays with the one that had it first.
async fn offers(server: &Server, caller: &Caller) -> Result<Vec<Offer>, Fault> {
    let mut all = server.store.assistants(caller).await?;
    all.sort_by_key(|one| one.id.to_string());
    let mut offers: Vec<Offer> = Vec::new();
    for one in all {
        let Some((_, published)) = &one.published else { continue };
        let unit = portal::assistants::unit(published)?;
        let short = format!("ask_{}", slug(&unit.name));
        let free = short != "ask_" && offers.iter().all(|offer| offer.tool != short);
        let tool = if free { short } else { format!("ask_{}", tail(one.id)) };
        offers.push(Offer { tool, unit });
    }
    Ok(offers)
}

/// The words of a name that every program can write.
fn slug(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join("_").chars().take(40).collect()
}

/// The end of an id, which differs where its beginning is a time.
fn tail(id: AssistantId) -> String {
    let id = id.to_string();
    id.chars().skip(id.len().saturating_sub(12)).collect()
}

/// A kept text under its name.
struct Kept {
    name: String,
    text: String,
}

pub(super) async fn prompts(server: &Server, caller: &Caller, params: &Value) -> Result<Value, Fault> {
    let prompt = |kept: &Kept| {
        let arguments: Vec<Value> =
            variables(&kept.text).into_iter().map(|name| json!({ "name": name, "required": false })).collect();
        let mut about: String = kept.text.chars().take(DESCRIPTION).collect();
        if about.len() < kept.text.len() {
            about.push('…');
        }
        json!({ "name": kept.name, "title": kept.name, "description": about, "arguments": arguments })
    };
    let all = kept(server, caller).await?;
    page("prompts", &all.iter().map(prompt).collect::<Vec<_>>(), params)
}

pub(super) async fn prompt(server: &Server, caller: &Caller, params: &Value) -> Result<Value, Fault> {
    let name = params["name"].as_str().ok_or_else(|| Fault::params("name: say which prompt"))?;
    let found = kept(server, caller).await?.into_iter().find(|kept| kept.name == name);
    let found = found.ok_or_else(|| Fault::params(format!("there is no prompt {name:?}")))?;
    let none = Map::new();
    let given = params["arguments"].as_object().unwrap_or(&none);
    let text = fill(&found.text, |name| given.get(name).and_then(Value::as_str).map(str::to_owned));
    Ok(json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": text } }] }))
}

/// The caller's kept texts. Where two have one name, the later ones are told apart by a number.
async fn kept(server: &Server, caller: &Caller) -> Result<Vec<Kept>, Fault> {
    let mut all: Vec<Kept> = Vec::new();
    for row in server.store.prompts(caller).await? {
        let mut names = std::iter::once(row.name.clone()).chain((2..).map(|n| format!("{} ({n})", row.name)));
        let name = names.find(|name| all.iter().all(|kept| kept.name != *name)).unwrap_or_default();
        all.push(Kept { name, text: row.text });
    }
    Ok(all)
}

fn variables(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for name in named(text) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// One page of a list, and where the next begins.
fn page(key: &str, all: &[Value], params: &Value) -> Result<Value, Fault> {
    let from = match &params["cursor"] {
        Value::Null => 0,
        Value::String(cursor) => cursor.parse().ok().filter(|from| *from < all.len()).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let Some(rest) = all.get(from..) else {
        return Err(Fault::params("cursor: this list has no such place; begin without one"));
    };
    let mut result = json!({ key: rest.iter().take(PAGE).collect::<Vec<_>>() });
    if rest.len() > PAGE {
        result["nextCursor"] = Value::from((from + PAGE).to_string());
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_every_program_can_write() {
        for (name, expected) in
            [("Insurance claims consultant", "insurance_claims_consultant"), ("保险 A/B-1", "a_b_1"), ("法务", "")]
        {
            assert_eq!(slug(name), expected);
        }
    }

    #[test]
    fn a_list_is_turned_page_by_page() {
        let all: Vec<Value> = (0..PAGE + 1).map(Value::from).collect();
        let first = page("x", &all, &json!({})).unwrap();
        assert_eq!((first["x"].as_array().unwrap().len(), &first["nextCursor"]), (PAGE, &json!("100")));
        let last = page("x", &all, &json!({ "cursor": "100" })).unwrap();
        assert_eq!((&last["x"], last.get("nextCursor")), (&json!([100]), None));
        for cursor in [json!("101"), json!("x"), json!(1), json!("-1")] {
            assert_eq!(page("x", &all, &json!({ "cursor": cursor })).unwrap_err().code, super::super::INVALID_PARAMS);
        }
        assert_eq!(page("x", &[], &Value::Null).unwrap(), json!({ "x": [] }));
    }
}
