//! Whether a model fits into this machine's memory, computed before anything is loaded.

use serde::Serialize;

use super::Facts;

/// The context in tokens that is reckoned with where nobody says: what the worker takes by itself.
pub const USUAL_CONTEXT: u32 = 8192;

const MIB: u64 = 1 << 20;

/// What a model takes of this machine's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Room {
    /// The weights, all of them.
    pub weights: u64,
    /// KV cache in 16 bit for one context: keys and values of every head in every layer, for each of its tokens.
    pub cache: u64,
    /// An allowance for activations, logits and the process itself: 256 MiB and a twentieth of the weights.
    pub overhead: u64,
    /// The context in tokens.
    pub context: u32,
    /// What can be had without swapping; `None` where the system does not tell.
    pub free: Option<u64>,
}

impl Room {
    /// For `context` tokens, but no more than the model was made for.
    pub fn of(facts: &Facts, context: Option<u32>, free: Option<u64>) -> Room {
        let context = context.unwrap_or(USUAL_CONTEXT).min(facts.context.max(1));
        Room {
            weights: facts.weight_bytes,
            cache: facts.kv_bytes_per_token.saturating_mul(u64::from(context)),
            overhead: 256 * MIB + facts.weight_bytes / 20,
            context,
            free,
        }
    }

    /// All of it together.
    pub fn needed(&self) -> u64 {
        self.weights.saturating_add(self.cache).saturating_add(self.overhead)
    }

    /// Whether it fits; nobody is stopped where the system does not tell.
    pub fn fits(&self) -> bool {
        self.free.is_none_or(|free| self.needed() <= free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llama_8b() -> Facts {
        Facts {
            architecture: "llama".into(),
            context: 131_072,
            weight_bytes: 4_920_739_232,
            kv_bytes_per_token: 128 << 10,
            ..Facts::default()
        }
    }

    #[test]
    fn weights_cache_and_what_is_beside_them() {
        let room = Room::of(&llama_8b(), None, Some(6_600_000_000));
        assert_eq!((room.context, room.cache), (8192, 1 << 30));
        assert_eq!(room.needed(), 4_920_739_232 + (1 << 30) + (256 << 20) + 4_920_739_232 / 20);
        assert!(room.fits());
        let long = Room::of(&llama_8b(), Some(32_768), room.free);
        assert!(!long.fits() && long.needed() > 9_000_000_000, "{}", long.needed());
        assert_eq!(Room::of(&llama_8b(), Some(u32::MAX), None).context, 131_072);
        assert!(Room::of(&llama_8b(), Some(u32::MAX), None).fits(), "unknown memory stops nobody");
    }
}
