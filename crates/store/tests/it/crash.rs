//! What is left after a portal that did not say goodbye, and how it ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use domain::{Finish, Role, TenantId, Tokens};
use store::{Day, Delta, Page, Record, Shelf, Started};

use crate::harness::{House, house, on_both, on_sqlite};

fn delta(turn: domain::TurnId, seq: u64, text: &str) -> Record {
    Record::Deltas(vec![Delta { turn, seq, text: text.into(), thought: String::new() }])
}

#[test]
fn an_interrupted_answer_keeps_what_had_arrived_and_is_counted_once() {
    on_both(|mut house| async move {
        let anna = house.person("anna", Role::Member).await;
        let asked = house.ask(&anna, "tell me a story, and a long one");
        house.stored(Record::Asked(Box::new(asked.clone()))).await;
        house.stored(delta(asked.turn, 3, "Once upon ")).await;
        house.stored(delta(asked.turn, 7, "a time, 很久以前")).await;
        let passing = house.passing(&anna);
        let started =
            Started { turn: passing.turn, caller: anna, model: passing.model.clone(), door: "openai", at: house.now() };
        house.stored(Record::Started(started)).await;
        let ended = house.ask(&anna, "over");
        house.turn(&ended, "done").await;

        for expected in [2, 0] {
            house.reopen().await;
            assert_eq!(house.store.recover("another-node").await.unwrap().turns, 0);
            assert_eq!(house.store.recover("node-1").await.unwrap().turns, expected);
        }
        let answer = house.store.message(&anna, asked.answer.id).await.unwrap().unwrap();
        assert_eq!(answer.text, "Once upon a time, 很久以前");
        assert_eq!(answer.finish, Some(Finish::Interrupted));
        assert_eq!(answer.failure.unwrap().code, "interrupted");
        let usage = answer.usage.unwrap();
        assert_eq!((usage.completion, usage.prompt, usage.reported), (Tokens(5 + 4), Tokens(8), false));
        assert!(house.store.running_everywhere(&anna).await.unwrap().is_empty());
        let rows = house.store.usage(&anna, 10).await.unwrap();
        assert_eq!(rows.len(), 3);
        let day = Day::of(house.now());
        assert_eq!(house.store.used_on(anna.tenant, anna.person, day).await.unwrap(), 17 + 15);
        assert!(house.sql("SELECT turn FROM deltas").await.is_empty());
        assert_eq!(house.store.search(&anna, "很久以前", 5).await.unwrap().len(), 1);
        assert_eq!(house.store.verify_audit("node-1").await.unwrap(), Ok(3));
    });
}

/// The child of the next test: asks and answers until it is killed, and says each thing once it is stored.
#[test]
fn child_that_is_killed() {
    let Some(folder) = std::env::var_os("STORE_TEST_CHILD") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let place = store::Place::Sqlite(std::path::Path::new(&folder).join("portico.sqlite"));
        let house = house(place, tempfile::tempdir().unwrap()).await;
        let anna = house.person("anna", Role::Member).await;
        loop {
            let asked = house.ask(&anna, "a question");
            house.stored(Record::Asked(Box::new(asked.clone()))).await;
            println!("asked {}", asked.turn);
            house.stored(delta(asked.turn, 1, "half")).await;
            if asked.turn.0.as_u128() % 2 == 0 {
                house.stored(Record::Settled(Box::new(house.settle(&asked, "whole")))).await;
                println!("settled {}", asked.turn);
            }
        }
    });
}

#[test]
fn kill_minus_nine_loses_nothing_that_was_said_to_be_stored() {
    on_sqlite(|mut house| async move {
        house.store.close().await;
        let folder = house.folder.path().to_owned();
        let (asked, settled) = tokio::task::spawn_blocking(move || run_and_kill(&folder)).await.unwrap();
        assert!(asked.len() > 20 && settled.len() > 5, "{} asked, {} settled", asked.len(), settled.len());
        house.reopen().await;
        house.store.recover("node-1").await.unwrap();
        let anna = anna(&house).await;
        let rows = house.store.usage(&anna, 100_000).await.unwrap();
        let turns: std::collections::HashSet<String> = rows.iter().map(|row| row.turn.to_string()).collect();
        assert_eq!(turns.len(), rows.len());
        for turn in &asked {
            assert!(turns.contains(turn), "{turn} has no usage row");
        }
        for row in rows {
            let turn = house.store.turn(&anna, row.turn).await.unwrap().unwrap();
            let answer = house.store.message(&anna, turn.answer).await.unwrap().unwrap();
            match settled.contains(&row.turn.to_string()) {
                true => assert_eq!((answer.text.as_str(), turn.finish), ("whole", Some(Finish::Stop))),
                false => assert!(turn.finish.is_some() && ["", "half", "whole"].contains(&answer.text.as_str())),
            }
        }
        let page = Page { shelf: Shelf::Open, before: None, limit: 100_000 };
        assert!(house.store.conversations(&anna, page).await.unwrap().0.len() >= asked.len());
        assert!(house.sql("SELECT turn FROM started").await.is_empty());
        assert!(house.store.verify_audit("node-1").await.unwrap().is_ok());
    });
}

async fn anna(house: &House) -> domain::Caller {
    let person = house.store.person_by_name(TenantId::FIRST, "anna").await.unwrap().unwrap();
    house.caller(person.id, person.role)
}

fn run_and_kill(folder: &std::path::Path) -> (Vec<String>, Vec<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::child_that_is_killed", "--exact", "--nocapture"])
        .env("STORE_TEST_CHILD", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut asked, mut settled) = (Vec::new(), Vec::new());
    let began = std::time::Instant::now();
    for line in lines.map_while(Result::ok) {
        if let Some(turn) = line.strip_prefix("asked ") {
            asked.push(turn.to_owned());
        }
        if let Some(turn) = line.strip_prefix("settled ") {
            settled.push(turn.to_owned());
        }
        if asked.len() > 60 || began.elapsed().as_secs() > 20 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    (asked, settled)
}
