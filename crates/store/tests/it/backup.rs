//! A backup taken from one database is the same conversation in the other.

use domain::{KeyScope, ReplayId, Role};
use serde_json::json;
use store::{
    Error, Loss, NewAliasVersion, NewDatasetVersion, NewExample, NewJob, NewKey, Place, Record, ReplayAnswer, Store,
};

use crate::harness::{House, NOON, house, on_sqlite, postgres_schema};
use crate::{batches, evaluations};

async fn filled(house: &House) -> (domain::Caller, Vec<store::Exported>) {
    let anna = house.person("anna", Role::Owner).await;
    let first = house.ask(&anna, "劳动合同纠纷怎么处理？ \u{1f642} \"quoted\"\nnext line");
    house.turn(&first, "先协商，再仲裁。").await;
    let correction = Some("先调解。".to_owned());
    let (verdict, at) = (domain::Verdict::Bad, house.now());
    let rating = domain::Rating { verdict, reasons: vec![], note: "不全".into(), correction, shared: true, at };
    house.store.rate(&anna, first.answer.id, Some(rating)).await.unwrap();
    let second = house.ask_on(&first, "and then?");
    house.turn(&second, &"a long answer ".repeat(3_000)).await;
    let mut exported = vec![export(&house.store, &anna, first.conversation).await];
    // A tree whose ids do not follow its order comes in by an import.
    let mut backwards = exported[0].clone();
    backwards.messages.reverse();
    let ids: Vec<_> = exported[0].messages.iter().map(|message| message.id).collect();
    for (message, id) in backwards.messages.iter_mut().zip(&ids) {
        message.id = *id;
    }
    for at in 0..3 {
        backwards.messages[at].parent = Some(ids[at + 1]);
    }
    backwards.messages[3].parent = None;
    let imported = house.store.import(&anna, backwards).await.unwrap();
    exported.push(export(&house.store, &anna, imported.id).await);
    bound_and_led(house, &anna, &first).await;
    let open = house.ask(&anna, "not answered yet");
    house.stored(Record::Asked(Box::new(open))).await;
    (anna, exported)
}

/// A bound key with what was used with it, an alias with its history, a replay.
async fn bound_and_led(house: &House, anna: &domain::Caller, asked: &store::Asked) {
    let store = &house.store;
    let scope = KeyScope { models: vec!["main".into()], ..KeyScope::default() };
    let hash = "of a key".to_owned();
    let new = NewKey { person: anna.person, name: "ci".into(), prefix: "pk-".into(), hash, scope, expires_at: None };
    store.create_key(anna.tenant, new).await.unwrap();
    house
        .sql("INSERT INTO usage_key_day (tenant, key, day, prompt, completion, turns) VALUES ('t', 'k', 1, 2, 3, 4)")
        .await;
    for config in [Some(json!({ "targets": [] })), None] {
        let new = NewAliasVersion {
            name: "main".into(),
            environment: Some("production".into()),
            config,
            restores: None,
            note: "试试".into(),
            must_be_new: false,
        };
        store.put_alias(anna, new).await.unwrap();
    }
    let id = ReplayId(house.ids.next());
    store.begin_replay(anna, id, "main", "new/model", 1).await.unwrap();
    let answer = ReplayAnswer {
        seq: 0,
        conversation: asked.conversation,
        question: asked.question.as_ref().unwrap().id,
        answer: asked.answer.id,
        text: "协商".into(),
        finish: domain::Finish::Failed,
        failure: Some(domain::Failure { code: "cut".into(), message: "it broke off".into() }),
        usage: domain::Usage::default(),
        ttft_ms: None,
        tpot_us: Some(7),
        similarity: None,
    };
    store.keep_replay_answer(anna, id, answer).await.unwrap();
    taught(house, anna).await;
    let batch = store.begin_batch(anna, batches::asked()).await.unwrap();
    store.keep_batch_row(anna, batch, batches::end(1, None)).await.unwrap();
    let assistant = store.create_assistant(anna, "{}".into(), None, true).await.unwrap();
    store.share_assistant(anna, assistant.id, store::Shared::Everyone).await.unwrap();
    let kept = store::NewPrompt { name: "问候".into(), text: "你好".into(), shared: true };
    store.create_prompt(anna, kept).await.unwrap();
}

