//! LoRA adapters (Hu et al., arXiv 2106.09685) as GGUF files, checked against the model that they are for before C++ sees them: each adds
//! `scale * alpha / rank * B * A` to some of its matrices. The format is that of llama.cpp's `convert_lora_to_gguf.py`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader},
    path::Path,
};

use super::{Fault, Head, Tensor, Value, in_one_line, parse};
use crate::backend::Lora;

/// F32, F16, Q8_0 and BF16: what the converter writes, and what llama.cpp multiplies.
const KINDS: [u32; 4] = [0, 1, 8, 30];
/// Both matrices of one change, `lora_a` and `lora_b`.
type Pair<'a> = (Option<&'a Tensor>, Option<&'a Tensor>);

/// Reads the head of the adapter in `file` and compares it with the model whose heads are `base`.
///
/// # Errors
/// Why it is none for this model, as the rest of a sentence that begins with the file.
pub fn read_adapter(file: &Path, base: &[Head]) -> Result<Lora, String> {
    open(file)?.and_then(|head| fits(&head, base)).map_err(|Fault(reason)| in_one_line(&reason))
}

fn open(file: &Path) -> Result<Result<Head, Fault>, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let opened = File::open(file).map_err(unreadable)?;
    let facts = opened.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err("is not a file".into());
    }
    Ok(parse(BufReader::with_capacity(1 << 16, opened), facts.len()))
}

/// What the head of an adapter's file tells by itself: the architecture that it is for, how many matrices it changes, and what the engine knows of
/// it once it is loaded.
///
/// # Errors
/// Why it is none, as the rest of a sentence that begins with the file.
pub fn adapter_facts(file: &Path) -> Result<(String, usize, Lora), String> {
    let facts = |head: &Head| {
        is_lora(head)?;
        let pairs = pairs(head)?;
        let rank = |(first, _): &Pair<'_>| first.and_then(|first| first.shape.get(1)).copied().unwrap_or(0);
        let rank = u32::try_from(pairs.values().map(rank).max().unwrap_or(0)).unwrap_or(u32::MAX);
        let lora = Lora { rank, alpha: alpha(head)?, bytes: head.weight_bytes() };
        Ok((head.architecture().to_owned(), pairs.len(), lora))
    };
    open(file)?.and_then(|head| facts(&head)).map_err(|Fault(reason)| in_one_line(&reason))
}

/// A word that two adapters have in common only where they are the same; see [`identity`](super::identity()).
///
/// # Errors
/// What reading the file failed with.
pub fn adapter_identity(file: &Path) -> io::Result<String> {
    let opened = File::open(file)?;
    let bytes = opened.metadata()?.len();
    let head = parse(BufReader::with_capacity(1 << 16, opened), bytes);
    let head = head.map_err(|Fault(reason)| io::Error::new(io::ErrorKind::InvalidData, reason))?;
    super::identity(file, &[head])
}

fn fits(head: &Head, base: &[Head]) -> Result<Lora, Fault> {
    kind(head, base)?;
    let pairs = pairs(head)?;
    if pairs.is_empty() {
        return Err(Fault("changes nothing: it holds no matrices".into()));
    }
    let mut rank = 0;
    for (name, pair) in &pairs {
        rank = rank.max(rank_of(name, *pair, base)?);
    }
    Ok(Lora { rank, alpha: alpha(head)?, bytes: head.weight_bytes() })
}

fn alpha(head: &Head) -> Result<f32, Fault> {
    match head.metadata.get("adapter.lora.alpha") {
        Some(Value::Float(alpha)) if alpha.is_finite() => Ok(*alpha),
        None => Ok(0.0),
        Some(_) => Err(Fault("has an adapter.lora.alpha that is no 32-bit number".into())),
    }
}

