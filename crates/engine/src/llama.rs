//! llama.cpp as a [`Backend`] (as an `Embedder`: `llama/vectors.rs`): what to check before a model is given to it, how much cache it gets, and
//! its vocabulary. All that is unsafe lies in `llama/native*.rs`; scheduling and sampling are not llama.cpp's here.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use crate::{
    Cache, Device, Error, Loaded, Options, Progress,
    backend::{Adapter, Backend, Facts, Failed, Input, Lora, Sight, Slot, Token, Vocabulary},
    embedding::Pooling,
    gguf::{self, Head},
    gpu::Split,
    machine, memory,
    tokenizer::Tokenizer,
};

mod native;
mod native_batch;
mod native_lora;
#[cfg(test)]
mod native_reference;
mod native_vectors;
mod native_vision;
mod vectors;
mod vision;

/// The bindings that are linked, and with them llama.cpp; a test compares it.
const LLAMA: &str = "0.1.161";
/// Sequences that are continued at once.
const PARALLEL: u32 = 16;
/// Sequences that the cache holds, with those that are kept for their beginnings.
const SLOTS: u32 = 64;
/// Contexts of full length that the cache has room for where memory allows: what is in common takes its room once, and who finds none waits.
const FULL_CONTEXTS: u32 = 8;
/// Cells that ended sequences may hold while others run; llama.cpp looks at them in stretches of as many.
const KEPT: u32 = 256;
/// The part of the memory that is free after loading which ended sequences may take beside the cache.
const PARKED_PART: u64 = 8;
/// Cells of a slot that has its own are a multiple of this, as llama.cpp rounds them.
const STRETCH: u32 = 256;
/// Weights below which tokens are computed one by one unless [`Options::deterministic`] says otherwise: reading so few weights again for each
/// costs little.
const WORTH_A_BATCH: u64 = 8 << 20;
/// Tokens of one batch.
const BATCH: u32 = 512;
/// Tokens of a step that answers up to which a guessed one may be added: on a processor they share the reading of the weights.
const GUESSES: u32 = 16;
/// Types of weights that llama.cpp lays out anew as it loads them, where there is AVX2: Q4_0, Q4_K, IQ4_NL and MXFP4
/// (`ggml_repack_get_optimal_repack_type`).
const LAID_OUT_ANEW: [u32; 4] = [2, 12, 20, 39];
/// Tokens that products with such weights take together; the rest of a batch goes one by one, each with another pass over the weights.
const TILE: u32 = 4;
/// Context when none is asked for and the model has more.
const DEFAULT_CONTEXT: u32 = 8192;

/// The devices that llama.cpp computes on beside the processor.
pub(crate) fn devices() -> Vec<Device> {
    native::devices()
}

/// Loads the model of `options`, after checking that this processor and its memory can run it and that its file is whole.
///
/// # Errors
/// [`Error`] saying which of these does not hold, or what llama.cpp says.
pub fn load(options: &Options, progress: &Progress) -> Result<Loaded, Error> {
    machine::check_processor()?;
    let path = &options.model;
    let heads = gguf::read(path)?;
    match heads.first().map_or(Ok(None), Pooling::of) {
        Ok(None) => write(options, progress, heads).map(Loaded::Writer),
        Ok(Some(pooling)) => vectors::load(options, progress, &heads, pooling).map(Loaded::Embedder),
        Err(number) => Err(unsupported(path, format!("its pooling type {number} is not known"))),
    }
}

/// Reads the vocabulary and the chat template of the model at `path`, none of its weights.
///
/// # Errors
/// [`Error`] saying what is wrong with the file, or what llama.cpp says.
pub fn tokenizer(path: &Path) -> Result<Tokenizer, Error> {
    machine::check_processor()?;
    let heads = gguf::read(path)?;
    let first = heads.first().ok_or_else(|| unsupported(path, "it has no head".into()))?;
    let model = native::Model::load_vocabulary(path).map_err(|reason| unsupported(path, reason))?;
    let words = Words { model: Arc::new(model), drops_first_space: drops_first_space(first) };
    Tokenizer::new(Arc::new(words), first.text("tokenizer.chat_template"))
        .map_err(|refused| unsupported(path, refused.to_string()))
}

