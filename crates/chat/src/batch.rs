//! Batches: one question about every row of a table, or about every file of a pile. It is work that nobody waits for, by the line of a
//! passing turn, each row held and settled like any turn; what comes of it is in the store, row by row, so that a batch that was
//! stopped, paused or killed goes on with what is waiting. Tools that a model calls are not offered here: nobody is there to see them.

mod template;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assistants::{Occasion, Unit};
use domain::{
    AssistantId, Author, BatchId, Caller, Failure, FileRef, Message, Priority, Sampling, TenantId, Tokens, UploadId,
    Usage,
};
use futures_util::StreamExt;
use models::ModelView;
use store::{BatchRow, BatchRowEnd, BatchRowState, BatchRowsOf, BatchRun, BatchState, NewBatchRow, NewBatchRun};
use tokio_util::sync::CancellationToken;

use crate::enquiry::{Enquiry, failure};
use crate::{Chat, Error, context, files};

/// The door's name in usage rows and metrics.
const BATCH: &str = "batch";

/// The most rows of a batch, files of a batch, and letters of a cell.
const ROWS: usize = 10_000;
const FILES: usize = 500;
const CELL: usize = 50_000;
/// Rows asked side by side where nobody chose, and the most.
const AT_ONCE: u32 = 2;
const AT_ONCE_AT_MOST: u32 = 8;
/// Tokens of an answer where nobody chose.
const ANSWER: u32 = 1_024;
/// So many failures one after the other, for the same reason, are no fault of the rows: the batch rests.
const IN_A_ROW: u32 = 5;
/// The name of the column that holds a file's name.
const FILE: &str = "file";

/// What is asked about.
#[derive(Debug, Clone)]
pub enum BatchSource {
    /// Each row of a table; its first row names the columns.
    Table(UploadId),
    /// Each of these files; the one column is `file`, its name.
    Files(Vec<UploadId>),
}

/// A batch as a person asks for it.
#[derive(Debug, Clone)]
pub struct BatchAsk {
    /// What it is called; empty: as its file.
    pub name: String,
    /// What is asked about.
    pub source: BatchSource,
    /// The question, with `{{column}}` where a row's cell goes.
    pub template: String,
    /// Whom it is asked of: the published version, as it is now.
    pub assistant: Option<AssistantId>,
    /// Said to the model beside the assistant's own instructions.
    pub instructions: Option<String>,
    /// Absent: the assistant's model, or the first that is offered.
    pub model: Option<String>,
    /// The longest answer; absent: the assistant's, or 1,024.
    pub max_tokens: Option<u32>,
    /// Rows asked side by side, 1 to 8; absent: 2.
    pub at_once: Option<u32>,
    /// Minutes by which the person's clock is ahead of UTC.
    pub utc_offset: i32,
}

/// A batch before it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Previewed {
    /// What the table has, or `file`.
    pub columns: Vec<String>,
    /// How many rows would be asked about.
    pub rows: usize,
    /// The cells of the first ones.
    pub first: Vec<Vec<String>>,
    /// The question of the first row, as the model would read it.
    pub question: String,
    /// Who would be asked.
    pub model: String,
    /// About how many tokens all questions are, instructions and files counted in. Of files it is guessed from the first.
    pub prompt: u64,
    /// At most so many tokens are written, if every answer is as long as it may be.
    pub completion_at_most: u64,
}

/// Batches that run here.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<(TenantId, BatchId), CancellationToken>>);

impl Running {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(TenantId, BatchId), CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How asking about one row ended.
enum Asked {
    Ended(BatchRowEnd),
    /// The row is still to be asked: the whole batch has to rest.
    Rest(Failure),
    /// Others had come to rest before it was begun.
    NotBegun,
}

impl Chat {
    /// What a batch would be, without beginning it.
    pub async fn preview_batch(&self, caller: &Caller, ask: &BatchAsk) -> Result<Previewed, Error> {
        let (new, card) = self.batch_of(caller, ask, true).await?;
        let system = Tokens::estimate(new.instructions.as_deref().unwrap_or_default());
        let question_of = |row: &NewBatchRow| template::fill(&new.template, &new.columns, &row.cells);
        let question = new.rows.first().map(question_of).unwrap_or_default();
        let asked: u64 = new.rows.iter().map(|row| u64::from((system + Tokens::estimate(&question_of(row))).0)).sum();
        let file = match new.rows.first().and_then(|row| row.upload) {
            Some(upload) => {
                let budget = context::prompt_budget(card.context, new.sampling.max_tokens);
                let read = self.house.pages(caller, upload).await.unwrap_or_default();
                let text: u64 = read.iter().map(|page| u64::from(Tokens::estimate(&page.text).0)).sum();
                text.min(u64::from(budget))
            }
            None => 0,
        };
        let rows = new.rows.len() as u64;
        Ok(Previewed {
            rows: new.rows.len(),
            first: new.rows.iter().take(3).map(|row| row.cells.clone()).collect(),
            question,
            model: new.model,
            prompt: asked + file * rows,
            completion_at_most: u64::from(new.sampling.max_tokens.unwrap_or(ANSWER)) * rows,
            columns: new.columns,
        })
    }

