//! What a layer computes beside its matrix products, forward and backward, by hand: candle's own operations take one thread and a pass
//! over memory each. Rows of 32-bit numbers, all threads of the pool, and the widest vectors that the processor has (chosen when the
//! program runs, by `pulp`). Matrix products are candle's.

use candle_core::{CpuStorage, Device, InplaceOp1, InplaceOp2, Layout, Result, Storage, Tensor, bail};
use rayon::prelude::*;

pub(crate) mod attention;
pub(crate) mod loss;
pub(crate) mod norm;
pub(crate) mod rope;
pub(crate) mod swiglu;

/// Rows that one piece of work takes.
const ROWS: usize = 32;

/// Reads a contiguous tensor where it lies.
pub(crate) fn view<R>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("the tensor is not in the processor's memory") };
    contiguous(storage, layout).map(read)
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("the tensor is not contiguous") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

pub(crate) fn tensor(numbers: Vec<f32>, rows: usize, width: usize) -> Result<Tensor> {
    Tensor::from_vec(numbers, (rows, width), &Device::Cpu)
}

/// Calls `work(row's number, row)` for each row of `out`.
pub(crate) fn by_rows(out: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    out.par_chunks_mut(width * ROWS).enumerate().for_each(|(piece, rows)| {
        widest(
            #[inline(always)]
            || {
                for (row, numbers) in rows.chunks_exact_mut(width).enumerate() {
                    work(piece * ROWS + row, numbers);
                }
            },
        );
    });
}

/// Runs `work` compiled for the widest vectors of this processor. What it calls must be inlined into it.
#[inline(always)]
pub(crate) fn widest<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// The sum of products. Sixteen sums, so that it is done in vectors; the order of adding is always the same.
#[inline(always)]
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let (lefts, rights) = (left.chunks_exact(16), right.chunks_exact(16));
    let rest: f32 = lefts.remainder().iter().zip(rights.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in lefts.zip(rights) {
        for lane in 0..16 {
            sums[lane] = a[lane].mul_add(b[lane], sums[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// `e^x` to about one unit in the last place, in operations that the compiler puts into vectors (the polynomial is that of Cephes).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let whole = rounded - ROUND;
    let part = whole.mul_add(2.121_944_4e-4, whole.mul_add(-0.693_359_4, x));
    let mut sum = 1.987_569_1e-4f32;
    for factor in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = sum.mul_add(part, factor);
    }
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    (sum * part).mul_add(part, part + 1.0) * power
}

/// The largest number. Compared in sixteen lanes.
#[inline(always)]
pub(crate) fn largest(numbers: &[f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; 16];
    let chunks = numbers.chunks_exact(16);
    let rest = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for chunk in chunks {
        for lane in 0..16 {
            most[lane] = if chunk[lane] > most[lane] { chunk[lane] } else { most[lane] };
        }
    }
    most.iter().copied().fold(rest, f32::max)
}

/// Turns `numbers` into `e^(number * scale - shift)` and returns their sum.
#[inline(always)]
pub(crate) fn exp_all(numbers: &mut [f32], scale: f32, shift: f32) -> f32 {
    let mut sums = [0f32; 16];
    let mut rest = 0f32;
    let mut chunks = numbers.chunks_exact_mut(16);
    for chunk in &mut chunks {
        for lane in 0..16 {
            chunk[lane] = exp(chunk[lane].mul_add(scale, -shift));
            sums[lane] += chunk[lane];
        }
    }
    for number in chunks.into_remainder() {
        *number = exp(number.mul_add(scale, -shift));
        rest += *number;
    }
    sums.iter().sum::<f32>() + rest
}

/// A new tensor: the sum.
pub(crate) fn plus(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let (rows, width) = left.dims2()?;
    let mut out = vec![0f32; rows * width];
    view(left, |left| {
        view(right, |right| {
            by_rows(
                &mut out,
                width,
                #[inline(always)]
                |row, out| {
                    let at = row * width..(row + 1) * width;
                    for ((out, left), right) in out.iter_mut().zip(&left[at.clone()]).zip(&right[at]) {
                        *out = left + right;
                    }
                },
            );
        })
    })??;
    tensor(out, rows, width)
}

/// Adds `scale * change` to the columns of `to` from `first` on.
pub(crate) fn add_to_columns(to: &Tensor, change: &Tensor, first: usize, scale: f32) -> Result<()> {
    to.inplace_op2(change, &AddToColumns { first, scale })
}

struct AddToColumns {
    first: usize,
    scale: f32,
}

impl InplaceOp2 for AddToColumns {
    fn name(&self) -> &'static str {
        "add to columns"
    }

    fn cpu_fwd(&self, to: &mut CpuStorage, to_is: &Layout, change: &CpuStorage, change_is: &Layout) -> Result<()> {
        let (width, part) = (to_is.dims()[1], change_is.dims()[1]);
        let change = contiguous(change, change_is)?;
        by_rows(
            in_place(to, to_is)?,
            width,
            #[inline(always)]
            |row, to| {
                let change = &change[row * part..(row + 1) * part];
                for (to, change) in to[self.first..self.first + part].iter_mut().zip(change) {
                    *to = change.mul_add(self.scale, *to);
                }
            },
        );
        Ok(())
    }
}

fn in_place<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("the tensor is not contiguous") };
    match storage {
        CpuStorage::F32(numbers) => Ok(&mut numbers[start..end]),
        _ => bail!("the tensor does not hold 32-bit numbers"),
    }
}

