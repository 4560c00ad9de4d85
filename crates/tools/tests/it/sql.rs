//! Questions to real databases: a SQLite file and a PostgreSQL server (`scripts/with-postgres`); what they answer, and what is not
//! asked of them.

use std::time::{Duration, Instant};

use domain::ToolPart;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tools::{Change, Ground};

use crate::{House, order, preset};

const SHOP: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, price NUMERIC(10,2), at TIMESTAMP);
    INSERT INTO orders VALUES (1, '螺丝', 3.50, '2026-03-01 09:30:00'), (2, 'nut', 0.25, NULL), (3, 'bolt', 12, '2026-03-02 10:00:00');
    CREATE TABLE secrets (word TEXT); INSERT INTO secrets VALUES ('hidden');";

/// A SQLite file with a shop in it, and a house that may read its folder.
async fn sqlite() -> (tempfile::TempDir, House, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut made = options.connect().await.expect("a database");
    made.execute(AssertSqlSafe(SHOP.to_owned())).await.expect("a shop");
    made.close().await.expect("closed");
    let house = House::on(Ground { databases: vec![folder.path().to_owned()], ..Ground::default() }).await;
    let mut wanted = order(preset("sql"));
    wanted.choices.base_url = Some(format!("sqlite:{}", path.display()));
    wanted.choices.timeout_s = Some(2);
    house.install(wanted).await;
    let path = path.display().to_string();
    (folder, house, path)
}

/// The same on PostgreSQL, by a role that may read; `None` where there is no server, which is said.
async fn postgres(name: &str) -> Option<(House, sqlx::PgConnection)> {
    let Ok(url) = std::env::var("PORTICO_TEST_POSTGRES") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "PORTICO_TEST_POSTGRES has to be set where CI=true");
        println!("skipped on PostgreSQL: PORTICO_TEST_POSTGRES is not set");
        return None;
    };
    let mut admin = sqlx::PgConnection::connect(&url).await.expect("a server");
    let database = format!("shop_{name}_{}", std::process::id());
    for sql in [
        format!("DROP DATABASE IF EXISTS {database}"),
        format!("CREATE DATABASE {database}"),
        "DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 'pw'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$".to_owned(),
    ] {
        admin.execute(AssertSqlSafe(sql)).await.expect("made");
    }
    let place = url.rsplit_once('/').expect("a path").0.to_owned();
    let mut shop = sqlx::PgConnection::connect(&format!("{place}/{database}")).await.expect("the shop");
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO reader; GRANT CREATE ON SCHEMA public TO reader;";
    shop.execute(AssertSqlSafe(format!("{SHOP} {grant}"))).await.expect("a shop");
    let house = House::open().await;
    let mut wanted = order(preset("sql"));
    let at = place.rsplit_once('@').expect("a role").1;
    wanted.choices.base_url = Some(format!("postgres://reader@{at}/{database}"));
    wanted.choices.timeout_s = Some(2);
    wanted.secrets.insert("password".to_owned(), "pw".to_owned());
    let made = house.install(wanted).await;
    let grants: Vec<String> = made.grants.iter().map(ToString::to_string).collect();
    assert_eq!(grants, ["net:127.0.0.1", "db:read"]);
    Some((house, shop))
}

async fn asked(house: &House, sql: &str) -> String {
    house.call("sql__query", &json!({ "sql": sql })).await
}

