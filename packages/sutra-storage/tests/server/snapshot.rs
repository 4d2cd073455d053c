//! Tests `GET /snapshot` of a running server, and `restore` of the snapshot.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Output;
use std::thread;

use serde_json::json;
use temp_dir::TempDir;

use crate::support::{assert_output, command, memory, put_line, server, Server};

fn snapshot(server: &Server) -> Vec<u8> {
    let mut stream = server.connect();
    let request = "GET /snapshot HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: application/octet-stream\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("content-length: {}\r\n", body.len())),
        "{head}"
    );
    body
}

fn restore(data: &Path, file: &Path) -> Output {
    let mut command = command("127.0.0.1:0", data);
    command.arg("restore").arg(file).output().unwrap()
}

/// Restores `snapshot` into a new folder, and checks that it worked.
fn restored(snapshot: &[u8], changes: u64) -> (Server, TempDir) {
    let folder = TempDir::new().unwrap();
    let (file, data) = (folder.path().join("snapshot"), folder.path().join("data"));
    fs::write(&file, snapshot).unwrap();
    let line = format!("restored {data:?} from {file:?}: {changes} changes\n");
    assert_output(&restore(&data, &file), 0, &line, "");
    (Server::start(&data), folder)
}

/// Returns everything that a server holds.
fn everything(server: &Server) -> (String, String) {
    let get = |path| server.get(path).body;
    (get("/concepts?limit=1000"), get("/associations?limit=1000"))
}

#[test]
fn a_snapshot_restores_what_was_there() {
    let (server, _folder) = server();
    server.put_concepts(&["a", "b", "c"]);
    let link = json!({ "source": "a", "target": "b", "kind": "is_a", "weight": 0.5 });
    assert_eq!(server.put("/associations", link).status, 201);
    assert_eq!(server.ask("DELETE", "/concepts/c").status, 204);
    let before = everything(&server);
    let taken = snapshot(&server);
    server.put_concepts(&["later"]);
    let (copy, _copied) = restored(&taken, 5);
    assert_eq!(everything(&copy), before);
    // The restored store works like any other.
    copy.put_concepts(&["later"]);
    assert_eq!(everything(&copy), everything(&server));
}

#[test]
fn a_snapshot_of_nothing_restores_nothing() {
    let (server, _folder) = server();
    let (copy, _copied) = restored(&snapshot(&server), 0);
    assert_eq!(copy.get("/stats").json()["revision"], 0);
}

/// Writes pairs of concepts, each pair in one batch, while snapshots are taken.
#[test]
fn a_snapshot_taken_under_load_has_whole_changes_and_all_that_were_acknowledged() {
    let (server, _folder) = server();
    let addr = server.addr;
    let shared = &server;
    let batch = |number: usize| {
        let put = |id: String| json!({ "op": "put_concept", "id": id, "text": "x".repeat(2000) });
        let link = json!({
            "op": "put_association", "source": format!("{number}-a"),
            "target": format!("{number}-b"), "kind": "with", "weight": 1,
        });
        let lines = [put(format!("{number}-a")), put(format!("{number}-b")), link];
        lines.map(|line| line.to_string()).join("\n")
    };
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for number in 0..500 {
                shared.batch(&batch(number));
            }
        });
        while !writer.is_finished() {
            let before = server.get("/stats").json()["revision"].as_u64().unwrap();
            let taken = snapshot(&server);
            let after = server.get("/stats").json()["revision"].as_u64().unwrap();
            let folder = TempDir::new().unwrap();
            let file = folder.path().join("snapshot");
            fs::write(&file, &taken).unwrap();
            let output = restore(&folder.path().join("data"), &file);
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let text = String::from_utf8(output.stdout).unwrap();
            let changes: u64 = text.rsplit(' ').nth(1).unwrap().parse().unwrap();
            assert!(
                (before..=after).contains(&changes),
                "{before} {changes} {after}"
            );
        }
    });
    assert_eq!(server.addr, addr);
}

#[test]
fn a_large_snapshot_takes_little_memory_even_if_nobody_reads_it() {
    let (server, _folder) = server();
    let line = put_line("a", &"x".repeat(65_000));
    let lines = [line.as_str(); 100].join("\n");
    for _ in 0..5 {
        server.batch(&lines);
    }
    let before = memory(&server, "VmRSS");
    let mut slow = server.connect();
    slow.write_all(b"GET /snapshot HTTP/1.1\r\nHost: test\r\n\r\n")
        .unwrap();
    assert!(snapshot(&server).len() > 30 << 20);
    let grown = memory(&server, "VmRSS").saturating_sub(before);
    assert!(grown < 8 << 20, "{grown}");
}

#[test]
fn a_damaged_or_cut_snapshot_is_refused_and_leaves_nothing() {
    let (server, _folder) = server();
    server.put_concepts(&["a", "b"]);
    let whole = snapshot(&server);
    let folder = TempDir::new().unwrap();
    let (file, data) = (folder.path().join("snapshot"), folder.path().join("data"));
    let refused = |bytes: &[u8], why: &str| {
        fs::write(&file, bytes).unwrap();
        let lines = format!(
            "restore: {file:?}: not a whole snapshot: {why}\n\
             tip: nothing was changed; take another snapshot: GET /snapshot of the running server\n"
        );
        assert_output(&restore(&data, &file), 2, "", &lines);
        let left: Vec<_> = fs::read_dir(&data).unwrap().collect();
        assert_eq!(left.len(), 1, "the lock alone");
    };
    let mark = whole.len() - 32;
    refused(&whole[..mark], &format!("offset {mark}: cut off here"));
    refused(
        &whole[..whole.len() - 1],
        &format!("offset {mark}: cut off here"),
    );
    refused(&[], "offset 0: not a log: 0 bytes are too few");
    let mut flipped = whole.clone();
    flipped[20 + 32] ^= 1;
    refused(&flipped, "offset 16: checksum of a frame does not match");
    let mut longer = whole.clone();
    longer.extend([0; 100]);
    refused(&longer, &format!("offset {}: cut off here", whole.len()));
}

#[test]
fn a_restore_never_replaces_a_store() {
    let (server, folder) = server();
    let file = folder.path().join("snapshot");
    fs::write(&file, snapshot(&server)).unwrap();
    let data = folder.path().join("new/data");
    let lines = format!(
        "SUTRA_STORAGE_DATA: in use by another process {data:?}\n\
         tip: stop that process, or choose another folder\n"
    );
    assert_output(&restore(&data, &file), 2, "", &lines);
    drop(server);
    let log = data.join("store.log");
    let before = fs::read(&log).unwrap();
    let lines = format!(
        "SUTRA_STORAGE_DATA: there is a log already {log:?}\n\
         tip: move it away, or choose an empty folder\n"
    );
    assert_output(&restore(&data, &file), 2, "", &lines);
    assert_eq!(fs::read(&log).unwrap(), before);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("nowhere");
    let lines = format!(
        "restore: cannot read {file:?}: No such file or directory (os error 2)\n\
         tip: name a file that GET /snapshot returned\n"
    );
    assert_output(&restore(&folder.path().join("data"), &file), 2, "", &lines);
}
