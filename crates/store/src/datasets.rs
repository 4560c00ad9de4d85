//! Data sets: their examples, a draft that is edited, and versions that never change. What an example means, which are alike
//! and how a set is divided is decided elsewhere: `content` is whatever was stored.

use domain::{Caller, DatasetId, ExampleId, PersonId, Timestamp};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::rows::{Columns, clean};
use crate::{Error, Store, evaluations};

/// A data set without its examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub id: DatasetId,
    pub name: String,
    pub note: String,
    /// Out of a hundred examples so many are held out.
    pub held_out: u8,
    pub seed: i64,
    /// The number of the version that is being edited.
    pub draft: i64,
    /// Another after every change.
    pub revision: i64,
    /// Examples in the draft.
    pub examples: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What is to change; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct DatasetChange {
    pub name: Option<String>,
    pub note: Option<String>,
    pub held_out: Option<u8>,
    pub seed: Option<i64>,
}

/// An example of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleRow {
    pub id: ExampleId,
    pub content: String,
    /// Examples with the same hash are the same.
    pub hash: String,
    /// Where it comes from: a word.
    pub source: String,
    /// And what there: a message, a file with its line.
    pub origin: String,
    /// Whether models are taught with it.
    pub included: bool,
    pub at: Timestamp,
}

/// An example to be.
#[derive(Debug, Clone)]
pub struct NewExample {
    pub content: String,
    pub hash: String,
    pub source: String,
    pub origin: String,
}

/// What is to change of an example; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ExampleChange {
    /// Content and hash.
    pub content: Option<(String, String)>,
    pub included: Option<bool>,
}

/// A frozen version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetVersion {
    /// From 1.
    pub version: i64,
    pub note: String,
    /// Examples that models are taught with.
    pub trained: u64,
    /// And those that are held out.
    pub held_out: u64,
    /// Out of a hundred, when it was frozen.
    pub share: u8,
    pub seed: i64,
    /// Of its export.
    pub sha256: String,
    pub person: PersonId,
    pub at: Timestamp,
}

/// A version to be.
#[derive(Debug, Clone)]
pub struct NewDatasetVersion {
    /// The one that was read: [`Error::Conflict`] where something changed since.
    pub revision: i64,
    pub note: String,
    pub trained: u64,
    pub held_out: u64,
    pub sha256: String,
}

/// Examples of one commit: others want to write meanwhile.
const AT_ONCE: usize = 500;

const SETS: &str = "SELECT d.*, (SELECT CAST(COUNT(*) AS BIGINT) FROM examples e WHERE e.dataset = d.id AND e.until IS NULL) \
     AS examples FROM datasets d WHERE d.tenant = $1";

