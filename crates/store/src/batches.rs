//! Batches: one question about every row of a table or every file of a pile. What is asked, and when it pauses, is decided above; here
//! is what became of each row.

use domain::{AssistantId, BatchId, Caller, Failure, Sampling, Timestamp, Tokens, UploadId, Usage, Via};
use sqlx::any::AnyRow;

use crate::rows::{Columns, clean, json, owner};
use crate::{Error, Store};

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    Running,
    /// It rests for a reason, such as a limit that is reached; it can go on.
    Paused,
    /// Its person stopped it; it can go on.
    Stopped,
    /// Every row was asked; those that failed can be asked again.
    Finished,
}

impl BatchState {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            BatchState::Running => "running",
            BatchState::Paused => "paused",
            BatchState::Stopped => "stopped",
            BatchState::Finished => "finished",
        }
    }

    fn parse(word: &str) -> Option<BatchState> {
        use BatchState::{Finished, Paused, Running, Stopped};
        [Running, Paused, Stopped, Finished].into_iter().find(|state| state.as_str() == word)
    }
}

/// Where a row of a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchRowState {
    Waiting,
    Done,
    Failed,
}

impl BatchRowState {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            BatchRowState::Waiting => "waiting",
            BatchRowState::Done => "done",
            BatchRowState::Failed => "failed",
        }
    }

    /// The state of that word.
    pub fn parse(word: &str) -> Option<BatchRowState> {
        use BatchRowState::{Done, Failed, Waiting};
        [Waiting, Done, Failed].into_iter().find(|state| state.as_str() == word)
    }
}

/// A batch to be.
#[derive(Debug, Clone)]
pub struct NewBatchRun {
    pub name: String,
    /// Whom it is asked of, and the version of that which is meant throughout.
    pub assistant: Option<(AssistantId, i64)>,
    pub model: String,
    /// All that the model is told before the question.
    pub instructions: Option<String>,
    pub sampling: Sampling,
    /// The question, with `{{column}}` where a row's cell goes.
    pub template: String,
    pub columns: Vec<String>,
    /// How many rows are asked side by side.
    pub at_once: u32,
    pub rows: Vec<NewBatchRow>,
}

/// A row to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatchRow {
    /// One for each column.
    pub cells: Vec<String>,
    /// The file that it is about.
    pub upload: Option<UploadId>,
}

/// A batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRun {
    pub id: BatchId,
    pub name: String,
    pub assistant: Option<(AssistantId, i64)>,
    pub model: String,
    pub instructions: Option<String>,
    pub sampling: Sampling,
    pub template: String,
    pub columns: Vec<String>,
    pub at_once: u32,
    pub state: BatchState,
    /// Why it was paused.
    pub reason: Option<Failure>,
    pub total: u32,
    pub done: u32,
    pub failed: u32,
    /// What all its answers used, those that failed among them.
    pub usage: Usage,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// A row of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// From 0.
    pub seq: u32,
    pub cells: Vec<String>,
    pub upload: Option<UploadId>,
    pub state: BatchRowState,
    pub answer: String,
    pub failure: Option<Failure>,
    pub usage: Usage,
    /// Tokens of its file that did not fit the model's context.
    pub left_out: u32,
    /// From the question to the answer's end, with the wait for a place.
    pub ms: u32,
    /// How often it was asked.
    pub tries: u32,
}

/// How a row ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRowEnd {
    pub seq: u32,
    pub answer: String,
    /// Why it failed; `None` where it is done.
    pub failure: Option<Failure>,
    pub usage: Usage,
    pub left_out: u32,
    pub ms: u32,
}

/// Which rows of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct BatchRowsOf {
    /// These alone.
    pub state: Option<BatchRowState>,
    /// From this one on.
    pub from: u32,
    pub limit: u32,
}

