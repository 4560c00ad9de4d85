//! `portico extract`: what a file says, as blocks. The portal starts it for each file that people send; it gives up what it does not
//! need before it reads the first byte. What is read how is `documents`' business.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use documents::{Block, Confined, Error, Out, limits};
use rustix::fs::{FileType, fstat};

use super::print;

/// The flags of `portico extract`.
#[derive(Debug, clap::Args)]
pub(super) struct ExtractArgs {
    /// The file, whatever it is called: PDF, DOCX, XLSX, PPTX, HTML, CSV, Markdown or text; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Of a PDF, the parts of its lines with their places, instead of paragraphs and tables
    #[arg(long)]
    lines: bool,
    /// Plain text as a table of separated values, also where it does not look like one
    #[arg(long, conflicts_with = "lines")]
    table: bool,
}

/// Writes a JSON line for each block.
pub(super) fn run(args: &ExtractArgs) -> anyhow::Result<ExitCode> {
    let mut file = open(&args.file).with_context(|| args.file.display().to_string())?;
    let written = if is_file()? { 4 * limits::OUTPUT as u64 } else { 0 };
    if documents::confine(written)? == Confined::LimitsOnly && args.file != Path::new("-") {
        print::note(format_args!("portico: this kernel has no Landlock; the file is read within limits alone"));
    }
    Ok(match read(&mut file, args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::note(format_args!("portico: {error}"));
            ExitCode::from(error.exit_code())
        }
    })
}

fn open(path: &Path) -> std::io::Result<File> {
    if path == Path::new("-") {
        return Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned()?));
    }
    File::open(path)
}

/// Whether standard output is a file, which needs leave to grow.
fn is_file() -> std::io::Result<bool> {
    Ok(FileType::from_raw_mode(fstat(std::io::stdout())?.st_mode) == FileType::RegularFile)
}

fn read(file: &mut File, args: &ExtractArgs) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::Failed(error.to_string());
    let mut bytes = Vec::new();
    file.take(limits::FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    let mut lines = BufWriter::new(std::io::stdout().lock());
    // A reader that breaks down over a file says so in a sentence, not with a trace of its own insides.
    std::panic::set_hook(Box::new(|_| {}));
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut write = |block: Block| {
            let line = serde_json::to_string(&block).map_err(|error| Error::Failed(error.to_string()))?;
            match writeln!(lines, "{line}") {
                // Whoever reads has seen enough.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
                done => done.map_err(failed),
            }
        };
        let extract = match (args.lines, args.table) {
            (true, _) => documents::extract_lines,
            (_, true) => documents::extract_table,
            _ => documents::extract,
        };
        extract(bytes, &mut Out::new(&mut write))
    }));
    done.unwrap_or_else(|_| Err(Error::Damaged("the reader broke down over it".to_owned())))?;
    lines.flush().map_err(failed)
}
