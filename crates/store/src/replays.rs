//! Saved questions asked again of another model: one row for a replay, one for each new answer. The questions and the old
//! answers are read from their conversations, so that nothing outlives a conversation that was deleted.

use domain::{Caller, ConversationId, Failure, Finish, MessageId, ReplayId, Timestamp, Tokens, Usage};
use sqlx::any::AnyRow;

use crate::rows::{Columns, clean, corrupt, owner};
use crate::{Error, Store};

/// Where a replay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayState {
    Running,
    Finished,
    Cancelled,
    /// The portal went down meanwhile.
    Interrupted,
}

impl ReplayState {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ReplayState::Running => "running",
            ReplayState::Finished => "finished",
            ReplayState::Cancelled => "cancelled",
            ReplayState::Interrupted => "interrupted",
        }
    }

    fn parse(word: &str) -> Option<ReplayState> {
        let all = [ReplayState::Running, ReplayState::Finished, ReplayState::Cancelled, ReplayState::Interrupted];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// A replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    pub id: ReplayId,
    pub alias: String,
    /// The model that answers anew.
    pub target: String,
    pub state: ReplayState,
    /// How many questions are asked.
    pub total: u32,
    /// How many were.
    pub done: u32,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// A new answer, to be stored.
#[derive(Debug, Clone)]
pub struct ReplayAnswer {
    /// From 0, the order of the questions.
    pub seq: u32,
    pub conversation: ConversationId,
    pub question: MessageId,
    /// The old answer.
    pub answer: MessageId,
    pub text: String,
    pub finish: Finish,
    pub failure: Option<Failure>,
    pub usage: Usage,
    pub ttft_ms: Option<u32>,
    pub tpot_us: Option<u32>,
    /// Per mille; `None` where there is no new answer.
    pub similarity: Option<u16>,
}

/// A question with its old and its new answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub seq: u32,
    pub conversation: ConversationId,
    pub title: String,
    pub question: MessageId,
    pub question_text: String,
    pub old: Said,
    pub new: Said,
    pub similarity: Option<u16>,
}

/// An answer with its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    pub model: Option<String>,
    pub finish: Option<Finish>,
    pub failure: Option<Failure>,
    pub prompt: u32,
    pub completion: u32,
    pub ttft_ms: Option<u32>,
    pub tpot_us: Option<u32>,
}

const READ: &str = "SELECT r.id, r.alias, r.target, r.state, r.total, r.started_at, r.finished_at, \
     (SELECT CAST(COUNT(*) AS BIGINT) FROM replay_answers a WHERE a.replay = r.id) AS done \
     FROM replays r WHERE r.tenant = $1 AND r.person = $2";

impl Store {
    /// Notes that a replay begins.
    pub async fn begin_replay(
        &self,
        caller: &Caller,
        id: ReplayId,
        alias: &str,
        target: &str,
        total: u32,
    ) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO replays (id, tenant, person, node, alias, target, state, total, started_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(self.node().to_owned())
        .bind(clean(alias.to_owned()))
        .bind(clean(target.to_owned()))
        .bind(ReplayState::Running.as_str())
        .bind(i64::from(total))
        .bind(self.now().0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Keeps a new answer.
    pub async fn keep_replay_answer(&self, caller: &Caller, id: ReplayId, answer: ReplayAnswer) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO replay_answers (replay, seq, tenant, person, conversation, question, answer, text, finish, \
             failure_code, failure_message, prompt, completion, ttft_ms, tpot_us, similarity) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING",
        )
        .bind(id.to_string())
        .bind(i64::from(answer.seq))
        .bind(tenant)
        .bind(person)
        .bind(answer.conversation.to_string())
        .bind(answer.question.to_string())
        .bind(answer.answer.to_string())
        .bind(clean(answer.text))
        .bind(answer.finish.as_str())
        .bind(answer.failure.as_ref().map(|failure| clean(failure.code.clone().into_owned())))
        .bind(answer.failure.as_ref().map(|failure| clean(failure.message.clone())))
        .bind(i64::from(answer.usage.prompt.0))
        .bind(i64::from(answer.usage.completion.0))
        .bind(answer.ttft_ms.map(i64::from))
        .bind(answer.tpot_us.map(i64::from))
        .bind(answer.similarity.map(i64::from))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes how a replay ended; one that has ended stays as it did.
    pub async fn end_replay(&self, caller: &Caller, id: ReplayId, state: ReplayState) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "UPDATE replays SET state = $1, finished_at = $2 \
             WHERE id = $3 AND tenant = $4 AND person = $5 AND finished_at IS NULL",
        )
        .bind(state.as_str())
        .bind(self.now().0)
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Replays of this node that an earlier process was running. For the house, at the start.
    pub(crate) async fn interrupt_replays(&self, node: &str) -> Result<u64, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done =
            sqlx::query("UPDATE replays SET state = $1, finished_at = $2 WHERE node = $3 AND finished_at IS NULL")
                .bind(ReplayState::Interrupted.as_str())
                .bind(self.now().0)
                .bind(node.to_owned())
                .execute(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// The caller's own replays, newest first.
    pub async fn replays(&self, caller: &Caller, limit: u32) -> Result<Vec<Replay>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{READ} ORDER BY r.id DESC LIMIT $3")))
            .bind(tenant)
            .bind(person)
            .bind(i64::from(limit))
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(replay).collect()
    }

