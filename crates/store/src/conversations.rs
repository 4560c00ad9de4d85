//! Conversations and the tree of their messages, as one person sees their own. Nobody else's row answers, whatever the id.
//!
//! This file has the words and the list; `tree.rs` the messages, `import.rs` the way in and out as one JSON value.

mod import;
pub(crate) mod tree;

use domain::{
    AssistantId, Author, Caller, ConversationId, Failure, FileRef, Finish, MessageId, Provenance, Rating, Sampling,
    Timestamp, TurnId, Usage,
};
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::changes::{Changed, Kind};
use crate::rows::{Columns, clean, json, owner};
use crate::search::{self, Text};
use crate::{Error, Store, assistants};
pub use import::Exported;

/// Who gave a conversation its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitledBy {
    /// Nobody yet.
    None,
    /// The house.
    Auto,
    /// The person; the house leaves it alone.
    Person,
}

impl TitledBy {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            TitledBy::None => "none",
            TitledBy::Auto => "auto",
            TitledBy::Person => "person",
        }
    }

    fn parse(word: &str) -> Option<TitledBy> {
        match word {
            "none" => Some(TitledBy::None),
            "auto" => Some(TitledBy::Auto),
            "person" => Some(TitledBy::Person),
            _ => None,
        }
    }
}

/// A conversation without its messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    pub id: ConversationId,
    pub title: String,
    pub titled_by: TitledBy,
    pub model: Option<String>,
    pub system_prompt: Option<String>,
    pub sampling: Sampling,
    pub pinned: bool,
    pub archived: bool,
    pub created_at: Timestamp,
    /// The last question; never goes back, also when the clock does.
    pub updated_at: Timestamp,
    /// The leaf last looked at.
    pub head: Option<MessageId>,
    /// Who it is had with; absent in files of before there were any.
    #[serde(default)]
    pub assistant: Option<AssistantId>,
    /// The version that the last question was asked with.
    #[serde(default)]
    pub assistant_version: Option<i64>,
}

/// What a new conversation starts with.
#[derive(Debug, Clone)]
pub struct NewConversation {
    pub title: String,
    pub titled_by: TitledBy,
    pub model: Option<String>,
    pub system_prompt: Option<String>,
    pub sampling: Sampling,
    /// The assistant it is had with, and its version.
    pub assistant: Option<(AssistantId, i64)>,
}

impl Default for NewConversation {
    fn default() -> Self {
        NewConversation {
            title: String::new(),
            titled_by: TitledBy::None,
            model: None,
            system_prompt: None,
            sampling: Sampling::default(),
            assistant: None,
        }
    }
}

/// What is to become different; absent stays. Inner `None` takes the value away.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The title, and who gave it. One by [`TitledBy::Auto`] does not replace one by a person.
    pub title: Option<(String, TitledBy)>,
    pub pinned: Option<bool>,
    pub archived: Option<bool>,
    pub model: Option<Option<String>>,
    pub system_prompt: Option<Option<String>>,
    pub sampling: Option<Sampling>,
    pub head: Option<MessageId>,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: MessageId,
    pub conversation: ConversationId,
    pub parent: Option<MessageId>,
    pub author: Author,
    /// Of a running answer: what it has said so far.
    pub text: String,
    /// The model's reasoning; empty where there is none.
    pub thought: String,
    pub at: Timestamp,
    pub model: Option<String>,
    /// The turn that wrote (or writes) this answer.
    pub turn: Option<TurnId>,
    /// `None` for questions and while an answer is being written.
    pub finish: Option<Finish>,
    pub failure: Option<Failure>,
    pub usage: Option<Usage>,
    pub ttft_ms: Option<u32>,
    pub tpot_us: Option<u32>,
    pub trimmed: Option<Trimmed>,
    /// Who answered, and what of the request did not reach them; absent in questions, where nobody answered, and in files of
    /// before it was kept.
    #[serde(default)]
    pub provenance: Option<Provenance>,
    /// What its person thinks of it; absent in questions and in files of before it was kept.
    #[serde(default)]
    pub rating: Option<Rating>,
    /// What was attached to a question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileRef>,
}

