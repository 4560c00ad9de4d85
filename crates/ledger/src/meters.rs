//! The counters of turns, beside the books so that counters and usage rows agree.
//!
//! Labels are bounded: models and codes are configured or listed in the code, never taken from a request; tenants and persons
//! are in the usage rows, not here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::Finish;
use metrics::{Counter, Histogram, SharedString, counter, histogram};

use crate::Outcome;

/// The handles of every model and door that was asked so far: finding one by its labels costs more than counting does.
#[derive(Default)]
pub(crate) struct Meters(RwLock<HashMap<&'static str, HashMap<String, Arc<Meter>>>>);

/// One model through one door.
struct Meter {
    /// Turns that ended well, which most do; the others are looked up.
    stopped: Counter,
    prompt: Counter,
    completion: Counter,
    ttft: Histogram,
    tpot: Histogram,
}

impl Meters {
    /// Counts one turn.
    pub(crate) fn count(&self, outcome: &Outcome, model: &str, door: &'static str) {
        let meter = self.of(model, door);
        match (outcome.finish, &outcome.failure) {
            (Finish::Stop, None) => meter.stopped.increment(1),
            (finish, failure) => {
                let code = failure.as_ref().map_or(Cow::Borrowed(""), |failure| failure.code.clone());
                turns(model, door, finish, code).increment(1);
            }
        }
        meter.prompt.increment(u64::from(outcome.usage.prompt.0));
        meter.completion.increment(u64::from(outcome.usage.completion.0));
        if let Some(ttft) = outcome.ttft_ms {
            meter.ttft.record(f64::from(ttft) / 1e3);
        }
        if let Some(tpot) = outcome.tpot_us {
            meter.tpot.record(f64::from(tpot) / 1e6);
        }
    }

    fn of(&self, model: &str, door: &'static str) -> Arc<Meter> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = known.get(door).and_then(|models| models.get(model)) {
            return meter.clone();
        }
        drop(known);
        let meter = Arc::new(Meter::new(model, door));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(door).or_default().entry(model.to_owned()).or_insert(meter).clone()
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

impl Meter {
    fn new(model: &str, door: &'static str) -> Meter {
        let label = SharedString::from(model.to_owned());
        Meter {
            stopped: turns(model, door, Finish::Stop, Cow::Borrowed("")),
            prompt: counter!("portico_tokens_total", "model" => label.clone(), "kind" => "prompt"),
            completion: counter!("portico_tokens_total", "model" => label.clone(), "kind" => "completion"),
            ttft: histogram!("portico_ttft_seconds", "model" => label.clone()),
            tpot: histogram!("portico_tpot_seconds", "model" => label),
        }
    }
}

fn turns(model: &str, door: &'static str, finish: Finish, code: Cow<'static, str>) -> Counter {
    let model = model.to_owned();
    counter!("portico_turns_total", "model" => model, "door" => door, "finish" => finish.as_str(), "code" => code)
}
