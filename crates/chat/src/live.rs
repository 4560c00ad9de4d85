//! The kept turns that are being answered, and their readers. A turn's log holds its text once; a reader that falls behind gets
//! the same text in larger pieces, so nobody needs a queue and a slow reader slows nobody. Not durable by itself: a tick writes
//! what every log has gained, and `store` keeps it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{Caller, ConversationId, Failure, Finish, MessageId, PersonId, TenantId, TurnEvent, TurnId};
use store::{Delta, Record, Word, Writer};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::elsewhere::Elsewhere;

/// How often the text of running answers is written. The promise is that a crash loses at most 250 ms.
const TICK: Duration = Duration::from_millis(100);

/// How long a finished turn can still be followed from memory; later readers are answered from the store.
const LINGER: Duration = Duration::from_secs(30);

/// One thing a reader is told, with the id to resume after.
#[derive(Debug, Clone)]
pub struct Step {
    /// Grows by one per event of the turn; merged pieces carry the last id they contain.
    pub id: u64,
    /// What happened.
    pub happened: Happened,
}

/// What a reader of a kept turn is told.
#[derive(Debug, Clone)]
pub enum Happened {
    /// An event of the turn, `Finished` excepted.
    Event(TurnEvent),
    /// All that was written so far, for a reader that has seen a part of it at another portal.
    Snapshot {
        /// The answer's text.
        text: String,
        /// The reasoning before it.
        thought: String,
    },
    /// The disk is full (true) or has space again (false): the answer goes on, and is saved once there is space.
    Unsaved(bool),
    /// The last step.
    Finished {
        /// How it ended.
        finish: Finish,
        /// Why, where it failed.
        failure: Option<Failure>,
        /// Time to the first token, in milliseconds.
        ttft_ms: Option<u32>,
        /// Mean time between tokens, in microseconds.
        tpot_us: Option<u32>,
        /// The message that holds the answer.
        answer: MessageId,
        /// True while it could not be stored yet.
        unsaved: bool,
    },
}

/// A turn of a person began or ended, for that person's other tabs.
#[derive(Debug, Clone, Copy)]
pub struct Notice {
    /// Whose.
    pub tenant: TenantId,
    /// Whose.
    pub person: PersonId,
    /// Which turn.
    pub turn: TurnId,
    /// Where.
    pub conversation: ConversationId,
    /// Began or ended.
    pub change: TurnChange,
}

/// What became of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnChange {
    /// It is being answered.
    Started,
    /// It has ended.
    Finished,
}

/// Where a kept turn hangs in its conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) conversation: ConversationId,
    pub(crate) question: MessageId,
    pub(crate) answer: MessageId,
}

/// One kept turn in memory.
#[derive(Debug)]
pub(crate) struct LiveTurn {
    pub(crate) turn: TurnId,
    pub(crate) place: Place,
    tenant: TenantId,
    person: PersonId,
    log: Mutex<Log>,
    /// The number of log entries; readers wait for it to grow.
    grown: watch::Sender<u64>,
    pub(crate) stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Log {
    entries: Vec<Entry>,
    text: String,
    thought: String,
    /// How much of `text` and `thought` the tick has handed to the writer.
    written: (usize, usize),
    /// Whether the turn stands in the list of those the next tick looks at.
    dirty: bool,
    /// Whether the answer is being stored whole.
    closed: bool,
    finished_at: Option<Instant>,
}

/// Two words an entry: text stands once, in the log's own string.
#[derive(Debug)]
enum Entry {
    Text { end: usize },
    Thought { end: usize },
    Other(Box<Happened>),
}

impl LiveTurn {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer and the reasoning as far as they are.
    pub(crate) fn so_far(&self) -> (String, String) {
        let log = self.log();
        (log.text.clone(), log.thought.clone())
    }

