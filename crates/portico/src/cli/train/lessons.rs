//! What is learned and what is held out, from files to tokens: read as the portal reads them, written out as the engine asks the model.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use domain::{Clock as _, SystemClock, Timestamp};
use engine::Tokenizer;
use sha2::{Digest as _, Sha256};
use training::{Example, Examples, Shape};
use tuning::data::{self, Format};

use super::TrainArgs;

/// Both sides.
pub(super) struct Lessons {
    pub(super) learned: Side,
    pub(super) held_out: Option<Side>,
    /// Whether the model's own chat template wrote them.
    pub(super) templated: bool,
}

/// The examples of one file.
pub(super) struct Side {
    pub(super) path: PathBuf,
    /// Of the file, in hex.
    pub(super) sha256: String,
    pub(super) examples: Examples,
    pub(super) tokens: usize,
    /// Those that answers consist of.
    pub(super) answers: usize,
    /// Examples that were longer than they may be.
    pub(super) cut: usize,
    longest: usize,
}

impl Lessons {
    pub(super) fn read(args: &TrainArgs, shape: &Shape) -> anyhow::Result<Lessons> {
        let tokenizer = engine::tokenizer(&args.model)?;
        let context = args.context.unwrap_or(super::CONTEXT).min(shape.context);
        let now = SystemClock::new().now();
        let reader = Reader { tokenizer, now, context, vocabulary: shape.vocabulary };
        let learned = reader.side(&args.data)?;
        let learned =
            learned.with_context(|| format!("{} is empty: there is nothing to learn", args.data.display()))?;
        let held_out = args.held_out.as_deref().map(|path| reader.side(path)).transpose()?.flatten();
        Ok(Lessons { learned, held_out, templated: reader.tokenizer.templated() })
    }

    /// Tokens of the largest batch there can be.
    pub(super) fn most_at_once(&self, batch_tokens: usize) -> usize {
        let sides = [Some(&self.learned), self.held_out.as_ref()];
        let of = |side: &Side| batch_tokens.min(side.tokens).max(side.longest);
        sides.into_iter().flatten().map(of).max().unwrap_or(0)
    }
}

struct Reader {
    tokenizer: Tokenizer,
    now: Timestamp,
    context: usize,
    vocabulary: usize,
}

impl Reader {
    /// `None` where the file holds nothing.
    fn side(&self, path: &Path) -> anyhow::Result<Option<Side>> {
        let (bytes, examples) = examples_of(path)?;
        if examples.is_empty() {
            return Ok(None);
        }
        let mut lessons = Vec::with_capacity(examples.len());
        for (line, example) in &examples {
            lessons.push(self.lesson(example).with_context(|| format!("{}: line {line}", path.display()))?);
        }
        let cut = lessons.iter().filter(|lesson| lesson.tokens.len() > self.context + 1).count();
        let examples = Examples::new(lessons, self.vocabulary, self.context);
        let examples = examples.with_context(|| path.display().to_string())?;
        let lengths = || examples.iter().map(|example| example.tokens.len() - 1);
        let (tokens, longest) = (lengths().sum(), lengths().max().unwrap_or(0));
        let answers = examples.iter().map(Example::targets).sum();
        let sha256 = hex(&Sha256::digest(&bytes));
        Ok(Some(Side { path: path.to_owned(), sha256, examples, tokens, answers, cut, longest }))
    }

    /// Only the last answer is learned: nobody has said of those before it that they were good.
    fn lesson(&self, example: &data::Example) -> anyhow::Result<Example> {
        let messages = serde_json::to_value(&example.messages)?;
        let messages = messages.as_array().map(Vec::as_slice).unwrap_or_default();
        let lesson = self.tokenizer.lesson(messages, self.now)?;
        let learned = (0..lesson.tokens.len()).map(|place| place >= lesson.given).collect();
        let tokens = lesson.tokens.into_iter().map(u32::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Example { tokens, learned })
    }
}

/// An example, and the line that it begins on.
pub(in crate::cli) type Numbered = (u32, data::Example);

/// The bytes of a file, and its examples with the lines that they stand in: none where it is blank.
pub(in crate::cli) fn examples_of(path: &Path) -> anyhow::Result<(Vec<u8>, Vec<Numbered>)> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok((bytes, Vec::new()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let reading = data::read(&bytes, Format::guess(&name, &bytes)).with_context(|| path.display().to_string())?;
    if let [first, more @ ..] = reading.faults.as_slice() {
        let others = match more.len() {
            0 => String::new(),
            more => format!(" (and {more} more like it)"),
        };
        bail!("{} cannot be learned: line {}: {}{others}", path.display(), first.line, first.message);
    }
    Ok((bytes, reading.examples))
}

/// Digits of a checksum.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
