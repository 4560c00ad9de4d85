//! The lines of an invoice, and their sums: a table that is known by its heading and ends at its sum.

use super::figure::{Fen, Figure};
use super::sheet::{Label, Word, labelled};

/// A column of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Spec,
    Unit,
    Quantity,
    Price,
    Amount,
    Rate,
    Tax,
}

/// What a column is headed by; the longer before those that they hold.
const HEADINGS: [(&str, Column); 13] = [
    ("货物或应税劳务、服务名称", Column::Name),
    ("货物或应税劳务名称", Column::Name),
    ("项目名称", Column::Name),
    ("货物名称", Column::Name),
    ("规格型号", Column::Spec),
    ("税率/征收率", Column::Rate),
    ("征收率", Column::Rate),
    ("税率", Column::Rate),
    ("税额", Column::Tax),
    ("金额", Column::Amount),
    ("单价", Column::Price),
    ("数量", Column::Quantity),
    ("单位", Column::Unit),
];

/// The rate of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rate {
    Percent(Figure),
    /// 免税, 不征税 or stars: nothing is due.
    Free,
}

/// A line.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Item {
    pub(super) page: u32,
    pub(super) name: String,
    pub(super) spec: String,
    pub(super) unit: String,
    pub(super) quantity: Option<Figure>,
    pub(super) price: Option<Figure>,
    /// In fen.
    pub(super) amount: Option<Fen>,
    pub(super) rate: Option<Rate>,
    /// In fen.
    pub(super) tax: Option<Fen>,
    /// The places of its words on the page, where the file tells: left, top, right, bottom.
    pub(super) area: Option<[f32; 4]>,
}

/// The lines and what stands in their sum.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lines {
    pub(super) items: Vec<Item>,
    /// In fen, each with the page.
    pub(super) amount: Option<(Fen, u32)>,
    pub(super) tax: Option<(Fen, u32)>,
}

/// A heading where it stands.
#[derive(Debug, Clone, Copy)]
struct Head {
    column: Column,
    x0: f32,
    x1: f32,
}

pub(super) fn read(words: &[Word]) -> Lines {
    let mut lines = Lines::default();
    let mut heads: Vec<Head> = Vec::new();
    let mut pages: Vec<u32> = words.iter().map(|word| word.page).collect();
    pages.dedup();
    for page in pages {
        let on: Vec<&Word> = words.iter().filter(|word| word.page == page).collect();
        let top = match heading(&on) {
            Some((found, base)) => {
                heads = found;
                base
            }
            // A page that goes on without a heading has the columns of the one before.
            None => f32::MIN,
        };
        if heads.is_empty() {
            continue;
        }
        let ends = [Label::Sum, Label::Subtotal, Label::Total, Label::Capitals].into_iter();
        let ends = ends.flat_map(|label| labelled(words, label)).filter(|word| word.page == page && word.base > top);
        let end = ends.map(|word| word.base - 0.6 * word.height()).fold(f32::MAX, f32::min);
        let inside = |word: &&&Word| word.base > top + 0.5 * word.height() && word.base < end;
        let body: Vec<&Word> = on.iter().filter(inside).copied().collect();
        rows(&body, &heads, &mut lines.items);
        sums(&on, &heads, &mut lines);
    }
    lines.items.retain(|item| item.amount.is_some() || item.quantity.is_some());
    lines
}

/// The headings of the page, and the base line of the last of them.
fn heading(on: &[&Word]) -> Option<(Vec<Head>, f32)> {
    on.iter().find_map(|anchor| {
        let beside: Vec<&&Word> = on.iter().filter(|word| word.is_beside(anchor)).collect();
        let mut heads: Vec<Head> = Vec::new();
        for word in beside.iter().copied() {
            parted(word, &mut heads);
        }
        heads.sort_by(|a, b| a.x0.total_cmp(&b.x0));
        let has = |column| heads.iter().any(|head| head.column == column);
        let base = beside.iter().map(|word| word.base).fold(f32::MIN, f32::max);
        (has(Column::Name) && has(Column::Amount) && has(Column::Tax)).then_some((heads, base))
    })
}

