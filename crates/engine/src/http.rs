//! The door: the OpenAI dialect over HTTP. It reads, checks and tokenises a request, hands it to the scheduler and follows the answer; it
//! computes nothing. Everything under `/v1` wants the key when there is one; `/health` says nothing worth hiding.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, Uri, header::AUTHORIZATION},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post},
};
use domain::{Clock, Ids};
use serde_json::{Map, Value, json};

use crate::{
    backend::Token,
    confidence::Calibration,
    grammar::Form,
    model::{Model, Ready},
    scheduler::{NotTaken, Request as Asked},
    template::{has_begun, plain_question},
    tools::Thoughts,
};

mod adapters;
mod answers;
mod embeddings;
mod following;
mod pictures;
mod prefixes;
mod problem;
mod requests;
mod rerank;

use answers::{Envelope, Kind};
use following::Reading;
use pictures::{Album, Shown};
use problem::Problem;
use requests::{Chat, Completion, Prompt, Wish};

const LARGEST_BODY: usize = 32 << 20;

/// What all requests share.
pub(crate) struct Door {
    pub(crate) model: Model,
    pub(crate) key: Option<String>,
    pub(crate) calibration: Arc<Calibration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
}

type Shared = State<Arc<Door>>;

/// Every route.
pub(crate) fn router(door: Arc<Door>) -> Router {
    let guarded = Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(completion))
        .route("/v1/adapters", get(adapters::list).post(adapters::attach))
        .route("/v1/adapters/{name}", patch(adapters::rescale).delete(adapters::detach))
        .route("/v1/load_lora_adapter", post(adapters::attach))
        .route("/v1/unload_lora_adapter", post(adapters::unload))
        .route("/v1/prefixes", get(prefixes::list).put(prefixes::pin))
        .route("/v1/prefixes/{id}", delete(prefixes::unpin))
        .route("/v1/embeddings", post(embeddings::embeddings))
        .route("/v1/rerank", post(rerank::rerank))
        .route_layer(from_fn_with_state(Arc::clone(&door), wants_key));
    Router::new()
        .route("/health", get(health))
        .merge(guarded)
        .fallback(|uri: Uri| async move { Problem::NoSuchRoute { path: uri.path().to_owned() } })
        .method_not_allowed_fallback(|| async { Problem::WrongMethod })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(door)
}

async fn wants_key(State(door): Shared, request: Request, next: Next) -> Result<Response, Problem> {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match (&door.key, given) {
        (None, _) => {}
        (Some(key), Some(given)) if same(key.as_bytes(), given) => {}
        (Some(_), _) => return Err(Problem::Unauthorized),
    }
    Ok(next.run(request).await)
}

/// Compares in a time that does not tell how much is right.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |difference, (left, right)| difference | (left ^ right)) == 0
}

