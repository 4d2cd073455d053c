//! The log file: frames of records, appended and never changed in place.
//!
//! ```text
//! file   = "SUTRALOG", version u32, crc u32 of both, then frames
//! frame  = "FRAM", size of body u32, number u64, revision u64, crc u32 of body,
//!          crc u32 of the 28 bytes before it, body
//! body   = records; none marks that all before it was on disk when the store was opened or closed
//! record = size u32, then a change (`op`)
//! ```
//!
//! Numbers are little-endian, crcs CRC-32 (IEEE). Frames are numbered from 0 without a gap. Zeros
//! may follow the last one as room for more: a sync is cheaper while the file's size stays the
//! same. Each frame is written and synced before the next one, so a crash can tear only the last
//! frame, which is then cut off. Anything else that does not fit is damage, and the file is left
//! unchanged.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use super::op::Op;
use super::place::Place;

const MAGIC: &[u8; 8] = b"SUTRALOG";
const VERSION: u32 = 1;
/// Bytes of the file before its first frame.
pub const FILE_HEADER: usize = 16;
const FRAME_MAGIC: &[u8; 4] = b"FRAM";
/// Bytes of a frame before its body.
pub const FRAME_HEADER: usize = 32;
/// Bytes of a record before its change.
pub const RECORD_HEADER: usize = 4;
/// The most bytes of a frame's body.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

/// Bytes of zeros that are written at a time.
pub const ROOM: usize = 1024 * 1024;

/// The fields of a frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    size: u32,
    number: u64,
    revision: u64,
    crc: u32,
}

/// The end of the whole part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The place of the next frame.
    pub offset: u64,
    /// The next frame's number.
    pub number: u64,
    /// The number of changes so far.
    pub revision: u64,
    /// Whether the last frame is a mark.
    pub marked: bool,
}

impl End {
    /// Returns the end after a frame of `size` bytes.
    pub fn after(self, size: usize, revision: u64) -> Self {
        Self {
            offset: self.offset + size as u64,
            number: self.number + 1,
            revision,
            marked: false,
        }
    }
}

/// The reasons why a log cannot be read.
#[derive(Debug)]
pub enum ReadError {
    Io(io::Error),
    Damaged { offset: u64, why: String },
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Returns the bytes of an empty log.
pub fn file_header() -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// A frame being put together, to be written at `offset` of a log.
pub struct Frame {
    bytes: Vec<u8>,
    offset: u64,
}

impl Frame {
    pub fn new(offset: u64) -> Self {
        let bytes = vec![0; FRAME_HEADER];
        Self { bytes, offset }
    }

    /// Returns the size of the records so far, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len() - FRAME_HEADER
    }

    /// Appends a record through `encode`, and returns where the concept's JSON in it will be.
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> std::ops::Range<usize>) -> Place {
        let start = self.bytes.len();
        self.bytes.extend([0; RECORD_HEADER]);
        let value = encode(&mut self.bytes);
        let size = (self.bytes.len() - start - RECORD_HEADER) as u32;
        self.bytes[start..start + RECORD_HEADER].copy_from_slice(&size.to_le_bytes());
        Place {
            offset: self.offset + value.start as u64,
            size: value.len() as u32,
            crc: crc32fast::hash(&self.bytes[value]),
        }
    }

    /// Returns the whole frame.
    pub fn finish(mut self, number: u64, revision: u64) -> Vec<u8> {
        let header = Header {
            size: self.size() as u32,
            number,
            revision,
            crc: crc32fast::hash(&self.bytes[FRAME_HEADER..]),
        };
        self.bytes[..FRAME_HEADER].copy_from_slice(&header.encode());
        self.bytes
    }
}

/// Returns a frame without records, to follow `end`.
pub fn mark(end: &End) -> Vec<u8> {
    Frame::new(end.offset).finish(end.number, end.revision)
}

impl Header {
    fn encode(&self) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        bytes[..4].copy_from_slice(FRAME_MAGIC);
        bytes[4..8].copy_from_slice(&self.size.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.revision.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Returns `None` for bytes that are not a header.
    fn decode(bytes: &[u8; FRAME_HEADER]) -> Option<Self> {
        let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes[at..].first_chunk()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(*bytes[at..].first_chunk()?));
        let header = Self {
            size: u32_at(4)?,
            number: u64_at(8)?,
            revision: u64_at(16)?,
            crc: u32_at(24)?,
        };
        let whole = &bytes[..4] == FRAME_MAGIC && u32_at(28)? == crc32fast::hash(&bytes[..28]);
        (whole && header.size as usize <= MAX_FRAME).then_some(header)
    }
}

