//! Permissions are enforced: what was not granted, or was taken back, does not happen, and no byte of it leaves.

use std::collections::BTreeSet;

use serde_json::json;
use tools::{Change, Permission};

use crate::files::pdf;
use crate::service::{Service, description};
use crate::{House, analyzer, order};

fn granted(words: &[&str]) -> BTreeSet<Permission> {
    words.iter().map(|word| word.parse().expect("a permission")).collect()
}

fn grants(words: &[&str]) -> Change {
    Change { grants: Some(granted(words)), ..Change::default() }
}

#[tokio::test]
async fn without_read_files_no_byte_of_a_file_is_handed_over() {
    let (house, service) = (House::open().await, Service::start().await);
    let mut wanted = analyzer(&format!("{}/file", service.url));
    wanted.grants = Some(granted(&["net:127.0.0.1"]));
    house.install(wanted).await;
    assert!(house.gateway.consult(&house.admin, None, "", &[pdf()]).await.is_empty());
    let call = domain::ToolCall { id: "1".into(), name: "file-analyzer__analyze".into(), arguments: "{}".into() };
    let answered = house.gateway.call(&house.admin, None, &call, vec![pdf()]).await;
    assert_eq!(answered.step.error.as_deref(), Some("not_permitted"));
    let log = format!("{:?}", house.log("file-analyzer").await);
    assert!(!log.contains("合同"), "not even its name: {log}");
    assert!(service.lines().is_empty());

    house
        .gateway
        .change(&house.admin, "file-analyzer", grants(&["net:127.0.0.1", "read:files"]))
        .await
        .expect("granted");
    assert_eq!(house.gateway.consult(&house.admin, None, "", &[pdf()]).await.len(), 1);
    assert_eq!(service.lines().len(), 2);
    house.gateway.change(&house.admin, "file-analyzer", grants(&["net:127.0.0.1"])).await.expect("taken back");
    assert!(house.gateway.consult(&house.admin, None, "", &[pdf()]).await.is_empty());
    assert!(service.lines().is_empty(), "it is gone with the next call");
}

#[tokio::test]
async fn without_its_host_nothing_leaves_and_more_than_was_asked_for_cannot_be_granted() {
    let (house, service) = (House::open().await, Service::start().await);
    house.install(order(description(&service.url))).await;
    house.gateway.change(&house.admin, "erp-demo", grants(&[])).await.expect("taken back");
    let text = house.call("erp-demo__getOrder", &json!({ "id": 1 })).await;
    assert!(text.contains("net:127.0.0.1, which was not granted"), "{text}");
    assert!(service.lines().is_empty());
    let refused = house.gateway.change(&house.admin, "erp-demo", grants(&["read:files"])).await.expect_err("refused");
    assert_eq!(refused.to_string(), "grants: read:files is not asked for by this plugin, so it cannot be granted");

    let off = Change { enabled: Some(false), ..grants(&["net:127.0.0.1"]) };
    house.gateway.change(&house.admin, "erp-demo", off).await.expect("off");
    assert!(house.gateway.offered(&house.admin).is_empty());
    assert!(house.call("erp-demo__getOrder", &json!({ "id": 1 })).await.contains("tool_not_found"));
    assert!(service.lines().is_empty());
}

#[tokio::test]
async fn private_addresses_behind_a_name_and_metadata_services_are_refused_when_it_is_installed() {
    let house = House::open().await;
    // A name that the system reads as 127.0.0.1, as a name that was rebound would.
    let named = order(description("http://2130706433:9/"));
    let refused = house.refused(named.clone()).await;
    assert!(refused.ends_with("127.0.0.1 is not a public address, and private ones were not allowed"), "{refused}");
    let mut allowed = named;
    allowed.choices.private = true;
    assert!(house.install(allowed).await.unreachable.is_some(), "allowed; nobody listens there");
    for url in [
        "http://169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://100.100.100.200/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
    ] {
        let mut metadata = order(description(url));
        metadata.choices.name = Some("metadata".into());
        metadata.choices.private = true;
        let refused = house.refused(metadata).await;
        assert!(refused.contains("may not be contacted"), "{url}: {refused}");
    }
    for url in
        ["file:///etc/passwd", "gopher://127.0.0.1/", "http://user:pw@example.com/", "ftp://example.com", "example.com"]
    {
        let refused = house.refused(order(description(url))).await;
        assert!(refused.starts_with("servers.0.url: "), "{url}: {refused}");
    }
}