    /// Begins a batch; returns once all of it is stored.
    pub async fn begin_batch(&self, caller: &Caller, ask: &BatchAsk) -> Result<BatchId, Error> {
        if self.house.draining.is_cancelled() {
            return Err(Error::Draining);
        }
        let (new, _) = self.batch_of(caller, ask, false).await?;
        let id = self.house.store.begin_batch(caller, new).await?;
        self.go_on_with_batch(caller, id);
        Ok(id)
    }

    /// Lets one go on that rests; with `again`, what failed is asked again.
    pub async fn resume_batch(&self, caller: &Caller, id: BatchId, again: bool) -> Result<(), Error> {
        if self.house.draining.is_cancelled() {
            return Err(Error::Draining);
        }
        self.house.store.resume_batch(caller, id, again).await?;
        self.go_on_with_batch(caller, id);
        Ok(())
    }

    /// Stops one; what it has stays.
    pub async fn stop_batch(&self, caller: &Caller, id: BatchId) -> Result<(), Error> {
        // First in the store: an answer that arrives now is not kept any more.
        self.house.store.stop_batch(caller, id).await?;
        let here = self.house.batches.lock().remove(&(caller.tenant, id));
        if let Some(here) = here {
            here.cancel();
        }
        Ok(())
    }

    /// Goes on with the batches that this node was running when it went down; how many.
    pub async fn take_up_batches(&self) -> Result<usize, Error> {
        let mut left = self.house.store.running_batches().await?;
        left.retain(|(caller, id)| !self.house.batches.lock().contains_key(&(caller.tenant, *id)));
        for (caller, id) in &left {
            self.go_on_with_batch(caller, *id);
        }
        Ok(left.len())
    }

    /// Everything that a batch is, read once: table, assistant and model as they are now. A preview may be asked for before there is
    /// a question: it tells the columns.
    async fn batch_of(
        &self,
        caller: &Caller,
        ask: &BatchAsk,
        is_preview: bool,
    ) -> Result<(NewBatchRun, ModelView), Error> {
        let house = &self.house;
        let at_once = ask.at_once.unwrap_or(AT_ONCE);
        if !(1..=AT_ONCE_AT_MOST).contains(&at_once) {
            return Err(wrong("at_once", format!("1 to {AT_ONCE_AT_MOST} rows can be asked side by side")));
        }
        let (columns, rows, file) = self.rows_of(caller, &ask.source).await?;
        if !(is_preview && ask.template.trim().is_empty()) {
            check(&ask.template, &columns, matches!(ask.source, BatchSource::Table(_)))?;
        }
        let (assistant, unit) = match ask.assistant {
            Some(id) => {
                let found = house.store.assistant_in_force(caller, id).await?;
                let found = found.ok_or(Error::NotFound { what: "assistant" })?;
                let unit: Unit = serde_json::from_str(&found.unit).map_err(|error| {
                    let what = format!("version {} of assistant {id} cannot be read: {error}", found.version);
                    store::Error::Corrupt { what }
                })?;
                (Some((found.id, found.version)), unit)
            }
            None => (None, Unit::default()),
        };
        let card = match (&ask.model, &unit.model) {
            (Some(model), _) => house.card(Some(model))?,
            (None, Some(model)) => house.card(Some(model)).or_else(|_| house.card(None))?,
            (None, None) => house.card(None)?,
        };
        let person = house.store.person(caller.tenant, caller.person).await?;
        let (name, language) = person.map(|person| (person.display_name, person.language)).unwrap_or_default();
        let occasion =
            Occasion { at: house.clock.now(), utc_offset: ask.utc_offset, name: &name, language: language.as_deref() };
        let own = ask.instructions.clone().unwrap_or_default();
        let parts = [unit.instructions(&occasion), own];
        let told: Vec<&str> = parts.iter().map(String::as_str).filter(|text| !text.trim().is_empty()).collect();
        let max_tokens = ask.max_tokens.or(unit.sampling.max_tokens).unwrap_or(ANSWER);
        let sampling = Sampling { max_tokens: Some(max_tokens), ..unit.sampling };
        let instructions = (!told.is_empty()).then(|| told.join("\n\n"));
        let name = if ask.name.trim().is_empty() { file } else { ask.name.trim().to_owned() };
        let model = card.id.clone();
        let template = ask.template.clone();
        let new = NewBatchRun { name, assistant, model, instructions, sampling, template, columns, at_once, rows };
        Ok((new, card))
    }

