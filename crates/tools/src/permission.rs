//! What a plugin may do. A permission that was not granted is not there: no code asks twice.

use std::fmt;
use std::str::FromStr;

use egress::Origin;
use serde::{Deserialize, Serialize};

/// One thing that a plugin may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Permission {
    /// It is handed files that people upload.
    ReadFiles,
    /// It may leave files.
    WriteFiles,
    /// It is handed passages of knowledge bases.
    ReadKnowledge,
    /// It reaches this host; `*` is every host with a public address.
    Net(String),
    /// It reads databases.
    DbRead,
    /// It runs code.
    ExecCode,
}

impl Permission {
    /// Every host whose addresses are public: `net:*`.
    pub(crate) fn anywhere() -> Permission {
        Permission::Net("*".to_owned())
    }

    /// Whether whoever has this may do that: every host is also each.
    pub(crate) fn covers(&self, other: &Permission) -> bool {
        self == other || *self == Permission::anywhere() && matches!(other, Permission::Net(_))
    }

    /// Where a host that it names is reached on the web.
    pub(crate) fn web(&self) -> Vec<Origin> {
        let Permission::Net(host) = self else { return Vec::new() };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let origin = |scheme: &str| Origin::of(&format!("{scheme}://{host}/").parse().ok()?).ok();
        ["http", "https"].into_iter().filter_map(origin).collect()
    }
}

impl FromStr for Permission {
    type Err = String;

    fn from_str(text: &str) -> Result<Permission, String> {
        Ok(match text {
            "read:files" => Permission::ReadFiles,
            "write:files" => Permission::WriteFiles,
            "read:knowledge" => Permission::ReadKnowledge,
            "db:read" => Permission::DbRead,
            "exec:code" => Permission::ExecCode,
            _ => match text.strip_prefix("net:").filter(|host| !host.is_empty() && !host.contains(['/', ' '])) {
                Some(host) => Permission::Net(host.to_ascii_lowercase()),
                None => {
                    return Err(format!(
                        "{text:?} is no permission; there are read:files, write:files, read:knowledge, net:HOST, db:read and \
                         exec:code"
                    ));
                }
            },
        })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Permission::ReadFiles => f.write_str("read:files"),
            Permission::WriteFiles => f.write_str("write:files"),
            Permission::ReadKnowledge => f.write_str("read:knowledge"),
            Permission::Net(host) => write!(f, "net:{host}"),
            Permission::DbRead => f.write_str("db:read"),
            Permission::ExecCode => f.write_str("exec:code"),
        }
    }
}

impl TryFrom<String> for Permission {
    type Error = String;
    fn try_from(text: String) -> Result<Permission, String> {
        text.parse()
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> String {
        permission.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_reads_as_it_is_written() {
        for text in ["read:files", "write:files", "read:knowledge", "net:localhost", "net:::1", "db:read", "exec:code"]
        {
            assert_eq!(text.parse::<Permission>().unwrap().to_string(), text);
        }
        for text in ["", "read", "net:", "net:a/b", "read:everything", "READ:FILES"] {
            assert!(text.parse::<Permission>().is_err(), "{text}");
        }
    }
}