/// A data set with a version and an edit after it, a job with a loss.
async fn taught(house: &House, anna: &domain::Caller) {
    let store = &house.store;
    let set = store.create_dataset(anna, "法务".into(), String::new(), 10, 7).await.unwrap();
    let new =
        |text: &str| NewExample { content: text.into(), hash: text.into(), source: "file".into(), origin: "a".into() };
    store.add_examples(anna, set.id, vec![new("一"), new("二")]).await.unwrap();
    let revision = store.dataset(anna, set.id).await.unwrap().unwrap().revision;
    let version = NewDatasetVersion { revision, note: String::new(), trained: 2, held_out: 0, sha256: "x".into() };
    store.freeze_dataset(anna, set.id, version).await.unwrap();
    let first = store.examples(anna, set.id, None).await.unwrap()[0].id;
    store.remove_examples(anna, set.id, &[first]).await.unwrap();
    let new = NewJob { name: "j".into(), model: "m".into(), dataset: set.id, version: 1, recipe: json!({ "rank": 8 }) };
    let job = store.create_job(anna, new).await.unwrap();
    let loss = Loss { step: 1, train: Some(4_200_000), held_out: None };
    store.note_progress(job.id, &json!({ "step": 1 }), &[loss], None).await.unwrap();
    let id = store.begin_evaluation(anna, evaluations::asked(set.id, Some(job.id))).await.unwrap();
    store.keep_evaluation_answer(anna, id, evaluations::answer(0, 1, "九点。")).await.unwrap();
}

async fn export(store: &Store, caller: &domain::Caller, id: domain::ConversationId) -> store::Exported {
    store.export(caller, id).await.unwrap().unwrap()
}

async fn same(house: &House, anna: &domain::Caller, exported: &[store::Exported]) {
    assert_eq!(house.store.keys(anna).await.unwrap()[0].scope.models, ["main"]);
    assert_eq!(house.store.alias_versions(anna.tenant, "main", Some("production")).await.unwrap().len(), 2);
    let replay = house.store.replays(anna, 5).await.unwrap()[0].id;
    assert_eq!(house.store.compared(anna, replay).await.unwrap()[0].new.text, "协商");
    let set = house.store.datasets(anna).await.unwrap()[0].id;
    assert_eq!(house.store.examples(anna, set, None).await.unwrap().len(), 1);
    assert_eq!(house.store.examples(anna, set, Some(1)).await.unwrap().len(), 2);
    let job = house.store.jobs(anna).await.unwrap()[0].id;
    assert_eq!(house.store.losses(anna, job, 0).await.unwrap()[0].train, Some(4_200_000));
    let evaluation = house.store.evaluations(anna, Default::default(), 9).await.unwrap()[0].id;
    assert_eq!(house.store.evaluation_answers(anna, evaluation).await.unwrap(), [evaluations::answer(0, 1, "九点。")]);
    assert_eq!(house.store.evaluation_questions(anna, evaluation).await.unwrap().len(), 2);
    let batch = house.store.batches(anna, 9).await.unwrap().remove(0);
    assert_eq!((batch.name.as_str(), batch.done), ("工单", 1));
    assert_eq!(house.store.waiting_rows(anna, batch.id).await.unwrap(), [0, 2]);
    let assistant = house.store.assistants(anna).await.unwrap().remove(0);
    assert_eq!((assistant.shared, assistant.published), (store::Shared::Everyone, Some((1, "{}".into()))));
    assert_eq!(house.store.prompts(anna).await.unwrap()[0].text, "你好");
    for before in exported {
        let after = export(&house.store, anna, before.conversation.id).await;
        assert_eq!(serde_json::to_string(before).unwrap(), serde_json::to_string(&after).unwrap());
    }
    assert_eq!(house.store.search(anna, "合同", 5).await.unwrap().len(), 2);
    assert_eq!(house.store.verify_audit("node-1").await.unwrap(), Ok(2));
    assert_eq!(house.store.usage(anna, 10).await.unwrap().len(), 2);
}

