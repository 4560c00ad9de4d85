//! The line every turn takes. Read [`Chat::take`] (a kept turn) and [`Chat::pass`] (a passing one) as the table of contents:
//! admit, store the question, context, hold, model, reply, settle.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    AssistantId, Author, Batch, Caller, ClientBody, ConversationId, Failure, Finish, KeyBudget, KeyScope, LeftOut,
    Message, MessageId, ModelError, ModelState, Priority, Prompt, Provenance, Reply, Route, Sampling, Spent, Task,
    Tokens, ToolRound, ToolSpec, ToolStep, TurnEvent, TurnId, UploadId, Usage,
};
use futures_util::FutureExt;
use ledger::{Outcome, Permit};
use models::{Errand, ModelView, Models, STARTER_ID};
use store::{Asked, FinalAnswer, NewAnswer, NewConversation, NewMessage, Record, TitledBy};

use crate::answer::{self, Answer, Ending};
use crate::approvals::TakenUp;
use crate::context::{self, Context};
use crate::elsewhere::Elsewhere;
use crate::files::{self, Attached, Material};
use crate::live::{Follow, Happened, LiveTurn, Notice, Place, TurnChange};
use crate::passing::Passing;
use crate::rounds::{Heard, ROUNDS, joined};
use crate::{Chat, Error, House, prompted};

/// The door's name in usage rows and metrics.
const PORTAL: &str = "portal";

/// Tokens an answer may take where nobody said: held at first, extended while it grows.
const ANSWER: u32 = 1_024;

/// How long the end of an answer waits for its commit before the reader is told that it is not saved yet.
const SAVE_PATIENCE: Duration = Duration::from_secs(2);

/// A question as a person asks it in the portal.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Made by the client; asking twice with the same one asks once.
    pub ask_id: String,
    /// Absent: a new conversation, made in the same commit as the question.
    pub conversation: Option<ConversationId>,
    /// What is asked.
    pub question: Question,
    /// The model; absent: the conversation's, or the first that is offered.
    pub model: Option<String>,
    /// Kept with a new conversation.
    pub system_prompt: Option<String>,
    /// Kept with a new conversation.
    pub sampling: Sampling,
    /// The person's own instructions, where the conversation has neither its own nor an assistant.
    pub default_system_prompt: Option<String>,
    /// Whom a new conversation is had with. One that exists goes on with its own.
    pub assistant: Option<AssistantId>,
    /// Minutes by which the person's clock is ahead of UTC: an assistant's `{{date}}` is theirs.
    pub utc_offset: i32,
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum Question {
    /// A new message.
    New {
        /// The message it follows; absent: the first of the conversation, or another beginning.
        parent: Option<MessageId>,
        /// What the person wrote; may be empty where there are files.
        text: String,
        /// What is attached: the person's own files, complete.
        files: Vec<UploadId>,
    },
    /// The same message again, for another answer beside the ones it has.
    Again {
        /// The question.
        question: MessageId,
    },
}

/// A turn that was taken: its question is on disk, its answer is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The turn to follow.
    pub turn: TurnId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The message that was asked.
    pub question: MessageId,
    /// The message that will hold the answer.
    pub answer: MessageId,
}

/// A request through an API door.
#[derive(Debug, Clone)]
pub struct Request {
    /// The model as the client names it.
    pub model: String,
    /// The door's name in usage rows and metrics.
    pub door: &'static str,
    /// What for.
    pub task: Task,
    /// Whether somebody waits for the answer.
    pub priority: Priority,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Its own bytes.
    pub body: ClientBody,
    /// Estimated tokens of what is to be read.
    pub prompt_tokens: Tokens,
    /// The longest answer it asks for.
    pub max_tokens: Option<Tokens>,
    /// What its key may do.
    pub scope: Arc<KeyScope>,
}

