//! One turn, from question to last token. Two kinds of turn take the same line: a kept one belongs to a conversation and
//! outlives its readers; a passing one belongs to an API request and ends when its client leaves. Not here: who the caller is
//! (`identity`), how a model is reached (`models`), what the wire looks like (`server`).

mod answer;
mod approvals;
mod batch;
mod context;
mod elsewhere;
mod enquiry;
mod evaluation;
mod files;
mod live;
mod passing;
mod persona;
mod prompted;
mod replay;
mod rounds;
mod similarity;
mod title;
mod tryout;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Ids, ModelError, TurnId};
use ledger::Ledger;
use models::Models;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tools::Gateway;

pub use answer::{Answer, Ending};
pub use approvals::{Word, approver_of};
pub use batch::{BatchAsk, BatchSource, Previewed};
pub use files::{Files, Reader};
pub use live::{Follow, Happened, Notice, Step, TurnChange};
pub use passing::Passing;
pub use replay::ReplayAsk;
pub use title::title_of;
pub use tryout::{TRYOUT, TriedOut, TryOut};
pub use turn::{Ask, Question, Request, Taken, default_model};

/// Why a turn was not taken. Nothing has been stored then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This branch is being answered: follow that turn, stop it, or ask in another branch.
    #[error("this branch is still being answered by turn {turn}")]
    TurnRunning {
        /// The turn that is running.
        turn: TurnId,
    },
    /// No model is configured: an administrator adds one.
    #[error("no model is configured; an administrator adds one under Settings, Models")]
    NoModel,
    /// The model is not offered here.
    #[error("there is no model {model:?}; GET /v1/models lists those there are")]
    NoSuchModel {
        /// As it was asked for.
        model: String,
    },
    /// The key may not use this model: ask for one it may, or widen the key.
    #[error("this API key may not use the model {model:?}; GET /v1/models lists those it may use")]
    ModelNotAllowed {
        /// As it was asked for.
        model: String,
    },
    /// The key may not be used for this: widen it, or take another.
    #[error("this API key may not be used for this kind of request; its settings name what it may be used for")]
    TaskNotAllowed,
    /// The conversation or message is not there, or is another person's.
    #[error("there is no such {what}")]
    NotFound {
        /// `conversation`, `message`, `turn`, `file` or `assistant`.
        what: &'static str,
    },
    /// The question has no text.
    #[error("the question is empty")]
    Empty,
    /// More files than one question takes: attach some of them to the next.
    #[error("a question takes at most {most} files")]
    TooManyFiles {
        /// How many it takes.
        most: usize,
    },
    /// A file could not be read: its sentence says what to do.
    #[error("{reason}")]
    Unreadable {
        /// A word of the error table: `file_encrypted`, `file_damaged` ...
        code: &'static str,
        /// The sentence.
        reason: String,
    },
    /// A batch cannot be asked so: change what is named.
    #[error("{reason}")]
    Batch {
        /// `table`, `files`, `template` or `at_once`.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Somebody else has to agree to this call.
    #[error("somebody else has to agree to this call")]
    MayNotDecide,
    /// Somebody was first.
    #[error("somebody has already decided about this call")]
    Decided,
    /// The portal is going down: ask again in a moment.
    #[error("the portal is restarting; ask again in a moment")]
    Draining,
    /// Over a limit.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The model gave no answer.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Takes turns. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Chat {
    house: Arc<House>,
}

/// What a turn needs to happen.
#[derive(Debug)]
struct House {
    store: Store,
    models: Models,
    ledger: Ledger,
    tools: Gateway,
    files: Files,
    clock: Arc<dyn Clock>,
    ids: Ids,
    live: live::Turns,
    replays: replay::Running,
    evaluations: evaluation::Running,
    batches: batch::Running,
    /// Holds a token for every passing turn.
    passing: TaskTracker,
    tasks: TaskTracker,
    draining: CancellationToken,
    interrupt: CancellationToken,
}

impl Chat {
    /// Joins the parts and starts the tick that writes what running answers have gained (every 100 ms, all of them in one
    /// record).
    pub fn start(
        store: Store,
        models: Models,
        ledger: Ledger,
        tools: Gateway,
        files: Files,
        clock: Arc<dyn Clock>,
        ids: Ids,
    ) -> Chat {
        let chat = Chat {
            house: Arc::new(House {
                live: live::Turns::new(),
                replays: replay::Running::default(),
                evaluations: evaluation::Running::default(),
                batches: batch::Running::default(),
                passing: TaskTracker::new(),
                tasks: TaskTracker::new(),
                draining: CancellationToken::new(),
                interrupt: CancellationToken::new(),
                store,
                models,
                ledger,
                tools,
                files,
                clock,
                ids,
            }),
        };
        let ticking = Arc::clone(&chat.house);
        chat.house.tasks.spawn(async move { ticking.live.keep(ticking.store.writer(), &ticking.interrupt).await });
        chat.house.tasks.spawn(Arc::clone(&chat.house).hear_the_others());
        chat
    }

    /// No new turns from here on. Running ones, kept and passing, go on until `deadline`; kept ones that are left are marked
    /// interrupted, with what had arrived.
    pub async fn drain(&self, deadline: Duration) {
        self.house.draining.cancel();
        let quiet = async {
            while self.house.live.running() > 0 || !self.house.passing.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(deadline, quiet).await;
        self.house.interrupt.cancel();
        self.house.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(5), self.house.tasks.wait()).await;
    }

    /// How many kept turns are being answered.
    pub fn running(&self) -> usize {
        self.house.live.running()
    }
}