#[test]
fn from_sqlite_to_postgresql_and_back_every_byte_is_the_same() {
    on_sqlite(|first| async move {
        let (anna, exported) = filled(&first).await;
        let one = first.folder.path().join("one.gz");
        let written = first.store.backup(&one).await.unwrap();
        assert!(written.rows > 20 && written.bytes > 500, "{written:?}");

        let Some(place) = postgres_schema().await else { return };
        let second = house(place, tempfile::tempdir().unwrap()).await;
        let read = second.store.restore(&one).await.unwrap();
        assert_eq!((read.rows, read.taken_at.0), (written.rows, NOON));
        same(&second, &anna, &exported).await;
        let two = first.folder.path().join("two.gz");
        second.store.backup(&two).await.unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());

        let folder = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(folder.path().join("portico.sqlite"));
        let third = house(place, folder).await;
        third.store.restore(&two).await.unwrap();
        same(&third, &anna, &exported).await;
        assert_eq!(third.store.recover("node-1").await.unwrap().turns, 1);
        third.turn(&third.ask(&anna, "it goes on"), "yes").await;
        assert_eq!(third.store.verify_audit("node-1").await.unwrap(), Ok(4));
    });
}

#[test]
fn a_damaged_backup_and_a_database_with_people_in_it_are_refused() {
    on_sqlite(|first| async move {
        filled(&first).await;
        let file = first.folder.path().join("backup.gz");
        first.store.backup(&file).await.unwrap();
        let refused = first.store.restore(&file).await;
        assert!(matches!(&refused, Err(Error::Conflict { what }) if what.contains("not empty")), "{refused:?}");

        let folder = tempfile::tempdir().unwrap();
        let empty = house(Place::Sqlite(folder.path().join("portico.sqlite")), folder).await;
        let whole = std::fs::read(&file).unwrap();
        let cut = first.folder.path().join("cut.gz");
        std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
        let refused = empty.store.restore(&cut).await;
        assert!(matches!(&refused, Err(Error::Corrupt { what }) if what.contains("cut.gz")), "{refused:?}");
        std::fs::write(&cut, b"not a backup").unwrap();
        assert!(matches!(empty.store.restore(&cut).await, Err(Error::Corrupt { .. })));
        let missing = empty.store.restore(&first.folder.path().join("missing.gz")).await;
        assert!(matches!(missing, Err(Error::File { .. })), "{missing:?}");
        empty.store.restore(&file).await.unwrap();
    });
}

#[test]
fn a_backup_is_of_one_moment_while_the_store_goes_on() {
    on_sqlite(|first| async move {
        let anna = first.person("anna", Role::Owner).await;
        for number in 0..200 {
            first.turn(&first.ask(&anna, &format!("question {number}")), "answer").await;
        }
        let file = first.folder.path().join("backup.gz");
        let writing = async {
            for _ in 0..200 {
                first.turn(&first.ask(&anna, "meanwhile"), "answer").await;
            }
        };
        let (written, ()) = tokio::join!(first.store.backup(&file), writing);
        written.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let second = house(Place::Sqlite(folder.path().join("portico.sqlite")), folder).await;
        second.store.restore(&file).await.unwrap();
        let turns = second.store.usage(&anna, 1000).await.unwrap().len();
        let open = second.store.recover("node-1").await.unwrap().turns;
        assert!(turns >= 200 && open <= 1, "{turns} settled, {open} open");
        let lines = second.store.verify_audit("node-1").await.unwrap().unwrap();
        assert_eq!(lines, turns as u64 + open);
    });
}
