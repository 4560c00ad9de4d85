//! Evaluations: what was answered stays through a stop and a restart, what is missing is told, and all of it goes with what it is of.

use domain::{
    Author, Caller, DatasetId, EvaluationId, Failure, Finish, JobId, Message, PersonId, Role, TenantId, Usage,
};
use serde_json::json;
use store::{
    Error, EvaluationAnswer, EvaluationQuestion, EvaluationState, EvaluationsOf, JobState, NewDatasetVersion,
    NewEvaluation, NewExample, NewJob, Store, Variant,
};

use crate::harness::{House, on_both};

/// A frozen version, and a job that is done with it.
async fn taught(store: &Store, anna: &Caller) -> (DatasetId, JobId) {
    let set = store.create_dataset(anna, "客服".into(), String::new(), 10, 7).await.unwrap().id;
    let new = NewExample { content: "{}".into(), hash: "h".into(), source: "file".into(), origin: String::new() };
    store.add_examples(anna, set, vec![new]).await.unwrap();
    let revision = store.dataset(anna, set).await.unwrap().unwrap().revision;
    let new = NewDatasetVersion { revision, note: String::new(), trained: 1, held_out: 2, sha256: "x".into() };
    store.freeze_dataset(anna, set, new).await.unwrap();
    let new = NewJob { name: "j".into(), model: "m".into(), dataset: set, version: 1, recipe: json!({}) };
    let job = store.create_job(anna, new).await.unwrap().id;
    store.move_job(job, &[JobState::Queued], JobState::Done, None, None).await.unwrap();
    (set, job)
}

/// Two questions to a base and its adapter with instructions.
pub(crate) fn asked(dataset: DatasetId, job: Option<JobId>) -> NewEvaluation {
    let question = |text: &str, expected: &str| EvaluationQuestion {
        messages: vec![Message::new(Author::User, text)],
        expected: expected.into(),
    };
    let adapter = Variant { model: "local/m:a".into(), system_prompt: Some("请简短。".into()) };
    NewEvaluation {
        job,
        dataset,
        version: 1,
        variants: vec![Variant { model: "local/m".into(), system_prompt: None }, adapter],
        max_tokens: 64,
        questions: vec![question("几点开门？", "九点。"), question("Where?", "There.")],
    }
}

pub(crate) fn answer(seq: u32, variant: u32, text: &str) -> EvaluationAnswer {
    EvaluationAnswer {
        seq,
        variant,
        text: text.into(),
        finish: Finish::Stop,
        failure: None,
        usage: Usage { prompt: domain::Tokens(7), completion: domain::Tokens(3), ..Usage::default() },
        ttft_ms: Some(5),
        ms: 20,
        exact: Some(text == "九点。"),
        similarity: Some(500),
    }
}

fn failed(seq: u32, variant: u32) -> EvaluationAnswer {
    let failure = Some(Failure { code: "cut".into(), message: "it broke off".into() });
    EvaluationAnswer { failure, finish: Finish::Failed, exact: None, similarity: None, ..answer(seq, variant, "") }
}

async fn open(store: &Store, anna: &Caller, id: EvaluationId) -> Vec<(u32, Vec<u32>)> {
    store.unanswered(anna, id).await.unwrap().into_iter().map(|one| (one.seq, one.variants)).collect()
}

async fn rows(house: &House) -> usize {
    let mut rows = 0;
    for table in ["evaluations", "evaluation_questions", "evaluation_answers"] {
        rows += house.sql(&format!("SELECT tenant FROM {table}")).await.len();
    }
    rows
}

#[test]
fn an_evaluation_goes_on_where_it_was() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Admin).await);
        let (set, job) = taught(store, &anna).await;
        let new = asked(set, Some(job));
        let id = store.begin_evaluation(&anna, new.clone()).await.unwrap();
        assert_eq!(open(store, &anna, id).await, [(0, vec![0, 1]), (1, vec![0, 1])]);
        assert!(store.keep_evaluation_answer(&anna, id, answer(0, 0, "九点。")).await.unwrap());
        assert!(store.keep_evaluation_answer(&anna, id, answer(0, 0, "again")).await.unwrap());
        assert!(store.keep_evaluation_answer(&anna, id, failed(1, 0)).await.unwrap());
        let there = store.evaluation(&anna, id).await.unwrap().unwrap();
        assert_eq!((there.state, there.questions, there.answers), (EvaluationState::Running, 2, 2));
        assert_eq!((there.job, there.variants, there.max_tokens), (Some(job), new.variants, 64));
        assert_eq!(store.evaluation_questions(&anna, id).await.unwrap(), new.questions);
        assert_eq!(store.evaluation_answers(&anna, id).await.unwrap(), [answer(0, 0, "九点。"), failed(1, 0)]);
        let early = store.resume_evaluation(&anna, id).await;
        assert!(matches!(early, Err(Error::Conflict { .. })), "{early:?}");

        assert_eq!(store.interrupt_enquiries(store.node()).await.unwrap(), 1, "the process ended");
        assert!(!store.keep_evaluation_answer(&anna, id, answer(1, 1, "late")).await.unwrap());
        assert_eq!(store.evaluation(&anna, id).await.unwrap().unwrap().state, EvaluationState::Interrupted);
        store.resume_evaluation(&anna, id).await.unwrap();
        assert_eq!(open(store, &anna, id).await, [(0, vec![1]), (1, vec![0, 1])], "what failed is asked again");
        for (seq, variant) in [(0, 1), (1, 0), (1, 1)] {
            assert!(store.keep_evaluation_answer(&anna, id, answer(seq, variant, "x")).await.unwrap());
        }
        store.end_evaluation(&anna, id, EvaluationState::Finished).await.unwrap();
        store.stop_evaluation(&anna, id).await.unwrap();
        let done = store.evaluation(&anna, id).await.unwrap().unwrap();
        assert_eq!((done.state, done.answers), (EvaluationState::Finished, 4), "it had ended");
        assert!(open(store, &anna, id).await.is_empty());
    });
}

