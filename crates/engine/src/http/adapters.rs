//! Adapters over HTTP: which there are, one more, one less, and which one a request means. As in vLLM an adapter is a model of its own name
//! whose parent is the base model.

use std::{path::PathBuf, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Door, Shared, problem::Problem, requests};
use crate::{
    adapters::{AdapterFile, Fault, Named, check_scale},
    backend::Adapter,
    model::Ready,
    scheduler::NotChanged,
};

/// `POST /v1/adapters`; the other names are vLLM's.
#[derive(Debug, Deserialize)]
struct Attach {
    #[serde(alias = "lora_name")]
    name: String,
    #[serde(alias = "lora_path")]
    path: PathBuf,
    scale: Option<f32>,
    #[serde(default, alias = "load_inplace")]
    replace: bool,
}

/// vLLM's `POST /v1/unload_lora_adapter`.
#[derive(Debug, Deserialize)]
struct Unload {
    lora_name: String,
}

#[derive(Debug, Deserialize)]
struct Rescale {
    scale: f32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wait {
    #[serde(default)]
    wait: bool,
}

/// `lora` of a request: a name, or llama-server's list.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Wished {
    Name(String),
    List(Vec<Scaled>),
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Scaled {
    #[serde(alias = "name")]
    id: Value,
    scale: Option<f32>,
}

fn ready(door: &Door) -> Result<&Ready, Problem> {
    door.model.ready().ok_or_else(|| super::absent(door))
}

pub(super) async fn list(State(door): Shared) -> Result<Json<Value>, Problem> {
    let ready = ready(&door)?;
    let data: Vec<_> = ready.adapters.list().iter().map(|named| object(&door, ready, named)).collect();
    Ok(Json(json!({"object": "list", "data": data})))
}

fn object(door: &Door, ready: &Ready, named: &Named) -> Value {
    let Named { wish, lora, id } = named;
    json!({
        "id": wish.name,
        "object": "adapter",
        "parent": door.model.name,
        "path": wish.file,
        "scale": wish.scale,
        "rank": lora.rank,
        "alpha": lora.alpha,
        "bytes": lora.bytes,
        "requests": ready.scheduler.wants(*id),
    })
}

/// An adapter as it stands among the models.
pub(super) fn as_model(door: &Door, named: &Named) -> Value {
    json!({
        "id": named.wish.name,
        "object": "model",
        "created": 0,
        "owned_by": "portico",
        "parent": door.model.name,
        "root": named.wish.file,
    })
}

pub(super) async fn attach(State(door): Shared, body: Bytes) -> Result<Json<Value>, Problem> {
    let Attach { name, path, scale, replace } = requests::read(&body)?;
    let ready = ready(&door)?;
    let wish = AdapterFile::new(name, path, scale.unwrap_or(1.0)).map_err(|why| Problem::AdapterRefused { why })?;
    into_memory(wish.file.clone()).await;
    let name = wish.name.clone();
    match ready.adapters.attach(&ready.scheduler, wish, replace).await {
        Ok(named) => Ok(Json(object(&door, ready, &named))),
        Err(fault) => Err(problem(name, fault)),
    }
}

/// Reads the file once, so that the thread that computes, which nobody gets a token from while it loads, finds it in memory.
async fn into_memory(file: PathBuf) {
    let read = move || std::io::copy(&mut std::fs::File::open(file)?, &mut std::io::sink());
    // Why it cannot be read is told by who loads it.
    let _ = tokio::task::spawn_blocking(read).await;
}

pub(super) async fn rescale(
    State(door): Shared,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let Rescale { scale } = requests::read(&body)?;
    let ready = ready(&door)?;
    check_scale(scale).map_err(|why| Problem::AdapterRefused { why })?;
    let named = ready.adapters.rescale(&name, scale).ok_or(Problem::NoSuchAdapter { name })?;
    Ok(Json(object(&door, ready, &named)))
}

pub(super) async fn detach(
    State(door): Shared,
    Path(name): Path<String>,
    Query(Wait { wait }): Query<Wait>,
) -> Result<Json<Value>, Problem> {
    give_up(&door, name, wait).await
}

/// vLLM's way: what runs comes to its end.
pub(super) async fn unload(State(door): Shared, body: Bytes) -> Result<Json<Value>, Problem> {
    let Unload { lora_name } = requests::read(&body)?;
    give_up(&door, lora_name, true).await
}

async fn give_up(door: &Arc<Door>, name: String, wait: bool) -> Result<Json<Value>, Problem> {
    let ready = ready(door)?;
    match ready.adapters.detach(&ready.scheduler, &name, wait).await {
        Ok(()) => Ok(Json(json!({"id": name, "object": "adapter", "deleted": true}))),
        Err(fault) => Err(problem(name, fault)),
    }
}

fn problem(name: String, fault: Fault) -> Problem {
    match fault {
        Fault::Exists => Problem::AdapterExists { name },
        Fault::Unknown | Fault::Changed(NotChanged::Unknown(_)) => Problem::NoSuchAdapter { name },
        Fault::Changed(NotChanged::InUse(requests)) => Problem::AdapterInUse { name, requests },
        Fault::Changed(NotChanged::Refused(why)) => {
            Problem::AdapterRefused { why: format!("the adapter {name} {why}") }
        }
        Fault::Changed(NotChanged::Gone) => Problem::Gone,
    }
}

/// Which adapter a request means, and the name of the model that answers: by `model`, which is an adapter's name alone or behind the base
/// model's and a colon, or by `lora`. Where there has never been an adapter, any name means the one model that is here.
pub(super) fn chosen(
    door: &Door,
    ready: &Ready,
    model: Option<&str>,
    lora: Option<&Wished>,
) -> Result<(String, Option<Adapter>), Problem> {
    let base = door.model.name.as_str();
    let of_base = model.and_then(|name| name.strip_prefix(base)?.strip_prefix(':'));
    let by_model = match model {
        None => None,
        Some(name) if name == base => None,
        Some(name) => match ready.adapters.get(of_base.unwrap_or(name)) {
            Some(named) => Some(named),
            None if of_base.is_some() || ready.adapters.were_ever() => {
                return Err(Problem::NoSuchModel { name: name.to_owned() });
            }
            None => None,
        },
    };
    let (by_field, scale) = match lora {
        None => (None, None),
        Some(wished) => match wished.one()? {
            None => (None, None),
            Some((name, scale)) => {
                let named = ready.adapters.get(name).ok_or_else(|| Problem::NoSuchAdapter { name: name.to_owned() })?;
                (Some(named), scale)
            }
        },
    };
    if let (Some(model), Some(field)) = (&by_model, &by_field)
        && model.id != field.id
    {
        return Err(Problem::invalid("lora", format!("names {}, and model {}", field.wish.name, model.wish.name)));
    }
    match by_field.or(by_model) {
        Some(named) => Ok((named.wish.name.clone(), named.at(scale))),
        None => Ok((base.to_owned(), None)),
    }
}

impl Wished {
    /// Its adapter, and how much of it.
    fn one(&self) -> Result<Option<(&str, Option<f32>)>, Problem> {
        let (name, scale) = match self {
            Wished::Name(name) => (name.as_str(), None),
            Wished::List(list) => match list.as_slice() {
                [] => return Ok(None),
                [Scaled { id: Value::String(name), scale }] => (name.as_str(), *scale),
                [_] => return Err(Problem::invalid("lora", "must tell an adapter by its name")),
                _ => {
                    return Err(Problem::invalid(
                        "lora",
                        "must be at most one: an answer is computed with one adapter",
                    ));
                }
            },
        };
        scale.map_or(Ok(()), check_scale).map_err(|why| Problem::invalid("lora", format!("cannot be: {why}")))?;
        Ok(Some((name, scale)))
    }
}
