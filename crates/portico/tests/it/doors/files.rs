//! Files that programs upload: kept for their person, listed page by page, given back as they came, deleted; and what is refused.

use serde_json::{Value, json};

use crate::portal::{House, Key, Reply, call};

const PATH: &str = "/v1/files";

async fn at(key: &Key, method: &str, path: &str) -> Reply {
    let bearer = format!("Bearer {}", key.key);
    call(key.address, method, path, &[("authorization", &bearer)], b"").await
}

/// Uploads `content`, with more fields beside it.
pub(super) async fn upload(key: &Key, name: &str, content: &[u8], fields: &[(&str, &str)]) -> Reply {
    let mut form = Vec::new();
    for (field, value) in fields {
        form.extend(format!("--b\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").bytes());
    }
    form.extend(format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n").bytes());
    form.extend(content);
    form.extend(b"\r\n--b--\r\n");
    let bearer = format!("Bearer {}", key.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=b")];
    call(key.address, "POST", PATH, &headers, &form).await
}

pub(super) fn id(file: &Value) -> String {
    file["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_file_comes_back_as_it_went_and_is_its_persons() {
    let house = House::open().await;
    // More than one piece, and bytes that are no text.
    let content: Vec<u8> = (0..600_000u32).flat_map(|n| n.to_le_bytes()).take(600_001).collect();
    let made = upload(&house.key, "会议/记录.bin", &content, &[("purpose", "user_data")]).await.expect(200);
    let mut known = made.clone();
    assert!(known["created_at"].as_i64().is_some_and(|at| at > 1_700_000_000));
    (known["id"], known["created_at"]) = (Value::Null, Value::Null);
    let expected = json!({ "id": null, "object": "file", "bytes": 600_001, "created_at": null, "expires_at": null,
        "filename": "会议/记录.bin", "purpose": "user_data", "status": "processed" });
    assert_eq!(known, expected);
    let path = format!("{PATH}/{}", id(&made));
    assert_eq!(at(&house.key, "GET", &path).await.expect(200), made);
    let got = at(&house.key, "GET", &format!("{path}/content")).await;
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/octet-stream")));
    assert_eq!(
        (got.header("content-disposition"), got.header("x-content-type-options")),
        (Some("attachment"), Some("nosniff"))
    );
    assert!(got.body == content, "{} bytes came back", got.body.len());

    let other = house.owner.invite("ben").await.key().await;
    for (method, path) in [("GET", path.clone()), ("DELETE", path.clone()), ("GET", format!("{path}/content"))] {
        assert_eq!(at(&other, method, &path).await.expect(404)["error"]["code"], "not_found");
    }
    assert_eq!(at(&other, "GET", PATH).await.expect(200)["data"], json!([]));
    let deleted = json!({ "id": id(&made), "object": "file", "deleted": true });
    assert_eq!(at(&house.key, "DELETE", &path).await.expect(200), deleted);
    for path in [path.clone(), format!("{path}/content")] {
        at(&house.key, "GET", &path).await.expect(404);
    }
    at(&house.key, "DELETE", &path).await.expect(404);
    let empty = upload(&house.key, "empty", b"", &[("purpose", "batch")]).await.expect(200);
    let got = at(&house.key, "GET", &format!("{PATH}/{}/content", id(&empty))).await;
    assert_eq!((got.status, got.body.len()), (200, 0));
}

#[tokio::test]
async fn files_are_listed_page_by_page() {
    let house = House::open().await;
    let mut ids = Vec::new();
    for (name, purpose) in [("a", "batch"), ("b", "vision"), ("c", "batch"), ("d", "batch")] {
        ids.push(id(&upload(&house.key, name, b"x", &[("purpose", purpose)]).await.expect(200)));
    }
    let names = |page: &Value| -> String {
        page["data"].as_array().expect("a list").iter().map(|file| file["filename"].as_str().expect("a name")).collect()
    };
    for (query, expected, more) in [
        (String::new(), "dcba", false),
        ("?order=asc".into(), "abcd", false),
        ("?limit=2".into(), "dc", true),
        (format!("?limit=2&after={}", ids[2]), "ba", false),
        (format!("?limit=1&order=asc&after={}", ids[1]), "c", true),
        ("?purpose=vision".into(), "b", false),
        ("?purpose=batch&limit=2&order=asc".into(), "ac", true),
    ] {
        let page = at(&house.key, "GET", &format!("{PATH}{query}")).await.expect(200);
        assert_eq!((names(&page).as_str(), page["has_more"].as_bool()), (expected, Some(more)), "{query}");
        assert_eq!(page["first_id"], page["data"][0]["id"]);
    }
    for (query, status, param) in [
        ("limit=0", 400, "limit"),
        ("limit=many", 422, "query"),
        ("order=up", 400, "order"),
        ("purpose=fun", 400, "purpose"),
        ("after=nobody", 404, "file_id"),
    ] {
        let told = at(&house.key, "GET", &format!("{PATH}?{query}")).await.expect(status);
        assert_eq!(told["error"]["param"], param, "{told}");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_in_words() {
    let house = House::open_with("[limits]\nbody_bytes = 2000").await;
    let anchored = [("purpose", "user_data"), ("expires_after[anchor]", "created_at")];
    for (fields, param) in [
        (vec![], "purpose"),
        (vec![("purpose", "fun")], "purpose"),
        (anchored.to_vec(), "expires_after"),
        ([anchored.as_slice(), &[("expires_after[seconds]", "60")]].concat(), "expires_after"),
        (vec![("purpose", "user_data"), ("expires_after[seconds]", "3600")], "expires_after"),
    ] {
        let told = upload(&house.key, "a", b"x", &fields).await.expect(400);
        assert_eq!((&told["error"]["type"], &told["error"]["param"]), (&json!("invalid_request_error"), &json!(param)));
    }
    let told = upload(&house.key, "a", &[0; 2000], &[("purpose", "user_data")]).await.expect(413);
    let sentence = "the file is too large: with its form it may have 2000 bytes; send less, or raise limits.body_bytes";
    assert_eq!((&told["error"]["message"], &told["error"]["code"]), (&json!(sentence), &json!("body_too_large")));
    let no_form = house.key.post(PATH, &json!({ "purpose": "batch" })).await.expect(400);
    assert_eq!(no_form["error"]["message"], "body: must be multipart/form-data");
    call(house.key.address, "GET", PATH, &[], b"").await.expect(401);

    let hour = [anchored.as_slice(), &[("expires_after[seconds]", "3600")]].concat();
    let made = upload(&house.key, "a", b"x", &hour).await.expect(200);
    let (made_at, end) = (made["created_at"].as_i64().expect("a time"), made["expires_at"].as_i64().expect("a time"));
    assert!((3_600..=3_601).contains(&(end - made_at)), "{made}");
}
