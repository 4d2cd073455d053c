//! The outcomes of a write, and the reasons why a call of the store fails.

use std::fmt;

use super::op::Key;
use crate::model::Id;

/// The outcome of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Created,
    Replaced,
    Deleted,
}

/// The reasons why a call of the store fails.
#[derive(Debug, Clone, PartialEq)]
pub enum StoreError {
    NoConcept(Id),
    NoAssociation(Key),
    /// The disk is full; the write was not made, and a later one may succeed.
    NoSpace,
    /// The index has no room for new entries; deletes make room.
    NoMemory,
    /// The disk failed; the log says how. Writes are refused until the server is restarted.
    Failed,
    /// The database did not answer, or refused; it is unknown whether the change was made.
    NoAnswer,
    /// The store is being closed.
    Stopping,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConcept(id) => write!(f, "no concept {:?}", id.as_str()),
            Self::NoAssociation(Key {
                source,
                target,
                kind,
            }) => {
                let (source, target, kind) = (source.as_str(), target.as_str(), kind.as_str());
                write!(f, "no association {kind:?} from {source:?} to {target:?}")
            }
            Self::NoSpace => f.write_str("the data folder is full; free space or enlarge it"),
            Self::NoMemory => f.write_str(
                "the memory limit is reached; delete something or raise SUTRA_STORAGE_MEMORY",
            ),
            Self::Failed => f.write_str("the store failed; the server's log says why"),
            Self::NoAnswer => f.write_str("no answer from the database; the server's log says why"),
            Self::Stopping => f.write_str("the server is stopping"),
        }
    }
}
