//! What an API key may do: which models, for what, how much, how often, from where. It is read on every request, from memory;
//! who keeps it and who refuses is elsewhere (`identity` the address, `chat` model and task, `ledger` the budget).

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::Task;

/// The scope of a key. The default one is everything its person may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyScope {
    /// Names of models: an id (`ollama/llama3`), an alias (`main`), or all of a provider (`ollama/*`). Empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// What it may ask for. Empty: everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
    /// Addresses it may be used from. Empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpNet>,
    /// How much it may use.
    #[serde(flatten)]
    pub budget: KeyBudget,
}

/// How much a key may use. Its person's own daily limit holds beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyBudget {
    /// Tokens a UTC day, read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<u64>,
    /// Tokens altogether, from the day the key was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_total: Option<u64>,
    /// Requests in a minute that begins with its first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
}

impl KeyScope {
    /// Whether a model may be asked that the client calls `asked` and the house `id`.
    pub fn allows_model(&self, asked: &str, id: &str) -> bool {
        let named = |pattern: &String| match pattern.strip_suffix('*').filter(|start| start.ends_with('/')) {
            Some(provider) => id.starts_with(provider),
            None => pattern == asked || pattern == id,
        };
        self.models.is_empty() || self.models.iter().any(named)
    }

    /// Whether it may be used for this.
    pub fn allows_task(&self, task: Task) -> bool {
        self.tasks.is_empty() || self.tasks.contains(&task)
    }

    /// Whether it may be used from there.
    pub fn allows_address(&self, address: &IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|net| net.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(models: &[&str]) -> KeyScope {
        KeyScope { models: models.iter().map(|name| (*name).to_owned()).collect(), ..KeyScope::default() }
    }

    #[test]
    fn a_model_is_named_by_id_by_alias_or_with_all_of_its_provider() {
        for (models, asked, id, allowed) in [
            (&[][..], "anything", "ollama/llama3", true),
            (&["ollama/llama3"], "ollama/llama3", "ollama/llama3", true),
            (&["ollama/llama3"], "llama3", "ollama/llama3", true),
            (&["ollama/llama3"], "ollama/llama3.1", "ollama/llama3.1", false),
            (&["ollama/*"], "llama3", "ollama/llama3", true),
            (&["ollama/*"], "ollama-two/m", "ollama-two/m", false),
            (&["main"], "main", "openai/gpt-4", true),
            (&["main"], "openai/gpt-4", "openai/gpt-4", false),
            (&["openai/*", "main"], "main", "main", true),
        ] {
            assert_eq!(of(models).allows_model(asked, id), allowed, "{models:?} {asked} {id}");
        }
    }

    #[test]
    fn an_address_is_inside_one_of_the_ranges() {
        let scope = KeyScope {
            addresses: ["10.0.0.0/8", "2001:db8::/32"].iter().map(|net| net.parse().expect("a range")).collect(),
            ..KeyScope::default()
        };
        for (address, allowed) in
            [("10.1.2.3", true), ("11.0.0.1", false), ("2001:db8::1", true), ("2001:db9::1", false)]
        {
            assert_eq!(scope.allows_address(&address.parse().expect("an address")), allowed, "{address}");
        }
        assert!(KeyScope::default().allows_address(&"192.0.2.1".parse().expect("an address")));
    }

    #[test]
    fn what_is_kept_of_a_scope_is_only_what_it_says() {
        let scope = KeyScope {
            models: vec!["main".into()],
            tasks: vec![Task::Chat, Task::Embeddings],
            addresses: vec!["10.0.0.0/8".parse().expect("a range")],
            budget: KeyBudget { tokens_per_day: Some(5), ..KeyBudget::default() },
        };
        let kept = r#"{"models":["main"],"tasks":["chat","embeddings"],"addresses":["10.0.0.0/8"],"tokens_per_day":5}"#;
        assert_eq!(serde_json::to_string(&scope).expect("JSON"), kept);
        assert_eq!(serde_json::from_str::<KeyScope>(kept).expect("a scope"), scope);
        assert_eq!(serde_json::from_str::<KeyScope>("{}").expect("a scope"), KeyScope::default());
        assert_eq!(serde_json::to_string(&KeyScope::default()).expect("JSON"), "{}");
    }
}
