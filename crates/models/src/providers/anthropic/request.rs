//! A chat in the OpenAI dialect as a request of Anthropic's Messages API, and the one table of what becomes of each parameter.

use domain::{ModelError, Prompt};
use serde_json::{Map, Value, json};

use super::Known;
use crate::providers::memory::Memory;
use crate::providers::translation::Fate::{Dropped, House, Mapped, Refused};
use crate::providers::translation::{Asked, Assistant, Choice, Format, Part, Table, Tool, Turn, join, wrong};

const WHO: &str = "Anthropic's models";
/// The longest answer where neither the client nor the list of models says: Anthropic demands a number.
const MAX_TOKENS: u64 = 4_096;
/// Anthropic's smallest budget of thinking.
const LEAST_BUDGET: u64 = 1_024;

/// Every parameter of the OpenAI dialect and what becomes of it. One that is not here is dropped, and the client is told.
pub(in crate::providers) const TABLE: Table = &[
    ("model", House),
    ("messages", Mapped),
    ("stream", House),
    ("stream_options", House),
    // `max_tokens`; the model's own limit where absent, 4,096 where that is not known.
    ("max_tokens", Mapped),
    ("max_completion_tokens", Mapped),
    // `stop_sequences`
    ("stop", Mapped),
    ("tools", Mapped),
    ("tool_choice", Mapped),
    // `tool_choice.disable_parallel_tool_use`
    ("parallel_tool_calls", Mapped),
    // `output_config.format`; `json_object`, which has no schema, is dropped.
    ("response_format", Mapped),
    // `thinking` and `output_config.effort`
    ("reasoning_effort", Mapped),
    // Anthropic's own, as it is.
    ("thinking", Mapped),
    // `metadata.user_id`
    ("safety_identifier", Mapped),
    ("user", Mapped),
    // `auto`, and `default` as `standard_only`; others are dropped.
    ("service_tier", Mapped),
    // Taken away by version 2026-10-21 of the interface.
    ("temperature", Dropped),
    ("top_p", Dropped),
    ("top_k", Dropped),
    ("min_p", Dropped),
    ("frequency_penalty", Dropped),
    ("presence_penalty", Dropped),
    ("repetition_penalty", Dropped),
    ("logit_bias", Dropped),
    ("seed", Dropped),
    ("metadata", Dropped),
    ("store", Dropped),
    ("prediction", Dropped),
    ("prompt_cache_key", Dropped),
    ("prompt_cache_retention", Dropped),
    ("verbosity", Dropped),
    ("logprobs", Refused),
    ("top_logprobs", Refused),
    ("n", Refused),
    ("audio", Refused),
    ("modalities", Refused),
    ("web_search_options", Refused),
    ("functions", Refused),
    ("function_call", Refused),
];

/// The request, and the parameters that were left out of it.
pub(super) fn write(prompt: &Prompt, known: &Known, memory: &Memory) -> Result<(Value, Vec<String>), ModelError> {
    let mut asked = Asked::read(prompt, TABLE, WHO)?;
    let max_tokens = asked.max_tokens.or(known.max_tokens).unwrap_or(MAX_TOKENS);
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("model", prompt.model.as_str().into());
    put("max_tokens", max_tokens.into());
    if prompt.stream {
        put("stream", true.into());
    }
    let (system, messages, unsigned) = conversation(&asked.turns, memory)?;
    put("messages", messages);
    if !system.is_empty() {
        put("system", system.join("\n\n").into());
    }
    if !asked.stop.is_empty() {
        put("stop_sequences", json!(asked.stop));
    }
    if let Some(Choice::Among(names, _)) = &asked.choice {
        asked.tools.retain(|tool| names.contains(&tool.name));
    }
    if !asked.tools.is_empty() {
        put("tools", asked.tools.iter().map(tool).collect());
    }
    if let Some(choice) = choice(&asked) {
        put("tool_choice", choice);
    }
    let user = asked.get("safety_identifier").or(asked.get("user")).cloned();
    if let Some(user) = user {
        put("metadata", json!({"user_id": user}));
    }
    match asked.get("service_tier").and_then(Value::as_str) {
        Some("default" | "standard_only") => drop(put("service_tier", "standard_only".into())),
        Some("auto") | None => {}
        Some(_) => asked.drop("service_tier"),
    }
    let mut config = Map::new();
    if let Some(thinking) = thinking(&mut asked, known, max_tokens, unsigned, &mut config) {
        put("thinking", thinking);
    }
    match &asked.format {
        Format::Free => {}
        Format::Json => asked.drop("response_format"),
        Format::Schema(schema) => {
            config.insert("format".to_owned(), json!({"type": "json_schema", "schema": schema}));
        }
    }
    if !config.is_empty() {
        put("output_config", Value::Object(config));
    }
    Ok((Value::Object(out), asked.dropped))
}

