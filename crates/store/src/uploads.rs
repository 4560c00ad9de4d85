//! Files that people upload in the portal: a row for each person who sent one, and what is in it once, on the shelf, under its
//! digest. They come in pieces and go on where a connection broke off. How much a person may keep is told by the caller; what a
//! file is good for, and whether it is clean, is not known here.

mod kind;
mod shelf;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use domain::{Caller, FileRef, Passage, Timestamp, UploadId};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use tokio::sync::Mutex;

use crate::rows::{Columns, clean, owner};
use crate::{Error, Store};
use shelf::Shelf;
pub use shelf::{Checked, Piece};

/// An upload that is not complete after this time, in milliseconds, was given up.
const ABANDONED_MS: i64 = 86_400_000;

const COLUMNS: &str = "id, name, media_type, bytes, digest, created_at";

/// An upload as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRow {
    pub id: UploadId,
    /// As the person named it; never a path here.
    pub name: String,
    /// What its bytes say it is; empty until it is complete.
    pub media_type: String,
    /// The whole size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal; `None` until it is complete.
    pub digest: Option<String>,
    pub created_at: Timestamp,
}

impl UploadRow {
    /// As a question keeps it; `None` until it is complete.
    pub fn attachable(&self) -> Option<FileRef> {
        self.digest.as_ref()?;
        let UploadRow { id, name, media_type, bytes, .. } = self.clone();
        Some(FileRef { id, name, media_type, bytes })
    }
}

/// Rows and shelf together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Uploads {
    store: Store,
    shelf: Arc<Shelf>,
    /// Who puts something on the shelf and who clears it wait for each other.
    turn: Arc<Mutex<()>>,
}

impl Uploads {
    /// `folder` is made where it is missing.
    pub fn open(store: Store, folder: PathBuf) -> Result<Uploads, Error> {
        let shelf = Arc::new(Shelf::open(folder)?);
        Ok(Uploads { store, shelf, turn: Arc::default() })
    }

