//! The way back, which is written by hand, against finite differences of the loss: for each tensor of each kind of model.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use training::{Batch, Lora, Loss, Model, Target};

use crate::small::{documents, lively, noise, shapes, tensors};

/// The longest part of a tensor's gradient that may differ, against its length.
const DIFFERENCE: f64 = 4e-3;
/// How far a tensor is moved each way, as one vector.
const STEP: f64 = 4e-3;

/// Compares the slope of the loss along `direction` with what the gradient says.
fn check(name: &str, gradient: &[f32], direction: &[f32], loss: &dyn Fn(&[f32]) -> Loss) {
    let length = direction.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    let moved = |by: f64| direction.iter().map(|number| (f64::from(*number) / length * by) as f32).collect::<Vec<_>>();
    let between = |step: f64| loss(&moved(step)).sum - loss(&moved(-step)).sum;
    // Of fourth order: the loss is bent.
    let slope = (8.0 * between(STEP) - between(2.0 * STEP)) / (12.0 * STEP);
    let said = gradient.iter().zip(direction).map(|(one, other)| f64::from(one * other)).sum::<f64>() / length;
    let whole = gradient.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    assert!(whole > 1e-3, "the gradient of {name} is nothing: {whole}");
    assert!(
        (slope - said).abs() < DIFFERENCE * whole,
        "{name}: the slope is {slope}, the gradient says {said} of {whole}"
    );
}

fn plus(tensor: &Tensor, change: &[f32]) -> Tensor {
    let change = Tensor::from_slice(change, tensor.dims(), &Device::Cpu).unwrap();
    (tensor + change).unwrap()
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (number, shape) in shapes().into_iter().enumerate() {
        let tensors = tensors(&shape, 11 + number as u64);
        let batch = Batch::of(&documents(shape.vocabulary, &[9, 2, 14, 1, 21]));
        let model = Model::of_tensors(shape.clone(), tensors.clone()).unwrap();
        let (_, gradients) = model.gradients(&batch).unwrap();
        for (name, gradient) in gradients {
            let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
            let loss = |change: &[f32]| {
                let mut moved = tensors.clone();
                move_by(&mut moved, &name, change);
                Model::of_tensors(shape.clone(), moved).unwrap().loss(&batch).unwrap()
            };
            let name = format!("{:?} {name}", shape.architecture);
            check(&name, &gradient, &gradient, &loss);
            check(&name, &gradient, &noise(5, gradient.len()), &loss);
        }
    }
}

/// Adds to a tensor of the model; one that stands for several has their names with `+` between.
fn move_by(tensors: &mut BTreeMap<String, Tensor>, name: &str, change: &[f32]) {
    let Some((layer, rest)) = name.strip_prefix("blk.").and_then(|name| name.split_once('.')) else {
        tensors.insert(name.into(), plus(&tensors[name], change));
        return;
    };
    let (parts, kind) = rest.split_once('.').unwrap();
    let mut change = change;
    for part in parts.split('+') {
        let name = format!("blk.{layer}.{part}.{kind}");
        let (of_this, rest) = change.split_at(tensors[&name].elem_count());
        change = rest;
        tensors.insert(name.clone(), plus(&tensors[&name], of_this));
    }
    assert!(change.is_empty(), "{name}");
}

/// `b` of a fresh adapter is 0, and so is the gradient of `a`: here both get numbers first.
#[test]
fn gradients_of_an_adapter_are_those_of_finite_differences() {
    let shape = shapes()[1].clone();
    let batch = Batch::of(&documents(shape.vocabulary, &[12, 7]));
    let mut model = lively(&shape, 3);
    let lora = Lora { rank: 3, alpha: 6.0, dropout: 0.0, targets: Target::ALL.to_vec() };
    model.adapt(lora, 4).unwrap();
    let names: Vec<String> = model.gradients(&batch).unwrap().1.into_keys().collect();
    assert_eq!(names.len(), shape.layers * Target::ALL.len() * 2, "only the adapter learns: {names:?}");
    for (number, (name, tensor)) in model.adapter_tensors().into_iter().enumerate() {
        let change = noise(number as u64 + 40, tensor.elem_count());
        let change: Vec<f32> = change.into_iter().map(|number| number * 0.3).collect();
        model.set_adapter_tensor(&name, plus(&tensor, &change)).unwrap();
    }
    let tensors: BTreeMap<String, Tensor> = model.adapter_tensors().into_iter().collect();
    let (_, gradients) = model.gradients(&batch).unwrap();
    for (name, gradient) in gradients {
        let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        let loss = |change: &[f32]| {
            let mut moved = model.clone();
            moved.set_adapter_tensor(&name, plus(&tensors[&name], change)).unwrap();
            moved.loss(&batch).unwrap()
        };
        check(&name, &gradient, &gradient, &loss);
        check(&name, &gradient, &noise(6, gradient.len()), &loss);
    }
}

/// What a document is worth does not depend on its neighbours in the batch.
#[test]
fn documents_side_by_side_do_not_see_each_other() {
    for shape in shapes() {
        let model = lively(&shape, 8);
        let all = documents(shape.vocabulary, &[9, 2, 14, 21]);
        let together = model.loss(&Batch::of(&all)).unwrap();
        let mut alone = Loss::default();
        for one in &all {
            alone += model.loss(&Batch::of([one])).unwrap();
        }
        assert_eq!(together.tokens, alone.tokens);
        assert!((together.sum - alone.sum).abs() < 1e-4, "{together:?} {alone:?}");
    }
}
