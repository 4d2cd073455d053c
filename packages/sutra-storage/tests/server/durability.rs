//! Tests that acknowledged writes survive a kill, a stop, and a full disk.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread;
use std::time::Instant;

use serde_json::{json, Value};
use temp_dir::TempDir;

use crate::support::{command, kill, put_line, Answer, Server, BINARY, STOP};

const WRITERS: usize = 8;

/// Returns the text of the concept `id`, long enough for its write to be torn.
fn text_of(id: &str) -> String {
    id.repeat(100)
}

/// Puts concepts `{round}-{writer}-{n}` until the server is gone, each with an association to the
/// one before, and reports each id that was acknowledged.
fn keep_writing(addr: SocketAddr, name: String, acknowledged: &Sender<String>) {
    let mut before: Option<String> = None;
    for number in 0.. {
        let id = format!("{name}-{number}");
        let mut lines = vec![json!({ "op": "put_concept", "id": id, "text": text_of(&id) })];
        lines.extend(before.map(|before| {
            json!({
                "op": "put_association", "source": before, "target": id, "kind": "next", "weight": 1,
            })
        }));
        let body = lines
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        match post(addr, &body) {
            Some(answer) => {
                assert_eq!(answer.status, 200, "{}", answer.body);
                assert_eq!(answer.body.matches("\"status\":201").count(), lines.len());
                acknowledged.send(id.clone()).unwrap();
            }
            None => return,
        }
        before = Some(id);
    }
}

/// Returns `None` if the server did not send the whole answer.
fn post(addr: SocketAddr, body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(addr).ok()?;
    let length = body.len();
    let head = format!(
        "POST /batch HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = Answer::parse(answer)?;
    let whole = format!("content-length: {}\r\n", answer.body.len());
    answer.head.contains(&whole).then_some(answer)
}

/// Starts the writers, stops the server by `signal` after `count` acknowledged writes, and returns
/// all acknowledged ids.
fn write_until(server: &mut Server, round: usize, count: usize, signal: &str) -> Vec<String> {
    let (sender, acknowledged): (_, Receiver<String>) = channel();
    for writer in 0..WRITERS {
        let (addr, sender) = (server.addr, sender.clone());
        thread::spawn(move || keep_writing(addr, format!("{round}-{writer}"), &sender));
    }
    drop(sender);
    let mut ids: Vec<String> = acknowledged.iter().take(count).collect();
    assert_eq!(ids.len(), count, "the server ended by itself");
    let status = server.signal(signal);
    if signal == "TERM" {
        assert_eq!(status.code(), Some(0));
    }
    ids.extend(acknowledged);
    ids
}

/// Returns every concept with the source of every association to it.
fn everything(server: &Server) -> (HashMap<String, String>, HashMap<String, String>) {
    let mut concepts = HashMap::new();
    each(server, "concepts", |item| {
        let field = |name: &str| item[name].as_str().unwrap().to_owned();
        concepts.insert(field("id"), field("text"));
    });
    let mut links = HashMap::new();
    each(server, "associations", |item| {
        let field = |name: &str| item[name].as_str().unwrap().to_owned();
        links.insert(field("target"), field("source"));
    });
    (concepts, links)
}

fn each(server: &Server, what: &str, mut item: impl FnMut(&Value)) {
    let mut after = String::new();
    loop {
        let page = server.get(&format!("/{what}?limit=1000{after}")).json();
        page[what].as_array().unwrap().iter().for_each(&mut item);
        match page["next"].as_str() {
            None => return,
            Some(next) => after = format!("&after={}", next.replace('\t', "%09")),
        }
    }
}

/// Checks that every acknowledged write is there, and none in part.
fn check(server: &Server, acknowledged: &[String]) {
    let (concepts, links) = everything(server);
    for id in acknowledged {
        assert!(concepts.contains_key(id), "{id} is lost");
        let (name, number) = id.rsplit_once('-').unwrap();
        let number: u64 = number.parse().unwrap();
        if number > 0 {
            assert_eq!(links.get(id), Some(&format!("{name}-{}", number - 1)));
        }
    }
    for (id, text) in &concepts {
        assert_eq!(*text, text_of(id));
    }
    for (target, source) in &links {
        assert!(concepts.contains_key(target) && concepts.contains_key(source));
    }
    let stats = server.get("/stats").json();
    assert_eq!(stats["concepts"], concepts.len());
    assert_eq!(stats["associations"], links.len());
    assert_eq!(stats["revision"], concepts.len() + links.len());
}

#[test]
fn a_kill_under_load_loses_nothing_that_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        let mut server = Server::start(folder.path());
        check(&server, &acknowledged);
        acknowledged.extend(write_until(&mut server, round, 20 + 37 * round, "KILL"));
    }
    check(&Server::start(folder.path()), &acknowledged);
}

