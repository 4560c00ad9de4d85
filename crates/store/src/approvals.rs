//! Calls of tools that wait until somebody agrees, and the turns that wait for them. Who may agree, and what is done then, is chat's.

use domain::{ApprovalId, Caller, ConversationId, MessageId, PersonId, TenantId, Timestamp, TurnId, Via};
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::rows::{Columns, clean, json, owner};
use crate::{Changed, Error, Kind, Store};

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// Somebody agreed.
    Approved,
    /// Somebody refused.
    Refused,
    /// Nobody decided in time, which counts as refused.
    Expired,
}

impl ApprovalState {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ApprovalState::Pending => "pending",
            ApprovalState::Approved => "approved",
            ApprovalState::Refused => "refused",
            ApprovalState::Expired => "expired",
        }
    }

    fn parse(word: &str) -> ApprovalState {
        match word {
            "pending" => ApprovalState::Pending,
            "approved" => ApprovalState::Approved,
            "expired" => ApprovalState::Expired,
            _ => ApprovalState::Refused,
        }
    }
}

/// A call that waits, or waited.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    pub id: ApprovalId,
    /// Who asked the question.
    pub person: PersonId,
    pub turn: TurnId,
    pub conversation: ConversationId,
    /// The call's place in its round.
    pub position: u32,
    pub plugin: String,
    /// The plugin's name for people.
    pub title: String,
    pub tool: String,
    /// What it would be called with: JSON, if the model kept to it.
    pub arguments: String,
    /// Who may agree, as it was when the call was made.
    pub approver: Value,
    pub state: ApprovalState,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub decided_by: Option<PersonId>,
    pub decided_at: Option<Timestamp>,
    pub reason: Option<String>,
}

/// A turn that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingTurn {
    /// Whose, with their role as it is now.
    pub caller: Caller,
    pub turn: TurnId,
    pub conversation: ConversationId,
    pub question: MessageId,
    /// The message that ends with its waiting.
    pub answer: MessageId,
    pub model: String,
    /// Minutes by which the person's clock is ahead of UTC.
    pub utc_offset: i32,
    /// What is needed to go on.
    pub rest: Value,
}

