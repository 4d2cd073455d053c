//! Runs the real binary on a free loopback port and talks HTTP to it.

use std::fs;
use std::io::{BufRead, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{json, Value};
use temp_dir::TempDir;

use crate::support::{assert_output, command, kill, log_command, server, Server, BINARY, STOP};

/// Returns the numbers of concepts and associations.
fn counts(server: &Server) -> (u64, u64) {
    let stats = server.get("/stats").json();
    let count = |name: &str| stats[name].as_u64().unwrap();
    (count("concepts"), count("associations"))
}

fn link(source: &str, target: &str, weight: f64) -> Value {
    json!({ "source": source, "target": target, "kind": "is_a", "weight": weight })
}

#[test]
fn health_and_stats() {
    let (server, _folder) = server();
    server
        .get("/health")
        .is(200, json!({ "status": "ok", "version": "0.2.0" }));
    assert_eq!(counts(&server), (0, 0));
    server.put_concepts(&["a", "b"]);
    server.put("/associations", link("a", "b", 0.5));
    assert_eq!(counts(&server), (2, 1));
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
        json!({ "associations": [link("a", "b", 1.0), link("b", "a", 0.25)], "next": null }),
    );
    server.get("/concepts/b/associations").is(
        200,
        json!({ "associations": [link("b", "a", 0.25), link("a", "b", 1.0)], "next": null }),
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
    server.get("/concepts/b/associations").is(
        200,
        json!({ "associations": [link("b", "c", 0.5)], "next": null }),
    );
    assert_eq!(counts(&server), (2, 1));
}

#[test]
fn associations_are_listed_in_pages() {
    let (server, _folder) = server();
    server.put_concepts(&["a", "b"]);
    for (source, target) in [("a", "a"), ("a", "b"), ("b", "a")] {
        server.put("/associations", link(source, target, 0.5));
    }
    server.get("/associations?limit=2").is(
        200,
        json!({
            "associations": [link("a", "a", 0.5), link("a", "b", 0.5)],
            "next": "a\tb\tis_a",
        }),
    );
    server.get("/associations?after=a%09b%09is_a").is(
        200,
        json!({ "associations": [link("b", "a", 0.5)], "next": null }),
    );
    server.get("/concepts/a/associations?limit=2").is(
        200,
        json!({
            "associations": [link("a", "a", 0.5), link("a", "b", 0.5)],
            "next": "out\ta\tb\tis_a",
        }),
    );
    server
        .get("/concepts/a/associations?limit=2&after=out%09a%09b%09is_a")
        .is(
            200,
            json!({ "associations": [link("b", "a", 0.5)], "next": null }),
        );
    server
        .get("/concepts/b/associations?limit=1&after=in%09b%09a%09is_a")
        .is(200, json!({ "associations": [], "next": null }));
}

#[test]
fn a_bad_cursor_is_refused() {
    let (server, _folder) = server();
    server.put_concepts(&["a"]);
    for (after, why) in [
        ("a", "must be three parts, is 1"),
        ("a%09b%09", "must be 1 to 64 bytes, is 0"),
    ] {
        server
            .get(&format!("/associations?after={after}"))
            .is_bad_request(&format!("query: after: {why}"));
    }
    for (after, why) in [
        ("a", "must be the next of a page"),
        ("out%09b%09a%09k", "must be the next of a page"),
        ("up%09a%09a%09k", "must be the next of a page"),
        ("out%09a", "must be three parts, is 1"),
    ] {
        server
            .get(&format!("/concepts/a/associations?after={after}"))
            .is_bad_request(&format!("query: after: {why}"));
    }
}

#[test]
fn concepts_are_found_by_prefix() {
    let (server, _folder) = server();
    server.put_concepts(&["a", "ab", "ac", "b"]);
    let page = server.get("/concepts?prefix=a&after=a&limit=1").json();
    assert_eq!(
        (&page["concepts"][0]["id"], &page["next"]),
        (&json!("ab"), &json!("ab"))
    );
    server
        .get("/concepts?prefix=x")
        .is(200, json!({ "concepts": [], "next": null }));
}

#[test]
fn an_association_is_deleted() {
    let (server, _folder) = server();
    server.put_concepts(&["a", "b"]);
    server.put("/associations", link("a", "b", 0.5));
    let path = "/associations?source=a&target=b&kind=is_a";
    let deleted = server.ask("DELETE", path);
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    server
        .ask("DELETE", path)
        .is_not_found("no association \"is_a\" from \"a\" to \"b\"");
    server
        .ask("DELETE", "/associations?source=a&target=b")
        .is_bad_request("query: missing field `kind`");
    server
        .ask("DELETE", "/associations?source=a&target=&kind=k")
        .is_bad_request("query: target: must be 1 to 512 bytes, is 0");
}

#[test]
fn a_batch_answers_line_by_line() {
    let (server, _folder) = server();
    let large = json!({ "op": "put_concept", "id": "c", "text": "x".repeat(65537) });
    let lines = [
        r#"{"op":"put_concept","id":"a","text":"A"}"#,
        r#"{"op":"put_concept","id":"b","text":"B","metadata":{"n":1}}"#,
        r#"{"op":"put_association","source":"a","target":"b","kind":"is_a","weight":0.5}"#,
        "",
        r#"{"op":"put_association","source":"a","target":"c","kind":"is_a","weight":0.5}"#,
        r#"{"op":"put_concept","id":"a","text":"A2"}"#,
        "nonsense",
        &large.to_string(),
        r#"{"op":"delete_association","source":"a","target":"b","kind":"is_a"}"#,
        r#"{"op":"delete_concept","id":"b"}"#,
        r#"{"op":"delete_concept","id":"b"}"#,
        r#"{"op":"put_association","source":"a","target":"a","kind":"is_a","weight":2}"#,
    ];
    let problem = |line: u64, status: u64, title: &str, detail: &str| {
        json!({
            "line": line, "type": "about:blank", "title": title, "status": status, "detail": detail,
        })
    };
    let expected = [
        json!({ "line": 1, "status": 201 }),
        json!({ "line": 2, "status": 201 }),
        json!({ "line": 3, "status": 201 }),
        problem(5, 404, "Not Found", "no concept \"c\""),
        json!({ "line": 6, "status": 200 }),
        problem(
            7,
            400,
            "Bad Request",
            "line: expected ident at line 1 column 2",
        ),
        problem(
            8,
            413,
            "Payload Too Large",
            "text: must be at most 65536 bytes",
        ),
        json!({ "line": 9, "status": 204 }),
        json!({ "line": 10, "status": 204 }),
        problem(11, 404, "Not Found", "no concept \"b\""),
        problem(12, 400, "Bad Request", "line: must be from 0 to 1, is 2"),
    ];
    assert_eq!(server.batch(&lines.join("\n")), expected);
    let a = json!({ "id": "a", "text": "A2", "metadata": {} });
    server
        .get("/concepts")
        .is(200, json!({ "concepts": [a], "next": null }));
    assert_eq!(counts(&server), (1, 0));
}

#[test]
fn a_batch_has_at_most_8_mib_and_10000_lines() {
    let (server, _folder) = server();
    let post = |body: &str| server.with_body("POST", "/batch", "application/x-ndjson", body);
    let (title, most) = ("Payload Too Large", 8 * 1024 * 1024);
    let line = " ".repeat(most);
    assert_eq!(server.batch(&line), [json!(null); 0]);
    post(&(line + " ")).is_problem(413, title, "body: must be at most 8388608 bytes");
    let lines = "{\"op\":\"put_concept\",\"id\":\"a\",\"text\":\"\"}\n".repeat(10_000);
    let done = server.batch(&lines);
    assert_eq!(done.len(), 10_000);
    assert_eq!(done[0], json!({ "line": 1, "status": 201 }));
    assert_eq!(done[9999], json!({ "line": 10_000, "status": 200 }));
    let revision = server.get("/stats").json()["revision"].clone();
    assert_eq!(revision, 10_000);
    post(&(lines + "\n")).is_problem(413, title, "body: must be at most 10000 lines");
    assert_eq!(server.get("/stats").json()["revision"], revision);
}

#[test]
fn a_batch_must_be_called_ndjson() {
    let (server, _folder) = server();
    let post = |media| server.with_body("POST", "/batch", media, "");
    post("application/json").is_problem(
        415,
        "Unsupported Media Type",
        "content-type: must be application/x-ndjson",
    );
    assert_eq!(post("Application/X-NDJSON; charset=utf-8").status, 200);
}

#[test]
fn metrics_are_in_prometheus_text() {
    let (server, _folder) = server();
    server.put_concepts(&["a", "b"]);
    server.get("/nowhere");
    server.ask("BREW", "/health");
    let answer = server.get("/metrics");
    assert!(
        answer
            .head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        answer.head
    );
    for line in [
        "# TYPE sutra_storage_requests_total counter",
        "sutra_storage_requests_total{method=\"PUT\",route=\"/concepts/{id}\",status=\"201\"} 2",
        "sutra_storage_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "sutra_storage_requests_total{method=\"other\",route=\"/health\",status=\"405\"} 1",
        "sutra_storage_request_seconds_count{method=\"PUT\",route=\"/concepts/{id}\"} 2",
        "sutra_storage_group_changes_sum 2",
        "sutra_storage_sync_seconds_count 2",
        "sutra_storage_concepts 2",
        "sutra_storage_associations 0",
        "sutra_storage_revision 2",
        "sutra_storage_failed 0",
        "sutra_storage_refused_total 0",
        "sutra_storage_no_space_total 0",
    ] {
        assert!(
            answer.body.lines().any(|shown| shown == line),
            "{line}\n{}",
            answer.body
        );
    }
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
    server.get("/concepts?page=2").is_bad_request(
        "query: page: unknown field `page`, expected one of `after`, `limit`, `prefix`",
    );
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
    server.ask("DELETE", "/batch").is_problem(
        405,
        "Method Not Allowed",
        "\"/batch\" does not take DELETE",
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
    server.get("/concepts/a/associations").is(
        200,
        json!({ "associations": [link("a", "b", 0.3)], "next": null }),
    );
    assert_eq!(counts(&server), (2, 1));
}

#[test]
fn an_open_request_is_answered_before_the_server_stops() {
    let (mut server, _folder) = server();
    let mut stream = server.connect();
    let head = "PUT /concepts/a HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                Content-Length: 12\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The server has the request once it asks for the body.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    kill(server.child.id(), "TERM");
    let mut line = String::new();
    server.stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"stopping\""), "{line}");

    stream.write_all(br#"{"text":"t"}"#).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_request_that_never_ends_does_not_keep_the_server() {
    let (mut server, _folder) = server();
    let mut stream = server.connect();
    stream.write_all(b"GET /health HTTP/1.1\r\n").unwrap();
    // Once another connection has its answer, the first one has been accepted too.
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.signal("TERM").code(), Some(0));
}

#[test]
fn a_body_sent_by_half_does_not_keep_the_server_and_writes_nothing() {
    let (mut server, folder) = server();
    let mut stream = server.connect();
    let head = "POST /batch HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-ndjson\r\n\
                Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    let line = b"{\"op\":\"put_concept\",\"id\":\"half\",\"text\":\"x\"}\n";
    stream.write_all(line).unwrap();
    let start = Instant::now();
    assert_eq!(server.signal("TERM").code(), Some(0));
    assert!(start.elapsed() < STOP, "{:?}", start.elapsed());
    let server = Server::start(&folder.path().join("new/data"));
    assert_eq!(counts(&server), (0, 0));
}

#[test]
fn health_and_life_answer_a_head_too() {
    let (server, _folder) = server();
    for path in ["/health", "/live"] {
        let whole = server.get(path);
        whole.is(200, json!({ "status": "ok", "version": "0.2.0" }));
        let head = server.ask("HEAD", path);
        assert_eq!((head.head, head.body.as_str()), (whole.head, ""));
    }
}

#[test]
fn a_server_that_drains_serves_on_and_says_that_it_is_not_ready() {
    let folder = TempDir::new().unwrap();
    let mut command = command("127.0.0.1:0", folder.path());
    let mut server = Server::spawn(command.env("SUTRA_DRAIN_SECONDS", "60"));
    kill(server.child.id(), "TERM");
    let mut line = String::new();
    server.stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"stopping\""), "{line}");
    let health = server.get("/health");
    health.is_problem(503, "Service Unavailable", "the server is stopping");
    assert_eq!(server.get("/live").status, 200);
    server.put_concepts(&["a"]);
    let start = Instant::now();
    assert_eq!(server.signal("TERM").code(), Some(0));
    assert!(start.elapsed() < STOP, "{:?}", start.elapsed());
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
    let _server = Server::spawn(&mut log_command("127.0.0.1:0", folder.path()));
    let output = log_command("127.0.0.1:0", folder.path()).output().unwrap();
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
    let output = log_command("127.0.0.1:0", &file.join("data"))
        .output()
        .unwrap();
    let lines = format!(
        "SUTRA_STORAGE_DATA: cannot write {:?}: Not a directory (os error 20)\n\
         tip: mount or choose a folder that the server's user may write, with space left\n",
        file.join("data")
    );
    assert_output(&output, 2, "", &lines);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_kept() {
    let no_store = "not a store\n".repeat(1000).into_bytes();
    let cut = b"SUTRALOG\x01".to_vec();
    for (bytes, why) in [
        (no_store, "not a log of this version"),
        (cut, "not a log: 9 bytes are too few"),
        (Vec::new(), "not a log: 0 bytes are too few"),
    ] {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("store.log");
        fs::write(&file, &bytes).unwrap();
        let output = log_command("127.0.0.1:0", folder.path()).output().unwrap();
        let lines = format!(
            "SUTRA_STORAGE_DATA: damaged {file:?}: offset 0: {why}\n\
             tip: nothing was changed; put back an intact copy of store.log; nothing in this \
             one can be saved by a cut: without a copy, move it away to start empty\n"
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
    // The C library words it: glibc's text has "already", musl's does not.
    let reason = TcpListener::bind(server.addr).unwrap_err();
    let lines = format!(
        "SUTRA_STORAGE_ADDR: cannot listen on \"{addr}\": {reason}\n\
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
    assert_output(&run("--version"), 0, "storage_server_simple 0.2.0\n", "");
    let help = run("--help");
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout)
        .unwrap()
        .contains("usage: storage_server_simple [COMMAND]"));
    let lines = "storage_server_simple: unknown argument \"--port\"\n\
                 tip: storage_server_simple --help lists what it takes\n";
    assert_output(&run("--port"), 2, "", lines);
}
