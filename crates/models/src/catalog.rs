//! Presets of well-known providers for the "Add a model" page. They are templates: nothing in them is contacted before somebody
//! adds it.

use serde::{Deserialize, Serialize};

/// One known provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// A word to name it by.
    pub slug: String,
    /// Its name in English.
    pub name: String,
    /// Its name in Chinese.
    pub name_zh: String,
    /// Which adapter.
    pub kind: String,
    /// Where it usually is.
    pub base_url: String,
    /// Whether it wants a key.
    pub needs_key: bool,
    /// Whether it runs on one's own machines.
    pub local: bool,
    /// One sentence for the page, in English.
    pub hint: String,
    /// The same in Chinese.
    pub hint_zh: String,
    /// Where its maker describes the interface. For people: Portico does not open it.
    pub docs: String,
}

const FILES: [(&str, &str); 25] = [
    ("ollama", include_str!("../../../catalog/providers/ollama.toml")),
    ("vllm", include_str!("../../../catalog/providers/vllm.toml")),
    ("sglang", include_str!("../../../catalog/providers/sglang.toml")),
    ("llama-server", include_str!("../../../catalog/providers/llama-server.toml")),
    ("tgi", include_str!("../../../catalog/providers/tgi.toml")),
    ("lm-studio", include_str!("../../../catalog/providers/lm-studio.toml")),
    ("deepseek", include_str!("../../../catalog/providers/deepseek.toml")),
    ("qwen", include_str!("../../../catalog/providers/qwen.toml")),
    ("zhipu", include_str!("../../../catalog/providers/zhipu.toml")),
    ("moonshot", include_str!("../../../catalog/providers/moonshot.toml")),
    ("siliconflow", include_str!("../../../catalog/providers/siliconflow.toml")),
    ("volcengine", include_str!("../../../catalog/providers/volcengine.toml")),
    ("minimax", include_str!("../../../catalog/providers/minimax.toml")),
    ("hunyuan", include_str!("../../../catalog/providers/hunyuan.toml")),
    ("baichuan", include_str!("../../../catalog/providers/baichuan.toml")),
    ("qianfan", include_str!("../../../catalog/providers/qianfan.toml")),
    ("openai", include_str!("../../../catalog/providers/openai.toml")),
    ("anthropic", include_str!("../../../catalog/providers/anthropic.toml")),
    ("gemini", include_str!("../../../catalog/providers/gemini.toml")),
    ("azure", include_str!("../../../catalog/providers/azure.toml")),
    ("mistral", include_str!("../../../catalog/providers/mistral.toml")),
    ("openrouter", include_str!("../../../catalog/providers/openrouter.toml")),
    ("groq", include_str!("../../../catalog/providers/groq.toml")),
    ("together", include_str!("../../../catalog/providers/together.toml")),
    ("xai", include_str!("../../../catalog/providers/xai.toml")),
];

/// The presets that come with the binary, those on one's own machines first.
pub fn presets() -> Vec<Preset> {
    // Each file is read by a test; one that cannot be read would only be missing from the page.
    FILES.iter().filter_map(|(_, text)| toml::from_str(text).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_preset_that_can_be_added() {
        for (slug, text) in FILES {
            let preset: Preset = toml::from_str(text).unwrap_or_else(|error| panic!("{slug}: {error}"));
            assert_eq!(preset.slug, slug);
            assert!(crate::KINDS.contains(&preset.kind.as_str()), "{slug}");
            crate::normalise_base_url(&preset.kind, &preset.base_url).unwrap_or_else(|error| panic!("{slug}: {error}"));
            for (english, chinese) in [(&preset.name, &preset.name_zh), (&preset.hint, &preset.hint_zh)] {
                assert!(!english.is_empty() && !chinese.is_empty(), "{slug}");
            }
            assert_eq!(preset.hint.contains("leaves your network"), !preset.local, "{slug}");
        }
        assert_eq!(presets().len(), FILES.len());
        let on_disk =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog/providers")).unwrap().count();
        assert_eq!(on_disk, FILES.len());
    }
}
