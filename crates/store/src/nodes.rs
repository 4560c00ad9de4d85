//! Portals that share one PostgreSQL: who is alive, what a portal left that is gone, and turns that are to be stopped where they run.
//! There is no other coordinator. On SQLite there is one portal, and all of this is nothing. What they tell each other while they live is
//! `wire.rs`'s; whom a request goes to is a load balancer's.

mod wire;

use std::time::Duration;

use domain::{Caller, Timestamp, TurnId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use wire::Wire;
pub use wire::Word;

use crate::database::Engine;
use crate::rows::{Columns, owner};
use crate::{Error, Store};

/// How often a portal says that it lives.
const BEAT: Duration = Duration::from_secs(2);

/// Who has not been heard of for so long is gone, and what it was writing is settled by another. Five beats and a pause of a database.
const GONE_AFTER_MS: i64 = 15_000;

/// The database's clock: those of several machines differ. In milliseconds since 1970.
const NOW: &str = "(CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT))";

/// A portal among those that share the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name; its audit chain and its open turns carry it.
    pub node: String,
    /// Where people reach it, as it says itself.
    pub address: String,
    /// Which Portico it is.
    pub version: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// Whether it is heard of.
    pub alive: bool,
}

impl Store {
    /// Whether other portals can share this database.
    pub fn shared(&self) -> bool {
        self.inner.database.engine == Engine::Postgres
    }

    /// The portals of this database, the living ones first; on SQLite none. For the house.
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        if !self.shared() {
            return Ok(Vec::new());
        }
        let select = format!(
            "SELECT node, address, version, started_at, seen_at, CAST({NOW} - seen_at AS BIGINT) AS age FROM nodes ORDER BY seen_at DESC, node"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_all(&self.inner.database.read).await?;
        rows.iter()
            .map(|row| {
                Ok(Node {
                    node: row.text("node")?,
                    address: row.text("address")?,
                    version: row.text("version")?,
                    started_at: row.at("started_at")?,
                    seen_at: row.at("seen_at")?,
                    alive: row.int("age")? < GONE_AFTER_MS,
                })
            })
            .collect()
    }

    /// How many portals live, this one counted; 1 where nobody shares.
    pub fn living(&self) -> watch::Receiver<usize> {
        self.inner.living.subscribe()
    }

