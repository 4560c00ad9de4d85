//! What people think of answers. A rating lies with its message: it goes, comes back and is exported with it.

use domain::{Author, Caller, MessageId, Rating};

use crate::changes::Kind;
use crate::conversations::Message;
use crate::rows::{Columns, json, owner};
use crate::{Error, Store};

/// A rated answer with everything that was said before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rated {
    pub rating: Rating,
    /// The instructions of its conversation.
    pub system_prompt: Option<String>,
    /// From the first question to the answer.
    pub path: Vec<Message>,
}

impl Store {
    /// Rates one of the caller's answers, or (`None`) takes the rating back.
    pub async fn rate(&self, caller: &Caller, id: MessageId, rating: Option<Rating>) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let message = self.message(caller, id).await?.ok_or(Error::NotFound { what: "message" })?;
        if message.author != Author::Assistant || message.running() {
            return Err(Error::Conflict { what: "only an answer that is complete can be rated".into() });
        }
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query("UPDATE messages SET rating = $1 WHERE id = $2 AND tenant = $3 AND person = $4")
            .bind(rating.as_ref().map(json).transpose()?)
            .bind(id.to_string())
            .bind(tenant)
            .bind(person)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.tell_of(caller, message.conversation, Kind::Updated);
        Ok(())
    }

    /// The rated answers of the caller's tenant that their person shared, and the caller's own; oldest first. Others' words are
    /// read here by their leave alone.
    pub async fn rated(&self, caller: &Caller, limit: u32) -> Result<Vec<Rated>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(
            "SELECT m.id, m.person, m.rating, c.system_prompt FROM messages m JOIN conversations c ON c.id = m.conversation \
             WHERE m.tenant = $1 AND m.rating IS NOT NULL AND m.deleted_with IS NULL AND c.deleted_at IS NULL \
             AND (m.person = $2 OR m.rating LIKE '%\"shared\":true%') ORDER BY m.id LIMIT $3",
        )
        .bind(tenant)
        .bind(person)
        .bind(i64::from(limit))
        .fetch_all(&self.inner.database.read)
        .await?;
        let mut rated = Vec::with_capacity(rows.len());
        for row in &rows {
            let rating: Rating = row.json("rating")?;
            let theirs = Caller { person: row.id("person")?, ..*caller };
            // The text of a note may hold the words that were looked for.
            if !rating.shared && theirs.person != caller.person {
                continue;
            }
            let path = self.path(&theirs, row.id("id")?).await?;
            rated.push(Rated { rating, system_prompt: row.maybe_text("system_prompt")?, path });
        }
        Ok(rated)
    }
}
