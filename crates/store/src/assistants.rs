//! Assistants: a draft that is edited, versions that never change, and with whom one is shared. What a unit says is not known
//! here: `draft` and `unit` are whatever was stored. Nobody sees another's that is not shared with them, and whoever only sees
//! one cannot change it.

use domain::{AssistantId, Caller, ConversationId, PersonId, Timestamp};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::rows::{Columns, clean, owner};
use crate::{Error, Store};

/// Who may ask an assistant, beside the one who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    Nobody,
    /// Owners and administrators.
    Administrators,
    Everyone,
}

impl Shared {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Shared::Nobody => "nobody",
            Shared::Administrators => "administrators",
            Shared::Everyone => "everyone",
        }
    }

    /// The one behind a word of [`Shared::as_str`].
    pub fn parse(word: &str) -> Option<Shared> {
        [Shared::Nobody, Shared::Administrators, Shared::Everyone].into_iter().find(|one| one.as_str() == word)
    }
}

/// An assistant as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assistant {
    pub id: AssistantId,
    /// Who made it.
    pub person: PersonId,
    pub shared: Shared,
    pub draft: String,
    /// Another after every change of the draft.
    pub revision: i64,
    /// The version that answers, with its unit; `None` as long as nothing is published.
    pub published: Option<(i64, String)>,
    /// The persona of the library that it began as.
    pub persona: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Assistant {
    /// Whether this caller may change it: who made it, and administrators once it is shared.
    pub fn edited_by(&self, caller: &Caller) -> bool {
        self.person == caller.person || (self.shared != Shared::Nobody && caller.role.administers())
    }
}

/// A published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssistantVersion {
    /// From 1.
    pub version: i64,
    pub unit: String,
    pub note: String,
    pub person: PersonId,
    pub at: Timestamp,
}

/// What a question is asked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    pub id: AssistantId,
    pub version: i64,
    pub unit: String,
}

const ALL: &str = "SELECT a.*, v.unit AS unit FROM assistants a LEFT JOIN assistant_versions v \
     ON v.assistant = a.id AND v.version = a.published WHERE a.tenant = $1";

/// Of those the caller sees: `$2` the person, `$3` whether they administer.
const SEEN: &str =
    "(a.person = $2 OR (a.shared <> 'nobody' AND $3 = 1) OR (a.shared = 'everyone' AND a.published IS NOT NULL))";

impl Store {
    /// A new one, shared with nobody. `published`: its draft is version 1 at once.
    pub async fn create_assistant(
        &self,
        caller: &Caller,
        draft: String,
        persona: Option<String>,
        published: bool,
    ) -> Result<Assistant, Error> {
        let (tenant, person) = owner(caller);
        let (id, at) = (AssistantId(self.inner.ids.next()), self.now());
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO assistants (id, tenant, person, shared, draft, revision, published, persona, created_at, updated_at) \
             VALUES ($1, $2, $3, 'nobody', $4, 1, $5, $6, $7, $7)",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(clean(draft.clone()))
        .bind(published.then_some(1_i64))
        .bind(persona.map(clean))
        .bind(at.0)
        .execute(&mut *tx)
        .await?;
        if published {
            self.insert_version(&mut tx, caller, id, 1, draft, String::new()).await?;
        }
        tx.commit().await?;
        self.the(caller, id).await
    }

    /// Those the caller sees, the latest changed first.
    pub async fn assistants(&self, caller: &Caller) -> Result<Vec<Assistant>, Error> {
        let (tenant, person) = owner(caller);
        let select = format!("{ALL} AND a.deleted_at IS NULL AND {SEEN} ORDER BY a.updated_at DESC, a.id DESC");
        let rows = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(tenant)
            .bind(person)
            .bind(i64::from(caller.role.administers()))
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(assistant).collect()
    }

    /// One that the caller sees.
    pub async fn assistant(&self, caller: &Caller, id: AssistantId) -> Result<Option<Assistant>, Error> {
        let (tenant, person) = owner(caller);
        let select = format!("{ALL} AND a.deleted_at IS NULL AND {SEEN} AND a.id = $4");
        let row = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(tenant)
            .bind(person)
            .bind(i64::from(caller.role.administers()))
            .bind(id.to_string())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.as_ref().map(assistant).transpose()
    }

