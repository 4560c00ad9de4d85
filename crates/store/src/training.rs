//! Training jobs: a row for each, and its losses step by step. What runs a job is `tuning`'s, what it computes `training`'s.

use domain::{Caller, DatasetId, JobId, PersonId, TenantId, Timestamp};
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::rows::{Columns, clean, json};
use crate::{Error, Store, evaluations};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It waits for the one before it.
    Queued,
    Running,
    /// A person stopped it; it can go on.
    Stopped,
    /// The portal went down meanwhile; it can go on.
    Interrupted,
    Failed,
    Done,
}

impl JobState {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Queued => "queued",
            JobState::Running => "running",
            JobState::Stopped => "stopped",
            JobState::Interrupted => "interrupted",
            JobState::Failed => "failed",
            JobState::Done => "done",
        }
    }

    /// Whether nothing happens any more unless somebody asks for it.
    pub fn rests(self) -> bool {
        !matches!(self, JobState::Queued | JobState::Running)
    }

    fn parse(word: &str) -> Option<JobState> {
        use JobState::{Done, Failed, Interrupted, Queued, Running, Stopped};
        [Queued, Running, Stopped, Interrupted, Failed, Done].into_iter().find(|state| state.as_str() == word)
    }
}

/// A training job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub id: JobId,
    pub tenant: TenantId,
    pub person: PersonId,
    pub name: String,
    /// The name of the model that learns, in this machine's library.
    pub model: String,
    pub dataset: DatasetId,
    pub version: i64,
    /// How it learns: JSON.
    pub recipe: Value,
    pub state: JobState,
    /// What it last told: JSON, `{}` before the first word.
    pub progress: Value,
    /// Why it failed: a sentence.
    pub failure: Option<String>,
    /// What it made: JSON.
    pub result: Option<Value>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

/// A job to be.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub name: String,
    pub model: String,
    pub dataset: DatasetId,
    pub version: i64,
    pub recipe: Value,
}

/// The loss at a step, in millionths of a nat for each token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    pub step: u32,
    /// On the examples of the step.
    pub train: Option<i64>,
    /// On the held-out ones.
    pub held_out: Option<i64>,
}

impl Store {
    /// Stores a job that waits.
    pub async fn create_job(&self, caller: &Caller, new: NewJob) -> Result<Job, Error> {
        let job = Job {
            id: JobId(self.inner.ids.next()),
            tenant: caller.tenant,
            person: caller.person,
            name: clean(new.name),
            model: clean(new.model),
            dataset: new.dataset,
            version: new.version,
            recipe: new.recipe,
            state: JobState::Queued,
            progress: Value::Object(Default::default()),
            failure: None,
            result: None,
            created_at: self.now(),
            started_at: None,
            finished_at: None,
        };
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO training_jobs (id, tenant, person, node, name, model, dataset, version, recipe, state, progress, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '{}', $11)",
        )
        .bind(job.id.to_string())
        .bind(job.tenant.to_string())
        .bind(job.person.to_string())
        .bind(self.inner.node.clone())
        .bind(job.name.clone())
        .bind(job.model.clone())
        .bind(job.dataset.to_string())
        .bind(job.version)
        .bind(json(&job.recipe)?)
        .bind(job.state.as_str())
        .bind(job.created_at.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(job)
    }

    /// The tenant's jobs, newest first.
    pub async fn jobs(&self, caller: &Caller) -> Result<Vec<Job>, Error> {
        let rows = sqlx::query("SELECT * FROM training_jobs WHERE tenant = $1 ORDER BY id DESC")
            .bind(caller.tenant.to_string())
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(job).collect()
    }

    /// One of them.
    pub async fn job(&self, caller: &Caller, id: JobId) -> Result<Option<Job>, Error> {
        let row = sqlx::query("SELECT * FROM training_jobs WHERE id = $1 AND tenant = $2")
            .bind(id.to_string())
            .bind(caller.tenant.to_string())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.as_ref().map(job).transpose()
    }

    /// The job of this node that has waited longest. For the house.
    pub async fn next_job(&self) -> Result<Option<Job>, Error> {
        let row = sqlx::query("SELECT * FROM training_jobs WHERE node = $1 AND state = 'queued' ORDER BY id LIMIT 1")
            .bind(self.inner.node.clone())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.as_ref().map(job).transpose()
    }

