//! `/v1/prefixes`: beginnings of prompts that are to stay in memory, and on disk where the worker has a folder for them, so that nobody waits
//! for a long system prompt to be read. Pinning one that is pinned already costs nothing.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door, Shared,
    adapters::{self, Wished},
    chat_prompt, off_the_runtime, offer,
    pictures::Album,
    problem::Problem,
    requests::{self, Beginning, Chat},
    whole,
};
use crate::{
    backend::Token,
    model::Ready,
    scheduler::{NotPinned, Prefix},
};

/// Beginnings that are shorter are read in no time.
const WORTH_PINNING: usize = 64;

/// Whose it is to be: a model's name may be an adapter's, as with questions.
#[derive(Debug, Deserialize)]
struct For {
    model: Option<String>,
    lora: Option<Wished>,
}

pub(super) async fn list(State(door): Shared) -> Result<Json<Value>, Problem> {
    let prefixes = ready(&door)?.scheduler.prefixes().await.map_err(|_| Problem::Gone)?;
    let prefixes: Vec<_> = prefixes.iter().map(object).collect();
    Ok(Json(json!({"object": "list", "data": prefixes})))
}

/// Answers when it is there, with how many of its tokens had to be computed. One that is too short to be worth it is not pinned and has no id.
pub(super) async fn pin(State(door): Shared, body: Result<Bytes, BytesRejection>) -> Result<Json<Value>, Problem> {
    let body = whole(body)?;
    let For { model, lora } = requests::read(&body)?;
    let (_, adapter) = adapters::chosen(&door, ready(&door)?, model.as_deref(), lora.as_ref())?;
    let shaped = off_the_runtime(Arc::clone(&door), move |door, ready| match requests::read(&body)? {
        Beginning::Text { text } => Ok(ready.vocabulary.encode(&text, true, true)),
        Beginning::Chat(chat) => before_the_question(door, ready, &chat),
    });
    let tokens = shaped.await?;
    if tokens.len() < WORTH_PINNING {
        return Ok(Json(json!({"object": "prefix", "id": null, "tokens": tokens.len(), "computed": 0})));
    }
    let ready = ready(&door)?;
    let context = ready.facts.context;
    if u32::try_from(tokens.len()).map_or(true, |len| len >= context) {
        return Err(Problem::TooLong { prompt: tokens.len(), context });
    }
    let pinned = ready.scheduler.pin(adapter, &tokens).await.map_err(|not_pinned| match not_pinned {
        NotPinned::NoRoom { .. } => Problem::NoRoomToPin { why: not_pinned.to_string() },
        NotPinned::NotTaken(_) => Problem::Busy,
        NotPinned::Failed(why) => Problem::Failed { why },
    });
    let (prefix, computed) = pinned?;
    let mut object = object(&prefix);
    object["computed"] = computed.into();
    Ok(Json(object))
}

pub(super) async fn unpin(State(door): Shared, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    match ready(&door)?.scheduler.unpin(id.clone()).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(Problem::NoSuchPrefix { id }),
        Err(_) => Err(Problem::Gone),
    }
}

fn ready(door: &Door) -> Result<&Ready, Problem> {
    door.model.ready().ok_or_else(|| super::absent(door))
}

fn object(prefix: &Prefix) -> Value {
    json!({"object": "prefix", "id": prefix.id, "tokens": prefix.tokens})
}

/// What any question after these messages begins with, by the model's own template: what two questions that differ in their first letter have
/// in common.
fn before_the_question(door: &Door, ready: &Ready, chat: &Chat) -> Result<Vec<Token>, Problem> {
    let asking = |question: &str| {
        let mut album = Album::new(ready, "picture");
        let mut messages = chat.texts(&mut album)?;
        messages.push(json!({"role": "user", "content": question}));
        let mut more = chat.chat_template_kwargs.clone().unwrap_or_default();
        if let Some(tools) = chat.tools()? {
            offer(ready, tools.offered, &mut messages, &mut more)?;
        }
        if !album.is_empty() {
            return Err(Problem::invalid("messages", "hold a picture; only text is pinned"));
        }
        Ok(chat_prompt(door, ready, &messages, &more, &album)?.pieces.concat())
    };
    let (mut one, other) = (asking("A")?, asking("1")?);
    one.truncate(one.iter().zip(&other).take_while(|(left, right)| left == right).count());
    Ok(one)
}