#[tokio::test]
async fn a_question_to_sqlite_is_answered_as_a_table() {
    let (_folder, house, _) = sqlite().await;
    let answered = house
        .answered("sql__query", &json!({ "sql": "SELECT id, item, price * 2 AS twice, at, x'00ff' AS b FROM orders ORDER BY id DESC -- all" }), Vec::new())
        .await;
    assert_eq!(
        answered.text,
        "id | item | twice | at | b\n3 | bolt | 24 | 2026-03-02 10:00:00 | (2 bytes)\n2 | nut | 0.5 | NULL | (2 bytes)\n\
         1 | 螺丝 | 7.0 | 2026-03-01 09:30:00 | (2 bytes)\n(3 rows)"
    );
    let expected = ToolPart::Table {
        columns: ["id", "item", "twice", "at", "b"].map(str::to_owned).to_vec(),
        rows: vec![
            vec![json!(3), json!("bolt"), json!(24), json!("2026-03-02 10:00:00"), json!("(2 bytes)")],
            vec![json!(2), json!("nut"), json!(0.5), Value::Null, json!("(2 bytes)")],
            vec![json!(1), json!("螺丝"), json!(7.0), json!("2026-03-01 09:30:00"), json!("(2 bytes)")],
        ],
        cut: false,
    };
    assert_eq!(answered.step.parts, [expected]);
    assert_eq!(asked(&house, "SELECT id FROM orders WHERE id > 9").await, "id\n(no rows)");
    assert_eq!(asked(&house, "SELECT 1 AS a, 2 AS a").await, "a | a\n1 | 2\n(1 rows)");
    assert!(asked(&house, "EXPLAIN QUERY PLAN SELECT * FROM orders").await.contains("SCAN orders"));
    let text = asked(&house, "SELECT absent FROM orders").await;
    assert!(text.contains("no such column: absent"), "{text}");
    let schema = house.call("sql__describe", &json!({})).await;
    assert_eq!(schema, "orders(id INTEGER, item TEXT, price NUMERIC(10,2), at TIMESTAMP)\nsecrets(word TEXT)");
    assert_eq!(house.call("sql__describe", &json!({ "table": "secrets" })).await, "secrets(word TEXT)");
    assert!(house.call("sql__describe", &json!({ "table": "none" })).await.contains("there is no table"));
    // A model reads the tables before it asks.
    let offered = house.gateway.offered(&house.admin);
    assert!(offered[0].description.contains("orders(id INTEGER, item TEXT"), "{}", offered[0].description);
}

#[tokio::test]
async fn a_question_to_postgresql_is_answered_as_a_table() {
    let Some((house, _shop)) = postgres("answers").await else { return };
    let sql = "SELECT id, item, price, at, ARRAY[1,2] AS l, '{\"a\":1}'::jsonb AS j, true AS b, 12345678901234567890 AS n FROM orders ORDER BY id DESC LIMIT 2";
    let answered = house.answered("sql__query", &json!({ "sql": sql }), Vec::new()).await;
    let expected = ToolPart::Table {
        columns: ["id", "item", "price", "at", "l", "j", "b", "n"].map(str::to_owned).to_vec(),
        rows: vec![
            vec![
                json!(3),
                json!("bolt"),
                json!(12.0),
                json!("2026-03-02 10:00:00"),
                json!("{1,2}"),
                json!("{\"a\": 1}"),
                json!("true"),
                json!("12345678901234567890"),
            ],
            vec![
                json!(2),
                json!("nut"),
                json!(0.25),
                Value::Null,
                json!("{1,2}"),
                json!("{\"a\": 1}"),
                json!("true"),
                json!("12345678901234567890"),
            ],
        ],
        cut: false,
    };
    assert_eq!(answered.step.parts, [expected], "{}", answered.text);
    assert!(asked(&house, "EXPLAIN SELECT * FROM orders").await.contains("Seq Scan"));
    assert!(asked(&house, "SELECT absent FROM orders").await.contains("column \\\"absent\\\" does not exist"));
    assert!(asked(&house, "SELECT * FROM secrets").await.contains("permission denied"));
    // The schema as far as the role may see it.
    let schema = house.call("sql__describe", &json!({})).await;
    assert_eq!(schema, "orders(id integer, item text, price numeric, at timestamp without time zone)");
    assert!(house.gateway.offered(&house.admin)[0].description.contains("orders(id integer"));
}

