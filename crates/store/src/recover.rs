//! After a crash: every turn that this node had started and not settled gets its end, with what had arrived.

use domain::{Author, Caller, ConversationId, Failure, Finish, MessageId, Role, Timestamp, Tokens, TurnId, Usage, Via};
use sqlx::any::AnyRow;

use crate::conversations::tree::deltas_of;
use crate::rows::{Columns, via_parse};
use crate::{Error, FinalAnswer, Record, Settled, Store};

/// What recovery found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Turns that had been interrupted and are settled now.
    pub turns: u64,
}

struct Open {
    turn: TurnId,
    caller: Caller,
    conversation: Option<ConversationId>,
    answer: Option<MessageId>,
    model: String,
    door: String,
    at: Timestamp,
}

impl Store {
    /// Settles every open turn of `node`, once, before the first new turn: an answer ends as interrupted with the text that
    /// had arrived, and its usage is counted from that text. A passing turn's text was never stored, so that its usage is
    /// counted as nothing written.
    pub async fn recover(&self, node: &str) -> Result<Recovered, Error> {
        let rows = sqlx::query("SELECT * FROM started WHERE node = $1 ORDER BY turn")
            .bind(node)
            .fetch_all(&self.inner.database.read)
            .await?;
        let mut receipts = Vec::with_capacity(rows.len());
        for row in &rows {
            let settled = self.interrupted(open(row)?).await?;
            receipts.push(self.writer().submit(Record::Settled(Box::new(settled))).await);
        }
        let turns = receipts.len() as u64;
        for receipt in receipts {
            receipt.await?;
        }
        self.sweep(node).await?;
        Ok(Recovered { turns })
    }

    async fn interrupted(&self, open: Open) -> Result<Settled, Error> {
        let mut tx = self.inner.database.read_tx().await?;
        let (text, thought) = deltas_of(&mut tx, open.turn).await?;
        tx.commit().await?;
        let prompt = match open.answer {
            Some(answer) => self.prompt_of(&open.caller, answer).await?,
            None => Tokens(0),
        };
        let reasoning = Tokens::estimate(&thought);
        let completion = Tokens::estimate(&text) + reasoning;
        let usage = Usage { prompt, completion, reasoning, ..Usage::default() };
        let answer = open.answer.map(|id| FinalAnswer { id, text, thought, trimmed: None, provenance: None });
        Ok(Settled {
            turn: open.turn,
            caller: open.caller,
            conversation: open.conversation,
            model: open.model,
            provider: String::new(),
            door: door(&open.door),
            usage,
            finish: Finish::Interrupted,
            failure: Some(Failure {
                code: "interrupted".into(),
                message: "Portico went down while this answer was being written; ask again for the rest".into(),
            }),
            started_at: open.at,
            finished_at: self.now(),
            ttft_ms: None,
            tpot_us: None,
            answer,
        })
    }

    /// What the model had been shown: the path to the answer, and the system prompt. Nothing where no answer had begun is
    /// not assumed: the prompt had been read.
    async fn prompt_of(&self, caller: &Caller, answer: MessageId) -> Result<Tokens, Error> {
        let path = self.path(caller, answer).await?;
        let Some(last) = path.last() else { return Ok(Tokens(0)) };
        let system = self.conversation(caller, last.conversation).await?.and_then(|found| found.system_prompt);
        let shown = path.iter().filter(|message| message.id != answer && message.author != Author::Tool);
        let words: Tokens = shown.map(|message| Tokens::estimate(&message.text)).sum();
        Ok(words + Tokens::estimate(system.as_deref().unwrap_or_default()))
    }

    /// Deltas that came after their turn had been settled, and open rows of turns that have their usage row.
    async fn sweep(&self, node: &str) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query("DELETE FROM started WHERE node = $1 AND turn IN (SELECT turn FROM usage)")
            .bind(node)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM deltas WHERE turn IN (SELECT turn FROM usage)").execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn open(row: &AnyRow) -> Result<Open, Error> {
    // The role is not on the row, and settling asks for none.
    let caller = Caller {
        tenant: row.id("tenant")?,
        person: row.id("person")?,
        role: Role::Member,
        via: via_parse(&row.text("via")?).unwrap_or(Via::House),
    };
    Ok(Open {
        turn: row.id("turn")?,
        caller,
        conversation: row.maybe_id("conversation")?,
        answer: row.maybe_id("answer")?,
        model: row.text("model")?,
        door: row.text("door")?,
        at: row.at("at")?,
    })
}

/// The doors are few, and known words.
fn door(word: &str) -> &'static str {
    match word {
        "portal" => "portal",
        "widget" => "widget",
        "replay" => "replay",
        "batch" => "batch",
        _ => "openai",
    }
}
