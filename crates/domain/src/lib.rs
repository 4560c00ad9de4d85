//! The words of the house: ids, who asks, what is asked, what happens in a turn, and the ports that a crate calls without
//! seeing their members. No I/O and nothing that runs: no tokio, sqlx, hyper or axum.

#![warn(missing_docs)]

mod act;
mod caller;
mod clock;
mod event;
mod file;
mod id;
mod message;
mod model;
mod prompt;
mod scope;
mod tool;
mod usage;

pub use act::Act;
pub use caller::{Caller, Role, Via};
pub use clock::{Clock, SystemClock, Timestamp, civil};
pub use event::{Batch, Dialect, Failure, Finish, TurnEvent, Wire};
pub use file::{FileRef, LeftOut, Passage, Unread};
pub use id::{
    ApprovalId, AssistantId, BatchId, ConversationId, DatasetId, EvaluationId, ExampleId, FileId, Ids, InvitationId,
    JobId, KeyId, MessageId, ParseIdError, PersonId, PluginId, PromptId, ProviderId, ReplayId, SessionId, TenantId,
    TurnId, UploadId,
};
pub use message::{Author, Message, Rating, Verdict};
pub use model::{
    BoxFuture, BoxStream, ModelError, ModelProvider, ModelState, Offered, Provenance, Reply, Route, Spent, TimedOut,
    Tried,
};
pub use prompt::{ClientBody, OnBehalf, Priority, Prompt, Sampling, Task};
pub use scope::{KeyBudget, KeyScope};
pub use tool::{Attachment, Tool, ToolAnswer, ToolCall, ToolError, ToolInput, ToolPart, ToolRound, ToolSpec, ToolStep};
pub use usage::{Confidence, Tokens, Usage};

#[cfg(feature = "testing")]
pub mod testing;
