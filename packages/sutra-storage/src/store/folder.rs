//! The data folder: takes its lock, and opens the log in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

use super::appender::{Appender, Failure};
use super::index::Index;
use super::log::{self, End, ReadError};
use crate::config::StartError;

pub const LOG: &str = "store.log";
/// The name of a log that is being written; it is renamed when it is whole.
pub const NEW_LOG: &str = "store.log.new";
const LOCK: &str = "lock";
/// The name of the file that version 0.1.0 wrote.
const OLD_STORE: &str = "store.redb";

/// Makes `folder` if it is missing, and takes its lock.
///
/// # Errors
/// The folder cannot be made or written, or another process has the lock.
pub fn lock(folder: &Path) -> Result<File, StartError> {
    let no = |error: io::Error| cannot_write(folder, &error);
    create_folder(folder).map_err(no)?;
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(false).write(true);
    let file = options.open(folder.join(LOCK)).map_err(no)?;
    match try_lock(&file) {
        Ok(()) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(StartError::data(
            format_args!("in use by another process {folder:?}"),
            "stop that process, or choose another folder",
        )),
        Err(error) => Err(no(error)),
    }
}

/// Takes the lock of `file`, which lasts until it is closed. `File::try_lock` is of Rust 1.89.
#[allow(unsafe_code)]
fn try_lock(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as `file` is borrowed.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Opens the log in `folder`, or creates it, and cuts off a torn end. The lock must be held.
///
/// # Errors
/// The log cannot be read or written, is damaged, or its index takes more than `memory` bytes.
pub fn open_log(folder: &Path, memory: u64) -> Result<(Appender, Index), StartError> {
    let no = |error: io::Error| cannot_write(folder, &error);
    let path = folder.join(LOG);
    if !path.exists() {
        refuse_old_store(folder)?;
        create_log(folder).map_err(no)?;
    }
    let file = File::options()
        .read(true)
        .write(true)
        .open(&path)
        .map_err(no)?;
    let mut index = Index::default();
    let end = load(&file, &mut index, memory).map_err(|error| cannot_read(folder, error))?;
    // This comes last: beside a damaged log nothing is touched.
    remove_unfinished(folder).map_err(no)?;
    let log = repair(file, &path, end).map_err(no)?;
    Ok((log, index))
}

fn load(file: &File, index: &mut Index, memory: u64) -> Result<End, ReadError> {
    let len = file.metadata()?.len();
    let first = log::first(file, len)?;
    log::read(file, first, len, |op, place| {
        index.apply(&op, place);
        match index.memory <= memory {
            true => Ok(()),
            false => Err(io::ErrorKind::OutOfMemory.into()),
        }
    })
}

/// Cuts off a torn frame after `end`, and marks that everything before it is intact.
fn repair(file: File, path: &Path, end: End) -> io::Result<Appender> {
    let mut size = file.metadata()?.len();
    if !log::only_zeros(&file, end.offset, size)? {
        let (offset, bytes) = (end.offset, size - end.offset);
        tracing::warn!(file = ?path, offset, bytes, "cut off a torn write at the log's end");
        file.set_len(end.offset)?;
        file.sync_all()?;
        size = end.offset;
    }
    let mut log = Appender::new(file, end, size);
    match log.mark() {
        Ok(()) => Ok(log),
        Err(Failure::NoSpace(error)) => {
            tracing::warn!(%error, "no space left; the store can be read");
            Ok(log)
        }
        Err(Failure::Broken(error)) => Err(error),
    }
}

fn create_log(folder: &Path) -> io::Result<()> {
    let mut file = File::create(folder.join(NEW_LOG))?;
    file.write_all(&log::file_header())?;
    file.sync_all()?;
    fs::rename(folder.join(NEW_LOG), folder.join(LOG))?;
    sync_folder(folder)
}

/// Removes a log that was being written when the process ended.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(NEW_LOG)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn refuse_old_store(folder: &Path) -> Result<(), StartError> {
    let old = folder.join(OLD_STORE);
    if !old.exists() {
        return Ok(());
    }
    Err(StartError::data(
        format_args!("written by version 0.1.0, which this one cannot read {old:?}"),
        "export it with that version, and move the file away or choose another folder",
    ))
}

/// Makes `folder` and its parents, each on disk before the next.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let above = match folder.parent() {
        None => return fs::create_dir(folder),
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
    };
    create_folder(above)?;
    fs::create_dir(folder)?;
    sync_folder(above)
}

/// A file's name must survive a power loss as well as what is in it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub fn cannot_write(folder: &Path, error: &io::Error) -> StartError {
    StartError::data(
        format_args!("cannot write {folder:?}: {error}"),
        "mount or choose a folder that the server's user may write, with space left",
    )
}

fn cannot_read(folder: &Path, error: ReadError) -> StartError {
    let path = folder.join(LOG);
    match error {
        ReadError::Io(error) if error.kind() == io::ErrorKind::OutOfMemory => StartError::data(
            format_args!("more concepts and associations than fit in memory {path:?}"),
            "give the server more memory (SUTRA_STORAGE_MEMORY); nothing was changed",
        ),
        ReadError::Io(error) => StartError::data(
            format_args!("cannot read {path:?}: {error}"),
            "check the disk; nothing was changed",
        ),
        ReadError::Damaged { offset, why } => StartError::data(
            format_args!("damaged {path:?}: offset {offset}: {why}"),
            &way_out(offset),
        ),
    }
}

/// Returns the tip for a log that is damaged at `offset`.
fn way_out(offset: u64) -> String {
    let copy = format!("nothing was changed; put back an intact copy of {LOG}");
    match offset > log::FILE_HEADER as u64 {
        true => format!(
            "{copy}, or keep a copy of this one and cut it to its first {offset} bytes to go on \
             with what is before"
        ),
        false => format!(
            "{copy}; nothing in this one can be saved by a cut: without a copy, move it away to \
             start empty"
        ),
    }
}
