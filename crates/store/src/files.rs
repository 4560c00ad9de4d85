//! Files that programs upload: a row for each, and what is in it in pieces, so that neither writing nor reading one keeps the
//! database from others for long. What a file is good for is not known here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Caller, FileId, Timestamp};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::rows::{Columns, clean, corrupt, owner};
use crate::{Error, Store};

/// The size of a piece, in bytes.
const PIECE: usize = 256 << 10;

/// An upload that is not complete after this time, in milliseconds, will never be: the portal went down meanwhile.
const ABANDONED_MS: i64 = 86_400_000;

/// A file as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    pub id: FileId,
    /// As it was told; never a path here.
    pub name: String,
    pub purpose: String,
    /// Its size.
    pub bytes: u64,
    pub created_at: Timestamp,
    /// From when it is gone; `None`: it stays until it is deleted.
    pub expires_at: Option<Timestamp>,
}

/// A file to be.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub name: String,
    pub purpose: String,
    /// From when it is gone.
    pub expires_at: Option<Timestamp>,
}

/// Which files to list, in the order of their making.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Those of one purpose alone.
    pub purpose: Option<String>,
    /// Those that come after this one.
    pub after: Option<FileId>,
    /// At most so many.
    pub limit: u32,
    /// The newest first.
    pub newest_first: bool,
}

const COLUMNS: &str = "id, name, purpose, bytes, created_at, expires_at";

impl Store {
    /// Stores one whole. Nobody sees it before its last piece is there.
    pub async fn create_file(&self, caller: &Caller, new: NewFile, content: &[u8]) -> Result<FileRow, Error> {
        let (tenant, person) = owner(caller);
        let row = FileRow {
            id: FileId(self.inner.ids.next()),
            name: clean(new.name),
            purpose: clean(new.purpose),
            bytes: content.len() as u64,
            created_at: self.now(),
            expires_at: new.expires_at,
        };
        let mut tx = self.inner.database.write_tx().await?;
        forget(&mut tx, row.created_at).await?;
        sqlx::query(
            "INSERT INTO files (id, tenant, person, name, purpose, bytes, created_at, expires_at, complete) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
        )
        .bind(row.id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(row.name.clone())
        .bind(row.purpose.clone())
        .bind(i64::try_from(row.bytes).unwrap_or(i64::MAX))
        .bind(row.created_at.0)
        .bind(row.expires_at.map(|at| at.0))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        for (seq, piece) in (0i64..).zip(content.chunks(PIECE)) {
            let mut tx = self.inner.database.write_tx().await?;
            sqlx::query("INSERT INTO file_pieces (file, seq, data) VALUES ($1, $2, $3)")
                .bind(row.id.to_string())
                .bind(seq)
                .bind(STANDARD.encode(piece))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
        }
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query("UPDATE files SET complete = 1 WHERE id = $1").bind(row.id.to_string()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// The caller's own files, and whether there are more.
    pub async fn files(&self, caller: &Caller, listing: Listing) -> Result<(Vec<FileRow>, bool), Error> {
        let (tenant, person) = owner(caller);
        let (beyond, order) = if listing.newest_first { ("<", "DESC") } else { (">", "ASC") };
        let after = listing.after.map(|id| id.to_string());
        let select = format!(
            "SELECT {COLUMNS} FROM files WHERE tenant = $1 AND person = $2 AND complete = 1 \
             AND (expires_at IS NULL OR expires_at > $3) AND ($4 = '' OR purpose = $4) AND ($5 = '' OR id {beyond} $5) \
             ORDER BY id {order} LIMIT $6"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(tenant)
            .bind(person)
            .bind(self.now().0)
            .bind(clean(listing.purpose.unwrap_or_default()))
            .bind(after.unwrap_or_default())
            .bind(i64::from(listing.limit) + 1)
            .fetch_all(&self.inner.database.read)
            .await?;
        let mut files = rows.iter().map(file).collect::<Result<Vec<_>, Error>>()?;
        let more = files.len() > listing.limit as usize;
        files.truncate(listing.limit as usize);
        Ok((files, more))
    }

    /// How many bytes the caller's files hold altogether.
    pub async fn bytes_of_files(&self, caller: &Caller) -> Result<u64, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(
            "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes FROM files WHERE tenant = $1 AND person = $2 \
             AND (expires_at IS NULL OR expires_at > $3)",
        )
        .bind(tenant)
        .bind(person)
        .bind(self.now().0)
        .fetch_one(&self.inner.database.read)
        .await?;
        row.number("bytes")
    }

    /// One of the caller's own.
    pub async fn file(&self, caller: &Caller, id: FileId) -> Result<Option<FileRow>, Error> {
        let (tenant, person) = owner(caller);
        let select = format!(
            "SELECT {COLUMNS} FROM files WHERE id = $1 AND tenant = $2 AND person = $3 AND complete = 1 \
             AND (expires_at IS NULL OR expires_at > $4)"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(id.to_string())
            .bind(tenant)
            .bind(person)
            .bind(self.now().0)
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.as_ref().map(file).transpose()
    }

    /// A piece of what is in one of the caller's own, from 0; `None` after the last.
    pub async fn file_piece(&self, caller: &Caller, id: FileId, seq: u32) -> Result<Option<Vec<u8>>, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(
            "SELECT p.data FROM file_pieces p JOIN files f ON f.id = p.file \
             WHERE p.file = $1 AND p.seq = $2 AND f.tenant = $3 AND f.person = $4",
        )
        .bind(id.to_string())
        .bind(i64::from(seq))
        .bind(tenant)
        .bind(person)
        .fetch_optional(&self.inner.database.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let data = row.text("data")?;
        STANDARD.decode(data).map(Some).map_err(|_| corrupt("data", ""))
    }

    /// Deletes one of the caller's own. [`Error::NotFound`] where there is none.
    pub async fn delete_file(&self, caller: &Caller, id: FileId) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query("DELETE FROM files WHERE id = $1 AND tenant = $2 AND person = $3")
            .bind(id.to_string())
            .bind(tenant)
            .bind(person)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "file" });
        }
        sqlx::query("DELETE FROM file_pieces WHERE file = $1").bind(id.to_string()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Removes what has expired, and what was never completed; everybody's, since nobody sees it.
async fn forget(connection: &mut AnyConnection, now: Timestamp) -> Result<(), Error> {
    let gone = "SELECT id FROM files WHERE expires_at <= $1 OR (complete = 0 AND created_at < $2)";
    let rows = sqlx::query(gone).bind(now.0).bind(now.0 - ABANDONED_MS).fetch_all(&mut *connection).await?;
    for row in rows {
        let id = row.text("id")?;
        sqlx::query("DELETE FROM file_pieces WHERE file = $1").bind(id.clone()).execute(&mut *connection).await?;
        sqlx::query("DELETE FROM files WHERE id = $1").bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

fn file(row: &AnyRow) -> Result<FileRow, Error> {
    Ok(FileRow {
        id: row.id("id")?,
        name: row.text("name")?,
        purpose: row.text("purpose")?,
        bytes: row.number("bytes")?,
        created_at: row.at("created_at")?,
        expires_at: row.maybe_at("expires_at")?,
    })
}
