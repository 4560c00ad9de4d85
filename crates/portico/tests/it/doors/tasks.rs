//! Vectors, ranks, speech, pictures and transcripts: the bytes as they came, and a usage row for each.

use serde_json::json;

use crate::portal::{House, Wire};

#[tokio::test]
async fn each_task_is_answered_with_the_bytes_as_they_came_and_counted() {
    let house = House::open().await;
    let cases = [
        ("/v1/embeddings", json!({"model": "mock/m", "input": ["a", "b"], "dimensions": 2}), "/v1/embeddings"),
        ("/v1/rerank", json!({"model": "mock/m", "query": "what?", "documents": ["a", "b"], "top_n": 2}), "/v1/rerank"),
        ("/rerank", json!({"model": "m", "query": "what?", "documents": ["a", "b"]}), "/v1/rerank"),
        ("/v1/images/generations", json!({"model": "mock/m", "prompt": "a cat", "x": 1.50}), "/v1/images/generations"),
    ];
    for (path, body, upstream) in &cases {
        let reply = house.key.post(path, body).await;
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}: {}", reply.text());
        reply.expect(200);
        assert_eq!(reply.header("x-request-id"), reply.header("x-portico-turn"));
        let seen = house.scripted.seen().pop().expect("a request");
        let mut expected = body.clone();
        expected["model"] = "m".into();
        assert_eq!((seen.path.as_str(), seen.json()), (*upstream, expected), "{path}");
    }
    let vectors = house.key.post(cases[0].0, &cases[0].1).await.expect(200);
    assert_eq!(vectors["data"][0]["embedding"], json!([0.5, -1.0]));
    let rows = house.portal.place.usage(5).await;
    let counted: Vec<(u32, u32, bool)> =
        rows.iter().map(|row| (row.usage.prompt.0, row.usage.completion.0, row.usage.reported)).collect();
    // The reranker and the painter tell nothing: what they read is estimated.
    assert_eq!(counted, [(3, 0, true), (5, 0, false), (5, 0, false), (2, 0, false), (3, 0, true)], "{rows:?}");
}

#[tokio::test]
async fn sound_is_handed_on_as_it_comes_and_half_of_it_is_never_the_whole() {
    let house = House::open().await;
    let body = json!({"model": "mock/m", "input": "Hello", "voice": "alloy"});
    let reply = house.key.post("/v1/audio/speech", &body).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("audio/mpeg")));
    assert_eq!(reply.body, [0, 255, 1, 255, 2, 255, 3, 255]);

    house.scripted.set("fault=abort");
    let mut wire = house.key.send("/v1/audio/speech", body.to_string().as_bytes()).await;
    wire.head().await;
    while wire.piece().await.is_some() {}
    assert!(wire.was_cut(), "a client must not take this for the whole");
    house.portal.place.usage(2).await;
}

#[tokio::test]
async fn a_recording_goes_on_with_the_models_own_name() {
    let house = House::open().await;
    let form = |model: &str, format: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--b\r\nContent-Disposition: form-data; \
             name=\"response_format\"\r\n\r\n{format}\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; \
             filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--b--\r\n"
        )
    };
    for (path, format, kind, text) in [
        ("/v1/audio/transcriptions", "json", "application/json", "{\"text\":\"hello\"}"),
        ("/v1/audio/translations", "srt", "application/x-subrip", "1\n00:00:00,000 --> 00:00:01,000\nhello\n"),
    ] {
        let sent = form("mock/m", format);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: multipart/form-data; boundary=b\r\n\
             content-length: {}\r\n\r\n",
            house.key.key,
            sent.len()
        );
        let mut wire = Wire::connect(house.portal.address).await;
        wire.send_raw(head.as_bytes()).await;
        wire.send_raw(sent.as_bytes()).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(kind)), "{}", reply.text());
        assert_eq!(reply.text(), text);
        let seen = house.scripted.seen().pop().expect("a request");
        assert_eq!((seen.path.as_str(), seen.body.as_ref()), (path, form("m", format).as_bytes()));
    }
    assert!(house.portal.place.usage(2).await.iter().all(|row| row.usage.total().0 == 0));
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_dialect() {
    let house = House::open().await;
    let cases = [
        ("/v1/embeddings", json!({"model": "mock/m"}), 400, "invalid_request", "input: is missing"),
        (
            "/v1/rerank",
            json!({"model": "mock/m", "query": "q", "documents": []}),
            400,
            "invalid_request",
            "documents: is empty",
        ),
        (
            "/v1/audio/transcriptions",
            json!({"model": "mock/m"}),
            400,
            "invalid_request",
            "body: must be multipart/form-data",
        ),
        ("/v1/nothing", json!({}), 404, "unknown_url", "/v1/nothing is not served here"),
    ];
    for (path, body, status, code, message) in cases {
        let error = house.key.post(path, &body).await.expect(status);
        assert_eq!(error["error"]["code"], code, "{path}: {error}");
        assert!(error["error"]["message"].as_str().is_some_and(|said| said.starts_with(message)), "{path}: {error}");
    }
    house.scripted.set("status=429;retry_after=7");
    let reply = house.key.post("/v1/embeddings", &json!({"model": "mock/m", "input": "a"})).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("7")), "{}", reply.text());
}
