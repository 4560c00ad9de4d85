//! The one writer: batches, bad records among good ones, exactly once, and the end.

use domain::{Act, Caller, KeyId, Role, Via};
use serde_json::json;
use store::{Changed, Day, Delta, Error, Kind, Page, Record, Shelf, Started, Touch};

use crate::harness::on_both;

#[test]
fn a_turn_settled_many_times_at_once_has_one_usage_row_and_counts_once() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let settled = house.passing(&anna);
        let mut receipts = Vec::new();
        for _ in 0..20 {
            receipts.push(house.store.writer().submit(Record::Settled(Box::new(settled.clone()))).await);
        }
        for receipt in receipts {
            receipt.await.unwrap();
        }
        house.stored(Record::Settled(Box::new(settled.clone()))).await;
        assert_eq!(house.store.usage(&anna, 10).await.unwrap().len(), 1);
        let day = Day::of(house.now());
        assert_eq!(house.store.used_on(anna.tenant, anna.person, day).await.unwrap(), 15);
        assert_eq!(house.store.usage_of_day(day).await.unwrap()[0].turns, 1);
        assert_eq!(house.store.audit("node-1", 0, 10).await.unwrap().len(), 1);
    });
}

#[test]
fn a_bad_record_never_fails_its_neighbours() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let asked: Vec<_> = (0..100).map(|number| house.ask(&anna, &format!("question {number}"))).collect();
        let mut receipts = Vec::new();
        for (number, asked) in asked.iter().enumerate() {
            let mut asked = asked.clone();
            if number == 37 {
                asked.new = None;
            }
            if number == 61 {
                asked.ask_id = "taken-by-another".into();
            }
            if number == 60 {
                asked.ask_id = "taken-by-another".into();
            }
            receipts.push(house.store.writer().submit(Record::Asked(Box::new(asked))).await);
        }
        for (number, receipt) in receipts.into_iter().enumerate() {
            let outcome = receipt.await;
            match number {
                37 => assert!(matches!(outcome, Err(Error::NotFound { .. })), "{outcome:?}"),
                61 => assert!(matches!(outcome, Err(Error::Duplicate { .. })), "{outcome:?}"),
                _ => assert!(outcome.is_ok(), "{number}: {outcome:?}"),
            }
        }
        let page = Page { shelf: Shelf::Open, before: None, limit: 200 };
        assert_eq!(house.store.conversations(&anna, page).await.unwrap().0.len(), 98);
    });
}

#[test]
fn many_records_share_a_commit_and_a_turn_that_starts_and_ends_leaves_nothing_open() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let writer = house.store.writer();
        let before = writer.commits();
        let mut receipts = Vec::new();
        for _ in 0..300 {
            let settled = house.passing(&anna);
            let started = Started {
                turn: settled.turn,
                caller: anna,
                model: settled.model.clone(),
                door: "openai",
                at: house.now(),
            };
            let slot = writer.reserve().await.unwrap();
            drop(writer.submit(Record::Started(started)).await);
            receipts.push(writer.try_submit(slot, Record::Settled(Box::new(settled))));
        }
        for receipt in receipts {
            receipt.await.unwrap();
        }
        let commits = writer.commits() - before;
        assert!(commits < 100, "{commits} commits for 600 records");
        assert_eq!(house.store.usage(&anna, 1000).await.unwrap().len(), 300);
        assert!(house.sql("SELECT turn FROM started").await.is_empty());
        assert_eq!(writer.lag(), std::time::Duration::ZERO);
        assert!(!writer.full());
    });
}

#[test]
fn brief_turns_of_several_people_are_stored_together_and_one_that_is_settled_already_spoils_nothing() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let ben = house.person("ben", Role::Member).await;
        let key = KeyId(house.ids.next());
        let keyed = Caller { via: Via::Key(key), ..anna };
        let known = house.passing(&keyed);
        house.stored(Record::Settled(Box::new(known.clone()))).await;
        let writer = house.store.writer();
        let mut receipts = Vec::new();
        for (number, caller) in [anna, ben, keyed].iter().cycle().take(37).enumerate() {
            let settled = if number == 20 { known.clone() } else { house.passing(caller) };
            let (turn, model, at) = (settled.turn, settled.model.clone(), house.now());
            let slot = writer.reserve().await.unwrap();
            writer.begins(Started { turn, caller: *caller, model, door: "openai", at });
            receipts.push(writer.try_submit(slot, Record::Settled(Box::new(settled))));
        }
        for receipt in receipts {
            receipt.await.unwrap();
        }
        let (store, day) = (&house.store, Day::of(house.now()));
        assert_eq!([store.usage(&anna, 99).await.unwrap().len(), store.usage(&ben, 99).await.unwrap().len()], [25, 12]);
        assert_eq!(store.used_on(anna.tenant, anna.person, day).await.unwrap(), 25 * 15);
        assert_eq!(store.used_on(ben.tenant, ben.person, day).await.unwrap(), 12 * 15);
        let of_key = store.usage_of_keys(day).await.unwrap();
        assert_eq!(of_key.iter().map(|used| (used.key, used.today)).collect::<Vec<_>>(), [(key, 12 * 15)]);
        assert_eq!(store.verify_audit("node-1").await.unwrap(), Ok(37));
        assert!(house.sql("SELECT turn FROM started").await.is_empty());
    });
}