    /// Lives among the others until `closing`: says that it does, hears and tells what changed, and settles what a portal left that is
    /// gone. The house runs this once; on SQLite it returns at once. `address`: where people reach this portal.
    pub async fn live_among_others(&self, address: &str, version: &str, closing: CancellationToken) {
        let Some(url) = self.inner.database.url.clone() else { return };
        let talking = self.inner.wire.converse(&url, &self.inner.node, &self.inner.changes, &closing);
        let beating = async {
            let mut beat = tokio::time::interval(BEAT);
            beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = closing.cancelled() => return,
                    _ = beat.tick() => {}
                }
                if let Err(error) = self.beat(address, version).await {
                    tracing::warn!(%error, "this portal could not tell the others that it lives");
                }
            }
        };
        tokio::join!(talking, beating);
        // Whoever goes by itself leaves nothing that another would have to wait for.
        let gone = sqlx::query("DELETE FROM nodes WHERE node = $1").bind(self.inner.node.clone());
        if let Err(error) = self.execute(gone).await {
            tracing::warn!(%error, "this portal could not tell the others that it goes");
        }
    }

    async fn beat(&self, address: &str, version: &str) -> Result<(), Error> {
        let beat = format!(
            "INSERT INTO nodes (node, address, version, started_at, seen_at) VALUES ($1, $2, $3, {NOW}, {NOW}) \
             ON CONFLICT (node) DO UPDATE SET address = excluded.address, version = excluded.version, seen_at = excluded.seen_at, \
             claimed_by = NULL, claimed_at = NULL"
        );
        let beat = sqlx::query(sqlx::AssertSqlSafe(beat));
        self.execute(beat.bind(self.inner.node.clone()).bind(address.to_owned()).bind(version.to_owned())).await?;
        let living = self.nodes().await?.iter().filter(|node| node.alive).count().max(1);
        self.inner.living.send_if_modified(|known| std::mem::replace(known, living) != living);
        for node in self.left_behind().await? {
            self.settle_for(&node).await?;
        }
        Ok(())
    }

    /// Portals that are gone and still stand among the living or have turns that nobody ends.
    async fn left_behind(&self) -> Result<Vec<String>, Error> {
        let select = format!(
            "SELECT node FROM nodes WHERE seen_at < {NOW} - $1 \
             UNION SELECT s.node FROM started s WHERE s.at < {NOW} - $1 AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.node = s.node) \
             UNION SELECT b.node FROM batches b WHERE b.state = 'running' AND b.updated_at < {NOW} - $1 \
             AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.node = b.node)"
        );
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(select)).bind(GONE_AFTER_MS).fetch_all(&self.inner.database.read).await?;
        let names = rows.iter().map(|row| row.text("node")).collect::<Result<Vec<_>, _>>()?;
        Ok(names.into_iter().filter(|node| *node != self.inner.node).collect())
    }

    /// Ends what a portal was writing that is gone; one of the living does it.
    async fn settle_for(&self, node: &str) -> Result<(), Error> {
        let known = sqlx::query(
            "INSERT INTO nodes (node, address, version, started_at, seen_at) VALUES ($1, '', '', 0, 0) ON CONFLICT DO NOTHING",
        );
        self.execute(known.bind(node.to_owned())).await?;
        let claim = format!(
            "UPDATE nodes SET claimed_by = $1, claimed_at = {NOW} WHERE node = $2 AND seen_at < {NOW} - $3 \
             AND (claimed_at IS NULL OR claimed_at < {NOW} - $3)"
        );
        let claim = sqlx::query(sqlx::AssertSqlSafe(claim));
        let mine = self.execute(claim.bind(self.inner.node.clone()).bind(node.to_owned()).bind(GONE_AFTER_MS)).await?;
        if mine == 0 {
            return Ok(());
        }
        let recovered = self.recover(node).await?;
        self.interrupt_enquiries(node).await?;
        // A batch goes on, here: its rows are in the database, and nothing of it was in the portal that is gone.
        let taken = sqlx::query("UPDATE batches SET node = $1 WHERE node = $2 AND state = 'running'");
        self.execute(taken.bind(self.inner.node.clone()).bind(node.to_owned())).await?;
        let gone = sqlx::query("DELETE FROM nodes WHERE node = $1 AND claimed_by = $2");
        self.execute(gone.bind(node.to_owned()).bind(self.inner.node.clone())).await?;
        tracing::warn!(
            node,
            turns = recovered.turns,
            "another portal is gone; the answers that it was writing are marked interrupted"
        );
        Ok(())
    }

    /// Marks the replays and evaluations that a portal's process was running and left: this one's at its start, another's once it is gone.
    /// How many there were.
    pub async fn interrupt_enquiries(&self, node: &str) -> Result<u64, Error> {
        Ok(self.interrupt_replays(node).await? + self.interrupt_evaluations(node).await?)
    }

    /// Asks the portal that writes the caller's turn to stop it. `false`: no such turn runs.
    pub async fn ask_stop(&self, caller: &Caller, turn: TurnId) -> Result<bool, Error> {
        if !self.shared() {
            return Ok(false);
        }
        let (tenant, person) = owner(caller);
        let stop = sqlx::query(
            "INSERT INTO stops (turn, tenant, person, at) SELECT turn, tenant, person, $4 FROM started \
             WHERE turn = $1 AND tenant = $2 AND person = $3 ON CONFLICT DO NOTHING",
        );
        let stop = stop.bind(turn.to_string()).bind(tenant).bind(person).bind(self.now().0);
        let asked = self.execute(stop).await? > 0;
        self.inner.wire.say(Word::Stop);
        Ok(asked)
    }

    /// The turns that somebody wants stopped and that are among these; they are asked for no more. For the house.
    pub async fn take_stops(&self, running: &[TurnId]) -> Result<Vec<TurnId>, Error> {
        if !self.shared() || running.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query("SELECT turn FROM stops").fetch_all(&self.inner.database.read).await?;
        let wanted = rows.iter().map(|row| row.id("turn")).collect::<Result<Vec<TurnId>, _>>()?;
        let mine: Vec<TurnId> = wanted.into_iter().filter(|turn| running.contains(turn)).collect();
        for turn in &mine {
            self.execute(sqlx::query("DELETE FROM stops WHERE turn = $1").bind(turn.to_string())).await?;
        }
        // What nobody runs any more was too late.
        let late = sqlx::query("DELETE FROM stops WHERE turn NOT IN (SELECT turn FROM started)");
        self.execute(late).await?;
        Ok(mine)
    }

    /// What a turn of the caller has gained since event `after`, as the portal that writes it has stored it: the text, the reasoning, and
    /// the id of the last event in them.
    pub async fn gained(
        &self,
        caller: &Caller,
        turn: TurnId,
        after: u64,
    ) -> Result<Option<(u64, String, String)>, Error> {
        let (tenant, person) = owner(caller);
        let rows = sqlx::query(
            "SELECT d.seq, d.text, d.thought FROM deltas d JOIN turns t ON t.turn = d.turn \
             WHERE d.turn = $1 AND t.tenant = $2 AND t.person = $3 AND d.seq > $4 ORDER BY d.seq",
        )
        .bind(turn.to_string())
        .bind(tenant)
        .bind(person)
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .fetch_all(&self.inner.database.read)
        .await?;
        let (mut last, mut text, mut thought) = (None, String::new(), String::new());
        for row in &rows {
            last = u64::try_from(row.int("seq")?).ok();
            text.push_str(&row.text("text")?);
            thought.push_str(&row.text("thought")?);
        }
        Ok(last.map(|last| (last, text, thought)))
    }

    async fn execute(&self, query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>) -> Result<u64, Error> {
        let mut connection = self.inner.database.write_connection().await?;
        Ok(query.execute(&mut *connection).await?.rows_affected())
    }
}