    /// The columns, the rows, and what the source is called.
    async fn rows_of(
        &self,
        caller: &Caller,
        source: &BatchSource,
    ) -> Result<(Vec<String>, Vec<NewBatchRow>, String), Error> {
        match source {
            BatchSource::Table(id) => {
                let found = self.house.files.uploads.find(caller, *id).await?;
                let file = found.and_then(|row| row.attachable()).ok_or(Error::NotFound { what: "file" })?;
                let read = self.house.table(caller, *id).await;
                let read = read.map_err(|why| Error::Unreadable { code: why.code, reason: why.reason })?;
                let (columns, rows) = table(read)?;
                Ok((columns, rows, file.name))
            }
            BatchSource::Files(ids) => {
                if !(1..=FILES).contains(&ids.len()) {
                    return Err(wrong("files", format!("a batch takes 1 to {FILES} files")));
                }
                let mut rows = Vec::with_capacity(ids.len());
                for id in ids {
                    let found = self.house.files.uploads.find(caller, *id).await?;
                    let file = found.and_then(|row| row.attachable()).ok_or(Error::NotFound { what: "file" })?;
                    rows.push(NewBatchRow { cells: vec![file.name], upload: Some(*id) });
                }
                let name = rows.first().map(|row: &NewBatchRow| row.cells[0].clone()).unwrap_or_default();
                Ok((vec![FILE.to_owned()], rows, name))
            }
        }
    }

    fn go_on_with_batch(&self, caller: &Caller, id: BatchId) {
        let stop = CancellationToken::new();
        self.house.batches.lock().insert((caller.tenant, id), stop.clone());
        let (chat, caller) = (self.clone(), *caller);
        self.house.tasks.spawn(async move {
            let ended = tokio::select! {
                biased;
                // It stays one that runs: the next start goes on with it.
                () = chat.house.draining.cancelled() => None,
                // The store knows already, and who stopped it may have it go on by now.
                () = stop.cancelled() => None,
                asked = Box::pin(chat.ask_rows(&caller, id)) => Some(match asked {
                    Ok(None) => (BatchState::Finished, None),
                    Ok(Some(reason)) => (BatchState::Paused, Some(reason)),
                    Err(error) => {
                        tracing::warn!(%error, batch = %id, "a batch could not go on");
                        (BatchState::Paused, Some(failure(&error)))
                    }
                }),
            };
            let Some((state, reason)) = ended else { return };
            // Before its end is stored: from then on it may go on again, under the same id.
            chat.house.batches.lock().remove(&(caller.tenant, id));
            if let Err(error) = chat.house.store.end_batch(&caller, id, state, reason).await {
                tracing::warn!(%error, batch = %id, "the end of a batch could not be stored");
            }
        });
    }

