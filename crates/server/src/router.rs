//! Every route on one page.

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;

use crate::anthropic;
use crate::openai::{DialectProblem, completions, files, models as openai_models, tasks};
use crate::portal::files as uploads;
use crate::portal::models::{capabilities, deployments, families, found, import, installed};
use crate::portal::{
    accounts, adapters, aliases, approvals, assistants, batches, bootstrap, conversations, datasets, evaluations, keys,
    library, models, people, plugins, prompts, ratings, replays, search, steps, training, transfer, turns,
};
use crate::responses::kept;
use crate::{Problem, Server, assets, health, live, mcp, openapi, responses};

/// The main listener's routes.
pub fn router(server: Server) -> Router {
    let portal = portal_routes()
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(ServiceBuilder::new().layer(CatchPanicLayer::custom(panicked)).layer(csrf(&server.doors.public_url)));
    Router::new()
        .nest("/api", portal)
        .merge(openai_routes())
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(assets::page)
        .with_state(server)
}

fn portal_routes() -> Router<Server> {
    Router::new()
        // the first look
        .route("/bootstrap", get(bootstrap::read))
        .route("/openapi.json", get(openapi::serve))
        .route("/live", get(live::live))
        // who
        .route("/setup", post(accounts::setup))
        .route("/session", post(accounts::sign_in).delete(accounts::sign_out))
        .route("/sessions", get(accounts::sessions).delete(accounts::end_other_sessions))
        .route("/sessions/{id}", delete(accounts::end_session))
        .route("/me", patch(accounts::change_me))
        .route("/me/password", put(accounts::change_password))
        .route("/me/usage", get(accounts::usage))
        .route("/join/check", post(accounts::check_invitation))
        .route("/join", post(accounts::join))
        .route("/reset", post(accounts::reset))
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{id}", patch(keys::change).delete(keys::revoke))
        .route("/keys/{id}/usage", get(keys::usage))
        // people
        .route("/invitations", get(people::invitations).post(people::invite))
        .route("/invitations/{id}", delete(people::withdraw))
        .route("/people", get(people::list))
        .route("/people/{id}", patch(people::change))
        .route("/people/{id}/reset", post(people::reset_link))
        // models
        .route("/models", get(models::list))
        .route("/models/{id}/capabilities", get(capabilities::read).post(capabilities::test))
        .route("/deployments", get(deployments::list))
        .route("/catalog/models", get(families::list))
        .route("/providers", get(models::providers).post(models::add))
        .route("/providers/presets", get(models::presets))
        .route("/providers/test", post(models::test))
        .route("/providers/import", post(import::import))
        .route("/providers/found", get(found::newest))
        .route("/providers/discover", post(found::look))
        .route("/providers/{id}", patch(models::change).delete(models::remove))
        .route("/aliases", get(aliases::list).post(aliases::create))
        .route("/aliases/{name}", put(aliases::replace).delete(aliases::remove))
        .route("/aliases/{name}/history", get(aliases::history))
        .route("/aliases/{name}/switch", post(aliases::switch))
        .route("/aliases/{name}/rollback", post(aliases::rollback))
        .route("/aliases/{name}/replay", post(replays::begin))
        .route("/replays", get(replays::list))
        .route("/replays/{id}", get(replays::read))
        .route("/replays/{id}/cancel", post(replays::cancel))
        .route("/providers/{id}/installed", get(installed::installed))
        .route("/providers/{id}/load", post(installed::load))
        .route("/providers/{id}/unload", post(installed::unload))
        .route("/providers/{id}/uninstall", post(installed::uninstall))
        .route("/providers/{id}/pull", post(installed::pull))
        .route("/pulls", get(installed::pulls))
        .route("/pulls/{id}", delete(installed::cancel))
        .route("/pulls/{id}/events", get(installed::events))
        // model files
        .route("/library", get(library::read))
        .route("/library/offers", get(library::offers))
        .route("/library/downloads", post(library::fetch))
        .route("/library/downloads/{name}", delete(library::cancel))
        .route("/library/downloads/{name}/resume", post(library::resume))
        .route("/library/files/{file}", put(library::upload))
        .route("/library/models", post(library::take))
        .route("/library/models/{name}", delete(library::remove))
        .route("/library/models/{name}/verify", post(library::verify))
        .route("/library/models/{name}/start", post(library::start))
        .route("/library/models/{name}/stop", post(library::stop))
        // data sets
        .route("/datasets", get(datasets::list).post(datasets::create))
        .route("/datasets/{id}", get(datasets::read).patch(datasets::change).delete(datasets::remove))
        .route("/datasets/{id}/import", post(datasets::import))
        .route("/datasets/{id}/collect", post(datasets::collect))
        .route("/datasets/{id}/examples", get(datasets::examples).post(datasets::add))
        .route("/datasets/{id}/examples/remove", post(datasets::remove_examples))
        .route("/datasets/{id}/examples/restore", post(datasets::restore_examples))
        .route("/datasets/{id}/examples/mask", post(datasets::mask_examples))
        .route("/datasets/{id}/examples/{example}", patch(datasets::change_example))
        .route("/datasets/{id}/versions", get(datasets::versions).post(datasets::freeze))
        .route("/datasets/{id}/export", get(datasets::export))
        .route("/training", get(training::read))
        .route("/training/jobs", post(training::create))
        .route("/training/jobs/{id}", get(training::job).delete(training::remove))
        .route("/training/jobs/{id}/stop", post(training::stop))
        .route("/training/jobs/{id}/resume", post(training::resume))
        // evaluations
        .route("/evaluations", get(evaluations::list).post(evaluations::begin))
        .route("/evaluations/{id}", get(evaluations::read).delete(evaluations::remove))
        .route("/evaluations/{id}/cancel", post(evaluations::cancel))
        .route("/evaluations/{id}/resume", post(evaluations::resume))
        .route("/evaluations/{id}/export", get(evaluations::export))
        // batches
        .route("/batches", get(batches::list).post(batches::begin))
        .route("/batches/preview", post(batches::preview))
        .route("/batches/examples", get(batches::examples))
        .route("/batches/{id}", get(batches::read).delete(batches::remove))
        .route("/batches/{id}/rows", get(batches::rows))
        .route("/batches/{id}/stop", post(batches::stop))
        .route("/batches/{id}/resume", post(batches::resume))
        .route("/batches/{id}/retry", post(batches::retry))
        .route("/batches/{id}/export", get(batches::export))
        // adapters
        .route("/adapters", get(adapters::list).post(adapters::take))
        .route("/adapters/{name}", put(adapters::upload).delete(adapters::remove))
        .route("/adapters/{name}/attach", post(adapters::attach))
        .route("/adapters/{name}/detach", post(adapters::detach))
        // assistants
        .route("/assistants", get(assistants::list).post(assistants::create))
        .route("/assistants/import", post(assistants::import))
        .route("/assistants/{id}", get(assistants::read).patch(assistants::share).delete(assistants::remove))
        .route("/assistants/{id}/restore", post(assistants::restore))
        .route("/assistants/{id}/draft", put(assistants::change))
        .route("/assistants/{id}/publish", post(assistants::publish))
        .route("/assistants/{id}/versions/{version}/restore", post(assistants::take_back))
        .route("/assistants/{id}/diff", get(assistants::diff))
        .route("/assistants/{id}/export", get(assistants::export))
        .route("/assistants/{id}/try", post(assistants::try_out))
        .route("/personas", get(assistants::personas))
        .route("/prompts", get(prompts::list).post(prompts::create))
        .route("/prompts/{id}", put(prompts::change).delete(prompts::remove))
        // plugins
        .route("/plugins", get(plugins::list).post(plugins::install))
        .route("/plugins/check", post(plugins::check))
        .route("/plugins/{name}", patch(plugins::change).delete(plugins::remove))
        .route("/plugins/fetch", post(plugins::fetch))
        .route("/plugins/{name}/probe", post(plugins::probe))
        .route("/plugins/{name}/try", post(plugins::attempt))
        .route("/plugins/{name}/calls", get(plugins::calls))
        // files
        .route("/files", get(uploads::list).post(uploads::begin))
        .route("/files/{id}", get(uploads::read).patch(uploads::go_on).delete(uploads::remove))
        .route("/files/{id}/finish", post(uploads::finish))
        .route("/files/{id}/restore", post(uploads::restore))
        .route("/files/{id}/content", get(uploads::content))
        .route("/files/{id}/text", get(uploads::text))
        // conversations
        .route("/conversations", get(conversations::list).post(conversations::create))
        .route("/conversations/import", post(transfer::import))
        .route(
            "/conversations/{id}",
            get(conversations::read).patch(conversations::change).delete(conversations::delete),
        )
        .route("/conversations/{id}/restore", post(conversations::restore))
        .route("/conversations/{id}/export", get(transfer::export))
        .route("/messages/{id}", delete(conversations::delete_message))
        .route("/messages/{id}/restore", post(conversations::restore_message))
        .route("/messages/{id}/rating", put(ratings::rate).delete(ratings::take_back))
        .route("/search", get(search::search))
        // turns
        .route("/turns", post(turns::ask))
        .route("/turns/{turn}/events", get(turns::events))
        .route("/turns/{turn}/stop", post(turns::stop))
        .route("/turns/{turn}/steps", get(steps::list))
        .route("/turns/{turn}/approvals", get(approvals::of_turn))
        .route("/approvals", get(approvals::list))
        .route("/approvals/{id}", post(approvals::decide))
}

