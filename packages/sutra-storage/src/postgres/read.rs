//! Reads concepts and associations from the database.

use std::fmt::Write;

use tokio_postgres::types::ToSql;
use tokio_postgres::Row;

use super::{no_answer, Postgres};
use crate::model::{Association, Id};
use crate::store::op::Key;
use crate::store::{page, After, Json, Page, StoreError, MAX_PAGE};

/// A row past the end of the page has no value: it only shows that more follow.
const CONCEPTS: &str = "
SELECT id, CASE WHEN before < $4::bigint AND number <= $3::bigint THEN value END FROM (
  SELECT id, value, row_number() OVER w AS number,
         sum(octet_length(value)) OVER w - octet_length(value) AS before
  FROM (SELECT id, value FROM sutra.concepts WHERE id >= $1 AND id < $2
        ORDER BY id LIMIT $3::bigint + 1) AS few
  WINDOW w AS (ORDER BY id)
) AS counted ORDER BY id";
const ASSOCIATIONS: &str = "
SELECT source, target, kind, weight FROM sutra.associations
WHERE (source, target, kind) > ($1, $2, $3) ORDER BY source, target, kind LIMIT $4";
const OUTGOING: &str = "
SELECT source, target, kind, weight FROM sutra.associations
WHERE source = $1 AND (target, kind) > ($2, $3) ORDER BY target, kind LIMIT $4";
/// Leaves out associations from a concept to itself: the outgoing ones have them.
const INCOMING: &str = "
SELECT source, target, kind, weight FROM sutra.associations
WHERE target = $1 AND source <> $1 AND (source, kind) > ($2, $3) ORDER BY source, kind LIMIT $4";

impl Postgres {
    /// # Errors
    /// [`StoreError::NoConcept`], [`StoreError::NoAnswer`]
    pub async fn concept(&self, id: &Id) -> Result<Json, StoreError> {
        let rows = self
            .rows(
                "SELECT value FROM sutra.concepts WHERE id = $1",
                &[&bytes(id)],
            )
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| StoreError::NoConcept(id.clone()))?;
        Ok(row.get(0))
    }

    /// As `Store::concepts`.
    ///
    /// # Errors
    /// [`StoreError::NoAnswer`]
    pub async fn concepts(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Json>, StoreError> {
        let start = match after {
            // The least text after `after` is `after` with a NUL byte.
            Some(after) if after >= prefix => [after.as_bytes(), b"\0"].concat(),
            _ => prefix.into(),
        };
        let rows = self
            .rows(
                CONCEPTS,
                &[&start, &end_of(prefix), &(limit as i64), &(MAX_PAGE as i64)],
            )
            .await?;
        let mut items = Vec::new();
        let mut last = None;
        for row in &rows {
            match row.get::<_, Option<Json>>(1) {
                Some(value) => items.push(value),
                None => return Ok(Page { items, next: last }),
            }
            last = Some(text(row, 0));
        }
        Ok(Page { items, next: None })
    }

    /// As `Store::associations`.
    ///
    /// # Errors
    /// [`StoreError::NoAnswer`]
    pub async fn associations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Association>, StoreError> {
        let [source, target, kind] = parts(after);
        let most = limit as i64 + 1;
        let rows = self
            .rows(ASSOCIATIONS, &[&source, &target, &kind, &most])
            .await?;
        let associations: Vec<_> = rows.iter().filter_map(association).collect();
        let keys: Vec<_> = associations
            .iter()
            .map(|association| Key::from(association).outgoing())
            .collect();
        let sized = keys.iter().zip(associations);
        let (items, next) = page(
            sized.map(|(key, association)| (key.len(), key.as_str(), association)),
            limit,
        );
        Ok(Page { items, next })
    }

    /// As `Store::associations_of`.
    ///
    /// # Errors
    /// [`StoreError::NoConcept`], [`StoreError::NoAnswer`]
    pub async fn associations_of(
        &self,
        id: &Id,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Page<Association>, StoreError> {
        self.concept(id).await?;
        let most = limit + 1;
        let mut items = Vec::new();
        let start = match after {
            Some(After::Incoming(key)) => Some(key.as_str()),
            Some(After::Outgoing(key)) => {
                items = self.side(OUTGOING, id, Some(key), most).await?;
                None
            }
            None => {
                items = self.side(OUTGOING, id, None, most).await?;
                None
            }
        };
        let outgoing = items.len();
        if outgoing < most {
            items.extend(self.side(INCOMING, id, start, most - outgoing).await?);
        }
        let next = (items.len() == most).then(|| cursor(&items[limit - 1], limit <= outgoing));
        items.truncate(limit);
        Ok(Page { items, next })
    }

    async fn side(
        &self,
        query: &str,
        id: &Id,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<Association>, StoreError> {
        let [_, far, kind] = parts(after);
        let rows = self
            .rows(query, &[&bytes(id), &far, &kind, &(most as i64)])
            .await?;
        Ok(rows.iter().filter_map(association).collect())
    }

    pub(super) async fn rows(
        &self,
        query: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(query).await.map_err(no_answer)?;
        client.query(&statement, values).await.map_err(no_answer)
    }
}

fn bytes(id: &Id) -> &[u8] {
    id.as_str().as_bytes()
}

/// Returns the least bytes after every text with this prefix. UTF-8 never holds the byte 255.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    match end.last_mut() {
        Some(last) => *last += 1,
        None => end.push(0xff),
    }
    end
}

/// Returns the three parts of a key as bytes; without a key empty ones, which sort first.
pub(super) fn parts(key: Option<&str>) -> [&[u8]; 3] {
    let mut parts = key.unwrap_or_default().split('\t').map(str::as_bytes);
    [(); 3].map(|()| parts.next().unwrap_or_default())
}

fn text(row: &Row, column: usize) -> String {
    String::from_utf8_lossy(row.get(column)).into_owned()
}

/// Returns `None` only for a row that another program wrote.
fn association(row: &Row) -> Option<Association> {
    Some(Association {
        source: text(row, 0).try_into().ok()?,
        target: text(row, 1).try_into().ok()?,
        kind: text(row, 2).try_into().ok()?,
        weight: row.get::<_, f64>(3).try_into().ok()?,
    })
}

fn cursor(last: &Association, is_outgoing: bool) -> String {
    let key = Key::from(last);
    let mut cursor = String::new();
    let _ = match is_outgoing {
        true => write!(cursor, "out\t{}", key.outgoing()),
        false => write!(cursor, "in\t{}", key.incoming()),
    };
    cursor
}
