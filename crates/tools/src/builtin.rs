//! Tools of the house: small, exact, and nothing leaves. One file a member.

mod calculator;
mod clock;

use std::sync::Arc;

use domain::{Clock, ToolError, ToolSpec};
use serde_json::Value;

/// A tool of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    Calculator,
    Clock,
}

/// All there are.
pub(crate) const ALL: [Builtin; 2] = [Builtin::Calculator, Builtin::Clock];

impl Builtin {
    /// The word in a manifest, and the tool's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Builtin::Calculator => "calculator",
            Builtin::Clock => "clock",
        }
    }

    pub(crate) fn spec(self) -> ToolSpec {
        match self {
            Builtin::Calculator => calculator::spec(),
            Builtin::Clock => clock::spec(),
        }
    }

    /// Does it. The arguments fit the schema.
    pub(crate) fn call(self, clock: &Arc<dyn Clock>, arguments: &Value) -> Result<String, ToolError> {
        match self {
            Builtin::Calculator => calculator::call(arguments),
            Builtin::Clock => clock::call(clock, arguments),
        }
    }
}
