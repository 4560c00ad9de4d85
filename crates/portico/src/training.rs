//! How a training job of the portal is run: this very program, started as `portico train`, in a folder of the job's own.

use std::ffi::OsString;
use std::path::PathBuf;

use tuning::{Program, Task, Trainer};

use crate::config::Config;

/// Where the files of the jobs lie.
pub(crate) fn folder(config: &Config) -> PathBuf {
    let folder = config.data.join("training");
    std::path::absolute(&folder).unwrap_or(folder)
}

/// `None` where this program was built without its engine, and so without its trainer.
pub(crate) fn trainer() -> Option<Trainer> {
    let path = cfg!(feature = "engine").then(std::env::current_exe)?.ok()?;
    Some(Box::new(move |task| Program { path: path.clone(), args: args(task) }))
}

fn args(task: &Task<'_>) -> Vec<OsString> {
    let recipe = task.recipe;
    let files = [
        ("--model", recipe.file.as_path()),
        ("--data", task.train),
        ("--held-out", task.held_out),
        ("--out", task.folder),
    ];
    let figures = [
        ("--rank", recipe.rank.to_string()),
        ("--alpha", recipe.alpha.to_string()),
        ("--learning-rate", recipe.learning_rate.to_string()),
        ("--epochs", recipe.epochs.to_string()),
        ("--seed", recipe.seed.to_string()),
        ("--data-name", task.data.clone()),
    ];
    let mut args: Vec<OsString> = vec!["train".into(), "--json".into(), "--parent-watch".into()];
    args.extend(files.into_iter().flat_map(|(flag, path)| [flag.into(), path.into()]));
    args.extend(figures.into_iter().flat_map(|(flag, figure)| [flag.into(), figure.into()]));
    args
}
