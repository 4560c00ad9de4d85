//! `portico model`: the models on this machine: list them, fetch one, take one in, compare it with its checksum, remove it. The
//! work is `models::library`'s; no database is opened, and nothing is contacted but by `pull`.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use domain::SystemClock;
use egress::Egress;
use models::library::{self, Entry, Facts, Kind, Library, Room, Source, Step, Taking, shown};
use tokio_util::sync::CancellationToken;

use super::house::run as finish;
use super::{Place, print};
use crate::config::Config;
use crate::{data, options};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The models that are here, an Ollama's included; with --catalogue, those that can be fetched by name.
    List(List),
    /// Fetch a GGUF file: by a name of the catalogue, or by its URL.
    Pull(Pull),
    /// Take in a GGUF file that is on this machine.
    Import(Import),
    /// Read a model's file again and compare it with its checksum.
    Verify(Named),
    /// Remove a model.
    Remove(Remove),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// What can be fetched by name, with what it takes of this machine's memory.
    #[arg(long, alias = "catalog")]
    catalogue: bool,
    /// The context in tokens to reckon with [default: 8192, or what the model was made for].
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(16..))]
    context: Option<u32>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Pull {
    /// NAME or NAME:QUANT of the catalogue, or the https:// URL of a .gguf file.
    model: String,
    /// Whom to ask for a name of the catalogue: huggingface, modelscope, or the URL of a mirror with Hugging Face's paths
    /// [default: `library.from` of the configuration, else huggingface].
    #[arg(long, value_name = "SOURCE")]
    from: Option<String>,
    /// The SHA-256 that the file must have [default: what the catalogue or the server says].
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// What to call it [default: the file's name].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The context in tokens to reckon with [default: 8192].
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(16..))]
    context: Option<u32>,
    /// Fetch it even where it does not fit into this machine's memory.
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file.
    path: PathBuf,
    /// Make a copy [default: a second name for the same bytes where the disk allows].
    #[arg(long, conflicts_with = "in_place")]
    copy: bool,
    /// Leave the file where it is and use it there.
    #[arg(long)]
    in_place: bool,
    /// What to call it [default: the file's name].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The model, as `portico model list` shows it.
    name: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The model, as `portico model list` shows it.
    name: String,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(verb: &Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::List(list) if list.catalogue => offers(list)?,
        Verb::List(list) => here(list)?,
        Verb::Pull(pull) => fetch(pull)?,
        Verb::Import(import) => take_in(import)?,
        Verb::Verify(named) => return verify(named),
        Verb::Remove(remove) => take_away(remove)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The library of this installation, and the configuration that says where it is.
fn open(place: &Place) -> anyhow::Result<(Config, Library)> {
    let config = place.config()?;
    let egress = Egress::new(options::way_out(&config)?, Arc::new(SystemClock::new()))?;
    let library = crate::library::open(&config, Arc::new(egress));
    Ok((config, library))
}

fn here(list: &List) -> anyhow::Result<()> {
    let (_, library) = open(&list.place)?;
    let entries = library.list()?;
    let rows: Vec<[String; 8]> = entries.iter().map(|entry| row(&library, entry, list.context)).collect();
    print::table(["NAME", "QUANT", "SIZE", "CONTEXT", "NEEDS", "FITS", "LICENCE", "WHERE"], &rows);
    if entries.is_empty() {
        print::note(format_args!("none yet; `portico model list --catalogue` shows what can be fetched"));
    }
    for entry in &entries {
        if let Some(problem) = &entry.problem {
            print::note(format_args!("{}: {problem}", entry.name));
        }
    }
    Ok(())
}

fn row(library: &Library, entry: &Entry, context: Option<u32>) -> [String; 8] {
    let dash = || "-".to_owned();
    let facts = entry.facts.as_ref();
    let room = facts.map(|facts| library.room(facts, context));
    let place = match entry.place {
        library::Place::Folder => "here".to_owned(),
        library::Place::InPlace => entry.path.display().to_string(),
        library::Place::Ollama => "Ollama".to_owned(),
    };
    [
        entry.name.clone(),
        facts.and_then(|facts| facts.quant.clone()).unwrap_or_else(dash),
        shown(entry.bytes),
        facts.map_or_else(dash, |facts| facts.context.to_string()),
        room.map_or_else(dash, |room| shown(room.needed())),
        room.map_or_else(dash, fits),
        entry.licence.clone().unwrap_or_else(dash),
        place,
    ]
}

fn fits(room: Room) -> String {
    match (room.free, room.fits()) {
        (None, _) => "?",
        (_, true) => "yes",
        (_, false) => "no",
    }
    .to_owned()
}

fn offers(list: &List) -> anyhow::Result<()> {
    let (_, library) = open(&list.place)?;
    let free = library.free_memory();
    let offers = library::offers(list.context, free);
    let rows: Vec<[String; 7]> = offers
        .into_iter()
        .map(|offer| {
            let mark = if offer.recommended { " *" } else { "" };
            [
                format!("{}:{}{mark}", offer.name, offer.quant),
                offer.title.clone(),
                shown(offer.bytes),
                offer.context.to_string(),
                shown(offer.room.needed()),
                fits(offer.room),
                offer.licence,
            ]
        })
        .collect();
    print::table(["NAME", "MODEL", "SIZE", "CONTEXT", "NEEDS", "FITS", "LICENCE"], &rows);
    let free = free.map_or_else(|| "an unknown amount".to_owned(), shown);
    let context = list.context.unwrap_or(library::USUAL_CONTEXT);
    print::note(format_args!(
        "NEEDS is memory for weights, {context} tokens of context and what is beside them; {free} is free here. * is the \
         largest that fits."
    ));
    Ok(())
}

fn fetch(pull: &Pull) -> anyhow::Result<()> {
    let (_, library) = open(&pull.place)?;
    let source = pull.from.as_deref().map(str::parse::<Source>).transpose()?;
    let mut order = library.order(&pull.model, source.as_ref().unwrap_or(library.source()), pull.context)?;
    order.anyway = pull.anyway;
    if let Some(name) = &pull.name {
        order.name.clone_from(name);
    }
    if let Some(text) = &pull.sha256 {
        order.sha256 = Some(library::parse_sha256(text).context("--sha256 takes 64 hexadecimal digits")?);
    }
    print::note(format_args!("{}", order.url.to_string().split('?').next().unwrap_or_default()));
    let cancel = CancellationToken::new();
    let progress = Progress::default();
    let entry = finish(async {
        let tell = |step| progress.tell(&step);
        let pulling = library.pull(&order, &tell, &cancel);
        tokio::pin!(pulling);
        tokio::select! {
            done = &mut pulling => return Ok(done?),
            signal = tokio::signal::ctrl_c() => signal?,
        }
        cancel.cancel();
        Ok(pulling.await?)
    });
    progress.end();
    arrived(&library, &entry?, pull.context)
}

fn take_in(import: &Import) -> anyhow::Result<()> {
    let (_, library) = open(&import.place)?;
    let taking = match (import.copy, import.in_place) {
        (true, _) => Taking::Copy,
        (_, true) => Taking::InPlace,
        _ => Taking::Link,
    };
    let entry = library.import(&import.path, taking, import.name.as_deref())?;
    arrived(&library, &entry, None)
}

/// The path on standard output; beside it the checksum, whether it fits, and how it is run.
fn arrived(library: &Library, entry: &Entry, context: Option<u32>) -> anyhow::Result<()> {
    let sha256 = entry.sha256.as_deref().unwrap_or_default();
    print::note(format_args!("{}: {}, SHA-256 {sha256}", entry.name, shown(entry.bytes)));
    if let Some(facts) = &entry.facts {
        tell_room(library.room(facts, context), facts);
    }
    print::note(format_args!("to run it, write into the configuration and start the portal again:\n"));
    print::note(format_args!("[[model]]\npath = {:?}\n", entry.path.display().to_string()));
    print::line(format_args!("{}", entry.path.display()));
    Ok(())
}

fn tell_room(room: Room, facts: &Facts) {
    let free = room.free.map_or_else(String::new, |free| format!(", {} are free", shown(free)));
    let warning = if room.fits() { "" } else { ": it will not be loaded" };
    print::note(format_args!(
        "it needs {} of memory with {} of its {} tokens of context{free}{warning}",
        shown(room.needed()),
        room.context,
        facts.context
    ));
    if facts.kind == Kind::Chat && !facts.chat_template {
        print::note(format_args!("it has no chat template: it goes on with text, and chats are refused"));
    }
}

fn verify(named: &Named) -> anyhow::Result<ExitCode> {
    let (_, library) = open(&named.place)?;
    let verified = library.verify(&named.name, &CancellationToken::new(), |_| {})?;
    let (word, code) = match verified.same {
        Some(true) => ("ok", ExitCode::SUCCESS),
        None => ("new", ExitCode::SUCCESS),
        Some(false) => ("DIFFERENT", ExitCode::FAILURE),
    };
    print::line(format_args!("{word} {} {}", verified.sha256, named.name));
    if verified.same == Some(false) {
        print::note(format_args!("its file is not what was taken in; remove it and fetch it again"));
    }
    Ok(code)
}

fn take_away(remove: &Remove) -> anyhow::Result<()> {
    let (config, library) = open(&remove.place)?;
    let entry = library.get(&remove.name)?;
    let mut running: Vec<PathBuf> = config.models.iter().map(|model| model.path.clone()).collect();
    running.extend(entry.run.map(|_| entry.path.clone()));
    if data::holder(&config.data).is_none() {
        running.clear();
    }
    if !remove.yes {
        confirm(&entry)?;
    }
    library.remove(&remove.name, &running)?;
    print::note(format_args!("removed {}", remove.name));
    Ok(())
}

fn confirm(entry: &Entry) -> anyhow::Result<()> {
    let what = match entry.place {
        library::Place::Folder => format!("delete {} ({})", entry.path.display(), shown(entry.bytes)),
        _ => format!("forget {} (the file {} stays)", entry.name, entry.path.display()),
    };
    if !std::io::stdin().is_terminal() {
        bail!("this would {what}; say --yes");
    }
    let _ = write!(std::io::stderr().lock(), "{what}? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was removed"),
    }
}

