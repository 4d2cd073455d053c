//! The place where data is stored: a log of this server, or a database.

use std::sync::Arc;

use crate::limits::held;
use crate::model::{Association, Id, Stats};
#[cfg(feature = "postgres")]
use crate::postgres::Postgres;
use crate::snapshot::Snapshot;
use crate::store::op::Op;
use crate::store::{After, Json, Page, Store, StoreError, Written};

/// An open store.
#[derive(Clone)]
pub enum Backend {
    Log(Arc<Store>),
    #[cfg(feature = "postgres")]
    Postgres(Arc<Postgres>),
}

impl Backend {
    /// Makes changes in order, each wholly or not at all, and returns once they are on disk.
    ///
    /// # Errors
    /// The outer error means that no change was looked at.
    pub async fn write(
        &self,
        ops: Vec<Op>,
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        match self {
            Self::Log(store) => store.write(ops, held()).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.write(ops, held()).await,
        }
    }

    /// As [`Backend::write`], one change.
    ///
    /// # Errors
    /// Returns why the change was not made.
    pub async fn write_one(&self, op: Op) -> Result<Written, StoreError> {
        let mut done = self.write(vec![op]).await?;
        done.pop().unwrap_or(Err(StoreError::Stopping))
    }

    /// # Errors
    /// [`StoreError::NoConcept`], or the concept cannot be read.
    pub async fn concept(&self, id: &Id) -> Result<Json, StoreError> {
        match self {
            // This is one read, usually from the page cache: starting a thread would take longer.
            Self::Log(store) => store.concept(id),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.concept(id).await,
        }
    }

    /// Returns at most `limit` concepts whose id starts with `prefix`, in the order of their ids'
    /// bytes.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn concepts(
        &self,
        prefix: String,
        after: Option<Id>,
        limit: usize,
    ) -> Result<Page<Json>, StoreError> {
        match self {
            Self::Log(store) => {
                let store = store.clone();
                blocking(move || store.concepts(&prefix, after.as_ref().map(Id::as_str), limit))
                    .await
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => {
                let after = after.as_ref().map(Id::as_str);
                database.concepts(&prefix, after, limit).await
            }
        }
    }

    /// Returns at most `limit` associations in the order of source, target and kind.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn associations(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<Association>, StoreError> {
        match self {
            Self::Log(store) => {
                let store = store.clone();
                blocking(move || store.associations(after.as_deref(), limit)).await
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.associations(after.as_deref(), limit).await,
        }
    }

    /// Returns the associations from `id`, then those to it.
    ///
    /// # Errors
    /// [`StoreError::NoConcept`], or the store cannot be read.
    pub async fn associations_of(
        &self,
        id: Id,
        after: Option<After>,
        limit: usize,
    ) -> Result<Page<Association>, StoreError> {
        match self {
            Self::Log(store) => {
                let store = store.clone();
                blocking(move || store.associations_of(&id, after.as_ref(), limit)).await
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.associations_of(&id, after.as_ref(), limit).await,
        }
    }

    /// Returns the size of the store.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        match self {
            Self::Log(store) => Ok(store.stats()),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.stats().await,
        }
    }

    /// Returns everything that is on disk now; `None` for a database, which has tools for that.
    pub fn snapshot(&self) -> Option<Snapshot> {
        match self {
            Self::Log(store) => Some(store.snapshot()),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }

    /// Returns whether only a restart helps.
    pub fn has_failed(&self) -> bool {
        match self {
            Self::Log(store) => store.has_failed(),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => false,
        }
    }

    /// Checks that requests can be answered now.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Log(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.stats().await.map(|_| ()),
        }
    }

    /// Writes everything that is waiting. Async code must not call this.
    pub fn close(&self) {
        match self {
            Self::Log(store) => store.close(),
            // The database undoes writes that were not acknowledged.
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {}
        }
    }
}

/// Runs a call of the store on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    // An error means that the runtime is stopping, and never started the call.
    done.unwrap_or(Err(StoreError::Stopping))
}
