//! Taking a port, with a sentence that names who has it. Only the listener: what is served there is decided elsewhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::fs::MetadataExt as _;

/// Why nothing can listen there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else does.
    #[error("port {} on {} is in use{}; stop that program, or choose another port with --listen or `listen` in portico.toml", at.port(), at.ip(), by(process.as_deref()))]
    InUse {
        /// Where.
        at: SocketAddr,
        /// Name and id of the process, where the system tells.
        process: Option<String>,
    },
    /// Ports below 1024 belong to root.
    #[error("this user may not listen on port {} (ports below 1024 need a capability); choose a port from 1024 with --listen", at.port())]
    Forbidden {
        /// Where.
        at: SocketAddr,
    },
    /// The address is not this machine's.
    #[error("{} is not an address of this machine; 127.0.0.1 is this machine alone, 0.0.0.0 every network it is on", at.ip())]
    NotHere {
        /// Where.
        at: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {at}: {source}")]
    Io {
        /// Where.
        at: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens at `at`, without blocking, as tokio wants it.
pub fn listen(at: SocketAddr) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(at).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => Error::InUse { at, process: holder(at.port()) },
        io::ErrorKind::PermissionDenied => Error::Forbidden { at },
        io::ErrorKind::AddrNotAvailable => Error::NotHere { at },
        _ => Error::Io { at, source },
    })?;
    listener.set_nonblocking(true).map_err(|source| Error::Io { at, source })?;
    Ok(listener)
}

fn by(process: Option<&str>) -> String {
    process.map(|process| format!(" by {process}")).unwrap_or_default()
}

/// Who listens on `port`, from /proc: the socket's inode in the table of sockets, then the process that has it open. Other
/// users' processes are visible to root alone.
fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| inode(table, port))?;
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let pid = process.file_name().to_string_lossy().parse::<u32>();
        let (Ok(pid), Ok(files)) = (pid, std::fs::read_dir(process.path().join("fd"))) else { continue };
        let mut files = files.flatten().filter_map(|file| std::fs::metadata(file.path()).ok());
        if files.any(|file| file.st_ino() == inode) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", name.trim()));
        }
    }
    None
}

/// The first IPv4 address of this machine that is not the machine's alone; asking the kernel's routing table sends nothing.
/// 127.0.0.1 where there is none.
pub(crate) fn reachable_address() -> IpAddr {
    let table = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    own_addresses(&table).find(|ip| !ip.is_loopback()).map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4)
}

/// An address line (`|-- 192.0.2.7`) is followed by what it is; `host LOCAL` is an address of this machine.
fn own_addresses(table: &str) -> impl Iterator<Item = Ipv4Addr> {
    table.lines().zip(table.lines().skip(1)).filter_map(|(line, next)| {
        let ip = line.trim().strip_prefix("|-- ")?.parse().ok()?;
        next.contains("host LOCAL").then_some(ip)
    })
}

/// Column 4 is the state (0A: listening), column 2 the local address, column 10 the inode (proc(5)).
fn inode(table: &str, port: u16) -> Option<u64> {
    let table = std::fs::read_to_string(table).ok()?;
    let wanted = format!(":{port:04X}");
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, "0A", ..] = columns[..] else { continue };
        if local.ends_with(&wanted) {
            return columns.get(9)?.parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_addresses_are_read_from_the_routing_table() {
        let table = "Local:\n  +-- 0.0.0.0/0 2 0 2\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.0\n        /24 link UNICAST\n     |-- 192.0.2.7\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        let found: Vec<Ipv4Addr> = own_addresses(table).collect();
        assert_eq!(found, [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 7)]);
    }
}