/// How far a download is, on standard error: one line that changes where that is a terminal, else a line now and then.
#[derive(Default)]
struct Progress(Mutex<Shown>);

#[derive(Default)]
struct Shown {
    last: Option<Instant>,
    /// Where it began, and with how many bytes: the speed is of this run.
    began: Option<(Instant, u64)>,
    open: bool,
}

impl Progress {
    fn tell(&self, step: &Step) {
        let terminal = std::io::stderr().is_terminal();
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = if terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        let text = match step {
            Step::Asking => return,
            Step::Fetching { have, total } => {
                let began = *shown.began.get_or_insert((Instant::now(), *have));
                if have < total && shown.last.is_some_and(|last| last.elapsed() < pause) {
                    return;
                }
                shown.last = Some(Instant::now());
                at(*have, *total, began)
            }
            Step::Waiting { reason } => format!("{reason}; it is tried again"),
            Step::Checking { .. } => "comparing it with its checksum".to_owned(),
        };
        if terminal {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{text}");
            shown.open = true;
        } else {
            print::note(format_args!("{text}"));
        }
    }

    fn end(&self) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).open {
            print::note(format_args!(""));
        }
    }
}

fn at(have: u64, total: u64, (began, first): (Instant, u64)) -> String {
    let percent = u128::from(have) * 100 / u128::from(total.max(1));
    let ms = began.elapsed().as_millis().max(1);
    let speed = u64::try_from(u128::from(have - first) * 1000 / ms).unwrap_or(0);
    let left = (total - have).checked_div(speed).map_or_else(String::new, |seconds| format!(", {seconds} s left"));
    format!("{percent:>3} % {} of {}, {}/s{left}", shown(have), shown(total), shown(speed))
}
