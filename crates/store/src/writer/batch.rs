//! One commit: a batch of records becomes rows, all of them or none. The statements are in `tables.rs`.

use std::sync::Arc;

use domain::{Caller, ConversationId};
use sqlx::{AnyConnection, Executor};

use super::brief::{self, Brief};
use super::job::Job;
use super::sorted::Sorted;
use super::tables;
use crate::audit::Chain;
use crate::changes::{Changed, Changes, Kind};
use crate::database::{Database, Engine};
use crate::{Error, Order, responses};

/// Why a batch was not stored.
pub(super) enum Trouble {
    /// Nothing is wrong with the records: later.
    Passing(Error),
    /// One of them is refused (which, the halves tell).
    Record(Error),
}

pub(super) struct Batches {
    database: Arc<Database>,
    node: String,
    order: Arc<Order>,
    changes: Changes,
    /// The head of this node's audit chain; `None` until read, and after a batch that failed.
    chain: Option<Chain>,
    brief: Brief,
}

impl Batches {
    pub(super) fn new(database: Arc<Database>, node: String, order: Arc<Order>, changes: Changes) -> Batches {
        Batches { database, node, order, changes, chain: None, brief: Brief::default() }
    }

    /// Stores all of it in one commit, or nothing.
    pub(super) async fn commit(&mut self, jobs: &[Job]) -> Result<(), Trouble> {
        let sorted = Sorted::from(jobs);
        let outcome = match self.briefly(&sorted).await {
            // On its own it may be known already, which is no conflict.
            Ok(false) | Err(Error::Conflict { .. }) if jobs.len() == 1 => self.transact(&sorted, true).await,
            Ok(false) => self.transact(&sorted, false).await,
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                self.notify(&sorted);
                Ok(())
            }
            Err(error) => {
                self.chain = None;
                Err(if error.passes() { Trouble::Passing(error) } else { Trouble::Record(error) })
            }
        }
    }

    /// `false` where it is no batch for this; nothing has been stored then.
    async fn briefly(&mut self, sorted: &Sorted<'_>) -> Result<bool, Error> {
        if !brief::fits(sorted) {
            return Ok(false);
        }
        let database = self.database.clone();
        let mut chain = match self.chain.take() {
            Some(chain) => chain,
            None => Chain::load(&mut *database.write_connection().await?, &self.node).await?,
        };
        match database.direct_connection().await? {
            Some(mut writing) => {
                let Some(direct) = &mut *writing.direct else { return Ok(false) };
                let stored = self.brief.on_sqlite(direct, sorted, &mut chain).await;
                if matches!(stored, Err(Error::Unreachable { .. })) {
                    *writing.direct = None;
                }
                stored?;
            }
            None => {
                let mut connection = database.write_connection().await?;
                self.brief.on_postgres(&mut connection, sorted, &mut chain).await?;
            }
        }
        self.chain = Some(chain);
        Ok(true)
    }

    async fn transact(&mut self, sorted: &Sorted<'_>, alone: bool) -> Result<(), Error> {
        let mut connection = self.database.write_connection().await?;
        let written = match connection.execute(self.database.begin()).await {
            Ok(_) => self.write(&mut connection, sorted, alone).await,
            Err(error) => Err(error.into()),
        };
        let written = match written {
            Ok(chain) => match connection.execute("COMMIT").await {
                Ok(_) => {
                    self.chain = Some(chain);
                    return Ok(());
                }
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error),
        };
        // SQLite may have rolled back on its own (a full disk does that), and says so here: no matter. PostgreSQL fails here
        // only when the connection is gone.
        if connection.execute("ROLLBACK").await.is_err() && self.database.engine == Engine::Postgres {
            connection.close_on_drop();
        }
        written
    }

    async fn write(
        &mut self,
        connection: &mut AnyConnection,
        sorted: &Sorted<'_>,
        alone: bool,
    ) -> Result<Chain, Error> {
        let mut chain = match self.chain.clone() {
            Some(chain) => chain,
            None => Chain::load(connection, &self.node).await?,
        };
        let new = tables::usage(connection, &sorted.settled).await?;
        if new != sorted.settled.len() as u64 {
            if !alone {
                return Err(Error::Conflict { what: "a turn of this batch is settled already".into() });
            }
            // It has its usage row: all there is to do is that it does not stay open.
            tables::closed(connection, sorted).await?;
            return Ok(chain);
        }
        tables::started(connection, &self.node, sorted).await?;
        tables::asked(connection, self.database.engine, &sorted.asked, &self.order).await?;
        tables::deltas(connection, &sorted.deltas).await?;
        tables::answers(connection, self.database.engine, &sorted.settled).await?;
        tables::closed(connection, sorted).await?;
        responses::write(connection, &sorted.responses).await?;
        tables::usage_of_day(connection, &sorted.settled).await?;
        tables::usage_of_key_day(connection, &sorted.settled).await?;
        tables::touched(connection, sorted).await?;
        tables::audit(connection, sorted, &mut chain).await?;
        Ok(chain)
    }

    fn notify(&self, sorted: &Sorted<'_>) {
        for asked in &sorted.asked {
            let kind = if asked.new.is_some() { Kind::Created } else { Kind::Updated };
            self.changed(&asked.caller, asked.conversation, kind);
        }
        for settled in &sorted.settled {
            if let Some(conversation) = settled.conversation {
                self.changed(&settled.caller, conversation, Kind::Updated);
            }
        }
    }

    fn changed(&self, caller: &Caller, id: ConversationId, kind: Kind) {
        self.changes.tell(Changed::Conversation { tenant: caller.tenant, person: caller.person, id, kind });
    }
}
