//! In which numbers a model's cache of keys and values is kept. How large it is gets decided where a model is loaded.

use std::{fmt, str::FromStr};

/// The numbers of a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cache {
    /// 16 bits, as everywhere. Quantised caches change greedy answers, so there are none.
    #[default]
    F16,
    /// 32 bits, and attention without llama.cpp's flash attention, which rounds to 16 bits whatever the cache holds (`build_attn_mha` in
    /// llama-graph.cpp). It takes twice the memory and more time; logits are then those of a trainer that rounds nothing.
    F32,
}

impl Cache {
    /// Bytes of one number.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Cache::F16 => 2,
            Cache::F32 => 4,
        }
    }

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cache::F16 => "f16",
            Cache::F32 => "f32",
        }
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Cache {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Cache::F16, Cache::F32];
        all.into_iter().find(|one| one.name() == text).ok_or_else(|| format!("`{text}` is no cache: f16 or f32"))
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn it_is_read_as_it_is_written() {
        for cache in [Cache::F16, Cache::F32] {
            assert_eq!(cache.to_string().parse(), Ok(cache));
        }
        assert!("q8_0".parse::<Cache>().unwrap_err().contains("f16 or f32"));
    }
}
