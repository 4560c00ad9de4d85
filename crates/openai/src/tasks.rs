//! Bodies and answers of what is asked besides words: what the house must know of them, and the usage they tell.

use domain::{Task, Tokens, Usage};
use serde_json::Value;

use crate::body::{Fields, estimate, model_of, text};
use crate::{Error, Scan};

/// Looks at a JSON body of this task. Every error names the field.
pub fn scan_task(task: Task, body: &[u8]) -> Result<Scan<'_>, Error> {
    let needed: &[&str] = match task {
        Task::Embeddings | Task::Speech => &["input"],
        Task::Rerank => &["query", "documents"],
        _ => &["prompt"],
    };
    let mut names = vec!["model", "stream"];
    names.extend_from_slice(needed);
    let fields = Fields::read(text(body)?, &names)?;
    let model = model_of(fields.raw(0))?;
    let mut prompt_tokens = Tokens(0);
    for (at, name) in needed.iter().enumerate() {
        let raw = fields.raw(at + 2).ok_or_else(|| Error::invalid(name, "is missing"))?;
        check(task, name, raw)?;
        prompt_tokens = prompt_tokens + tokens(raw);
    }
    let stream = fields.flag(1, "stream")?;
    Ok(Scan { model, stream, wants_usage: false, max_tokens: Some(0), n: 1, prompt_tokens })
}

fn check(task: Task, name: &str, raw: &str) -> Result<(), Error> {
    let (string, list) = (raw.starts_with('"'), raw.starts_with('['));
    let empty = raw == "\"\"" || (list && raw[1..].trim_start().starts_with(']'));
    let right = match (task, name) {
        (Task::Embeddings, _) => string || list,
        (_, "documents") => list,
        _ => string,
    };
    match (right, empty) {
        (false, _) if name == "documents" => Err(Error::invalid(name, "must be an array")),
        (false, _) if task == Task::Embeddings => Err(Error::invalid(name, "must be a string or an array")),
        (false, _) => Err(Error::invalid(name, "must be a string")),
        (true, true) => Err(Error::invalid(name, "is empty")),
        (true, false) => Ok(()),
    }
}

/// Token ids count as what they are; everything else as text.
fn tokens(raw: &str) -> Tokens {
    let inner = raw.trim_start_matches(['[', ' ', '\n', '\r', '\t']);
    if raw.starts_with('[') && inner.starts_with(|c: char| c.is_ascii_digit()) {
        let numbers = raw.split(',').count();
        return Tokens(u32::try_from(numbers).unwrap_or(u32::MAX));
    }
    estimate(raw)
}

/// The usage an answer of any task tells: OpenAI's (`usage` with prompt or input tokens), Jina's (`usage.total_tokens`), Cohere's
/// (`meta.tokens`, `meta.billed_units`). `None` where it tells no tokens.
pub fn usage_of(json: &[u8]) -> Option<Usage> {
    #[derive(serde::Deserialize)]
    struct Told {
        #[serde(default)]
        usage: Option<Value>,
        #[serde(default)]
        meta: Option<Value>,
    }
    let told: Told = serde_json::from_slice(json).ok()?;
    let meta = told.meta.as_ref();
    let place = told.usage.as_ref().or_else(|| meta?.get("tokens")).or_else(|| meta?.get("billed_units"))?;
    let count = |names: &[&str]| {
        let number = names.iter().find_map(|name| place.get(*name).and_then(Value::as_f64));
        number.map(|number| Tokens(number.max(0.0) as u32))
    };
    let completion = count(&["completion_tokens", "output_tokens"]);
    let prompt = count(&["prompt_tokens", "input_tokens"]);
    let prompt = match (prompt, completion, count(&["total_tokens"])) {
        (Some(prompt), ..) => prompt,
        (None, written, Some(total)) => Tokens(total.0.saturating_sub(written.unwrap_or_default().0)),
        (None, Some(_), None) => Tokens(0),
        (None, None, None) => return None,
    };
    Some(Usage { prompt, completion: completion.unwrap_or_default(), reported: true, ..Usage::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_in_the_words_of_every_vendor() {
        for (json, expected) in [
            (r#"{"usage":{"prompt_tokens":8,"total_tokens":8}}"#, Some((8, 0))),
            (r#"{"usage":{"total_tokens":15}}"#, Some((15, 0))),
            (r#"{"usage":{"type":"tokens","input_tokens":14,"output_tokens":45,"total_tokens":59}}"#, Some((14, 45))),
            (r#"{"usage":{"type":"duration","seconds":9}}"#, None),
            (r#"{"meta":{"tokens":{"input_tokens":20.0,"output_tokens":0.0}}}"#, Some((20, 0))),
            (r#"{"meta":{"billed_units":{"search_units":1}}}"#, None),
            (r#"{"data":[]}"#, None),
            ("not JSON", None),
        ] {
            let usage = usage_of(json.as_bytes()).map(|usage| (usage.prompt.0, usage.completion.0));
            assert_eq!(usage, expected, "{json}");
        }
    }

    #[test]
    fn a_body_says_which_field_is_wrong() {
        for (task, body, says) in [
            (Task::Embeddings, r#"{"model":"m"}"#, "input: is missing"),
            (Task::Embeddings, r#"{"model":"m","input":7}"#, "input: must be a string or an array"),
            (Task::Embeddings, r#"{"model":"m","input":[]}"#, "input: is empty"),
            (Task::Embeddings, r#"{"input":"a"}"#, "model: is missing"),
            (Task::Rerank, r#"{"model":"m","query":"q"}"#, "documents: is missing"),
            (Task::Rerank, r#"{"model":"m","query":"q","documents":"d"}"#, "documents: must be an array"),
            (Task::Rerank, r#"{"model":"m","query":["q"],"documents":["d"]}"#, "query: must be a string"),
            (Task::Speech, r#"{"model":"m","input":""}"#, "input: is empty"),
            (Task::Image, r#"{"model":"m"}"#, "prompt: is missing"),
        ] {
            assert_eq!(scan_task(task, body.as_bytes()).expect_err(says).to_string(), says);
        }
        let ids = scan_task(Task::Embeddings, br#"{"model":"m","input":[[1,22],[333]]}"#).expect("a body");
        assert_eq!((ids.prompt_tokens, ids.max_tokens), (Tokens(3), Some(0)));
    }
}