/// Attacks that the guard refuses; each is also in its own list of words.
const ATTACKS: [&str; 16] = [
    "SELECT 1; DROP TABLE orders",
    "/* harmless */ DELETE FROM orders",
    "SELECT 1 --\n; DELETE FROM orders",
    "WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x",
    "COPY orders TO PROGRAM 'touch /tmp/portico-attack'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM pg_ls_dir('/')",
    "SELECT pg_sleep(30)",
    "SELECT dblink('dbname=postgres', 'DELETE FROM orders')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "ATTACH DATABASE '/tmp/portico-attack.db' AS x",
    "PRAGMA query_only = 0",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT * INTO copied FROM orders",
    "CREATE TABLE made AS SELECT 1",
];

#[tokio::test]
async fn attacks_are_refused_and_change_nothing() {
    let (_folder, house, path) = sqlite().await;
    let before = std::fs::read(&path).expect("bytes");
    for sql in ATTACKS {
        let text = asked(&house, sql).await;
        assert!(text.contains("arguments_invalid"), "{sql}: {text}");
    }
    assert_eq!(std::fs::read(&path).expect("bytes"), before);
    if let Some((house, mut shop)) = postgres("attacks").await {
        for sql in ATTACKS {
            let text = asked(&house, sql).await;
            assert!(text.contains("arguments_invalid"), "{sql}: {text}");
        }
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&mut shop).await.expect("a count");
        assert_eq!(left, 3);
    }
    assert!(!std::path::Path::new("/tmp/portico-attack").exists());
}

#[tokio::test]
async fn large_and_endless_answers_end() {
    let (_folder, house, _) = sqlite().await;
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n";
    let answered = house.answered("sql__query", &json!({ "sql": rows }), Vec::new()).await;
    let Some(ToolPart::Table { rows, cut, .. }) = answered.step.parts.first() else { panic!("{}", answered.text) };
    assert!(rows.len() == 200 && *cut && rows[199] == [json!(200)], "{}", rows.len());
    assert!(answered.text.contains("the first 200 rows; there are more; 60 are read here"), "{}", answered.text);
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let began = Instant::now();
    assert!(asked(&house, endless).await.contains("timed_out"));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // Values that double: refused at a mebibyte, in the portal's own memory.
    let doubling = "WITH RECURSIVE n(i, x) AS (SELECT 1, 'aaaaaaaa' UNION ALL SELECT i + 1, x || x FROM n WHERE i < 40) SELECT max(length(x)) FROM n";
    assert!(asked(&house, doubling).await.contains("string or blob too big"));
    let wide = asked(&house, "SELECT group_concat(a.i || 'xxxxxxxxxxxxxxxxxxxx') AS w FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i FROM n) a").await;
    assert!(wide.len() < 2_200, "{}", wide.len());

    let Some((house, _shop)) = postgres("large").await else { return };
    let answered =
        house.answered("sql__query", &json!({ "sql": "SELECT g FROM generate_series(1, 100000) g" }), Vec::new()).await;
    let Some(ToolPart::Table { rows, cut, .. }) = answered.step.parts.first() else { panic!("{}", answered.text) };
    assert!(rows.len() == 200 && *cut);
    let began = Instant::now();
    assert!(asked(&house, "SELECT count(*) FROM generate_series(1, 3000000000) g").await.contains("timed_out"));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let wide =
        asked(&house, "SELECT string_agg('xxxxxxxxxxxxxxxxxxxxxxxxx', '') AS w FROM generate_series(1, 200000) g")
            .await;
    assert!(wide.len() < 2_200, "{}", wide.len());
}

