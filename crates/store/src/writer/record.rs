//! What can be handed to the writer. Text in here is stored as it is (but for U+0000, which PostgreSQL cannot hold).

use domain::{
    Act, Caller, ConversationId, Failure, FileRef, Finish, KeyId, MessageId, PersonId, Provenance, SessionId,
    Timestamp, TurnId, Usage,
};

use crate::{NewConversation, NewResponse};

/// One thing to store. *Must land*: kept and tried again while the disk is full; all others are refused then.
#[derive(Debug)]
pub enum Record {
    /// A passing turn was admitted. Written after 100 ms, unless it has ended by then. Refused when the disk is full.
    Started(Started),
    /// The question of a kept turn, and everything that belongs to it, in one commit. Refused when the disk is full.
    Asked(Box<Asked>),
    /// What running answers have said since the last tick. Must land.
    Deltas(Vec<Delta>),
    /// The end of a turn, in one commit. Must land. Settling a turn twice is settling it once.
    Settled(Box<Settled>),
    /// A response that its program wants kept. Refused when the disk is full.
    Responded(Box<NewResponse>),
    /// A line of the audit log. Refused when the disk is full.
    Act(Act),
    /// Somebody was seen. Several of one batch become one; refused when the disk is full.
    Touch(Touch),
}

/// A passing turn was admitted.
#[derive(Debug, Clone)]
pub struct Started {
    pub turn: TurnId,
    pub caller: Caller,
    pub model: String,
    /// Which door it came through: `portal`, `openai` ...
    pub door: &'static str,
    pub at: Timestamp,
}

/// The question of a kept turn: the conversation where it is new, the question (absent when one is answered anew), the empty
/// answer, the turn. A second one with the same `ask_id` of the same person is [`crate::Error::Duplicate`]; one for a
/// conversation that is not the caller's is [`crate::Error::NotFound`].
#[derive(Debug, Clone)]
pub struct Asked {
    pub caller: Caller,
    pub turn: TurnId,
    pub ask_id: String,
    pub model: String,
    pub conversation: ConversationId,
    pub new: Option<NewConversation>,
    /// The version of its assistant that an existing conversation goes on with; absent where it has none.
    pub assistant_version: Option<i64>,
    pub question: Option<NewMessage>,
    pub answer: NewAnswer,
    pub at: Timestamp,
}

/// A person's message.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub id: MessageId,
    /// The message it follows, in the same conversation; `None` at the root.
    pub parent: Option<MessageId>,
    pub text: String,
    /// What is attached to it: the caller's own.
    pub files: Vec<FileRef>,
}

/// The place of an answer that is going to be written.
#[derive(Debug, Clone)]
pub struct NewAnswer {
    pub id: MessageId,
    /// The question it answers.
    pub parent: MessageId,
}

/// What a running answer said.
#[derive(Debug, Clone)]
pub struct Delta {
    pub turn: TurnId,
    /// The last event id contained. Ascending within a turn.
    pub seq: u64,
    pub text: String,
    pub thought: String,
}

/// The end of a turn: its usage row, its audit line, the person's counter of the day, and for a kept turn the final answer.
#[derive(Debug, Clone)]
pub struct Settled {
    pub turn: TurnId,
    pub caller: Caller,
    /// `Some` for a kept turn.
    pub conversation: Option<ConversationId>,
    pub model: String,
    pub provider: String,
    pub door: &'static str,
    pub usage: Usage,
    pub finish: Finish,
    pub failure: Option<Failure>,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// Milliseconds from start to the first piece of the answer.
    pub ttft_ms: Option<u32>,
    /// Mean microseconds between pieces.
    pub tpot_us: Option<u32>,
    /// `Some` for a kept turn.
    pub answer: Option<FinalAnswer>,
}

/// The answer as it stays.
#[derive(Debug, Clone)]
pub struct FinalAnswer {
    pub id: MessageId,
    pub text: String,
    pub thought: String,
    /// Messages and tokens that did not fit the context.
    pub trimmed: Option<(u32, u32)>,
    /// Who answered, and what of the request did not reach them.
    pub provenance: Option<Provenance>,
}

/// Somebody was seen.
#[derive(Debug, Clone, Copy)]
pub enum Touch {
    /// A session was used.
    Session { session: SessionId, person: PersonId, at: Timestamp },
    /// A key was used.
    Key { key: KeyId, person: PersonId, at: Timestamp },
}