/// A question on its way: what the line needs to know beside its permit.
pub(crate) struct Work {
    pub(crate) card: ModelView,
    system_prompt: Option<String>,
    sampling: Sampling,
    history: Vec<Message>,
    /// The files of the history, read where they are material.
    pub(crate) attached: Attached,
    material: Vec<Material>,
    /// What plugins said to the question, by their names.
    pub(crate) consulted: Vec<(String, String)>,
    /// What the model may call.
    offered: Vec<ToolSpec>,
    /// Whether it is told of them in its instructions: it has no words of its own for them.
    pub(crate) in_words: bool,
    /// What it called so far.
    pub(crate) rounds: Vec<ToolRound>,
    /// Minutes by which the person's clock is ahead of UTC.
    pub(crate) utc_offset: i32,
    /// Where it goes on from, had it waited.
    taken_up: Option<TakenUp>,
}

/// What is kept with an answer beside what was said and measured.
#[derive(Debug, Default)]
struct Noted {
    /// Messages and tokens that did not fit the context.
    trimmed: Option<(u32, u32)>,
    /// Absent as long as nobody has answered.
    provenance: Option<Provenance>,
    /// What tools did.
    steps: Vec<ToolStep>,
    /// What of the files did not fit.
    left_out: Vec<LeftOut>,
    /// Where the time went.
    spent: Spent,
}

impl Noted {
    /// A model's first token came after so many milliseconds: first a place, then the way, and what is left was the model's.
    fn opened(&mut self, took: u32, route: &Route) {
        let queue = route.queued_ms.min(took);
        let network = route.network_ms.unwrap_or(0).min(took - queue);
        let spent = &mut self.spent;
        spent.queue = spent.queue.saturating_add(queue);
        spent.network = spent.network.saturating_add(network);
        spent.prefill = spent.prefill.saturating_add(took - queue - network);
    }
}

impl Chat {
    /// Takes a kept turn. When this returns, the question is on disk and the answer is being written on the server, whoever
    /// reads it.
    pub async fn take(&self, caller: &Caller, ask: Ask) -> Result<Taken, Error> {
        self.take_along(caller, ask, None).await
    }

    /// The same, from where another turn had begun to wait.
    pub(crate) async fn take_along(
        &self,
        caller: &Caller,
        ask: Ask,
        taken_up: Option<TakenUp>,
    ) -> Result<Taken, Error> {
        let house = &self.house;
        if house.draining.is_cancelled() {
            return Err(Error::Draining);
        }
        if let Some(taken) = house.taken_before(caller, &ask.ask_id).await? {
            return Ok(taken);
        }
        let (asked, mut work) = house.prepare(caller, &ask).await?;
        work.taken_up = taken_up;
        // A page that is reloaded now drops this request. The line goes on by itself, or a question would stand on disk with
        // an answer that nobody writes.
        let (house, caller) = (Arc::clone(house), *caller);
        let line = self.house.tasks.spawn(async move { house.keep(&caller, &ask.ask_id, asked, work).await });
        match line.await {
            Ok(taken) => taken,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(Error::Draining),
        }
    }

    /// Takes a passing turn: returns when the model's first event is there, and fails with a real error before it.
    pub async fn pass(&self, caller: &Caller, request: Request) -> Result<Passing, Error> {
        let house = &self.house;
        if house.draining.is_cancelled() {
            return Err(Error::Draining);
        }
        let going_on = house.passing.token();
        let Some(meant) = house.models.meant(&request.model) else {
            return Err(Error::NoSuchModel { model: request.model });
        };
        within(&request, &meant.id)?;
        let task = request.task;
        let turn = TurnId(house.ids.next());
        let asked = house.clock.monotonic();
        let mut permit = house.ledger.admit(turn, caller, &request.scope.budget, &meant.id, request.door).await?;
        if let Err(over) = permit.hold(request.prompt_tokens, request.max_tokens.unwrap_or(Tokens(ANSWER))) {
            permit.withdraw();
            return Err(over.into());
        }
        house.ledger.started(&permit);
        permit.answered_by(&meant.provider);
        let prompt = Prompt {
            model: meant.id,
            task,
            messages: Vec::new(),
            tools: Vec::new(),
            rounds: Vec::new(),
            sampling: Sampling::default(),
            stream: request.stream,
            body: Some(request.body),
            on_behalf: None,
        };
        let errand = Errand { conversation: None, priority: request.priority, longest: request.max_tokens };
        match house.models.open(caller, errand, prompt, &mut |_| {}).await {
            Ok(reply) => {
                permit.answered_by(&reply.route.provider);
                let answer = Answer::new(reply, Arc::clone(&house.clock), asked, request.prompt_tokens).of(task);
                Ok(Passing { turn, answer, permit, _going_on: going_on })
            }
            Err(error) => {
                let ending = answer::never_began(Finish::Failed, Some(answer::failure_of(&error)));
                // Nothing was delivered; the row says so, and is on disk before the client hears of it.
                permit.settle(outcome(ending, None)).await?;
                Err(error.into())
            }
        }
    }

