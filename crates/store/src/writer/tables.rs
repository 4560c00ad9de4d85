//! The statements of a commit, a function per table or per kind of record. What belongs into one commit is `batch.rs`'s.

use std::collections::BTreeMap;

use domain::{Author, KeyId, PersonId, TenantId, Timestamp, TurnId, Via};
use serde::Serialize;
use sqlx::AnyConnection;

use super::record::{Asked, Delta, Settled};
use super::sorted::Sorted;
use crate::audit::{Chain, Entry};
use crate::database::Engine;
use crate::insert::{Statement, Values};
use crate::rows::{clean, json, via_text};
use crate::search::{self, Text};
use crate::usage::Day;
use crate::{Error, Order};

static STARTED: Statement = Statement::new(
    "INSERT INTO started (turn, tenant, person, via, node, conversation, answer, model, door, at) VALUES ",
    10,
    "",
);
static CONVERSATIONS: Statement = Statement::new(
    "INSERT INTO conversations (id, tenant, person, title, titled_by, model, system_prompt, sampling, pinned, archived, \
     created_at, updated_at, head, assistant, assistant_version) VALUES ",
    15,
    "",
);
static MESSAGES: Statement = Statement::new(
    "INSERT INTO messages (id, tenant, person, conversation, parent, author, text, thought, at, model, turn, files) VALUES ",
    12,
    "",
);
static TURNS: Statement = Statement::new(
    "INSERT INTO turns (turn, tenant, person, conversation, question, answer, ask_id, model, started_at) VALUES ",
    9,
    "",
);
static DELTAS: Statement =
    Statement::new("INSERT INTO deltas (turn, seq, text, thought) VALUES ", 4, " ON CONFLICT DO NOTHING");
pub(super) static USAGE: Statement = Statement::new(
    "INSERT INTO usage (turn, tenant, person, via, conversation, model, provider, door, finish, failure, prompt, completion, \
     cached, reasoning, reported, started_at, finished_at, ttft_ms, tpot_us) VALUES ",
    19,
    " ON CONFLICT DO NOTHING",
);
pub(super) static USAGE_DAY: Statement = Statement::new(
    "INSERT INTO usage_day (tenant, person, day, tokens, turns) VALUES ",
    5,
    " ON CONFLICT (tenant, person, day) DO UPDATE SET tokens = usage_day.tokens + excluded.tokens, \
     turns = usage_day.turns + excluded.turns",
);
pub(super) static USAGE_KEY_DAY: Statement = Statement::new(
    "INSERT INTO usage_key_day (tenant, key, day, prompt, completion, turns) VALUES ",
    6,
    " ON CONFLICT (tenant, key, day) DO UPDATE SET prompt = usage_key_day.prompt + excluded.prompt, \
     completion = usage_key_day.completion + excluded.completion, turns = usage_key_day.turns + excluded.turns",
);
pub(super) static AUDIT: Statement = Statement::new(
    "INSERT INTO audit (node, seq, at, tenant, person, via, verb, subject, detail, hash) VALUES ",
    10,
    "",
);
static STARTED_GONE: Statement = Statement::new("DELETE FROM started WHERE turn IN (VALUES ", 1, ")");
static DELTAS_GONE: Statement = Statement::new("DELETE FROM deltas WHERE turn IN (VALUES ", 1, ")");

/// The usage rows; how many were new.
pub(super) async fn usage(connection: &mut AnyConnection, settled: &[&Settled]) -> Result<u64, Error> {
    USAGE.run(connection, settled, usage_row).await
}

pub(super) fn usage_row(values: &mut Values, settled: &&Settled) {
    let usage = &settled.usage;
    values
        .id(settled.turn.0)
        .id(settled.caller.tenant.0)
        .id(settled.caller.person.0)
        .word(&via_text(settled.caller.via))
        .maybe_text(settled.conversation.map(|id| id.to_string()))
        .word(&settled.model)
        .word(&settled.provider)
        .word(settled.door)
        .word(settled.finish.as_str())
        .maybe_text(settled.failure.as_ref().map(|failure| failure.code.as_ref()))
        .int(usage.prompt.0)
        .int(usage.completion.0)
        .int(usage.cached.0)
        .int(usage.reasoning.0)
        .int(usage.reported)
        .at(settled.started_at)
        .at(settled.finished_at)
        .maybe_int(settled.ttft_ms)
        .maybe_int(settled.tpot_us);
}

