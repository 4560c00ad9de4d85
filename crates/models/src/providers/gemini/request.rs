//! A chat in the OpenAI dialect as a `GenerateContentRequest` (<https://ai.google.dev/api/generate-content>), and the one table of
//! what becomes of each parameter.

use std::collections::HashMap;

use domain::{Dialect, ModelError, Prompt};
use serde_json::{Map, Value, json};

use super::{Known, bare};
use crate::providers::memory::Memory;
use crate::providers::translation::Fate::{Dropped, House, Mapped, Refused};
use crate::providers::translation::{
    Asked, Assistant, Call, Choice, Format, Part, Table, Tool, Turn, client, join, wrong,
};

const WHO: &str = "Gemini models";
/// Stands for the signature of a call that another model made, or that is no longer known: Gemini 3 refuses calls without one
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
const UNSIGNED: &str = "skip_thought_signature_validator";

/// Every parameter of the OpenAI dialect and what becomes of it. One that is not here is dropped, and the client is told.
pub(in crate::providers) const TABLE: Table = &[
    ("model", House),
    ("messages", Mapped),
    ("stream", House),
    ("stream_options", House),
    // `generationConfig.maxOutputTokens`
    ("max_tokens", Mapped),
    ("max_completion_tokens", Mapped),
    // `generationConfig.stopSequences`
    ("stop", Mapped),
    ("temperature", Mapped),
    // `generationConfig.topP`
    ("top_p", Mapped),
    // `generationConfig.topK`
    ("top_k", Mapped),
    // `generationConfig.seed`, whose 31 lowest bits are sent: Gemini's is a positive int32.
    ("seed", Mapped),
    // `generationConfig.presencePenalty`
    ("presence_penalty", Mapped),
    // `generationConfig.frequencyPenalty`
    ("frequency_penalty", Mapped),
    // `tools.functionDeclarations`
    ("tools", Mapped),
    // `toolConfig.functionCallingConfig`
    ("tool_choice", Mapped),
    // `generationConfig.responseMimeType` and `responseJsonSchema`
    ("response_format", Mapped),
    // `generationConfig.thinkingConfig`: a level, or a budget before Gemini 3; what a model cannot do is dropped.
    ("reasoning_effort", Mapped),
    // `serviceTier`: `default` as `standard`, `flex`, `priority`; others are dropped.
    ("service_tier", Mapped),
    // `generationConfig.responseLogprobs`
    ("logprobs", Mapped),
    // `generationConfig.logprobs`
    ("top_logprobs", Mapped),
    ("parallel_tool_calls", Dropped),
    ("min_p", Dropped),
    ("repetition_penalty", Dropped),
    ("logit_bias", Dropped),
    ("user", Dropped),
    ("safety_identifier", Dropped),
    ("metadata", Dropped),
    ("store", Dropped),
    ("prediction", Dropped),
    ("prompt_cache_key", Dropped),
    ("prompt_cache_retention", Dropped),
    ("verbosity", Dropped),
    ("n", Refused),
    ("audio", Refused),
    ("modalities", Refused),
    ("web_search_options", Refused),
    ("functions", Refused),
    ("function_call", Refused),
];

/// A request as it goes out.
pub(super) struct Written {
    pub(super) body: Value,
    /// The parameters that were left out of it.
    pub(super) dropped: Vec<String>,
    /// Whether log probabilities are asked for.
    pub(super) weighed: bool,
}

/// The request.
pub(super) fn write(prompt: &Prompt, known: Known, memory: &Memory) -> Result<Written, ModelError> {
    let mut asked = Asked::read(prompt, TABLE, WHO)?;
    // Only OpenAI's chunks have room for them.
    if asked.get("logprobs").is_some() && client(prompt) != Some(Dialect::OpenAi) {
        asked.leave_out("logprobs");
    }
    let signs = !is_before_three(&prompt.model);
    let (system, contents) = conversation(&asked.turns, memory, signs)?;
    let mut out = Map::new();
    out.insert("contents".to_owned(), contents);
    if !system.is_empty() {
        out.insert("systemInstruction".to_owned(), json!({"parts": system}));
    }
    if !asked.tools.is_empty() {
        let declared: Vec<Value> = asked.tools.iter().map(tool).collect();
        out.insert("tools".to_owned(), json!([{"functionDeclarations": declared}]));
        if let Some(config) = choice(&asked) {
            out.insert("toolConfig".to_owned(), json!({"functionCallingConfig": config}));
        }
    }
    match asked.get("service_tier").and_then(Value::as_str) {
        Some("default") => drop(out.insert("serviceTier".to_owned(), "standard".into())),
        Some(tier @ ("flex" | "priority")) => drop(out.insert("serviceTier".to_owned(), tier.into())),
        Some("auto") | None => {}
        Some(_) => asked.drop("service_tier"),
    }
    let config = generation(&mut asked, &prompt.model, known);
    if !config.is_empty() {
        out.insert("generationConfig".to_owned(), Value::Object(config));
    }
    let weighed = out.get("generationConfig").is_some_and(|config| config.get("responseLogprobs").is_some());
    Ok(Written { body: Value::Object(out), dropped: asked.dropped, weighed })
}

