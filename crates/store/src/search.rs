//! Full text over titles and messages: our own words, so that Chinese is found from one character on, in SQLite's FTS5 and in
//! PostgreSQL's `tsvector`. One of the three files whose SQL differs between the two. Ranking is by time: a person looks for
//! what they remember, and both databases answer alike.

mod words;

use domain::{Author, Caller, ConversationId, MessageId, Timestamp};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};

use crate::database::Engine;
use crate::rows::{Columns, owner};
use crate::{Error, Store};

/// One row per title and per message (several for a very long one); FTS5 holds the words under the row's id. The owner is a
/// word of its own column, so that nobody's rows but the caller's are ever looked at.
pub(crate) const SQLITE_SCHEMA: &str = "\
CREATE TABLE search_rows (
  id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  conversation TEXT NOT NULL,
  message TEXT,
  part BIGINT NOT NULL
);
CREATE INDEX search_rows_of_conversation ON search_rows (conversation, message);
CREATE VIRTUAL TABLE search_words USING fts5(owner, words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0');";

pub(crate) const POSTGRES_SCHEMA: &str = "\
CREATE TABLE search_rows (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  conversation TEXT NOT NULL,
  message TEXT,
  part BIGINT NOT NULL,
  words TSVECTOR NOT NULL
);
CREATE INDEX search_rows_of_conversation ON search_rows (conversation, message);
CREATE INDEX search_rows_words ON search_rows USING GIN (words);";

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub conversation: ConversationId,
    pub title: String,
    /// `None` where the title itself was found.
    pub message: Option<MessageId>,
    pub author: Option<Author>,
    pub at: Timestamp,
    /// Pieces of the text around the first place found; `true` for what was looked for.
    pub snippet: Vec<(String, bool)>,
}

/// A text to be found later.
pub(crate) struct Text<'a> {
    caller: &'a Caller,
    conversation: ConversationId,
    message: Option<MessageId>,
    text: &'a str,
}

impl<'a> Text<'a> {
    pub(crate) fn new(
        caller: &'a Caller,
        conversation: ConversationId,
        message: Option<MessageId>,
        text: &'a str,
    ) -> Text<'a> {
        Text { caller, conversation, message, text }
    }
}

