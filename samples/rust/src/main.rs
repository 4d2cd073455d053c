//! `sample-service` serves; `sample-service healthcheck` asks a running one, for Docker.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{signal, SignalKind};

// a group of its own: rustfmt would sort it among the others by the service's name
use sample_service::{port, routes};

const HEALTHCHECK_SECONDS: Duration = Duration::from_secs(2);

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
    let mut stop = signal(SignalKind::terminate())?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    axum::serve(listener, routes())
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = stop.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        })
        .await
}

/// Return an error unless a service on this port answers `GET /live` with 200.
fn ask(port: u16) -> std::io::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, HEALTHCHECK_SECONDS)?;
    stream.set_read_timeout(Some(HEALTHCHECK_SECONDS))?;
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