impl Message {
    /// Whether this is an answer that is still being written.
    pub fn running(&self) -> bool {
        self.turn.is_some() && self.finish.is_none()
    }
}

/// What did not fit the context of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trimmed {
    pub messages: u32,
    pub tokens: u32,
}

/// Which conversations are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Those not archived: the pinned ones first, all of them on the first page.
    Open,
    Archived,
}

/// A page of the list.
#[derive(Debug, Clone)]
pub struct Page {
    pub shelf: Shelf,
    /// Where the page before ended.
    pub before: Option<Cursor>,
    pub limit: u32,
}

/// A place in the list: after this conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub updated_at: Timestamp,
    pub id: ConversationId,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.updated_at.0, self.id)
    }
}

impl std::str::FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Cursor, Error> {
        let parsed = text
            .split_once('.')
            .and_then(|(at, id)| Some(Cursor { updated_at: Timestamp(at.parse().ok()?), id: id.parse().ok()? }));
        parsed.ok_or(Error::NotFound { what: "page" })
    }
}

impl Store {
    /// One conversation of the caller's.
    pub async fn conversation(&self, caller: &Caller, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let (tenant, person) = owner(caller);
        let row = sqlx::query(
            "SELECT * FROM conversations WHERE id = $1 AND tenant = $2 AND person = $3 AND deleted_at IS NULL",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_optional(&self.inner.database.read)
        .await?;
        row.map(|row| conversation(&row)).transpose()
    }

    /// The caller's conversations, the last one asked in first, and the place to go on from where there are more.
    pub async fn conversations(
        &self,
        caller: &Caller,
        page: Page,
    ) -> Result<(Vec<Conversation>, Option<Cursor>), Error> {
        let mut listed = match (page.shelf, page.before) {
            (Shelf::Open, None) => self.pinned(caller).await?,
            _ => Vec::new(),
        };
        let (tenant, person) = owner(caller);
        let before = page.before.map_or((i64::MAX, String::new()), |at| (at.updated_at.0, at.id.to_string()));
        let rows = sqlx::query(
            "SELECT * FROM conversations WHERE tenant = $1 AND person = $2 AND deleted_at IS NULL AND archived = $3 \
             AND (pinned = 0 OR archived = 1) AND (updated_at < $4 OR (updated_at = $4 AND id < $5)) \
             ORDER BY updated_at DESC, id DESC LIMIT $6",
        )
        .bind(tenant)
        .bind(person)
        .bind(i64::from(page.shelf == Shelf::Archived))
        .bind(before.0)
        .bind(before.1)
        .bind(i64::from(page.limit) + 1)
        .fetch_all(&self.inner.database.read)
        .await?;
        let mut rest = rows.iter().map(conversation).collect::<Result<Vec<_>, _>>()?;
        let more = rest.len() > page.limit as usize;
        rest.truncate(page.limit as usize);
        let next = rest.last().filter(|_| more).map(|last| Cursor { updated_at: last.updated_at, id: last.id });
        listed.append(&mut rest);
        Ok((listed, next))
    }

    async fn pinned(&self, caller: &Caller) -> Result<Vec<Conversation>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(
            "SELECT * FROM conversations WHERE tenant = $1 AND person = $2 AND deleted_at IS NULL AND archived = 0 \
             AND pinned = 1 ORDER BY updated_at DESC, id DESC",
        )
        .bind(tenant)
        .bind(person)
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(conversation).collect()
    }