#[test]
fn a_stop_under_load_ends_well_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path());
    let acknowledged = write_until(&mut server, 0, 100, "TERM");
    let again = Server::start(folder.path());
    assert_eq!(again.warnings, [json!(null); 0]);
    check(&again, &acknowledged);
}

#[test]
fn a_stop_does_not_wait_for_the_log_to_be_rewritten() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path());
    let text = "x".repeat(60_000);
    // Each round writes 3.6 MB of 36 MB of concepts: after twenty, most of the log is replaced
    // concepts, and rewriting it takes long enough for a stop to come first.
    for round in 0..20 {
        let lines = (0..60).map(|id| put_line(&((round * 60 + id) % 600).to_string(), &text));
        assert_eq!(
            server.batch(&lines.collect::<Vec<_>>().join("\n")).len(),
            60
        );
    }
    let start = Instant::now();
    assert_eq!(server.signal("TERM").code(), Some(0));
    assert!(start.elapsed() < STOP, "{:?}", start.elapsed());
    let mut log = String::new();
    server.stdout.read_to_string(&mut log).unwrap();
    assert!(!log.contains("rewrote the log"), "{log}");
    assert!(!folder.path().join("store.log.new").exists());
    let again = Server::start(folder.path());
    assert_eq!(again.warnings, [json!(null); 0]);
    let stats = again.get("/stats").json();
    assert_eq!(
        (&stats["concepts"], &stats["revision"]),
        (&json!(600), &json!(1200))
    );
}

#[test]
fn a_torn_write_is_cut_off_and_logged() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path());
    server.put_concepts(&["a", "b"]);
    server.signal("KILL");
    let log = folder.path().join("store.log");
    let mut bytes = fs::read(&log).unwrap();
    // The rest is room.
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(end);
    let last = bytes
        .windows(4)
        .rposition(|window| window == b"FRAM")
        .unwrap();
    fs::write(&log, &bytes[..bytes.len() - 1]).unwrap();
    let server = Server::start(folder.path());
    let warning = json!({
        "message": "cut off a torn write at the log's end",
        "file": format!("{log:?}"),
        "offset": last,
        "bytes": bytes.len() - 1 - last,
    });
    assert_eq!(server.warnings, [warning]);
    assert_eq!(server.get("/concepts/a").status, 200);
    assert_eq!(server.get("/concepts/b").status, 404);
}

/// Starts a server whose files may have `blocks` of 512 bytes until [`no_limit`]; larger files fail
/// as on a full disk.
fn server_with_space(data: &Path, blocks: u32) -> Server {
    let mut limited = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\"");
    limited.args(["-c", &script, BINARY]);
    let plain = command("127.0.0.1:0", data);
    limited.env_clear().envs(
        plain
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    Server::spawn(limited.process_group(0))
}

#[allow(unsafe_code)]
fn no_limit(server: &Server) {
    let none = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    let pid = server.child.id() as i32;
    // SAFETY: `none` is read, and nothing is written.
    let failed = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &none, ptr::null_mut()) };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_full_disk_refuses_writes_reads_go_on_and_nothing_is_lost() {
    let folder = TempDir::new().unwrap();
    let mut server = server_with_space(folder.path(), 128);
    let put = |server: &Server, id: &str| {
        server.put(&format!("/concepts/{id}"), json!({ "text": text_of(id) }))
    };
    let mut ids = Vec::new();
    let refused = loop {
        let id = format!("concept-{}", ids.len());
        let answer = put(&server, &id);
        if answer.status != 201 {
            break answer;
        }
        ids.push(id);
    };
    assert!(ids.len() > 20, "{}", ids.len());
    let no_space = json!({
        "type": "urn:sutra:no-space-left",
        "title": "no space left",
        "status": 503,
        "detail": "the data folder is full; free space or enlarge it",
    });
    assert_eq!(refused.json(), no_space);
    assert_eq!(refused.status, 503);
    assert!(
        refused.head.contains("retry-after: 30\r\n"),
        "{}",
        refused.head
    );

    let mut line = no_space;
    line["line"] = json!(1);
    let large = json!({ "op": "put_concept", "id": "large", "text": "x".repeat(60_000) });
    assert_eq!(server.batch(&large.to_string()), [line]);
    assert_eq!(server.get("/health").status, 200);
    let check = |server: &Server| {
        for id in &ids {
            let concept = json!({ "id": id, "text": text_of(id), "metadata": {} });
            server.get(&format!("/concepts/{id}")).is(200, concept);
        }
    };
    check(&server);
    assert_eq!(server.get("/stats").json()["concepts"], ids.len());

    server.signal("KILL");
    let server = server_with_space(folder.path(), 128);
    check(&server);
    no_limit(&server);
    assert_eq!(put(&server, "later").status, 201);
    kill(server.child.id(), "KILL");
    drop(server);
    let server = Server::start(folder.path());
    assert_eq!(server.warnings, [json!(null); 0]);
    check(&server);
    assert_eq!(server.get("/concepts/later").status, 200);
}
