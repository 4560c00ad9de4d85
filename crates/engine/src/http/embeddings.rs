//! `/v1/embeddings`: a vector for each text, in OpenAI's words. It reads, tokenises and hands in; who computes when is `embedding/jobs.rs`.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::{Door, Shared, problem::Problem, requests, whole};
use crate::{
    backend::{Token, Vocabulary},
    embedding::{Facts, Job, Makes, NotTaken, normalise},
    model::Vectors,
};

/// Texts of one request, as OpenAI bounds them, and documents of one.
const MOST_TEXTS: usize = 2048;
/// Requests that are worth having at the same time: texts of several go into one step.
const PARALLEL: u32 = 64;

#[derive(Debug, Deserialize)]
struct Asked {
    input: Input,
    encoding_format: Option<String>,
    dimensions: Option<u32>,
    user: Option<String>,
    service_tier: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Tokens(Vec<Token>),
    Texts(Vec<String>),
    Lists(Vec<Vec<Token>>),
}

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Entry>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Entry {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

/// Tokens that were read; nothing is written.
#[derive(Debug, Serialize)]
pub(super) struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

impl Usage {
    pub(super) fn of(texts: &[Vec<Token>]) -> Self {
        let tokens = texts.iter().map(Vec::len).sum();
        Usage { prompt_tokens: tokens, total_tokens: tokens }
    }
}

/// A vector on its way out.
enum Vector {
    Numbers(Vec<f32>),
    /// The numbers' bytes, the lowest first, in base64: a third of the length.
    Bytes(String),
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Vector::Numbers(numbers) => numbers.serialize(to),
            Vector::Bytes(text) => text.serialize(to),
        }
    }
}

pub(super) async fn embeddings(
    State(door): Shared,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = whole(body)?;
    let shaped = off_the_runtime(Arc::clone(&door), move |vectors| {
        let asked: Asked = requests::read(&body)?;
        let shape = Shape::of(&asked, vectors)?;
        let texts = tokens(asked.input, &*vectors.vocabulary)?;
        Ok((shape, job(texts, asked.user, asked.service_tier.as_deref(), &headers)))
    });
    let (shape, job) = shaped.await?;
    let usage = Usage::of(&job.texts);
    let rows = compute(&door, job, |at| match at {
        0 => "the input".into(),
        at => format!("input[{at}]"),
    });
    let data = rows.await?.into_iter().enumerate().map(|(index, row)| shape.entry(index, row)).collect();
    Ok(Json(Answer { object: "list", data, model: &door.model.name, usage }).into_response())
}

/// What is told of the model among the models.
pub(super) fn meta(facts: &Facts) -> Value {
    let mut meta = json!({
        "context_length": facts.context,
        "trained_context_length": facts.trained_context,
        "parameters": facts.parameters,
        "size": facts.size,
        "description": facts.description,
        "pooling": facts.pooling.word(),
        "parallel": PARALLEL,
        "capabilities": [match facts.makes { Makes::Vectors { .. } => "embedding", Makes::Scores(_) => "rerank" }],
    });
    if let Makes::Vectors { dimensions, .. } = facts.makes {
        meta["dimensions"] = dimensions.into();
    }
    meta
}

/// Why a model that makes vectors or scores answers no chat.
pub(super) fn writes_nothing(vectors: &Vectors) -> Problem {
    let needs = match vectors.facts.makes {
        Makes::Vectors { .. } => "this model makes vectors (/v1/embeddings) and writes no text",
        Makes::Scores(_) => "this model scores a query with documents (/v1/rerank) and writes no text",
    };
    Problem::OtherModel { needs }
}

/// What becomes of a vector.
#[derive(Debug, Clone, Copy)]
struct Shape {
    dimensions: usize,
    as_bytes: bool,
}

