//! What the writer costs: CPU per passing request when 64 of them are on the way, and 5,000 kept turns at 2 deltas a second.
//!
//! `cargo run --release -p store --example writer_bench -- [requests] [seconds] [folder]`; with `PORTICO_TEST_POSTGRES` the
//! same on PostgreSQL. CPU is the whole process's (user and system) less an empty round of the same loop; PostgreSQL's own
//! processes are not in it.

#![expect(clippy::print_stdout, reason = "a measuring tool speaks on its output")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{
    Caller, Clock, ConversationId, Finish, Ids, KeyId, MessageId, PersonId, Role, SystemClock, TenantId, Timestamp,
    Tokens, TurnId, Usage, Via,
};
use store::{
    Asked, Delta, FinalAnswer, NewAnswer, NewConversation, NewMessage, Options, Place, Record, Settled, Started, Store,
};
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let requests: u32 = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(20), |n| n.parse())?;
    let folder =
        arguments.next().map_or_else(std::env::temp_dir, PathBuf::from).join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let sqlite = Place::Sqlite(folder.join("portico.sqlite"));
    runtime.block_on(measure("sqlite", sqlite, Some(&folder), requests, seconds))?;
    if let Ok(url) = std::env::var("PORTICO_TEST_POSTGRES") {
        let name = format!("bench{}", std::process::id());
        let mark = if url.contains('?') { '&' } else { '?' };
        runtime.block_on(async {
            let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&url).await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&pool).await?;
            let place = Place::Postgres(format!("{url}{mark}options[search_path]={name}"));
            measure("postgres", place, None, requests, seconds).await
        })?;
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

struct Bench {
    store: Option<Store>,
    clock: Arc<dyn Clock>,
    ids: Ids,
    caller: Caller,
}

async fn measure(
    engine: &str,
    place: Place,
    folder: Option<&Path>,
    requests: u32,
    seconds: u64,
) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ids = Ids::new(clock.clone());
    let options = Options { place, clock: clock.clone(), ids: ids.clone(), node: "bench".into() };
    let store = Store::open(options).await?;
    let caller = Caller {
        tenant: TenantId::FIRST,
        person: PersonId(ids.next()),
        role: Role::Member,
        via: Via::Key(KeyId(ids.next())),
    };
    for (name, model) in [("at once", Duration::ZERO), ("after 5 ms", Duration::from_millis(5))] {
        let empty = Arc::new(Bench { store: None, clock: clock.clone(), ids: ids.clone(), caller });
        let (base, _) = passing(&empty, requests, model).await?;
        let full = Arc::new(Bench { store: Some(store.clone()), clock: clock.clone(), ids: ids.clone(), caller });
        let before = store.writer().commits();
        let (cpu, wall) = passing(&full, requests, model).await?;
        let commits = (store.writer().commits() - before).max(1);
        println!(
            "{engine}: passing request, settled {name}: {:.1} µs CPU, {:.1} records a commit, {:.0} requests/s",
            (cpu - base).as_secs_f64() * 1e6 / f64::from(requests),
            f64::from(2 * requests) / commits as f64,
            f64::from(requests) / wall.as_secs_f64(),
        );
    }
    let bench = Bench { store: Some(store.clone()), clock, ids, caller };
    kept(engine, &bench, &store, folder, seconds).await?;
    store.close().await;
    Ok(())
}

