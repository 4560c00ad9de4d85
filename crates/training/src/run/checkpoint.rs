//! A run on disk: one file, replaced as a whole. Its first line is JSON (what run it is, how far it is, the SHA-256 of the rest), the rest
//! is a safetensors file with each learning parameter and its two moments.

use std::{fs::File, io::Write, path::Path};

use candle_core::{Device, Tensor};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Place, Run};
use crate::{Error, kernels::view};

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    /// Of everything after the first line.
    sha256: String,
    /// What must be the same for the run to go on.
    of: Value,
    step: usize,
    place: Place,
    held_out: Option<f64>,
}

pub(super) fn write(run: &Run<'_>, path: &Path) -> Result<(), Error> {
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for moments in &run.adam.0 {
        let parameter = &run.model.parameters.0[moments.id.0];
        let (name, dims) = (&parameter.name, parameter.value.dims());
        tensors.push((name.clone(), dims.to_vec(), view(&parameter.value, to_bytes)?));
        tensors.push((format!("{name}.first"), dims.to_vec(), to_bytes(&moments.first)));
        tensors.push((format!("{name}.second"), dims.to_vec(), to_bytes(&moments.second)));
    }
    let views = tensors.iter().map(|(name, dims, bytes)| Ok((name, TensorView::new(Dtype::F32, dims.clone(), bytes)?)));
    let body = views
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|error| Error::broken(path, format!("cannot be made: {error}")))?;
    let head = Head {
        format: FORMAT,
        sha256: hex(&Sha256::digest(&body)),
        of: of(run)?,
        step: run.step,
        place: run.place,
        held_out: run.last_held_out,
    };
    let mut whole = serde_json::to_vec(&head).map_err(|error| Error::broken(path, error.to_string()))?;
    whole.push(b'\n');
    whole.extend_from_slice(&body);
    write_whole(path, &whole)
}

pub(super) fn read(run: &mut Run<'_>, path: &Path) -> Result<(), Error> {
    let broken = |reason: &str| Error::broken(path, reason);
    let whole = std::fs::read(path).map_err(Error::unreadable(path))?;
    let end = whole.iter().position(|byte| *byte == b'\n').ok_or_else(|| broken("is no checkpoint"))?;
    let (head, body) = (&whole[..end], &whole[end + 1..]);
    let head: Head = serde_json::from_slice(head).map_err(|_| broken("is no checkpoint"))?;
    if head.format != FORMAT {
        return Err(broken("was written by another version of this program"));
    }
    if hex(&Sha256::digest(body)) != head.sha256 {
        return Err(broken("is damaged: its checksum is another one"));
    }
    same(&head.of, &of(run)?, path)?;

    let tensors = SafeTensors::deserialize(body).map_err(|error| broken(&format!("is damaged: {error}")))?;
    for moments in &mut run.adam.0 {
        let parameter = &mut run.model.parameters.0[moments.id.0];
        let numbers = |suffix: &str| -> Result<Vec<f32>, Error> {
            let tensor = tensors.tensor(&format!("{}{suffix}", parameter.name));
            let tensor = tensor.map_err(|error| broken(&format!("is damaged: {error}")))?;
            let numbers = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Ok(numbers)
        };
        (moments.first, moments.second) = (numbers(".first")?, numbers(".second")?);
        parameter.value = Tensor::from_vec(numbers("")?, parameter.value.dims(), &Device::Cpu)?;
    }
    (run.step, run.place, run.last_held_out) = (head.step, head.place, head.held_out);
    Ok(())
}

/// What a run is: a checkpoint of another one is not gone on from.
fn of(run: &Run<'_>) -> Result<Value, Error> {
    let mut data = Sha256::new();
    for example in run.examples.iter() {
        data.update((example.tokens.len() as u64).to_le_bytes());
        for (token, learned) in example.tokens.iter().zip(&example.learned) {
            data.update(token.to_le_bytes());
            data.update([u8::from(*learned)]);
        }
    }
    // What is frozen decides what is learned, too; what learns is in the checkpoint.
    let mut base = Sha256::new();
    for parameter in run.model.parameters.0.iter().filter(|one| !one.learns) {
        base.update(view(&parameter.value, to_bytes)?);
    }
    let settings = &run.settings;
    Ok(json!({
        "model": run.model.shape(),
        "adapter": run.model.lora(),
        "base": hex(&base.finalize()),
        "data": hex(&data.finalize()),
        "schedule": settings.schedule,
        "batch": settings.batch_tokens,
        "accumulate": settings.accumulate,
        "clip": settings.clip,
        "decay": settings.decay,
        "seed": settings.seed,
    }))
}

fn same(saved: &Value, now: &Value, path: &Path) -> Result<(), Error> {
    let fields = now.as_object().into_iter().flatten();
    let Some((other, _)) = fields.into_iter().find(|(name, value)| saved[name.as_str()] != **value) else {
        return Ok(());
    };
    Err(Error::Refused(format!(
        "{} is the checkpoint of another run: its {other} is different; take the same settings, or another folder",
        path.display()
    )))
}

pub(crate) fn to_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file so that it is there as a whole or, whatever happens, as it was.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let partial = path.with_extension("partial");
    let unreadable = || Error::unreadable(path);
    let mut file = File::create(&partial).map_err(unreadable())?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(unreadable())?;
    std::fs::rename(&partial, path).map_err(unreadable())?;
    // The new name is in the folder, which is a file of its own.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unreadable())
}
