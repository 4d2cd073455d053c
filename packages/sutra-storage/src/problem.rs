//! Errors as RFC 9457 `application/problem+json`.

use std::error::Error;

use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{header, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{json, Value};

use crate::model::MAX_BODY;
use crate::store::StoreError;

/// An error as the client sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// One line for a human reader.
    pub detail: String,
    kind: Kind,
}

/// The kinds of errors that a client may want to tell apart beyond the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// The request may succeed in a moment: 503 with `Retry-After`.
    Busy,
    /// The request succeeds once there is disk space: 503 with a longer `Retry-After`.
    NoSpace,
    /// The request succeeds once something is deleted: the same answer.
    NoMemory,
    /// The token is missing or wrong: 401 that names what to send.
    Unauthorized,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            kind: Kind::Plain,
        }
    }

    /// Reports that a limit of the server was reached.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self {
            kind: Kind::Busy,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// Reports a missing or wrong token.
    pub fn unauthorized() -> Self {
        Self {
            kind: Kind::Unauthorized,
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "authorization: must be Bearer with the storage's key",
            )
        }
    }

    /// Reports an error that cannot happen; the log tells which.
    pub fn internal(error: &dyn Error) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal error; the server's log says why",
        )
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Reports that `what` was longer than `most` bytes.
    pub fn too_large(what: &str, most: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("{what}: must be at most {most} bytes"),
        )
    }
}

impl Problem {
    /// Returns the body of the answer.
    pub fn json(&self) -> Value {
        let (kind, title) = match self.kind {
            Kind::NoSpace => ("urn:sutra:no-space-left", "no space left"),
            Kind::NoMemory => ("urn:sutra:memory-limit-reached", "memory limit reached"),
            _ => (
                "about:blank",
                self.status.canonical_reason().unwrap_or("Error"),
            ),
        };
        json!({
            "type": kind,
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        })
    }

    /// Reports a body that could not be read, or was longer than `most` bytes.
    pub fn from_bytes(rejection: &BytesRejection, most: usize) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large("body", most),
            status => Self::new(status, format!("body: {}", cause(rejection))),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.json().to_string();
        let headers = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, headers, body).into_response();
        let (name, value) = match self.kind {
            Kind::Plain => return response,
            Kind::Busy => (header::RETRY_AFTER, "1"),
            Kind::NoSpace | Kind::NoMemory => (header::RETRY_AFTER, "30"),
            Kind::Unauthorized => (header::WWW_AUTHENTICATE, "Bearer"),
        };
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
        response
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::BytesRejection(inner) => Self::from_bytes(&inner, MAX_BODY),
            JsonRejection::MissingJsonContentType(_) => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type: must be application/json",
            ),
            // axum answers 422 to well-formed JSON of the wrong shape; here both are 400.
            other => Self::bad_request(format!("body: {}", cause(&other))),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(format!("query: {}", cause(&rejection)))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        // No route has any other parameter.
        Self::new(rejection.status(), format!("id: {}", cause(&rejection)))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::NoConcept(_) | StoreError::NoAssociation(_) => {
                Self::new(StatusCode::NOT_FOUND, detail)
            }
            StoreError::NoSpace => Self {
                kind: Kind::NoSpace,
                ..Self::busy(detail)
            },
            StoreError::NoMemory => Self {
                kind: Kind::NoMemory,
                ..Self::busy(detail)
            },
            StoreError::NoAnswer | StoreError::Stopping => Self::busy(detail),
            StoreError::Failed => Self::new(StatusCode::SERVICE_UNAVAILABLE, detail),
        }
    }
}

/// Returns the innermost reason, without the sentences that wrappers put before it.
fn cause(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