    /// Asks what is waiting, row by row, until nothing is, or somebody stopped it elsewhere, or it has to rest: then why.
    async fn ask_rows(&self, caller: &Caller, id: BatchId) -> Result<Option<Failure>, Error> {
        let store = &self.house.store;
        let batch = &store.batch(caller, id).await?.ok_or(Error::NotFound { what: "batch" })?;
        let waiting = store.waiting_rows(caller, id).await?;
        let resting = &CancellationToken::new();
        let asking = waiting.into_iter().map(|seq| async move {
            match resting.is_cancelled() {
                true => Ok(Asked::NotBegun),
                false => self.ask_row(caller, batch, seq).await,
            }
        });
        let at_once = usize::try_from(batch.at_once).unwrap_or(1).max(1);
        let mut asking = futures_util::stream::iter(asking).buffer_unordered(at_once);
        let (mut reason, mut same): (Option<Failure>, (String, u32)) = Default::default();
        while let Some(asked) = asking.next().await {
            let end = match asked? {
                Asked::Ended(end) => end,
                Asked::Rest(why) => {
                    // What is under way is answered and paid for; it is kept.
                    resting.cancel();
                    reason = reason.or(Some(why));
                    continue;
                }
                Asked::NotBegun => continue,
            };
            same = match &end.failure {
                Some(why) if why.code == same.0 => (same.0, same.1 + 1),
                Some(why) => (why.code.clone().into_owned(), 1),
                None => Default::default(),
            };
            if same.1 == IN_A_ROW && end.failure.as_ref().is_some_and(|why| is_the_models(&why.code)) {
                resting.cancel();
                reason = reason.or(end.failure.clone());
            }
            if !store.keep_batch_row(caller, id, end).await? {
                return Ok(None);
            }
        }
        Ok(reason)
    }

    async fn ask_row(&self, caller: &Caller, batch: &BatchRun, seq: u32) -> Result<Asked, Error> {
        let of = BatchRowsOf { state: Some(BatchRowState::Waiting), from: seq, limit: 1 };
        let found = self.house.store.batch_rows(caller, batch.id, of).await?;
        let Some(row) = found.into_iter().find(|row| row.seq == seq) else { return Ok(Asked::NotBegun) };
        let asked = self.house.clock.monotonic();
        let end = |answer: String, failure: Option<Failure>, usage: Usage, left_out: u32| {
            let ms = millis(self.house.clock.monotonic().saturating_sub(asked));
            Asked::Ended(BatchRowEnd { seq, answer, failure, usage, left_out, ms })
        };
        let (history, left_out) = match self.material_of(caller, batch, &row).await {
            Ok(history) => history,
            Err(why) => return Ok(end(String::new(), Some(why), Usage::default(), 0)),
        };
        let enquiry = Enquiry {
            door: BATCH,
            priority: Priority::Batch,
            model: &batch.model,
            window: self.house.models.find(&batch.model).and_then(|card| card.context),
            system: batch.instructions.as_deref(),
            history,
            sampling: &batch.sampling,
            scope: Arc::default(),
        };
        Ok(match Box::pin(self.enquire(caller, enquiry)).await {
            Ok((text, ending)) => match ending.failure {
                Some(why) if is_a_limit(&why.code) => Asked::Rest(why),
                why => end(text, why, ending.usage, left_out),
            },
            Err(Error::Draining) => Asked::NotBegun,
            Err(error) => match failure(&error) {
                why if is_a_limit(&why.code) => Asked::Rest(why),
                why => end(String::new(), Some(why), Usage::default(), 0),
            },
        })
    }