    /// Follows a turn of the caller from after event `after`. `None` where it is not in memory (it ended a while ago, or never
    /// was): the store has its answer then.
    pub fn follow(&self, caller: &Caller, turn: TurnId, after: u64) -> Option<Follow> {
        Some(Follow::new(self.house.live.find(caller, turn)?, after))
    }

    /// Follows a turn of the caller that another portal of the same database writes: what is stored of it, as it grows.
    pub fn follow_elsewhere(&self, caller: &Caller, turn: TurnId, after: u64) -> Follow {
        Follow::elsewhere(Elsewhere::new(self.house.store.clone(), *caller, turn, after))
    }

    /// Stops a turn of the caller, wherever it is written. Stopping one that has ended changes nothing; `false` where none runs.
    pub async fn stop(&self, caller: &Caller, turn: TurnId) -> Result<bool, Error> {
        match self.house.live.find(caller, turn) {
            Some(live) => live.stop.cancel(),
            None => return Ok(self.house.store.ask_stop(caller, turn).await?),
        }
        Ok(true)
    }

    /// Beginnings and ends of kept turns, for the other tabs of their person.
    pub fn notices(&self) -> tokio::sync::broadcast::Receiver<Notice> {
        self.house.live.notices()
    }
}

impl House {
    pub(crate) fn card(&self, model: Option<&str>) -> Result<ModelView, Error> {
        match model {
            Some(model) => self.models.find(model).ok_or_else(|| Error::NoSuchModel { model: model.to_owned() }),
            None => default_model(&self.models).ok_or(Error::NoModel),
        }
    }

    /// From admission to the task that writes the answer. Never half done: see [`Chat::take`].
    async fn keep(self: Arc<Self>, caller: &Caller, ask_id: &str, asked: Asked, work: Work) -> Result<Taken, Error> {
        let turn = asked.turn;
        let taken = asked.taken();
        let permit = self.ledger.admit(turn, caller, &KeyBudget::default(), &work.card.id, PORTAL).await?;
        let place = Place { conversation: taken.conversation, question: taken.question, answer: taken.answer };
        let live = match self.live.enter(caller, turn, place, asked.follows()) {
            Ok(live) => live,
            Err(busy) => {
                permit.withdraw();
                return Err(busy);
            }
        };
        if let Err(error) = self.store.writer().submit(Record::Asked(Box::new(asked))).await.await {
            self.live.leave(turn);
            permit.withdraw();
            // Two requests with the same ask_id raced: the other one was stored.
            return match self.taken_before(caller, ask_id).await? {
                Some(taken) => Ok(taken),
                None => Err(error.into()),
            };
        }
        self.store.say(self.live.announce(&live, TurnChange::Started));
        let writing = Arc::clone(&self);
        self.tasks.spawn(async move { writing.write_answer(live, permit, work).await });
        Ok(taken)
    }

    async fn taken_before(&self, caller: &Caller, ask_id: &str) -> Result<Option<Taken>, Error> {
        let row = self.store.ask(caller, ask_id).await?;
        Ok(row.map(|row: store::AskedTurn| Taken {
            turn: row.turn,
            conversation: row.conversation,
            question: row.question,
            answer: row.answer,
        }))
    }

