//! Checks of this installation: its folder, its port, how people reach it, what it can answer with.

use std::os::unix::fs::PermissionsExt;

use models::library::{free_disk, shown as size};
use store::Look;

use super::Outcome;
use crate::cli::house;
use crate::config::{Config, Database, Metrics};
use crate::{data, drafts, library, options, port};

pub(super) fn data_folder(config: &Config) -> Outcome {
    let path = &config.data;
    let shown = path.display();
    let Ok(folder) = std::fs::metadata(path) else {
        return Outcome::Ok(format!("{shown} is made on the first start"));
    };
    if !folder.is_dir() {
        return Outcome::Fail(format!("{shown} is not a folder"), "choose another with --data or `data`");
    }
    if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
        return Outcome::Fail(
            format!("{shown} cannot be written by this user"),
            "give it to the user that runs the portal",
        );
    }
    if folder.permissions().mode() & 0o077 != 0 {
        return Outcome::Warn(format!("{shown} can be read by other users"), "chmod 700 the folder");
    }
    match data::holder(path) {
        Some(process) => Outcome::Ok(format!("{shown}, open by process {process}")),
        None => Outcome::Ok(shown.to_string()),
    }
}

pub(super) fn disk_space(config: &Config) -> Outcome {
    // The folder may not be there yet; the disk below it is.
    let Some(existing) = config.data.ancestors().find(|path| path.exists()) else {
        return on_disk(std::path::Path::new("."));
    };
    on_disk(existing)
}

fn on_disk(path: &std::path::Path) -> Outcome {
    let Ok(disk) = rustix::fs::statvfs(path) else {
        return Outcome::Warn("the free space cannot be read".to_owned(), "make sure that the disk is not full");
    };
    let free_mib = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
    let found = format!("{free_mib} MiB free");
    match free_mib {
        0..100 => Outcome::Fail(found, "make room: with a full disk no question is taken"),
        100..1024 => Outcome::Warn(found, "make room soon: with a full disk no question is taken"),
        _ => Outcome::Ok(found),
    }
}

pub(super) fn database(config: &Config) -> Outcome {
    let looked = house::run(async { Ok(house::place(&config.database, &config.data).look().await?) });
    let engine = if config.database == Database::Sqlite { "SQLite" } else { "PostgreSQL" };
    let Look { found, known } = match looked {
        Ok(look) => look,
        Err(why) => return Outcome::Fail(format!("{engine}: {why}"), "check [database] url, and that the server runs"),
    };
    match found {
        0 => Outcome::Ok(format!("{engine}, made on the first start")),
        found if found > known => {
            let advice = "start the newer Portico, or restore a backup into an empty database";
            Outcome::Fail(format!("{engine} has schema {found}, this Portico knows up to {known}"), advice)
        }
        found if found < known => {
            let next = format!("{engine} has schema {found}, the next start keeps a copy and migrates it to {known}");
            Outcome::Ok(next)
        }
        found => Outcome::Ok(format!("{engine}, schema {found}")),
    }
}

pub(super) fn port(config: &Config) -> Outcome {
    let at = config.listen;
    match port::listen(at) {
        Ok(_) => Outcome::Ok(format!("{at} is free")),
        Err(port::Error::InUse { .. }) if data::holder(&config.data).is_some() => {
            Outcome::Ok(format!("{at}, where the portal of this data folder seems to be running"))
        }
        Err(why) => Outcome::Fail(why.to_string(), ""),
    }
}

pub(super) fn https(config: &Config) -> Outcome {
    let public = config.public_url.as_deref().unwrap_or_default();
    if config.tls.is_some() {
        return Outcome::Ok("the portal speaks https itself".to_owned());
    }
    if public.starts_with("https://") {
        let missing = config.trusted_proxies.is_empty();
        let advice = "name the proxy in `trusted_proxies`, or every person seems to come from its address";
        let found = format!("a proxy speaks https for {public}");
        return if missing { Outcome::Warn(found, advice) } else { Outcome::Ok(found) };
    }
    if config.listen.ip().is_loopback() {
        return Outcome::Ok("not needed: only this machine can connect".to_owned());
    }
    let advice = "set [tls] cert and key, or put a proxy with https in front and set `public_url`";
    Outcome::Warn("passwords cross the network in the clear".to_owned(), advice)
}

pub(super) fn models(config: &Config) -> Outcome {
    let (here, elsewhere) = (config.models.len(), config.providers.len());
    let metrics = if config.metrics == Metrics::Off { "" } else { ", metrics on" };
    if here + elsewhere > 0 {
        return Outcome::Ok(format!("{here} run here, {elsewhere} providers in the file{metrics}"));
    }
    let advice = "start with --model FILE.gguf, write a [[provider]], or add one under Settings, Models";
    Outcome::Warn("none in the configuration".to_owned(), advice)
}

/// The folder that models are fetched into, and the room that is there and on its disk.
pub(super) fn model_files(config: &Config) -> Outcome {
    let folder = library::folder(config);
    let shown = folder.display();
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(std::path::Path::new("."));
    let free =
        free_disk(existing).map_or_else(|_| "an unknown amount is".to_owned(), |free| format!("{} are", size(free)));
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return Outcome::Ok(format!("{shown} is made with the first one; {free} free"));
    };
    let files = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|ending| ending == "gguf"));
    let sizes: Vec<u64> = files.filter_map(|file| Some(file.metadata().ok()?.len())).collect();
    Outcome::Ok(format!("{shown} holds {}, {}; {free} free", sizes.len(), size(sizes.iter().sum())))
}

/// The adapters and drafts of the models that the configuration runs.
pub(super) fn adapters(config: &Config) -> Outcome {
    let adapters: usize = config.models.iter().map(|model| model.adapters.len()).sum();
    let drafts = config.models.iter().filter(|model| model.draft.is_some()).count();
    let wrong = drafts::mistakes(config);
    if !wrong.is_empty() {
        let advice = "train or convert it for this very model, or take it out of [[model]]";
        return Outcome::Fail(wrong.join("; "), advice);
    }
    Outcome::Ok(match adapters + drafts {
        0 => "none in the configuration".to_owned(),
        _ => format!("{adapters} adapters and {drafts} draft models, each for its model"),
    })
}

/// What workers have computed of the beginnings of texts and kept.
pub(super) fn prefixes(config: &Config) -> Outcome {
    let folder = options::prefixes_folder(config);
    let files_in = |folder: &std::path::Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = files_in(&folder).flat_map(|model| files_in(&model.path()).collect::<Vec<_>>());
    let sizes: Vec<u64> = files.filter_map(|file| Some(file.metadata().ok()?.len())).collect();
    Outcome::Ok(match sizes.len() {
        0 => format!("none kept yet in {}", folder.display()),
        files => format!("{} holds {files} beginnings of texts, {}", folder.display(), size(sizes.iter().sum())),
    })
}

pub(super) fn test_keys(config: &Config) -> Outcome {
    match config.keys.len() {
        0 => Outcome::Ok("none in the configuration".to_owned()),
        keys => Outcome::Warn(
            format!("{keys} in the configuration: whoever reads the file can use them"),
            "take [[key]] out where people work; make keys in the portal or with `portico key new`",
        ),
    }
}
