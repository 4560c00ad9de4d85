//! How much of a prompt goes into one step: as much as leaves the step about as long as `step_target`, by what steps have taken so far.

use std::{collections::BTreeMap, time::Duration};

/// Tokens of the first piece, before anything has been measured.
const FIRST: u32 = 16;
/// A piece is at least this long, so that a prompt gets on even where a token takes longer than the target.
const LEAST: u32 = 4;
/// How much longer than the target a step may be that keeps nobody waiting: it has only to end soon enough for who comes or leaves.
const ALONE: u32 = 4;
/// Tiles that are computed together where there are as many: with 4-bit weights a token costs 7 % less in them. A step of fewer than three
/// blocks would lose more by leaving the rest for the next.
const BLOCK: u32 = 4;
const WORTH_A_BLOCK: u32 = 3 * BLOCK;
/// What a new measurement counts against all before it.
const NEW: f64 = 0.3;

/// See the module.
#[derive(Debug)]
pub(super) struct Pace {
    target: Duration,
    /// Seconds of a step without any prompt, by how many answer in it.
    answers: BTreeMap<usize, f64>,
    /// Seconds of a prompt's token.
    token: Option<f64>,
    longest: u32,
}

impl Pace {
    pub(super) fn new(target: Duration) -> Self {
        Pace { target, answers: BTreeMap::new(), token: None, longest: FIRST }
    }

    /// Tokens of prompts that the next step may take beside `answering` sequences.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
    pub(super) fn prompt_tokens(&self, answering: usize) -> u32 {
        let Some(token) = self.token else { return FIRST };
        let (time, base) = match answering {
            0 => (self.target * ALONE, 0.0),
            _ => (self.target, self.answers_alone(answering)),
        };
        let tokens = ((time.as_secs_f64() - base) / token).clamp(f64::from(LEAST), f64::from(u32::MAX)) as u32;
        // Twice the longest that has been tried: a measurement of few tokens says little about many.
        tokens.min(self.longest.saturating_mul(2))
    }

    /// A step with `prompt` tokens of prompts beside `answering` sequences took `time`.
    pub(super) fn observe(&mut self, prompt: u32, answering: usize, time: Duration) {
        let time = time.as_secs_f64();
        if prompt == 0 {
            let known = *self.answers.get(&answering).unwrap_or(&time);
            self.answers.insert(answering, blend(known, time));
            return;
        }
        self.longest = self.longest.max(prompt);
        let base = self.answers_alone(answering);
        // Never nothing: answers alone may have taken longer than usual, too.
        let token = ((time - base) / f64::from(prompt)).max(1e-7);
        // A few tokens cost as much as one, whose weights are read for all: they would make a token look dear. But where a step is late with
        // them, they are: deep in a long prompt a token costs several times what it did at the beginning.
        let late = answering > 0 && time > self.target.as_secs_f64();
        if prompt >= FIRST || late || self.token.is_none_or(|known| token < known) {
            self.token = Some(blend(self.token.unwrap_or(token), token));
        }
    }

    /// Seconds of a step in which so many answer and nothing is read: as measured, else on the line through the nearest that were (through
    /// nothing for nobody).
    #[expect(clippy::cast_precision_loss, reason = "as many as fit into a batch")]
    fn answers_alone(&self, answering: usize) -> f64 {
        let fewer = self.answers.range(..=answering).next_back().map_or((0, 0.0), |(&count, &time)| (count, time));
        let more = self.answers.range(answering + 1..).next().map(|(&count, &time)| (count, time));
        match (fewer, more) {
            ((count, time), _) if count == answering => time,
            ((few, short), Some((many, long))) => {
                short + (long - short) * ((answering - few) as f64 / (many - few) as f64)
            }
            ((0, _), None) => 0.0,
            ((few, short), None) => short * (answering as f64 / few as f64),
        }
    }
}

/// How much of `pending` tokens a step reads that has room for `left` beside `others`: of the fewest pieces that it takes the same for each, so
/// that none is left over that is hardly worth a step, and such that the step is a whole number of tiles.
pub(super) fn piece(pending: u32, left: u32, others: u32, tile: u32) -> u32 {
    if pending <= left || left == 0 {
        return pending.min(left);
    }
    let even = pending.div_ceil(pending.div_ceil(left));
    let tile = if others + left < WORTH_A_BLOCK * tile { tile } else { BLOCK * tile };
    let over = (others + left) % tile;
    let most = if over < left { left - over } else { left };
    (others + even).next_multiple_of(tile).saturating_sub(others).min(most)
}

