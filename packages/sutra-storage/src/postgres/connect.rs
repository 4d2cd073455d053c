//! Connects to the database: reads its URL, keeps a pool, makes the tables.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use super::{Postgres, VERSION};
use crate::config::{StartError, POSTGRES_URL_FILE};
use crate::metrics::Metrics;

/// The connections of one server, the writer's included.
const CONNECTIONS: usize = 16;
/// The longest time to connect, and to wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE SCHEMA IF NOT EXISTS sutra;
CREATE TABLE IF NOT EXISTS sutra.store (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  version integer NOT NULL,
  revision bigint NOT NULL DEFAULT 0,
  concepts bigint NOT NULL DEFAULT 0,
  associations bigint NOT NULL DEFAULT 0,
  -- the log that is being copied into these tables, and how far
  log text,
  after_concept bytea,
  after_association bytea
);
CREATE TABLE IF NOT EXISTS sutra.concepts (id bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE IF NOT EXISTS sutra.associations (
  source bytea, target bytea, kind bytea, weight double precision NOT NULL,
  PRIMARY KEY (source, target, kind)
);
CREATE INDEX IF NOT EXISTS associations_by_target
  ON sutra.associations (target, source, kind);
";
/// The id of the lock under which servers that start together make the tables one after the other;
/// any number will do.
const LOCK: i64 = 0x5375_7472_6100;

/// Opens the database whose URL is in `file`, and makes its tables if they are missing. Must
/// be called within a runtime.
///
/// # Errors
/// The file cannot be used, the database cannot be reached, or its tables belong to another version
/// or are still being filled.
pub async fn open(file: &Path, metrics: Arc<Metrics>) -> Result<Postgres, StartError> {
    let (pool, log) = connect(file).await?;
    match log {
        None => Ok(Postgres::new(pool, metrics)),
        Some(_) => Err(StartError::new(
            format!("{POSTGRES_URL_FILE}: a log is being copied into the database of {file:?}"),
            "run storage_server_simple migrate again until it says that every row was compared",
        )),
    }
}

/// Connects, and makes missing tables. Also returns which log is being copied into them, if any.
///
/// # Errors
/// As [`open`].
pub async fn connect(file: &Path) -> Result<(Pool, Option<String>), StartError> {
    let config = read(file)?;
    let manager = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(TIMEOUT))
        .create_timeout(Some(TIMEOUT))
        .build()
        .map_err(|error| cannot(file, &error))?;
    let client = pool.get().await.map_err(|error| cannot(file, &error))?;
    let log = prepare(&client, file).await?;
    drop(client);
    Ok((pool, log))
}

/// Reads the URL; no message shows any part of it.
fn read(file: &Path) -> Result<Config, StartError> {
    let unreadable = |error| {
        StartError::new(
            format!("{POSTGRES_URL_FILE}: cannot read {file:?}: {error}"),
            "name a file with postgres://USER:PASSWORD@HOST/NAME that this user may read",
        )
    };
    let mode = fs::metadata(file).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(StartError::new(
            format!("{POSTGRES_URL_FILE}: others may read it, mode {mode:03o} {file:?}"),
            format!("chmod o= {}", file.display()),
        ));
    }
    let text = fs::read_to_string(file).map_err(unreadable)?;
    let config: Option<Config> = text.trim_end().parse().ok();
    let config = config.filter(|config| !config.get_hosts().is_empty());
    let config = config.ok_or_else(|| {
        StartError::new(
            format!("{POSTGRES_URL_FILE}: not a URL of a database in {file:?}"),
            "write postgres://USER:PASSWORD@HOST:PORT/NAME, special characters percent-encoded",
        )
    });
    with_bounds(config?, file)
}

fn with_bounds(mut config: Config, file: &Path) -> Result<Config, StartError> {
    if config.get_ssl_mode() == SslMode::Require {
        return Err(StartError::new(
            format!("{POSTGRES_URL_FILE}: sslmode=require, which this program cannot do {file:?}"),
            "encrypt the way to it (a sidecar such as stunnel, or a private network), sslmode=disable",
        ));
    }
    config.application_name("sutra-storage");
    config.connect_timeout(TIMEOUT);
    // In milliseconds.
    config.options(format!("-c statement_timeout={}", TIMEOUT.as_millis()));
    Ok(config)
}

async fn prepare(client: &Client, file: &Path) -> Result<Option<String>, StartError> {
    let failed = |error: tokio_postgres::Error| cannot(file, &error);
    let locked = format!(
        "BEGIN; SELECT pg_advisory_xact_lock({LOCK}); {TABLES}
         INSERT INTO sutra.store (version) VALUES ({VERSION}) ON CONFLICT DO NOTHING; COMMIT;"
    );
    let exists = client
        .query_one("SELECT to_regclass('sutra.store') IS NOT NULL", &[])
        .await
        .map_err(failed)?;
    if !exists.get::<_, bool>(0) {
        client.batch_execute(&locked).await.map_err(failed)?;
    }
    let row = client
        .query_one(
            "SELECT version, to_jsonb(s)->>'log' FROM sutra.store s",
            &[],
        )
        .await
        .map_err(failed)?;
    match row.get(0) {
        VERSION => Ok(row.get(1)),
        other => Err(StartError::new(
            format!(
                "{POSTGRES_URL_FILE}: tables of version {other}, this program knows {VERSION} \
                 {file:?}"
            ),
            "run the version of sutra-storage that made them, or name another database",
        )),
    }
}

/// Returns the one-line error for a database that cannot be used.
pub fn cannot(file: &Path, error: &(dyn Error + 'static)) -> StartError {
    let why = cause(error);
    let tip = match database_error(error) {
        Some(code) if *code == SqlState::INVALID_PASSWORD => "write the right user and password",
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => "create it first: createdb NAME",
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            "let the user create a schema: GRANT CREATE ON DATABASE NAME TO USER"
        }
        _ => "start the database, and write the host and port at which it listens",
    };
    StartError::new(
        format!("{POSTGRES_URL_FILE}: cannot use the database of {file:?}: {why}"),
        tip,
    )
}

fn database_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a SqlState> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(code) = error
            .downcast_ref::<tokio_postgres::Error>()
            .and_then(tokio_postgres::Error::code)
        {
            return Some(code);
        }
        next = error.source();
    }
    None
}

/// Returns the innermost reason, in one line.
pub fn cause(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string().replace('\n', " ")
}
