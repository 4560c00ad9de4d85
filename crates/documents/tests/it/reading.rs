//! What comes out of whole files.

use documents::{Block, Kind, Note};

use crate::{fixture, package, read};

/// Blocks in one line each: page, kind, text.
fn told(blocks: &[Block]) -> Vec<String> {
    let line = |block: &Block| {
        let kind = match &block.kind {
            Kind::Heading { level } => format!("h{level}"),
            Kind::Paragraph => "p".to_owned(),
            Kind::ListItem { level } => format!("li{level}"),
            Kind::Table { rows } => format!("table{}x{}", rows.len(), rows[0].len()),
            Kind::Code => "code".to_owned(),
            Kind::Note { of } => format!("{of:?}").to_lowercase(),
        };
        let page = block.page.map_or(String::new(), |page| format!("{page} "));
        format!("{page}{kind}: {}", block.text.replace('\n', "⏎").replace('\t', "⇥"))
    };
    blocks.iter().map(line).collect()
}

fn check(bytes: &[u8], expected: &[&str]) {
    assert_eq!(told(&read(bytes.to_vec()).expect("blocks")), expected);
}

#[test]
fn text_is_paragraphs() {
    check("甲方\n\n乙方\n".as_bytes(), &["p: 甲方", "p: 乙方"]);
    let (gbk, ..) = encoding_rs::GBK.encode("第一条　标的\n第二条　价款");
    check(&gbk, &["p: 第一条　标的", "p: 第二条　价款"]);
}

#[test]
fn markdown_is_headings_lists_tables_and_code() {
    let text = "# 说明\n\n本页介绍\n文件。\n\n- 一\n  - 二\n1. three\n\n| a | b |\n|---|---|\n| 1 | x \\| y |\n\n```sh\nls -l\n```\n";
    check(
        text.as_bytes(),
        &[
            "h1: 说明",
            "p: 本页介绍文件。",
            "li0: 一",
            "li1: 二",
            "li0: 1. three",
            "table2x2: a⇥b⏎1⇥x | y",
            "code: ls -l",
        ],
    );
}

#[test]
fn tables_of_values_are_tables() {
    check("姓名,部门\n张三,\"法务, 合规\"\n".as_bytes(), &["table2x2: 姓名⇥部门⏎张三⇥法务, 合规"]);
}

#[test]
fn html_is_what_a_browser_shows() {
    let page = "<!DOCTYPE html><meta charset=utf-8><title>标题</title><script>if (a<b) {}</script><h2>第一章 &amp; 总则</h2>\
                <p>一段\n文字，<b>加粗</b>。<ul><li>甲<li>乙</ul><table><tr><th>a<th>b<tr><td>1<td>2</table>a &lt; b";
    check(
        page.as_bytes(),
        &["p: 标题", "h2: 第一章 & 总则", "p: 一段文字，加粗。", "li0: 甲", "li0: 乙", "table2x2: a⇥b⏎1⇥2", "p: a < b"],
    );
}

#[test]
fn a_sheet_is_a_heading_and_its_table() {
    check(
        &fixture("staff.xlsx"),
        &[
            "1 h1: 员工",
            "1 table3x4: 姓名⇥部门⇥入职日期⇥工资⏎张三⇥法务部⇥2025-03-01⇥12500.5⏎李四⇥信息中心⇥2025-07-15⇥9800",
            "2 h1: 备注",
            "2 table1x1: 仅供内部使用",
        ],
    );
}

#[test]
fn text_boxes_of_slides_are_paragraphs() {
    check(
        &fixture("lesson.pptx"),
        &["1 p: 合同法入门", "1 p: 要约与承诺", "1 p: 合同的效力", "2 p: 违约责任", "2 p: 继续履行", "2 p: 赔偿损失"],
    );
}

