//! What this portal does with what the other portals of its database say, and what it tells them of back ends. Rows that changed are
//! looked at by whoever caches them; turns are chat's.

use std::collections::HashMap;
use std::time::Duration;

use domain::TenantId;
use server::Server;
use store::Word;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a back end began to fail.
const LOOK: Duration = Duration::from_millis(500);

/// Lives among the other portals until `closing`; alone on SQLite it returns at once.
pub(crate) async fn live(server: Server, address: String, closing: CancellationToken) {
    let store = server.store.clone();
    if !store.shared() {
        return;
    }
    let living = store.live_among_others(&address, env!("CARGO_PKG_VERSION"), closing.clone());
    tokio::select! {
        () = living => {}
        () = follow(server) => {}
    }
}

/// How often it is read what the others have booked, and left.
const BOOKS: Duration = Duration::from_secs(5);

async fn follow(server: Server) {
    let mut books = tokio::time::interval(BOOKS);
    let (mut heard, mut living) = (server.store.heard(), server.store.living());
    let mut look = tokio::time::interval(LOOK);
    let mut told = HashMap::new();
    loop {
        tokio::select! {
            word = heard.recv() => match word {
                Ok(Word::Catalog | Word::Everything) | Err(RecvError::Lagged(_)) => reload(&server).await,
                Ok(Word::People) => {
                    if let Err(error) = server.ledger.refresh_limits().await {
                        tracing::warn!(%error, "people's limits could not be read; the ones in force stay");
                    }
                }
                Ok(Word::Failing { deployment, pause_ms }) => {
                    server.models.heard_failing(&deployment, Duration::from_millis(pause_ms));
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return,
            },
            Ok(()) = living.changed() => {
                let portals = *living.borrow_and_update();
                tracing::info!(portals, "so many portals share this database, and the limits of the back ends");
                server.models.share(portals);
            }
            _ = books.tick() => {
                // A portal that is gone left its batches to this one.
                if let Err(error) = server.chat.take_up_batches().await {
                    tracing::warn!(%error, "batches that another portal left could not be read");
                }
                if *living.borrow() < 2 {
                    continue;
                }
                if let Err(error) = server.ledger.catch_up().await {
                    tracing::warn!(%error, "what other portals have booked could not be read");
                }
            }
            _ = look.tick() => tell_failing(&server, &mut told),
        }
    }
}

/// Tells the others of every back end that began to fail, once each time its breaker opens.
fn tell_failing(server: &Server, told: &mut HashMap<String, u32>) {
    let failing = server.models.failing();
    told.retain(|id, _| failing.iter().any(|(failing, ..)| failing == id));
    for (deployment, times, pause) in failing {
        if told.insert(deployment.clone(), times) != Some(times) {
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            server.store.say(Word::Failing { deployment, pause_ms });
        }
    }
}

/// Providers, aliases and plugins as they are in the database now.
async fn reload(server: &Server) {
    if let Err(error) = server.catalog.reload(TenantId::FIRST).await {
        tracing::error!(%error, "another portal changed the models, and they could not be read; the ones in force stay");
    }
    if let Err(error) = server.tools.reload(TenantId::FIRST).await {
        tracing::error!(%error, "another portal changed the plugins, and they could not be read; the ones in force stay");
    }
}
