//! Aliases, for administrators: names that stay while the models behind them change. Those of the configuration file are shown
//! and changed there; those kept here have a history, and what was changed is put back in one call.

use std::collections::HashMap;

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{Act, Caller, PersonId};
use models::{AliasConfig, Balance, Target};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{AliasVersion, NewAliasVersion, Record};
use utoipa::{IntoParams, ToSchema};

use crate::caller::Administrator;
use crate::catalog;
use crate::portal::body::{Json, Path, Query};
use crate::{Problem, Server};

/// The aliases there are, and which environment this house is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AliasList {
    /// `production`, `development` …; `null` where the configuration names none.
    environment: Option<String>,
    aliases: Vec<AliasView>,
}

/// A name, and the models behind it in one environment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AliasView {
    name: String,
    /// `null`: in every environment that has none of its own.
    environment: Option<String>,
    /// `settings`: kept here. `file`: of the configuration file, changed there.
    source: &'static str,
    /// Whether this one answers here and now.
    in_force: bool,
    #[serde(flatten)]
    config: AliasContent,
    /// Of the history; `null` for one of the file.
    version: Option<i64>,
    changed_at: Option<i64>,
    changed_by_name: Option<String>,
    note: Option<String>,
}

/// What an alias says.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct AliasContent {
    /// Its name for people.
    title: Option<String>,
    targets: Vec<TargetView>,
    /// `least_busy`, `weighted`, `prefix_aware`, `sticky`.
    balance: &'static str,
    /// Asked one after the other where no target gives a first token.
    fallbacks: Vec<String>,
    max_concurrent: Option<u32>,
    /// Whether it answers for every model that nobody knows.
    catch_all: bool,
}

/// A model behind an alias.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct TargetView {
    /// `provider/name`
    model: String,
    weight: u32,
    /// Whether there is such a model now.
    known: bool,
}

fn content(server: &Server, config: AliasConfig) -> AliasContent {
    let target = |target: Target| TargetView {
        known: server.models.find(&target.model).is_some(),
        model: target.model,
        weight: target.weight,
    };
    AliasContent {
        title: config.title,
        targets: config.targets.into_iter().map(target).collect(),
        balance: config.balance.as_str(),
        fallbacks: config.fallbacks,
        max_concurrent: config.max_concurrent,
        catch_all: config.catch_all,
    }
}

#[utoipa::path(get, path = "/api/aliases", tag = "aliases", responses((status = 200, body = AliasList)))]
pub(crate) async fn list(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
) -> Result<Reply<AliasList>, Problem> {
    let fixed = server.catalog.fixed();
    let stored = server.store.aliases(caller.tenant).await?;
    let holding: Vec<(String, Option<String>)> = catalog::holding(&fixed, &stored)
        .into_iter()
        .map(|held| (held.name.clone(), held.environment.clone()))
        .collect();
    let names = names(&server, &caller).await?;
    let of_file = fixed.aliases.iter().cloned().map(|config| AliasView {
        name: config.name.clone(),
        environment: fixed.environment.clone(),
        source: "file",
        in_force: true,
        config: content(&server, config),
        version: None,
        changed_at: None,
        changed_by_name: None,
        note: None,
    });
    let mut aliases: Vec<AliasView> = of_file.collect();
    for row in stored {
        let in_force = holding.iter().any(|(name, of)| *name == row.name && *of == row.environment);
        let Some(config) = catalog::alias_of(&row) else { continue };
        aliases.push(AliasView {
            in_force,
            config: content(&server, config),
            source: "settings",
            version: Some(row.version),
            changed_at: Some(row.at.0),
            changed_by_name: names.get(&row.person).cloned(),
            note: Some(row.note).filter(|note| !note.is_empty()),
            environment: row.environment,
            name: row.name,
        });
    }
    Ok(Reply(AliasList { environment: fixed.environment.clone(), aliases }))
}

