//! What differs between two texts, word by word: Chinese letter by letter, but a date, a sum or a number with its unit is one word.
//! The shortest script of edits (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986), then without the crumbs between
//! edits that nobody reads as kept.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

/// Edits of a script that are looked for: texts that differ more have nothing worth keeping.
const EDITS: usize = 2_000;

/// What became of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    Deleted,
    Inserted,
}

/// A piece of text and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) fate: Fate,
    pub(super) text: String,
}

static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?xs)
            \d{4}年\d{1,2}月(?:\d{1,2}日)?
          | [零〇一二三四五六七八九]{4}年[零〇一二三四五六七八九十]{1,3}月(?:[零〇一二三四五六七八九十]{1,3}日)?
          | [¥￥$€£]?\d+(?:[,，]\d{3})*(?:\.\d+)?(?:%|％|‰|万元|亿元|元|万|亿|个工作日|工作日|个月|日|天|月|年)?
          | (?:百|千|万)分之[零〇一二三四五六七八九十百千万点]+
          | [零〇一二三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟]{2,}(?:元整|圆整|元|圆|个工作日|工作日|个月|日|天|年)?
          | [\p{Latin}][\p{Latin}\d'’\-]*
          | \s+
          | .",
    )
    .ok()
});

/// The words of a text; together they are the text.
pub(super) fn words(text: &str) -> Vec<&str> {
    let Some(word) = WORD.as_ref() else { return text.split_inclusive(' ').collect() };
    word.find_iter(text).map(|found| found.as_str()).collect()
}

/// What of `before` was kept and deleted, and what was inserted, in the order of reading.
pub(super) fn diff(before: &str, after: &str) -> Vec<Run> {
    let (old, new) = (words(before), words(after));
    let mut known = HashMap::new();
    let (a, b) = (numbered(&old, &mut known), numbered(&new, &mut known));
    let mut runs: Vec<Run> = Vec::new();
    for (fate, at) in script(&a, &b) {
        push(&mut runs, fate, if fate == Fate::Inserted { new[at] } else { old[at] });
    }
    readable(runs)
}

/// Words as numbers, the same for the same.
fn numbered<'t>(words: &[&'t str], known: &mut HashMap<&'t str, u32>) -> Vec<u32> {
    let mut numbers = Vec::with_capacity(words.len());
    for word in words {
        let fresh = u32::try_from(known.len()).unwrap_or(u32::MAX);
        numbers.push(*known.entry(*word).or_insert(fresh));
    }
    numbers
}

/// The fates of all words in order: those kept and deleted by their place in `a`, those inserted by theirs in `b`.
pub(super) fn script(a: &[u32], b: &[u32]) -> Vec<(Fate, usize)> {
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let end = a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut fates: Vec<(Fate, usize)> = (0..start).map(|at| (Fate::Kept, at)).collect();
    let (inner_a, inner_b) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    fates.extend(myers(inner_a, inner_b).into_iter().map(|(fate, at)| (fate, at + start)));
    fates.extend((a.len() - end..a.len()).map(|at| (Fate::Kept, at)));
    fates
}

fn myers(a: &[u32], b: &[u32]) -> Vec<(Fate, usize)> {
    let whole = || -> Vec<(Fate, usize)> {
        let deleted = (0..a.len()).map(|at| (Fate::Deleted, at));
        deleted.chain((0..b.len()).map(|at| (Fate::Inserted, at))).collect()
    };
    if a.is_empty() || b.is_empty() {
        return whole();
    }
    let most = (a.len() + b.len()).min(EDITS);
    // The furthest place in `a` on each diagonal; of each number of edits what it was before.
    let mut furthest = vec![0_usize; 2 * most + 2];
    let mut trace: Vec<Vec<usize>> = Vec::new();
    for edits in 0..=most {
        trace.push(furthest[most - edits..=most + edits].to_vec());
        for step in 0..=edits {
            // The diagonal is `2 * step - edits`, kept at `most` more.
            let at = most + 2 * step - edits;
            let down = step == 0 || step != edits && furthest[at - 1] < furthest[at + 1];
            let mut x = match (down, edits) {
                (_, 0) => 0,
                (true, _) => furthest[at + 1],
                (false, _) => furthest[at - 1] + 1,
            };
            let mut y = x + most - at;
            while x < a.len() && y < b.len() && a[x] == b[y] {
                (x, y) = (x + 1, y + 1);
            }
            furthest[at] = x;
            if x >= a.len() && y >= b.len() {
                return walked(&trace, a.len(), b.len());
            }
        }
    }
    whole()
}

