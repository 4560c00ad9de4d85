//! The file analyser: its manifest as it stands, a file on its way through it, and what a question sets off.

use domain::Attachment;
use serde_json::json;

use crate::service::Service;
use crate::{House, analyzer, order};

pub(crate) fn pdf() -> Attachment {
    Attachment {
        name: "合同 \"v2\".pdf".into(),
        media_type: "application/pdf".into(),
        bytes: b"%PDF-1.7 portico-file-0".to_vec().into(),
    }
}

#[tokio::test]
async fn the_manifest_installs_as_it_stands_and_a_file_goes_through_it() {
    let (house, service) = (House::open().await, Service::start().await);
    let made = house.install(analyzer(&format!("{}/file", service.url))).await;
    let told: Vec<String> = made.grants.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["read:files", "net:127.0.0.1"]);
    assert_eq!((made.manifest.title.as_str(), made.manifest.icon.as_str()), ("文件分析助手", "📄"));
    assert!(made.unreachable.is_none() && made.enabled);
    assert!(house.gateway.offered(&house.admin).is_empty(), "no model is offered what only a file sets off");

    let answered = house.gateway.consult(&house.admin, None, "what is in it?", &[pdf()]).await;
    assert_eq!(answered.len(), 1);
    let sent = service.seen();
    let lines: Vec<&str> = sent.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(lines, ["POST /file/upload", "POST /file/extract"]);
    let form = String::from_utf8_lossy(&sent[0].body);
    let expected = "--portico-file-1\r\ncontent-disposition: form-data; name=\"file\"; filename=\"合同 %22v2%22.pdf\"\r\n\
                    content-type: application/pdf\r\n\r\n%PDF-1.7 portico-file-0\r\n--portico-file-1--\r\n";
    assert_eq!(form, expected, "a boundary that is not in the file");
    assert_eq!(sent[1].body, json!({ "file_id": format!("f-{}", form.len()) }).to_string());
    assert_eq!(answered[0].text, format!("甲方：某公司 (\"f-{}\")", form.len()));
    let line = house.log("file-analyzer").await.remove(0);
    assert_eq!((line.tool.as_str(), line.outcome.as_str()), ("file-analyzer__analyze", "done"));
    assert!(line.sent.contains("\"bytes\":23") && !line.sent.contains("%PDF"), "no bytes in the log: {}", line.sent);
}

#[tokio::test]
async fn nobody_at_its_address_is_told_and_no_reason_to_refuse_it() {
    let house = House::open().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let free = listener.local_addr().expect("an address");
    drop(listener);
    let made = house.install(analyzer(&format!("http://{free}/file"))).await;
    let flaw = made.unreachable.expect("nobody is there");
    assert!(flaw.message.starts_with(&format!("http://{free}/file/upload: ")), "{}", flaw.message);
    let answered = house.gateway.consult(&house.admin, None, "", &[pdf()]).await;
    assert_eq!(answered[0].step.error.as_deref(), Some("unreachable"));
}

#[tokio::test]
async fn triggers_choose_by_type_and_by_pattern_in_the_order_of_installing() {
    let (house, service) = (House::open().await, Service::start().await);
    let manifest = json!({
        "id": "invoices", "name": "发票识别", "permissions": ["read:files"],
        "api": { "baseUrl": format!("{}/file", service.url), "endpoints": { "upload": "/upload", "analyze": "/extract" } },
        "triggers": [
            { "on": "file.uploaded", "types": ["image/*", ".PDF"] },
            { "on": "message", "pattern": "发票|invoice \\d+", "endpoint": "/lookup" }
        ]
    });
    house.install(order(manifest)).await;
    let consulted = async |question: &str, files: &[Attachment]| {
        house.gateway.consult(&house.admin, None, question, files).await;
        service.lines()
    };
    let text = Attachment { name: "a.txt".into(), media_type: "text/plain".into(), bytes: "a".into() };
    let picture = Attachment { name: "a".into(), media_type: "image/png; q=1".into(), bytes: "a".into() };
    assert!(consulted("hello", &[text]).await.is_empty());
    assert_eq!(consulted("", &[picture]).await, ["POST /file/upload", "POST /file/extract"]);
    assert_eq!(consulted("where is invoice 77?", &[]).await, ["POST /file/lookup"]);
    assert_eq!(consulted("发票金额", &[pdf()]).await, ["POST /file/upload", "POST /file/extract", "POST /file/lookup"]);
}
