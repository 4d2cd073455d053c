//! More at once, or slower, than the server allows.

// Helpers fail as tests do; clippy.toml only reaches the test functions themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::{command, server, Answer, Server};
use tempfile::TempDir;

const HEAD: &str = "PUT /concepts/a HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                    Connection: close\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n";

/// Sends a request's head, and waits until the server asks for the body.
fn begin(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(HEAD.as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

fn server_with(name: &str, value: &str) -> (Server, TempDir) {
    let folder = TempDir::new().unwrap();
    let server = Server::spawn(command("127.0.0.1:0", folder.path()).env(name, value));
    (server, folder)
}

#[track_caller]
fn is_busy(answer: &Answer, detail: &str) {
    answer.is_problem(503, "Service Unavailable", detail);
    assert!(
        answer.head.contains("retry-after: 1\r\n"),
        "{}",
        answer.head
    );
}

#[test]
fn one_request_too_many_is_refused_and_health_is_still_told() {
    let (server, _folder) = server_with("SUTRA_STORAGE_CONCURRENCY", "2");
    let _first = begin(&server);
    assert_eq!(server.get("/concepts").status, 200);
    let mut second = begin(&server);
    is_busy(&server.get("/concepts"), "too many requests at once");
    assert_eq!(server.get("/health").status, 200);
    assert!(server
        .get("/metrics")
        .body
        .contains("\nsutra_storage_refused_total 1\n"));
    second.write_all(br#"{"text":"t"}"#).unwrap();
    assert!(Answer::read(&mut second).head.starts_with("http/1.1 201 "));
    assert_eq!(server.get("/concepts").status, 200);
}

#[test]
fn a_fifth_batch_at_once_is_refused() {
    let (server, _folder) = server();
    let head = HEAD
        .replace("PUT /concepts/a", "POST /batch")
        .replace("json", "x-ndjson");
    let batches: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(head.as_bytes()).unwrap();
            stream.read_exact(&mut [0; 25]).unwrap();
            stream
        })
        .collect();
    let fifth = || server.with_body("POST", "/batch", "application/x-ndjson", "");
    is_busy(&fifth(), "too many batches at once");
    for mut batch in batches {
        batch.write_all(b"            ").unwrap();
        assert_eq!(Answer::read(&mut batch).status, 200);
    }
    assert_eq!(fifth().status, 200);
}

#[test]
fn a_request_that_takes_too_long_is_refused() {
    let (server, _folder) = server_with("SUTRA_STORAGE_TIMEOUT", "1");
    let mut slow = begin(&server);
    is_busy(&Answer::read(&mut slow), "the request took more than 1 s");
    assert_eq!(server.get("/stats").json()["revision"], 0);
}

#[test]
fn one_connection_too_many_is_refused() {
    let (server, _folder) = server();
    let open: Vec<_> = (0..512).map(|_| server.connect()).collect();
    is_busy(&Answer::read(&mut server.connect()), "too many connections");
    drop(open);
    // The server sees the ends one after the other.
    while server.get("/health").status != 200 {}
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let (server, _folder) = server();
    let long = "x".repeat(20_000);
    let request = format!("GET /health HTTP/1.1\r\nHost: test\r\nX: {long}\r\n\r\n");
    assert_eq!(server.send(&request).status, 431);
}