async fn health(State(door): Shared) -> Response {
    let writer = door.model.ready().map(|ready| ready.scheduler.load());
    match writer.or_else(|| door.model.vectors().map(|vectors| vectors.jobs.load())) {
        None => {
            let body = json!({"status": "loading", "progress": door.model.progress.get()});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
        Some(load) => Json(json!({"status": "ok", "active": load.active(), "queued": load.queued()})).into_response(),
    }
}

async fn models(State(door): Shared) -> Json<Value> {
    let mut model = json!({"id": door.model.name, "object": "model", "created": 0, "owned_by": "portico"});
    model["status"] = match (door.model.ready(), door.model.vectors()) {
        (Some(_), _) | (_, Some(_)) => json!({"value": "loaded"}),
        (None, None) => json!({"value": "loading", "progress": door.model.progress.get()}),
    };
    let mut models = Vec::new();
    if let Some(Ready { facts, template, adapters: named, eyes, .. }) = door.model.ready() {
        let (mut capabilities, mut modalities) = (vec!["completion"], vec!["text"]);
        if eyes.is_some() {
            capabilities.push("vision");
            modalities.push("image");
        }
        models = named.list().iter().map(|named| adapters::as_model(&door, named)).collect();
        model["meta"] = json!({
            "context_length": facts.context,
            "trained_context_length": facts.trained_context,
            "parameters": facts.parameters,
            "size": facts.size,
            "description": facts.description,
            "has_chat_template": template.is_some(),
            "parallel": facts.parallel,
            "threads": facts.threads,
            "devices": facts.devices,
            "gpu_layers": facts.gpu_layers.0,
            "layers": facts.gpu_layers.1,
            "capabilities": capabilities,
            "input_modalities": modalities,
        });
    }
    if let Some(vectors) = door.model.vectors() {
        model["meta"] = embeddings::meta(&vectors.facts);
    }
    models.insert(0, model);
    Json(json!({"object": "list", "data": models}))
}

async fn chat(
    State(door): Shared,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = whole(body)?;
    let door = &door;
    let shaped = off_the_runtime(Arc::clone(door), move |door, ready| {
        let chat: Chat = requests::read(&body)?;
        let mut wish = chat.wish()?.on_behalf_of(&headers);
        let mut album = Album::new(ready, &format!("picture-{}", door.ids.next().simple()));
        let mut texts = chat.texts(&mut album)?;
        let mut more = chat.chat_template_kwargs.clone().unwrap_or_default();
        let tools = chat.tools()?;
        if let Some(tools) = &tools {
            offer(ready, tools.offered, &mut texts, &mut more)?;
            if wish.grammar.is_none() {
                wish.grammar = tools.grammar(ready.facts.chat_template.as_deref().unwrap_or_default())?;
            }
        }
        prepare(ready, &wish);
        let Asking { pieces, opening, templated, thoughts } = chat_prompt(door, ready, &texts, &more, &album)?;
        let reading = Reading { thoughts: Some(thoughts), calls: tools.map(|tools| tools.reader()) };
        Ok((wish, (pieces, album), opening, templated, reading))
    });
    let (wish, (pieces, album), opening, templated, reading) = shaped.await?;
    let Some(ready) = door.model.ready() else { return Err(Problem::Gone) };
    let shown = album.shown(ready, pieces).await?;
    answer(door, wish, shown, opening, Kind::Chat, Some(templated), reading).await
}

async fn completion(
    State(door): Shared,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = whole(body)?;
    let door = &door;
    let shaped = off_the_runtime(Arc::clone(door), move |_, ready| {
        let completion: Completion = requests::read(&body)?;
        let wish = completion.wish()?.on_behalf_of(&headers);
        prepare(ready, &wish);
        Ok((wish, completion_prompt(ready, completion.prompt)?))
    });
    let (wish, (prompt, opening)) = shaped.await?;
    let shown = Shown { tokens: prompt, rows: Vec::new() };
    answer(door, wish, shown, opening, Kind::Completion, None, Reading::default()).await
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
        _ => Problem::Unreadable { why: rejection.body_text() },
    })
}

/// Why there is no model here that writes.
fn absent(door: &Door) -> Problem {
    match door.model.vectors() {
        Some(vectors) => embeddings::writes_nothing(vectors),
        None => Problem::Loading { progress: door.model.progress.get() },
    }
}

/// Reading, rendering and tokenising a long prompt takes milliseconds, which the streams of others need not wait.
async fn off_the_runtime<T: Send + 'static>(
    door: Arc<Door>,
    shape: impl FnOnce(&Door, &Ready) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let shaped = tokio::task::spawn_blocking(move || match door.model.ready() {
        None => Err(absent(&door)),
        Some(ready) => shape(&door, ready),
    });
    shaped.await.unwrap_or_else(|panicked| Err(Problem::Failed { why: panicked.to_string() }))
}

/// Reads the vocabulary for the first grammar here, where it holds nobody up.
fn prepare(ready: &Ready, wish: &Wish) {
    if wish.grammar.is_some() {
        ready.words();
    }
}

/// Tells the model of tools: by its template where that knows of them, else in words.
fn offer(
    ready: &Ready,
    tools: &[Value],
    messages: &mut Vec<Value>,
    more: &mut Map<String, Value>,
) -> Result<(), Problem> {
    match &ready.facts.chat_template {
        None => Err(Problem::invalid("tools", "need a model with a chat template")),
        Some(template) if template.contains("tools") => {
            more.insert("tools".into(), Value::Array(tools.to_vec()));
            Ok(())
        }
        Some(_) => {
            *messages = crate::tools::explained(messages, tools);
            Ok(())
        }
    }
}

/// What a chat comes to.
struct Asking {
    /// The prompt, cut where pictures belong.
    pieces: Vec<Vec<Token>>,
    /// Whether it holds no text.
    opening: bool,
    /// Whether a template formed it.
    templated: bool,
    /// What it begins to think.
    thoughts: Thoughts,
}

