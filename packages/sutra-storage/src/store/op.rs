//! The changes that a write makes, and their form in the log.

use std::ops::Range;

use bytes::Bytes;

use crate::model::{Association, Id, Kind, Weight};

/// The separator of a [`Key`]'s parts. Ids and kinds hold no control character, so none of them
/// holds it, and it sorts before every character that they may hold.
pub const SEPARATOR: char = '\t';

/// One change of the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The second part is the concept as JSON, as answers hold it.
    PutConcept(Id, Bytes),
    DeleteConcept(Id),
    PutAssociation(Association),
    DeleteAssociation(Key),
}

/// The three parts that name an association.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub source: Id,
    pub target: Id,
    pub kind: Kind,
}

const PUT_CONCEPT: u8 = 1;
const DELETE_CONCEPT: u8 = 2;
const PUT_ASSOCIATION: u8 = 3;
const DELETE_ASSOCIATION: u8 = 4;

impl Key {
    /// Returns `source TAB target TAB kind`, by which associations are sorted.
    pub fn outgoing(&self) -> String {
        join(&self.source, &self.target, &self.kind)
    }

    /// Returns `target TAB source TAB kind`.
    pub fn incoming(&self) -> String {
        join(&self.target, &self.source, &self.kind)
    }

    /// Reads [`Key::outgoing`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(SEPARATOR).collect();
        let &[source, target, kind] = parts.as_slice() else {
            return Err(format!("must be three parts, is {}", parts.len()));
        };
        Ok(Self {
            source: source.to_owned().try_into()?,
            target: target.to_owned().try_into()?,
            kind: kind.to_owned().try_into()?,
        })
    }
}

impl From<&Association> for Key {
    fn from(association: &Association) -> Self {
        Self {
            source: association.source.clone(),
            target: association.target.clone(),
            kind: association.kind.clone(),
        }
    }
}

fn join(near: &Id, far: &Id, kind: &Kind) -> String {
    let (near, far, kind) = (near.as_str(), far.as_str(), kind.as_str());
    format!("{near}{SEPARATOR}{far}{SEPARATOR}{kind}")
}

impl Op {
    /// Appends the record to `to`, and returns where in `to` the concept's JSON is (empty for
    /// other changes).
    pub fn encode(&self, to: &mut Vec<u8>) -> Range<usize> {
        match self {
            Self::PutConcept(id, value) => return encode_concept(to, id.as_str(), value),
            Self::DeleteConcept(id) => {
                to.push(DELETE_CONCEPT);
                to.extend(id.as_str().as_bytes());
            }
            Self::PutAssociation(association) => {
                let key = Key::from(association).outgoing();
                encode_association(to, &key, association.weight.get());
            }
            Self::DeleteAssociation(key) => {
                to.push(DELETE_ASSOCIATION);
                to.extend(key.outgoing().as_bytes());
            }
        }
        to.len()..to.len()
    }

    /// Reads a record, and returns where in it the concept's JSON is.
    ///
    /// # Errors
    /// Returns in a few words why this program cannot have written it.
    pub fn decode(record: &[u8]) -> Result<(Self, Range<usize>), String> {
        let end = record.len()..record.len();
        let (&tag, rest) = record.split_first().ok_or("empty record")?;
        match tag {
            PUT_CONCEPT => {
                let (size, rest) = rest.split_first_chunk().ok_or("cut id")?;
                let size = usize::from(u16::from_le_bytes(*size));
                let (id, value) = rest.split_at_checked(size).ok_or("cut id")?;
                let id = text(id)?.to_owned().try_into()?;
                let op = Self::PutConcept(id, Bytes::copy_from_slice(value));
                Ok((op, record.len() - value.len()..record.len()))
            }
            DELETE_CONCEPT => {
                let id = text(rest)?.to_owned().try_into()?;
                Ok((Self::DeleteConcept(id), end))
            }
            PUT_ASSOCIATION => {
                let (weight, rest) = rest.split_first_chunk().ok_or("cut weight")?;
                let weight = Weight::try_from(f64::from_le_bytes(*weight))?;
                let Key {
                    source,
                    target,
                    kind,
                } = Key::parse(text(rest)?)?;
                let association = Association {
                    source,
                    target,
                    kind,
                    weight,
                };
                Ok((Self::PutAssociation(association), end))
            }
            DELETE_ASSOCIATION => Ok((Self::DeleteAssociation(Key::parse(text(rest)?)?), end)),
            other => Err(format!("unknown change {other}")),
        }
    }
}

/// Appends a record of a concept to `to`; see [`Op::encode`].
pub fn encode_concept(to: &mut Vec<u8>, id: &str, value: &[u8]) -> Range<usize> {
    to.push(PUT_CONCEPT);
    // An id has at most 512 bytes.
    to.extend((id.len() as u16).to_le_bytes());
    to.extend(id.as_bytes());
    let start = to.len();
    to.extend(value);
    start..to.len()
}

/// Appends a record of an association to `to`; `key` is as [`Key::outgoing`] makes it.
pub fn encode_association(to: &mut Vec<u8>, key: &str, weight: f64) {
    to.push(PUT_ASSOCIATION);
    to.extend(weight.to_le_bytes());
    to.extend(key.as_bytes());
}

/// Returns the size of a concept's record without its JSON, for an id of `id` bytes.
pub const fn concept_overhead(id: usize) -> u64 {
    (1 + 2 + id) as u64
}

/// Returns the size of an association's record, for a key of `key` bytes.
pub const fn association_size(key: usize) -> u64 {
    (1 + 8 + key) as u64
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::parse("a\tb\tis_a").unwrap()
    }

    fn all() -> [Op; 4] {
        let id: Id = "a".to_owned().try_into().unwrap();
        let Key {
            source,
            target,
            kind,
        } = key();
        let association = Association {
            source,
            target,
            kind,
            weight: 0.1.try_into().unwrap(),
        };
        [
            Op::PutConcept(id.clone(), Bytes::from_static(b"{}")),
            Op::DeleteConcept(id),
            Op::PutAssociation(association),
            Op::DeleteAssociation(key()),
        ]
    }

    #[test]
    fn every_change_comes_back_as_it_was_written() {
        for op in all() {
            let mut record = Vec::new();
            let value = op.encode(&mut record);
            assert_eq!(Op::decode(&record), Ok((op, value)));
        }
    }

    #[test]
    fn what_nobody_wrote_is_named() {
        for (record, why) in [
            (&b""[..], "empty record"),
            (b"\x01\x05", "cut id"),
            (b"\x01\x05\x00abc", "cut id"),
            (b"\x01\x01\x00\xff{}", "not UTF-8"),
            (b"\x02", "must be 1 to 512 bytes, is 0"),
            (b"\x03\x00", "cut weight"),
            (
                b"\x03\x00\x00\x00\x00\x00\x00\x00\x40a\tb\tc",
                "must be from 0 to 1, is 2",
            ),
            (b"\x04a\tb", "must be three parts, is 2"),
            (b"\x09", "unknown change 9"),
        ] {
            assert_eq!(Op::decode(record).unwrap_err(), why, "{record:?}");
        }
    }
}
