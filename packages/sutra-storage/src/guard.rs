//! Checks requests before anything is done for them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{header, HeaderMap, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;
use crate::token::Token;

/// Routes that need no token, because a health check has none.
const OPEN: [&str; 2] = ["/health", "/live"];

/// Answers 400 to a head that two servers could read differently (RFC 9112, 3.2 and 6.1).
pub async fn plain_head(request: Request, next: Next) -> Response {
    match problem(request.version(), request.headers()) {
        Some(problem) => Problem::bad_request(problem).into_response(),
        None => next.run(request).await,
    }
}

fn problem(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let hosts = headers.get_all(header::HOST).iter().count();
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    match hosts {
        0 if version == Version::HTTP_11 => Some("host: missing"),
        0 | 1 if lengths > 1 => Some("content-length: must be given once"),
        0 | 1 if lengths == 1 && chunked => {
            Some("content-length: not allowed with transfer-encoding")
        }
        0 | 1 => None,
        _ => Some("host: must be given once"),
    }
}

/// Answers 401 to a request without the token, before its body is read.
pub async fn with_token(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    let mut shown = request.headers().get_all(header::AUTHORIZATION).iter();
    // Of two headers, a proxy might have checked the other one.
    let opens = match (shown.next(), shown.next()) {
        (Some(header), None) => token.opens(header.as_bytes()),
        _ => false,
    };
    match opens || OPEN.contains(&request.uri().path()) {
        true => next.run(request).await,
        false => Problem::unauthorized().into_response(),
    }
}
