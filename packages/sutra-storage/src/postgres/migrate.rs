//! `storage_server_simple migrate`: copies a log into an empty database, then compares every row.
//!
//! Each page is written in one transaction with the place that it reaches, so an interrupted copy
//! continues there. The row in `sutra.store` names the log until every row is compared; until then
//! no server uses the tables.

use std::path::Path;
use std::sync::Arc;

use deadpool_postgres::{Object, Pool};
use serde::Deserialize;
use tokio_postgres::Error;

use super::write::{columns, put_associations, put_concepts};
use super::{connect, Postgres};
use crate::config::{StartError, POSTGRES_URL_FILE};
use crate::memory::Room;
use crate::metrics::Metrics;
use crate::model::{Association, Stats};
use crate::store::op::Key;
use crate::store::{Page, Store, StoreError};

/// The number of rows in a page.
const PAGE: usize = 1000;

#[derive(Deserialize)]
struct Named {
    id: String,
}

struct Migration<'a> {
    store: &'a Store,
    stats: Stats,
    pool: Pool,
    file: &'a Path,
}

/// Copies the log in `folder` into the database whose URL is in `file`, and compares every row.
/// Returns what it did in one line.
///
/// # Errors
/// The log or the database cannot be used, the database holds something else, or a row differs.
pub async fn migrate(folder: &Path, file: &Path) -> Result<String, StartError> {
    let (pool, log) = connect::connect(file).await?;
    let metrics =
        Metrics::new().map_err(|error| StartError::new(error.to_string(), "report it"))?;
    let store = Store::open(folder, Room::UNBOUNDED, Arc::new(metrics))?;
    let stats = store.stats();
    let migration = Migration {
        store: &store,
        stats,
        pool,
        file,
    };
    let done = migration.run(log).await;
    // Blocking is fine: nothing else runs.
    tokio::task::block_in_place(|| store.close());
    let Stats {
        concepts,
        associations,
        ..
    } = migration.stats;
    done.map(|()| {
        format!(
            "copied {concepts} concepts and {associations} associations of {folder:?}, \
             every row compared"
        )
    })
}

