//! Provider cards: the one that was handed over, as it stands; what else people write; and the place of every mistake.

use models::card::{Card, CardModel};
use models::testing::{Scripted, ScriptedOllama};
use models::{ModelConfig, Models, ProviderConfig};

use crate::{asked, egress, hear, open, options, provider};

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

fn model(id: &str, name: &str) -> CardModel {
    CardModel { id: id.into(), name: Some(name.into()), enabled: true, streaming: true }
}

#[test]
fn the_card_is_read_as_it_stands() {
    let Some(text) = handed_over() else { return };
    let card = Card::read(&text).expect("a card");
    let expected = Card {
        id: "local-model".into(),
        name: "Local LLM (via Ollama)".into(),
        url: "http://localhost:11434".into(),
        models: Some(vec![model("llama3", "Llama3"), model("mistral", "Mistral")]),
        chat: Some("/api/generate".into()),
        dialect: Some("openai-compatible".into()),
        notes: Vec::new(),
    };
    assert_eq!(card, expected);
}

#[test]
fn json_and_every_way_of_writing_an_object_are_one_card() {
    let whole =
        Card::read(r#"{"id": "a", "name": "A", "url": "http://a", "models": [{"id": "m", "streaming": false}]}"#);
    let whole = whole.expect("JSON");
    let model = CardModel { id: "m".into(), name: None, enabled: true, streaming: false };
    assert_eq!(whole.models, Some(vec![model]));
    for text in [
        "export default { id: 'a', name: \"A\", url: `http://a`, models: [{ id: 'm', streaming: false, },], };",
        "// A\nconst a = { 'id': 'a', name: 'A', /* where */ url: 'http://a', models: [{id:'m',streaming:false}] } as const\nexport default a",
        "import type { X, Y } from \"@/types\";\nexport const a: X<Y> = ({ id: 'a', name: 'A', url: 'http://a', models: [{ id: 'm', streaming: false }] }) satisfies X<Y>;",
        "module.exports = { id: 'a', name: 'A', url: 'http://\\u0061', models: [{ id: 'm', enabled: true, streaming: false }], api: undefined };",
        "interface X { id: string }\nconst other = [1];\nconst first = { id: 'no', url: 'x' };\nconst a = { id: 'a', name: 'A', url: 'http://a', models: [{ id: 'm', streaming: false }] };\nexport default a;",
    ] {
        let card = Card::read(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(card, whole, "{text}");
    }
}

#[test]
fn every_mistake_has_its_place_and_a_way_out() {
    for (text, told) in [
        ("{ id: 'a' }", "line 1, column 1: the card has no `url`; say where the server is"),
        (
            "{\n  url: process.env.OLLAMA_URL,\n}",
            "line 2, column 8: `process.env.OLLAMA_URL` is code, and nothing is run; write the value",
        ),
        ("{ id: 'a', url: 'http://' + host }", "line 1, column 27: `+` would have to be computed"),
        ("{ id: 'a', url: `http://${host}` }", "line 1, column 25: `${…}` would have to be computed"),
        ("{ id: 'a',\n url: 'http://a }", "line 2, column 7: this ' is not closed"),
        ("{ id: 'a' url: 'http://a' }", "line 1, column 11: a comma is missing before this"),
        ("{ id: 'a', ...rest }", "line 1, column 12: `...` would have to be computed"),
        ("{ id: 'a', id: 'b', url: 'x' }", "line 1, column 12: `id` stands here twice"),
        ("{ id: 1, url: 'http://a' }", "line 1, column 7: `id` is a number where a text is expected"),
        (
            "{ id: '名', url: 'x', models: [{ id: 'm', enabled: 'yes' }] }",
            "line 1, column 51: `enabled` is a text where true or false",
        ),
        ("{ id: 'a', url: 'x', models: {} }", "line 1, column 30: `models` is an object where a list is expected"),
        ("{ id: 'a', url: 'x', models: [{ name: 'M' }] }", "line 1, column 31: a model has no `id`"),
        ("{ id: 'a', url: 'x', models: ['m', 'm'] }", "line 1, column 36: the model `m` stands here twice"),
        ("{ id: 'a', url: 'x'", "line 1, column 1: this { has no }"),
        ("function card() { return {} }", "line 1, column 1: `function` is not part of a provider card"),
        ("", "line 1, column 1: there is no object in this text"),
    ] {
        let error = Card::read(text).expect_err(text).to_string();
        assert!(error.starts_with(told), "{text}: {error}");
    }
    let deep = format!("{{ id: 'a', url: 'x', models: {}1{} }}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(Card::read(&deep).expect_err("deep").message.contains("too deeply"));
}

#[test]
fn unknown_fields_are_told_in_both_languages() {
    let card = Card::read(
        "{ id: 'a', url: 'http://a',\n  proxyUrl: { placeholder: 'x' }, models: [{ id: 'm', vision: true }] }",
    );
    let notes = card.expect("a card").notes;
    let told: Vec<&str> = notes.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "`vision` (line 2, column 55) is not used: Portico has no such setting",
            "`proxyUrl` (line 2, column 3) is not used: Portico has no such setting",
        ]
    );
    assert!(notes.iter().all(|note| note.code == "unknown_field" && note.message_zh.contains("未使用")));
}

#[tokio::test]
async fn the_contradiction_is_explained_and_the_server_decides() {
    let Some(text) = handed_over() else { return };
    let ollama = ScriptedOllama::start().await;
    let models = Models::new(options(), egress());
    let card = Card::read(&text.replace("http://localhost:11434", &ollama.url)).expect("a card");
    let plan = models.plan(&card, None).await.expect("a plan");
    assert_eq!(
        (plan.slug.as_str(), plan.kind.as_str(), plan.base_url.as_str()),
        ("local-model", "ollama", ollama.url.as_str())
    );
    let asked: Vec<(&str, bool)> = plan.asked.iter().map(|one| (one.kind.as_str(), one.answered)).collect();
    assert_eq!(asked, [("ollama", true), ("openai", true)]);
    let codes: Vec<&str> = plan.notes.iter().map(|note| note.code).collect();
    assert_eq!(codes, ["contradiction", "asked"]);
    assert!(plan.notes[0].message.contains("`/api/generate` is Ollama's native endpoint and not OpenAI-compatible"));
    assert!(plan.notes[1].message.contains("Both answered"), "{}", plan.notes[1].message);
    assert!(plan.notes.iter().all(|note| note.message_zh.contains("接口")));

    // As planned, it chats.
    let (kind, named) = (plan.kind.clone(), plan.models.clone());
    models.configure(vec![ProviderConfig {
        slug: plan.slug,
        name: plan.name,
        kind,
        models: named,
        ..provider(&plan.base_url)
    }]);
    let prompt = crate::chat("");
    let body =
        serde_json::json!({"model": "x", "messages": [{"role": "user", "content": "hello there"}], "stream": true});
    let prompt = domain::Prompt { model: "local-model/mistral".into(), body: asked_body(body), ..prompt };
    let heard = hear(open(&models, prompt).await.expect("an answer")).await;
    assert_eq!(heard.text(), "You said: hello there");
    assert_eq!(models.find("local-model/mistral").expect("listed").name, "Mistral");
}

fn asked_body(body: serde_json::Value) -> Option<domain::ClientBody> {
    asked(body).body
}

#[tokio::test]
async fn a_server_that_only_speaks_openai_is_used_so() {
    let scripted = Scripted::start_with("models=llama3,phi3").await;
    let models = Models::new(options(), egress());
    let text = format!(
        "{{ id: 'Mein Büro', url: '{}', models: [{{ id: 'llama3', enabled: false }}, {{ id: 'mistral', streaming: false }}],
           api: {{ chat: '/api/generate', type: 'openai-compatible' }} }}",
        scripted.url
    );
    let plan = models.plan(&Card::read(&text).expect("a card"), None).await.expect("a plan");
    assert_eq!((plan.kind.as_str(), plan.slug.as_str()), ("openai", "mein-b-ro"));
    let asked: Vec<(&str, bool)> = plan.asked.iter().map(|one| (one.kind.as_str(), one.answered)).collect();
    assert_eq!(asked, [("ollama", false), ("openai", true)]);
    let codes: Vec<&str> = plan.notes.iter().map(|note| note.code).collect();
    assert_eq!(codes, ["contradiction", "asked", "not_installed", "hidden", "no_stream"]);
    let named = plan.models.expect("named");
    assert_eq!(named[0], ModelConfig { enabled: false, ..ModelConfig::named("llama3") });
    assert_eq!(named[1], ModelConfig { streaming: false, ..ModelConfig::named("mistral") });
}