fn chat_prompt(
    door: &Door,
    ready: &Ready,
    messages: &[Value],
    more: &Map<String, Value>,
    album: &Album,
) -> Result<Asking, Problem> {
    let encoded = |text: &str, begin: bool, markup: bool| -> Result<Vec<Vec<Token>>, Problem> {
        let pieces = album.pieces(text)?.into_iter().enumerate();
        Ok(pieces.map(|(nth, piece)| ready.vocabulary.encode(piece, begin && nth == 0, markup)).collect())
    };
    let Some(template) = &ready.template else {
        let text =
            plain_question(messages).ok_or_else(|| Problem::invalid("messages", "hold no question (role user)"))?;
        let pieces = encoded(&text, true, false)?;
        return Ok(Asking { pieces, opening: text.is_empty(), templated: false, thoughts: Thoughts::default() });
    };
    let refused = |refused: &crate::template::Refused| Problem::Template { why: refused.to_string() };
    let template = template.as_ref().map_err(refused)?;
    let text = template.render(messages, more, door.clock.now()).map_err(|why| refused(&why))?;
    let (bos, _) = ready.vocabulary.marks();
    let pieces = encoded(&text, !has_begun(&text, &bos), true)?;
    Ok(Asking { pieces, opening: false, templated: true, thoughts: Thoughts::after(&text) })
}

fn completion_prompt(ready: &Ready, prompt: Prompt) -> Result<(Vec<Token>, bool), Problem> {
    let text = match prompt {
        Prompt::Text(text) => text,
        Prompt::Texts(texts) => match <[String; 1]>::try_from(texts) {
            Ok([text]) => text,
            Err(_) => {
                return Err(Problem::invalid("prompt", "must be one text: this engine gives one answer per request"));
            }
        },
        Prompt::Tokens(tokens) => {
            let known = 0..Token::try_from(ready.vocabulary.size()).unwrap_or(Token::MAX);
            if let Some(unknown) = tokens.iter().find(|token| !known.contains(*token)) {
                return Err(Problem::invalid(
                    "prompt",
                    format!("holds the token {unknown}; this model knows {}", known.end),
                ));
            }
            return Ok((tokens, false));
        }
    };
    Ok((ready.vocabulary.encode(&text, true, true), text.is_empty()))
}

async fn answer(
    door: &Door,
    wish: Wish,
    Shown { tokens: prompt, rows: pictures }: Shown,
    opening: bool,
    kind: Kind,
    chat_template: Option<bool>,
    reading: Reading,
) -> Result<Response, Problem> {
    let Some(ready) = door.model.ready() else { return Err(Problem::Gone) };
    if prompt.is_empty() {
        return Err(Problem::invalid("prompt", "must not be empty: this model has no token to begin with"));
    }
    let room = u32::try_from(prompt.len()).ok().and_then(|len| ready.facts.context.checked_sub(len)).unwrap_or(0);
    if room == 0 {
        return Err(Problem::TooLong { prompt: prompt.len(), context: ready.facts.context });
    }
    let (model, adapter) = adapters::chosen(door, ready, wish.model.as_deref(), wish.lora.as_ref())?;
    let envelope = Envelope {
        kind,
        id: format!("{}-{}", if kind == Kind::Chat { "chatcmpl" } else { "cmpl" }, door.ids.next().simple()),
        created: door.clock.now().0.div_euclid(1000),
        model: model.clone(),
        chat_template,
        include_usage: wish.include_usage,
        calibration: Arc::clone(&door.calibration),
    };
    let scored = wish.likelihoods.is_some();
    let asked = Asked {
        prompt,
        pictures,
        opening,
        max_tokens: wish.max_tokens.unwrap_or(room).min(room),
        sampling: wish.sampling,
        stops: wish.stops,
        likelihoods: wish.likelihoods,
        confidence: wish.confidence,
        ignore_end: wish.ignore_end,
        form: wish.grammar.map(|grammar| Form { grammar: Arc::new(grammar), words: ready.words() }),
        person: wish.person,
        priority: wish.priority,
        adapter,
        tell_place: wish.tell_place,
    };
    let events = ready.scheduler.submit(asked).map_err(|not_taken| match not_taken {
        NotTaken::Busy(_) => Problem::Busy,
        NotTaken::Gone => Problem::Gone,
        NotTaken::NoAdapter(_) => Problem::NoSuchModel { name: model },
        never => Problem::invalid("prompt", never.to_string()),
    })?;
    if wish.stream {
        return following::streamed(events, envelope, reading).await;
    }
    following::plain(events, envelope, reading, scored).await
}
