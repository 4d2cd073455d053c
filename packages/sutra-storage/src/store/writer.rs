//! The one thread that writes: it puts all waiting changes on disk with one sync.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::appender::{Appender, Failure};
use super::compact::{Compaction, Rewritten};
use super::folder::NEW_LOG;
use super::index::{growth, Index, Overlay};
use super::log::{End, Frame};
use super::op::Op;
use super::outcome::{StoreError, Written};
use super::place::Place;
use super::state::Shared;
use crate::memory::Ticket;

/// A frame is written once its records reach this many bytes.
const GROUP: usize = 4 * 1024 * 1024;

type Outcome = Result<Written, StoreError>;

/// The changes of one caller, and the channel on which it waits for their outcomes.
pub struct Job {
    pub ops: Vec<Op>,
    pub reply: oneshot::Sender<Vec<Outcome>>,
    /// A value that is dropped when the changes are done.
    pub held: Option<Ticket>,
}

pub enum Message {
    Write(Job),
    Rewritten(io::Result<Rewritten>),
    Close,
}

pub struct Writer {
    folder: PathBuf,
    log: Appender,
    shared: Arc<Shared>,
    jobs: mpsc::WeakSender<Message>,
    compaction: Compaction,
    /// Whether the last write found no space.
    full: bool,
    /// Whether the last change was refused because the index has no room.
    crowded: bool,
    /// The file that holds the folder's lock while it is open.
    _lock: File,
}

/// A frame with changes that are decided but not on disk.
struct Group {
    frame: Frame,
    ops: Vec<(Op, Place)>,
    overlay: Overlay,
    /// By how many bytes of memory the changes let the index grow; deletes are not subtracted.
    grown: u64,
}

impl Writer {
    pub fn new(
        folder: &Path,
        lock: File,
        log: Appender,
        shared: &Arc<Shared>,
        jobs: &mpsc::Sender<Message>,
    ) -> Self {
        Self {
            folder: folder.into(),
            log,
            shared: shared.clone(),
            jobs: jobs.downgrade(),
            compaction: Compaction::new(shared.stopping.clone()),
            full: false,
            crowded: false,
            _lock: lock,
        }
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(self, queue: mpsc::Receiver<Message>) -> io::Result<JoinHandle<()>> {
        let thread = thread::Builder::new().name("writer".into());
        thread.spawn(move || self.run(queue))
    }

    fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut open = true;
        while open {
            let jobs;
            (jobs, open) = self.take_waiting(&mut queue);
            self.write(jobs);
            self.compact_if_due();
        }
        // The channel is closed first: nobody may wait to send while this waits for the compaction.
        drop(queue);
        self.stop();
    }

    /// Waits for a message, and takes those that are queued behind it, up to [`GROUP`] bytes. Also
    /// returns whether more may come.
    fn take_waiting(&mut self, queue: &mut mpsc::Receiver<Message>) -> (Vec<Job>, bool) {
        let mut jobs = Vec::new();
        let mut size = 0;
        let mut next = queue.blocking_recv();
        loop {
            match next {
                Some(Message::Write(job)) => {
                    size += job.ops.iter().map(size_of).sum::<usize>();
                    jobs.push(job);
                }
                Some(Message::Rewritten(result)) => self.take_over(result),
                Some(Message::Close) | None => return (jobs, false),
            }
            if size >= GROUP {
                return (jobs, true);
            }
            next = match queue.try_recv() {
                Ok(message) => Some(message),
                Err(_) => return (jobs, true),
            };
        }
    }

    fn write(&mut self, jobs: Vec<Job>) {
        let mut group = Group::at(&self.log.end);
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut from = 0;
        let mut replies = Vec::new();
        for Job { ops, reply, held } in jobs {
            replies.push((ops.len(), reply, held));
            for op in ops {
                outcomes.push(self.stage(&mut group, op));
                if group.frame.size() >= GROUP {
                    self.commit(group, &mut outcomes[from..]);
                    from = outcomes.len();
                    group = Group::at(&self.log.end);
                }
            }
        }
        self.commit(group, &mut outcomes[from..]);
        let mut outcomes = outcomes.into_iter();
        for (count, reply, held) in replies {
            // This fails only if the caller is gone.
            let _ = reply.send(outcomes.by_ref().take(count).collect());
            drop(held);
        }
    }

    fn stage(&mut self, group: &mut Group, op: Op) -> Outcome {
        let staged = group.stage(&self.shared.state().index, self.shared.room, op);
        let refused = staged == Err(StoreError::NoMemory);
        if refused {
            self.shared.metrics.no_memory();
        }
        // Logged once, not for every write; only a creation tells whether there is room.
        if refused && !std::mem::replace(&mut self.crowded, true) {
            tracing::warn!(
                "memory limit reached; new entries are refused, reads and deletes go on"
            );
        }
        if staged == Ok(Written::Created) && std::mem::take(&mut self.crowded) {
            tracing::info!("memory is available again; new entries are accepted");
        }
        staged
    }

