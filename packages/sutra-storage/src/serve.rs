//! Accepts connections, within limits, until a stop signal.

use std::future::Future;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::{select, Either};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{signal, Signal, SignalKind};
use tokio_io_timeout::TimeoutStream;

use crate::metrics::Metrics;
use crate::places::{Place, Places};
use crate::problem::Problem;

/// How long open requests may take to finish after a stop signal; the writer then has two seconds
/// to finish, within the 5 seconds that are promised.
const GRACE: Duration = Duration::from_secs(3);
/// How long a connection may take to send a request's head, or stay idle between two requests. It
/// is longer than clients keep an idle connection (httpx: 5 seconds).
const IDLE: Duration = Duration::from_secs(15);
/// How long a client may take to read one part of an answer.
const WRITE: Duration = Duration::from_secs(10);
/// The size of a connection's send buffer in the kernel, which takes twice as much memory.
const SEND_BUFFER: u32 = 64 * 1024;
/// The number of connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// The most bytes of a request's head; 8 KiB is the least that hyper allows.
const MAX_HEAD: usize = 16 * 1024;

/// Listens at `addr`.
///
/// # Errors
/// The address is in use, or does not belong to this machine.
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    // Connections inherit the listener's buffer size. Without a limit, the buffers of clients that
    // do not read grow to megabytes, which count as this container's memory.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// A source of stop signals.
pub trait Stop {
    /// Returns at the next stop signal; may be called again.
    fn told(&mut self) -> impl Future<Output = ()> + Send;
}

/// Serves until `stop`, then for `drain` longer with `stopping` set, so that load balancers notice
/// and send no more; a second `stop` ends that time. Then lets open requests finish, for [`GRACE`]
/// at most.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    metrics: Arc<Metrics>,
    mut stop: impl Stop,
    stopping: &AtomicBool,
    drain: Duration,
) {
    let places = Arc::new(Places::default());
    let graceful = GracefulShutdown::new();
    let end = async {
        stop.told().await;
        stopping.store(true, Ordering::Relaxed);
        tracing::info!("stopping");
        let _ = tokio::time::timeout(drain, stop.told()).await;
    };
    let mut end = pin!(end);
    loop {
        let accepted = match select(end.as_mut(), pin!(listener.accept())).await {
            Either::Left(((), _)) => break,
            Either::Right((accepted, _)) => accepted,
        };
        match accepted.map(|(stream, peer)| (stream, places.take(peer.ip()))) {
            Ok((stream, Some(place))) => talk(stream, router.clone(), &graceful, place),
            Ok((stream, None)) => {
                metrics.refused();
                turn_away(stream);
            }
            Err(error) => {
                // The process is probably out of file descriptors: wait until some are closed.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let finished = tokio::time::timeout(GRACE, graceful.shutdown());
    if finished.await.is_err() {
        tracing::warn!("requests still open after {GRACE:?}, dropped");
    }
}

fn talk(stream: TcpStream, router: Router, graceful: &GracefulShutdown, place: Place) {
    // An answer is one write: the kernel must not hold it back for more data.
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

/// Answers 503 without reading the request.
fn turn_away(stream: TcpStream) {
    let body = Problem::busy("too many connections").json().to_string();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\
         Retry-After: 1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // A new connection's buffer has room for it, so this need not wait.
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
    }
}

/// SIGTERM and SIGINT.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches both from now on.
    ///
    /// # Errors
    /// The system refused a handler.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

impl Stop for Signals {
    async fn told(&mut self) {
        let (terminate, interrupt) = (self.terminate.recv(), self.interrupt.recv());
        select(pin!(terminate), pin!(interrupt)).await;
    }
}