#[test]
fn a_slide_is_its_title_its_points_its_table_and_what_is_said() {
    let shape = |kind: &str, text: &str| {
        format!(
            "<p:sp><p:nvPr><p:ph{kind}/></p:nvPr><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
        )
    };
    let cell = |text: &str| format!("<a:tc><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>");
    let slide = format!(
        "<p:sld>{}{}{}<a:tbl><a:tr>{}{}</a:tr></a:tbl></p:sld>",
        shape(" type=\"title\"", "合同 &amp; 担保"),
        shape(" idx=\"1\"", "要约"),
        shape(" type=\"sldNum\"", "7"),
        cell("甲"),
        cell("乙"),
    );
    let notes = format!("<p:notes>{}{}</p:notes>", shape(" type=\"sldImg\"", "x"), shape(" type=\"body\"", "先问。"));
    let show = "<p:presentation><p:sldIdLst><p:sldId id=\"256\" r:id=\"r2\"/></p:sldIdLst></p:presentation>";
    let relation = |id: &str, kind: &str, target: &str| {
        format!(
            "<Relationships><Relationship Id=\"{id}\" Type=\"http://x/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    let bytes = package(&[
        ("ppt/presentation.xml", show.as_bytes()),
        ("ppt/_rels/presentation.xml.rels", relation("r2", "slide", "slides/slide9.xml").as_bytes()),
        ("ppt/slides/slide9.xml", slide.as_bytes()),
        ("ppt/slides/_rels/slide9.xml.rels", relation("r1", "notesSlide", "../notesSlides/n.xml").as_bytes()),
        ("ppt/notesSlides/n.xml", notes.as_bytes()),
    ]);
    check(&bytes, &["1 h1: 合同 & 担保", "1 li0: 要约", "1 table1x2: 甲⇥乙", "1 speaker: 先问。"]);
}

const FIRST: &str = "第一条　甲方向乙方采购下列设备，乙方应当在本合同生效之日起三十个工作日";
const GOODS: &str = "名称⇥型号⇥数量⇥单价（元）⏎服务器⇥R740⇥12⇥48,000.00⏎交换机⇥S5735⇥4⇥9,600.00⏎不间断电源，含电池组及配套机柜⇥UPS-10K⇥2⇥31,500.00";
const SECOND: &str = "第二条　甲方应当在验收合格后十五日内支付合同总价的百分之九十五，其余百分之五作为质量保证金，在质量保证期届满且无质量争议时无息支付给乙方。";
const THIRD: &str = "第三条　任何一方不履行合同义务或者履行合同义务不符合约定的，应当承担继续履行、采取补救措施或者赔偿损失等违约责任；乙方逾期交付的，每逾期一日应当按照逾期部分价款的万分之五向甲方支付违约金。";
const FOURTH: &str =
    "第四条　因本合同发生的争议，双方应当协商解决；协商不成的，任何一方可以向甲方所在地人民法院提起诉讼。";

#[test]
fn a_contract_in_word_has_its_table_and_its_notes() {
    let blocks = read(fixture("contract.docx")).expect("blocks");
    let texts: Vec<String> = blocks.iter().map(|block| block.text.replace('\n', "⏎").replace('\t', "⇥")).collect();
    let first = format!(
        "{FIRST}内将全部设备运至甲方指定地点，并负责安装、调试以及对甲方操作人员的培训，所需费用已经包含在合同总价之内。"
    );
    assert_eq!(
        texts,
        [
            "设备采购合同",
            "甲方：北京示例科技有限公司",
            "乙方：上海样本设备有限公司",
            "第一章　标的与价款",
            &first,
            "本合同所称工作日不包括法定节假日。",
            GOODS,
            SECOND,
            "请核对付款期限。",
            "第二章　违约责任",
            THIRD,
            FOURTH,
        ]
    );
    assert_eq!(blocks[0].kind, Kind::Heading { level: 1 });
    assert_eq!(blocks[3].kind, Kind::Heading { level: 2 });
    assert_eq!(blocks[5].kind, Kind::Note { of: Note::Footnote });
    assert_eq!(blocks[8].kind, Kind::Note { of: Note::Comment });
}