impl Store {
    /// Stores a batch that begins, with all its rows, as run by this node.
    pub async fn begin_batch(&self, caller: &Caller, new: NewBatchRun) -> Result<BatchId, Error> {
        let id = BatchId(self.inner.ids.next());
        let ((tenant, person), now) = (owner(caller), self.now().0);
        let total = i64::try_from(new.rows.len()).unwrap_or(i64::MAX);
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO batches (id, tenant, person, node, name, assistant, assistant_version, model, instructions, \
             sampling, template, columns, at_once, state, total, done, failed, prompt, completion, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'running', $14, 0, 0, 0, 0, $15, $15)",
        )
        .bind(id.to_string())
        .bind(tenant.clone())
        .bind(person)
        .bind(self.node().to_owned())
        .bind(clean(new.name))
        .bind(new.assistant.map(|(id, _)| id.to_string()))
        .bind(new.assistant.map(|(_, version)| version))
        .bind(new.model)
        .bind(new.instructions.map(clean))
        .bind(json(&new.sampling)?)
        .bind(clean(new.template))
        .bind(json(&new.columns)?)
        .bind(i64::from(new.at_once))
        .bind(total)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        for (seq, row) in (0_i64..).zip(new.rows) {
            sqlx::query(
                "INSERT INTO batch_rows (batch, seq, tenant, cells, upload, state, answer, prompt, completion, left_out, \
                 ms, tries) VALUES ($1, $2, $3, $4, $5, 'waiting', '', 0, 0, 0, 0, 0)",
            )
            .bind(id.to_string())
            .bind(seq)
            .bind(tenant.clone())
            .bind(json(&row.cells)?)
            .bind(row.upload.map(|upload| upload.to_string()))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// Keeps how a row ended; one that is done already stays as it is. `false` where this node is not to ask on: somebody stopped or
    /// deleted the batch meanwhile.
    pub async fn keep_batch_row(&self, caller: &Caller, id: BatchId, end: BatchRowEnd) -> Result<bool, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        // First, since it holds the row: whoever deletes the batch waits, and then finds this row, too.
        let goes_on = sqlx::query(
            "UPDATE batches SET updated_at = $1 WHERE id = $2 AND tenant = $3 AND node = $4 AND state = 'running'",
        )
        .bind(self.now().0)
        .bind(id.to_string())
        .bind(caller.tenant.to_string())
        .bind(self.node().to_owned())
        .execute(&mut *tx)
        .await?;
        if goes_on.rows_affected() == 0 {
            return Ok(false);
        }
        let state = if end.failure.is_some() { BatchRowState::Failed } else { BatchRowState::Done };
        let kept = sqlx::query(
            "UPDATE batch_rows SET state = $1, answer = $2, failure_code = $3, failure_message = $4, prompt = $5, \
             completion = $6, left_out = $7, ms = $8, tries = tries + 1 \
             WHERE batch = $9 AND seq = $10 AND tenant = $11 AND state = 'waiting'",
        )
        .bind(state.as_str())
        .bind(clean(end.answer))
        .bind(end.failure.as_ref().map(|failure| clean(failure.code.clone().into_owned())))
        .bind(end.failure.as_ref().map(|failure| clean(failure.message.clone())))
        .bind(i64::from(end.usage.prompt.0))
        .bind(i64::from(end.usage.completion.0))
        .bind(i64::from(end.left_out))
        .bind(i64::from(end.ms))
        .bind(id.to_string())
        .bind(i64::from(end.seq))
        .bind(caller.tenant.to_string())
        .execute(&mut *tx)
        .await?;
        if kept.rows_affected() == 1 {
            sqlx::query(
                "UPDATE batches SET done = done + $1, failed = failed + $2, prompt = prompt + $3, \
                 completion = completion + $4 WHERE id = $5",
            )
            .bind(i64::from(state == BatchRowState::Done))
            .bind(i64::from(state == BatchRowState::Failed))
            .bind(i64::from(end.usage.prompt.0))
            .bind(i64::from(end.usage.completion.0))
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Notes that a batch that runs here rests from now on, and why; one that rests already stays as it is.
    pub async fn end_batch(
        &self,
        caller: &Caller,
        id: BatchId,
        state: BatchState,
        reason: Option<Failure>,
    ) -> Result<(), Error> {
        self.rest(caller, id, state, reason, self.node()).await
    }

    /// Stops one wherever it runs: whoever runs it notices with the next row.
    pub async fn stop_batch(&self, caller: &Caller, id: BatchId) -> Result<(), Error> {
        self.rest(caller, id, BatchState::Stopped, None, "").await
    }

    async fn rest(
        &self,
        caller: &Caller,
        id: BatchId,
        state: BatchState,
        reason: Option<Failure>,
        node: &str,
    ) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let now = self.now().0;
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "UPDATE batches SET state = $1, reason_code = $2, reason_message = $3, updated_at = $4, finished_at = $5 \
             WHERE id = $6 AND tenant = $7 AND person = $8 AND state = 'running' AND ($9 = '' OR node = $9)",
        )
        .bind(state.as_str())
        .bind(reason.as_ref().map(|reason| clean(reason.code.clone().into_owned())))
        .bind(reason.as_ref().map(|reason| clean(reason.message.clone())))
        .bind(now)
        .bind((state == BatchState::Finished).then_some(now))
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(node.to_owned())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets a batch that rests go on, here; with `again`, what failed is asked again. [`Error::Conflict`] where it runs.
    pub async fn resume_batch(&self, caller: &Caller, id: BatchId, again: bool) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(
            "UPDATE batches SET state = 'running', node = $1, reason_code = NULL, reason_message = NULL, \
             finished_at = NULL, updated_at = $2 WHERE id = $3 AND tenant = $4 AND person = $5 AND state <> 'running'",
        )
        .bind(self.node().to_owned())
        .bind(self.now().0)
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            drop(tx);
            return Err(match self.batch(caller, id).await? {
                Some(_) => Error::Conflict { what: "the batch is under way".into() },
                None => Error::NotFound { what: "batch" },
            });
        }
        if again {
            sqlx::query(
                "UPDATE batch_rows SET state = 'waiting', failure_code = NULL, failure_message = NULL \
                 WHERE batch = $1 AND state = 'failed'",
            )
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
            sqlx::query("UPDATE batches SET failed = 0 WHERE id = $1").bind(id.to_string()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The rows that are still to be asked, in their order.
    pub async fn waiting_rows(&self, caller: &Caller, id: BatchId) -> Result<Vec<u32>, Error> {
        let rows = sqlx::query(
            "SELECT seq FROM batch_rows WHERE batch = $1 AND state = 'waiting' AND tenant = $2 ORDER BY seq",
        )
        .bind(id.to_string())
        .bind(caller.tenant.to_string())
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(|row| row.number("seq")).collect()
    }

    /// Batches that an earlier process of this node was running, with whose they are. For the house, at the start. Those of a person
    /// who may not ask any more are not among them.
    pub async fn running_batches(&self) -> Result<Vec<(Caller, BatchId)>, Error> {
        let rows = sqlx::query(
            "SELECT b.id, b.tenant, b.person, p.role FROM batches b JOIN persons p ON p.id = b.person AND p.tenant = b.tenant \
             WHERE b.node = $1 AND b.state = 'running' AND p.disabled = 0 ORDER BY b.id",
        )
        .bind(self.node().to_owned())
        .fetch_all(&self.inner.database.read)
        .await?;
        let one = |row: &AnyRow| {
            let (tenant, person, role) = (row.id("tenant")?, row.id("person")?, row.role("role")?);
            Ok((Caller { tenant, person, role, via: Via::House }, row.id("id")?))
        };
        rows.iter().map(one).collect()
    }

    /// The caller's batches, newest first.
    pub async fn batches(&self, caller: &Caller, limit: u32) -> Result<Vec<BatchRun>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query("SELECT * FROM batches WHERE tenant = $1 AND person = $2 ORDER BY id DESC LIMIT $3")
            .bind(tenant)
            .bind(person)
            .bind(i64::from(limit))
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(batch).collect()
    }

    /// One of them.
    pub async fn batch(&self, caller: &Caller, id: BatchId) -> Result<Option<BatchRun>, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query("SELECT * FROM batches WHERE id = $1 AND tenant = $2 AND person = $3")
            .bind(id.to_string())
            .bind(tenant)
            .bind(person)
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.as_ref().map(batch).transpose()
    }