/// Whether a model thinks by budget and signs nothing that it insists on seeing again. The list of models does not tell.
fn is_before_three(model: &str) -> bool {
    let name = bare(model);
    ["gemini-1", "gemini-2", "gemma-", "learnlm-"].iter().any(|family| name.starts_with(family))
}

/// System texts and contents.
fn conversation(turns: &[Turn], memory: &Memory, signs: bool) -> Result<(Vec<Value>, Value), ModelError> {
    let (mut system, mut contents) = (Vec::new(), Vec::<Value>::new());
    let mut names = HashMap::<&str, &str>::new();
    for turn in turns {
        let (role, parts) = match turn {
            Turn::System(text) => {
                system.extend((!text.is_empty()).then(|| json!({"text": text})));
                continue;
            }
            Turn::User(parts) => ("user", parts.iter().filter_map(part).collect()),
            Turn::Tool(id, parts) => {
                let Some(name) = names.get(id.as_str()) else {
                    return Err(wrong(format!("messages: no call before it has the tool_call_id {id:?}")));
                };
                ("user", vec![result(id, name, parts)])
            }
            Turn::Assistant(said) => {
                names.extend(said.calls.iter().map(|call| (call.id.as_str(), call.name.as_str())));
                ("model", assistant(said, memory, signs))
            }
        };
        join(&mut contents, role, "parts", parts);
    }
    if contents.is_empty() {
        return Err(wrong("messages: there is nothing to answer".to_owned()));
    }
    Ok((system, Value::Array(contents)))
}

fn part(part: &Part) -> Option<Value> {
    match part {
        Part::Text(text) => (!text.is_empty()).then(|| json!({"text": text})),
        Part::Picture(media_type, data) => Some(json!({"inlineData": {"mimeType": media_type, "data": data}})),
        Part::Address(url) => {
            let mut file = json!({"fileUri": url});
            if let Some(media_type) = media_type(url) {
                file["mimeType"] = media_type.into();
            }
            Some(json!({"fileData": file}))
        }
    }
}

/// What the end of an address says of the picture behind it.
fn media_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default().to_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| path.ends_with(ending));
    [
        (&[".png"][..], "image/png"),
        (&[".jpg", ".jpeg"], "image/jpeg"),
        (&[".webp"], "image/webp"),
        (&[".heic"], "image/heic"),
        (&[".heif"], "image/heif"),
        (&[".gif"], "image/gif"),
    ]
    .into_iter()
    .find(|(endings, _)| ends(endings))
    .map(|(_, media_type)| media_type)
}

/// The result of a call. A result that is a JSON object is one; any other text is its `output`.
fn result(id: &str, name: &str, parts: &[Part]) -> Value {
    let texts: Vec<&str> =
        parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(&**text) } else { None }).collect();
    let text = texts.join("\n");
    let response = match serde_json::from_str::<Map<String, Value>>(&text) {
        Ok(object) => Value::Object(object),
        Err(_) => json!({"output": text}),
    };
    let mut response = json!({"id": id, "name": name, "response": response});
    let pictures: Vec<Value> = parts.iter().filter(|part| !matches!(part, Part::Text(_))).filter_map(part).collect();
    if !pictures.is_empty() {
        response["parts"] = Value::Array(pictures);
    }
    json!({"functionResponse": response})
}

