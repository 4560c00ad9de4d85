//! Which unit of one version is which of the other. What is the same and there but once holds the rest in place (patience); between
//! two such, likeness and number decide, by the best path through all pairs; what is left over on both sides and still alike has
//! moved.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::clauses::Unit;
use super::words::words;

/// How like two units must be to be the same one, changed; and to be the same one, elsewhere. Of 1.
const ALIKE: f32 = 0.42;
const MOVED: f32 = 0.7;
/// The same number, or a heading, says something, too.
const NUMBERED: f32 = 0.15;
/// A moved unit has so many letters at least: short ones are alike by chance.
const LONG: usize = 8;
/// Pairs of a stretch that are all looked at; of a longer one, those near its diagonal.
const PAIRS: usize = 250_000;
const BAND: usize = 120;
/// More pairs than this have no table: what is neither the same nor of the same number is another unit.
const TABLE: usize = 16_000_000;

/// A row of the comparison, by places in both versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    /// The same, or changed.
    Both(usize, usize),
    /// It stood here; where it is elsewhere now, that is told.
    Old(usize, Option<usize>),
    /// It stands here; where it stood elsewhere before, that is told.
    New(usize, Option<usize>),
}

/// What a unit is compared by.
struct Key {
    body: u64,
    number: String,
    /// Hashes of its words and of each two that follow each other, sorted.
    grams: Vec<u32>,
    letters: usize,
}

impl Key {
    fn of(unit: &Unit) -> Key {
        let body = unit.body();
        let spoken: Vec<&str> =
            words(body).into_iter().filter(|word| word.chars().any(char::is_alphanumeric)).collect();
        let hash = |parts: &[&str]| {
            let mut hasher = DefaultHasher::new();
            parts.iter().for_each(|part| part.to_lowercase().hash(&mut hasher));
            hasher.finish()
        };
        let short = |hash: u64| (hash >> 32) as u32;
        let pairs = spoken.windows(2).map(|pair| short(hash(pair)));
        let mut grams: Vec<u32> = spoken.iter().map(|word| short(hash(&[*word]))).chain(pairs).collect();
        grams.sort_unstable();
        let plain: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        let number = unit.number.chars().filter(|c| c.is_alphanumeric()).collect();
        Key { body: hash(&[plain.as_str()]), number, grams, letters: plain.chars().count() }
    }

    /// Twice the grams of both over the grams of each: 0 to 1.
    fn likeness(&self, other: &Key) -> f32 {
        if self.body == other.body {
            return 1.0;
        }
        let all = self.grams.len() + other.grams.len();
        let fewest = self.grams.len().min(other.grams.len());
        // It cannot be reached.
        if all == 0 || 2.0 * fewest as f32 / (all as f32) < ALIKE - NUMBERED {
            return 0.0;
        }
        let (mut at, mut other_at, mut both) = (0, 0, 0);
        while let (Some(a), Some(b)) = (self.grams.get(at), other.grams.get(other_at)) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => at += 1,
                std::cmp::Ordering::Greater => other_at += 1,
                std::cmp::Ordering::Equal => (at, other_at, both) = (at + 1, other_at + 1, both + 1),
            }
        }
        2.0 * both as f32 / all as f32
    }

    /// What it is worth to take both for one; nothing where they are not.
    fn worth(&self, other: &Key) -> f32 {
        let same_number = !self.number.is_empty() && self.number == other.number;
        let likeness = self.likeness(other) + if same_number { NUMBERED } else { 0.0 };
        if likeness >= ALIKE { likeness } else { 0.0 }
    }
}

/// The comparison in the order of reading.
pub(super) fn rows(old: &[Unit], new: &[Unit]) -> Vec<Row> {
    let (a, b): (Vec<Key>, Vec<Key>) = (old.iter().map(Key::of).collect(), new.iter().map(Key::of).collect());
    let mut pairs = Vec::new();
    stretch(&a, &b, 0, 0, &mut pairs);
    pairs.sort_unstable();
    let moved = moved(&a, &b, &pairs);
    let to = |at: usize| moved.iter().find(|(from, _)| *from == at).map(|(_, to)| *to);
    let from = |at: usize| moved.iter().find(|(_, to)| *to == at).map(|(from, _)| *from);
    let mut rows = Vec::with_capacity(a.len().max(b.len()));
    let (mut i, mut j) = (0, 0);
    for (x, y) in pairs.into_iter().chain([(a.len(), b.len())]) {
        rows.extend((i..x).map(|at| Row::Old(at, to(at))));
        rows.extend((j..y).map(|at| Row::New(at, from(at))));
        if x < a.len() {
            rows.push(Row::Both(x, y));
        }
        (i, j) = (x + 1, y + 1);
    }
    rows
}

