//! Calls as grammars, in the way in which a model's family writes them: for an answer that has to be a call, and for one in which a call, once it
//! is begun, has to fit its function's schema. It knows the ways of [`calls`](super::Calls), which reads them.

use serde_json::{Value, json};

use super::{CLOSE, OPEN};
use crate::grammar::{Grammar, Language, Part, Term, Unusable};

/// Calls in one answer, at most, where it has to be calls.
const MOST_CALLS: u32 = 8;

/// How calls are written. A mark that is a control token has no bytes and cannot be asked for; without it the same calls are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `<tool_call>` around each: Qwen, GLM, and models that are told in words.
    Tagged,
    /// A list: Mistral, Phi.
    Listed,
    /// An object with `parameters`: Llama 3.
    Bare,
}

impl Style {
    /// By what stands in a chat template.
    pub(crate) fn of(template: &str) -> Self {
        let has = |mark: &str| template.contains(mark);
        if has("[TOOL_CALLS]") || has("<|tool_call|>") {
            Style::Listed
        } else if !has(OPEN) && has("\"parameters\": ") && (has("ipython") || has("<|python_tag|>")) {
            Style::Bare
        } else {
            Style::Tagged
        }
    }
}

/// An answer that calls one of `functions`, or `many`; where it need not, it is any text in which calls that are begun fit. `None` where that
/// cannot be seen: a call that begins with a control token.
pub(crate) fn grammar(functions: &[&Value], style: Style, must: bool, many: bool) -> Result<Option<Grammar>, Unusable> {
    if !must && style != Style::Tagged {
        return Ok(None);
    }
    let mut grammar = Grammar::default();
    let (root, call) = (grammar.reserve(), grammar.reserve());
    let mut calls = Vec::new();
    for function in functions {
        calls.push(one(&mut grammar, function, style, must)?);
    }
    grammar.define(call, Part::Any(calls))?;
    let (call, text) = (Part::Rule(call), |text: &str| Part::Text(text.to_owned()));
    let more = |before: &str, call: &Part| {
        let next = Part::All(vec![text(before), call.clone()]);
        Part::Repeat(Box::new(next), 0, Some(if many { MOST_CALLS - 1 } else { 0 }))
    };
    let tagged = Part::All(vec![text(OPEN), text("\n"), call.clone(), text("\n"), text(CLOSE)]);
    let whole = match (style, must) {
        (Style::Tagged, true) => Part::All(vec![tagged.clone(), more("\n", &tagged)]),
        (Style::Listed, _) => Part::All(vec![text("["), call.clone(), more(", ", &call), text("]")]),
        (Style::Bare, _) => Part::All(vec![call.clone(), more("; ", &call)]),
        (Style::Tagged, false) => {
            let other = Language::all().minus(&Language::holding(&Term::text(OPEN))?)?;
            let other = Part::Word(grammar.name(other));
            let next = Part::All(vec![tagged, other.clone()]);
            Part::All(vec![other, Part::Repeat(Box::new(next), 0, None)])
        }
    };
    grammar.define(root, whole)?;
    Ok(Some(grammar))
}

fn one(grammar: &mut Grammar, function: &Value, style: Style, must: bool) -> Result<Part, Unusable> {
    let held = must || function["strict"] == true;
    let mut schema = match function.get("parameters") {
        Some(schema) if held && !schema.is_null() => schema.clone(),
        _ => json!({}),
    };
    // Arguments are an object whether the schema says so or not.
    if let Some(keys) = schema.as_object_mut()
        && !keys.contains_key("$ref")
    {
        keys.entry("type").or_insert_with(|| "object".into());
    }
    let named = |Unusable(why)| Unusable(format!("the parameters of {}: {why}", function["name"]));
    let arguments = Grammar::of_schema(&schema).map_err(named)?;
    let key = if style == Style::Bare { "parameters" } else { "arguments" };
    Ok(Part::All(vec![
        Part::Text(format!("{{\"name\": {}, \"{key}\": ", function["name"])),
        Part::Rule(grammar.take_in(arguments)),
        Part::Text("}".into()),
    ]))
}