impl Store {
    /// Keeps a turn that waits, and the calls that it waits for.
    pub async fn wait_for_approval(&self, turn: &WaitingTurn, calls: &[Approval]) -> Result<(), Error> {
        let (tenant, person) = owner(&turn.caller);
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO waiting_turns (turn, tenant, person, conversation, question, answer, model, utc_offset, rest, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(turn.turn.to_string())
        .bind(tenant.clone())
        .bind(person.clone())
        .bind(turn.conversation.to_string())
        .bind(turn.question.to_string())
        .bind(turn.answer.to_string())
        .bind(turn.model.clone())
        .bind(i64::from(turn.utc_offset))
        .bind(json(&turn.rest)?)
        .bind(self.now().0)
        .execute(&mut *tx)
        .await?;
        for call in calls {
            sqlx::query(
                "INSERT INTO approvals (id, tenant, person, turn, conversation, position, plugin, title, tool, arguments, approver, \
                 state, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            )
            .bind(call.id.to_string())
            .bind(tenant.clone())
            .bind(person.clone())
            .bind(call.turn.to_string())
            .bind(call.conversation.to_string())
            .bind(i64::from(call.position))
            .bind(clean(call.plugin.clone()))
            .bind(clean(call.title.clone()))
            .bind(clean(call.tool.clone()))
            .bind(clean(call.arguments.clone()))
            .bind(json(&call.approver)?)
            .bind(call.state.as_str())
            .bind(call.created_at.0)
            .bind(call.expires_at.0)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        self.tell(Changed::Approvals);
        Ok(())
    }

    /// One call of the tenant. Who may see it is the asker's to know.
    pub async fn approval(&self, caller: &Caller, id: ApprovalId) -> Result<Option<Approval>, Error> {
        let row = sqlx::query("SELECT * FROM approvals WHERE id = $1 AND tenant = $2")
            .bind(id.to_string())
            .bind(caller.tenant.to_string())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.map(|row| approval(&row)).transpose()
    }

    /// The tenant's calls that wait, oldest first. Who may see which is the asker's to know.
    pub async fn pending_approvals(&self, caller: &Caller) -> Result<Vec<Approval>, Error> {
        let rows =
            sqlx::query("SELECT * FROM approvals WHERE tenant = $1 AND state = 'pending' ORDER BY created_at, id")
                .bind(caller.tenant.to_string())
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter().map(approval).collect()
    }

    /// The calls that the caller decided or set off and that are decided, newest first.
    pub async fn decided_approvals(&self, caller: &Caller, limit: u32) -> Result<Vec<Approval>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(
            "SELECT * FROM approvals WHERE tenant = $1 AND state <> 'pending' AND (person = $2 OR decided_by = $2) \
             ORDER BY created_at DESC, id DESC LIMIT $3",
        )
        .bind(tenant)
        .bind(person)
        .bind(i64::from(limit))
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(approval).collect()
    }

    /// The calls of a turn of the caller, in their order.
    pub async fn approvals_of(&self, caller: &Caller, turn: TurnId) -> Result<Vec<Approval>, Error> {
        let (tenant, person) = owner(caller);
        let rows =
            sqlx::query("SELECT * FROM approvals WHERE turn = $1 AND tenant = $2 AND person = $3 ORDER BY position")
                .bind(turn.to_string())
                .bind(tenant)
                .bind(person)
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter().map(approval).collect()
    }

    /// Decides a call, once: `false` where somebody was first. `by`: who; absent where nobody did in time.
    pub async fn decide(
        &self,
        tenant: TenantId,
        id: ApprovalId,
        state: ApprovalState,
        by: Option<PersonId>,
        reason: Option<&str>,
    ) -> Result<bool, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(
            "UPDATE approvals SET state = $1, decided_by = $2, decided_at = $3, reason = $4 \
             WHERE id = $5 AND tenant = $6 AND state = 'pending' AND (expires_at > $3 OR $1 = 'expired')",
        )
        .bind(state.as_str())
        .bind(by.map(|by| by.to_string()))
        .bind(self.now().0)
        .bind(reason.map(|reason| clean(reason.to_owned())))
        .bind(id.to_string())
        .bind(tenant.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.tell(Changed::Approvals);
        Ok(done.rows_affected() > 0)
    }

    /// Calls that nobody decided in time, with their tenants. For the house.
    pub async fn overdue_approvals(&self) -> Result<Vec<(TenantId, Approval)>, Error> {
        let rows = sqlx::query("SELECT * FROM approvals WHERE state = 'pending' AND expires_at <= $1")
            .bind(self.now().0)
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(|row| Ok((row.id("tenant")?, approval(row)?))).collect()
    }

    /// Turns that wait for nothing any more, of people who may still ask. For the house.
    pub async fn ready_turns(&self) -> Result<Vec<WaitingTurn>, Error> {
        let rows = sqlx::query(
            "SELECT w.*, p.role FROM waiting_turns w JOIN persons p ON p.id = w.person AND p.tenant = w.tenant \
             WHERE p.disabled = 0 AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.turn = w.turn AND a.state = 'pending') \
             AND EXISTS (SELECT 1 FROM usage u WHERE u.turn = w.turn) ORDER BY w.at",
        )
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(waiting).collect()
    }

    /// A turn that waited has gone on, or never will.
    pub async fn waits_no_more(&self, turn: &WaitingTurn) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query("DELETE FROM waiting_turns WHERE turn = $1").bind(turn.turn.to_string()).execute(&mut *tx).await?;
        tx.commit().await?;
        let Caller { tenant, person, .. } = turn.caller;
        self.tell(Changed::Conversation { tenant, person, id: turn.conversation, kind: Kind::Updated });
        Ok(())
    }

    /// Whether nothing hangs below a message of the caller.
    pub async fn is_leaf(&self, caller: &Caller, id: MessageId) -> Result<bool, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(
            "SELECT 1 AS one FROM messages WHERE parent = $1 AND tenant = $2 AND person = $3 AND deleted_with IS NULL LIMIT 1",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_optional(&self.inner.database.read)
        .await?;
        Ok(row.is_none())
    }
}

fn approval(row: &AnyRow) -> Result<Approval, Error> {
    Ok(Approval {
        id: row.id("id")?,
        person: row.id("person")?,
        turn: row.id("turn")?,
        conversation: row.id("conversation")?,
        position: row.number("position")?,
        plugin: row.text("plugin")?,
        title: row.text("title")?,
        tool: row.text("tool")?,
        arguments: row.text("arguments")?,
        approver: row.maybe_json("approver")?.unwrap_or_default(),
        state: ApprovalState::parse(&row.text("state")?),
        created_at: row.at("created_at")?,
        expires_at: row.at("expires_at")?,
        decided_by: row.maybe_id("decided_by")?,
        decided_at: row.maybe_at("decided_at")?,
        reason: row.maybe_text("reason")?,
    })
}

fn waiting(row: &AnyRow) -> Result<WaitingTurn, Error> {
    let (tenant, person, role) = (row.id("tenant")?, row.id("person")?, row.role("role")?);
    Ok(WaitingTurn {
        caller: Caller { tenant, person, role, via: Via::House },
        turn: row.id("turn")?,
        conversation: row.id("conversation")?,
        question: row.id("question")?,
        answer: row.id("answer")?,
        model: row.text("model")?,
        utc_offset: i32::try_from(row.int("utc_offset")?).unwrap_or(0),
        rest: row.maybe_json("rest")?.unwrap_or_default(),
    })
}
