//! Tests the database in place of the log: errors at start, two servers on one database, `migrate`.
//! `make test-postgres` also runs the tests of `http.rs` on it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use serde_json::json;
use temp_dir::TempDir;

use crate::support::postgres::{sql, url_file, SERVER};
use crate::support::{assert_output, command, Server};

fn server_url() -> String {
    env::var(SERVER).expect("make test-postgres starts a server and sets SUTRA_TEST_POSTGRES")
}

/// Writes a file with this URL into `folder`, readable by its owner alone.
fn file_with(folder: &TempDir, url: &str) -> PathBuf {
    let file = folder.path().join("url");
    fs::write(&file, url).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

fn with_file(folder: &Path, file: &Path) -> Command {
    let mut command = command("127.0.0.1:0", folder);
    command.env("SUTRA_STORAGE_BACKEND", "postgres");
    command.env("SUTRA_STORAGE_POSTGRES_URL_FILE", file);
    command
}

/// Starts a server with this URL, which must end with exit code 2, `problem` and `tip`.
#[track_caller]
fn is_refused(url: &str, problem: &str, tip: &str) {
    let folder = TempDir::new().unwrap();
    let file = file_with(&folder, url);
    let output = with_file(folder.path(), &file).output().unwrap();
    let problem = problem.replace("FILE", &format!("{file:?}"));
    let lines = format!("SUTRA_STORAGE_POSTGRES_URL_FILE: {problem}\ntip: {tip}\n");
    assert_output(&output, 2, "", &lines);
}

#[test]
fn a_database_that_cannot_be_used_is_one_line() {
    let start = "start the database, and write the host and port at which it listens";
    is_refused(
        "postgres://sutra:secret@127.0.0.1:1/none",
        "cannot use the database of FILE: Connection refused (os error 111)",
        start,
    );
    let url = server_url();
    let (scheme, host) = url.split_once('@').unwrap();
    let user = scheme
        .rsplit('/')
        .next()
        .unwrap()
        .split(':')
        .next()
        .unwrap();
    is_refused(
        &format!("postgres://{user}:wrong@{host}/postgres"),
        &format!(
            "cannot use the database of FILE: FATAL: password authentication failed for user \
             \"{user}\""
        ),
        "write the right user and password",
    );
    is_refused(
        &format!("{url}/sutra_none"),
        "cannot use the database of FILE: FATAL: database \"sutra_none\" does not exist",
        "create it first: createdb NAME",
    );
    is_refused(
        &format!("{url}/postgres?sslmode=require"),
        "sslmode=require, which this program cannot do FILE",
        "encrypt the way to it (a sidecar such as stunnel, or a private network), sslmode=disable",
    );
    for text in ["", "secret", "mysql://a:secret@b/c"] {
        is_refused(
            text,
            "not a URL of a database in FILE",
            "write postgres://USER:PASSWORD@HOST:PORT/NAME, special characters percent-encoded",
        );
    }
}

#[test]
fn a_file_that_is_missing_or_for_everybody_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = file_with(&folder, "postgres://a:b@127.0.0.1/c");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let output = with_file(folder.path(), &file).output().unwrap();
    let lines = format!(
        "SUTRA_STORAGE_POSTGRES_URL_FILE: others may read it, mode 644 {file:?}\n\
         tip: chmod o= {}\n",
        file.display()
    );
    assert_output(&output, 2, "", &lines);
    let none = folder.path().join("none");
    let output = with_file(folder.path(), &none).output().unwrap();
    let lines = format!(
        "SUTRA_STORAGE_POSTGRES_URL_FILE: cannot read {none:?}: No such file or directory (os \
         error 2)\n\
         tip: name a file with postgres://USER:PASSWORD@HOST/NAME that this user may read\n"
    );
    assert_output(&output, 2, "", &lines);
}

/// Returns a folder, and the file and the URL of its new database.
fn database() -> (TempDir, PathBuf, String) {
    let folder = TempDir::new().unwrap();
    let file = url_file(&server_url(), folder.path());
    let url = fs::read_to_string(&file).unwrap().trim().to_owned();
    (folder, file, url)
}

#[test]
fn tables_of_another_version_are_refused() {
    let (folder, file, url) = database();
    drop(Server::spawn(&mut with_file(folder.path(), &file)));
    sql(&url, "UPDATE sutra.store SET version = 7");
    let output = with_file(folder.path(), &file).output().unwrap();
    let lines = format!(
        "SUTRA_STORAGE_POSTGRES_URL_FILE: tables of version 7, this program knows 1 {file:?}\n\
         tip: run the version of sutra-storage that made them, or name another database\n"
    );
    assert_output(&output, 2, "", &lines);
}

