//! Why an answer was slow: of four answers, each slow for one reason, the parts of the time name that reason.

use std::time::Duration;

use models::testing::Scripted;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::portal::{Asked, House, Place};

/// What each of the four is slow by.
const SLOW: u32 = 700;

/// A line that delays every byte by half a round trip, whichever way it goes.
async fn far(target: &str) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let target = target.trim_start_matches("http://").to_owned();
    let mut running = JoinSet::new();
    running.spawn(async move {
        let mut lines = JoinSet::new();
        while let Ok((near, _)) = listener.accept().await {
            let Ok(there) = TcpStream::connect(&target).await else { continue };
            let ((from_near, to_near), (from_there, to_there)) = (near.into_split(), there.into_split());
            lines.spawn(carry(from_near, to_there));
            lines.spawn(carry(from_there, to_near));
        }
    });
    (url, running)
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read) = from.read(&mut buffer).await
        && read > 0
    {
        tokio::time::sleep(Duration::from_millis(u64::from(SLOW) / 2)).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// The parts of the time of an answer once it has ended, and the one that took longest.
async fn spent(house: &House, asked: &Asked) -> (Value, String) {
    house.owner.events(&asked.turn).await;
    let spent = house.owner.message(&asked.conversation, &asked.answer).await["provenance"]["spent"].clone();
    let parts = spent.as_object().expect("the parts");
    let slowest = parts.iter().max_by_key(|(_, ms)| ms.as_u64()).expect("a part").0.clone();
    (spent, slowest)
}

fn provider(slug: &str, url: &str, more: &str) -> String {
    format!(
        "[[provider]]\nslug = \"{slug}\"\nname = \"{slug}\"\nbase_url = \"{url}\"\n{more}[[provider.model]]\nname = \"m\"\n"
    )
}

#[tokio::test]
async fn of_four_slow_answers_each_names_its_own_reason() {
    let scripted = Scripted::start_with("models=m").await;
    let (distant, _line) = far(&scripted.url).await;
    let place = Place::new(&scripted, "");
    let (near, full, away) = (
        provider("near", &scripted.url, ""),
        provider("full", &scripted.url, "max_concurrent = 1\n"),
        provider("away", &distant, ""),
    );
    place.write(&format!("{near}{full}{away}"));
    let house = House::at(scripted, &place).await;
    let ask = async |model: &str, text: String| house.owner.ask_with(json!({ "text": text, "model": model })).await;

    // The model takes long to read.
    let asked = ask("near/m", format!("mock;n=3;ttft={SLOW}")).await;
    let (parts, slowest) = spent(&house, &asked).await;
    assert_eq!(slowest, "prefill", "{parts}");
    assert!(parts["prefill"].as_u64() >= Some(u64::from(SLOW) - 50), "{parts}");

    // Somebody else is being answered, and there is one place.
    let before = ask("full/m", format!("mock;n={};itl=20", SLOW / 20)).await;
    house.scripted.until(|stats| stats.active == 1).await;
    let asked = ask("full/m", "mock;n=3".to_owned()).await;
    let (parts, slowest) = spent(&house, &asked).await;
    assert_eq!(slowest, "queue", "{parts}");
    assert_eq!(spent(&house, &before).await.1, "decode", "the one before it was written slowly");

    // The model's machine is far away. What its list of models took says how far.
    for _ in 0..200 {
        let deployments = house.owner.get("/api/deployments").await;
        let away = deployments
            .as_array()
            .expect("a list")
            .iter()
            .find(|one| one["id"] == "away/m")
            .expect("it is there")
            .clone();
        if away["rtt_ms"].as_u64().is_some_and(|ms| ms >= u64::from(SLOW) - 50) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let asked = ask("away/m", "mock;n=3".to_owned()).await;
    let (parts, slowest) = spent(&house, &asked).await;
    assert_eq!(slowest, "network", "{parts}");

    // A plugin is asked with the question, and takes its time.
    let service = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", service.local_addr().expect("an address"));
    let slow = axum::Router::new().fallback(|| async {
        tokio::time::sleep(Duration::from_millis(u64::from(SLOW))).await;
        axum::Json(json!({ "text": "known" }))
    });
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(service, slow).await.expect("it serves") });
    let manifest = json!({ "id": "desk", "name": "Desk", "permissions": [], "triggers": [{ "on": "message", "pattern": "^TICKET", "endpoint": "/ticket" }],
        "api": { "baseUrl": url, "endpoints": {} } });
    house.owner.post("/api/plugins", &json!({ "manifest": manifest })).await;
    let asked = ask("near/m", "TICKET-7 please".to_owned()).await;
    let (parts, slowest) = spent(&house, &asked).await;
    assert_eq!(slowest, "tools", "{parts}");
}
