//! The line to a virus scanner: clamd's INSTREAM (<https://docs.clamav.net/manual/Usage/Scanning.html#clamd>), over TCP or a socket of
//! this machine. Whoever has one configured refuses what it could not look at.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// How long it may take to answer, from the first byte of the file.
const PATIENCE: Duration = Duration::from_secs(120);

/// The size of a piece, in bytes; clamd takes any up to its own limit for a whole stream.
const PIECE: usize = 64 << 10;

/// The longest answer that is read.
const ANSWER: u64 = 4_096;

/// A scanner at a configured address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clamd {
    /// Host and port.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// What the scanner says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanned {
    /// Nothing was found.
    Clean,
    /// The name of what was found.
    Found(String),
}

/// The scanner said nothing of the file: ask again when it does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the virus scanner at {scanner} did not look at the file: {reason}")]
pub struct NotScanned {
    /// Its address.
    pub scanner: String,
    /// What it said, or the system did.
    pub reason: String,
}

impl FromStr for Clamd {
    type Err = String;

    /// `127.0.0.1:3310`, `scanner.example.org:3310` or `unix:/run/clamav/clamd.ctl`.
    fn from_str(text: &str) -> Result<Clamd, String> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') {
                true => Ok(Clamd::Unix(path.into())),
                false => Err(format!("`{text}` names no socket: its path begins with /")),
            };
        }
        let port =
            text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
        match port {
            Some(1..) if !text.contains("://") => Ok(Clamd::Tcp(text.to_owned())),
            _ => Err(format!("`{text}` is no address of a scanner")),
        }
    }
}

impl fmt::Display for Clamd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clamd::Tcp(address) => f.write_str(address),
            Clamd::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Clamd {
    /// Whether it is on this machine, so that asking it leaves the machine alone.
    pub fn is_here(&self) -> bool {
        match self {
            Clamd::Unix(_) => true,
            Clamd::Tcp(address) => {
                let host = address.rsplit_once(':').map_or("", |(host, _)| host).trim_matches(['[', ']']);
                host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }

    /// Has a file looked at, from where it stands to its end.
    pub async fn scan(&self, file: File) -> Result<Scanned, NotScanned> {
        let failed = |reason: String| NotScanned { scanner: self.to_string(), reason };
        let asking = async {
            match self {
                Clamd::Tcp(address) => ask(TcpStream::connect(address).await?, file).await,
                Clamd::Unix(path) => ask(UnixStream::connect(path).await?, file).await,
            }
        };
        let late = |_| failed(format!("no answer within {} seconds", PATIENCE.as_secs()));
        let said = tokio::time::timeout(PATIENCE, asking).await.map_err(late)?;
        understood(&said.map_err(|error| failed(error.to_string()))?).map_err(failed)
    }
}

async fn ask(line: impl AsyncRead + AsyncWrite + Unpin, file: File) -> io::Result<String> {
    let (mut hears, mut says) = tokio::io::split(line);
    let sending = async {
        let mut file = tokio::fs::File::from_std(file);
        let mut piece = vec![0; PIECE];
        says.write_all(b"zINSTREAM\0").await?;
        loop {
            let read = file.read(&mut piece).await?;
            // An empty piece is the end.
            says.write_all(&u32::try_from(read).unwrap_or(0).to_be_bytes()).await?;
            says.write_all(&piece[..read]).await?;
            if read == 0 {
                return says.flush().await;
            }
        }
    };
    let hearing = async {
        let mut answer = Vec::new();
        (&mut hears).take(ANSWER).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).trim_matches(['\0', '\n', ' ']).to_owned())
    };
    // Where a file is too large for it, it answers and hangs up in the middle: what it said counts.
    let (sent, heard): (io::Result<()>, io::Result<String>) = tokio::join!(sending, hearing);
    match heard {
        Ok(said) if !said.is_empty() => Ok(said),
        heard => sent.and(heard),
    }
}

fn understood(said: &str) -> Result<Scanned, String> {
    let said = said.strip_prefix("stream: ").unwrap_or(said);
    if said == "OK" {
        return Ok(Scanned::Clean);
    }
    match said.strip_suffix(" FOUND") {
        Some(name) => Ok(Scanned::Found(name.to_owned())),
        None if said.is_empty() => Err("it hung up without a word".to_owned()),
        None => Err(said.trim_end_matches(" ERROR").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_others_refused() {
        let check =
            |text: &str, here: bool| assert_eq!(text.parse::<Clamd>().map(|at| at.is_here()), Ok(here), "{text}");
        check("127.0.0.1:3310", true);
        check("[::1]:3310", true);
        check("scanner.example.org:3310", false);
        check("unix:/run/clamav/clamd.ctl", true);
        for wrong in ["", "3310", ":3310", "host", "host:0", "host:x", "http://host:80", "unix:clamd"] {
            assert!(wrong.parse::<Clamd>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_it_says_is_understood() {
        assert_eq!(understood("stream: OK"), Ok(Scanned::Clean));
        assert_eq!(understood("stream: Eicar-Signature FOUND"), Ok(Scanned::Found("Eicar-Signature".into())));
        assert_eq!(understood("INSTREAM size limit exceeded. ERROR"), Err("INSTREAM size limit exceeded.".into()));
        assert!(understood("").is_err());
    }
}
