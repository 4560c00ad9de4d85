//! Plugins of the house that read files: invoices and contracts through the gateway, with the reader of files as it is; what they may
//! not read, and what they say where there is nothing to read.

use std::sync::Arc;

use ::documents::{Area, Block, Kind, Out};
use domain::{Attachment, BoxFuture, ToolPart, Unread};
use serde_json::{Value, json};
use tools::{As, Change, Documents, Ground, Permission, Piece};

use crate::{House, order, preset};

/// The reader of files without its process.
#[derive(Debug)]
struct Reader;

impl Documents for Reader {
    fn read<'a>(&'a self, file: &'a Attachment, how: As) -> BoxFuture<'a, Result<Vec<Piece>, Unread>> {
        Box::pin(async move {
            let mut pieces = Vec::new();
            let mut take = |block: Block| {
                let area = block.area.map(|Area(x0, y0, x1, y1)| [x0, y0, x1, y1]);
                let heading = matches!(block.kind, Kind::Heading { .. });
                let item = matches!(block.kind, Kind::ListItem { .. });
                let rows = if let Kind::Table { rows } = block.kind { rows } else { Vec::new() };
                pieces.push(Piece { page: block.page, text: block.text, area, heading, item, rows });
                Ok(())
            };
            let extract = if how == As::Lines { ::documents::extract_lines } else { ::documents::extract };
            let done = extract(file.bytes.to_vec(), &mut Out::new(&mut take));
            done.map_err(|error| Unread { code: "file_damaged", reason: error.to_string() })?;
            Ok(pieces)
        })
    }
}

fn file(name: &str, bytes: Vec<u8>) -> Attachment {
    Attachment { name: name.into(), media_type: "application/octet-stream".into(), bytes: bytes.into() }
}

fn invoice(name: &str) -> Attachment {
    let path = format!("{}/tests/fixtures/invoices/{name}.pdf", env!("CARGO_MANIFEST_DIR"));
    file(&format!("{name}.pdf"), std::fs::read(&path).expect(&path))
}

async fn with(plugin: &str) -> House {
    let house = House::on(Ground { documents: Some(Arc::new(Reader)), ..Ground::default() }).await;
    house.install(order(preset(plugin))).await;
    house
}

fn tables(parts: &[ToolPart]) -> Vec<(&[String], &[Vec<Value>])> {
    let tables = parts.iter().filter_map(|part| match part {
        ToolPart::Table { columns, rows, .. } => Some((columns.as_slice(), rows.as_slice())),
        _ => None,
    });
    tables.collect()
}

#[tokio::test]
async fn invoices_come_back_as_fields_lines_and_checks() {
    let house = with("invoice-fields").await;
    let files = vec![invoice("special"), invoice("wrong"), file("note.txt", b"nothing".to_vec())];
    let all = house.answered("invoice-fields", &json!({ "language": "en" }), files.clone()).await;
    assert_eq!(all.step.error, None, "{}", all.text);
    assert!(
        all.text.starts_with("special.pdf: 15 checks passed, 0 failed, 0 could not be made\nfield | value"),
        "{}",
        all.text
    );
    assert!(
        all.text.contains("wrong.pdf: ") && all.text.contains("note.txt: no fields of a VAT invoice were found"),
        "{}",
        all.text
    );
    let found = tables(&all.step.parts);
    assert_eq!(found.len(), 6);
    assert_eq!(found[0].0, ["field", "value", "page", "place", "as written"]);
    assert!(
        found[0].1.iter().any(|row| row[0] == "number" && row[1] == "01234567" && row[2] == 1 && row[3].is_string()),
        "{:?}",
        found[0].1
    );
    assert_eq!((found[1].1.len(), &found[1].1[1][6]), (4, &json!("-6,000.00")));
    assert!(found[5].1.iter().any(|row| row[1] == "fail"), "{:?}", found[5].1);

    let one = house.answered("invoice-fields", &json!({ "file": "wrong" }), files).await;
    assert!(one.text.contains("不符") && !one.text.contains("special"), "{}", one.text);
    let none = house.answered("invoice-fields", &json!({}), Vec::new()).await;
    assert_eq!(none.step.error.as_deref(), Some("tool_failed"));
    let damaged = house.answered("invoice-fields", &json!({}), vec![file("a.pdf", b"%PDF-1.7 cut".to_vec())]).await;
    assert!(damaged.text.starts_with("it failed: a.pdf: ") || damaged.text.contains("a.pdf: "), "{}", damaged.text);
    let log = house.log("invoice-fields").await;
    assert!(log.iter().all(|line| !line.sent.contains("PDF-1.7")), "no bytes in the log");
}

#[tokio::test]
async fn who_may_not_read_files_reads_none_and_who_may_not_write_leaves_none() {
    let house = with("contract-diff").await;
    let files = || {
        vec![
            file("v1.txt", "第一条 总价10元。\n\n甲方付款。".into()),
            file("v2.txt", "第一条 总价12元。\n\n甲方付款。".into()),
        ]
    };
    let both = house.answered("contract-diff", &json!({ "language": "en" }), files()).await;
    assert!(both.text.contains("amount (第一条): 10元 → 12元"), "{}", both.text);
    let written = both
        .step
        .parts
        .iter()
        .filter(|part| matches!(part, ToolPart::File { name, .. } if name == "contract-comparison.docx"))
        .count();
    assert_eq!(written, 1);
    let swapped =
        house.answered("contract-diff", &json!({ "old": "v2", "new": "v1", "language": "en" }), files()).await;
    assert!(swapped.text.contains("12元 → 10元"), "{}", swapped.text);
    let same = house.answered("contract-diff", &json!({ "old": "v2", "new": "v2.txt" }), files()).await;
    assert_eq!(same.step.error.as_deref(), Some("arguments_invalid"), "{}", same.text);
    let one = house.answered("contract-diff", &json!({}), files().split_off(1)).await;
    assert!(one.text.contains("two files are needed"), "{}", one.text);

    let grant = |grants: &[Permission]| Change { grants: Some(grants.iter().cloned().collect()), ..Change::default() };
    house.gateway.change(&house.admin, "contract-diff", grant(&[Permission::ReadFiles])).await.expect("changed");
    let kept = house.answered("contract-diff", &json!({}), files()).await;
    assert!(kept.text.contains("write:files was not granted"), "{}", kept.text);
    assert!(kept.step.parts.iter().all(|part| !matches!(part, ToolPart::File { .. })));
    house.gateway.change(&house.admin, "contract-diff", grant(&[])).await.expect("changed");
    let blind = house.answered("contract-diff", &json!({}), files()).await;
    assert_eq!(blind.step.error.as_deref(), Some("not_permitted"), "{}", blind.text);
}
