//! What a person thinks of an answer: good or bad, why, what it should have been, and whether administrators may learn from it.

use axum::extract::State;
use axum::http::StatusCode;
use domain::{MessageId, Rating, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::caller::SignedIn;
use crate::portal::body::{Json, Path};
use crate::{Problem, Server};

/// The longest note, correction and reason, in characters, and how many reasons.
const NOTE: usize = 2_000;
const CORRECTION: usize = 32_000;
const REASON: usize = 40;
const REASONS: usize = 8;

/// What is thought of an answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatingBody {
    /// `good` or `bad`
    #[schema(value_type = String)]
    verdict: Verdict,
    /// Words that the pages offer: `wrong`, `incomplete`, `not_followed`, `style`, `unsafe`, `other`.
    #[serde(default)]
    reasons: Vec<String>,
    #[serde(default)]
    note: String,
    /// What should have been answered.
    correction: Option<String>,
    /// Whether administrators may read the conversation up to here and teach models with it.
    #[serde(default)]
    shared: bool,
}

/// A rating as it was given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatingView {
    #[schema(value_type = String)]
    verdict: Verdict,
    reasons: Vec<String>,
    note: String,
    correction: Option<String>,
    shared: bool,
    /// Milliseconds since 1970.
    at: i64,
}

impl From<Rating> for RatingView {
    fn from(Rating { verdict, reasons, note, correction, shared, at }: Rating) -> Self {
        RatingView { verdict, reasons, note, correction, shared, at: at.0 }
    }
}

#[utoipa::path(put, path = "/api/messages/{id}/rating", tag = "conversations", params(("id" = String, Path)), request_body = RatingBody,
    responses((status = 204), (status = 404), (status = 409, description = "the answer is not complete")))]
pub(crate) async fn rate(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<MessageId>,
    Json(body): Json<RatingBody>,
) -> Result<StatusCode, Problem> {
    let correction = body.correction.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let longer = |text: &str, most: usize| text.chars().count() > most;
    if longer(&body.note, NOTE) {
        return Err(Problem::invalid("note", format!("a note has at most {NOTE} characters")));
    }
    if correction.as_deref().is_some_and(|text| longer(text, CORRECTION)) {
        return Err(Problem::invalid("correction", format!("a corrected answer has at most {CORRECTION} characters")));
    }
    if body.reasons.len() > REASONS || body.reasons.iter().any(|reason| longer(reason, REASON)) {
        return Err(Problem::invalid("reasons", format!("at most {REASONS} reasons of {REASON} characters")));
    }
    let rating = Rating {
        verdict: body.verdict,
        reasons: body.reasons,
        note: body.note.trim().to_owned(),
        correction,
        shared: body.shared,
        at: server.clock.now(),
    };
    server.store.rate(&caller, id, Some(rating)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(delete, path = "/api/messages/{id}/rating", tag = "conversations", params(("id" = String, Path)), responses((status = 204), (status = 404)))]
pub(crate) async fn take_back(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<MessageId>,
) -> Result<StatusCode, Problem> {
    server.store.rate(&caller, id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