/// An alias to make, or what one is to say from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AliasBody {
    /// What a request asks for: `main`. Not looked at where the path names it.
    #[serde(default)]
    name: String,
    /// Absent: in every environment that has none of its own.
    environment: Option<String>,
    title: Option<String>,
    targets: Vec<TargetBody>,
    /// `least_busy` (where absent), `weighted`, `prefix_aware`, `sticky`.
    #[schema(value_type = Option<String>)]
    balance: Option<Balance>,
    #[serde(default)]
    fallbacks: Vec<String>,
    max_concurrent: Option<u32>,
    #[serde(default)]
    catch_all: bool,
    /// Why, for the history.
    #[serde(default)]
    note: String,
}

/// A model behind an alias.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TargetBody {
    /// `provider/name`
    model: String,
    /// Its share beside the others; absent: 1.
    weight: Option<u32>,
}

#[utoipa::path(post, path = "/api/aliases", tag = "aliases", request_body = AliasBody, responses((status = 200, body = AliasList), (status = 409, description = "name_taken, or of the configuration file")))]
pub(crate) async fn create(
    state: State<Server>,
    Administrator { caller }: Administrator,
    Json(body): Json<AliasBody>,
) -> Result<Reply<AliasList>, Problem> {
    put(&state.0, &caller, body, true).await?;
    list(state, Administrator { caller }).await
}

#[utoipa::path(put, path = "/api/aliases/{name}", tag = "aliases", params(("name" = String, Path)), request_body = AliasBody, responses((status = 200, body = AliasList), (status = 409, description = "of the configuration file")))]
pub(crate) async fn replace(
    state: State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
    Json(body): Json<AliasBody>,
) -> Result<Reply<AliasList>, Problem> {
    put(&state.0, &caller, AliasBody { name, ..body }, false).await?;
    list(state, Administrator { caller }).await
}

/// Which of an alias's environments is meant.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Of {
    /// Absent: the one for all environments.
    environment: Option<String>,
}

#[utoipa::path(delete, path = "/api/aliases/{name}", tag = "aliases", params(("name" = String, Path), Of), responses((status = 204, description = "rollback brings it back")))]
pub(crate) async fn remove(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
    Query(of): Query<Of>,
) -> Result<StatusCode, Problem> {
    let new = NewAliasVersion {
        name,
        environment: of.environment,
        config: None,
        restores: None,
        note: String::new(),
        must_be_new: false,
    };
    put_in_force(&server, &caller, "alias.changed", new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One version of an alias.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionView {
    version: i64,
    /// Whether it holds now.
    current: bool,
    /// `null`: this version took the alias away.
    content: Option<AliasContent>,
    /// The version it brought back.
    restores: Option<i64>,
    note: String,
    changed_at: i64,
    changed_by_name: Option<String>,
}

#[utoipa::path(get, path = "/api/aliases/{name}/history", tag = "aliases", params(("name" = String, Path), Of), responses((status = 200, body = Vec<VersionView>, description = "newest first")))]
pub(crate) async fn history(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
    Query(of): Query<Of>,
) -> Result<Reply<Vec<VersionView>>, Problem> {
    let versions = versions(&server, &caller, &name, of.environment.as_deref()).await?;
    let names = names(&server, &caller).await?;
    let view = |(place, version): (usize, AliasVersion)| VersionView {
        version: version.version,
        current: place == 0,
        content: version.config.and_then(|config| Some(content(&server, serde_json::from_value(config).ok()?))),
        restores: version.restores,
        note: version.note,
        changed_at: version.at.0,
        changed_by_name: names.get(&version.person).cloned(),
    };
    Ok(Reply(versions.into_iter().enumerate().map(view).collect()))
}

/// Where an alias is to lead: to one model, or to what it was.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchBody {
    environment: Option<String>,
    /// `provider/name`, alone from now on; all else stays.
    target: Option<String>,
    /// Or a version of the history.
    version: Option<i64>,
    #[serde(default)]
    note: String,
}

#[utoipa::path(post, path = "/api/aliases/{name}/switch", tag = "aliases", params(("name" = String, Path)), request_body = SwitchBody, responses((status = 200, body = AliasList)))]
pub(crate) async fn switch(
    state: State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
    Json(body): Json<SwitchBody>,
) -> Result<Reply<AliasList>, Problem> {
    let server = &state.0;
    let environment = body.environment;
    let (config, restores) = match (body.target, body.version) {
        (Some(target), None) => {
            let row = server.store.alias(caller.tenant, &name, environment.as_deref()).await?;
            let row = row.ok_or_else(|| not_kept(server, &name))?;
            let config = catalog::alias_of(&row).ok_or_else(|| Problem::not_found("alias"))?;
            let config = AliasConfig { targets: vec![Target::of(target.trim())], ..config };
            check(&config)?;
            (serde_json::to_value(config).ok(), None)
        }
        (None, Some(version)) => {
            let versions = versions(server, &caller, &name, environment.as_deref()).await?;
            let found = versions.into_iter().find(|known| known.version == version);
            (found.ok_or_else(|| Problem::not_found("version"))?.config, Some(version))
        }
        _ => return Err(Problem::invalid("target", "name either a target or a version")),
    };
    let new = NewAliasVersion { name, environment, config, restores, note: body.note, must_be_new: false };
    put_in_force(server, &caller, "alias.changed", new).await?;
    list(state, Administrator { caller }).await
}

/// Which environment, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RollbackBody {
    environment: Option<String>,
    note: String,
}

