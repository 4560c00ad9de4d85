//! The page as a form: words where they stand, the labels among them known. What stands right of a label, or below it, is its value.

use std::sync::LazyLock;

use regex::Regex;

use crate::builtin::reading::Piece;

/// What a label announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Code,
    Number,
    Date,
    Name,
    BuyerName,
    SellerName,
    TaxId,
    Sum,
    Subtotal,
    Total,
    Digits,
    Capitals,
    Drawer,
    Remark,
    /// Known, so that it is nobody's value.
    Other,
}

/// A word of the form.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    /// From 1; 0 where the file has none.
    pub(super) page: u32,
    pub(super) x0: f32,
    pub(super) top: f32,
    pub(super) x1: f32,
    /// The base line.
    pub(super) base: f32,
    pub(super) text: String,
    pub(super) label: Option<Label>,
    /// Whether the places are the page's own, not made up for a file that has none.
    pub(super) placed: bool,
}

impl Word {
    pub(super) fn height(&self) -> f32 {
        (self.base - self.top).clamp(5.0, 20.0)
    }

    pub(super) fn middle(&self) -> f32 {
        f32::midpoint(self.x0, self.x1)
    }

    pub(super) fn is_beside(&self, other: &Word) -> bool {
        self.page == other.page && (self.base - other.base).abs() <= 0.6 * self.height().max(other.height())
    }
}

/// Labels, the longer before those that they begin with.
const LABELS: [(&str, Label); 30] = [
    ("(?:对应)?(?:正数|蓝字)发票代码:?", Label::Other),
    ("(?:对应)?(?:正数|蓝字)发票号码:?", Label::Other),
    ("被红冲(?:蓝字)?(?:数电)?(?:票|发票)号码:?", Label::Other),
    ("发票代码:?", Label::Code),
    ("发票号码:?", Label::Number),
    ("(?:开票|填开|填发)日期:?", Label::Date),
    ("校验码:?", Label::Other),
    ("机器编号:?", Label::Other),
    ("(?:购买方|购货单位|购方|买方)(?:名称:?|:)", Label::BuyerName),
    ("(?:销售方|销货单位|销方|卖方)(?:名称:?|:)", Label::SellerName),
    ("统一社会信用代码/纳税人识别号:?", Label::TaxId),
    ("(?:购买方|销售方|购方|销方)?(?:纳税人识别号|统一社会信用代码|税号):?", Label::TaxId),
    ("地址、?电话:?", Label::Other),
    ("(?:购买方|销售方)?地址:", Label::Other),
    ("电话:", Label::Other),
    ("开户行及账号:?", Label::Other),
    ("(?:购方|销方)?开户银行:?", Label::Other),
    ("银行账号:", Label::Other),
    ("单位名称:", Label::Name),
    ("名称:", Label::Name),
    ("价税合计\\(?大写\\)?:?", Label::Capitals),
    ("价税合计:?", Label::Total),
    ("\\(大写\\):?", Label::Capitals),
    ("\\(小写\\):?", Label::Digits),
    ("^合计:?$", Label::Sum),
    ("^小计:?$", Label::Subtotal),
    ("(?:收款人|复核人?|开票员):", Label::Other),
    ("开票人:", Label::Drawer),
    ("^备注:?", Label::Remark),
    ("(?:订单号|购买方信息|销售方信息|^密码区$|^购买方$|^销售方$)", Label::Other),
];

static ANY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let groups: Vec<String> = LABELS.iter().map(|(pattern, _)| format!("({pattern})")).collect();
    Regex::new(&groups.join("|")).ok()
});

/// Letters that stand upright beside the form's parts, one below the other.
const UPRIGHT: &str = "购买销售方货单位信息密码区备注";

/// As it is compared: without the width of letters, and without spaces where Chinese has none.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        '￥' => '¥',
        '﹕' | '∶' => ':',
        other => other,
    };
    let mut chars = text.chars().map(narrow).peekable();
    while let Some(c) = chars.next() {
        if c == ' ' {
            let before = plain.chars().next_back();
            let after = chars.peek();
            let wide = |c: char| !c.is_ascii();
            let drop = before
                .is_none_or(|b| b == ' ' || wide(b) && after.is_none_or(|a| wide(*a) || matches!(a, ':' | '(' | ' ')));
            if drop {
                continue;
            }
        }
        plain.push(c);
    }
    plain.trim().to_owned()
}

/// The words of a file.
pub(super) fn words(pieces: &[Piece]) -> Vec<Word> {
    let mut raw = Vec::new();
    let mut line = 0.0;
    for piece in pieces {
        let page = piece.page.unwrap_or(0);
        if let Some([x0, top, x1, base]) = piece.area
            && piece.rows.is_empty()
        {
            let text = plain(&piece.text);
            raw.push(Word { page, x0, top, x1, base, text, label: None, placed: true });
            continue;
        }
        let is_table = !piece.rows.is_empty();
        let rows = if is_table { piece.rows.clone() } else { piece.text.lines().map(cells).collect() };
        for row in rows {
            line += 12.0;
            let mut x0 = 0.0;
            for cell in row {
                let text = plain(&cell);
                let x1 = x0 + width(&text);
                let end = if is_table { x1.max(x0 + 90.0) } else { x1 };
                if !text.is_empty() {
                    raw.push(Word { page, x0, top: line - 9.0, x1, base: line, text, label: None, placed: false });
                }
                x0 = end + 10.0;
            }
        }
    }
    let mut words = Vec::new();
    for word in together(raw) {
        let is_upright = word.text.chars().count() == 1 && UPRIGHT.contains(&word.text);
        if !is_upright {
            split(&word, &mut words);
        }
    }
    words
}