/// The headings in a word; several may be written without a gap.
fn parted(word: &Word, heads: &mut Vec<Head>) {
    let text = word.text.replace(' ', "");
    let letters = text.chars().count().max(1) as f32;
    let mut rest = text.as_str();
    let mut done = 0;
    while !rest.is_empty() {
        match HEADINGS.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, column)) => {
                let long = name.chars().count();
                let at = |letter: usize| word.x0 + (word.x1 - word.x0) * letter as f32 / letters;
                if heads.iter().all(|head| head.column != *column) {
                    heads.push(Head { column: *column, x0: at(done), x1: at(done + long) });
                }
                rest = &rest[name.len()..];
                done += long;
            }
            None => {
                let mut chars = rest.chars();
                chars.next();
                rest = chars.as_str();
                done += 1;
            }
        }
    }
}

/// What a word may be, which says as much of its column as its place does.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Rate(Rate),
    Figure(Figure),
    Text,
}

fn cell(text: &str) -> Cell {
    let percent = |text: &str| Figure::read(text.strip_suffix('%')?);
    if let Some(rate) = percent(text) {
        return Cell::Rate(Rate::Percent(rate));
    }
    if matches!(text, "免税" | "不征税" | "出口零税率" | "普通零税率")
        || text.len() >= 2 && text.chars().all(|c| c == '*')
    {
        return Cell::Rate(Rate::Free);
    }
    Figure::read(text).map_or(Cell::Text, Cell::Figure)
}

/// A word whose figures stand so near each other that the reader took them for one.
fn figures_apart(word: &Word) -> Vec<Word> {
    let parts: Vec<&str> = word.text.split(' ').collect();
    let all = parts.len() > 1 && parts.iter().all(|part| cell(part) != Cell::Text);
    if !all {
        return vec![word.clone()];
    }
    let letters = word.text.chars().count().max(1) as f32;
    let (mut done, mut apart) = (0, Vec::new());
    for part in parts {
        let at = |letter: usize| word.x0 + (word.x1 - word.x0) * letter as f32 / letters;
        let long = part.chars().count();
        apart.push(Word { x0: at(done), x1: at(done + long), text: part.to_owned(), ..word.clone() });
        done += long + 1;
    }
    apart
}

fn column_of(word: &Word, kind: &Cell, heads: &[Head], free_seen: bool) -> Option<Column> {
    use Column::{Amount, Name, Price, Quantity, Rate, Spec, Tax, Unit};
    let may = |column: Column| match kind {
        Cell::Rate(self::Rate::Percent(_)) => column == Rate,
        // Stars stand for the tax, too, beside 免税.
        Cell::Rate(self::Rate::Free) => column == Rate && !free_seen || column == Tax,
        Cell::Figure(_) => matches!(column, Spec | Quantity | Price | Amount | Tax | Rate),
        Cell::Text => matches!(column, Name | Spec | Unit),
    };
    // Text begins where its column does; a figure ends there, or stands in its middle.
    let distance = |head: &Head| match kind {
        Cell::Text if head.column == Name => {
            let inside = word.x0 < head.x1;
            if inside { 0.0 } else { word.x0 - head.x1 }
        }
        Cell::Text => (word.middle() - f32::midpoint(head.x0, head.x1)).abs(),
        _ => {
            let gap = (head.x0 - word.x1).max(word.x0 - head.x1).max(0.0);
            let sides = (word.x1 - head.x1).abs().min((word.middle() - f32::midpoint(head.x0, head.x1)).abs());
            gap + 0.3 * sides
        }
    };
    let near = heads.iter().filter(|head| may(head.column)).min_by(|a, b| distance(a).total_cmp(&distance(b)));
    near.map(|head| head.column)
}