impl Migration<'_> {
    async fn run(&self, log: Option<String>) -> Result<(), StartError> {
        self.begin(log).await?;
        self.copy_concepts().await?;
        self.copy_associations().await?;
        self.compare().await?;
        self.end().await
    }

    /// Identifies the log. It is locked during a run, but may change between two runs.
    fn name(&self) -> String {
        let Stats {
            concepts,
            associations,
            revision,
            ..
        } = self.stats;
        format!("revision {revision}, {concepts} concepts, {associations} associations")
    }

    async fn begin(&self, log: Option<String>) -> Result<(), StartError> {
        match log {
            Some(log) if log == self.name() => return Ok(()),
            Some(log) => {
                return Err(self.refused(
                    &format!("another log is being copied into it ({log})"),
                    "finish that first, or name an empty database",
                ))
            }
            None => {}
        }
        let client = self.client().await?;
        let taken = client
            .execute(
                "UPDATE sutra.store SET log = $1, after_concept = '', after_association = ''
             WHERE log IS NULL AND revision = 0
               AND NOT EXISTS (SELECT FROM sutra.concepts)",
                &[&self.name()],
            )
            .await;
        match taken.map_err(|error| self.failed(&error))? {
            1 => Ok(()),
            _ => Err(self.refused("it is not empty", "name an empty database")),
        }
    }

    async fn copy_concepts(&self) -> Result<(), StartError> {
        let mut after = self.reached("after_concept").await?;
        loop {
            let page = self.concepts(&after)?;
            let ids = self.ids(&page)?;
            let Some(last) = ids.last() else {
                return Ok(());
            };
            let columns: Vec<_> = ids.iter().map(|id| id.as_bytes()).collect();
            let values: Vec<_> = page.items.iter().map(Vec::as_slice).collect();
            let mut client = self.client().await?;
            let copied = async {
                let transaction = client.transaction().await?;
                put_concepts(&transaction, &columns, &values).await?;
                let query = "UPDATE sutra.store SET after_concept = $1";
                transaction.execute(query, &[&last.as_bytes()]).await?;
                transaction.commit().await
            };
            copied.await.map_err(|error| self.failed(&error))?;
            after.clone_from(last);
        }
    }

    async fn copy_associations(&self) -> Result<(), StartError> {
        let mut after = self.reached("after_association").await?;
        loop {
            let page = self.associations(&after)?;
            let Some(last) = page.items.last() else {
                return Ok(());
            };
            let last = Key::from(last).outgoing();
            let mut client = self.client().await?;
            let copied = async {
                let transaction = client.transaction().await?;
                put_page(&transaction, &page.items).await?;
                let query = "UPDATE sutra.store SET after_association = $1";
                transaction.execute(query, &[&last.as_bytes()]).await?;
                transaction.commit().await
            };
            copied.await.map_err(|error| self.failed(&error))?;
            after = last;
        }
    }

    /// Reads log and database from their start, page by page.
    async fn compare(&self) -> Result<(), StartError> {
        let metrics = Metrics::new();
        let metrics = metrics.map_err(|error| StartError::new(error.to_string(), "report it"))?;
        let database = Postgres::new(self.pool.clone(), Arc::new(metrics));
        let mut after = String::new();
        loop {
            let ours = self.concepts(&after)?;
            let theirs = database.concepts("", some(&after), PAGE).await;
            self.same(&ours, &theirs, &after, "concepts")?;
            match ours.next {
                Some(next) => after = next,
                None => break,
            }
        }
        after.clear();
        loop {
            let ours = self.associations(&after)?;
            let theirs = database.associations(some(&after), PAGE).await;
            self.same(&ours, &theirs, &after, "associations")?;
            match ours.next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }

    fn same<T: PartialEq>(
        &self,
        ours: &Page<T>,
        theirs: &Result<Page<T>, StoreError>,
        after: &str,
        what: &str,
    ) -> Result<(), StartError> {
        match theirs {
            Ok(theirs) if theirs == ours => Ok(()),
            Ok(_) => Err(self.refused(
                &format!("the {what} after {after:?} are not those of the log"),
                "something else wrote to it: name an empty database",
            )),
            Err(error) => Err(self.refused(&error.to_string(), "run it again")),
        }
    }

    async fn end(&self) -> Result<(), StartError> {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let query = "
            UPDATE sutra.store SET log = NULL, after_concept = NULL, after_association = NULL,
                                   revision = $1, concepts = $2, associations = $3";
        let Stats {
            revision,
            concepts,
            associations,
            ..
        } = self.stats;
        let values = [count(revision), count(concepts), count(associations)];
        let [revision, concepts, associations] = &values;
        let ended = client
            .execute(query, &[revision, concepts, associations])
            .await;
        ended.map(|_| ()).map_err(|error| self.failed(&error))
    }

    async fn reached(&self, column: &str) -> Result<String, StartError> {
        let client = self.client().await?;
        let query = format!("SELECT coalesce({column}, '') FROM sutra.store");
        let row = client.query_one(&query, &[]).await;
        let row = row.map_err(|error| self.failed(&error))?;
        Ok(String::from_utf8_lossy(row.get(0)).into_owned())
    }

    fn concepts(&self, after: &str) -> Result<Page<Vec<u8>>, StartError> {
        let page = self.store.concepts("", some(after), PAGE);
        page.map_err(|error| unreadable(&error))
    }

    fn associations(&self, after: &str) -> Result<Page<Association>, StartError> {
        let page = self.store.associations(some(after), PAGE);
        page.map_err(|error| unreadable(&error))
    }

    fn ids(&self, page: &Page<Vec<u8>>) -> Result<Vec<String>, StartError> {
        let id = |json: &Vec<u8>| serde_json::from_slice::<Named>(json).map(|named| named.id);
        let ids: Result<_, _> = page.items.iter().map(id).collect();
        ids.map_err(|error| self.refused(&format!("a concept of the log: {error}"), "report it"))
    }

    async fn client(&self) -> Result<Object, StartError> {
        let client = self.pool.get().await;
        client.map_err(|error| connect::cannot(self.file, &error))
    }

    fn failed(&self, error: &Error) -> StartError {
        connect::cannot(self.file, error)
    }

    fn refused(&self, why: &str, tip: &str) -> StartError {
        StartError::new(
            format!(
                "{POSTGRES_URL_FILE}: the database of {:?}: {why}",
                self.file
            ),
            tip,
        )
    }
}

fn some(after: &str) -> Option<&str> {
    (!after.is_empty()).then_some(after)
}

fn unreadable(error: &StoreError) -> StartError {
    StartError::data(
        format_args!("cannot read the log: {error}"),
        "restore a snapshot of it",
    )
}

async fn put_page(
    transaction: &deadpool_postgres::Transaction<'_>,
    items: &[Association],
) -> Result<(), Error> {
    let keys: Vec<_> = items
        .iter()
        .map(|item| Key::from(item).outgoing())
        .collect();
    let weights: Vec<_> = items.iter().map(|item| item.weight.get()).collect();
    put_associations(transaction, &columns(&keys), &weights).await
}