/// 64 clients, each with its next request as soon as the one before is settled.
async fn passing(bench: &Arc<Bench>, requests: u32, model: Duration) -> Result<(Duration, Duration), Failure> {
    let (cpu, wall) = (cpu()?, Instant::now());
    let mut clients = JoinSet::new();
    for _ in 0..64 {
        let bench = bench.clone();
        clients.spawn(async move {
            for _ in 0..requests / 64 {
                request(&bench, model).await?;
            }
            Ok::<(), store::Error>(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok((self::cpu()? - cpu, wall.elapsed()))
}

async fn request(bench: &Bench, model: Duration) -> Result<(), store::Error> {
    let turn = TurnId(bench.ids.next());
    let at = bench.clock.now();
    let started = Started { turn, caller: bench.caller, model: "local/stories".into(), door: "openai", at };
    let settled = settled(bench, turn, at, None, None);
    let Some(store) = &bench.store else {
        std::hint::black_box((started, settled));
        pause(model).await;
        tokio::task::yield_now().await;
        return Ok(());
    };
    let slot = store.writer().reserve().await?;
    drop(store.writer().submit(Record::Started(started)).await);
    pause(model).await;
    store.writer().try_submit(slot, Record::Settled(Box::new(settled))).await
}

async fn pause(model: Duration) {
    if !model.is_zero() {
        tokio::time::sleep(model).await;
    }
}

/// 5,000 turns that all run at once: one tick of 100 ms hands over the deltas of those that have something to say.
async fn kept(engine: &str, bench: &Bench, store: &Store, folder: Option<&Path>, seconds: u64) -> Result<(), Failure> {
    const TURNS: usize = 5_000;
    let started = Instant::now();
    let asked: Vec<Asked> = (0..TURNS).map(|number| ask(bench, number)).collect();
    let mut receipts = Vec::new();
    for asked in &asked {
        receipts.push(store.writer().submit(Record::Asked(Box::new(asked.clone()))).await);
    }
    for receipt in receipts.drain(..) {
        receipt.await?;
    }
    println!("{engine}: {TURNS} questions stored in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);

    let cpu_before = cpu()?;
    let mut lags = JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let mut wal = 0;
    for round in 0..seconds * 10 {
        tick.tick().await;
        let group = (round % 5) as usize;
        let deltas = asked.iter().skip(group).step_by(5).map(|asked| Delta {
            turn: asked.turn,
            seq: round + 1,
            text: "twenty-four bytes or so ".repeat(2),
            thought: String::new(),
        });
        let receipt = store.writer().submit(Record::Deltas(deltas.collect())).await;
        let came = Instant::now();
        lags.spawn(async move { receipt.await.map(|()| came.elapsed()) });
        if let Some(folder) = folder {
            wal = wal.max(std::fs::metadata(folder.join("portico.sqlite-wal")).map_or(0, |file| file.len()));
        }
    }
    let mut waited = Vec::new();
    while let Some(lag) = lags.join_next().await {
        waited.push(lag??);
    }
    waited.sort();
    let at = |part: usize| waited[(waited.len() * part / 100).min(waited.len() - 1)].as_secs_f64() * 1e3;
    let spent = (cpu()? - cpu_before).as_secs_f64() / seconds as f64;
    println!(
        "{engine}: {TURNS} kept turns, 2 deltas/s each, {seconds} s: commit lag p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms \
         (a tick of 100 ms comes before it); CPU {:.1} % of one core, RSS {} MiB, WAL at most {} MiB",
        at(50),
        at(99),
        at(100),
        spent * 100.0,
        rss()?,
        wal >> 20,
    );
    let ending = Instant::now();
    for asked in &asked {
        let answer = FinalAnswer {
            id: asked.answer.id,
            text: "An answer. ".repeat(100),
            thought: String::new(),
            trimmed: None,
            provenance: None,
        };
        let settled = settled(bench, asked.turn, asked.at, Some(asked.conversation), Some(answer));
        receipts.push(store.writer().submit(Record::Settled(Box::new(settled))).await);
    }
    for receipt in receipts {
        receipt.await?;
    }
    println!("{engine}: {TURNS} turns settled in {:.0} ms", ending.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

fn ask(bench: &Bench, number: usize) -> Asked {
    let question = MessageId(bench.ids.next());
    Asked {
        caller: bench.caller,
        turn: TurnId(bench.ids.next()),
        ask_id: format!("bench-ask-number-{number}"),
        model: "local/stories".into(),
        conversation: ConversationId(bench.ids.next()),
        new: Some(NewConversation::default()),
        assistant_version: None,
        question: Some(NewMessage {
            id: question,
            parent: None,
            text: "Once upon a time, there was".into(),
            files: Vec::new(),
        }),
        answer: NewAnswer { id: MessageId(bench.ids.next()), parent: question },
        at: bench.clock.now(),
    }
}

fn settled(
    bench: &Bench,
    turn: TurnId,
    at: Timestamp,
    conversation: Option<ConversationId>,
    answer: Option<FinalAnswer>,
) -> Settled {
    let usage = Usage { prompt: Tokens(120), completion: Tokens(32), reported: true, ..Usage::default() };
    Settled {
        turn,
        caller: bench.caller,
        conversation,
        model: "local/stories".into(),
        provider: "local".into(),
        door: "openai",
        usage,
        finish: Finish::Stop,
        failure: None,
        started_at: at,
        finished_at: bench.clock.now(),
        ttft_ms: Some(12),
        tpot_us: Some(800),
        answer,
    }
}

/// User and system time of this process, from `/proc/self/stat` in ticks of 10 ms.
fn cpu() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let fields: Vec<&str> = after.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

fn rss() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kib: u64 = line.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(kib >> 10)
}
