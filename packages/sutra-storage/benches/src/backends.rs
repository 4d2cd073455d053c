//! Measures the server on its log beside the same server on PostgreSQL, and a migration between
//! them that is killed in the middle.
//!
//! `SUTRA_TEST_POSTGRES` is the URL of a PostgreSQL server without a database's name
//! (`scripts/postgres.sh`). Both keep their data in the system's folder for temporary files.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::http::{get, load, put_batch, put_line, put_request, rate};
use crate::{folder_bytes, id, scattered, BATCH};

const FIGURES: [&str; 8] = [
    "writes/s, 1 client",
    "writes/s, 32 clients",
    "concepts/s in batches of 1000, 1 client",
    "reads/s, 8 clients",
    "memory of the server after that, MB",
    "memory of the database, MB",
    "start to the first answer, s",
    "on disk, MB",
];
/// A prime, so that its multiples modulo a power of ten are every number, in another order.
const STEP: u64 = 1_000_003;
const DEADLINE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(10);
/// Counting rows takes the database's time, which the migration wants.
const BETWEEN_COUNTS: Duration = Duration::from_millis(500);

/// A number of concepts in both stores.
struct Stores<'a> {
    server: &'a Path,
    postgres: &'a str,
    concepts: u64,
    folder: tempfile::TempDir,
}

/// Prints a table with both backends for each number of concepts, and what the migrations did.
pub fn measure(server: &Path, sizes: &[u64]) {
    let postgres = std::env::var("SUTRA_TEST_POSTGRES").expect("SUTRA_TEST_POSTGRES");
    let (mut titles, mut columns, mut migrations) = (Vec::new(), Vec::new(), Vec::new());
    for &concepts in sizes {
        let stores = Stores {
            server,
            postgres: &postgres,
            concepts,
            folder: tempfile::tempdir().expect("a folder"),
        };
        stores.fill();
        migrations.push(stores.migrate_with_a_kill());
        for (name, is_log) in [("log", true), ("PostgreSQL", false)] {
            eprintln!("{name}, {} concepts", grouped(concepts as f64));
            titles.push(format!("{name}, {}", grouped(concepts as f64)));
            columns.push(stores.figures(is_log));
        }
    }
    println!("| | {} |", titles.join(" | "));
    println!("|---|{}", "--:|".repeat(titles.len()));
    for (row, figure) in FIGURES.iter().enumerate() {
        let cells: Vec<_> = columns.iter().map(|column| shown(column[row])).collect();
        println!("| {figure} | {} |", cells.join(" | "));
    }
    println!("\n{}", migrations.join("\n"));
}

