//! The same store, kept in a database that speaks PostgreSQL's protocol.
//!
//! ```text
//! sutra.store         one row: version of the tables, revision, counts; writers lock it
//! sutra.concepts      id, its JSON
//! sutra.associations  source, target, kind, weight
//! ```
//!
//! Texts are `bytea`, so that ids sort by their bytes whatever the database's collation. Several
//! servers may share one database; each puts its waiting changes into one transaction, as the log
//! does with its groups.

mod connect;
pub mod migrate;
mod read;
mod write;

use std::sync::Arc;

use deadpool_postgres::{Object, Pool, PoolError};
use tokio::sync::{mpsc, oneshot};

pub use connect::open;
use write::Job;

use crate::memory::Ticket;
use crate::metrics::Metrics;
use crate::model::Stats;
use crate::store::op::Op;
use crate::store::{StoreError, Written};

/// The version of the tables.
const VERSION: i32 = 1;
/// The number of jobs in the writer's queue; senders wait while it is full.
const QUEUE: usize = 1024;

type Outcome = Result<Written, StoreError>;

/// An open database.
pub struct Postgres {
    pool: Pool,
    jobs: mpsc::Sender<Job>,
}

impl Postgres {
    /// Must be called within a runtime.
    fn new(pool: Pool, metrics: Arc<Metrics>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write::run(pool.clone(), queue, metrics));
        Self { pool, jobs }
    }

    /// Makes changes in order, each wholly or not at all, and returns once they are committed.
    ///
    /// # Errors
    /// The outer error means that no change was looked at.
    pub async fn write(
        &self,
        ops: Vec<Op>,
        held: Option<Ticket>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs.send(Job { ops, reply, held }).await;
        sent.map_err(|_| StoreError::Stopping)?;
        answer.await.map_err(|_| StoreError::Stopping)
    }

    /// # Errors
    /// [`StoreError::NoAnswer`]
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(
            "SELECT revision, concepts, associations,
                    pg_total_relation_size('sutra.concepts')
                    + pg_total_relation_size('sutra.associations')
             FROM sutra.store",
        );
        let statement = statement.await.map_err(no_answer)?;
        let row = client.query_one(&statement, &[]).await.map_err(no_answer)?;
        let count = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
        Ok(Stats {
            revision: count(0),
            concepts: count(1),
            associations: count(2),
            bytes: count(3),
            live_bytes: count(3),
            memory: 0,
        })
    }

    async fn client(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(no_client)
    }
}

fn no_client(error: PoolError) -> StoreError {
    tracing::error!(
        error = connect::cause(&error),
        "no connection to the database"
    );
    StoreError::NoAnswer
}

fn no_answer(error: tokio_postgres::Error) -> StoreError {
    tracing::error!(error = connect::cause(&error), "the database failed");
    StoreError::NoAnswer
}