/// The way back through the trace.
fn walked(trace: &[Vec<usize>], mut x: usize, mut y: usize) -> Vec<(Fate, usize)> {
    let mut fates = Vec::new();
    for (edits, before) in trace.iter().enumerate().skip(1).rev() {
        // `before` holds the diagonals from `-edits` to `edits`; the one of (x, y) is `x - y`.
        let at = x + edits - y;
        let value = |at: usize| before.get(at).copied().unwrap_or(0);
        let down = at == 0 || at != 2 * edits && value(at - 1) < value(at + 1);
        let from_x = if down { value(at + 1) } else { value(at - 1) };
        let from_y = if down { from_x + edits - (at + 1) } else { from_x + edits - (at - 1) };
        let (start_x, start_y) = if down { (from_x, from_y + 1) } else { (from_x + 1, from_y) };
        while x > start_x && y > start_y {
            (x, y) = (x - 1, y - 1);
            fates.push((Fate::Kept, x));
        }
        fates.push(if down { (Fate::Inserted, from_y) } else { (Fate::Deleted, from_x) });
        (x, y) = (from_x, from_y);
    }
    while x > 0 && y > 0 {
        (x, y) = (x - 1, y - 1);
        fates.push((Fate::Kept, x));
    }
    fates.reverse();
    fates
}

fn push(runs: &mut Vec<Run>, fate: Fate, text: &str) {
    match runs.last_mut().filter(|run| run.fate == fate) {
        Some(run) => run.text.push_str(text),
        None => runs.push(Run { fate, text: text.to_owned() }),
    }
}

