//! The HTTP interface: routes and handlers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{header, HeaderMap, Method, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{json, Map, Value};

use crate::backend::Backend;
use crate::batch::{self, Line, MAX_BATCH};
use crate::guard::{plain_head, with_token};
use crate::limits::{limit, observe, within_memory, Limits, Memory, Needs};
use crate::metrics::{self, Metrics};
use crate::model::{Association, Concept, Id, Kind, Stats, MAX_BODY};
use crate::problem::Problem;
use crate::store::op::{Key, Op, SEPARATOR};
use crate::store::{After, Page, StoreError, Written, MAX_PAGE};
use crate::token::Token;

/// The number of batches that run at once; each may take several times [`MAX_BATCH`] of memory.
const BATCHES: usize = 4;
/// Bytes of a page of concepts, once as it is read and once as one text; the last concept may
/// exceed the page's limit.
const PAGE: usize = 2 * (MAX_PAGE + MAX_BODY);
/// The number of snapshots at once; each has its own thread.
const SNAPSHOTS: usize = 2;
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

type JsonBody<T> = Result<Json<T>, JsonRejection>;
type PathId = Result<Path<Id>, PathRejection>;
type QueryOf<T> = Result<Query<T>, QueryRejection>;
type Shared = State<Arc<App>>;

/// The state that handlers share.
pub struct App {
    pub store: Backend,
    pub metrics: Arc<Metrics>,
    /// Whether a stop signal has come.
    pub stopping: Arc<AtomicBool>,
}

/// The limits of requests.
#[derive(Debug)]
pub struct Bounds {
    /// The number of requests at once.
    pub concurrency: usize,
    /// How long each request may take.
    pub timeout: Duration,
    /// Bytes of memory for them and their answers.
    pub memory: u64,
}

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
struct ConceptsQuery {
    after: Option<Id>,
    limit: Option<usize>,
    #[serde(default)]
    prefix: String,
}

/// The query of lists of associations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssociationsQuery {
    after: Option<String>,
    limit: Option<usize>,
}

/// The query of `DELETE /associations`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyQuery {
    source: Id,
    target: Id,
    kind: Kind,
}

/// Returns every route of the server; with a `token`, most require it.
pub fn router(app: App, bounds: &Bounds, token: Option<Token>) -> Router {
    let metrics = app.metrics.clone();
    let limits = |what, most| Limits::new(what, most, bounds.timeout, metrics.clone());
    // Reads and writes have separate memory, so that slow bodies never block reads.
    let memory = |part| Memory::new(bounds.memory / 4 * part, metrics.clone());
    let data = data_routes(&memory(1), &memory(3), limits("batches", BATCHES)).layer(
        middleware::from_fn_with_state(limits("requests", bounds.concurrency), limit),
    );
    // These routes have no limit, so that an overloaded server can still be watched.
    let mut router = Router::new()
        .route("/health", get(ready))
        .route("/live", get(live))
        .route("/metrics", get(get_metrics))
        .route("/stats", get(stats))
        .merge(data)
        .merge(snapshot_route(limits("snapshots", SNAPSHOTS)))
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method);
    if let Some(token) = token {
        router = router.layer(middleware::from_fn_with_state(Arc::new(token), with_token));
    }
    router
        .layer(middleware::from_fn(plain_head))
        .layer(middleware::from_fn_with_state(metrics, observe))
        .with_state(Arc::new(app))
}

/// Returns the route of snapshots, whose answers may take as long as the client does.
fn snapshot_route(snapshots: Arc<Limits>) -> Router<Arc<App>> {
    let route = get(snapshot).layer(middleware::from_fn_with_state(snapshots, limit));
    Router::new().route("/snapshot", route)
}

