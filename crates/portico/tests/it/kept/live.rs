//! The WebSocket of a tab: the same events as over SSE, changes made elsewhere, and how it is closed.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use models::testing::ScriptedOllama;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::portal::{House, Person, told};

struct Tab {
    socket: WebSocketStream<TcpStream>,
    /// What came and was not asked for yet: messages of different types come in no promised order.
    unheard: Vec<Value>,
}

async fn try_tab(person: &Person, origin: Option<&str>) -> Result<Tab, Error> {
    let mut request = format!("ws://{}/api/live", person.address).into_client_request().expect("a request");
    request.headers_mut().insert("cookie", person.cookie.parse().expect("a header"));
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().expect("a header"));
    }
    let socket = TcpStream::connect(person.address).await.expect("it listens");
    client_async(request, socket).await.map(|(socket, _)| Tab { socket, unheard: Vec::new() })
}

async fn tab(person: &Person) -> Tab {
    try_tab(person, None).await.expect("a WebSocket")
}

impl Tab {
    async fn say(&mut self, value: &Value) {
        self.socket.send(Message::text(value.to_string())).await.expect("said");
    }

    async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(20), self.socket.next()).await.expect("in time");
        next.expect("open").expect("a message")
    }

    /// The next message of this type.
    async fn hear(&mut self, kind: &str) -> Value {
        if let Some(at) = self.unheard.iter().position(|value| value["type"] == kind) {
            return self.unheard.remove(at);
        }
        loop {
            let Message::Text(text) = self.next().await else { continue };
            let value: Value = serde_json::from_str(&text).expect("JSON");
            if value["type"] == kind {
                return value;
            }
            self.unheard.push(value);
        }
    }

    /// The events of an attached turn, as SSE would have told them.
    async fn events(&mut self, turn: &str) -> Vec<(u64, Value)> {
        let mut events = Vec::new();
        loop {
            let told = self.hear("event").await;
            assert_eq!(told["turn"], turn);
            let over = told["event"]["type"] == "finished";
            events.push((told["id"].as_u64().expect("an id"), told["event"].clone()));
            if over {
                return events;
            }
        }
    }

    /// The code it is closed with.
    async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.expect("a reason").code.into();
            }
        }
    }
}

#[tokio::test]
async fn a_tab_hears_the_same_events_as_over_sse() {
    let house = House::open().await;
    let mut tab = tab(&house.owner).await;
    let models = tab.hear("models").await;
    assert_eq!(models["models"][0]["id"], "mock/m");
    let asked = house.owner.ask("mock;n=10;itl=10").await;
    assert_eq!(
        tab.hear("turn").await,
        json!({ "type": "turn", "turn": asked.turn, "conversation": asked.conversation, "change": "started" })
    );
    tab.say(&json!({ "type": "attach", "turn": asked.turn })).await;
    let by_socket = tab.events(&asked.turn).await;
    let by_sse = house.owner.events(&asked.turn).await;
    let text: String = by_socket.iter().filter_map(|(_, event)| event["text"].as_str().map(str::to_owned)).collect();
    assert_eq!(text, told(&by_sse));
    // Pieces of text may be joined differently; every other event has the same id and the same content.
    let others =
        |events: Vec<(u64, Value)>| events.into_iter().filter(|(_, e)| e["type"] != "delta").collect::<Vec<_>>();
    let by_sse = by_sse.iter().map(|event| (event.id.expect("an id"), event.json())).collect();
    assert_eq!(others(by_socket), others(by_sse));
    assert_eq!(tab.hear("turn").await["change"], "finished");
}

#[tokio::test]
async fn a_tab_stops_a_turn_and_hears_of_changes_elsewhere() {
    let house = House::open().await;
    let mut tab = tab(&house.owner).await;
    let asked = house.owner.ask("mock;fault=stall@2").await;
    tab.say(&json!({ "type": "attach", "turn": asked.turn, "after": 0 })).await;
    tab.say(&json!({ "type": "stop", "turn": asked.turn })).await;
    assert_eq!(tab.events(&asked.turn).await.pop().expect("an end").1["finish"], "stopped");
    let path = format!("/api/conversations/{}", asked.conversation);
    house.owner.call("PATCH", &path, Some(&json!({ "title": "elsewhere" }))).await.expect(200);
    assert_eq!(tab.hear("conversation").await["id"], json!(asked.conversation));
    tab.say(&json!({ "type": "dance" })).await;
    assert_eq!(tab.hear("problem").await["code"], "invalid_request");
}

#[tokio::test]
async fn a_tab_of_another_person_attaches_to_nothing_and_one_of_another_site_is_refused() {
    let house = House::open().await;
    let other = house.owner.invite("eve").await;
    let asked = house.owner.ask("mock;fault=stall@1").await;
    let mut tab = tab(&other).await;
    tab.say(&json!({ "type": "attach", "turn": asked.turn })).await;
    let problem = tab.hear("problem").await;
    assert_eq!((&problem["code"], &problem["turn"]), (&json!("not_found"), &json!(asked.turn)));
    tab.say(&json!({ "type": "stop", "turn": asked.turn })).await;
    tab.say(&json!({ "type": "attach", "turn": asked.turn })).await;
    tab.hear("problem").await;
    assert_eq!(house.scripted.stats().active, 1, "it was not stopped");

    let refused = try_tab(&house.owner, Some("http://evil.example")).await;
    let Err(Error::Http(response)) = refused else { panic!("another site was let in") };
    assert_eq!(response.status(), 403);
    let own = format!("http://{}", house.portal.address);
    assert!(try_tab(&house.owner, Some(&own)).await.is_ok());
}

#[tokio::test]
async fn a_tab_is_closed_when_the_portal_goes_down() {
    let mut house = House::open().await;
    let mut tab = tab(&house.owner).await;
    tab.hear("models").await;
    house.portal.signal(Signal::TERM);
    assert_eq!(tab.closed().await, 4503);
    drop(tab);
    assert!(house.portal.ended().await.success());
}

#[tokio::test]
async fn a_pull_is_followed_over_the_live_channel_by_administrators_alone() {
    let ollama = ScriptedOllama::start().await;
    ollama.slow(20, 0);
    let provider = format!(
        "discover = false\n[[provider]]\nslug = \"ollama\"\nkind = \"ollama\"\nbase_url = \"{}\"\n",
        ollama.url
    );
    let house = House::open_with(&provider).await;
    let anna = house.owner.invite("anna").await;
    let (mut owners, mut annas) = (tab(&house.owner).await, tab(&anna).await);
    let which = json!({ "model": "qwen3:8b" });
    house.owner.call("POST", "/api/providers/ollama/pull", Some(&which)).await.expect(202);
    let last = loop {
        let told = owners.hear("pulls").await["pulls"][0].clone();
        if told["state"] != "running" {
            break told;
        }
    };
    assert_eq!((&last["state"], &last["completed"]), (&json!("done"), &last["total"]));
    // What came before this is heard by now.
    anna.post("/api/conversations", &json!({})).await;
    annas.hear("conversation").await;
    assert!(annas.unheard.iter().all(|value| value["type"] != "pulls"), "{:?}", annas.unheard);
}