    /// Puts `group` on disk, then shows it to readers. If that fails, so do the decisions that
    /// build on it.
    fn commit(&mut self, group: Group, outcomes: &mut [Outcome]) {
        if group.ops.is_empty() {
            return;
        }
        let count = group.ops.len() as u64;
        let revision = self.log.end.revision + count;
        let written = match self.shared.failed.load(Ordering::Relaxed) {
            true => Err(StoreError::Failed),
            false => self.append(group.frame, revision),
        };
        if let Err(error) = written {
            outcomes.fill(Err(error));
            return;
        }
        self.shared.metrics.group(count);
        let mut state = self.shared.state_mut();
        for (op, place) in &group.ops {
            state.index.apply(op, *place);
        }
        state.end = self.log.end;
    }

    fn append(&mut self, frame: Frame, revision: u64) -> Result<(), StoreError> {
        let start = Instant::now();
        let result = self.log.append(frame, revision);
        self.shared.metrics.sync(start.elapsed());
        if result.is_ok() && std::mem::take(&mut self.full) {
            tracing::info!("space is available again; writes go on");
        }
        result.map_err(|failure| match failure {
            Failure::NoSpace(error) => {
                // Logged once, not for every write: a full disk must not fill another with log
                // lines.
                if !std::mem::replace(&mut self.full, true) {
                    tracing::warn!(%error, "no space left; writes are refused, reads go on");
                }
                self.shared.metrics.no_space();
                StoreError::NoSpace
            }
            Failure::Broken(error) => {
                tracing::error!(%error, "the disk failed; writes are refused until a restart");
                self.shared.failed.store(true, Ordering::Relaxed);
                StoreError::Failed
            }
        })
    }

    fn compact_if_due(&mut self) {
        if self.shared.failed.load(Ordering::Relaxed) {
            return;
        }
        let Some(jobs) = self.jobs.upgrade() else {
            return;
        };
        let done = move |result| {
            // Fails only if the writer has ended.
            let _ = jobs.blocking_send(Message::Rewritten(result));
        };
        self.compaction
            .start_if_due(&self.folder, &self.log, &self.shared, done);
    }

    /// Continues with a rewritten log.
    fn take_over(&mut self, result: io::Result<Rewritten>) {
        self.compaction.ended(self.log.end.offset);
        let taken = result.and_then(|rewritten| rewritten.catch_up(&self.log));
        match taken.and_then(|rewritten| rewritten.rename(&self.folder)) {
            Ok((rewritten, renamed)) => {
                let (log, index) = rewritten.into_parts();
                tracing::info!(
                    before = self.log.end.offset,
                    after = log.end.offset,
                    "rewrote the log without what was replaced"
                );
                self.swap(log, index);
                if let Err(error) = renamed {
                    tracing::error!(%error, "the disk failed; writes are refused until a restart");
                    self.shared.failed.store(true, Ordering::Relaxed);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot rewrite the log; it stays as it is");
                let _ = fs::remove_file(self.folder.join(NEW_LOG));
            }
        }
    }

    fn swap(&mut self, log: Appender, index: Index) {
        self.compaction.ended(log.end.offset);
        let mut state = self.shared.state_mut();
        state.file = log.file.clone();
        let old = std::mem::replace(&mut state.index, index);
        state.end = log.end;
        self.log = log;
        drop(state);
        // Freeing a large index takes a while, so readers do not wait for it.
        drop(old);
    }

    fn stop(&mut self) {
        self.compaction.stop(&self.folder);
        if self.shared.failed.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.log.mark() {
            tracing::warn!(%error, "cannot mark the log's end");
        }
        if let Err(error) = self.log.cut() {
            tracing::warn!(%error, "cannot cut off the log's room");
        }
    }
}

impl Group {
    fn at(end: &End) -> Self {
        Self {
            frame: Frame::new(end.offset),
            ops: Vec::new(),
            overlay: Overlay::default(),
            grown: 0,
        }
    }

    /// Decides about a change; one that creates something is refused if the index would then take
    /// more than `room` bytes.
    fn stage(&mut self, index: &Index, room: u64, op: Op) -> Outcome {
        let written = self.overlay.decide(index, &op)?;
        if written == Written::Created {
            let grown = self.grown + growth(&op);
            if index.memory + grown > room {
                return Err(StoreError::NoMemory);
            }
            self.grown = grown;
        }
        self.overlay.apply(&op);
        let place = self.frame.push(|bytes| op.encode(bytes));
        self.ops.push((without_value(op), place));
        Ok(written)
    }
}

/// The frame has the value already.
fn without_value(op: Op) -> Op {
    match op {
        Op::PutConcept(id, _) => Op::PutConcept(id, Bytes::new()),
        other => other,
    }
}

fn size_of(op: &Op) -> usize {
    match op {
        Op::PutConcept(_, value) => value.len(),
        _ => 0,
    }
}
