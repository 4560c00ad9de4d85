//! Adapters through the portal's doors, where no model runs: taken in, uploaded, refused, removed. With a model that does: `e2e/adapters.test.mjs`.

use serde_json::{Value, json};

use super::doors::portal;
use crate::adapters::{adapter, base};
use crate::portal::{Person, Reply, call};

async fn upload(owner: &Person, name: &str, bytes: &[u8]) -> Reply {
    call(owner.address, "PUT", &format!("/api/adapters/{name}"), &[("cookie", &owner.cookie)], bytes).await
}

fn refusal(reply: &Reply) -> (u16, String) {
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    (reply.status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn an_adapter_is_taken_in_and_removed_in_the_portal() {
    let (place, _portal, owner) = portal().await;
    let empty = owner.get("/api/adapters").await;
    assert_eq!((&empty["adapters"], &empty["models"]), (&json!([]), &json!([])));
    let poet = upload(&owner, "poet", &adapter("llama", 64)).await.expect(201);
    let folder = place.data().join("adapters/poet/adapter.gguf");
    let expected = json!({
        "name": "poet", "path": poet["path"], "bytes": adapter("llama", 64).len(), "architecture": "llama", "rank": 2, "alpha": 0.0,
        "matrices": 1, "card": null, "attached": [], "problem": null,
    });
    assert_eq!(poet, expected);
    assert_eq!(std::fs::read(folder).expect("the file"), adapter("llama", 64));

    let lin = owner.invite("lin").await;
    assert_eq!(lin.call("GET", "/api/adapters", None).await.status, 403);
    assert_eq!(refusal(&upload(&owner, "poet", &adapter("llama", 64)).await), (409, "adapter_exists".into()));
    assert_eq!(refusal(&upload(&owner, "tiny", &base()).await), (422, "adapter_refused".into()));
    assert_eq!(refusal(&upload(&owner, "a+b", &adapter("llama", 64)).await), (422, "adapter_bad_name".into()));
    let path = json!({"path": place.data().join("adapters/poet"), "name": "twin"});
    assert_eq!(owner.call("POST", "/api/adapters", Some(&path)).await.expect(201)["name"], "twin");
    let attach = async |body: Value| refusal(&owner.call("POST", "/api/adapters/poet/attach", Some(&body)).await);
    assert_eq!(attach(json!({"model": "tiny"})).await, (404, "not_found".into()));
    assert_eq!(attach(json!({"model": "tiny", "scale": 1000})).await.0, 422);
    for name in ["poet", "twin"] {
        assert_eq!(owner.call("DELETE", &format!("/api/adapters/{name}"), None).await.status, 204);
    }
    assert_eq!(owner.get("/api/adapters").await["adapters"], json!([]));
    assert_eq!(refusal(&owner.call("DELETE", "/api/adapters/poet", None).await), (404, "adapter_not_found".into()));
}
