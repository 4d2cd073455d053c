//! Appends frames to the log and syncs them; a frame that was written in part is cut off again.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::log::{End, Frame, ROOM};

/// A log that frames are appended to.
pub struct Appender {
    pub file: Arc<File>,
    pub end: End,
    /// Size of the file in bytes; after `end` it holds only zeros.
    size: u64,
}

/// The ways in which a write fails.
pub enum Failure {
    /// The log is unchanged.
    NoSpace(io::Error),
    /// The log's content on disk is unknown.
    Broken(io::Error),
}

impl Appender {
    /// Takes a file of `size` bytes, which has only zeros after `end`.
    pub fn new(file: File, end: End, size: u64) -> Self {
        let file = Arc::new(file);
        Self { file, end, size }
    }

    /// Puts a frame on disk.
    ///
    /// # Errors
    /// A frame that was written in part is cut off again. A failed sync is final: the kernel may
    /// have dropped the data that it could not write.
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

    /// Writes zeros after the end if fewer than `needed` are there. If that fails, the write that
    /// needs them reports why.
    fn make_room(&mut self, needed: u64) {
        if self.end.offset + needed > self.size {
            let size = self.end.offset + needed + ROOM as u64;
            if self.write_zeros(size).is_ok() {
                self.size = size;
            }
        }
    }

    /// Writes zeros from the end up to `size`, a piece at a time to save memory.
    fn write_zeros(&self, size: u64) -> io::Result<()> {
        // made when they are needed: a constant would be as many bytes of the program
        let zeros = vec![0; 64 * 1024];
        let mut at = self.end.offset;
        while at < size {
            let count = (size - at).min(zeros.len() as u64);
            self.file.write_all_at(&zeros[..count as usize], at)?;
            at += count;
        }
        Ok(())
    }

    /// Makes the file end with its last frame.
    pub fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.end.offset)?;
        self.size = self.end.offset;
        Ok(())
    }

    /// Appends a mark, a frame without records, unless the log ends with one or is empty.
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

/// Returns whether the disk is full, the quota is used up, or the file reached its limit.
fn is_no_space(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
