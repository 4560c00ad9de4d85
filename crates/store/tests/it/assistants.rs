//! Assistants: a draft, versions that stay, who sees and changes what; which version a conversation has; kept texts.

use domain::{Caller, Role};
use store::{Assistant, Error, NewConversation, NewPrompt, Shared, Store};

use crate::harness::on_both;

async fn made(store: &Store, caller: &Caller) -> Assistant {
    store.create_assistant(caller, "one".into(), Some("tutor".into()), true).await.unwrap()
}

fn not_found<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::NotFound { .. })), "{outcome:?}");
}

#[test]
fn a_version_stays_whatever_the_draft_becomes() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Member).await);
        let empty = store.create_assistant(&anna, "nothing".into(), None, false).await.unwrap();
        assert_eq!((empty.published, empty.revision, empty.shared), (None, 1, Shared::Nobody));
        let first = made(store, &anna).await;
        assert_eq!((first.published.clone(), first.persona.as_deref()), (Some((1, "one".into())), Some("tutor")));
        let changed = store.change_assistant(&anna, first.id, first.revision, "two \u{0}".into()).await.unwrap();
        assert_eq!((changed.draft.as_str(), &changed.published), ("two \u{fffd}", &first.published));
        let late = store.change_assistant(&anna, first.id, first.revision, "three".into()).await;
        assert!(matches!(&late, Err(Error::Conflict { what }) if what.contains("changed meanwhile")), "{late:?}");
        let late = store.publish_assistant(&anna, first.id, first.revision, String::new()).await;
        assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
        let second = store.publish_assistant(&anna, first.id, changed.revision, "短".into()).await.unwrap();
        assert_eq!(second.published, Some((2, "two \u{fffd}".into())));
        let versions = store.assistant_versions(&anna, first.id).await.unwrap();
        let told: Vec<_> = versions.iter().map(|one| (one.version, one.unit.as_str(), one.note.as_str())).collect();
        assert_eq!(told, [(2, "two \u{fffd}", "短"), (1, "one", "")]);
        assert_eq!(store.assistants(&anna).await.unwrap().len(), 2);
    });
}

#[test]
fn who_does_not_see_one_cannot_touch_it_and_who_sees_one_may_only_ask() {
    on_both(|house| async move {
        let store = &house.store;
        let (anna, ben) = (house.person("anna", Role::Admin).await, house.person("ben", Role::Member).await);
        let eve = house.person("eve", Role::Owner).await;
        let one = made(store, &anna).await;
        for other in [&ben, &eve] {
            assert!(store.assistants(other).await.unwrap().is_empty());
            assert!(store.assistant(other, one.id).await.unwrap().is_none());
            assert!(store.assistant_in_force(other, one.id).await.unwrap().is_none());
            assert!(store.assistant_versions(other, one.id).await.unwrap().is_empty());
            not_found(store.change_assistant(other, one.id, 1, "mine".into()).await);
            not_found(store.publish_assistant(other, one.id, 1, String::new()).await);
            not_found(store.share_assistant(other, one.id, Shared::Everyone).await);
            not_found(store.delete_assistant(other, one.id).await);
        }
        store.share_assistant(&anna, one.id, Shared::Administrators).await.unwrap();
        assert_eq!((store.assistants(&eve).await.unwrap().len(), store.assistants(&ben).await.unwrap().len()), (1, 0));
        let now = store.share_assistant(&eve, one.id, Shared::Everyone).await.unwrap();
        assert!(now.edited_by(&eve) && now.edited_by(&anna) && !now.edited_by(&ben));
        assert_eq!(store.assistant_in_force(&ben, one.id).await.unwrap().unwrap().unit, "one");
        not_found(store.change_assistant(&ben, one.id, now.revision, "mine".into()).await);
        store.change_assistant(&eve, one.id, now.revision, "by eve".into()).await.unwrap();
        let back = store.share_assistant(&eve, one.id, Shared::Nobody).await.unwrap();
        assert_eq!((back.shared, store.assistants(&eve).await.unwrap().len()), (Shared::Nobody, 0));
        let draft = store.create_assistant(&anna, "draft".into(), None, false).await.unwrap();
        store.share_assistant(&anna, draft.id, Shared::Everyone).await.unwrap();
        assert!(store.assistant(&ben, draft.id).await.unwrap().is_none(), "a draft is seen by those who edit it");
    });
}

