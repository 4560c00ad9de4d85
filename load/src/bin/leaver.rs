//! Clients that go away in the middle of a stream, and how long until the upstream knew. Each request carries a number;
//! the mock notes when it was left by that number (`GET /__left`), on the clock that this program reads when it closes
//! its socket. It speaks raw HTTP over a socket of its own for each request, because leaving is closing one.

use load::{Args, mono_ns};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

struct Plan {
    address: String,
    path: String,
    key: String,
    model: String,
    /// Leave when this many chunks of content have arrived; 0: before the first byte of the answer.
    chunks: usize,
}

/// Asks, reads `chunks` chunks, leaves. The time of leaving, or why it never came to that.
async fn leave(plan: &Plan, id: u64) -> Result<u64, String> {
    let spec = if plan.chunks == 0 { format!("mock;ttft=30000;id={id}") } else { format!("mock;n=4000;itl=5;id={id}") };
    let body =
        format!(r#"{{"model":"{}","stream":true,"messages":[{{"role":"user","content":"{spec}"}}]}}"#, plan.model);
    let mut socket = TcpStream::connect(&plan.address).await.map_err(|e| format!("connect: {}", e.kind()))?;
    let request = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        plan.path,
        plan.address,
        plan.key,
        body.len()
    );
    socket.write_all(request.as_bytes()).await.map_err(|e| format!("write: {}", e.kind()))?;
    if plan.chunks == 0 {
        sleep(Duration::from_millis(100)).await;
    }
    let mut got = Vec::new();
    while memchr::memmem::find_iter(&got, b"\"t").count() < plan.chunks {
        let read = timeout(Duration::from_secs(10), socket.read_buf(&mut got)).await;
        match read {
            Ok(Ok(0)) => return Err(format!("ended early: {}", String::from_utf8_lossy(&got[..got.len().min(120)]))),
            Ok(Ok(_)) => {}
            Ok(Err(e)) => return Err(format!("read: {}", e.kind())),
            Err(_) => return Err("no chunk within 10 s".into()),
        }
    }
    let at = mono_ns();
    drop(socket);
    Ok(at)
}

async fn left(stats: &str) -> std::io::Result<Vec<(u64, u64)>> {
    let mut socket = TcpStream::connect(stats).await?;
    socket.write_all(format!("GET /__left HTTP/1.1\r\nhost: {stats}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    socket.read_to_string(&mut text).await?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.filter_map(|(id, ns)| Some((id.parse().ok()?, ns.parse().ok()?))).collect())
}

async fn run(args: Args) {
    let count: u64 = args.num("count", 200);
    let plan = Rc::new(Plan {
        address: args.str("address", "127.0.0.1:9100"),
        path: args.str("path", "/v1/chat/completions"),
        key: args.str("key", "sk-bench"),
        model: args.str("model", "mock"),
        chunks: args.num("chunks", 3),
    });
    // Every upstream that a request may have gone to.
    let stats = args.str("stats", "127.0.0.1:9100");
    let stats: Vec<&str> = stats.split(',').collect();
    for upstream in &stats {
        let _ = left(upstream).await;
    }

    let next = Rc::new(std::cell::Cell::new(1u64));
    let tasks: Vec<_> = (0..args.num("concurrency", 64u64))
        .map(|_| {
            let (plan, next) = (plan.clone(), next.clone());
            tokio::task::spawn_local(async move {
                let mut mine = Vec::new();
                while next.get() <= count {
                    let id = next.replace(next.get() + 1);
                    mine.push((id, leave(&plan, id).await));
                }
                mine
            })
        })
        .collect();
    let mut closed = HashMap::new();
    let mut errors: HashMap<String, u64> = HashMap::new();
    for task in tasks {
        for (id, outcome) in task.await.unwrap_or_default() {
            match outcome {
                Ok(at) => _ = closed.insert(id, at),
                Err(why) => *errors.entry(why).or_default() += 1,
            }
        }
    }

    let mut noticed = Vec::new();
    for _ in 0..50 {
        for upstream in &stats {
            noticed.extend(left(upstream).await.unwrap_or_default());
        }
        if noticed.len() >= closed.len() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let mut took: Vec<u64> =
        noticed.iter().filter_map(|(id, ns)| closed.get(id).map(|at| ns.saturating_sub(*at) / 1000)).collect();
    took.sort_unstable();
    let at = |q: f64| took.get(((took.len() as f64 * q) as usize).min(took.len().saturating_sub(1))).copied();
    println!(
        "{}",
        serde_json::json!({
            "left": closed.len(), "noticed": took.len(), "within_100_ms": took.iter().filter(|us| **us <= 100_000).count(),
            "p50_us": at(0.5), "p99_us": at(0.99), "max_us": took.last(), "errors": errors,
        })
    );
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(args));
    Ok(())
}
