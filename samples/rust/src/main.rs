//! `sample-service` serves; `sample-service healthcheck` asks a running one, for Docker.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{signal, Signal, SignalKind};

// a group of its own: rustfmt would sort it among the others by the service's name
use sample_service::{port, routes};

const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// What requests under way may take to end, below Docker's 10 seconds.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);

fn main() -> ExitCode {
    let value = std::env::var_os("SUTRA_PORT");
    let Some(port) = port(value.as_deref()) else {
        let value = value.unwrap_or_default();
        return fail(&format!("SUTRA_PORT: not a port {value:?}"));
    };
    let done = if std::env::args().nth(1).as_deref() == Some("healthcheck") {
        ask(port)
    } else {
        serve(port)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sample-service: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("{problem}\ntip: a number from 1 to 65535");
    ExitCode::from(2)
}

/// Serve until SIGTERM or SIGINT; requests under way are answered.
#[tokio::main]
async fn serve(port: u16) -> std::io::Result<()> {
    let (stop, drain) = (signals()?, signals()?);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    let server = axum::serve(listener, routes()).with_graceful_shutdown(first(stop));
    tokio::select! {
        done = server => done,
        // a client that keeps its connection must not keep the service
        () = async { first(drain).await; tokio::time::sleep(DRAIN_TIMEOUT).await } => Ok(()),
    }
}

fn signals() -> std::io::Result<[Signal; 2]> {
    Ok([
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ])
}

async fn first([mut terminate, mut interrupt]: [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Return an error unless a service on this port answers `GET /live` with 200.
fn ask(port: u16) -> std::io::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, HEALTHCHECK_TIMEOUT)?;
    stream.set_read_timeout(Some(HEALTHCHECK_TIMEOUT))?;
    stream.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    if &answer == b"HTTP/1.1 200" {
        return Ok(());
    }
    Err(std::io::Error::other(
        String::from_utf8_lossy(&answer).into_owned(),
    ))
}
