//! `portico provider`: back ends, at the machine: list those that are stored, import a provider card. Keys are set in the portal,
//! where they are sealed.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::{SystemClock, TenantId};
use egress::Egress;
use identity::Identity;
use models::Models;
use models::card::{Card, Plan};
use store::NewProvider;

use super::house::{Absent, House, visit};
use super::{Place, print};
use crate::options;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The providers that are stored.
    List(Place),
    /// Read a provider card (TypeScript, JavaScript or JSON), say what it means, and add it.
    Import(Import),
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file with the card.
    file: PathBuf,
    /// Only say what would be made.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(verb: &Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::List(place) => visit(place, Absent::Refuse, list),
        Verb::Import(import) => visit(&import.place, Absent::Make, async |house| add(house, import).await),
    }
}

async fn list(house: &House) -> anyhow::Result<()> {
    let providers = house.store.providers(TenantId::FIRST).await?;
    let rows: Vec<[String; 6]> = providers
        .into_iter()
        .map(|row| {
            let models = row.models.as_array().filter(|models| !models.is_empty());
            let models = models.map_or_else(|| "all it lists".to_owned(), |models| models.len().to_string());
            let enabled = if row.enabled { "yes" } else { "no" }.to_owned();
            [row.name, row.title, row.kind, row.base_url, models, enabled]
        })
        .collect();
    print::table(["SLUG", "NAME", "KIND", "ADDRESS", "MODELS", "ENABLED"], &rows);
    Ok(())
}

async fn add(house: &House, import: &Import) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&import.file).with_context(|| import.file.display().to_string())?;
    let card = Card::read(&text).with_context(|| import.file.display().to_string())?;
    let egress = Egress::new(options::way_out(&house.config)?, Arc::new(SystemClock::new()))?;
    let models = Models::new(options::model_options(&house.config), Arc::new(egress));
    let plan = models.plan(&card, None).await.map_err(anyhow::Error::msg)?;
    models.shutdown().await;
    tell(&plan);
    if import.dry_run {
        return Ok(());
    }
    let new = NewProvider {
        models: plan.stored_models(),
        name: plan.slug.clone(),
        title: plan.name,
        kind: plan.kind,
        base_url: plan.base_url,
        sealed_key: None,
        enabled: true,
    };
    match house.store.create_provider(&Identity::house(), new).await {
        Ok(made) => print::line(format_args!("{}", made.name)),
        Err(store::Error::Duplicate { .. }) => {
            anyhow::bail!("there is already a provider {}; give the card another id", plan.slug)
        }
        Err(error) => return Err(error.into()),
    }
    print::note(format_args!("added; a running portal takes it up at SIGHUP"));
    Ok(())
}

/// What was understood, on standard error: standard output is for the slug.
fn tell(plan: &Plan) {
    print::note(format_args!("{} ({}) at {}", plan.name, plan.kind, plan.base_url));
    for one in &plan.asked {
        let answered = if one.answered { "answered" } else { "did not answer" };
        print::note(format_args!("asked {}: {answered}: {}", one.url, one.told));
    }
    for note in &plan.notes {
        print::note(format_args!("- {}", note.message));
    }
}
