//! Data sets through the portal's doors: files and rated answers in, looked over, edited, frozen, out again as a trainer reads them.

use serde_json::{Value, json};

use crate::portal::{House, Person, Reply, call};

async fn set(owner: &Person, name: &str) -> String {
    let made = owner.post("/api/datasets", &json!({ "name": name })).await;
    format!("/api/datasets/{}", made["id"].as_str().expect("an id"))
}

async fn import(owner: &Person, set: &str, query: &str, bytes: &[u8]) -> Reply {
    call(owner.address, "POST", &format!("{set}/import?{query}"), &[("cookie", &owner.cookie)], bytes).await
}

fn texts(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|one| one["messages"].as_array().and_then(|all| all.last()).expect("an answer")["content"].to_string())
        .collect()
}

#[tokio::test]
async fn a_file_is_previewed_taken_in_looked_over_and_frozen() {
    let house = House::open().await;
    let owner = &house.owner;
    let set = set(owner, "客服").await;
    let again = owner.call("POST", "/api/datasets", Some(&json!({ "name": "客服" }))).await;
    assert_eq!(again.expect(409)["code"], "conflict");
    let csv = "问题,答案\n几点开门？,九点。\n电话是多少？,请打 13800138000 找前台。\n几点开门？,九点。\n没有答案,\n";
    let looked = import(owner, &set, "name=faq.csv&dry_run=true", csv.as_bytes()).await.expect(200);
    let told = |it: &Value| json!([it["format"], it["found"], it["added"], it["duplicates"], it["faulty"]]);
    assert_eq!(told(&looked), json!(["csv", 3, 2, 1, 1]), "{looked}");
    assert_eq!(looked["faults"][0], json!({ "line": 5, "code": "empty", "message": "a message is empty" }));
    assert_eq!(looked["shown"][1]["issues"], json!(["phone"]));
    assert_eq!(owner.get(&set).await["examples"], 0, "a look stores nothing");

    let done = import(owner, &set, "name=faq.csv", csv.as_bytes()).await.expect(200);
    assert_eq!(told(&done), told(&looked));
    let page = owner.get(&format!("{set}/examples")).await;
    assert_eq!((&page["total"], &page["issues"]), (&json!(2), &json!({ "phone": 1 })), "{page}");
    assert_eq!((&page["items"][1]["source"], &page["items"][1]["origin"]), (&json!("file"), &json!("faq.csv:3")));
    assert_eq!(texts(&owner.get(&format!("{set}/examples?find=%E5%89%8D%E5%8F%B0")).await).len(), 1);

    let masked = owner.post(&format!("{set}/examples/mask"), &json!({ "issue": "phone" })).await;
    assert_eq!(masked["count"], 1);
    let page = owner.get(&format!("{set}/examples?limit=1&offset=1")).await;
    assert_eq!(texts(&page), ["\"请打 [phone] 找前台。\""]);
    owner.call("PATCH", &set, Some(&json!({ "held_out": 0 }))).await.expect(200);
    let frozen = owner.post(&format!("{set}/versions"), &json!({ "note": "first" })).await;
    assert_eq!((&frozen["version"], &frozen["trained"], &frozen["held_out"]), (&json!(1), &json!(2), &json!(0)));

    let one = page["items"][0]["id"].as_str().expect("an id");
    let edit =
        json!({ "messages": [{ "role": "user", "content": "Where?" }, { "role": "assistant", "content": "There." }] });
    owner.call("PATCH", &format!("{set}/examples/{one}"), Some(&edit)).await.expect(204);
    let flawed = json!({ "messages": [{ "role": "user", "content": "Where?" }] });
    let refused = owner.call("PATCH", &format!("{set}/examples/{one}"), Some(&flawed)).await.expect(422);
    assert_eq!((&refused["code"], &refused["params"]["flaw"]), (&json!("example_flawed"), &json!("no_answer")));
    let export = |query: &str| {
        let path = format!("{set}/export{query}");
        async move { owner.call("GET", &path, None).await.text() }
    };
    let first = r#"{"messages":[{"role":"user","content":"几点开门？"},{"role":"assistant","content":"九点。"}]}"#;
    let second = r#"{"messages":[{"role":"user","content":"电话是多少？"},{"role":"assistant","content":"请打 [phone] 找前台。"}]}"#;
    let edited = r#"{"messages":[{"role":"user","content":"Where?"},{"role":"assistant","content":"There."}]}"#;
    assert_eq!(export("?version=1").await, format!("{first}\n{second}\n"), "a version stays");
    assert_eq!(export("").await, format!("{first}\n{edited}\n"));
    assert_eq!(export("?version=1&side=held_out").await, "");

    let removed = owner.post(&format!("{set}/examples/remove"), &json!({ "ids": [one] })).await;
    assert_eq!(removed["count"], 1);
    owner.post(&format!("{set}/examples/restore"), &json!({ "ids": removed["ids"] })).await;
    let left_out = json!({ "included": false });
    owner.call("PATCH", &format!("{set}/examples/{one}"), Some(&left_out)).await.expect(204);
    assert_eq!(export("").await, format!("{first}\n"), "what is left out is not exported");
    assert_eq!(owner.get(&format!("{set}/examples")).await["left_out"], 1);
    owner.do_it("DELETE", &set).await;
    assert_eq!(owner.call("GET", &set, None).await.status, 404);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_says_why_and_nobody_else_reads_a_set() {
    let house = House::open().await;
    let owner = &house.owner;
    let set = set(owner, "a").await;
    let gbk = import(owner, &set, "name=a.csv", b"\xce\xca\xcc\xe2,\xb4\xf0\xb0\xb8\n").await.expect(422);
    assert_eq!((&gbk["code"], &gbk["params"]["likely"]), (&json!("not_utf8"), &json!("GBK")));
    let columns = import(owner, &set, "name=a.csv", b"x,y\n1,2").await.expect(422);
    assert_eq!((&columns["code"], &columns["params"]["named"]), (&json!("no_columns"), &json!("x, y")));
    assert_eq!(import(owner, &set, "name=a.csv&format=doc", b"x").await.expect(422)["params"]["field"], "format");
    assert_eq!(
        owner.call("POST", &format!("{set}/versions"), Some(&json!({}))).await.expect(422)["code"],
        "nothing_to_learn"
    );
    let many = owner.call("PATCH", &set, Some(&json!({ "held_out": 51 }))).await;
    assert_eq!(many.expect(422)["params"]["field"], "held_out");
    let missing = owner.call("GET", &format!("{set}/examples?version=3"), None).await;
    assert_eq!(missing.status, 404);
    let lin = owner.invite("lin").await;
    for path in [
        "/api/datasets",
        set.as_str(),
        &format!("{set}/examples"),
        &format!("{set}/export"),
        &format!("{set}/versions"),
    ] {
        assert_eq!(lin.call("GET", path, None).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn rated_and_corrected_answers_become_examples_by_leave() {
    let house = House::open().await;
    let (owner, lin) = (&house.owner, house.owner.invite("lin").await);
    let first = lin.ask_and_wait("mock;n=2").await;
    let second = lin.ask_on(&first, "mock;n=3").await;
    lin.events(&second.turn).await;
    let rate = |answer: &str, body: Value| {
        let path = format!("/api/messages/{answer}/rating");
        let lin = lin.clone();
        async move { lin.call("PUT", &path, Some(&body)).await.expect(204) }
    };
    rate(&first.answer, json!({ "verdict": "good" })).await;
    let corrected =
        json!({ "verdict": "bad", "reasons": ["wrong"], "note": "不对", "correction": " 是三。 ", "shared": true });
    rate(&second.answer, corrected).await;
    let path = format!("/api/messages/{}/rating", first.question);
    assert_eq!(lin.call("PUT", &path, Some(&json!({ "verdict": "good" }))).await.status, 409);
    let shown = lin.message(&second.conversation, &second.answer).await["rating"].clone();
    assert_eq!(
        (&shown["verdict"], &shown["correction"], &shown["shared"]),
        (&json!("bad"), &json!("是三。"), &json!(true))
    );

    let set = set(owner, "rated").await;
    let everything = json!({ "good": true, "corrected": true });
    let collected = owner.post(&format!("{set}/collect"), &everything).await;
    assert_eq!((&collected["found"], &collected["added"]), (&json!(1), &json!(1)), "only what was shared: {collected}");
    let page = owner.get(&format!("{set}/examples")).await;
    let example = &page["items"][0];
    assert_eq!((&example["source"], &example["origin"]), (&json!("corrected"), &json!(second.answer)));
    let said: Vec<_> =
        example["messages"].as_array().expect("messages").iter().map(|one| one["content"].clone()).collect();
    assert_eq!(
        (said.len(), &said[0], &said[3]),
        (4, &json!("mock;n=2"), &json!("是三。")),
        "with what was said before"
    );
    assert_eq!(owner.post(&format!("{set}/collect"), &everything).await["duplicates"], 1);

    rate(&first.answer, json!({ "verdict": "good", "shared": true })).await;
    lin.do_it("DELETE", &format!("/api/messages/{}/rating", second.answer)).await;
    let again = owner.post(&format!("{set}/collect"), &everything).await;
    assert_eq!(
        (&again["found"], &again["added"], &again["shown"][0]["messages"][0]["content"]),
        (&json!(1), &json!(1), &json!("mock;n=2"))
    );
}

#[cfg(not(feature = "engine"))]
#[tokio::test]
async fn who_cannot_train_is_told_so_and_nobody_else_sees_the_jobs() {
    let house = House::open().await;
    let owner = &house.owner;
    let set = set(owner, "a").await;
    let told = owner.get("/api/training").await;
    assert_eq!((&told["can_train"], &told["jobs"]), (&json!(false), &json!([])));
    let dataset = set.rsplit('/').next();
    let mut order = json!({ "name": "a", "model": "none", "dataset": dataset, "version": 1, "rank": 8, "alpha": 16, "learning_rate": 0.001, "epochs": 3 });
    let refused = owner.call("POST", "/api/training/jobs", Some(&order)).await;
    assert_eq!(refused.expect(409)["code"], "trainer_absent");
    order["name"] = json!(" ");
    assert_eq!(owner.call("POST", "/api/training/jobs", Some(&order)).await.expect(422)["params"]["field"], "name");
    let nobody = "/api/training/jobs/01a20846-fe00-76e7-a66b-ec075cd1d05a";
    for (method, path) in
        [("GET", nobody.to_owned()), ("POST", format!("{nobody}/stop")), ("DELETE", nobody.to_owned())]
    {
        assert_eq!(owner.call(method, &path, None).await.status, 404, "{path}");
    }
    let lin = owner.invite("lin").await;
    assert_eq!(lin.call("GET", "/api/training", None).await.status, 403);
}
