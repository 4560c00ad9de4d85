//! Vectors: an embeddings request in the OpenAI dialect as `batchEmbedContents` (<https://ai.google.dev/api/embeddings>), and its
//! answer back.

use domain::{Batch, Dialect, Finish, ModelError, Prompt, Reply, Tokens, TurnEvent, Usage, Wire};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::providers::translation::Fate::{Dropped, House, Mapped};
use crate::providers::translation::{Table, dropped, wrong};
use crate::providers::wire::Once;

/// Every parameter and what becomes of it. One that is not here is dropped, and the client is told.
const TABLE: Table = &[
    ("model", House),
    ("input", Mapped),
    // `outputDimensionality`
    ("dimensions", Mapped),
    // Numbers always travel; they are packed here.
    ("encoding_format", Mapped),
    // Google's own, as it is: `RETRIEVAL_QUERY` …
    ("task_type", Mapped),
    ("user", Dropped),
];

/// What was asked for.
pub(super) struct Asked {
    pub(super) body: Value,
    packed: bool,
    dropped: Vec<String>,
    /// About how many tokens are read; older versions of the interface do not tell.
    estimate: Tokens,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    embeddings: Vec<Vector>,
    #[serde(default)]
    usage_metadata: Option<Counts>,
}

#[derive(Deserialize)]
struct Vector {
    values: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    #[serde(default)]
    prompt_token_count: Option<u32>,
}

impl Asked {
    /// `model` as a resource.
    pub(super) fn read(prompt: &Prompt, model: &str) -> Result<Asked, ModelError> {
        let bytes = prompt.body.as_ref().map(|body| &body.bytes[..]).unwrap_or_default();
        let fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        let dropped = dropped(&fields, TABLE, "Gemini's embedders")?;
        let texts = texts(fields.get("input"))?;
        let request = |text: &&str| {
            let mut one = json!({"model": model, "content": {"parts": [{"text": text}]}});
            for (name, own) in [("dimensions", "outputDimensionality"), ("task_type", "taskType")] {
                if let Some(value) = fields.get(name).filter(|value| !value.is_null()) {
                    one[own] = value.clone();
                }
            }
            one
        };
        let body = json!({"requests": texts.iter().map(request).collect::<Vec<_>>()});
        let packed = fields.get("encoding_format").is_some_and(|format| format == "base64");
        Ok(Asked { body, packed, dropped, estimate: texts.iter().map(|text| Tokens::estimate(text)).sum() })
    }

    /// The answer in the OpenAI dialect: there is no other for it.
    pub(super) fn answer(self, bytes: &[u8], url: &str, model: &str) -> Result<Reply, ModelError> {
        let answer: Answer = serde_json::from_slice(bytes)
            .map_err(|error| ModelError::Garbled { url: url.to_owned(), reason: error.to_string() })?;
        let told = answer.usage_metadata.and_then(|counts| counts.prompt_token_count).map(Tokens);
        let read = told.unwrap_or(self.estimate);
        let data: Vec<Value> = answer.embeddings.iter().enumerate().map(|(at, one)| self.vector(at, one)).collect();
        let usage = json!({"prompt_tokens": read.0, "total_tokens": read.0});
        let body = json!({"object": "list", "data": data, "model": model, "usage": usage});
        let used = Usage { prompt: read, reported: told.is_some(), ..Usage::default() };
        let batch = Batch {
            events: vec![TurnEvent::Used { usage: used }, TurnEvent::Finished { finish: Finish::Stop, failure: None }],
            wire: Some(Wire { dialect: Dialect::OpenAi, bytes: body.to_string().into() }),
        };
        Ok(Reply { dropped: self.dropped, ..Reply::new(Box::pin(Once(Some(batch)))) })
    }

    fn vector(&self, at: usize, vector: &Vector) -> Value {
        let values = match self.packed {
            true => Value::String(pack(&vector.values)),
            false => json!(vector.values),
        };
        json!({"object": "embedding", "index": at, "embedding": values})
    }
}

/// One text or several. Token ids are another model's.
fn texts(input: Option<&Value>) -> Result<Vec<&str>, ModelError> {
    let all = match input {
        Some(Value::String(one)) => Some(vec![one.as_str()]),
        Some(Value::Array(all)) => all.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let all = all.filter(|all| !all.is_empty());
    all.ok_or_else(|| {
        wrong("input: it is neither a text nor a list of texts; token ids are no language of Gemini's".to_owned())
    })
}

/// Little-endian 32-bit floats in base64 (RFC 4648), as OpenAI sends vectors.
fn pack(values: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three.iter().enumerate().fold(0_u32, |word, (at, byte)| word | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            let six = (word >> (18 - 6 * at)) & 63;
            let letter = ALPHABET.get(six as usize).filter(|_| at <= three.len());
            out.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_packed_as_openai_packs_them() {
        // `base64.b64encode(struct.pack("<3f", 0.5, -1, 0.25))` of Python, and shorter ones for the padding.
        assert_eq!(pack(&[0.5, -1.0, 0.25]), "AAAAPwAAgL8AAIA+");
        assert_eq!(pack(&[0.5, -1.0]), "AAAAPwAAgL8=");
        assert_eq!(pack(&[0.5]), "AAAAPw==");
        assert_eq!(pack(&[]), "");
    }
}
