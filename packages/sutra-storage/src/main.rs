//! `storage_server_simple`: a small durable knowledge store over HTTP and JSON.
//!
//! Exit codes: 0 all well, 1 the health check failed, 2 the call or its surroundings are wrong.

mod config;
mod healthcheck;
mod http;
mod model;
mod problem;
mod store;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tracing::level_filters::LevelFilter;

use config::{Command, Config, StartError};
use store::Store;

const VERSION: &str = concat!("storage_server_simple ", env!("CARGO_PKG_VERSION"), "\n");

fn main() -> ExitCode {
    let done = match config::command(std::env::args_os().skip(1)) {
        Ok(Command::Serve) => serve(),
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
fn serve() -> Result<(), StartError> {
    let config = Config::from_env(|name| std::env::var_os(name))?;
    start_log(config.log);
    let store = Arc::new(Store::open(&config.data)?);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(listen(config.addr, store)))
        .map_err(|error| StartError::cannot_listen(config.addr, &error))
}

/// Binds `addr`, logs the address that it got (the port may have been 0), and serves there.
async fn listen(addr: SocketAddr, store: Arc<Store>) -> io::Result<()> {
    let signal = http::stop_signal()?;
    let listener = TcpListener::bind(addr).await?;
    tracing::info!(addr = %listener.local_addr()?, "listening");
    http::serve(listener, store, signal).await?;
    tracing::info!("stopped");
    Ok(())
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