/// The rows by which recovery finds turns that never ended.
pub(super) async fn started(connection: &mut AnyConnection, node: &str, sorted: &Sorted<'_>) -> Result<(), Error> {
    STARTED
        .run(connection, &sorted.started, |values, started| {
            values
                .text(started.turn.to_string())
                .text(started.caller.tenant.to_string())
                .text(started.caller.person.to_string())
                .text(via_text(started.caller.via))
                .text(node)
                .maybe_text(None::<String>)
                .maybe_text(None::<String>)
                .text(started.model.as_str())
                .text(started.door)
                .at(started.at);
        })
        .await?;
    STARTED
        .run(connection, &sorted.asked, |values, asked| {
            values
                .text(asked.turn.to_string())
                .text(asked.caller.tenant.to_string())
                .text(asked.caller.person.to_string())
                .text(via_text(asked.caller.via))
                .text(node)
                .maybe_text(Some(asked.conversation.to_string()))
                .maybe_text(Some(asked.answer.id.to_string()))
                .text(asked.model.as_str())
                .text("portal")
                .at(asked.at);
        })
        .await?;
    Ok(())
}

/// Conversations, questions, places of answers, turns.
pub(super) async fn asked(
    connection: &mut AnyConnection,
    engine: Engine,
    asked: &[&Asked],
    order: &Order,
) -> Result<(), Error> {
    let mut new = Vec::new();
    for &asked in asked {
        let updated_at = order.after(asked.at);
        match &asked.new {
            Some(conversation) => new.push((asked, conversation, updated_at, json(&conversation.sampling)?)),
            None => go_on(connection, asked, updated_at).await?,
        }
    }
    CONVERSATIONS
        .run(connection, &new, |values, (asked, conversation, updated_at, sampling)| {
            values
                .text(asked.conversation.to_string())
                .text(asked.caller.tenant.to_string())
                .text(asked.caller.person.to_string())
                .text(conversation.title.as_str())
                .text(conversation.titled_by.as_str())
                .maybe_text(conversation.model.as_deref())
                .maybe_text(conversation.system_prompt.as_deref())
                .text(sampling.as_str())
                .int(false)
                .int(false)
                .at(asked.at)
                .at(*updated_at)
                .maybe_text(Some(asked.answer.id.to_string()))
                .maybe_text(conversation.assistant.map(|(id, _)| id.to_string()))
                .maybe_int(conversation.assistant.map(|(_, version)| version));
        })
        .await?;
    messages(connection, asked).await?;
    TURNS
        .run(connection, asked, |values, asked| {
            values
                .text(asked.turn.to_string())
                .text(asked.caller.tenant.to_string())
                .text(asked.caller.person.to_string())
                .text(asked.conversation.to_string())
                .text(asked.answer.parent.to_string())
                .text(asked.answer.id.to_string())
                .text(asked.ask_id.as_str())
                .text(asked.model.as_str())
                .at(asked.at);
        })
        .await
        .map_err(|error| error.or_taken("ask_id"))?;
    index_asked(connection, engine, asked).await
}

/// A question in a conversation that exists, which has to be the caller's.
async fn go_on(connection: &mut AnyConnection, asked: &Asked, updated_at: Timestamp) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE conversations SET head = $1, updated_at = $2, assistant_version = COALESCE($6, assistant_version) \
         WHERE id = $3 AND tenant = $4 AND person = $5 AND deleted_at IS NULL",
    )
    .bind(asked.answer.id.to_string())
    .bind(updated_at.0)
    .bind(asked.conversation.to_string())
    .bind(asked.caller.tenant.to_string())
    .bind(asked.caller.person.to_string())
    .bind(asked.assistant_version)
    .execute(connection)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound { what: "conversation" });
    }
    Ok(())
}

async fn messages(connection: &mut AnyConnection, asked: &[&Asked]) -> Result<(), Error> {
    let mut asking = Vec::new();
    for asked in asked {
        let Some(question) = &asked.question else { continue };
        let files = (!question.files.is_empty()).then(|| json(&question.files)).transpose()?;
        asking.push((*asked, question, files));
    }
    MESSAGES
        .run(connection, &asking, |values, (asked, question, files)| {
            values
                .text(question.id.to_string())
                .text(asked.caller.tenant.to_string())
                .text(asked.caller.person.to_string())
                .text(asked.conversation.to_string())
                .maybe_text(question.parent.map(|id| id.to_string()))
                .text(Author::User.as_str())
                .text(question.text.as_str())
                .text("")
                .at(asked.at)
                .maybe_text(None::<String>)
                .maybe_text(None::<String>)
                .maybe_text(files.as_deref());
        })
        .await?;
    MESSAGES
        .run(connection, asked, |values, asked| {
            values
                .text(asked.answer.id.to_string())
                .text(asked.caller.tenant.to_string())
                .text(asked.caller.person.to_string())
                .text(asked.conversation.to_string())
                .maybe_text(Some(asked.answer.parent.to_string()))
                .text(Author::Assistant.as_str())
                .text("")
                .text("")
                .at(asked.at)
                .maybe_text(Some(asked.model.as_str()))
                .maybe_text(Some(asked.turn.to_string()))
                .maybe_text(None::<String>);
        })
        .await?;
    Ok(())
}

