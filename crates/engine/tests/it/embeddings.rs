//! Vectors and ranks through the door, and the queue before the model by itself: a scripted model whose numbers are a function of the tokens.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use engine::{
    backend::{Failed, Token},
    embedding::{
        Job, Jobs, NotTaken, Outcome, Work,
        scripted::{Plan, Scripted},
    },
    scheduler::Priority,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::oneshot::Receiver;

use crate::worker::{Worker, eventually};

const PATH: &str = "/v1/embeddings";

fn embedder() -> Worker {
    Worker::start(&["--embeds", "8"]).ready()
}

fn reranker() -> Worker {
    Worker::start(&["--embeds", "0"]).ready()
}

fn vector(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("numbers")
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|number| number * number).sum::<f32>().sqrt()
}

#[test]
fn a_text_texts_and_tokens_get_a_vector_each_of_length_1() {
    let worker = embedder();
    let answer = worker.post(PATH, &json!({"input": ["ab", "c", "ab"], "model": "any"})).json();
    let data = answer["data"].as_array().expect("a list");
    let vectors: Vec<_> = data.iter().map(|entry| vector(&entry["embedding"])).collect();
    assert!(vectors.iter().all(|vector| vector.len() == 8 && (length(vector) - 1.0).abs() < 1e-6), "{vectors:?}");
    assert_eq!(vectors[0], vectors[2]);
    assert_ne!(vectors[0], vectors[1]);
    assert_eq!(data.iter().map(|entry| entry["index"].as_u64()).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    assert_eq!(
        (&answer["object"], &data[0]["object"], &answer["model"]),
        (&json!("list"), &json!("embedding"), &json!("model"))
    );
    // Bytes, and the token that begins a text.
    assert_eq!(answer["usage"], json!({"prompt_tokens": 8, "total_tokens": 8}));

    for input in [json!("ab"), json!([256, 97, 98]), json!([[256, 97, 98]])] {
        let alone = worker.post(PATH, &json!({"input": input})).json();
        assert_eq!(vector(&alone["data"][0]["embedding"]), vectors[0], "{input}");
    }
    let packed = worker.post(PATH, &json!({"input": "ab", "encoding_format": "base64"})).json();
    let bytes = BASE64_STANDARD.decode(packed["data"][0]["embedding"].as_str().expect("text")).expect("base64");
    let unpacked: Vec<_> = bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("4"))).collect();
    assert_eq!(unpacked, vectors[0]);

    let cut = worker.post(PATH, &json!({"input": "ab", "dimensions": 3})).json();
    let cut = vector(&cut["data"][0]["embedding"]);
    let whole = length(&vectors[0][..3]);
    assert_eq!(cut.len(), 3);
    assert!(cut.iter().zip(&vectors[0]).all(|(cut, of)| (cut - of / whole).abs() < 1e-6), "{cut:?}");
}

#[test]
fn what_cannot_be_embedded_is_refused_with_the_figure() {
    let worker = embedder();
    let cases = [
        (json!({}), "invalid_json", "missing field `input`"),
        (json!({"input": []}), "invalid_value", "input must not be empty"),
        (json!({"input": [["a"]]}), "invalid_json", "did not match"),
        (json!({"input": [[]]}), "invalid_value", "has no token in the input"),
        (json!({"input": [[97], []]}), "invalid_value", "has no token in input[1]"),
        (json!({"input": [7, 999]}), "invalid_value", "holds the token 999; this model knows 258"),
        (json!({"input": [-1]}), "invalid_value", "holds the token -1"),
        (
            json!({"input": "x".repeat(64)}),
            "context_length_exceeded",
            "the input has 65 tokens and this model reads at most 64",
        ),
        (
            json!({"input": ["a", "b", "x".repeat(100)]}),
            "context_length_exceeded",
            "input[2] has 101 tokens and this model reads at most 64",
        ),
        (json!({"input": vec!["a"; 2049]}), "invalid_value", "input are 2049 texts; one request takes 2048"),
        (json!({"input": "a", "dimensions": 0}), "invalid_value", "dimensions must be from 1 to 8"),
        (json!({"input": "a", "dimensions": 9}), "invalid_value", "dimensions must be from 1 to 8"),
        (json!({"input": "a", "encoding_format": "int8"}), "invalid_value", "encoding_format is int8"),
    ];
    for (ask, code, sentence) in cases {
        let reply = worker.post(PATH, &ask);
        let error = &reply.json()["error"];
        assert_eq!((reply.status, error["code"].as_str()), (400, Some(code)), "{error}");
        assert!(error["message"].as_str().is_some_and(|told| told.contains(sentence)), "{sentence} in {error}");
    }
    assert_eq!(worker.post(PATH, &json!({"input": "x".repeat(63)})).status, 200);
}

