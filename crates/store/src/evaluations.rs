//! Evaluations: a question set asked of several models, one row for each answer. Which questions, and how an answer is scored, is
//! decided above; here is what became of them.

use std::collections::BTreeSet;

use domain::{Caller, DatasetId, EvaluationId, Failure, Finish, JobId, Message, Timestamp, Tokens, Usage};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::rows::{Columns, clean, corrupt, json};
use crate::{Error, Store};

/// Where an evaluation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluationState {
    Running,
    Finished,
    /// A person stopped it; it can go on.
    Cancelled,
    /// The portal went down meanwhile; it can go on.
    Interrupted,
}

impl EvaluationState {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            EvaluationState::Running => "running",
            EvaluationState::Finished => "finished",
            EvaluationState::Cancelled => "cancelled",
            EvaluationState::Interrupted => "interrupted",
        }
    }

    fn parse(word: &str) -> Option<EvaluationState> {
        use EvaluationState::{Cancelled, Finished, Interrupted, Running};
        [Running, Finished, Cancelled, Interrupted].into_iter().find(|state| state.as_str() == word)
    }
}

/// Whom a question is asked of. What a model may know besides (a knowledge base) will be another field of this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    pub model: String,
    /// Said to it before the question's own instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
}

/// What is asked, and what ought to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationQuestion {
    /// Everything before the answer.
    pub messages: Vec<Message>,
    pub expected: String,
}

/// An evaluation to be.
#[derive(Debug, Clone)]
pub struct NewEvaluation {
    /// The job whose teaching is measured.
    pub job: Option<JobId>,
    pub dataset: DatasetId,
    pub version: i64,
    pub variants: Vec<Variant>,
    /// The longest answer.
    pub max_tokens: u32,
    pub questions: Vec<EvaluationQuestion>,
}

/// An evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    pub id: EvaluationId,
    pub job: Option<JobId>,
    pub dataset: DatasetId,
    pub version: i64,
    pub variants: Vec<Variant>,
    pub max_tokens: u32,
    pub state: EvaluationState,
    pub questions: u32,
    /// Answers that are there, those that failed among them.
    pub answers: u32,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// What a variant answered to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationAnswer {
    /// The question, from 0.
    pub seq: u32,
    /// The variant, from 0.
    pub variant: u32,
    pub text: String,
    pub finish: Finish,
    pub failure: Option<Failure>,
    pub usage: Usage,
    pub ttft_ms: Option<u32>,
    /// From the question to the answer's end, with the wait for a place.
    pub ms: u32,
    /// `None` where there is no answer.
    pub exact: Option<bool>,
    /// Per mille; `None` where there is no answer.
    pub similarity: Option<u16>,
}

/// A question that is still to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// From 0.
    pub seq: u32,
    pub question: EvaluationQuestion,
    /// The places of the variants that have not answered it.
    pub variants: Vec<u32>,
}

/// Which evaluations are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct EvaluationsOf {
    pub job: Option<JobId>,
    pub dataset: Option<DatasetId>,
}

const READ: &str = "SELECT e.*, \
     (SELECT CAST(COUNT(*) AS BIGINT) FROM evaluation_questions q WHERE q.evaluation = e.id) AS questions, \
     (SELECT CAST(COUNT(*) AS BIGINT) FROM evaluation_answers a WHERE a.evaluation = e.id) AS answers \
     FROM evaluations e WHERE e.tenant = $1";

