//! The durable store: concepts and associations in one redb file.
//!
//! A write returns after its transaction is on disk. Calls block, so async code must run them in
//! `spawn_blocking`.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{
    Database, DatabaseError, Durability, ReadTransaction, ReadableTable, ReadableTableMetadata,
    StorageError, TableDefinition, WriteTransaction,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::StartError;
use crate::model::{Association, Concept, Id, Kind, Weight};

/// Id to [`Record`] as JSON.
const CONCEPTS: TableDefinition<&str, &[u8]> = TableDefinition::new("concepts");
/// `source NUL target NUL kind` to weight.
const OUTGOING: TableDefinition<&str, f64> = TableDefinition::new("outgoing");
/// `target NUL source NUL kind` to weight: the same associations, found from their target.
const INCOMING: TableDefinition<&str, f64> = TableDefinition::new("incoming");

/// Most memory for cached pages, in bytes. redb's own default, 1 GiB, is more than most
/// containers may use.
const CACHE: usize = 64 * 1024 * 1024;
/// A page of concepts ends when their records reach this many bytes, so that a thousand large
/// concepts do not fill the memory.
const MAX_PAGE: usize = 4 * 1024 * 1024;

/// An open store; only one process may hold a folder's.
pub struct Store {
    db: Database,
    failed: AtomicBool,
}

/// Whether a write made something new.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    Created,
    Replaced,
}

/// Some concepts in the order of their ids' bytes.
#[derive(Debug, PartialEq, Serialize)]
pub struct Page {
    pub concepts: Vec<Concept>,
    /// The last id if more follow it, to be passed as `after`.
    pub next: Option<Id>,
}

/// How many there are.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub concepts: u64,
    pub associations: u64,
}

/// Why a call of the store failed.
#[derive(Debug)]
pub enum StoreError {
    /// No concept has this id.
    NotFound(Id),
    /// The file holds something that this program did not write.
    Corrupt(String),
    /// redb failed, usually because the disk did. Boxed, as it is large and rare.
    Redb(Box<redb::Error>),
}

/// A concept's value in [`CONCEPTS`].
#[derive(Serialize, Deserialize)]
struct Record {
    text: String,
    metadata: Map<String, Value>,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(id) => write!(f, "no concept {:?}", id.as_str()),
            Self::Corrupt(what) => write!(f, "store.redb: {what}"),
            Self::Redb(error) => error.fmt(f),
        }
    }
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Redb(Box::new(error.into()))
    }
}

impl Store {
    /// Opens `folder/store.redb`, and creates either if missing.
    ///
    /// # Errors
    /// The folder cannot be made or written, another process holds it, or the file is no store.
    pub fn open(folder: &Path) -> Result<Self, StartError> {
        create_folder(folder).map_err(|error| cannot_write(folder, &error))?;
        let db = Database::builder()
            .set_cache_size(CACHE)
            // The only format that redb 3 and later read.
            .create_with_file_format_v3(true)
            .create(folder.join("store.redb"))
            .map_err(|error| cannot_open(folder, error))?;
        // The file's name must survive a power loss as well as what is in it.
        sync_folder(folder).map_err(|error| cannot_write(folder, &error))?;
        Self::with_tables(db).map_err(|error| not_a_store(folder, &error))
    }

    /// Creates the tables, so that readers can count on them.
    fn with_tables(db: Database) -> Result<Self, StoreError> {
        let store = Self {
            db,
            failed: AtomicBool::new(false),
        };
        store.write(|txn| {
            txn.open_table(CONCEPTS)?;
            txn.open_table(OUTGOING)?;
            txn.open_table(INCOMING)?;
            Ok(())
        })?;
        Ok(store)
    }

    /// Whether redb has failed since the store was opened. It then refuses every write until the
    /// process is started anew.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Writes a concept, in place of one with the same id.
    pub fn put_concept(&self, concept: &Concept) -> Result<Written, StoreError> {
        let record = encode(concept)?;
        self.write(|txn| {
            let mut concepts = txn.open_table(CONCEPTS)?;
            let old = concepts.insert(concept.id.as_str(), record.as_slice())?;
            Ok(Written::from_old(old.is_some()))
        })
    }

    /// # Errors
    /// [`StoreError::NotFound`]
    pub fn concept(&self, id: &Id) -> Result<Concept, StoreError> {
        self.read(|txn| {
            let concepts = txn.open_table(CONCEPTS)?;
            let record = concepts.get(id.as_str())?;
            let record = record.ok_or_else(|| StoreError::NotFound(id.clone()))?;
            decode(id.as_str(), record.value())
        })
    }