    /// Changes the draft. [`Error::Conflict`] where it was changed after `revision`.
    pub async fn change_assistant(
        &self,
        caller: &Caller,
        id: AssistantId,
        revision: i64,
        draft: String,
    ) -> Result<Assistant, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        self.touch_assistant(&mut tx, caller, id, Some(revision)).await?;
        sqlx::query("UPDATE assistants SET draft = $1 WHERE id = $2")
            .bind(clean(draft))
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.the(caller, id).await
    }

    /// Makes the draft the next version, which answers from now on. [`Error::Conflict`] where it was changed after `revision`.
    pub async fn publish_assistant(
        &self,
        caller: &Caller,
        id: AssistantId,
        revision: i64,
        note: String,
    ) -> Result<Assistant, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        self.touch_assistant(&mut tx, caller, id, Some(revision)).await?;
        let row = sqlx::query(
            "SELECT a.draft, (SELECT CAST(COALESCE(MAX(v.version), 0) AS BIGINT) FROM assistant_versions v \
             WHERE v.assistant = a.id) AS last FROM assistants a WHERE a.id = $1",
        )
        .bind(id.to_string())
        .fetch_one(&mut *tx)
        .await?;
        let (draft, version) = (row.text("draft")?, row.int("last")? + 1);
        self.insert_version(&mut tx, caller, id, version, draft, note).await?;
        sqlx::query("UPDATE assistants SET published = $1 WHERE id = $2")
            .bind(version)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.the(caller, id).await
    }

    /// With whom it is shared from now on.
    pub async fn share_assistant(&self, caller: &Caller, id: AssistantId, shared: Shared) -> Result<Assistant, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        self.touch_assistant(&mut tx, caller, id, None).await?;
        // Who takes back what another shared does not see it any more: it is read before.
        let select = format!("{ALL} AND a.id = $2");
        sqlx::query("UPDATE assistants SET shared = $1 WHERE id = $2")
            .bind(shared.as_str())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        let row = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(caller.tenant.to_string())
            .bind(id.to_string())
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        assistant(&row)
    }

    /// Takes one out of sight; [`Store::restore_assistant`] brings it back until it is purged. Conversations go on with the
    /// version they had.
    pub async fn delete_assistant(&self, caller: &Caller, id: AssistantId) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        self.touch_assistant(&mut tx, caller, id, None).await?;
        sqlx::query("UPDATE assistants SET deleted_at = $1 WHERE id = $2")
            .bind(self.now().0)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Brings a deleted one back.
    pub async fn restore_assistant(&self, caller: &Caller, id: AssistantId) -> Result<Assistant, Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(
            "UPDATE assistants SET deleted_at = NULL WHERE tenant = $1 AND id = $2 AND deleted_at IS NOT NULL \
             AND (person = $3 OR (shared <> 'nobody' AND $4 = 1))",
        )
        .bind(tenant)
        .bind(id.to_string())
        .bind(person)
        .bind(i64::from(caller.role.administers()))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "assistant" });
        }
        self.the(caller, id).await
    }

    /// The versions of one that the caller sees, newest first.
    pub async fn assistant_versions(&self, caller: &Caller, id: AssistantId) -> Result<Vec<AssistantVersion>, Error> {
        if self.assistant(caller, id).await?.is_none() {
            return Ok(Vec::new());
        }
        let rows =
            sqlx::query("SELECT * FROM assistant_versions WHERE assistant = $1 AND tenant = $2 ORDER BY version DESC")
                .bind(id.to_string())
                .bind(caller.tenant.to_string())
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter().map(version).collect()
    }

    /// What the caller's next question in a conversation is asked with: the version that is published now. Where they do not see
    /// the assistant any more, the version that the conversation had. `None` where the conversation has no assistant.
    pub async fn assistant_of(&self, caller: &Caller, conversation: ConversationId) -> Result<Option<InForce>, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(
            "SELECT assistant, assistant_version FROM conversations WHERE id = $1 AND tenant = $2 AND person = $3 \
             AND assistant IS NOT NULL",
        )
        .bind(conversation.to_string())
        .bind(tenant.clone())
        .bind(person)
        .fetch_optional(&self.inner.database.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let id: AssistantId = row.id("assistant")?;
        if let Some(in_force) = self.assistant_in_force(caller, id).await? {
            return Ok(Some(in_force));
        }
        let had = sqlx::query(
            "SELECT version, unit FROM assistant_versions WHERE assistant = $1 AND version = $2 AND tenant = $3",
        )
        .bind(id.to_string())
        .bind(row.maybe_int("assistant_version")?)
        .bind(tenant)
        .fetch_optional(&self.inner.database.read)
        .await?;
        let Some(had) = had else { return Ok(None) };
        Ok(Some(InForce { id, version: had.int("version")?, unit: had.text("unit")? }))
    }

    /// The published version of an assistant that the caller sees.
    pub async fn assistant_in_force(&self, caller: &Caller, id: AssistantId) -> Result<Option<InForce>, Error> {
        let published = self.assistant(caller, id).await?.and_then(|assistant| assistant.published);
        Ok(published.map(|(version, unit)| InForce { id, version, unit }))
    }

    async fn the(&self, caller: &Caller, id: AssistantId) -> Result<Assistant, Error> {
        self.assistant(caller, id).await?.ok_or(Error::NotFound { what: "assistant" })
    }

    /// Counts a change by somebody who may make it. [`Error::NotFound`] for everybody else.
    async fn touch_assistant(
        &self,
        tx: &mut AnyConnection,
        caller: &Caller,
        id: AssistantId,
        revision: Option<i64>,
    ) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(
            "UPDATE assistants SET revision = revision + 1, updated_at = $1 WHERE id = $2 AND tenant = $3 \
             AND deleted_at IS NULL AND (person = $4 OR (shared <> 'nobody' AND $5 = 1)) RETURNING revision",
        )
        .bind(self.now().0)
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(i64::from(caller.role.administers()))
        .fetch_optional(tx)
        .await?;
        let now = row.ok_or(Error::NotFound { what: "assistant" })?.int("revision")?;
        match revision {
            Some(read) if now != read + 1 => {
                Err(Error::Conflict { what: "the assistant was changed meanwhile; look again, then change it".into() })
            }
            _ => Ok(()),
        }
    }

    async fn insert_version(
        &self,
        tx: &mut AnyConnection,
        caller: &Caller,
        id: AssistantId,
        version: i64,
        unit: String,
        note: String,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO assistant_versions (assistant, version, tenant, unit, note, person, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.to_string())
        .bind(version)
        .bind(caller.tenant.to_string())
        .bind(clean(unit))
        .bind(clean(note))
        .bind(caller.person.to_string())
        .bind(self.now().0)
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Removes for good what was deleted before `before`. Conversations that had one go on by themselves.
pub(crate) async fn purge(tx: &mut AnyConnection, before: Timestamp) -> Result<(), Error> {
    for gone in [
        "DELETE FROM assistant_versions WHERE assistant IN (SELECT id FROM assistants WHERE deleted_at < $1)",
        "DELETE FROM assistants WHERE deleted_at < $1",
    ] {
        sqlx::query(gone).bind(before.0).execute(&mut *tx).await?;
    }
    Ok(())
}

fn assistant(row: &AnyRow) -> Result<Assistant, Error> {
    Ok(Assistant {
        id: row.id("id")?,
        person: row.id("person")?,
        shared: row.word("shared", Shared::parse)?,
        draft: row.text("draft")?,
        revision: row.int("revision")?,
        published: row.maybe_int("published")?.zip(row.maybe_text("unit")?),
        persona: row.maybe_text("persona")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}

fn version(row: &AnyRow) -> Result<AssistantVersion, Error> {
    Ok(AssistantVersion {
        version: row.int("version")?,
        unit: row.text("unit")?,
        note: row.text("note")?,
        person: row.id("person")?,
        at: row.at("at")?,
    })
}
