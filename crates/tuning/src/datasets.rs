//! The data sets of a tenant: what comes in, what is edited, what is frozen and what leaves. Rows are the store's, rules those
//! of [`crate::data`]; here they meet.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Author, Caller, DatasetId, ExampleId, Message, Verdict};
use sha2::{Digest, Sha256};
use store::{Dataset, DatasetVersion, ExampleChange, ExampleRow, NewDatasetVersion, NewExample, Rated, Store};

use crate::Error;
use crate::data::{Division, Example, Fault, Format, Issue, Report, alike, held_out, mask, read, report};

/// A set holds at most so many examples: all of them are looked over in memory.
pub const LIMIT: usize = 50_000;
/// Of an import so many bad lines are told, and so many examples shown.
const FAULTS: usize = 200;
const SHOWN: usize = 5;
/// Rated answers that are looked at.
const RATED: u32 = 10_000;

/// Data sets. Clones are the same.
#[derive(Clone)]
pub struct Datasets {
    store: Store,
    /// The set that was looked over last: a person turns its pages.
    latest: Arc<Mutex<Option<Latest>>>,
}

/// A state of a set that never changes.
type Which = (DatasetId, Option<i64>, i64);
type Latest = (Which, Arc<Looked>);

/// A set, looked over.
#[derive(Debug)]
pub struct Looked {
    pub rows: Vec<ExampleRow>,
    pub examples: Vec<Example>,
    pub report: Report,
    pub division: Division,
}

/// What a person wants to see of a set.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Those with this text in them.
    pub find: String,
    /// Those with this to look at: a word of [`Issue::as_str`].
    pub issue: Option<String>,
    /// Those that are held out, or those that are not.
    pub held_out: Option<bool>,
    /// Those that models are taught with, or those that are not.
    pub included: Option<bool>,
}

/// Which rated answers are taken.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Those that were called good.
    pub good: bool,
    /// Those that somebody corrected, with the correction.
    pub corrected: bool,
}

/// How examples come in.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Only tell what would happen.
    pub only_look: bool,
    /// Leave out what is almost the same as something that is there.
    pub without_near: bool,
}

/// What came in, or would.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// Examples that were read.
    pub found: usize,
    /// Those that were added, or would be.
    pub added: usize,
    /// Those that the set has already, or that came twice.
    pub duplicates: usize,
    /// Those that are almost the same as another.
    pub near: usize,
    /// What could not be read, the first ones.
    pub faults: Vec<Fault>,
    /// How many there are altogether.
    pub faulty: usize,
    /// The first examples with their lines, and what to look at.
    pub shown: Vec<(u32, Example, Vec<Issue>)>,
}

/// Which part of a version leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    All,
    Train,
    HeldOut,
}

/// An example on its way in.
struct Arriving {
    line: u32,
    example: Example,
    source: &'static str,
    origin: String,
}

impl Datasets {
    /// Over the store.
    pub fn new(store: Store) -> Datasets {
        Datasets { store, latest: Arc::default() }
    }

    /// Reads a file into the draft.
    pub async fn import(
        &self,
        caller: &Caller,
        id: DatasetId,
        name: &str,
        format: Format,
        bytes: Vec<u8>,
        manner: Manner,
    ) -> Result<Import, Error> {
        let reading = blocking(move || read(&bytes, format)).await??;
        let name: String = name.chars().take(80).collect();
        let arriving = reading.examples.into_iter().map(|(line, example)| {
            let origin = if name.is_empty() { line.to_string() } else { format!("{name}:{line}") };
            Arriving { line, example, source: "file", origin }
        });
        let mut import = self.take_in(caller, id, arriving.collect(), manner).await?;
        import.faulty = reading.faults.len();
        import.faults = reading.faults.into_iter().take(FAULTS).collect();
        Ok(import)
    }

    /// Takes rated answers into the draft: the caller's own, and those that their people shared.
    pub async fn collect(&self, caller: &Caller, id: DatasetId, taken: Taken, manner: Manner) -> Result<Import, Error> {
        let rated = self.store.rated(caller, RATED).await?;
        let arriving = (1..).zip(rated.iter().filter_map(|rated| of_rated(rated, taken)));
        let arriving = arriving.map(|(line, arriving)| Arriving { line, ..arriving }).collect();
        self.take_in(caller, id, arriving, manner).await
    }

    /// Writes one example into the draft.
    pub async fn add(&self, caller: &Caller, id: DatasetId, example: Example) -> Result<Import, Error> {
        example.check()?;
        let arriving = Arriving { line: 1, example, source: "written", origin: String::new() };
        self.take_in(caller, id, vec![arriving], Manner { only_look: false, without_near: false }).await
    }

