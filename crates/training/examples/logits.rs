//! What the trainer computes, for others to compare: `logits MODEL.gguf ADAPTER.gguf TOKEN…` writes a JSON array with a row of logits for each token;
//! without the adapter where its name is `-`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for comparisons; its arguments are ours")]

use std::path::Path;

use training::Model;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [model, adapter, tokens @ ..] = words.as_slice() else { return };
    let mut model = Model::of_gguf(Path::new(model)).unwrap();
    if adapter != "-" {
        model.adapt_from_gguf(Path::new(adapter)).unwrap();
    }
    let tokens: Vec<u32> = tokens.iter().map(|token| token.parse().unwrap()).collect();
    println!("{}", serde_json::to_string(&model.logits(&tokens).unwrap()).unwrap());
}
