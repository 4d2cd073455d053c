//! Accepts connections until a stop signal, within limits.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;

use crate::metrics::Metrics;
use crate::problem::Problem;

/// How long open requests may take to finish after a stop signal; the writer then has two seconds
/// to finish, within the 5 seconds that are promised.
const GRACE: Duration = Duration::from_secs(3);
/// How long a connection may take to send a request's head, or do nothing between two. Longer than
/// clients keep a connection that they do not use (httpx: 5 seconds).
const IDLE: Duration = Duration::from_secs(30);
/// How long a client may take to read a part of an answer.
const WRITE: Duration = Duration::from_secs(10);
/// Most open connections, half of the file descriptors that a process usually gets.
const CONNECTIONS: usize = 512;
/// Most bytes of a request's head. hyper takes no less than 8 KiB.
const MAX_HEAD: usize = 16 * 1024;

/// Serves until `signal`, then lets open requests finish, [`GRACE`] at most.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    metrics: Arc<Metrics>,
    signal: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut signal = std::pin::pin!(signal);
    loop {
        let accepted = tokio::select! {
            () = &mut signal => break,
            accepted = listener.accept() => accepted,
        };
        match (accepted, places.clone().try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => talk(stream, router.clone(), &graceful, place),
            (Ok((stream, _)), Err(_)) => {
                metrics.refused();
                tokio::spawn(turn_away(stream));
            }
            (Err(error), _) => {
                // Usually out of file descriptors: wait until some are closed.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    tracing::info!("stopping");
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests still open after {GRACE:?}, dropped");
    }
}

fn talk(
    stream: TcpStream,
    router: Router,
    graceful: &GracefulShutdown,
    place: OwnedSemaphorePermit,
) {
    // An answer is one write, which must not wait for more.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(
            TokioIo::new(Box::pin(stream)),
            TowerToHyperService::new(router),
        );
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
        drop(place);
    });
}

/// Answers 503 before anything was read.
async fn turn_away(mut stream: TcpStream) {
    let body = Problem::busy("too many connections").json().to_string();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\
         Retry-After: 1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // A new connection has room for it, so this does not wait.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Ends at SIGTERM or SIGINT. Both are caught from the moment this returns.
///
/// # Errors
/// The system refused a handler.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
