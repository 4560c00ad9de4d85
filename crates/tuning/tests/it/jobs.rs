//! Training jobs with a scripted trainer: followed, stopped, gone on with, interrupted, failed; one after another.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::testing::ManualClock;
use domain::{Caller, Clock, DatasetId, Ids, JobId, Role, SessionId, TenantId, Via};
use store::{Job, JobState, Loss, NewPerson, Options, Place, Store};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tuning::data::Example;
use tuning::{Datasets, Error, Jobs, Order, Program, Recipe};

struct House {
    store: Store,
    anna: Caller,
    set: DatasetId,
    jobs: Jobs,
    folder: tempfile::TempDir,
    running: JoinSet<()>,
    closing: CancellationToken,
}

/// `script` is a shell's, with the folder as $1.
async fn house(script: &'static str) -> House {
    let clock = Arc::new(ManualClock::at(1_795_435_200_000));
    let ids = Ids::new(clock.clone());
    let options = Options { place: Place::Memory, clock: clock as Arc<dyn Clock>, ids: ids.clone(), node: "n".into() };
    let store = Store::open(options).await.unwrap();
    let new = NewPerson {
        name: "anna".into(),
        display_name: "Anna".into(),
        role: Role::Admin,
        password_hash: None,
        language: None,
    };
    let person = store.create_person(TenantId::FIRST, new).await.unwrap().id;
    let anna = Caller { tenant: TenantId::FIRST, person, role: Role::Admin, via: Via::Session(SessionId(ids.next())) };
    let datasets = Datasets::new(store.clone());
    let set = store.create_dataset(&anna, "a".into(), String::new(), 0, 1).await.unwrap().id;
    datasets.add(&anna, set, Example::pair("几点开门？", "九点。")).await.unwrap();
    datasets.freeze(&anna, set, String::new()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let trainer = move |task: &tuning::Task<'_>| Program {
        path: "/bin/sh".into(),
        args: vec!["-c".into(), script.into(), "trainer".into(), task.folder.into()],
    };
    let jobs = Jobs::new(store.clone(), datasets, folder.path().join("training"), Some(Box::new(trainer)));
    let mut house =
        House { store, anna, set, jobs, folder, running: JoinSet::new(), closing: CancellationToken::new() };
    house.begin();
    house
}

impl House {
    fn begin(&mut self) {
        self.closing = CancellationToken::new();
        let (jobs, closing) = (self.jobs.clone(), self.closing.clone());
        self.running.spawn(async move { jobs.run(closing).await });
    }

    async fn close(&mut self) {
        self.closing.cancel();
        while self.running.join_next().await.is_some() {}
    }

    fn order(&self) -> Order {
        let recipe =
            Recipe { file: PathBuf::from("m.gguf"), rank: 8, alpha: 16.0, learning_rate: 1e-3, epochs: 3, seed: 1 };
        Order { name: "a".into(), model: "m".into(), dataset: self.set, version: 1, recipe }
    }

    async fn ask(&self) -> JobId {
        self.jobs.create(&self.anna, self.order()).await.unwrap().id
    }

    async fn job(&self, id: JobId) -> Job {
        self.store.job(&self.anna, id).await.unwrap().unwrap()
    }

