//! One question to an assistant, which may not be published yet: answered in one piece, kept nowhere but in the usage.

use std::sync::Arc;

use assistants::{Occasion, Unit};
use domain::{Author, Caller, KeyScope, Message, Priority};

use crate::answer::Ending;
use crate::enquiry::Enquiry;
use crate::{Chat, Error};

/// The name of the portal's own try-outs among the doors.
pub const TRYOUT: &str = "tryout";

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
    /// The door's name in usage rows and metrics.
    pub door: &'static str,
    /// What the key may do that it is asked by; all that its person may, where it is asked in the portal.
    pub scope: Arc<KeyScope>,
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
        let enquiry = Enquiry {
            door: ask.door,
            priority: Priority::Interactive,
            model: &card.id,
            window: card.context,
            system: Some(instructions.as_str()),
            history: vec![Message::new(Author::User, ask.question)],
            sampling: &ask.unit.sampling,
            scope: ask.scope,
        };
        let (text, ending) = self.enquire(caller, enquiry).await?;
        Ok(TriedOut { text, model: card.id, ending })
    }
}
