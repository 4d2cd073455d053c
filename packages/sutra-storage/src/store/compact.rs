//! Rewrites the log without replaced and deleted records, while the writer goes on.
//!
//! A thread walks the index and writes its entries to a new log, a piece at a time, while the index
//! changes. Then the writer repeats every change since the start on the new log, so that it says
//! the same as the old one, and renames it over the old one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use super::appender::Appender;
use super::folder::{sync_folder, LOG, NEW_LOG};
use super::index::{Index, Link};
use super::log::{self, End, Frame, ReadError};
use super::op::{encode_association, encode_concept, Op};
use super::place::Place;
use super::state::{read_value, Shared, State};

/// A log is rewritten when more than this many bytes, and more than half of it, no longer count.
const MIN_GARBAGE: u64 = 32 * 1024 * 1024;
/// The size of a frame in a rewritten log, in bytes.
const FRAME: usize = 1024 * 1024;
/// The number of bytes after which a rewritten log is synced: a stop waits for one sync at most.
const SYNC: u64 = 32 * 1024 * 1024;
/// The number of index entries that are read under one lock.
const PIECE: usize = 1000;

pub struct Compaction {
    thread: Option<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
    /// Size of the log, in bytes, when the last compaction ended.
    last: u64,
}

/// A new log, and how far into the old one it reaches.
pub struct Rewritten {
    file: File,
    end: End,
    index: Index,
    frame: Frame,
    source: End,
    /// The number of bytes of the file that are on disk.
    synced: u64,
    stopping: Arc<AtomicBool>,
}

impl Compaction {
    /// A compaction that is running ends soon after `stopping` is set.
    pub fn new(stopping: Arc<AtomicBool>) -> Self {
        Self {
            thread: None,
            stopping,
            last: 0,
        }
    }

    /// Starts a compaction unless one is running or it is not worth it. Its thread calls `done`.
    pub fn start_if_due(
        &mut self,
        folder: &Path,
        log: &Appender,
        shared: &Arc<Shared>,
        done: impl FnOnce(io::Result<Rewritten>) + Send + 'static,
    ) {
        let live = shared.state().index.live;
        let garbage = log.end.offset.saturating_sub(live);
        let grown = log.end.offset.saturating_sub(self.last);
        // After a failure, wait until there is more to gain.
        let due = garbage > MIN_GARBAGE && garbage > live && grown > MIN_GARBAGE;
        if self.thread.is_some() || !due {
            return;
        }
        let (shared, end) = (shared.clone(), log.end);
        let (path, stopping) = (folder.join(NEW_LOG), self.stopping.clone());
        let thread = thread::Builder::new().name("compaction".into());
        match thread.spawn(move || done(rewrite(&path, &shared.state, end, stopping))) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => tracing::warn!(%error, "cannot rewrite the log; it stays as it is"),
        }
    }

    /// Notes that the compaction ended when the log had `len` bytes.
    pub fn ended(&mut self, len: u64) {
        self.thread = None;
        self.last = len;
    }

    /// Ends a running compaction, and removes its file.
    pub fn stop(&mut self, folder: &Path) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            let _ = fs::remove_file(folder.join(NEW_LOG));
        }
    }
}

/// Writes the content of `state` to a new log; `end` is the end of the old log, which `state`
/// agrees with at the start.
fn rewrite(
    path: &Path,
    state: &RwLock<State>,
    end: End,
    stopping: Arc<AtomicBool>,
) -> io::Result<Rewritten> {
    let rewritten = Rewritten::create(path, end, stopping).and_then(|mut new| {
        new.walk(state)?;
        new.flush()?;
        new.file.sync_data()?;
        Ok(new)
    });
    if rewritten.is_err() {
        let _ = fs::remove_file(path);
    }
    rewritten
}

/// Takes the concepts that follow `after`, at most [`PIECE`] of them, and the file they are in.
fn concepts(state: &RwLock<State>, after: Option<&str>) -> (Arc<File>, Vec<(Arc<str>, Place)>) {
    let state = state.read().unwrap_or_else(PoisonError::into_inner);
    let range = state.index.concepts.range::<str, _>(beyond(after));
    let piece = range.take(PIECE).map(|(id, place)| (id.clone(), *place));
    (state.file.clone(), piece.collect())
}

