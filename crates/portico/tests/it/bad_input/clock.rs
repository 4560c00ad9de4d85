//! A wall clock that jumps back an hour in the middle of an answer. In one process, over a clock that is set by hand: everything
//! below the doors is the real thing.

use std::sync::Arc;

use chat::{Ask, Chat, Happened, Question, Taken};
use domain::testing::ManualClock;
use domain::{Caller, Clock, Finish, Ids, Sampling, TurnEvent};
use egress::Egress;
use identity::{Account, Cost, Identity, Visitor};
use ledger::Ledger;
use models::testing::Scripted;
use models::{ModelConfig, Models, Options, ProviderConfig};
use store::{Page, Shelf, Store};
use tools::{Gateway, Vault};

use crate::portal::{PASSWORD, ask_id};

const HOUR: i64 = 3_600_000;

struct Inside {
    clock: Arc<ManualClock>,
    store: Store,
    identity: Identity,
    ledger: Ledger,
    chat: Chat,
    caller: Caller,
    session: String,
    _folder: Arc<tempfile::TempDir>,
}

async fn inside(scripted: &Scripted) -> Inside {
    let manual = Arc::new(ManualClock::at(1_795_435_200_000));
    let clock: Arc<dyn Clock> = manual.clone();
    let ids = Ids::new(clock.clone());
    let options =
        store::Options { place: store::Place::Memory, clock: clock.clone(), ids: ids.clone(), node: "test".into() };
    let store = Store::open(options).await.expect("a store");
    let identity = Identity::open(store.clone(), clock.clone(), Cost::default()).await.expect("identity");
    let link = identity.setup_link().await.expect("a link").expect("nobody owns it yet");
    let account =
        Account { name: "owner".into(), password: PASSWORD.into(), display_name: "Owner".into(), language: None };
    let visitor = Visitor { address: [127, 0, 0, 1].into(), user_agent: String::new() };
    let entered = identity.setup(link.token.as_str(), account, &visitor).await.expect("an owner");
    let session = entered.token.as_str().to_owned();
    let caller = identity.caller_by_session(&session).await.expect("known").expect("signed in");
    let ledger = Ledger::open(store.clone(), clock.clone(), Some(100_000)).await.expect("a ledger");
    let way_out = Egress::new(egress::Options::default(), clock.clone()).expect("a client");
    let way_out = Arc::new(way_out);
    let tools = Gateway::new(store.clone(), Arc::clone(&way_out), Box::new(Nothing), clock.clone());
    let models = Models::new(Options::default(), way_out);
    models.configure(vec![ProviderConfig {
        slug: "mock".into(),
        name: "Mock".into(),
        kind: "openai".into(),
        base_url: scripted.url.clone(),
        key: None,
        models: Some(vec![ModelConfig::named("m")]),
        enabled: true,
        timeouts: None,
        max_concurrent: None,
        warm_up: false,
    }]);
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let uploads = store::Uploads::open(store.clone(), folder.path().to_owned()).expect("a shelf");
    let files = chat::Files { uploads, reader: Box::new(Nothing) };
    let chat = Chat::start(store.clone(), models, ledger.clone(), tools, files, clock, ids);
    Inside { clock: manual, store, identity, ledger, chat, caller, session, _folder: folder }
}

/// No plugin is installed here, so nothing is sealed.
struct Nothing;

impl Vault for Nothing {
    fn seal(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn open(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// No file is attached here, so nothing is read.
impl chat::Reader for Nothing {
    fn read(&self, _: std::fs::File) -> domain::BoxFuture<'_, Result<Vec<domain::Passage>, domain::Unread>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn table(&self, _: std::fs::File) -> domain::BoxFuture<'_, Result<Vec<Vec<String>>, domain::Unread>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl Inside {
    async fn ask(&self, text: &str, below: Option<Taken>) -> Taken {
        let ask = Ask {
            ask_id: ask_id(),
            conversation: below.map(|before| before.conversation),
            question: Question::New { parent: below.map(|before| before.answer), text: text.into(), files: Vec::new() },
            model: None,
            system_prompt: None,
            sampling: Sampling::default(),
            default_system_prompt: None,
            assistant: None,
            utc_offset: 0,
        };
        self.chat.take(&self.caller, ask).await.expect("taken")
    }

    /// Follows a turn to its end: the ids of its events and its text.
    async fn follow(&self, taken: Taken, mut on_word: impl FnMut()) -> (Vec<u64>, String) {
        let mut follow = self.chat.follow(&self.caller, taken.turn, 0).expect("it runs");
        let (mut ids, mut text) = (Vec::new(), String::new());
        while let Some(steps) = follow.next().await {
            for step in steps {
                ids.push(step.id);
                match step.happened {
                    Happened::Event(TurnEvent::Delta { text: piece }) => {
                        text.push_str(&piece);
                        on_word();
                    }
                    Happened::Finished { finish, .. } => assert_eq!(finish, Finish::Stop),
                    _ => {}
                }
            }
        }
        (ids, text)
    }
}

#[tokio::test]
async fn a_clock_that_jumps_back_an_hour_in_mid_answer_disorders_nothing() {
    let scripted = Scripted::start().await;
    let inside = inside(&scripted).await;
    let before = inside.ask("mock;n=1", None).await;
    inside.follow(before, || ()).await;
    let first = inside.ask("mock;n=20;itl=10", None).await;
    let mut words = 0;
    let jump = || {
        words += 1;
        if words == 3 {
            inside.clock.jump(-HOUR);
        }
    };
    let (ids, text) = inside.follow(first, jump).await;
    assert!(words > 3 && ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(text, (0..20).map(|n| format!("t{n} ")).collect::<String>());

    let second = inside.ask("mock;n=2", Some(first)).await;
    inside.follow(second, || ()).await;
    let tree = inside.store.messages(&inside.caller, first.conversation).await.expect("messages");
    let order: Vec<_> = tree.iter().map(|message| message.id).collect();
    assert_eq!(order, [first.question, first.answer, second.question, second.answer], "in the order it was said");
    let page = Page { shelf: Shelf::Open, before: None, limit: 10 };
    let (list, _) = inside.store.conversations(&inside.caller, page).await.expect("conversations");
    let order: Vec<_> = list.iter().map(|conversation| conversation.id).collect();
    assert_eq!(order, [first.conversation, before.conversation], "the latest first");
    let signed_in = inside.identity.caller_by_session(&inside.session).await.expect("known");
    assert_eq!(signed_in.map(|caller| caller.person), Some(inside.caller.person), "nobody is signed out");
    assert_eq!(inside.ledger.today(&inside.caller).used, (7 + 1) + (7 + 20) + (7 + 2));
    let rows = inside.store.usage(&inside.caller, 10).await.expect("rows");
    assert!(rows.len() == 3 && rows.iter().all(|row| row.ttft_ms.is_some()), "{rows:?}");
    inside.chat.drain(std::time::Duration::from_secs(1)).await;
    inside.store.close().await;
}
