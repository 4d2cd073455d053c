//! Limits the requests that run at once, their time and their memory.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{ready, Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::memory::Ticket;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// The limits of a server, or of one route.
pub struct Limits {
    what: &'static str,
    requests: Arc<Semaphore>,
    timeout: Duration,
    metrics: Arc<Metrics>,
}

impl Limits {
    /// Allows at most `most` of `what` at once, each for at most `timeout`.
    pub fn new(
        what: &'static str,
        most: usize,
        timeout: Duration,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            what,
            requests: Arc::new(Semaphore::new(most)),
            timeout,
            metrics,
        })
    }
}

/// Answers 503 if too many requests are running. A request counts until its whole answer is in the
/// kernel, since the answer takes memory until then.
pub async fn limit(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    let Ok(permit) = limits.requests.clone().try_acquire_owned() else {
        limits.metrics.refused();
        return Problem::busy(format!("too many {} at once", limits.what)).into_response();
    };
    let answer = tokio::time::timeout(limits.timeout, next.run(request)).await;
    let response = answer.unwrap_or_else(|_| {
        let seconds = limits.timeout.as_secs();
        Problem::busy(format!("the request took more than {seconds} s")).into_response()
    });
    response.map(|body| Held::body(body, permit))
}

/// Counts the request; logs it only at the debug level, since a path reveals what is stored.
pub async fn observe(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let start = Instant::now();
    let response = next.run(request).await;
    let took = start.elapsed();
    let status = response.status();
    tracing::debug!(
        %method,
        path = uri.path(),
        status = status.as_u16(),
        micros = took.as_micros() as u64,
        "request"
    );
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    metrics.request(known(&method), route, status.as_str(), took);
    response
}

/// Clients may invent methods, which must not become labels of their own.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::PUT | Method::POST | Method::DELETE => method.as_str(),
        _ => "other",
    }
}

/// Memory for running requests and for answers on their way.
#[derive(Clone)]
pub struct Memory {
    /// One permit per KiB.
    kib: Arc<Semaphore>,
    /// The number of all permits: a request that needs more waits for all of them.
    most: u32,
    metrics: Arc<Metrics>,
}

/// The memory that a request of a route takes, in bytes.
#[derive(Clone, Copy)]
pub struct Needs {
    /// The largest body.
    pub body: usize,
    /// The memory while the answer is being built.
    pub work: usize,
}

impl Memory {
    pub fn new(bytes: u64, metrics: Arc<Metrics>) -> Self {
        let most = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        let kib = Arc::new(Semaphore::new(most as usize));
        Self { kib, most, metrics }
    }

    /// Waits until there is room; the request's time limit ends the wait.
    async fn wait_for(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = self.kib.clone();
        kib.acquire_many_owned(in_kib(bytes).min(self.most))
            .await
            .ok()
    }

    /// Makes `held` as large as an answer of `bytes`, if there is room.
    fn fit(&self, held: OwnedSemaphorePermit, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let mut held = held;
        let (has, needs) = (held.num_permits(), in_kib(bytes) as usize);
        match needs <= has {
            true => drop(held.split(has - needs)),
            false => {
                let more = u32::try_from(needs - has).ok()?;
                held.merge(self.kib.clone().try_acquire_many_owned(more).ok()?);
            }
        }
        Some(held)
    }
}

fn in_kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// The number of copies of a body that exist at once: the received parts, the joined body, the
/// changes, and the bytes to be written.
const COPIES: usize = 4;
/// Bytes that a request takes besides its body and its work.
const REQUEST: usize = 16 * 1024;

/// Starts a request once there is memory for it, and sends its answer if there is memory for that.
pub async fn within_memory(
    State((memory, needs)): State<(Memory, Needs)>,
    request: Request,
    next: Next,
) -> Response {
    // Without a declared length the body may be the largest; a body that is too large is not read.
    let body = request.body().size_hint().upper();
    let body = body.map_or(needs.body, |size| needs.body.min(size as usize));
    let busy = || {
        memory.metrics.refused();
        Problem::busy("no memory for another request").into_response()
    };
    let Some(held) = memory.wait_for(REQUEST + COPIES * body + needs.work).await else {
        return busy();
    };
    let held = Arc::new(Mutex::new(Some(held)));
    let response = HELD.scope(held.clone(), next.run(request)).await;
    let held = held.lock().unwrap_or_else(PoisonError::into_inner).take();
    // An answer that is built while it is sent takes as much as the work on it.
    let size = response.body().size_hint().exact();
    let size = size.map_or(needs.work, |size| size as usize);
    match held.and_then(|held| memory.fit(held, REQUEST + size)) {
        Some(held) => response.map(|body| Held::body(body, held)),
        None => busy(),
    }
}

tokio::task_local! {
    /// The memory of the running request.
    static HELD: Arc<Mutex<Option<OwnedSemaphorePermit>>>;
}

/// Returns a value that keeps this request's memory taken, for work that goes on after the
/// request's time is over: data handed to a writer takes memory until it is written, however slow
/// the disk.
pub fn held() -> Option<Ticket> {
    HELD.try_with(|held| held.clone() as Ticket).ok()
}

/// The number of bytes of an answer that are sent at a time.
const PIECE: usize = 64 * 1024;

/// A body that holds a permit until all but its last piece is in the kernel. In one piece, the
/// server would take it whole and release the permit while a slow client still keeps the memory in
/// use.
struct Held {
    body: Body,
    rest: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl Held {
    fn body(body: Body, permit: OwnedSemaphorePermit) -> Body {
        Body::new(Self {
            body,
            rest: Bytes::new(),
            _permit: permit,
        })
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let size = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(size);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(inner.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::middleware;
    use axum::routing::get;
    use axum::Router;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use tokio::runtime::Builder;
    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn a_request_whose_time_is_over_keeps_its_memory_until_it_is_done() {
        let runtime = Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(let_a_request_run_out_of_time());
    }

    async fn let_a_request_run_out_of_time() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let memory = Memory::new(1024 * 1024, metrics.clone());
        let needs = Needs { body: 0, work: 0 };
        let written = Arc::new(Notify::new());
        let disk = written.clone();
        let limits = Limits::new("requests", 1, Duration::from_millis(1), metrics);
        let router = Router::new()
            .route(
                "/",
                get(move || async move {
                    // A writer keeps it in the same way.
                    let held = held();
                    let write = tokio::spawn(async move {
                        disk.notified().await;
                        drop(held);
                    });
                    let _ = write.await;
                }),
            )
            .layer(middleware::from_fn_with_state(
                (memory.clone(), needs),
                within_memory,
            ))
            .layer(middleware::from_fn_with_state(limits, limit));
        let answer = TowerToHyperService::new(router).call(Request::new(Body::empty()));
        assert_eq!(
            answer.await.unwrap().status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        let free = || memory.kib.available_permits();
        assert_eq!(free(), 1024 - REQUEST / 1024);
        written.notify_one();
        while free() < 1024 {
            tokio::task::yield_now().await;
        }
    }
}
