//! One WebSocket per tab for everything that changes while a person looks: model states, their own conversations and turns
//! from other tabs, and the events of turns they attach to, the same as over SSE. A tab keeps no other connection open.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use chat::TurnChange;
use domain::{Caller, TurnId};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Changed, Kind, Word};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::caller::{SignedIn, session_token};
use crate::portal::models::installed::pulls_now;
use crate::portal::turns::Reader;
use crate::portal::view;
use crate::{Problem, Server};

/// How often the tab is pinged, and the session looked at again: a revoked one is closed within this time.
const PING: Duration = Duration::from_secs(10);

/// The session ended: sign in again.
const SESSION_ENDED: u16 = 4401;
/// The portal is going down: reconnect in a moment.
const DRAINING: u16 = 4503;

/// Turns one tab may follow at a time.
const ATTACHED: usize = 32;

/// What a tab says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    Attach {
        turn: TurnId,
        #[serde(default)]
        after: u64,
    },
    Detach {
        turn: TurnId,
    },
    Stop {
        turn: TurnId,
    },
}

pub(crate) async fn live(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    // The CSRF layer lets GET pass; a WebSocket of another site must not.
    if !same_origin(&server, &headers) {
        return Err(Problem::cross_origin());
    }
    Ok(upgrade.max_message_size(64 * 1024).on_upgrade(move |socket| Tab::converse(server, caller, headers, socket)))
}

fn same_origin(server: &Server, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text("origin") else { return true };
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    origin == server.doors.public_url || text("host").is_some_and(|host| host == authority)
}

struct Tab {
    server: Server,
    caller: Caller,
    headers: HeaderMap,
    out: SplitSink<WebSocket, Message>,
    attached: HashMap<TurnId, CancellationToken>,
    told: mpsc::Sender<Value>,
}

impl Tab {
    async fn converse(server: Server, caller: Caller, headers: HeaderMap, socket: WebSocket) {
        let (out, mut heard) = socket.split();
        let (told, mut to_tell) = mpsc::channel(64);
        let mut states = server.models.watch();
        let mut pulls = server.models.watch_pulls();
        let mut changes = server.store.changed();
        let mut notices = server.chat.notices();
        let mut others = server.store.heard();
        let mut ping = tokio::time::interval(PING);
        let draining = server.doors.draining.clone();
        let mut tab = Tab { server, caller, headers, out, attached: HashMap::new(), told };
        states.mark_changed();
        loop {
            let alive = tokio::select! {
                () = draining.cancelled() => return tab.close(DRAINING, "the portal is restarting").await,
                said = heard.next() => match said {
                    Some(Ok(Message::Text(text))) => tab.hear(&text).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => false,
                    Some(Ok(_)) => true,
                },
                Some(value) = to_tell.recv() => tab.tell(&value).await,
                changed = states.changed() => changed.is_ok() && tab.tell_models().await,
                changed = pulls.changed(), if tab.caller.role.administers() => changed.is_ok() && tab.tell_pulls().await,
                change = changes.recv() => tab.tell_change(change).await,
                notice = notices.recv() => match notice {
                    Ok(notice) if notice.tenant == tab.caller.tenant && notice.person == tab.caller.person => {
                        let change = if notice.change == TurnChange::Started { "started" } else { "finished" };
                        tab.tell(&json!({ "type": "turn", "turn": notice.turn, "conversation": notice.conversation, "change": change })).await
                    }
                    _ => true,
                },
                word = others.recv() => match word {
                    Ok(Word::Everything) | Err(broadcast::error::RecvError::Lagged(_)) => {
                        tab.tell_change(Err(broadcast::error::RecvError::Lagged(0))).await
                    }
                    _ => true,
                },
                _ = ping.tick() => {
                    if !tab.still_signed_in().await {
                        return tab.close(SESSION_ENDED, "the session has ended").await;
                    }
                    tab.tell(&json!({ "type": "ping" })).await
                }
            };
            if !alive {
                return;
            }
        }
    }