/// Returns the routes that read the store within the memory `reads`, or change it within `writes`.
fn data_routes(reads: &Memory, writes: &Memory, batches: Arc<Limits>) -> Router<Arc<App>> {
    let within = |memory: &Memory, body, work| {
        middleware::from_fn_with_state((memory.clone(), Needs { body, work }), within_memory)
    };
    let list = || within(reads, 0, PAGE);
    let change = || within(writes, MAX_BODY, 0);
    let concept = get(get_concept).layer(within(reads, 0, MAX_BODY));
    let concept = concept.merge(put(put_concept).delete(delete_concept).layer(change()));
    let links = get(list_associations).layer(list());
    let links = links.merge(
        put(put_association)
            .delete(delete_association)
            .layer(change()),
    );
    let batch = post(post_batch)
        .layer(DefaultBodyLimit::max(MAX_BATCH))
        .layer(within(writes, MAX_BATCH, 0))
        .layer(middleware::from_fn_with_state(batches, limit));
    Router::new()
        .route("/concepts", get(list_concepts).layer(list()))
        .route("/concepts/{id}", concept)
        .route(
            "/concepts/{id}/associations",
            get(list_associations_of).layer(list()),
        )
        .route("/associations", links)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .route("/batch", batch)
}

/// Answers whether requests should be sent here: not to a server that is stopping.
async fn ready(state: Shared) -> Result<Json<Value>, Problem> {
    if state.stopping.load(Ordering::Relaxed) {
        return Err(Problem::busy("the server is stopping"));
    }
    state.store.check().await?;
    live(state).await
}

/// Answers whether this process is worth keeping: after a disk failure only a restart helps.
async fn live(State(app): Shared) -> Result<Json<Value>, Problem> {
    if app.store.has_failed() {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store failed; restart the server",
        ));
    }
    Ok(Json(
        json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }),
    ))
}

async fn get_metrics(State(app): Shared) -> Result<Response, Problem> {
    let text = app
        .metrics
        .text(&app.store.stats().await?, app.store.has_failed())
        .map_err(|error| Problem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

async fn stats(State(app): Shared) -> Result<Json<Stats>, Problem> {
    Ok(Json(app.store.stats().await?))
}

async fn snapshot(State(app): Shared) -> Result<Response, Problem> {
    let snapshot = app.store.snapshot().ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            "a database is copied by its own tools, eg pg_dump",
        )
    })?;
    let body = Body::new(snapshot.stream());
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

async fn list_concepts(
    State(app): Shared,
    query: QueryOf<ConceptsQuery>,
) -> Result<Response, Problem> {
    let Query(ConceptsQuery {
        after,
        limit,
        prefix,
    }) = query?;
    let limit = page_limit(limit)?;
    let page = app.store.concepts(prefix, after, limit).await?;
    Ok(json_answer(StatusCode::OK, concepts_json(&page)))
}

/// Joins concepts, which are JSON already.
fn concepts_json(page: &Page<Vec<u8>>) -> Vec<u8> {
    let size: usize = page.items.iter().map(|concept| concept.len() + 1).sum();
    // The capacity is reserved at once: every later growth would copy the text.
    let mut json = Vec::with_capacity(size + 1024);
    json.extend(b"{\"concepts\":[");
    for (number, concept) in page.items.iter().enumerate() {
        if number > 0 {
            json.push(b',');
        }
        json.extend(concept);
    }
    json.extend(format!("],\"next\":{}}}", Value::from(page.next.clone())).as_bytes());
    json
}

async fn get_concept(State(app): Shared, id: PathId) -> Result<Response, Problem> {
    let Path(id) = id?;
    let json = app.store.concept(&id).await?;
    Ok(json_answer(StatusCode::OK, json))
}

async fn put_concept(
    State(app): Shared,
    id: PathId,
    body: JsonBody<ConceptBody>,
) -> Result<Response, Problem> {
    let Path(id) = id?;
    let Json(ConceptBody { text, metadata }) = body?;
    let op = batch::put_concept(&Concept { id, text, metadata })?;
    let json = match &op {
        Op::PutConcept(_, json) => json.clone(),
        _ => Bytes::new(),
    };
    let written = app.store.write_one(op).await?;
    Ok(json_answer(written.status(), json))
}

async fn delete_concept(State(app): Shared, id: PathId) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    let written = app.store.write_one(Op::DeleteConcept(id)).await?;
    Ok(written.status())
}