async fn index_asked(connection: &mut AnyConnection, engine: Engine, asked: &[&Asked]) -> Result<(), Error> {
    let mut texts = Vec::new();
    for asked in asked {
        if let Some(new) = &asked.new {
            texts.push(Text::new(&asked.caller, asked.conversation, None, &new.title));
        }
        if let Some(question) = &asked.question {
            texts.push(Text::new(&asked.caller, asked.conversation, Some(question.id), &question.text));
        }
    }
    search::index(connection, engine, &texts).await
}

pub(super) async fn deltas(connection: &mut AnyConnection, deltas: &[&Delta]) -> Result<(), Error> {
    DELTAS
        .run(connection, deltas, |values, delta| {
            values
                .text(delta.turn.to_string())
                .int(i64::try_from(delta.seq).unwrap_or(i64::MAX))
                .text(delta.text.as_str())
                .text(delta.thought.as_str());
        })
        .await?;
    Ok(())
}

/// Final answers take their places.
pub(super) async fn answers(connection: &mut AnyConnection, engine: Engine, settled: &[&Settled]) -> Result<(), Error> {
    let mut texts = Vec::new();
    for settled in settled {
        let (Some(answer), Some(conversation)) = (&settled.answer, settled.conversation) else { continue };
        sqlx::query(
            "UPDATE messages SET text = $1, thought = $2, model = $3, finish = $4, failure_code = $5, \
             failure_message = $6, usage = $7, ttft_ms = $8, tpot_us = $9, trimmed_messages = $10, trimmed_tokens = $11, \
             provenance = $12 WHERE id = $13 AND tenant = $14 AND person = $15",
        )
        .bind(clean(answer.text.clone()))
        .bind(clean(answer.thought.clone()))
        .bind(clean(settled.model.clone()))
        .bind(settled.finish.as_str())
        .bind(settled.failure.as_ref().map(|failure| clean(failure.code.clone().into_owned())))
        .bind(settled.failure.as_ref().map(|failure| clean(failure.message.clone())))
        .bind(json(&settled.usage)?)
        .bind(settled.ttft_ms.map(i64::from))
        .bind(settled.tpot_us.map(i64::from))
        .bind(answer.trimmed.map(|(messages, _)| i64::from(messages)))
        .bind(answer.trimmed.map(|(_, tokens)| i64::from(tokens)))
        .bind(answer.provenance.as_ref().map(json).transpose()?)
        .bind(answer.id.to_string())
        .bind(settled.caller.tenant.to_string())
        .bind(settled.caller.person.to_string())
        .execute(&mut *connection)
        .await?;
        texts.push(Text::new(&settled.caller, conversation, Some(answer.id), &answer.text));
    }
    search::index(connection, engine, &texts).await
}

/// Turns that have ended are not open, and their deltas are in the answer.
pub(super) async fn closed(connection: &mut AnyConnection, sorted: &Sorted<'_>) -> Result<(), Error> {
    let kept: Vec<_> =
        sorted.settled.iter().filter(|settled| settled.conversation.is_some()).map(|settled| settled.turn).collect();
    STARTED_GONE.run(connection, &sorted.open, turn_alone).await?;
    DELTAS_GONE.run(connection, &kept, turn_alone).await?;
    Ok(())
}

/// What a person (or, below, a key) used in a day.
pub(super) type OfDay<Of, Used> = ((TenantId, Of, Day), Used);

pub(super) async fn usage_of_day(connection: &mut AnyConnection, settled: &[&Settled]) -> Result<(), Error> {
    USAGE_DAY.run(connection, &days(settled), day_row).await?;
    Ok(())
}

/// The counters of each person's day, in the order of their keys: two nodes never wait for each other in a circle.
pub(super) fn days(settled: &[&Settled]) -> Vec<OfDay<PersonId, (i64, i64)>> {
    let mut days: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for settled in settled {
        let key = (settled.caller.tenant, settled.caller.person, Day::of(settled.finished_at));
        let (tokens, turns) = days.entry(key).or_default();
        *tokens += i64::from(settled.usage.total().0);
        *turns += 1;
    }
    days.into_iter().collect()
}

