//! The gateway before real services: what a manifest comes to, what leaves and what does not, and what is written down of it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail a test by panicking; and what is skipped is printed"
)]

mod calls;
mod documents;
mod erp;
mod files;
mod manifests;
mod mcp;
mod mcp_service;
mod permissions;
mod python;
mod service;
mod sql;
mod web;

use std::sync::Arc;

use domain::testing::{ManualClock, somebody};
use domain::{Attachment, Caller, Clock, Ids, ToolCall};
use egress::{Egress, Options};
use serde_json::{Value, json};
use store::{Place, Store};
use tools::{Answered, Error, Gateway, Ground, Installed, Order, Vault};

/// Reverses, under a label: enough to see that nothing is stored in the clear, or opened elsewhere.
struct Backwards;

impl Vault for Backwards {
    fn seal(&self, label: &str, plain: &[u8]) -> Option<Vec<u8>> {
        Some(label.bytes().chain([0]).chain(plain.iter().rev().copied()).collect())
    }

    fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let rest = sealed.strip_prefix(label.as_bytes())?.strip_prefix(&[0])?;
        Some(rest.iter().rev().copied().collect())
    }
}

pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) store: Store,
    pub(crate) admin: Caller,
    pub(crate) egress: Arc<Egress>,
}

impl House {
    pub(crate) async fn open() -> House {
        House::on(Ground::default()).await
    }

    pub(crate) async fn on(ground: Ground) -> House {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_795_435_200_000));
        let ids = Ids::new(clock.clone());
        let options = store::Options { place: Place::Memory, clock: clock.clone(), ids, node: "test".into() };
        let store = Store::open(options).await.expect("a store");
        let egress = Arc::new(Egress::new(Options::default(), clock.clone()).expect("a client"));
        let gateway = Gateway::on(ground, store.clone(), egress.clone(), Box::new(Backwards), clock);
        House { gateway, store, admin: somebody(1), egress }
    }

    pub(crate) async fn install(&self, order: Order) -> Installed {
        match self.gateway.install(&self.admin, order).await {
            Ok(made) => made,
            Err(error) => panic!("{}", flaws(&error)),
        }
    }

    pub(crate) async fn refused(&self, order: Order) -> String {
        flaws(&self.gateway.install(&self.admin, order).await.expect_err("refused"))
    }

    /// What a model would read.
    pub(crate) async fn call(&self, tool: &str, arguments: &Value) -> String {
        let call = ToolCall { id: "1".into(), name: tool.into(), arguments: arguments.to_string() };
        self.gateway.call(&self.admin, None, &call, Vec::new()).await.text
    }

    pub(crate) async fn answered(&self, tool: &str, arguments: &Value, files: Vec<Attachment>) -> Answered {
        let call = ToolCall { id: "1".into(), name: tool.into(), arguments: arguments.to_string() };
        self.gateway.call(&self.admin, None, &call, files).await
    }

    pub(crate) async fn log(&self, plugin: &str) -> Vec<store::PluginCall> {
        self.store.plugin_calls(self.admin.tenant, plugin, 100).await.expect("rows")
    }
}

/// Every flaw on a line of its own.
pub(crate) fn flaws(error: &Error) -> String {
    let Error::Flawed { flaws } = error else { return error.to_string() };
    flaws.iter().map(|flaw| format!("{}: {}", flaw.field, flaw.message)).collect::<Vec<_>>().join("\n")
}

pub(crate) fn order(manifest: Value) -> Order {
    Order { manifest, ..Order::default() }
}

/// A manifest that comes with the house.
pub(crate) fn preset(id: &str) -> Value {
    tools::presets().into_iter().find(|preset| preset["id"] == id).expect("it comes with the house")
}

/// The manifest of the file analyser as it stands, at another address.
pub(crate) fn analyzer(base_url: &str) -> Order {
    let manifest = preset("file-analyzer");
    assert_eq!(manifest["permissions"], json!(["read:files"]));
    let mut order = order(manifest);
    order.choices.base_url = Some(base_url.to_owned());
    order
}
