//! The durable store: a log on disk (`log`), an index of it in memory (`index`), one thread that
//! writes (`writer`) and one that now and then rewrites the log without replaced records
//! (`compact`).
//!
//! A write is answered after it is on disk; writes that wait at the same time share one sync.
//! Reads see only data that is on disk. They block for as long as the disk takes.

mod appender;
mod compact;
mod folder;
pub mod index;
pub mod log;
pub mod op;
mod outcome;
mod place;
pub mod restore;
mod state;
mod writer;

use std::fs::File;
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::config::StartError;
use crate::memory::{Room, Ticket};
use crate::metrics::Metrics;
use crate::model::{Association, Id, Stats};
use crate::snapshot::Snapshot;
use index::mirrored;
use op::{Key, Op};
pub use outcome::{StoreError, Written};
use place::Place;
use state::{read_value, Shared, State};
use writer::{Job, Message, Writer};

/// The most bytes of the concepts of one page, so that a thousand large ones do not fill the
/// memory; the concept that exceeds it is still included.
pub const MAX_PAGE: usize = 1024 * 1024;
/// The number of jobs in the writer's queue; senders wait while it is full.
const QUEUE: usize = 1024;

/// An open store; only one process may have a folder's store open.
pub struct Store {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Message>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A concept as JSON: `{"id", "text", "metadata"}`.
pub type Json = Vec<u8>;

/// A part of a sorted list; if more follow, `next` is the `after` of the next page.
#[derive(Debug, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// The place where a page of a concept's associations starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// After the association with this key (`Key::outgoing`).
    Outgoing(String),
    /// After every outgoing one and the incoming one with this key (`Key::incoming`).
    Incoming(String),
}

