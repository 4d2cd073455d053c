//! `storage_server_simple restore`: makes a snapshot the log of an empty folder.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::folder::{self, cannot_write, sync_folder, LOG, NEW_LOG};
use super::log::{self, End, ReadError};
use crate::config::StartError;

/// Puts the snapshot `source` into `folder`, whole or not at all, and returns the number of
/// changes in it.
///
/// # Errors
/// The folder has a log already, another process holds it, or the snapshot is damaged or cut.
pub fn restore(folder: &Path, source: &Path) -> Result<u64, StartError> {
    let mut from = File::open(source).map_err(|error| unreadable(source, &error))?;
    let _lock = folder::lock(folder)?;
    let (path, new) = (folder.join(LOG), folder.join(NEW_LOG));
    if path.exists() {
        return Err(StartError::data(
            format_args!("there is a log already {path:?}"),
            "move it away, or choose an empty folder",
        ));
    }
    let restored = copy(&mut from, &new)
        .map_err(|error| cannot_write(folder, &error))
        .and_then(|file| check(&file, source))
        .and_then(|end| {
            let renamed = fs::rename(&new, &path).and_then(|()| sync_folder(folder));
            renamed.map_err(|error| cannot_write(folder, &error))?;
            Ok(end.revision)
        });
    if restored.is_err() {
        // It may not exist.
        let _ = fs::remove_file(&new);
    }
    restored
}

fn copy(from: &mut File, to: &Path) -> io::Result<File> {
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(true);
    let mut file = options.open(to)?;
    io::copy(from, &mut file)?;
    file.sync_all()?;
    Ok(file)
}

/// Reads the whole copy, and checks every checksum and that it ends as a snapshot does.
fn check(file: &File, source: &Path) -> Result<End, StartError> {
    let read = || {
        let len = file.metadata()?.len();
        let end = log::read(file, log::first(file, len)?, len, |_, _| Ok(()))?;
        Ok((end, len))
    };
    match read() {
        Ok((end, len)) if end.marked && end.offset == len => Ok(end),
        Ok((end, _)) => Err(damaged(source, end.offset, "cut off here")),
        Err(ReadError::Damaged { offset, why }) => Err(damaged(source, offset, &why)),
        Err(ReadError::Io(error)) => Err(unreadable(source, &error)),
    }
}

fn damaged(source: &Path, offset: u64, why: &str) -> StartError {
    StartError::new(
        format!("restore: {source:?}: not a whole snapshot: offset {offset}: {why}"),
        "nothing was changed; take another snapshot: GET /snapshot of the running server",
    )
}

fn unreadable(source: &Path, error: &io::Error) -> StartError {
    StartError::new(
        format!("restore: cannot read {source:?}: {error}"),
        "name a file that GET /snapshot returned",
    )
}
