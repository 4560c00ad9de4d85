//! The registry of LoRA adapters: taken in, given to models, and back after a restart. Its reader here takes every file that begins with `lora`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use models::library::{AdapterFacts, AdapterReader, Adapters};
use models::testing::{Scripted, ScriptedOllama};
use models::{AdapterConfig, Gift, Models, ProviderConfig};

use crate::{egress, options};

fn reader() -> AdapterReader {
    fn inspect(path: &Path) -> Result<AdapterFacts, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
        let of = text.strip_prefix("lora ").ok_or("is no adapter")?;
        Ok(AdapterFacts { architecture: of.to_owned(), rank: 4, alpha: 8.0, matrices: 2 })
    }
    fn fits(adapter: &Path, model: &Path) -> Result<(), String> {
        let model = model.display().to_string();
        if inspect(adapter)?.architecture == model { Ok(()) } else { Err(format!("is not for {model}")) }
    }
    AdapterReader { inspect, fits }
}

fn adapter(name: &str, path: &Path, scale: f32) -> AdapterConfig {
    AdapterConfig { name: name.into(), path: path.to_owned(), scale }
}

fn provider(slug: &str, kind: &str, base_url: &str) -> ProviderConfig {
    ProviderConfig {
        slug: slug.into(),
        name: slug.into(),
        kind: kind.into(),
        base_url: base_url.into(),
        key: None,
        models: None,
        enabled: true,
        timeouts: None,
        max_concurrent: None,
        warm_up: false,
    }
}

fn house(provider: ProviderConfig) -> Models {
    let models = Models::new(options(), egress());
    models.configure(vec![provider]);
    models
}

/// Waits until the model is listed, or no longer.
async fn until(models: &Models, id: &str, listed: bool) {
    let mut changes = models.watch();
    let seen = async {
        while models.list().iter().any(|model| model.id == id) != listed {
            changes.changed().await.expect("the house stands");
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), seen)
        .await
        .unwrap_or_else(|_| unreachable!("{:?}", models.list()))
}

#[tokio::test]
async fn an_adapter_is_taken_in_given_to_models_and_still_theirs_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let job = folder.path().join("poet");
    fs::create_dir(&job).expect("made");
    let fixed = || BTreeMap::from([("tiny".to_owned(), vec![adapter("clerk", Path::new("c.gguf"), 0.5)])]);
    let open = || Adapters::new(folder.path().join("adapters"), reader(), fixed());
    let known = open();
    assert!(
        known.list().expect("a list").is_empty() && !known.folder().exists(),
        "nothing is made before it is needed"
    );
    let told = known.import(&job, None).expect_err("refused").to_string();
    assert!(told.contains("poet has no adapter.gguf"), "{told}");
    for (file, text) in [("adapter.gguf", "lora llama"), ("card.json", r#"{"seed": 7}"#), ("checkpoint.bin", "large")] {
        fs::write(job.join(file), text).expect("written");
    }
    let poet = known.import(&job, None).expect("taken in");
    assert_eq!((poet.name.as_str(), poet.card), ("poet", Some(serde_json::json!({"seed": 7}))));
    assert!(!poet.path.with_file_name("checkpoint.bin").exists(), "what the job needs alone stays there");
    assert_eq!(
        known.import(&job, None).expect_err("refused").to_string().split(';').next(),
        Some("there is an adapter poet already")
    );

    let mut upload = known.upload("lawyer").expect("begun");
    upload.write(b"lora ").await.expect("written");
    upload.write(b"qwen2").await.expect("written");
    assert_eq!(upload.finish().await.expect("taken in").facts.expect("facts").architecture, "qwen2");
    let mut bad = known.upload("page").expect("begun");
    bad.write(b"<html>").await.expect("written");
    assert_eq!(bad.finish().await.expect_err("refused").to_string(), "the file for page is no adapter");
    drop(known.upload("left").expect("begun"));
    for name in ["", "../x", "a/b", "a+b", ".x", &"a".repeat(65)] {
        assert!(known.upload(name).expect_err(name).to_string().contains("cannot be the name of an adapter"), "{name}");
    }
    let there: Vec<_> = fs::read_dir(known.folder()).expect("there").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(there.len(), 2, "{there:?}");

    let llama = Path::new("llama");
    known.attach("poet", "tiny", llama, 0.25).expect("attached");
    known.attach("poet", "other", llama, 1.0).expect("attached");
    assert_eq!(
        known.attach("lawyer", "tiny", llama, 1.0).expect_err("refused").to_string(),
        "the adapter lawyer is not for llama"
    );
    let known = open();
    assert_eq!(known.of("tiny"), [adapter("clerk", Path::new("c.gguf"), 0.5), adapter("poet", &poet.path, 0.25)]);
    assert_eq!(
        known.remove("poet").expect_err("refused").to_string(),
        "other computes with poet; detach it there first"
    );
    assert!(known.detach("poet", "other").expect("known") && !known.detach("poet", "other").expect("known"));
    assert!(known.of("other").is_empty());
    known.detach("poet", "tiny").expect("known");
    known.remove("poet").expect("removed");
    assert_eq!(known.get("poet").expect_err("gone").to_string(), "there is no adapter poet here");
}