    /// Removes a concept and, in the same transaction, every association from or to it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]
    pub fn delete_concept(&self, id: &Id) -> Result<(), StoreError> {
        self.write(|txn| {
            let mut concepts = txn.open_table(CONCEPTS)?;
            if concepts.remove(id.as_str())?.is_none() {
                return Err(StoreError::NotFound(id.clone()));
            }
            remove_links(txn, OUTGOING, INCOMING, id)?;
            remove_links(txn, INCOMING, OUTGOING, id)
        })
    }

    /// At most `limit` concepts whose ids come after `after`; fewer if they are large.
    pub fn concepts(&self, after: Option<&Id>, limit: usize) -> Result<Page, StoreError> {
        let start = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_str()));
        self.read(|txn| {
            let table = txn.open_table(CONCEPTS)?;
            let mut concepts: Vec<Concept> = Vec::new();
            let mut bytes = 0;
            for entry in table.range::<&str>((start, Bound::Unbounded))? {
                if concepts.len() == limit || bytes >= MAX_PAGE {
                    let next = concepts.last().map(|concept| concept.id.clone());
                    return Ok(Page { concepts, next });
                }
                let (id, record) = entry?;
                bytes += record.value().len();
                concepts.push(decode(id.value(), record.value())?);
            }
            Ok(Page {
                concepts,
                next: None,
            })
        })
    }

    /// Writes an association, in place of one with the same source, target and kind.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] with the source's or the target's id.
    pub fn put_association(&self, association: &Association) -> Result<Written, StoreError> {
        let Association {
            source,
            target,
            kind,
            weight,
        } = association;
        self.write(|txn| {
            require(txn, source)?;
            require(txn, target)?;
            let mut outgoing = txn.open_table(OUTGOING)?;
            let mut incoming = txn.open_table(INCOMING)?;
            let old = outgoing.insert(link(source, target, kind).as_str(), weight.get())?;
            incoming.insert(link(target, source, kind).as_str(), weight.get())?;
            Ok(Written::from_old(old.is_some()))
        })
    }

    /// The associations from `id`, then those to it; one from `id` to itself comes once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]
    pub fn associations(&self, id: &Id) -> Result<Vec<Association>, StoreError> {
        self.read(|txn| {
            if txn.open_table(CONCEPTS)?.get(id.as_str())?.is_none() {
                return Err(StoreError::NotFound(id.clone()));
            }
            let mut found = Vec::new();
            for (source, target, kind, weight) in links(&txn.open_table(OUTGOING)?, id)? {
                found.push(association(source, target, kind, weight)?);
            }
            for (target, source, kind, weight) in links(&txn.open_table(INCOMING)?, id)? {
                if source != target {
                    found.push(association(source, target, kind, weight)?);
                }
            }
            Ok(found)
        })
    }

    /// How much the store holds; takes the same time however much that is.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        self.read(|txn| {
            Ok(Counts {
                concepts: txn.open_table(CONCEPTS)?.len()?,
                associations: txn.open_table(OUTGOING)?.len()?,
            })
        })
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.watch(|| work(&self.db.begin_read()?))
    }

    /// Runs `work` in a transaction that is on disk when this returns, and gone if `work` fails.
    fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.watch(|| {
            let mut txn = self.db.begin_write()?;
            txn.set_durability(Durability::Immediate);
            let value = work(&txn)?;
            txn.commit()?;
            Ok(value)
        })
    }

    /// Remembers whether redb failed.
    fn watch<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = work();
        if matches!(result, Err(StoreError::Redb(_))) {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Written {
    fn from_old(there_was_one: bool) -> Self {
        if there_was_one {
            Self::Replaced
        } else {
            Self::Created
        }
    }
}

fn encode(concept: &Concept) -> Result<Vec<u8>, StoreError> {
    let record = Record {
        text: concept.text.clone(),
        metadata: concept.metadata.clone(),
    };
    serde_json::to_vec(&record).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn decode(id: &str, record: &[u8]) -> Result<Concept, StoreError> {
    let corrupt = |error: String| StoreError::Corrupt(format!("concept {id:?}: {error}"));
    let Record { text, metadata } =
        serde_json::from_slice(record).map_err(|error| corrupt(error.to_string()))?;
    Ok(Concept {
        id: id.to_owned().try_into().map_err(corrupt)?,
        text,
        metadata,
    })
}

/// A key of [`OUTGOING`] or [`INCOMING`]; no part holds a NUL.
fn link(near: &Id, far: &Id, kind: &Kind) -> String {
    format!("{}\0{}\0{}", near.as_str(), far.as_str(), kind.as_str())
}

/// A row of [`OUTGOING`] or [`INCOMING`]: near id, far id, kind, weight.
type Link = (String, String, String, f64);

/// Every row whose near id is `id`.
fn links(table: &impl ReadableTable<&'static str, f64>, id: &Id) -> Result<Vec<Link>, StoreError> {
    let first = format!("{}\0", id.as_str());
    let end = format!("{}\x01", id.as_str());
    let mut found = Vec::new();
    for entry in table.range(first.as_str()..end.as_str())? {
        let (key, weight) = entry?;
        let (near, far, kind) = split(key.value())?;
        found.push((near.into(), far.into(), kind.into(), weight.value()));
    }
    Ok(found)
}

fn split(key: &str) -> Result<(&str, &str, &str), StoreError> {
    key.split_once('\0')
        .and_then(|(near, rest)| rest.split_once('\0').map(|(far, kind)| (near, far, kind)))
        .ok_or_else(|| StoreError::Corrupt(format!("association {key:?}: not three parts")))
}

fn association(
    source: String,
    target: String,
    kind: String,
    weight: f64,
) -> Result<Association, StoreError> {
    let corrupt = |error| StoreError::Corrupt(format!("association of {source:?}: {error}"));
    Ok(Association {
        target: Id::try_from(target).map_err(corrupt)?,
        kind: Kind::try_from(kind).map_err(corrupt)?,
        weight: Weight::try_from(weight).map_err(corrupt)?,
        source: Id::try_from(source.clone()).map_err(corrupt)?,
    })
}

fn require(txn: &WriteTransaction, id: &Id) -> Result<(), StoreError> {
    match txn.open_table(CONCEPTS)?.get(id.as_str())? {
        Some(_) => Ok(()),
        None => Err(StoreError::NotFound(id.clone())),
    }
}

/// Removes every row of `near` that starts at `id`, and its mirror in `far`.
fn remove_links(
    txn: &WriteTransaction,
    near: TableDefinition<&'static str, f64>,
    far: TableDefinition<&'static str, f64>,
    id: &Id,
) -> Result<(), StoreError> {
    let mut near = txn.open_table(near)?;
    let mut far = txn.open_table(far)?;
    for (this, other, kind, _) in links(&near, id)? {
        near.remove(format!("{this}\0{other}\0{kind}").as_str())?;
        far.remove(format!("{other}\0{this}\0{kind}").as_str())?;
    }
    Ok(())
}

/// Makes `folder` and those above it, each on disk before the next.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let above = match folder.parent() {
        None => return fs::create_dir(folder),
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
    };
    create_folder(above)?;
    fs::create_dir(folder)?;
    sync_folder(above)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn cannot_open(folder: &Path, error: DatabaseError) -> StartError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StartError::data(
            format_args!("in use by another process {folder:?}"),
            "stop that process, or choose another folder",
        ),
        DatabaseError::Storage(StorageError::Io(error)) if !tells_of_content(&error) => {
            cannot_write(folder, &error)
        }
        error => not_a_store(folder, &error),
    }
}

