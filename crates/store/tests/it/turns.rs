//! A turn from its question to its last row.

use domain::{Finish, Role};
use store::{Delta, Error, Record};

use crate::harness::on_both;

#[test]
fn a_question_its_answer_and_its_usage_are_there_when_the_receipts_say_so() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let asked = house.ask(&anna, "Why is the sky blue?");
        store.writer().submit(Record::Asked(Box::new(asked.clone()))).await.await.unwrap();

        assert_eq!(store.running(&anna, asked.conversation).await.unwrap(), vec![asked.turn]);
        let delta = |seq, text: &str| Delta { turn: asked.turn, seq, text: text.into(), thought: "hm ".into() };
        store.writer().submit(Record::Deltas(vec![delta(2, "Because "), delta(5, "of ")])).await.await.unwrap();
        store.writer().submit(Record::Deltas(vec![delta(9, "Rayleigh")])).await.await.unwrap();
        let messages = store.messages(&anna, asked.conversation).await.unwrap();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].text, "Why is the sky blue?");
        assert_eq!(messages[1].text, "Because of Rayleigh");
        assert_eq!(messages[1].thought, "hm hm hm ");
        assert!(messages[1].running() && !messages[0].running());

        let settled = house.settle(&asked, "Because of Rayleigh scattering.");
        store.writer().submit(Record::Settled(Box::new(settled))).await.await.unwrap();
        let answer = store.message(&anna, asked.answer.id).await.unwrap().unwrap();
        assert_eq!(answer.text, "Because of Rayleigh scattering.");
        assert_eq!(answer.finish, Some(Finish::Stop));
        assert_eq!(answer.parent, Some(asked.question.unwrap().id));
        assert!(store.running(&anna, asked.conversation).await.unwrap().is_empty());
        let turn = store.turn(&anna, asked.turn).await.unwrap().unwrap();
        assert_eq!((turn.finish, turn.answer), (Some(Finish::Stop), asked.answer.id));
        assert_eq!(store.usage(&anna, 10).await.unwrap().len(), 1);
        let found = store.conversation(&anna, asked.conversation).await.unwrap().unwrap();
        assert_eq!(found.head, Some(asked.answer.id));
    });
}

#[test]
fn the_same_ask_again_is_refused_and_names_the_turn_that_is_there() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let first = house.ask(&anna, "Once?");
        let mut again = house.ask(&anna, "Once?");
        again.ask_id = first.ask_id.clone();
        let writer = house.store.writer();
        writer.submit(Record::Asked(Box::new(first.clone()))).await.await.unwrap();
        let refused = writer.submit(Record::Asked(Box::new(again.clone()))).await.await;
        assert!(matches!(refused, Err(Error::Duplicate { what: "ask_id" })), "{refused:?}");
        let there = house.store.ask(&anna, &first.ask_id).await.unwrap().unwrap();
        assert_eq!((there.turn, there.conversation, there.answer), (first.turn, first.conversation, first.answer.id));
        assert!(house.store.conversation(&anna, again.conversation).await.unwrap().is_none());
    });
}