#[test]
fn a_contract_in_pdf_has_its_table_and_its_pages() {
    let blocks = read(fixture("contract.pdf")).expect("blocks");
    let told = told(&blocks);
    let table = format!("1 table4x4: {GOODS}");
    for line in [
        "1 h1: 设备采购合同",
        "1 p: 甲方：北京示例科技有限公司",
        "1 p: 乙方：上海样本设备有限公司",
        "1 h3: 第一章　标的与价款",
        &table,
        &format!("1 p: {SECOND}"),
        "2 h3: 第二章　违约责任",
        &format!("2 p: {THIRD}"),
        &format!("2 p: {FOURTH}"),
    ] {
        assert!(told.iter().any(|one| one == line), "{line} is not in {told:#?}");
    }
    assert!(
        told.iter().any(|one| one.starts_with(&format!("1 p: {FIRST}")) && one.ends_with("合同总价之内。")),
        "{told:#?}"
    );
    let area = blocks[0].area.expect("a box");
    assert!(area.0 > 70.0 && area.2 < 525.0 && area.1 > 60.0 && area.3 < 120.0, "{area:?}");
}

#[test]
fn columns_are_read_one_after_the_other() {
    let blocks = read(fixture("columns.pdf")).expect("blocks");
    let told = told(&blocks);
    assert_eq!(told[0], "1 h1: 合同编通则节选");
    // Where a paragraph ends at the right edge, or goes on in the next column, its block does not end or begin with it; the order of
    // what is read holds all the same.
    let read = told[1..].iter().map(|block| block.trim_start_matches("1 p: ")).collect::<String>();
    let mut rest = read.as_str();
    for part in [
        "第四百六十四条　合同是",
        "可以根据其性质参照适用本编规定。第四百六十五条　依法成立",
        "但是法律另有规定的除外。第四百六十六条　当事人",
        "应当根据合同的相关条款、性质、目的以及诚信原则等予以解释。第四百六十七条　本法",
        "最相类似合同的规定。第四百六十九条　当事人",
        "所载内容的形式。第五百零九条　当事人",
        "污染环境和破坏生态。",
    ] {
        let Some((_, after)) = rest.split_once(part) else { panic!("{part} is not where it should be in {told:#?}") };
        rest = after;
    }
    assert!(rest.is_empty() && !read.contains(' '), "{told:#?}");
}

#[test]
fn the_lines_of_a_form_stand_where_they_are_and_a_ruled_line_parts_what_is_near() {
    let path = format!("{}/../tools/tests/fixtures/invoices/digital-ordinary.pdf", env!("CARGO_MANIFEST_DIR"));
    let mut blocks = Vec::new();
    let mut take = |block: Block| {
        blocks.push(block);
        Ok(())
    };
    documents::extract_lines(std::fs::read(&path).expect(&path), &mut documents::Out::new(&mut take)).expect("lines");
    let number = blocks.iter().find(|block| block.text == "发票号码：24312000000123456789").expect("the number");
    let documents::Area(x0, _, _, y1) = number.area.expect("its place");
    assert_eq!((number.page, x0, y1), (Some(1), 440.0, 32.0));
    // A letter of the label that stands upright is on the same line, behind the wall.
    let code = blocks.iter().find(|block| block.text.contains("纳税人识别号：91110108MA01EXAMPG")).expect("the code");
    assert_eq!(code.text, "统一社会信用代码/纳税人识别号：91110108MA01EXAMPG");
    assert!(blocks.iter().any(|block| block.text == "息"));
}

#[test]
fn what_somebody_calls_a_table_is_one() {
    let table = |text: &str| {
        let mut blocks = Vec::new();
        let mut take = |block: Block| {
            blocks.push(block);
            Ok(())
        };
        documents::extract_table(text.as_bytes().to_vec(), &mut documents::Out::new(&mut take)).expect("a table");
        told(&blocks)
    };
    assert_eq!(table("text\none, two\n\nthree\n"), ["table3x1: text⏎one⇥two⏎three"]);
    assert_eq!(table("a;b\n1;2;3\n"), ["table2x2: a⇥b⏎1⇥2⇥3"]);
    assert_eq!(table("# a,b\n1,2\n"), ["table2x2: # a⇥b⏎1⇥2"]);
}
