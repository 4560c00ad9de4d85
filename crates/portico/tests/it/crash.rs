//! `kill -9` of the portal in the middle of answers, again and again, and what is there afterwards: every question that was
//! acknowledged, what had been written up to 250 ms before, and every usage row once. `PORTICO_PROVE_TURNS` says how many turns.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::Finish;
use models::testing::Scripted;
use serde_json::json;
use tokio::task::JoinSet;

use crate::portal::{Asked, Person, Place, Portal, Wire, events_of, told};

/// What a crash may lose of an answer: 250 ms where the machine is given to this proof, and more beside a build that keeps its
/// disk and both of its cores busy.
fn lost_at_most() -> Duration {
    Duration::from_millis(if std::env::var_os("PORTICO_PROVE_TURNS").is_some() { 250 } else { 1_000 })
}

/// A piece every 10 ms, so that the text says when it was written.
const SCRIPT: &str = "mock;n=2000;itl=10";

/// Answers that run when the portal is killed.
const AT_ONCE: usize = 4;

/// What a reader had seen of an answer, and when.
struct Seen {
    asked: Asked,
    /// Characters seen so far, after each read.
    read: Vec<(Instant, usize)>,
    text: String,
}

/// Reads an answer until the portal is gone.
async fn read(mut wire: Wire, asked: Asked) -> Seen {
    let mut seen = Seen { asked, read: Vec::new(), text: String::new() };
    while let Some(piece) = wire.piece().await {
        seen.text.push_str(&told(&events_of(&String::from_utf8(piece).expect("UTF-8"))));
        seen.read.push((Instant::now(), seen.text.len()));
    }
    seen
}

/// Asks a few questions, kills the portal after `wait`, and says what had been seen and when it was killed.
async fn ask_and_kill(portal: Portal, person: &Person, count: usize, wait: Duration) -> (Vec<Seen>, Instant) {
    let mut reading = JoinSet::new();
    for _ in 0..count {
        let asked = person.ask(SCRIPT).await;
        let wire = person.follow(&asked.turn, 0).await;
        reading.spawn(read(wire, asked));
    }
    tokio::time::sleep(wait).await;
    let killed = Instant::now();
    portal.kill().await;
    (reading.join_all().await, killed)
}

/// The answer as it is kept has what the reader had seen 250 ms before the end, and nothing that was never written.
async fn check(person: &Person, seen: &Seen, killed: Instant) -> Duration {
    let question = person.message(&seen.asked.conversation, &seen.asked.question).await;
    assert_eq!(question["text"], SCRIPT);
    let answer = person.message(&seen.asked.conversation, &seen.asked.answer).await;
    assert_eq!((&answer["finish"], &answer["failure"]["code"]), (&json!("interrupted"), &json!("interrupted")));
    let kept = answer["text"].as_str().expect("text");
    let whole: String = (0..2_000).map(|n| format!("t{n} ")).collect();
    assert!(whole.starts_with(kept), "{kept:?} was never written");
    let lost =
        seen.read.iter().find(|(_, length)| *length > kept.len()).map(|(at, _)| killed.saturating_duration_since(*at));
    let lost = lost.unwrap_or_default();
    assert!(lost <= lost_at_most(), "{lost:?} of text are lost: kept {} of {} bytes", kept.len(), seen.text.len());
    lost
}

#[tokio::test]
async fn kill_minus_nine_loses_no_question_and_at_most_250_ms() {
    let turns: usize = std::env::var("PORTICO_PROVE_TURNS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let scripted = Scripted::start().await;
    let place = Place::new(&scripted, "");
    let mut portal = place.start().await;
    let mut person = portal.own().await;
    let (mut all, mut most) = (Vec::new(), Duration::ZERO);
    while all.len() < turns {
        // Spread over a tick of the log and over the commit of the question itself, without a pattern.
        let wait = Duration::from_micros(1_000 + (all.len() as u64).wrapping_mul(7_919_353) % 700_000);
        let (seen, killed) = ask_and_kill(portal, &person, AT_ONCE.min(turns - all.len()), wait).await;
        portal = place.start().await;
        person = Person { address: portal.address, ..person };
        for seen in seen {
            most = most.max(check(&person, &seen, killed).await);
            all.push(seen.asked);
        }
    }
    let rows = place.usage(turns).await;
    let by_turn: HashMap<String, _> = rows.iter().map(|row| (row.turn.to_string(), row)).collect();
    for asked in &all {
        let row = by_turn.get(&asked.turn).expect("its usage row");
        assert_eq!(
            (row.finish, row.failure.as_deref(), row.usage.reported),
            (Finish::Interrupted, Some("interrupted"), false)
        );
    }
    println!(
        "{turns} turns: 0 questions lost, at most {} ms of an answer lost, {} usage rows",
        most.as_millis(),
        rows.len()
    );
    let list = person.get("/api/conversations?limit=200").await;
    let items = list["items"].as_array().expect("items");
    assert!(items.iter().all(|conversation| conversation["running"] == json!([])), "nothing runs on as a ghost");
    assert_eq!(items.len(), turns.min(200));
}

#[tokio::test]
async fn a_killed_portal_takes_up_the_conversation_again() {
    let scripted = Scripted::start().await;
    let place = Place::new(&scripted, "");
    let mut portal = place.start().await;
    let person = portal.own().await;
    let (mut seen, _) = ask_and_kill(portal, &person, 1, Duration::from_millis(400)).await;
    let before = seen.pop().expect("one").asked;

    let portal = place.start().await;
    let person = Person { address: portal.address, ..person };
    let end = person.events(&before.turn).await.pop().expect("an end").json();
    assert_eq!((&end["type"], &end["finish"]), (&json!("finished"), &json!("interrupted")));
    let again = person
        .ask_with(json!({ "conversation": before.conversation, "parent": before.answer, "text": "mock;n=2" }))
        .await;
    assert_eq!(told(&person.events(&again.turn).await), "t0 t1 ");
    assert_eq!(place.usage(2).await.len(), 2);
    assert!(place.log().contains("answers that an earlier process was writing are marked interrupted"));
}
