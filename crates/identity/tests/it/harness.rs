//! Both databases for one test, a clock set by hand, and short words for what every test does. Set
//! `PORTICO_TEST_POSTGRES=postgres://…` for the second database; without it those runs are named as skipped, and fail where `CI=true`.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use domain::testing::ManualClock;
use domain::{Caller, Clock, Ids, Role, Via};
use identity::{Account, Cost, Error, Identity, SignedIn, Visitor};
use store::{Options, Place, Store};

pub(crate) const NOON: i64 = 1_795_435_200_000;
pub(crate) const PASSWORD: &str = "correct horse battery";

/// One house, its clock, and its door.
pub(crate) struct House {
    pub(crate) place: Place,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    pub(crate) door: Identity,
    _folder: Arc<tempfile::TempDir>,
}

/// Runs a test on SQLite and on PostgreSQL, one after the other.
pub(crate) fn on_both<F, T>(test: F)
where
    F: Fn(House) -> T,
    T: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::Sqlite(folder.path().join("portico.db"));
        test(house(place, folder).await).await;
        let Some(place) = postgres().await else { return };
        test(house(place, tempfile::tempdir().expect("a folder")).await).await;
    });
}

/// A schema of its own on the test server.
async fn postgres() -> Option<Place> {
    let Ok(url) = std::env::var("PORTICO_TEST_POSTGRES") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "PORTICO_TEST_POSTGRES has to be set where CI=true");
        println!("skipped on PostgreSQL: PORTICO_TEST_POSTGRES is not set");
        return None;
    };
    let name = format!("t{}", Ids::new(Arc::new(domain::SystemClock::new())).next().simple());
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&url).await.expect("PostgreSQL");
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"));
    sqlx::raw_sql(create).execute(&pool).await.expect("a schema");
    pool.close().await;
    let mark = if url.contains('?') { '&' } else { '?' };
    Some(Place::Postgres(format!("{url}{mark}options[search_path]={name}")))
}

async fn house(place: Place, folder: tempfile::TempDir) -> House {
    let clock = Arc::new(ManualClock::at(NOON));
    let (store, door) = open(&place, &clock, "node-1").await;
    House { place, clock, store, door, _folder: Arc::new(folder) }
}

/// Another process over the same database.
pub(crate) async fn open(place: &Place, clock: &Arc<ManualClock>, node: &str) -> (Store, Identity) {
    let clock: Arc<dyn Clock> = clock.clone();
    let ids = Ids::new(clock.clone());
    let options = Options { place: place.clone(), clock: clock.clone(), ids, node: node.to_owned() };
    let store = Store::open(options).await.expect("the store opens");
    let cheap = Cost { memory_kib: 64, passes: 1 };
    let door = Identity::open(store.clone(), clock, cheap).await.expect("the door opens");
    (store, door)
}

pub(crate) fn visitor(address: &str) -> Visitor {
    let address: IpAddr = address.parse().expect("an address");
    Visitor { address, user_agent: "Firefox".to_owned() }
}

pub(crate) fn home() -> Visitor {
    visitor("192.0.2.1")
}

/// Where a key that is bound to no address is used from.
pub(crate) fn anywhere() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}

pub(crate) fn account(name: &str) -> Account {
    let (name, password) = (name.to_owned(), PASSWORD.to_owned());
    Account { name, password, display_name: String::new(), language: None }
}

pub(crate) fn caller(signed_in: &SignedIn) -> Caller {
    let person = &signed_in.person;
    Caller { tenant: person.tenant, person: person.id, role: person.role, via: Via::Session(signed_in.session) }
}

/// The code of what must fail.
pub(crate) fn code<T>(result: Result<T, Error>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

impl House {
    /// The first owner, `owner`.
    pub(crate) async fn owner(&self) -> Caller {
        let link = self.door.setup_link().await.expect("a link").expect("nobody owns the house");
        caller(&self.door.setup(link.token.as_str(), account("owner"), &home()).await.expect("set up"))
    }

    /// Somebody who joined by an invitation of `by`.
    pub(crate) async fn joined(&self, by: &Caller, name: &str, role: Role) -> Caller {
        let link = self.door.invite(by, role, "", 7).await.expect("an invitation");
        caller(&self.door.join(link.token.as_str(), account(name), &home()).await.expect("joined"))
    }

    pub(crate) async fn sign_in(&self, name: &str) -> SignedIn {
        self.door.sign_in(name, PASSWORD, &home()).await.expect("signed in")
    }
}
