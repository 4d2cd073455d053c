//! The HTTP interface: routes, handlers, and how serving ends.

use std::future::{Future, IntoFuture};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{json, Map, Value};
use tokio::net::TcpListener;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::oneshot;

use crate::model::{Association, Concept, Id, MAX_TEXT};
use crate::problem::Problem;
use crate::store::{Counts, Page, Store, StoreError, Written};

/// Most bytes of a request's body. JSON may write one byte of text as six (`\u0001`), so this
/// takes any text that fits [`MAX_TEXT`] and 128 KiB more.
pub const MAX_BODY: usize = 6 * MAX_TEXT + 128 * 1024;
/// How long open requests may take to finish after a stop signal. Container engines kill after 10
/// seconds by default.
const GRACE: Duration = Duration::from_secs(5);
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

type JsonBody<T> = Result<Json<T>, JsonRejection>;
type PathId = Result<Path<Id>, PathRejection>;
type Shared = State<Arc<Store>>;

/// The body of `PUT /concepts/{id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConceptBody {
    text: String,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// The query of `GET /concepts`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    after: Option<Id>,
    limit: Option<usize>,
}

/// Every route of the server over `store`.
pub fn router(store: Arc<Store>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/stats", get(stats))
        .route("/concepts", get(list_concepts))
        .route(
            "/concepts/{id}",
            get(get_concept).put(put_concept).delete(delete_concept),
        )
        .route("/concepts/{id}/associations", get(list_associations))
        .route("/associations", put(put_association))
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(log_request))
        .with_state(store)
}

/// Serves until `signal`, then lets open requests finish, [`GRACE`] at most.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    store: Arc<Store>,
    signal: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let signal = async move {
        signal.await;
        tracing::info!("stopping");
        // Fails only if nobody waits for it any more.
        let _ = stopping.send(());
    };
    let served = axum::serve(listener, router(store)).with_graceful_shutdown(signal);
    tokio::select! {
        result = served.into_future() => result,
        () = grace_after(stopped) => {
            tracing::warn!("requests still open after {GRACE:?}, dropped");
            Ok(())
        }
    }
}

async fn grace_after(stopped: oneshot::Receiver<()>) {
    // An error means that the server has ended, which the other branch of the select sees.
    let _ = stopped.await;
    tokio::time::sleep(GRACE).await;
}

/// Ends at SIGTERM or SIGINT. Both are caught from the moment this returns.
///
/// # Errors
/// The system refused a handler.
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn health(State(store): Shared) -> Result<Json<Value>, Problem> {
    if store.has_failed() {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store failed; restart the server",
        ));
    }
    Ok(Json(
        json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }),
    ))
}

async fn stats(State(store): Shared) -> Result<Json<Counts>, Problem> {
    blocking(move || store.counts()).await.map(Json)
}

async fn list_concepts(
    State(store): Shared,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let Query(PageQuery { after, limit }) = query?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "query: limit: must be from 1 to {MAX_LIMIT}, is {limit}"
        )));
    }
    let page = blocking(move || store.concepts(after.as_ref(), limit));
    page.await.map(Json)
}

async fn get_concept(State(store): Shared, id: PathId) -> Result<Json<Concept>, Problem> {
    let Path(id) = id?;
    blocking(move || store.concept(&id)).await.map(Json)
}

async fn put_concept(
    State(store): Shared,
    id: PathId,
    body: JsonBody<ConceptBody>,
) -> Result<(StatusCode, Json<Concept>), Problem> {
    let Path(id) = id?;
    let Json(ConceptBody { text, metadata }) = body?;
    if text.len() > MAX_TEXT {
        return Err(Problem::too_large("text", MAX_TEXT));
    }
    let concept = Concept { id, text, metadata };
    blocking(move || {
        let written = store.put_concept(&concept)?;
        Ok((status_of(&written), Json(concept)))
    })
    .await
}

async fn delete_concept(State(store): Shared, id: PathId) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    blocking(move || store.delete_concept(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn put_association(
    State(store): Shared,
    body: JsonBody<Association>,
) -> Result<(StatusCode, Json<Association>), Problem> {
    let Json(association) = body?;
    blocking(move || {
        let written = store.put_association(&association)?;
        Ok((status_of(&written), Json(association)))
    })
    .await
}

async fn list_associations(State(store): Shared, id: PathId) -> Result<Json<Value>, Problem> {
    let Path(id) = id?;
    let associations = blocking(move || store.associations(&id)).await?;
    Ok(Json(json!({ "associations": associations })))
}

async fn no_route(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("no route {:?}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{:?} does not take {method}", uri.path()),
    )
}

/// Only at the debug level, since a path tells what somebody stores.
async fn log_request(request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let start = Instant::now();
    let response = next.run(request).await;
    tracing::debug!(
        %method,
        path = uri.path(),
        status = response.status().as_u16(),
        micros = start.elapsed().as_micros() as u64,
        "request"
    );
    response
}

fn status_of(written: &Written) -> StatusCode {
    match written {
        Written::Created => StatusCode::CREATED,
        Written::Replaced => StatusCode::OK,
    }
}

/// Runs a call of the store on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Problem::from),
        // The runtime is stopping and never started the call.
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the server is stopping",
        )),
    }
}