    /// One of them.
    pub async fn replay(&self, caller: &Caller, id: ReplayId) -> Result<Option<Replay>, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{READ} AND r.id = $3")))
            .bind(tenant)
            .bind(person)
            .bind(id.to_string())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.as_ref().map(replay).transpose()
    }

    /// What it has compared so far, in the order of the questions, without those whose conversation was deleted meanwhile.
    pub async fn compared(&self, caller: &Caller, id: ReplayId) -> Result<Vec<Compared>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(
            "SELECT a.*, r.target, c.title, q.text AS question_text, o.text AS old_text, o.model AS old_model, \
             o.finish AS old_finish, o.usage AS old_usage, o.ttft_ms AS old_ttft_ms, o.tpot_us AS old_tpot_us \
             FROM replay_answers a JOIN replays r ON r.id = a.replay JOIN conversations c ON c.id = a.conversation \
             JOIN messages q ON q.id = a.question JOIN messages o ON o.id = a.answer \
             WHERE a.replay = $1 AND a.tenant = $2 AND a.person = $3 AND c.deleted_at IS NULL \
             AND q.deleted_with IS NULL AND o.deleted_with IS NULL ORDER BY a.seq",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(compared).collect()
    }
}

fn replay(row: &AnyRow) -> Result<Replay, Error> {
    Ok(Replay {
        id: row.id("id")?,
        alias: row.text("alias")?,
        target: row.text("target")?,
        state: row.word("state", ReplayState::parse)?,
        total: row.number("total")?,
        done: row.number("done")?,
        started_at: row.at("started_at")?,
        finished_at: row.maybe_at("finished_at")?,
    })
}

fn compared(row: &AnyRow) -> Result<Compared, Error> {
    let was = row.maybe_usage("old_usage")?.unwrap_or_default();
    let old = Said {
        text: row.text("old_text")?,
        model: row.maybe_text("old_model")?,
        finish: row.maybe_finish("old_finish")?,
        failure: None,
        prompt: was.prompt.0,
        completion: was.completion.0,
        ttft_ms: row.maybe_number("old_ttft_ms")?,
        tpot_us: row.maybe_number("old_tpot_us")?,
    };
    let (prompt, completion) = (Tokens(row.number("prompt")?), Tokens(row.number("completion")?));
    let new = Said {
        text: row.text("text")?,
        model: Some(row.text("target")?),
        finish: Some(row.maybe_finish("finish")?.ok_or_else(|| corrupt("finish", ""))?),
        failure: row.maybe_failure("failure_code", "failure_message")?,
        prompt: prompt.0,
        completion: completion.0,
        ttft_ms: row.maybe_number("ttft_ms")?,
        tpot_us: row.maybe_number("tpot_us")?,
    };
    Ok(Compared {
        seq: row.number("seq")?,
        conversation: row.id("conversation")?,
        title: row.text("title")?,
        question: row.id("question")?,
        question_text: row.text("question_text")?,
        old,
        new,
        similarity: row.maybe_number("similarity")?,
    })
}