fn drops_first_space(head: &Head) -> bool {
    head.text("tokenizer.ggml.model") == Some("llama") && head.integer("tokenizer.ggml.add_space_prefix") != Some(0)
}

fn write(options: &Options, progress: &Progress, heads: Vec<Head>) -> Result<Box<dyn Backend>, Error> {
    let path = &options.model;
    let first = heads.first().ok_or_else(|| unsupported(path, "it has no head".into()))?;
    let trained =
        first.of_architecture("context_length").and_then(|tokens| u32::try_from(tokens).ok()).unwrap_or(u32::MAX);
    let context = options.context.unwrap_or(DEFAULT_CONTEXT).clamp(1, trained);
    let seeing = options.projector.as_deref().map(vision::check).transpose()?.unwrap_or(0);
    let weights = heads.iter().map(Head::weight_bytes).sum::<u64>();
    let per_token = first.cache_per_token(options.cache);
    let blocks = first.of_architecture("block_count").and_then(|blocks| u32::try_from(blocks).ok()).unwrap_or(0);
    let devices = native::devices();
    let bytes = weights.saturating_add(seeing).saturating_add(per_token.saturating_mul(u64::from(context)));
    let split = Split::of(options.gpu_layers, blocks, bytes, &devices)?;
    let deterministic = options.deterministic.unwrap_or(weights < WORTH_A_BATCH);
    // Where sequences are apart each has a whole context to itself.
    let (least, contexts) = match deterministic {
        true => (context.next_multiple_of(STRETCH), SLOTS),
        false => (context, FULL_CONTEXTS),
    };
    let cells = cells(path, weights.saturating_add(seeing), per_token, (least, contexts), (split, &devices))?;
    let slots = if deterministic { cells / least } else { SLOTS };
    let cells = if deterministic { slots * least } else { cells };

    let drops_first_space = drops_first_space(first);
    let threads = options.threads.unwrap_or_else(|| machine::threads_for(weights)).max(1);
    let anew = heads.iter().flat_map(|head| &head.tensors).any(|tensor| LAID_OUT_ANEW.contains(&tensor.kind));
    // Weights that are laid out anew leave the file's own pages behind: mapped, they would stay in memory twice.
    let model = native::Model::load(path, !anew, split.layers, progress).map_err(|reason| unsupported(path, reason))?;
    let model = Arc::new(model);
    let album = Arc::new(vision::Album::default());
    let eyes = match &options.projector {
        None => None,
        Some(file) => {
            let opened = native_vision::Projector::load(file, Arc::clone(&model), threads, split.layers > 0)
                .and_then(|projector| vision::Eyes::open(projector, Arc::clone(&album), BATCH - PARALLEL));
            let refused = |reason: String| Error::Projector { path: file.clone(), reason: gguf::in_one_line(&reason) };
            tracing::info!(projector = %file.display(), bytes = seeing, "the model sees");
            Some(Box::new(opened.map_err(refused)?) as Box<dyn Sight>)
        }
    };
    let (apart, sees, cache) = (deterministic, eyes.is_some(), options.cache);
    let limits = native::Limits { cells, slots, outputs: SLOTS, batch: BATCH, threads, apart, sees, cache };
    let context_of =
        native::Context::new(Arc::clone(&model), limits, album).map_err(|reason| unsupported(path, reason))?;
    let facts = Facts {
        context,
        cells,
        slots,
        kept: KEPT,
        // Apart, what others hold slows nobody down.
        parked: if deterministic { 0 } else { memory::free().unwrap_or(0) / PARKED_PART },
        parallel: PARALLEL.min(slots),
        // What a window has left behind is not copied.
        shares: model.shares() && !(deterministic && model.forgets()),
        batch: BATCH,
        threads,
        gpu_layers: (split.layers, split.of),
        devices,
        guesses: if options.guesses { GUESSES } else { 0 },
        tile: if anew { TILE } else { 1 },
        parameters: model.parameters(),
        size: model.size(),
        trained_context: trained,
        description: model.description(),
        chat_template: first.text("tokenizer.chat_template").map(str::to_owned),
    };
    for device in &facts.devices {
        let Device { name, description, memory, free } = device;
        tracing::info!(name, description, memory_mib = memory >> 20, free_mib = free >> 20, "a device that computes");
    }
    let layers = format!("{} of {}", split.layers, split.of);
    tracing::info!(
        model = %path.display(), description = facts.description, context, cells, threads, deterministic, layers_on_gpu = layers, "the model is loaded"
    );
    let words = Arc::new(Words { model, drops_first_space });
    let identity = identity(path, &heads, cells).map(|identity| match cache {
        Cache::F16 => format!("{identity} apart {deterministic}"),
        other => format!("{identity} apart {deterministic} cache {other}"),
    });
    Ok(Box::new(Llama { context: context_of, facts, words, heads, adapters: BTreeMap::new(), identity, eyes }))
}