    /// Reads what the question hangs on, and makes the records and the prompt's parts of it. Nothing is stored yet.
    async fn prepare(&self, caller: &Caller, ask: &Ask) -> Result<(Asked, Work), Error> {
        let conversation = match ask.conversation {
            Some(id) => {
                Some(self.store.conversation(caller, id).await?.ok_or(Error::NotFound { what: "conversation" })?)
            }
            None => None,
        };
        let persona = self.persona(caller, conversation.as_ref(), ask.assistant, ask.utc_offset).await?;
        let model = ask.model.as_deref().or(conversation.as_ref().and_then(|c| c.model.as_deref()));
        let model = model.or(persona.as_ref().and_then(|persona| persona.model.as_deref()));
        let card = match self.card(model) {
            // A conversation whose model has gone goes on with the one there is, unless that one was asked for by name.
            Err(Error::NoSuchModel { .. }) if ask.model.is_none() => self.card(None)?,
            card => card?,
        };
        let (question_id, parent, new_question) = match &ask.question {
            Question::New { text, files, .. } if text.trim().is_empty() && files.is_empty() => {
                return Err(Error::Empty);
            }
            Question::New { parent, text, files } => {
                let id = MessageId(self.ids.next());
                let files = self.files_named(caller, files).await?;
                (id, *parent, Some(NewMessage { id, parent: *parent, text: text.clone(), files }))
            }
            Question::Again { question } => (*question, Some(*question), None),
        };
        let conversation_id = conversation.as_ref().map_or_else(|| ConversationId(self.ids.next()), |c| c.id);
        let (mut history, mut attached) = match parent {
            None => Default::default(),
            Some(parent) => self.history(caller, conversation_id, parent, new_question.is_none()).await?,
        };
        if let Some(question) = &new_question {
            attached.extend(question.files.iter().map(|file| (history.len(), file.clone())));
            history.push(Message::new(Author::User, question.text.clone()));
        }
        let (system_prompt, sampling) = match &conversation {
            Some(c) => (c.system_prompt.clone(), c.sampling.clone()),
            None => (ask.system_prompt.clone(), ask.sampling.clone()),
        };
        let new = conversation.is_none().then(|| NewConversation {
            title: new_question.as_ref().map(title).unwrap_or_default(),
            titled_by: TitledBy::Auto,
            model: ask.model.clone(),
            system_prompt: system_prompt.clone(),
            sampling: sampling.clone(),
            assistant: persona.as_ref().map(|persona| (persona.id, persona.version)),
        });
        let asked = Asked {
            caller: *caller,
            turn: TurnId(self.ids.next()),
            ask_id: ask.ask_id.clone(),
            model: card.id.clone(),
            conversation: conversation_id,
            new,
            assistant_version: persona.as_ref().map(|persona| persona.version),
            question: new_question,
            answer: NewAnswer { id: MessageId(self.ids.next()), parent: question_id },
            at: self.clock.now(),
        };
        let (system_prompt, sampling) = match &persona {
            Some(persona) => (persona.system_prompt(system_prompt.as_deref()), persona.sampling(sampling)),
            None => {
                let own = system_prompt.filter(|text| !text.trim().is_empty());
                (own.or_else(|| ask.default_system_prompt.clone()), sampling)
            }
        };
        let (offered, rounds) = (self.tools.offered(caller), Vec::new());
        let in_words = !offered.is_empty() && self.knows_no_tools(caller, &card.id).await;
        let (material, consulted) = (Vec::new(), Vec::new());
        let work = Work {
            card,
            system_prompt,
            sampling,
            history,
            attached,
            material,
            consulted,
            offered,
            in_words,
            rounds,
            utc_offset: ask.utc_offset,
            taken_up: None,
        };
        Ok((asked, work))
    }

    /// The messages from the root to `leaf`, as the model reads them.
    async fn history(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        leaf: MessageId,
        leaf_is_question: bool,
    ) -> Result<(Vec<Message>, Attached), Error> {
        let path = self.store.path(caller, leaf).await?;
        let Some(last) = path.last().filter(|last| last.conversation == conversation) else {
            return Err(Error::NotFound { what: "message" });
        };
        if leaf_is_question && last.author != Author::User {
            return Err(Error::NotFound { what: "question" });
        }
        if let (None, Some(turn), Author::Assistant) = (last.finish, last.turn, last.author) {
            return Err(Error::TurnRunning { turn });
        }
        Ok(files::branch(path))
    }

