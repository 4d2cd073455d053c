//! What sample-service does, in one line.

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{json, Value};

/// The port that the service listens on, unless `SUTRA_PORT` names another.
pub const PORT: u16 = 8100;

/// Return the routes of the service.
pub fn routes() -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/live", get(health))
        .route("/hello/{name}", get(hello))
}

async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Greet: replace this with what the service is for.
async fn hello(Path(name): Path<String>) -> Json<Value> {
    Json(json!({"hello": name}))
}