#[test]
fn a_conversation_goes_on_with_what_is_published_and_without_that_with_what_it_had() {
    on_both(|house| async move {
        let store = &house.store;
        let (anna, ben) = (house.person("anna", Role::Owner).await, house.person("ben", Role::Member).await);
        let one = made(store, &anna).await;
        store.share_assistant(&anna, one.id, Shared::Everyone).await.unwrap();
        let mut asked = house.ask(&ben, "hello");
        asked.new = Some(NewConversation { assistant: Some((one.id, 1)), ..NewConversation::default() });
        house.turn(&asked, "yes").await;
        let at = || async { store.conversation(&ben, asked.conversation).await.unwrap().unwrap() };
        assert_eq!((at().await.assistant, at().await.assistant_version), (Some(one.id), Some(1)));
        let revision = store.assistant(&anna, one.id).await.unwrap().unwrap().revision;
        let two = store.change_assistant(&anna, one.id, revision, "two".into()).await.unwrap();
        store.publish_assistant(&anna, one.id, two.revision, String::new()).await.unwrap();
        let of =
            || async { store.assistant_of(&ben, asked.conversation).await.unwrap().map(|one| (one.version, one.unit)) };
        assert_eq!(of().await, Some((2, "two".into())));
        let mut next = house.ask_on(&asked, "and now?");
        next.assistant_version = Some(2);
        house.turn(&next, "still").await;
        assert_eq!(at().await.assistant_version, Some(2));
        let plain = house.ask(&ben, "alone");
        house.turn(&plain, "yes").await;
        assert!(store.assistant_of(&ben, plain.conversation).await.unwrap().is_none());
        assert!(store.assistant_of(&anna, asked.conversation).await.unwrap().is_none(), "it is another's");

        store.delete_assistant(&anna, one.id).await.unwrap();
        assert!(store.assistants(&ben).await.unwrap().is_empty());
        assert_eq!(of().await, Some((2, "two".into())), "it goes on with what it had");
        not_found(store.restore_assistant(&ben, one.id).await);
        store.restore_assistant(&anna, one.id).await.unwrap();
        assert_eq!(store.assistants(&ben).await.unwrap().len(), 1);
        store.delete_assistant(&anna, one.id).await.unwrap();
        house.clock.advance(std::time::Duration::from_secs(60));
        store.purge(house.now()).await.unwrap();
        not_found(store.restore_assistant(&anna, one.id).await);
        assert_eq!(of().await, None);
        let exported = store.export(&ben, asked.conversation).await.unwrap().unwrap();
        let imported = store.import(&anna, exported).await.unwrap();
        assert_eq!((imported.assistant, imported.assistant_version), (None, None));
    });
}

#[test]
fn a_kept_text_is_ones_own_or_everybodys() {
    on_both(|house| async move {
        let store = &house.store;
        let (anna, ben) = (house.person("anna", Role::Admin).await, house.person("ben", Role::Member).await);
        let new = |name: &str, shared| NewPrompt { name: name.into(), text: format!("text of {name}"), shared };
        let own = store.create_prompt(&ben, new("own", false)).await.unwrap();
        let ours = store.create_prompt(&anna, new("ours", true)).await.unwrap();
        let names = |caller| async move {
            store.prompts(&caller).await.unwrap().into_iter().map(|one| one.name).collect::<Vec<_>>()
        };
        assert_eq!((names(ben).await, names(anna).await), (vec!["ours".into(), "own".into()], vec!["ours".into()]));
        not_found(store.change_prompt(&ben, ours.id, new("mine", true)).await);
        not_found(store.delete_prompt(&ben, ours.id).await);
        not_found(store.delete_prompt(&anna, own.id).await);
        let changed = store.change_prompt(&ben, own.id, new("renamed", false)).await.unwrap();
        assert_eq!((changed.id, changed.text.as_str()), (own.id, "text of renamed"));
        store.delete_prompt(&ben, own.id).await.unwrap();
        assert_eq!(names(ben).await, ["ours"]);
    });
}