    /// Writes a kept answer from here to its end, and settles it exactly once, whatever happens on the way.
    async fn write_answer(self: Arc<Self>, live: Arc<LiveTurn>, mut permit: Permit, work: Work) {
        let mut noted = Noted::default();
        let answering = AssertUnwindSafe(self.answer(&live, &mut permit, work, &mut noted)).catch_unwind();
        let ending = tokio::select! {
            biased;
            () = self.interrupt.cancelled() => None,
            ending = answering => Some(ending.unwrap_or_else(|_| {
                tracing::error!(turn = %live.turn, "the turn panicked");
                let message = "something went wrong inside Portico; the log has the details".to_owned();
                answer::never_began(Finish::Failed, Some(Failure { code: "internal".into(), message }))
            })),
        };
        // The house closes: what has arrived is kept, and counted as delivered.
        let ending = ending.unwrap_or_else(|| Ending {
            usage: permit.delivered_so_far(),
            ..answer::never_began(Finish::Interrupted, None)
        });
        let (text, thought) = live.close();
        let Noted { trimmed, provenance, steps, left_out, spent } = noted;
        let spent = Some(spent);
        let provenance = match provenance {
            None if steps.is_empty() && left_out.is_empty() => None,
            known => Some(Provenance { steps, left_out, spent, ..known.unwrap_or_default() }),
        };
        let stored = FinalAnswer { id: live.place.answer, text, thought, trimmed, provenance };
        let finished = |unsaved| Happened::Finished {
            finish: ending.finish,
            failure: ending.failure.clone(),
            ttft_ms: ending.ttft_ms,
            tpot_us: ending.tpot_us,
            answer: live.place.answer,
            unsaved,
        };
        let used = TurnEvent::Used { usage: ending.usage };
        let saved = permit.settle(outcome(ending.clone(), Some((live.place.conversation, stored))));
        tokio::pin!(saved);
        let in_time = tokio::time::timeout(SAVE_PATIENCE, &mut saved).await;
        self.live.tell(&live, vec![used]);
        let unsaved = !matches!(in_time, Ok(Ok(())));
        self.live.tell_happened(&live, finished(unsaved));
        if in_time.is_err() {
            let _ = saved.await;
        }
        self.store.say(self.live.announce(&live, TurnChange::Finished));
    }

    /// Milliseconds since a moment of the monotonic clock.
    fn since(&self, began: Duration) -> u32 {
        u32::try_from(self.clock.monotonic().saturating_sub(began).as_millis()).unwrap_or(u32::MAX)
    }