impl Store {
    /// An empty one. [`Error::Duplicate`] of `name` where the tenant has one of this name.
    pub async fn create_dataset(
        &self,
        caller: &Caller,
        name: String,
        note: String,
        held_out: u8,
        seed: i64,
    ) -> Result<Dataset, Error> {
        let at = self.now();
        let (id, name, note) = (DatasetId(self.inner.ids.next()), clean(name), clean(note));
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO datasets (id, tenant, name, note, held_out, seed, draft, revision, person, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 1, 1, $7, $8, $8)",
        )
        .bind(id.to_string())
        .bind(caller.tenant.to_string())
        .bind(name.clone())
        .bind(note.clone())
        .bind(i64::from(held_out))
        .bind(seed)
        .bind(caller.person.to_string())
        .bind(at.0)
        .execute(&mut *tx)
        .await
        .map_err(Error::taken("name"))?;
        tx.commit().await?;
        Ok(Dataset {
            id,
            name,
            note,
            held_out,
            seed,
            draft: 1,
            revision: 1,
            examples: 0,
            created_at: at,
            updated_at: at,
        })
    }

    /// Those of the tenant, the latest changed first.
    pub async fn datasets(&self, caller: &Caller) -> Result<Vec<Dataset>, Error> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{SETS} ORDER BY d.updated_at DESC, d.id DESC")))
            .bind(caller.tenant.to_string())
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(dataset).collect()
    }

    /// One of them.
    pub async fn dataset(&self, caller: &Caller, id: DatasetId) -> Result<Option<Dataset>, Error> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SETS} AND d.id = $2")))
            .bind(caller.tenant.to_string())
            .bind(id.to_string())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.as_ref().map(dataset).transpose()
    }

    /// Changes what is said of it.
    pub async fn change_dataset(
        &self,
        caller: &Caller,
        id: DatasetId,
        change: DatasetChange,
    ) -> Result<Dataset, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        self.touch(&mut tx, caller, id).await?;
        sqlx::query(
            "UPDATE datasets SET name = COALESCE($1, name), note = COALESCE($2, note), held_out = COALESCE($3, held_out), \
             seed = COALESCE($4, seed) WHERE id = $5",
        )
        .bind(change.name.map(clean))
        .bind(change.note.map(clean))
        .bind(change.held_out.map(i64::from))
        .bind(change.seed)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await
        .map_err(Error::taken("name"))?;
        tx.commit().await?;
        self.dataset(caller, id).await?.ok_or(Error::NotFound { what: "data set" })
    }

    /// Deletes it with all its versions.
    pub async fn delete_dataset(&self, caller: &Caller, id: DatasetId) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        self.touch(&mut tx, caller, id).await?;
        for gone in [
            "DELETE FROM examples WHERE dataset = $1",
            "DELETE FROM dataset_versions WHERE dataset = $1",
            "DELETE FROM datasets WHERE id = $1",
        ] {
            sqlx::query(gone).bind(id.to_string()).execute(&mut *tx).await?;
        }
        // They hold its questions.
        evaluations::forget(&mut tx, caller, "dataset", &id.to_string()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The examples of a version, or of the draft (`None`), in the order in which they came. Empty where the set is not the
    /// tenant's.
    pub async fn examples(
        &self,
        caller: &Caller,
        id: DatasetId,
        version: Option<i64>,
    ) -> Result<Vec<ExampleRow>, Error> {
        let which = match version {
            None => "until IS NULL AND $3 = 0",
            Some(_) => "since <= $3 AND (until IS NULL OR until > $3)",
        };
        let select = format!("SELECT * FROM examples WHERE dataset = $1 AND tenant = $2 AND {which} ORDER BY example");
        let rows = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(id.to_string())
            .bind(caller.tenant.to_string())
            .bind(version.unwrap_or(0))
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(example).collect()
    }

    /// Adds examples to the draft, but those whose hash is there already; how many were added.
    pub async fn add_examples(&self, caller: &Caller, id: DatasetId, new: Vec<NewExample>) -> Result<u64, Error> {
        let mut added = 0;
        for piece in new.chunks(AT_ONCE) {
            added += self.add_piece(caller, id, piece).await?;
        }
        Ok(added)
    }

    async fn add_piece(&self, caller: &Caller, id: DatasetId, new: &[NewExample]) -> Result<u64, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let draft = self.touch(&mut tx, caller, id).await?;
        let mut added = 0;
        for one in new {
            let done = sqlx::query(
                "INSERT INTO examples (dataset, example, since, tenant, content, hash, source, origin, included, at) \
                 SELECT $1, $2, $3, $4, $5, $6, $7, $8, 1, $9 \
                 WHERE NOT EXISTS (SELECT 1 FROM examples WHERE dataset = $1 AND hash = $6 AND until IS NULL)",
            )
            .bind(id.to_string())
            .bind(self.inner.ids.next().to_string())
            .bind(draft)
            .bind(caller.tenant.to_string())
            .bind(clean(one.content.clone()))
            .bind(one.hash.clone())
            .bind(one.source.clone())
            .bind(clean(one.origin.clone()))
            .bind(self.now().0)
            .execute(&mut *tx)
            .await?;
            added += done.rows_affected();
        }
        tx.commit().await?;
        Ok(added)
    }

    /// Changes examples of the draft; frozen versions keep what they had. [`Error::Duplicate`] of `example` where a change makes
    /// one the same as another.
    pub async fn change_example(
        &self,
        caller: &Caller,
        id: DatasetId,
        one: ExampleId,
        change: ExampleChange,
    ) -> Result<ExampleRow, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let draft = self.touch(&mut tx, caller, id).await?;
        let (mut row, since) = in_draft(&mut tx, id, one).await?;
        if let Some((content, hash)) = change.content {
            let twin = sqlx::query(
                "SELECT 1 FROM examples WHERE dataset = $1 AND hash = $2 AND until IS NULL AND example <> $3",
            )
            .bind(id.to_string())
            .bind(hash.clone())
            .bind(one.to_string())
            .fetch_optional(&mut *tx)
            .await?;
            if twin.is_some() {
                return Err(Error::Duplicate { what: "example" });
            }
            (row.content, row.hash) = (clean(content), hash);
        }
        row.included = change.included.unwrap_or(row.included);
        row.at = self.now();
        if since < draft {
            end(&mut tx, id, one, draft).await?;
            sqlx::query(
                "INSERT INTO examples (dataset, example, since, tenant, content, hash, source, origin, included, at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(id.to_string())
            .bind(one.to_string())
            .bind(draft)
            .bind(caller.tenant.to_string())
            .bind(row.content.clone())
            .bind(row.hash.clone())
            .bind(row.source.clone())
            .bind(row.origin.clone())
            .bind(i64::from(row.included))
            .bind(row.at.0)
            .execute(&mut *tx)
            .await?;
        } else {
            sqlx::query(
                "UPDATE examples SET content = $1, hash = $2, included = $3, at = $4 \
                 WHERE dataset = $5 AND example = $6 AND until IS NULL",
            )
            .bind(row.content.clone())
            .bind(row.hash.clone())
            .bind(i64::from(row.included))
            .bind(row.at.0)
            .bind(id.to_string())
            .bind(one.to_string())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(row)
    }

    /// Takes examples out of the draft; [`Store::restore_examples`] brings them back until it is frozen. How many there were.
    pub async fn remove_examples(&self, caller: &Caller, id: DatasetId, which: &[ExampleId]) -> Result<u64, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let draft = self.touch(&mut tx, caller, id).await?;
        let mut removed = 0;
        for one in which {
            removed += end(&mut tx, id, *one, draft).await?;
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// Brings back what was taken out of this draft, but what has come in again meanwhile. How many there were.
    pub async fn restore_examples(&self, caller: &Caller, id: DatasetId, which: &[ExampleId]) -> Result<u64, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let draft = self.touch(&mut tx, caller, id).await?;
        let mut restored = 0;
        for one in which {
            let done = sqlx::query(
                "UPDATE examples SET until = NULL WHERE dataset = $1 AND example = $2 AND until = $3 \
                 AND since = (SELECT MAX(since) FROM examples WHERE dataset = $1 AND example = $2) \
                 AND NOT EXISTS (SELECT 1 FROM examples o WHERE o.dataset = $1 AND o.hash = examples.hash AND o.until IS NULL)",
            )
            .bind(id.to_string())
            .bind(one.to_string())
            .bind(draft)
            .execute(&mut *tx)
            .await?;
            restored += done.rows_affected();
        }
        tx.commit().await?;
        Ok(restored)
    }

    /// Freezes the draft as a version, and begins the next draft with the same examples.
    pub async fn freeze_dataset(
        &self,
        caller: &Caller,
        id: DatasetId,
        new: NewDatasetVersion,
    ) -> Result<DatasetVersion, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let version = self.touch(&mut tx, caller, id).await?;
        let row = sqlx::query("SELECT revision, held_out, seed FROM datasets WHERE id = $1")
            .bind(id.to_string())
            .fetch_one(&mut *tx)
            .await?;
        // `touch` has counted on already.
        if row.int("revision")? != new.revision + 1 {
            return Err(Error::Conflict {
                what: "the data set was changed meanwhile; look again and freeze it then".into(),
            });
        }
        let NewDatasetVersion { note, trained, held_out, sha256, .. } = new;
        let (share, seed, note, at) = (row.number("held_out")?, row.int("seed")?, clean(note), self.now());
        sqlx::query(
            "INSERT INTO dataset_versions (dataset, version, tenant, note, trained, held_out, share, seed, sha256, person, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(id.to_string())
        .bind(version)
        .bind(caller.tenant.to_string())
        .bind(note.clone())
        .bind(i64::try_from(trained).unwrap_or(i64::MAX))
        .bind(i64::try_from(held_out).unwrap_or(i64::MAX))
        .bind(i64::from(share))
        .bind(seed)
        .bind(sha256.clone())
        .bind(caller.person.to_string())
        .bind(at.0)
        .execute(&mut *tx)
        .await?;
        // What came and went within this draft is in no version.
        for change in [
            "DELETE FROM examples WHERE dataset = $1 AND since = until",
            "UPDATE datasets SET draft = draft + 1 WHERE id = $1",
        ] {
            sqlx::query(change).bind(id.to_string()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(DatasetVersion { version, note, trained, held_out, share, seed, sha256, person: caller.person, at })
    }

    /// Its frozen versions, newest first.
    pub async fn dataset_versions(&self, caller: &Caller, id: DatasetId) -> Result<Vec<DatasetVersion>, Error> {
        let rows =
            sqlx::query("SELECT * FROM dataset_versions WHERE dataset = $1 AND tenant = $2 ORDER BY version DESC")
                .bind(id.to_string())
                .bind(caller.tenant.to_string())
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter().map(version).collect()
    }

    /// Counts a change; the number of the draft. [`Error::NotFound`] where the set is not the tenant's.
    async fn touch(&self, tx: &mut AnyConnection, caller: &Caller, id: DatasetId) -> Result<i64, Error> {
        let row = sqlx::query(
            "UPDATE datasets SET revision = revision + 1, updated_at = $1 WHERE id = $2 AND tenant = $3 RETURNING draft",
        )
        .bind(self.now().0)
        .bind(id.to_string())
        .bind(caller.tenant.to_string())
        .fetch_optional(tx)
        .await?;
        row.ok_or(Error::NotFound { what: "data set" })?.int("draft")
    }
}

async fn in_draft(tx: &mut AnyConnection, id: DatasetId, one: ExampleId) -> Result<(ExampleRow, i64), Error> {
    let row = sqlx::query("SELECT * FROM examples WHERE dataset = $1 AND example = $2 AND until IS NULL")
        .bind(id.to_string())
        .bind(one.to_string())
        .fetch_optional(tx)
        .await?
        .ok_or(Error::NotFound { what: "example" })?;
    Ok((example(&row)?, row.int("since")?))
}

async fn end(tx: &mut AnyConnection, id: DatasetId, one: ExampleId, draft: i64) -> Result<u64, Error> {
    let done = sqlx::query("UPDATE examples SET until = $1 WHERE dataset = $2 AND example = $3 AND until IS NULL")
        .bind(draft)
        .bind(id.to_string())
        .bind(one.to_string())
        .execute(tx)
        .await?;
    Ok(done.rows_affected())
}

fn dataset(row: &AnyRow) -> Result<Dataset, Error> {
    Ok(Dataset {
        id: row.id("id")?,
        name: row.text("name")?,
        note: row.text("note")?,
        held_out: row.number("held_out")?,
        seed: row.int("seed")?,
        draft: row.int("draft")?,
        revision: row.int("revision")?,
        examples: row.number("examples")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}

fn example(row: &AnyRow) -> Result<ExampleRow, Error> {
    Ok(ExampleRow {
        id: row.id("example")?,
        content: row.text("content")?,
        hash: row.text("hash")?,
        source: row.text("source")?,
        origin: row.text("origin")?,
        included: row.int("included")? != 0,
        at: row.at("at")?,
    })
}

fn version(row: &AnyRow) -> Result<DatasetVersion, Error> {
    Ok(DatasetVersion {
        version: row.int("version")?,
        note: row.text("note")?,
        trained: row.number("trained")?,
        held_out: row.number("held_out")?,
        share: row.number("share")?,
        seed: row.int("seed")?,
        sha256: row.text("sha256")?,
        person: row.id("person")?,
        at: row.at("at")?,
    })
}