    async fn take_in(
        &self,
        caller: &Caller,
        id: DatasetId,
        arriving: Vec<Arriving>,
        manner: Manner,
    ) -> Result<Import, Error> {
        let there = self.looked(caller, id, None).await?;
        let (import, new) = blocking(move || sift(&there, arriving, manner)).await?;
        let would_be = self.set(caller, id).await?.examples as usize + import.added;
        if would_be > LIMIT {
            return Err(Error::TooMany { limit: LIMIT, would_be });
        }
        if !manner.only_look {
            self.store.add_examples(caller, id, new).await?;
        }
        Ok(import)
    }

    /// Changes an example of the draft.
    pub async fn change(
        &self,
        caller: &Caller,
        id: DatasetId,
        one: ExampleId,
        example: Option<Example>,
        included: Option<bool>,
    ) -> Result<ExampleRow, Error> {
        let content = match example {
            Some(example) => {
                example.check()?;
                Some((written(&example), example.key()))
            }
            None => None,
        };
        Ok(self.store.change_example(caller, id, one, ExampleChange { content, included }).await?)
    }

    /// Puts a word where personal data stands, in these examples of the draft; how many changed.
    pub async fn mask(&self, caller: &Caller, id: DatasetId, which: &[ExampleId]) -> Result<u64, Error> {
        let there = self.looked(caller, id, None).await?;
        let mut changed = 0;
        for (row, example) in there.rows.iter().zip(&there.examples).filter(|(row, _)| which.contains(&row.id)) {
            let masked = Example {
                messages: example.messages.iter().map(|one| Message::new(one.author, mask(&one.text))).collect(),
            };
            if masked == *example {
                continue;
            }
            match self.change(caller, id, row.id, Some(masked), None).await {
                Ok(_) => changed += 1,
                // Without its number it is one that the set has already.
                Err(Error::Store(store::Error::Duplicate { .. })) => {
                    changed += self.store.remove_examples(caller, id, &[row.id]).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    /// The set with everything in it looked over; of a version, or of the draft (`None`).
    pub async fn looked(&self, caller: &Caller, id: DatasetId, version: Option<i64>) -> Result<Arc<Looked>, Error> {
        let set = self.set(caller, id).await?;
        let division = match version {
            None => Division { held_out: set.held_out, seed: set.seed },
            Some(version) => {
                let frozen = self.version(caller, id, version).await?;
                Division { held_out: frozen.share, seed: frozen.seed }
            }
        };
        let which = (id, version, if version.is_none() { set.revision } else { 0 });
        let known = self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, looked)) = known.filter(|(known, _)| *known == which) {
            return Ok(looked);
        }
        let rows = self.store.examples(caller, id, version).await?;
        let looked = Arc::new(blocking(move || look(rows, division)).await??);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((which, Arc::clone(&looked)));
        Ok(looked)
    }

    /// Freezes the draft.
    pub async fn freeze(&self, caller: &Caller, id: DatasetId, note: String) -> Result<DatasetVersion, Error> {
        let revision = self.set(caller, id).await?.revision;
        let looked = self.looked(caller, id, None).await?;
        let trained = looked.on(Side::Train).count() as u64;
        if trained == 0 {
            return Err(Error::Nothing);
        }
        let held_out = looked.on(Side::HeldOut).count() as u64;
        let sha256 = Sha256::digest(looked.lines(Side::All)).iter().map(|byte| format!("{byte:02x}")).collect();
        let new = NewDatasetVersion { revision, note, trained, held_out, sha256 };
        Ok(self.store.freeze_dataset(caller, id, new).await?)
    }

    /// One frozen version.
    pub async fn version(&self, caller: &Caller, id: DatasetId, version: i64) -> Result<DatasetVersion, Error> {
        let versions = self.store.dataset_versions(caller, id).await?;
        versions.into_iter().find(|one| one.version == version).ok_or(Error::NotFound { what: "version" })
    }

    async fn set(&self, caller: &Caller, id: DatasetId) -> Result<Dataset, Error> {
        self.store.dataset(caller, id).await?.ok_or(Error::NotFound { what: "data set" })
    }
}

impl Looked {
    /// Whether the example at this place is held out. One that is almost the same as another is on that one's side: measured on
    /// what was all but learned, a model would seem better than it is.
    pub fn held_out(&self, at: usize) -> bool {
        let at = self.report.twins.get(at).copied().flatten().unwrap_or(at);
        self.examples.get(at).is_some_and(|example| held_out(example, self.division))
    }

    /// The places of what is wanted, in the set's order.
    pub fn places(&self, wanted: &Wanted) -> Vec<usize> {
        let find = wanted.find.trim().to_lowercase();
        let says =
            |example: &Example| example.messages.iter().any(|message| message.text.to_lowercase().contains(&find));
        let shows = |at: usize, word: &str| self.report.issues[at].iter().any(|issue| issue.as_str() == word);
        (0..self.rows.len())
            .filter(|at| wanted.included.is_none_or(|included| self.rows[*at].included == included))
            .filter(|at| wanted.held_out.is_none_or(|out| self.held_out(*at) == out))
            .filter(|at| wanted.issue.as_deref().is_none_or(|word| shows(*at, word)))
            .filter(|at| find.is_empty() || says(&self.examples[*at]))
            .collect()
    }

    /// How many examples show what.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for issue in self.report.issues.iter().flatten() {
            *counts.entry(issue.as_str()).or_default() += 1;
        }
        counts
    }

