//! Whole contracts, and the document that comes of them.

use std::collections::BTreeSet;
use std::io::Read as _;

use documents::{Block, Out};

use super::*;

fn read(bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut take = |block: Block| {
        let heading = matches!(block.kind, documents::Kind::Heading { .. });
        let rows = if let documents::Kind::Table { rows } = block.kind { rows } else { Vec::new() };
        pieces.push(Piece { page: block.page, text: block.text, heading, rows, ..Piece::default() });
        Ok(())
    };
    documents::extract(bytes.to_vec(), &mut Out::new(&mut take)).unwrap();
    pieces
}

fn lines(text: &str) -> Vec<Piece> {
    text.lines().map(|line| Piece { text: line.to_owned(), ..Piece::default() }).collect()
}

const OLD: &str = "设备采购合同\n甲方：北京示例科技有限公司\n乙方：上海样本设备有限公司\n\
    第一条　甲方向乙方采购服务器12台，总价款为人民币576,000元。\n\
    第二条　乙方应当在本合同生效之日起三十个工作日内将全部设备运至甲方指定地点，并负责安装、调试。\n\
    第三条　甲方应当在验收合格后十五日内支付合同总价的百分之九十五，其余百分之五作为质量保证金。\n\
    第四条　乙方逾期交付的，每逾期一日应当按照逾期部分价款的万分之五向甲方支付违约金。\n\
    第五条　因本合同发生的争议，双方应当协商解决；协商不成的，任何一方可以向甲方所在地人民法院提起诉讼。\n\
    第六条　本合同自2024年5月1日起生效，有效期两年。";
const NEW: &str = "设备采购合同\n甲方：北京示例科技有限公司\n乙方：上海样本设备股份有限公司\n\
    第一条　甲方向乙方采购服务器10台，总价款为人民币480,000元。\n\
    第二条　因本合同发生的争议，双方应当协商解决；协商不成的，任何一方可以向乙方所在地人民法院提起诉讼。\n\
    第三条　乙方应当在本合同生效之日起六十个工作日内将全部设备运至甲方指定地点，并负责安装、调试。\n\
    第四条　甲方应当在验收合格后15日内支付合同总价的95%，其余5%作为质量保证金。\n\
    第五条　双方对履行本合同中知悉的对方商业秘密负有保密义务，该义务在本合同终止后三年内继续有效。\n\
    第六条　本合同自2024年6月1日起生效，有效期两年。";

fn told(old: &str, new: &str, language: Language) -> ToolAnswer {
    let now = Timestamp::from_millisecond(1_795_435_200_000).unwrap();
    let names = ["v1.txt".to_owned(), "v2.txt".to_owned()];
    Compared::of(&lines(old), &lines(new)).answer(&names, "法务 & Co", now, true, language).unwrap()
}

#[test]
fn clauses_are_compared_and_what_counts_is_told_apart() {
    let answer = told(OLD, NEW, Language::Chinese);
    let expected = "v1.txt → v2.txt：5 处修改，1 处新增，1 处删除，1 处移动，0 处仅改编号，2 处相同\n\
        当事人 (乙方): 上海样本设备有限公司 → 上海样本设备股份有限公司\n\
        金额 (第一条): 人民币576,000元 → 人民币480,000元\n";
    assert!(answer.text.starts_with(expected), "{}", answer.text);
    for line in [
        "期限 (第二条 → 第三条): 三十个工作日 → 六十个工作日",
        "日期 (第六条): 2024年5月1日 → 2024年6月1日",
        "第四条 [删除] [-第四条　乙方逾期交付的",
        "第五条 [新增] [+第五条　双方对履行本合同",
        "第五条 → 第二条 [移动] 第[-五-][+二+]条",
        "可以向[-甲-][+乙+]方所在地",
    ] {
        assert!(answer.text.contains(line), "{line}\n{}", answer.text);
    }
    assert!(
        !answer.text.contains("95% →") && !answer.text.contains("百分之九十五 →"),
        "the same share in other words: {}",
        answer.text
    );
}

/// The paragraphs of a document with all its changes accepted, or rejected.
fn settled(docx: &[u8], accepted: bool) -> Vec<String> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(docx)).unwrap();
    let mut xml = String::new();
    zip.by_name("word/document.xml").unwrap().read_to_string(&mut xml).unwrap();
    let (gone, mark) = if accepted { ("w:del", "<w:del ") } else { ("w:ins", "<w:ins ") };
    let mut paragraphs = Vec::new();
    for paragraph in xml.split("<w:p>").skip(1) {
        let (properties, mut rest) = paragraph.split_once("</w:pPr>").unwrap();
        if properties.contains(mark) {
            continue;
        }
        let mut text = String::new();
        while let Some(at) = rest.find('<') {
            rest = &rest[at..];
            if rest.starts_with(&format!("<{gone} ")) {
                rest = rest.split_once(&format!("</{gone}>")).unwrap().1;
                continue;
            }
            let end = rest.find('>').unwrap();
            if rest.starts_with("<w:t ") || rest.starts_with("<w:delText ") {
                let inside = &rest[end + 1..];
                let close = inside.find("</").unwrap();
                text.push_str(&inside[..close]);
            }
            rest = &rest[end + 1..];
        }
        paragraphs.push(text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"));
    }
    paragraphs
}

fn docx(answer: &ToolAnswer) -> Vec<u8> {
    let file = answer.parts.iter().find_map(|part| match part {
        ToolPart::File { data, media_type, .. } => Some((data, media_type)),
        _ => None,
    });
    let (data, media_type) = file.unwrap();
    assert_eq!(media_type, DOCX);
    STANDARD.decode(data).unwrap()
}

