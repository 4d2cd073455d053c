//! The stores that are compared, each with one durable way to write and one to read.

use std::path::Path;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

use rusqlite::{params, Connection, OptionalExtension};
use sutra_storage::memory::Room;
use sutra_storage::metrics::Metrics;
use sutra_storage::store::op::Op;
use sutra_storage::store::Store;

/// The names of the stores; `log` is the one in use. For those that end in `+group`, the same
/// thread puts all waiting writes into one transaction.
pub const NAMES: [&str; 6] = [
    "log",
    "redb",
    "redb+group",
    "fjall+group",
    "sqlite",
    "sqlite+group",
];

type Pair = (String, Vec<u8>);

pub trait Engine: Send + Sync {
    /// Writes, and returns once all concepts are on disk.
    fn put_all(&self, pairs: Vec<Pair>);
    fn get(&self, id: &str) -> Option<Vec<u8>>;

    /// Writes, and returns once the concept is on disk.
    fn put(&self, id: String, value: Vec<u8>) {
        self.put_all(vec![(id, value)]);
    }
}

pub fn open(name: &str, folder: &Path) -> Box<dyn Engine> {
    match name {
        "log" => Box::new(Log::open(folder)),
        "redb" => Box::new(Redb::open(folder)),
        "redb+group" => Box::new(Grouped::new(Redb::open(folder))),
        "fjall+group" => Box::new(Grouped::new(Fjall::open(folder))),
        "sqlite" => Box::new(Sqlite::open(folder)),
        "sqlite+group" => Box::new(Grouped::new(Sqlite::open(folder))),
        other => panic!("no store {other}"),
    }
}

struct Log(Store);

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
}

impl Log {
    fn open(folder: &Path) -> Self {
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        Self(
            Store::open(folder, Room::UNBOUNDED, metrics).unwrap_or_else(|error| panic!("{error}")),
        )
    }
}

impl Engine for Log {
    fn put_all(&self, pairs: Vec<Pair>) {
        let op = |(id, value): Pair| Op::PutConcept(id.try_into().expect("an id"), value.into());
        let ops = pairs.into_iter().map(op).collect();
        let done = RUNTIME.with(|runtime| runtime.block_on(self.0.write(ops, None)));
        assert!(done.expect("written").iter().all(Result::is_ok));
    }

    fn get(&self, id: &str) -> Option<Vec<u8>> {
        self.0
            .concept(&id.to_owned().try_into().expect("an id"))
            .ok()
    }
}

struct Redb(redb::Database);

const TABLE: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("concepts");

impl Redb {
    fn open(folder: &Path) -> Self {
        let mut builder = redb::Database::builder();
        let builder = builder.set_cache_size(64 * 1024 * 1024);
        let db = builder.create(folder.join("store.redb")).expect("redb");
        Self(db)
    }
}

impl Engine for Redb {
    fn put_all(&self, pairs: Vec<Pair>) {
        let write = self.0.begin_write().expect("redb");
        {
            let mut table = write.open_table(TABLE).expect("redb");
            for (id, value) in &pairs {
                table.insert(id.as_str(), value.as_slice()).expect("redb");
            }
        }
        write.commit().expect("redb");
    }

    fn get(&self, id: &str) -> Option<Vec<u8>> {
        let table = self
            .0
            .begin_read()
            .expect("redb")
            .open_table(TABLE)
            .expect("redb");
        let value = table.get(id).expect("redb")?;
        Some(value.value().to_vec())
    }
}

struct Fjall(fjall::Keyspace, fjall::PartitionHandle);

impl Fjall {
    fn open(folder: &Path) -> Self {
        let keyspace = fjall::Config::new(folder).open().expect("fjall");
        let options = fjall::PartitionCreateOptions::default();
        let partition = keyspace.open_partition("concepts", options).expect("fjall");
        Self(keyspace, partition)
    }
}

impl Engine for Fjall {
    fn put_all(&self, pairs: Vec<Pair>) {
        let mut batch = self
            .0
            .batch()
            .durability(Some(fjall::PersistMode::SyncData));
        for (id, value) in pairs {
            batch.insert(&self.1, id, value);
        }
        batch.commit().expect("fjall");
    }

    fn get(&self, id: &str) -> Option<Vec<u8>> {
        Some(self.1.get(id).expect("fjall")?.to_vec())
    }
}

/// SQLite in WAL mode with `synchronous=FULL`: one connection writes, and each thread that reads
/// has its own.
struct Sqlite {
    path: std::path::PathBuf,
    writer: Mutex<Connection>,
}

thread_local! {
    static READER: std::cell::RefCell<Option<Connection>> = const { std::cell::RefCell::new(None) };
}

impl Sqlite {
    fn open(folder: &Path) -> Self {
        let path = folder.join("store.sqlite");
        let writer = Connection::open(&path).expect("sqlite");
        writer
            .pragma_update(None, "journal_mode", "WAL")
            .expect("sqlite");
        writer
            .pragma_update(None, "synchronous", "FULL")
            .expect("sqlite");
        let table =
            "CREATE TABLE IF NOT EXISTS concepts (id TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID";
        writer.execute(table, ()).expect("sqlite");
        let writer = Mutex::new(writer);
        Self { path, writer }
    }
}

impl Engine for Sqlite {
    fn put_all(&self, pairs: Vec<Pair>) {
        let mut writer = self.writer.lock().expect("sqlite");
        let write = writer.transaction().expect("sqlite");
        {
            let insert = "INSERT OR REPLACE INTO concepts VALUES (?, ?)";
            let mut insert = write.prepare_cached(insert).expect("sqlite");
            for (id, value) in &pairs {
                insert.execute(params![id, value]).expect("sqlite");
            }
        }
        write.commit().expect("sqlite");
    }

    fn get(&self, id: &str) -> Option<Vec<u8>> {
        READER.with_borrow_mut(|reader| {
            let reader =
                reader.get_or_insert_with(|| Connection::open(&self.path).expect("sqlite"));
            let select = "SELECT value FROM concepts WHERE id = ?";
            let mut select = reader.prepare_cached(select).expect("sqlite");
            select
                .query_row([id], |row| row.get(0))
                .optional()
                .expect("sqlite")
        })
    }
}

/// A thread that puts all waiting writes into one transaction of the store.
struct Grouped<E> {
    engine: Arc<E>,
    jobs: mpsc::Sender<(Vec<Pair>, mpsc::Sender<()>)>,
}

impl<E: Engine + 'static> Grouped<E> {
    fn new(engine: E) -> Self {
        let engine = Arc::new(engine);
        let (jobs, queue) = mpsc::channel::<(Vec<Pair>, mpsc::Sender<()>)>();
        let writer = engine.clone();
        thread::spawn(move || {
            while let Ok((mut pairs, reply)) = queue.recv() {
                let mut replies = vec![reply];
                while let Ok((more, reply)) = queue.try_recv() {
                    pairs.extend(more);
                    replies.push(reply);
                }
                writer.put_all(pairs);
                for reply in replies {
                    let _ = reply.send(());
                }
            }
        });
        Self { engine, jobs }
    }
}

impl<E: Engine> Engine for Grouped<E> {
    fn put_all(&self, pairs: Vec<Pair>) {
        let (reply, done) = mpsc::channel();
        self.jobs.send((pairs, reply)).expect("the writer");
        done.recv().expect("the writer");
    }

    fn get(&self, id: &str) -> Option<Vec<u8>> {
        self.engine.get(id)
    }
}