/// Reads a log from `start` up to `len` bytes, and passes every change of its whole frames, with
/// the place of its JSON, to `each`. Returns where the last whole frame ends; the bytes from there
/// to `len` are a torn frame, or room.
///
/// Takes the memory of one frame.
///
/// # Errors
/// The log is damaged in a way that a crash cannot explain, or `each` failed.
pub fn read(
    file: &File,
    start: End,
    len: u64,
    mut each: impl FnMut(Op, Place) -> io::Result<()>,
) -> Result<End, ReadError> {
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    reader.seek(SeekFrom::Start(start.offset))?;
    let mut end = start;
    let mut body = Vec::new();
    while end.offset < len {
        let left = len - end.offset;
        let Some(header) = next_header(&mut reader, left)? else {
            return torn_header(file, end, len);
        };
        if header.number != end.number {
            let (is, not) = (header.number, end.number);
            return Err(damaged(
                end.offset,
                format!("frame {is} where {not} should be"),
            ));
        }
        let size = FRAME_HEADER as u64 + u64::from(header.size);
        if size > left {
            return Ok(end);
        }
        body.resize(header.size as usize, 0);
        reader.read_exact(&mut body)?;
        if crc32fast::hash(&body) != header.crc {
            // Only the last frame may be torn.
            return match only_zeros(file, end.offset + size, len)? {
                true => Ok(end),
                false => Err(damaged(end.offset, "checksum of a frame does not match")),
            };
        }
        each_record(&body, end.offset + FRAME_HEADER as u64, &mut each)?;
        end = end.after(FRAME_HEADER + body.len(), header.revision);
        end.marked = body.is_empty();
    }
    Ok(end)
}

/// Returns where the frames of a log of `len` bytes start.
///
/// # Errors
/// The file does not start like a log.
pub fn first(file: &File, len: u64) -> Result<End, ReadError> {
    let mut header = [0; FILE_HEADER];
    if len < FILE_HEADER as u64 {
        return Err(damaged(0, format!("not a log: {len} bytes are too few")));
    }
    file.read_exact_at(&mut header, 0)?;
    if header != file_header() {
        return Err(damaged(0, "not a log of this version"));
    }
    Ok(End {
        offset: FILE_HEADER as u64,
        number: 0,
        revision: 0,
        marked: false,
    })
}

/// Returns whether a file has only zeros from `start` to `len`.
pub fn only_zeros(file: &File, mut start: u64, len: u64) -> io::Result<bool> {
    let mut bytes = vec![0; 64 * 1024];
    while start < len {
        let count = (len - start).min(bytes.len() as u64) as usize;
        file.read_exact_at(&mut bytes[..count], start)?;
        if bytes[..count].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        start += count as u64;
    }
    Ok(true)
}

fn next_header(reader: &mut impl Read, left: u64) -> io::Result<Option<Header>> {
    if left < FRAME_HEADER as u64 {
        return Ok(None);
    }
    let mut bytes = [0; FRAME_HEADER];
    reader.read_exact(&mut bytes)?;
    Ok(Header::decode(&bytes))
}

fn each_record(
    body: &[u8],
    offset: u64,
    each: &mut impl FnMut(Op, Place) -> io::Result<()>,
) -> Result<(), ReadError> {
    let mut rest = body;
    while !rest.is_empty() {
        let at = offset + (body.len() - rest.len()) as u64;
        let (record, after) = split_record(rest).ok_or_else(|| damaged(at, "cut record"))?;
        let (op, value) = Op::decode(record).map_err(|why| damaged(at, why))?;
        let place = Place {
            offset: at + (RECORD_HEADER + value.start) as u64,
            size: value.len() as u32,
            crc: crc32fast::hash(&record[value]),
        };
        each(op, place)?;
        rest = after;
    }
    Ok(())
}

fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*size) as usize)
}

/// Decides whether bytes at `end` that do not start a frame are room, or torn: no frame follows.
fn torn_header(file: &File, end: End, len: u64) -> Result<End, ReadError> {
    if only_zeros(file, end.offset, len)? {
        return Ok(end);
    }
    let left = len - end.offset;
    if left > (FRAME_HEADER + MAX_FRAME + ROOM) as u64 {
        return Err(damaged(
            end.offset,
            "not a frame, and longer than one can be",
        ));
    }
    let mut bytes = vec![0; left as usize];
    file.read_exact_at(&mut bytes, end.offset)?;
    // User data cannot imitate a frame: its size has a zero byte, which JSON and ids never hold.
    let later = |bytes: &[u8; FRAME_HEADER]| {
        Header::decode(bytes).is_some_and(|header| header.number > end.number)
    };
    let windows = bytes.windows(FRAME_HEADER).skip(1);
    match windows.filter_map(|window| window.first_chunk()).any(later) {
        true => Err(damaged(end.offset, "not a frame, but frames follow")),
        false => Ok(end),
    }
}

fn damaged(offset: u64, why: impl Into<String>) -> ReadError {
    let why = why.into();
    ReadError::Damaged { offset, why }
}
