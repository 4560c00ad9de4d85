//! Checks a call's arguments against the JSON Schema of its tool: the words of drafts 4 to 2020-12 that descriptions of APIs use.
//! A word that it does not know forbids nothing; nothing is fetched, a `$ref` leads into the same schema.

use domain::ToolError;
use serde_json::Value;

/// How deep schemas and values may lie in each other.
const DEPTH: usize = 64;

/// Whether `value` fits, or where it does not.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<(), ToolError> {
    Checker { root: schema }.check(schema, value, "", 0)
}

struct Checker<'s> {
    root: &'s Value,
}

fn wrong(path: &str, reason: impl Into<String>) -> ToolError {
    let field = if path.is_empty() { "arguments".to_owned() } else { path.trim_start_matches('.').to_owned() };
    ToolError::Invalid { field, reason: reason.into() }
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, path: &str, depth: usize) -> Result<(), ToolError> {
        if depth > DEPTH {
            return Err(wrong(path, "it lies too deep"));
        }
        let Value::Object(words) = schema else {
            return if *schema == Value::Bool(false) { Err(wrong(path, "nothing is allowed here")) } else { Ok(()) };
        };
        if let Some(target) = words.get("$ref").and_then(Value::as_str) {
            let found = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            self.check(found.unwrap_or(&Value::Null), value, path, depth + 1)?;
        }
        if value.is_null() && words.get("nullable") == Some(&Value::Bool(true)) {
            return Ok(());
        }
        self.kind(schema, value, path)?;
        if let Some(all) = words.get("enum").and_then(Value::as_array)
            && !all.contains(value)
        {
            return Err(wrong(path, format!("it must be one of {}", Value::Array(all.clone()))));
        }
        if let Some(constant) = words.get("const")
            && constant != value
        {
            return Err(wrong(path, format!("it must be {constant}")));
        }
        match value {
            Value::Object(_) => self.object(schema, value, path, depth)?,
            Value::Array(items) => self.array(schema, items, path, depth)?,
            Value::String(text) => string(schema, text, path)?,
            Value::Number(_) => number(schema, value, path)?,
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(schema, value, path, depth)
    }

    fn kind(&self, schema: &Value, value: &Value, path: &str) -> Result<(), ToolError> {
        let is = |kind: &str| match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
            _ => true,
        };
        let fits = match &schema["type"] {
            Value::String(kind) => is(kind),
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
            _ => true,
        };
        if fits { Ok(()) } else { Err(wrong(path, format!("it must be of type {}", schema["type"]))) }
    }

    fn object(&self, schema: &Value, value: &Value, path: &str, depth: usize) -> Result<(), ToolError> {
        let Value::Object(fields) = value else { return Ok(()) };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                return Err(wrong(&format!("{path}.{name}"), "it is missing"));
            }
        }
        for (name, value) in fields {
            let path = format!("{path}.{name}");
            match schema["properties"].get(name) {
                Some(schema) => self.check(schema, value, &path, depth + 1)?,
                None => match &schema["additionalProperties"] {
                    Value::Bool(false) => return Err(wrong(&path, "there is no such argument")),
                    more @ Value::Object(_) => self.check(more, value, &path, depth + 1)?,
                    _ => {}
                },
            }
        }
        Ok(())
    }

    fn array(&self, schema: &Value, items: &[Value], path: &str, depth: usize) -> Result<(), ToolError> {
        let bound = |word: &str| schema[word].as_u64().and_then(|bound| usize::try_from(bound).ok());
        if bound("minItems").is_some_and(|least| items.len() < least) {
            return Err(wrong(path, format!("it must have at least {} items", schema["minItems"])));
        }
        if bound("maxItems").is_some_and(|most| items.len() > most) {
            return Err(wrong(path, format!("it must have at most {} items", schema["maxItems"])));
        }
        if schema["items"].is_object() {
            for (at, item) in items.iter().enumerate() {
                self.check(&schema["items"], item, &format!("{path}.{at}"), depth + 1)?;
            }
        }
        Ok(())
    }

    fn combined(&self, schema: &Value, value: &Value, path: &str, depth: usize) -> Result<(), ToolError> {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(part, value, path, depth + 1)?;
        }
        for (word, most) in [("anyOf", usize::MAX), ("oneOf", 1)] {
            let Some(parts) = schema[word].as_array() else { continue };
            let fitting = parts.iter().filter(|part| self.check(part, value, path, depth + 1).is_ok()).count();
            if fitting == 0 || fitting > most {
                return Err(wrong(path, format!("it must fit {word} of {} descriptions", parts.len())));
            }
        }
        Ok(())
    }
}