#[test]
fn who_accepts_all_changes_has_the_new_text_and_who_rejects_all_the_old() {
    let moved = OLD.lines().rev().collect::<Vec<_>>().join("\n");
    for (old, new) in
        [(OLD, NEW), (NEW, OLD), (OLD, ""), (OLD, "Nothing <of> \"it\" & more.\nTwo"), (OLD, moved.as_str())]
    {
        let bytes = docx(&told(old, new, Language::English));
        let text = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (accepted, rejected) = (settled(&bytes, true), settled(&bytes, false));
        assert_eq!(accepted, text(new));
        let (sorted, wanted): (BTreeSet<String>, BTreeSet<String>) =
            (rejected.into_iter().collect(), text(old).into_iter().collect());
        assert_eq!(sorted, wanted);
    }
}

#[test]
fn the_document_is_well_formed_and_every_change_has_its_own_id_author_and_date() {
    let bytes = docx(&told(OLD, NEW, Language::Chinese));
    // The reader of files is one that has not written it: it sees what is there with the changes accepted.
    let texts: Vec<String> = read(&bytes).into_iter().map(|piece| piece.text).collect();
    assert!(texts.iter().any(|text| text.contains("第五条　双方对履行本合同中知悉的对方商业秘密")), "{texts:?}");
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut xml = String::new();
    zip.by_name("word/document.xml").unwrap().read_to_string(&mut xml).unwrap();
    let mut ids = BTreeSet::new();
    let changes: Vec<&str> =
        xml.split('<').filter(|tag| tag.starts_with("w:ins ") || tag.starts_with("w:del ")).collect();
    for change in &changes {
        let id = change.split("w:id=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(ids.insert(id.to_owned()), "twice: {id}");
        assert!(change.contains("w:author=\"法务 &amp; Co\" w:date=\"2026-11-23T12:00:00Z\""), "{change}");
    }
    assert!(changes.len() > 10, "{}", changes.len());
    assert_eq!(
        xml.matches("<w:ins ").count(),
        xml.matches("</w:ins>").count() + xml.matches("Z\"/></w:rPr>").count() - xml.matches("<w:rPr><w:del ").count()
    );
}

#[test]
fn an_english_contract_and_two_that_are_the_same() {
    let old = "SERVICES AGREEMENT\nThis Agreement is made between Example Ltd (the \"Supplier\") and Sample Inc. (\"Client\").\n\
        1. Fees. The Client shall pay USD 12,000 within thirty (30) days of the invoice.\n\
        2. Term. This Agreement starts on 1 May 2024 and lasts 12 months.\n3. Liability is limited to 100% of the fees.";
    let new = old
        .replace("12,000", "15,000")
        .replace("thirty (30)", "fifteen (15)")
        .replace("1 May 2024", "1 July 2024")
        .replace("100%", "50%");
    let answer = told(old, &new, Language::English);
    let lines: Vec<&str> = answer.text.lines().take(5).collect();
    assert_eq!(
        lines,
        [
            "v1.txt → v2.txt: 3 changed, 0 inserted, 0 deleted, 0 moved, 0 renumbered only, 2 the same",
            "amount (1): USD 12,000 → USD 15,000",
            "term (1): thirty (30) days → fifteen (15) days",
            "date (2): 1 May 2024 → 1 July 2024",
            "share (3): 100% → 50%",
        ]
    );
    let same = told(old, old, Language::English);
    assert!(
        same.text
            .starts_with("v1.txt → v2.txt: 0 changed, 0 inserted, 0 deleted, 0 moved, 0 renumbered only, 5 the same"),
        "{}",
        same.text
    );
    assert_eq!(same.parts.len(), 1, "no table and no document of nothing");
}

#[test]
fn a_contract_of_libreoffice_against_its_pdf_differs_in_nothing_that_counts() {
    let fixture = |name: &str| {
        read(&std::fs::read(format!("{}/../documents/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap())
    };
    let compared = Compared::of(&fixture("contract.docx"), &fixture("contract.pdf"));
    let differences = compared.differences();
    let both = compared.rows.iter().filter(|row| matches!(row, Row::Both(..))).count();
    assert!(both >= 12, "{both}");
    assert!(
        differences.iter().all(|one| one.facts.is_empty() || one.kind != "changed"),
        "{:?}",
        differences.iter().map(|one| &one.marked).collect::<Vec<_>>()
    );
}

#[test]
fn two_hundred_pages_take_seconds() {
    let clause = |n: usize, word: &str| {
        format!(
            "第{n}条 {word}方应当于第{}日前就编号{}的事项向对方支付{}元，并提供{}份材料，逾期每日承担违约责任。",
            n * 7 % 31,
            n * 13,
            n * 101,
            n % 9
        )
    };
    let old: Vec<String> = (1..2400).map(|n| clause(n, if n % 2 == 0 { "甲" } else { "乙" })).collect();
    // Every clause is another one, a hundred are new, and a stretch has moved.
    let mut new: Vec<String> =
        (1..2400).map(|n| clause(n, if n % 2 == 0 { "甲" } else { "乙" }).replace("材料", "书面材料")).collect();
    for at in 0..100 {
        new.insert(at * 20, format!("第{at}条之一 新增的约定：{}", "甲乙双方另行协商".repeat(at % 5 + 1)));
    }
    let began = std::time::Instant::now();
    let answer = told(&old.join("\n"), &new.join("\n"), Language::Chinese);
    let took = began.elapsed();
    assert!(answer.text.contains("100 处新增"), "{}", answer.text.lines().next().unwrap_or_default());
    // Unoptimised, and beside other tests.
    assert!(took < std::time::Duration::from_secs(60), "{took:?}");
}
