//! llama.cpp's vectors and ranks beside those that were computed apart from it (`scripts/minilm`): a real embedder, a small reranker.

use std::{env, fs, path::PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::worker::Worker;

#[derive(Deserialize)]
struct Reference {
    texts: Vec<Text>,
    ranks: Ranks,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    tokens: Vec<i32>,
    vector: Vec<f64>,
}

#[derive(Deserialize)]
struct Ranks {
    query: String,
    documents: Vec<Document>,
}

#[derive(Deserialize)]
struct Document {
    document: String,
    tokens: Vec<i32>,
    score: f64,
}

/// What `scripts/minilm` made; `None`, said aloud, where it has not run.
fn material() -> Option<(PathBuf, Reference)> {
    let folder = env::var_os("PORTICO_MINILM").map_or_else(|| PathBuf::from("../../.work/minilm"), PathBuf::from);
    let Ok(reference) = fs::read(folder.join("reference.json")) else {
        assert!(env::var_os("CI").is_none(), "{} is absent: run scripts/minilm", folder.display());
        eprintln!("skipped: {} is absent (run scripts/minilm)", folder.display());
        return None;
    };
    Some((folder, serde_json::from_slice(&reference).expect("the reference")))
}

fn started(model: &str) -> Option<(Worker, Reference)> {
    let (folder, reference) = material()?;
    // One thread: where tests run beside each other, several would mostly wait for one another.
    let worker = Worker::start(&[folder.join(model).to_str().expect("a path"), "--threads", "1"]).ready();
    Some((worker, reference))
}

fn vectors(answer: &Value) -> Vec<Vec<f64>> {
    let data = answer["data"].as_array().unwrap_or_else(|| panic!("{answer}"));
    data.iter().map(|entry| serde_json::from_value(entry["embedding"].clone()).expect("numbers")).collect()
}

/// One minus the cosine: the vectors have the length 1.
fn distance(left: &[f64], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len());
    1.0 - left.iter().zip(right).map(|(left, right)| left * right).sum::<f64>()
}

fn largest_difference(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max)
}

#[test]
fn minilm_reads_texts_as_its_makers_tokenizer_and_makes_the_vectors_of_the_reference() {
    let Some((worker, reference)) = started("minilm.gguf") else { return };
    let meta = worker.get("/v1/models").json()["data"][0]["meta"].clone();
    assert_eq!(
        (&meta["dimensions"], &meta["pooling"], &meta["context_length"]),
        (&json!(384), &json!("mean"), &json!(512))
    );
    let mut worst: f64 = 0.0;
    for Text { text, tokens, vector } in &reference.texts {
        let answer = worker.post("/v1/embeddings", &json!({"input": text})).json();
        let by_tokens = worker.post("/v1/embeddings", &json!({"input": tokens})).json();
        assert_eq!(answer["usage"]["prompt_tokens"], tokens.len(), "{text:?}");
        assert_eq!(vectors(&answer), vectors(&by_tokens), "{text:?}");
        let far = distance(&vectors(&answer)[0], vector);
        assert!(far < 1e-3, "{text:?} is {far} away");
        worst = worst.max(far);
    }
    println!(
        "the farthest of {} texts is {worst:.2e} from the reference (one minus the cosine)",
        reference.texts.len()
    );
}

#[test]
fn a_thousand_texts_at_once_get_the_vectors_that_they_get_alone() {
    let Some((worker, reference)) = started("minilm.gguf") else { return };
    let texts: Vec<String> = (0..1000)
        .map(|nth| {
            let text: String = reference.texts[nth % 14].text.chars().take(4).collect();
            format!("{text} {nth}")
        })
        .collect();
    let together = vectors(&worker.post("/v1/embeddings", &json!({"input": texts})).json());
    assert_eq!(together.len(), 1000);
    let mut worst: f64 = 0.0;
    for (text, together) in texts.iter().zip(&together).step_by(29) {
        let alone = vectors(&worker.post("/v1/embeddings", &json!({"input": text})).json());
        worst = worst.max(distance(&alone[0], together));
    }
    println!("the farthest is {worst:.2e} from what it is alone (one minus the cosine)");
    assert!(worst < 1e-5, "{worst}");
    let mut order: Vec<usize> = (0..1000).collect();
    order.sort_by(|&left, &right| together[left].partial_cmp(&together[right]).expect("numbers"));
    assert!(order.windows(2).all(|pair| together[pair[0]] != together[pair[1]]), "each has its own");
}

#[test]
fn a_text_longer_than_the_model_reads_is_refused_with_the_figure_and_the_worker_lives() {
    let Some((worker, _)) = started("minilm.gguf") else { return };
    let reply = worker.post("/v1/embeddings", &json!({"input": ["short", "word ".repeat(511), "short"]}));
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (400, Some("context_length_exceeded")));
    assert_eq!(reply.json()["error"]["message"], "input[1] has 513 tokens and this model reads at most 512");
    let reply = worker.post("/v1/embeddings", &json!({"input": "word ".repeat(200_000)}));
    assert_eq!(reply.json()["error"]["message"], "the input has 200002 tokens and this model reads at most 512");
    let reply = worker.post("/v1/embeddings", &json!({"input": "a", "dimensions": 128}));
    assert_eq!(
        reply.json()["error"]["message"],
        "dimensions must be 384: the vectors of this model were not trained to be cut"
    );
    assert_eq!(worker.post("/v1/embeddings", &json!({"input": "word ".repeat(510)})).status, 200);
}

