//! Model servers that already run on this machine: their usual ports on loopback are knocked at, and what answers is told. Nothing
//! beyond this machine is asked, and nothing is added: what was found is an offer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use egress::Egress;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Usual ports: Ollama, vLLM, TGI and llama-server, LM Studio, SGLang.
const PORTS: [u16; 5] = [11434, 8000, 8080, 1234, 30000];
/// On loopback whoever is there answers at once.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// The longest answer looked at, in bytes.
const LONGEST: usize = 4 << 20;

/// A server that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// What it is, as presets name it: `ollama`, `vllm`, `llama-server` …; `openai-compatible` where it does not say.
    pub preset: String,
    /// Its name for people.
    pub name: String,
    /// Which adapter reaches it.
    pub kind: String,
    /// Where it is.
    pub base_url: String,
    /// Its version, where told.
    pub version: Option<String>,
    /// The models it lists.
    pub models: Vec<String>,
    /// How long its list took, in milliseconds.
    pub latency_ms: u64,
    /// The provider that is configured at this address already, by its slug.
    pub known: Option<String>,
}

/// The newest look, and the ports that are the portal's own.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    newest: Mutex<Vec<Found>>,
}

impl Discovery {
    pub(crate) fn newest(&self) -> Vec<Found> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Knocks at all usual ports but `except`, and keeps what was found.
    pub(crate) async fn look(&self, loopback: &Arc<Egress>, ports: &[u16], except: &[u16]) -> Vec<Found> {
        let mut looking = JoinSet::new();
        for (order, port) in ports.iter().copied().enumerate().filter(|(_, port)| !except.contains(port)) {
            let loopback = loopback.clone();
            looking.spawn(async move { (order, timeout(PATIENCE, at(&loopback, port)).await.ok().flatten()) });
        }
        let mut found: Vec<(usize, Found)> = Vec::new();
        while let Some(looked) = looking.join_next().await {
            if let Ok((order, Some(one))) = looked {
                found.push((order, one));
            }
        }
        found.sort_by_key(|one| one.0);
        let found: Vec<Found> = found.into_iter().map(|one| one.1).collect();
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&found);
        found
    }
}

/// The ports that are usually looked at.
pub(crate) fn usual_ports() -> &'static [u16] {
    &PORTS
}

/// Who answers at this port, if it is a model server.
async fn at(loopback: &Egress, port: u16) -> Option<Found> {
    let root = format!("http://127.0.0.1:{port}");
    let started = Instant::now();
    if let Some(tags) = get(loopback, &format!("{root}/api/tags")).await
        && let Some(models) = tags["models"].as_array()
    {
        let version = get(loopback, &format!("{root}/api/version")).await;
        let names = models.iter().filter_map(|model| model["name"].as_str().map(str::to_owned)).collect();
        let version = version.and_then(|version| version["version"].as_str().map(str::to_owned));
        return Some(found("ollama", "Ollama", "ollama", root, version, names, started));
    }
    let list = get(loopback, &format!("{root}/v1/models")).await?;
    let entries = list["data"].as_array().filter(|_| list["object"] == "list")?;
    let names = entries.iter().filter_map(|model| model["id"].as_str().map(str::to_owned)).collect();
    let owner = entries.first().and_then(|model| model["owned_by"].as_str()).unwrap_or_default();
    let (preset, name, version) = match owner {
        "vllm" => ("vllm", "vLLM", version_of(loopback, &root, "/version", "version").await),
        "sglang" => ("sglang", "SGLang", version_of(loopback, &root, "/server_info", "version").await),
        "llamacpp" => ("llama-server", "llama-server", version_of(loopback, &root, "/props", "build_info").await),
        _ if port == 1234 => ("lm-studio", "LM Studio", None),
        _ => match get(loopback, &format!("{root}/info")).await.filter(|info| info["model_id"].is_string()) {
            Some(info) => ("tgi", "Text Generation Inference", info["version"].as_str().map(str::to_owned)),
            None => ("openai-compatible", "OpenAI-compatible server", None),
        },
    };
    Some(found(preset, name, "openai", root, version, names, started))
}

fn found(
    preset: &str,
    name: &str,
    kind: &str,
    base_url: String,
    version: Option<String>,
    models: Vec<String>,
    started: Instant,
) -> Found {
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (preset, name, kind) = (preset.to_owned(), name.to_owned(), kind.to_owned());
    Found { preset, name, kind, base_url, version, models, latency_ms, known: None }
}

async fn version_of(loopback: &Egress, root: &str, path: &str, field: &str) -> Option<String> {
    get(loopback, &format!("{root}{path}")).await?[field].as_str().map(str::to_owned)
}

/// A JSON answer of status 200, or nothing.
async fn get(loopback: &Egress, url: &str) -> Option<Value> {
    let uri: Uri = url.parse().ok()?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = uri;
    let answer = loopback.request(request).await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let body = Limited::new(answer.into_body(), LONGEST).collect().await.ok()?.to_bytes();
    serde_json::from_slice(&body).ok()
}

/// The port of an address on this machine.
pub(crate) fn port_here(base_url: &str) -> Option<u16> {
    let uri: Uri = base_url.trim().parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    here.then(|| uri.port_u16().unwrap_or(usual))
}
