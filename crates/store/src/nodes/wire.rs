//! What portals of one database tell each other while they live: that rows changed, that a turn began or ended, that a back end failed.
//! PostgreSQL's NOTIFY carries it, at most one per portal and tick. A word is a hint that costs its reader a look at the rows; none is
//! lost for good, because whoever was away (a connection that broke, too many words at once) is told to look at everything.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::{ConversationId, PersonId, TenantId, TurnId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::changes::{Changed, Changes, Kind};

/// How long words gather before they are sent.
const TICK: Duration = Duration::from_millis(100);

/// The longest payload of a NOTIFY is 8,000 bytes (PostgreSQL's documentation, NOTIFY).
const PAYLOAD: usize = 7_500;

/// More words than this in a tick are told as one: look at everything.
const MOST: usize = 500;

/// How long a portal waits before it tries to listen again.
const AGAIN: Duration = Duration::from_secs(2);

/// A word between portals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "w", rename_all = "snake_case")]
pub enum Word {
    /// One conversation of one person.
    Conversation {
        /// Whose tenant.
        tenant: TenantId,
        /// Whose.
        person: PersonId,
        /// Which.
        id: ConversationId,
        /// `created`, `updated` or `deleted`.
        how: Kind,
    },
    /// Keys were made or revoked.
    Keys,
    /// A person was added, changed, or their sessions ended.
    People,
    /// Providers, aliases, plugins or settings.
    Catalog,
    /// A call waits for somebody's word, or has it.
    Approvals,
    /// Somebody wants a turn stopped: see `stops`.
    Stop,
    /// A kept turn began or ended.
    Turn {
        /// Whose tenant.
        tenant: TenantId,
        /// Whose.
        person: PersonId,
        /// Which.
        turn: TurnId,
        /// Where.
        conversation: ConversationId,
        /// Whether it began; otherwise it ended.
        started: bool,
    },
    /// A back end failed several times in a row, or asked to be left alone.
    Failing {
        /// Its id, the same at every portal.
        deployment: String,
        /// For how long others are to be asked first.
        pause_ms: u64,
    },
    /// Words were missed: look at everything.
    Everything,
}

#[derive(Serialize, Deserialize)]
struct Letter {
    from: String,
    words: Vec<Word>,
}

/// The line between portals; without others it is silent.
#[derive(Debug)]
pub(crate) struct Wire {
    waiting: Mutex<VecDeque<Word>>,
    more: Notify,
    /// Whether anybody can hear: nothing gathers on SQLite.
    on: bool,
    news: broadcast::Sender<Word>,
}

impl Wire {
    pub(crate) fn new(on: bool) -> Wire {
        Wire { waiting: Mutex::default(), more: Notify::new(), on, news: broadcast::channel(1024).0 }
    }

    pub(crate) fn heard(&self) -> broadcast::Receiver<Word> {
        self.news.subscribe()
    }