    /// The job once that holds.
    async fn until(&self, id: JobId, holds: impl Fn(&Job) -> bool) -> Job {
        for _ in 0..2_000 {
            let job = self.job(id).await;
            if holds(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {:?}", self.job(id).await)
    }

    async fn losses(&self, id: JobId) -> Vec<Loss> {
        self.store.losses(&self.anna, id, 0).await.unwrap()
    }
}

fn loss(step: u32, train: i64, held_out: Option<i64>) -> Loss {
    Loss { step, train: Some(train), held_out }
}

const WHOLE: &str = r#"
grep -q 九点 "$1/train.jsonl" && test -e "$1/held_out.jsonl" || exit 9
echo 'not for us'
echo '{"step":1,"steps":2,"loss":3.5,"held_out":4.0,"eta_s":1,"state":"running"}'
echo '{"step":2,"steps":2,"loss":2.25,"held_out":null,"eta_s":0,"state":"done"}'
echo '{"rank":8}' > "$1/card.json""#;

#[tokio::test]
async fn a_job_is_followed_to_its_end_and_leaves_its_card() {
    let mut house = house(WHOLE).await;
    let (first, second) = (house.ask().await, house.ask().await);
    let done = house.until(second, |job| job.state.rests()).await;
    assert_eq!(
        (done.state, &done.progress["step"], &done.progress["state"]),
        (JobState::Done, &2.into(), &"done".into())
    );
    assert_eq!(done.result.unwrap()["card"]["rank"], 8);
    assert_eq!(house.job(first).await.state, JobState::Done, "one after another, the earlier first");
    assert_eq!(house.losses(first).await, [loss(1, 3_500_000, Some(4_000_000)), loss(2, 2_250_000, None)]);
    let again = house.jobs.resume(&house.anna, first).await;
    assert!(matches!(again, Err(Error::Store(store::Error::Conflict { .. }))), "{again:?}");
    house.jobs.delete(&house.anna, first).await.unwrap();
    assert!(!house.jobs.folder(first).exists() && house.jobs.folder(second).exists());
    house.close().await;
}

/// Runs until it is told to stop, with a checkpoint; where there is one, goes on from it to the end.
const LONG: &str = r#"
stop() { echo 3 > "$1/checkpoint"; echo '{"step":3,"steps":9,"loss":1.5,"state":"stopped"}'; exit 0; }
trap 'stop "$1"' TERM
if test -e "$1/checkpoint"; then echo '{"step":4,"steps":9,"loss":1.0,"state":"done"}'; exit 0; fi
echo '{"step":1,"steps":9,"loss":3.0,"state":"running"}'
echo '{"step":2,"steps":9,"loss":2.0,"state":"running"}'
ps -o ni= -p $$ > "$1/nice"
while :; do sleep 0.02; done"#;

#[tokio::test]
async fn a_job_that_is_stopped_goes_on_from_its_checkpoint() {
    let mut house = house(LONG).await;
    let (id, next) = (house.ask().await, house.ask().await);
    let running = house.until(id, |job| job.state == JobState::Running && house_nice(&house, id).is_some()).await;
    assert_eq!((running.finished_at, house_nice(&house, id).as_deref()), (None, Some("15")), "it gives way");
    house.jobs.stop(&house.anna, next).await.unwrap();
    assert_eq!(house.job(next).await.state, JobState::Stopped, "one that waits never begins");
    let busy = house.jobs.delete(&house.anna, id).await;
    assert!(busy.is_err());
    house.jobs.stop(&house.anna, id).await.unwrap();
    house.until(id, |job| job.state == JobState::Stopped).await;
    assert_eq!(house.losses(id).await.len(), 3);
    house.jobs.resume(&house.anna, id).await.unwrap();
    let done = house.until(id, |job| job.state.rests()).await;
    assert_eq!((done.state, house.losses(id).await.last().copied()), (JobState::Done, Some(loss(4, 1_000_000, None))));
    house.close().await;
}

fn house_nice(house: &House, id: JobId) -> Option<String> {
    let told = std::fs::read_to_string(house.jobs.folder(id).join("nice")).ok()?;
    Some(told.trim().to_owned()).filter(|told| !told.is_empty())
}

#[tokio::test]
async fn a_portal_that_goes_down_interrupts_and_the_next_goes_on() {
    let mut house = house(LONG).await;
    let id = house.ask().await;
    house.until(id, |_| house_nice(&house, id).is_some()).await;
    house.close().await;
    assert_eq!(house.job(id).await.state, JobState::Interrupted);
    // One that was killed had no time to say so.
    let killed = house.ask().await;
    house.store.move_job(killed, &[JobState::Queued], JobState::Running, None, None).await.unwrap();
    house.begin();
    house.until(killed, |job| job.state == JobState::Interrupted).await;
    house.jobs.resume(&house.anna, id).await.unwrap();
    house.until(id, |job| job.state == JobState::Done).await;
    house.close().await;
    assert!(house.folder.path().exists());
}

#[tokio::test]
async fn a_job_that_fails_says_why() {
    for (script, expected) in [
        (r#"echo '{"failed":"it needs 17 GB of memory, and 4 GB can be had"}'; exit 3"#, "it needs 17 GB"),
        (r#"echo '{"step":1,"loss":1.0,"state":"running"}'; exit 7"#, "without a word"),
        (r#"echo '{"step":1,"loss":1.0,"state":"done"}'; exit 7"#, "without a word"),
    ] {
        let mut house = house(script).await;
        let id = house.ask().await;
        let failed = house.until(id, |job| job.state.rests()).await;
        assert_eq!(failed.state, JobState::Failed);
        assert!(failed.failure.as_deref().unwrap().contains(expected), "{failed:?}");
        house.close().await;
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let mut house = house(WHOLE).await;
    let mut order = house.order();
    order.recipe.rank = 0;
    let refused = house.jobs.create(&house.anna, order).await;
    assert!(matches!(refused, Err(Error::Recipe { field: "rank", .. })), "{refused:?}");
    let refused = house.jobs.create(&house.anna, Order { version: 2, ..house.order() }).await;
    assert!(matches!(refused, Err(Error::NotFound { what: "version" })), "{refused:?}");
    let none = Jobs::new(house.store.clone(), Datasets::new(house.store.clone()), PathBuf::new(), None);
    let refused = none.create(&house.anna, house.order()).await;
    assert!(matches!(refused, Err(Error::NoTrainer)), "{refused:?}");
    house.close().await;
}

#[tokio::test]
async fn what_is_almost_the_same_is_on_one_side() {
    let mut house = house(WHOLE).await;
    let datasets = Datasets::new(house.store.clone());
    let change = store::DatasetChange { held_out: Some(50), ..Default::default() };
    house.store.change_dataset(&house.anna, house.set, change).await.unwrap();
    let answer = "在人事系统中提交申请，由直属上级批准后生效，三个工作日内会收到通知。".repeat(2);
    for number in 0..16 {
        datasets.add(&house.anna, house.set, Example::pair(format!("怎样申请年假{number}？"), &answer)).await.unwrap();
    }
    let looked = datasets.looked(&house.anna, house.set, None).await.unwrap();
    let sides: Vec<bool> = (1..17).map(|at| looked.held_out(at)).collect();
    assert!(sides.iter().all(|side| *side == sides[0]), "{sides:?}");
    assert!(looked.report.twins.iter().flatten().count() >= 15);
    house.close().await;
}