fn string(schema: &Value, text: &str, path: &str) -> Result<(), ToolError> {
    let length = text.chars().count() as u64;
    if schema["minLength"].as_u64().is_some_and(|least| length < least) {
        return Err(wrong(path, format!("it must have at least {} characters", schema["minLength"])));
    }
    if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
        return Err(wrong(path, format!("it must have at most {} characters", schema["maxLength"])));
    }
    // A pattern that this engine cannot read (look-around, say) is the service's own to judge.
    let pattern = schema["pattern"].as_str().and_then(|pattern| regex::Regex::new(pattern).ok());
    if pattern.is_some_and(|pattern| !pattern.is_match(text)) {
        return Err(wrong(path, format!("it must match {}", schema["pattern"])));
    }
    Ok(())
}

fn number(schema: &Value, value: &Value, path: &str) -> Result<(), ToolError> {
    let Some(number) = value.as_f64() else { return Ok(()) };
    let bound = |word: &str| schema[word].as_f64();
    // Draft 4 writes a boolean beside `minimum`, later ones a number of its own.
    let shut = |word: &str| schema[word] == Value::Bool(true);
    let low = bound("minimum").is_some_and(|least| number < least || shut("exclusiveMinimum") && number == least)
        || bound("exclusiveMinimum").is_some_and(|least| number <= least);
    let high = bound("maximum").is_some_and(|most| number > most || shut("exclusiveMaximum") && number == most)
        || bound("exclusiveMaximum").is_some_and(|most| number >= most);
    if low || high { Err(wrong(path, "it is out of range")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(schema: &Value, value: &Value) -> String {
        check(schema, value).map_or_else(|error| error.to_string(), |()| "fits".to_owned())
    }

    #[test]
    fn arguments_fit_or_the_place_is_named() {
        let schema = json!({
            "type": "object",
            "required": ["id"],
            "additionalProperties": false,
            "properties": {
                "id": { "type": "integer", "minimum": 1 },
                "name": { "type": "string", "maxLength": 3, "pattern": "^[a-z]+$" },
                "kind": { "enum": ["a", "b"] },
                "tags": { "type": "array", "items": { "$ref": "#/$defs/tag" }, "maxItems": 2 },
                "when": { "type": ["string", "null"] },
                "old": { "type": "string", "nullable": true },
                "either": { "oneOf": [{ "type": "string" }, { "type": "number" }] }
            },
            "$defs": { "tag": { "type": "string", "minLength": 1 } }
        });
        for (value, expected) in [
            (
                json!({ "id": 1, "name": "abc", "kind": "a", "tags": ["x"], "when": null, "old": null, "either": 1 }),
                "fits",
            ),
            (json!({ "id": 2.0 }), "fits"),
            (json!([]), "arguments: it must be of type \"object\""),
            (json!({}), "id: it is missing"),
            (json!({ "id": 1.5 }), "id: it must be of type \"integer\""),
            (json!({ "id": 0 }), "id: it is out of range"),
            (json!({ "id": 1, "x": 1 }), "x: there is no such argument"),
            (json!({ "id": 1, "name": "甲乙丙丁" }), "name: it must have at most 3 characters"),
            (json!({ "id": 1, "name": "A" }), "name: it must match \"^[a-z]+$\""),
            (json!({ "id": 1, "kind": "c" }), "kind: it must be one of [\"a\",\"b\"]"),
            (json!({ "id": 1, "tags": ["x", ""] }), "tags.1: it must have at least 1 characters"),
            (json!({ "id": 1, "tags": ["x", "y", "z"] }), "tags: it must have at most 2 items"),
            (json!({ "id": 1, "either": true }), "either: it must fit oneOf of 2 descriptions"),
        ] {
            assert_eq!(told(&schema, &value), expected, "{value}");
        }
    }

    #[test]
    fn a_schema_that_leads_to_itself_ends() {
        let schema = json!({ "$ref": "#" });
        assert_eq!(told(&schema, &json!(1)), "arguments: it lies too deep");
    }
}
