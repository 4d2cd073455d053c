//! Runs the real binary on a free loopback port and talks HTTP to it.

// Helpers fail as tests do; clippy.toml only reaches the test functions themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::{json, Value};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_storage_server_simple");
const TIMEOUT: Duration = Duration::from_secs(20);

/// A running server; killed when dropped.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    addr: SocketAddr,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut child = command("127.0.0.1:0", data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let log: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(log["fields"]["message"], "listening");
        let addr = log["fields"]["addr"].as_str().unwrap().parse().unwrap();
        Self {
            child,
            stdout,
            addr,
        }
    }

    fn signal(&mut self, name: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    }

    fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        // The server may answer and close before it has read a body that is too large.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("no whole answer");
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    /// A request without a body.
    fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        ))
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path)
    }

    fn put_text(&self, path: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!(
            "PUT {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn put(&self, path: &str, body: Value) -> Answer {
        self.put_text(path, &body.to_string())
    }

    fn put_concepts(&self, ids: &[&str]) {
        for id in ids {
            let answer = self.put(&format!("/concepts/{id}"), json!({ "text": id }));
            answer.is(201, json!({ "id": id, "text": id, "metadata": {} }));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// Checks the status and the whole body.
    #[track_caller]
    fn is(&self, status: u16, body: Value) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.json(), body);
        assert!(
            self.head.contains("content-type: application/json"),
            "{}",
            self.head
        );
    }

    /// Checks the whole of an RFC 9457 answer.
    #[track_caller]
    fn is_problem(&self, status: u16, title: &str, detail: &str) {
        assert_eq!(
            self.json(),
            json!({ "type": "about:blank", "title": title, "status": status, "detail": detail })
        );
        assert_eq!(self.status, status);
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{}",
            self.head
        );
    }

    #[track_caller]
    fn is_bad_request(&self, detail: &str) {
        self.is_problem(400, "Bad Request", detail);
    }

    #[track_caller]
    fn is_not_found(&self, detail: &str) {
        self.is_problem(404, "Not Found", detail);
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }
}

/// The binary with this environment and no other.
fn command(addr: &str, data: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env_clear()
        .env("SUTRA_STORAGE_ADDR", addr)
        .env("SUTRA_STORAGE_DATA", data);
    command
}

fn server() -> (Server, TempDir) {
    let folder = TempDir::new().unwrap();
    (Server::start(&folder.path().join("new/data")), folder)
}

fn link(source: &str, target: &str, weight: f64) -> Value {
    json!({ "source": source, "target": target, "kind": "is_a", "weight": weight })
}

#[track_caller]
fn assert_output(output: &Output, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(output.status.code(), Some(code));
}

#[test]
fn health_and_stats() {
    let (server, _folder) = server();
    server
        .get("/health")
        .is(200, json!({ "status": "ok", "version": "0.1.0" }));
    server
        .get("/stats")
        .is(200, json!({ "concepts": 0, "associations": 0 }));
    server.put_concepts(&["a", "b"]);
    server.put("/associations", link("a", "b", 0.5));
    server
        .get("/stats")
        .is(200, json!({ "concepts": 2, "associations": 1 }));
}

#[test]
fn a_concept_is_created_replaced_and_deleted() {
    let (server, _folder) = server();
    let body = json!({ "text": "first", "metadata": { "n": [1, null], "m": 0.1 } });
    let cat = json!({ "id": "cat", "text": "first", "metadata": body["metadata"] });
    server.put("/concepts/cat", body).is(201, cat.clone());
    server.get("/concepts/cat").is(200, cat);

    let cat = json!({ "id": "cat", "text": "second", "metadata": {} });
    server
        .put("/concepts/cat", json!({ "text": "second" }))
        .is(200, cat.clone());
    server.get("/concepts/cat").is(200, cat);

    let deleted = server.ask("DELETE", "/concepts/cat");
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    for method in ["GET", "DELETE"] {
        server
            .ask(method, "/concepts/cat")
            .is_not_found("no concept \"cat\"");
    }
}

#[test]
fn an_id_may_hold_a_slash_and_letters_of_any_language() {
    let (server, _folder) = server();
    let concept = json!({ "id": "a/ö", "text": "t", "metadata": {} });
    server
        .put("/concepts/a%2F%C3%B6", json!({ "text": "t" }))
        .is(201, concept.clone());
    server.get("/concepts/a%2F%C3%B6").is(200, concept);
}

#[test]
fn the_longest_id_and_text_are_taken() {
    let (server, _folder) = server();
    let (id, text) = ("i".repeat(512), "\u{1}".repeat(65536));
    let concept = json!({ "id": id, "text": text, "metadata": {} });
    server
        .put(&format!("/concepts/{id}"), json!({ "text": text }))
        .is(201, concept);
}

