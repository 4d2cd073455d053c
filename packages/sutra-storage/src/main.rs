//! `storage_server_simple`: a small durable knowledge store over HTTP and JSON.
//!
//! Exit codes: 0 all well, 1 the health check failed, 2 the call or its surroundings are wrong.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;

use sutra_storage::config::{self, Command, Config, StartError};
use sutra_storage::http::{App, Bounds};
use sutra_storage::metrics::Metrics;
use sutra_storage::serve::Signals;
use sutra_storage::store::{self, Store};
use sutra_storage::{allocator, healthcheck, http, serve, token};

#[cfg(any(target_env = "musl", sutra_mimalloc))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Threads that wait for the disk.
const READERS: usize = 16;
const VERSION: &str = concat!("storage_server_simple ", env!("CARGO_PKG_VERSION"), "\n");

fn main() -> ExitCode {
    allocator::give_back_at_once();
    let done = match config::command(std::env::args_os().skip(1)) {
        Ok(Command::Serve) => run(),
        Ok(Command::Restore(file)) => restore(&file),
        Ok(Command::Key(file)) => make_key(&file),
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
    let store = Arc::new(Store::open(&config.data, config.room, metrics.clone())?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Each may put a page together: this bounds their memory.
        .max_blocking_threads(READERS)
        .build();
    let served = runtime.and_then(|runtime| {
        let served = runtime.block_on(listen(&config, store.clone(), metrics));
        // Whatever still reads is not waited for.
        runtime.shutdown_background();
        served
    });
    store.close();
    served.map_err(|error| StartError::cannot_listen(config.addr, &error))?;
    tracing::info!("stopped");
    Ok(())
}

/// Binds the address, logs the one that it got (the port may have been 0), and serves there.
async fn listen(config: &Config, store: Arc<Store>, metrics: Arc<Metrics>) -> io::Result<()> {
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
        tracing::warn!("no SUTRA_STORAGE_KEY: whoever reaches the address may read and write");
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

/// Asks the running server how it is. Fails with 1 whatever the reason, since engines reserve 2.
fn healthcheck() -> ExitCode {
    let asked = config::addr(|name| std::env::var_os(name))
        .map_err(|error| error.problem)
        .and_then(|addr| healthcheck::ask(healthcheck::target(addr)));
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => complain(&problem, 1),
    }
}

/// One JSON object a line on stdout.
fn start_log(level: LevelFilter) {
    tracing_subscriber::fmt()
        .json()
        .with_max_level(level)
        .with_writer(io::stdout)
        // A closed stdout must not become a panic on stderr.
        .log_internal_errors(false)
        .init();
}

/// Prints to stdout; a reader that went away is no failure (`println!` would panic).
fn say(text: &str) -> Result<(), StartError> {
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

fn complain(text: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(code)
}
