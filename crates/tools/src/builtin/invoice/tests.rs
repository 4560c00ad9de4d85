//! Whole invoices, as the reader of files reads them (`tests/make-invoices.py` makes them).

use documents::{Block, Out};

use super::*;

fn pieces(name: &str) -> Vec<Piece> {
    let path = format!("{}/tests/fixtures/invoices/{name}.pdf", env!("CARGO_MANIFEST_DIR"));
    let mut pieces = Vec::new();
    let mut take = |block: Block| {
        let area = block.area.map(|documents::Area(x0, y0, x1, y1)| [x0, y0, x1, y1]);
        pieces.push(Piece { page: block.page, text: block.text, area, ..Piece::default() });
        Ok(())
    };
    documents::extract_lines(std::fs::read(&path).unwrap(), &mut Out::new(&mut take)).unwrap();
    pieces
}

fn one(name: &str) -> Invoice {
    let mut found = invoices(&pieces(name));
    assert_eq!(found.len(), 1, "{name}: {found:#?}");
    found.remove(0)
}

fn text(found: &Option<Found<String>>) -> &str {
    found.as_ref().map_or("—", |found| found.value.as_str())
}

/// The fields of its head in one line.
fn head(invoice: &Invoice) -> String {
    let Head { kind, code, number, date, buyer, seller, total, capitals, .. } = &invoice.head;
    let date = date.as_ref().map_or_else(String::new, |found| found.value.to_string());
    let total = total.as_ref().map_or_else(String::new, |found| yuan(found.value));
    let capitals = capitals.as_ref().and_then(|found| found.value).map_or_else(String::new, yuan);
    let sides = [&buyer.name, &buyer.tax_id, &seller.name, &seller.tax_id].map(text).join("/");
    format!("{}/{}/{}/{date}/{sides}/{total}/{capitals}", text(kind), text(code), text(number))
}

fn lines(invoice: &Invoice) -> Vec<String> {
    let line = |item: &items::Item| {
        let figure = |figure: Option<figure::Figure>| figure.map_or_else(String::new, |figure| figure.to_string());
        let rate = match item.rate {
            Some(Rate::Percent(percent)) => format!("{percent}%"),
            Some(Rate::Free) => "free".to_owned(),
            None => String::new(),
        };
        let money = |fen: Option<i128>| fen.map_or_else(String::new, yuan);
        [
            item.name.clone(),
            item.spec.clone(),
            item.unit.clone(),
            figure(item.quantity),
            figure(item.price),
            money(item.amount),
            rate,
            money(item.tax),
        ]
        .join("|")
    };
    invoice.lines.items.iter().map(line).collect()
}

fn today() -> Date {
    Date::constant(2026, 11, 27)
}

/// What did not pass.
fn wrong(invoice: &Invoice) -> Vec<String> {
    let checks = checks::all(invoice, today(), Language::English);
    assert!(checks.iter().any(|check| check.verdict == Verdict::Pass), "{checks:#?}");
    checks
        .into_iter()
        .filter(|check| check.verdict != Verdict::Pass)
        .map(|check| format!("{}: {}", check.what, check.detail))
        .collect()
}

#[test]
fn a_digital_invoice_with_a_name_over_two_lines() {
    let invoice = one("digital-ordinary");
    assert_eq!(
        head(&invoice),
        "电子发票(普通发票)/—/24312000000123456789/2024-05-17/北京示例信息科技与数据服务有限责任公司海淀第一分公司/91110108MA01EXAMPG/\
         上海样本贸易有限公司/91310000MA1XAMPLEP/10,000.00/10,000.00"
    );
    assert_eq!(lines(&invoice), ["*信息技术服务*软件开发服务费||项|1|9433.96|9,433.96|6%|566.04"]);
    assert_eq!(wrong(&invoice), [""; 0]);
    let number = invoice.head.number.unwrap();
    assert_eq!((number.page, number.source.as_str()), (1, "24312000000123456789"));
    let [x0, top, x1, base] = number.area.unwrap();
    assert!(
        x0 > 440.0 && top > 20.0 && x1 < 600.0 && (base - 32.0).abs() < 1.0,
        "where it stands: {x0} {top} {x1} {base}"
    );
}

#[test]
fn a_special_invoice_of_the_older_form_with_a_discount() {
    let invoice = one("special");
    assert_eq!(
        head(&invoice),
        "北京增值税专用发票/1100231130/01234567/2023-11-08/北京示例科技有限公司/91110108MA01EXAMPG/上海样本贸易有限公司/91310000MA1XAMPLEP/\
         103,760.00/103,760.00"
    );
    assert_eq!(
        lines(&invoice),
        [
            "*电子计算机*服务器|R740 2U|台|2|48000|96,000.00|13%|12,480.00",
            "*电子计算机*服务器|||||-6,000.00|13%|-780.00",
            "*纸制品*复印纸|A4 70g|包|50|17.6991150442|884.96|13%|115.04",
            "*物流辅助服务*配送费||次|1|1000.00|1,000.00|6%|60.00",
        ]
    );
    assert_eq!(wrong(&invoice), [""; 0]);
}