/// Whether it is an adapter at all.
fn is_lora(head: &Head) -> Result<(), Fault> {
    match head.text("general.type") {
        Some("adapter") => {}
        Some(other) => return Err(Fault(format!("is no adapter: its general.type is {other}"))),
        None => return Err(Fault("is no adapter: it has no general.type".into())),
    }
    match head.text("adapter.type") {
        Some("lora") => {}
        other => {
            let kind = other.unwrap_or("unknown");
            return Err(Fault(format!("is an adapter of the kind {kind}; this engine applies lora")));
        }
    }
    if head.metadata.contains_key("adapter.alora.invocation_tokens") {
        return Err(Fault("begins to count at tokens of its own (aLoRA), which this engine does not do".into()));
    }
    Ok(())
}

/// Whether it is one for such a model.
fn kind(head: &Head, base: &[Head]) -> Result<(), Fault> {
    is_lora(head)?;
    let (of, model) = (head.architecture(), base.first().map_or("", Head::architecture));
    if of != model {
        return Err(Fault(format!("is for the architecture {of:?}, and this model is {model:?}")));
    }
    Ok(())
}

fn pairs(head: &Head) -> Result<BTreeMap<&str, Pair<'_>>, Fault> {
    let mut pairs: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
    for tensor in &head.tensors {
        let name = tensor.name.as_str();
        if !KINDS.contains(&tensor.kind) {
            return Err(Fault(format!(
                "has {name} in the tensor type {}; F32, F16, BF16 and Q8_0 are known",
                tensor.kind
            )));
        }
        if let Some(of) = name.strip_suffix(".lora_a") {
            pairs.entry(of).or_default().0 = Some(tensor);
        } else if let Some(of) = name.strip_suffix(".lora_b") {
            pairs.entry(of).or_default().1 = Some(tensor);
        } else {
            return Err(Fault(format!("holds {name}, which is no matrix of a LoRA (.lora_a or .lora_b)")));
        }
    }
    Ok(pairs)
}

/// The rank of one change, whose shapes are those of its matrix in the model.
fn rank_of(name: &str, pair: Pair<'_>, base: &[Head]) -> Result<u32, Fault> {
    let (Some(first), Some(second)) = pair else {
        return Err(Fault(format!("has only one of the two matrices of {name}")));
    };
    let Some(changed) = base.iter().flat_map(|head| &head.tensors).find(|tensor| tensor.name == name) else {
        return Err(Fault(format!("changes {name}, which this model does not have")));
    };
    let sides = |tensor: &Tensor| match *tensor.shape.as_slice() {
        [inner, outer] => Some((inner, outer, 1)),
        [inner, outer, experts] => Some((inner, outer, experts)),
        _ => None,
    };
    let (Some(a), Some(b), Some(of)) = (sides(first), sides(second), sides(changed)) else {
        return Err(Fault(format!("changes {name} by what is no matrix")));
    };
    // The embedding is looked up, not multiplied: its first matrix has a row for each token.
    let is_embedding = name == "token_embd.weight";
    let has_output = || base.iter().flat_map(|head| &head.tensors).any(|tensor| tensor.name == "output.weight");
    if is_embedding && !has_output() {
        return Err(Fault(format!("changes {name}, which in this model is its output, too: that cannot be applied")));
    }
    let (rank, other) = if is_embedding { (a.0, b.0) } else { (a.1, b.0) };
    if rank != other {
        return Err(Fault(format!("has the rank {rank} in {name}.lora_a and {other} in its lora_b")));
    }
    let meant = if is_embedding { (b.1, a.1) } else { (a.0, b.1) };
    if meant != (of.0, of.1) || a.2 != of.2 || b.2 != of.2 {
        let shapes = format!("{:?} and {:?}", first.shape, second.shape);
        return Err(Fault(format!(
            "has matrices of the shapes {shapes} for {name}, which is {:?} in this model",
            changed.shape
        )));
    }
    u32::try_from(rank).map_err(|_| Fault(format!("has the rank {rank} in {name}")))
}
