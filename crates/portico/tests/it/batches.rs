//! Batches through the portal's doors: a table and files asked about row by row, exported, stopped, killed and gone on with; a limit
//! that is reached, a fault that is asked again, and whose they are.

use std::time::Duration;

use serde_json::{Value, json};

use crate::portal::{House, Person};

fn path(begun: &Value) -> String {
    format!("/api/batches/{}", begun["id"].as_str().expect("an id"))
}

async fn until(person: &Person, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..2_000 {
        let one = person.get(path).await;
        if wanted(&one) {
            return one;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that: {}", person.get(path).await)
}

/// The batch once it does not run any more.
async fn rests(person: &Person, path: &str) -> Value {
    until(person, path, |one| one["state"] != "running").await
}

async fn table(person: &Person, text: &str) -> String {
    person.upload("tickets.csv", text.as_bytes()).await
}

/// So many rows, each of which takes so long.
fn slow(rows: u32, ms: u32) -> String {
    (0..rows).fold("n,wait\n".to_owned(), |text, at| format!("{text}{},{ms}\n", at % 3 + 1))
}

const QUESTION: &str = "mock;n={{n}};ttft={{wait}}";

#[tokio::test]
async fn a_table_is_asked_row_by_row_looked_at_before_and_exported_after() {
    let house = House::open().await;
    let owner = &house.owner;
    let sent = table(owner, "n,wait,note\n3,0,\"=1+1, \"\"x\"\"\"\n2,0,\n1,0,三\n").await;
    let mut asked = json!({ "table": sent, "model": "mock/m", "max_tokens": 9, "instructions": "Be brief." });
    let columns = owner.post("/api/batches/preview", &asked).await;
    assert_eq!(
        (&columns["columns"], &columns["rows"]),
        (&json!(["n", "wait", "note"]), &json!(3)),
        "before any question"
    );
    asked["template"] = json!(QUESTION);
    let seen = owner.post("/api/batches/preview", &asked).await;
    assert_eq!((&seen["question"], &seen["completion_at_most"]), (&json!("mock;n=3;ttft=0"), &json!(27)), "{seen}");
    assert!(seen["prompt"].as_u64().is_some_and(|tokens| tokens > 9), "{seen}");
    assert_eq!(
        house.scripted.seen().iter().filter(|seen| seen.path.ends_with("completions")).count(),
        0,
        "nothing is asked yet"
    );

    let begun = owner.post("/api/batches", &asked).await;
    assert_eq!(
        (&begun["name"], &begun["total"], &begun["state"]),
        (&json!("tickets.csv"), &json!(3), &json!("running"))
    );
    let done = rests(owner, &path(&begun)).await;
    assert_eq!((&done["state"], &done["done"], &done["failed"]), (&json!("finished"), &json!(3), &json!(0)), "{done}");
    assert!(done["completion"].as_u64().is_some_and(|tokens| tokens > 0) && done["finished_at"].is_i64(), "{done}");
    let rows = owner.get(&format!("{}/rows?limit=2", path(&begun))).await;
    let told: Vec<&Value> = rows["items"].as_array().expect("rows").iter().map(|row| &row["answer"]).collect();
    assert_eq!((told, &rows["next"]), (vec![&json!("t0 t1 t2 "), &json!("t0 t1 ")], &json!(2)));
    assert_eq!(rows["items"][0]["cells"], json!(["3", "0", "=1+1, \"x\""]));
    let rest = owner.get(&format!("{}/rows?from=2&state=done", path(&begun))).await;
    assert_eq!((&rest["items"][0]["cells"][2], &rest["next"]), (&json!("三"), &Value::Null));
    let body = house.scripted.seen().iter().rfind(|seen| seen.path.ends_with("completions")).expect("one").json();
    assert_eq!((&body["messages"][0]["content"], &body["max_tokens"]), (&json!("Be brief."), &json!(9)));
    let usage = house.portal.place.usage(3).await;
    assert!(usage.iter().all(|row| row.door == "batch"), "each has its usage row");

    let csv = owner.call("GET", &format!("{}/export", path(&begun)), None).await.text();
    let head = "\u{feff}n,wait,note,answer,state,failure,prompt,completion,ms,tries\r\n3,0,\"'=1+1, \"\"x\"\"\",t0 t1 t2 ,done,,";
    assert!(csv.starts_with(head), "{csv}");
    let jsonl = owner.call("GET", &format!("{}/export?format=jsonl", path(&begun)), None).await.text();
    let lines: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), &lines[2]["row"], &lines[2]["cells"]["note"]), (3, &json!(3), &json!("三")));
    let xlsx = owner.call("GET", &format!("{}/export?format=xlsx", path(&begun)), None).await;
    let mut blocks = Vec::new();
    let mut take = |block: documents::Block| {
        blocks.push(block);
        Ok(())
    };
    documents::extract(xlsx.body.clone(), &mut documents::Out::new(&mut take)).expect("a workbook");
    let documents::Kind::Table { rows } = &blocks.last().expect("a table").kind else { panic!("{blocks:?}") };
    assert_eq!((rows.len(), rows[1][2].as_str(), rows[1][3].trim()), (4, "=1+1, \"x\"", "t0 t1 t2"));
    assert_eq!(owner.call("GET", &format!("{}/export?format=doc", path(&begun)), None).await.status, 422);

    let other = owner.invite("bert").await;
    assert_eq!(other.get("/api/batches").await["items"], json!([]));
    for (method, rest) in
        [("GET", ""), ("GET", "/rows"), ("POST", "/stop"), ("POST", "/resume"), ("GET", "/export"), ("DELETE", "")]
    {
        assert_eq!(other.call(method, &format!("{}{rest}", path(&begun)), None).await.status, 404, "{method} {rest}");
    }
    owner.do_it("DELETE", &path(&begun)).await;
    assert_eq!(owner.get("/api/batches").await["items"], json!([]));
}

