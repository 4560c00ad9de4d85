//! The messages of a conversation: the whole tree, one path through it, and taking a branch away or back.

use std::collections::HashMap;

use domain::{Caller, ConversationId, MessageId, TurnId};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::{Message, Trimmed};
use crate::changes::Kind;
use crate::rows::{Columns, owner};
use crate::{Error, Store};

impl Store {
    /// The whole tree in the order of the ids, which is the order of time. Empty where the conversation is not the caller's.
    pub async fn messages(&self, caller: &Caller, conversation: ConversationId) -> Result<Vec<Message>, Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.read_tx().await?;
        let rows = sqlx::query(
            "SELECT * FROM messages WHERE conversation = $1 AND tenant = $2 AND person = $3 AND deleted_with IS NULL \
             ORDER BY id",
        )
        .bind(conversation.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_all(&mut *tx)
        .await?;
        let mut messages = rows.iter().map(message).collect::<Result<Vec<_>, _>>()?;
        said_so_far(&mut tx, &mut messages).await?;
        tx.commit().await?;
        Ok(messages)
    }

    /// One message.
    pub async fn message(&self, caller: &Caller, id: MessageId) -> Result<Option<Message>, Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.read_tx().await?;
        let row = sqlx::query(
            "SELECT m.* FROM messages m JOIN conversations c ON c.id = m.conversation \
             WHERE m.id = $1 AND m.tenant = $2 AND m.person = $3 AND m.deleted_with IS NULL AND c.deleted_at IS NULL",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_optional(&mut *tx)
        .await?;
        let mut found = row.map(|row| message(&row)).transpose()?.into_iter().collect::<Vec<_>>();
        said_so_far(&mut tx, &mut found).await?;
        tx.commit().await?;
        Ok(found.pop())
    }

    /// From the root to `leaf`: what the model is shown. Empty where the leaf is not the caller's.
    pub async fn path(&self, caller: &Caller, leaf: MessageId) -> Result<Vec<Message>, Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.read_tx().await?;
        let rows = sqlx::query(
            "WITH RECURSIVE path (id, parent) AS ( \
               SELECT id, parent FROM messages WHERE id = $1 AND tenant = $2 AND person = $3 AND deleted_with IS NULL \
               UNION ALL \
               SELECT m.id, m.parent FROM messages m JOIN path ON m.id = path.parent \
             ) SELECT m.* FROM messages m JOIN path ON path.id = m.id",
        )
        .bind(leaf.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_all(&mut *tx)
        .await?;
        let mut found = rows.iter().map(message).collect::<Result<Vec<_>, _>>()?;
        said_so_far(&mut tx, &mut found).await?;
        tx.commit().await?;
        Ok(from_the_root(found, leaf))
    }

    /// Takes a message and everything below it out of sight.
    pub async fn delete_message(&self, caller: &Caller, id: MessageId) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let row = sqlx::query(
            "SELECT conversation, parent FROM messages WHERE id = $1 AND tenant = $2 AND person = $3 AND deleted_with IS NULL",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound { what: "message" })?;
        let conversation: ConversationId = row.id("conversation")?;
        let parent = row.maybe_text("parent")?;
        sqlx::query(
            "WITH RECURSIVE below (id) AS ( \
               SELECT $1 UNION ALL \
               SELECT m.id FROM messages m JOIN below ON m.parent = below.id WHERE m.conversation = $2 \
             ) UPDATE messages SET deleted_with = $1 WHERE deleted_with IS NULL AND id IN (SELECT id FROM below)",
        )
        .bind(id.to_string())
        .bind(conversation.to_string())
        .execute(&mut *tx)
        .await?;
        // Where the person was looking at what is gone, they look at what it followed.
        sqlx::query(
            "UPDATE conversations SET head = $1 WHERE id = $2 \
             AND head IN (SELECT id FROM messages WHERE conversation = $2 AND deleted_with = $3)",
        )
        .bind(parent)
        .bind(conversation.to_string())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.tell_of(caller, conversation, Kind::Updated);
        Ok(())
    }

    /// Brings back a deleted message and what was deleted with it.
    pub async fn restore_message(&self, caller: &Caller, id: MessageId) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let row = sqlx::query(
            "SELECT conversation FROM messages WHERE id = $1 AND tenant = $2 AND person = $3 AND deleted_with = $1",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound { what: "message" })?;
        let conversation: ConversationId = row.id("conversation")?;
        sqlx::query("UPDATE messages SET deleted_with = NULL WHERE conversation = $1 AND deleted_with = $2")
            .bind(conversation.to_string())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.tell_of(caller, conversation, Kind::Updated);
        Ok(())
    }
}

