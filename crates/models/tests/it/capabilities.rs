//! The matrix of capabilities, against back ends whose abilities are known.

use models::capability::{Answer, CAPABILITIES, Capability, Evidence};
use models::testing::{Scripted, ScriptedOllama};
use models::{Models, ProviderConfig};

use crate::{egress, options, provider};

fn house(kind: &str, url: &str, model: &str) -> Models {
    let models = Models::new(options(), egress());
    let named = Some(vec![models::ModelConfig::named(model)]);
    models.configure(vec![ProviderConfig { kind: kind.into(), models: named, ..provider(url) }]);
    models
}

fn row(matrix: &[Evidence], capability: Capability) -> &Evidence {
    matrix.iter().find(|row| row.capability == capability).expect("every capability has its row")
}

#[tokio::test]
async fn each_answer_has_its_evidence() {
    let ollama = ScriptedOllama::start().await;
    let matrix = house("ollama", &ollama.url, "llama3").test("mock/llama3").await.expect("there is such a model");
    assert_eq!(matrix.iter().map(|row| row.capability).collect::<Vec<_>>(), CAPABILITIES);
    let told = |capability| {
        let row = row(&matrix, capability);
        (row.answer, row.said.as_str())
    };
    assert_eq!(told(Capability::Models), (Answer::Yes, "3 listed, this one among them"));
    assert_eq!(told(Capability::Chat), (Answer::Yes, "You said: Say OK."));
    assert_eq!(told(Capability::Stream), (Answer::Yes, "6 pieces"));
    assert_eq!(told(Capability::Usage), (Answer::Yes, "7 tokens read, 6 written"));
    assert_eq!(told(Capability::JsonSchema), (Answer::No, "You said: How much is six times seven?"));
    assert_eq!(told(Capability::Vision).0, Answer::Unknown, "a picture that is passed over was not seen");
    assert_eq!(told(Capability::Logprobs), (Answer::No, "the answer has none"));
    assert_eq!(told(Capability::Reasoning).0, Answer::No);
    let asked = ollama.seen().iter().filter(|seen| seen.path.starts_with("/v1/")).count();
    assert!(asked <= models::capability::COST.0 as usize, "{asked} requests");
}

#[tokio::test]
async fn a_refusal_is_a_no_with_its_status_and_silence_leaves_it_open() {
    let scripted = Scripted::start_with("status=422").await;
    let refused = house("openai", &scripted.url, "mock").test("mock/mock").await.expect("there is such a model");
    let chat = row(&refused, Capability::Chat);
    assert_eq!((chat.answer, chat.status, chat.said.contains("mock status 422")), (Answer::No, Some(422), true));
    let silent = house("openai", "http://127.0.0.1:1/v1", "m").test("mock/m").await.expect("there is such a model");
    assert_eq!(silent.len(), CAPABILITIES.len());
    assert!(silent.iter().all(|row| row.answer == Answer::Unknown), "{silent:?}");
    assert!(row(&silent, Capability::Rerank).said.contains("nothing answers"));
    assert_eq!(house("openai", &scripted.url, "mock").test("mock/other").await, None);
}
