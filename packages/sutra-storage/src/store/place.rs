//! Where a value is in the log.

/// Where a concept's JSON is in the log, and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub offset: u64,
    pub size: u32,
    pub crc: u32,
}