    /// The whole answer and reasoning, which are written at once now: the tick takes no more of it, since what it wrote
    /// after that would stay behind.
    pub(crate) fn close(&self) -> (String, String) {
        let mut log = self.log();
        log.closed = true;
        (log.text.clone(), log.thought.clone())
    }
}

/// The running turns of this process.
#[derive(Debug)]
pub(crate) struct Turns {
    turns: Mutex<HashMap<TurnId, Arc<LiveTurn>>>,
    dirty: Mutex<Vec<Arc<LiveTurn>>>,
    notices: broadcast::Sender<Notice>,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Turns { turns: Mutex::default(), dirty: Mutex::default(), notices: broadcast::channel(1024).0 }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TurnId, Arc<LiveTurn>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a turn, unless the branch it goes on from is still being answered.
    pub(crate) fn enter(
        &self,
        caller: &Caller,
        turn: TurnId,
        place: Place,
        follows: Option<MessageId>,
    ) -> Result<Arc<LiveTurn>, Error> {
        let mut turns = self.lock();
        let busy = turns.values().find(|live| {
            live.is_running() && (Some(live.place.answer) == follows || live.place.question == place.question)
        });
        if let Some(busy) = busy {
            return Err(Error::TurnRunning { turn: busy.turn });
        }
        let live = Arc::new(LiveTurn {
            turn,
            place,
            tenant: caller.tenant,
            person: caller.person,
            log: Mutex::default(),
            grown: watch::Sender::new(0),
            stop: CancellationToken::new(),
        });
        turns.insert(turn, Arc::clone(&live));
        Ok(live)
    }

    /// Takes a turn out again whose question could not be stored.
    pub(crate) fn leave(&self, turn: TurnId) {
        self.lock().remove(&turn);
    }

    /// The caller's own turn.
    pub(crate) fn find(&self, caller: &Caller, turn: TurnId) -> Option<Arc<LiveTurn>> {
        let live = self.lock().get(&turn).cloned()?;
        (live.tenant == caller.tenant && live.person == caller.person).then_some(live)
    }

    pub(crate) fn running(&self) -> usize {
        self.lock().values().filter(|live| live.is_running()).count()
    }

    pub(crate) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// The turns that run here.
    pub(crate) fn running_turns(&self) -> Vec<TurnId> {
        self.lock().values().filter(|live| live.is_running()).map(|live| live.turn).collect()
    }

    /// Stops a turn that somebody wanted stopped at another portal, which looked whose it is.
    pub(crate) fn stop(&self, turn: TurnId) {
        if let Some(live) = self.lock().get(&turn) {
            live.stop.cancel();
        }
    }

    /// Tells the tabs at this portal, and returns what the others are to be told.
    pub(crate) fn announce(&self, live: &LiveTurn, change: TurnChange) -> Word {
        let (tenant, person, turn, conversation) = (live.tenant, live.person, live.turn, live.place.conversation);
        self.pass_on(Notice { tenant, person, turn, conversation, change });
        Word::Turn { tenant, person, turn, conversation, started: change == TurnChange::Started }
    }

    /// Tells the tabs at this portal.
    pub(crate) fn pass_on(&self, notice: Notice) {
        // Nobody listening is no failure.
        let _ = self.notices.send(notice);
    }

    /// Adds events to a turn's log and wakes its readers, once for all of them.
    pub(crate) fn tell(&self, live: &Arc<LiveTurn>, events: Vec<TurnEvent>) {
        let mut newly_dirty = false;
        let count = {
            let mut log = live.log();
            for event in events {
                let gained = log.add(event);
                newly_dirty |= gained && !std::mem::replace(&mut log.dirty, true);
            }
            log.entries.len() as u64
        };
        if newly_dirty {
            self.dirty.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(live));
        }
        live.grown.send_replace(count);
    }

    /// Adds the last step, or that the answer is (not) saved.
    pub(crate) fn tell_happened(&self, live: &LiveTurn, happened: Happened) {
        let count = {
            let mut log = live.log();
            if matches!(happened, Happened::Finished { .. }) {
                log.finished_at = Some(Instant::now());
            }
            log.entries.push(Entry::Other(Box::new(happened)));
            log.entries.len() as u64
        };
        live.grown.send_replace(count);
    }

