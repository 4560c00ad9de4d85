//! Questions as a person asks them in the portal, and the answers as a tab follows them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Event, Person, Reply, Wire, call, events_of};

/// A question that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) turn: String,
    pub(crate) conversation: String,
    pub(crate) question: String,
    pub(crate) answer: String,
}

impl Asked {
    pub(crate) fn of(body: &Value) -> Asked {
        let id = |value: &Value| value.as_str().expect("an id").to_owned();
        Asked {
            turn: id(&body["turn"]),
            conversation: id(&body["conversation"]["id"]),
            question: id(&body["question"]["id"]),
            answer: id(&body["answer"]["id"]),
        }
    }
}

/// An id that no other question of this test has.
pub(crate) fn ask_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("question-number-{:04}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Person {
    /// Asks in a new conversation. The scripted model does what the text says, where it begins with `mock;`.
    pub(crate) async fn ask(&self, text: &str) -> Asked {
        self.ask_with(json!({ "text": text })).await
    }

    /// Asks below an answer.
    pub(crate) async fn ask_on(&self, before: &Asked, text: &str) -> Asked {
        let body = json!({ "conversation": before.conversation, "parent": before.answer, "text": text });
        self.ask_with(body).await
    }

    /// Asks with this body; its `ask_id` is made here where it has none.
    pub(crate) async fn ask_with(&self, body: Value) -> Asked {
        Asked::of(&self.try_ask(body).await.expect(202))
    }

    pub(crate) async fn try_ask(&self, mut body: Value) -> Reply {
        if body.get("ask_id").is_none() {
            body["ask_id"] = ask_id().into();
        }
        self.call("POST", "/api/turns", Some(&body)).await
    }

    /// Opens the event stream of a turn, from after event `after`.
    pub(crate) async fn follow(&self, turn: &str, after: u64) -> Wire {
        let mut wire = Wire::connect(self.address).await;
        let path = format!("/api/turns/{turn}/events?after={after}");
        wire.send("GET", &path, &[("cookie", &self.cookie)], b"").await;
        wire.head().await;
        assert_eq!(wire.status, 200);
        wire
    }

    /// The same as a browser resumes: with the header that an `EventSource` sends.
    pub(crate) async fn resume(&self, turn: &str, last: u64) -> Vec<Event> {
        let path = format!("/api/turns/{turn}/events");
        let headers = [("cookie", self.cookie.as_str()), ("last-event-id", &last.to_string())];
        let reply = call(self.address, "GET", &path, &headers, b"").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        events_of(&reply.text())
    }

    /// Every event of a turn, to its end.
    pub(crate) async fn events(&self, turn: &str) -> Vec<Event> {
        self.follow(turn, 0).await.hear().await.events()
    }

    /// Asks, and waits for the end of the answer.
    pub(crate) async fn ask_and_wait(&self, text: &str) -> Asked {
        let asked = self.ask(text).await;
        self.events(&asked.turn).await;
        asked
    }

    /// One message of a conversation, as the page reads it.
    pub(crate) async fn message(&self, conversation: &str, id: &str) -> Value {
        let tree = self.get(&format!("/api/conversations/{conversation}")).await;
        let messages = tree["messages"].as_array().expect("messages");
        messages.iter().find(|message| message["id"] == id).expect("the message").clone()
    }
}

/// The text that events tell, pieces joined.
pub(crate) fn told(events: &[Event]) -> String {
    let deltas = events.iter().map(Event::json).filter(|event| event["type"] == "delta");
    deltas.map(|event| event["text"].as_str().expect("text").to_owned()).collect()
}