/// The pairs of a stretch that begins at these places.
fn stretch(a: &[Key], b: &[Key], from_a: usize, from_b: usize, pairs: &mut Vec<(usize, usize)>) {
    let same = |(a, b): &(&Key, &Key)| a.body == b.body;
    let start = a.iter().zip(b).take_while(same).count();
    let end = a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(same).count();
    pairs.extend((0..start).map(|at| (from_a + at, from_b + at)));
    pairs.extend((1..=end).map(|back| (from_a + a.len() - back, from_b + b.len() - back)));
    let (a, b) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    let (from_a, from_b) = (from_a + start, from_b + start);
    if a.is_empty() || b.is_empty() {
        return;
    }
    let pairs_there = a.len().saturating_mul(b.len());
    let mut held = anchors(a, b, |key| Some(key.body));
    if held.is_empty() && pairs_there > PAIRS {
        held = anchors(a, b, |key| {
            let mut hasher = DefaultHasher::new();
            key.number.hash(&mut hasher);
            (!key.number.is_empty()).then(|| hasher.finish())
        });
        held.retain(|(x, y)| a[*x].worth(&b[*y]) > 0.0);
    }
    if held.is_empty() {
        if pairs_there <= TABLE {
            best(a, b, from_a, from_b, pairs);
        }
        return;
    }
    let (mut i, mut j) = (0, 0);
    for (x, y) in held.into_iter().chain([(a.len(), b.len())]) {
        stretch(&a[i..x], &b[j..y], from_a + i, from_b + j, pairs);
        if x < a.len() {
            pairs.push((from_a + x, from_b + y));
        }
        (i, j) = (x + 1, y + 1);
    }
}

/// What is the same by a mark and there but once on both sides, as far as its order is the same: the longest increasing run.
fn anchors(a: &[Key], b: &[Key], by: fn(&Key) -> Option<u64>) -> Vec<(usize, usize)> {
    let mut known: HashMap<u64, (Option<usize>, Option<usize>, bool)> = HashMap::new();
    for (at, key) in a.iter().enumerate().filter_map(|(at, key)| Some((at, by(key)?))) {
        let entry = known.entry(key).or_insert((None, None, true));
        entry.2 &= entry.0.is_none();
        entry.0 = Some(at);
    }
    for (at, key) in b.iter().enumerate().filter_map(|(at, key)| Some((at, by(key)?))) {
        let entry = known.entry(key).or_insert((None, None, true));
        entry.2 &= entry.1.is_none();
        entry.1 = Some(at);
    }
    let mut once: Vec<(usize, usize)> =
        known.into_values().filter_map(|(a, b, once)| Some((a?, b?)).filter(|_| once)).collect();
    once.sort_unstable();
    increasing(&once)
}

/// The longest run of pairs, sorted by the first place, whose second places increase.
fn increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // The last pair of the best run of each length, and the pair before each.
    let (mut tails, mut before): (Vec<usize>, Vec<Option<usize>>) = (Vec::new(), vec![None; pairs.len()]);
    for (at, (_, second)) in pairs.iter().enumerate() {
        let long = tails.partition_point(|tail| pairs[*tail].1 < *second);
        before[at] = long.checked_sub(1).map(|shorter| tails[shorter]);
        match tails.get_mut(long) {
            Some(tail) => *tail = at,
            None => tails.push(at),
        }
    }
    let mut run = Vec::new();
    let mut at = tails.last().copied();
    while let Some(here) = at {
        run.push(pairs[here]);
        at = before[here];
    }
    run.reverse();
    run
}