/// Whether redb means a wrong or cut header, which it reports as an I/O error too.
fn tells_of_content(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    matches!(error.kind(), InvalidData | UnexpectedEof)
}

fn cannot_write(folder: &Path, error: &io::Error) -> StartError {
    StartError::data(
        format_args!("cannot write {folder:?}: {error}"),
        "mount or choose a folder that the server's user may write",
    )
}

fn not_a_store(folder: &Path, error: &dyn fmt::Display) -> StartError {
    StartError::data(
        format_args!("cannot use {:?}: {error}", folder.join("store.redb")),
        "put back a copy of store.redb that is well, or choose another folder",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use redb::backends::InMemoryBackend;
    use redb::StorageBackend;

    use super::*;

    /// Memory in place of a disk that fails once `broken` is set.
    #[derive(Debug, Default)]
    struct Disk {
        memory: InMemoryBackend,
        broken: Arc<AtomicBool>,
    }

    impl Disk {
        fn check(&self) -> io::Result<()> {
            match self.broken.load(Ordering::Relaxed) {
                true => Err(io::Error::other("disk is broken")),
                false => Ok(()),
            }
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            self.memory.len()
        }

        fn read(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
            self.memory.read(offset, len)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.check().and_then(|()| self.memory.set_len(len))
        }

        fn sync_data(&self, eventual: bool) -> io::Result<()> {
            self.check().and_then(|()| self.memory.sync_data(eventual))
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.check().and_then(|()| self.memory.write(offset, data))
        }
    }

    fn store_on(disk: Disk) -> Store {
        let db = Database::builder().create_with_backend(disk).unwrap();
        Store::with_tables(db).unwrap()
    }

    fn id(text: &str) -> Id {
        text.to_owned().try_into().unwrap()
    }

    fn concept(name: &str, text: &str) -> Concept {
        Concept {
            id: id(name),
            text: text.into(),
            metadata: Map::new(),
        }
    }

    fn link_of(source: &str, target: &str) -> Association {
        association(source.into(), target.into(), "is_a".into(), 0.5).unwrap()
    }

    fn store_with(names: &[&str]) -> Store {
        let store = store_on(Disk::default());
        for name in names {
            store.put_concept(&concept(name, "text")).unwrap();
        }
        store
    }

    #[test]
    fn a_concept_comes_back_as_it_was_put() {
        let store = store_with(&[]);
        let mut cat = concept("cat", "");
        cat.metadata.insert("legs".into(), Value::from(4));
        assert_eq!(store.put_concept(&cat).unwrap(), Written::Created);
        assert_eq!(store.put_concept(&cat).unwrap(), Written::Replaced);
        assert_eq!(store.concept(&id("cat")).unwrap(), cat);
    }

    #[test]
    fn pages_follow_each_other() {
        let store = store_with(&["a", "b", "c"]);
        let first = store.concepts(None, 2).unwrap();
        assert_eq!(first.concepts.len(), 2);
        assert_eq!(first.next, Some(id("b")));
        let second = store.concepts(first.next.as_ref(), 2).unwrap();
        assert_eq!(second.concepts, [concept("c", "text")]);
        assert_eq!(second.next, None);
    }

    #[test]
    fn a_full_last_page_has_no_next() {
        let store = store_with(&["a", "b"]);
        assert_eq!(store.concepts(None, 2).unwrap().next, None);
    }

    #[test]
    fn a_page_ends_at_its_bytes() {
        let store = store_with(&[]);
        let text = "x".repeat(MAX_PAGE / 2);
        for name in ["a", "b", "c"] {
            store.put_concept(&concept(name, &text)).unwrap();
        }
        let page = store.concepts(None, 100).unwrap();
        assert_eq!(page.concepts.len(), 2);
        assert_eq!(page.next, Some(id("b")));
    }

    #[test]
    fn associations_are_found_from_both_ends() {
        let store = store_with(&["a", "b"]);
        let link = link_of("a", "b");
        assert_eq!(store.put_association(&link).unwrap(), Written::Created);
        assert_eq!(store.put_association(&link).unwrap(), Written::Replaced);
        for end in ["a", "b"] {
            assert_eq!(store.associations(&id(end)).unwrap(), [link_of("a", "b")]);
        }
    }

    #[test]
    fn an_association_to_itself_comes_once() {
        let store = store_with(&["a"]);
        store.put_association(&link_of("a", "a")).unwrap();
        assert_eq!(store.associations(&id("a")).unwrap(), [link_of("a", "a")]);
    }

    #[test]
    fn an_id_that_starts_like_another_is_not_it() {
        let store = store_with(&["a", "ab", "a b", "b"]);
        store.put_association(&link_of("ab", "b")).unwrap();
        store.put_association(&link_of("a b", "b")).unwrap();
        assert_eq!(store.associations(&id("a")).unwrap(), []);
    }

    #[test]
    fn deleting_a_concept_removes_its_associations() {
        let store = store_with(&["a", "b", "c"]);
        for (source, target) in [("a", "b"), ("b", "a"), ("a", "a"), ("b", "c")] {
            store.put_association(&link_of(source, target)).unwrap();
        }
        store.delete_concept(&id("a")).unwrap();
        let left = Counts {
            concepts: 2,
            associations: 1,
        };
        assert_eq!(store.counts().unwrap(), left);
        assert_eq!(store.associations(&id("b")).unwrap(), [link_of("b", "c")]);
        assert_eq!(store.associations(&id("c")).unwrap(), [link_of("b", "c")]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let store = store_with(&["a"]);
        let said = |error: StoreError| error.to_string();
        let missing = "no concept \"b\"";
        assert_eq!(said(store.concept(&id("b")).unwrap_err()), missing);
        assert_eq!(said(store.delete_concept(&id("b")).unwrap_err()), missing);
        assert_eq!(said(store.associations(&id("b")).unwrap_err()), missing);
        for link in [link_of("a", "b"), link_of("b", "a")] {
            assert_eq!(said(store.put_association(&link).unwrap_err()), missing);
        }
        assert!(!store.has_failed());
    }

    #[test]
    fn a_broken_disk_fails_the_write_and_is_remembered() {
        let disk = Disk::default();
        let broken = disk.broken.clone();
        let store = store_on(disk);
        broken.store(true, Ordering::Relaxed);
        assert!(matches!(
            store.put_concept(&concept("a", "text")),
            Err(StoreError::Redb(_))
        ));
        assert!(store.has_failed());
    }
}
