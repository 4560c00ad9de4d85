//! Nobody reads or changes another's rows, whatever ids they name.

use domain::{Finish, KeyId, Role, Timestamp};
use store::{Change, Error, LinkKind, NewKey, NewLink, NewSession, Page, Record, Shelf};

use crate::harness::on_both;

fn not_found<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::NotFound { .. })), "{outcome:?}");
}

#[test]
fn nothing_answers_to_anothers_ids() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let ben = house.person("ben", Role::Owner).await;
        let done = house.ask(&anna, "the secret of anna");
        house.turn(&done, "a secret answer").await;
        let running = house.ask_on(&done, "and another secret");
        house.stored(Record::Asked(Box::new(running.clone()))).await;
        let question = done.question.as_ref().unwrap().id;

        assert!(store.conversation(&ben, done.conversation).await.unwrap().is_none());
        let page = |shelf| Page { shelf, before: None, limit: 50 };
        assert!(store.conversations(&ben, page(Shelf::Open)).await.unwrap().0.is_empty());
        assert!(store.conversations(&ben, page(Shelf::Archived)).await.unwrap().0.is_empty());
        assert!(store.messages(&ben, done.conversation).await.unwrap().is_empty());
        assert!(store.message(&ben, done.answer.id).await.unwrap().is_none());
        assert!(store.path(&ben, running.answer.id).await.unwrap().is_empty());
        assert!(store.turn(&ben, done.turn).await.unwrap().is_none());
        assert!(store.ask(&ben, &done.ask_id).await.unwrap().is_none());
        assert!(store.running(&ben, done.conversation).await.unwrap().is_empty());
        assert!(store.running_everywhere(&ben).await.unwrap().is_empty());
        assert!(store.search(&ben, "secret", 10).await.unwrap().is_empty());
        assert!(store.export(&ben, done.conversation).await.unwrap().is_none());
        assert!(store.usage(&ben, 10).await.unwrap().is_empty());

        not_found(store.change(&ben, done.conversation, Change::default()).await);
        not_found(store.delete_conversation(&ben, done.conversation).await);
        not_found(store.restore_conversation(&ben, done.conversation).await);
        not_found(store.delete_message(&ben, question).await);
        store.delete_message(&anna, running.question.as_ref().unwrap().id).await.unwrap();
        not_found(store.restore_message(&ben, running.question.as_ref().unwrap().id).await);

        let mut intruding = house.ask_on(&done, "let me in");
        intruding.caller = ben;
        not_found(store.writer().submit(Record::Asked(Box::new(intruding))).await.await);
        let mut foreign_answer = house.settle(&done, "overwritten");
        foreign_answer.caller = ben;
        foreign_answer.turn = running.turn;
        foreign_answer.finish = Finish::Failed;
        house.stored(Record::Settled(Box::new(foreign_answer))).await;
        assert_eq!(store.message(&anna, done.answer.id).await.unwrap().unwrap().text, "a secret answer");

        let mine = house.ask(&ben, "mine");
        house.turn(&mine, "yours").await;
        let mut grafted = house.ask_on(&mine, "below a foreign message");
        grafted.question.as_mut().unwrap().parent = Some(done.answer.id);
        let refused = store.writer().submit(Record::Asked(Box::new(grafted))).await.await;
        assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
        let head = Change { head: Some(done.answer.id), ..Change::default() };
        not_found(store.change(&ben, mine.conversation, head).await);
    });
}

#[test]
fn sessions_and_keys_are_ones_own() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let ben = house.person("ben", Role::Admin).await;
        let session = NewSession {
            tenant: anna.tenant,
            person: anna.person,
            token_hash: "hash-of-a-token".into(),
            expires_at: Timestamp(house.now().0 + 60_000),
            user_agent: "Firefox".into(),
            address: "10.0.0.7".into(),
        };
        let session = store.create_session(session).await.unwrap();
        let new = |hash: &str| NewKey {
            person: anna.person,
            name: "laptop".into(),
            prefix: "pk-abc".into(),
            hash: hash.into(),
            scope: Default::default(),
            expires_at: None,
        };
        let key = store.create_key(anna.tenant, new("one")).await.unwrap();

        assert!(store.sessions(&ben).await.unwrap().is_empty());
        assert!(store.keys(&ben).await.unwrap().is_empty());
        not_found(store.revoke_session(&ben, session.id).await);
        not_found(store.revoke_key(&ben, key.id).await);
        not_found(store.revoke_key(&anna, KeyId(house.ids.next())).await);
        assert_eq!(store.revoke_other_sessions(&ben).await.unwrap(), 0);
        assert_eq!(store.sessions(&anna).await.unwrap(), vec![session.clone()]);
        assert_eq!(store.keys(&anna).await.unwrap(), vec![key.clone()]);

        let elsewhere = domain::TenantId(house.ids.next());
        assert!(store.person(elsewhere, anna.person).await.unwrap().is_none());
        assert!(store.people(elsewhere).await.unwrap().is_empty());
        assert!(store.links(elsewhere, LinkKind::Invitation).await.unwrap().is_empty());
        let link = NewLink {
            tenant: anna.tenant,
            kind: LinkKind::Invitation,
            token_hash: "link".into(),
            role: None,
            note: String::new(),
            person: None,
            created_by: None,
            expires_at: Timestamp(i64::MAX),
        };
        let link = store.create_link(link).await.unwrap();
        not_found(store.revoke_link(elsewhere, link.id).await);
        not_found(store.revoke_key_of_tenant(elsewhere, key.id).await);
    });
}
