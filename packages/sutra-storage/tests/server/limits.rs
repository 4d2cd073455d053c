//! Tests clients that send more at once, or slower, than the server allows.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use temp_dir::TempDir;

use crate::support::{assert_output, command, memory, put_line, server, Answer, Server, TIMEOUT};

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
    // The server closes the connection although the body never came.
    let start = Instant::now();
    is_busy(&Answer::read(&mut slow), "the request took more than 1 s");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(server.get("/stats").json()["revision"], 0);
}

/// Connects from another address of this machine.
fn connect_from(server: &Server, last: u8) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let from: SocketAddr = format!("127.0.0.{last}:0").parse().unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&server.addr.into()).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.into()
}

fn get_from(server: &Server, last: u8, path: &str) -> Answer {
    let mut stream = connect_from(server, last);
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(request.as_bytes());
    Answer::read(&mut stream)
}

#[test]
fn one_connection_too_many_is_refused() {
    let (server, _folder) = server();
    let open: Vec<_> = (0..512)
        .map(|number| connect_from(&server, 2 + (number / 128) as u8))
        .collect();
    is_busy(&Answer::read(&mut server.connect()), "too many connections");
    drop(open);
    // The server notices the closed connections one by one.
    while server.get("/health").status != 200 {}
}

#[test]
fn one_address_with_half_sent_heads_shuts_nobody_else_out() {
    let (server, _folder) = server();
    let mut open: Vec<_> = (0..128).map(|_| server.connect()).collect();
    for stream in &mut open {
        stream.write_all(b"GET /health HTTP/1.1\r\nX: ").unwrap();
    }
    is_busy(&Answer::read(&mut server.connect()), "too many connections");
    assert_eq!(get_from(&server, 2, "/concepts").status, 200);
    // No connection is kept longer than the 15 seconds allowed for a head.
    let start = Instant::now();
    for mut stream in open {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(
        start.elapsed() < Duration::from_secs(18),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn one_address_with_slow_bodies_shuts_nobody_else_out() {
    let (server, _folder) = server();
    let slow: Vec<_> = (0..128).map(|_| begin(&server)).collect();
    let start = Instant::now();
    assert_eq!(get_from(&server, 2, "/concepts").status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    drop(slow);
}

#[test]
fn bodies_of_the_largest_size_that_come_slowly_let_readers_go_on() {
    let (server, _folder) = small_server();
    let head = HEAD.replace("Content-Length: 12", "Content-Length: 524288");
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let start = Instant::now();
    assert_eq!(get_from(&server, 2, "/concepts").status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    is_small(&server);
    drop(slow);
}

#[test]
fn a_head_must_name_one_host() {
    let (server, _folder) = server();
    for (head, why) in [
        ("GET /health HTTP/1.1\r\n", "host: missing"),
        (
            "GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
            "host: must be given once",
        ),
        (
            "GET /health HTTP/1.0\r\nHost: a\r\nHost: b\r\n",
            "host: must be given once",
        ),
    ] {
        let answer = server.send(&format!("{head}Connection: close\r\n\r\n"));
        answer.is_bad_request(why);
    }
    let old = server.send("GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 200);
}

#[test]
fn a_body_of_two_lengths_is_refused() {
    let (server, _folder) = server();
    for lengths in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
    ] {
        let answer = server.send(&format!(
            "PUT /concepts/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
             Connection: close\r\n{lengths}\r\n\r\n0\r\n\r\n"
        ));
        assert_eq!(answer.status, 400, "{lengths}");
    }
    assert_eq!(server.get("/stats").json()["revision"], 0);
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let (server, _folder) = server();
    let long = "x".repeat(20_000);
    let request = format!("GET /health HTTP/1.1\r\nHost: test\r\nX: {long}\r\n\r\n");
    assert_eq!(server.send(&request).status, 431);
}

// ---- the token -------------------------------------------------------------

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn with_headers(server: &Server, method: &str, path: &str, headers: &str) -> Answer {
    server.send(&format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n"
    ))
}

#[track_caller]
fn is_shut(answer: &Answer) {
    answer.is_problem(
        401,
        "Unauthorized",
        "authorization: must be Bearer with the storage's key",
    );
    assert!(
        answer.head.contains("www-authenticate: bearer\r\n"),
        "{}",
        answer.head
    );
}

#[test]
fn without_a_token_a_server_says_that_it_is_open() {
    let (open, _folder) = server();
    assert!(open.open);
    let (shut, _folder) = server_with("SUTRA_STORAGE_KEY", TOKEN);
    assert!(!shut.open);
}

#[test]
fn every_route_but_health_and_life_asks_for_the_token() {
    let (server, _folder) = server_with("SUTRA_STORAGE_KEY", TOKEN);
    for path in ["/health", "/live"] {
        assert_eq!(server.get(path).status, 200);
    }
    // With the token the answer would not be text.
    is_shut(&server.get("/snapshot"));
    let open = format!("Authorization: Bearer {TOKEN}\r\n");
    for (method, path) in [
        ("GET", "/concepts"),
        ("GET", "/concepts/a"),
        ("PUT", "/concepts/a"),
        ("DELETE", "/concepts/a"),
        ("GET", "/associations"),
        ("GET", "/concepts/a/associations"),
        ("POST", "/batch"),
        ("GET", "/stats"),
        ("GET", "/metrics"),
        ("GET", "/health/"),
        ("GET", "/nothing"),
    ] {
        is_shut(&server.ask(method, path));
        assert_ne!(
            with_headers(&server, method, path, &open).status,
            401,
            "{path}"
        );
    }
}

#[test]
fn a_wrong_token_or_two_are_refused() {
    let (server, _folder) = server_with("SUTRA_STORAGE_KEY", TOKEN);
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    let wrong = right.replace("0123", "0124");
    for headers in [
        wrong.clone(),
        format!("{right}{wrong}"),
        format!("{wrong}{right}"),
        format!("{right}{right}"),
        right.replace("Bearer", "Basic"),
        right.replace("Authorization", "Proxy-Authorization"),
    ] {
        is_shut(&with_headers(&server, "GET", "/concepts", &headers));
    }
}

#[test]
fn a_token_in_a_trailer_is_none() {
    let (server, _folder) = server_with("SUTRA_STORAGE_KEY", TOKEN);
    is_shut(&server.send(&format!(
        "PUT /concepts/a HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
         Trailer: Authorization\r\n\r\nc\r\n{{\"text\":\"t\"}}\r\n0\r\n\
         Authorization: Bearer {TOKEN}\r\n\r\n"
    )));
}

#[test]
fn a_body_without_the_token_is_not_waited_for() {
    let (server, _folder) = server_with("SUTRA_STORAGE_KEY", TOKEN);
    let mut stream = server.connect();
    stream.write_all(HEAD.as_bytes()).unwrap();
    is_shut(&Answer::read(&mut stream));
}

// ---- memory ----------------------------------------------------------------

/// The smallest limit of memory.
const SMALL: u64 = 96 * 1024 * 1024;
const REACHED: &str = "the memory limit is reached; delete something or raise SUTRA_STORAGE_MEMORY";

#[test]
fn a_server_takes_no_huge_pages() {
    let (server, _folder) = server();
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    assert!(status.contains("\nTHP_enabled:\t0\n"), "{status}");
}

/// Checks that the server never took more memory than it may.
#[track_caller]
fn is_small(server: &Server) {
    let most = memory(server, "VmHWM");
    assert!(most < SMALL, "{most}");
}

fn small_server() -> (Server, TempDir) {
    let folder = TempDir::new().unwrap();
    let server = Server::spawn(&mut small_command(&folder));
    (server, folder)
}

/// A time limit that allows for the largest batches on a busy machine.
fn small_command(folder: &TempDir) -> Command {
    let mut command = command("127.0.0.1:0", folder.path());
    command.env("SUTRA_STORAGE_MEMORY", "96m");
    command.env("SUTRA_STORAGE_TIMEOUT", "60");
    command
}

fn long_id(number: usize) -> String {
    format!("{number:0>512}")
}

/// Puts new concepts with long ids until one is refused, and returns how many there are.
fn fill(server: &Server) -> usize {
    for start in (0..1_000_000).step_by(5000) {
        let lines: Vec<_> = (start..start + 5000)
            .map(|number| put_line(&long_id(number), "t"))
            .collect();
        let results = server.batch(&lines.join("\n"));
        if let Some(at) = results.iter().position(|result| result["status"] != 201) {
            let mut problem = results[at].clone();
            problem.as_object_mut().unwrap().remove("line");
            assert_eq!(
                problem,
                json!({
                    "type": "urn:sutra:memory-limit-reached",
                    "title": "memory limit reached",
                    "status": 503,
                    "detail": REACHED,
                })
            );
            return start + at;
        }
    }
    panic!("never refused");
}

fn put(server: &Server, id: &str, text: &str) -> Answer {
    server.put(&format!("/concepts/{id}"), json!({ "text": text }))
}

#[test]
fn what_is_new_is_refused_before_memory_runs_out() {
    let (server, folder) = small_server();
    let count = fill(&server);
    assert!(count > 10_000, "{count}");
    is_small(&server);
    let refused = put(&server, &"n".repeat(512), "t");
    assert_eq!(
        (refused.status, &refused.json()["detail"]),
        (503, &json!(REACHED))
    );
    assert!(
        refused.head.contains("retry-after: 30\r\n"),
        "{}",
        refused.head
    );
    // Reads, replacements and deletes still work, and deletes make room.
    assert_eq!(
        server
            .get(&format!("/concepts/{}", long_id(count - 1)))
            .status,
        200
    );
    assert_eq!(put(&server, &long_id(0), "other").status, 200);
    assert_eq!(
        server
            .ask("DELETE", &format!("/concepts/{}", long_id(1)))
            .status,
        204
    );
    assert_eq!(put(&server, &"n".repeat(512), "t").status, 201);
    // The store is the same after a restart.
    drop(server);
    let again = Server::spawn(&mut small_command(&folder));
    assert_eq!(again.get("/stats").json()["concepts"], count);
    assert_eq!(put(&again, &"m".repeat(512), "t").status, 503);
}

#[test]
fn a_full_index_still_has_its_log_rewritten_within_the_limit() {
    let (server, folder) = small_server();
    fill(&server);
    let log = folder.path().join("store.log");
    let text = "x".repeat(60_000);
    let line = put_line(&long_id(0), &text);
    let lines = [line.as_str(); 100].join("\n");
    let mut most = 0;
    while fs::metadata(&log).unwrap().len() >= most {
        most = fs::metadata(&log).unwrap().len();
        assert!(most < 200 << 20, "never rewritten");
        assert!(server
            .batch(&lines)
            .iter()
            .all(|result| result["status"] == 200));
    }
    is_small(&server);
}

/// Puts the concepts that [`many_links`] names.
fn put_linked(server: &Server) {
    let lines: Vec<_> = (0..100)
        .map(|number| put_line(&long_id(number), "t"))
        .collect();
    server.batch(&lines.join("\n"));
}

/// Returns a batch of the largest size: associations among 100 concepts, all with the longest
/// names.
fn many_links(kind: usize) -> String {
    let line = |number: usize| {
        let (source, target) = (long_id(number / 100), long_id(number % 100));
        let kind = format!("{kind:0>64}");
        format!(
            r#"{{"op":"put_association","source":"{source}","target":"{target}","kind":"{kind}","weight":0.5}}"#
        )
    };
    (0..7100).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_largest_batches_from_several_clients_keep_within_the_limit() {
    let (server, _folder) = small_server();
    put_linked(&server);
    thread::scope(|scope| {
        for kind in 0..4 {
            let server = &server;
            let batch = many_links(kind);
            assert!(
                (8_000_000..8 << 20).contains(&batch.len()),
                "{}",
                batch.len()
            );
            scope.spawn(move || {
                let answer = server.with_body("POST", "/batch", "application/x-ndjson", &batch);
                assert_eq!(answer.status, 200);
            });
        }
    });
    let stats = server.get("/stats").json();
    assert!(stats["associations"].as_u64().unwrap() > 10_000, "{stats}");
    is_small(&server);
}

#[test]
fn a_log_that_does_not_fit_in_memory_is_refused_and_kept() {
    let folder = TempDir::new().unwrap();
    let mut command = small_command(&folder);
    let mut server = Server::spawn(command.env("SUTRA_STORAGE_MEMORY", "512m"));
    put_linked(&server);
    // Each of 42,600 associations takes at least 2.4 kB of an index: 104 MB, more than [`SMALL`].
    for kind in 0..6 {
        server.batch(&many_links(kind));
    }
    server.signal("TERM");
    let log = folder.path().join("store.log");
    let size = fs::metadata(&log).unwrap().len();
    let output = small_command(&folder).output().unwrap();
    let lines = format!(
        "SUTRA_STORAGE_DATA: more concepts and associations than fit in memory {log:?}\n\
         tip: give the server more memory (SUTRA_STORAGE_MEMORY); nothing was changed\n"
    );
    assert_output(&output, 2, "", &lines);
    assert_eq!(fs::metadata(&log).unwrap().len(), size);
}

#[test]
fn answers_that_nobody_reads_do_not_fill_the_memory() {
    let (server, _folder) = small_server();
    let text = "x".repeat(60_000);
    for number in 0..20 {
        assert_eq!(put(&server, &number.to_string(), &text).status, 201);
    }
    let request = "GET /concepts?limit=1000 HTTP/1.1\r\nHost: test\r\n\r\n";
    let open: Vec<_> = (0..512)
        .map(|number| {
            let mut stream = connect_from(&server, 2 + (number / 128) as u8);
            let _ = stream.write_all(request.as_bytes());
            stream
        })
        .collect();
    thread::sleep(Duration::from_secs(3));
    is_small(&server);
    drop(open);
    while server.get("/concepts?limit=1").status != 200 {}
}
