//! The word that was probably meant.

/// The candidate nearest to `word` by edits (insert, delete, replace, swap of neighbours), when it is near enough to be a slip: a third of the
/// longer word, at most three.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let near = candidates.into_iter().map(|candidate| (distance(&word, candidate), candidate));
    let near = near.filter(|(edits, candidate)| *edits <= slips(word.len().max(candidate.len())));
    near.min_by_key(|(edits, _)| *edits).map(|(_, candidate)| candidate)
}

fn slips(length: usize) -> usize {
    (length / 3).clamp(1, 3)
}

/// Optimal string alignment: Levenshtein, with a swap of neighbours as one edit, the commonest slip of all.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut edits = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                edits = edits.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = edits;
        }
    }
    rows[a.len()][b.len()]
}
