//! Compares the store with embedded stores that could replace it, its server with other allocators,
//! and its log with PostgreSQL.
//!
//!   eg: bench stores    bench damage    bench server    bench backends PROGRAM 100000
//!
//! Every store holds concepts as `id → JSON` and runs in a separate process, so that its memory can
//! be measured. Figures are medians of three runs, ratios are to `log`, the store in use.

mod backends;
mod damage;
mod engines;
mod http;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engines::{Engine, NAMES};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const CONCEPTS: u64 = 100_000;
/// The number of changes in one durable batch while the concepts are loaded.
const BATCH: u64 = 1000;
const SECONDS: u64 = 3;
const READERS: usize = 2;
const WRITERS: usize = 32;
const RUNS: usize = 3;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["stores"] => stores(),
        ["store", name, folder] => store(name, Path::new(folder)),
        ["damage"] => damage::table(),
        ["damage", name, folder, written] => damage::reopen(name, Path::new(folder), written),
        ["server"] => http::measure(),
        ["serve", folder, mode] => http::serve(Path::new(folder), mode),
        ["backends", server, sizes @ ..] => {
            let sizes: Vec<u64> = sizes
                .iter()
                .map(|size| size.parse().expect("a number"))
                .collect();
            backends::measure(Path::new(server), &sizes);
        }
        _ => {
            eprintln!("usage: bench stores|damage|server|backends PROGRAM CONCEPTS…");
            std::process::exit(2);
        }
    }
}

/// Prints every store's figures.
fn stores() {
    // name → figure → values
    let mut by_name: BTreeMap<&str, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for run in 1..=RUNS {
        for name in NAMES {
            eprintln!("run {run} of {RUNS}: {name}");
            let folder = tempfile::tempdir_in(".").expect("a folder");
            let output = this_program()
                .args(["store", name])
                .arg(folder.path())
                .output()
                .expect("this program");
            assert!(output.status.success(), "{name}: {output:?}");
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                let (figure, value) = line.split_once('\t').expect("a figure");
                let figures = by_name.entry(name).or_default();
                let value = value.parse().expect("a number");
                figures.entry(figure.into()).or_default().push(value);
            }
        }
    }
    print_table(&by_name, NAMES[0]);
}

fn print_table(by_name: &BTreeMap<&str, BTreeMap<String, Vec<f64>>>, base: &str) {
    let value = |name: &str, figure: &String| median(by_name[name][figure].clone());
    let figures: Vec<&String> = by_name[base].keys().collect();
    let titles: Vec<String> = figures
        .iter()
        .map(|figure| format!(" {figure} |"))
        .collect();
    println!("| store |{}", titles.concat());
    println!("|---|{}", "---:|".repeat(figures.len()));
    for name in NAMES {
        let cells: Vec<String> = figures
            .iter()
            .map(|figure| {
                let (this, that) = (value(name, figure), value(base, figure));
                format!(" {this:.0} ({:.2}×) |", this / that)
            })
            .collect();
        println!("| {name} |{}", cells.concat());
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn this_program() -> Command {
    Command::new(std::env::current_exe().expect("this program"))
}

pub fn id(number: u64) -> String {
    format!("concept-{number:08}")
}

/// Returns a concept's JSON of about 300 bytes.
pub fn value(number: u64) -> Vec<u8> {
    let text = format!("what number {number} means ").repeat(9);
    format!(
        "{{\"id\":\"{}\",\"text\":\"{text}\",\"metadata\":{{}}}}",
        id(number)
    )
    .into_bytes()
}

/// Returns a pseudorandom number, the same in every run.
pub fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// Prints one store's figures.
fn store(name: &str, folder: &Path) {
    let engine: Arc<dyn Engine> = engines::open(name, folder).into();
    let figure = |what: &str, value: f64| println!("{what}\t{value}");

    let start = Instant::now();
    for first in (0..CONCEPTS).step_by(BATCH as usize) {
        engine.put_all(
            (first..first + BATCH)
                .map(|number| (id(number), value(number)))
                .collect(),
        );
    }
    figure(
        "batched writes/s",
        CONCEPTS as f64 / start.elapsed().as_secs_f64(),
    );

    let put =
        |engine: &dyn Engine, number| engine.put(id(scattered(number) % CONCEPTS), value(number));
    let (rate, _) = rate(&engine, 1, put);
    figure("writes/s, 1 writer", rate);
    let (rate, p99) = self::rate(&engine, WRITERS, put);
    figure("writes/s, 32 writers", rate);
    figure("write p99 µs, 32 writers", p99);
    let get = |engine: &dyn Engine, number| {
        assert!(engine.get(&id(scattered(number) % CONCEPTS)).is_some());
    };
    let (rate, p99) = self::rate(&engine, READERS, get);
    figure("reads/s", rate);
    figure("read p99 µs", p99);
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    figure("resident MB", resident_bytes(&status) as f64 / 1e6);
    figure("on disk MB", folder_bytes(folder) as f64 / 1e6);
}

/// Returns how many times per second `threads` threads together can do `work`, and the 99th
/// percentile of its time in microseconds.
fn rate(
    engine: &Arc<dyn Engine>,
    threads: usize,
    work: impl Fn(&dyn Engine, u64) + Copy + Send + 'static,
) -> (f64, f64) {
    let engine = engine.clone();
    let open = move || engine.clone();
    timed(threads, open, move |engine, number| {
        let start = Instant::now();
        work(engine.as_ref(), number);
        start.elapsed()
    })
}

/// Runs `work` in `threads` threads, each on what it has from `open`; `work` returns the time that
/// counts. Returns the calls per second, and the 99th percentile of their times in microseconds.
pub fn timed<T>(
    threads: usize,
    open: impl Fn() -> T + Clone + Send + 'static,
    work: impl Fn(&mut T, u64) -> Duration + Copy + Send + 'static,
) -> (f64, f64) {
    let next = Arc::new(AtomicU64::new(1));
    let start = Instant::now();
    let threads: Vec<_> = (0..threads)
        .map(|_| {
            let (open, next) = (open.clone(), next.clone());
            std::thread::spawn(move || {
                let mut own = open();
                let mut times = Vec::new();
                while start.elapsed() < Duration::from_secs(SECONDS) {
                    times.push(work(&mut own, next.fetch_add(1, Ordering::Relaxed)));
                }
                times
            })
        })
        .collect();
    let times = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("a thread"));
    let mut times: Vec<Duration> = times.collect();
    let seconds = start.elapsed().as_secs_f64();
    times.sort();
    let p99 = times[times.len() * 99 / 100].as_secs_f64() * 1e6;
    (times.len() as f64 / seconds, p99)
}

/// Returns the anonymous resident memory (`RssAnon` in `/proc/PID/status`).
pub fn resident_bytes(status: &str) -> u64 {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.expect("RssAnon").parse::<u64>().expect("a number") * 1024
}

pub fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| match entry.file_type().expect("a type").is_dir() {
            true => folder_bytes(&entry.path()),
            false => entry.metadata().expect("a size").len(),
        })
        .sum()
}