/// What a saved state depends on besides its tokens. The length of the cache does so in models that turn positions in another way where it is
/// longer than they were first trained with.
fn identity(path: &Path, heads: &[Head], cells: u32) -> Option<String> {
    let weights =
        gguf::identity(path, heads).inspect_err(|error| tracing::warn!(%error, "nothing of it is saved")).ok()?;
    let first_trained = heads.first()?.of_architecture("rope.scaling.original_context_length");
    let stretched = first_trained.is_some_and(|tokens| u64::from(cells) > tokens);
    Some(format!("{weights} stretched {stretched} llama.cpp {LLAMA} {}", native::machine()))
}

fn unsupported(path: &Path, reason: String) -> Error {
    Error::Unsupported { path: path.to_owned(), reason: gguf::in_one_line(&reason) }
}

/// How many tokens the cache is to hold: so many contexts where they take no more than a quarter of the memory that is free (of a GPU's, all
/// that is left), else as many as that holds, and never fewer than one context.
fn cells(
    path: &Path,
    weights: u64,
    per_token: u64,
    (context, contexts): (u32, u32),
    (split, devices): (Split, &[Device]),
) -> Result<u32, Error> {
    let wanted = context.saturating_mul(contexts);
    let holds = |bytes: u64, per_token: u64| bytes.checked_div(per_token).unwrap_or(u64::MAX);
    let on_gpu = split.left(weights, devices).map_or(u64::MAX, |left| holds(left, split.on_gpu(per_token)));
    let in_memory = match memory::free() {
        None => u64::MAX,
        Some(free) => {
            let (weights, per_token) = (split.on_cpu(weights), split.on_cpu(per_token));
            let cache = per_token.saturating_mul(u64::from(context));
            if weights.saturating_add(cache) > free {
                return Err(Error::TooLarge { path: path.to_owned(), weights, cache, context, free });
            }
            holds((free - weights) / 4, per_token)
        }
    };
    Ok(wanted.min(u32::try_from(on_gpu.min(in_memory)).unwrap_or(u32::MAX)).max(context))
}

struct Llama {
    context: native::Context,
    facts: Facts,
    words: Arc<Words>,
    /// What adapters are checked against.
    heads: Vec<Head>,
    adapters: BTreeMap<u32, Attached>,
    /// `None` where the file could not be read once more.
    identity: Option<String>,
    /// Until they are asked for.
    eyes: Option<Box<dyn Sight>>,
}

/// An adapter, and what saved states know it by.
struct Attached {
    lora: Arc<native_lora::Lora>,
    identity: Option<String>,
}