#[tokio::test]
async fn what_nobody_answers_and_what_nobody_knows_is_said() {
    let models = Models::new(options(), egress());
    let card = |api: &str| Card::read(&format!("{{ id: 'a', url: 'http://127.0.0.1:1', {api} }}")).expect("a card");
    let silent = models.plan(&card("api: { chat: '/api/chat' }"), None).await.expect("a plan");
    assert_eq!((silent.kind.as_str(), silent.notes[0].code), ("ollama", "nobody_answered"));
    let under = models.plan(&card("api: { chat: '/api/v3/chat/completions' }"), None).await.expect("a plan");
    assert_eq!((under.kind.as_str(), under.base_url.as_str()), ("openai", "http://127.0.0.1:1/api/v3"));
    let odd = models.plan(&card("api: { type: 'telex' }"), None).await.expect_err("no such dialect");
    assert!(odd.contains("`telex`") && odd.contains("openai-compatible"), "{odd}");
    assert!(models.plan(&card("api: { chat: '/talk' }"), None).await.expect_err("no such path").contains("/talk"));
}

#[test]
fn whatever_is_cut_or_changed_is_read_or_refused_with_a_place_inside_the_text() {
    let text = "// c\nimport { X } from 'x';\nconst a: X = { id: '名\\u{4f60}', \"url\": `http://a`, n: -1.5e3, models: [{ id: 'm', enabled: !0 }, 'n',], api: { chat: null } } as const; /* e */ export default a;";
    let check = |text: &str| {
        if let Err(error) = Card::read(text) {
            let line = text.split('\n').nth(error.line - 1).unwrap_or_else(|| panic!("{text}: {error}"));
            assert!(error.column <= line.chars().count() + 1, "{text}: {error}");
        }
    };
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    for at in places {
        check(&text[..at]);
        check(&text[at..]);
        for with in ["", "{", "}", "'", "\\", "`", "$", "(", "/*", "=", "\n", "é", "\u{feff}"] {
            let rest = text[at..].chars().next().map_or(0, char::len_utf8);
            check(&format!("{}{with}{}", &text[..at], &text[at + rest..]));
        }
    }
}
