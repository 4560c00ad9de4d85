//! What an administrator does with back ends, through the portal's doors: a card is imported and chats, an Ollama's models are
//! fetched and loaded, a matrix of capabilities survives a restart, the catalogue is read.

use models::testing::{Scripted, ScriptedOllama};
use serde_json::{Value, json};

use crate::portal::{Place, Wire, call};

const QUIET: &str = "discover = false";

/// The card that was handed over, found beside the repository.
fn handed_over() -> Option<String> {
    let folder = std::env::var("PORTICO_SHARED").unwrap_or_else(|_| "../../../shared".to_owned());
    let text = std::fs::read_to_string(format!("{folder}/fixtures/provider-card.ts")).ok();
    if text.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "PORTICO_SHARED has to be set where CI=true");
        println!("skipped: the provider card lies in PORTICO_SHARED, which is not set");
    }
    text
}

fn codes(notes: &Value) -> Vec<&str> {
    notes.as_array().expect("notes").iter().filter_map(|note| note["code"].as_str()).collect()
}

#[tokio::test]
async fn the_provider_card_as_printed_imports_and_chats() {
    let Some(text) = handed_over() else { return };
    let (scripted, ollama) = (Scripted::start().await, ScriptedOllama::start().await);
    let place = Place::new(&scripted, QUIET);
    let mut portal = place.start().await;
    let owner = portal.own().await;
    let card = text.replace("http://localhost:11434", &ollama.url);

    let wrong = owner.call("POST", "/api/providers/import", Some(&json!({"card": "{ id: 'a',\n url: x.y }"}))).await;
    let wrong = wrong.expect(422);
    assert_eq!((&wrong["params"]["line"], &wrong["params"]["column"]), (&json!(2), &json!(7)), "{wrong}");
    assert_eq!(wrong["params"]["hint"], "write the value itself, in quotes");

    let planned = owner.post("/api/providers/import", &json!({"card": card})).await;
    assert_eq!(planned["provider"], Value::Null);
    assert_eq!(codes(&planned["plan"]["notes"]), ["contradiction", "asked"]);
    assert_eq!(planned["plan"]["kind"], "ollama");
    let names: Vec<&Value> =
        planned["plan"]["models"].as_array().expect("models").iter().map(|m| &m["display_name"]).collect();
    assert_eq!(names, [&json!("Llama3"), &json!("Mistral")]);
    let before = owner.get("/api/providers").await;
    assert_eq!(before.as_array().expect("a list").len(), 1, "a plan is no provider");

    let made = owner.post("/api/providers/import", &json!({"card": card, "confirm": true})).await;
    assert_eq!(
        (&made["provider"]["kind"], &made["provider"]["name"]),
        (&json!("ollama"), &json!("Local LLM (via Ollama)"))
    );
    let key = owner.key().await;
    let body = json!({"model": "local-model/llama3", "messages": [{"role": "user", "content": "good morning"}], "stream": true});
    let heard = key.stream_of(&body).await.hear().await;
    assert_eq!(heard.text(), "You said: good morning");
}

#[tokio::test]
async fn an_ollamas_models_are_fetched_loaded_and_removed() {
    let (scripted, ollama) = (Scripted::start().await, ScriptedOllama::start().await);
    ollama.slow(20, 0);
    let provider =
        format!("{QUIET}\n[[provider]]\nslug = \"ollama\"\nkind = \"ollama\"\nbase_url = \"{}\"\n", ollama.url);
    let place = Place::new(&scripted, &provider);
    let mut portal = place.start().await;
    let owner = portal.own().await;
    let member = owner.invite("anna").await;
    member.call("GET", "/api/pulls", None).await.expect(403);
    owner.call("POST", "/api/providers/mock/load", Some(&json!({"model": "m"}))).await.expect(400);

    let begun = owner.call("POST", "/api/providers/ollama/pull", Some(&json!({"model": "qwen3:8b"}))).await.expect(202);
    assert_eq!((&begun["id"], &begun["state"]), (&json!("ollama/qwen3:8b"), &json!("running")));
    let mut wire = Wire::connect(portal.address).await;
    wire.send("GET", "/api/pulls/ollama%2Fqwen3%3A8b/events", &[("cookie", &owner.cookie)], b"").await;
    let reply = wire.reply().await;
    let steps: Vec<Value> = reply
        .text()
        .split("\n\n")
        .filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok())
        .collect();
    let last = steps.last().expect("steps");
    assert_eq!((&last["state"], &last["completed"]), (&json!("done"), &last["total"]), "{steps:?}");
    assert!(steps.len() >= 3, "progress is told on the way: {steps:?}");

    let which = json!({"model": "qwen3:8b", "keep_alive": "10m"});
    owner.call("POST", "/api/providers/ollama/load", Some(&which)).await.expect(204);
    let installed = owner.get("/api/providers/ollama/installed").await;
    let one = installed["models"].as_array().expect("models").iter().find(|model| model["name"] == "qwen3:8b");
    assert_eq!(one.expect("installed")["loaded"]["size_vram"], json!(4_661_224_676_u64));
    owner.call("POST", "/api/providers/ollama/unload", Some(&which)).await.expect(204);
    assert!(ollama.loaded().is_empty());
    owner.call("POST", "/api/providers/ollama/uninstall", Some(&which)).await.expect(204);
    owner.do_it("DELETE", "/api/pulls/ollama%2Fqwen3%3A8b").await;
    assert_eq!(owner.get("/api/pulls").await["pulls"], json!([]));
}

#[tokio::test]
async fn a_matrix_of_capabilities_survives_a_restart_and_the_catalogue_is_read() {
    let scripted = Scripted::start().await;
    let place = Place::new(&scripted, QUIET);
    let mut portal = place.start().await;
    let owner = portal.own().await;
    let path = "/api/models/mock%2Fm/capabilities";
    let before = owner.get(path).await;
    assert_eq!((&before["at"], &before["rows"], &before["cost"]["requests"]), (&Value::Null, &json!([]), &json!(9)));
    let tested = owner.post(path, &json!({})).await;
    let answer = |matrix: &Value, capability: &str| {
        let rows = matrix["rows"].as_array().expect("rows").clone();
        rows.into_iter().find(|row| row["capability"] == capability).expect("a row")["answer"].clone()
    };
    for (capability, expected) in
        [("chat", "yes"), ("stream", "yes"), ("usage", "yes"), ("tools", "no"), ("models", "no")]
    {
        assert_eq!(answer(&tested, capability), expected, "{capability}: {tested}");
    }
    owner.call("POST", "/api/models/mock%2Fno/capabilities", Some(&json!({}))).await.expect(404);
    assert_eq!(owner.get("/api/providers/found").await["found"], json!([]), "discover = false looks at nothing");

    portal.kill().await;
    let portal = place.start().await;
    let owner = portal.sign_in("owner").await;
    assert_eq!(owner.get(path).await, tested);

    let families = owner.get("/api/catalog/models").await;
    let llama = families["families"].as_array().expect("families").iter().find(|family| family["slug"] == "llama-3");
    let first = &llama.expect("Llama 3")["models"][0];
    assert_eq!((&first["name"], &first["kv_bytes_per_token"]), (&json!("Llama 3 8B"), &json!(131_072)));
    let stranger = call(portal.address, "GET", "/api/catalog/models", &[], b"").await;
    assert_eq!(stranger.status, 401);
}