#[tokio::test]
async fn a_vllm_loads_an_adapter_from_its_own_disk_and_lists_it_as_a_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let acts = folder.path().join("acts");
    let vllm = Scripted::start_with(&format!("adapters={}", acts.display())).await;
    let models = house(provider("vllm", "openai", &vllm.url));
    until(&models, "vllm/mock", true).await;
    let gift = |path: Option<&str>| Gift {
        name: "poet".into(),
        file: "none".into(),
        base: None,
        path: path.map(str::to_owned),
    };
    let told = models.give_adapter("vllm", &gift(None)).await.expect_err("refused").to_string();
    assert!(told.contains("where the adapter lies on its disk"), "{told}");
    let told = models.give_adapter("vllm", &gift(Some("/no/such"))).await.expect_err("refused").to_string();
    assert!(told.contains("the adapter poet cannot be read"), "{told}");
    models.give_adapter("vllm", &gift(Some("Cargo.toml"))).await.expect("loaded");
    until(&models, "vllm/poet", true).await;
    models.take_adapter("vllm", "poet").await.expect("unloaded");
    until(&models, "vllm/poet", false).await;
    assert_eq!(fs::read_to_string(acts).expect("told"), "load poet null\nunload poet\n");
    let told = models.take_adapter("other", "poet").await.expect_err("refused").to_string();
    assert!(told.contains("there is no provider"), "{told}");

    let plain = Scripted::start().await;
    models.configure(vec![provider("plain", "openai", &plain.url)]);
    let told = models.give_adapter("plain", &gift(Some("Cargo.toml"))).await.expect_err("refused").to_string();
    assert!(told.contains("--enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"), "{told}");
    models.shutdown().await;
}

#[tokio::test]
async fn an_ollama_is_sent_an_adapter_once_and_makes_a_model_of_it() {
    let ollama = ScriptedOllama::start().await;
    let models = house(provider("ollama", "ollama", &ollama.url));
    let base = models.installed("ollama").await.expect("a list")[0].name.clone();
    let gift = |name: &str, base: &str| Gift {
        name: name.into(),
        file: "Cargo.toml".into(),
        base: Some(base.into()),
        path: None,
    };
    let told = models.give_adapter("ollama", &gift("poet", "no-such-model")).await.expect_err("refused");
    assert!(told.to_string().contains("no-such-model"), "{told}");
    models.give_adapter("ollama", &gift("poet", &base)).await.expect("made");
    models.give_adapter("ollama", &gift("twin", &base)).await.expect("made");
    until(&models, "ollama/poet:latest", true).await;
    let asked: Vec<_> = ollama.seen().into_iter().filter(|seen| seen.path.starts_with("/api/blobs/")).collect();
    let sent = asked.iter().filter(|seen| !seen.body.is_empty()).count();
    assert_eq!((asked.len(), sent), (4, 1), "the same bytes are sent once");
    models.take_adapter("ollama", "poet").await.expect("removed");
    until(&models, "ollama/poet:latest", false).await;
    models.shutdown().await;
}