#[tokio::test]
async fn a_portal_that_was_killed_goes_on_where_it_was_and_asks_no_row_twice_that_is_done() {
    let House { scripted, portal, owner, .. } = House::open().await;
    let sent = table(&owner, &slow(10, 250)).await;
    let asked = json!({ "table": sent, "model": "mock/m", "template": QUESTION, "at_once": 2 });
    let begun = path(&owner.post("/api/batches", &asked).await);
    let before = until(&owner, &begun, |one| one["done"].as_u64().is_some_and(|done| done >= 3)).await;
    let place = portal.place.clone();
    portal.kill().await;

    let mut portal = place.start().await;
    let owner = portal.sign_in("owner").await;
    let after = owner.get(&begun).await;
    assert_eq!(after["state"], "running", "nobody has to tell it: {after}");
    assert!(after["done"].as_u64() >= before["done"].as_u64(), "what is done stays: {after}");
    until(&owner, &begun, |one| one["done"].as_u64().is_some_and(|done| done >= 6)).await;
    // An orderly end, too.
    portal.signal(rustix::process::Signal::TERM);
    portal.ended().await;
    let portal = place.start().await;
    let owner = portal.sign_in("owner").await;
    let done = rests(&owner, &begun).await;
    assert_eq!((&done["state"], &done["done"], &done["failed"]), (&json!("finished"), &json!(10), &json!(0)), "{done}");
    let rows = owner.get(&format!("{begun}/rows")).await;
    let tries: Vec<u64> =
        rows["items"].as_array().expect("rows").iter().filter_map(|row| row["tries"].as_u64()).collect();
    assert_eq!(tries, [1; 10], "each is kept once");
    let completed = scripted.stats().completed;
    assert!((10..=14).contains(&completed), "only what was under way is asked twice: {completed}");
}

