//! The one task that writes: it puts all waiting changes into one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use deadpool_postgres::{Pool, Transaction};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::error::SqlState;
use tokio_postgres::Error;

use super::read::parts;
use super::{connect, no_client, Outcome};
use crate::memory::Ticket;
use crate::metrics::Metrics;
use crate::model::Id;
use crate::store::index::{Known, Overlay};
use crate::store::op::{Key, Op};
use crate::store::{StoreError, Written};

/// Bytes of values after which no more jobs join a group.
const GROUP: usize = 4 * 1024 * 1024;
/// How many times a group is tried that collides with another server's.
const TRIES: usize = 5;

/// The changes of one caller, and the channel on which it waits for their outcomes.
pub struct Job {
    pub ops: Vec<Op>,
    pub reply: oneshot::Sender<Vec<Outcome>>,
    /// A value that is dropped when the changes are done.
    pub held: Option<Ticket>,
}

/// Does all waiting jobs together, again and again, until nobody can send more.
pub async fn run(pool: Pool, mut queue: mpsc::Receiver<Job>, metrics: Arc<Metrics>) {
    while let Some(first) = queue.recv().await {
        let mut size = size_of(&first);
        let mut jobs = vec![first];
        while size < GROUP {
            let Ok(job) = queue.try_recv() else { break };
            size += size_of(&job);
            jobs.push(job);
        }
        commit(&pool, jobs, &metrics).await;
    }
}

fn size_of(job: &Job) -> usize {
    let size = |op: &Op| match op {
        Op::PutConcept(_, value) => value.len(),
        _ => 0,
    };
    job.ops.iter().map(size).sum()
}

async fn commit(pool: &Pool, jobs: Vec<Job>, metrics: &Metrics) {
    let ops: Vec<&Op> = jobs.iter().flat_map(|job| &job.ops).collect();
    let start = Instant::now();
    let outcomes = write(pool, &ops).await;
    metrics.sync(start.elapsed());
    if let Ok(outcomes) = &outcomes {
        metrics.group(outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64);
    }
    let outcomes = outcomes.unwrap_or_else(|error| vec![Err(error); ops.len()]);
    drop(ops);
    let mut outcomes = outcomes.into_iter();
    for Job { ops, reply, held } in jobs {
        // Fails only if the caller went away.
        let _ = reply.send(outcomes.by_ref().take(ops.len()).collect());
        drop(held);
    }
}

/// Retries until the group collides with no other.
async fn write(pool: &Pool, ops: &[&Op]) -> Result<Vec<Outcome>, StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut client = pool.get().await.map_err(no_client)?;
        let done = match client.transaction().await {
            Ok(transaction) => group(transaction, ops).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(outcomes) => return outcomes,
            Err(error) if tries < TRIES && collided(&error) => {}
            Err(error) => {
                tracing::error!(
                    error = connect::cause(&error),
                    "cannot write to the database"
                );
                return Err(match error.code() {
                    Some(code) if *code == SqlState::DISK_FULL => StoreError::NoSpace,
                    _ => StoreError::NoAnswer,
                });
            }
        }
    }
}

