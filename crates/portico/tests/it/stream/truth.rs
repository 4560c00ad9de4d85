//! Cases 11 to 14: an ending that is never better than the truth, on the wire and in the records.

use domain::Finish;
use serde_json::json;

use crate::portal::{House, chat};

#[tokio::test]
async fn case_11_a_cut_ends_in_an_error_event() {
    let house = House::open_with("[retries]\nbefore_first_token = 0").await;
    for (script, code) in [("fault=abort@2", "cut"), ("fault=eof@2", "cut"), ("fault=error@2", "upstream_failed")] {
        let heard = house.key.hear(script).await;
        assert_eq!((heard.status, heard.text().as_str(), heard.cut), (200, "t0 t1 ", false), "{script}");
        assert_eq!((heard.finish(), heard.is_done()), (None, false), "{script}: {}", heard.wire());
        assert_eq!(heard.error().as_deref(), Some(code), "{script}: {}", heard.wire());
        assert!(!heard.wire().contains("[DONE]"), "{script}");
    }
    for row in house.portal.place.usage(3).await {
        assert_eq!((row.finish, row.usage.completion.0, row.usage.reported), (Finish::Failed, 2, false), "{row:?}");
    }
}

#[tokio::test]
async fn case_11_an_ending_without_the_mark_is_still_an_ending() {
    let house = House::open().await;
    let heard = house.key.hear("fault=nodone").await;
    assert_eq!((heard.finish().as_deref(), heard.is_done(), heard.error()), (Some("stop"), true, None));
}

#[tokio::test]
async fn case_12_an_error_event_before_any_content_is_a_real_status() {
    let house = House::open_with("[retries]\nbefore_first_token = 0").await;
    for (script, status, code) in
        [("fault=error@0", 502, "upstream_failed"), ("fault=eof@0", 502, "cut"), ("fault=abort@0", 502, "cut")]
    {
        let reply = house.key.stream(script).await.reply_read().await;
        assert_eq!(reply.header("content-type"), Some("application/json"), "{script}");
        let error = reply.expect(status);
        assert_eq!((&error["error"]["code"], &error["error"]["type"]), (&json!(code), &json!("server_error")));
    }
    assert_eq!(house.owner.used().await, 0);
}

#[tokio::test]
async fn case_13_after_content_nothing_is_asked_again() {
    let house = House::open_with("[retries]\nbefore_first_token = 5").await;
    let heard = house.key.hear("fault=abort@1").await;
    assert_eq!((heard.text().as_str(), heard.error().as_deref()), ("t0 ", Some("cut")));
    assert_eq!(house.scripted.stats().requests, 1);
}

#[tokio::test]
async fn case_14_a_failure_before_the_first_event_is_a_real_status() {
    let house = House::open_with("[retries]\nbefore_first_token = 0").await;
    // What the back end says of the request itself goes through in its own words; what is between it and us does not.
    let cases = [
        ("status=401", 502, "upstream_refused"),
        ("status=404", 404, "model_not_found"),
        ("status=422", 422, "mock_422"),
        ("status=429;retry_after=7", 429, "mock_429"),
        ("status=500", 500, "upstream_failed"),
        ("status=503", 503, "upstream_failed"),
        ("fault=drop", 502, "cut"),
    ];
    for (script, status, code) in cases {
        for stream in [true, false] {
            let reply = house.key.post("/v1/chat/completions", &chat(script, stream)).await;
            assert_eq!(reply.header("content-type"), Some("application/json"), "{script}");
            let error = reply.expect(status);
            assert_eq!(error["error"]["code"], code, "{script}, stream {stream}: {error}");
            if script.contains("retry_after") {
                assert_eq!(reply.header("retry-after"), Some("7"), "{script}");
            }
        }
    }
    let rows = house.portal.place.usage(2 * cases.len()).await;
    assert!(rows.iter().all(|row| row.finish == Finish::Failed && row.usage.total().0 == 0), "{rows:?}");
}

#[tokio::test]
async fn case_14_a_back_end_that_is_not_there_is_said_so() {
    let house = House::open().await;
    let House { scripted, portal: _portal, owner: _, key } = house;
    let url = scripted.url.clone();
    drop(scripted);
    // It goes in its own time; a connection kept from before is cut, and what is tried after that finds nobody.
    let error = key.ask("").await.expect(502);
    assert_eq!(error["error"]["code"], "unreachable");
    let message = error["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains(&url), "it names what it could not reach: {message}");
}
