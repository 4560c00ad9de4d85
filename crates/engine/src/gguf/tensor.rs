//! The table of tensors: names, shapes, types and where their data lies. Bounds only; the data itself is llama.cpp's.

use std::{collections::HashSet, io::Read};

use super::{Fault, cursor::Cursor};

const MOST_DIMENSIONS: u32 = 4;
const LONGEST_NAME: u64 = 63;

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, for example `blk.0.attn_q.weight`.
    pub name: String,
    /// Elements in each dimension, the fastest first; one to four of them.
    pub shape: Vec<u64>,
    /// Its type, a `ggml_type`.
    pub kind: u32,
    /// Offset of its data from the start of the data section, in bytes.
    pub offset: u64,
    /// Size of its data in bytes.
    pub bytes: u64,
}

/// Elements per block and bytes per block of a tensor type; `None` for a number that names no type.
/// The source is `ggml_type` and `ggml-common.h` of the llama.cpp that is pinned; a test compares every row with it.
pub fn type_size(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 | 26 => (1, 4),
        1 | 25 | 30 => (1, 2),
        2 | 20 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        9 => (32, 36),
        10 => (256, 84),
        11 | 21 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        15 => (256, 292),
        16 | 35 => (256, 66),
        17 => (256, 74),
        18 => (256, 98),
        19 => (256, 50),
        22 => (256, 82),
        23 => (256, 136),
        24 => (1, 1),
        27 | 28 => (1, 8),
        29 => (256, 56),
        34 => (256, 54),
        39 => (32, 17),
        40 => (64, 36),
        41 => (128, 18),
        42 => (64, 18),
        _ => return None,
    })
}

pub(super) fn read_table(cursor: &mut Cursor<impl Read>, count: u64, alignment: u64) -> Result<Vec<Tensor>, Fault> {
    let mut tensors = Vec::new();
    let mut names = HashSet::new();
    for _ in 0..count {
        let tensor = read_row(cursor, alignment)?;
        if !names.insert(tensor.name.clone()) {
            return Err(Fault(format!("has the tensor {} twice", tensor.name)));
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

fn read_row(cursor: &mut Cursor<impl Read>, alignment: u64) -> Result<Tensor, Fault> {
    let name = cursor.string("a tensor name", LONGEST_NAME)?;
    let dimensions = cursor.u32()?;
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        return Err(Fault(format!("has the tensor {name} with {dimensions} dimensions")));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(cursor.u64()?);
    }
    let kind = cursor.u32()?;
    let offset = cursor.u64()?;
    if !offset.is_multiple_of(alignment) {
        return Err(Fault(format!("has the tensor {name} at the unaligned offset {offset}")));
    }
    let Some((block, block_bytes)) = type_size(kind) else {
        return Err(Fault(format!("has the tensor {name} of the unknown type {kind}")));
    };
    let bytes = data_bytes(&shape, block, block_bytes)
        .ok_or_else(|| Fault(format!("has the tensor {name} of the impossible shape {shape:?}")))?;
    Ok(Tensor { name, shape, kind, offset, bytes })
}

/// Bytes of a tensor of `shape`; `None` when it is empty, overflows, or its rows are no whole number of blocks.
fn data_bytes(shape: &[u64], block: u64, block_bytes: u64) -> Option<u64> {
    let row = *shape.first()?;
    if !row.is_multiple_of(block) {
        return None;
    }
    let elements = shape.iter().try_fold(1_u64, |product, &side| product.checked_mul(side))?;
    let bytes = (elements / block).checked_mul(block_bytes)?;
    (1..=u64::MAX / 4).contains(&bytes).then_some(bytes)
}

pub(super) fn check_bounds(tensors: &[Tensor], data_offset: u64, file_len: u64) -> Result<(), Fault> {
    for Tensor { name, offset, bytes, .. } in tensors {
        let end = data_offset.checked_add(*offset).and_then(|start| start.checked_add(*bytes));
        if end.is_none_or(|end| end > file_len) {
            return Err(Fault(format!("is cut short: the tensor {name} lies past the end of its {file_len} bytes")));
        }
    }
    Ok(())
}
