//! Services that are programs of their own: the ERP of `examples/erp` by its OpenAPI document, and what `portico plugin new` makes.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::{House, order};

/// A Python service that prints its address.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start(script: &Path, arguments: &[&str], token: &str) -> Program {
        let mut command = Command::new("python3");
        command.arg(script).args(arguments).env("ERP_TOKEN", token).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 starts");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("an output")).read_line(&mut url).expect("an address");
        Program { child, url: url.trim().to_owned() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))
}

#[tokio::test]
async fn the_erp_is_installed_by_its_document_and_lists_gets_and_creates() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/erp");
    let data = folder.path().join("erp.db").display().to_string();
    let erp = Program::start(&example.join("erp.py"), &["--port", "0", "--data", &data], "tok-secret");
    let house = House::open().await;
    let document = std::fs::read_to_string(example.join("openapi.json")).expect("the document");
    let mut wanted = order(read(&document));
    wanted.choices.base_url = Some(erp.url.clone());
    wanted.choices.auth = Some(serde_json::from_value(json!({ "type": "bearer" })).expect("an auth"));
    wanted.secrets.insert("token".to_owned(), "tok-secret".to_owned());
    let made = house.install(wanted).await;
    assert!(made.unreachable.is_none());
    let tools: Vec<String> = house.gateway.offered(&house.admin).into_iter().map(|tool| tool.name).collect();
    assert_eq!(tools, ["erp__listOrders", "erp__createOrder", "erp__getOrder", "erp__listStock"]);

    let listed = read(&house.call("erp__listOrders", &json!({ "status": "open" })).await);
    assert_eq!((&listed["orders"][0]["id"], &listed["orders"][0]["total"]), (&json!(1002), &json!(9600.0)));
    assert_eq!(read(&house.call("erp__listOrders", &json!({})).await)["orders"].as_array().map(Vec::len), Some(2));
    let got = read(&house.call("erp__getOrder", &json!({ "id": 1001 })).await);
    assert_eq!((&got["status"], &got["total"]), (&json!("shipped"), &json!(428.0)));
    assert!(house.call("erp__getOrder", &json!({ "id": 7 })).await.contains("there is no order 7"));

    let new =
        |count: u32| json!({ "body": { "customer": "华东医院", "lines": [{ "sku": "PUMP-1", "count": count }] } });
    let created = read(&house.call("erp__createOrder", &new(2)).await);
    assert_eq!((&created["id"], &created["total"], &created["status"]), (&json!(1003), &json!(9600.0), &json!("open")));
    let stock = read(&house.call("erp__listStock", &json!({ "sku": "PUMP-1" })).await);
    assert_eq!(stock["items"][0]["on_hand"], 4);
    // Too many, or not as the document says: nothing is changed.
    assert!(house.call("erp__createOrder", &new(5)).await.contains("5 are asked for and 4 are there"));
    let wrong = json!({ "body": { "customer": "x", "lines": [{ "sku": "PUMP-1" }] } });
    assert!(house.call("erp__createOrder", &wrong).await.contains("body.lines.0.count: it is missing"));
    let unknown =
        json!({ "body": { "customer": "x", "lines": [{ "sku": "NUT-3", "count": 1 }, { "sku": "X", "count": 1 }] } });
    assert!(house.call("erp__createOrder", &unknown).await.contains("there is no item"));
    let stock = read(&house.call("erp__listStock", &json!({})).await);
    let left: Vec<&Value> = stock["items"].as_array().expect("items").iter().map(|item| &item["on_hand"]).collect();
    assert_eq!(left, [500, 320, 4]);
    let log = format!("{:?}", house.log("erp").await);
    assert!(!log.contains("tok-secret"), "{log}");
    drop(erp);
    assert!(house.call("erp__listOrders", &json!({})).await.contains("unreachable"));
}

#[tokio::test]
async fn what_is_scaffolded_passes_its_test_and_installs() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, text) in tools::scaffold("word-count").expect("a name") {
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    let tested = Command::new("python3").args(["-m", "unittest"]).current_dir(folder.path()).output().expect("python3");
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    let service = Program::start(&folder.path().join("service.py"), &["0"], "");
    let manifest = read(&std::fs::read_to_string(folder.path().join("plugin.json")).expect("a manifest"));
    let house = House::open().await;
    // As it is written it is a plugin; only the port is another one here.
    house.gateway.examine(&order(manifest.clone())).expect("understood as it is");
    let mut wanted = order(manifest);
    wanted.choices.base_url = Some(service.url.clone());
    let made = house.install(wanted).await;
    assert!(made.unreachable.is_none(), "{:?}", made.unreachable);
    let answer = house.call("word-count__count", &json!({ "body": { "text": "两个 words" } })).await;
    assert_eq!(read(&answer), json!({ "words": 2, "characters": 8 }));
}
