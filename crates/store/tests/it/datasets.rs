//! Data sets and training jobs: a draft that is edited, versions that stay, what people think of answers, losses step by step.

use domain::{Caller, DatasetId, ExampleId, Rating, Role, TenantId, Verdict};
use serde_json::json;
use store::{
    Dataset, DatasetChange, Error, ExampleChange, JobState, Loss, NewDatasetVersion, NewExample, NewJob, Store,
};

use crate::harness::{House, on_both};

async fn made(store: &Store, caller: &Caller, texts: &[&str]) -> (DatasetId, Vec<ExampleId>) {
    let set = store.create_dataset(caller, "客服".into(), String::new(), 10, 7).await.unwrap();
    let new = |text: &&str| NewExample {
        content: (*text).into(),
        hash: format!("hash of {text}"),
        source: "file".into(),
        origin: "a.csv:2".into(),
    };
    store.add_examples(caller, set.id, texts.iter().map(new).collect()).await.unwrap();
    let ids = store.examples(caller, set.id, None).await.unwrap().iter().map(|row| row.id).collect();
    (set.id, ids)
}

async fn texts(store: &Store, caller: &Caller, id: DatasetId, version: Option<i64>) -> Vec<String> {
    store.examples(caller, id, version).await.unwrap().into_iter().map(|row| row.content).collect()
}

async fn freeze(store: &Store, caller: &Caller, id: DatasetId) -> i64 {
    let revision = set(store, caller, id).await.revision;
    let new = NewDatasetVersion { revision, note: "试".into(), trained: 2, held_out: 1, sha256: "abc".into() };
    store.freeze_dataset(caller, id, new).await.unwrap().version
}

async fn set(store: &Store, caller: &Caller, id: DatasetId) -> Dataset {
    store.dataset(caller, id).await.unwrap().unwrap()
}

fn text(content: &str) -> ExampleChange {
    ExampleChange { content: Some((content.into(), format!("hash of {content}"))), included: None }
}

#[test]
fn a_frozen_version_stays_whatever_is_edited_after_it() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Admin).await);
        let (id, ids) = made(store, &anna, &["one", "two", "three", "one"]).await;
        assert_eq!(texts(store, &anna, id, None).await, ["one", "two", "three"]);
        assert_eq!(freeze(store, &anna, id).await, 1);
        store.change_example(&anna, id, ids[0], text("ONE")).await.unwrap();
        store.change_example(&anna, id, ids[0], text("one!")).await.unwrap();
        let left_out = ExampleChange { content: None, included: Some(false) };
        let row = store.change_example(&anna, id, ids[1], left_out).await.unwrap();
        assert_eq!((row.content.as_str(), row.included), ("two", false));
        assert_eq!(store.remove_examples(&anna, id, &[ids[2], ids[2]]).await.unwrap(), 1);
        assert_eq!(texts(store, &anna, id, None).await, ["one!", "two"]);
        assert_eq!(texts(store, &anna, id, Some(1)).await, ["one", "two", "three"]);
        assert_eq!(freeze(store, &anna, id).await, 2);
        store.remove_examples(&anna, id, &ids).await.unwrap();
        assert!(texts(store, &anna, id, None).await.is_empty());
        assert_eq!(texts(store, &anna, id, Some(2)).await, ["one!", "two"]);
        assert_eq!(texts(store, &anna, id, Some(1)).await, ["one", "two", "three"]);
        let versions = store.dataset_versions(&anna, id).await.unwrap();
        let told: Vec<_> = versions.iter().map(|one| (one.version, one.trained, one.share, one.seed)).collect();
        assert_eq!(told, [(2, 2, 10, 7), (1, 2, 10, 7)]);
        assert_eq!(set(store, &anna, id).await.draft, 3);
    });
}

