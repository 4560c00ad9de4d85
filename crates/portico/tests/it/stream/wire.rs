//! Cases 30 to 32: sockets, headers and sizes.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::portal::{House, Wire, chat};

/// Two small writes with a delayed acknowledgement between them are 40 ms on Linux.
#[tokio::test]
async fn case_30_no_40_ms_between_small_writes() {
    let house = House::open().await;
    let mut late = Vec::new();
    for _ in 0..15 {
        let mut wire = house.key.stream("n=4;itl=2").await;
        let mut before = Instant::now();
        while wire.piece().await.is_some() {
            late.push(before.elapsed());
            before = Instant::now();
        }
    }
    late.sort();
    let (median, nine_of_ten) = (late[late.len() / 2], late[late.len() * 9 / 10]);
    assert!(
        median < Duration::from_millis(15) && nine_of_ten < Duration::from_millis(35),
        "{median:?} {nine_of_ten:?}"
    );
}

#[tokio::test]
async fn case_31_headers_keep_proxies_from_holding_a_stream_back() {
    let house = House::open().await;
    let mut wire = Wire::connect(house.portal.address).await;
    let bearer = format!("Bearer {}", house.key.key);
    let headers = [("authorization", bearer.as_str()), ("accept-encoding", "gzip, br, zstd")];
    wire.send("POST", "/v1/chat/completions", &headers, chat("", true).to_string().as_bytes()).await;
    wire.head().await;
    let heard = wire.hear().await;
    assert!(heard.is_done());
    assert_eq!(heard.header("content-type"), Some("text/event-stream"));
    assert_eq!(heard.header("cache-control"), Some("no-cache, no-transform"));
    assert_eq!(heard.header("x-accel-buffering"), Some("no"));
    assert_eq!(heard.header("content-encoding"), None, "a stream is never compressed");
    assert_eq!(house.scripted.latest().headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn case_32_three_mebibytes_pass_and_arrive_whole() {
    let house = House::open().await;
    let mut body = chat("n=1", false);
    body["messages"][0]["content"] = "x".repeat(3 << 20).into();
    house.key.post("/v1/chat/completions", &body).await.expect(200);
    let arrived = house.scripted.latest().json();
    assert_eq!(arrived["messages"], body["messages"]);
}

#[tokio::test]
async fn case_32_past_the_limit_is_a_json_413() {
    let house = House::open_with("[limits]\nbody_bytes = 2000000").await;
    let mut body = chat("n=1", false);
    body["messages"][0]["content"] = "x".repeat(3 << 20).into();
    let expected = "the request is larger than 2000000 bytes; send less, or raise limits.body_bytes";
    let reply = house.key.post("/v1/chat/completions", &body).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let error =
        json!({ "message": expected, "type": "invalid_request_error", "code": "body_too_large", "param": null });
    assert_eq!(reply.expect(413), json!({ "error": error }));

    // A client that does not say how much is coming.
    let mut wire = Wire::connect(house.portal.address).await;
    let head = format!(
        "POST /api/turns HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        house.portal.address, house.owner.cookie
    );
    wire.send_raw(head.as_bytes()).await;
    wire.send_raw(format!("200000\r\n{}\r\n", "x".repeat(0x20_0000)).as_bytes()).await;
    let reply = wire.reply().await;
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem =
        json!({ "status": 413, "code": "body_too_large", "message": expected, "params": { "limit_bytes": 2_000_000 } });
    assert_eq!(reply.expect(413), problem);
    assert_eq!(house.scripted.stats().requests, 0);
    house.key.ask("").await.expect(200);
}
