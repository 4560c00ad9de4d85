//! A conversation is a tree: other answers, edited questions, a branch that is busy and branches that are free.

use models::testing::Scripted;
use serde_json::{Value, json};

use crate::portal::{House, Person, Place, told};

async fn messages(person: &Person, conversation: &str) -> Vec<Value> {
    let tree = person.get(&format!("/api/conversations/{conversation}")).await;
    tree["messages"].as_array().expect("messages").clone()
}

#[tokio::test]
async fn another_answer_and_an_edited_question_are_branches() {
    let house = House::open().await;
    let first = house.owner.ask_and_wait("mock;n=1").await;
    let again = house.owner.ask_with(json!({ "conversation": first.conversation, "regenerate": first.question })).await;
    house.owner.events(&again.turn).await;
    assert_eq!((&again.question, again.answer != first.answer), (&first.question, true));
    let edited = house.owner.ask_with(json!({ "conversation": first.conversation, "text": "mock;n=2" })).await;
    house.owner.events(&edited.turn).await;
    let below = house.owner.ask_on(&again, "mock;n=3").await;
    house.owner.events(&below.turn).await;

    let tree = messages(&house.owner, &first.conversation).await;
    let parents: Vec<(&str, Option<&str>)> =
        tree.iter().map(|m| (m["id"].as_str().expect("an id"), m["parent"].as_str())).collect();
    let mut expected = vec![
        (first.question.as_str(), None),
        (&first.answer, Some(first.question.as_str())),
        (&again.answer, Some(&first.question)),
        (&edited.question, None),
        (&edited.answer, Some(&edited.question)),
        (&below.question, Some(&again.answer)),
        (&below.answer, Some(&below.question)),
    ];
    expected.sort();
    assert_eq!(parents, expected, "the whole tree, in the order it was made");
    // The model reads the branch it is on, and nothing of the others.
    let sent = house.scripted.latest().json();
    let read: Vec<&str> =
        sent["messages"].as_array().expect("messages").iter().filter_map(|m| m["content"].as_str()).collect();
    assert_eq!(read, ["mock;n=1", "t0 ", "mock;n=3"]);
}

#[tokio::test]
async fn a_second_question_on_an_answering_branch_names_the_running_turn_and_other_branches_are_free() {
    let house = House::open().await;
    let first = house.owner.ask_and_wait("mock;n=1").await;
    let running = house.owner.ask_on(&first, "mock;fault=stall@1").await;
    let below = json!({ "conversation": first.conversation, "parent": running.answer, "text": "mock;n=1" });
    let again = json!({ "conversation": first.conversation, "regenerate": running.question });
    for busy in [below, again] {
        let problem = house.owner.try_ask(busy).await.expect(409);
        assert_eq!((&problem["code"], &problem["params"]["turn"]), (&json!("turn_running"), &json!(running.turn)));
    }
    let before = messages(&house.owner, &first.conversation).await.len();
    let beside = house.owner.ask_on(&first, "mock;n=2").await;
    assert_eq!(told(&house.owner.events(&beside.turn).await), "t0 t1 ");
    assert_eq!(messages(&house.owner, &first.conversation).await.len(), before + 2, "what was refused left nothing");
    house.owner.do_it("POST", &format!("/api/turns/{}/stop", running.turn)).await;
    house.owner.events(&running.turn).await;
    let next = house.owner.ask_on(&running, "mock;n=1").await;
    house.owner.events(&next.turn).await;
}

#[tokio::test]
async fn history_that_does_not_fit_is_left_out_and_said() {
    // A context of 4,096 tokens, of which the prompt may take three quarters.
    let scripted = Scripted::start_with("models=m").await;
    let place = Place::new(&scripted, "");
    let house = House::at(scripted, &place).await;
    let mut last = house.owner.ask_and_wait(&format!("first {}", "字".repeat(1_700))).await;
    for text in [format!("second {}", "字".repeat(1_700)), "mock;n=2".to_owned()] {
        last = house.owner.ask_on(&last, &text).await;
        let events = house.owner.events(&last.turn).await;
        let trimmed = events.iter().map(|event| event.json()).find(|event| event["type"] == "trimmed");
        let stored = house.owner.message(&last.conversation, &last.answer).await;
        match trimmed {
            Some(event) => {
                assert_eq!(stored["trimmed"], json!({ "messages": event["messages"], "tokens": event["tokens"] }))
            }
            None => assert_eq!(stored["trimmed"], Value::Null),
        }
    }
    let stored = house.owner.message(&last.conversation, &last.answer).await;
    assert_eq!(stored["trimmed"]["messages"], 2, "the first question and its answer: {stored}");
    let sent = house.scripted.latest().json();
    let read = sent["messages"].as_array().expect("messages");
    assert!(read[0]["content"].as_str().is_some_and(|text| text.starts_with("second")) && read.len() == 3, "{read:?}");
}

#[tokio::test]
async fn titles_come_from_the_first_question_until_a_person_writes_one() {
    let house = House::open().await;
    let asked = house.owner.ask_and_wait("为什么天空是蓝色的？\n请简短回答。").await;
    let path = format!("/api/conversations/{}", asked.conversation);
    let made = house.owner.get(&path).await;
    assert_eq!(made["conversation"]["titled_by"], "auto");
    assert!(made["conversation"]["title"].as_str().is_some_and(|title| title.starts_with("为什么天空是蓝色的")));
    let renamed = house.owner.call("PATCH", &path, Some(&json!({ "title": "  天空  " }))).await.expect(200);
    assert_eq!((&renamed["title"], &renamed["titled_by"]), (&json!("天空"), &json!("person")));
    let problem = house.owner.call("PATCH", &path, Some(&json!({ "title": "  " }))).await.expect(422);
    assert_eq!((&problem["code"], &problem["params"]["field"]), (&json!("invalid_request"), &json!("title")));
}

#[tokio::test]
async fn what_is_deleted_can_be_brought_back() {
    let house = House::open().await;
    let first = house.owner.ask_and_wait("mock;n=1").await;
    let second = house.owner.ask_on(&first, "mock;n=2").await;
    house.owner.events(&second.turn).await;
    house.owner.do_it("DELETE", &format!("/api/messages/{}", first.answer)).await;
    assert_eq!(messages(&house.owner, &first.conversation).await.len(), 1, "with everything below it");
    house.owner.do_it("POST", &format!("/api/messages/{}/restore", first.answer)).await;
    assert_eq!(messages(&house.owner, &first.conversation).await.len(), 4);

    let path = format!("/api/conversations/{}", first.conversation);
    house.owner.do_it("DELETE", &path).await;
    assert_eq!(house.owner.call("GET", &path, None).await.expect(404)["code"], "not_found");
    assert_eq!(house.owner.get("/api/conversations").await["items"], json!([]));
    let back = house.owner.post(&format!("{path}/restore"), &json!({})).await;
    assert_eq!(back["id"], json!(first.conversation));
    assert_eq!(messages(&house.owner, &first.conversation).await.len(), 4);
}