#[test]
fn what_was_taken_out_comes_back_until_the_draft_is_frozen() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Admin).await);
        let (id, ids) = made(store, &anna, &["one", "two"]).await;
        store.remove_examples(&anna, id, &ids).await.unwrap();
        assert_eq!(store.restore_examples(&anna, id, &ids).await.unwrap(), 2);
        assert_eq!(texts(store, &anna, id, None).await, ["one", "two"]);
        freeze(store, &anna, id).await;
        // Edited, taken out, brought back: as it was edited.
        store.change_example(&anna, id, ids[0], text("uno")).await.unwrap();
        store.remove_examples(&anna, id, &[ids[0]]).await.unwrap();
        assert_eq!(store.restore_examples(&anna, id, &[ids[0]]).await.unwrap(), 1);
        assert_eq!(texts(store, &anna, id, None).await, ["uno", "two"]);
        store.remove_examples(&anna, id, &[ids[1]]).await.unwrap();
        freeze(store, &anna, id).await;
        assert_eq!(store.restore_examples(&anna, id, &[ids[1]]).await.unwrap(), 0);
        let twin = store.change_example(&anna, id, ids[0], text("two")).await;
        assert!(twin.is_ok(), "{twin:?}");
        // The same came in again meanwhile: one is enough.
        store.remove_examples(&anna, id, &[ids[0]]).await.unwrap();
        let again = NewExample {
            content: "two".into(),
            hash: "hash of two".into(),
            source: "file".into(),
            origin: String::new(),
        };
        assert_eq!(store.add_examples(&anna, id, vec![again.clone(), again]).await.unwrap(), 1);
        assert_eq!(store.restore_examples(&anna, id, &[ids[0]]).await.unwrap(), 0);
    });
}

#[test]
fn what_changed_meanwhile_is_not_frozen_unseen() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Admin).await);
        let (id, ids) = made(store, &anna, &["one", "two"]).await;
        let revision = set(store, &anna, id).await.revision;
        store.remove_examples(&anna, id, &ids[..1]).await.unwrap();
        let new = NewDatasetVersion { revision, note: String::new(), trained: 2, held_out: 0, sha256: String::new() };
        let late = store.freeze_dataset(&anna, id, new).await;
        assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
        let twin = store.create_dataset(&anna, "客服".into(), String::new(), 10, 0).await;
        assert!(matches!(twin, Err(Error::Duplicate { what: "name" })), "{twin:?}");
        let same = store.change_example(&anna, id, ids[1], text("two")).await;
        assert_eq!(same.unwrap().content, "two");
        store
            .add_examples(
                &anna,
                id,
                vec![NewExample {
                    content: "x".into(),
                    hash: "hash of x".into(),
                    source: "file".into(),
                    origin: String::new(),
                }],
            )
            .await
            .unwrap();
        let twin = store.change_example(&anna, id, ids[1], text("x")).await;
        assert!(matches!(twin, Err(Error::Duplicate { what: "example" })), "{twin:?}");
    });
}

#[test]
fn another_tenant_sees_and_changes_nothing() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Admin).await);
        let (id, ids) = made(store, &anna, &["one"]).await;
        freeze(store, &anna, id).await;
        let stranger = Caller { tenant: TenantId(house.ids.next()), ..anna };
        assert!(store.datasets(&stranger).await.unwrap().is_empty());
        assert!(store.dataset(&stranger, id).await.unwrap().is_none());
        assert!(store.examples(&stranger, id, None).await.unwrap().is_empty());
        assert!(store.examples(&stranger, id, Some(1)).await.unwrap().is_empty());
        assert!(store.dataset_versions(&stranger, id).await.unwrap().is_empty());
        let missing = |error: Option<Error>| assert!(matches!(error, Some(Error::NotFound { .. })), "{error:?}");
        missing(store.change_dataset(&stranger, id, DatasetChange::default()).await.err());
        missing(store.change_example(&stranger, id, ids[0], text("x")).await.err());
        missing(store.remove_examples(&stranger, id, &ids).await.err());
        missing(store.restore_examples(&stranger, id, &ids).await.err());
        missing(store.delete_dataset(&stranger, id).await.err());
        let job = store.create_job(&anna, job(id)).await.unwrap();
        assert!(store.jobs(&stranger).await.unwrap().is_empty());
        assert!(store.job(&stranger, job.id).await.unwrap().is_none());
        assert!(store.losses(&stranger, job.id, 0).await.unwrap().is_empty());
        missing(store.delete_job(&stranger, job.id).await.err());
        store.delete_dataset(&anna, id).await.unwrap();
        assert!(store.datasets(&anna).await.unwrap().is_empty());
    });
}

fn rating(house: &House, verdict: Verdict, shared: bool) -> Option<Rating> {
    let correction = (verdict == Verdict::Bad).then(|| "九点".to_owned());
    Some(Rating {
        verdict,
        reasons: vec!["wrong".into()],
        note: r#""shared":true"#.into(),
        correction,
        shared,
        at: house.now(),
    })
}