/// The best path through all pairs of a stretch: the most likeness in all, order kept.
fn best(a: &[Key], b: &[Key], from_a: usize, from_b: usize, pairs: &mut Vec<(usize, usize)>) {
    let narrow = a.len().saturating_mul(b.len()) > PAIRS;
    let near = |i: usize, j: usize| !narrow || (i * b.len() / a.len()).abs_diff(j) <= BAND;
    let wide = b.len() + 1;
    let mut score = vec![0.0_f32; (a.len() + 1) * wide];
    let mut worth: HashMap<(usize, usize), f32> = HashMap::new();
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let mut most = score[(i + 1) * wide + j].max(score[i * wide + j + 1]);
            if near(i, j) {
                let here = a[i].worth(&b[j]);
                if here > 0.0 {
                    worth.insert((i, j), here);
                    most = most.max(here + score[(i + 1) * wide + j + 1]);
                }
            }
            score[i * wide + j] = most;
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let here = worth.get(&(i, j)).map(|worth| worth + score[(i + 1) * wide + j + 1]);
        if here.is_some_and(|here| here >= score[i * wide + j]) {
            pairs.push((from_a + i, from_b + j));
            (i, j) = (i + 1, j + 1);
        } else if score[(i + 1) * wide + j] >= score[i * wide + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// Of what is in no pair: what is alike nevertheless, the most alike first.
fn moved(a: &[Key], b: &[Key], pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let (mut in_a, mut in_b) = (vec![false; a.len()], vec![false; b.len()]);
    for (x, y) in pairs {
        (in_a[*x], in_b[*y]) = (true, true);
    }
    let left = |keys: &[Key], taken: &[bool]| -> Vec<usize> {
        (0..keys.len()).filter(|at| !taken[*at] && keys[*at].letters >= LONG).collect()
    };
    let (left_a, left_b) = (left(a, &in_a), left(b, &in_b));
    let mut alike: Vec<(f32, usize, usize)> = Vec::new();
    let all = left_a.len().saturating_mul(left_b.len()) <= 4 * PAIRS;
    for x in &left_a {
        for y in &left_b {
            let likeness = match all {
                true => a[*x].likeness(&b[*y]),
                // Of two versions with nothing in common only what is the same is looked for.
                false => f32::from(u8::from(a[*x].body == b[*y].body)),
            };
            if likeness >= MOVED {
                alike.push((likeness, *x, *y));
            }
        }
    }
    alike.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)).then(one.2.cmp(&other.2)));
    let mut found = Vec::new();
    for (_, x, y) in alike {
        if !in_a[x] && !in_b[y] {
            (in_a[x], in_b[y]) = (true, true);
            found.push((x, y));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(texts: &[&str]) -> Vec<Unit> {
        let unit = |text: &&str| {
            let number = text.split_once(' ').map(|(number, _)| number.to_owned()).unwrap_or_default();
            Unit { name: number.clone(), number, text: (*text).to_owned(), ..Unit::default() }
        };
        texts.iter().map(unit).collect()
    }

    #[test]
    fn clauses_are_found_again_when_their_numbers_and_places_change() {
        let old = units(&[
            "第一条 甲方向乙方采购服务器十二台，单价四万八千元。",
            "第二条 乙方应当在三十日内交付全部设备并负责安装调试。",
            "第三条 因本合同发生的争议，双方协商解决，协商不成的提交仲裁。",
            "第四条 本合同一式两份，双方各执一份，自签字之日起生效。",
        ]);
        let new = units(&[
            "第一条 甲方向乙方采购服务器十台，单价四万八千元。",
            "第二条 因本合同发生的争议，双方协商解决，协商不成的提交仲裁。",
            "第三条 双方对履行中知悉的商业秘密负有保密义务，期限五年。",
            "第四条 乙方应当在三十日内交付全部设备并负责安装调试。",
            "第五条 本合同一式两份，双方各执一份，自签字之日起生效。",
        ]);
        // Of two that have changed places, one has moved.
        let told = rows(&old, &new);
        let both: Vec<&Row> = told.iter().filter(|row| matches!(row, Row::Both(..))).collect();
        assert_eq!(both.len(), 3, "{told:?}");
        assert!(told.contains(&Row::Both(0, 0)) && told.contains(&Row::Both(3, 4)), "{told:?}");
        assert!(told.contains(&Row::New(2, None)), "{told:?}");
        let moves = told.iter().filter(|row| matches!(row, Row::Old(_, Some(_)) | Row::New(_, Some(_)))).count();
        assert_eq!(moves, 2, "{told:?}");
        assert_eq!(told.iter().filter(|row| matches!(row, Row::Old(_, None))).count(), 0, "{told:?}");
    }

    #[test]
    fn every_unit_is_in_one_row_and_the_order_of_the_new_version_is_kept() {
        let old = units(&["a x", "b y", "c z", "a x"]);
        let new = units(&["c z", "d q", "a x"]);
        let told = rows(&old, &new);
        let news: Vec<usize> = told
            .iter()
            .filter_map(|row| match row {
                Row::Both(_, at) | Row::New(at, _) => Some(*at),
                Row::Old(..) => None,
            })
            .collect();
        let mut olds: Vec<usize> = told
            .iter()
            .filter_map(|row| match row {
                Row::Both(at, _) | Row::Old(at, _) => Some(*at),
                Row::New(..) => None,
            })
            .collect();
        assert_eq!(news, [0, 1, 2]);
        olds.sort_unstable();
        assert_eq!(olds, [0, 1, 2, 3]);
        assert!(rows(&[], &[]).is_empty());
        assert_eq!(rows(&[], &units(&["a x"])), [Row::New(0, None)]);
    }
}