    /// Makes an empty conversation. (A question makes its own, in its own commit: [`crate::Asked::new`].)
    pub async fn create(&self, caller: &Caller, new: NewConversation) -> Result<Conversation, Error> {
        let now = self.now();
        let made = Conversation {
            id: ConversationId(self.inner.ids.next()),
            title: clean(new.title),
            titled_by: new.titled_by,
            model: new.model,
            system_prompt: new.system_prompt.map(clean),
            sampling: new.sampling,
            pinned: false,
            archived: false,
            created_at: now,
            updated_at: self.inner.order.after(now),
            head: None,
            assistant: new.assistant.map(|(id, _)| id),
            assistant_version: new.assistant.map(|(_, version)| version),
        };
        let mut tx = self.inner.database.write_tx().await?;
        insert(&mut tx, caller, &made).await?;
        search::index(&mut tx, self.inner.database.engine, &[Text::new(caller, made.id, None, &made.title)]).await?;
        tx.commit().await?;
        self.tell_of(caller, made.id, Kind::Created);
        Ok(made)
    }

    /// Changes one, and returns it as it is now.
    pub async fn change(&self, caller: &Caller, id: ConversationId, change: Change) -> Result<Conversation, Error> {
        let (tenant, person) = owner(caller);
        let engine = self.inner.database.engine;
        let mut tx = self.inner.database.write_tx().await?;
        let row = sqlx::query(
            "SELECT * FROM conversations WHERE id = $1 AND tenant = $2 AND person = $3 AND deleted_at IS NULL",
        )
        .bind(id.to_string())
        .bind(tenant)
        .bind(person)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound { what: "conversation" })?;
        let before = conversation(&row)?;
        let after = changed(before.clone(), change);
        if after.head != before.head
            && let Some(head) = after.head
        {
            tree::must_hold(&mut tx, id, head).await?;
        }
        update(&mut tx, &after).await?;
        if after.title != before.title {
            search::forget_title(&mut tx, engine, id).await?;
            search::index(&mut tx, engine, &[Text::new(caller, id, None, &after.title)]).await?;
        }
        tx.commit().await?;
        self.tell_of(caller, id, Kind::Updated);
        Ok(after)
    }

    /// Takes one out of sight; [`Store::restore_conversation`] brings it back until it is purged.
    pub async fn delete_conversation(&self, caller: &Caller, id: ConversationId) -> Result<(), Error> {
        let gone = "UPDATE conversations SET deleted_at = $1 WHERE id = $2 AND tenant = $3 AND person = $4 \
                    AND deleted_at IS NULL";
        self.set_deleted(caller, id, gone, Some(self.now())).await?;
        self.tell_of(caller, id, Kind::Deleted);
        Ok(())
    }

    /// Brings a deleted one back.
    pub async fn restore_conversation(&self, caller: &Caller, id: ConversationId) -> Result<Conversation, Error> {
        let back = "UPDATE conversations SET deleted_at = $1 WHERE id = $2 AND tenant = $3 AND person = $4 \
                    AND deleted_at IS NOT NULL";
        self.set_deleted(caller, id, back, None).await?;
        self.tell_of(caller, id, Kind::Created);
        self.conversation(caller, id).await?.ok_or(Error::NotFound { what: "conversation" })
    }

    async fn set_deleted(
        &self,
        caller: &Caller,
        id: ConversationId,
        update: &'static str,
        at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(update)
            .bind(at.map(|at| at.0))
            .bind(id.to_string())
            .bind(tenant)
            .bind(person)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "conversation" });
        }
        Ok(())
    }

    /// Removes for good what was deleted before `before`; how many conversations. For the house: a daily job. Usage rows stay.
    pub async fn purge(&self, before: Timestamp) -> Result<u64, Error> {
        let engine = self.inner.database.engine;
        let mut tx = self.inner.database.write_tx().await?;
        let rows = sqlx::query(
            "SELECT c.id FROM conversations c WHERE c.deleted_at IS NOT NULL AND c.deleted_at < $1 \
             AND NOT EXISTS (SELECT 1 FROM started s WHERE s.conversation = c.id) ORDER BY c.id",
        )
        .bind(before.0)
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            let id: ConversationId = row.id("id")?;
            search::forget_conversation(&mut tx, engine, id).await?;
            // Parents and children go together: the foreign key looks at the end of the statement.
            for gone in [
                "DELETE FROM replay_answers WHERE conversation = $1",
                "DELETE FROM turns WHERE conversation = $1",
                "DELETE FROM messages WHERE conversation = $1",
                "DELETE FROM conversations WHERE id = $1",
            ] {
                sqlx::query(gone).bind(id.to_string()).execute(&mut *tx).await?;
            }
        }
        assistants::purge(&mut tx, before).await?;
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    pub(crate) fn tell_of(&self, caller: &Caller, id: ConversationId, kind: Kind) {
        self.tell(Changed::Conversation { tenant: caller.tenant, person: caller.person, id, kind });
    }
}

