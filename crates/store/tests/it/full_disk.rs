//! A disk that is full: what is refused, what waits, and what happens when there is space again.

use std::time::Duration;

use domain::Role;
use store::{Delta, Error, Record};
use tokio::time::timeout;

use crate::harness::on_sqlite;

#[test]
fn a_question_is_refused_at_once_and_an_answer_is_saved_once_space_returns() {
    on_sqlite(|house| async move {
        let store = &house.store;
        let writer = store.writer();
        let anna = house.person("anna", Role::Member).await;
        let asked = house.ask(&anna, "what happens when the disk is full?");
        house.stored(Record::Asked(Box::new(asked.clone()))).await;
        store.fill_disk(true).await.unwrap();

        let big = house.ask(&anna, &"a question of some length ".repeat(20_000));
        let refused = writer.submit(Record::Asked(Box::new(big))).await.await;
        assert!(matches!(refused, Err(Error::Full)), "{refused:?}");

        let mut full = writer.watch_full();
        let words = "words that need room ".repeat(5_000);
        let delta = |seq| Delta { turn: asked.turn, seq, text: words.clone(), thought: String::new() };
        let first = writer.submit(Record::Deltas(vec![delta(1)])).await;
        timeout(Duration::from_secs(5), full.wait_for(|full| *full)).await.unwrap().unwrap();
        let second = writer.submit(Record::Deltas(vec![delta(2)])).await;
        let small = house.ask(&anna, "small");
        let refused =
            timeout(Duration::from_secs(1), writer.submit(Record::Asked(Box::new(small))).await).await.unwrap();
        assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
        assert!(writer.full());

        store.fill_disk(false).await.unwrap();
        first.await.unwrap();
        second.await.unwrap();
        timeout(Duration::from_secs(5), full.wait_for(|full| !*full)).await.unwrap().unwrap();
        let answer = store.message(&anna, asked.answer.id).await.unwrap().unwrap();
        assert_eq!(answer.text, words.repeat(2));

        store.fill_disk(true).await.unwrap();
        let third = writer.submit(Record::Deltas(vec![delta(3)])).await;
        timeout(Duration::from_secs(5), full.wait_for(|full| *full)).await.unwrap().unwrap();
        let settled = writer.submit(Record::Settled(Box::new(house.settle(&asked, &words.repeat(3))))).await;
        assert!(store.usage(&anna, 10).await.unwrap().is_empty());
        store.fill_disk(false).await.unwrap();
        settled.await.unwrap();
        third.await.unwrap();
        let answer = store.message(&anna, asked.answer.id).await.unwrap().unwrap();
        assert_eq!(answer.text, words.repeat(3));
        assert_eq!(store.usage(&anna, 10).await.unwrap().len(), 1);
        assert!(house.sql("SELECT turn FROM deltas").await.is_empty());
        assert_eq!(store.verify_audit("node-1").await.unwrap(), Ok(1));
    });
}