    /// Stores where a job stands; `from` are the states in which that may be said: [`Error::Conflict`] elsewhere. For the house.
    pub async fn move_job(
        &self,
        id: JobId,
        from: &[JobState],
        to: JobState,
        failure: Option<String>,
        result: Option<Value>,
    ) -> Result<(), Error> {
        let now = self.now().0;
        let mut tx = self.inner.database.write_tx().await?;
        let row = sqlx::query("SELECT state FROM training_jobs WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let held = row.ok_or(Error::NotFound { what: "job" })?.word("state", JobState::parse)?;
        if !from.contains(&held) {
            return Err(Error::Conflict { what: format!("the job is {}", held.as_str()) });
        }
        sqlx::query(
            "UPDATE training_jobs SET state = $1, failure = $2, result = COALESCE($3, result), \
             started_at = CASE WHEN $1 = 'running' THEN COALESCE(started_at, $4) ELSE started_at END, \
             finished_at = CASE WHEN $1 IN ('queued', 'running') THEN NULL ELSE $4 END WHERE id = $5",
        )
        .bind(to.as_str())
        .bind(failure.map(clean))
        .bind(result.as_ref().map(json).transpose()?)
        .bind(now)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stores what a job told: the latest word, and losses. A step that is told again (after going on from a checkpoint) is
    /// replaced, and what lay beyond `keep_to` is forgotten. For the house.
    pub async fn note_progress(
        &self,
        id: JobId,
        progress: &Value,
        losses: &[Loss],
        keep_to: Option<u32>,
    ) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query("UPDATE training_jobs SET progress = $1 WHERE id = $2")
            .bind(json(progress)?)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        if let Some(step) = keep_to {
            sqlx::query("DELETE FROM training_losses WHERE job = $1 AND step > $2")
                .bind(id.to_string())
                .bind(i64::from(step))
                .execute(&mut *tx)
                .await?;
        }
        for loss in losses {
            sqlx::query(
                "INSERT INTO training_losses (job, step, train, held_out) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (job, step) DO UPDATE SET train = COALESCE(excluded.train, training_losses.train), \
                 held_out = COALESCE(excluded.held_out, training_losses.held_out)",
            )
            .bind(id.to_string())
            .bind(i64::from(loss.step))
            .bind(loss.train)
            .bind(loss.held_out)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The losses of a job, step by step, those after `after`.
    pub async fn losses(&self, caller: &Caller, id: JobId, after: u32) -> Result<Vec<Loss>, Error> {
        let rows = sqlx::query(
            "SELECT l.step, l.train, l.held_out FROM training_losses l JOIN training_jobs j ON j.id = l.job \
             WHERE l.job = $1 AND j.tenant = $2 AND l.step > $3 ORDER BY l.step",
        )
        .bind(id.to_string())
        .bind(caller.tenant.to_string())
        .bind(i64::from(after))
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Loss {
                    step: row.number("step")?,
                    train: row.maybe_int("train")?,
                    held_out: row.maybe_int("held_out")?,
                })
            })
            .collect()
    }

    /// Deletes a job that rests, with its losses and what was measured of it.
    pub async fn delete_job(&self, caller: &Caller, id: JobId) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(
            "DELETE FROM training_jobs WHERE id = $1 AND tenant = $2 AND state NOT IN ('queued', 'running')",
        )
        .bind(id.to_string())
        .bind(caller.tenant.to_string())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(match self.job(caller, id).await? {
                Some(_) => Error::Conflict { what: "the job is not at rest; stop it first".into() },
                None => Error::NotFound { what: "job" },
            });
        }
        sqlx::query("DELETE FROM training_losses WHERE job = $1").bind(id.to_string()).execute(&mut *tx).await?;
        evaluations::forget(&mut tx, caller, "job", &id.to_string()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Marks what this node's earlier process was running; how many. For the house, before it runs any.
    pub async fn interrupt_jobs(&self) -> Result<u64, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(
            "UPDATE training_jobs SET state = 'interrupted', finished_at = $1 WHERE node = $2 AND state = 'running'",
        )
        .bind(self.now().0)
        .bind(self.inner.node.clone())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

fn job(row: &AnyRow) -> Result<Job, Error> {
    Ok(Job {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        person: row.id("person")?,
        name: row.text("name")?,
        model: row.text("model")?,
        dataset: row.id("dataset")?,
        version: row.int("version")?,
        recipe: row.json("recipe")?,
        state: row.word("state", JobState::parse)?,
        progress: row.json("progress")?,
        failure: row.maybe_text("failure")?,
        result: row.maybe_json("result")?,
        created_at: row.at("created_at")?,
        started_at: row.maybe_at("started_at")?,
        finished_at: row.maybe_at("finished_at")?,
    })
}
