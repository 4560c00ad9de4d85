//! Both databases for one test, and the people in it. Set `PORTICO_TEST_POSTGRES=postgres://…` for the second one; without it
//! those runs are named as skipped, and fail where `CI=true`.

use std::future::Future;
use std::sync::Arc;

use domain::testing::ManualClock;
use domain::{
    Caller, Clock, ConversationId, Ids, MessageId, PersonId, Role, SessionId, TenantId, Timestamp, TurnId, Usage, Via,
};
use domain::{Finish, Tokens};
use store::{
    Asked, FinalAnswer, NewAnswer, NewConversation, NewMessage, NewPerson, Options, Place, Record, Settled, Store,
};

/// A store of one test, and how to open it again.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) place: Place,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ids: Ids,
    pub(crate) folder: Arc<tempfile::TempDir>,
}

pub(crate) const NOON: i64 = 1_795_435_200_000;

/// Runs a test on SQLite and on PostgreSQL, one after the other.
pub(crate) fn on_both<F, T>(test: F)
where
    F: Fn(House) -> T,
    T: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(folder.path().join("portico.sqlite"));
        test(house(place, folder).await).await;
        let Some(place) = postgres_schema().await else { return };
        test(house(place, tempfile::tempdir().unwrap()).await).await;
    });
}

/// Runs a test on SQLite alone: what is said about a file.
pub(crate) fn on_sqlite<F, T>(test: F)
where
    F: FnOnce(House) -> T,
    T: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(folder.path().join("portico.sqlite"));
        test(house(place, folder).await).await;
    });
}

/// A schema of its own on the test server; `None`, said aloud, where there is no server.
pub(crate) async fn postgres_schema() -> Option<Place> {
    let Ok(url) = std::env::var("PORTICO_TEST_POSTGRES") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "PORTICO_TEST_POSTGRES has to be set where CI=true");
        println!("skipped on PostgreSQL: PORTICO_TEST_POSTGRES is not set");
        return None;
    };
    let name = format!("t{}", Ids::new(Arc::new(domain::SystemClock::new())).next().simple());
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&pool).await.unwrap();
    pool.close().await;
    let mark = if url.contains('?') { '&' } else { '?' };
    Some(Place::Postgres(format!("{url}{mark}options[search_path]={name}")))
}

pub(crate) async fn house(place: Place, folder: tempfile::TempDir) -> House {
    let clock = Arc::new(ManualClock::at(NOON));
    let ids = Ids::new(clock.clone());
    let store = open(&place, &clock, &ids).await.unwrap();
    House { store, place, clock, ids, folder: Arc::new(folder) }
}

pub(crate) async fn open(place: &Place, clock: &Arc<ManualClock>, ids: &Ids) -> Result<Store, store::Error> {
    let clock: Arc<dyn Clock> = clock.clone();
    Store::open(Options { place: place.clone(), clock, ids: ids.clone(), node: "node-1".into() }).await
}

impl House {
    /// Opens the same place again; drop or close the store before.
    pub(crate) async fn reopen(&mut self) {
        self.store = open(&self.place, &self.clock, &self.ids).await.unwrap();
    }

    /// The database itself, past the store: for what no caller can do.
    pub(crate) async fn sql(&self, statement: &str) -> Vec<sqlx::any::AnyRow> {
        sqlx::any::install_default_drivers();
        let url = match &self.place {
            Place::Sqlite(file) => format!("sqlite://{}", file.display()),
            Place::Postgres(url) => url.clone(),
            Place::Memory => unreachable!("tests name their place"),
        };
        let pool = sqlx::any::AnyPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows
    }

    /// Submits, and waits until it is stored.
    pub(crate) async fn stored(&self, record: Record) {
        self.store.writer().submit(record).await.await.unwrap();
    }

    /// A question with its answer, stored.
    pub(crate) async fn turn(&self, asked: &Asked, answer: &str) {
        self.stored(Record::Asked(Box::new(asked.clone()))).await;
        self.stored(Record::Settled(Box::new(self.settle(asked, answer)))).await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn person(&self, name: &str, role: Role) -> Caller {
        let new = NewPerson { name: name.into(), display_name: name.into(), role, password_hash: None, language: None };
        let person = self.store.create_person(TenantId::FIRST, new).await.unwrap();
        self.caller(person.id, role)
    }

    pub(crate) fn caller(&self, person: PersonId, role: Role) -> Caller {
        Caller { tenant: TenantId::FIRST, person, role, via: Via::Session(SessionId(self.ids.next())) }
    }

    pub(crate) fn message(&self) -> MessageId {
        MessageId(self.ids.next())
    }

    /// A question that makes its own conversation.
    pub(crate) fn ask(&self, caller: &Caller, text: &str) -> Asked {
        let question = self.message();
        Asked {
            caller: *caller,
            turn: TurnId(self.ids.next()),
            ask_id: format!("ask-{}", self.ids.next()),
            model: "local/stories".into(),
            conversation: ConversationId(self.ids.next()),
            new: Some(NewConversation::default()),
            assistant_version: None,
            question: Some(NewMessage { id: question, parent: None, text: text.into(), files: Vec::new() }),
            answer: NewAnswer { id: self.message(), parent: question },
            at: self.now(),
        }
    }

    /// The next question, below the answer of the one before.
    pub(crate) fn ask_on(&self, before: &Asked, text: &str) -> Asked {
        let mut next = self.ask(&before.caller, text);
        next.conversation = before.conversation;
        next.new = None;
        next.question.as_mut().unwrap().parent = Some(before.answer.id);
        next
    }

    pub(crate) fn settle(&self, asked: &Asked, text: &str) -> Settled {
        Settled {
            turn: asked.turn,
            caller: asked.caller,
            conversation: Some(asked.conversation),
            model: asked.model.clone(),
            provider: "local".into(),
            door: "portal",
            usage: usage(10, 5),
            finish: Finish::Stop,
            failure: None,
            started_at: asked.at,
            finished_at: self.now(),
            ttft_ms: Some(12),
            tpot_us: Some(900),
            answer: Some(FinalAnswer {
                id: asked.answer.id,
                text: text.into(),
                thought: String::new(),
                trimmed: None,
                provenance: None,
            }),
        }
    }

    /// The end of a turn through an API door.
    pub(crate) fn passing(&self, caller: &Caller) -> Settled {
        Settled {
            turn: TurnId(self.ids.next()),
            caller: *caller,
            conversation: None,
            model: "local/stories".into(),
            provider: "local".into(),
            door: "openai",
            usage: usage(10, 5),
            finish: Finish::Stop,
            failure: None,
            started_at: self.now(),
            finished_at: self.now(),
            ttft_ms: None,
            tpot_us: None,
            answer: None,
        }
    }
}

pub(crate) fn usage(prompt: u32, completion: u32) -> Usage {
    Usage { prompt: Tokens(prompt), completion: Tokens(completion), reported: true, ..Usage::default() }
}
