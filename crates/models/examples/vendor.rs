//! A vendor's server as the tests script it, as a program, so that the vendor's own client can be shown it too:
//! `vendor ollama` or `vendor azure` prints its address and serves until standard input ends.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a tool of tests")]

use models::testing::{ScriptedAzure, ScriptedOllama};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let kind = std::env::args().nth(1).unwrap_or_default();
    // Held until the end: a scripted server stops when it is dropped.
    let (ollama, azure);
    match kind.as_str() {
        "ollama" => {
            ollama = ScriptedOllama::start().await;
            println!("{}", ollama.url);
        }
        "azure" => {
            azure = ScriptedAzure::start().await;
            println!("{}", azure.url);
        }
        other => {
            println!("{other:?} is nobody; there are: ollama, azure");
            std::process::exit(2);
        }
    }
    let to_its_end = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(to_its_end).await.expect("it runs").expect("standard input is readable");
}
