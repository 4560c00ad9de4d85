//! Evaluation: the same questions asked of several models (or of one with and without instructions), and each answer held against the
//! expected one. It is work that nobody waits for, by the line of a passing turn; what comes of it is in the store, answer by
//! answer, so that an evaluation that was stopped or interrupted goes on with what is missing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Author, Caller, EvaluationId, Finish, Message, Priority, Sampling, TenantId};
use futures_util::StreamExt;
use store::{Evaluation, EvaluationAnswer, EvaluationQuestion, EvaluationState, NewEvaluation, Unanswered, Variant};
use tokio_util::sync::CancellationToken;

use crate::answer;
use crate::enquiry::{Enquiry, failure};
use crate::similarity::similarity;
use crate::{Chat, Error};

/// The door's name in usage rows and metrics.
const EVALUATION: &str = "evaluation";

/// So many questions are under way at the same time: a server that batches has something to batch, and people still come first.
const AT_ONCE: usize = 2;

/// Evaluations that run here.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<(TenantId, EvaluationId), CancellationToken>>);

impl Running {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(TenantId, EvaluationId), CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chat {
    /// Begins to ask; returns once it is stored what.
    pub async fn evaluate(&self, caller: &Caller, mut new: NewEvaluation) -> Result<EvaluationId, Error> {
        let house = &self.house;
        if house.draining.is_cancelled() {
            return Err(Error::Draining);
        }
        for variant in &mut new.variants {
            let there = house.models.find(&variant.model);
            variant.model = there.ok_or_else(|| Error::NoSuchModel { model: variant.model.clone() })?.id;
        }
        let id = house.store.begin_evaluation(caller, new).await?;
        self.go_on(caller, id);
        Ok(id)
    }

    /// Lets one go on that rests: what is missing is asked, and what failed is asked again.
    pub async fn resume_evaluation(&self, caller: &Caller, id: EvaluationId) -> Result<(), Error> {
        if self.house.draining.is_cancelled() {
            return Err(Error::Draining);
        }
        self.house.store.resume_evaluation(caller, id).await?;
        self.go_on(caller, id);
        Ok(())
    }

    /// Stops one; what it has stays.
    pub async fn cancel_evaluation(&self, caller: &Caller, id: EvaluationId) -> Result<(), Error> {
        let here = self.house.evaluations.lock().get(&(caller.tenant, id)).cloned();
        match here {
            Some(stop) => stop.cancel(),
            None => self.house.store.stop_evaluation(caller, id).await?,
        }
        Ok(())
    }

    fn go_on(&self, caller: &Caller, id: EvaluationId) {
        let stop = CancellationToken::new();
        self.house.evaluations.lock().insert((caller.tenant, id), stop.clone());
        let (chat, caller) = (self.clone(), *caller);
        self.house.tasks.spawn(async move {
            let state = tokio::select! {
                biased;
                () = chat.house.draining.cancelled() => EvaluationState::Interrupted,
                () = stop.cancelled() => EvaluationState::Cancelled,
                asked = chat.ask_all(&caller, id) => match asked {
                    Ok(()) => EvaluationState::Finished,
                    Err(error) => {
                        tracing::warn!(%error, evaluation = %id, "an evaluation could not go on");
                        EvaluationState::Interrupted
                    }
                },
            };
            // Before its end is stored: from then on it may go on again, under the same id.
            chat.house.evaluations.lock().remove(&(caller.tenant, id));
            if let Err(error) = chat.house.store.end_evaluation(&caller, id, state).await {
                tracing::warn!(%error, evaluation = %id, "the end of an evaluation could not be stored");
            }
        });
    }