    /// The question of a row with what it is about before it, and how many tokens of that did not fit.
    async fn material_of(
        &self,
        caller: &Caller,
        batch: &BatchRun,
        row: &BatchRow,
    ) -> Result<(Vec<Message>, u32), Failure> {
        let asked = template::fill(&batch.template, &batch.columns, &row.cells);
        let history = vec![Message::new(Author::User, asked)];
        let Some(upload) = row.upload else { return Ok((history, 0)) };
        let house = &self.house;
        let card = house.card(Some(&batch.model)).map_err(|error| failure(&error))?;
        let found = house.files.uploads.find(caller, upload).await.map_err(|error| failure(&error.into()))?;
        let gone = || Failure { code: "file_gone".into(), message: "the file was deleted".to_owned() };
        let file: FileRef = found.and_then(|row| row.attachable()).ok_or_else(gone)?;
        let attached = vec![(0, file)];
        let (material, steps) = house.material(None, caller, &card, &attached, 0).await;
        if let Some(code) = steps.iter().find_map(|step| step.error.clone()) {
            let message = material.iter().find_map(|one| one.reason()).unwrap_or_default().to_owned();
            return Err(Failure { code, message });
        }
        let handed = house.attachments(caller, &attached, Some(0)).await;
        let consulted = house.tools.consult(caller, None, &history[0].text, &handed).await;
        let consulted = consulted.into_iter().filter(|one| one.step.error.is_none());
        let consulted: Vec<(String, String)> = consulted.map(|one| (one.step.plugin, one.text)).collect();
        let budget = context::prompt_budget(card.context, batch.sampling.max_tokens);
        let (woven, left_out) = files::weave(&history, &material, &consulted, budget);
        Ok((woven, left_out.iter().map(|one| one.tokens).fold(0, u32::saturating_add)))
    }
}

fn wrong(field: &'static str, reason: String) -> Error {
    Error::Batch { field, reason }
}

/// Over a limit that will not be any less reached with the next row.
fn is_a_limit(code: &str) -> bool {
    matches!(code, "over_daily_limit" | "over_key_budget" | "storage_full")
}

/// Whether a failure says something of the model's server, and nothing of the row.
fn is_the_models(code: &str) -> bool {
    !code.starts_with("file_") && !matches!(code, "context_length_exceeded" | "request_rejected" | "no_vision")
}

/// The columns of a table, and its rows as long as they are. Columns without a name, or with one that is taken, get a number.
fn table(read: Vec<Vec<String>>) -> Result<(Vec<String>, Vec<NewBatchRow>), Error> {
    let mut rows = read.into_iter();
    let heading = rows.next().unwrap_or_default();
    let mut columns: Vec<String> = Vec::with_capacity(heading.len());
    for (at, name) in (1..).zip(heading) {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ").replace(['{', '}'], "");
        let name = if name.is_empty() { at.to_string() } else { name };
        columns.push(if columns.contains(&name) { format!("{name} {at}") } else { name });
    }
    let rows: Vec<NewBatchRow> = rows
        .filter(|row| row.iter().any(|cell| !cell.trim().is_empty()))
        .map(|mut cells| {
            cells.resize(columns.len(), String::new());
            cells.iter_mut().for_each(|cell| *cell = cell.chars().take(CELL).collect());
            NewBatchRow { cells, upload: None }
        })
        .collect();
    if rows.is_empty() {
        return Err(wrong("table", "the file has no table with a heading and at least one row".to_owned()));
    }
    if rows.len() > ROWS {
        return Err(wrong("table", format!("the table has {} rows; a batch takes {ROWS}", rows.len())));
    }
    Ok((columns, rows))
}

/// A question that names what there is: without a column, every row of a table would be asked the same.
fn check(question: &str, columns: &[String], needs_one: bool) -> Result<(), Error> {
    if question.trim().is_empty() {
        return Err(wrong("template", "the question is empty".to_owned()));
    }
    let names = template::named(question);
    if let Some(unknown) = names.iter().find(|name| !columns.iter().any(|column| column == *name)) {
        let known = columns.iter().map(|column| format!("{{{{{column}}}}}")).collect::<Vec<_>>().join(", ");
        return Err(wrong("template", format!("there is no column {unknown:?}; there are {known}")));
    }
    if needs_one && names.is_empty() {
        return Err(wrong("template", "the question names no column, so every row would be asked the same".to_owned()));
    }
    Ok(())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[&[&str]]) -> Vec<Vec<String>> {
        text.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn a_table_has_named_columns_and_rows_as_long_as_they_are() {
        let (columns, found) =
            table(rows(&[&["编号", "", "内容 ", "内容"], &["1", "x", "屏幕不亮"], &["", " "], &["2"]])).unwrap();
        assert_eq!(columns, ["编号", "2", "内容", "内容 4"]);
        let cells: Vec<&[String]> = found.iter().map(|row| row.cells.as_slice()).collect();
        assert_eq!(cells, [["1", "x", "屏幕不亮", ""], ["2", "", "", ""]]);
        for empty in [rows(&[]), rows(&[&["a"]]), rows(&[&["a"], &[" "]])] {
            assert!(matches!(table(empty), Err(Error::Batch { field: "table", .. })));
        }
    }

    #[test]
    fn a_question_names_columns_that_there_are() {
        let columns = ["编号".to_owned(), "内容".to_owned()];
        assert!(check("工单 {{编号}}：{{内容}}", &columns, true).is_ok());
        let refused = |template: &str, needs| check(template, &columns, needs).unwrap_err().to_string();
        assert_eq!(refused("{{标题}}", true), "there is no column \"标题\"; there are {{编号}}, {{内容}}");
        assert!(refused("分类", true).starts_with("the question names no column"));
        assert!(check("总结这份文件", &columns, false).is_ok());
        assert_eq!(refused(" ", false), "the question is empty");
    }
}