fn changed(mut conversation: Conversation, change: Change) -> Conversation {
    if let Some((title, by)) = change.title
        && !(by == TitledBy::Auto && conversation.titled_by == TitledBy::Person)
    {
        conversation.title = clean(title);
        conversation.titled_by = by;
    }
    conversation.pinned = change.pinned.unwrap_or(conversation.pinned);
    conversation.archived = change.archived.unwrap_or(conversation.archived);
    conversation.model = change.model.unwrap_or(conversation.model);
    conversation.system_prompt = change.system_prompt.unwrap_or(conversation.system_prompt).map(clean);
    conversation.sampling = change.sampling.unwrap_or(conversation.sampling);
    conversation.head = change.head.or(conversation.head);
    conversation
}

async fn insert(connection: &mut AnyConnection, caller: &Caller, made: &Conversation) -> Result<(), Error> {
    let (tenant, person) = owner(caller);
    sqlx::query(
        "INSERT INTO conversations (id, tenant, person, title, titled_by, model, system_prompt, sampling, pinned, archived, \
         created_at, updated_at, head, assistant, assistant_version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(made.id.to_string())
    .bind(tenant)
    .bind(person)
    .bind(made.title.clone())
    .bind(made.titled_by.as_str())
    .bind(made.model.clone())
    .bind(made.system_prompt.clone())
    .bind(json(&made.sampling)?)
    .bind(i64::from(made.pinned))
    .bind(i64::from(made.archived))
    .bind(made.created_at.0)
    .bind(made.updated_at.0)
    .bind(made.head.map(|id| id.to_string()))
    .bind(made.assistant.map(|id| id.to_string()))
    .bind(made.assistant_version)
    .execute(connection)
    .await?;
    Ok(())
}

/// The row was read with its owner in the same transaction.
async fn update(connection: &mut AnyConnection, after: &Conversation) -> Result<(), Error> {
    sqlx::query(
        "UPDATE conversations SET title = $1, titled_by = $2, model = $3, system_prompt = $4, sampling = $5, pinned = $6, \
         archived = $7, head = $8 WHERE id = $9",
    )
    .bind(after.title.clone())
    .bind(after.titled_by.as_str())
    .bind(after.model.clone())
    .bind(after.system_prompt.clone())
    .bind(json(&after.sampling)?)
    .bind(i64::from(after.pinned))
    .bind(i64::from(after.archived))
    .bind(after.head.map(|id| id.to_string()))
    .bind(after.id.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

fn conversation(row: &AnyRow) -> Result<Conversation, Error> {
    Ok(Conversation {
        id: row.id("id")?,
        title: row.text("title")?,
        titled_by: row.word("titled_by", TitledBy::parse)?,
        model: row.maybe_text("model")?,
        system_prompt: row.maybe_text("system_prompt")?,
        sampling: row.json("sampling")?,
        pinned: row.flag("pinned")?,
        archived: row.flag("archived")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
        head: row.maybe_id("head")?,
        assistant: row.maybe_id("assistant")?,
        assistant_version: row.maybe_int("assistant_version")?,
    })
}
