//! Texts that people keep to ask with: each person's own, and those that an administrator shares with everybody.

use domain::{Caller, PersonId, PromptId, Timestamp};
use sqlx::any::AnyRow;

use crate::rows::{Columns, clean, owner};
use crate::{Error, Store};

/// A kept text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptRow {
    pub id: PromptId,
    /// Who wrote it.
    pub person: PersonId,
    pub name: String,
    pub text: String,
    /// Whether everybody has it.
    pub shared: bool,
    pub updated_at: Timestamp,
}

/// What one is to say.
#[derive(Debug, Clone)]
pub struct NewPrompt {
    pub name: String,
    pub text: String,
    pub shared: bool,
}

impl Store {
    /// The caller's own and the shared ones, by name.
    pub async fn prompts(&self, caller: &Caller) -> Result<Vec<PromptRow>, Error> {
        let (tenant, person) = owner(caller);
        let rows =
            sqlx::query("SELECT * FROM prompts WHERE tenant = $1 AND (person = $2 OR shared = 1) ORDER BY name, id")
                .bind(tenant)
                .bind(person)
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter().map(prompt).collect()
    }

    /// Keeps a text of the caller's.
    pub async fn create_prompt(&self, caller: &Caller, new: NewPrompt) -> Result<PromptRow, Error> {
        let (tenant, person) = owner(caller);
        let made = PromptRow {
            id: PromptId(self.inner.ids.next()),
            person: caller.person,
            name: clean(new.name),
            text: clean(new.text),
            shared: new.shared,
            updated_at: self.now(),
        };
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO prompts (id, tenant, person, name, text, shared, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(made.id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(made.name.clone())
        .bind(made.text.clone())
        .bind(i64::from(made.shared))
        .bind(made.updated_at.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Changes one: the caller's own, or a shared one where they administer.
    pub async fn change_prompt(&self, caller: &Caller, id: PromptId, new: NewPrompt) -> Result<PromptRow, Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let row = sqlx::query(
            "UPDATE prompts SET name = $1, text = $2, shared = $3, updated_at = $4 WHERE id = $5 AND tenant = $6 \
             AND (person = $7 OR (shared = 1 AND $8 = 1)) RETURNING *",
        )
        .bind(clean(new.name))
        .bind(clean(new.text))
        .bind(i64::from(new.shared))
        .bind(self.now().0)
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(i64::from(caller.role.administers()))
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound { what: "prompt" })?;
        tx.commit().await?;
        prompt(&row)
    }

    /// Deletes one, under the same conditions.
    pub async fn delete_prompt(&self, caller: &Caller, id: PromptId) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(
            "DELETE FROM prompts WHERE id = $1 AND tenant = $2 AND (person = $3 OR (shared = 1 AND $4 = 1))",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .bind(i64::from(caller.role.administers()))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "prompt" });
        }
        Ok(())
    }
}

fn prompt(row: &AnyRow) -> Result<PromptRow, Error> {
    Ok(PromptRow {
        id: row.id("id")?,
        person: row.id("person")?,
        name: row.text("name")?,
        text: row.text("text")?,
        shared: row.flag("shared")?,
        updated_at: row.at("updated_at")?,
    })
}
