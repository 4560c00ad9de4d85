//! The order in which the lines of a page are read: columns one after the other, what goes across them in between.

use super::lines::Line;

/// Lines that each side of a gutter must have to be columns.
const LINES: usize = 4;
/// How much of its column a line of prose fills, in the middle of all.
const FILLED: f64 = 0.6;
/// How narrow a gutter may be, in points.
const GUTTER: f64 = 8.0;
/// Places that lines begin at: more is no page of columns.
const STARTS: usize = 300;
/// How often columns are looked for inside columns.
const DEEP: usize = 4;

/// Groups of lines in reading order: each is a column, or what stands across columns.
pub(super) fn in_order(mut lines: Vec<Line>) -> Vec<Vec<Line>> {
    lines.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    let mut groups = Vec::new();
    split(lines, DEEP, &mut groups);
    groups
}

fn split(lines: Vec<Line>, deep: usize, groups: &mut Vec<Vec<Line>>) {
    let Some(gutter) = (deep > 0).then(|| gutter(&lines)).flatten() else {
        groups.push(lines);
        return;
    };
    let (mut left, mut right, mut across) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        if line.x0 < gutter && line.x1 > gutter {
            flush(&mut left, &mut right, deep, groups);
            across.push(line);
            continue;
        }
        if !across.is_empty() {
            groups.push(std::mem::take(&mut across));
        }
        if line.x1 <= gutter { left.push(line) } else { right.push(line) }
    }
    flush(&mut left, &mut right, deep, groups);
    if !across.is_empty() {
        groups.push(across);
    }
}

fn flush(left: &mut Vec<Line>, right: &mut Vec<Line>, deep: usize, groups: &mut Vec<Vec<Line>>) {
    for side in [left, right] {
        if !side.is_empty() {
            split(std::mem::take(side), deep - 1, groups);
        }
    }
}

/// Where the page is parted into two columns of prose, if it is.
fn gutter(lines: &[Line]) -> Option<f64> {
    let mut starts: Vec<f64> = lines.iter().filter(|line| line.table.is_none()).map(|line| line.x0).collect();
    starts.sort_by(f64::total_cmp);
    starts.dedup_by(|a, b| *a - *b < 2.0);
    if starts.len() > STARTS {
        return None;
    }
    let mut best: Option<(usize, f64)> = None;
    for start in starts {
        let edge = start - 0.5;
        let left: Vec<&Line> = lines.iter().filter(|line| line.x1 <= edge).collect();
        let right: Vec<&Line> = lines.iter().filter(|line| line.x0 >= edge).collect();
        let across = lines.len() - left.len() - right.len();
        if left.len() < LINES || right.len() < LINES || across * 2 > left.len().min(right.len()) {
            continue;
        }
        let (Some(a), Some(b)) = (Extent::of(&left), Extent::of(&right)) else { continue };
        let beside = b.top < a.bottom && a.top < b.bottom;
        if !beside || start - a.right < GUTTER || !a.is_prose(&left) || !b.is_prose(&right) {
            continue;
        }
        if best.is_none_or(|(fewest, _)| across < fewest) {
            best = Some((across, f64::midpoint(a.right, start)));
        }
    }
    best.map(|(_, gutter)| gutter)
}

struct Extent {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Extent {
    fn of(lines: &[&Line]) -> Option<Extent> {
        let first = lines.first()?;
        let mut extent = Extent { left: first.x0, right: first.x1, top: first.top, bottom: first.y };
        for line in lines {
            extent.left = extent.left.min(line.x0);
            extent.right = extent.right.max(line.x1);
            extent.top = extent.top.min(line.top);
            extent.bottom = extent.bottom.max(line.y);
        }
        Some(extent)
    }

    /// Lines of prose fill their column; cells of a table do not.
    fn is_prose(&self, lines: &[&Line]) -> bool {
        let mut widths: Vec<f64> = lines.iter().map(|line| line.x1 - line.x0).collect();
        widths.sort_by(f64::total_cmp);
        widths[widths.len() / 2] > FILLED * (self.right - self.left)
    }
}