    /// Files, plugins, context, model, reply, and round by round what the model has tools do: what can be stopped.
    async fn answer(&self, live: &Arc<LiveTurn>, permit: &mut Permit, mut work: Work, noted: &mut Noted) -> Ending {
        let asked = self.clock.monotonic();
        self.live.tell(live, vec![TurnEvent::Started { turn: live.turn, model: work.card.id.clone() }]);
        permit.answered_by(&work.card.provider);
        let caller = *permit.caller();
        let stopped = answer::never_began(Finish::Stopped, None);
        tokio::select! {
            biased;
            () = live.stop.cancelled() => return stopped,
            () = self.gather(live, &caller, &mut work, &mut noted.steps) => {}
        }
        if let Some(taken_up) = work.taken_up.take() {
            tokio::select! {
                biased;
                () = live.stop.cancelled() => return stopped,
                () = self.take_up(live, &caller, taken_up, &mut work, &mut noted.steps) => {}
            }
        }
        noted.spent.tools = self.since(asked);
        let mut so_far: Option<Ending> = None;
        loop {
            let used = so_far.as_ref().map_or_else(Usage::default, |ending| ending.usage);
            let began = self.clock.monotonic();
            let opened = tokio::select! {
                biased;
                () = live.stop.cancelled() => return followed(so_far, stopped),
                opened = self.open(live, permit, &mut work, noted) => opened,
            };
            let (reply, prompt) = match opened {
                Ok(opened) => opened,
                Err(failure) => return followed(so_far, answer::never_began(Finish::Failed, Some(failure))),
            };
            noted.opened(self.since(began), &reply.route);
            let began = self.clock.monotonic();
            let answer = Answer::new(reply, Arc::clone(&self.clock), asked, prompt).after(used);
            let mut heard = Heard::after(&work.rounds, work.in_words);
            let ending = followed(so_far, self.read(live, permit, answer, &mut heard).await);
            noted.spent.decode = noted.spent.decode.saturating_add(self.since(began));
            let calls = !work.offered.is_empty() && !heard.calls.is_empty();
            if !calls || !matches!(ending.finish, Finish::ToolCalls | Finish::Stop) {
                return ending;
            }
            if work.rounds.len() == ROUNDS {
                let message = format!("the model called tools {ROUNDS} times without coming to an answer");
                let failure = Some(Failure { code: "tool_limit".into(), message });
                return Ending { finish: Finish::Failed, failure, ..ending };
            }
            let wanted = self.tools.wanted(&caller, &heard.calls);
            if wanted.iter().any(Option::is_some) {
                return match self.wait(live, &caller, &work, heard, &wanted, &mut noted.steps).await {
                    Ok(()) => Ending { finish: Finish::Waiting, ..ending },
                    Err(failure) => Ending { finish: Finish::Failed, failure: Some(failure), ..ending },
                };
            }
            let doing = async {
                // A question may be about a file that came with an earlier one.
                let files = self.attachments(&caller, &work.attached, None).await;
                self.call_tools(live, &caller, heard, &files, &mut noted.steps).await
            };
            let began = self.clock.monotonic();
            let round = tokio::select! {
                biased;
                () = live.stop.cancelled() => return Ending { finish: Finish::Stopped, ..ending },
                round = doing => round,
            };
            noted.spent.tools = noted.spent.tools.saturating_add(self.since(began));
            work.rounds.push(round);
            so_far = Some(ending);
        }
    }

    /// What there is to answer from before the model is asked: the files of the branch, and what plugins say to the question.
    async fn gather(&self, live: &Arc<LiveTurn>, caller: &Caller, work: &mut Work, steps: &mut Vec<ToolStep>) {
        let question = work.question();
        if let Some(taken_up) = &work.taken_up {
            // Read and asked before it waited: what was shown of that is shown again, and nobody is asked twice.
            work.consulted = taken_up.consulted();
            work.material = self.material(None, caller, &work.card, &work.attached, question).await.0;
            return;
        }
        let (material, read) = self.material(Some(live), caller, &work.card, &work.attached, question).await;
        work.material = material;
        steps.extend(read);
        let Some(last) = work.history.last().filter(|last| last.author == Author::User) else { return };
        let handed = self.attachments(caller, &work.attached, Some(question)).await;
        let (consulted, asked) = self.consult(live, caller, &last.text, &handed).await;
        work.consulted = consulted;
        steps.extend(asked);
    }

    /// Reads one answer to its end, and tells the turn's readers.
    async fn read(&self, live: &Arc<LiveTurn>, permit: &mut Permit, mut answer: Answer, heard: &mut Heard) -> Ending {
        loop {
            let batch = tokio::select! {
                biased;
                () = live.stop.cancelled() => {
                    answer.stop(Finish::Stopped);
                    None
                }
                batch = answer.next(permit) => batch,
            };
            let Some(Batch { events, .. }) = batch else { break };
            self.live.tell(live, heard.take(events));
        }
        let rest = heard.end();
        if !rest.is_empty() {
            self.live.tell(live, rest);
        }
        answer.ending()
    }

