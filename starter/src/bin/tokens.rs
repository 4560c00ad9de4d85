//! Cuts texts into tokens: JSON strings on standard input, one a line, become lines of token numbers. It is held against llama.cpp by
//! `tokens.py`; without input (`--random N`) it prints N random texts to do so with.

use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, Result};
use clap::Parser;
use starter::{dice::Dice, vocabulary::Vocabulary, writer::Writer};

#[derive(Parser)]
struct Arguments {
    /// The folder with facts.json and text/.
    #[arg(long, default_value = ".")]
    folder: std::path::PathBuf,
    /// The vocabulary that `teach` left.
    #[arg(long)]
    vocabulary: std::path::PathBuf,
    /// Print so many random texts instead.
    #[arg(long)]
    random: Option<u64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if let Some(count) = arguments.random {
        let writer = Writer::read(&arguments.folder)?;
        for number in 0..count {
            writeln!(out, "{}", serde_json::to_string(&random(&writer, number))?)?;
        }
        return Ok(out.flush()?);
    }
    let read = std::fs::read(&arguments.vocabulary).with_context(|| arguments.vocabulary.display().to_string())?;
    let vocabulary = serde_json::from_slice::<Vocabulary>(&read)?.ready();
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let tokens: Vec<_> = vocabulary.tokens(&text).iter().map(u32::to_string).collect();
        writeln!(out, "{}", tokens.join(" "))?;
    }
    Ok(out.flush()?)
}

/// A text of the writer's with letters of all kinds thrown in, or nothing but such letters.
fn random(writer: &Writer, number: u64) -> String {
    let mut dice = Dice::new(77, number);
    let begun = match dice.below(3) {
        0 => String::new(),
        _ => writer.conversation(77, number).turns.remove(0).0,
    };
    let mut letters: Vec<char> = begun.chars().collect();
    for _ in 0..1 + dice.below(30) {
        let letter = match dice.below(8) {
            0 => ' ',
            1 => *dice.of(&['\n', '\t', '\r', '\'', '"', '(', '.', '-', '_', '%', '\u{a0}', '\u{3000}', '’']),
            2 => *dice.of(&['s', 't', 'S', 'd', 'l', 'v', 'r', 'e']),
            3 => char::from(b'!' + dice.below(94) as u8),
            4 => char::from_u32(dice.between(0xa1, 0x24ff) as u32).unwrap_or('é'),
            5 => char::from_u32(dice.between(0x3000, 0x9fff) as u32).unwrap_or('中'),
            6 => char::from_u32(dice.between(0x1f300, 0x1faff) as u32).unwrap_or('🙂'),
            _ => char::from_u32(dice.between(0x61, 0x7a) as u32).unwrap_or('a'),
        };
        let at = dice.below(letters.len() + 1);
        letters.insert(at, letter);
    }
    letters.into_iter().collect()
}