/// Makes texts findable, in the transaction that stores them.
pub(crate) async fn index(connection: &mut AnyConnection, engine: Engine, texts: &[Text<'_>]) -> Result<(), Error> {
    for text in texts {
        for (part, words) in words::parts(text.text).into_iter().enumerate() {
            let part = i64::try_from(part).unwrap_or(i64::MAX);
            match engine {
                Engine::Sqlite => index_sqlite(connection, text, part, &words).await?,
                Engine::Postgres => index_postgres(connection, text, part, &words).await?,
            }
        }
    }
    Ok(())
}

async fn index_sqlite(
    connection: &mut AnyConnection,
    text: &Text<'_>,
    part: i64,
    words: &[String],
) -> Result<(), Error> {
    let (tenant, person) = owner(text.caller);
    sqlx::query("INSERT INTO search_rows (tenant, person, conversation, message, part) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant)
        .bind(person)
        .bind(text.conversation.to_string())
        .bind(text.message.map(|id| id.to_string()))
        .bind(part)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO search_words (rowid, owner, words) VALUES (last_insert_rowid(), $1, $2)")
        .bind(owner_word(text.caller))
        .bind(words.join(" "))
        .execute(&mut *connection)
        .await?;
    Ok(())
}

async fn index_postgres(
    connection: &mut AnyConnection,
    text: &Text<'_>,
    part: i64,
    words: &[String],
) -> Result<(), Error> {
    let (tenant, person) = owner(text.caller);
    sqlx::query(
        "INSERT INTO search_rows (tenant, person, conversation, message, part, words) \
         VALUES ($1, $2, $3, $4, $5, CAST(CAST($6 AS TEXT) AS TSVECTOR))",
    )
    .bind(tenant)
    .bind(person)
    .bind(text.conversation.to_string())
    .bind(text.message.map(|id| id.to_string()))
    .bind(part)
    .bind(vector(&owner_word(text.caller), words))
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Takes a conversation's title out of the index.
pub(crate) async fn forget_title(
    connection: &mut AnyConnection,
    engine: Engine,
    id: ConversationId,
) -> Result<(), Error> {
    forget(connection, engine, id, "conversation = $1 AND message IS NULL").await
}

/// Takes everything of a conversation out of the index.
pub(crate) async fn forget_conversation(
    connection: &mut AnyConnection,
    engine: Engine,
    id: ConversationId,
) -> Result<(), Error> {
    forget(connection, engine, id, "conversation = $1").await
}

async fn forget(
    connection: &mut AnyConnection,
    engine: Engine,
    id: ConversationId,
    which: &'static str,
) -> Result<(), Error> {
    if engine == Engine::Sqlite {
        let words = format!("DELETE FROM search_words WHERE rowid IN (SELECT id FROM search_rows WHERE {which})");
        sqlx::query(AssertSqlSafe(words)).bind(id.to_string()).execute(&mut *connection).await?;
    }
    let rows = format!("DELETE FROM search_rows WHERE {which}");
    sqlx::query(AssertSqlSafe(rows)).bind(id.to_string()).execute(&mut *connection).await?;
    Ok(())
}

/// Everything anew from the rows: after a restore, whose file holds no index.
pub(crate) async fn rebuild(connection: &mut AnyConnection, engine: Engine) -> Result<(), Error> {
    let titles = sqlx::query("SELECT tenant, person, id AS conversation, title AS text FROM conversations ORDER BY id")
        .fetch_all(&mut *connection)
        .await?;
    for row in titles {
        again(connection, engine, &row, None).await?;
    }
    let mut after = String::new();
    loop {
        let page = sqlx::query(
            "SELECT tenant, person, conversation, id, text FROM messages WHERE id > $1 ORDER BY id LIMIT 500",
        )
        .bind(after.clone())
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.text("id")?;
        for row in &page {
            again(connection, engine, row, Some(row.id("id")?)).await?;
        }
    }
}

async fn again(
    connection: &mut AnyConnection,
    engine: Engine,
    row: &AnyRow,
    message: Option<MessageId>,
) -> Result<(), Error> {
    let caller = Caller {
        tenant: row.id("tenant")?,
        person: row.id("person")?,
        role: domain::Role::Member,
        via: domain::Via::House,
    };
    let text = row.text("text")?;
    index(connection, engine, &[Text::new(&caller, row.id("conversation")?, message, &text)]).await
}

impl Store {
    /// Where the caller's titles and messages hold all the words of `query`, the newest first. Chinese is looked up by
    /// characters, other words by their beginnings; neither case nor width matters.
    pub async fn search(&self, caller: &Caller, query: &str, limit: u32) -> Result<Vec<Hit>, Error> {
        let runs = words::runs(query);
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let engine = self.inner.database.engine;
        let (matches, asked) = match engine {
            Engine::Sqlite => (
                "r.id IN (SELECT rowid FROM search_words WHERE search_words MATCH $3)",
                sqlite_query(&owner_word(caller), &runs),
            ),
            Engine::Postgres => {
                ("r.words @@ CAST(CAST($3 AS TEXT) AS TSQUERY)", postgres_query(&owner_word(caller), &runs))
            }
        };
        let (tenant, person) = owner(caller);
        let select = format!(
            "SELECT c.id AS conversation, c.title, c.updated_at, r.message, m.author, m.text, m.at FROM search_rows r \
             JOIN conversations c ON c.id = r.conversation LEFT JOIN messages m ON m.id = r.message \
             WHERE r.tenant = $1 AND r.person = $2 AND {matches} AND c.tenant = $1 AND c.person = $2 \
             AND c.deleted_at IS NULL AND m.deleted_with IS NULL ORDER BY COALESCE(m.at, c.updated_at) DESC, r.id DESC LIMIT $4"
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .bind(tenant)
            .bind(person)
            .bind(asked)
            .bind(i64::from(limit))
            .fetch_all(&self.inner.database.read)
            .await?;
        let mut hits: Vec<Hit> = Vec::with_capacity(rows.len());
        for row in &rows {
            let hit = hit(row, &runs)?;
            if !hits.iter().any(|other| other.conversation == hit.conversation && other.message == hit.message) {
                hits.push(hit);
            }
        }
        Ok(hits)
    }
}

fn hit(row: &AnyRow, runs: &[words::Run]) -> Result<Hit, Error> {
    let title = row.text("title")?;
    let message = row.maybe_id("message")?;
    let (author, at, text) = match message {
        None => (None, row.at("updated_at")?, title.clone()),
        Some(_) => (Some(row.author("author")?), row.at("at")?, row.text("text")?),
    };
    let snippet = words::snippet(&text, runs);
    Ok(Hit { conversation: row.id("conversation")?, title, message, author, at, snippet })
}

/// The owner as one word of the index.
fn owner_word(caller: &Caller) -> String {
    format!("o{}{}", caller.tenant.0.simple(), caller.person.0.simple())
}

/// FTS5: `owner : "o…" AND words : "合同 同纠" AND words : "contr" *`
fn sqlite_query(owner: &str, runs: &[words::Run]) -> String {
    let mut query = format!("owner : \"{owner}\"");
    for run in runs {
        let star = if run.prefix { " *" } else { "" };
        query.push_str(&format!(" AND words : \"{}\"{star}", run.words.join(" ")));
    }
    query
}

/// PostgreSQL: `'o…' & ('合同' <-> '同纠') & 'contr':*`
fn postgres_query(owner: &str, runs: &[words::Run]) -> String {
    let mut query = format!("'{owner}'");
    for run in runs {
        let star = if run.prefix { ":*" } else { "" };
        let phrase: Vec<_> = run.words.iter().map(|word| format!("'{word}'")).collect();
        query.push_str(&format!(" & ({}{star})", phrase.join(" <-> ")));
    }
    query
}

/// A `tsvector` written out: positions from 3, so that no phrase begins with the owner.
fn vector(owner: &str, words: &[String]) -> String {
    let mut vector = format!("'{owner}':1");
    for (position, word) in words.iter().enumerate() {
        vector.push_str(&format!(" '{word}':{}", position + 3));
    }
    vector
}
