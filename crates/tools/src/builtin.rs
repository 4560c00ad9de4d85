//! Plugins of the house: what runs here itself, without a service behind it. One file a member; what each may reach is its grants'.

mod calculator;
mod clock;
mod python;
pub(crate) mod sql;
pub(crate) mod web;

use std::path::PathBuf;
use std::time::Duration;

use domain::{ToolAnswer, ToolError, ToolInput, ToolSpec};

use crate::permission::Permission;
use crate::plugin::Plugin;
use crate::sandbox::Sandbox;

/// What the machine lends to plugins of the house. Nothing, where nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// Where programs are run; without it, none are.
    pub sandbox: Option<Sandbox>,
    /// Folders whose SQLite files may be read.
    pub databases: Vec<PathBuf>,
}

/// A tool of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    Calculator,
    Clock,
    Python,
    SqlQuery,
    SqlDescribe,
    WebFetch,
    WebSearch,
}

/// All plugins there are, by their word in a manifest.
pub(crate) const ALL: [(&str, &[Builtin]); 6] = [
    ("calculator", &[Builtin::Calculator]),
    ("clock", &[Builtin::Clock]),
    ("python", &[Builtin::Python]),
    ("sql", &[Builtin::SqlQuery, Builtin::SqlDescribe]),
    ("web-fetch", &[Builtin::WebFetch]),
    ("web-search", &[Builtin::WebSearch]),
];

impl Builtin {
    pub(crate) fn spec(self) -> ToolSpec {
        match self {
            Builtin::Calculator => calculator::spec(),
            Builtin::Clock => clock::spec(),
            Builtin::Python => python::spec(),
            Builtin::SqlQuery => sql::query_spec(),
            Builtin::SqlDescribe => sql::describe_spec(),
            Builtin::WebFetch => web::fetch_spec(),
            Builtin::WebSearch => web::search_spec(),
        }
    }

    /// How long a call may take where nobody chose.
    fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Builtin::SqlQuery | Builtin::SqlDescribe => 10,
            _ => 30,
        })
    }

    /// Does it. The arguments fit the schema.
    pub(crate) async fn call(self, plugin: &Plugin, input: &ToolInput) -> Result<ToolAnswer, ToolError> {
        let arguments = &input.arguments;
        let patience = plugin.chosen_patience().unwrap_or(self.patience());
        match self {
            Builtin::Calculator => calculator::call(arguments).map(ToolAnswer::from),
            Builtin::Clock => clock::call(plugin.clock(), arguments).map(ToolAnswer::from),
            Builtin::Python => {
                plugin.must(Permission::ExecCode)?;
                let keeps = plugin.grants.contains(&Permission::WriteFiles);
                python::call(plugin.ground().sandbox.as_ref(), patience, keeps, input).await
            }
            Builtin::SqlQuery => sql::query(plugin, patience, arguments).await,
            Builtin::SqlDescribe => sql::describe(plugin, patience, arguments).await,
            Builtin::WebFetch => web::fetch(plugin, arguments).await,
            Builtin::WebSearch => web::search(plugin, arguments).await,
        }
    }
}