impl Store {
    /// Opens the log in `folder`, creates either if missing, and cuts off a torn end. Later changes
    /// that would make the index larger than `room.index` are refused; deletes and replacements are
    /// not.
    ///
    /// # Errors
    /// The folder cannot be made or written, another process holds it, the log is damaged, or its
    /// index would not fit in `room.total`. In each case nothing is changed.
    pub fn open(folder: &Path, room: Room, metrics: Arc<Metrics>) -> Result<Self, StartError> {
        let lock = folder::lock(folder)?;
        let (log, index) = folder::open_log(folder, room.total)?;
        metrics.index_limit(room.index);
        let shared = Arc::new(Shared {
            state: RwLock::new(State {
                file: log.file.clone(),
                end: log.end,
                index,
            }),
            failed: AtomicBool::new(false),
            stopping: Arc::default(),
            room: room.index,
            metrics,
        });
        let (jobs, queue) = mpsc::channel(QUEUE);
        let writer = Writer::new(folder, lock, log, &shared, &jobs);
        let writer = writer
            .start(queue)
            .map_err(|error| folder::cannot_write(folder, &error))?;
        Ok(Self {
            shared,
            jobs,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Writes everything that is waiting, and ends the writer. Later writes are refused. Async code
    /// must not call this.
    pub fn close(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // Fails only if the writer has ended.
        let _ = self.jobs.blocking_send(Message::Close);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = writer.take() {
            let _ = thread.join();
        }
    }

    /// Returns whether the disk has failed since the store was opened.
    pub fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Makes changes in order, each wholly or not at all, and returns once they are on disk. `held`
    /// is dropped then, even if the caller no longer waits.
    ///
    /// # Errors
    /// The outer error means that no change was looked at.
    pub async fn write(
        &self,
        ops: Vec<Op>,
        held: Option<Ticket>,
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Message::Write(Job { ops, reply, held });
        self.jobs
            .send(job)
            .await
            .map_err(|_| StoreError::Stopping)?;
        answer.await.map_err(|_| StoreError::Stopping)
    }

    /// As [`Store::write`], one change.
    pub async fn write_one(&self, op: Op) -> Result<Written, StoreError> {
        let mut done = self.write(vec![op], None).await?;
        done.pop().unwrap_or(Err(StoreError::Stopping))
    }

    pub fn concept(&self, id: &Id) -> Result<Json, StoreError> {
        let (file, place) = {
            let state = self.state();
            let place = state.index.concepts.get(id.as_str()).copied();
            (state.file.clone(), place)
        };
        let place = place.ok_or_else(|| StoreError::NoConcept(id.clone()))?;
        self.value(&file, place)
    }

    /// Returns at most `limit` concepts whose id starts with `prefix`, in the order of their ids'
    /// bytes.
    pub fn concepts(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Json>, StoreError> {
        let (file, places, next) = {
            let state = self.state();
            let start = match after {
                Some(after) if after >= prefix => Bound::Excluded(after),
                _ => Bound::Included(prefix),
            };
            let range = state
                .index
                .concepts
                .range::<str, _>((start, Bound::Unbounded));
            let concepts = range
                .take_while(|(id, _)| id.starts_with(prefix))
                .map(|(id, place)| (place.size as usize, &**id, *place));
            let (places, next) = page(concepts, limit);
            (state.file.clone(), places, next)
        };
        let values = places.into_iter().map(|place| self.value(&file, place));
        Ok(Page {
            items: values.collect::<Result<_, _>>()?,
            next,
        })
    }

    /// Returns at most `limit` associations in the order of source, target and kind.
    pub fn associations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Association>, StoreError> {
        let state = self.state();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = state
            .index
            .outgoing
            .range::<str, _>((start, Bound::Unbounded));
        let (links, next) = page(
            range.map(|(key, weight)| (key.len(), &**key, (key, *weight))),
            limit,
        );
        let items = links
            .into_iter()
            .filter_map(|(key, weight)| association(key, weight));
        Ok(Page {
            items: items.collect(),
            next,
        })
    }

    /// Returns the associations from `id`, then those to it; one from `id` to itself comes once.
    /// The page's `next` is an [`After`] in writing.
    ///
    /// # Errors
    /// [`StoreError::NoConcept`]
    pub fn associations_of(
        &self,
        id: &Id,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Page<Association>, StoreError> {
        let state = self.state();
        let index = &state.index;
        if !index.concepts.contains_key(id.as_str()) {
            return Err(StoreError::NoConcept(id.clone()));
        }
        let (out_after, in_after, skip) = match after {
            None => (None, None, false),
            Some(After::Outgoing(key)) => (Some(key.as_str()), None, false),
            Some(After::Incoming(key)) => (None, Some(key.as_str()), true),
        };
        let outgoing = index.outgoing_of(id.as_str(), out_after).filter(|_| !skip);
        let outgoing =
            outgoing.map(|(key, weight)| (format!("out\t{key}"), key.to_owned(), weight));
        let incoming = index.incoming_of(id.as_str(), in_after).filter_map(|key| {
            let outgoing = mirrored(key);
            // An association from `id` to itself is among the outgoing ones.
            if outgoing == key {
                return None;
            }
            let weight = index.outgoing.get(outgoing.as_str()).copied()?;
            Some((format!("in\t{key}"), outgoing, weight))
        });
        let mut all = outgoing.chain(incoming);
        let mut items = Vec::new();
        let mut last = None;
        for (cursor, key, weight) in all.by_ref().take(limit) {
            items.extend(association(&key, weight));
            last = Some(cursor);
        }
        let next = all.next().and(last);
        Ok(Page { items, next })
    }

    /// Takes the same time for a store of any size.
    pub fn stats(&self) -> Stats {
        let state = self.state();
        Stats {
            concepts: state.index.concepts.len() as u64,
            associations: state.index.outgoing.len() as u64,
            revision: state.end.revision,
            memory: state.index.memory,
            bytes: state.end.offset,
            live_bytes: state.index.live,
        }
    }

    /// Returns everything that is on disk now, in the form that [`restore`] reads.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.state();
        Snapshot {
            file: state.file.clone(),
            size: state.end.offset,
            end: log::mark(&state.end).into(),
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state()
    }

    fn value(&self, file: &File, place: Place) -> Result<Json, StoreError> {
        read_value(file, place).map_err(|error| {
            tracing::error!(offset = place.offset, %error, "cannot read a concept of store.log");
            StoreError::Failed
        })
    }
}

/// Takes items with their size and name until `limit` or [`MAX_PAGE`] is reached. Returns them, and
/// the name of the last one if more follow.
pub(crate) fn page<'a, T>(
    all: impl Iterator<Item = (usize, &'a str, T)>,
    limit: usize,
) -> (Vec<T>, Option<String>) {
    let mut items = Vec::new();
    let mut bytes = 0;
    let mut last = None;
    for (size, name, item) in all {
        if items.len() == limit || bytes >= MAX_PAGE {
            return (items, last.map(str::to_owned));
        }
        bytes += size;
        last = Some(name);
        items.push(item);
    }
    (items, None)
}

/// Returns the association; never `None`, as every key in the index is whole.
fn association(key: &str, weight: f64) -> Option<Association> {
    let Key {
        source,
        target,
        kind,
    } = Key::parse(key).ok()?;
    let weight = weight.try_into().ok()?;
    Some(Association {
        source,
        target,
        kind,
        weight,
    })
}

#[cfg(test)]
mod tests;