#[test]
fn concepts_are_listed_in_pages() {
    let (server, _folder) = server();
    server
        .get("/concepts")
        .is(200, json!({ "concepts": [], "next": null }));
    server.put_concepts(&["b", "c", "a"]);
    let concept = |id| json!({ "id": id, "text": id, "metadata": {} });
    server.get("/concepts?limit=2").is(
        200,
        json!({ "concepts": [concept("a"), concept("b")], "next": "b" }),
    );
    server
        .get("/concepts?after=b&limit=1000")
        .is(200, json!({ "concepts": [concept("c")], "next": null }));
}

#[test]
fn a_page_holds_100_concepts_if_no_limit_is_given() {
    let (server, _folder) = server();
    let ids: Vec<String> = (100..=200).map(|number| number.to_string()).collect();
    server.put_concepts(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let page = server.get("/concepts").json();
    assert_eq!(page["concepts"].as_array().unwrap().len(), 100);
    assert_eq!(page["next"], "199");
}

#[test]
fn associations_are_created_replaced_and_listed_from_both_ends() {
    let (server, _folder) = server();
    server.put_concepts(&["a", "b"]);
    for (status, weight) in [(201, 0.0), (200, 1.0)] {
        server
            .put("/associations", link("a", "b", weight))
            .is(status, link("a", "b", weight));
    }
    server
        .put("/associations", link("b", "a", 0.25))
        .is(201, link("b", "a", 0.25));
    server.get("/concepts/a/associations").is(
        200,
        json!({ "associations": [link("a", "b", 1.0), link("b", "a", 0.25)] }),
    );
    server.get("/concepts/b/associations").is(
        200,
        json!({ "associations": [link("b", "a", 0.25), link("a", "b", 1.0)] }),
    );
}

#[test]
fn deleting_a_concept_deletes_its_associations() {
    let (server, _folder) = server();
    server.put_concepts(&["a", "b", "c"]);
    for (source, target) in [("a", "b"), ("b", "a"), ("b", "c")] {
        server.put("/associations", link(source, target, 0.5));
    }
    assert_eq!(server.ask("DELETE", "/concepts/a").status, 204);
    server
        .get("/concepts/b/associations")
        .is(200, json!({ "associations": [link("b", "c", 0.5)] }));
    server
        .get("/stats")
        .is(200, json!({ "concepts": 2, "associations": 1 }));
}

#[test]
fn an_association_needs_both_concepts() {
    let (server, _folder) = server();
    server.put_concepts(&["a"]);
    server
        .put("/associations", link("a", "b", 0.5))
        .is_not_found("no concept \"b\"");
    server
        .put("/associations", link("c", "a", 0.5))
        .is_not_found("no concept \"c\"");
    server
        .get("/concepts/b/associations")
        .is_not_found("no concept \"b\"");
}

#[test]
fn a_bad_id_is_refused() {
    let (server, _folder) = server();
    server
        .get(&format!("/concepts/{}", "i".repeat(513)))
        .is_bad_request("id: must be 1 to 512 bytes, is 513");
    server
        .ask("DELETE", "/concepts/a%00b")
        .is_bad_request("id: must not hold control characters");
    server
        .get("/concepts/%FF/associations")
        .is_bad_request("id: Invalid UTF-8 in `id`");
    server
        .put("/concepts/%0A", json!({ "text": "t" }))
        .is_bad_request("id: must not hold control characters");
}

#[test]
fn a_bad_query_is_refused() {
    let (server, _folder) = server();
    for limit in [0, 1001] {
        server
            .get(&format!("/concepts?limit={limit}"))
            .is_bad_request(&format!("query: limit: must be from 1 to 1000, is {limit}"));
    }
    server
        .get("/concepts?limit=x")
        .is_bad_request("query: limit: invalid digit found in string");
    server
        .get("/concepts?after=")
        .is_bad_request("query: after: must be 1 to 512 bytes, is 0");
    server
        .get("/concepts?page=2")
        .is_bad_request("query: page: unknown field `page`, expected `after` or `limit`");
}

#[test]
fn a_bad_concept_is_refused() {
    let (server, _folder) = server();
    let put = |body| server.put_text("/concepts/a", body);
    put("{").is_bad_request("body: EOF while parsing an object at line 1 column 1");
    put("{}").is_bad_request("body: missing field `text` at line 1 column 2");
    put(r#"{"text":1}"#).is_bad_request(
        "body: text: invalid type: integer `1`, expected a string at line 1 column 9",
    );
    put(r#"{"text":"t","metadata":[]}"#).is_bad_request(
        "body: metadata: invalid type: sequence, expected a map at line 1 column 23",
    );
    put(r#"{"text":"t","more":1}"#).is_bad_request(
        "body: more: unknown field `more`, expected `text` or `metadata` at line 1 column 18",
    );
    server.get("/concepts/a").is_not_found("no concept \"a\"");
}

#[test]
fn a_bad_association_is_refused() {
    let (server, _folder) = server();
    server.put_concepts(&["a"]);
    let put = |field: &str, value: Value| {
        let mut body = link("a", "a", 0.5);
        body[field] = value;
        // Bodies are written with sorted keys: kind, source, target, weight.
        server.put("/associations", body)
    };
    put("kind", json!(""))
        .is_bad_request("body: kind: must be 1 to 64 bytes, is 0 at line 1 column 10");
    put("kind", json!("k".repeat(65)))
        .is_bad_request("body: kind: must be 1 to 64 bytes, is 65 at line 1 column 75");
    put("source", json!("a\n"))
        .is_bad_request("body: source: must not hold control characters at line 1 column 29");
    put("weight", json!(1.5))
        .is_bad_request("body: weight: must be from 0 to 1, is 1.5 at line 1 column 54");
    put("weight", json!(-1))
        .is_bad_request("body: weight: must be from 0 to 1, is -1 at line 1 column 53");
    put("colour", json!(1)).is_bad_request(
        "body: colour: unknown field `colour`, \
         expected one of `source`, `target`, `kind`, `weight` at line 1 column 9",
    );
    server
        .put_text("/associations", r#"{"weight":1e999}"#)
        .is_bad_request("body: weight: number out of range at line 1 column 15");
}

#[test]
fn what_is_too_large_is_refused() {
    let (server, _folder) = server();
    server
        .put("/concepts/a", json!({ "text": "x".repeat(65537) }))
        .is_problem(
            413,
            "Payload Too Large",
            "text: must be at most 65536 bytes",
        );
    let spaces = " ".repeat(524_289 - r#"{"text":""}"#.len());
    let body = format!(r#"{{"text":""{spaces}}}"#);
    server.put_text("/concepts/a", &body).is_problem(
        413,
        "Payload Too Large",
        "body: must be at most 524288 bytes",
    );
    let fits = body.replacen(' ', "", 1);
    assert_eq!(server.put_text("/concepts/a", &fits).status, 201);
}

#[test]
fn a_body_of_another_type_is_refused() {
    let (server, _folder) = server();
    server.ask("PUT", "/associations").is_problem(
        415,
        "Unsupported Media Type",
        "content-type: must be application/json",
    );
}

#[test]
fn an_unknown_route_is_not_found() {
    let (server, _folder) = server();
    server.get("/").is_not_found("no route \"/\"");
    server
        .get("/concepts/")
        .is_not_found("no route \"/concepts/\"");
    server
        .get("/concepts/a/b?c=d")
        .is_not_found("no route \"/concepts/a/b\"");
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let (server, _folder) = server();
    let answer = server.ask("POST", "/concepts/a");
    answer.is_problem(
        405,
        "Method Not Allowed",
        "\"/concepts/a\" does not take POST",
    );
    assert!(
        answer.head.contains("allow: get,head,put,delete"),
        "{}",
        answer.head
    );
    server.ask("DELETE", "/associations").is_problem(
        405,
        "Method Not Allowed",
        "\"/associations\" does not take DELETE",
    );
}

#[test]
fn data_survives_both_stop_signals() {
    let folder = TempDir::new().unwrap();
    for (number, name) in ["TERM", "INT"].into_iter().enumerate() {
        let mut server = Server::start(folder.path());
        server.put_concepts(&[name]);
        assert_eq!(server.signal(name).code(), Some(0));
        let mut log = String::new();
        server.stdout.read_to_string(&mut log).unwrap();
        assert!(log.contains("\"stopped\""), "{log}");

        let server = Server::start(folder.path());
        let concept = json!({ "id": name, "text": name, "metadata": {} });
        server.get(&format!("/concepts/{name}")).is(200, concept);
        assert_eq!(server.get("/stats").json()["concepts"], number + 1);
    }
}

#[test]
fn data_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path());
    server.put_concepts(&["a", "b"]);
    server.put("/associations", link("a", "b", 0.3));
    assert_eq!(server.signal("KILL").code(), None);

    let server = Server::start(folder.path());
    server
        .get("/concepts/a/associations")
        .is(200, json!({ "associations": [link("a", "b", 0.3)] }));
    server
        .get("/stats")
        .is(200, json!({ "concepts": 2, "associations": 1 }));
}

#[test]
fn an_open_request_is_answered_before_the_server_stops() {
    let (mut server, _folder) = server();
    let mut stream = server.connect();
    let head = "PUT /concepts/a HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                Content-Length: 12\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body, so it has the request.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    let pid = server.child.id().to_string();
    let kill = ["-c", "kill -s TERM \"$0\"", &pid];
    assert!(Command::new("sh").args(kill).status().unwrap().success());
    let mut line = String::new();
    server.stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"stopping\""), "{line}");

    stream.write_all(br#"{"text":"t"}"#).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_request_that_never_ends_does_not_keep_the_server() {
    let (mut server, _folder) = server();
    let mut stream = server.connect();
    stream.write_all(b"GET /health HTTP/1.1\r\n").unwrap();
    // An answer on another connection: by then the first one has been accepted.
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.signal("TERM").code(), Some(0));
}

