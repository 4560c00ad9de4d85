//! Cases 1 to 10: bytes in, bytes out.

use domain::{Author, Finish, Message, Prompt, Sampling, TurnEvent};
use futures_util::StreamExt;
use models::testing::Scripted;
use serde_json::json;

use crate::{answer, asked, chat, hear, house, open, plain};

const TEXT: &str = "t0 t1 t2 t3 ";

#[tokio::test]
async fn case_01_utf8_split_across_reads() {
    let heard = answer("fault=splitutf8").await;
    assert_eq!(heard.text(), "0 你好，世界🌍 1 你好，世界🌍 2 你好，世界🌍 3 你好，世界🌍 ");
    assert_eq!(heard.finish(), Some(Finish::Stop));
}

#[tokio::test]
async fn case_02_event_split_across_reads_usage_included() {
    let heard = answer("fault=splitevent").await;
    assert_eq!((heard.text().as_str(), heard.usage(), heard.finish()), (TEXT, Some((7, 4)), Some(Finish::Stop)));
}

#[tokio::test]
async fn case_03_crlf_and_data_without_space() {
    for script in ["fault=crlf", "fault=nospace", "fault=multiline", "fault=eventname"] {
        let heard = answer(script).await;
        assert_eq!((heard.text().as_str(), heard.finish()), (TEXT, Some(Finish::Stop)), "{script}");
        assert_eq!(heard.chunks().len(), 6, "{script}");
    }
}

#[tokio::test]
async fn case_04_comment_lines_never_become_data() {
    let heard = answer("fault=comment").await;
    assert_eq!(heard.text(), TEXT);
    assert!(!heard.wire.contains("keep-alive"), "{}", heard.wire);
}

#[tokio::test]
async fn case_06_empty_data_frames_are_skipped() {
    let heard = answer("fault=emptydata").await;
    assert_eq!(heard.text(), TEXT);
    assert!(!heard.wire.contains("data:\n") && !heard.wire.contains("data: \n"), "{}", heard.wire);
}

#[tokio::test]
async fn case_07_usage_with_choices_empty_null_or_missing() {
    for shape in ["empty", "null", "missing"] {
        let heard = answer(&format!("usage={shape}")).await;
        assert_eq!((heard.usage(), heard.finish()), (Some((7, 4)), Some(Finish::Stop)), "{shape}");
        assert!(!heard.wire.contains("usage"), "{shape}: {}", heard.wire);
    }
    let beside = answer("usage=beside").await;
    assert_eq!(beside.text(), TEXT);
    assert!(beside.wire.contains("usage"), "usage beside content travels with it");
    assert_eq!(answer("usage=none").await.usage(), None);
}

#[tokio::test]
async fn case_08_usage_is_always_asked_and_removed_where_the_client_did_not_ask() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let silent = hear(open(&models, chat("")).await.expect("an answer")).await;
    assert_eq!(scripted.latest().json()["stream_options"], json!({"include_usage": true}));
    assert_eq!((silent.usage(), silent.chunks().len()), (Some((7, 4)), 6));

    let curious = asked(
        json!({"model": "mock/m", "messages": [{"role": "user", "content": "hi"}], "stream": true, "stream_options": {"include_usage": true}}),
    );
    let told = hear(open(&models, curious).await.expect("an answer")).await;
    assert_eq!((told.usage(), told.chunks().len()), (Some((7, 4)), 7));
    assert_eq!(told.chunks()[6]["usage"]["total_tokens"], 11);
}

#[tokio::test]
async fn case_08_a_back_end_that_refuses_the_question_is_asked_without_it_and_remembered() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    for asked in [2, 3, 4] {
        let heard = hear(open(&models, chat("fault=nousage")).await.expect("an answer")).await;
        assert_eq!((heard.text().as_str(), heard.usage()), (TEXT, None));
        assert_eq!(scripted.stats().requests, asked);
    }
}

#[tokio::test]
async fn case_09_interleaved_tool_calls_by_index() {
    let heard = answer("fault=tools;n=6").await;
    let calls: Vec<(u32, Option<&str>, &str)> = heard.events.iter().filter_map(called).collect();
    assert_eq!(
        calls,
        [
            (0, Some("call_0"), ""),
            (1, Some("call_1"), ""),
            (0, None, "2"),
            (1, None, "3"),
            (0, None, "4"),
            (1, None, "5")
        ]
    );
    assert_eq!(heard.finish(), Some(Finish::ToolCalls));
}