fn rows(body: &[&Word], heads: &[Head], items: &mut Vec<Item>) {
    let mut words: Vec<Word> =
        body.iter().filter(|word| word.label.is_none()).flat_map(|word| figures_apart(word)).collect();
    words.sort_by(|a, b| a.base.total_cmp(&b.base));
    let mut lines: Vec<Vec<Word>> = Vec::new();
    for word in words {
        match lines.last_mut().filter(|line| line.first().is_some_and(|first| first.is_beside(&word))) {
            Some(line) => line.push(word),
            None => lines.push(vec![word]),
        }
    }
    for mut line in lines {
        line.sort_by(|a, b| a.x0.total_cmp(&b.x0));
        let mut row = Item { page: line.first().map_or(0, |word| word.page), ..Item::default() };
        for word in &line {
            put(word, heads, &mut row);
        }
        let open = items.last_mut().filter(|item| item.page == row.page || !row.name.starts_with('*'));
        let begins = row.amount.is_some() || row.name.starts_with('*');
        match open {
            // The rest of a name, or of a specification, or figures that stand lower than the beginning of a name.
            Some(item) if !begins || item.amount.is_none() && !row.name.starts_with('*') => item.take(row),
            _ => items.push(row),
        }
    }
}

fn put(word: &Word, heads: &[Head], row: &mut Item) {
    let kind = cell(&word.text);
    let Some(column) = column_of(word, &kind, heads, row.rate == Some(Rate::Free)) else { return };
    row.cover([word.x0, word.top, word.x1, word.base], word.placed);
    let figure = match kind {
        Cell::Figure(figure) => Some(figure),
        _ => None,
    };
    match (column, &kind) {
        (Column::Name, _) => row.name.push_str(&word.text),
        (Column::Spec, _) => row.spec.push_str(&word.text),
        (Column::Unit, _) => row.unit.push_str(&word.text),
        (Column::Quantity, _) => row.quantity = row.quantity.or(figure),
        (Column::Price, _) => row.price = row.price.or(figure),
        (Column::Amount, _) => row.amount = row.amount.or(figure.map(Figure::fen)),
        (Column::Rate, Cell::Rate(rate)) => row.rate = row.rate.or(Some(*rate)),
        // A rate of a table without percent signs: 13, or 0.13.
        (Column::Rate, _) => row.rate = row.rate.or(figure.map(Rate::Percent)),
        (Column::Tax, Cell::Rate(Rate::Free)) => row.tax = row.tax.or(Some(0)),
        (Column::Tax, _) => row.tax = row.tax.or(figure.map(Figure::fen)),
    }
}

impl Item {
    fn cover(&mut self, [x0, top, x1, base]: [f32; 4], placed: bool) {
        if placed {
            let [a, b, c, d] = self.area.unwrap_or([f32::MAX, f32::MAX, 0.0, 0.0]);
            self.area = Some([a.min(x0), b.min(top), c.max(x1), d.max(base)]);
        }
    }

    /// Takes what another line of the form says of the same line of the invoice.
    fn take(&mut self, rest: Item) {
        self.name.push_str(&rest.name);
        self.spec.push_str(&rest.spec);
        self.unit.push_str(&rest.unit);
        self.quantity = self.quantity.or(rest.quantity);
        self.price = self.price.or(rest.price);
        self.amount = self.amount.or(rest.amount);
        self.rate = self.rate.or(rest.rate);
        self.tax = self.tax.or(rest.tax);
        if let Some(area) = rest.area {
            self.cover(area, true);
        }
    }
}

/// What stands in the line of the sum: the amount, then the tax.
fn sums(on: &[&Word], heads: &[Head], lines: &mut Lines) {
    let middle = |column| heads.iter().find(|head| head.column == column).map(|head| f32::midpoint(head.x0, head.x1));
    let (Some(amount), Some(tax)) = (middle(Column::Amount), middle(Column::Tax)) else { return };
    for label in on.iter().filter(|word| word.label == Some(Label::Sum)) {
        let line = on.iter().filter(|word| word.label.is_none() && word.is_beside(label) && word.x0 > label.x1 - 2.0);
        for word in line.flat_map(|word| figures_apart(word)) {
            let fen = match cell(&word.text) {
                Cell::Figure(figure) => figure.fen(),
                Cell::Rate(Rate::Free) => 0,
                _ => continue,
            };
            let nearer = (word.middle() - amount).abs() <= (word.middle() - tax).abs();
            let place = if nearer { &mut lines.amount } else { &mut lines.tax };
            *place = place.or(Some((fen, word.page)));
        }
    }
}