    /// Begins one of `bytes` bytes. `None` where the caller's files would hold more than `quota` bytes altogether.
    pub async fn begin(&self, caller: &Caller, name: &str, bytes: u64, quota: u64) -> Result<Option<UploadRow>, Error> {
        let (tenant, person) = owner(caller);
        let row = UploadRow {
            id: UploadId(self.store.inner.ids.next()),
            name: clean(name.to_owned()),
            media_type: String::new(),
            bytes,
            digest: None,
            created_at: self.store.now(),
        };
        let mut tx = self.store.inner.database.write_tx().await?;
        if bytes_of(&mut tx, caller).await?.saturating_add(bytes) > quota {
            return Ok(None);
        }
        sqlx::query(
            "INSERT INTO uploads (id, tenant, person, name, media_type, bytes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(row.id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(row.name.clone())
        .bind(row.media_type.clone())
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .bind(row.created_at.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some(row))
    }

    /// One of the caller's own, complete or not.
    pub async fn find(&self, caller: &Caller, id: UploadId) -> Result<Option<UploadRow>, Error> {
        let (tenant, person) = owner(caller);
        let select = format!(
            "SELECT {COLUMNS} FROM uploads WHERE id = $1 AND tenant = $2 AND person = $3 AND deleted_at IS NULL"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(id.to_string())
            .bind(tenant)
            .bind(person)
            .fetch_optional(&self.store.inner.database.read)
            .await?;
        row.as_ref().map(upload).transpose()
    }

    /// The caller's complete ones, the newest first, at most 500.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<UploadRow>, Error> {
        let (tenant, person) = owner(caller);
        let select = format!(
            "SELECT {COLUMNS} FROM uploads WHERE tenant = $1 AND person = $2 AND deleted_at IS NULL \
             AND digest IS NOT NULL ORDER BY id DESC LIMIT 500"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(tenant)
            .bind(person)
            .fetch_all(&self.store.inner.database.read)
            .await?;
        rows.iter().map(upload).collect()
    }

    /// How many bytes the caller's files hold altogether, those on their way counted whole.
    pub async fn bytes(&self, caller: &Caller) -> Result<u64, Error> {
        let mut connection = self.store.inner.database.read.acquire().await?;
        bytes_of(&mut connection, caller).await
    }

    /// How much of it has arrived.
    pub async fn received(&self, row: &UploadRow) -> Result<u64, Error> {
        if row.digest.is_some() {
            return Ok(row.bytes);
        }
        let id = row.id;
        self.on_shelf(move |shelf| shelf.received(id)).await
    }

    /// Opens it for its next piece, which begins at `offset`. [`Error::Conflict`] where another request is writing it.
    pub async fn go_on(&self, row: &UploadRow) -> Result<Piece, Error> {
        let (id, bytes) = (row.id, row.bytes);
        self.on_shelf(move |shelf| shelf.go_on(id, bytes)).await
    }

    /// What all of it is: its digest and its kind. Nobody writes it meanwhile.
    pub async fn check(&self, row: &UploadRow) -> Result<Checked, Error> {
        let id = row.id;
        self.on_shelf(move |shelf| shelf.check(id)).await
    }

    /// Keeps what was checked: from now on it can be attached.
    pub async fn keep(&self, caller: &Caller, row: UploadRow, checked: Checked) -> Result<UploadRow, Error> {
        let (tenant, person) = owner(caller);
        let _turn = self.turn.lock().await;
        let kept = UploadRow { media_type: checked.media_type.clone(), digest: Some(checked.digest.clone()), ..row };
        self.on_shelf(move |shelf| shelf.keep(checked)).await?;
        let mut tx = self.store.inner.database.write_tx().await?;
        let done = sqlx::query(
            "UPDATE uploads SET digest = $1, media_type = $2 WHERE id = $3 AND tenant = $4 AND person = $5",
        )
        .bind(kept.digest.clone())
        .bind(kept.media_type.clone())
        .bind(kept.id.to_string())
        .bind(tenant)
        .bind(person)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "file" });
        }
        Ok(kept)
    }

    /// What is in it.
    pub async fn content(&self, row: &UploadRow) -> Result<File, Error> {
        let digest = row.digest.clone().ok_or(Error::NotFound { what: "file" })?;
        self.on_shelf(move |shelf| shelf.content(&digest)).await
    }

    /// What was read in it before, where it was.
    pub async fn reading(&self, row: &UploadRow) -> Result<Option<Vec<Passage>>, Error> {
        let Some(digest) = row.digest.clone() else { return Ok(None) };
        self.on_shelf(move |shelf| Ok(shelf.reading(&digest))).await
    }

    /// Keeps what was read in it, for the next time.
    pub async fn keep_reading(&self, row: &UploadRow, passages: Vec<Passage>) -> Result<(), Error> {
        let Some(digest) = row.digest.clone() else { return Ok(()) };
        self.on_shelf(move |shelf| shelf.keep_reading(&digest, &passages)).await
    }

    /// Takes one out of sight; [`Uploads::restore`] brings it back until it is purged. One that is not complete is gone at once.
    pub async fn delete(&self, caller: &Caller, id: UploadId) -> Result<(), Error> {
        let row = self.find(caller, id).await?.ok_or(Error::NotFound { what: "file" })?;
        match row.digest {
            Some(_) => self.mark(caller, id, true).await,
            None => self.drop_unfinished(id).await,
        }
    }

    /// Brings a deleted one back.
    pub async fn restore(&self, caller: &Caller, id: UploadId) -> Result<UploadRow, Error> {
        self.mark(caller, id, false).await?;
        self.find(caller, id).await?.ok_or(Error::NotFound { what: "file" })
    }

    async fn mark(&self, caller: &Caller, id: UploadId, deleted: bool) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.store.inner.database.write_tx().await?;
        let done = sqlx::query(
            "UPDATE uploads SET deleted_at = $1 WHERE id = $2 AND tenant = $3 AND person = $4 \
             AND digest IS NOT NULL AND (deleted_at IS NULL) = ($5 = 1)",
        )
        .bind(deleted.then(|| self.store.now().0))
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(i64::from(deleted))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "file" });
        }
        Ok(())
    }

    async fn drop_unfinished(&self, id: UploadId) -> Result<(), Error> {
        let mut tx = self.store.inner.database.write_tx().await?;
        sqlx::query("DELETE FROM uploads WHERE id = $1 AND digest IS NULL")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.on_shelf(move |shelf| shelf.drop_unfinished(id)).await
    }

    /// Removes for good what was deleted before `before`, and uploads that were given up; how many. For the house: a daily job.
    pub async fn purge(&self, before: Timestamp) -> Result<u64, Error> {
        let _turn = self.turn.lock().await;
        let given_up = self.store.now().0 - ABANDONED_MS;
        let mut tx = self.store.inner.database.write_tx().await?;
        let gone = "SELECT id, digest FROM uploads WHERE deleted_at < $1 OR (digest IS NULL AND created_at < $2)";
        let rows = sqlx::query(gone).bind(before.0).bind(given_up).fetch_all(&mut *tx).await?;
        let (mut unfinished, mut digests) = (Vec::new(), Vec::new());
        for row in &rows {
            sqlx::query("DELETE FROM uploads WHERE id = $1").bind(row.text("id")?).execute(&mut *tx).await?;
            match row.maybe_text("digest")? {
                Some(digest) => digests.push(digest),
                None => unfinished.push(row.id("id")?),
            }
        }
        let mut unused = Vec::new();
        for digest in digests {
            let other = sqlx::query("SELECT id FROM uploads WHERE digest = $1 LIMIT 1").bind(digest.clone());
            if other.fetch_optional(&mut *tx).await?.is_none() {
                unused.push(digest);
            }
        }
        tx.commit().await?;
        self.on_shelf(move |shelf| {
            unused.iter().try_for_each(|digest| shelf.forget(digest))?;
            unfinished.into_iter().try_for_each(|id| shelf.drop_unfinished(id))
        })
        .await?;
        Ok(rows.len() as u64)
    }

    /// Disks are waited for outside the threads that serve.
    async fn on_shelf<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shelf) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shelf = Arc::clone(&self.shelf);
        tokio::task::spawn_blocking(move || work(&shelf)).await.map_err(|_| Error::Closed)?
    }
}

async fn bytes_of(connection: &mut AnyConnection, caller: &Caller) -> Result<u64, Error> {
    let (tenant, person) = owner(caller);
    let row = sqlx::query(
        "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes FROM uploads \
         WHERE tenant = $1 AND person = $2 AND deleted_at IS NULL",
    )
    .bind(tenant)
    .bind(person)
    .fetch_one(connection)
    .await?;
    row.number("bytes")
}

fn upload(row: &AnyRow) -> Result<UploadRow, Error> {
    Ok(UploadRow {
        id: row.id("id")?,
        name: row.text("name")?,
        media_type: row.text("media_type")?,
        bytes: row.number("bytes")?,
        digest: row.maybe_text("digest")?,
        created_at: row.at("created_at")?,
    })
}