/// Takes the associations that follow `after`, at most [`PIECE`] of them.
fn links(state: &RwLock<State>, after: Option<&str>) -> Vec<Link> {
    let state = state.read().unwrap_or_else(PoisonError::into_inner);
    state.index.links(beyond(after)).take(PIECE).collect()
}

fn beyond(after: Option<&str>) -> (Bound<&str>, Bound<&str>) {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    (start, Bound::Unbounded)
}

fn unless(stopping: &AtomicBool) -> io::Result<()> {
    match stopping.load(Ordering::Relaxed) {
        true => Err(io::Error::other("the server is stopping")),
        false => Ok(()),
    }
}

impl Rewritten {
    fn create(path: &Path, source: End, stopping: Arc<AtomicBool>) -> io::Result<Self> {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true);
        let mut file = options.open(path)?;
        file.write_all(&log::file_header())?;
        let end = End {
            revision: source.revision,
            ..log::first(&file, log::FILE_HEADER as u64).map_err(other)?
        };
        Ok(Self {
            file,
            end,
            index: Index::default(),
            frame: Frame::new(end.offset),
            source,
            synced: 0,
            stopping,
        })
    }

    /// Writes every concept and association of `state`, which may change meanwhile.
    fn walk(&mut self, state: &RwLock<State>) -> io::Result<()> {
        let mut last: Option<Arc<str>> = None;
        loop {
            let (file, piece) = concepts(state, last.as_deref());
            let Some((id, _)) = piece.last() else { break };
            last = Some(id.clone());
            for (id, place) in piece {
                self.concept(id, &read_value(&file, place)?)?;
            }
        }
        let mut last: Option<Arc<str>> = None;
        loop {
            let piece = links(state, last.as_deref());
            let Some(link) = piece.last() else { break };
            last = Some(link.outgoing.clone());
            piece.into_iter().try_for_each(|link| self.link(link))?;
        }
        Ok(())
    }

    fn concept(&mut self, id: Arc<str>, value: &[u8]) -> io::Result<()> {
        let place = self.frame.push(|to| encode_concept(to, &id, value));
        self.index.put_concept(id, place);
        self.go_on()
    }

    fn link(&mut self, link: Link) -> io::Result<()> {
        self.frame.push(|to| {
            encode_association(to, &link.outgoing, link.weight);
            0..0
        });
        self.index
            .put_association(link.outgoing, link.incoming, link.weight);
        self.go_on()
    }

    fn change(&mut self, op: &Op) -> io::Result<()> {
        let place = self.frame.push(|to| op.encode(to));
        self.index.apply(op, place);
        self.go_on()
    }

    /// To be called after each record: fails at a stop, and writes a full frame.
    fn go_on(&mut self) -> io::Result<()> {
        unless(&self.stopping)?;
        match self.frame.size() >= FRAME {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Writes the frame; one without records is a mark.
    fn flush(&mut self) -> io::Result<()> {
        let marked = self.frame.size() == 0;
        let frame = std::mem::replace(&mut self.frame, Frame::new(0));
        let bytes = frame.finish(self.end.number, self.end.revision);
        self.file.write_all_at(&bytes, self.end.offset)?;
        self.end = self.end.after(bytes.len(), self.end.revision);
        self.end.marked = marked;
        self.frame = Frame::new(self.end.offset);
        if self.end.offset - self.synced >= SYNC {
            self.file.sync_data()?;
            self.synced = self.end.offset;
        }
        Ok(())
    }

    /// Copies the frames that were appended to the old log since the start, and syncs.
    pub fn catch_up(mut self, old: &Appender) -> io::Result<Self> {
        self.end.revision = old.end.revision;
        log::read(&old.file, self.source, old.end.offset, |op, _| {
            self.change(&op)
        })
        .map_err(other)?;
        if self.frame.size() > 0 {
            self.flush()?;
        }
        self.flush()?;
        self.file.sync_data()?;
        Ok(self)
    }

    /// Puts the new log in the old one's place. The inner result tells whether the change is on
    /// disk.
    pub fn rename(self, folder: &Path) -> io::Result<(Self, io::Result<()>)> {
        fs::rename(folder.join(NEW_LOG), folder.join(LOG))?;
        Ok((self, sync_folder(folder)))
    }

    pub fn into_parts(self) -> (Appender, Index) {
        let size = self.end.offset;
        (Appender::new(self.file, self.end, size), self.index)
    }
}

fn other(error: ReadError) -> io::Error {
    match error {
        ReadError::Io(error) => error,
        ReadError::Damaged { offset, why } => {
            io::Error::other(format!("damaged: offset {offset}: {why}"))
        }
    }
}

/// Rewrites the log of a store that is not open.
#[cfg(test)]
pub fn rewrite_now(folder: &Path) -> io::Result<()> {
    let opened = super::folder::open_log(folder, u64::MAX);
    let (old, index) = opened.map_err(|error| io::Error::other(error.problem))?;
    let (file, end) = (old.file.clone(), old.end);
    let state = RwLock::new(State { file, end, index });
    let rewritten = rewrite(&folder.join(NEW_LOG), &state, end, Arc::default())?;
    rewritten.catch_up(&old)?.rename(folder)?.1
}

#[cfg(test)]
mod tests {
    use super::super::folder;
    use super::*;

    /// Returns a log with one concept, and a flag that tells that the server is stopping.
    fn log_while_stopping() -> (temp_dir::TempDir, Appender, Arc<AtomicBool>) {
        let folder = temp_dir::TempDir::new().unwrap();
        let (mut log, _) = folder::open_log(folder.path(), u64::MAX).unwrap();
        let mut frame = Frame::new(log.end.offset);
        frame.push(|to| encode_concept(to, "a", b"{}"));
        assert!(log.append(frame, 1).is_ok());
        (folder, log, Arc::new(AtomicBool::new(true)))
    }

    #[track_caller]
    fn assert_stopped<T>(result: io::Result<T>) {
        let error = result.err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("the server is stopping"));
    }

    #[test]
    fn a_stop_ends_the_walk_and_leaves_no_file() {
        let (folder, log, stopping) = log_while_stopping();
        let path = folder.path().join(NEW_LOG);
        let (old, index) = folder::open_log(folder.path(), u64::MAX).unwrap();
        let state = RwLock::new(State {
            file: old.file,
            end: old.end,
            index,
        });
        assert_stopped(rewrite(&path, &state, log.end, stopping));
        assert!(!path.exists());
    }

    #[test]
    fn a_stop_ends_the_writing_of_concepts_and_of_associations() {
        let (folder, log, stopping) = log_while_stopping();
        let mut new = Rewritten::create(&folder.path().join(NEW_LOG), log.end, stopping).unwrap();
        assert_stopped(new.concept("a".into(), b"{}"));
        let link = Link {
            outgoing: "a\tb\tis_a".into(),
            incoming: "b\ta\tis_a".into(),
            weight: 0.5,
        };
        assert_stopped(new.link(link));
    }

    #[test]
    fn a_stop_ends_the_catching_up() {
        let (folder, log, stopping) = log_while_stopping();
        let start = log::first(&log.file, log.end.offset).unwrap();
        let path = folder.path().join(NEW_LOG);
        let new = Rewritten::create(&path, start, stopping.clone()).unwrap();
        assert_stopped(new.catch_up(&log));
        stopping.store(false, Ordering::Relaxed);
        let new = Rewritten::create(&path, start, stopping).unwrap();
        assert!(new.catch_up(&log).is_ok());
    }

    #[test]
    fn a_rewritten_log_is_synced_as_it_grows() {
        let (folder, log, _) = log_while_stopping();
        let path = folder.path().join(NEW_LOG);
        let mut new = Rewritten::create(&path, log.end, Arc::default()).unwrap();
        let value = vec![b'x'; FRAME];
        while new.end.offset < SYNC {
            assert_eq!(new.synced, 0);
            new.concept("a".into(), &value).unwrap();
        }
        assert_eq!(new.synced, new.end.offset);
    }
}