#[test]
fn another_node_runs_it_now() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Admin).await);
        let (set, _) = taught(store, &anna).await;
        let id = store.begin_evaluation(&anna, asked(set, None)).await.unwrap();
        house.sql("UPDATE evaluations SET node = 'elsewhere'").await;
        assert!(!store.keep_evaluation_answer(&anna, id, answer(0, 0, "x")).await.unwrap());
        store.end_evaluation(&anna, id, EvaluationState::Finished).await.unwrap();
        assert_eq!(store.interrupt_enquiries(store.node()).await.unwrap(), 0);
        assert_eq!(store.evaluation(&anna, id).await.unwrap().unwrap().state, EvaluationState::Running);
        store.stop_evaluation(&anna, id).await.unwrap();
        assert_eq!(store.evaluation(&anna, id).await.unwrap().unwrap().state, EvaluationState::Cancelled);
    });
}

#[test]
fn it_goes_with_its_job_and_with_its_data_set() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Admin).await);
        let (set, job) = taught(store, &anna).await;
        let of_job = store.begin_evaluation(&anna, asked(set, Some(job))).await.unwrap();
        let of_set = store.begin_evaluation(&anna, asked(set, None)).await.unwrap();
        for id in [of_job, of_set] {
            store.keep_evaluation_answer(&anna, id, answer(0, 0, "x")).await.unwrap();
        }
        let list = |of: EvaluationsOf| async move {
            store.evaluations(&anna, of, 9).await.unwrap().into_iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(list(EvaluationsOf::default()).await, [of_set, of_job]);
        assert_eq!(list(EvaluationsOf { job: Some(job), dataset: None }).await, [of_job]);
        assert_eq!(list(EvaluationsOf { job: None, dataset: Some(set) }).await, [of_set, of_job]);

        let lost = store.begin_evaluation(&anna, NewEvaluation { version: 9, ..asked(set, None) }).await;
        assert!(matches!(lost, Err(Error::NotFound { what: "version" })), "{lost:?}");
        store.delete_job(&anna, job).await.unwrap();
        let lost = store.begin_evaluation(&anna, asked(set, Some(job))).await;
        assert!(matches!(lost, Err(Error::NotFound { what: "job" })), "{lost:?}");
        assert_eq!(list(EvaluationsOf::default()).await, [of_set]);
        assert_eq!(rows(&house).await, 4, "one, its two questions and an answer");
        assert!(!store.keep_evaluation_answer(&anna, of_job, answer(1, 0, "late")).await.unwrap());
        store.delete_dataset(&anna, set).await.unwrap();
        assert_eq!(rows(&house).await, 0);
    });
}

#[test]
fn another_tenant_sees_and_changes_nothing() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Admin).await);
        let (set, _) = taught(store, &anna).await;
        let id = store.begin_evaluation(&anna, asked(set, None)).await.unwrap();
        store.keep_evaluation_answer(&anna, id, answer(0, 0, "x")).await.unwrap();
        let eve = Caller { tenant: TenantId(house.ids.next()), person: PersonId(house.ids.next()), ..anna };
        assert!(store.evaluation(&eve, id).await.unwrap().is_none());
        assert!(store.evaluations(&eve, EvaluationsOf::default(), 9).await.unwrap().is_empty());
        assert!(store.evaluation_questions(&eve, id).await.unwrap().is_empty());
        assert!(store.evaluation_answers(&eve, id).await.unwrap().is_empty());
        assert!(!store.keep_evaluation_answer(&eve, id, answer(1, 0, "x")).await.unwrap());
        store.stop_evaluation(&eve, id).await.unwrap();
        for outcome in [store.delete_evaluation(&eve, id).await, store.resume_evaluation(&eve, id).await] {
            assert!(matches!(outcome, Err(Error::NotFound { .. })), "{outcome:?}");
        }
        let theirs = store.begin_evaluation(&eve, asked(set, None)).await;
        assert!(matches!(theirs, Err(Error::NotFound { .. })), "{theirs:?}");
        let there = store.evaluation(&anna, id).await.unwrap().unwrap();
        assert_eq!((there.state, there.answers), (EvaluationState::Running, 1));
        store.delete_evaluation(&anna, id).await.unwrap();
        assert_eq!(rows(&house).await, 0);
    });
}
