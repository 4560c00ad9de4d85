//! A conversation as one JSON value: out, and in again here or elsewhere.

use std::collections::{HashMap, HashSet};

use domain::{Caller, ConversationId, Finish, MessageId, Rating};
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::{Conversation, Message, insert};
use crate::changes::Kind;
use crate::rows::{clean, json, owner};
use crate::search::{self, Text};
use crate::{Error, Store};

/// A conversation with its whole tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// `portico.conversation.1`
    pub format: String,
    pub conversation: Conversation,
    /// In the order of their ids.
    pub messages: Vec<Message>,
}

impl Exported {
    /// The format this Portico writes and reads.
    pub const FORMAT: &str = "portico.conversation.1";
}

impl Store {
    /// The conversation and its tree, as they are now.
    pub async fn export(&self, caller: &Caller, id: ConversationId) -> Result<Option<Exported>, Error> {
        let Some(conversation) = self.conversation(caller, id).await? else { return Ok(None) };
        let messages = self.messages(caller, id).await?;
        Ok(Some(Exported { format: Exported::FORMAT.to_owned(), conversation, messages }))
    }

    /// Stores an exported conversation as the caller's own. Ids are kept where nothing has them yet, and new where something
    /// does; turns and answers that were running do not go on.
    pub async fn import(&self, caller: &Caller, exported: Exported) -> Result<Conversation, Error> {
        if exported.format != Exported::FORMAT {
            let what = format!("this file says it is {:?}; {:?} can be imported", exported.format, Exported::FORMAT);
            return Err(Error::Conflict { what });
        }
        let mut tx = self.inner.database.write_tx().await?;
        let mut made = exported.conversation;
        let taken = self.taken(&mut tx, made.id, &exported.messages).await?;
        let messages = self.renamed(&mut made, exported.messages, &taken)?;
        made.title = clean(made.title);
        made.system_prompt = made.system_prompt.map(clean);
        // Its assistant may be one that the caller does not see, and by a number in a file nobody comes to see one.
        (made.assistant, made.assistant_version) = (None, None);
        made.updated_at = self.inner.order.after(self.now());
        insert(&mut tx, caller, &made).await?;
        for message in parents_first(&messages)? {
            insert_message(&mut tx, caller, message).await?;
        }
        let mut texts = vec![Text::new(caller, made.id, None, &made.title)];
        texts.extend(messages.iter().map(|message| Text::new(caller, made.id, Some(message.id), &message.text)));
        search::index(&mut tx, self.inner.database.engine, &texts).await?;
        tx.commit().await?;
        self.tell_of(caller, made.id, Kind::Created);
        Ok(made)
    }

    /// Whether the conversation's own id is taken, and which messages' are. Anybody's count: ids are keys.
    async fn taken(
        &self,
        connection: &mut AnyConnection,
        conversation: ConversationId,
        messages: &[Message],
    ) -> Result<HashSet<String>, Error> {
        let mut taken = HashSet::new();
        let asked = std::iter::once(("SELECT id FROM conversations WHERE id = $1", conversation.to_string()))
            .chain(messages.iter().map(|message| ("SELECT id FROM messages WHERE id = $1", message.id.to_string())));
        for (query, id) in asked {
            if sqlx::query(query).bind(id.clone()).fetch_optional(&mut *connection).await?.is_some() {
                taken.insert(id);
            }
        }
        Ok(taken)
    }

    fn renamed(
        &self,
        conversation: &mut Conversation,
        messages: Vec<Message>,
        taken: &HashSet<String>,
    ) -> Result<Vec<Message>, Error> {
        if taken.contains(&conversation.id.to_string()) {
            conversation.id = ConversationId(self.inner.ids.next());
        }
        let mut names: HashMap<MessageId, MessageId> = HashMap::new();
        for message in &messages {
            let id = match taken.contains(&message.id.to_string()) {
                true => MessageId(self.inner.ids.next()),
                false => message.id,
            };
            if names.insert(message.id, id).is_some() {
                return Err(Error::Conflict { what: format!("this file has message {} twice", message.id) });
            }
        }
        conversation.head = conversation.head.and_then(|head| names.get(&head).copied());
        let mut renamed = Vec::with_capacity(messages.len());
        for mut message in messages {
            message.id = names.get(&message.id).copied().unwrap_or(message.id);
            message.conversation = conversation.id;
            message.parent = match message.parent {
                None => None,
                Some(parent) => Some(*names.get(&parent).ok_or_else(|| Error::Conflict {
                    what: format!("this file has an answer to message {parent}, but not that message"),
                })?),
            };
            if message.running() {
                message.finish = Some(Finish::Interrupted);
            }
            message.turn = None;
            message.text = clean(message.text);
            message.thought = clean(message.thought);
            renamed.push(message);
        }
        renamed.sort_by_key(|message| message.id);
        Ok(renamed)
    }
}

/// The database checks that a parent is there.
fn parents_first(messages: &[Message]) -> Result<Vec<&Message>, Error> {
    let mut there = HashSet::new();
    let mut ordered = Vec::with_capacity(messages.len());
    let mut waiting: Vec<&Message> = messages.iter().collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|message| {
            let ready = message.parent.is_none_or(|parent| there.contains(&parent));
            if ready {
                there.insert(message.id);
                ordered.push(*message);
            }
            !ready
        });
        if waiting.len() == before {
            return Err(Error::Conflict { what: "the messages of this file answer each other in a circle".into() });
        }
    }
    Ok(ordered)
}

async fn insert_message(connection: &mut AnyConnection, caller: &Caller, message: &Message) -> Result<(), Error> {
    let (tenant, person) = owner(caller);
    sqlx::query(
        "INSERT INTO messages (id, tenant, person, conversation, parent, author, text, thought, at, model, turn, finish, \
         failure_code, failure_message, usage, ttft_ms, tpot_us, trimmed_messages, trimmed_tokens, provenance, \
         rating, files) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
    )
    .bind(message.id.to_string())
    .bind(tenant)
    .bind(person)
    .bind(message.conversation.to_string())
    .bind(message.parent.map(|id| id.to_string()))
    .bind(message.author.as_str())
    .bind(message.text.clone())
    .bind(message.thought.clone())
    .bind(message.at.0)
    .bind(message.model.clone().map(clean))
    .bind(message.turn.map(|id| id.to_string()))
    .bind(message.finish.map(|finish| finish.as_str()))
    .bind(message.failure.as_ref().map(|failure| clean(failure.code.clone().into_owned())))
    .bind(message.failure.as_ref().map(|failure| clean(failure.message.clone())))
    .bind(message.usage.as_ref().map(json).transpose()?)
    .bind(message.ttft_ms.map(i64::from))
    .bind(message.tpot_us.map(i64::from))
    .bind(message.trimmed.map(|trimmed| i64::from(trimmed.messages)))
    .bind(message.trimmed.map(|trimmed| i64::from(trimmed.tokens)))
    .bind(message.provenance.as_ref().map(json).transpose()?)
    // What another person shared elsewhere this one has not shared here.
    .bind(message.rating.clone().map(|rating| json(&Rating { shared: false, ..rating })).transpose()?)
    // Those of somebody else open nothing here: they are looked for among the caller's own.
    .bind((!message.files.is_empty()).then(|| json(&message.files)).transpose()?.map(clean))
    .execute(connection)
    .await?;
    Ok(())
}