#[utoipa::path(post, path = "/api/aliases/{name}/rollback", tag = "aliases", params(("name" = String, Path)), request_body = RollbackBody, responses((status = 200, body = AliasList, description = "as it was before the last change"), (status = 409, description = "there is nothing before it")))]
pub(crate) async fn rollback(
    state: State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
    Json(body): Json<RollbackBody>,
) -> Result<Reply<AliasList>, Problem> {
    let server = &state.0;
    let versions = versions(server, &caller, &name, body.environment.as_deref()).await?;
    let before = versions.into_iter().nth(1).ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "conflict", "this alias has one version only: there is nothing before it")
    })?;
    let new = NewAliasVersion {
        name,
        environment: body.environment,
        config: before.config,
        restores: Some(before.version),
        note: body.note,
        must_be_new: false,
    };
    put_in_force(server, &caller, "alias.rolled_back", new).await?;
    list(state, Administrator { caller }).await
}

async fn put(server: &Server, caller: &Caller, body: AliasBody, must_be_new: bool) -> Result<(), Problem> {
    let target =
        |target: TargetBody| Target { model: target.model.trim().to_owned(), weight: target.weight.unwrap_or(1) };
    let config = AliasConfig {
        name: body.name,
        title: body.title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty()),
        targets: body.targets.into_iter().map(target).collect(),
        balance: body.balance.unwrap_or_default(),
        fallbacks: body.fallbacks,
        max_concurrent: body.max_concurrent.filter(|most| *most > 0),
        catch_all: body.catch_all,
    };
    check(&config)?;
    if body.environment.as_deref().is_some_and(|name| name.trim() != name || name.is_empty() || name.len() > 64) {
        return Err(Problem::invalid(
            "environment",
            "an environment is named by 1 to 64 characters without blanks around",
        ));
    }
    let name = config.name.clone();
    let config = serde_json::to_value(config).ok();
    let (environment, note) = (body.environment, body.note);
    let new = NewAliasVersion { name, environment, config, restores: None, note, must_be_new };
    put_in_force(server, caller, "alias.changed", new).await
}

