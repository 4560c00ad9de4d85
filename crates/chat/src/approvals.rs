//! Turns that wait until somebody agrees to a call. Such a turn ends: what is needed to go on is in the store, and the word of whoever may
//! agree begins another turn that takes its place. So nothing is lost by a restart, and it does not matter which portal hears the word.
//! Which calls have to wait is the gateway's (`tools::ApprovalRule`).

use std::sync::Arc;

use domain::{
    Act, ApprovalId, Caller, Failure, Role, Sampling, Timestamp, ToolCall, ToolRound, ToolStep, TurnEvent, Via,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Approval, ApprovalState, Record, WaitingTurn};
use tools::{Answered, Approver, Wanted};

use crate::live::LiveTurn;
use crate::rounds::Heard;
use crate::turn::{Ask, Question, Work};
use crate::{Chat, Error, House};

/// The word by which a step says that its call waits.
const PENDING: &str = "approval_pending";

/// What a call that waits would do, and what became of it.
#[derive(Debug, Clone)]
pub enum Word {
    /// Do it.
    Approve,
    /// Do not, and perhaps why.
    Refuse(Option<String>),
}

/// What was said and done when a turn began to wait.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Rest {
    /// What its readers had been shown.
    text: String,
    thought: String,
    rounds: Vec<ToolRound>,
    /// The round that waits.
    said: String,
    calls: Vec<ToolCall>,
    steps: Vec<ToolStep>,
    consulted: Vec<(String, String)>,
    in_words: bool,
}

/// A turn that is gone on with: what was there, and the word on each call that had to wait.
#[derive(Debug)]
pub(crate) struct TakenUp {
    rest: Rest,
    decided: Vec<Approval>,
}

impl TakenUp {
    /// What plugins had said to the question.
    pub(crate) fn consulted(&self) -> Vec<(String, String)> {
        self.rest.consulted.clone()
    }
}

impl House {
    /// Keeps a turn whose model called what somebody has to agree to first; why not, where it could not be kept.
    pub(crate) async fn wait(
        &self,
        live: &Arc<LiveTurn>,
        caller: &Caller,
        work: &Work,
        heard: Heard,
        wanted: &[Option<Wanted>],
        steps: &mut Vec<ToolStep>,
    ) -> Result<(), Failure> {
        let (text, thought) = live.so_far();
        let before = heard.before();
        let rest = Rest {
            text,
            thought,
            rounds: work.rounds.clone(),
            said: heard.text,
            calls: heard.calls,
            steps: steps.clone(),
            consulted: work.consulted.clone(),
            in_words: work.in_words,
        };
        let calls: Vec<Approval> = (0..)
            .zip(rest.calls.iter().zip(wanted))
            .filter_map(|(position, (call, wanted))| {
                Some(self.approval(live, caller, position, call, wanted.as_ref()?))
            })
            .collect();
        let turn = WaitingTurn {
            caller: *caller,
            turn: live.turn,
            conversation: live.place.conversation,
            question: live.place.question,
            answer: live.place.answer,
            model: work.card.id.clone(),
            utc_offset: work.utc_offset,
            rest: json!(rest),
        };
        if let Err(error) = self.store.wait_for_approval(&turn, &calls).await {
            tracing::error!(turn = %live.turn, %error, "a call that somebody has to agree to could not be kept");
            let message =
                "somebody has to agree to what the model wants to do, and that could not be stored".to_owned();
            return Err(Failure { code: "storage".into(), message });
        }
        let mut told = Vec::new();
        for call in &calls {
            self.note(caller, "tool.approval_asked", call, json!({ "tool": call.tool, "approver": call.approver }))
                .await;
            let step = step(&call.plugin, &call.tool, PENDING);
            let index = before.saturating_add(call.position);
            told.push(TurnEvent::ToolAnswered { index, step: step.clone(), text: String::new() });
            steps.push(step);
        }
        self.live.tell(live, told);
        Ok(())
    }