/// Returns whether nothing was written because of another transaction.
fn collided(error: &Error) -> bool {
    let codes = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

/// Does a group in one transaction. The inner error means that none of its changes was looked at.
async fn group(
    transaction: Transaction<'_>,
    ops: &[&Op],
) -> Result<Result<Vec<Outcome>, StoreError>, Error> {
    // Other servers wait for this lock, so rows that are read from now on do not change.
    let row = transaction.query_one("SELECT log FROM sutra.store FOR UPDATE", &[]);
    if row.await?.get::<_, Option<String>>(0).is_some() {
        tracing::error!(
            "a log is being copied into the database; no write is accepted until it is done"
        );
        return Ok(Err(StoreError::NoAnswer));
    }
    let stored = Stored::read(&transaction, ops).await?;
    let mut changes = Changes::default();
    let outcomes: Vec<_> = ops.iter().map(|op| changes.stage(&stored, op)).collect();
    if changes.count > 0 {
        changes.apply(&transaction, &stored).await?;
    }
    transaction.commit().await?;
    Ok(Ok(outcomes))
}

/// The stored concepts and associations that a group names.
#[derive(Default)]
struct Stored {
    concepts: HashSet<String>,
    associations: HashSet<String>,
}

impl Known for Stored {
    fn has_concept(&self, id: &str) -> bool {
        self.concepts.contains(id)
    }

    fn has_association(&self, key: &str) -> bool {
        self.associations.contains(key)
    }
}

impl Stored {
    async fn read(transaction: &Transaction<'_>, ops: &[&Op]) -> Result<Self, Error> {
        let mut ids = HashSet::new();
        let mut keys = HashSet::new();
        for op in ops {
            match op {
                Op::PutConcept(id, _) | Op::DeleteConcept(id) => {
                    ids.insert(id.as_str());
                }
                Op::PutAssociation(association) => {
                    ids.extend([association.source.as_str(), association.target.as_str()]);
                    keys.insert(Key::from(association).outgoing());
                }
                Op::DeleteAssociation(key) => {
                    keys.insert(key.outgoing());
                }
            }
        }
        let mut stored = Self::default();
        if !ids.is_empty() {
            stored.concepts = concepts(transaction, ids).await?;
        }
        if !keys.is_empty() {
            stored.associations = associations(transaction, &keys).await?;
        }
        Ok(stored)
    }
}

async fn concepts(
    transaction: &Transaction<'_>,
    ids: HashSet<&str>,
) -> Result<HashSet<String>, Error> {
    let ids: Vec<_> = ids.into_iter().map(str::as_bytes).collect();
    let query = "SELECT id FROM sutra.concepts WHERE id = ANY($1)";
    let statement = transaction.prepare_cached(query).await?;
    let rows = transaction.query(&statement, &[&ids]).await?;
    let text = |row: &tokio_postgres::Row| String::from_utf8_lossy(row.get(0)).into_owned();
    Ok(rows.iter().map(text).collect())
}

async fn associations(
    transaction: &Transaction<'_>,
    keys: &HashSet<String>,
) -> Result<HashSet<String>, Error> {
    let [sources, targets, kinds] = columns(keys);
    let query = "
        SELECT source, target, kind FROM sutra.associations
        JOIN unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS asked (source, target, kind)
        USING (source, target, kind)";
    let statement = transaction.prepare_cached(query).await?;
    let rows = transaction
        .query(&statement, &[&sources, &targets, &kinds])
        .await?;
    let key = |row: &tokio_postgres::Row| {
        let parts = [0, 1, 2].map(|column| row.get::<_, &[u8]>(column));
        String::from_utf8_lossy(&parts.join(&b'\t')).into_owned()
    };
    Ok(rows.iter().map(key).collect())
}

/// Association keys as three columns.
pub(super) fn columns<'a>(keys: impl IntoIterator<Item = &'a String>) -> [Vec<&'a [u8]>; 3] {
    let mut columns = [Vec::new(), Vec::new(), Vec::new()];
    for key in keys {
        for (column, part) in columns.iter_mut().zip(parts(Some(key))) {
            column.push(part);
        }
    }
    columns
}

/// The net effect of a group.
#[derive(Default)]
struct Changes<'a> {
    overlay: Overlay,
    /// The number of changes.
    count: i64,
    /// By how much the number of concepts grows.
    concepts: i64,
    put: HashMap<&'a str, &'a Bytes>,
    links: HashMap<String, f64>,
    /// Deleted concepts, also those that were made again: their associations are gone.
    deleted: HashSet<&'a str>,
    unlinked: HashSet<String>,
}

impl<'a> Changes<'a> {
    fn stage(&mut self, stored: &Stored, op: &'a Op) -> Outcome {
        let written = self.overlay.decide(stored, op)?;
        self.overlay.apply(op);
        self.count += 1;
        match op {
            Op::PutConcept(id, value) => {
                self.concepts += i64::from(written == Written::Created);
                self.put.insert(id.as_str(), value);
            }
            Op::DeleteConcept(id) => self.delete(id),
            Op::PutAssociation(association) => {
                let key = Key::from(association).outgoing();
                self.links.insert(key, association.weight.get());
            }
            Op::DeleteAssociation(key) => {
                self.links.remove(&key.outgoing());
                self.unlinked.insert(key.outgoing());
            }
        }
        Ok(written)
    }

