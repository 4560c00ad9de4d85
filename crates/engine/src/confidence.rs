//! How sure a model was of its answer, from the log probabilities of the tokens that it chose: on the whole, and where it was least sure.
//!
//! These are the model's own figures and no promise that it is right: a model may be sure and wrong. What share of answers with such a
//! figure is right can only be learned from answers that somebody has judged; [`Calibration`] is the place for what was learned, and
//! changes nothing until there is something.

use std::{collections::VecDeque, str::FromStr};

/// Tokens of the window in which it was least sure: about a clause.
pub const WINDOW: usize = 16;

/// The figures of one answer, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    /// The geometric mean of the tokens' probabilities, e^(mean ln p).
    pub mean: f32,
    /// The same of the [`WINDOW`] tokens in a row, or of all where there are fewer, in which it is smallest.
    pub worst: f32,
    /// The first token of these, counted from 0.
    pub worst_from: u32,
    /// Tokens that were counted.
    pub tokens: u32,
}

/// Counts the tokens of one answer as they come.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    sum: f64,
    tokens: u32,
    window: VecDeque<f32>,
    worst: Option<(f64, u32)>,
}

impl Tally {
    /// A token whose log probability was `logprob`.
    pub fn add(&mut self, logprob: f32) {
        // A token that was forced on the model may have none at all; one such must not drown all others.
        let logprob = logprob.clamp(-30.0, 0.0);
        self.sum += f64::from(logprob);
        self.tokens += 1;
        self.window.push_back(logprob);
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        let mean = self.window_mean();
        let whole = self.window.len() == WINDOW;
        if whole && self.worst.is_none_or(|(worst, _)| mean < worst) {
            self.worst = Some((mean, self.tokens - self.window.len() as u32));
        }
    }

    fn window_mean(&self) -> f64 {
        let sum: f64 = self.window.iter().copied().map(f64::from).sum();
        sum / self.window.len().max(1) as f64
    }

    /// What came of it; `None` where there was no token.
    pub fn confidence(&self) -> Option<Confidence> {
        if self.tokens == 0 {
            return None;
        }
        let (worst, worst_from) = self.worst.unwrap_or((self.window_mean(), 0));
        #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
        let probability = |mean: f64| mean.exp() as f32;
        let mean = probability(self.sum / f64::from(self.tokens));
        Some(Confidence { mean, worst: probability(worst), worst_from, tokens: self.tokens })
    }
}

/// From a model's own figure to the share of answers with it that are right: a rising line through points that were learned from judged
/// answers (isotonic regression: Zadrozny and Elkan, KDD 2002). Without points a figure is what it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration(Vec<(f32, f32)>);

impl FromStr for Calibration {
    type Err = String;

    /// `0.2:0.1,0.5:0.35`: figure and share of each point.
    fn from_str(text: &str) -> Result<Self, String> {
        let point = |point: &str| {
            let (figure, share) = point.split_once(':')?;
            Some((figure.trim().parse().ok()?, share.trim().parse().ok()?))
        };
        let points: Option<Vec<(f32, f32)>> = text.split(',').map(point).collect();
        let points = points.ok_or_else(|| format!("{text} is not FIGURE:SHARE,FIGURE:SHARE…"))?;
        let within = |&(figure, share): &(f32, f32)| (0.0..=1.0).contains(&figure) && (0.0..=1.0).contains(&share);
        if !points.iter().all(within) {
            return Err(format!("{text} has a number that is not from 0 to 1"));
        }
        if points.windows(2).any(|two| two[0].0 >= two[1].0 || two[0].1 > two[1].1) {
            return Err(format!("{text} does not rise: a surer answer is not to be right less often"));
        }
        Ok(Calibration(points))
    }
}

impl Calibration {
    /// What a figure says.
    pub fn of(&self, figure: f32) -> f32 {
        let after = self.0.partition_point(|(known, _)| *known < figure);
        match (after.checked_sub(1).and_then(|at| self.0.get(at)), self.0.get(after)) {
            (None, None) => figure,
            (Some(&(_, share)), None) | (None, Some(&(_, share))) => share,
            (Some(&(from, low)), Some(&(to, high))) => low + (high - low) * (figure - from) / (to - from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Calibration, Confidence, Tally, WINDOW};

    fn told(logprobs: impl IntoIterator<Item = f32>) -> Option<Confidence> {
        let mut tally = Tally::default();
        logprobs.into_iter().for_each(|logprob| tally.add(logprob));
        tally.confidence()
    }

    #[test]
    fn an_answer_is_as_sure_as_its_tokens_and_its_worst_clause_is_found() {
        assert_eq!(told([]), None);
        let half = 0.5_f32.ln();
        let short = told([half, half, 0.0, 0.0]).expect("tokens");
        assert!((short.mean - 0.5_f32.sqrt()).abs() < 1e-6 && short.worst == short.mean, "{short:?}");
        assert_eq!((short.worst_from, short.tokens), (0, 4));

        let unsure = 40..40 + WINDOW;
        let long = told((0..100).map(|at| if unsure.contains(&at) { half } else { 0.0 })).expect("tokens");
        assert!((long.worst - 0.5).abs() < 1e-6 && long.worst_from == 40, "{long:?}");
        let expected = (half * WINDOW as f32 / 100.0).exp();
        assert!((long.mean - expected).abs() < 1e-6, "{long:?}");
        let forced = told([f32::NEG_INFINITY, 0.0]).expect("tokens");
        assert!(forced.mean > 0.0 && forced.mean < 1e-6, "{forced:?}");
    }

    #[test]
    fn without_judged_answers_a_figure_is_what_it_is_and_with_them_what_was_learned() {
        let none = Calibration::default();
        let learned: Calibration = "0.2:0.1, 0.6:0.3,0.8:0.9".parse().expect("points");
        for (figure, share) in [(0.0, 0.1), (0.2, 0.1), (0.4, 0.2), (0.6, 0.3), (0.7, 0.6), (0.8, 0.9), (1.0, 0.9)] {
            assert!((none.of(figure) - figure).abs() < 1e-6);
            assert!((learned.of(figure) - share).abs() < 1e-6, "{figure}: {}", learned.of(figure));
        }
        for (wrong, why) in
            [("0.5", "is not FIGURE"), ("0.5:2", "not from 0 to 1"), ("0.5:0.5,0.6:0.4", "does not rise")]
        {
            let said = wrong.parse::<Calibration>().expect_err("refused");
            assert!(said.contains(why), "{said}");
        }
    }
}