#[tokio::test]
async fn what_passes_the_guard_still_meets_a_database_that_reads_only() {
    // The walls behind the guard, tried as if it were not there.
    let (_folder, _house, path) = sqlite().await;
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .read_only(true)
        .pragma("query_only", "1")
        .connect()
        .await
        .expect("open");
    let refused = connection.execute("DELETE FROM orders").await.expect_err("it reads only");
    assert!(refused.to_string().contains("readonly"), "{refused}");
    let Some((_house, shop)) = postgres("walls").await else { return };
    let mut transaction_owner = shop;
    let mut transaction = transaction_owner.begin_with("BEGIN READ ONLY").await.expect("begun");
    let refused = transaction.execute("DELETE FROM orders").await.expect_err("it reads only");
    assert!(refused.to_string().contains("read-only transaction"), "{refused}");
}

#[tokio::test]
async fn only_databases_that_were_named_are_reached() {
    let (folder, house, path) = sqlite().await;
    house.gateway.remove(&house.admin, "sql").await.expect("removed");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let copy = elsewhere.path().join("copy.db");
    std::fs::copy(&path, &copy).expect("copied");
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&copy, &link).expect("linked");
    for (name, path) in [
        ("outside", copy.display().to_string()),
        ("linked", link.display().to_string()),
        (
            "climbing",
            format!(
                "{}/../{}/copy.db",
                folder.path().display(),
                elsewhere.path().file_name().unwrap_or_default().to_string_lossy()
            ),
        ),
        ("missing", folder.path().join("none.db").display().to_string()),
        ("folder", folder.path().display().to_string()),
        ("passwd", "/etc/passwd".to_owned()),
    ] {
        let mut wanted = order(preset("sql"));
        wanted.choices.name = Some(name.to_owned());
        wanted.choices.base_url = Some(format!("sqlite:{path}"));
        house.install(wanted).await;
        let text = house.call(&format!("{name}__query"), &json!({ "sql": "SELECT 1" })).await;
        assert!(text.contains("is no SQLite file of the folders that may be read"), "{name}: {text}");
    }
    assert!(!folder.path().join("none.db").exists(), "none is made");
    for (url, expected) in [
        ("postgres://reader@169.254.169.254/x", "may not be contacted"),
        ("postgres://reader@[::ffff:169.254.169.254]/x", "may not be contacted"),
        ("postgres://reader@2130706433/x", "127.0.0.1 is not a public address"),
        ("postgres://reader@0.0.0.0/x", "may not be contacted"),
    ] {
        let mut wanted = order(preset("sql"));
        wanted.choices.name = Some("server".to_owned());
        wanted.choices.base_url = Some(url.to_owned());
        house.install(wanted).await;
        let text = house.call("server__query", &json!({ "sql": "SELECT 1" })).await;
        assert!(text.contains(expected), "{url}: {text}");
        house.gateway.remove(&house.admin, "server").await.expect("removed");
    }
    let missing = house.refused(order(preset("sql"))).await;
    assert!(missing.starts_with("base_url: the address of the database is missing"), "{missing}");
}

#[tokio::test]
async fn a_superuser_is_refused_and_grants_are_asked_for() {
    let (_folder, house, _) = sqlite().await;
    let none = Change { grants: Some(std::collections::BTreeSet::new()), ..Change::default() };
    house.gateway.change(&house.admin, "sql", none).await.expect("taken back");
    assert!(asked(&house, "SELECT 1").await.contains("db:read, which was not granted"));
    assert!(!house.gateway.offered(&house.admin)[0].description.contains("orders("), "its tables are not told either");
    let Some((house, _shop)) = postgres("lords").await else { return };
    let url = std::env::var("PORTICO_TEST_POSTGRES").expect("it was there");
    let mut wanted = order(preset("sql"));
    wanted.choices.name = Some("lord".to_owned());
    wanted.choices.base_url = Some(url);
    house.install(wanted).await;
    let text = house.call("lord__query", &json!({ "sql": "SELECT 1" })).await;
    assert!(text.contains("is a superuser of the database"), "{text}");
    let log = format!("{:?}", house.log("sql").await);
    assert!(!log.contains("pw\""), "{log}");
}