    fn approval(&self, live: &LiveTurn, caller: &Caller, position: u32, call: &ToolCall, wanted: &Wanted) -> Approval {
        let now = self.clock.now();
        Approval {
            id: ApprovalId(self.ids.next()),
            person: caller.person,
            turn: live.turn,
            conversation: live.place.conversation,
            position,
            plugin: wanted.plugin.clone(),
            title: wanted.title.clone(),
            tool: wanted.tool.clone(),
            arguments: call.arguments.clone(),
            approver: json!(wanted.approver),
            state: ApprovalState::Pending,
            created_at: now,
            expires_at: Timestamp(now.0 + i64::from(wanted.minutes) * 60_000),
            decided_by: None,
            decided_at: None,
            reason: None,
        }
    }

    async fn note(&self, caller: &Caller, verb: &'static str, call: &Approval, detail: serde_json::Value) {
        let (at, subject) = (self.clock.now(), call.id.to_string());
        let act = Act { at, caller: Some(*caller), verb, subject, detail };
        if let Err(error) = self.store.writer().submit(Record::Act(act)).await.await {
            tracing::warn!(%error, verb, "an act could not be written down");
        }
    }

    /// Goes on where a turn had begun to wait: shows what was there, does the calls that were agreed to with exactly the arguments that
    /// were shown, and answers the others with why not.
    pub(crate) async fn take_up(
        &self,
        live: &Arc<LiveTurn>,
        caller: &Caller,
        taken_up: TakenUp,
        work: &mut Work,
        steps: &mut Vec<ToolStep>,
    ) {
        let TakenUp { rest, decided } = taken_up;
        work.rounds = rest.rounds;
        work.in_words = rest.in_words;
        let mut told: Vec<TurnEvent> = Vec::new();
        for step in rest.steps {
            told.push(TurnEvent::Consulted { step: step.clone(), text: String::new() });
            steps.push(step);
        }
        told.extend((!rest.thought.is_empty()).then_some(TurnEvent::Thought { text: rest.thought }));
        told.extend((!rest.text.is_empty()).then_some(TurnEvent::Delta { text: rest.text }));
        let heard = Heard::again(&work.rounds, rest.said, rest.calls);
        let before = heard.before();
        for (index, call) in (before..).zip(&heard.calls) {
            let (id, name) = (Some(call.id.clone()), Some(call.name.clone()));
            told.push(TurnEvent::ToolCalled { index, id, name, arguments: call.arguments.clone() });
        }
        self.live.tell(live, told);
        let files = self.attachments(caller, &work.attached, None).await;
        let calling = heard.calls.iter().zip(0_u32..).map(|(call, position)| {
            let decided = decided.iter().find(|one| one.position == position);
            let files = files.clone();
            async move {
                match decided {
                    Some(one) if one.state != ApprovalState::Approved => {
                        self.tools.denied(&one.plugin, &one.tool, &refusal(one))
                    }
                    _ => self.tools.call(caller, Some(live.turn), call, files).await,
                }
            }
        });
        let answered: Vec<Answered> = futures_util::future::join_all(calling).await;
        let round = self.answered(live, heard, answered, steps);
        work.rounds.push(round);
    }
}

/// What a model reads of a call that was not agreed to.
fn refusal(call: &Approval) -> String {
    let why = match (call.state, call.reason.as_deref().filter(|reason| !reason.is_empty())) {
        (ApprovalState::Expired, _) => "nobody agreed to this call in time".to_owned(),
        (_, Some(reason)) => format!("the person who has to agree refused this call and said: {reason}"),
        (_, None) => "the person who has to agree refused this call".to_owned(),
    };
    format!("{why}. It was not done. Do not call it again; say so, and what can be done instead.")
}

fn step(plugin: &str, tool: &str, error: &'static str) -> ToolStep {
    ToolStep { plugin: plugin.to_owned(), tool: tool.to_owned(), error: Some(error.into()), ms: 0, parts: Vec::new() }
}

/// Who may agree to a call.
pub fn approver_of(call: &Approval) -> Approver {
    serde_json::from_value(call.approver.clone()).unwrap_or(Approver::Administrators)
}

impl Chat {
    /// The calls that wait for the caller's word, and those of the caller that wait for somebody else's.
    pub async fn approvals(&self, caller: &Caller) -> Result<Vec<Approval>, Error> {
        let mut all = self.house.store.pending_approvals(caller).await?;
        all.retain(|call| call.person == caller.person || approver_of(call).is(caller, call.person));
        Ok(all)
    }

