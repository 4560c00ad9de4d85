//! Finding what already runs on this machine. The ports are the scripted servers' own: a test takes no usual one.

use models::testing::{Scripted, ScriptedOllama};
use models::{Models, ProviderConfig};

use crate::{egress, options, provider};

fn port(url: &str) -> u16 {
    url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[tokio::test]
async fn what_answers_is_told_and_nothing_is_added() {
    let (ollama, other) = (ScriptedOllama::start().await, Scripted::start().await);
    let way_out = egress();
    let models = Models::new(options(), way_out.clone());
    let ports = [1, port(&ollama.url), port(&other.url)];
    let found = models.discover_at(&ports, &[]).await;
    let told: Vec<_> = found.iter().map(|one| (one.preset.as_str(), one.kind.as_str(), one.base_url.clone())).collect();
    assert_eq!(told, [("ollama", "ollama", ollama.url.clone()), ("openai-compatible", "openai", other.url.clone())]);
    assert_eq!(found[0].version.as_deref(), Some("0.12.6"));
    assert_eq!(found[0].models, ["llama3:latest", "mistral:latest", "nomic-embed-text:latest"]);
    assert_eq!(found[1].models, ["mock"]);
    assert!(models.list().is_empty() && models.providers().is_empty(), "an offer is no provider");
    assert!(way_out.contacts().is_empty(), "nothing has left the machine");

    let here = ProviderConfig {
        slug: "o".into(),
        kind: "ollama".into(),
        ..provider(&ollama.url.replace("127.0.0.1", "localhost"))
    };
    models.configure(vec![here]);
    assert_eq!(models.found()[0].known.as_deref(), Some("o"), "one that is configured is told so");
    assert_eq!(models.found()[1].known, None);
}

#[tokio::test]
async fn the_portals_own_port_and_servers_that_refuse_are_left_out() {
    let (own, keyed) = (Scripted::start().await, Scripted::start().await);
    keyed.require_key("k");
    let models = Models::new(options(), egress());
    let ports = [port(&own.url), port(&keyed.url)];
    assert_eq!(models.discover_at(&ports, &[port(&own.url)]).await, []);
    assert!(own.seen().is_empty());
    assert!(!keyed.seen().is_empty());
}
