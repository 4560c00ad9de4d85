//! Plugins of the house: what runs here itself, without a service behind it. One file a member; what each may reach is its grants'.

mod calculator;
mod clock;
mod contract;
mod invoice;
mod python;
mod reading;
pub(crate) mod sql;
pub(crate) mod web;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{ToolAnswer, ToolError, ToolInput, ToolSpec};

use crate::permission::Permission;
use crate::plugin::Plugin;
use crate::sandbox::Sandbox;

pub use reading::{As, Documents, Piece};

/// What the machine lends to plugins of the house. Nothing, where nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// Where programs are run; without it, none are.
    pub sandbox: Option<Sandbox>,
    /// Folders whose SQLite files may be read.
    pub databases: Vec<PathBuf>,
    /// What reads files; without it, no plugin of the house does.
    pub documents: Option<Arc<dyn Documents>>,
}

/// A tool of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    Calculator,
    Clock,
    ContractDiff,
    InvoiceFields,
    Python,
    SqlQuery,
    SqlDescribe,
    WebFetch,
    WebSearch,
}

/// All plugins there are, by their word in a manifest.
pub(crate) const ALL: [(&str, &[Builtin]); 8] = [
    ("calculator", &[Builtin::Calculator]),
    ("clock", &[Builtin::Clock]),
    ("contract-diff", &[Builtin::ContractDiff]),
    ("invoice-fields", &[Builtin::InvoiceFields]),
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
            Builtin::ContractDiff => contract::spec(),
            Builtin::InvoiceFields => invoice::spec(),
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
            // As long as two large files may take to be read.
            Builtin::ContractDiff | Builtin::InvoiceFields => 120,
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
            Builtin::ContractDiff => {
                plugin.must(Permission::ReadFiles)?;
                timed(patience, contract::call(plugin, input)).await
            }
            Builtin::InvoiceFields => {
                plugin.must(Permission::ReadFiles)?;
                timed(patience, invoice::call(plugin, input)).await
            }
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

async fn timed(
    patience: Duration,
    work: impl Future<Output = Result<ToolAnswer, ToolError>>,
) -> Result<ToolAnswer, ToolError> {
    tokio::time::timeout(patience, work).await.unwrap_or(Err(ToolError::TimedOut { after: patience }))
}
