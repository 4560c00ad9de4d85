//! Identifiers: UUIDv7 values with a type per thing they name, and the generator that keeps them in order.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Timestamp as UuidTime, Uuid};

use crate::Clock;

/// A text that is not an id. The door answers "not found": an id nobody could have been given names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: {0:?}")]
pub struct ParseIdError(String);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Uuid::try_parse(text).map($name).map_err(|_| ParseIdError(text.chars().take(64).collect()))
            }
        }
    )*};
}

ids! {
    /// A tenant: an organisation whose data no other tenant sees.
    TenantId;
    /// A person with an account.
    PersonId;
    /// A signed-in browser.
    SessionId;
    /// An API key.
    KeyId;
    /// An invitation to join or a link to set a new password.
    InvitationId;
    /// A provider that an administrator added.
    ProviderId;
    /// A conversation: a tree of messages.
    ConversationId;
    /// One message in a conversation.
    MessageId;
    /// One turn: a question on its way to its answer.
    TurnId;
    /// A file that a program uploaded.
    FileId;
    /// A file that a person uploaded in the portal.
    UploadId;
    /// Saved questions asked again of another model.
    ReplayId;
    /// A data set that models are taught with.
    DatasetId;
    /// One example of a data set, through all its edits.
    ExampleId;
    /// A training job.
    JobId;
    /// A question set asked of several models, to compare their answers.
    EvaluationId;
    /// One question about many rows or files, asked with nobody waiting.
    BatchId;
    /// An assistant, through all its versions.
    AssistantId;
    /// A text that is kept to ask with.
    PromptId;
    /// A plugin that is installed.
    PluginId;
    /// A call of a tool that waits until somebody agrees.
    ApprovalId;
}

impl TenantId {
    /// The tenant that exists from the first start, and the only one for now.
    pub const FIRST: TenantId = TenantId(Uuid::from_u128(1));
}

/// Makes ids (UUIDv7, RFC 9562) that sort by the time they were made, also while the wall clock jumps back: the generator
/// holds the latest millisecond it has seen and counts on.
#[derive(Clone)]
pub struct Ids {
    clock: Arc<dyn Clock>,
    context: Arc<std::sync::Mutex<ContextV7>>,
}

impl Ids {
    /// A generator over `clock`. One per process; clones share the order.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Ids { clock, context: Arc::new(std::sync::Mutex::new(ContextV7::new())) }
    }

    /// The next value, later than every earlier one.
    pub fn next(&self) -> Uuid {
        let ms = u64::try_from(self.clock.now().0).unwrap_or(0);
        let nanos = u32::try_from((ms % 1000) * 1_000_000).unwrap_or(0);
        let context = self.context.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Uuid::new_v7(UuidTime::from_unix(&*context, ms / 1000, nanos))
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    #[derive(Debug)]
    struct Jumping(AtomicI64);
    impl Clock for Jumping {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn ids_stay_in_order_when_the_clock_jumps_back_an_hour() {
        let clock = Arc::new(Jumping(AtomicI64::new(1_700_000_000_000)));
        let ids = Ids::new(clock.clone());
        let mut last = ids.next();
        for step in 0..2_000 {
            if step == 1_000 {
                clock.0.fetch_sub(3_600_000, Ordering::Relaxed);
            }
            let next = ids.next();
            assert!(next > last, "{next} after {last} at step {step}");
            last = next;
        }
    }

    #[test]
    fn text_that_is_no_id_is_refused_with_the_text() {
        let err = "conversation-7".parse::<ConversationId>().expect_err("no id");
        assert_eq!(err.to_string(), "not an id: \"conversation-7\"");
    }
}
