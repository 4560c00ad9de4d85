//! A vendor's server as the tests script it, as a program, so that the vendor's own client can be shown it too:
//! `vendor KIND` prints its address and serves until standard input ends. Of a dialect that is only files, a request is answered
//! with the case that its path begins with: `/too_long/v1/messages`.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a tool of tests")]

use std::path::Path;

use models::testing::{Scripted, ScriptedAzure, ScriptedOllama};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let kind = std::env::args().nth(1).unwrap_or_default();
    // Held until the end: a scripted server stops when it is dropped.
    let (ollama, azure, files);
    match kind.as_str() {
        "ollama" => {
            ollama = ScriptedOllama::start().await;
            println!("{}", ollama.url);
        }
        "azure" => {
            azure = ScriptedAzure::start().await;
            println!("{}", azure.url);
        }
        "anthropic" | "gemini" => {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
            files = Scripted::replay(&folder).await;
            println!("{}", files.url);
        }
        other => {
            println!("{other:?} is nobody; there are: ollama, azure, anthropic, gemini");
            std::process::exit(2);
        }
    }
    let to_its_end = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(to_its_end).await.expect("it runs").expect("standard input is readable");
}
