//! The numbers of a model by place, and the gradients that belong to them.

use std::ops::Range;

use candle_core::{Result, Tensor};

use crate::kernels::{add_to_columns, view};

/// The place of one tensor in a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) usize);

/// One tensor of a model.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// Unique in the model.
    pub(crate) name: String,
    pub(crate) value: Tensor,
    /// Whether training changes it.
    pub(crate) learns: bool,
    /// What of it training leaves as it is all the same.
    pub(crate) held: Vec<Held>,
}

/// Some numbers of a matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
}

impl Held {
    /// Puts these numbers back as they were.
    pub(crate) fn restore(&self, before: &[f32], numbers: &mut [f32], width: usize) {
        for row in self.rows.clone() {
            let at = row * width + self.columns.start..row * width + self.columns.end;
            numbers[at.clone()].copy_from_slice(&before[at]);
        }
    }
}

/// All tensors of a model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(pub(crate) Vec<Parameter>);

impl Parameters {
    pub(crate) fn add(&mut self, name: impl Into<String>, value: Tensor, learns: bool) -> Id {
        self.0.push(Parameter { name: name.into(), value, learns, held: Vec::new() });
        Id(self.0.len() - 1)
    }

    pub(crate) fn value(&self, id: Id) -> &Tensor {
        &self.0[id.0].value
    }

    pub(crate) fn learns(&self, id: Id) -> bool {
        self.0[id.0].learns
    }

    /// Those that training changes.
    pub(crate) fn learning(&self) -> impl Iterator<Item = (Id, &Parameter)> {
        self.0.iter().enumerate().filter(|(_, one)| one.learns).map(|(place, one)| (Id(place), one))
    }
}

/// Sums of gradients, by parameter.
#[derive(Debug, Default)]
pub(crate) struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    /// Adds to what is there. A vector is kept as a matrix of one row.
    pub(crate) fn add(&mut self, id: Id, gradient: &Tensor) -> Result<()> {
        let gradient = match gradient.rank() {
            1 => gradient.unsqueeze(0)?,
            _ => gradient.clone(),
        };
        if self.0.len() <= id.0 {
            self.0.resize(id.0 + 1, None);
        }
        match &self.0[id.0] {
            Some(sum) => add_to_columns(sum, &gradient, 0, 1.0)?,
            None => self.0[id.0] = Some(gradient.contiguous()?),
        }
        Ok(())
    }

    pub(crate) fn of(&self, id: Id) -> Option<&Tensor> {
        self.0.get(id.0)?.as_ref()
    }

    /// The length of all of them as one vector.
    pub(crate) fn length(&self) -> Result<f64> {
        let mut sum = 0f64;
        for gradient in self.0.iter().flatten() {
            sum += view(gradient, |numbers| numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>())?;
        }
        Ok(sum.sqrt())
    }
}