#[tokio::test]
async fn one_that_is_stopped_keeps_what_it_has_and_goes_on_when_it_is_told_to() {
    let house = House::open().await;
    let owner = &house.owner;
    let sent = table(owner, &slow(6, 250)).await;
    let asked = json!({ "table": sent, "model": "mock/m", "template": QUESTION, "at_once": 1, "name": "Tickets" });
    let begun = path(&owner.post("/api/batches", &asked).await);
    until(owner, &begun, |one| one["done"] != 0).await;
    assert_eq!(owner.call("POST", &format!("{begun}/resume"), None).await.expect(409)["code"], "conflict");
    owner.do_it("POST", &format!("{begun}/stop")).await;
    let stopped = owner.get(&begun).await;
    assert_eq!((&stopped["state"], &stopped["name"]), (&json!("stopped"), &json!("Tickets")), "{stopped}");
    let kept = stopped["done"].as_u64().expect("a number");
    assert!((1..6).contains(&kept), "{kept}");
    house.scripted.until(|stats| stats.active == 0).await;
    assert_eq!(owner.get(&begun).await["done"], kept, "nothing is asked any more");
    owner.do_it("POST", &format!("{begun}/resume")).await;
    let done = rests(owner, &begun).await;
    assert_eq!((&done["state"], &done["done"]), (&json!("finished"), &json!(6)));
}

#[tokio::test]
async fn a_limit_that_is_reached_pauses_it_with_the_reason_and_leaves_the_rest_waiting() {
    let house = House::open_with("[limits]\ndaily_tokens_per_person = 60\n").await;
    let owner = &house.owner;
    let sent = table(owner, &slow(20, 0)).await;
    let asked = json!({ "table": sent, "model": "mock/m", "template": QUESTION, "at_once": 1, "max_tokens": 9 });
    let begun = path(&owner.post("/api/batches", &asked).await);
    let paused = rests(owner, &begun).await;
    assert_eq!(
        (&paused["state"], &paused["reason"]["code"]),
        (&json!("paused"), &json!("over_daily_limit")),
        "{paused}"
    );
    assert!(paused["done"].as_u64().is_some_and(|done| (1..20).contains(&done)), "{paused}");
    assert_eq!(paused["failed"], 0, "the rows are not to blame: {paused}");
    assert!(owner.used().await <= 60);
}

#[tokio::test]
async fn a_fault_is_a_rows_and_is_asked_again_and_a_model_that_is_gone_is_not_asked_for_every_row() {
    let house = House::open().await;
    let owner = &house.owner;
    let sent = table(owner, "script\nn=1\nstatus=422\nn=2\n").await;
    let asked = json!({ "table": sent, "model": "mock/m", "template": "mock;{{script}}", "at_once": 1 });
    let begun = path(&owner.post("/api/batches", &asked).await);
    let done = rests(owner, &begun).await;
    assert_eq!((&done["state"], &done["done"], &done["failed"]), (&json!("finished"), &json!(2), &json!(1)), "{done}");
    let failed = owner.get(&format!("{begun}/rows?state=failed")).await;
    let row = &failed["items"][0];
    assert_eq!(
        (&row["seq"], &row["failure"]["code"], &row["tries"]),
        (&json!(1), &json!("request_rejected"), &json!(1))
    );
    owner.do_it("POST", &format!("{begun}/retry")).await;
    let done = rests(owner, &begun).await;
    assert_eq!((&done["done"], &done["failed"]), (&json!(2), &json!(1)));
    assert_eq!(owner.get(&format!("{begun}/rows?state=failed")).await["items"][0]["tries"], 2);

    let sent = table(owner, &format!("script\n{}", "status=503\n".repeat(12))).await;
    let asked = json!({ "table": sent, "model": "mock/m", "template": "mock;{{script}}", "at_once": 1 });
    let begun = path(&owner.post("/api/batches", &asked).await);
    let paused = rests(owner, &begun).await;
    assert_eq!((&paused["state"], &paused["failed"]), (&json!("paused"), &json!(5)), "{paused}");
    assert!(paused["reason"]["message"].as_str().is_some_and(|why| !why.is_empty()), "{paused}");
}

