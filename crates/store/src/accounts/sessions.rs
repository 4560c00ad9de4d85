//! Signed-in browsers. A session is known by the hash of its token; the token itself is never here.

use domain::{Caller, PersonId, SessionId, TenantId, Timestamp, Via};
use sqlx::any::AnyRow;

use super::persons::{Person, person};
use crate::changes::Changed;
use crate::rows::{Columns, clean, owner};
use crate::{Error, Store};

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub tenant: TenantId,
    pub person: PersonId,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_agent: String,
    pub address: String,
}

/// A session to be.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub tenant: TenantId,
    pub person: PersonId,
    pub token_hash: String,
    pub expires_at: Timestamp,
    pub user_agent: String,
    pub address: String,
}

impl Store {
    /// Opens a session.
    pub async fn create_session(&self, new: NewSession) -> Result<Session, Error> {
        let now = self.now();
        let session = Session {
            id: SessionId(self.inner.ids.next()),
            tenant: new.tenant,
            person: new.person,
            created_at: now,
            seen_at: now,
            expires_at: new.expires_at,
            user_agent: clean(new.user_agent),
            address: clean(new.address),
        };
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO sessions (id, tenant, person, token_hash, created_at, seen_at, expires_at, user_agent, address) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(session.id.to_string())
        .bind(session.tenant.to_string())
        .bind(session.person.to_string())
        .bind(new.token_hash)
        .bind(now.0)
        .bind(now.0)
        .bind(session.expires_at.0)
        .bind(session.user_agent.clone())
        .bind(session.address.clone())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(session)
    }

    /// The session with this token and its person; `None` where there is none, the person is disabled, or it has expired.
    pub async fn session_by_token(&self, token_hash: &str) -> Result<Option<(Session, Person)>, Error> {
        let row = sqlx::query("SELECT * FROM sessions WHERE token_hash = $1 AND expires_at > $2")
            .bind(token_hash)
            .bind(self.now().0)
            .fetch_optional(&self.inner.database.read)
            .await?;
        let Some(session) = row.map(|row| session(&row)).transpose()? else { return Ok(None) };
        let row = sqlx::query("SELECT * FROM persons WHERE id = $1 AND tenant = $2 AND disabled = 0")
            .bind(session.person.to_string())
            .bind(session.tenant.to_string())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.map(|row| Ok((session, person(&row)?))).transpose()
    }

    /// The caller's own sessions that have not expired, newest first.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<Session>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(
            "SELECT * FROM sessions WHERE tenant = $1 AND person = $2 AND expires_at > $3 ORDER BY id DESC",
        )
        .bind(tenant)
        .bind(person)
        .bind(self.now().0)
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(session).collect()
    }

    /// Ends one of the caller's own.
    pub async fn revoke_session(&self, caller: &Caller, id: SessionId) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query("DELETE FROM sessions WHERE tenant = $1 AND person = $2 AND id = $3")
            .bind(tenant)
            .bind(person)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "session" });
        }
        self.tell(Changed::People);
        Ok(())
    }

    /// Ends all of the caller's own but the one they ask with; how many.
    pub async fn revoke_other_sessions(&self, caller: &Caller) -> Result<u64, Error> {
        let keep = match caller.via {
            Via::Session(id) => id.to_string(),
            Via::Key(_) | Via::House => String::new(),
        };
        self.end_sessions(caller.tenant, caller.person, keep).await
    }

    /// Ends all sessions of a person; how many. For the house and for administrators.
    pub async fn revoke_sessions_of(&self, tenant: TenantId, person: PersonId) -> Result<u64, Error> {
        self.end_sessions(tenant, person, String::new()).await
    }

    async fn end_sessions(&self, tenant: TenantId, person: PersonId, keep: String) -> Result<u64, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query("DELETE FROM sessions WHERE tenant = $1 AND person = $2 AND id <> $3")
            .bind(tenant.to_string())
            .bind(person.to_string())
            .bind(keep)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.tell(Changed::People);
        Ok(done.rows_affected())
    }

    /// Removes sessions that have expired; how many. For the house: a daily job.
    pub async fn sweep_sessions(&self) -> Result<u64, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done =
            sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(self.now().0).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

fn session(row: &AnyRow) -> Result<Session, Error> {
    Ok(Session {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        person: row.id("person")?,
        created_at: row.at("created_at")?,
        seen_at: row.at("seen_at")?,
        expires_at: row.at("expires_at")?,
        user_agent: row.text("user_agent")?,
        address: row.text("address")?,
    })
}