async fn put_in_force(
    server: &Server,
    caller: &Caller,
    verb: &'static str,
    new: NewAliasVersion,
) -> Result<(), Problem> {
    if server.catalog.fixed().aliases.iter().any(|alias| alias.name == new.name) {
        return Err(not_kept(server, &new.name));
    }
    if new.note.chars().count() > 500 {
        return Err(Problem::invalid("note", "a note has at most 500 characters"));
    }
    let (name, environment, restores) = (new.name.clone(), new.environment.clone(), new.restores);
    let targets = new.config.as_ref().map(|config| config["targets"].clone());
    let version = server.store.put_alias(caller, new).await.map_err(|error| match error {
        store::Error::Duplicate { .. } => {
            let message = format!("there is already an alias {name:?} in this environment; change that one");
            Problem::new(StatusCode::CONFLICT, "name_taken", message).with("name", name.clone())
        }
        error => error.into(),
    })?;
    let detail = json!({ "environment": environment, "version": version, "restores": restores, "targets": targets });
    audit(server, caller, verb, name, detail).await;
    server.catalog.reload(caller.tenant).await?;
    Ok(())
}

/// Writes to the audit log. That it could not be written is told to the operator, not to the person: the act has happened.
pub(crate) async fn audit(server: &Server, caller: &Caller, verb: &'static str, subject: String, detail: Value) {
    let act = Act { at: server.clock.now(), caller: Some(*caller), verb, subject, detail };
    if let Err(error) = server.store.writer().submit(Record::Act(act)).await.await {
        tracing::warn!(%error, verb, "an act could not be written to the audit log");
    }
}

/// One of the file is not kept here, and what is nowhere is not there.
fn not_kept(server: &Server, name: &str) -> Problem {
    if server.catalog.fixed().aliases.iter().any(|alias| alias.name == name) {
        let message = "this alias is set in the configuration file; change it there and send SIGHUP";
        return Problem::new(StatusCode::CONFLICT, "conflict", message);
    }
    Problem::not_found("alias")
}

async fn versions(
    server: &Server,
    caller: &Caller,
    name: &str,
    environment: Option<&str>,
) -> Result<Vec<AliasVersion>, Problem> {
    let versions = server.store.alias_versions(caller.tenant, name, environment).await?;
    if versions.is_empty() {
        return Err(not_kept(server, name));
    }
    Ok(versions)
}

async fn names(server: &Server, caller: &Caller) -> Result<HashMap<PersonId, String>, Problem> {
    let people = server.identity.people(caller).await?;
    Ok(people.into_iter().map(|person| (person.id, person.name)).collect())
}

/// Whether an alias can be kept. Whether its models are there is not asked: providers come and go.
fn check(alias: &AliasConfig) -> Result<(), Problem> {
    let name = alias.name.as_str();
    if name.trim() != name || !(1..=200).contains(&name.chars().count()) || name.contains(char::is_control) {
        return Err(Problem::invalid("name", "an alias has a name of 1 to 200 characters, without blanks around it"));
    }
    if alias.targets.is_empty() || alias.targets.len() > 50 {
        return Err(Problem::invalid("targets", "an alias has 1 to 50 targets"));
    }
    for target in &alias.targets {
        let full =
            target.model.split_once('/').is_some_and(|(provider, name)| !provider.is_empty() && !name.is_empty());
        if !full || target.model == name {
            let message = format!("{:?} is not a model's full name, as in \"ollama/llama3\"", target.model);
            return Err(Problem::invalid("targets", message));
        }
        if target.weight > 1000 {
            return Err(Problem::invalid("targets", "a weight is 0 to 1000"));
        }
    }
    if alias.targets.iter().enumerate().any(|(n, one)| alias.targets[..n].iter().any(|two| two.model == one.model)) {
        return Err(Problem::invalid("targets", "a model is a target once; give it a larger weight instead"));
    }
    if alias.fallbacks.len() > 20 || alias.fallbacks.iter().any(|model| model.trim().is_empty() || model == name) {
        return Err(Problem::invalid("fallbacks", "an alias falls back to at most 20 other models, never to itself"));
    }
    Ok(())
}
