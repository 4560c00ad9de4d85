//! The tree of a conversation: branches, paths, taking away and bringing back.

use std::time::Duration;

use domain::Role;
use store::{Change, Error, NewMessage, Page, Record, Shelf};

use crate::harness::on_both;

#[test]
fn edits_and_new_answers_are_branches_and_a_path_is_what_the_model_is_shown() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let first = house.ask(&anna, "one");
        house.turn(&first, "1").await;
        let second = house.ask_on(&first, "two");
        house.turn(&second, "2").await;

        let mut edited = house.ask_on(&first, "two, edited");
        edited.question = Some(NewMessage {
            id: house.message(),
            parent: Some(first.answer.id),
            text: "two, edited".into(),
            files: Vec::new(),
        });
        edited.answer.parent = edited.question.as_ref().unwrap().id;
        house.turn(&edited, "2b").await;
        let mut anew = house.ask_on(&first, "");
        anew.question = None;
        anew.answer.parent = second.question.as_ref().unwrap().id;
        house.turn(&anew, "2c").await;

        let texts =
            |messages: Vec<store::Message>| messages.into_iter().map(|message| message.text).collect::<Vec<_>>();
        let path = |leaf| async move { texts(store.path(&anna, leaf).await.unwrap()) };
        assert_eq!(path(second.answer.id).await, ["one", "1", "two", "2"]);
        assert_eq!(path(edited.answer.id).await, ["one", "1", "two, edited", "2b"]);
        assert_eq!(path(anew.answer.id).await, ["one", "1", "two", "2c"]);
        assert_eq!(store.messages(&anna, first.conversation).await.unwrap().len(), 7);
        let conversation = store.conversation(&anna, first.conversation).await.unwrap().unwrap();
        assert_eq!(conversation.head, Some(anew.answer.id));
        let head = Change { head: Some(edited.answer.id), pinned: Some(true), ..Change::default() };
        let changed = store.change(&anna, first.conversation, head).await.unwrap();
        assert_eq!((changed.head, changed.pinned), (Some(edited.answer.id), true));
        assert_eq!(changed.updated_at, conversation.updated_at);
    });
}

#[test]
fn a_deleted_message_takes_what_is_below_and_brings_it_back() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let first = house.ask(&anna, "one");
        house.turn(&first, "1").await;
        let second = house.ask_on(&first, "two");
        house.turn(&second, "2").await;
        let third = house.ask_on(&second, "three");
        house.turn(&third, "3").await;
        let count = || async { store.messages(&anna, first.conversation).await.unwrap().len() };
        let question = second.question.as_ref().unwrap().id;

        store.delete_message(&anna, third.answer.id).await.unwrap();
        assert_eq!(count().await, 5);
        store.delete_message(&anna, question).await.unwrap();
        assert_eq!(count().await, 2);
        assert!(store.path(&anna, third.answer.id).await.unwrap().is_empty());
        assert!(store.message(&anna, third.answer.id).await.unwrap().is_none());
        let head = store.conversation(&anna, first.conversation).await.unwrap().unwrap().head;
        assert_eq!(head, Some(first.answer.id));
        let again = store.delete_message(&anna, question).await;
        assert!(matches!(again, Err(Error::NotFound { .. })), "{again:?}");

        store.restore_message(&anna, question).await.unwrap();
        assert_eq!(count().await, 5);
        store.restore_message(&anna, third.answer.id).await.unwrap();
        assert_eq!(count().await, 6);
    });
}

#[test]
fn a_deleted_conversation_comes_back_until_it_is_purged() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let asked = house.ask(&anna, "one");
        house.turn(&asked, "1").await;
        let open = house.ask(&anna, "still being answered");
        house.stored(Record::Asked(Box::new(open.clone()))).await;
        let listed = |shelf| async move {
            let page = Page { shelf, before: None, limit: 10 };
            store.conversations(&anna, page).await.unwrap().0.len()
        };
        let archive = Change { archived: Some(true), ..Change::default() };
        store.change(&anna, asked.conversation, archive).await.unwrap();
        assert_eq!((listed(Shelf::Open).await, listed(Shelf::Archived).await), (1, 1));

        store.delete_conversation(&anna, asked.conversation).await.unwrap();
        assert_eq!(listed(Shelf::Archived).await, 0);
        let back = store.restore_conversation(&anna, asked.conversation).await.unwrap();
        assert_eq!((back.id, listed(Shelf::Archived).await), (asked.conversation, 1));

        store.delete_conversation(&anna, asked.conversation).await.unwrap();
        store.delete_conversation(&anna, open.conversation).await.unwrap();
        assert_eq!(store.purge(house.now()).await.unwrap(), 0);
        house.clock.advance(Duration::from_secs(60));
        assert_eq!(store.purge(house.now()).await.unwrap(), 1);
        let gone = store.restore_conversation(&anna, asked.conversation).await;
        assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
        store.restore_conversation(&anna, open.conversation).await.unwrap();
        assert_eq!(store.usage(&anna, 10).await.unwrap().len(), 1);
        house.stored(Record::Settled(Box::new(house.settle(&open, "done")))).await;
        assert_eq!(house.sql("SELECT id FROM search_rows").await.len(), 2);
    });
}

#[test]
fn an_exported_conversation_comes_in_again_beside_the_first_one() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let ben = house.person("ben", Role::Member).await;
        let first = house.ask(&anna, "问题");
        house.turn(&first, "答案").await;
        let open = house.ask_on(&first, "and?");
        house.stored(Record::Asked(Box::new(open.clone()))).await;
        let exported = store.export(&anna, first.conversation).await.unwrap().unwrap();
        let text = serde_json::to_string(&exported).unwrap();
        let read: store::Exported = serde_json::from_str(&text).unwrap();
        assert_eq!(read, exported);

        let imported = store.import(&ben, read.clone()).await.unwrap();
        assert_ne!(imported.id, first.conversation);
        let messages = store.messages(&ben, imported.id).await.unwrap();
        let texts: Vec<_> = messages.iter().map(|message| message.text.as_str()).collect();
        assert_eq!(texts, ["问题", "答案", "and?", ""]);
        assert_eq!(messages[3].finish, Some(domain::Finish::Interrupted));
        assert_eq!(imported.head, Some(messages[3].id));
        assert_eq!(store.path(&ben, messages[3].id).await.unwrap().len(), 4);
        assert_eq!(store.search(&ben, "答案", 5).await.unwrap().len(), 1);

        store.delete_conversation(&anna, first.conversation).await.unwrap();
        let mut circle = read.clone();
        circle.messages[0].parent = Some(circle.messages[1].id);
        let refused = store.import(&ben, circle).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
        let mut other = read;
        other.format = "chatgpt".into();
        let refused = store.import(&ben, other).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    });
}
