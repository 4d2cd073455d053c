//! How many requests are worked on at once, and for how long.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    /// At most `most` of `what` at once, each for at most `timeout`.
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

/// Answers 503 instead of starting one request more than allowed. A request counts until its whole
/// answer is with the system, since the answer takes memory until then.
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
    response.map(|body| {
        Body::new(Counted {
            body,
            _permit: permit,
        })
    })
}

/// Counts the request; logs it at the debug level only, since a path tells what somebody stores.
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

/// Clients may invent methods; a label must not grow with them.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::PUT | Method::POST | Method::DELETE => method.as_str(),
        _ => "other",
    }
}

/// A body that holds a request's permit.
struct Counted {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