#[test]
fn the_start_of_a_turn_is_on_disk_a_tick_later_unless_the_turn_has_ended() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let writer = house.store.writer();
        let start = |settled: &store::Settled| {
            Record::Started(Started {
                turn: settled.turn,
                caller: anna,
                model: settled.model.clone(),
                door: "openai",
                at: house.now(),
            })
        };
        let (brief, long) = (house.passing(&anna), house.passing(&anna));
        let before = writer.commits();
        let began = std::time::Instant::now();
        let starts = [writer.submit(start(&brief)).await, writer.submit(start(&long)).await];
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        house.stored(Record::Settled(Box::new(brief.clone()))).await;
        assert_eq!(writer.commits() - before, 1, "the end of the one, and no start of its own");
        for start in starts {
            start.await.unwrap();
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(house.sql("SELECT turn FROM started").await.len(), 1, "the other one's");
        house.stored(Record::Settled(Box::new(long))).await;
        assert!(house.sql("SELECT turn FROM started").await.is_empty());
        assert_eq!(house.store.usage(&anna, 10).await.unwrap().len(), 2);
    });
}

#[test]
fn a_start_that_waits_is_stored_before_the_store_is_closed() {
    on_both(|mut house| async move {
        let anna = house.person("anna", Role::Member).await;
        let turn = house.passing(&anna);
        let started =
            Started { turn: turn.turn, caller: anna, model: turn.model.clone(), door: "openai", at: house.now() };
        let receipt = house.store.writer().submit(Record::Started(started)).await;
        house.store.close().await;
        receipt.await.unwrap();
        house.reopen().await;
        assert_eq!(house.store.recover("node-1").await.unwrap().turns, 1);
    });
}

#[test]
fn text_with_a_nul_is_stored_on_both_alike() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let asked = house.ask(&anna, "what is \0?");
        house.turn(&asked, "it \0 is").await;
        let messages = house.store.messages(&anna, asked.conversation).await.unwrap();
        assert_eq!((messages[0].text.as_str(), messages[1].text.as_str()), ("what is \u{fffd}?", "it \u{fffd} is"));
    });
}

#[test]
fn what_was_submitted_is_stored_before_the_store_is_closed() {
    on_both(|mut house| async move {
        let anna = house.person("anna", Role::Member).await;
        let slot = house.store.writer().reserve().await.unwrap();
        let asked = house.ask(&anna, "still there?");
        let receipt = house.store.writer().submit(Record::Asked(Box::new(asked.clone()))).await;
        let writer = house.store.writer().clone();
        let late = house.settle(&asked, "yes");
        let closing = {
            let store = house.store.clone();
            async move { store.close().await }
        };
        let later = async move {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            writer.try_submit(slot, Record::Settled(Box::new(late))).await
        };
        let ((), late) = tokio::join!(closing, later);
        late.unwrap();
        receipt.await.unwrap();
        let refused = house.store.writer().submit(Record::Deltas(Vec::new())).await.await;
        assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
        house.reopen().await;
        let messages = house.store.messages(&anna, asked.conversation).await.unwrap();
        assert_eq!(messages[1].text, "yes");
    });
}

#[test]
fn acts_and_touches_are_stored_and_changes_are_told() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let mut changed = store.changed();
        let asked = house.ask(&anna, "hello");
        house.stored(Record::Asked(Box::new(asked.clone()))).await;
        let told = changed.recv().await.unwrap();
        let id = asked.conversation;
        assert_eq!(told, Changed::Conversation { tenant: anna.tenant, person: anna.person, id, kind: Kind::Created });

        let act = Act {
            at: house.now(),
            caller: Some(anna),
            verb: "session.opened",
            subject: "anna".into(),
            detail: json!({ "address": "10.0.0.7" }),
        };
        house.stored(Record::Act(act)).await;
        let line = store.audit("node-1", 0, 10).await.unwrap().pop().unwrap();
        assert_eq!((line.verb.as_str(), line.person), ("session.opened", Some(anna.person)));
        assert_eq!(line.detail, r#"{"address":"10.0.0.7"}"#);

        let domain::Via::Session(session) = anna.via else { panic!("{:?}", anna.via) };
        house.stored(Record::Touch(Touch::Session { session, person: anna.person, at: house.now() })).await;
        let person = store.person(anna.tenant, anna.person).await.unwrap().unwrap();
        assert_eq!(person.last_seen_at, Some(house.now()));
    });
}

#[test]
fn the_order_of_conversations_holds_when_the_clock_jumps_back() {
    on_both(|mut house| async move {
        let anna = house.person("anna", Role::Member).await;
        let first = house.ask(&anna, "first");
        house.turn(&first, "1").await;
        house.clock.jump(-3_600_000);
        let second = house.ask(&anna, "second");
        house.turn(&second, "2").await;
        house.store.close().await;
        house.reopen().await;
        let third = house.ask(&anna, "third");
        house.stored(Record::Asked(Box::new(third.clone()))).await;
        let delta = |seq, text: &str| {
            Record::Deltas(vec![Delta { turn: third.turn, seq, text: text.into(), thought: String::new() }])
        };
        house.stored(delta(1, "a")).await;
        house.clock.jump(-3_600_000);
        house.stored(delta(2, "b")).await;
        assert_eq!(house.store.message(&anna, third.answer.id).await.unwrap().unwrap().text, "ab");

        let page = |before| Page { shelf: Shelf::Open, before, limit: 2 };
        let (listed, next) = house.store.conversations(&anna, page(None)).await.unwrap();
        let listed: Vec<_> = listed.into_iter().map(|conversation| conversation.id).collect();
        assert_eq!(listed, vec![third.conversation, second.conversation]);
        let next = next.unwrap().to_string().parse().unwrap();
        let (rest, end) = house.store.conversations(&anna, page(Some(next))).await.unwrap();
        assert_eq!((rest.len(), rest[0].id, end), (1, first.conversation, None));
    });
}