#[test]
fn a_red_invoice_is_negative_and_names_the_one_it_takes_back() {
    let invoice = one("red");
    assert_eq!(text(&invoice.head.original), "24312000000123456789");
    assert_eq!(text(&invoice.head.number), "24312000000987654321", "not the other's number");
    assert_eq!(lines(&invoice), ["*信息技术服务*软件开发服务费||项|-1|9433.96|-9,433.96|6%|-566.04"]);
    assert!(head(&invoice).ends_with("/-10,000.00/-10,000.00"), "{}", head(&invoice));
    assert_eq!(wrong(&invoice), [""; 0]);
    assert!(
        checks::all(&invoice, today(), Language::Chinese).iter().any(|check| check.what == "红字发票写明原发票号码")
    );
}

#[test]
fn what_is_wrong_is_told_with_its_figures() {
    assert_eq!(
        wrong(&one("wrong")),
        [
            "digits of code and number: 20 digits; the first two are 23, the year of issue is 24",
            "check digit of the buyer's tax number: 91110108MA01EXAMP0: the last character ought to be G and is 0",
            "line 1: quantity × price = amount: 3 × 110.00 = 330.00; written 300.00",
            "line 1: amount × rate ≈ tax: 300.00 × 6% = 18.00; written 18.50",
            "amounts of the lines = their sum: 300.00 + 800.00 = 1,100.00; written 1,200.00",
            "amount + tax = total: 1,200.00 + 66.50 = 1,266.50; written 1,166.50",
            "total in capitals = in digits: ⊗壹仟贰佰陆拾陆圆伍角整 = 1,266.50; digits 1,166.50, which is 壹仟壹佰陆拾陆圆伍角整",
        ]
    );
}

#[test]
fn an_exempt_invoice_printed_askew_for_a_person_without_a_number() {
    let invoice = one("exempt");
    assert_eq!(
        head(&invoice),
        "北京增值税电子普通发票/011002300311/87654321/2023-12-31/李某某/—/北京样本农产品合作社/93110115MA00FARM1B/200.50/200.50"
    );
    assert_eq!(lines(&invoice), ["*蔬菜*白菜||千克|60|2|120.00|free|0.00", "*蔬菜*土豆||千克|35|2.3|80.50|free|0.00"]);
    assert_eq!(
        wrong(&invoice),
        ["check digit of the buyer's tax number: no number was found"],
        "which is told, not passed"
    );
}

#[test]
fn a_file_of_two_invoices_one_of_them_over_two_pages() {
    let found = invoices(&pieces("several"));
    let numbers: Vec<&str> = found.iter().map(|invoice| text(&invoice.head.number)).collect();
    assert_eq!(numbers, ["24312000000555555555", "24312000000666666666"]);
    assert_eq!(found[0].lines.items.len(), 30);
    assert_eq!(found[0].lines.items[29].page, 2);
    for invoice in &found {
        assert_eq!(wrong(invoice), [""; 0]);
    }
    assert_eq!(text(&found[1].head.buyer.name), "上海样本贸易有限公司");
}

#[test]
fn a_date_to_come_and_a_file_that_is_none() {
    let invoice = one("special");
    let checks = checks::all(&invoice, Date::constant(2023, 11, 7), Language::Chinese);
    let failed: Vec<&str> =
        checks.iter().filter(|check| check.verdict == Verdict::Fail).map(|check| check.detail.as_str()).collect();
    assert_eq!(failed, ["2023-11-08 ≤ 2023-11-07"]);
    let piece = |text: &str| Piece { text: text.into(), ..Piece::default() };
    let mut parts = Vec::new();
    let told = told("a.txt", &[piece("甲方：某公司\n合计 3 页")], today(), Language::English, &mut parts);
    assert_eq!(told, ["a.txt: no fields of a VAT invoice were found"]);
    assert!(parts.is_empty());
}

#[test]
fn an_invoice_as_plain_text_has_no_places() {
    let text = "电子发票（普通发票）    发票号码：24312000000777777777    开票日期：2024年05月17日\n\
                购买方名称：北京示例科技有限公司    销售方名称：上海样本贸易有限公司\n\
                统一社会信用代码/纳税人识别号：91110108MA01EXAMPG    统一社会信用代码/纳税人识别号：91310000MA1XAMPLEP\n\
                价税合计（大写）  壹佰零陆圆整    （小写）¥106.00";
    let found = invoices(&[Piece { text: text.into(), ..Piece::default() }]);
    assert_eq!(
        head(&found[0]),
        "电子发票(普通发票)/—/24312000000777777777/2024-05-17/北京示例科技有限公司/91110108MA01EXAMPG/上海样本贸易有限公司/91310000MA1XAMPLEP/\
         106.00/106.00"
    );
    assert_eq!(found[0].head.number.as_ref().unwrap().area, None);
}