#[test]
fn people_who_ask_at_once_get_their_own() {
    let Some((worker, reference)) = started("minilm.gguf") else { return };
    std::thread::scope(|scope| {
        for person in 0..8 {
            let (worker, texts) = (&worker, &reference.texts);
            scope.spawn(move || {
                for text in texts.iter().cycle().skip(person * 3).take(12) {
                    let ask =
                        json!({"input": [text.text, "something else", text.text], "user": format!("person {person}")});
                    let got = vectors(&worker.post("/v1/embeddings", &ask).json());
                    assert!(
                        distance(&got[0], &text.vector) < 1e-3 && distance(&got[2], &text.vector) < 1e-3,
                        "{}",
                        text.text
                    );
                }
            });
        }
    });
}

#[test]
fn a_reranker_scores_each_pair_as_the_reference_does_and_puts_them_in_its_order() {
    let Some((worker, Reference { ranks, .. })) = started("reranker.gguf") else { return };
    let documents: Vec<_> = ranks.documents.iter().map(|one| one.document.as_str()).collect();
    let ask = json!({"query": ranks.query, "documents": documents, "return_documents": true});
    let answer = worker.post("/v1/rerank", &ask).json();
    let tokens: usize = ranks.documents.iter().map(|one| one.tokens.len()).sum();
    assert_eq!(answer["usage"]["prompt_tokens"], tokens, "{answer}");
    let mut expected: Vec<usize> = (0..documents.len()).collect();
    expected.sort_by(|&left, &right| ranks.documents[right].score.total_cmp(&ranks.documents[left].score));
    let results = answer["results"].as_array().expect("a list");
    let order: Vec<_> =
        results.iter().map(|rank| usize::try_from(rank["index"].as_u64().expect("a place")).expect("small")).collect();
    assert_eq!(order, expected);
    let mut worst: f64 = 0.0;
    for rank in results {
        let one = &ranks.documents[usize::try_from(rank["index"].as_u64().expect("a place")).expect("small")];
        assert_eq!(rank["document"]["text"], one.document.as_str());
        worst = worst.max((rank["relevance_score"].as_f64().expect("a number") - one.score).abs());
    }
    println!("the largest difference of a score is {worst:.2e}");
    assert!(worst < 1e-3, "{worst}");
    let best = worker.post("/v1/rerank", &json!({"query": ranks.query, "documents": documents, "top_n": 2})).json();
    assert_eq!(best["results"].as_array().map(Vec::len), Some(2));
    assert_eq!(best["results"][0]["index"], expected[0]);
}

/// A small writer whose file says that it pools by its last token, as the embedders among the decoders do.
fn decoder(folder: &std::path::Path) -> Option<PathBuf> {
    let shared = env::var_os("PORTICO_SHARED").map_or_else(|| PathBuf::from("../../../shared"), PathBuf::from);
    let Ok(mut bytes) = fs::read(shared.join("models/stories260K.gguf")) else {
        assert!(env::var_os("CI").is_none(), "{} is absent", shared.display());
        eprintln!("skipped: {} is absent (set PORTICO_SHARED)", shared.display());
        return None;
    };
    // Two more keys of together 64 bytes at the beginning of the list, so that everything behind them stays aligned.
    let key = |name: &str, value: u32| {
        let length = u64::try_from(name.len()).expect("short").to_le_bytes();
        [&length[..], name.as_bytes(), &4_u32.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let keys = [key("llama.pooling_type", 3), key("general.filler", 0)].concat();
    assert_eq!(keys.len(), 64);
    let count = u64::from_le_bytes(bytes[16..24].try_into().expect("8")) + 2;
    bytes[16..24].copy_from_slice(&count.to_le_bytes());
    bytes.splice(24..24, keys);
    let path = folder.join("decoder.gguf");
    fs::write(&path, bytes).expect("written");
    Some(path)
}

#[test]
fn a_decoder_that_pools_its_last_token_embeds_alone_and_among_others_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = decoder(folder.path()) else { return };
    let worker = Worker::start(&[path.to_str().expect("a path")]).ready();
    let meta = worker.get("/v1/models").json()["data"][0]["meta"].clone();
    assert_eq!((&meta["pooling"], &meta["capabilities"]), (&json!("last"), &json!(["embedding"])));
    let texts: Vec<String> =
        (1..40).map(|nth| "Lily ran to the park. ".repeat(nth % 9) + &"big dog ".repeat(nth)).collect();
    let together = vectors(&worker.post("/v1/embeddings", &json!({"input": texts})).json());
    for (text, together) in texts.iter().zip(&together) {
        let alone = &vectors(&worker.post("/v1/embeddings", &json!({"input": text})).json())[0];
        assert!(largest_difference(alone, together) < 1e-3, "{text:?}");
    }
    assert!(together.windows(2).all(|pair| distance(&pair[0], &pair[1]) > 1e-6), "each has its own");
    let chat = worker.post("/v1/completions", &json!({"prompt": "Lily"}));
    assert_eq!((chat.status, chat.json()["error"]["code"].as_str()), (400, Some("wrong_kind_of_model")));
}
