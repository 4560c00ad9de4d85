//! Batches: a row that is done stays done, what is waiting is told, the figures beside the rows are those of the rows, and nobody sees
//! another's.

use domain::{BatchId, Caller, Failure, Role, Sampling, Tokens, Usage, Via};
use store::{BatchRow, BatchRowEnd, BatchRowState, BatchRowsOf, BatchState, Error, NewBatchRow, NewBatchRun, Store};

use crate::harness::on_both;

pub(crate) fn asked() -> NewBatchRun {
    let row = |cell: &str| NewBatchRow { cells: vec![cell.into()], upload: None };
    NewBatchRun {
        name: "工单".into(),
        assistant: None,
        model: "mock/m".into(),
        instructions: Some("Be brief.".into()),
        sampling: Sampling { max_tokens: Some(9), ..Sampling::default() },
        template: "{{内容}}".into(),
        columns: vec!["内容".into()],
        at_once: 2,
        rows: ["一", "二", "三"].map(row).to_vec(),
    }
}

pub(crate) fn end(seq: u32, failure: Option<&'static str>) -> BatchRowEnd {
    BatchRowEnd {
        seq,
        answer: if failure.is_none() { "好".into() } else { String::new() },
        failure: failure.map(|code| Failure { code: code.into(), message: "it broke off".into() }),
        usage: Usage { prompt: Tokens(7), completion: Tokens(3), ..Usage::default() },
        left_out: 0,
        ms: 20,
    }
}

async fn rows(store: &Store, anna: &Caller, id: BatchId, state: Option<BatchRowState>) -> Vec<BatchRow> {
    store.batch_rows(anna, id, BatchRowsOf { state, from: 0, limit: 9 }).await.unwrap()
}

#[test]
fn a_batch_goes_on_where_it_was() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Member).await);
        let id = store.begin_batch(&anna, asked()).await.unwrap();
        assert_eq!(store.waiting_rows(&anna, id).await.unwrap(), [0, 1, 2]);
        assert!(store.keep_batch_row(&anna, id, end(0, None)).await.unwrap());
        assert!(store.keep_batch_row(&anna, id, end(0, Some("late"))).await.unwrap(), "told twice, it is as it was");
        assert!(store.keep_batch_row(&anna, id, end(1, Some("cut"))).await.unwrap());
        let there = store.batch(&anna, id).await.unwrap().unwrap();
        assert_eq!((there.state, there.total, there.done, there.failed), (BatchState::Running, 3, 1, 1));
        assert_eq!((there.usage.prompt, there.usage.completion), (Tokens(14), Tokens(6)));
        assert_eq!((there.columns, there.sampling.max_tokens, there.at_once), (vec!["内容".to_owned()], Some(9), 2));
        let failed = rows(store, &anna, id, Some(BatchRowState::Failed)).await;
        assert_eq!((failed.len(), failed[0].seq, failed[0].tries), (1, 1, 1));
        assert_eq!(failed[0].failure.as_ref().map(|why| why.code.as_ref()), Some("cut"));
        assert!(matches!(store.resume_batch(&anna, id, false).await, Err(Error::Conflict { .. })));

        let left = store.running_batches().await.unwrap();
        assert_eq!(left, [(Caller { via: Via::House, ..anna }, id)], "the process ended, and the next goes on with it");

        let why = Failure { code: "over_daily_limit".into(), message: "spent".into() };
        store.end_batch(&anna, id, BatchState::Paused, Some(why.clone())).await.unwrap();
        let paused = store.batch(&anna, id).await.unwrap().unwrap();
        assert_eq!((paused.state, paused.reason, paused.finished_at), (BatchState::Paused, Some(why), None));
        assert!(!store.keep_batch_row(&anna, id, end(2, None)).await.unwrap(), "it rests");
        assert!(store.running_batches().await.unwrap().is_empty());
        store.resume_batch(&anna, id, false).await.unwrap();
        assert_eq!(store.waiting_rows(&anna, id).await.unwrap(), [2], "what failed stays so");
        store.stop_batch(&anna, id).await.unwrap();
        store.resume_batch(&anna, id, true).await.unwrap();
        assert_eq!(store.waiting_rows(&anna, id).await.unwrap(), [1, 2], "and is asked again where that is wished");
        for seq in [1, 2] {
            assert!(store.keep_batch_row(&anna, id, end(seq, None)).await.unwrap());
        }
        store.end_batch(&anna, id, BatchState::Finished, None).await.unwrap();
        let done = store.batch(&anna, id).await.unwrap().unwrap();
        assert_eq!((done.state, done.done, done.failed, done.reason), (BatchState::Finished, 3, 0, None));
        assert!(done.finished_at.is_some());
        assert_eq!(rows(store, &anna, id, None).await[1].tries, 2);
    });
}

#[test]
fn a_batch_is_its_persons_alone_and_goes_with_its_rows() {
    on_both(|house| async move {
        let (store, anna) = (&house.store, house.person("anna", Role::Member).await);
        let bert = house.person("bert", Role::Owner).await;
        let id = store.begin_batch(&anna, asked()).await.unwrap();
        assert!(store.batches(&bert, 9).await.unwrap().is_empty());
        assert!(store.batch(&bert, id).await.unwrap().is_none());
        assert!(rows(store, &bert, id, None).await.is_empty());
        store.stop_batch(&bert, id).await.unwrap();
        assert_eq!(store.batch(&anna, id).await.unwrap().unwrap().state, BatchState::Running, "not his to stop");
        assert!(matches!(store.resume_batch(&bert, id, true).await, Err(Error::NotFound { .. })));
        assert!(matches!(store.delete_batch(&bert, id).await, Err(Error::NotFound { .. })));
        house.sql("UPDATE persons SET disabled = 1 WHERE name = 'anna'").await;
        assert!(store.running_batches().await.unwrap().is_empty(), "who may not ask any more is not asked for");
        store.delete_batch(&anna, id).await.unwrap();
        assert!(!store.keep_batch_row(&anna, id, end(0, None)).await.unwrap());
        assert!(house.sql("SELECT tenant FROM batch_rows").await.is_empty());
    });
}
