//! Load for an OpenAI-style endpoint, streaming or not, closed loop
//! (`--concurrency`) or open loop (`--rate`), one JSON line of results.
//!
//! Besides request times it reports the transit of each streamed chunk: the
//! mock writes its clock into the chunk, so the difference is what the path
//! between mock and client took, free of the mock's own delays. Open-loop times
//! count from the moment a request was due, so a slow gateway cannot hide its
//! queue. With `--pid` it adds the CPU time and memory of the gateway.

use bytes::{Bytes, BytesMut};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use load::{Args, mono_ns, proc_use};
use memchr::memmem;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

struct Results {
    head: Histogram<u64>,
    first: Histogram<u64>,
    total: Histogram<u64>,
    transit: Histogram<u64>,
    gap: Histogram<u64>,
    ok: u64,
    chunks: u64,
    bytes: u64,
    errors: BTreeMap<String, u64>,
    sample: Option<String>,
}

impl Results {
    fn new() -> Self {
        let h = || Histogram::new_with_bounds(1, 120_000_000, 3).expect("constant bounds");
        Results {
            head: h(),
            first: h(),
            total: h(),
            transit: h(),
            gap: h(),
            ok: 0,
            chunks: 0,
            bytes: 0,
            errors: BTreeMap::new(),
            sample: None,
        }
    }
}

fn add(h: &mut Histogram<u64>, ns: u64) {
    h.saturating_record((ns / 1000).max(1));
}

struct Plan {
    addr: String,
    host: String,
    path: String,
    body: Bytes,
    auth: String,
    headers: Vec<(String, String)>,
    stream: bool,
    tokens: u32,
    timeout: Duration,
}

type Sender = SendRequest<Full<Bytes>>;

async fn connect(plan: &Plan) -> Result<Sender, String> {
    let socket = tokio::net::TcpStream::connect(&plan.addr).await.map_err(|e| format!("connect: {}", e.kind()))?;
    let _ = socket.set_nodelay(true);
    let (sender, conn) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|_| "handshake".to_string())?;
    tokio::task::spawn_local(async move {
        let _ = conn.await;
    });
    Ok(sender)
}

/// One request on an open connection. `due` is when it should have started.
async fn once(plan: &Plan, sender: &mut Sender, due: u64, out: &RefCell<Results>, record: bool) -> Result<(), String> {
    let mut b = Request::post(&plan.path)
        .header("host", &plan.host)
        .header("content-type", "application/json")
        .header("authorization", &plan.auth);
    for (k, v) in &plan.headers {
        b = b.header(k, v);
    }
    let req = b.body(Full::new(plan.body.clone())).map_err(|e| e.to_string())?;
    sender.ready().await.map_err(|_| "closed".to_string())?;
    let res = sender.send_request(req).await.map_err(|e| {
        if e.is_closed() || e.is_canceled() { "closed".to_string() } else { "request failed".to_string() }
    })?;
    let head = mono_ns();
    let status = res.status();
    let mut body = res.into_body();
    let mut first = 0;
    let mut last = 0;
    let mut seen = 0u32;
    let mut done = false;
    let mut size = 0u64;
    let mut text = BytesMut::new();
    let find = memmem::Finder::new(b"\"t");
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| "body cut off".to_string())?;
        let Ok(data) = frame.into_data() else { continue };
        let now = mono_ns();
        size += data.len() as u64;
        if !status.is_success() || !plan.stream {
            text.extend_from_slice(&data);
            continue;
        }
        text.extend_from_slice(&data);
        // Only whole lines are looked at; a stamp never spans two lines.
        let Some(end) = memchr::memrchr(b'\n', &text) else { continue };
        let lines = text.split_to(end + 1);
        let mut r = out.borrow_mut();
        for at in find.find_iter(&lines) {
            let digits: u64 =
                lines[at + 2..].iter().take_while(|c| c.is_ascii_digit()).fold(0, |n, c| n * 10 + (c - b'0') as u64);
            if digits < 1_000_000 {
                continue;
            }
            if first == 0 {
                first = now;
            }
            if record {
                add(&mut r.transit, now.saturating_sub(digits));
                if last != 0 {
                    add(&mut r.gap, now - last);
                }
            }
            last = now;
            seen += 1;
        }
        done |= memmem::find(&lines, b"[DONE]").is_some();
    }
    let end = mono_ns();
    let mut r = out.borrow_mut();
    if r.sample.is_none() && (!status.is_success() || (plan.stream && seen < plan.tokens)) {
        r.sample = Some(format!("{status} {}", String::from_utf8_lossy(&text).chars().take(300).collect::<String>()));
    }
    if !status.is_success() {
        return Err(format!("status {}", status.as_u16()));
    }
    if plan.stream && seen < plan.tokens {
        return Err(format!("short stream{}", if done { "" } else { " without [DONE]" }));
    }
    if record {
        r.ok += 1;
        r.chunks += seen as u64;
        r.bytes += size;
        add(&mut r.head, head - due);
        add(&mut r.total, end - due);
        if plan.stream {
            add(&mut r.first, first.saturating_sub(due));
        }
    }
    Ok(())
}