impl Store {
    /// Stores an evaluation that begins, with its questions. [`Error::NotFound`] where its data set or its job has gone.
    pub async fn begin_evaluation(&self, caller: &Caller, new: NewEvaluation) -> Result<EvaluationId, Error> {
        let id = EvaluationId(self.inner.ids.next());
        let (tenant, now) = (caller.tenant.to_string(), self.now().0);
        let mut tx = self.inner.database.write_tx().await?;
        let there = "SELECT version FROM dataset_versions WHERE dataset = $1 AND version = $2 AND tenant = $3";
        let there = sqlx::query(there).bind(new.dataset.to_string()).bind(new.version).bind(tenant.clone());
        there.fetch_optional(&mut *tx).await?.ok_or(Error::NotFound { what: "version" })?;
        if let Some(job) = new.job {
            let there = sqlx::query("SELECT id FROM training_jobs WHERE id = $1 AND tenant = $2");
            let there = there.bind(job.to_string()).bind(tenant.clone()).fetch_optional(&mut *tx).await?;
            there.ok_or(Error::NotFound { what: "job" })?;
        }
        sqlx::query(
            "INSERT INTO evaluations (id, tenant, person, node, job, dataset, version, variants, max_tokens, state, \
             started_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        )
        .bind(id.to_string())
        .bind(tenant.clone())
        .bind(caller.person.to_string())
        .bind(self.node().to_owned())
        .bind(new.job.map(|job| job.to_string()))
        .bind(new.dataset.to_string())
        .bind(new.version)
        .bind(json(&new.variants)?)
        .bind(i64::from(new.max_tokens))
        .bind(EvaluationState::Running.as_str())
        .bind(now)
        .execute(&mut *tx)
        .await?;
        for (seq, question) in (0_i64..).zip(new.questions) {
            sqlx::query(
                "INSERT INTO evaluation_questions (evaluation, seq, tenant, messages, expected) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(id.to_string())
            .bind(seq)
            .bind(tenant.clone())
            .bind(json(&question.messages)?)
            .bind(clean(question.expected))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// Keeps an answer. `false` where this node is not to ask on: somebody stopped or deleted the evaluation meanwhile.
    pub async fn keep_evaluation_answer(
        &self,
        caller: &Caller,
        id: EvaluationId,
        answer: EvaluationAnswer,
    ) -> Result<bool, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        // First, since it holds the row: whoever deletes it waits, and then finds this answer, too.
        let goes_on = sqlx::query(
            "UPDATE evaluations SET updated_at = $1 WHERE id = $2 AND tenant = $3 AND node = $4 AND state = 'running'",
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
        sqlx::query(
            "INSERT INTO evaluation_answers (evaluation, seq, variant, tenant, text, finish, failure_code, \
             failure_message, prompt, completion, ttft_ms, ms, exact, similarity) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING",
        )
        .bind(id.to_string())
        .bind(i64::from(answer.seq))
        .bind(i64::from(answer.variant))
        .bind(caller.tenant.to_string())
        .bind(clean(answer.text))
        .bind(answer.finish.as_str())
        .bind(answer.failure.as_ref().map(|failure| clean(failure.code.clone().into_owned())))
        .bind(answer.failure.as_ref().map(|failure| clean(failure.message.clone())))
        .bind(i64::from(answer.usage.prompt.0))
        .bind(i64::from(answer.usage.completion.0))
        .bind(answer.ttft_ms.map(i64::from))
        .bind(i64::from(answer.ms))
        .bind(answer.exact.map(i64::from))
        .bind(answer.similarity.map(i64::from))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes how an evaluation ended that runs here; one that has ended stays as it did.
    pub async fn end_evaluation(&self, caller: &Caller, id: EvaluationId, state: EvaluationState) -> Result<(), Error> {
        self.end(caller, id, state, self.node()).await
    }

    /// Stops one wherever it runs: whoever runs it notices with the next answer.
    pub async fn stop_evaluation(&self, caller: &Caller, id: EvaluationId) -> Result<(), Error> {
        self.end(caller, id, EvaluationState::Cancelled, "").await
    }

    async fn end(&self, caller: &Caller, id: EvaluationId, state: EvaluationState, node: &str) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "UPDATE evaluations SET state = $1, finished_at = $2 \
             WHERE id = $3 AND tenant = $4 AND state = 'running' AND ($5 = '' OR node = $5)",
        )
        .bind(state.as_str())
        .bind(self.now().0)
        .bind(id.to_string())
        .bind(caller.tenant.to_string())
        .bind(node.to_owned())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets an evaluation that rests go on, here; what failed is to be asked again. [`Error::Conflict`] where it runs.
    pub async fn resume_evaluation(&self, caller: &Caller, id: EvaluationId) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(
            "UPDATE evaluations SET state = 'running', node = $1, finished_at = NULL, updated_at = $2 \
             WHERE id = $3 AND tenant = $4 AND state <> 'running'",
        )
        .bind(self.node().to_owned())
        .bind(self.now().0)
        .bind(id.to_string())
        .bind(caller.tenant.to_string())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(match self.evaluation(caller, id).await? {
                Some(_) => Error::Conflict { what: "the evaluation is under way".into() },
                None => Error::NotFound { what: "evaluation" },
            });
        }
        sqlx::query("DELETE FROM evaluation_answers WHERE evaluation = $1 AND failure_code IS NOT NULL")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The questions that some variant has not answered.
    pub async fn unanswered(&self, caller: &Caller, id: EvaluationId) -> Result<Vec<Unanswered>, Error> {
        let evaluation = self.evaluation(caller, id).await?.ok_or(Error::NotFound { what: "evaluation" })?;
        let answers = self.evaluation_answers(caller, id).await?;
        let there: BTreeSet<(u32, u32)> = answers.iter().map(|answer| (answer.seq, answer.variant)).collect();
        let variants = u32::try_from(evaluation.variants.len()).unwrap_or(u32::MAX);
        let open = |seq| (0..variants).filter(|variant| !there.contains(&(seq, *variant))).collect();
        let questions = (0..).zip(self.evaluation_questions(caller, id).await?);
        let all = questions.map(|(seq, question)| Unanswered { seq, question, variants: open(seq) });
        Ok(all.filter(|one| !one.variants.is_empty()).collect())
    }

    /// Evaluations of this node that an earlier process was running. For the house, at the start.
    pub(crate) async fn interrupt_evaluations(&self, node: &str) -> Result<u64, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(
            "UPDATE evaluations SET state = 'interrupted', finished_at = $1 WHERE node = $2 AND state = 'running'",
        )
        .bind(self.now().0)
        .bind(node.to_owned())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// The tenant's evaluations, newest first.
    pub async fn evaluations(&self, caller: &Caller, of: EvaluationsOf, limit: u32) -> Result<Vec<Evaluation>, Error> {
        let select =
            format!("{READ} AND ($2 = '' OR e.job = $2) AND ($3 = '' OR e.dataset = $3) ORDER BY e.id DESC LIMIT $4");
        let rows = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(caller.tenant.to_string())
            .bind(of.job.map(|job| job.to_string()).unwrap_or_default())
            .bind(of.dataset.map(|dataset| dataset.to_string()).unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(evaluation).collect()
    }

    /// One of them.
    pub async fn evaluation(&self, caller: &Caller, id: EvaluationId) -> Result<Option<Evaluation>, Error> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{READ} AND e.id = $2")))
            .bind(caller.tenant.to_string())
            .bind(id.to_string())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.as_ref().map(evaluation).transpose()
    }

    /// Its questions, in their order.
    pub async fn evaluation_questions(
        &self,
        caller: &Caller,
        id: EvaluationId,
    ) -> Result<Vec<EvaluationQuestion>, Error> {
        let rows = sqlx::query(
            "SELECT messages, expected FROM evaluation_questions WHERE evaluation = $1 AND tenant = $2 ORDER BY seq",
        )
        .bind(id.to_string())
        .bind(caller.tenant.to_string())
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter()
            .map(|row| Ok(EvaluationQuestion { messages: row.json("messages")?, expected: row.text("expected")? }))
            .collect()
    }

    /// What was answered so far, question by question and variant by variant.
    pub async fn evaluation_answers(&self, caller: &Caller, id: EvaluationId) -> Result<Vec<EvaluationAnswer>, Error> {
        let rows =
            sqlx::query("SELECT * FROM evaluation_answers WHERE evaluation = $1 AND tenant = $2 ORDER BY seq, variant")
                .bind(id.to_string())
                .bind(caller.tenant.to_string())
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter().map(answer).collect()
    }

    /// Deletes one, with its questions and answers; who runs it notices.
    pub async fn delete_evaluation(&self, caller: &Caller, id: EvaluationId) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        match forget(&mut tx, caller, "id", &id.to_string()).await? {
            0 => Err(Error::NotFound { what: "evaluation" }),
            _ => Ok(tx.commit().await?),
        }
    }
}

/// Deletes the tenant's evaluations whose column `by` (a name of ours) is `value`; how many they were.
pub(crate) async fn forget(
    connection: &mut sqlx::AnyConnection,
    caller: &Caller,
    by: &'static str,
    value: &str,
) -> Result<usize, Error> {
    let gone = format!("DELETE FROM evaluations WHERE {by} = $1 AND tenant = $2 RETURNING id");
    let gone = sqlx::query(sqlx::AssertSqlSafe(gone)).bind(value.to_owned()).bind(caller.tenant.to_string());
    let gone = gone.fetch_all(&mut *connection).await?;
    for row in &gone {
        for rest in [
            "DELETE FROM evaluation_questions WHERE evaluation = $1",
            "DELETE FROM evaluation_answers WHERE evaluation = $1",
        ] {
            sqlx::query(rest).bind(row.text("id")?).execute(&mut *connection).await?;
        }
    }
    Ok(gone.len())
}

fn evaluation(row: &AnyRow) -> Result<Evaluation, Error> {
    Ok(Evaluation {
        id: row.id("id")?,
        job: row.maybe_id("job")?,
        dataset: row.id("dataset")?,
        version: row.int("version")?,
        variants: row.json("variants")?,
        max_tokens: row.number("max_tokens")?,
        state: row.word("state", EvaluationState::parse)?,
        questions: row.number("questions")?,
        answers: row.number("answers")?,
        started_at: row.at("started_at")?,
        finished_at: row.maybe_at("finished_at")?,
    })
}

fn answer(row: &AnyRow) -> Result<EvaluationAnswer, Error> {
    let (prompt, completion) = (Tokens(row.number("prompt")?), Tokens(row.number("completion")?));
    Ok(EvaluationAnswer {
        seq: row.number("seq")?,
        variant: row.number("variant")?,
        text: row.text("text")?,
        finish: row.maybe_finish("finish")?.ok_or_else(|| corrupt("finish", ""))?,
        failure: row.maybe_failure("failure_code", "failure_message")?,
        usage: Usage { prompt, completion, ..Usage::default() },
        ttft_ms: row.maybe_number("ttft_ms")?,
        ms: row.number("ms")?,
        exact: row.maybe_int("exact")?.map(|exact| exact != 0),
        similarity: row.maybe_number("similarity")?,
    })
}
