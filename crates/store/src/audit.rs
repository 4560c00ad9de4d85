//! The audit log: one chain per node, each line hashed with the one before it, so that a line changed, dropped or slipped in
//! later is found. Lines are appended by the writer alone, in the commit of what they tell of.

use domain::{Caller, PersonId, TenantId, Timestamp, Via};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;
use uuid::Uuid;

use crate::rows::{Columns, via_parse, via_text};
use crate::{Error, Store};

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub node: String,
    /// From 1, without gaps, within the node.
    pub seq: i64,
    pub at: Timestamp,
    pub tenant: Option<TenantId>,
    pub person: Option<PersonId>,
    pub via: Option<Via>,
    pub verb: String,
    pub subject: String,
    /// JSON.
    pub detail: String,
    /// SHA-256 in hex over the hash before it and every field above.
    pub hash: String,
}

/// The head of a node's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub node: String,
    /// The last line; 0 before the first.
    pub seq: i64,
    /// Its hash; empty before the first.
    pub hash: String,
}

impl Chain {
    fn empty(node: &str) -> Chain {
        Chain { node: node.to_owned(), seq: 0, hash: String::new() }
    }

    pub(crate) async fn load(connection: &mut AnyConnection, node: &str) -> Result<Chain, Error> {
        let row = sqlx::query("SELECT seq, hash FROM audit WHERE node = $1 ORDER BY seq DESC LIMIT 1")
            .bind(node)
            .fetch_optional(connection)
            .await?;
        let Some(row) = row else { return Ok(Chain::empty(node)) };
        Ok(Chain { node: node.to_owned(), seq: row.int("seq")?, hash: row.text("hash")? })
    }

    pub(crate) fn append(
        &mut self,
        at: Timestamp,
        caller: Option<&Caller>,
        verb: &str,
        subject: String,
        detail: String,
    ) -> Entry {
        let mut entry = Entry {
            node: self.node.clone(),
            seq: self.seq + 1,
            at,
            tenant: caller.map(|caller| caller.tenant),
            person: caller.map(|caller| caller.person),
            via: caller.map(|caller| caller.via),
            verb: verb.to_owned(),
            subject,
            detail,
            hash: String::new(),
        };
        entry.hash = hash(&self.hash, &entry);
        self.seq = entry.seq;
        self.hash.clone_from(&entry.hash);
        entry
    }
}

/// Each field with its length before it, so that no two lines read the same.
fn hash(before: &str, entry: &Entry) -> String {
    let mut sum = Sha256::new();
    let mut field = |text: Option<&str>| match text {
        None => sum.update([0]),
        Some(text) => {
            sum.update([1]);
            sum.update((text.len() as u64).to_be_bytes());
            sum.update(text.as_bytes());
        }
    };
    field(Some(before));
    field(Some(&entry.node));
    field(Some(&entry.seq.to_string()));
    field(Some(&entry.at.0.to_string()));
    let mut text = Uuid::encode_buffer();
    field(entry.tenant.map(|id| &*id.0.hyphenated().encode_lower(&mut text)));
    field(entry.person.map(|id| &*id.0.hyphenated().encode_lower(&mut text)));
    field(entry.via.map(via_text).as_deref());
    field(Some(&entry.verb));
    field(Some(&entry.subject));
    field(Some(&entry.detail));
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut hex = String::with_capacity(64);
    for byte in sum.finalize() {
        hex.push(DIGITS[usize::from(byte >> 4)]);
        hex.push(DIGITS[usize::from(byte & 15)]);
    }
    hex
}

impl Store {
    /// The nodes that have a chain, with its head. For the house.
    pub async fn audit_chains(&self) -> Result<Vec<Chain>, Error> {
        let rows = sqlx::query(
            "SELECT a.node, a.seq, a.hash FROM audit a \
             JOIN (SELECT node, MAX(seq) AS seq FROM audit GROUP BY node) heads ON heads.node = a.node AND heads.seq = a.seq \
             ORDER BY a.node",
        )
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter()
            .map(|row| Ok(Chain { node: row.text("node")?, seq: row.int("seq")?, hash: row.text("hash")? }))
            .collect()
    }

    /// Lines of one node after `seq`, oldest first. For the house.
    pub async fn audit(&self, node: &str, after: i64, limit: u32) -> Result<Vec<Entry>, Error> {
        let rows = sqlx::query(
            "SELECT node, seq, at, tenant, person, via, verb, subject, detail, hash FROM audit \
             WHERE node = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(node)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter()
            .map(|row| {
                let via = row.maybe_text("via")?;
                Ok(Entry {
                    node: row.text("node")?,
                    seq: row.int("seq")?,
                    at: row.at("at")?,
                    tenant: row.maybe_id("tenant")?,
                    person: row.maybe_id("person")?,
                    via: via.as_deref().and_then(via_parse),
                    verb: row.text("verb")?,
                    subject: row.text("subject")?,
                    detail: row.text("detail")?,
                    hash: row.text("hash")?,
                })
            })
            .collect()
    }

    /// Walks a node's chain. `Ok(lines)` where every line fits the one before it, `Err(seq)` with the first that does not.
    pub async fn verify_audit(&self, node: &str) -> Result<Result<u64, i64>, Error> {
        let mut chain = Chain::empty(node);
        loop {
            let entries = self.audit(node, chain.seq, 1000).await?;
            if entries.is_empty() {
                return Ok(Ok(u64::try_from(chain.seq).unwrap_or(0)));
            }
            for entry in entries {
                if entry.seq != chain.seq + 1 || entry.hash != hash(&chain.hash, &entry) {
                    return Ok(Err(chain.seq + 1));
                }
                chain.seq = entry.seq;
                chain.hash = entry.hash;
            }
        }
    }
}