async fn attempt(plan: &Plan, conn: &mut Option<Sender>, due: u64, out: &RefCell<Results>, record: bool) {
    let work = async {
        if conn.as_ref().is_none_or(|c| c.is_closed()) {
            *conn = Some(connect(plan).await?);
        }
        let Some(sender) = conn.as_mut() else { return Err("no connection".into()) };
        once(plan, sender, due, out, record).await
    };
    let result = timeout(plan.timeout, work).await.unwrap_or_else(|_| Err("timeout".into()));
    if let Err(e) = result {
        let keep = e.starts_with("status");
        if !keep {
            *conn = None;
        }
        if record {
            *out.borrow_mut().errors.entry(e).or_default() += 1;
        }
    }
}

fn summary(h: &Histogram<u64>) -> serde_json::Value {
    if h.is_empty() {
        return serde_json::Value::Null;
    }
    serde_json::json!({
        "p50": h.value_at_quantile(0.50), "p90": h.value_at_quantile(0.90), "p95": h.value_at_quantile(0.95),
        "p99": h.value_at_quantile(0.99), "max": h.max(), "mean": h.mean().round(),
    })
}

async fn run(args: Args) {
    let uri: Uri = args.str("url", "http://127.0.0.1:9100/v1/chat/completions").parse().expect("--url");
    let stream = args.flag("stream");
    let tokens = args.num("tokens", 32u32);
    let mut spec = format!("mock;n={tokens};ttft={};itl={}", args.num("ttft", 0u64), args.num("itl", 0u64));
    if let Some(extra) = Some(args.str("spec", "")).filter(|s| !s.is_empty()) {
        spec = format!("{spec};{extra}");
    }
    let prompt = args.num("prompt-bytes", 0usize);
    let filler: String = "lorem ipsum dolor ".chars().cycle().take(prompt).collect();
    let mut body = serde_json::json!({
        "model": args.str("model", "mock"),
        "messages": [{"role": "system", "content": format!("You are a helpful assistant. {filler}")}, {"role": "user", "content": spec}],
        "stream": stream,
    });
    if stream && args.flag("usage") {
        body["stream_options"] = serde_json::json!({"include_usage": true});
    }
    let port = uri.port_u16().unwrap_or(80);
    let host = uri.host().unwrap_or("127.0.0.1");
    let plan = Rc::new(Plan {
        addr: format!("{host}:{port}"),
        host: format!("{host}:{port}"),
        path: uri.path_and_query().map_or("/".into(), |p| p.to_string()),
        body: Bytes::from(body.to_string()),
        auth: format!("Bearer {}", args.str("key", "sk-bench")),
        headers: args
            .str("headers", "")
            .split('|')
            .filter_map(|h| h.split_once(':'))
            .map(|(k, v)| (k.trim().to_string(), v.trim().to_string()))
            .collect(),
        stream,
        tokens: if stream { tokens } else { 0 },
        timeout: Duration::from_millis(args.num("timeout-ms", 30_000u64)),
    });
    let out = Rc::new(RefCell::new(Results::new()));
    let pid = args.num("pid", 0u32);
    let warm = Duration::from_secs_f64(args.num("warmup", 1.0));
    let span = Duration::from_secs_f64(args.num("duration", 5.0));
    let begin = Instant::now();
    let (start, stop) = (begin + warm, begin + warm + span);
    let rate = args.num("rate", 0.0f64);
    let concurrency = args.num("concurrency", 1usize);

    let usage = tokio::task::spawn_local(async move {
        sleep_until(start).await;
        let a = (pid != 0).then(|| proc_use(pid));
        let mut peak = 0;
        while Instant::now() < stop {
            sleep_until((Instant::now() + Duration::from_millis(500)).min(stop)).await;
            if pid != 0 {
                peak = peak.max(proc_use(pid).rss_kib);
            }
        }
        a.map(|a| (a, proc_use(pid), peak))
    });

    let mut tasks = Vec::new();
    if rate > 0.0 {
        let pool: Rc<RefCell<Vec<Sender>>> = Rc::default();
        let step = Duration::from_secs_f64(1.0 / rate);
        let mut at = begin;
        while at < stop {
            sleep_until(at).await;
            // Ticks that fell due together all start now, each with its own due time.
            let late = (Instant::now() - at).as_nanos() as u64;
            let due = mono_ns() - late;
            let record = at >= start;
            let (plan, out, pool) = (plan.clone(), out.clone(), pool.clone());
            tasks.push(tokio::task::spawn_local(async move {
                let mut conn = pool.borrow_mut().pop();
                attempt(&plan, &mut conn, due, &out, record).await;
                if let Some(c) = conn {
                    pool.borrow_mut().push(c);
                }
            }));
            at += step;
        }
    } else {
        for _ in 0..concurrency {
            let (plan, out) = (plan.clone(), out.clone());
            tasks.push(tokio::task::spawn_local(async move {
                let mut conn = None;
                loop {
                    let now = Instant::now();
                    if now >= stop {
                        break;
                    }
                    let before = out.borrow().errors.values().sum::<u64>();
                    attempt(&plan, &mut conn, mono_ns(), &out, now >= start).await;
                    if out.borrow().errors.values().sum::<u64>() > before {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            }));
        }
    }
    for t in tasks {
        let _ = t.await;
    }
    let usage = usage.await.ok().flatten();
    let r = out.borrow();
    let secs = span.as_secs_f64();
    let mut v = serde_json::json!({
        "name": args.str("name", ""),
        "stream": stream, "concurrency": if rate > 0.0 { 0 } else { concurrency }, "rate": rate,
        "tokens": tokens, "ok": r.ok, "errors": r.errors, "rps": (r.ok as f64 / secs * 10.0).round() / 10.0,
        "chunks_per_s": (r.chunks as f64 / secs).round(),
        "head_us": summary(&r.head), "total_us": summary(&r.total),
        "first_us": summary(&r.first), "transit_us": summary(&r.transit), "gap_us": summary(&r.gap),
    });
    if let Some((a, b, peak)) = usage {
        let cpu = b.cpu_us.saturating_sub(a.cpu_us) as f64;
        v["gateway"] = serde_json::json!({
            "cpu_us_per_request": (cpu / r.ok.max(1) as f64).round(),
            "cpu_cores": (cpu / 1e6 / secs * 100.0).round() / 100.0,
            "rss_mib": b.rss_kib / 1024, "rss_peak_mib": peak / 1024, "pss_mib": b.pss_kib / 1024, "processes": b.processes,
        });
        if stream {
            v["gateway"]["cpu_us_per_chunk"] = serde_json::json!((cpu / r.chunks.max(1) as f64 * 10.0).round() / 10.0);
        }
    }
    if let Some(s) = &r.sample {
        v["sample"] = s.clone().into();
    }
    println!("{v}");
}

fn main() {
    let args = Args::parse();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    tokio::task::LocalSet::new().block_on(&rt, run(args));
}
