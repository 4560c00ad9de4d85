//! Asks a model as a plan says and tells when each piece of every answer came: one JSON request per line in, one JSON line
//! per answer out, in the order of the plan. It judges nothing; load/engine reckons.
//!
//! A line of the plan: `{"body": {…}, "at_ms": 0, "leave_after": 5, "name": "…"}`. `--concurrency N` asks N at a time, each
//! when one before it is over; without it each request goes out when its `at_ms` has come. `leave_after` closes the
//! connection after so many pieces. Times are microseconds since the program began.

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use load::{Args, mono_ns};
use memchr::memmem;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

struct Target {
    address: String,
    path: String,
    patience: Duration,
    began: u64,
}

#[derive(Default)]
struct Answer {
    asked: u64,
    status: u16,
    pieces: Vec<u64>,
    text: String,
    finish: Value,
    usage: Value,
    left: bool,
    ended: u64,
}

impl Target {
    fn now(&self) -> u64 {
        (mono_ns() - self.began) / 1000
    }

    async fn ask(&self, body: &Value, leave_after: usize, answer: &mut Answer) -> Result<(), String> {
        let body = Bytes::from(body.to_string());
        answer.asked = self.now();
        let socket = TcpStream::connect(&self.address).await.map_err(|e| format!("connect: {e}"))?;
        let _ = socket.set_nodelay(true);
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
        let (mut sender, connection) = shaken.map_err(|e| format!("handshake: {e}"))?;
        // Dropped with `sender` and the answer: so the connection closes when we leave.
        let driven = tokio::task::spawn_local(async move { _ = connection.await });
        let request = Request::post(&self.path)
            .header("host", &self.address)
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|e| e.to_string())?;
        let response = sender.send_request(request).await.map_err(|e| format!("send: {e}"))?;
        answer.status = response.status().as_u16();
        let mut body = response.into_body();
        let mut got = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| format!("read: {e}"))?;
            let Ok(data) = frame.into_data() else { continue };
            got.extend_from_slice(&data);
            let now = self.now();
            while let Some(end) = memmem::find(&got, b"\n\n") {
                self.read(&got[..end], now, answer);
                got.advance(end + 2);
            }
            if leave_after > 0 && answer.pieces.len() >= leave_after {
                answer.left = true;
                driven.abort();
                return Ok(());
            }
        }
        match (answer.status, answer.finish.is_null()) {
            (200, false) => Ok(()),
            (200, true) => Err("the stream ended without a finish_reason".into()),
            (status, _) => Err(format!("{status}: {}", String::from_utf8_lossy(&got[..got.len().min(300)]))),
        }
    }

    fn read(&self, event: &[u8], now: u64, answer: &mut Answer) {
        let Some(data) = event.strip_prefix(b"data: ") else { return };
        let Ok(chunk) = serde_json::from_slice::<Value>(data) else { return };
        let choice = &chunk["choices"][0];
        if let Some(text) = choice["text"].as_str().or_else(|| choice["delta"]["content"].as_str())
            && !text.is_empty()
        {
            answer.pieces.push(now);
            answer.text.push_str(text);
        }
        if !choice["finish_reason"].is_null() {
            answer.finish = choice["finish_reason"].clone();
        }
        if chunk["usage"].is_object() {
            answer.usage = chunk["usage"].clone();
        }
    }

    async fn tell(&self, line: &Value) -> Value {
        let mut answer = Answer::default();
        let leave_after = line["leave_after"].as_u64().unwrap_or(0) as usize;
        let asked = timeout(self.patience, self.ask(&line["body"], leave_after, &mut answer)).await;
        let error = match asked {
            Ok(Ok(())) => Value::Null,
            Ok(Err(why)) => why.into(),
            Err(_) => format!("not over within {} s", self.patience.as_secs()).into(),
        };
        answer.ended = self.now();
        json!({
            "name": line["name"], "asked": answer.asked, "status": answer.status, "pieces": answer.pieces, "text": answer.text,
            "finish": answer.finish, "usage": answer.usage, "left": answer.left, "ended": answer.ended, "error": error,
        })
    }
}

async fn run(args: Args) -> std::io::Result<()> {
    let plan: Vec<Value> = std::io::stdin()
        .lines()
        .map(|line| serde_json::from_str(&line?).map_err(Into::into))
        .collect::<Result<_, std::io::Error>>()?;
    let target = Rc::new(Target {
        address: args.str("address", "127.0.0.1:8080"),
        path: args.str("path", "/v1/completions"),
        patience: Duration::from_secs(args.num("patience", 600)),
        began: mono_ns(),
    });
    let (count, began) = (plan.len(), Instant::now());
    let at_once: usize = args.num("concurrency", 0);
    let (plan, next) = (Rc::new(plan), Rc::new(Cell::new(0)));
    let told = Rc::new(RefCell::new(vec![Value::Null; count]));
    let askers: Vec<_> = (0..if at_once == 0 { count } else { at_once })
        .map(|_| {
            let (target, plan, next, told) = (target.clone(), plan.clone(), next.clone(), told.clone());
            tokio::task::spawn_local(async move {
                while next.get() < plan.len() {
                    let mine = next.replace(next.get() + 1);
                    if at_once == 0 {
                        sleep_until(began + Duration::from_millis(plan[mine]["at_ms"].as_u64().unwrap_or(0))).await;
                    }
                    let answer = target.tell(&plan[mine]).await;
                    told.borrow_mut()[mine] = answer;
                }
            })
        })
        .collect();
    for asker in askers {
        asker.await.map_err(std::io::Error::other)?;
    }
    for answer in told.borrow().iter() {
        println!("{answer}");
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(args))
}