impl Shape {
    fn of(asked: &Asked, vectors: &Vectors) -> Result<Self, Problem> {
        let Makes::Vectors { dimensions: all, nested } = vectors.facts.makes else {
            return Err(Problem::OtherModel {
                needs: "this model scores a query with documents (/v1/rerank) and makes no vectors",
            });
        };
        let dimensions = match asked.dimensions {
            None => all,
            Some(wanted) if wanted == all => all,
            Some(wanted) if nested && (1..all).contains(&wanted) => wanted,
            Some(_) if nested => return Err(Problem::invalid("dimensions", format!("must be from 1 to {all}"))),
            Some(_) => {
                let why = format!("must be {all}: the vectors of this model were not trained to be cut");
                return Err(Problem::invalid("dimensions", why));
            }
        };
        let as_bytes = match asked.encoding_format.as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(other) => {
                return Err(Problem::invalid("encoding_format", format!("is {other}; it must be float or base64")));
            }
        };
        Ok(Shape { dimensions: dimensions as usize, as_bytes })
    }

    fn entry(self, index: usize, mut numbers: Vec<f32>) -> Entry {
        numbers.truncate(self.dimensions);
        normalise(&mut numbers);
        let embedding = match self.as_bytes {
            false => Vector::Numbers(numbers),
            true => {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                Vector::Bytes(BASE64_STANDARD.encode(bytes))
            }
        };
        Entry { object: "embedding", index, embedding }
    }
}

fn tokens(input: Input, vocabulary: &dyn Vocabulary) -> Result<Vec<Vec<Token>>, Problem> {
    let of_text = |text: String| vocabulary.encode(&text, true, false);
    let lists = match input {
        Input::Text(text) => vec![of_text(text)],
        Input::Texts(texts) => {
            count("input", texts.len())?;
            texts.into_iter().map(of_text).collect()
        }
        Input::Tokens(tokens) if tokens.is_empty() => return Err(Problem::invalid("input", "must not be empty")),
        Input::Tokens(tokens) => vec![tokens],
        Input::Lists(lists) => {
            count("input", lists.len())?;
            lists
        }
    };
    let known = 0..Token::try_from(vocabulary.size()).unwrap_or(Token::MAX);
    match lists.iter().flatten().find(|token| !known.contains(*token)) {
        Some(token) => {
            Err(Problem::invalid("input", format!("holds the token {token}; this model knows {}", known.end)))
        }
        None => Ok(lists),
    }
}

/// Refuses more texts than one request may have.
pub(super) fn count(parameter: &'static str, texts: usize) -> Result<(), Problem> {
    if texts > MOST_TEXTS {
        return Err(Problem::invalid(parameter, format!("are {texts} texts; one request takes {MOST_TEXTS}")));
    }
    Ok(())
}

/// Texts to compute, and whose they are.
pub(super) fn job(
    texts: Vec<Vec<Token>>,
    user: Option<String>,
    service_tier: Option<&str>,
    headers: &HeaderMap,
) -> Job {
    let (mut person, mut priority) = (user.unwrap_or_default(), requests::priority(service_tier));
    requests::told_by_a_portal(headers, &mut person, &mut priority);
    Job { texts, person, priority }
}

/// Hands in a job and waits for its numbers. `name` is what a text is called in a refusal.
pub(super) async fn compute(door: &Door, job: Job, name: impl Fn(usize) -> String) -> Result<Vec<Vec<f32>>, Problem> {
    let Some(vectors) = door.model.vectors() else { return Err(Problem::Gone) };
    let outcome = vectors.jobs.submit(job).map_err(|not_taken| match not_taken {
        NotTaken::Busy(_) => Problem::Busy,
        NotTaken::Gone => Problem::Gone,
        NotTaken::TooLong { at, tokens, context } => Problem::TextTooLong { text: name(at), tokens, context },
        NotTaken::Empty { at } => Problem::invalid("input", format!("has no token in {}", name(at))),
    })?;
    match outcome.await {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(failed)) => Err(Problem::Failed { why: failed.to_string() }),
        Err(_) => Err(Problem::Gone),
    }
}

/// Reading and tokenising many texts takes milliseconds, which nobody else need wait.
pub(super) async fn off_the_runtime<T: Send + 'static>(
    door: Arc<Door>,
    shape: impl FnOnce(&Vectors) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let shaped = tokio::task::spawn_blocking(move || match (door.model.vectors(), door.model.ready()) {
        (Some(vectors), _) => shape(vectors),
        (None, Some(_)) => Err(Problem::OtherModel {
            needs: "this model writes text; vectors and ranks are made by models that were trained for that and say so in their file \
                    (pooling_type), such as bge-m3, all-MiniLM or Qwen3-Embedding",
        }),
        (None, None) => Err(Problem::Loading { progress: door.model.progress.get() }),
    });
    shaped.await.unwrap_or_else(|panicked| Err(Problem::Failed { why: panicked.to_string() }))
}