    async fn tell(&mut self, value: &Value) -> bool {
        self.out.send(Message::text(value.to_string())).await.is_ok()
    }

    async fn tell_models(&mut self) -> bool {
        let models = view::models(&self.server);
        self.tell(&json!({ "type": "models", "models": models })).await
    }

    async fn tell_pulls(&mut self) -> bool {
        let pulls = pulls_now(&self.server);
        self.tell(&json!({ "type": "pulls", "pulls": pulls })).await
    }

    async fn tell_change(&mut self, change: Result<Changed, broadcast::error::RecvError>) -> bool {
        let change = match change {
            Ok(Changed::Conversation { tenant, person, id, kind })
                if tenant == self.caller.tenant && person == self.caller.person =>
            {
                let kind = match kind {
                    Kind::Created => "created",
                    Kind::Updated => "updated",
                    Kind::Deleted => "deleted",
                };
                json!({ "type": "conversation", "id": id, "change": kind })
            }
            Ok(Changed::Approvals) => json!({ "type": "approvals" }),
            // Too many to tell one by one: look again at everything.
            Err(broadcast::error::RecvError::Lagged(_)) => {
                json!({ "type": "conversation", "id": null, "change": "updated" })
            }
            _ => return true,
        };
        self.tell(&change).await
    }

    async fn hear(&mut self, text: &str) -> bool {
        match serde_json::from_str(text) {
            Ok(Said::Stop { turn }) => {
                // Where it could not be asked for, the turn goes on and the person sees that.
                if let Err(error) = self.server.chat.stop(&self.caller, turn).await {
                    tracing::warn!(%turn, %error, "a turn could not be stopped");
                }
                true
            }
            Ok(Said::Detach { turn }) => {
                if let Some(reading) = self.attached.remove(&turn) {
                    reading.cancel();
                }
                true
            }
            Ok(Said::Attach { turn, after }) => self.attach(turn, after).await,
            Err(error) => {
                self.tell(&json!({ "type": "problem", "code": "invalid_request", "message": error.to_string() })).await
            }
        }
    }

    async fn attach(&mut self, turn: TurnId, after: u64) -> bool {
        self.attached.retain(|_, reading| !reading.is_cancelled());
        if self.attached.len() >= ATTACHED {
            return self
                .tell(&json!({ "type": "problem", "turn": turn, "code": "invalid_request",
                "message": format!("a tab follows at most {ATTACHED} turns; detach one first") }))
                .await;
        }
        let mut reader = match Reader::open(self.server.clone(), self.caller, turn, after).await {
            Ok(reader) => reader,
            Err(problem) => {
                return self
                    .tell(&json!({ "type": "problem", "turn": turn, "code": problem.code, "message": problem.message }))
                    .await;
            }
        };
        let reading = CancellationToken::new();
        if let Some(before) = self.attached.insert(turn, reading.clone()) {
            before.cancel();
        }
        let told = self.told.clone();
        self.server.doors.tasks.spawn(async move {
            // The channel is bounded: a slow tab makes its reader wait, and gets larger pieces later.
            let read = async {
                while let Some(events) = reader.next().await {
                    for (id, event) in events {
                        let value = json!({ "type": "event", "turn": turn, "id": id, "event": event });
                        if told.send(value).await.is_err() {
                            return;
                        }
                    }
                }
            };
            tokio::select! {
                () = read => {}
                () = reading.cancelled() => {}
                () = told.closed() => {}
            }
            reading.cancel();
        });
        true
    }

    async fn still_signed_in(&self) -> bool {
        let Some(token) = session_token(&self.headers) else { return false };
        // A database that does not answer is no reason to sign a person out.
        self.server.identity.caller_by_session(&token).await.map_or(true, |found| found.is_some())
    }

    async fn close(mut self, code: u16, reason: &'static str) {
        let _ = self.out.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
    }
}