#[test]
fn healthcheck_tells_a_running_server_from_none() {
    let (mut server, folder) = server();
    let addr = server.addr.to_string();
    let check = || {
        command(&addr, folder.path())
            .arg("healthcheck")
            .output()
            .unwrap()
    };
    assert_output(&check(), 0, "", "");
    server.signal("TERM");
    let refused = format!("http://{addr}/health: Connection refused (os error 111)\n");
    assert_output(&check(), 1, "", &refused);
}

#[test]
fn healthcheck_of_a_bad_address_is_one_line_and_1() {
    let output = command("nowhere", Path::new("unused"))
        .arg("healthcheck")
        .output()
        .unwrap();
    let line = "SUTRA_STORAGE_ADDR: not a socket address \"nowhere\"\n";
    assert_output(&output, 1, "", line);
}

#[test]
fn a_folder_serves_one_process() {
    let folder = TempDir::new().unwrap();
    let _server = Server::start(folder.path());
    let output = command("127.0.0.1:0", folder.path()).output().unwrap();
    let lines = format!(
        "SUTRA_STORAGE_DATA: in use by another process {:?}\n\
         tip: stop that process, or choose another folder\n",
        folder.path()
    );
    assert_output(&output, 2, "", &lines);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = command("127.0.0.1:0", &file.join("data")).output().unwrap();
    let lines = format!(
        "SUTRA_STORAGE_DATA: cannot write {:?}: Not a directory (os error 20)\n\
         tip: mount or choose a folder that the server's user may write\n",
        file.join("data")
    );
    assert_output(&output, 2, "", &lines);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_kept() {
    let no_store = "not a store\n".repeat(1000).into_bytes();
    let cut_store = b"redb\x1A\x0A\xA9\x0D\x0A".to_vec();
    for (bytes, reason) in [
        (no_store, "invalid data"),
        (cut_store, "failed to fill whole buffer"),
    ] {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("store.redb");
        fs::write(&file, &bytes).unwrap();
        let output = command("127.0.0.1:0", folder.path()).output().unwrap();
        let lines = format!(
            "SUTRA_STORAGE_DATA: cannot use {file:?}: I/O error: {reason}\n\
             tip: put back a copy of store.redb that is well, or choose another folder\n"
        );
        assert_output(&output, 2, "", &lines);
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
}

#[test]
fn an_address_in_use_is_refused() {
    let (server, folder) = server();
    let addr = server.addr.to_string();
    let output = command(&addr, folder.path()).output().unwrap();
    let lines = format!(
        "SUTRA_STORAGE_ADDR: cannot listen on \"{addr}\": Address already in use (os error 98)\n\
         tip: choose a free port and an address of this machine, eg 0.0.0.0:50051\n"
    );
    assert_output(&output, 2, "", &lines);
}

#[test]
fn a_bad_variable_is_named() {
    let output = command("xyz", Path::new("unused")).output().unwrap();
    let lines = "SUTRA_STORAGE_ADDR: not a socket address \"xyz\"\n\
                 tip: write an IP address and a port, eg 0.0.0.0:50051 or [::1]:50051\n";
    assert_output(&output, 2, "", lines);
}

#[test]
fn the_command_line_is_explained() {
    let run = |arg| Command::new(BINARY).arg(arg).output().unwrap();
    assert_output(&run("--version"), 0, "storage_server_simple 0.1.0\n", "");
    let help = run("--help");
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout)
        .unwrap()
        .contains("usage: storage_server_simple [COMMAND]"));
    let lines = "storage_server_simple: unknown argument \"--port\"\n\
                 tip: storage_server_simple --help lists what it takes\n";
    assert_output(&run("--port"), 2, "", lines);
}
