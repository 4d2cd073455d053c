//! The place of a value in the log.

/// The place of a concept's JSON in the log, and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub offset: u64,
    pub size: u32,
    pub crc: u32,
}
