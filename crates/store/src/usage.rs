//! What turns used: a row per turn, and a counter per person and day. Limits and prices are the ledger's.

use std::fmt;

use domain::{Caller, ConversationId, Finish, KeyId, PersonId, TenantId, Timestamp, Tokens, TurnId, Usage};
use sqlx::any::AnyRow;

use crate::rows::{Columns, corrupt, owner};
use crate::{Error, Store};

const MS_A_DAY: i64 = 86_400_000;

/// A day in UTC: whole days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The day of a moment.
    pub fn of(at: Timestamp) -> Day {
        Day(at.0.div_euclid(MS_A_DAY))
    }

    /// Its first millisecond.
    pub fn starts_at(self) -> Timestamp {
        Timestamp(self.0 * MS_A_DAY)
    }

    /// The first millisecond of the next one.
    pub fn ends_at(self) -> Timestamp {
        Timestamp((self.0 + 1) * MS_A_DAY)
    }
}

impl fmt::Display for Day {
    /// `2026-11-23`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = domain::civil(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// What a person used in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageOfDay {
    pub tenant: TenantId,
    pub person: PersonId,
    pub tokens: u64,
    pub turns: u64,
}

/// What was used with a key: today's tokens and all there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageOfKey {
    pub key: KeyId,
    /// Tokens of the day that was asked for.
    pub today: u64,
    /// Tokens from the first day on.
    pub total: u64,
}

/// What was used with a key in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDay {
    pub day: Day,
    pub prompt: u64,
    pub completion: u64,
    pub turns: u64,
}

/// One turn, as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    pub turn: TurnId,
    pub person: PersonId,
    /// `None` for a passing turn.
    pub conversation: Option<ConversationId>,
    pub model: String,
    pub provider: String,
    pub door: String,
    pub usage: Usage,
    pub finish: Finish,
    /// The code of the failure.
    pub failure: Option<String>,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub ttft_ms: Option<u32>,
    pub tpot_us: Option<u32>,
}

impl Store {
    /// Tokens a person has used in a day, settled turns only.
    pub async fn used_on(&self, tenant: TenantId, person: PersonId, day: Day) -> Result<u64, Error> {
        let row = sqlx::query("SELECT tokens FROM usage_day WHERE tenant = $1 AND person = $2 AND day = $3")
            .bind(tenant.to_string())
            .bind(person.to_string())
            .bind(day.0)
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.map_or(Ok(0), |row| row.number("tokens"))
    }

    /// Everybody's use of a day. For the house: the ledger's snapshot starts from it.
    pub async fn usage_of_day(&self, day: Day) -> Result<Vec<UsageOfDay>, Error> {
        let rows =
            sqlx::query("SELECT tenant, person, tokens, turns FROM usage_day WHERE day = $1 ORDER BY tenant, person")
                .bind(day.0)
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter()
            .map(|row| {
                Ok(UsageOfDay {
                    tenant: row.id("tenant")?,
                    person: row.id("person")?,
                    tokens: row.number("tokens")?,
                    turns: row.number("turns")?,
                })
            })
            .collect()
    }

    /// What was used with every key: on `day`, and altogether. For the house: the ledger's snapshot starts from it.
    pub async fn usage_of_keys(&self, day: Day) -> Result<Vec<UsageOfKey>, Error> {
        let rows = sqlx::query(
            "SELECT key, CAST(SUM(prompt + completion) AS BIGINT) AS total, \
             CAST(SUM(CASE WHEN day = $1 THEN prompt + completion ELSE 0 END) AS BIGINT) AS today \
             FROM usage_key_day GROUP BY key ORDER BY key",
        )
        .bind(day.0)
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter()
            .map(|row| Ok(UsageOfKey { key: row.id("key")?, today: row.number("today")?, total: row.number("total")? }))
            .collect()
    }

    /// What was used with a key each day from `since` on, oldest first; days without a turn are left out.
    pub async fn days_of_key(&self, tenant: TenantId, key: KeyId, since: Day) -> Result<Vec<KeyDay>, Error> {
        let rows = sqlx::query(
            "SELECT day, prompt, completion, turns FROM usage_key_day \
             WHERE tenant = $1 AND key = $2 AND day >= $3 ORDER BY day",
        )
        .bind(tenant.to_string())
        .bind(key.to_string())
        .bind(since.0)
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(KeyDay {
                    day: Day(row.int("day")?),
                    prompt: row.number("prompt")?,
                    completion: row.number("completion")?,
                    turns: row.number("turns")?,
                })
            })
            .collect()
    }

    /// The caller's own usage rows, newest first.
    pub async fn usage(&self, caller: &Caller, limit: u32) -> Result<Vec<UsageRow>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query("SELECT * FROM usage WHERE tenant = $1 AND person = $2 ORDER BY turn DESC LIMIT $3")
            .bind(tenant)
            .bind(person)
            .bind(i64::from(limit))
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(usage_row).collect()
    }

    /// The usage rows of everybody in a tenant from `since` on, oldest first. For the house: exports and checks.
    pub async fn usage_since(&self, tenant: TenantId, since: Timestamp) -> Result<Vec<UsageRow>, Error> {
        let rows = sqlx::query("SELECT * FROM usage WHERE tenant = $1 AND finished_at >= $2 ORDER BY turn")
            .bind(tenant.to_string())
            .bind(since.0)
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(usage_row).collect()
    }
}

fn usage_row(row: &AnyRow) -> Result<UsageRow, Error> {
    let usage = Usage {
        prompt: Tokens(row.number("prompt")?),
        completion: Tokens(row.number("completion")?),
        cached: Tokens(row.number("cached")?),
        reasoning: Tokens(row.number("reasoning")?),
        // The answer keeps it.
        confidence: None,
        reported: row.flag("reported")?,
    };
    Ok(UsageRow {
        turn: row.id("turn")?,
        person: row.id("person")?,
        conversation: row.maybe_id("conversation")?,
        model: row.text("model")?,
        provider: row.text("provider")?,
        door: row.text("door")?,
        usage,
        finish: row.maybe_finish("finish")?.ok_or_else(|| corrupt("finish", ""))?,
        failure: row.maybe_text("failure")?,
        started_at: row.at("started_at")?,
        finished_at: row.at("finished_at")?,
        ttft_ms: row.maybe_number("ttft_ms")?,
        tpot_us: row.maybe_number("tpot_us")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_its_date() {
        let date = |ms| Day::of(Timestamp(ms)).to_string();
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400_000), "2000-02-29");
        assert_eq!(date(1_795_392_000_000 - 1), "2026-11-22");
        assert_eq!(date(1_795_392_000_000), "2026-11-23");
        assert_eq!(date(-1), "1969-12-31");
    }
}
