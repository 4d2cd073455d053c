//! What sample-service does, in one line.

use std::ffi::OsStr;
use std::num::NonZeroU16;

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{json, Value};

/// The port that the service listens on, unless `SUTRA_PORT` names another.
pub const PORT: u16 = 8100;

/// Return the port that the value of `SUTRA_PORT` names, or [`PORT`] where it is not set.
pub fn port(value: Option<&OsStr>) -> Option<u16> {
    let Some(value) = value else {
        return Some(PORT);
    };
    let port: NonZeroU16 = value.to_str()?.parse().ok()?;
    Some(port.get())
}

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
