//! A batch by what its records are, which is how the statements take it. Nothing is stored here.

use std::collections::{HashMap, HashSet};

use domain::{Act, KeyId, PersonId, SessionId, Timestamp, TurnId};

use super::job::Job;
use super::record::{Asked, Delta, Record, Settled, Started, Touch};
use crate::NewResponse;

/// The records of a batch by what they are, without those that cancel out.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    pub(super) started: Vec<&'a Started>,
    pub(super) asked: Vec<&'a Asked>,
    pub(super) deltas: Vec<&'a Delta>,
    pub(super) settled: Vec<&'a Settled>,
    /// Settled turns whose `started` row is on disk, or goes there with this batch.
    pub(super) open: Vec<TurnId>,
    pub(super) responses: Vec<&'a NewResponse>,
    pub(super) acts: Vec<&'a Act>,
    pub(super) sessions: HashMap<SessionId, Timestamp>,
    pub(super) keys: HashMap<KeyId, Timestamp>,
    pub(super) people: HashMap<PersonId, Timestamp>,
}

impl<'a> From<&'a [Job]> for Sorted<'a> {
    /// A turn that starts and ends in the same batch needs no `started` row; the deltas of one that ends need no rows either.
    fn from(jobs: &'a [Job]) -> Sorted<'a> {
        let mut sorted = Sorted::default();
        let ending: HashSet<TurnId> = jobs.iter().filter_map(|job| ending(&job.record)).collect();
        let mut brief = HashSet::new();
        for job in jobs {
            match &job.record {
                Record::Started(started) if ending.contains(&started.turn) => {
                    brief.insert(started.turn);
                }
                Record::Started(started) => sorted.started.push(started),
                Record::Asked(asked) => sorted.asked.push(asked),
                Record::Deltas(deltas) => {
                    sorted.deltas.extend(deltas.iter().filter(|delta| !ending.contains(&delta.turn)));
                }
                Record::Settled(settled) => {
                    sorted.settled.push(settled);
                    if !brief.contains(&settled.turn) {
                        sorted.open.push(settled.turn);
                    }
                }
                Record::Responded(response) => sorted.responses.push(response),
                Record::Act(act) => sorted.acts.push(act),
                Record::Touch(touch) => sorted.touch(*touch),
            }
        }
        sorted
    }
}

impl Sorted<'_> {
    fn touch(&mut self, touch: Touch) {
        let (person, at) = match touch {
            Touch::Session { session, person, at } => {
                self.sessions.insert(session, at);
                (person, at)
            }
            Touch::Key { key, person, at } => {
                self.keys.insert(key, at);
                (person, at)
            }
        };
        self.people.insert(person, at);
    }
}

fn ending(record: &Record) -> Option<TurnId> {
    match record {
        Record::Settled(settled) => Some(settled.turn),
        _ => None,
    }
}