async fn put_association(
    State(app): Shared,
    body: JsonBody<Association>,
) -> Result<(StatusCode, Json<Association>), Problem> {
    let Json(association) = body?;
    let op = Op::PutAssociation(association.clone());
    let written = app.store.write_one(op).await?;
    Ok((written.status(), Json(association)))
}

async fn delete_association(
    State(app): Shared,
    query: QueryOf<KeyQuery>,
) -> Result<StatusCode, Problem> {
    let Query(KeyQuery {
        source,
        target,
        kind,
    }) = query?;
    let op = Op::DeleteAssociation(Key {
        source,
        target,
        kind,
    });
    Ok(app.store.write_one(op).await?.status())
}

async fn list_associations(
    State(app): Shared,
    query: QueryOf<AssociationsQuery>,
) -> Result<Json<Value>, Problem> {
    let Query(AssociationsQuery { after, limit }) = query?;
    let limit = page_limit(limit)?;
    if let Some(after) = &after {
        Key::parse(after).map_err(bad_cursor)?;
    }
    let page = app.store.associations(after, limit).await?;
    Ok(associations_json(page))
}

async fn list_associations_of(
    State(app): Shared,
    id: PathId,
    query: QueryOf<AssociationsQuery>,
) -> Result<Json<Value>, Problem> {
    let Path(id) = id?;
    let Query(AssociationsQuery { after, limit }) = query?;
    let limit = page_limit(limit)?;
    let after = after.map(|after| after_of(&id, &after)).transpose()?;
    let page = app.store.associations_of(id, after, limit).await?;
    Ok(associations_json(page))
}

fn associations_json(page: Page<Association>) -> Json<Value> {
    Json(json!({ "associations": page.items, "next": page.next }))
}

/// Reads the `next` of a page of the associations of `id`.
fn after_of(id: &Id, after: &str) -> Result<After, Problem> {
    let (side, key) = after
        .split_once(SEPARATOR)
        .ok_or_else(|| bad_cursor("must be the next of a page".into()))?;
    let near = Key::parse(key).map_err(bad_cursor)?.source;
    match side {
        "out" if near == *id => Ok(After::Outgoing(key.into())),
        "in" if near == *id => Ok(After::Incoming(key.into())),
        _ => Err(bad_cursor("must be the next of a page".into())),
    }
}

fn bad_cursor(why: String) -> Problem {
    Problem::bad_request(format!("query: after: {why}"))
}

async fn post_batch(
    State(app): Shared,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media = media
        .and_then(|media| media.split(';').next())
        .map(str::trim);
    if !media.is_some_and(|media| media.eq_ignore_ascii_case(batch::CONTENT_TYPE)) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("content-type: must be {}", batch::CONTENT_TYPE),
        ));
    }
    let body = body.map_err(|rejection| Problem::from_bytes(&rejection, MAX_BATCH))?;
    let lines = tokio::task::spawn_blocking(move || batch::lines(&body)).await;
    // An error means that the runtime is stopping and never started the call.
    let lines = lines.unwrap_or(Err(StoreError::Stopping.into()))?;
    let mut ops = Vec::new();
    let mut kept = Vec::new();
    for Line { number, op } in lines {
        kept.push((number, op.map(|op| ops.push(op)).err()));
    }
    let done = app.store.write(ops).await?;
    let results = batch::results(kept, done);
    Ok(([(header::CONTENT_TYPE, batch::CONTENT_TYPE)], results).into_response())
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

impl Written {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Created => StatusCode::CREATED,
            Self::Replaced => StatusCode::OK,
            Self::Deleted => StatusCode::NO_CONTENT,
        }
    }
}

fn json_answer(status: StatusCode, json: impl IntoResponse) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}

fn page_limit(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    match (1..=MAX_LIMIT).contains(&limit) {
        true => Ok(limit),
        false => Err(Problem::bad_request(format!(
            "query: limit: must be from 1 to {MAX_LIMIT}, is {limit}"
        ))),
    }
}
