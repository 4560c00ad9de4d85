//! Asking, following and stopping a kept turn.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chat::{Ask, Follow, Happened, Question, Step};
use domain::{AssistantId, Caller, ConversationId, MessageId, Sampling, TurnEvent, TurnId, UploadId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::caller::SignedIn;
use crate::portal::body::{Json, Path, Query};
use crate::portal::view::{self, Conversation, Message};
use crate::{Problem, Server, sse};

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskBody {
    /// Absent: a new conversation, made in the same commit as the question.
    #[schema(value_type = Option<String>)]
    conversation: Option<ConversationId>,
    /// The message this question follows; absent: the first one, or another beginning.
    #[schema(value_type = Option<String>)]
    parent: Option<MessageId>,
    /// What is asked; may be empty where there are files.
    text: Option<String>,
    /// The caller's own files that are attached, by their ids.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    files: Vec<UploadId>,
    /// Instead of `parent` and `text`: a question to be answered once more.
    #[schema(value_type = Option<String>)]
    regenerate: Option<MessageId>,
    /// The model; absent: the conversation's own.
    model: Option<String>,
    /// Kept with a new conversation.
    system_prompt: Option<String>,
    /// Kept with a new conversation.
    #[serde(default)]
    #[schema(value_type = view::Sampling)]
    sampling: Sampling,
    /// Whom a new conversation is had with; one that exists goes on with its own.
    #[schema(value_type = Option<String>)]
    assistant: Option<AssistantId>,
    /// Minutes by which the person's clock is ahead of UTC, for an assistant's `{{date}}`.
    #[serde(default)]
    utc_offset: i32,
    /// Made by the client, 16 to 64 letters, digits, `-` and `_`: a repeat asks nothing twice.
    ask_id: String,
}

/// A turn that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AskedBody {
    #[schema(value_type = String)]
    turn: TurnId,
    conversation: Conversation,
    question: Message,
    answer: Message,
}

#[utoipa::path(post, path = "/api/turns", tag = "turns", request_body = AskBody,
    responses((status = 202, body = AskedBody), (status = 409, description = "turn_running, no_model"), (status = 429), (status = 507)))]
pub(crate) async fn ask(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(body): Json<AskBody>,
) -> Result<Response, Problem> {
    let well_made = (16..=64).contains(&body.ask_id.len())
        && body.ask_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !well_made {
        return Err(Problem::invalid("ask_id", "ask_id must be 16 to 64 letters, digits, - and _"));
    }
    let question = match (body.text, body.regenerate) {
        (Some(text), None) => Question::New { parent: body.parent, text, files: body.files },
        (None, Some(question)) if body.parent.is_none() && body.files.is_empty() => Question::Again { question },
        _ => return Err(Problem::invalid("text", "send either text (and the parent it follows) or regenerate")),
    };
    let me = server.identity.me(&caller).await?;
    let utc_offset = offset(body.utc_offset)?;
    let ask = Ask {
        ask_id: body.ask_id,
        conversation: body.conversation,
        question,
        model: body.model,
        system_prompt: body.system_prompt,
        sampling: body.sampling,
        default_system_prompt: me.settings.get("system_prompt").and_then(Value::as_str).map(str::to_owned),
        assistant: body.assistant,
        utc_offset,
    };
    let taken = server.chat.take(&caller, ask).await?;
    let conversation = view::conversation(&server, &caller, taken.conversation).await?;
    let message = |id, what| {
        let server = &server;
        async move { server.store.message(&caller, id).await?.map(Message::from).ok_or_else(|| Problem::not_found(what)) }
    };
    let (question, answer) = (message(taken.question, "question").await?, message(taken.answer, "answer").await?);
    let body = AskedBody { turn: taken.turn, conversation, question, answer };
    Ok((StatusCode::ACCEPTED, axum::Json(body)).into_response())
}

/// From UTC-12:00 to UTC+14:00, with room.
pub(crate) fn offset(minutes: i32) -> Result<i32, Problem> {
    match minutes {
        -960..=960 => Ok(minutes),
        _ => Err(Problem::invalid("utc_offset", "utc_offset is -960 to 960 minutes")),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct After {
    /// The last event id seen; the header `Last-Event-ID` says the same.
    after: Option<u64>,
}

#[utoipa::path(get, path = "/api/turns/{turn}/events", tag = "turns", params(("turn" = String, Path), After),
    responses((status = 200, content_type = "text/event-stream", description = "events of the turn, to its end")))]