impl Backend for Llama {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn vocabulary(&self) -> Arc<dyn Vocabulary> {
        Arc::clone(&self.words) as Arc<dyn Vocabulary>
    }

    fn decode(
        &mut self,
        batch: &[Input],
        adapter: Option<Adapter>,
        row: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Failed> {
        let lora = match adapter {
            None => None,
            Some(adapter) => match self.adapters.get(&adapter.id) {
                Some(attached) => Some((&attached.lora, adapter.scale())),
                None => return Err(Failed::Broken(format!("there is no adapter {}", adapter.id))),
            },
        };
        self.context.apply(lora);
        self.context.decode(batch)?;
        let rows = batch.iter().enumerate().filter(|(_, input)| input.wants_logits);
        let rows = rows.map(|(index, _)| Some((index, self.context.logits(index)?)));
        // All before any is told: an answer that has gone on cannot be taken back.
        let rows: Option<Vec<_>> = rows.collect();
        for (index, logits) in rows.ok_or_else(|| Failed::Broken("llama.cpp gave no logits".into()))? {
            row(index, logits);
        }
        Ok(())
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) {
        self.context.share(from, to, len);
    }

    fn truncate(&mut self, slot: Slot, len: u32) {
        self.context.truncate(slot, len);
    }

    fn sight(&mut self) -> Option<Box<dyn Sight>> {
        self.eyes.take()
    }

    fn attach(&mut self, id: u32, file: &Path) -> Result<Lora, String> {
        let lora = gguf::read_adapter(file, &self.heads)?;
        let loaded = native_lora::Lora::load(&mut self.context, &self.words.model, file)?;
        tracing::info!(adapter = %file.display(), id, rank = lora.rank, bytes = lora.bytes, "an adapter is loaded");
        let identity = gguf::adapter_identity(file)
            .inspect_err(|error| tracing::warn!(%error, "nothing of the adapter is saved"))
            .ok();
        self.adapters.insert(id, Attached { lora: Arc::new(loaded), identity });
        Ok(lora)
    }

    fn detach(&mut self, id: u32) {
        self.context.apply(None);
        self.adapters.remove(&id);
    }

    fn identity(&self, adapter: Option<u32>) -> Option<String> {
        match adapter {
            None => self.identity.clone(),
            Some(id) => self.adapters.get(&id)?.identity.clone(),
        }
    }

    fn save(&mut self, slot: Slot) -> Option<Vec<u8>> {
        self.context.save(slot)
    }

    fn restore(&mut self, slot: Slot, len: u32, state: &[u8]) -> bool {
        self.context.restore(slot, len, state)
    }
}

struct Words {
    model: Arc<native::Model>,
    drops_first_space: bool,
}

impl Vocabulary for Words {
    fn size(&self) -> usize {
        self.model.vocabulary_size()
    }

    fn encode(&self, text: &str, begin: bool, markup: bool) -> Vec<Token> {
        self.model.encode(text, begin, markup)
    }

    fn decode(&self, token: Token, opening: bool, into: &mut Vec<u8>) {
        self.model.decode(token, opening && self.drops_first_space, into);
    }

    fn ends(&self, token: Token) -> bool {
        self.model.ends(token)
    }

    fn marks(&self) -> (String, String) {
        self.model.marks()
    }
}

#[cfg(test)]
mod tests {
    use super::{LLAMA, native};
    use crate::gguf::type_size;

    #[test]
    fn saved_states_name_the_llama_cpp_that_is_linked() {
        let locked = format!("name = \"llama-cpp-sys-2\"\nversion = \"{LLAMA}\"\n");
        assert!(include_str!("../../../Cargo.lock").contains(&locked), "{locked}");
    }

    #[test]
    fn our_table_of_tensor_types_is_that_of_the_llama_cpp_that_is_linked() {
        for kind in 0..native::TENSOR_TYPES + 8 {
            assert_eq!(type_size(kind), native::type_size(kind), "tensor type {kind}");
        }
    }
}