pub(super) fn day_row(values: &mut Values, ((tenant, person, day), (tokens, turns)): &OfDay<PersonId, (i64, i64)>) {
    values.id(tenant.0).id(person.0).int(day.0).int(*tokens).int(*turns);
}

pub(super) async fn usage_of_key_day(connection: &mut AnyConnection, settled: &[&Settled]) -> Result<(), Error> {
    USAGE_KEY_DAY.run(connection, &key_days(settled), key_day_row).await?;
    Ok(())
}

/// The counters of each key's day, in the same order for the same reason.
pub(super) fn key_days(settled: &[&Settled]) -> Vec<OfDay<KeyId, (i64, i64, i64)>> {
    let mut days: BTreeMap<_, (i64, i64, i64)> = BTreeMap::new();
    for settled in settled {
        let Via::Key(key) = settled.caller.via else { continue };
        let of_day = days.entry((settled.caller.tenant, key, Day::of(settled.finished_at))).or_default();
        of_day.0 += i64::from(settled.usage.prompt.0);
        of_day.1 += i64::from(settled.usage.completion.0);
        of_day.2 += 1;
    }
    days.into_iter().collect()
}

pub(super) fn key_day_row(
    values: &mut Values,
    ((tenant, key, day), (prompt, completion, turns)): &OfDay<KeyId, (i64, i64, i64)>,
) {
    values.id(tenant.0).id(key.0).int(day.0).int(*prompt).int(*completion).int(*turns);
}

pub(super) async fn touched(connection: &mut AnyConnection, sorted: &Sorted<'_>) -> Result<(), Error> {
    let sessions = sorted.sessions.iter().map(|(id, at)| (id.to_string(), *at));
    touch(connection, "UPDATE sessions SET seen_at = $1 WHERE id = $2", sessions).await?;
    let keys = sorted.keys.iter().map(|(id, at)| (id.to_string(), *at));
    touch(connection, "UPDATE keys SET last_used_at = $1 WHERE id = $2", keys).await?;
    let people = sorted.people.iter().map(|(id, at)| (id.to_string(), *at));
    touch(connection, "UPDATE persons SET last_seen_at = $1 WHERE id = $2", people).await
}

/// In the order of the ids, for the same reason as the counters.
async fn touch(
    connection: &mut AnyConnection,
    update: &'static str,
    seen: impl Iterator<Item = (String, Timestamp)>,
) -> Result<(), Error> {
    let seen: BTreeMap<_, _> = seen.collect();
    for (id, at) in seen {
        sqlx::query(update).bind(at.0).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// What the audit log says about the end of a turn. Never text.
#[derive(Serialize)]
struct TurnFinished<'a> {
    model: &'a str,
    door: &'a str,
    finish: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
}

pub(super) async fn audit(connection: &mut AnyConnection, sorted: &Sorted<'_>, chain: &mut Chain) -> Result<(), Error> {
    AUDIT.run(connection, &entries(sorted, chain)?, entry_row).await?;
    Ok(())
}

/// The lines of this commit, chained to the one before them.
pub(super) fn entries(sorted: &Sorted<'_>, chain: &mut Chain) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::with_capacity(sorted.settled.len() + sorted.acts.len());
    for act in &sorted.acts {
        let detail = json(&act.detail)?;
        entries.push(chain.append(act.at, act.caller.as_ref(), act.verb, clean(act.subject.clone()), detail));
    }
    for settled in &sorted.settled {
        let detail = json(&TurnFinished {
            model: &settled.model,
            door: settled.door,
            finish: settled.finish.as_str(),
            failure: settled.failure.as_ref().map(|failure| failure.code.as_ref()),
        })?;
        let caller = Some(&settled.caller);
        entries.push(chain.append(settled.finished_at, caller, "turn.finished", settled.turn.to_string(), detail));
    }
    Ok(entries)
}

pub(super) fn entry_row(values: &mut Values, entry: &Entry) {
    values.word(&entry.node).int(entry.seq).at(entry.at);
    match (entry.tenant, entry.person, entry.via) {
        (Some(tenant), Some(person), Some(via)) => values.id(tenant.0).id(person.0).word(&via_text(via)),
        (tenant, person, via) => values
            .maybe_text(tenant.map(|id| id.to_string()))
            .maybe_text(person.map(|id| id.to_string()))
            .maybe_text(via.map(via_text)),
    };
    values.word(&entry.verb).word(&entry.subject).word(&entry.detail).word(&entry.hash);
}

fn turn_alone(values: &mut Values, turn: &TurnId) {
    values.text(turn.to_string());
}
