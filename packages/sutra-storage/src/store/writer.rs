//! The one thread that writes: it takes all changes that wait, and puts them on disk with one sync.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use axum::body::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::compact::{Compaction, Rewritten};
use super::folder::NEW_LOG;
use super::index::{Index, Overlay, Place};
use super::log::{End, Frame, ROOM};
use super::op::{Key, Op};
use super::{Shared, StoreError, Written};

/// A frame is written once its records reach this many bytes.
const GROUP: usize = 4 * 1024 * 1024;

type Outcome = Result<Written, StoreError>;

/// Changes of one caller, and where it waits for what they did.
pub struct Job {
    pub ops: Vec<Op>,
    pub reply: oneshot::Sender<Vec<Outcome>>,
}

pub enum Message {
    Write(Job),
    Rewritten(io::Result<Rewritten>),
    Close,
}

/// The end of a log that is written to.
pub struct Appender {
    pub file: Arc<File>,
    pub end: End,
    /// Of the file, in bytes; what is after `end` is zeros.
    size: u64,
}

pub struct Writer {
    folder: PathBuf,
    log: Appender,
    shared: Arc<Shared>,
    jobs: mpsc::WeakSender<Message>,
    compaction: Compaction,
    /// Whether the last write found no space.
    full: bool,
    /// Held open for its lock.
    _lock: File,
}

/// A frame with changes that are decided but not on disk.
struct Group {
    frame: Frame,
    ops: Vec<(Op, Place)>,
    overlay: Overlay,
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
        // Nobody can be waiting to send when the compaction is waited for.
        drop(queue);
        self.stop();
    }

    /// Waits for a message, and takes those that are there too, up to [`GROUP`] bytes. Also says
    /// whether there may be more later.
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
        for Job { ops, reply } in jobs {
            replies.push((ops.len(), reply));
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
        for (count, reply) in replies {
            // Fails only if the caller went away.
            let _ = reply.send(outcomes.by_ref().take(count).collect());
        }
    }

    fn stage(&self, group: &mut Group, op: Op) -> Outcome {
        let state = self.shared.state.read();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        group.stage(&state.index, op)
    }

    /// Puts `group` on disk, then where readers see it. What was decided upon it fails with it.
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
        let state = self.shared.state.write();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        for (op, place) in &group.ops {
            state.index.apply(op, *place);
        }
        self.shared.revision.store(revision, Ordering::Relaxed);
        self.shared
            .bytes
            .store(self.log.end.offset, Ordering::Relaxed);
    }

    fn append(&mut self, frame: Frame, revision: u64) -> Result<(), StoreError> {
        let start = Instant::now();
        let result = self.log.append(frame, revision);
        self.shared.metrics.sync(start.elapsed());
        if result.is_ok() && std::mem::take(&mut self.full) {
            tracing::info!("there is space again; writes go on");
        }
        result.map_err(|failure| match failure {
            Failure::NoSpace(error) => {
                // Once, not for every write: a full disk is no reason to fill another.
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
        let live = {
            let state = self.shared.state.read();
            state.unwrap_or_else(PoisonError::into_inner).index.live
        };
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
            .start_if_due(&self.folder, &self.log, live, done);
    }

    /// Goes on with a rewritten log.
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
        let state = self.shared.state.write();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.file = log.file.clone();
        state.index = index;
        self.shared.bytes.store(log.end.offset, Ordering::Relaxed);
        self.log = log;
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
        }
    }

    fn stage(&mut self, index: &Index, op: Op) -> Outcome {
        let written = decide(index, &self.overlay, &op)?;
        self.overlay.apply(&op);
        let place = self.frame.push(|bytes| op.encode(bytes));
        self.ops.push((without_value(op), place));
        Ok(written)
    }
}

/// What `op` would do, or why it cannot be done.
fn decide(index: &Index, overlay: &Overlay, op: &Op) -> Outcome {
    let need = |id: &crate::model::Id| match overlay.has_concept(index, id.as_str()) {
        true => Ok(()),
        false => Err(StoreError::NoConcept(id.clone())),
    };
    match op {
        Op::PutConcept(id, _) => Ok(put(overlay.has_concept(index, id.as_str()))),
        Op::DeleteConcept(id) => need(id).map(|()| Written::Deleted),
        Op::PutAssociation(association) => {
            need(&association.source)?;
            need(&association.target)?;
            Ok(put(overlay.has_association(index, &Key::from(association))))
        }
        Op::DeleteAssociation(key) => match overlay.has_association(index, key) {
            true => Ok(Written::Deleted),
            false => Err(StoreError::NoAssociation(key.clone())),
        },
    }
}

fn put(there_was_one: bool) -> Written {
    match there_was_one {
        true => Written::Replaced,
        false => Written::Created,
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

/// How a write failed.
pub enum Failure {
    /// The log is as it was.
    NoSpace(io::Error),
    /// Nobody knows what is on disk.
    Broken(io::Error),
}

impl Appender {
    /// `size` is that of the file, which has only zeros after `end`.
    pub fn new(file: File, end: End, size: u64) -> Self {
        let file = Arc::new(file);
        Self { file, end, size }
    }

    /// Puts a frame on disk.
    ///
    /// # Errors
    /// A frame that was written in part is cut off again. A failed sync is final, as the system
    /// may have dropped what it could not write.
    pub fn append(&mut self, frame: Frame, revision: u64) -> Result<(), Failure> {
        let bytes = frame.finish(self.end.number, revision);
        self.make_room(bytes.len() as u64);
        if let Err(error) = self.file.write_all_at(&bytes, self.end.offset) {
            let cut = self.cut();
            return Err(match (is_no_space(&error), cut) {
                (true, Ok(())) => Failure::NoSpace(error),
                _ => Failure::Broken(error),
            });
        }
        self.file.sync_data().map_err(Failure::Broken)?;
        self.end = self.end.after(bytes.len(), revision);
        self.size = self.size.max(self.end.offset);
        Ok(())
    }

    /// Writes zeros after the end if less than `needed` bytes of them are there. Where that fails,
    /// the write that needs them finds out why.
    fn make_room(&mut self, needed: u64) {
        if self.end.offset + needed > self.size {
            let zeros = vec![0; needed as usize + ROOM];
            if self.file.write_all_at(&zeros, self.end.offset).is_ok() {
                self.size = self.end.offset + zeros.len() as u64;
            }
        }
    }

    /// Makes the file end with its last frame.
    pub fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.end.offset)?;
        self.size = self.end.offset;
        Ok(())
    }

    /// Appends a mark, a frame without records, unless there is one or nothing to mark.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub fn mark(&mut self) -> Result<(), Failure> {
        if self.end.marked || self.end.number == 0 {
            return Ok(());
        }
        self.append(Frame::new(self.end.offset), self.end.revision)?;
        self.end.marked = true;
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NoSpace(error) | Self::Broken(error)) = self;
        error.fmt(f)
    }
}

/// Disk full, quota used up, or file larger than its limit.
fn is_no_space(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