    /// The tick: writes what every running answer has gained since the last one, in one record, and forgets turns that ended a
    /// while ago. Returns when the house closes.
    pub(crate) async fn keep(&self, writer: &Writer, closing: &CancellationToken) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut full = writer.watch_full();
        loop {
            tokio::select! {
                () = closing.cancelled() => return,
                _ = tick.tick() => {}
            }
            if full.has_changed().unwrap_or(false) {
                let unsaved = *full.borrow_and_update();
                for live in self.lock().values().filter(|live| live.is_running()) {
                    self.tell_happened(live, Happened::Unsaved(unsaved));
                }
            }
            let gained = self.gained();
            if !gained.is_empty() {
                // Not awaited: the writer keeps what it was given, and this tick must not wait for the disk.
                drop(writer.submit(Record::Deltas(gained)).await);
            }
            self.forget_old();
        }
    }

    fn gained(&self) -> Vec<Delta> {
        let dirty = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        dirty.iter().filter_map(|live| live.log().gained(live.turn)).collect()
    }

    fn forget_old(&self) {
        self.lock().retain(|_, live| live.log().finished_at.is_none_or(|at| at.elapsed() < LINGER));
    }
}

impl LiveTurn {
    pub(crate) fn is_running(&self) -> bool {
        self.log().finished_at.is_none()
    }
}

impl Log {
    /// Whether the answer's text grew.
    fn add(&mut self, event: TurnEvent) -> bool {
        match event {
            TurnEvent::Delta { text } => {
                self.text.push_str(&text);
                self.entries.push(Entry::Text { end: self.text.len() });
                true
            }
            TurnEvent::Thought { text } => {
                self.thought.push_str(&text);
                self.entries.push(Entry::Thought { end: self.thought.len() });
                true
            }
            other => {
                self.entries.push(Entry::Other(Box::new(Happened::Event(other))));
                false
            }
        }
    }

    fn gained(&mut self, turn: TurnId) -> Option<Delta> {
        self.dirty = false;
        if self.closed {
            return None;
        }
        let (text, thought) = (self.text[self.written.0..].to_owned(), self.thought[self.written.1..].to_owned());
        if text.is_empty() && thought.is_empty() {
            return None;
        }
        self.written = (self.text.len(), self.thought.len());
        Some(Delta { turn, seq: self.entries.len() as u64, text, thought })
    }

    /// The steps after entry `after`, neighbouring pieces of text merged.
    fn steps(&self, after: u64) -> Vec<Step> {
        let after = usize::try_from(after).unwrap_or(usize::MAX).min(self.entries.len());
        let (mut text_at, mut thought_at) = self.ends_before(after);
        let mut steps: Vec<Step> = Vec::new();
        for (id, entry) in (after as u64 + 1..).zip(&self.entries[after..]) {
            let happened = match entry {
                Entry::Text { end } => {
                    let piece = &self.text[text_at..*end];
                    text_at = *end;
                    if let Some(Step { id: last, happened: Happened::Event(TurnEvent::Delta { text }) }) =
                        steps.last_mut()
                    {
                        text.push_str(piece);
                        *last = id;
                        continue;
                    }
                    Happened::Event(TurnEvent::Delta { text: piece.to_owned() })
                }
                Entry::Thought { end } => {
                    let piece = &self.thought[thought_at..*end];
                    thought_at = *end;
                    if let Some(Step { id: last, happened: Happened::Event(TurnEvent::Thought { text }) }) =
                        steps.last_mut()
                    {
                        text.push_str(piece);
                        *last = id;
                        continue;
                    }
                    Happened::Event(TurnEvent::Thought { text: piece.to_owned() })
                }
                Entry::Other(happened) => (**happened).clone(),
            };
            steps.push(Step { id, happened });
        }
        steps
    }

    fn ends_before(&self, index: usize) -> (usize, usize) {
        let mut ends = (None, None);
        for entry in self.entries[..index].iter().rev() {
            match entry {
                Entry::Text { end } => _ = ends.0.get_or_insert(*end),
                Entry::Thought { end } => _ = ends.1.get_or_insert(*end),
                Entry::Other(_) => {}
            }
            if let (Some(text), Some(thought)) = ends {
                return (text, thought);
            }
        }
        (ends.0.unwrap_or(0), ends.1.unwrap_or(0))
    }
}

/// A reader of a kept turn. Any number of them, from any tab; leaving and coming back loses nothing.
#[derive(Debug)]
pub struct Follow {
    source: Source,
    finished: bool,
}

#[derive(Debug)]
enum Source {
    Here { live: Arc<LiveTurn>, grown: watch::Receiver<u64>, after: u64 },
    Elsewhere(Box<Elsewhere>),
}

