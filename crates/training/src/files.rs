//! Models and adapters as files: GGUF (what llama.cpp reads) and the layout of Hugging Face (safetensors beside a `config.json`).

use candle_core::{Result, Tensor};

use crate::shape::Rope;

mod gguf;
mod hugging_face;
mod peft;

pub use gguf::TENSOR_TYPES;
pub use peft::adapter_of_peft;

/// Rows of a matrix that makes queries or keys, in the order that another way of turning needs: the two numbers of pair `i` stand at
/// `2i` and `2i + 1` of a head, or at `i` and `i + width / 2`.
fn reordered(matrix: &Tensor, head_width: usize, from: Rope, to: Rope) -> Result<Tensor> {
    if from == to {
        return Ok(matrix.clone());
    }
    let half = head_width / 2;
    let source = |row: usize| {
        let (head, place) = (row / head_width * head_width, row % head_width);
        head + match to {
            Rope::Halves => place % half * 2 + place / half,
            Rope::Pairs => place / 2 + place % 2 * half,
        }
    };
    let rows: Vec<u32> = (0..matrix.dim(0)?).map(|row| source(row) as u32).collect();
    let rows = Tensor::new(rows, matrix.device())?;
    matrix.index_select(&rows, 0)
}
