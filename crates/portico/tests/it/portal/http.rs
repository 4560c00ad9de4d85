//! HTTP/1.1 by hand over one socket, so that nothing repairs what the portal sends: no reuse, no retries, no decoding but that of
//! chunks. A body that ends before its framing says so is `cut`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::sse::Heard;

/// Longer than anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(40);

/// One connection with one request on it.
pub(crate) struct Wire {
    socket: TcpStream,
    buffer: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    left: Left,
}

/// What of the body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// The head is still to come.
    Head,
    Bytes(usize),
    Chunks,
    Nothing,
    /// It broke off.
    Cut,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Sends a request and reads its whole answer.
pub(crate) async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut wire = Wire::connect(address).await;
    wire.send(method, path, headers, body).await;
    wire.reply().await
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Wire {
        let socket = TcpStream::connect(address).await.expect("the portal listens");
        socket.set_nodelay(true).expect("a socket");
        Wire { socket, buffer: Vec::new(), status: 0, headers: Vec::new(), left: Left::Head }
    }

    /// Sends a request. A body that the portal does not want to read to its end is no failure: its answer tells.
    pub(crate) async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.socket.peer_addr().expect("a peer"));
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let whole = [head.as_bytes(), body].concat();
        let _ = self.socket.write_all(&whole).await;
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).await;
    }

    /// Reads the head of the answer.
    pub(crate) async fn head(&mut self) {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert!(
                self.fill().await,
                "the connection ended before an answer: {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
        };
        let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).expect("an ASCII head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        self.status = status.parse().expect("a status");
        self.headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = header(&self.headers, "content-length").map(|length| length.parse().expect("a length"));
        self.left = match (header(&self.headers, "transfer-encoding"), length) {
            (Some("chunked"), _) => Left::Chunks,
            (_, Some(length)) if length > 0 => Left::Bytes(length),
            _ => Left::Nothing,
        };
    }

    /// The next piece of the body as it was framed; `None` at its end, or where it breaks off.
    pub(crate) async fn piece(&mut self) -> Option<Vec<u8>> {
        match self.left {
            Left::Nothing | Left::Cut => None,
            Left::Head => unreachable!("read the head first"),
            Left::Bytes(length) => {
                let whole = self.take(length).await;
                self.left = if whole.is_some() { Left::Nothing } else { Left::Cut };
                whole
            }
            Left::Chunks => {
                let Some(chunk) = self.chunk().await else {
                    self.left = Left::Cut;
                    return None;
                };
                if chunk.is_empty() {
                    self.left = Left::Nothing;
                    return None;
                }
                Some(chunk)
            }
        }
    }

    /// Whether the body broke off before its end.
    pub(crate) fn was_cut(&self) -> bool {
        self.left == Left::Cut
    }

    pub(crate) async fn reply(mut self) -> Reply {
        self.head().await;
        self.reply_read().await
    }

    /// The whole answer, where its head has been read.
    pub(crate) async fn reply_read(mut self) -> Reply {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await {
            body.extend(piece);
        }
        assert!(!self.was_cut(), "the body broke off: {}", String::from_utf8_lossy(&body));
        Reply { status: self.status, headers: self.headers, body }
    }

    /// Reads a stream whose head has been read to its end.
    pub(crate) async fn hear(mut self) -> Heard {
        let mut pieces = Vec::new();
        while let Some(piece) = self.piece().await {
            pieces.push((Instant::now(), piece));
        }
        let cut = self.was_cut();
        Heard { status: self.status, headers: self.headers, pieces, cut }
    }

    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                break at;
            }
            if !self.fill().await {
                return None;
            }
        };
        let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
        let size = std::str::from_utf8(&line[..end]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let mut chunk = self.take(size.expect("a chunk's size") + 2).await?;
        chunk.truncate(chunk.len() - 2);
        Some(chunk)
    }

    async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    /// Reads once; false where the other side has ended.
    async fn fill(&mut self) -> bool {
        let read = self.socket.read_buf(&mut self.buffer);
        let read = tokio::time::timeout(PATIENCE, read).await.expect("the portal says something in time");
        read.is_ok_and(|count| count > 0)
    }
}

pub(crate) fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The JSON of an answer that must have this status; `null` where it has no body.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The session cookie it sets, as it is sent back.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.header("set-cookie").expect("a cookie");
        cookie.split(';').next().expect("a pair").to_owned()
    }
}
