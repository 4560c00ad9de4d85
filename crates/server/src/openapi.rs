//! The portal API's description. `portico openapi` prints it, `web/openapi.json` is its committed copy, and the pages' types are
//! made from that. A test calls every path in it.

use axum::Json;
use utoipa::OpenApi;

use crate::portal::{
    accounts, adapters, aliases, bootstrap, conversations, datasets, keys, library, models, people, ratings, replays,
    search, training, transfer, turns,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Portico portal API",
        description = "What the portal's own pages call. For programs there is the OpenAI API under /v1."
    ),
    paths(
        bootstrap::read,
        accounts::setup,
        accounts::sign_in,
        accounts::sign_out,
        accounts::sessions,
        accounts::end_other_sessions,
        accounts::end_session,
        accounts::change_me,
        accounts::change_password,
        accounts::usage,
        accounts::check_invitation,
        accounts::join,
        accounts::reset,
        keys::list,
        keys::create,
        keys::change,
        keys::revoke,
        keys::usage,
        people::invitations,
        people::invite,
        people::withdraw,
        people::list,
        people::change,
        people::reset_link,
        models::list,
        models::providers,
        models::add,
        models::presets,
        models::test,
        models::change,
        models::remove,
        aliases::list,
        aliases::create,
        aliases::replace,
        aliases::remove,
        aliases::history,
        aliases::switch,
        aliases::rollback,
        replays::begin,
        replays::list,
        replays::read,
        replays::cancel,
        models::capabilities::read,
        models::capabilities::test,
        models::deployments::list,
        models::families::list,
        models::found::newest,
        models::found::look,
        models::import::import,
        models::installed::installed,
        models::installed::load,
        models::installed::unload,
        models::installed::uninstall,
        models::installed::pull,
        models::installed::pulls,
        models::installed::cancel,
        models::installed::events,
        library::read,
        library::offers,
        library::fetch,
        library::cancel,
        library::resume,
        library::upload,
        library::take,
        library::remove,
        library::verify,
        library::start,
        library::stop,
        datasets::list,
        datasets::create,
        datasets::read,
        datasets::change,
        datasets::remove,
        datasets::examples,
        datasets::add,
        datasets::change_example,
        datasets::remove_examples,
        datasets::restore_examples,
        datasets::mask_examples,
        datasets::import,
        datasets::collect,
        datasets::versions,
        datasets::freeze,
        datasets::export,
        training::read,
        training::create,
        training::job,
        training::remove,
        training::stop,
        training::resume,
        adapters::list,
        adapters::take,
        adapters::upload,
        adapters::remove,
        adapters::attach,
        adapters::detach,
        conversations::list,
        conversations::create,
        conversations::read,
        conversations::change,
        conversations::delete,
        conversations::restore,
        conversations::delete_message,
        conversations::restore_message,
        ratings::rate,
        ratings::take_back,
        transfer::export,
        transfer::import,
        search::search,
        turns::ask,
        turns::events,
        turns::stop,
    )
)]
struct Portal;

/// The description as JSON.
pub fn document() -> String {
    let mut text = Portal::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

pub(crate) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(Portal::openapi())
}
