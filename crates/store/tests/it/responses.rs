//! Responses that programs keep: their person's alone, for 30 days.

use domain::{Caller, Role, Timestamp, TurnId};
use serde_json::json;
use store::{Error, NewResponse, Record};

use crate::harness::{House, on_both};

const DAY: i64 = 86_400_000;

async fn keep(house: &House, caller: &Caller, previous: Option<TurnId>, at: i64) -> TurnId {
    let id = TurnId(house.ids.next());
    let (items, body) = (vec![json!({ "role": "user", "content": "hi\0" })], json!({ "output": [], "n": 1 }));
    let new = NewResponse { id, caller: *caller, previous, items, body, at: Timestamp(at) };
    house.stored(Record::Responded(Box::new(new))).await;
    id
}

#[test]
fn a_response_is_found_by_its_person_until_it_is_deleted() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let ben = house.person("ben", Role::Owner).await;
        let first = keep(&house, &anna, None, house.now().0).await;
        let second = keep(&house, &anna, Some(first), house.now().0).await;
        let row = store.response(&anna, second).await.unwrap().unwrap();
        assert_eq!((row.id, row.previous), (second, Some(first)));
        assert_eq!(row.body, json!({ "output": [], "n": 1 }));
        assert_eq!(row.bytes, row.body.to_string().len() + json!(row.items).to_string().len());

        assert!(store.response(&ben, first).await.unwrap().is_none());
        let theirs = store.delete_response(&ben, first).await;
        assert!(matches!(theirs, Err(Error::NotFound { what: "response" })), "{theirs:?}");
        store.delete_response(&anna, first).await.unwrap();
        assert!(store.response(&anna, first).await.unwrap().is_none());
        assert!(matches!(store.delete_response(&anna, first).await, Err(Error::NotFound { .. })));
        assert_eq!(store.response(&anna, second).await.unwrap().unwrap().previous, Some(first));
    });
}

#[test]
fn what_is_older_than_thirty_days_is_gone() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let now = house.now().0;
        let (old, young) = (keep(&house, &anna, None, now).await, keep(&house, &anna, None, now + DAY).await);
        house.clock.jump(30 * DAY + 1);
        assert!(house.store.response(&anna, old).await.unwrap().is_none());
        assert!(house.store.response(&anna, young).await.unwrap().is_some());
        let rows = async || house.sql("SELECT id FROM responses").await.len();
        assert_eq!(rows().await, 2);
        keep(&house, &anna, None, now + 30 * DAY + 1).await;
        assert_eq!(rows().await, 2);
    });
}