#[test]
fn documents_come_in_the_order_of_their_scores() {
    let worker = reranker();
    let documents = ["one", "two", "three", "four", "two"];
    let ask = json!({"query": "q", "documents": documents, "return_documents": true});
    let answer = worker.post("/v1/rerank", &ask).json();
    let results = answer["results"].as_array().expect("a list");
    let scores: Vec<_> = results.iter().map(|rank| rank["relevance_score"].as_f64().expect("a number")).collect();
    assert!(scores.is_sorted_by(|left, right| left >= right), "{scores:?}");
    let places: Vec<_> = results.iter().map(|rank| rank["index"].as_u64().expect("a number")).collect();
    let mut all = places.clone();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4]);
    let place_of = |index| places.iter().position(|&place| place == index);
    assert_eq!(place_of(1).map(|place| place + 1), place_of(4), "equal ones stay in order: {places:?}");
    for rank in results {
        let index = usize::try_from(rank["index"].as_u64().expect("a number")).expect("small");
        assert_eq!(rank["document"], json!({"text": documents[index]}));
    }
    // Each pair is the query with what begins a text, and the document without it.
    assert_eq!(answer["usage"], json!({"prompt_tokens": 28, "total_tokens": 28}));

    let best = worker.post("/v1/rerank", &json!({"query": "q", "documents": [{"text": "one"}, "two"], "top_n": 1}));
    let best = best.json();
    assert_eq!(best["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(best["results"][0].get("document"), None);

    let cases = [
        (json!({"query": "q"}), "missing field `documents`"),
        (json!({"query": "q", "documents": []}), "documents must not be empty"),
        (json!({"query": "q", "documents": ["a"], "top_n": 0}), "top_n must be at least 1"),
        (
            json!({"query": "q", "documents": ["a", "x".repeat(80)]}),
            "the query with documents[1] has 82 tokens and this model reads at most 64",
        ),
    ];
    for (ask, sentence) in cases {
        let reply = worker.post("/v1/rerank", &ask);
        let error = &reply.json()["error"];
        assert_eq!(reply.status, 400);
        assert!(error["message"].as_str().is_some_and(|told| told.contains(sentence)), "{sentence} in {error}");
    }
}

#[test]
fn each_kind_of_model_says_what_it_does_and_refuses_what_others_do() {
    let (writes, embeds, ranks) = (Worker::scripted("x", &[]), embedder(), reranker());
    let chat = json!({"messages": [{"role": "user", "content": "Hi"}]});
    let vectors = json!({"input": "a"});
    let rerank = json!({"query": "q", "documents": ["a"]});
    let cases = [
        (&writes, PATH, &vectors, "this model writes text; vectors and ranks are made by"),
        (&writes, "/v1/rerank", &rerank, "this model writes text; vectors and ranks are made by"),
        (&embeds, "/v1/chat/completions", &chat, "this model makes vectors (/v1/embeddings) and writes no text"),
        (&embeds, "/v1/completions", &json!({"prompt": "a"}), "this model makes vectors"),
        (&embeds, "/v1/rerank", &rerank, "a rerank needs a model that reads both together"),
        (
            &ranks,
            "/v1/chat/completions",
            &chat,
            "this model scores a query with documents (/v1/rerank) and writes no text",
        ),
        (&ranks, PATH, &vectors, "this model scores a query with documents (/v1/rerank) and makes no vectors"),
    ];
    for (worker, path, ask, sentence) in cases {
        let reply = worker.post(path, ask);
        let error = &reply.json()["error"];
        assert_eq!((reply.status, error["code"].as_str()), (400, Some("wrong_kind_of_model")), "{error}");
        assert!(error["message"].as_str().is_some_and(|told| told.contains(sentence)), "{sentence} in {error}");
    }
    let can = |worker: &Worker| worker.get("/v1/models").json()["data"][0]["meta"]["capabilities"].clone();
    assert_eq!(
        (can(&writes), can(&embeds), can(&ranks)),
        (json!(["completion"]), json!(["embedding"]), json!(["rerank"]))
    );
    let meta = embeds.get("/v1/models").json()["data"][0]["meta"].clone();
    assert_eq!(
        (&meta["dimensions"], &meta["pooling"], &meta["context_length"]),
        (&json!(8), &json!("mean"), &json!(64))
    );
}

#[test]
fn a_reader_that_leaves_frees_the_model() {
    let worker = Worker::start(&["--embeds", "8", "--pace", "20"]).ready();
    let ask = json!({"input": vec!["x".repeat(60); 2000]});
    let connection = worker.begin(PATH, &ask);
    eventually("it is being computed", || worker.active() == 1);
    drop(connection);
    // 2,000 steps of 20 ms would take 40 s.
    eventually("it is given up", || worker.active() == 0);
    assert_eq!(worker.post(PATH, &json!({"input": "a"})).status, 200);
}

fn queue(plan: Plan) -> (Jobs, Work, Scripted) {
    let (jobs, work) = Jobs::new(Box::new(Scripted::new(plan.clone())));
    (jobs, work, Scripted::new(plan))
}

fn texts(letter: u8, count: usize, tokens: usize) -> Vec<Vec<Token>> {
    (0..count)
        .map(|nth| [vec![Token::from(letter); tokens - 1], vec![Token::try_from(nth % 250).expect("small")]].concat())
        .collect()
}

fn outcome(receiver: &mut Receiver<Outcome>) -> Option<Outcome> {
    receiver.try_recv().ok()
}

#[test]
fn people_take_turns_text_by_text_and_a_batch_gives_way() {
    let plan = Plan { context: 64, batch: 64, texts: 1, ..Plan::default() };
    let embedder = Scripted::new(plan);
    let log = embedder.log();
    let (jobs, mut work) = Jobs::new(Box::new(embedder));
    let job = |letter, count, person: &str, priority| Job {
        texts: texts(letter, count, 10),
        person: person.into(),
        priority,
    };
    let _batch = jobs.submit(job(b'b', 200, "ann", Priority::Batch)).expect("taken");
    let _heavy = jobs.submit(job(b'h', 200, "ann", Priority::Interactive)).expect("taken");
    let mut light = jobs.submit(job(b'l', 20, "ben", Priority::Interactive)).expect("taken");
    let mut steps = 0;
    while outcome(&mut light).is_none() {
        assert!(work.advance());
        steps += 1;
    }
    let had =
        |letter: u8| log.lock().expect("a log").iter().flatten().filter(|text| text[0] == Token::from(letter)).count();
    assert_eq!((had(b'l'), steps), (20, had(b'b') + had(b'h') + 20));
    assert!((19..=21).contains(&had(b'h')), "{} of the heavy person's", had(b'h'));
    assert!((1..=4).contains(&had(b'b')), "{} of the batch's", had(b'b'));
}

#[test]
fn short_texts_of_several_people_share_a_step_and_no_step_is_too_large() {
    let plan = Plan { context: 64, batch: 64, texts: 4, ..Plan::default() };
    let embedder = Scripted::new(plan);
    let log = embedder.log();
    let (jobs, mut work) = Jobs::new(Box::new(embedder));
    let job = |letter, count, tokens, person: &str| Job {
        texts: texts(letter, count, tokens),
        person: person.into(),
        ..Job::default()
    };
    let mut all = [
        jobs.submit(job(b'a', 3, 10, "ann")).expect("taken"),
        jobs.submit(job(b'b', 2, 10, "ben")).expect("taken"),
        jobs.submit(job(b'c', 1, 64, "eve")).expect("taken"),
    ];
    assert_eq!(jobs.load().queued(), 3);
    while all.iter_mut().filter(|receiver| !receiver.is_terminated()).any(|receiver| outcome(receiver).is_none()) {
        assert!(work.advance());
    }
    let steps: Vec<Vec<usize>> =
        log.lock().expect("a log").iter().map(|step| step.iter().map(Vec::len).collect()).collect();
    assert_eq!(steps, [vec![10, 10], vec![64], vec![10, 10, 10]]);
    assert_eq!((jobs.load().queued(), jobs.load().active()), (0, 0));
}

#[test]
fn a_text_that_fails_costs_its_own_request_only() {
    let (jobs, mut work, scripted) = queue(Plan { poison: Some(666), ..Plan::default() });
    let good = || Job { texts: texts(b'g', 5, 4), person: "ann".into(), ..Job::default() };
    let bad = Job { texts: vec![vec![1, 2], vec![666]], person: "ben".into(), ..Job::default() };
    let mut receivers =
        [jobs.submit(good()).expect("taken"), jobs.submit(bad).expect("taken"), jobs.submit(good()).expect("taken")];
    let mut outcomes = [const { None }; 3];
    while outcomes.iter().any(Option::is_none) {
        assert!(work.advance());
        for (receiver, outcome) in receivers.iter_mut().zip(&mut outcomes) {
            if outcome.is_none() {
                *outcome = receiver.try_recv().ok();
            }
        }
    }
    let expected: Vec<_> = good().texts.iter().map(|text| scripted.numbers(text)).collect();
    let [first, bad, last] = outcomes;
    assert_eq!(first, Some(Ok(expected.clone())));
    assert_eq!(bad, Some(Err(Failed::Broken("the plan says so".into()))));
    assert_eq!(last, Some(Ok(expected)));
    assert_eq!((jobs.load().queued(), jobs.load().active()), (0, 0));
}

#[test]
fn the_queue_is_bounded_and_ends_when_it_is_told_to() {
    let (jobs, mut work, _) = queue(Plan::default());
    let job = || Job { texts: texts(b'a', 1, 2), ..Job::default() };
    let waiting: Vec<_> = (0..256).map(|_| jobs.submit(job()).expect("taken")).collect();
    assert_eq!(jobs.submit(job()).expect_err("full"), NotTaken::Busy(256));
    drop(waiting);
    assert!(work.advance());
    assert_eq!((jobs.load().queued(), jobs.load().active()), (0, 0), "nobody waits for them");
    assert_eq!(
        jobs.submit(Job { texts: texts(b'a', 2, 65), ..Job::default() }).expect_err("too long"),
        NotTaken::TooLong { at: 0, tokens: 65, context: 64 }
    );
    jobs.stop();
    assert!(!work.advance());
    drop(work);
    assert_eq!(jobs.submit(job()).expect_err("gone"), NotTaken::Gone);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_asked_at_once_each_text_gets_what_it_gets_alone(
        asks in proptest::collection::vec((proptest::collection::vec(1_usize..64, 0..20), 0_u8..3, any::<bool>(), 0_usize..4), 1..8),
        batch in 64_u32..200,
        most in 1_u32..8,
    ) {
        let (jobs, mut work, scripted) = queue(Plan { batch, texts: most, ..Plan::default() });
        let mut expected = Vec::new();
        let mut receivers = Vec::new();
        for (nth, (lengths, person, urgent, steps)) in asks.iter().enumerate() {
            let texts: Vec<Vec<Token>> = lengths.iter().map(|&tokens| vec![Token::try_from(nth).expect("small"); tokens]).collect();
            expected.push(Ok(texts.iter().map(|text| scripted.numbers(text)).collect::<Vec<_>>()));
            let priority = if *urgent { Priority::Interactive } else { Priority::Batch };
            receivers.push(jobs.submit(Job { texts, person: person.to_string(), priority }).expect("taken"));
            for _ in 0..*steps {
                prop_assert!(work.advance());
            }
        }
        while jobs.load().queued() + jobs.load().active() > 0 {
            prop_assert!(work.advance());
        }
        for (mut receiver, expected) in receivers.into_iter().zip(expected) {
            prop_assert_eq!(receiver.try_recv().ok(), Some(expected));
        }
    }
}
