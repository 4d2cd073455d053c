//! The state that the writer changes and everybody reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::index::Index;
use super::log::End;
use super::place::Place;
use crate::metrics::Metrics;

/// The state that the writer changes and everybody reads.
pub struct Shared {
    pub state: RwLock<State>,
    /// Whether the disk has failed in a way that only a restart can clear up.
    pub failed: AtomicBool,
    /// Whether the store is being closed: a compaction then ends without a result.
    pub stopping: Arc<AtomicBool>,
    /// The most bytes of memory that the index may take.
    pub room: u64,
    pub metrics: Arc<Metrics>,
}

pub struct State {
    pub file: Arc<File>,
    /// The end of that part of the log which `index` covers.
    pub end: End,
    pub index: Index,
}

impl Shared {
    /// A panic ends the process, so a poisoned lock is as good as any other.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the bytes at `place`, and checks their checksum.
pub fn read_value(file: &File, place: Place) -> io::Result<Vec<u8>> {
    let mut value = vec![0; place.size as usize];
    file.read_exact_at(&mut value, place.offset)?;
    if crc32fast::hash(&value) != place.crc {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "checksum does not match",
        ));
    }
    Ok(value)
}
