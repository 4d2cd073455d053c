//! Sends malformed requests: each is refused, and the server goes on as before.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::Shutdown;

use quickcheck::{Arbitrary, Gen, QuickCheck};
use serde_json::json;
use temp_dir::TempDir;

use crate::support::{memory, server, sized, Answer, Server};

/// The number of requests of all the kinds below.
const REQUESTS: u64 = 2_000;
/// By how many bytes they may let the server's resident memory grow after a first round.
const GROWTH: u64 = 16 * 1024 * 1024;

/// Pieces of valid lines, and what a reader of JSON or UTF-8 may stumble over.
const PIECES: &[&[u8]] = &[
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

/// Raw bytes or one of [`PIECES`], so that a parser meets the raw ones further in.
#[derive(Debug, Clone)]
struct Piece(Vec<u8>);

impl Arbitrary for Piece {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(match bool::arbitrary(g) {
            true => Vec::arbitrary(&mut sized(g, 64)),
            false => g.choose(PIECES).unwrap().to_vec(),
        })
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().map(Self))
    }
}

/// Where in a request the pieces are.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the body of this route.
    Body(&'static str),
    Path,
    Whole,
}

impl Arbitrary for Place {
    fn arbitrary(g: &mut Gen) -> Self {
        let places = [
            Self::Body("POST /batch"),
            Self::Body("POST /batch"),
            Self::Body("POST /batch"),
            Self::Body("PUT /concepts/a"),
            Self::Body("PUT /concepts/a"),
            Self::Body("PUT /associations"),
            Self::Path,
            Self::Whole,
        ];
        *g.choose(&places).unwrap()
    }
}

/// Returns the request with `bytes` there.
fn request(place: Place, bytes: &[u8]) -> Vec<u8> {
    match place {
        Place::Body(route) => with_body(route, bytes),
        Place::Path => {
            let end = b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
            [b"GET /concepts/", bytes, end].concat()
        }
        Place::Whole => bytes.to_vec(),
    }
}

fn with_body(route: &str, body: &[u8]) -> Vec<u8> {
    let media = match route {
        "POST /batch" => "application/x-ndjson",
        _ => "application/json",
    };
    let head = format!(
        "{route} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: {media}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
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

thread_local! {
    // A property is a function, which holds no server.
    static SERVER: RefCell<(Server, TempDir)> = RefCell::new(server());
    static ANSWERED: Cell<u64> = const { Cell::new(0) };
}

fn below_500(place: Place, pieces: Vec<Piece>) {
    let bytes: Vec<_> = pieces.into_iter().flat_map(|piece| piece.0).collect();
    let request = request(place, &bytes);
    let ends = !matches!(place, Place::Whole);
    if let Some(answer) = SERVER.with_borrow(|(server, _)| answer(server, &request, ends)) {
        ANSWERED.set(ANSWERED.get() + 1);
        assert!(answer.status < 500, "{} {}", answer.head, answer.body);
    }
}

#[test]
fn raw_bytes_are_refused_and_leave_the_server_as_it_was() {
    let send = |count: u64| {
        let mut check = QuickCheck::new().tests(count).rng(Gen::new(24));
        check.quickcheck(below_500 as fn(Place, Vec<Piece>));
        SERVER.with_borrow(|(server, _)| memory(server, "VmRSS"))
    };
    let before = send(REQUESTS / 10);
    let after = send(REQUESTS);
    assert!(after < before + GROWTH, "resident: {before}, then {after}");
    let answered = ANSWERED.get();
    assert!(answered > REQUESTS / 2, "{answered} answers");
    SERVER.with_borrow_mut(|(server, _)| {
        let health = server.get("/health");
        health.is(200, json!({ "status": "ok", "version": "0.2.0" }));
        assert_eq!(server.signal("TERM").code(), Some(0));
    });
}
