//! `portico key`: API keys, at the machine. The key goes to standard output alone, so that a script can take it; it is never shown again.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use domain::{Caller, Clock, KeyBudget, KeyId, KeyScope, SystemClock, Via};
use identity::Identity;
use ipnet::IpNet;

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
    /// Until it expires: 30d, 12h or 90m [default: never].
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: Option<Duration>,
    /// The same in days.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650), conflicts_with = "expires", hide = true)]
    days: Option<u32>,
    /// A model it may use: its id, an alias, or all of a provider as in 'ollama/*'; as often as needed [default: all].
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// Tokens it may use a day (UTC).
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    tokens_per_day: Option<u64>,
    /// Tokens it may use altogether.
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    tokens_total: Option<u64>,
    /// Requests a minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    requests_per_minute: Option<u32>,
    /// An address or a range it may be used from, as in 10.0.0.0/8; as often as needed [default: anywhere].
    #[arg(long = "from", value_name = "ADDRESS", value_parser = range)]
    addresses: Vec<IpNet>,
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
            house.door.revoke_key(&Identity::house(), key).await?;
            print::note(format_args!("revoked; a running portal refuses it within seconds"));
            Ok(())
        }),
    }
}

async fn make(house: &House, new: &New) -> anyhow::Result<()> {
    let person = house.person(&new.person).await?;
    let caller = Caller { tenant: person.tenant, person: person.id, role: person.role, via: Via::House };
    let lifetime = new.expires.or(new.days.map(|days| DAY * days));
    let expires_at = lifetime.map(|lifetime| SystemClock::new().now().plus(lifetime));
    let scope = KeyScope {
        models: new.models.clone(),
        tasks: Vec::new(),
        addresses: new.addresses.clone(),
        budget: KeyBudget {
            tokens_per_day: new.tokens_per_day,
            tokens_total: new.tokens_total,
            requests_per_minute: new.requests_per_minute,
        },
    };
    let made = house.door.new_key(&caller, &new.name, scope, expires_at).await?;
    print::note(format_args!("a key for {}; it is not shown again:", person.name));
    print::line(format_args!("{}", made.token.as_str()));
    Ok(())
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `30d`, `12h`, `90m`.
fn lifetime(text: &str) -> Result<Duration, String> {
    let wrong = || "write days, hours or minutes, as in 30d, 12h or 90m".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let minutes = match unit {
        "d" => 24 * 60,
        "h" => 60,
        "m" => 1,
        _ => return Err(wrong()),
    };
    let number: u64 =
        number.parse().ok().filter(|number| (1..=5_256_000 / minutes).contains(number)).ok_or_else(wrong)?;
    Ok(Duration::from_secs(number * minutes * 60))
}

fn range(text: &str) -> Result<IpNet, String> {
    let alone = text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
    alone
        .or_else(|| text.parse().ok())
        .ok_or_else(|| "write an address or a range, as in 10.1.2.3 or 10.0.0.0/8".to_owned())
}

/// What a key is bound to, in few words.
fn bounds(scope: &KeyScope) -> String {
    let mut said = scope.models.clone();
    said.extend(scope.budget.tokens_per_day.map(|tokens| format!("{tokens} tokens/day")));
    said.extend(scope.budget.tokens_total.map(|tokens| format!("{tokens} tokens")));
    said.extend(scope.budget.requests_per_minute.map(|times| format!("{times}/min")));
    said.extend(scope.addresses.iter().map(|net| format!("from {net}")));
    if said.is_empty() { "-".to_owned() } else { said.join(", ") }
}

async fn list(house: &House) -> anyhow::Result<()> {
    let here = Identity::house();
    let people = house.door.people(&here).await?;
    let names: HashMap<_, _> = people.into_iter().map(|person| (person.id, person.name)).collect();
    let keys = house.door.everybodys_keys(&here).await?;
    let rows: Vec<[String; 8]> = keys
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
                bounds(&key.scope),
            ]
        })
        .collect();
    print::table(["ID", "KEY", "PERSON", "NAME", "MADE (UTC)", "LAST USED", "EXPIRES", "ONLY"], &rows);
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