#[test]
fn a_rating_goes_with_its_answer_and_is_read_by_leave_alone() {
    on_both(|house| async move {
        let store = &house.store;
        let (anna, ben) = (house.person("anna", Role::Admin).await, house.person("ben", Role::Member).await);
        let asked = house.ask(&ben, "几点开门？");
        house.turn(&asked, "十点。").await;
        let (question, answer) = (asked.question.as_ref().unwrap().id, asked.answer.id);
        let refused = store.rate(&ben, question, rating(&house, Verdict::Bad, true)).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
        let strange = store.rate(&anna, answer, rating(&house, Verdict::Bad, true)).await;
        assert!(matches!(strange, Err(Error::NotFound { .. })), "{strange:?}");
        store.rate(&ben, answer, rating(&house, Verdict::Bad, false)).await.unwrap();
        assert!(store.rated(&anna, 10).await.unwrap().is_empty());
        assert_eq!(store.rated(&ben, 10).await.unwrap().len(), 1);
        let given = rating(&house, Verdict::Bad, true);
        store.rate(&ben, answer, given.clone()).await.unwrap();
        let rated = store.rated(&anna, 10).await.unwrap();
        let path: Vec<_> = rated[0].path.iter().map(|message| message.text.as_str()).collect();
        assert_eq!((Some(&rated[0].rating), &path[..]), (given.as_ref(), &["几点开门？", "十点。"][..]));
        assert_eq!(store.message(&ben, answer).await.unwrap().unwrap().rating, given);
        // It is in the person's own file; whoever takes that in has not shared it.
        let exported = store.export(&ben, asked.conversation).await.unwrap().unwrap();
        let imported = store.import(&anna, exported).await.unwrap();
        let copy = store.messages(&anna, imported.id).await.unwrap();
        assert_eq!(copy[1].rating.as_ref().map(|rating| (rating.verdict, rating.shared)), Some((Verdict::Bad, false)));
        store.delete_conversation(&ben, asked.conversation).await.unwrap();
        assert_eq!(store.rated(&anna, 10).await.unwrap().len(), 1);
        store.rate(&anna, copy[1].id, None).await.unwrap();
        assert!(store.rated(&anna, 10).await.unwrap().is_empty());
    });
}

fn job(dataset: DatasetId) -> NewJob {
    NewJob { name: "客服".into(), model: "stories260k".into(), dataset, version: 1, recipe: json!({ "rank": 8 }) }
}

#[test]
fn a_job_has_one_state_and_a_loss_for_each_step() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Admin).await);
        let dataset = DatasetId(house.ids.next());
        let first = store.create_job(&anna, job(dataset)).await.unwrap();
        let second = store.create_job(&anna, job(dataset)).await.unwrap();
        assert_eq!(store.next_job().await.unwrap().unwrap().id, first.id);
        let begun = [JobState::Queued];
        store.move_job(first.id, &begun, JobState::Running, None, None).await.unwrap();
        let twice = store.move_job(first.id, &begun, JobState::Running, None, None).await;
        assert!(matches!(twice, Err(Error::Conflict { .. })), "{twice:?}");
        assert_eq!(store.next_job().await.unwrap().unwrap().id, second.id);
        let loss = |step, train, held_out| Loss { step, train: Some(train), held_out };
        let told = [loss(1, 4_000_000, None), loss(2, 3_000_000, Some(3_500_000)), loss(3, 2_000_000, None)];
        store.note_progress(first.id, &json!({ "step": 3 }), &told, None).await.unwrap();
        assert_eq!(store.losses(&anna, first.id, 1).await.unwrap(), told[1..]);
        let busy = store.delete_job(&anna, first.id).await;
        assert!(matches!(busy, Err(Error::Conflict { .. })), "{busy:?}");
        assert_eq!(store.interrupt_jobs().await.unwrap(), 1);
        let held = store.job(&anna, first.id).await.unwrap().unwrap();
        assert_eq!((held.state, held.progress), (JobState::Interrupted, json!({ "step": 3 })));
        // It goes on from the checkpoint of step 1.
        store.note_progress(first.id, &json!({ "step": 2 }), &[loss(2, 2_900_000, None)], Some(1)).await.unwrap();
        assert_eq!(store.losses(&anna, first.id, 0).await.unwrap(), [told[0], loss(2, 2_900_000, None)]);
        let done = Some(json!({ "folder": "x" }));
        store.move_job(first.id, &[JobState::Interrupted], JobState::Done, None, done.clone()).await.unwrap();
        assert_eq!(store.jobs(&anna).await.unwrap()[1].result, done);
        store.delete_job(&anna, first.id).await.unwrap();
        assert!(store.losses(&anna, first.id, 0).await.unwrap().is_empty());
    });
}
