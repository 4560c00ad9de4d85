//! Writes conversations, one JSON object a line: the very text that `teach` learns from. It teaches nothing.

use std::io::{BufWriter, Write as _};

use anyhow::{Result, ensure};
use clap::Parser;
use starter::writer::Writer;

#[derive(Parser)]
struct Arguments {
    /// The folder with facts.json and text/.
    #[arg(long, default_value = ".")]
    folder: std::path::PathBuf,
    #[arg(long, default_value_t = 2)]
    leg: u64,
    /// That of the first leg.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many conversations.
    #[arg(long, default_value_t = 20)]
    count: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let writer = Writer::read(&arguments.folder)?;
    let unfilled = writer.unfilled();
    ensure!(unfilled.is_empty(), "nobody fills {unfilled:?}");
    let mut out = BufWriter::new(std::io::stdout().lock());
    for number in 0..arguments.count {
        serde_json::to_writer(&mut out, &writer.of_leg(arguments.leg, arguments.seed + arguments.leg - 1, number))?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}