pub(crate) async fn events(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(turn): Path<TurnId>,
    Query(query): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let after = last.or(query.after).unwrap_or(0);
    Ok(sse::response(Reader::open(server, caller, turn, after).await?))
}

#[utoipa::path(post, path = "/api/turns/{turn}/stop", tag = "turns", params(("turn" = String, Path)), responses((status = 204)))]
pub(crate) async fn stop(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(turn): Path<TurnId>,
) -> Result<StatusCode, Problem> {
    if !server.chat.stop(&caller, turn).await? && server.store.turn(&caller, turn).await?.is_none() {
        return Err(Problem::not_found("turn"));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A turn being followed, in memory or from the store where it ended a while ago.
pub(crate) enum Reader {
    Live { server: Server, caller: Caller, follow: Box<Follow>, pending: Vec<Step> },
    Stored { events: std::vec::IntoIter<(u64, Value)> },
}

impl Reader {
    pub(crate) async fn open(server: Server, caller: Caller, turn: TurnId, after: u64) -> Result<Reader, Problem> {
        if let Some(follow) = server.chat.follow(&caller, turn, after) {
            return Ok(Reader::Live { server, caller, follow: Box::new(follow), pending: Vec::new() });
        }
        let row = server.store.turn(&caller, turn).await?.ok_or_else(|| Problem::not_found("turn"))?;
        if row.running() && server.store.shared() {
            let follow = Box::new(server.chat.follow_elsewhere(&caller, turn, after));
            return Ok(Reader::Live { server, caller, follow, pending: Vec::new() });
        }
        let message = server.store.message(&caller, row.answer).await?.ok_or_else(|| Problem::not_found("answer"))?;
        let message = Message::from(message);
        let mut events = Vec::new();
        // Who has seen part of it gets the whole as it was stored, inside `finished`.
        if after == 0 && !message.text.is_empty() {
            events.push(json!({ "type": "delta", "text": message.text }));
        }
        events.push(json!({
            "type": "finished", "finish": message.finish, "failure": message.failure, "ttft_ms": message.ttft_ms,
            "tpot_ms": message.tpot_ms, "unsaved": false, "message": message,
        }));
        let events: Vec<_> = (after + 1..).zip(events).collect();
        Ok(Reader::Stored { events: events.into_iter() })
    }

    /// The next events with their ids; `None` at the end. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Vec<(u64, Value)>> {
        match self {
            Reader::Stored { events } => events.next().map(|event| vec![event]),
            Reader::Live { server, caller, follow, pending } => {
                if pending.is_empty() {
                    *pending = follow.next().await?;
                }
                let mut events = Vec::with_capacity(pending.len());
                for Step { id, happened } in pending.iter() {
                    events.push((*id, told(server, caller, happened).await));
                }
                // Only now: a heartbeat may have dropped this call while it read the final message.
                pending.clear();
                Some(events)
            }
        }
    }
}

async fn told(server: &Server, caller: &Caller, happened: &Happened) -> Value {
    match happened {
        Happened::Event(event) => event_json(event),
        Happened::Snapshot { text, thought } => json!({ "type": "snapshot", "text": text, "thought": thought }),
        Happened::Unsaved(unsaved) => json!({ "type": "unsaved", "unsaved": unsaved }),
        Happened::Finished { finish, failure, ttft_ms, tpot_us, answer, unsaved } => {
            // Where it could not be saved yet, the reader keeps the text it has.
            let message = if *unsaved { None } else { server.store.message(caller, *answer).await.ok().flatten() };
            json!({
                "type": "finished", "finish": finish, "failure": failure, "ttft_ms": ttft_ms,
                "tpot_ms": tpot_us.map(|us| f64::from(us) / 1e3), "unsaved": unsaved, "message": message.map(Message::from),
            })
        }
    }
}

fn event_json(event: &TurnEvent) -> Value {
    serde_json::to_value(event).unwrap_or(Value::Null)
}

impl sse::Frames for Reader {
    async fn next(&mut self) -> Option<Bytes> {
        let events = Reader::next(self).await?;
        let mut bytes = Vec::with_capacity(events.len() * 96);
        for (id, event) in events {
            bytes.extend_from_slice(format!("id: {id}\ndata: {event}\n\n").as_bytes());
        }
        Some(bytes.into())
    }
}
