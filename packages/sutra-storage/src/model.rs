//! What the store holds, and the rules that every value of it keeps.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most bytes of an id.
pub const MAX_ID: usize = 512;
/// The most bytes of a kind.
pub const MAX_KIND: usize = 64;
/// The most bytes of a concept's text.
pub const MAX_TEXT: usize = 64 * 1024;

/// The most bytes of a request's body. JSON may write one byte of text as six (`\u0001`), so this
/// takes any text that fits [`MAX_TEXT`] and 128 KiB more.
pub const MAX_BODY: usize = 6 * MAX_TEXT + 128 * 1024;

/// A concept's name: 1 to 512 bytes of UTF-8 without control characters.
///
/// The store's keys join ids with a control character, so ids may not hold one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Id(String);

/// What an association means, eg `is_a`: 1 to 64 bytes of UTF-8 without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Kind(String);

/// How strong an association is, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Weight(f64);

/// A piece of knowledge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Concept {
    pub id: Id,
    pub text: String,
    pub metadata: Map<String, Value>,
}

/// A directed, weighted link between two concepts. Source, target and kind together are unique.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Association {
    pub source: Id,
    pub target: Id,
    pub kind: Kind,
    pub weight: Weight,
}

/// The size of the store.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub concepts: u64,
    pub associations: u64,
    /// A number that grows by one with every change, and survives restarts.
    pub revision: u64,
    /// Bytes of the log file.
    pub bytes: u64,
    /// Bytes of the log's records that still count.
    pub live_bytes: u64,
    /// Bytes that the index may take, its copy during a compaction included.
    #[serde(skip)]
    pub memory: u64,
}

impl Id {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Kind {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Weight {
    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        short_text(text, MAX_ID).map(Self)
    }
}

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        short_text(text, MAX_KIND).map(Self)
    }
}

impl TryFrom<f64> for Weight {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        // A NaN is in no range, so this refuses it too.
        if (0.0..=1.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("must be from 0 to 1, is {number}"))
        }
    }
}

fn short_text(text: String, most: usize) -> Result<String, String> {
    if text.is_empty() || text.len() > most {
        return Err(format!("must be 1 to {most} bytes, is {}", text.len()));
    }
    // Printable ASCII, which most names are, needs no decoding.
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !plain && text.chars().any(char::is_control) {
        return Err("must not hold control characters".into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Result<Id, String> {
        text.to_owned().try_into()
    }

    #[test]
    fn an_id_has_1_to_512_bytes() {
        assert_eq!(id("").unwrap_err(), "must be 1 to 512 bytes, is 0");
        assert!(id("a").is_ok());
        assert!(id(&"é".repeat(256)).is_ok());
        assert_eq!(
            id(&"a".repeat(513)).unwrap_err(),
            "must be 1 to 512 bytes, is 513"
        );
    }

    #[test]
    fn an_id_has_no_control_characters() {
        for text in ["a\0b", "\n", "\u{7f}", "\u{85}"] {
            assert_eq!(id(text).unwrap_err(), "must not hold control characters");
        }
    }

    #[test]
    fn a_kind_has_1_to_64_bytes() {
        assert!(Kind::try_from("k".repeat(64)).is_ok());
        assert_eq!(
            Kind::try_from("k".repeat(65)).unwrap_err(),
            "must be 1 to 64 bytes, is 65"
        );
    }

    #[test]
    fn a_weight_is_from_0_to_1() {
        assert!(Weight::try_from(0.0).is_ok());
        assert!(Weight::try_from(1.0).is_ok());
        assert_eq!(
            Weight::try_from(1.5).unwrap_err(),
            "must be from 0 to 1, is 1.5"
        );
        for number in [-f64::MIN_POSITIVE, f64::NAN, f64::INFINITY] {
            assert!(Weight::try_from(number).is_err(), "{number}");
        }
    }
}