impl Follow {
    pub(crate) fn new(live: Arc<LiveTurn>, after: u64) -> Self {
        let grown = live.grown.subscribe();
        Follow { source: Source::Here { live, grown, after }, finished: false }
    }

    pub(crate) fn elsewhere(elsewhere: Elsewhere) -> Self {
        Follow { source: Source::Elsewhere(Box::new(elsewhere)), finished: false }
    }

    /// What happened since the last call, at least one step; `None` after the last. Cancel safe.
    pub async fn next(&mut self) -> Option<Vec<Step>> {
        if self.finished {
            return None;
        }
        let steps = match &mut self.source {
            Source::Here { live, grown, after } => next(live, grown, after).await?,
            Source::Elsewhere(elsewhere) => elsewhere.next().await?,
        };
        self.finished = steps.last().is_some_and(|last| matches!(last.happened, Happened::Finished { .. }));
        Some(steps)
    }
}

async fn next(live: &LiveTurn, grown: &mut watch::Receiver<u64>, after: &mut u64) -> Option<Vec<Step>> {
    loop {
        grown.borrow_and_update();
        let steps = live.log().steps(*after);
        if let Some(last) = steps.last() {
            *after = last.id;
            return Some(steps);
        }
        // A reader that resumes after the very last step has missed nothing.
        if !live.is_running() {
            return None;
        }
        grown.changed().await.ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Role, Via};

    fn entered() -> (Turns, Arc<LiveTurn>) {
        let clock = Arc::new(domain::testing::ManualClock::at(1));
        let ids = domain::Ids::new(clock);
        let caller =
            Caller { tenant: TenantId::FIRST, person: PersonId(ids.next()), role: Role::Member, via: Via::House };
        let place = Place {
            conversation: ConversationId(ids.next()),
            question: MessageId(ids.next()),
            answer: MessageId(ids.next()),
        };
        let turns = Turns::new();
        let live = turns.enter(&caller, TurnId(ids.next()), place, None).expect("free");
        (turns, live)
    }

    fn text(piece: &str) -> TurnEvent {
        TurnEvent::Delta { text: piece.into() }
    }

    fn told(steps: &[Step]) -> String {
        steps
            .iter()
            .map(|step| match &step.happened {
                Happened::Event(TurnEvent::Delta { text }) => format!("{}:{text}", step.id),
                Happened::Event(TurnEvent::Thought { text }) => format!("{}:({text})", step.id),
                other => format!("{}:{other:?}", step.id),
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn a_reader_resumes_at_any_id_and_gets_the_rest_in_one_piece() {
        let (turns, live) = entered();
        turns.tell(&live, vec![TurnEvent::Thought { text: "hm".into() }]);
        for piece in ["从前", "有", "座", "山"] {
            turns.tell(&live, vec![text(piece)]);
        }
        let check = |after, expected: &str| assert_eq!(told(&live.log().steps(after)), expected, "after {after}");
        check(0, "1:(hm) 5:从前有座山");
        check(2, "5:有座山");
        check(4, "5:山");
        check(5, "");
        check(99, "");
    }

    #[test]
    fn the_tick_takes_each_piece_once() {
        let (turns, live) = entered();
        turns.tell(&live, vec![text("a"), text("b")]);
        turns.tell(&live, vec![text("c")]);
        let gained = turns.gained();
        assert_eq!(gained.len(), 1);
        assert_eq!((gained[0].text.as_str(), gained[0].seq), ("abc", 3));
        assert!(turns.gained().is_empty());
        turns.tell(&live, vec![text("d")]);
        assert_eq!(turns.gained()[0].text, "d");
    }

    #[tokio::test]
    async fn every_reader_sees_the_end_and_then_nothing() {
        let (turns, live) = entered();
        let mut reader = Follow::new(Arc::clone(&live), 0);
        turns.tell(&live, vec![text("a")]);
        assert_eq!(told(&reader.next().await.expect("a step")), "1:a");
        turns.tell_happened(
            &live,
            Happened::Finished {
                finish: Finish::Stop,
                failure: None,
                ttft_ms: None,
                tpot_us: None,
                answer: live.place.answer,
                unsaved: false,
            },
        );
        assert_eq!(reader.next().await.expect("the end").len(), 1);
        assert!(reader.next().await.is_none());
        assert!(Follow::new(live, 2).next().await.is_none());
    }
}
