//! Replay: the questions of saved conversations asked again of another model, before an alias is led there. Each takes the line
//! of a passing turn, as work that nobody waits for; the old answers stay as they are. A person replays their own conversations
//! and nobody else's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Author, Caller, ConversationId, Finish, Message, MessageId, PersonId, Priority, ReplayId, Sampling};
use futures_util::StreamExt;
use store::{Page, ReplayAnswer, ReplayState, Shelf};
use tokio_util::sync::CancellationToken;

use crate::answer::{self, Ending};
use crate::enquiry::{Enquiry, failure};
use crate::files::Attached;
use crate::similarity::similarity;
use crate::{Chat, Error, context, files};

/// The door's name in usage rows and metrics.
const REPLAY: &str = "replay";

/// What to ask again.
#[derive(Debug, Clone)]
pub struct ReplayAsk {
    /// The alias that may be led elsewhere.
    pub alias: String,
    /// The model to ask.
    pub target: String,
    /// The conversations; empty: the last ones.
    pub conversations: Vec<ConversationId>,
    /// How many of the last ones.
    pub last: u32,
    /// The most questions.
    pub limit: u32,
    /// How many are asked at the same time.
    pub at_once: u32,
}

/// Replays that run here.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<ReplayId, (PersonId, CancellationToken)>>);