    /// What models are taught with, or measured with, in the set's order.
    pub fn on(&self, side: Side) -> impl Iterator<Item = &Example> {
        let wanted = move |at: usize| match side {
            Side::All => true,
            Side::Train => !self.held_out(at),
            Side::HeldOut => self.held_out(at),
        };
        let included = self.rows.iter().zip(&self.examples).enumerate().filter(|(_, (row, _))| row.included);
        included.filter(move |(at, _)| wanted(*at)).map(|(_, (_, example))| example)
    }

    /// What models are taught with, as JSON lines of OpenAI's chat format.
    pub fn lines(&self, side: Side) -> String {
        let mut text = String::new();
        for example in self.on(side) {
            text.push_str(&written(example));
            text.push('\n');
        }
        text
    }
}

/// What of a rated answer is an example.
fn of_rated(rated: &Rated, taken: Taken) -> Option<Arriving> {
    let (last, before) = rated.path.split_last()?;
    let correction = rated.rating.correction.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let (answer, source) = match (correction, rated.rating.verdict) {
        (Some(correction), _) if taken.corrected => (correction, "corrected"),
        (None, Verdict::Good) if taken.good => (last.text.as_str(), "rated"),
        _ => return None,
    };
    let said = before.iter().filter(|one| matches!(one.author, Author::User | Author::Assistant));
    let mut messages: Vec<Message> = said.map(|one| Message::new(one.author, one.text.clone())).collect();
    messages.push(Message::new(Author::Assistant, answer));
    let mut example = Example { messages };
    if let Some(system) = rated.system_prompt.as_deref().filter(|text| !text.trim().is_empty()) {
        example = example.under(system);
    }
    example.check().ok()?;
    Some(Arriving { line: 0, example, source, origin: last.id.to_string() })
}

/// What is new to a set, and what is told of it.
fn sift(there: &Looked, arriving: Vec<Arriving>, manner: Manner) -> (Import, Vec<NewExample>) {
    let text = |example: &Example| format!("{}\n{}", example.question(), example.answer());
    let mut known: HashSet<String> = there.rows.iter().map(|row| row.hash.clone()).collect();
    let mut import = Import { found: arriving.len(), ..Import::default() };
    let fresh: Vec<(Arriving, String)> = arriving
        .into_iter()
        .map(|one| (one.example.key(), one))
        .filter_map(|(key, one)| known.insert(key.clone()).then_some((one, key)))
        .collect();
    import.duplicates = import.found - fresh.len();
    let texts: Vec<String> = there.examples.iter().chain(fresh.iter().map(|(one, _)| &one.example)).map(text).collect();
    let twins = alike(&texts).split_off(there.examples.len());
    import.near = twins.iter().flatten().count();
    let shown: Vec<Example> = fresh.iter().take(SHOWN).map(|(one, _)| one.example.clone()).collect();
    let issues = report(&shown).issues;
    import.shown =
        fresh.iter().zip(shown).zip(issues).map(|(((one, _), example), issues)| (one.line, example, issues)).collect();
    let new: Vec<NewExample> = fresh
        .into_iter()
        .zip(twins)
        .filter(|(_, twin)| twin.is_none() || !manner.without_near)
        .map(|((one, hash), _)| NewExample {
            content: written(&one.example),
            hash,
            source: one.source.to_owned(),
            origin: one.origin,
        })
        .collect();
    import.added = new.len();
    (import, new)
}

fn look(rows: Vec<ExampleRow>, division: Division) -> Result<Looked, Error> {
    let read = |row: &ExampleRow| {
        serde_json::from_str::<Example>(&row.content)
            .map_err(|error| store::Error::Corrupt { what: format!("example {} cannot be read: {error}", row.id) })
    };
    let examples = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let report = report(&examples);
    Ok(Looked { rows, examples, report, division })
}

fn written(example: &Example) -> String {
    // Texts and words alone: there is nothing in it that JSON could not hold.
    serde_json::to_string(example).unwrap_or_default()
}

/// Off the threads that answer people.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Store(store::Error::Closed))
}