    /// Whether a test of the model found that it cannot call tools.
    async fn knows_no_tools(&self, caller: &Caller, model: &str) -> bool {
        let found = self.store.capabilities(caller.tenant, model).await.ok().flatten();
        let rows = found.map(|(_, matrix)| matrix).and_then(|matrix| matrix.as_array().cloned()).unwrap_or_default();
        rows.iter().any(|row| row["capability"] == "tools" && row["answer"] == "no")
    }

    /// Assembles the context, holds its tokens and asks the model. Where the model finds the prompt too long after all (its
    /// tokens are only estimated here), more of the history is left out, twice at most.
    async fn open(
        &self,
        live: &Arc<LiveTurn>,
        permit: &mut Permit,
        work: &mut Work,
        noted: &mut Noted,
    ) -> Result<(Reply, Tokens), Failure> {
        let mut budget = context::prompt_budget(work.card.context, work.sampling.max_tokens);
        let mut attempts = 0;
        loop {
            let (mut context, left_out) = work.context(budget);
            if left_out != noted.left_out {
                noted.left_out.clone_from(&left_out);
                self.live.tell(live, left_out.into_iter().map(|what| TurnEvent::LeftOut { what }).collect());
            }
            if context.trimmed != noted.trimmed {
                noted.trimmed = context.trimmed;
                if let Some((messages, tokens)) = context.trimmed {
                    self.live.tell(live, vec![TurnEvent::Trimmed { messages, tokens }]);
                }
            }
            let longest = Tokens(work.sampling.max_tokens.unwrap_or(ANSWER));
            if attempts == 0 {
                let granted = permit
                    .hold(context.tokens, longest)
                    .map_err(|over| Failure { code: over.code().into(), message: over.to_string() })?;
                // Less than was wanted is left of the day: the model ends there by itself, rather than being cut off.
                if granted < longest {
                    work.sampling.max_tokens = Some(granted.0);
                }
            }
            let more =
                context.messages.len() > 1 + usize::from(work.system_prompt.is_some()) || !work.material.is_empty();
            let mut prompt = work.prompt(std::mem::take(&mut context.messages));
            prompt.model.clone_from(&work.card.id);
            let conversation = Some(live.place.conversation);
            let errand = Errand { conversation, priority: Priority::Interactive, longest: None };
            let mut notice = |event| self.live.tell(live, vec![event]);
            let caller = *permit.caller();
            let mut route = Route::default();
            match self.models.open_along(&caller, errand, prompt, &mut route, &mut notice).await {
                Ok(reply) => {
                    permit.answered_by(&reply.route.provider);
                    noted.provenance = Some(provenance(reply.route.clone(), reply.dropped.clone()));
                    return Ok((reply, context.tokens));
                }
                Err(ModelError::Rejected { code: Some(code), .. })
                    if code == "context_length_exceeded" && more && attempts < 2 =>
                {
                    budget = context.tokens.0.min(budget) * 6 / 10;
                    attempts += 1;
                }
                // It says that it takes no pictures: it is asked without them.
                Err(ModelError::Rejected { message, .. } | ModelError::Broken { message, .. })
                    if files::is_about_pictures(&work.material, &message) =>
                {
                    let question = work.question();
                    self.hide_pictures(live, &work.card.name, &mut work.material, &mut noted.steps, question);
                }
                // It says that it takes no tools: it is told of them in words.
                Err(ModelError::Rejected { message, .. }) if work.refused_tools(&message) => work.in_words = true,
                Err(error) => {
                    // Nobody answered: who was asked is worth knowing all the more.
                    noted.provenance = Some(provenance(route, Vec::new()));
                    return Err(answer::failure_of(&error));
                }
            }
        }
    }
}

impl Work {
    /// The place of the question in the history.
    fn question(&self) -> usize {
        self.history.len().saturating_sub(1)
    }

