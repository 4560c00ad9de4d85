//! Case 34: the configuration read again while answers are under way.

use models::testing::Scripted;
use rustix::process::Signal;

use crate::portal::{House, chat};

const IN_FORCE: &str = "the configuration file was read again: providers, aliases and limits are in force";

#[tokio::test]
async fn case_34_a_request_keeps_what_it_began_with_and_the_next_one_has_the_new() {
    let house = House::open_with("[limits]\nbody_bytes = 50000").await;
    let other = Scripted::start_with("n=2").await;
    let mut wire = house.key.stream("n=20;itl=30").await;
    wire.piece().await.expect("the first word");

    house.portal.place.configure(&other, "[limits]\nbody_bytes = 2000\ndaily_tokens_per_person = 2000");
    house.portal.signal(Signal::HUP);
    house.portal.logged(IN_FORCE).await;

    assert_eq!(house.key.ask("").await.expect(200)["choices"][0]["message"]["content"], "t0 t1 ");
    let mut long = chat("", false);
    long["messages"][0]["content"] = "x".repeat(3_000).into();
    let error = house.key.post("/v1/chat/completions", &long).await.expect(413);
    assert_eq!(error["error"]["code"], "body_too_large");

    let heard = wire.hear().await;
    assert!(heard.is_done() && heard.text().ends_with("t19 "), "{}", heard.wire());
    assert_eq!((house.scripted.stats().requests, other.stats().requests), (1, 1));
    assert_eq!(house.owner.get("/api/me/usage").await["limit"], 2_000);
}

#[tokio::test]
async fn case_34_a_bad_file_keeps_the_last_good_one_and_says_which_line_is_wrong() {
    let house = House::open().await;
    house.portal.place.write("listen = \"127.0.0.1:0\"\n[limits]\nbody_bites = 5\n");
    house.portal.signal(Signal::HUP);
    let log = house.portal.logged("the last good one stays in force").await;
    assert!(log.contains("portico.toml:3:1: unknown key `limits.body_bites`"), "{log}");
    assert!(log.contains("did you mean `body_bytes`?"), "{log}");
    assert!(house.key.hear("").await.is_done());

    house.portal.place.configure(&house.scripted, "listen = \"127.0.0.1:1\"\n[retries]\nbefore_first_token = 7");
    house.portal.signal(Signal::HUP);
    let log = house.portal.logged(IN_FORCE).await;
    assert!(log.contains("retries with the next start"), "what cannot change while it runs is named: {log}");
    assert!(house.key.hear("").await.is_done());
}