/// The same texts told in fewer pieces: what was kept between two edits and is a crumb beside them is told as deleted and inserted;
/// of each edit, what was deleted comes first.
fn readable(runs: Vec<Run>) -> Vec<Run> {
    let long = |runs: &[Run]| -> usize { runs.iter().map(|run| run.text.chars().count()).sum() };
    // Edits between what was kept.
    let mut groups: Vec<(bool, Vec<Run>)> = Vec::new();
    for run in runs {
        let kept = run.fate == Fate::Kept;
        match groups.last_mut().filter(|(other, _)| *other == kept) {
            Some((_, group)) => group.push(run),
            None => groups.push((kept, vec![run])),
        }
    }
    for at in 1..groups.len().saturating_sub(1) {
        let is_crumb = groups[at].0 && {
            let letters = long(&groups[at].1);
            let beside = long(&groups[at - 1].1).min(long(&groups[at + 1].1));
            let figure = groups[at].1.iter().any(|run| run.text.chars().any(char::is_numeric));
            letters <= 2 && beside >= letters && !figure
        };
        if is_crumb {
            groups[at].0 = false;
        }
    }
    let mut told: Vec<Run> = Vec::new();
    let (mut deleted, mut inserted) = (String::new(), String::new());
    let flush = |deleted: &mut String, inserted: &mut String, told: &mut Vec<Run>| {
        for (fate, text) in [(Fate::Deleted, deleted), (Fate::Inserted, inserted)] {
            if !text.is_empty() {
                told.push(Run { fate, text: std::mem::take(text) });
            }
        }
    };
    for (kept, group) in groups {
        if kept {
            flush(&mut deleted, &mut inserted, &mut told);
        }
        for run in group {
            match (kept, run.fate) {
                (true, _) => push(&mut told, Fate::Kept, &run.text),
                (false, Fate::Deleted) => deleted.push_str(&run.text),
                (false, Fate::Inserted) => inserted.push_str(&run.text),
                (false, Fate::Kept) => {
                    deleted.push_str(&run.text);
                    inserted.push_str(&run.text);
                }
            }
        }
    }
    flush(&mut deleted, &mut inserted, &mut told);
    told
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(before: &str, after: &str) -> String {
        let run = |run: &Run| match run.fate {
            Fate::Kept => run.text.clone(),
            Fate::Deleted => format!("[-{}-]", run.text),
            Fate::Inserted => format!("[+{}+]", run.text),
        };
        diff(before, after).iter().map(run).collect()
    }

    #[test]
    fn sums_and_dates_are_single_words() {
        assert_eq!(
            words("甲方于2024年5月1日前付 12,000.50元（壹万贰仟元整），逾期每日万分之五；30个工作日内"),
            [
                "甲",
                "方",
                "于",
                "2024年5月1日",
                "前",
                "付",
                " ",
                "12,000.50元",
                "（",
                "壹万贰仟元整",
                "）",
                "，",
                "逾",
                "期",
                "每",
                "日",
                "万分之五",
                "；",
                "30个工作日",
                "内"
            ]
        );
        assert_eq!(words("The Buyer's 5% well-known"), ["The", " ", "Buyer's", " ", "5%", " ", "well-known"]);
    }

    #[test]
    fn edits_are_told_as_a_person_reads_them() {
        for (before, after, wanted) in [
            ("甲方应在三十日内付款。", "甲方应在六十日内付款。", "甲方应在[-三十日-][+六十日+]内付款。"),
            ("总价为10,000元整", "总价为12,000元整", "总价为[-10,000元-][+12,000元+]整"),
            (
                "The Buyer shall pay USD 100.",
                "The Buyer may pay USD 250.",
                "The Buyer [-shall-][+may+] pay USD [-100-][+250+].",
            ),
            ("乙方负责运输", "乙方负责运输与安装", "乙方负责运输[+与安装+]"),
            ("一样", "一样", "一样"),
            ("", "新", "[+新+]"),
            ("旧", "", "[-旧-]"),
            ("供货方自行承担的费用", "采购人全额承担的税费", "[-供货方自行-][+采购人全额+]承担的[-费用-][+税费+]"),
        ] {
            assert_eq!(told(before, after), wanted);
        }
    }

    proptest! {
        #[test]
        fn both_texts_can_be_put_together_again(before in "[甲乙丙 0-9a-c，]{0,60}", after in "[甲乙丙 0-9a-c，]{0,60}") {
            let runs = diff(&before, &after);
            let side = |gone: Fate| runs.iter().filter(|run| run.fate != gone).map(|run| run.text.as_str()).collect::<String>();
            prop_assert_eq!(side(Fate::Inserted), before);
            prop_assert_eq!(side(Fate::Deleted), after);
        }

        #[test]
        fn the_script_is_as_short_as_the_longest_common_subsequence_allows(
            a in prop::collection::vec(0_u32..4, 0..24),
            b in prop::collection::vec(0_u32..4, 0..24),
        ) {
            let kept = script(&a, &b).iter().filter(|(fate, _)| *fate == Fate::Kept).count();
            let mut best = vec![vec![0; b.len() + 1]; a.len() + 1];
            for (i, x) in a.iter().enumerate() {
                for (j, y) in b.iter().enumerate() {
                    best[i + 1][j + 1] = if x == y { best[i][j] + 1 } else { best[i][j + 1].max(best[i + 1][j]) };
                }
            }
            prop_assert_eq!(kept, best[a.len()][b.len()]);
        }
    }
}
