//! `portico key`: API keys, at the machine. The key goes to standard output alone, so that a script can take it; it is never shown again.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use domain::{Caller, Clock, KeyId, SystemClock, Via};
use identity::Identity;

use super::house::{Absent, House, visit};
use super::{Place, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a key for a person and print it.
    New(New),
    /// Everybody's keys.
    List(Place),
    /// Revoke a key.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// Whose key: the name they sign in with.
    #[arg(long, value_name = "NAME")]
    person: String,
    /// What the key is for.
    #[arg(long, value_name = "LABEL", default_value = "command line")]
    name: String,
    /// Days until it expires [default: never].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: Option<u32>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The key's id, or the first characters of the key itself as `key list` shows them.
    key: String,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(verb: &Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::New(new) => visit(&new.place, Absent::Refuse, async |house| make(house, new).await),
        Verb::List(place) => visit(place, Absent::Refuse, list),
        Verb::Revoke(revoke) => visit(&revoke.place, Absent::Refuse, async |house| {
            let key = find(house, &revoke.key).await?;
            house.door.revoke_anybodys_key(&Identity::house(), key).await?;
            print::note(format_args!("revoked; a running portal refuses it within seconds"));
            Ok(())
        }),
    }
}

async fn make(house: &House, new: &New) -> anyhow::Result<()> {
    let person = house.person(&new.person).await?;
    let caller = Caller { tenant: person.tenant, person: person.id, role: person.role, via: Via::House };
    let day = Duration::from_secs(24 * 60 * 60);
    let expires_at = new.days.map(|days| SystemClock::new().now().plus(day * days));
    let made = house.door.new_key(&caller, &new.name, expires_at).await?;
    print::note(format_args!("a key for {}; it is not shown again:", person.name));
    print::line(format_args!("{}", made.token.as_str()));
    Ok(())
}

async fn list(house: &House) -> anyhow::Result<()> {
    let here = Identity::house();
    let people = house.door.people(&here).await?;
    let names: HashMap<_, _> = people.into_iter().map(|person| (person.id, person.name)).collect();
    let keys = house.door.everybodys_keys(&here).await?;
    let rows: Vec<[String; 7]> = keys
        .into_iter()
        .map(|key| {
            let person = names.get(&key.person).cloned().unwrap_or_default();
            let (made, used) = (print::moment(Some(key.created_at)), print::moment(key.last_used_at));
            [
                key.id.to_string(),
                format!("{}…", key.prefix),
                person,
                key.name,
                made,
                used,
                print::moment(key.expires_at),
            ]
        })
        .collect();
    print::table(["ID", "KEY", "PERSON", "NAME", "MADE (UTC)", "LAST USED", "EXPIRES"], &rows);
    Ok(())
}

/// The key that is meant by an id or by its first characters.
async fn find(house: &House, text: &str) -> anyhow::Result<KeyId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let start = text.trim_end_matches('…');
    let keys = house.door.everybodys_keys(&Identity::house()).await?;
    let mut found = keys.iter().filter(|key| !start.is_empty() && start.starts_with(&key.prefix));
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key.id),
        (Some(_), Some(_)) => bail!("several keys begin like this; use the id that `portico key list` shows"),
        (None, _) => bail!("no key has this id or begins like this; `portico key list` shows them all"),
    }
}