fn blend(known: f64, new: f64) -> f64 {
    known + (new - known) * NEW
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FIRST, LEAST, Pace, piece};

    #[test]
    fn pieces_grow_to_the_target_and_follow_a_machine_that_slows_down() {
        let mut pace = Pace::new(Duration::from_millis(400));
        assert_eq!(pace.prompt_tokens(3), FIRST);
        let mut step = |answering: usize, token_ms: u64, times: usize| {
            let mut took = Vec::new();
            for _ in 0..times {
                pace.observe(0, answering, Duration::from_millis(50));
                let tokens = pace.prompt_tokens(answering);
                let time = Duration::from_millis(50 + u64::from(tokens) * token_ms);
                pace.observe(tokens, answering, time);
                took.push((tokens, time));
            }
            took
        };
        let took = step(3, 2, 20);
        assert!(took.iter().all(|(_, time)| *time <= Duration::from_millis(420)), "{took:?}");
        assert!((165..=180).contains(&took[19].0), "{took:?}");
        let took = step(3, 10, 20);
        assert!((34..=37).contains(&took[19].0), "{took:?}");
        assert!(took[8..].iter().all(|(_, time)| *time <= Duration::from_millis(500)), "{took:?}");
        let took = step(3, 1000, 30);
        assert_eq!(took[29].0, LEAST);
    }

    #[test]
    fn tokens_that_grow_dearer_make_pieces_shorter_even_where_they_are_short_already() {
        let mut pace = Pace::new(Duration::from_millis(400));
        let mut late = 0;
        for step in 0..200_u64 {
            pace.observe(0, 4, Duration::from_millis(60));
            let tokens = pace.prompt_tokens(4);
            let time = Duration::from_millis(60 + u64::from(tokens) * (10 + step * 7 / 20));
            pace.observe(tokens, 4, time);
            late += u32::from(time > Duration::from_millis(440));
        }
        assert_eq!(pace.prompt_tokens(4), LEAST);
        assert!(late <= 2, "{late} steps were late");
    }

    #[test]
    fn what_a_step_leaves_for_reading_follows_how_many_answer() {
        let mut pace = Pace::new(Duration::from_millis(400));
        pace.observe(100, 0, Duration::from_secs(1));
        assert_eq!(pace.prompt_tokens(1), 40, "nothing is known of answers");
        pace.observe(0, 8, Duration::from_millis(280));
        assert_eq!(
            [1, 4, 8].map(|answering| pace.prompt_tokens(answering)),
            [36, 26, 12],
            "on the line from nobody to eight"
        );
        pace.observe(0, 1, Duration::from_millis(50));
        assert_eq!([1, 4, 8, 9].map(|answering| pace.prompt_tokens(answering)), [35, 25, 12, 8]);
        // A step that reads beside one answer is not taken for faster than it was, because eight are slow.
        pace.observe(20, 1, Duration::from_millis(250));
        assert_eq!(pace.prompt_tokens(1), 35);
    }

    #[test]
    fn a_prompt_is_read_in_even_pieces_that_make_whole_tiles() {
        let pieces = |mut pending: u32, left: u32, others: u32| {
            let mut read = Vec::new();
            while pending > 0 {
                read.push(piece(pending, left, others, 4));
                pending -= read[read.len() - 1];
            }
            read
        };
        assert_eq!(pieces(100, 512, 3), [100]);
        assert_eq!(pieces(512, 118, 0), [112, 112, 96, 96, 96]);
        assert_eq!(pieces(130, 64, 3), [45, 45, 40]);
        assert_eq!(pieces(65, 64, 0), [48, 17]);
        assert_eq!(pieces(65, 40, 0), [36, 29]);
        assert_eq!(pieces(7, 2, 0), [2, 2, 2, 1], "no room for a tile");
        assert_eq!(piece(9, 0, 8, 4), 0);
        let long = pieces(4000, 31, 4);
        assert!(long[..long.len() - 1].iter().all(|&piece| piece <= 31 && piece % 4 == 0), "{long:?}");
    }
}
