//! Aliases with their versions, replays with what they compared, and what was used with a key: rows, owners, ends.

use domain::{Finish, KeyId, ReplayId, Role, TenantId, Timestamp, Via};
use serde_json::{Value, json};
use store::{Day, Error, KeyDay, NewAliasVersion, Record, ReplayAnswer, ReplayState, UsageOfKey};

use crate::harness::{House, on_both, usage};

fn put(name: &str, environment: Option<&str>, config: Option<Value>) -> NewAliasVersion {
    NewAliasVersion {
        name: name.into(),
        environment: environment.map(str::to_owned),
        config,
        restores: None,
        note: String::new(),
        must_be_new: false,
    }
}

#[test]
fn an_alias_has_a_version_for_every_change_and_is_its_tenants() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Admin).await;
        let mut stranger = anna;
        stranger.tenant = TenantId(house.ids.next());
        let (one, two) = (json!({ "targets": ["a/b"] }), json!({ "targets": ["c/d"] }));
        assert_eq!(store.put_alias(&anna, put("main", None, Some(one.clone()))).await.unwrap(), 1);
        assert_eq!(store.put_alias(&anna, put("main", Some("production"), Some(two.clone()))).await.unwrap(), 1);
        assert_eq!(store.put_alias(&anna, put("main", None, Some(two.clone()))).await.unwrap(), 2);
        let again = NewAliasVersion { must_be_new: true, ..put("main", None, Some(one.clone())) };
        let again = store.put_alias(&anna, again).await;
        assert!(matches!(again, Err(Error::Duplicate { what: "name" })), "{again:?}");
        let nothing = store.put_alias(&anna, put("other", None, None)).await;
        assert!(matches!(nothing, Err(Error::NotFound { what: "alias" })), "{nothing:?}");
        assert!(store.aliases(stranger.tenant).await.unwrap().is_empty());
        assert!(store.alias_versions(stranger.tenant, "main", None).await.unwrap().is_empty());
        let theirs = store.put_alias(&stranger, put("main", None, None)).await;
        assert!(matches!(theirs, Err(Error::NotFound { what: "alias" })), "{theirs:?}");

        let held: Vec<_> = store.aliases(anna.tenant).await.unwrap();
        let held: Vec<_> = held.iter().map(|row| (row.environment.as_deref(), row.version, &row.config)).collect();
        assert_eq!(held, [(None, 2, &two), (Some("production"), 1, &two)]);
        assert_eq!(store.put_alias(&anna, put("main", None, None)).await.unwrap(), 3);
        assert_eq!(store.alias(anna.tenant, "main", None).await.unwrap(), None);
        assert!(store.alias(anna.tenant, "main", Some("production")).await.unwrap().is_some());
        let restored = NewAliasVersion { restores: Some(1), ..put("main", None, Some(one.clone())) };
        assert_eq!(store.put_alias(&anna, restored).await.unwrap(), 4);
        let versions = store.alias_versions(anna.tenant, "main", None).await.unwrap();
        let told: Vec<_> = versions.iter().map(|it| (it.version, it.config.clone(), it.restores)).collect();
        assert_eq!(
            told,
            [(4, Some(one.clone()), Some(1)), (3, None, None), (2, Some(two), None), (1, Some(one), None)]
        );
        assert!(versions.iter().all(|it| it.person == anna.person && it.at == house.now()));
    });
}

async fn replayed(house: &House, caller: &domain::Caller) -> (ReplayId, store::Asked) {
    let asked = house.ask(caller, "what?");
    house.turn(&asked, "that").await;
    let id = ReplayId(house.ids.next());
    house.store.begin_replay(caller, id, "main", "new/model", 2).await.unwrap();
    let answer = ReplayAnswer {
        seq: 0,
        conversation: asked.conversation,
        question: asked.question.as_ref().unwrap().id,
        answer: asked.answer.id,
        text: "this".into(),
        finish: Finish::Stop,
        failure: None,
        usage: usage(3, 1),
        ttft_ms: Some(5),
        tpot_us: None,
        similarity: Some(0),
    };
    house.store.keep_replay_answer(caller, id, answer).await.unwrap();
    (id, asked)
}

#[test]
fn a_replay_is_its_persons_and_shows_nothing_of_what_was_deleted() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Owner).await;
        let ben = house.person("ben", Role::Owner).await;
        let (id, asked) = replayed(&house, &anna).await;
        assert!(store.replays(&ben, 10).await.unwrap().is_empty());
        assert_eq!(store.replay(&ben, id).await.unwrap(), None);
        assert!(store.compared(&ben, id).await.unwrap().is_empty());
        store.end_replay(&ben, id, ReplayState::Cancelled).await.unwrap();
        let replay = store.replay(&anna, id).await.unwrap().unwrap();
        assert_eq!((replay.state, replay.total, replay.done), (ReplayState::Running, 2, 1));

        let compared = &store.compared(&anna, id).await.unwrap()[0];
        assert_eq!((compared.question_text.as_str(), compared.old.text.as_str()), ("what?", "that"));
        assert_eq!((compared.new.text.as_str(), compared.new.prompt, compared.old.prompt), ("this", 3, 10));
        store.end_replay(&anna, id, ReplayState::Finished).await.unwrap();
        store.end_replay(&anna, id, ReplayState::Cancelled).await.unwrap();
        assert_eq!(store.replay(&anna, id).await.unwrap().unwrap().state, ReplayState::Finished, "it had ended");

        store.delete_conversation(&anna, asked.conversation).await.unwrap();
        assert!(store.compared(&anna, id).await.unwrap().is_empty());
        assert_eq!(store.purge(Timestamp(house.now().0 + 1)).await.unwrap(), 1);
        let left = house.sql("SELECT replay FROM replay_answers").await;
        assert!(left.is_empty(), "gone for good with its conversation");

        let (running, _) = replayed(&house, &anna).await;
        assert_eq!(store.interrupt_enquiries(store.node()).await.unwrap(), 1);
        assert_eq!(store.replay(&anna, running).await.unwrap().unwrap().state, ReplayState::Interrupted);
    });
}

#[test]
fn what_is_used_with_a_key_is_counted_by_day() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let key = KeyId(house.ids.next());
        let with_key = domain::Caller { via: Via::Key(key), ..anna };
        let mut receipts = Vec::new();
        for number in 0..6 {
            let caller = if number < 4 { &with_key } else { &anna };
            receipts.push(store.writer().submit(Record::Settled(Box::new(house.passing(caller)))).await);
        }
        for receipt in receipts {
            receipt.await.unwrap();
        }
        let yesterday = Day::of(house.now());
        house.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
        house.stored(Record::Settled(Box::new(house.passing(&with_key)))).await;
        let today = Day::of(house.now());
        assert_eq!(store.usage_of_keys(today).await.unwrap(), [UsageOfKey { key, today: 15, total: 75 }]);
        let days = store.days_of_key(anna.tenant, key, yesterday).await.unwrap();
        let day = |day, turns| KeyDay { day, prompt: 10 * turns, completion: 5 * turns, turns };
        assert_eq!(days, [day(yesterday, 4), day(today, 1)]);
        assert_eq!(store.days_of_key(anna.tenant, key, today).await.unwrap(), [day(today, 1)]);
        let elsewhere = TenantId(house.ids.next());
        assert!(store.days_of_key(elsewhere, key, yesterday).await.unwrap().is_empty());
    });
}
