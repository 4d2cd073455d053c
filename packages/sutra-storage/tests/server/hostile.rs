//! Sends malformed requests: each is refused, and the server goes on as before.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::Shutdown;

use proptest::prelude::*;
use serde_json::json;

use crate::support::{memory, server, Answer, Server};

/// The number of requests of all the kinds below.
const REQUESTS: u32 = 2_000;
/// By how many bytes they may let the server's resident memory grow after a first round.
const GROWTH: u64 = 16 * 1024 * 1024;

/// Generates raw bytes mixed with valid pieces, so that a parser meets the raw ones further in.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"\n",
        b"\r\n",
        b"\"",
        b"{\"op\":\"put_concept\",\"id\":\"",
        b"\",\"text\":\"",
        b"\"}",
        b"\\ud800",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"[[[[[[[[",
        b"1e999",
    ];
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        prop::sample::select(pieces).prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Generates requests with such bytes as body, in the path, or as the whole, and whether they end.
fn request() -> impl Strategy<Value = (Vec<u8>, bool)> {
    let with_body = |(route, body): (&str, Vec<u8>)| {
        let head = format!(
            "{route} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        let media = match route {
            "POST /batch" => "Content-Type: application/x-ndjson\r\n\r\n",
            _ => "Content-Type: application/json\r\n\r\n",
        };
        ([head.as_bytes(), media.as_bytes(), &body].concat(), true)
    };
    let in_path = |bytes: Vec<u8>| {
        let end = b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        ([b"GET /concepts/", bytes.as_slice(), end].concat(), true)
    };
    prop_oneof![
        3 => (Just("POST /batch"), bytes()).prop_map(with_body),
        2 => (Just("PUT /concepts/a"), bytes()).prop_map(with_body),
        1 => (Just("PUT /associations"), bytes()).prop_map(with_body),
        1 => bytes().prop_map(in_path),
        1 => bytes().prop_map(|bytes| (bytes, false)),
    ]
}

/// Sends `request` and nothing more; returns `None` if the server closed without an answer.
fn answer(server: &Server, request: &[u8], ends: bool) -> Option<Answer> {
    let mut stream = server.connect();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request);
    if !ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    match answer.is_empty() {
        true => None,
        false => Some(Answer::parse(answer).expect("no whole answer")),
    }
}

#[test]
fn raw_bytes_are_refused_and_leave_the_server_as_it_was() {
    let (mut server, _folder) = server();
    let answered = Cell::new(0);
    let send = |count: u32| {
        let config = ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(count)
        };
        proptest!(config, |((request, ends) in request())| {
            if let Some(answer) = answer(&server, &request, ends) {
                answered.set(answered.get() + 1);
                prop_assert!(answer.status < 500, "{} {}", answer.head, answer.body);
            }
        });
    };
    send(REQUESTS / 10);
    let before = memory(&server, "VmRSS");
    send(REQUESTS);
    let after = memory(&server, "VmRSS");
    assert!(after < before + GROWTH, "resident: {before}, then {after}");
    assert!(answered.get() > REQUESTS / 2, "{} answers", answered.get());
    let health = server.get("/health");
    health.is(200, json!({ "status": "ok", "version": "0.2.0" }));
    assert_eq!(server.signal("TERM").code(), Some(0));
}
