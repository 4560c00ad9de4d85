//! The tensors of a model by their names in GGUF: read out, and held as they are. Those that are kept as one are told apart here.

use std::ops::Range;

use candle_core::Tensor;

use super::Model;
use crate::{
    Error, Target,
    parameters::{Held, Parameter},
};

impl Model {
    /// The tensors of the model itself by their names in GGUF, outer dimension first.
    ///
    /// # Errors
    /// [`Error::Computation`]: none that is known.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>, Error> {
        let mut all = Vec::new();
        for parameter in self.parameters.0.iter().filter(|one| !one.name.contains(".lora_")) {
            let parts = self.parts(parameter);
            if let [(name, _)] = parts.as_slice() {
                all.push((name.clone(), parameter.value.clone()));
                continue;
            }
            for (name, rows) in parts {
                all.push((name, parameter.value.narrow(0, rows.start, rows.len())?.contiguous()?));
            }
        }
        Ok(all)
    }

    /// Leaves these numbers of a tensor as they are, whatever is learned; a vector is one row. No file and no checkpoint knows of it.
    ///
    /// # Errors
    /// [`Error::Refused`] when the model has no such tensor or numbers.
    pub fn hold(&mut self, name: &str, rows: Range<usize>, columns: Range<usize>) -> Result<(), Error> {
        let refused = || Error::Refused(format!("{name} has no rows {rows:?} and columns {columns:?} to hold"));
        let mut all = self.parameters.0.iter().enumerate();
        let found = all.find_map(|(place, one)| {
            let (_, of) = self.parts(one).into_iter().find(|(part, _)| part == name)?;
            Some((place, of))
        });
        let (place, of) = found.ok_or_else(refused)?;
        let parameter = &mut self.parameters.0[place];
        let width = parameter.value.dims().last().copied().unwrap_or(0);
        // Biases that are kept as one are one row here, whose parts have none.
        let is_part_of_row = parameter.value.rank() == 1 && of != (0..1);
        if is_part_of_row || rows.end > of.len() || columns.end > width {
            return Err(refused());
        }
        parameter.held.push(Held { rows: of.start + rows.start..of.start + rows.end, columns });
        Ok(())
    }

    /// The tensors that a parameter is made of, with their rows in it.
    fn parts(&self, parameter: &Parameter) -> Vec<(String, Range<usize>)> {
        let whole = match parameter.value.rank() {
            1 => 0..1,
            _ => 0..parameter.value.dims()[0],
        };
        let packed = parameter.name.split_once('.').and_then(|(_, rest)| {
            let (layer, rest) = rest.split_once('.')?;
            let (names, kind) = rest.split_once('.').filter(|(names, _)| names.contains('+'))?;
            Some((layer, names, kind))
        });
        let Some((layer, names, kind)) = packed else { return vec![(parameter.name.clone(), whole)] };
        let mut first = 0;
        let of = |name: &str| {
            let target = Target::ALL.into_iter().find(|target| target.in_gguf() == name);
            let rows = target.map_or(0, |target| target.sides(&self.shape).0);
            first += rows;
            (format!("blk.{layer}.{name}.{kind}"), first - rows..first)
        };
        names.split('+').map(of).collect()
    }
}
