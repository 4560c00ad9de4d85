//! `portico backup` and `portico restore`: everything that is stored as one file that fits both databases. The key that seals providers' keys is not in it: a
//! backup that lies around must not open anything.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use super::house::{Absent, open_store, run, visit};
use super::{Place, print};
use crate::config::{Database, Secret};
use crate::data::DataFolder;

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write; it must not exist yet.
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The file that `portico backup` wrote.
    file: PathBuf,
    /// An empty PostgreSQL database instead of a data folder.
    #[arg(long, value_name = "URL", value_parser = postgres)]
    database: Option<Secret>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn backup(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let file = &args.file;
    if file.exists() {
        bail!("{} exists already; a backup never overwrites, choose another name", file.display());
    }
    visit(&args.place, Absent::Refuse, async |house| {
        let done = house.store.backup(file).await?;
        print::line(format_args!("{}: {} rows, {} bytes", file.display(), done.rows, done.bytes));
        let uploads = crate::files::folder(&house.config);
        if uploads.is_dir() {
            print::note(format_args!(
                "keep {} as well: what people uploaded lies there, and is not in the backup",
                uploads.display()
            ));
        }
        if file_key(&house.config.data) {
            let key = house.config.data.join("secret.key");
            print::note(format_args!(
                "keep {} as well, apart from it: it opens the stored keys of providers",
                key.display()
            ));
        }
        Ok(())
    })
}

pub(super) fn restore(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let config = args.place.config()?;
    let database = args.database.clone().map_or(config.database, Database::Postgres);
    // The folder is held, so that no portal starts on half a restore; a running one is refused.
    let folder = DataFolder::open(&config.data)?;
    run(async {
        let store = open_store(&database, folder.path()).await?;
        let done = store.restore(&args.file).await;
        store.close().await;
        let done = done.with_context(|| format!("{} was not restored", args.file.display()))?;
        print::line(format_args!("{} rows, as of {} UTC", done.rows, print::moment(Some(done.taken_at))));
        if !file_key(folder.path()) {
            print::note(format_args!(
                "copy secret.key of the old data folder into {}, or enter the keys of providers again",
                folder.path().display()
            ));
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn file_key(folder: &Path) -> bool {
    folder.join("secret.key").exists()
}

fn postgres(url: &str) -> Result<Secret, String> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Secret::new(url));
    }
    Err("write postgres://user:password@host/database".to_owned())
}
