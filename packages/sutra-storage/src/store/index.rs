//! The index in memory: ids, where their JSON is in the log, and associations.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use super::log::RECORD_HEADER;
use super::op::{association_size, concept_overhead, Key, Op, SEPARATOR};
use super::outcome::{StoreError, Written};
use super::place::Place;
use crate::allocator::block;
use crate::model::Id;

/// Bytes of the two counters of an `Arc`.
const COUNTERS: u64 = 16;
/// Bytes of a concept's entry in a tree node that is as empty as nodes get.
const CONCEPT_ENTRY: u64 = 80;
/// Bytes of an association's two entries in such nodes.
const ASSOCIATION_ENTRIES: u64 = 64 + 48;
/// The number of indexes while a rewritten log's replaces the old one; they share their names.
const COPIES: u64 = 2;

#[derive(Debug, Default, PartialEq)]
pub struct Index {
    pub concepts: BTreeMap<Arc<str>, Place>,
    /// Maps `source TAB target TAB kind` to the weight.
    pub outgoing: BTreeMap<Arc<str>, f64>,
    /// `target TAB source TAB kind`
    pub incoming: BTreeSet<Arc<str>>,
    /// Bytes of the log's records that still count.
    pub live: u64,
    /// The most bytes of memory that this takes, including its copy during a compaction.
    pub memory: u64,
}

/// An association with its names.
pub struct Link {
    /// `source TAB target TAB kind`
    pub outgoing: Arc<str>,
    /// `target TAB source TAB kind`
    pub incoming: Arc<str>,
    pub weight: f64,
}

impl Index {
    /// Applies a change that is in the log; `place` is where a concept's JSON is.
    pub fn apply(&mut self, op: &Op, place: Place) {
        match op {
            Op::PutConcept(id, _) => self.put_concept(id.as_str().into(), place),
            Op::DeleteConcept(id) => self.delete_concept(id.as_str()),
            Op::PutAssociation(association) => {
                let key = Key::from(association);
                let (outgoing, incoming) = (key.outgoing().into(), key.incoming().into());
                self.put_association(outgoing, incoming, association.weight.get());
            }
            Op::DeleteAssociation(key) => {
                self.delete_association(&key.outgoing(), &key.incoming());
            }
        }
    }

    pub fn put_concept(&mut self, id: Arc<str>, place: Place) {
        let length = id.len();
        self.live += concept_size(length, place);
        match self.concepts.insert(id, place) {
            Some(old) => self.live -= concept_size(length, old),
            None => self.memory += concept_memory(length),
        }
    }

    pub fn put_association(&mut self, outgoing: Arc<str>, incoming: Arc<str>, weight: f64) {
        let length = outgoing.len();
        if self.outgoing.insert(outgoing, weight).is_none() {
            self.incoming.insert(incoming);
            self.live += RECORD_HEADER as u64 + association_size(length);
            self.memory += association_memory(length);
        }
    }

    fn delete_concept(&mut self, id: &str) {
        if let Some(old) = self.concepts.remove(id) {
            self.live -= concept_size(id.len(), old);
            self.memory -= concept_memory(id.len());
        }
        for key in self
            .outgoing_of(id, None)
            .map(|(key, _)| key.to_owned())
            .collect::<Vec<_>>()
        {
            self.delete_association(&key, &mirrored(&key));
        }
        for key in self
            .incoming_of(id, None)
            .map(str::to_owned)
            .collect::<Vec<_>>()
        {
            self.delete_association(&mirrored(&key), &key);
        }
    }

    fn delete_association(&mut self, outgoing: &str, incoming: &str) {
        if self.outgoing.remove(outgoing).is_some() {
            self.incoming.remove(incoming);
            self.live -= RECORD_HEADER as u64 + association_size(outgoing.len());
            self.memory -= association_memory(outgoing.len());
        }
    }

    /// Returns the associations whose outgoing name is in `range`, in order.
    pub fn links<'a>(
        &'a self,
        range: (Bound<&str>, Bound<&str>),
    ) -> impl Iterator<Item = Link> + use<'a> {
        let names = self.outgoing.range::<str, _>(range);
        names.filter_map(|(outgoing, weight)| {
            // Every outgoing name has its incoming one.
            let incoming = self.incoming.get(mirrored(outgoing).as_str())?.clone();
            let (outgoing, weight) = (outgoing.clone(), *weight);
            Some(Link {
                outgoing,
                incoming,
                weight,
            })
        })
    }

    /// Returns the associations from `id` after the key `after`, in order.
    pub fn outgoing_of<'a>(
        &'a self,
        id: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a str, f64)> + use<'a> {
        let (start, end) = bounds(id, after);
        let keys = self
            .outgoing
            .range::<str, _>((as_ref(&start), as_ref(&end)));
        keys.map(|(key, weight)| (key.as_ref(), *weight))
    }

    /// Returns the associations to `id` after the key `after`, in order; keys are mirrored.
    pub fn incoming_of<'a>(
        &'a self,
        id: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let (start, end) = bounds(id, after);
        let keys = self
            .incoming
            .range::<str, _>((as_ref(&start), as_ref(&end)));
        keys.map(AsRef::as_ref)
    }
}

fn put(there_was_one: bool) -> Written {
    match there_was_one {
        true => Written::Replaced,
        false => Written::Created,
    }
}

