//! The assistant that a question is asked with: the version in force, what it tells the model, and what the conversation itself
//! says beside it.

use assistants::{Occasion, Unit};
use domain::{AssistantId, Caller, Sampling};
use store::Conversation;

use crate::{Error, House};

/// An assistant, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Persona {
    pub(crate) id: AssistantId,
    pub(crate) version: i64,
    pub(crate) model: Option<String>,
    instructions: String,
    sampling: Sampling,
}

impl Persona {
    /// The assistant's instructions, and below them the conversation's own.
    pub(crate) fn system_prompt(&self, own: Option<&str>) -> Option<String> {
        let parts =
            [Some(self.instructions.as_str()), own].into_iter().flatten().filter(|text| !text.trim().is_empty());
        Some(parts.collect::<Vec<_>>().join("\n\n")).filter(|text| !text.is_empty())
    }

    /// What the conversation sets, and for the rest what the assistant sets.
    pub(crate) fn sampling(&self, own: Sampling) -> Sampling {
        let base = self.sampling.clone();
        Sampling {
            temperature: own.temperature.or(base.temperature),
            top_p: own.top_p.or(base.top_p),
            top_k: own.top_k.or(base.top_k),
            min_p: own.min_p.or(base.min_p),
            frequency_penalty: own.frequency_penalty.or(base.frequency_penalty),
            presence_penalty: own.presence_penalty.or(base.presence_penalty),
            seed: own.seed.or(base.seed),
            max_tokens: own.max_tokens.or(base.max_tokens),
            stop: if own.stop.is_empty() { base.stop } else { own.stop },
        }
    }
}

impl House {
    /// The assistant of a conversation, or the one that a new conversation is to be had with. `utc_offset`: minutes by which the
    /// person's clock is ahead of UTC.
    pub(crate) async fn persona(
        &self,
        caller: &Caller,
        conversation: Option<&Conversation>,
        wanted: Option<AssistantId>,
        utc_offset: i32,
    ) -> Result<Option<Persona>, Error> {
        let in_force = match (conversation, wanted) {
            (Some(conversation), _) if conversation.assistant.is_some() => {
                self.store.assistant_of(caller, conversation.id).await?
            }
            (None, Some(id)) => {
                let found = self.store.assistant_in_force(caller, id).await?;
                Some(found.ok_or(Error::NotFound { what: "assistant" })?)
            }
            _ => None,
        };
        let Some(in_force) = in_force else { return Ok(None) };
        let unit: Unit = serde_json::from_str(&in_force.unit).map_err(|error| {
            let what = format!("version {} of assistant {} cannot be read: {error}", in_force.version, in_force.id);
            store::Error::Corrupt { what }
        })?;
        let person = self.store.person(caller.tenant, caller.person).await?;
        let (name, language) = person.map(|person| (person.display_name, person.language)).unwrap_or_default();
        let occasion = Occasion { at: self.clock.now(), utc_offset, name: &name, language: language.as_deref() };
        let instructions = unit.instructions(&occasion);
        let Unit { model, sampling, .. } = unit;
        Ok(Some(Persona { id: in_force.id, version: in_force.version, model, instructions, sampling }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persona(instructions: &str) -> Persona {
        let sampling = Sampling { temperature: Some(0.2), max_tokens: Some(500), ..Sampling::default() };
        let id = AssistantId(domain::TenantId::FIRST.0);
        Persona { id, version: 1, model: None, instructions: instructions.into(), sampling }
    }

    #[test]
    fn the_assistants_words_come_first() {
        let check = |instructions, own, wanted: Option<&str>| {
            assert_eq!(persona(instructions).system_prompt(own).as_deref(), wanted);
        };
        check("Be a clerk.", Some("Be brief."), Some("Be a clerk.\n\nBe brief."));
        check("Be a clerk.", Some("  "), Some("Be a clerk."));
        check(" ", Some("Be brief."), Some("Be brief."));
        check("", None, None);
    }

    #[test]
    fn the_conversations_own_sampling_wins_field_by_field() {
        let own = Sampling { temperature: Some(1.0), seed: Some(7), ..Sampling::default() };
        let wanted = Sampling { max_tokens: Some(500), ..own.clone() };
        assert_eq!(persona("").sampling(own), wanted);
    }
}