    /// Asks what nobody has answered, question by question, until all is answered or somebody stopped it elsewhere.
    async fn ask_all(&self, caller: &Caller, id: EvaluationId) -> Result<(), Error> {
        let store = &self.house.store;
        let found = store.evaluation(caller, id).await?;
        let evaluation = &found.ok_or(Error::NotFound { what: "evaluation" })?;
        let open = store.unanswered(caller, id).await?;
        let each = open.into_iter().flat_map(|Unanswered { seq, question, variants }| {
            variants.into_iter().map(move |variant| (seq, question.clone(), variant))
        });
        let asking = each.map(|(seq, question, variant)| async move {
            let answer = self.answer_of(caller, evaluation, seq, question, variant).await;
            store.keep_evaluation_answer(caller, id, answer).await
        });
        let mut asking = futures_util::stream::iter(asking).buffer_unordered(AT_ONCE);
        while let Some(kept) = asking.next().await {
            if !kept? {
                break;
            }
        }
        Ok(())
    }

    /// One question to one variant, and how good its answer is.
    async fn answer_of(
        &self,
        caller: &Caller,
        evaluation: &Evaluation,
        seq: u32,
        question: EvaluationQuestion,
        variant: u32,
    ) -> EvaluationAnswer {
        let house = &self.house;
        let EvaluationQuestion { messages, expected } = question;
        let asked = house.clock.monotonic();
        let heard = match usize::try_from(variant).ok().and_then(|at| evaluation.variants.get(at)) {
            Some(whom) => self.ask_variant(caller, whom, messages, evaluation.max_tokens).await,
            None => Err(Error::NotFound { what: "variant" }),
        };
        let ms = millis(house.clock.monotonic().saturating_sub(asked));
        let (text, ending) = match heard {
            Ok(heard) => heard,
            Err(error) => (String::new(), answer::never_began(Finish::Failed, Some(failure(&error)))),
        };
        let (exact, similar) = match ending.failure {
            None => {
                let (exact, given) = (text.trim() == expected.trim(), text.clone());
                (Some(exact), tokio::task::spawn_blocking(move || similarity(&expected, &given)).await.ok())
            }
            Some(_) => (None, None),
        };
        EvaluationAnswer {
            seq,
            variant,
            text,
            finish: ending.finish,
            failure: ending.failure,
            usage: ending.usage,
            ttft_ms: ending.ttft_ms,
            ms,
            exact,
            similarity: similar,
        }
    }

    async fn ask_variant(
        &self,
        caller: &Caller,
        variant: &Variant,
        messages: Vec<Message>,
        max_tokens: u32,
    ) -> Result<(String, answer::Ending), Error> {
        let (system, history) = told(variant.system_prompt.as_deref(), messages);
        let sampling = Sampling { temperature: Some(0.0), max_tokens: Some(max_tokens), ..Sampling::default() };
        let enquiry = Enquiry {
            door: EVALUATION,
            priority: Priority::Batch,
            model: &variant.model,
            window: self.house.models.find(&variant.model).and_then(|card| card.context),
            system: system.as_deref(),
            history,
            sampling: &sampling,
            scope: Arc::default(),
        };
        self.enquire(caller, enquiry).await
    }
}

/// Instructions and conversation as a variant gets them: its own instructions stand before the question's, in one message, since
/// many templates of models know but one.
fn told(own: Option<&str>, messages: Vec<Message>) -> (Option<String>, Vec<Message>) {
    let (system, history): (Vec<Message>, Vec<Message>) =
        messages.into_iter().partition(|message| message.author == Author::System);
    let all = own.into_iter().chain(system.iter().map(|message| message.text.as_str()));
    let all: Vec<&str> = all.filter(|text| !text.trim().is_empty()).collect();
    ((!all.is_empty()).then(|| all.join("\n\n")), history)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variants_instructions_stand_before_the_questions_own() {
        let question = || Message::new(Author::User, "Where?");
        let under = || vec![Message::new(Author::System, "You are a desk."), question()];
        for (own, messages, system) in [
            (None, vec![question()], None),
            (Some("Be brief."), vec![question()], Some("Be brief.")),
            (None, under(), Some("You are a desk.")),
            (Some("Be brief."), under(), Some("Be brief.\n\nYou are a desk.")),
            (Some("  "), vec![question()], None),
        ] {
            assert_eq!(told(own, messages), (system.map(str::to_owned), vec![question()]), "{own:?}");
        }
    }
}