/// A head has to be a message of its conversation.
pub(super) async fn must_hold(
    connection: &mut AnyConnection,
    conversation: ConversationId,
    id: MessageId,
) -> Result<(), Error> {
    let row = sqlx::query("SELECT id FROM messages WHERE conversation = $1 AND id = $2 AND deleted_with IS NULL")
        .bind(conversation.to_string())
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(|_| ()).ok_or(Error::NotFound { what: "message" })
}

/// The order of the path is that of the parents, not of the ids: an imported tree may have any.
fn from_the_root(found: Vec<Message>, leaf: MessageId) -> Vec<Message> {
    let mut by_id: HashMap<_, _> = found.into_iter().map(|message| (message.id, message)).collect();
    let mut path = Vec::with_capacity(by_id.len());
    let mut next = Some(leaf);
    while let Some(message) = next.and_then(|id| by_id.remove(&id)) {
        next = message.parent;
        path.push(message);
    }
    path.reverse();
    path
}

/// Running answers get the text of their deltas.
async fn said_so_far(connection: &mut AnyConnection, messages: &mut [Message]) -> Result<(), Error> {
    for message in messages.iter_mut().filter(|message| message.running()) {
        let Some(turn) = message.turn else { continue };
        let (text, thought) = deltas_of(connection, turn).await?;
        message.text.push_str(&text);
        message.thought.push_str(&thought);
    }
    Ok(())
}

/// What a turn's deltas say together.
pub(crate) async fn deltas_of(connection: &mut AnyConnection, turn: TurnId) -> Result<(String, String), Error> {
    let rows = sqlx::query("SELECT text, thought FROM deltas WHERE turn = $1 ORDER BY seq")
        .bind(turn.to_string())
        .fetch_all(connection)
        .await?;
    let (mut text, mut thought) = (String::new(), String::new());
    for row in rows {
        text.push_str(&row.text("text")?);
        thought.push_str(&row.text("thought")?);
    }
    Ok((text, thought))
}

pub(super) fn message(row: &AnyRow) -> Result<Message, Error> {
    let trimmed = match (row.maybe_number("trimmed_messages")?, row.maybe_number("trimmed_tokens")?) {
        (Some(messages), Some(tokens)) => Some(Trimmed { messages, tokens }),
        _ => None,
    };
    Ok(Message {
        id: row.id("id")?,
        conversation: row.id("conversation")?,
        parent: row.maybe_id("parent")?,
        author: row.author("author")?,
        text: row.text("text")?,
        thought: row.text("thought")?,
        at: row.at("at")?,
        model: row.maybe_text("model")?,
        turn: row.maybe_id("turn")?,
        finish: row.maybe_finish("finish")?,
        failure: row.maybe_failure("failure_code", "failure_message")?,
        usage: row.maybe_usage("usage")?,
        ttft_ms: row.maybe_number("ttft_ms")?,
        tpot_us: row.maybe_number("tpot_us")?,
        trimmed,
        provenance: row.maybe_json("provenance")?,
        rating: row.maybe_json("rating")?,
        files: row.maybe_json("files")?.unwrap_or_default(),
    })
}