    /// Tells the others, with the next tick.
    pub(crate) fn say(&self, word: Word) {
        if !self.on {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.contains(&word) {
            return;
        }
        if waiting.len() >= MOST {
            waiting.clear();
            waiting.push_back(Word::Everything);
        } else {
            waiting.push_back(word);
        }
        self.more.notify_one();
    }

    /// Sends and hears until `closing`.
    pub(super) async fn converse(&self, url: &str, node: &str, changes: &Changes, closing: &CancellationToken) {
        while !closing.is_cancelled() {
            let talk = async {
                let mut listener = PgListener::connect(url).await?;
                let channel = channel(&mut listener).await?;
                listener.listen(&channel).await?;
                // From here on nothing is missed; what came before is looked at.
                self.hear(Word::Everything, changes);
                let sender = sqlx::PgPool::connect_lazy(url)?;
                tokio::select! {
                    heard = self.listen(&mut listener, node, changes) => heard,
                    said = self.send(&sender, &channel, node) => said,
                }
            };
            let ended: Result<(), sqlx::Error> = tokio::select! {
                () = closing.cancelled() => return,
                ended = talk => ended,
            };
            if let Err(error) = ended {
                tracing::warn!(%error, "the other portals are not heard; trying again");
            }
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    async fn listen(&self, listener: &mut PgListener, node: &str, changes: &Changes) -> Result<(), sqlx::Error> {
        loop {
            // `None`: the connection broke and stands again; what was said meanwhile is lost.
            let Some(notice) = listener.try_recv().await? else {
                self.hear(Word::Everything, changes);
                continue;
            };
            match serde_json::from_str::<Letter>(notice.payload()) {
                Ok(letter) if letter.from == node => {}
                Ok(letter) => letter.words.into_iter().for_each(|word| self.hear(word, changes)),
                // A newer portal says what this one does not know.
                Err(_) => self.hear(Word::Everything, changes),
            }
        }
    }

    fn hear(&self, word: Word, changes: &Changes) {
        match &word {
            Word::Conversation { tenant, person, id, how } => {
                changes.hear(Changed::Conversation { tenant: *tenant, person: *person, id: *id, kind: *how });
            }
            Word::Keys => changes.hear(Changed::Keys),
            Word::People => changes.hear(Changed::People),
            Word::Approvals => changes.hear(Changed::Approvals),
            Word::Everything => [Changed::Keys, Changed::People, Changed::Approvals]
                .into_iter()
                .for_each(|changed| changes.hear(changed)),
            Word::Catalog | Word::Stop | Word::Turn { .. } | Word::Failing { .. } => {}
        }
        // Nobody listening is fine.
        let _ = self.news.send(word);
    }

    async fn send(&self, sender: &sqlx::PgPool, channel: &str, node: &str) -> Result<(), sqlx::Error> {
        loop {
            self.more.notified().await;
            tokio::time::sleep(TICK).await;
            let words: Vec<Word> = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
            for letter in letters(node, words) {
                sqlx::query("SELECT pg_notify($1, $2)").bind(channel).bind(letter).execute(sender).await?;
            }
        }
    }
}

impl From<Changed> for Word {
    fn from(changed: Changed) -> Word {
        match changed {
            Changed::Conversation { tenant, person, id, kind } => Word::Conversation { tenant, person, id, how: kind },
            Changed::Keys => Word::Keys,
            Changed::People => Word::People,
            Changed::Catalog => Word::Catalog,
            Changed::Approvals => Word::Approvals,
        }
    }
}

/// Portals of several schemas in one database do not hear each other.
async fn channel(listener: &mut PgListener) -> Result<String, sqlx::Error> {
    let schema: String = sqlx::query_scalar("SELECT COALESCE(current_schema(), 'public')").fetch_one(listener).await?;
    Ok(format!("portico_{schema}"))
}

/// Words in as few payloads as they fit into.
fn letters(node: &str, words: Vec<Word>) -> Vec<String> {
    let written = |words: &[Word]| {
        serde_json::to_string(&Letter { from: node.to_owned(), words: words.to_vec() }).unwrap_or_default()
    };
    let (mut letters, mut next, mut size) = (Vec::new(), Vec::new(), 0);
    for word in words {
        let long = serde_json::to_string(&word).map_or(0, |text| text.len() + 1);
        if size + long + node.len() + 40 > PAYLOAD && !next.is_empty() {
            letters.push(written(&std::mem::take(&mut next)));
            size = 0;
        }
        size += long;
        next.push(word);
    }
    if !next.is_empty() {
        letters.push(written(&next));
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_travel_in_letters_that_postgresql_takes() {
        let clock = std::sync::Arc::new(domain::testing::ManualClock::at(1));
        let ids = domain::Ids::new(clock);
        let words: Vec<Word> = (0..200)
            .map(|_| Word::Conversation {
                tenant: TenantId::FIRST,
                person: PersonId(ids.next()),
                id: ConversationId(ids.next()),
                how: Kind::Updated,
            })
            .collect();
        let sent = letters("0123456789ab", words.clone());
        assert!(sent.len() > 1 && sent.iter().all(|letter| letter.len() < 8_000), "{:?}", sent.iter().map(String::len));
        let read = sent.iter().flat_map(|letter| serde_json::from_str::<Letter>(letter).unwrap().words);
        assert_eq!(read.collect::<Vec<_>>(), words);
        assert!(letters("a", Vec::new()).is_empty());
    }

    #[test]
    fn the_same_word_is_said_once_and_too_many_are_one() {
        let wire = Wire::new(true);
        wire.say(Word::Keys);
        wire.say(Word::Keys);
        assert_eq!(wire.waiting.lock().unwrap().len(), 1);
        for pause_ms in 0..MOST as u64 {
            wire.say(Word::Failing { deployment: "a".into(), pause_ms });
        }
        assert_eq!(wire.waiting.lock().unwrap().front(), Some(&Word::Everything));
        let silent = Wire::new(false);
        silent.say(Word::Keys);
        assert!(silent.waiting.lock().unwrap().is_empty());
    }
}