    /// What the model gets to read, tools and rounds counted in, and what of the files did not fit.
    fn context(&self, budget: u32) -> (Context, Vec<LeftOut>) {
        let system = match self.in_words {
            true => Some(prompted::instructions(self.system_prompt.as_deref(), &self.offered)),
            false => self.system_prompt.clone(),
        };
        let estimate = |text: &str| Tokens::estimate(text);
        let mut tokens: Tokens = (self.rounds.iter())
            .flat_map(|round| {
                round.answers.iter().chain(round.calls.iter().map(|call| &call.arguments)).chain([&round.text])
            })
            .map(|text| estimate(text))
            .sum();
        if !self.in_words {
            tokens = tokens
                + self
                    .offered
                    .iter()
                    .map(|tool| estimate(&format!("{}{}", tool.description, tool.parameters)))
                    .sum::<Tokens>();
        }
        let budget = budget.saturating_sub(tokens.0);
        let (history, left_out) = files::weave(&self.history, &self.material, &self.consulted, budget);
        let mut context = context::assemble(system.as_deref(), history, budget);
        context.tokens = context.tokens + tokens;
        (context, left_out)
    }

    fn prompt(&self, mut messages: Vec<Message>) -> Prompt {
        if self.in_words {
            messages.extend(prompted::messages(&self.rounds));
            return Prompt::chat(messages, self.sampling.clone());
        }
        let (tools, rounds) = (self.offered.clone(), self.rounds.clone());
        Prompt { tools, rounds, ..Prompt::chat(messages, self.sampling.clone()) }
    }

    /// Whether a refusal is of the tools on offer (Ollama, vLLM without a parser for them).
    fn refused_tools(&self, message: &str) -> bool {
        let message = message.to_ascii_lowercase();
        !self.offered.is_empty() && !self.in_words && message.contains("tool")
    }
}

fn provenance(route: Route, dropped: Vec<String>) -> Provenance {
    Provenance { route, dropped, ..Provenance::default() }
}

/// What a conversation is called after: the question's words, or its first file where there are none.
fn title(question: &NewMessage) -> String {
    match question.files.first() {
        Some(file) if question.text.trim().is_empty() => crate::title_of(&file.name),
        _ => crate::title_of(&question.text),
    }
}

/// How a turn ended whose answer came in parts: as the last did, after all that was used.
fn followed(first: Option<Ending>, then: Ending) -> Ending {
    let Some(first) = first else { return then };
    Ending { usage: joined(first.usage, then.usage), ttft_ms: first.ttft_ms.or(then.ttft_ms), ..then }
}

/// The model that is asked where nobody chose: the first one that answers, else the first there is; the starter model only where it is alone.
pub fn default_model(models: &Models) -> Option<ModelView> {
    let mut offered: Vec<ModelView> = models.list().into_iter().filter(|view| view.enabled && view.answers).collect();
    if offered.iter().any(|view| view.id != STARTER_ID) {
        offered.retain(|view| view.id != STARTER_ID);
    }
    let ready = offered.iter().position(|view| view.state == ModelState::Ready).unwrap_or(0);
    (ready < offered.len()).then(|| offered.swap_remove(ready))
}

/// Whether the key may ask for this. Here and not at a door: no door can forget it.
fn within(request: &Request, id: &str) -> Result<(), Error> {
    if !request.scope.allows_task(request.task) {
        return Err(Error::TaskNotAllowed);
    }
    if !request.scope.allows_model(&request.model, id) {
        return Err(Error::ModelNotAllowed { model: request.model.clone() });
    }
    Ok(())
}

pub(crate) fn outcome(ending: Ending, answer: Option<(ConversationId, FinalAnswer)>) -> Outcome {
    Outcome {
        usage: ending.usage,
        finish: ending.finish,
        failure: ending.failure,
        ttft_ms: ending.ttft_ms,
        tpot_us: ending.tpot_us,
        answer,
    }
}

trait AskedPlace {
    fn taken(&self) -> Taken;
    fn follows(&self) -> Option<MessageId>;
}

impl AskedPlace for Asked {
    fn taken(&self) -> Taken {
        Taken { turn: self.turn, conversation: self.conversation, question: self.answer.parent, answer: self.answer.id }
    }

    /// The message whose answering would make this a second question on one branch.
    fn follows(&self) -> Option<MessageId> {
        self.question.as_ref().and_then(|question| question.parent)
    }
}
