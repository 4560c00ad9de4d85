//! One question to an assistant that may not be published yet: answered in one piece, kept nowhere but in the usage.

use std::sync::Arc;

use assistants::{Occasion, Unit};
use domain::{Author, Batch, Caller, ClientBody, KeyScope, Message, Priority, Task, Tokens, TurnEvent};

use crate::answer::Ending;
use crate::replay::{Body, said};
use crate::turn::Request;
use crate::{Chat, Error, context};

/// The door's name in usage rows and metrics.
const TRYOUT: &str = "tryout";

/// Whom to ask what.
#[derive(Debug, Clone)]
pub struct TryOut {
    /// The assistant, as a draft or a version says it.
    pub unit: Unit,
    /// What is asked.
    pub question: String,
    /// Absent: the assistant's own model, or the first that is offered.
    pub model: Option<String>,
    /// Minutes by which the person's clock is ahead of UTC.
    pub utc_offset: i32,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct TriedOut {
    /// As far as it came.
    pub text: String,
    /// Who was asked.
    pub model: String,
    /// How it ended.
    pub ending: Ending,
}

impl Chat {
    /// Asks, and waits for the whole answer. Dropping this tells the model at once that nobody listens.
    pub async fn try_out(&self, caller: &Caller, ask: TryOut) -> Result<TriedOut, Error> {
        let house = &self.house;
        if ask.question.trim().is_empty() {
            return Err(Error::Empty);
        }
        let card = match (&ask.model, &ask.unit.model) {
            (Some(model), _) => house.card(Some(model))?,
            // As in a conversation: where the assistant's model has gone, the one there is answers.
            (None, Some(model)) => house.card(Some(model)).or_else(|_| house.card(None))?,
            (None, None) => house.card(None)?,
        };
        let person = house.store.person(caller.tenant, caller.person).await?;
        let (name, language) = person.map(|person| (person.display_name, person.language)).unwrap_or_default();
        let (at, utc_offset) = (house.clock.now(), ask.utc_offset);
        let instructions =
            ask.unit.instructions(&Occasion { at, utc_offset, name: &name, language: language.as_deref() });
        let sampling = &ask.unit.sampling;
        let budget = context::prompt_budget(card.context, sampling.max_tokens);
        let question = vec![Message::new(Author::User, ask.question)];
        let context = context::assemble(Some(instructions.as_str()), question, budget);
        let body = Body { model: &card.id, stream: true, messages: said(&context.messages), sampling };
        let request = Request {
            model: card.id.clone(),
            door: TRYOUT,
            task: Task::Chat,
            priority: Priority::Interactive,
            stream: true,
            body: ClientBody::json(body.bytes(), false),
            prompt_tokens: context.tokens,
            max_tokens: sampling.max_tokens.map(Tokens),
            scope: Arc::new(KeyScope::default()),
        };
        let mut passing = self.pass(caller, request).await?;
        let mut text = String::new();
        while let Some(Batch { events, .. }) = passing.next().await {
            for event in events {
                if let TurnEvent::Delta { text: piece } = event {
                    text.push_str(&piece);
                }
            }
        }
        Ok(TriedOut { text, model: card.id, ending: passing.settle().await })
    }
}
