//! `portico user`: people, at the machine. No password is ever typed here: a link lets the person choose one.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use domain::{PersonId, Role};
use identity::Identity;

use super::house::{Absent, House, visit};
use super::{Place, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Everybody with an account.
    List(Place),
    /// Add a person, and print the link by which they choose a password.
    Add(Add),
    /// Print a link by which a person chooses a new password. Their sessions end when they do.
    Reset(Reset),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name they sign in with.
    name: String,
    /// owner, admin or member.
    #[arg(long, default_value = "member", value_parser = role)]
    role: Role,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Reset {
    /// The name they sign in with.
    name: String,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(verb: &Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::List(place) => visit(place, Absent::Refuse, list),
        Verb::Add(add) => visit(&add.place, Absent::Make, async |house| {
            let person = house.door.add(&Identity::house(), &add.name, add.role).await?;
            print_link(house, person.id, &person.name).await
        }),
        Verb::Reset(reset) => visit(&reset.place, Absent::Refuse, async |house| {
            let person = house.person(&reset.name).await?;
            print_link(house, person.id, &person.name).await
        }),
    }
}

async fn list(house: &House) -> anyhow::Result<()> {
    let people = house.door.people(&Identity::house()).await?;
    let rows: Vec<[String; 6]> = people
        .into_iter()
        .map(|person| {
            let state = match (person.disabled, &person.password_hash) {
                (true, _) => "disabled",
                (false, None) => "no password yet",
                (false, Some(_)) => "active",
            };
            let (joined, seen) = (print::moment(Some(person.created_at)), print::moment(person.last_seen_at));
            [person.name, person.role.as_str().to_owned(), state.to_owned(), joined, seen, person.display_name]
        })
        .collect();
    print::table(["NAME", "ROLE", "STATE", "JOINED (UTC)", "LAST SEEN", "SHOWN AS"], &rows);
    Ok(())
}

async fn print_link(house: &House, person: PersonId, name: &str) -> anyhow::Result<()> {
    let link = house.door.reset_link(&Identity::house(), person).await?;
    let until = print::moment(Some(link.expires_at));
    print::note(format_args!("{name} chooses a password here, once, until {until} UTC:"));
    print::line(format_args!("{}", house.url(&format!("/reset#token={}", link.token.as_str()))));
    Ok(())
}

fn role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| "a role is owner, admin or member".to_owned())
}
