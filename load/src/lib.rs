//! Pieces shared by the mock upstream, the load generator and the pass-through proxy.

use std::collections::HashMap;

/// Nanoseconds of CLOCK_MONOTONIC. The clock is shared by every process of one
/// machine, so a time stamped by the mock can be subtracted by the client.
pub fn mono_ns() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid, writable timespec and the clock id is a constant.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// `--key value` and `--flag` arguments, without a dependency.
pub struct Args(HashMap<String, String>);

impl Args {
    pub fn parse() -> Self {
        let mut map = HashMap::new();
        let mut it = std::env::args().skip(1).peekable();
        while let Some(a) = it.next() {
            let Some(key) = a.strip_prefix("--") else {
                eprintln!("unexpected argument: {a}");
                std::process::exit(2);
            };
            let value = match it.peek() {
                Some(v) if !v.starts_with("--") => it.next().unwrap_or_default(),
                _ => "true".to_string(),
            };
            map.insert(key.to_string(), value);
        }
        Args(map)
    }

    pub fn str(&self, key: &str, default: &str) -> String {
        self.0.get(key).cloned().unwrap_or_else(|| default.to_string())
    }

    pub fn num<T: std::str::FromStr>(&self, key: &str, default: T) -> T {
        match self.0.get(key) {
            None => default,
            Some(v) => v.parse().unwrap_or_else(|_| {
                eprintln!("--{key}: not a number: {v}");
                std::process::exit(2)
            }),
        }
    }

    pub fn flag(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|v| v != "false")
    }
}

/// What one request to the mock should look like. Written as
/// `mock;ttft=20;itl=5;n=64;fault=stall@3` in the model name, the `user` field,
/// the `x-mock` header or the last message, whichever a gateway lets through.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Milliseconds before the first byte of the answer.
    pub ttft_ms: u64,
    /// Milliseconds between streamed chunks.
    pub itl_ms: u64,
    /// Content chunks to stream (or words of a whole answer).
    pub n: u32,
    /// Padding bytes added to each chunk's content.
    pub pad: usize,
    pub status: u16,
    pub retry_after: Option<u64>,
    /// Every `flaky`th request fails with 500.
    pub flaky: u64,
    /// Fault name and the chunk index at which it strikes.
    pub fault: Option<(String, u32)>,
    /// Names the request, so that the mock can say when this very one was left.
    pub id: u64,
}

impl Default for Spec {
    fn default() -> Self {
        Spec { ttft_ms: 0, itl_ms: 0, n: 32, pad: 0, status: 200, retry_after: None, flaky: 0, fault: None, id: 0 }
    }
}

impl Spec {
    pub fn apply(&mut self, text: &str) {
        for part in text.split(';').skip(1) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.trim() {
                "ttft" => self.ttft_ms = value.parse().unwrap_or(self.ttft_ms),
                "itl" => self.itl_ms = value.parse().unwrap_or(self.itl_ms),
                "n" => self.n = value.parse().unwrap_or(self.n),
                "pad" => self.pad = value.parse().unwrap_or(self.pad),
                "status" => self.status = value.parse().unwrap_or(self.status),
                "retry_after" => self.retry_after = value.parse().ok(),
                "id" => self.id = value.parse().unwrap_or(0),
                "flaky" => self.flaky = value.parse().unwrap_or(0),
                "fault" => {
                    let (name, at) = value.split_once('@').unwrap_or((value, "0"));
                    self.fault = Some((name.to_string(), at.parse().unwrap_or(0)));
                }
                _ => {}
            }
        }
    }

    pub fn is_fault(&self, name: &str) -> bool {
        self.fault.as_ref().is_some_and(|(f, _)| f == name)
    }

    pub fn fault_at(&self, name: &str, index: u32) -> bool {
        self.fault.as_ref().is_some_and(|(f, at)| f == name && *at == index)
    }
}

/// CPU time and memory of one process and its descendants, from /proc.
#[derive(Clone, Copy, Default, Debug)]
pub struct ProcUse {
    pub cpu_us: u64,
    pub rss_kib: u64,
    pub pss_kib: u64,
    pub processes: u32,
}

pub fn proc_use(root: u32) -> ProcUse {
    let mut parents: HashMap<u32, (u32, u64, u64)> = HashMap::new();
    // SAFETY: sysconf takes a constant and touches no memory of ours.
    let tick_us = 1_000_000 / unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as u64;
    if let Ok(dir) = std::fs::read_dir("/proc") {
        for entry in dir.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|s| s.parse::<u32>().ok()) else { continue };
            let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            // The command name may hold spaces and parentheses; fields follow the last ')'.
            let Some(end) = stat.rfind(')') else { continue };
            let f: Vec<&str> = stat[end + 1..].split_whitespace().collect();
            if f.len() < 22 {
                continue;
            }
            let ppid = f[1].parse().unwrap_or(0);
            let ticks: u64 = f[11].parse::<u64>().unwrap_or(0) + f[12].parse::<u64>().unwrap_or(0);
            let pages: u64 = f[21].parse().unwrap_or(0);
            parents.insert(pid, (ppid, ticks, pages));
        }
    }
    let mut out = ProcUse::default();
    for (&pid, &(_, ticks, pages)) in &parents {
        let mut at = pid;
        let inside = loop {
            if at == root {
                break true;
            }
            match parents.get(&at) {
                Some(&(p, _, _)) if p != 0 && p != at => at = p,
                _ => break false,
            }
        };
        if inside {
            out.cpu_us += ticks * tick_us;
            out.rss_kib += pages * 4;
            out.processes += 1;
            if let Ok(s) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
                if let Some(l) = s.lines().find(|l| l.starts_with("Pss:")) {
                    out.pss_kib += l.split_whitespace().nth(1).and_then(|v| v.parse().ok()).unwrap_or(0);
                }
            }
        }
    }
    out
}