#[tokio::test]
async fn files_are_rows_whose_text_stands_before_the_question() {
    let house = House::open().await;
    let owner = &house.owner;
    let first = owner.upload("q1.md", "# Q1\n\nRevenue was 412.5 million.\n".as_bytes()).await;
    let second = owner.upload("q2.md", "# Q2\n\n亏损 4.8 百万元。\n".as_bytes()).await;
    let asked = json!({ "files": [first, second], "model": "mock/m", "template": "Summarise {{file}}." });
    let seen = owner.post("/api/batches/preview", &asked).await;
    assert_eq!((&seen["rows"], &seen["question"]), (&json!(2), &json!("Summarise q1.md.")));
    let begun = path(&owner.post("/api/batches", &asked).await);
    let done = rests(owner, &begun).await;
    assert_eq!((&done["state"], &done["done"]), (&json!("finished"), &json!(2)), "{done}");
    let sent: String =
        house.scripted.seen().iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect();
    for part in ["Revenue was 412.5 million.", "亏损 4.8 百万元。", "Summarise q2.md."] {
        assert!(sent.contains(part), "{part}");
    }

    owner.do_it("DELETE", &format!("/api/files/{second}")).await;
    owner.do_it("POST", &format!("{begun}/resume")).await;
    assert_eq!(rests(owner, &begun).await["done"], 2, "what is done needs its file no more");
    let begun = owner.call("POST", "/api/batches", Some(&asked)).await;
    assert_eq!(begun.status, 404, "a file that is gone is told at once");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_a_reason() {
    let house = House::open().await;
    let owner = &house.owner;
    let sent = table(owner, "n\n1\n").await;
    let empty = owner.upload("a.md", b"nothing like a table").await;
    let good = json!({ "table": sent, "model": "mock/m", "template": "mock;n={{n}}" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let nobody = "01a20846-fe00-76e7-a66b-ec075cd1d05a";
    for (body, status, said) in [
        (with("template", json!("{{m}}")), 422, "there is no column \\\"m\\\"; there are {{n}}"),
        (with("template", json!("all the same")), 422, "names no column"),
        (with("template", json!(" ")), 422, "the question is empty"),
        (with("at_once", json!(9)), 422, "1 to 8 rows"),
        (with("max_tokens", json!(0)), 422, "max_tokens"),
        (with("table", json!(empty)), 422, "no table with a heading"),
        (with("table", json!(nobody)), 404, "file"),
        (with("model", json!("no/such")), 404, "no/such"),
        (with("assistant", json!(nobody)), 404, "assistant"),
        (with("files", json!([sent])), 422, "name one table, or files"),
    ] {
        let refused = owner.call("POST", "/api/batches", Some(&body)).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.text());
        assert!(refused.text().contains(said), "{said}: {}", refused.text());
    }
    assert_eq!(owner.get("/api/batches").await["items"], json!([]), "nothing of it was begun");
    let examples = owner.get("/api/batches/examples").await;
    let slugs: Vec<&Value> = examples["items"].as_array().expect("examples").iter().map(|one| &one["slug"]).collect();
    assert_eq!(slugs, ["ticket-analysis", "report-summaries"]);
    for example in examples["items"].as_array().expect("examples").iter().filter(|one| one["source"] == "table") {
        for words in [&example["en"], &example["zh"]] {
            let sample = words["samples"][0]["text"].as_str().expect("a sample");
            let sent = table(owner, sample).await;
            let asked = json!({ "table": sent, "model": "mock/m", "template": words["template"], "instructions": words["instructions"] });
            let seen = owner.post("/api/batches/preview", &asked).await;
            assert_eq!(seen["rows"], 6, "{seen}");
            assert!(!seen["question"].as_str().expect("a question").contains("{{"), "{seen}");
        }
    }
}