/// Returns `b TAB a TAB kind` for `a TAB b TAB kind`.
pub fn mirrored(key: &str) -> String {
    let mut parts = key.splitn(3, SEPARATOR);
    let mut part = || parts.next().unwrap_or_default();
    let (near, far, kind) = (part(), part(), part());
    format!("{far}{SEPARATOR}{near}{SEPARATOR}{kind}")
}

/// Returns by how many bytes of memory `op` lets an index grow, if it creates something.
pub fn growth(op: &Op) -> u64 {
    match op {
        Op::PutConcept(id, _) => concept_memory(id.as_str().len()),
        Op::PutAssociation(association) => {
            association_memory(Key::from(association).outgoing().len())
        }
        Op::DeleteConcept(_) | Op::DeleteAssociation(_) => 0,
    }
}

const fn concept_memory(id: usize) -> u64 {
    name_memory(id) + COPIES * CONCEPT_ENTRY
}

const fn association_memory(key: usize) -> u64 {
    2 * name_memory(key) + COPIES * ASSOCIATION_ENTRIES
}

const fn name_memory(length: usize) -> u64 {
    block(length as u64 + COUNTERS)
}

const fn concept_size(id: usize, place: Place) -> u64 {
    RECORD_HEADER as u64 + concept_overhead(id) + place.size as u64
}

/// Returns the range of keys whose first part is `id`.
fn bounds(id: &str, after: Option<&str>) -> (Bound<String>, Bound<String>) {
    let start = match after {
        Some(after) => Bound::Excluded(after.to_owned()),
        None => Bound::Included(format!("{id}{SEPARATOR}")),
    };
    // The character after the separator.
    (start, Bound::Excluded(format!("{id}\n")))
}

fn as_ref(bound: &Bound<String>) -> Bound<&str> {
    match bound {
        Bound::Included(text) => Bound::Included(text),
        Bound::Excluded(text) => Bound::Excluded(text),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// The questions about stored data that deciding a change needs answered.
pub trait Known {
    fn has_concept(&self, id: &str) -> bool;
    /// `key` is as [`Key::outgoing`] writes it.
    fn has_association(&self, key: &str) -> bool;
}

impl Known for Index {
    fn has_concept(&self, id: &str) -> bool {
        self.concepts.contains_key(id)
    }

    fn has_association(&self, key: &str) -> bool {
        self.outgoing.contains_key(key)
    }
}

/// Changes that are decided but not on disk yet, laid over an index without them.
///
/// Later changes of a group must see earlier ones, and readers must not.
#[derive(Default)]
pub struct Overlay {
    concepts: HashMap<String, bool>,
    associations: HashMap<String, bool>,
    /// The existing ones of `associations`, and maybe others, by each of their two concepts.
    ends: HashMap<String, Vec<String>>,
    /// Concepts whose associations in the index are gone.
    dropped: HashSet<String>,
}

impl Overlay {
    /// Decides what `op` would do, or why it cannot be done.
    ///
    /// # Errors
    /// A concept or an association that it names is missing.
    pub fn decide(&self, index: &impl Known, op: &Op) -> Result<Written, StoreError> {
        let need = |id: &Id| match self.has_concept(index, id.as_str()) {
            true => Ok(()),
            false => Err(StoreError::NoConcept(id.clone())),
        };
        match op {
            Op::PutConcept(id, _) => Ok(put(self.has_concept(index, id.as_str()))),
            Op::DeleteConcept(id) => need(id).map(|()| Written::Deleted),
            Op::PutAssociation(association) => {
                need(&association.source)?;
                need(&association.target)?;
                Ok(put(self.has_association(index, &Key::from(association))))
            }
            Op::DeleteAssociation(key) => match self.has_association(index, key) {
                true => Ok(Written::Deleted),
                false => Err(StoreError::NoAssociation(key.clone())),
            },
        }
    }

    fn has_concept(&self, index: &impl Known, id: &str) -> bool {
        let here = self.concepts.get(id).copied();
        here.unwrap_or_else(|| index.has_concept(id))
    }

    fn has_association(&self, index: &impl Known, key: &Key) -> bool {
        let name = key.outgoing();
        self.associations.get(&name).copied().unwrap_or_else(|| {
            index.has_association(&name)
                && !self.dropped.contains(key.source.as_str())
                && !self.dropped.contains(key.target.as_str())
        })
    }

    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::PutConcept(id, _) => {
                self.concepts.insert(id.as_str().into(), true);
            }
            Op::DeleteConcept(id) => self.delete_concept(id.as_str()),
            Op::PutAssociation(association) => {
                let key = Key::from(association);
                let name = key.outgoing();
                if self.associations.insert(name.clone(), true) != Some(true) {
                    for end in [key.source, key.target] {
                        self.ends.entry(end.into()).or_default().push(name.clone());
                    }
                }
            }
            Op::DeleteAssociation(key) => {
                self.associations.insert(key.outgoing(), false);
            }
        }
    }

    fn delete_concept(&mut self, id: &str) {
        self.concepts.insert(id.into(), false);
        self.dropped.insert(id.into());
        for key in self.ends.remove(id).unwrap_or_default() {
            self.associations.insert(key, false);
        }
    }
}