    fn delete(&mut self, id: &'a Id) {
        self.concepts -= 1;
        self.put.remove(id.as_str());
        self.deleted.insert(id.as_str());
        let id = id.as_str().as_bytes();
        self.links.retain(|key, _| {
            let [source, target, _] = parts(Some(key));
            source != id && target != id
        });
    }

    /// Returns whether the association is missing from the database after the deletes.
    fn is_new(&self, stored: &Stored, key: &str) -> bool {
        let [source, target, _] = parts(Some(key)).map(String::from_utf8_lossy);
        !stored.has_association(key)
            || self.unlinked.contains(key)
            || self.deleted.contains(&*source)
            || self.deleted.contains(&*target)
    }

    async fn apply(&self, transaction: &Transaction<'_>, stored: &Stored) -> Result<(), Error> {
        let unlinked = self.unlink(transaction).await?;
        self.put(transaction).await?;
        let linked = self
            .links
            .keys()
            .filter(|key| self.is_new(stored, key))
            .count() as i64;
        let query = "
            UPDATE sutra.store SET revision = revision + $1, concepts = concepts + $2,
                                   associations = associations + $3";
        let statement = transaction.prepare_cached(query).await?;
        let values: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[&self.count, &self.concepts, &(linked - unlinked)];
        transaction.execute(&statement, values).await?;
        Ok(())
    }

    /// Deletes concepts and associations, and returns the number of associations.
    async fn unlink(&self, transaction: &Transaction<'_>) -> Result<i64, Error> {
        let mut gone = 0;
        if !self.deleted.is_empty() {
            let ids: Vec<_> = self.deleted.iter().map(|id| id.as_bytes()).collect();
            for query in [
                "DELETE FROM sutra.associations WHERE source = ANY($1)",
                "DELETE FROM sutra.associations WHERE target = ANY($1)",
            ] {
                let statement = transaction.prepare_cached(query).await?;
                gone += transaction.execute(&statement, &[&ids]).await?;
            }
            let query = "DELETE FROM sutra.concepts WHERE id = ANY($1)";
            let statement = transaction.prepare_cached(query).await?;
            transaction.execute(&statement, &[&ids]).await?;
        }
        if !self.unlinked.is_empty() {
            let [sources, targets, kinds] = columns(&self.unlinked);
            let query = "
                DELETE FROM sutra.associations AS a
                USING unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS gone (source, target, kind)
                WHERE (a.source, a.target, a.kind) = (gone.source, gone.target, gone.kind)";
            let statement = transaction.prepare_cached(query).await?;
            gone += transaction
                .execute(&statement, &[&sources, &targets, &kinds])
                .await?;
        }
        Ok(gone as i64)
    }

    async fn put(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        if !self.put.is_empty() {
            let (ids, values): (Vec<_>, Vec<_>) = self
                .put
                .iter()
                .map(|(id, value)| (id.as_bytes(), &value[..]))
                .unzip();
            put_concepts(transaction, &ids, &values).await?;
        }
        if !self.links.is_empty() {
            let columns = columns(self.links.keys());
            let weights: Vec<_> = self.links.values().copied().collect();
            put_associations(transaction, &columns, &weights).await?;
        }
        Ok(())
    }
}

pub async fn put_concepts(
    transaction: &Transaction<'_>,
    ids: &[&[u8]],
    values: &[&[u8]],
) -> Result<(), Error> {
    let query = "
        INSERT INTO sutra.concepts (id, value) SELECT * FROM unnest($1::bytea[], $2::bytea[])
        ON CONFLICT (id) DO UPDATE SET value = excluded.value";
    let statement = transaction.prepare_cached(query).await?;
    transaction.execute(&statement, &[&ids, &values]).await?;
    Ok(())
}

pub async fn put_associations(
    transaction: &Transaction<'_>,
    [sources, targets, kinds]: &[Vec<&[u8]>; 3],
    weights: &[f64],
) -> Result<(), Error> {
    let query = "
        INSERT INTO sutra.associations (source, target, kind, weight)
        SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::double precision[])
        ON CONFLICT (source, target, kind) DO UPDATE SET weight = excluded.weight";
    let statement = transaction.prepare_cached(query).await?;
    let values: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
        &[sources, targets, kinds, &weights];
    transaction.execute(&statement, values).await?;
    Ok(())
}