#[tokio::test]
async fn case_10_one_index_reused_for_different_call_ids() {
    let heard = answer("fault=reused;n=4").await;
    let calls: Vec<(u32, Option<&str>, &str)> = heard.events.iter().filter_map(called).collect();
    assert_eq!(
        calls,
        [(0, Some("call_0"), "0"), (1, Some("call_1"), "1"), (0, Some("call_0"), "2"), (1, Some("call_1"), "3")]
    );
    let sent: Vec<i64> = heard
        .chunks()
        .iter()
        .filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0/index")?.as_i64())
        .collect();
    assert_eq!(sent, [0, 1, 0, 1], "the client sees the same");
}

fn called(event: &TurnEvent) -> Option<(u32, Option<&str>, &str)> {
    match event {
        TurnEvent::ToolCalled { index, id, arguments, .. } => Some((*index, id.as_deref(), arguments)),
        _ => None,
    }
}

#[tokio::test]
async fn a_client_of_the_same_dialect_gets_the_bytes_as_they_came() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let odd = r#"{ "seed": 7, "model" : "mock/m", "logprobs":true, "messages":[{"role":"user","content":"hi"}], "stream":true, "parallel_tool_calls":false,"x":1.50 }"#;
    let mut prompt = chat("");
    prompt.body.as_mut().expect("a body").bytes = odd.into();
    let heard = hear(open(&models, prompt).await.expect("an answer")).await;
    let sent = String::from_utf8(scripted.latest().body.to_vec()).expect("UTF-8");
    assert_eq!(
        sent,
        r#"{"stream_options":{"include_usage":true}, "seed": 7, "model" : "m", "logprobs":true, "messages":[{"role":"user","content":"hi"}], "stream":true, "parallel_tool_calls":false,"x":1.50 }"#
    );
    assert_eq!(scripted.latest().headers["authorization"], "Bearer sk-test");
    assert_eq!(scripted.latest().headers["accept-encoding"], "identity");
    for chunk in heard.chunks() {
        assert_eq!((&chunk["system_fingerprint"], &chunk["model"]), (&json!("fp_mock"), &json!("mock")));
    }
    assert!(heard.wire.ends_with("\n\n") && !heard.wire.contains("[DONE]"));
}

#[tokio::test]
async fn an_answer_in_one_piece_travels_as_it_came() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let heard = hear(open(&models, plain("")).await.expect("an answer")).await;
    assert_eq!((heard.text().as_str(), heard.usage(), heard.finish()), (TEXT, Some((7, 4)), Some(Finish::Stop)));
    let body: serde_json::Value = serde_json::from_str(&heard.wire).expect("JSON");
    assert_eq!(body["system_fingerprint"], "fp_mock");
    assert_eq!(scripted.latest().json().get("stream_options"), None);
}

#[tokio::test]
async fn a_completion_goes_to_its_own_path() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let prompt = asked(json!({"model": "mock/m", "prompt": "Once", "stream": true}));
    assert_eq!(hear(open(&models, prompt).await.expect("an answer")).await.text(), TEXT);
    assert_eq!(scripted.latest().path, "/v1/completions");
}

#[tokio::test]
async fn a_prompt_of_the_house_needs_no_bytes() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let mut prompt = Prompt::chat(vec![Message::new(Author::User, "mock;fault=reasoning")], Sampling::default());
    prompt.model = "mock/m".into();
    let heard = hear(open(&models, prompt).await.expect("an answer")).await;
    assert_eq!((heard.text().as_str(), heard.wire.as_str(), heard.usage()), ("t2 t3 ", "", Some((7, 4))));
    assert_eq!(heard.events[0], TurnEvent::Thought { text: "t0 ".into() });
}

#[tokio::test]
async fn a_back_end_that_cannot_stream_is_shown_in_one_piece() {
    let heard = answer("fault=nostream").await;
    assert_eq!((heard.text().as_str(), heard.wire.as_str(), heard.finish()), (TEXT, "", Some(Finish::Stop)));
}

#[tokio::test]
async fn what_one_read_brought_is_one_batch() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let mut reply = open(&models, chat("n=3;itl=30")).await.expect("an answer");
    let mut batches = 0;
    while let Some(batch) = reply.batches.next().await {
        batches += 1;
        assert!(!batch.expect("an answer").events.is_empty() || batches > 0);
    }
    assert!((3..=6).contains(&batches), "{batches} batches for three spaced chunks");
}
