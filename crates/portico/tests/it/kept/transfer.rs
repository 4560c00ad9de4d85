//! A conversation as a file, out of one portal and into another, whatever database is below.

use models::testing::Scripted;
use serde_json::{Value, json};

use crate::portal::{House, Place};

async fn exported(house: &House, conversation: &str) -> Value {
    let path = format!("/api/conversations/{conversation}/export?format=json");
    let reply = house.owner.call("GET", &path, None).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(reply.header("content-disposition").is_some_and(|value| value.starts_with("attachment; filename=")));
    reply.expect(200)
}

/// What two exports must share: everything but the ids and the moment of the import.
fn essence(export: &Value) -> Value {
    let messages = export["messages"].as_array().expect("messages");
    let place = |id: &Value| messages.iter().position(|message| message["id"] == *id);
    let plain = messages.iter().map(|message| {
        let mut plain = message.clone();
        plain["parent"] = json!(place(&message["parent"]));
        for name in ["id", "turn", "conversation"] {
            plain.as_object_mut().expect("an object").remove(name);
        }
        plain
    });
    json!({ "title": export["conversation"]["title"], "messages": plain.collect::<Vec<_>>() })
}

async fn a_tree(house: &House) -> String {
    let first = house.owner.ask_and_wait("mock;n=2").await;
    let second = house.owner.ask_on(&first, "mock;n=3;fault=reasoning").await;
    house.owner.events(&second.turn).await;
    let again = house.owner.ask_with(json!({ "conversation": first.conversation, "regenerate": first.question })).await;
    house.owner.events(&again.turn).await;
    first.conversation
}

#[tokio::test]
async fn an_export_is_read_back_as_the_same_tree() {
    let house = House::open().await;
    let conversation = a_tree(&house).await;
    let export = exported(&house, &conversation).await;
    let copy = house.owner.post("/api/conversations/import", &export).await;
    let copied = copy["id"].as_str().expect("an id");
    assert_ne!(copied, conversation, "beside the one that is there");
    assert_eq!(essence(&exported(&house, copied).await), essence(&export));

    let markdown =
        house.owner.call("GET", &format!("/api/conversations/{conversation}/export?format=markdown"), None).await;
    assert_eq!(markdown.status, 200);
    assert!(markdown.text().starts_with("# mock;n=2\n") && markdown.text().contains("## Assistant / 助手 (mock/m)"));
    let problem = house.owner.call("GET", &format!("/api/conversations/{conversation}/export?format=pdf"), None).await;
    assert_eq!(problem.expect(422)["params"]["field"], "format");
    let broken = json!({ "conversation": {}, "messages": [] });
    assert_eq!(house.owner.call("POST", "/api/conversations/import", Some(&broken)).await.status, 422);
}

#[tokio::test]
async fn an_export_is_the_same_from_postgresql() {
    let Ok(url) = std::env::var("PORTICO_TEST_POSTGRES") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "PORTICO_TEST_POSTGRES has to be set where CI=true");
        println!("skipped on PostgreSQL: PORTICO_TEST_POSTGRES is not set");
        return;
    };
    let laptop = House::open().await;
    let conversation = a_tree(&laptop).await;
    let path = format!("/api/conversations/{conversation}/export?format=json");
    let export = laptop.owner.call("GET", &path, None).await.body;

    // The whole house moves while it runs, from the file into the other database: byte for byte the same file comes out.
    let backup = laptop.portal.place.data().join("house.backup");
    let backup = backup.to_str().expect("UTF-8");
    run(laptop.portal.place.command(&["backup", backup])).await;
    let url = schema(&url, "moved").await;
    let place = Place::new(&laptop.scripted, &format!("[database]\nurl = \"{url}\""));
    run(place.command(&["restore", backup, "--database", &url])).await;
    let company = place.start().await;
    let owner = company.sign_in("owner").await;
    assert_eq!(owner.call("GET", &path, None).await.body, export);

    // A lone file moves into a house that has it not: the same but for when and by whom.
    let scripted = Scripted::start().await;
    let url = schema(&url, "alone").await;
    let place = Place::new(&scripted, &format!("[database]\nurl = \"{url}\""));
    let other = House::at(scripted, &place).await;
    let export: Value = serde_json::from_slice(&export).expect("JSON");
    let moved = other.owner.post("/api/conversations/import", &export).await;
    assert_eq!(moved["id"], json!(conversation), "ids that are free are kept");
    assert_eq!(essence(&exported(&other, &conversation).await), essence(&export));
}

async fn run(mut command: tokio::process::Command) {
    let done = command.output().await.expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A schema of its own on the test server.
pub(crate) async fn schema(url: &str, what: &str) -> String {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    let name = format!("door_{what}_{}", std::process::id());
    let made = tokio::process::Command::new("psql")
        .args([url, "-q", "-c", &format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")])
        .status()
        .await;
    assert!(made.expect("psql").success());
    format!("{url}?options[search_path]={name}")
}
