//! Responses that programs keep: found again by id, gone on with, deleted. What is in them is the dialect's matter. Each is its
//! person's alone, whichever of their keys asked, and goes after 30 days.

use domain::{Caller, Timestamp, TurnId};
use serde_json::Value;
use sqlx::AnyConnection;

use crate::insert::Statement;
use crate::rows::{Columns, json, owner};
use crate::{Error, Store};

/// How long a response is kept, in milliseconds: 30 days, as OpenAI keeps them.
const KEPT_MS: i64 = 30 * 86_400_000;

/// A response to keep; [`crate::Record::Responded`] stores it.
#[derive(Debug, Clone)]
pub struct NewResponse {
    /// The turn it answers; no two are one's.
    pub id: TurnId,
    /// Whose.
    pub caller: Caller,
    /// The one it goes on from.
    pub previous: Option<TurnId>,
    /// What was asked in this request alone.
    pub items: Vec<Value>,
    /// The response.
    pub body: Value,
    /// When.
    pub at: Timestamp,
}

/// A response as it was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseRow {
    /// Its turn.
    pub id: TurnId,
    /// The one it goes on from, which may have been deleted since.
    pub previous: Option<TurnId>,
    /// What was asked in its request alone.
    pub items: Vec<Value>,
    /// The response.
    pub body: Value,
    /// How large both are, as JSON.
    pub bytes: usize,
}

static RESPONSES: Statement =
    Statement::new("INSERT INTO responses (id, tenant, person, previous, items, body, at) VALUES ", 7, "");

/// Writes them, and forgets those that are too old.
pub(crate) async fn write(connection: &mut AnyConnection, new: &[&NewResponse]) -> Result<(), Error> {
    let Some(last) = new.last() else { return Ok(()) };
    let mut texts = Vec::with_capacity(new.len());
    for response in new {
        texts.push((response, json(&response.items)?, json(&response.body)?));
    }
    RESPONSES
        .run(connection, &texts, |values, (response, items, body)| {
            let (tenant, person) = owner(&response.caller);
            values
                .text(response.id.to_string())
                .text(tenant)
                .text(person)
                .maybe_text(response.previous.map(|id| id.to_string()))
                .text(items.as_str())
                .text(body.as_str())
                .at(response.at);
        })
        .await?;
    sqlx::query("DELETE FROM responses WHERE at < $1").bind(last.at.0 - KEPT_MS).execute(connection).await?;
    Ok(())
}

impl Store {
    /// The caller's own response of that id, where it is kept (still).
    pub async fn response(&self, caller: &Caller, id: TurnId) -> Result<Option<ResponseRow>, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(
            "SELECT id, previous, items, body FROM responses \
             WHERE id = $1 AND tenant = $2 AND person = $3 AND at >= $4",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(self.now().0 - KEPT_MS)
        .fetch_optional(&self.inner.database.read)
        .await?;
        row.map(|row| {
            let bytes = row.text("items")?.len() + row.text("body")?.len();
            Ok(ResponseRow {
                bytes,
                id: row.id("id")?,
                previous: row.maybe_id("previous")?,
                items: row.json("items")?,
                body: row.json("body")?,
            })
        })
        .transpose()
    }

    /// Deletes one of the caller's. [`Error::NotFound`] where there is none.
    pub async fn delete_response(&self, caller: &Caller, id: TurnId) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query("DELETE FROM responses WHERE id = $1 AND tenant = $2 AND person = $3")
            .bind(id.to_string())
            .bind(tenant)
            .bind(person)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "response" });
        }
        Ok(())
    }
}
