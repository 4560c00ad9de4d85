//! Families of models as their makers publish them: context, modalities, licence, list price, sizes. Data (`catalog/models/*.toml`)
//! and its reader; what a back end tells of its own model always wins.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// One family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// A word to name it by.
    pub slug: String,
    /// Its name in English.
    pub name: String,
    /// Its name in Chinese.
    pub name_zh: String,
    /// Who made it.
    pub maker: String,
    /// Its licence; a model may have another.
    pub licence: String,
    /// Where the licence is.
    pub licence_url: String,
    /// Where the figures are published.
    pub source: String,
    /// Its models.
    #[serde(rename = "model")]
    pub models: Vec<Model>,
}

/// One model of a family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name for people.
    pub name: String,
    /// Names it is listed under: in lower case, with `-` between the words, `*` for anything.
    pub patterns: Vec<String>,
    /// Its own licence, where it differs.
    #[serde(default)]
    pub licence: Option<String>,
    /// How many weights; absent where its maker does not tell.
    #[serde(default)]
    pub parameters: Option<u64>,
    /// How many of them work on one token, where not all do.
    #[serde(default)]
    pub active: Option<u64>,
    /// Layers.
    #[serde(default)]
    pub layers: Option<u32>,
    /// Heads of keys and values in each.
    #[serde(default)]
    pub kv_heads: Option<u32>,
    /// Numbers in each head.
    #[serde(default)]
    pub head_dim: Option<u32>,
    /// Of the KV cache in 16 bit, where it does not follow from the three above.
    #[serde(default)]
    pub kv_bytes_per_token: Option<u64>,
    /// Context in tokens.
    pub context: u32,
    /// The longest answer in tokens, where there is such a limit.
    #[serde(default)]
    pub max_output: Option<u32>,
    /// What it takes: `text`, `image`, `audio`, `video`.
    pub input: Vec<String>,
    /// What it gives.
    pub output: Vec<String>,
    /// `tools`, `json_schema`, `vision`, `reasoning`, `logprobs`.
    pub capabilities: Vec<String>,
    /// What its maker asks for it, where it does.
    #[serde(default)]
    pub price: Option<Price>,
    /// Bytes of its weights by quantisation.
    #[serde(default)]
    pub sizes: BTreeMap<String, u64>,
}

/// A list price, in millionths of the currency for a million tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens read.
    pub input: i64,
    /// Tokens written.
    pub output: i64,
    /// Tokens read from the maker's cache, where they cost less.
    #[serde(default)]
    pub cached: Option<i64>,
    /// ISO 4217.
    pub currency: String,
    /// Where it is published.
    pub source: String,
    /// When it was read there, as `2025-10-01`.
    pub date: String,
}

const FILES: [(&str, &str); 11] = [
    ("llama-3", include_str!("../../../catalog/models/llama-3.toml")),
    ("qwen-3", include_str!("../../../catalog/models/qwen-3.toml")),
    ("qwen-2.5", include_str!("../../../catalog/models/qwen-2.5.toml")),
    ("glm-4", include_str!("../../../catalog/models/glm-4.toml")),
    ("mistral", include_str!("../../../catalog/models/mistral.toml")),
    ("phi-3", include_str!("../../../catalog/models/phi-3.toml")),
    ("gemma", include_str!("../../../catalog/models/gemma.toml")),
    ("deepseek", include_str!("../../../catalog/models/deepseek.toml")),
    ("openai", include_str!("../../../catalog/models/openai.toml")),
    ("claude", include_str!("../../../catalog/models/claude.toml")),
    ("gemini", include_str!("../../../catalog/models/gemini.toml")),
];

/// The families that come with the binary.
pub fn families() -> &'static [Family] {
    static ALL: OnceLock<Vec<Family>> = OnceLock::new();
    // Each file is read by a test; one that cannot be read would only be missing.
    ALL.get_or_init(|| FILES.iter().filter_map(|(_, text)| toml::from_str(text).ok()).collect())
}