#[test]
fn several_servers_share_a_database() {
    let (folder, file, _) = database();
    let servers = [0; 3].map(|_| Server::spawn(&mut with_file(folder.path(), &file)));
    thread::scope(|scope| {
        for (number, server) in servers.iter().enumerate() {
            scope.spawn(move || {
                for concept in 0..50 {
                    let path = format!("/concepts/{number}-{concept}");
                    assert_eq!(server.put(&path, json!({ "text": "t" })).status, 201);
                    server.put("/concepts/same", json!({ "text": number }));
                }
            });
        }
    });
    let [first, second, third] = servers.map(|server| server.get("/stats").json());
    assert_eq!(
        (first["concepts"].as_u64(), first["revision"].as_u64()),
        (Some(150), Some(150))
    );
    assert_eq!((&first, &first), (&second, &third));
}

// ---- migrate ---------------------------------------------------------------

const CONCEPTS: usize = 20_000;

/// Makes a log with that many concepts, and an association from each to the next.
fn filled_log(folder: &Path) {
    let mut command = command("127.0.0.1:0", folder);
    let mut server = Server::spawn(command.env("SUTRA_STORAGE_BACKEND", "log"));
    for start in (0..CONCEPTS).step_by(5000) {
        let lines: Vec<_> = (start..start + 5000)
            .flat_map(|at| {
                let put =
                    json!({ "op": "put_concept", "id": format!("{at:06}"), "text": "é\n\u{1}" });
                let link = json!({ "op": "put_association", "source": format!("{at:06}"),
                                   "target": format!("{:06}", at.saturating_sub(1)),
                                   "kind": "then", "weight": 0.1 });
                [put.to_string(), link.to_string()]
            })
            .collect();
        server.batch(&lines.join("\n"));
    }
    server.signal("TERM");
}

fn migrate(folder: &Path, file: &Path) -> Command {
    let mut command = with_file(folder, file);
    command.arg("migrate");
    command
}

#[test]
fn a_log_is_copied_and_compared_also_after_a_kill() {
    let (folder, file, url) = database();
    filled_log(folder.path());
    let mut first = migrate(folder.path(), &file).spawn().unwrap();
    let count = || sql(&url, "SELECT count(*) FROM sutra.concepts");
    while sql(&url, "SELECT to_regclass('sutra.concepts')").is_empty() || count() == "0" {
        thread::sleep(Duration::from_millis(20));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    // The copy was interrupted: no server uses the database until it is whole.
    let refused = with_file(folder.path(), &file).output().unwrap();
    let lines = format!(
        "SUTRA_STORAGE_POSTGRES_URL_FILE: a log is being copied into the database of {file:?}\n\
         tip: run storage_server_simple migrate again until it says that every row was compared\n"
    );
    assert_output(&refused, 2, "", &lines);
    let done = format!(
        "copied {CONCEPTS} concepts and {CONCEPTS} associations of {:?}, every row compared\n",
        folder.path()
    );
    assert_output(
        &migrate(folder.path(), &file).output().unwrap(),
        0,
        &done,
        "",
    );
    // The copied concepts are served, with the log's revision.
    let server = Server::spawn(&mut with_file(folder.path(), &file));
    let stats = server.get("/stats").json();
    assert_eq!(
        (&stats["concepts"], &stats["revision"]),
        (&json!(CONCEPTS), &json!(2 * CONCEPTS))
    );
    assert_eq!(server.get("/concepts/000007").json()["text"], "é\n\u{1}");
    is_full(&migrate(folder.path(), &file).output().unwrap(), &file);
}

fn is_full(output: &Output, file: &Path) {
    let lines = format!(
        "SUTRA_STORAGE_POSTGRES_URL_FILE: the database of {file:?}: it is not empty\n\
         tip: name an empty database\n"
    );
    assert_output(output, 2, "", &lines);
}

#[test]
fn a_row_that_differs_is_found() {
    let (folder, file, url) = database();
    filled_log(folder.path());
    let mut first = migrate(folder.path(), &file).spawn().unwrap();
    while sql(&url, "SELECT to_regclass('sutra.concepts')").is_empty()
        || sql(&url, "SELECT count(*) FROM sutra.concepts") == "0"
    {
        thread::sleep(Duration::from_millis(20));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    sql(
        &url,
        "UPDATE sutra.concepts SET value = '{}' WHERE id = '000007'",
    );
    let lines = format!(
        "SUTRA_STORAGE_POSTGRES_URL_FILE: the database of {file:?}: the concepts after \"\" are not \
         those of the log\n\
         tip: something else wrote to it: name an empty database\n"
    );
    assert_output(
        &migrate(folder.path(), &file).output().unwrap(),
        2,
        "",
        &lines,
    );
}