/// Returns a figure with three digits, or thousands in groups; nothing for one that is not there.
fn shown(value: f64) -> String {
    match value {
        value if value.is_nan() => String::new(),
        value if value < 10.0 => format!("{value:.2}"),
        value => grouped(value),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Stores<'_> {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn url_file(&self) -> PathBuf {
        self.folder.path().join("url")
    }

    fn url(&self) -> String {
        format!("{}/sutra_{}", self.postgres, self.concepts)
    }

    /// Fills the log through its server, and makes an empty database.
    fn fill(&self) {
        eprintln!("{} concepts", grouped(self.concepts as f64));
        let (server, addr, _) = self.start(true);
        load(addr, self.concepts, |number| number * STEP % self.concepts);
        stop(server);
        let create = format!("CREATE DATABASE sutra_{}", self.concepts);
        sql(&format!("{}/postgres", self.postgres), &create);
        fs::write(self.url_file(), self.url()).expect("a file");
        fs::set_permissions(self.url_file(), fs::Permissions::from_mode(0o600)).expect("a file");
    }

    fn command(&self, is_log: bool) -> Command {
        let mut command = Command::new(self.server);
        let backend = if is_log { "log" } else { "postgres" };
        command
            .env_clear()
            .env("SUTRA_STORAGE_DATA", self.data())
            .env("SUTRA_STORAGE_MEMORY", "4g")
            .env("SUTRA_STORAGE_BACKEND", backend);
        if !is_log {
            command.env("SUTRA_STORAGE_POSTGRES_URL_FILE", self.url_file());
        }
        command
    }

    /// Starts a server; returns its address and the seconds until its first answer.
    fn start(&self, is_log: bool) -> (Child, SocketAddr, f64) {
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let addr = free.local_addr().expect("an address");
        drop(free);
        let mut command = self.command(is_log);
        command.env("SUTRA_STORAGE_ADDR", addr.to_string());
        let start = Instant::now();
        let mut server = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server");
        while !answers(addr) {
            let ended = server.try_wait().expect("the server");
            assert!(ended.is_none() && start.elapsed() < DEADLINE, "{ended:?}");
            sleep(PAUSE);
        }
        (server, addr, start.elapsed().as_secs_f64())
    }

    /// Kills a migration in the middle, has a server refused, and runs the migration again.
    fn migrate_with_a_kill(&self) -> String {
        let start = Instant::now();
        let mut first = self.migrate().spawn().expect("the program");
        let mut copied = 0;
        while copied < self.concepts / 2 {
            assert!(start.elapsed() < DEADLINE);
            assert_eq!(first.try_wait().expect("the program"), None);
            sleep(BETWEEN_COUNTS);
            copied = self.copied();
        }
        first.kill().expect("the program");
        first.wait().expect("the program");
        let (killed, copied) = (start.elapsed().as_secs_f64(), self.copied());
        let server = self.command(false).output().expect("the server");
        let output = String::from_utf8_lossy(&server.stderr).into_owned();
        assert!(output.contains("a log is being copied into"), "{output}");
        let start = Instant::now();
        let second = self.migrate().output().expect("the program");
        assert!(second.status.success(), "{second:?}");
        let output = String::from_utf8_lossy(&second.stdout);
        let whole = format!("copied {} concepts and 0 associations", self.concepts);
        assert!(output.starts_with(&whole) && output.ends_with("every row compared\n"));
        format!(
            "- `migrate` of {} concepts was killed after {killed:.1} s with {} rows in the \
             database, which a server then refused. Run again, it copied the other {} and compared \
             all of them in {:.1} s.",
            grouped(self.concepts as f64),
            grouped(copied as f64),
            grouped((self.concepts - copied) as f64),
            start.elapsed().as_secs_f64()
        )
    }

    fn migrate(&self) -> Command {
        let mut command = self.command(false);
        command.arg("migrate");
        command
    }

    /// Returns how many concepts are in the database, 0 before it has tables.
    fn copied(&self) -> u64 {
        if sql(&self.url(), "SELECT to_regclass('sutra.concepts')").is_empty() {
            return 0;
        }
        let count = sql(&self.url(), "SELECT count(*) FROM sutra.concepts");
        count.parse().expect("a number")
    }

    fn figures(&self, is_log: bool) -> [f64; FIGURES.len()] {
        let count = self.concepts;
        let (server, addr, start) = self.start(is_log);
        let put = move |number| put_request(scattered(number) % count);
        let (alone, _) = rate(addr, 1, put);
        let (many, _) = rate(addr, 32, put);
        let batch = move |number: u64| {
            let lines = (0..BATCH).map(|at| put_line(scattered(number * BATCH + at) % count));
            put_batch(&lines.collect::<String>())
        };
        let (batches, _) = rate(addr, 1, batch);
        let read = move |number| get(&format!("/concepts/{}", id(scattered(number) % count)));
        let (reads, _) = rate(addr, 8, read);
        let memory = proportional(server.id());
        let (database, disk) = match is_log {
            true => (f64::NAN, folder_bytes(&self.data()) as f64),
            false => (self.database_memory(), self.database_bytes()),
        };
        stop(server);
        let batched = batches * BATCH as f64;
        [
            alone,
            many,
            batched,
            reads,
            memory / 1e6,
            database / 1e6,
            start,
            disk / 1e6,
        ]
    }

    /// Returns the memory of every process of the database server, what they share counted once.
    fn database_memory(&self) -> f64 {
        let folder = sql(&self.url(), "SHOW data_directory");
        let text = fs::read_to_string(format!("{folder}/postmaster.pid")).expect("postmaster.pid");
        let first: u32 = text
            .lines()
            .next()
            .expect("a line")
            .parse()
            .expect("a process");
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
        let children = children.expect("its children");
        let pids = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok());
        pids.chain([first]).map(proportional).sum()
    }

    fn database_bytes(&self) -> f64 {
        let size = sql(&self.url(), "SELECT pg_database_size(current_database())");
        size.parse().expect("a number")
    }
}

fn answers(addr: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(addr) else {
        return false;
    };
    let mut answer = String::new();
    let ask = b"GET /health HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    let exchange = stream
        .write_all(ask)
        .and_then(|()| stream.read_to_string(&mut answer));
    exchange.is_ok() && answer.starts_with("HTTP/1.1 200")
}

fn stop(mut server: Child) {
    let pid = server.id().to_string();
    Command::new("kill").arg(pid).status().expect("kill");
    assert!(server.wait().expect("the server").success());
}

/// Returns a process's memory in bytes, its part of what it shares included; 0 once it has ended.
fn proportional(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.map_or("0", |line| line.trim().trim_end_matches(" kB"));
    kib.parse::<f64>().expect("a number") * 1024.0
}

/// Runs a statement, and returns the selected value.
fn sql(url: &str, statement: &str) -> String {
    let psql = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", url])
        .args(["--command", statement])
        .stderr(Stdio::inherit())
        .output()
        .expect("psql");
    assert!(psql.status.success(), "{statement}");
    String::from_utf8_lossy(&psql.stdout).trim().to_owned()
}