    /// One call that the caller set off, may decide or decided.
    pub async fn approval(&self, caller: &Caller, id: ApprovalId) -> Result<Approval, Error> {
        let call = self.house.store.approval(caller, id).await?;
        let seen = |call: &Approval| {
            call.person == caller.person
                || approver_of(call).is(caller, call.person)
                || call.decided_by == Some(caller.person)
        };
        call.filter(seen).ok_or(Error::NotFound { what: "approval" })
    }

    /// Agrees to a call or refuses it. The first word counts; with the last one that a turn waits for, it goes on.
    pub async fn decide(&self, caller: &Caller, id: ApprovalId, word: Word) -> Result<Approval, Error> {
        let call = self.approval(caller, id).await?;
        if !approver_of(&call).is(caller, call.person) {
            return Err(Error::MayNotDecide);
        }
        let (state, reason) = match word {
            Word::Approve => (ApprovalState::Approved, None),
            Word::Refuse(reason) => (ApprovalState::Refused, reason),
        };
        let store = &self.house.store;
        if !store.decide(caller.tenant, id, state, Some(caller.person), reason.as_deref()).await? {
            return Err(Error::Decided);
        }
        let detail = json!({ "tool": call.tool, "decision": state.as_str(), "reason": reason });
        self.house.note(caller, "tool.approval_decided", &call, detail).await;
        let chat = self.clone();
        self.house.tasks.spawn(async move { chat.take_up_waiting().await });
        self.approval(caller, id).await
    }

    /// Goes on with every turn that waits for nothing any more, and ends the waiting of those that nobody decided in time. The house does
    /// this now and then; a turn is gone on with once, whoever does.
    pub async fn take_up_waiting(&self) {
        if self.house.draining.is_cancelled() {
            return;
        }
        if let Err(error) = self.take_up_all().await {
            tracing::warn!(%error, "turns that wait for somebody's word could not be read");
        }
    }

    async fn take_up_all(&self) -> Result<(), Error> {
        let store = &self.house.store;
        for (tenant, call) in store.overdue_approvals().await? {
            if store.decide(tenant, call.id, ApprovalState::Expired, None, None).await? {
                let asker = Caller { tenant, person: call.person, role: Role::Member, via: Via::House };
                let detail = json!({ "tool": call.tool, "decision": "expired" });
                self.house.note(&asker, "tool.approval_decided", &call, detail).await;
            }
        }
        for turn in store.ready_turns().await? {
            match Box::pin(self.go_on_with_turn(&turn)).await {
                Ok(()) => {}
                // What it hung on is gone: nobody waits for it.
                Err(Error::NotFound { .. } | Error::NoSuchModel { .. } | Error::NoModel) => {
                    store.waits_no_more(&turn).await?
                }
                // The next look tries again.
                Err(error) => tracing::warn!(turn = %turn.turn, %error, "a turn that waited cannot go on yet"),
            }
        }
        Ok(())
    }

    async fn go_on_with_turn(&self, turn: &WaitingTurn) -> Result<(), Error> {
        let (caller, store) = (&turn.caller, &self.house.store);
        let rest: Rest = serde_json::from_value(turn.rest.clone()).unwrap_or_default();
        let decided = store.approvals_of(caller, turn.turn).await?;
        let person = store.person(caller.tenant, caller.person).await?;
        let own = person.and_then(|person| person.settings["system_prompt"].as_str().map(str::to_owned));
        let ask = Ask {
            // The same each time: asked twice it is asked once.
            ask_id: format!("approval-{}", turn.turn),
            conversation: Some(turn.conversation),
            question: Question::Again { question: turn.question },
            model: Some(turn.model.clone()),
            system_prompt: None,
            sampling: Sampling::default(),
            default_system_prompt: own,
            assistant: None,
            utc_offset: turn.utc_offset,
        };
        self.take_along(caller, ask, Some(TakenUp { rest, decided })).await?;
        // The answer that goes on stands in its place, unless somebody went on below it.
        if store.is_leaf(caller, turn.answer).await? {
            match store.delete_message(caller, turn.answer).await {
                Ok(()) | Err(store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        store.waits_no_more(turn).await?;
        Ok(())
    }
}
