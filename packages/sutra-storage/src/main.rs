//! `storage_server_simple`: a small durable knowledge store over HTTP and JSON.
//!
//! Exit codes: 0 success, 1 the health check failed, 2 the arguments or the environment are wrong.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tracing::level_filters::LevelFilter;

use sutra_storage::backend::Backend;
use sutra_storage::config::{self, Command, Config, StartError, Where};
use sutra_storage::http::{App, Bounds};
use sutra_storage::metrics::Metrics;
use sutra_storage::serve::Signals;
use sutra_storage::store::{self, Store};
use sutra_storage::{allocator, healthcheck, http, serve, token};

#[cfg(any(target_env = "musl", sutra_mimalloc))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The number of threads that wait for the disk.
const READERS: usize = 16;
const VERSION: &str = concat!("storage_server_simple ", env!("CARGO_PKG_VERSION"), "\n");

fn main() -> ExitCode {
    allocator::give_back_at_once();
    let done = match config::command(std::env::args_os().skip(1)) {
        Ok(Command::Serve) => run(),
        Ok(Command::Restore(file)) => restore(&file),
        Ok(Command::Key(file)) => make_key(&file),
        Ok(Command::Migrate) => migrate(),
        Ok(Command::Healthcheck) => return healthcheck(),
        Ok(Command::Version) => say(VERSION),
        Ok(Command::Help) => say(config::HELP),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string(), 2),
    }
}

/// Serves until SIGTERM or SIGINT.
fn run() -> Result<(), StartError> {
    let config = Config::from_env(|name| std::env::var_os(name))?;
    start_log(config.log);
    let metrics =
        Metrics::new().map_err(|error| StartError::new(error.to_string(), "report it"))?;
    let metrics = Arc::new(metrics);
    let runtime = runtime()?;
    let store = open(&config, &runtime, &metrics)?;
    let served = runtime.block_on(listen(&config, store.clone(), metrics));
    // Reads that still run are abandoned.
    runtime.shutdown_background();
    store.close();
    served.map_err(|error| StartError::cannot_listen(config.addr, &error))?;
    tracing::info!("stopped");
    Ok(())
}

fn runtime() -> Result<Runtime, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Each thread may build a page, so their number bounds the memory.
        .max_blocking_threads(READERS)
        .build();
    runtime.map_err(|error| {
        StartError::new(
            format!("storage_server_simple: cannot start threads: {error}"),
            "allow this user or container more processes",
        )
    })
}

// The log needs no runtime to be opened; a database does.
#[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
fn open(config: &Config, runtime: &Runtime, metrics: &Arc<Metrics>) -> Result<Backend, StartError> {
    match &config.backend {
        Where::Log => {
            let store = Store::open(&config.data, config.room, metrics.clone())?;
            Ok(Backend::Log(Arc::new(store)))
        }
        #[cfg(feature = "postgres")]
        Where::Postgres(file) => {
            let database = sutra_storage::postgres::open(file, metrics.clone());
            Ok(Backend::Postgres(Arc::new(runtime.block_on(database)?)))
        }
    }
}

#[cfg(feature = "postgres")]
fn migrate() -> Result<(), StartError> {
    let var = |name: &str| std::env::var_os(name);
    let (folder, file) = (config::data(var)?, config::url_file(var)?);
    let moved = runtime()?.block_on(sutra_storage::postgres::migrate::migrate(&folder, &file))?;
    say(&format!("{moved}\n"))
}

#[cfg(not(feature = "postgres"))]
fn migrate() -> Result<(), StartError> {
    Err(StartError::new(
        "storage_server_simple: migrate: this program was built without \"postgres\"",
        "run the image sutra-storage-postgres, or build with --features postgres",
    ))
}

/// Binds the address, logs the bound one (the port may have been 0), and serves there.
async fn listen(config: &Config, store: Backend, metrics: Arc<Metrics>) -> io::Result<()> {
    let signals = Signals::new()?;
    let listener = serve::listen(config.addr)?;
    let stopping = Arc::new(AtomicBool::new(false));
    let app = App {
        store,
        metrics: metrics.clone(),
        stopping: stopping.clone(),
    };
    let bounds = Bounds {
        concurrency: config.concurrency,
        timeout: config.timeout,
        memory: config.room.requests,
    };
    let router = http::router(app, &bounds, config.token.clone());
    if config.token.is_none() {
        tracing::warn!("no SUTRA_STORAGE_KEY: anyone who reaches the address may read and write");
    }
    tracing::info!(addr = %listener.local_addr()?, "listening");
    serve::serve(listener, router, metrics, signals, &stopping, config.drain).await;
    Ok(())
}

fn restore(file: &Path) -> Result<(), StartError> {
    let folder = config::data(|name| std::env::var_os(name))?;
    let changes = store::restore::restore(&folder, file)?;
    say(&format!(
        "restored {folder:?} from {file:?}: {changes} changes\n"
    ))
}

fn make_key(file: &Path) -> Result<(), StartError> {
    token::make(file, &config::data(|name| std::env::var_os(name))?)
}

/// Asks the running server for its health. Fails with 1 for any reason: engines reserve 2.
fn healthcheck() -> ExitCode {
    let health = config::addr(|name| std::env::var_os(name))
        .map_err(|error| error.problem)
        .and_then(|addr| healthcheck::ask(healthcheck::target(addr)));
    match health {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => complain(&problem, 1),
    }
}

/// Logs one JSON object per line to stdout.
fn start_log(level: LevelFilter) {
    tracing_subscriber::fmt()
        .json()
        .with_max_level(level)
        .with_writer(io::stdout)
        // A closed stdout must not cause a panic on stderr.
        .log_internal_errors(false)
        .init();
}

/// Prints to stdout; unlike `println!`, does not panic if the reader is gone.
fn say(text: &str) -> Result<(), StartError> {
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

fn complain(text: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(code)
}
