//! Cases 1 to 10: what the model's bytes are when they leave the house.

use serde_json::{Value, json};

use crate::portal::{Heard, House, chat};

const TEXT: &str = "t0 t1 t2 t3 ";

/// An answer with nothing wrong: 200, the text, an ending that the model gave, the end mark.
#[track_caller]
fn is_whole(heard: &Heard, text: &str, script: &str) {
    assert_eq!((heard.status, heard.text().as_str()), (200, text), "{script}");
    assert_eq!((heard.finish().as_deref(), heard.is_done()), (Some("stop"), true), "{script}: {}", heard.wire());
}

#[tokio::test]
async fn case_01_utf8_split_across_reads() {
    let house = House::open().await;
    let heard = house.key.hear("fault=splitutf8").await;
    is_whole(&heard, "0 你好，世界🌍 1 你好，世界🌍 2 你好，世界🌍 3 你好，世界🌍 ", "splitutf8");
    for (_, piece) in &heard.pieces {
        assert!(std::str::from_utf8(piece).is_ok(), "a character left in two halves: {piece:?}");
    }
}

#[tokio::test]
async fn case_02_an_event_split_across_reads_leaves_whole() {
    let house = House::open().await;
    let mut body = chat("fault=splitevent", true);
    body["stream_options"] = json!({ "include_usage": true });
    let heard = house.key.stream_of(&body).await.hear().await;
    is_whole(&heard, TEXT, "splitevent");
    assert_eq!(usages(&heard), [json!({ "prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11 })]);
    for (_, piece) in &heard.pieces {
        assert!(piece.ends_with(b"\n\n"), "half an event left: {:?}", String::from_utf8_lossy(piece));
    }
}

#[tokio::test]
async fn case_03_crlf_and_data_without_a_space() {
    let house = House::open().await;
    for script in ["fault=crlf", "fault=nospace", "fault=multiline", "fault=eventname"] {
        let heard = house.key.hear(script).await;
        is_whole(&heard, TEXT, script);
        assert_eq!(heard.chunks().len(), 6, "{script}");
    }
}

#[tokio::test]
async fn case_04_comments_of_the_back_end_never_become_data() {
    let house = House::open().await;
    let heard = house.key.hear("fault=comment").await;
    is_whole(&heard, TEXT, "comment");
    assert!(!heard.wire().contains("keep-alive"), "{}", heard.wire());
}

#[tokio::test]
async fn case_05_a_heartbeat_is_a_comment_between_events() {
    let house = House::open().await;
    // Ten seconds and a bit of silence between two pieces.
    let heard = house.key.hear("n=2;itl=10300").await;
    is_whole(&heard, "t0 t1 ", "silence");
    let wire = heard.wire();
    assert_eq!(wire.matches(": ping\n").count(), 1, "{wire}");
    assert!(wire.contains("\n\n: ping\ndata: "), "between two events: {wire}");
    let ping = heard.pieces.iter().position(|(_, piece)| piece == b": ping\n").expect("a write of its own");
    let before = heard.pieces[ping].0.duration_since(heard.pieces[ping - 1].0).as_millis();
    assert!((9_500..10_290).contains(&before), "after {before} ms of silence");
}

#[tokio::test]
async fn case_06_empty_data_is_left_out() {
    let house = House::open().await;
    let heard = house.key.hear("fault=emptydata").await;
    is_whole(&heard, TEXT, "emptydata");
    let wire = heard.wire();
    assert!(!wire.contains("data:\n") && !wire.contains("data: \n"), "{wire}");
}

#[tokio::test]
async fn case_07_usage_with_choices_empty_null_or_missing() {
    let house = House::open().await;
    let shapes = ["empty", "null", "missing"];
    for shape in shapes {
        let script = format!("usage={shape}");
        let heard = house.key.hear(&script).await;
        is_whole(&heard, TEXT, &script);
        assert!(!heard.wire().contains("usage"), "{script}: {}", heard.wire());
    }
    for row in house.portal.place.usage(shapes.len()).await {
        assert_eq!((row.usage.prompt.0, row.usage.completion.0, row.usage.reported), (7, 4, true));
    }
}

#[tokio::test]
async fn case_08_usage_is_always_asked_and_removed_for_who_did_not_ask() {
    let house = House::open().await;
    let silent = house.key.hear("").await;
    assert_eq!(house.scripted.latest().json()["stream_options"], json!({ "include_usage": true }));
    assert_eq!((usages(&silent).len(), silent.chunks().len()), (0, 6), "{}", silent.wire());

    let mut curious = chat("", true);
    curious["stream_options"] = json!({ "include_usage": true });
    let told = house.key.stream_of(&curious).await.hear().await;
    is_whole(&told, TEXT, "asked");
    assert_eq!(usages(&told), [json!({ "prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11 })]);

    let plain = house.key.ask("").await.expect(200);
    assert_eq!(plain["usage"]["total_tokens"], 11, "an answer in one piece always has it");
    assert_eq!(house.scripted.latest().json().get("stream_options"), None);
    assert_eq!(house.owner.used().await, 33);
}

#[tokio::test]
async fn case_09_interleaved_tool_calls_keep_their_index() {
    let house = House::open().await;
    let heard = house.key.hear("fault=tools;n=6").await;
    let calls: Vec<(u64, Option<String>, String)> = calls(&heard);
    let plain: Vec<(u64, Option<&str>, &str)> =
        calls.iter().map(|(index, id, arguments)| (*index, id.as_deref(), arguments.as_str())).collect();
    let expected = [
        (0, Some("call_0"), ""),
        (1, Some("call_1"), ""),
        (0, None, "2"),
        (1, None, "3"),
        (0, None, "4"),
        (1, None, "5"),
    ];
    assert_eq!(plain, expected);
    assert_eq!((heard.finish().as_deref(), heard.is_done()), (Some("tool_calls"), true));
}

#[tokio::test]
async fn case_10_one_index_for_two_calls_is_told_apart() {
    let house = House::open().await;
    let heard = house.key.hear("fault=reused;n=4").await;
    let indexes: Vec<u64> = calls(&heard).iter().map(|(index, ..)| *index).collect();
    assert_eq!(indexes, [0, 1, 0, 1]);
    assert!(heard.is_done());
}

#[tokio::test]
async fn what_the_client_wrote_reaches_a_back_end_of_its_dialect_untouched() {
    let house = House::open().await;
    let odd = r#"{ "seed": 7, "model" : "mock/m", "logprobs":true, "messages":[{"role":"user","content":"hi"}], "parallel_tool_calls":false,"x":1.50 }"#;
    house.key.send("/v1/chat/completions", odd.as_bytes()).await.reply().await.expect(200);
    let sent = String::from_utf8(house.scripted.latest().body.to_vec()).expect("UTF-8");
    assert_eq!(sent, odd.replace("mock/m", "m"));
}

fn usages(heard: &Heard) -> Vec<Value> {
    heard.chunks().iter().filter_map(|chunk| chunk.get("usage").filter(|usage| usage.is_object()).cloned()).collect()
}

fn calls(heard: &Heard) -> Vec<(u64, Option<String>, String)> {
    let chunks = heard.chunks();
    let called = chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0"));
    called
        .map(|call| {
            let id = call["id"].as_str().map(str::to_owned);
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default().to_owned();
            (call["index"].as_u64().expect("an index"), id, arguments)
        })
        .collect()
}