/// The model that is listed under this name, whatever stands before it (`meta-llama/`, `models/`) and after it (`:latest`,
/// `-instruct`, `-q4_k_m.gguf`). Of several patterns that fit, the one with most letters of its own wins.
pub fn find(name: &str) -> Option<&'static Model> {
    let name = plain(name);
    let all = families().iter().flat_map(|family| &family.models);
    let fitting = all.filter_map(|model| {
        let best = model.patterns.iter().filter(|pattern| fits(pattern, &name)).map(|pattern| own(pattern)).max();
        best.map(|letters| (letters, model))
    });
    fitting.max_by_key(|one| one.0).map(|one| one.1)
}

impl Model {
    /// Bytes of KV cache for one token in 16 bit: keys and values, of 2 bytes each, in every head of every layer.
    pub fn kv_bytes(&self) -> Option<u64> {
        let made = || {
            let (layers, heads, dim) = (self.layers?, self.kv_heads?, self.head_dim?);
            Some(2 * 2 * u64::from(layers) * u64::from(heads) * u64::from(dim))
        };
        self.kv_bytes_per_token.or_else(made)
    }
}

fn plain(name: &str) -> String {
    let last = name.trim().rsplit('/').next().unwrap_or_default().to_lowercase();
    let last = last.strip_suffix(":latest").unwrap_or(&last);
    let last = last.strip_suffix(".gguf").unwrap_or(last);
    last.replace([':', '_', ' '], "-")
}

fn own(pattern: &str) -> usize {
    pattern.chars().filter(|c| *c != '*').count()
}

fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut open = false;
    for part in parts {
        open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    open || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits of one weight on average, and how far files may be from it: k-quants keep some tensors wider, more so in small
    /// models. Source: llama.cpp, tools/quantize/README.md.
    fn bits(quantisation: &str) -> (f64, f64) {
        match quantisation {
            "F16" | "BF16" => (16.0, 0.05),
            "F8" => (8.0, 0.05),
            "Q8_0" => (8.5, 0.05),
            "Q4_0" => (4.6, 0.10),
            "Q4_K_M" => (4.9, 0.12),
            other => panic!("{other}: of how many bits?"),
        }
    }

    #[test]
    fn every_file_is_a_family_whose_figures_agree() {
        for (slug, text) in FILES {
            let family: Family = toml::from_str(text).unwrap_or_else(|error| panic!("{slug}: {error}"));
            assert_eq!(family.slug, slug);
            assert!(!family.models.is_empty() && !family.name_zh.is_empty(), "{slug}");
            for model in &family.models {
                let name = &model.name;
                assert!(model.context >= 4_096, "{name}");
                assert_eq!(model.layers.is_some(), model.head_dim.is_some() && model.kv_heads.is_some(), "{name}");
                assert!(model.input.contains(&"text".to_owned()) && !model.output.is_empty(), "{name}");
                assert_eq!(
                    model.capabilities.contains(&"vision".to_owned()),
                    model.input.contains(&"image".to_owned()),
                    "{name}"
                );
                for (quantisation, bytes) in &model.sizes {
                    let (bits, tolerance) = bits(quantisation);
                    let expected = model.parameters.expect("sizes come with parameters") as f64 * bits / 8.0;
                    let off = (*bytes as f64 - expected).abs() / expected;
                    assert!(off <= tolerance, "{name} {quantisation}: {bytes} bytes, {expected:.0} expected");
                }
                if let Some(price) = &model.price {
                    assert!(price.input > 0 && price.output >= price.input, "{name}");
                    assert!(price.cached.is_none_or(|cached| cached < price.input), "{name}");
                    assert!(price.source.starts_with("https://") && price.date.len() == 10, "{name}");
                    assert_eq!(price.currency.len(), 3, "{name}");
                }
            }
        }
        let on_disk = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog/models")).unwrap().count();
        assert_eq!((families().len(), on_disk), (FILES.len(), FILES.len()));
    }

    #[test]
    fn the_figures_that_sizing_begins_with() {
        let llama = find("llama3").expect("Llama 3 8B");
        assert_eq!((llama.name.as_str(), llama.kv_bytes()), ("Llama 3 8B", Some(128 << 10)));
        let gib = llama.sizes["F16"] as f64 / f64::from(1 << 30);
        assert!((gib - 14.96).abs() < 0.005, "{gib}");
        assert!((llama.sizes["Q4_K_M"] as f64 / 1e9 - 4.92).abs() < 0.01);
        assert_eq!(find("llama3:70b").and_then(Model::kv_bytes), Some(320 << 10));
        let turbo = find("gpt-3.5-turbo").and_then(|model| model.price.clone()).expect("a price");
        assert_eq!((turbo.input, turbo.output, turbo.currency.as_str()), (500_000, 1_500_000, "USD"));
    }

    #[test]
    fn names_as_back_ends_list_them_are_known() {
        for (listed, name) in [
            ("meta-llama/Meta-Llama-3-8B-Instruct", "Llama 3 8B"),
            ("llama3.1:8b-instruct-q4_K_M", "Llama 3.1 8B"),
            ("Llama-3.3-70B-Instruct", "Llama 3.3 70B"),
            ("llama3.2:latest", "Llama 3.2 3B"),
            ("Qwen/Qwen2.5-7B-Instruct-AWQ", "Qwen 2.5 7B"),
            ("qwen2.5-coder:32b", "Qwen 2.5 32B"),
            ("qwen3:30b-a3b", "Qwen 3 30B-A3B"),
            ("Qwen/Qwen3-8B", "Qwen 3 8B"),
            ("qwen2.5-7b-instruct-q4_k_m.gguf", "Qwen 2.5 7B"),
            ("THUDM/glm-4-9b-chat", "GLM-4 9B"),
            ("zai-org/GLM-4-32B-0414", "GLM-4 32B 0414"),
            ("glm-4.5-air", "GLM-4.5-Air"),
            ("mistralai/Mistral-7B-Instruct-v0.3", "Mistral 7B"),
            ("mistral:latest", "Mistral 7B"),
            ("microsoft/Phi-3-mini-4k-instruct", "Phi-3 mini 4k"),
            ("phi3", "Phi-3 mini 128k"),
            ("gemma:7b", "Gemma 7B"),
            ("google/gemma-2-9b-it", "Gemma 2 9B"),
            ("gpt-4", "GPT-4"),
            ("gpt-4-turbo-2024-04-09", "GPT-4 Turbo"),
            ("gpt-4o-2024-08-06", "GPT-4o"),
            ("openai/gpt-4o-mini", "GPT-4o mini"),
            ("gpt-35-turbo-16k", "GPT-3.5 Turbo"),
            ("claude-3-5-sonnet-20241022", "Claude 3.5 Sonnet"),
            ("claude-sonnet-4-20250514", "Claude Sonnet 4"),
            ("claude-opus-5", "Claude Opus 5"),
            ("anthropic/claude-opus-5.5", "Claude Opus 5.5"),
            ("models/gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite"),
            ("gemini-2.5-flash-preview-05-20", "Gemini 2.5 Flash"),
            ("gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite"),
            ("gpt-5.4-2026-03-05", "GPT-5.4"),
            ("gpt-6.1-sol", "GPT-6.1 Sol"),
            ("deepseek-v4-flash", "DeepSeek Flash"),
            ("mistral-large:latest", "Mistral Large 2"),
            ("mistral-large-2411", "Mistral Large 2"),
            ("mistral-large-2512", "Mistral Large 3"),
            ("deepseek-chat", "deepseek-chat"),
            ("deepseek-r1:14b", "DeepSeek-R1-Distill-Qwen 14B"),
        ] {
            assert_eq!(find(listed).map(|model| model.name.as_str()), Some(name), "{listed}");
        }
        for unknown in [
            "mock",
            "llama",
            "gpt-9",
            "gemini-2.5-flash-preview-tts",
            "o4-mini-deep-research",
            "",
            "nomic-embed-text",
            "my-llama3-tune",
        ] {
            assert_eq!(find(unknown).map(|model| &model.name), None, "{unknown}");
        }
    }
}
