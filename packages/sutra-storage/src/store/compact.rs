//! Rewrites the log without what was replaced or deleted, while the writer goes on.
//!
//! A thread reads the log up to where it was at the start, and writes what counts to a new one.
//! Then the writer copies what it has appended meanwhile, and renames the new log over the old.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::folder::{sync_folder, LOG, NEW_LOG};
use super::index::{mirrored, Index};
use super::log::{self, End, Frame, ReadError};
use super::op::{encode_association, encode_concept, Op};
use super::read_value;
use super::writer::Appender;

/// A log is rewritten when more than this many bytes, and more than half of it, no longer count.
const MIN_GARBAGE: u64 = 32 * 1024 * 1024;
/// Bytes of a frame in a rewritten log.
const FRAME: usize = 1024 * 1024;
/// Bytes of a rewritten log after which they are synced: a stop waits for one sync at most.
const SYNC: u64 = 32 * 1024 * 1024;

pub struct Compaction {
    thread: Option<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
    /// Size of the log, in bytes, when the last one ended.
    last: u64,
}

/// A new log, and how far into the old one it reaches.
pub struct Rewritten {
    file: File,
    end: End,
    index: Index,
    frame: Frame,
    source: End,
    /// Bytes of the file that are on disk.
    synced: u64,
    stopping: Arc<AtomicBool>,
}

impl Compaction {
    /// One that is running ends soon after `stopping` is set.
    pub fn new(stopping: Arc<AtomicBool>) -> Self {
        Self {
            thread: None,
            stopping,
            last: 0,
        }
    }

    /// Starts one unless one is running or it is not worth it. `done` is called in the thread.
    pub fn start_if_due(
        &mut self,
        folder: &Path,
        log: &Appender,
        live: u64,
        done: impl FnOnce(io::Result<Rewritten>) + Send + 'static,
    ) {
        let garbage = log.end.offset.saturating_sub(live);
        let grown = log.end.offset.saturating_sub(self.last);
        // After one that failed, wait until there is something new to gain.
        let due = garbage > MIN_GARBAGE && garbage > live && grown > MIN_GARBAGE;
        if self.thread.is_some() || !due {
            return;
        }
        let (source, end) = (log.file.clone(), log.end);
        let (path, stopping) = (folder.join(NEW_LOG), self.stopping.clone());
        let thread = thread::Builder::new().name("compaction".into());
        match thread.spawn(move || done(rewrite(&path, &source, end, stopping))) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => tracing::warn!(%error, "cannot rewrite the log; it stays as it is"),
        }
    }

    /// Notes that one ended when the log had `len` bytes.
    pub fn ended(&mut self, len: u64) {
        self.thread = None;
        self.last = len;
    }

    /// Ends one that is running, and removes what it wrote.
    pub fn stop(&mut self, folder: &Path) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            let _ = fs::remove_file(folder.join(NEW_LOG));
        }
    }
}

fn rewrite(
    path: &Path,
    source: &File,
    end: End,
    stopping: Arc<AtomicBool>,
) -> io::Result<Rewritten> {
    let rewritten = rewrite_live(path, source, end, stopping);
    if rewritten.is_err() {
        let _ = fs::remove_file(path);
    }
    rewritten
}

fn rewrite_live(
    path: &Path,
    source: &File,
    end: End,
    stopping: Arc<AtomicBool>,
) -> io::Result<Rewritten> {
    let mut old = Index::default();
    let first = log::first(source, end.offset).map_err(other)?;
    log::read(source, first, end.offset, |op, place| {
        old.apply(&op, place);
        unless(&stopping)
    })
    .map_err(other)?;
    let mut new = Rewritten::create(path, end, stopping)?;
    for (id, place) in std::mem::take(&mut old.concepts) {
        new.concept(&id, &read_value(source, place)?)?;
    }
    for (key, weight) in std::mem::take(&mut old.outgoing) {
        new.association(&key, weight)?;
    }
    new.flush()?;
    new.file.sync_data()?;
    Ok(new)
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

    fn concept(&mut self, id: &str, value: &[u8]) -> io::Result<()> {
        let place = self.frame.push(|to| encode_concept(to, id, value));
        self.index.put_concept(id, place);
        self.go_on()
    }

    fn association(&mut self, key: &str, weight: f64) -> io::Result<()> {
        self.frame.push(|to| {
            encode_association(to, key, weight);
            0..0
        });
        self.index.put_association(key, &mirrored(key), weight);
        self.go_on()
    }

    fn change(&mut self, op: &Op) -> io::Result<()> {
        let place = self.frame.push(|to| op.encode(to));
        self.index.apply(op, place);
        self.go_on()
    }

    /// After each record: ends at a stop, and writes a frame that is full.
    fn go_on(&mut self) -> io::Result<()> {
        unless(&self.stopping)?;
        match self.frame.size() >= FRAME {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Writes the frame, also one without records, which then is a mark.
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

    /// Copies what was appended to the old log since the start, and syncs.
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

    /// Puts the new log in the old one's place. The inner result says whether that is on disk.
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

/// Rewrites the log of a store that nobody has open.
#[cfg(test)]
pub fn rewrite_now(folder: &Path) -> io::Result<()> {
    let opened = super::folder::open_log(folder);
    let (old, _) = opened.map_err(|error| io::Error::other(error.problem))?;
    let end = old.end;
    let rewritten = rewrite(&folder.join(NEW_LOG), &old.file, end, Arc::default())?;
    rewritten.catch_up(&old)?.rename(folder)?.1
}

#[cfg(test)]
mod tests {
    use super::super::folder;
    use super::*;

    const LINK: &str = "a\tb\tis_a";

    /// A log with one concept, and a flag that says that the server is stopping.
    fn log_while_stopping() -> (tempfile::TempDir, Appender, Arc<AtomicBool>) {
        let folder = tempfile::TempDir::new().unwrap();
        let (mut log, _) = folder::open_log(folder.path()).unwrap();
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
    fn a_stop_ends_the_reading_of_the_old_log_and_leaves_no_file() {
        let (folder, log, stopping) = log_while_stopping();
        let path = folder.path().join(NEW_LOG);
        assert_stopped(rewrite(&path, &log.file, log.end, stopping));
        assert!(!path.exists());
    }

    #[test]
    fn a_stop_ends_the_writing_of_concepts_and_of_associations() {
        let (folder, log, stopping) = log_while_stopping();
        let mut new = Rewritten::create(&folder.path().join(NEW_LOG), log.end, stopping).unwrap();
        assert_stopped(new.concept("a", b"{}"));
        assert_stopped(new.association(LINK, 0.5));
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
            new.concept("a", &value).unwrap();
        }
        assert_eq!(new.synced, new.end.offset);
    }
}