    /// Rows of one of the caller's batches, in their order.
    pub async fn batch_rows(&self, caller: &Caller, id: BatchId, of: BatchRowsOf) -> Result<Vec<BatchRow>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(
            "SELECT r.* FROM batch_rows r JOIN batches b ON b.id = r.batch \
             WHERE r.batch = $1 AND b.tenant = $2 AND b.person = $3 AND r.seq >= $4 AND ($5 = '' OR r.state = $5) \
             ORDER BY r.seq LIMIT $6",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(i64::from(of.from))
        .bind(of.state.map(BatchRowState::as_str).unwrap_or_default().to_owned())
        .bind(i64::from(of.limit))
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(row_of).collect()
    }

    /// Deletes one, with its rows; who runs it notices.
    pub async fn delete_batch(&self, caller: &Caller, id: BatchId) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let gone = sqlx::query("DELETE FROM batches WHERE id = $1 AND tenant = $2 AND person = $3")
            .bind(id.to_string())
            .bind(tenant)
            .bind(person)
            .execute(&mut *tx)
            .await?;
        if gone.rows_affected() == 0 {
            return Err(Error::NotFound { what: "batch" });
        }
        sqlx::query("DELETE FROM batch_rows WHERE batch = $1").bind(id.to_string()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn usage(row: &AnyRow) -> Result<Usage, Error> {
    Ok(Usage {
        prompt: Tokens(row.number("prompt")?),
        completion: Tokens(row.number("completion")?),
        ..Usage::default()
    })
}

fn batch(row: &AnyRow) -> Result<BatchRun, Error> {
    let assistant: Option<AssistantId> = row.maybe_id("assistant")?;
    Ok(BatchRun {
        id: row.id("id")?,
        name: row.text("name")?,
        assistant: assistant.zip(row.maybe_int("assistant_version")?),
        model: row.text("model")?,
        instructions: row.maybe_text("instructions")?,
        sampling: row.json("sampling")?,
        template: row.text("template")?,
        columns: row.json("columns")?,
        at_once: row.number("at_once")?,
        state: row.word("state", BatchState::parse)?,
        reason: row.maybe_failure("reason_code", "reason_message")?,
        total: row.number("total")?,
        done: row.number("done")?,
        failed: row.number("failed")?,
        usage: usage(row)?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
        finished_at: row.maybe_at("finished_at")?,
    })
}

fn row_of(row: &AnyRow) -> Result<BatchRow, Error> {
    Ok(BatchRow {
        seq: row.number("seq")?,
        cells: row.json("cells")?,
        upload: row.maybe_id("upload")?,
        state: row.word("state", BatchRowState::parse)?,
        answer: row.text("answer")?,
        failure: row.maybe_failure("failure_code", "failure_message")?,
        usage: usage(row)?,
        left_out: row.number("left_out")?,
        ms: row.number("ms")?,
        tries: row.number("tries")?,
    })
}