/// Letters of one label that a form sets far apart (`名        称：`), as one word. An upright letter may stand before the first.
const SPREAD: [(char, char); 9] = [
    ('名', '称'),
    ('合', '计'),
    ('小', '计'),
    ('单', '位'),
    ('单', '价'),
    ('数', '量'),
    ('金', '额'),
    ('税', '额'),
    ('税', '率'),
];

fn together(mut words: Vec<Word>) -> Vec<Word> {
    let mut gone = Vec::new();
    for at in 0..words.len() {
        let head = words[at].clone();
        let mut letters = head.text.chars().rev();
        let Some(last) = letters.next().filter(|_| letters.all(|letter| UPRIGHT.contains(letter))) else { continue };
        let tails: Vec<char> = SPREAD.iter().filter(|(letter, _)| *letter == last).map(|(_, tail)| *tail).collect();
        if tails.is_empty() {
            continue;
        }
        let follows = |word: &Word| {
            let gap = word.x0 - head.x1;
            word.is_beside(&head) && gap > -1.0 && gap < 9.0 * head.height() && word.text.starts_with(tails.as_slice())
        };
        let nearest = (0..words.len()).filter(|other| *other != at && follows(&words[*other]));
        let nearest = nearest.min_by(|a, b| words[*a].x0.total_cmp(&words[*b].x0));
        if let Some(tail) = nearest {
            words[tail].text.insert(0, last);
            words[tail].x0 = head.x0;
            gone.push(at);
        }
    }
    let mut at = 0;
    words.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
    words
}

/// The parts of a line of plain text, as gaps part them.
fn cells(line: &str) -> Vec<String> {
    line.replace('\t', "    ").split("  ").map(str::to_owned).filter(|cell| !cell.trim().is_empty()).collect()
}

/// How wide a text would be, Chinese letters twice the others.
fn width(text: &str) -> f32 {
    text.chars().map(|c| if c.is_ascii() { 5.0 } else { 10.0 }).sum()
}

/// Parts a word at the labels in it; the places inside it are in proportion.
fn split(word: &Word, words: &mut Vec<Word>) {
    let whole = width(&word.text).max(1.0);
    let at = |bytes: usize| word.x0 + (word.x1 - word.x0) * width(&word.text[..bytes]) / whole;
    let mut part = |from: usize, to: usize, label: Option<Label>| {
        let text = word.text[from..to].trim();
        if !text.is_empty() {
            words.push(Word { x0: at(from), x1: at(to), text: text.to_owned(), label, ..word.clone() });
        }
    };
    let mut from = 0;
    for found in ANY.iter().flat_map(|any| any.captures_iter(&word.text)) {
        let Some(all) = found.get(0) else { continue };
        let label =
            (LABELS.iter().enumerate()).find(|(at, _)| found.get(at + 1).is_some()).map(|(_, (_, label))| *label);
        part(from, all.start(), None);
        part(all.start(), all.end(), label);
        from = all.end();
    }
    part(from, word.text.len(), None);
}

/// What stands right of a label on its line, up to the next label, from left to right.
pub(super) fn beside<'w>(words: &'w [Word], label: &Word) -> Vec<&'w Word> {
    let mut line: Vec<&Word> =
        words.iter().filter(|word| word.is_beside(label) && word.x0 >= label.x1 - 2.0 && *word != label).collect();
    line.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    line.into_iter().take_while(|word| word.label.is_none()).collect()
}

/// What stands below a label, where a form writes values so.
pub(super) fn below<'w>(words: &'w [Word], label: &Word) -> Option<&'w Word> {
    let under = |word: &&Word| {
        let gap = word.base - label.base;
        word.page == label.page
            && word.label.is_none()
            && gap > 0.5 * label.height()
            && gap < 3.0 * label.height()
            && word.x0 < label.x1 + 20.0
            && word.x1 > label.x0 - 5.0
    };
    words.iter().filter(under).min_by(|a, b| a.base.total_cmp(&b.base))
}

/// All words with this label.
pub(super) fn labelled(words: &[Word], label: Label) -> impl Iterator<Item = &Word> {
    words.iter().filter(move |word| word.label == Some(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compared_without_the_width_of_its_letters() {
        assert_eq!(plain("名　　称：北京 示例"), "名称:北京示例");
        assert_eq!(plain("合 计 "), "合计");
        assert_eq!(plain("Dell  R740 服务器（台）"), "Dell R740 服务器(台)");
        assert_eq!(plain("2024 年 03 月"), "2024 年 03 月");
    }

    #[test]
    fn labels_part_a_line_and_longer_ones_come_first() {
        assert!(ANY.is_some(), "the pattern of labels is one");
        let piece = Piece {
            text: "发票代码：044031900111 发票号码：12345678".into(),
            area: Some([0.0, 0.0, 400.0, 9.0]),
            page: Some(1),
            ..Piece::default()
        };
        let found: Vec<(String, Option<Label>)> =
            words(&[piece]).into_iter().map(|word| (word.text, word.label)).collect();
        let told = |text: &str, label| (text.to_owned(), label);
        assert_eq!(
            found,
            [
                told("发票代码:", Some(Label::Code)),
                told("044031900111", None),
                told("发票号码:", Some(Label::Number)),
                told("12345678", None)
            ]
        );
        let labels = |text: &str| {
            let piece = Piece { text: text.into(), ..Piece::default() };
            words(&[piece]).into_iter().filter_map(|word| word.label).collect::<Vec<_>>()
        };
        assert_eq!(labels("价税合计（大写）  壹佰元整  （小写）¥100.00"), [Label::Capitals, Label::Digits]);
        assert_eq!(labels("对应正数发票代码:044031900111号码:12345678"), [Label::Other]);
        assert_eq!(labels("项目名称"), []);
    }
}