/// System texts, the messages, and whether the calls that are being answered lack the thoughts that led to them.
fn conversation(turns: &[Turn], memory: &Memory) -> Result<(Vec<String>, Value, bool), ModelError> {
    let (mut system, mut messages, mut unsigned) = (Vec::new(), Vec::<Value>::new(), false);
    for turn in turns {
        let (role, blocks) = match turn {
            Turn::System(text) => {
                system.extend(Some(text.clone()).filter(|text| !text.is_empty()));
                continue;
            }
            Turn::User(parts) => {
                unsigned = false;
                ("user", parts.iter().filter_map(block).collect())
            }
            Turn::Tool(id, parts) => {
                let content: Vec<Value> = parts.iter().filter_map(block).collect();
                ("user", vec![json!({"type": "tool_result", "tool_use_id": id, "content": content})])
            }
            Turn::Assistant(said) => {
                let (blocks, signed) = assistant(said, memory);
                unsigned = !said.calls.is_empty() && !signed;
                ("assistant", blocks)
            }
        };
        join(&mut messages, role, "content", blocks);
    }
    if messages.is_empty() {
        return Err(wrong("messages: there is nothing to answer".to_owned()));
    }
    Ok((system, Value::Array(messages), unsigned))
}

fn block(part: &Part) -> Option<Value> {
    let source = match part {
        // Empty text blocks are refused.
        Part::Text(text) => return (!text.is_empty()).then(|| json!({"type": "text", "text": text})),
        Part::Picture(media_type, data) => json!({"type": "base64", "media_type": media_type, "data": data}),
        Part::Address(url) => json!({"type": "url", "url": url}),
    };
    Some(json!({"type": "image", "source": source}))
}

/// What the model said, each call behind the thoughts that led to it, and whether there were any.
fn assistant(said: &Assistant, memory: &Memory) -> (Vec<Value>, bool) {
    // As other gateways hand them out; ours remembers by call.
    let given = said.extra.get("thinking_blocks").and_then(Value::as_array);
    let mut blocks: Vec<Value> = given.into_iter().flatten().cloned().collect();
    let mut signed = !blocks.is_empty();
    let mut text = block(&Part::Text(said.text.clone()));
    for call in &said.calls {
        let thoughts = memory.of(&call.id).filter(|_| given.is_none());
        let thoughts: Option<Vec<Value>> = thoughts.and_then(|text| serde_json::from_str(&text).ok());
        signed |= thoughts.is_some();
        blocks.extend(thoughts.into_iter().flatten());
        blocks.extend(text.take());
        blocks.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}));
    }
    blocks.extend(text);
    (blocks, signed)
}

fn tool(tool: &Tool) -> Value {
    let schema = tool.parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    let mut out = json!({"name": tool.name, "input_schema": schema});
    if let Some(description) = &tool.description {
        out["description"] = description.as_str().into();
    }
    if tool.strict {
        out["strict"] = true.into();
    }
    out
}

fn choice(asked: &Asked) -> Option<Value> {
    if asked.tools.is_empty() {
        return None;
    }
    let alone = asked.get("parallel_tool_calls") == Some(&Value::Bool(false));
    let mut choice = match &asked.choice {
        None if !alone => return None,
        None | Some(Choice::Auto) => json!({"type": "auto"}),
        Some(Choice::Never) => return Some(json!({"type": "none"})),
        Some(Choice::Some) => json!({"type": "any"}),
        Some(Choice::One(name)) => json!({"type": "tool", "name": name}),
        // Some of the tools: those alone are offered.
        Some(Choice::Among(_, must)) => json!({"type": if *must { "any" } else { "auto" }}),
    };
    if alone {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Some(choice)
}

/// How the model thinks. Where it is asked for an effort it cannot make, the parameter is dropped.
fn thinking(
    asked: &mut Asked,
    known: &Known,
    max_tokens: u64,
    unsigned: bool,
    config: &mut Map<String, Value>,
) -> Option<Value> {
    if let Some(own) = asked.get("thinking") {
        return Some(own.clone());
    }
    let effort = asked.effort.clone()?;
    let takes = |way: &str| if known.told { known.thinking.iter().any(|one| one == way) } else { way != "enabled" };
    let forced =
        matches!(asked.choice, Some(Choice::Some | Choice::One(_) | Choice::Among(_, true))) && !asked.tools.is_empty();
    if effort == "none" {
        if !takes("disabled") {
            asked.drop("reasoning_effort");
            return None;
        }
        return Some(json!({"type": "disabled"}));
    }
    let word = match effort.as_str() {
        "minimal" => "low",
        "xhigh" if known.told && !known.efforts.iter().any(|one| one == "xhigh") => "high",
        word => word,
    };
    let makes = !known.told || known.efforts.iter().any(|one| one == word);
    if takes("adaptive") {
        if makes {
            config.insert("effort".to_owned(), word.into());
        }
        // A model that must call a tool may not think first.
        return (!forced).then(|| json!({"type": "adaptive", "display": "summarized"}));
    }
    let budget = match word {
        "low" => LEAST_BUDGET,
        "medium" => 4_096,
        _ => 16_384,
    };
    let budget = budget.min(max_tokens.saturating_sub(LEAST_BUDGET).max(LEAST_BUDGET));
    // With a budget, calls that are being answered must come with the signed thoughts that led to them.
    if takes("enabled") && budget < max_tokens && !forced && !unsigned {
        return Some(json!({"type": "enabled", "budget_tokens": budget}));
    }
    asked.drop("reasoning_effort");
    None
}
