//! What an administrator says about an alias: a name that stays while the models behind it change. How a deployment is chosen
//! for a request is the router's.

use domain::{ConversationId, Priority, Tokens};
use serde::{Deserialize, Serialize};

/// A name for one or several deployments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AliasConfig {
    /// What a request names it by. It wins over a model's id of the same name, so that a name in use can be led elsewhere.
    pub name: String,
    /// Its name for people; `name` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The deployments that answer for it, as equals.
    pub targets: Vec<Target>,
    /// How one of them is chosen.
    pub balance: Balance,
    /// Models or aliases that are asked one after the other where no target gives a first token.
    pub fallbacks: Vec<String>,
    /// How many requests it has under way at the same time over all its targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// Whether it answers for every model that nobody knows.
    pub catch_all: bool,
}

/// One deployment of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `provider/name`
    pub model: String,
    /// Its share beside the others; 0 takes it out. Not looked at by [`Balance::PrefixAware`].
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

impl Target {
    /// One with the usual weight.
    pub fn of(model: &str) -> Self {
        Target { model: model.to_owned(), weight: 1 }
    }
}

/// How one of several deployments is chosen, among those that are ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// The one with the fewest requests under way for its weight.
    #[default]
    LeastBusy,
    /// By weight alone.
    Weighted,
    /// The one that has probably read the beginning of this prompt before, unless it is busier than its share.
    PrefixAware,
    /// Always the same one for a conversation; it moves only while that one is not ready.
    Sticky,
}

impl Balance {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Balance; 4] = [Balance::LeastBusy, Balance::Weighted, Balance::PrefixAware, Balance::Sticky];

    /// The word for it in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Balance::LeastBusy => "least_busy",
            Balance::Weighted => "weighted",
            Balance::PrefixAware => "prefix_aware",
            Balance::Sticky => "sticky",
        }
    }
}

/// What a request is part of, as far as the router needs to know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Errand {
    /// The conversation, for deployments that stay with one.
    pub conversation: Option<ConversationId>,
    /// Whether somebody is watching.
    pub priority: Priority,
    /// The longest answer that was asked for, in tokens, where the prompt does not say it itself.
    pub longest: Option<Tokens>,
}
