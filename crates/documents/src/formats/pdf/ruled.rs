//! Tables by their ruled lines: a grid of horizontal and vertical ones that meet. A cell goes as far as no line parts it.

use super::glyphs::{Glyph, Rule};
use super::lines;
use crate::text::join;

/// How far apart lines may stand and still be one, in points.
const NEAR: f64 = 2.5;
/// Rows or columns of a grid: more is a drawing.
const MOST: usize = 200;

/// A table where it stands.
pub(super) struct Table {
    pub(super) rows: Vec<Vec<String>>,
    pub(super) x0: f64,
    pub(super) y0: f64,
    pub(super) x1: f64,
    pub(super) y1: f64,
}

/// A vertical line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wall {
    x: f64,
    y0: f64,
    y1: f64,
}

impl Wall {
    pub(super) fn of(rule: &Rule) -> Option<Wall> {
        let Rule { x0, y0, x1, y1 } = *rule;
        (y1 - y0 > x1 - x0).then_some(Wall { x: f64::midpoint(x0, x1), y0, y1 })
    }

    /// Whether it stands between two letters of a line.
    pub(super) fn parts(&self, left: &Glyph, right: &Glyph) -> bool {
        let height = right.y - 0.3 * right.size;
        let (before, after) = (f64::midpoint(left.x0, left.x1), f64::midpoint(right.x0, right.x1));
        before < self.x && self.x < after && self.y0 < height && height < self.y1
    }
}

/// The tables of a page, and the glyphs that are in none.
pub(super) fn tables(rules: &[Rule], mut glyphs: Vec<Glyph>) -> (Vec<Table>, Vec<Glyph>) {
    let mut tables = Vec::new();
    for group in groups(rules) {
        let Some(grid) = Grid::of(&group) else { continue };
        let (inside, outside) = glyphs.into_iter().partition(|glyph| grid.holds(glyph));
        glyphs = outside;
        tables.extend(grid.fill(inside));
    }
    (tables, glyphs)
}

/// Rules that touch, directly or by others.
fn groups(rules: &[Rule]) -> Vec<Vec<Rule>> {
    let mut groups: Vec<(Rule, Vec<Rule>)> = Vec::new();
    // A drawing of thousands of strokes is no table.
    if rules.len() > 2_000 {
        return Vec::new();
    }
    for rule in rules {
        let (mut bounds, mut members) = (*rule, vec![*rule]);
        let mut at = 0;
        while at < groups.len() {
            let touches = overlap(&groups[at].0, &bounds)
                && groups[at].1.iter().any(|one| members.iter().any(|two| overlap(one, two)));
            if touches {
                let (other, more) = groups.swap_remove(at);
                bounds = Rule {
                    x0: bounds.x0.min(other.x0),
                    y0: bounds.y0.min(other.y0),
                    x1: bounds.x1.max(other.x1),
                    y1: bounds.y1.max(other.y1),
                };
                members.extend(more);
                at = 0;
            } else {
                at += 1;
            }
        }
        groups.push((bounds, members));
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

fn overlap(a: &Rule, b: &Rule) -> bool {
    a.x0 <= b.x1 + NEAR && b.x0 <= a.x1 + NEAR && a.y0 <= b.y1 + NEAR && b.y0 <= a.y1 + NEAR
}

struct Grid {
    xs: Vec<f64>,
    ys: Vec<f64>,
    upright: Vec<Rule>,
    level: Vec<Rule>,
}

impl Grid {
    /// A grid has at least two cells.
    fn of(rules: &[Rule]) -> Option<Grid> {
        let (upright, level): (Vec<Rule>, Vec<Rule>) =
            rules.iter().copied().partition(|rule: &Rule| rule.x1 - rule.x0 < rule.y1 - rule.y0);
        let xs = places(upright.iter().map(|rule| rule.x0));
        let ys = places(level.iter().map(|rule| rule.y0));
        let cells = xs.len().saturating_sub(1) * ys.len().saturating_sub(1);
        (cells >= 2 && xs.len() <= MOST && ys.len() <= MOST).then_some(Grid { xs, ys, upright, level })
    }

    fn holds(&self, glyph: &Glyph) -> bool {
        self.place(glyph).is_some()
    }

    fn place(&self, glyph: &Glyph) -> Option<(usize, usize)> {
        let (x, y) = (f64::midpoint(glyph.x0, glyph.x1), glyph.y - 0.3 * glyph.size);
        let column = self.xs.windows(2).position(|pair| x >= pair[0] && x < pair[1])?;
        let row = self.ys.windows(2).position(|pair| y >= pair[0] && y < pair[1])?;
        // The first cell of those that no line parts.
        let (middle, centre) =
            (f64::midpoint(self.ys[row], self.ys[row + 1]), f64::midpoint(self.xs[column], self.xs[column + 1]));
        let mut first = (row, column);
        while first.1 > 0
            && !self
                .upright
                .iter()
                .any(|rule| (rule.x0 - self.xs[first.1]).abs() <= NEAR && spans(rule.y0, rule.y1, middle))
        {
            first.1 -= 1;
        }
        while first.0 > 0
            && !self
                .level
                .iter()
                .any(|rule| (rule.y0 - self.ys[first.0]).abs() <= NEAR && spans(rule.x0, rule.x1, centre))
        {
            first.0 -= 1;
        }
        Some(first)
    }

    /// `None` where it is empty. Rows without text are left out.
    fn fill(&self, glyphs: Vec<Glyph>) -> Option<Table> {
        let (rows, columns) = (self.ys.len() - 1, self.xs.len() - 1);
        let mut cells: Vec<Vec<Vec<Glyph>>> = vec![vec![Vec::new(); columns]; rows];
        for glyph in glyphs {
            if let Some((row, column)) = self.place(&glyph) {
                cells[row][column].push(glyph);
            }
        }
        let text = |glyphs: Vec<Glyph>| {
            let mut text = String::new();
            for line in lines::of(glyphs) {
                join(&mut text, &line.text);
            }
            text
        };
        let rows: Vec<Vec<String>> = cells.into_iter().map(|row| row.into_iter().map(text).collect()).collect();
        let rows: Vec<Vec<String>> =
            rows.into_iter().filter(|row: &Vec<String>| row.iter().any(|cell| !cell.is_empty())).collect();
        let (x0, y0) = (*self.xs.first()?, *self.ys.first()?);
        let (x1, y1) = (*self.xs.last()?, *self.ys.last()?);
        (!rows.is_empty()).then_some(Table { rows, x0, y0, x1, y1 })
    }
}

fn spans(from: f64, to: f64, at: f64) -> bool {
    from - NEAR <= at && at <= to + NEAR
}

/// Places that lines stand at; near ones are one.
fn places(all: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all.dedup_by(|a, b| *a - *b <= NEAR);
    all
}