/// Adds the same row to each row.
pub(crate) fn add_row(to: &Tensor, row: &Tensor) -> Result<()> {
    let row = view(row, <[f32]>::to_vec)?;
    to.inplace_op1(&AddRow(row))
}

struct AddRow(Vec<f32>);

impl InplaceOp1 for AddRow {
    fn name(&self) -> &'static str {
        "add a row"
    }

    fn cpu_fwd(&self, to: &mut CpuStorage, to_is: &Layout) -> Result<()> {
        by_rows(
            in_place(to, to_is)?,
            self.0.len(),
            #[inline(always)]
            |_, to| {
                for (to, number) in to.iter_mut().zip(&self.0) {
                    *to += number;
                }
            },
        );
        Ok(())
    }
}

/// The sum over the rows: of each column.
pub(crate) fn sum_of_rows(of: &Tensor) -> Result<Tensor> {
    let (_, width) = of.dims2()?;
    let mut sums = vec![0f32; width];
    view(of, |numbers| {
        for row in numbers.chunks_exact(width) {
            for (sum, number) in sums.iter_mut().zip(row) {
                *sum += number;
            }
        }
    })?;
    Tensor::from_vec(sums, width, &Device::Cpu)
}

/// The rows of `table` that `which` names.
pub(crate) fn gather(table: &Tensor, which: &[u32]) -> Result<Tensor> {
    let (_, width) = table.dims2()?;
    let mut out = vec![0f32; which.len() * width];
    view(table, |table| {
        by_rows(
            &mut out,
            width,
            #[inline(always)]
            |row, out| {
                let from = which[row] as usize * width;
                out.copy_from_slice(&table[from..from + width]);
            },
        );
    })?;
    tensor(out, which.len(), width)
}

/// The other way: a table of `rows` rows, to which each row of `from` was added where `which` says.
pub(crate) fn scatter(from: &Tensor, which: &[u32], rows: usize) -> Result<Tensor> {
    let (_, width) = from.dims2()?;
    let mut table = vec![0f32; rows * width];
    view(from, |from| {
        for (row, to) in from.chunks_exact(width).zip(which) {
            let to = *to as usize * width;
            for (sum, number) in table[to..to + width].iter_mut().zip(row) {
                *sum += number;
            }
        }
    })?;
    tensor(table, rows, width)
}