impl Running {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ReplayId, (PersonId, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question as it was asked.
struct Saved {
    conversation: ConversationId,
    question: MessageId,
    answer: MessageId,
    answered: String,
    system: Option<String>,
    sampling: Sampling,
    /// Up to the question, as the model read it.
    history: Vec<Message>,
    attached: Attached,
}

impl Chat {
    /// Begins to ask again; returns once it is known what. What comes of it is in the store, answer by answer.
    pub async fn replay(&self, caller: &Caller, ask: ReplayAsk) -> Result<ReplayId, Error> {
        let house = &self.house;
        if house.draining.is_cancelled() {
            return Err(Error::Draining);
        }
        let card = house.models.find(&ask.target).ok_or_else(|| Error::NoSuchModel { model: ask.target.clone() })?;
        let saved = self.saved_questions(caller, &ask).await?;
        let id = ReplayId(house.ids.next());
        let total = u32::try_from(saved.len()).unwrap_or(u32::MAX);
        house.store.begin_replay(caller, id, &ask.alias, &card.id, total).await?;
        let stop = CancellationToken::new();
        house.replays.lock().insert(id, (caller.person, stop.clone()));
        let (chat, caller) = (self.clone(), *caller);
        let at_once = usize::try_from(ask.at_once.clamp(1, 8)).unwrap_or(1);
        house.tasks.spawn(async move {
            let state = tokio::select! {
                biased;
                () = chat.house.draining.cancelled() => ReplayState::Interrupted,
                () = stop.cancelled() => ReplayState::Cancelled,
                () = chat.ask_again(&caller, id, &card.id, card.context, saved, at_once) => ReplayState::Finished,
            };
            chat.house.replays.lock().remove(&id);
            if let Err(error) = chat.house.store.end_replay(&caller, id, state).await {
                tracing::warn!(%error, "the end of a replay could not be stored");
            }
        });
        Ok(id)
    }

    /// Stops a replay of the caller; what it has compared stays. `false` where it does not run here.
    pub fn cancel_replay(&self, caller: &Caller, id: ReplayId) -> bool {
        let running = self.house.replays.lock();
        let found = running.get(&id).filter(|(person, _)| *person == caller.person);
        found.inspect(|(_, stop)| stop.cancel()).is_some()
    }

    /// The answered questions on the branch that was last looked at, conversation by conversation.
    async fn saved_questions(&self, caller: &Caller, ask: &ReplayAsk) -> Result<Vec<Saved>, Error> {
        let store = &self.house.store;
        let mut conversations = Vec::new();
        for id in &ask.conversations {
            let found = store.conversation(caller, *id).await?;
            conversations.push(found.ok_or(Error::NotFound { what: "conversation" })?);
        }
        if conversations.is_empty() {
            let page = Page { shelf: Shelf::Open, before: None, limit: ask.last };
            conversations = store.conversations(caller, page).await?.0;
        }
        let most = usize::try_from(ask.limit).unwrap_or(usize::MAX);
        let mut saved = Vec::new();
        for conversation in conversations {
            let Some(head) = conversation.head else { continue };
            let path = store.path(caller, head).await?;
            let persona = self.house.persona(caller, Some(&conversation), None, 0).await?;
            let own = conversation.system_prompt.clone().filter(|text| !text.trim().is_empty());
            let (system, sampling) = match &persona {
                Some(persona) => {
                    (persona.system_prompt(own.as_deref()), persona.sampling(conversation.sampling.clone()))
                }
                None => (own, conversation.sampling.clone()),
            };
            for (place, pair) in path.windows(2).enumerate() {
                let [question, answer] = pair else { continue };
                let answered = matches!(answer.finish, Some(Finish::Stop | Finish::Length)) && !answer.text.is_empty();
                if question.author != Author::User || answer.author != Author::Assistant || !answered {
                    continue;
                }
                let (history, attached) = files::branch(path[..=place].iter().cloned());
                saved.push(Saved {
                    conversation: conversation.id,
                    question: question.id,
                    answer: answer.id,
                    answered: answer.text.clone(),
                    system: system.clone(),
                    sampling: sampling.clone(),
                    history,
                    attached,
                });
            }
        }
        saved.truncate(most);
        if saved.is_empty() {
            return Err(Error::NotFound { what: "conversation with an answered question" });
        }
        Ok(saved)
    }

    async fn ask_again(
        &self,
        caller: &Caller,
        id: ReplayId,
        target: &str,
        window: Option<u32>,
        saved: Vec<Saved>,
        at_once: usize,
    ) {
        let asking = saved.into_iter().enumerate().map(|(number, saved)| async move {
            let seq = u32::try_from(number).unwrap_or(u32::MAX);
            let compared = self.compare(caller, target, window, seq, saved).await;
            if let Err(error) = self.house.store.keep_replay_answer(caller, id, compared).await {
                tracing::warn!(%error, "an answer of a replay could not be stored");
            }
        });
        futures_util::stream::iter(asking).buffer_unordered(at_once).collect::<Vec<()>>().await;
    }

    /// One question, asked again.
    async fn compare(
        &self,
        caller: &Caller,
        target: &str,
        window: Option<u32>,
        seq: u32,
        saved: Saved,
    ) -> ReplayAnswer {
        let (text, ending) = match self.answer_anew(caller, target, window, &saved).await {
            Ok(answered) => answered,
            Err(error) => (String::new(), answer::never_began(Finish::Failed, Some(failure(&error)))),
        };
        let similarity = match ending.failure {
            None => {
                let (old, new) = (saved.answered, text.clone());
                tokio::task::spawn_blocking(move || similarity(&old, &new)).await.ok()
            }
            Some(_) => None,
        };
        ReplayAnswer {
            seq,
            conversation: saved.conversation,
            question: saved.question,
            answer: saved.answer,
            text,
            finish: ending.finish,
            failure: ending.failure,
            usage: ending.usage,
            ttft_ms: ending.ttft_ms,
            tpot_us: ending.tpot_us,
            similarity,
        }
    }

    async fn answer_anew(
        &self,
        caller: &Caller,
        target: &str,
        window: Option<u32>,
        saved: &Saved,
    ) -> Result<(String, Ending), Error> {
        let budget = context::prompt_budget(window, saved.sampling.max_tokens);
        let card = self.house.card(Some(target))?;
        let question = saved.history.len().saturating_sub(1);
        let (material, _) = self.house.material(None, caller, &card, &saved.attached, question).await;
        let (history, _) = files::weave(&saved.history, &material, &[], budget);
        let enquiry = Enquiry {
            door: REPLAY,
            priority: Priority::Batch,
            model: target,
            window,
            system: saved.system.as_deref(),
            history,
            sampling: &saved.sampling,
            scope: Arc::default(),
        };
        self.enquire(caller, enquiry).await
    }
}