#[tokio::test]
async fn plugins_are_a_tenants_own() {
    let (house, service) = (House::open().await, Service::start().await);
    house.install(order(description(&service.url))).await;
    let mut stranger = house.admin;
    stranger.tenant = "00000000-0000-0000-0000-000000000002".parse().expect("an id");
    assert!(house.gateway.list(&stranger).is_empty() && house.gateway.offered(&stranger).is_empty());
    assert!(house.gateway.change(&stranger, "erp-demo", grants(&[])).await.is_err());
    assert!(house.gateway.remove(&stranger, "erp-demo").await.is_err());
    house.gateway.remove(&house.admin, "erp-demo").await.expect("removed");
    assert!(house.gateway.list(&house.admin).is_empty());
}

#[tokio::test]
async fn another_address_is_closed_until_its_host_is_granted() {
    let (house, service) = (House::open().await, Service::start().await);
    house.install(order(description("http://127.0.0.2:9"))).await;
    let choices =
        tools::Choices { base_url: Some(service.url.replace("127.0.0.1", "localhost")), ..Default::default() };
    let moved = Change { choices: Some(choices.clone()), ..Change::default() };
    let changed = house.gateway.change(&house.admin, "erp-demo", moved.clone()).await.expect("changed");
    assert_eq!((changed.choices, changed.grants), (choices, BTreeSet::new()), "the old host's grant went with it");
    let text = house.call("erp-demo__getOrder", &json!({ "id": 1 })).await;
    assert!(text.contains("net:localhost, which was not granted"), "{text}");
    assert!(service.lines().is_empty());
    let both = Change { grants: Some(granted(&["net:localhost"])), ..moved };
    house.gateway.change(&house.admin, "erp-demo", both).await.expect("granted");
    house.call("erp-demo__getOrder", &json!({ "id": 1 })).await;
    assert_eq!(service.lines(), ["GET /orders/1"]);
    let wrong = tools::Choices { timeout_s: Some(500), ..Default::default() };
    let refused = Change { choices: Some(wrong), ..Change::default() };
    let refused = house.gateway.change(&house.admin, "erp-demo", refused).await.expect_err("refused");
    assert_eq!(crate::flaws(&refused), "timeout_s: a call may take 1 to 120 seconds");
}

#[tokio::test]
async fn whether_a_service_is_there_is_looked_at_within_its_grants_and_calls_nothing() {
    let (house, service) = (House::open().await, Service::start().await);
    house.install(order(description(&service.url))).await;
    let probed = house.gateway.probe(&house.admin, "erp-demo").await.expect("probed");
    assert_eq!(probed.unreachable, None);
    assert!(service.lines().is_empty(), "but for HEAD /");
    house.gateway.change(&house.admin, "erp-demo", grants(&[])).await.expect("taken back");
    let probed = house.gateway.probe(&house.admin, "erp-demo").await.expect("probed");
    assert!(probed.unreachable.expect("closed").message.contains("may not be contacted"));
    assert!(house.gateway.probe(&house.admin, "nobody").await.is_err());
    assert!(house.log("erp-demo").await.is_empty());
}

#[tokio::test]
async fn a_manifest_is_had_from_its_address_within_the_same_rules() {
    let (house, service) = (House::open().await, Service::start().await);
    let read = house.gateway.published(&format!("{}/token", service.url), false).await.expect("JSON");
    assert_eq!(read["access_token"], "tok-123456");
    for (address, why) in [
        (format!("{}/broken", service.url), "url: it failed: status 500"),
        (format!("{}/large", service.url), "url: the answer is larger than 2097152 bytes"),
        (format!("{}/picture", service.url), "url: what is there is no JSON"),
        (format!("{}/away", service.url), "may not be contacted"),
        ("http://169.254.169.254/latest".to_owned(), "may not be contacted"),
        ("http://2130706433:9/".to_owned(), "is not a public address"),
        ("file:///etc/passwd".to_owned(), "url: "),
        ("nonsense".to_owned(), "url: "),
    ] {
        let error = house.gateway.published(&address, false).await.expect_err("refused");
        assert!(crate::flaws(&error).contains(why), "{address}: {}", crate::flaws(&error));
    }
}
