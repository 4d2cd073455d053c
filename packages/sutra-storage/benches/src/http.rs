//! Measures the whole server over HTTP, with the allocator that this program was built with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sutra_storage::allocator;
use sutra_storage::backend::Backend;
use sutra_storage::http::{App, Bounds};
use sutra_storage::memory::Room;
use sutra_storage::metrics::Metrics;
use sutra_storage::store::Store;
use sutra_storage::{http, serve};

use crate::{id, median, scattered, this_program, timed, BATCH, CONCEPTS, RUNS};

const ALLOCATOR: &str = match (cfg!(feature = "mimalloc"), cfg!(feature = "jemalloc")) {
    (true, _) => "mimalloc",
    (_, true) => "jemalloc",
    _ if cfg!(target_env = "musl") => "musl",
    _ => "glibc",
};
const FIGURES: [&str; 7] = [
    "writes/s, 32 clients",
    "write p99 µs",
    "reads/s, 8 clients",
    "read p99 µs",
    "pages of 1000/s, 2 clients",
    "resident MB, loaded",
    "resident MB, at the end",
];

/// How a server uses its allocator: as it is, or as `allocator::give_back_at_once` sets it up.
const DEFAULT: &str = "default";
const TUNED: &str = "tuned";

/// Prints the medians of the runs: with the allocator's own settings, and with those that the
/// server makes. Runs of both alternate, so that a busy moment falls on both.
pub fn measure() {
    let modes: &[&str] = match ALLOCATOR {
        "jemalloc" | "musl" => &[DEFAULT],
        _ => &[DEFAULT, TUNED],
    };
    let mut runs = vec![Vec::new(); modes.len()];
    for _ in 0..RUNS {
        for (mode, runs) in modes.iter().zip(&mut runs) {
            runs.push(one_run(mode));
        }
    }
    let rows: Vec<_> = runs.iter().map(|runs| medians(runs)).collect();
    println!("| allocator | {} |", FIGURES.join(" | "));
    println!("|---|{}", "---:|".repeat(FIGURES.len()));
    print_row(ALLOCATOR, &rows[0].map(|value| format!("{value:.0}")));
    for row in &rows[1..] {
        let cells: [String; FIGURES.len()] =
            std::array::from_fn(|at| format!("{:.0} ({:.2}×)", row[at], row[at] / rows[0][at]));
        print_row(&format!("{ALLOCATOR}, {TUNED}"), &cells);
    }
}

fn medians(runs: &[[f64; FIGURES.len()]]) -> [f64; FIGURES.len()] {
    std::array::from_fn(|figure| median(runs.iter().map(|run| run[figure]).collect()))
}

fn print_row(name: &str, cells: &[String]) {
    println!("| {name} | {} |", cells.join(" | "));
}

/// A running server; it prints its address in its first line.
pub fn serve(folder: &Path, mode: &str) {
    if mode == TUNED {
        allocator::give_back_at_once();
    }
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let store = Store::open(folder, Room::UNBOUNDED, metrics.clone());
    let store = store.unwrap_or_else(|error| panic!("{error}"));
    let stopping = Arc::new(AtomicBool::new(false));
    let app = App {
        store: Backend::Log(Arc::new(store)),
        metrics: metrics.clone(),
        stopping: stopping.clone(),
    };
    let bounds = Bounds {
        concurrency: 256,
        timeout: Duration::from_secs(10),
        memory: Room::UNBOUNDED.requests,
    };
    let router = http::router(app, &bounds, None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let listener = serve::listen(([127, 0, 0, 1], 0).into()).expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        serve::serve(listener, router, metrics, Never, &stopping, Duration::ZERO).await;
    });
}

/// Runs until it is killed.
struct Never;

impl serve::Stop for Never {
    async fn told(&mut self) {
        std::future::pending().await
    }
}

fn one_run(mode: &str) -> [f64; FIGURES.len()] {
    let folder = tempfile::tempdir_in(".").expect("a folder");
    let mut server = this_program();
    let server = server
        .arg("serve")
        .arg(folder.path())
        .arg(mode)
        .stdout(Stdio::piped());
    let mut server = server.spawn().expect("this program");
    let mut addr = String::new();
    let mut stdout = BufReader::new(server.stdout.take().expect("stdout"));
    stdout.read_line(&mut addr).expect("an address");
    let addr = addr.trim().parse().expect("an address");
    load(addr, CONCEPTS, |number| number);
    let loaded = resident(&server);
    let put = |number| put_request(scattered(number) % CONCEPTS);
    let (writes, write_p99) = rate(addr, 32, put);
    let read = |number| get(&format!("/concepts/{}", id(scattered(number) % CONCEPTS)));
    let (reads, read_p99) = rate(addr, 8, read);
    let page = |number| {
        let after = id(scattered(number) % (CONCEPTS - 1001));
        get(&format!("/concepts?limit=1000&after={after}"))
    };
    let (pages, _) = rate(addr, 2, page);
    let end = resident(&server);
    server.kill().expect("the server");
    server.wait().expect("the server");
    [writes, write_p99, reads, read_p99, pages, loaded, end]
}

/// Writes concepts with the numbers below `count` in batches, in the `order` of those numbers.
pub fn load(addr: SocketAddr, count: u64, order: impl Fn(u64) -> u64) {
    let mut connection = Connection::open(addr);
    for first in (0..count).step_by(BATCH as usize) {
        let lines: String = (first..first + BATCH)
            .map(|number| put_line(order(number)))
            .collect();
        connection.ask(&put_batch(&lines));
    }
}

/// Returns the request that sends the lines of a batch.
pub fn put_batch(lines: &str) -> String {
    request("POST", "/batch", "x-ndjson", lines)
}

/// Returns the line of a batch that writes a concept, with a text of 275 bytes.
pub fn put_line(number: u64) -> String {
    let text = "some words ".repeat(25);
    let id = id(number);
    format!("{{\"op\":\"put_concept\",\"id\":\"{id}\",\"text\":\"{text}\"}}\n")
}

/// Returns the request that writes the same concept.
pub fn put_request(number: u64) -> String {
    let body = format!("{{\"text\":\"{}\"}}", "some words ".repeat(25));
    request("PUT", &format!("/concepts/{}", id(number)), "json", &body)
}

pub fn get(path: &str) -> String {
    request("GET", path, "json", "")
}

fn request(method: &str, path: &str, media: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/{media}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// A connection that is kept open.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server");
        stream.set_nodelay(true).expect("a socket");
        Self(BufReader::with_capacity(64 * 1024, stream))
    }

    /// Reads the whole answer, and checks that it is a success.
    fn ask(&mut self, request: &str) {
        self.0
            .get_mut()
            .write_all(request.as_bytes())
            .expect("the server");
        let mut length = 0;
        let mut line = String::new();
        for number in 0.. {
            line.clear();
            self.0.read_line(&mut line).expect("an answer");
            assert!(number > 0 || line.starts_with("HTTP/1.1 20"), "{line}");
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().expect("a length");
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
    }
}

/// Returns how many requests per second `clients` clients together get answered, and the 99th
/// percentile of an answer's time in microseconds.
pub fn rate(
    addr: SocketAddr,
    clients: usize,
    request: impl Fn(u64) -> String + Copy + Send + 'static,
) -> (f64, f64) {
    let open = move || Connection::open(addr);
    timed(clients, open, move |connection, number| {
        let request = request(number);
        let start = Instant::now();
        connection.ask(&request);
        start.elapsed()
    })
}

/// Returns the server's anonymous resident memory, in MB.
fn resident(server: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("proc");
    crate::resident_bytes(&status) as f64 / 1e6
}