/// What the model said. Of parallel calls the first one alone is signed.
fn assistant(said: &Assistant, memory: &Memory, signs: bool) -> Vec<Value> {
    let mut parts: Vec<Value> = part(&Part::Text(said.text.clone())).into_iter().collect();
    for (at, call) in said.calls.iter().enumerate() {
        let mut part = json!({"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}});
        let stand_in = (at == 0 && signs).then(|| UNSIGNED.to_owned());
        if let Some(signature) = signature(call).or_else(|| memory.of(&call.id)).or(stand_in) {
            part["thoughtSignature"] = signature.into();
        }
        parts.push(part);
    }
    parts
}

/// As Google's own door for OpenAI clients hands it out.
fn signature(call: &Call) -> Option<String> {
    call.extra.get("extra_content")?.pointer("/google/thought_signature")?.as_str().map(str::to_owned)
}

fn tool(tool: &Tool) -> Value {
    let mut out = json!({"name": tool.name});
    if let Some(description) = &tool.description {
        out["description"] = description.as_str().into();
    }
    if let Some(parameters) = &tool.parameters {
        out["parametersJsonSchema"] = parameters.clone();
    }
    out
}

fn choice(asked: &Asked) -> Option<Value> {
    // Held to the schemas, but free not to call: what OpenAI calls strict.
    let free = if asked.tools.iter().any(|tool| tool.strict) { "VALIDATED" } else { "AUTO" };
    Some(match &asked.choice {
        None if free == "AUTO" => return None,
        None | Some(Choice::Auto) => json!({"mode": free}),
        Some(Choice::Never) => json!({"mode": "NONE"}),
        Some(Choice::Some) => json!({"mode": "ANY"}),
        Some(Choice::One(name)) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        Some(Choice::Among(names, must)) => {
            json!({"mode": if *must { "ANY" } else { "VALIDATED" }, "allowedFunctionNames": names})
        }
    })
}

/// `generationConfig`
fn generation(asked: &mut Asked, model: &str, known: Known) -> Map<String, Value> {
    let mut config = Map::new();
    for (name, own) in [
        ("temperature", "temperature"),
        ("top_p", "topP"),
        ("top_k", "topK"),
        ("presence_penalty", "presencePenalty"),
        ("frequency_penalty", "frequencyPenalty"),
    ] {
        if let Some(value) = asked.get(name) {
            config.insert(own.to_owned(), value.clone());
        }
    }
    let mut put = |name: &str, value: Value| config.insert(name.to_owned(), value);
    if let Some(seed) = asked.get("seed").and_then(Value::as_i64) {
        put("seed", (seed & i64::from(i32::MAX)).into());
    }
    if let Some(most) = asked.max_tokens {
        put("maxOutputTokens", most.into());
    }
    if !asked.stop.is_empty() {
        put("stopSequences", json!(asked.stop));
    }
    if !matches!(asked.format, Format::Free) {
        put("responseMimeType", "application/json".into());
    }
    if let Format::Schema(schema) = &asked.format {
        put("responseJsonSchema", schema.clone());
    }
    if asked.get("logprobs") == Some(&Value::Bool(true)) {
        put("responseLogprobs", true.into());
        if let Some(alternatives) = asked.get("top_logprobs").filter(|most| most.as_u64() != Some(0)) {
            put("logprobs", alternatives.clone());
        }
    }
    if let Some(thinking) = thinking(asked, model, known) {
        put("thinkingConfig", thinking);
    }
    config
}

/// How the model thinks, as Google's own door for OpenAI clients reads the word
/// (<https://ai.google.dev/gemini-api/docs/openai#thinking>). Where it cannot, the parameter is dropped.
fn thinking(asked: &mut Asked, model: &str, known: Known) -> Option<Value> {
    let name = bare(model);
    let told = (known.thinks == Some(true)).then(|| json!({"includeThoughts": true}));
    let Some(effort) = asked.effort.clone() else { return told };
    let by_budget = is_before_three(model);
    if known.thinks == Some(false) || (effort == "none" && (!by_budget || name.contains("-pro"))) {
        asked.drop("reasoning_effort");
        return told;
    }
    if by_budget {
        let budget = match effort.as_str() {
            "none" => return Some(json!({"thinkingBudget": 0})),
            "minimal" | "low" => 1_024,
            "medium" => 8_192,
            _ => 24_576,
        };
        return Some(json!({"includeThoughts": true, "thinkingBudget": budget}));
    }
    let level = match effort.as_str() {
        // The larger models do not go lower.
        "minimal" if name.contains("flash") => "minimal",
        "minimal" | "low" => "low",
        "medium" => "medium",
        _ => "high",
    };
    Some(json!({"includeThoughts": true, "thinkingLevel": level}))
}