/// What a program is told where it asks for something else.
const OPENAI_ROUTES: [&str; 13] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/rerank",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/audio/speech",
    "/v1/images/generations",
    "/v1/files",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/models",
];

/// By key, not by cookie (`/mcp` sees to `Origin` itself): no CSRF layer, and nothing else on the hot path.
fn openai_routes() -> Router<Server> {
    Router::new()
        .route("/v1/chat/completions", post(completions::chat))
        .route("/v1/completions", post(completions::text))
        .route("/v1/responses", post(responses::create))
        .route("/v1/responses/{id}", get(kept::read).delete(kept::delete))
        .route("/v1/responses/{id}/input_items", get(kept::items))
        .route("/v1/responses/{id}/cancel", post(kept::cancel))
        .route("/v1/embeddings", post(tasks::embeddings))
        .route("/v1/rerank", post(tasks::rerank))
        .route("/rerank", post(tasks::rerank))
        .route("/v1/audio/transcriptions", post(tasks::transcription))
        .route("/v1/audio/translations", post(tasks::translation))
        .route("/v1/audio/speech", post(tasks::speech))
        .route("/v1/images/generations", post(tasks::images))
        .route("/v1/messages", post(anthropic::messages))
        .route("/v1/messages/count_tokens", post(anthropic::count))
        .route("/v1/files", get(files::list).post(files::upload))
        .route("/v1/files/{id}", get(files::read).delete(files::delete))
        .route("/v1/files/{id}/content", get(files::content))
        .route("/v1/models", get(openai_models::list))
        .route("/v1/models/{*id}", get(openai_models::one))
        .route("/v1/{*rest}", axum::routing::any(unknown_openai_route))
        .route("/mcp", post(mcp::post).fallback(mcp::only_post))
}

/// Requests that change something come from our own pages: `Sec-Fetch-Site` says so in a secure context, `Origin` against
/// `Host` on a plain-http address.
fn csrf(public_url: &str) -> CsrfLayer<impl Fn(tower_http::csrf::ProtectionError) -> Response + Clone + use<>> {
    let layer = CsrfLayer::new();
    let layer = layer.clone().add_trusted_origin(public_url).unwrap_or(layer);
    layer.with_rejection_response(|_| Problem::cross_origin().into_response())
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    let message = "something went wrong inside Portico; the log has the details";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
}

async fn unknown_route(uri: Uri) -> Problem {
    Problem::not_found(&format!("route {}", uri.path()))
}

async fn wrong_method(method: axum::http::Method, uri: Uri) -> Problem {
    let message = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", message)
}

async fn unknown_openai_route(uri: Uri) -> DialectProblem {
    let message = format!("{} is not served here; there are {}", uri.path(), OPENAI_ROUTES.join(", "));
    DialectProblem(Problem::new(StatusCode::NOT_FOUND, "unknown_url", message))
}
