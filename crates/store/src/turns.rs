//! Kept turns as rows: which there are, which still run, which answer belongs to an ask. Running them is chat's.

use domain::{Caller, ConversationId, Failure, Finish, MessageId, Timestamp, TurnId, Usage};
use sqlx::any::AnyRow;

use crate::rows::{Columns, owner};
use crate::{Error, Store};

/// A kept turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnRow {
    pub turn: TurnId,
    pub conversation: ConversationId,
    pub question: MessageId,
    pub answer: MessageId,
    pub model: String,
    pub started_at: Timestamp,
    /// `None` while it runs.
    pub finish: Option<Finish>,
    pub failure: Option<Failure>,
    pub usage: Option<Usage>,
}

impl TurnRow {
    /// Whether its answer is still being written.
    pub fn running(&self) -> bool {
        self.finish.is_none()
    }
}

/// What an `ask_id` was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedTurn {
    pub turn: TurnId,
    pub conversation: ConversationId,
    pub question: MessageId,
    pub answer: MessageId,
}

impl Store {
    /// One kept turn of the caller's.
    pub async fn turn(&self, caller: &Caller, id: TurnId) -> Result<Option<TurnRow>, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(
            "SELECT t.turn, t.conversation, t.question, t.answer, t.model, t.started_at, m.finish, m.failure_code, \
             m.failure_message, m.usage FROM turns t JOIN messages m ON m.id = t.answer \
             WHERE t.turn = $1 AND t.tenant = $2 AND t.person = $3",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_optional(&self.inner.database.read)
        .await?;
        row.map(|row| turn(&row)).transpose()
    }

    /// The turn that the caller started with this `ask_id`.
    pub async fn ask(&self, caller: &Caller, ask_id: &str) -> Result<Option<AskedTurn>, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(
            "SELECT turn, conversation, question, answer FROM turns WHERE tenant = $1 AND person = $2 AND ask_id = $3",
        )
        .bind(tenant)
        .bind(person)
        .bind(ask_id)
        .fetch_optional(&self.inner.database.read)
        .await?;
        row.map(|row| {
            Ok(AskedTurn {
                turn: row.id("turn")?,
                conversation: row.id("conversation")?,
                question: row.id("question")?,
                answer: row.id("answer")?,
            })
        })
        .transpose()
    }

    /// The turns of a conversation that have not ended, oldest first.
    pub async fn running(&self, caller: &Caller, conversation: ConversationId) -> Result<Vec<TurnId>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(
            "SELECT s.turn FROM turns t JOIN started s ON s.turn = t.turn \
             WHERE t.conversation = $1 AND t.tenant = $2 AND t.person = $3 ORDER BY s.turn",
        )
        .bind(conversation.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(|row| row.id("turn")).collect()
    }

    /// All of the caller's turns that have not ended, with their conversations, oldest first: the list shows them at once.
    pub async fn running_everywhere(&self, caller: &Caller) -> Result<Vec<(ConversationId, TurnId)>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(
            "SELECT conversation, turn FROM started WHERE tenant = $1 AND person = $2 AND conversation IS NOT NULL \
             ORDER BY turn",
        )
        .bind(tenant)
        .bind(person)
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(|row| Ok((row.id("conversation")?, row.id("turn")?))).collect()
    }
}

fn turn(row: &AnyRow) -> Result<TurnRow, Error> {
    Ok(TurnRow {
        turn: row.id("turn")?,
        conversation: row.id("conversation")?,
        question: row.id("question")?,
        answer: row.id("answer")?,
        model: row.text("model")?,
        started_at: row.at("started_at")?,
        finish: row.maybe_finish("finish")?,
        failure: row.maybe_failure("failure_code", "failure_message")?,
        usage: row.maybe_usage("usage")?,
    })
}
