//! Shows what each store does with a file that was cut or has a flipped byte.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::{engines, id, this_program, value};

/// The stores, each with the file that holds its last writes.
const FILES: [(&str, &str); 4] = [
    ("log", "store.log"),
    ("redb", "store.redb"),
    ("fjall+group", "journals/0"),
    ("sqlite", "store.sqlite-wal"),
];
const BATCHES: u64 = 10;
const BATCH: u64 = 100;
/// The number of places in a file that are tried.
const PLACES: usize = 200;
const OUTCOMES: [&str; 6] = [
    "all there",
    "refused",
    "fewer",
    "wrong value",
    "panicked inside",
    "killed",
];

/// Prints how often each outcome occurred, for a file cut in the last of ten writes, and for one
/// with a flipped byte before that write.
pub fn table() {
    println!("| store | damage | {} |", OUTCOMES.join(" | "));
    println!("|---|---|{}", "---:|".repeat(OUTCOMES.len()));
    for (name, file) in FILES {
        let folder = tempfile::tempdir_in(".").expect("a folder");
        let original = folder.path().join("original");
        fs::create_dir(&original).expect("a folder");
        let written = run(name, &original, "write");
        assert!(written.status.success(), "{name}: {written:?}");
        let bytes = fs::read(original.join(file)).expect("a file");
        // Some files are longer than their content.
        let used = bytes.iter().rposition(|byte| *byte != 0).expect("content") + 1;
        let last = used - used / 20;
        let mut cut: BTreeMap<&str, u32> = BTreeMap::new();
        let mut flipped: BTreeMap<&str, u32> = BTreeMap::new();
        for place in 0..PLACES {
            let at = last + (used - last) * place / PLACES;
            *cut.entry(damaged(name, &original, file, &bytes[..at]))
                .or_default() += 1;
            let mut bytes = bytes.clone();
            bytes[used / 10 * 8 * place / PLACES] ^= 0x10;
            *flipped
                .entry(damaged(name, &original, file, &bytes))
                .or_default() += 1;
        }
        for (damage, seen) in [("cut at its end", cut), ("flipped byte before", flipped)] {
            let counts =
                OUTCOMES.map(|outcome| seen.get(outcome).copied().unwrap_or(0).to_string());
            println!("| {name} | {damage} | {} |", counts.join(" | "));
        }
    }
}

/// Returns the outcome of opening `original` with other bytes in `file`.
fn damaged(name: &str, original: &Path, file: &str, bytes: &[u8]) -> &'static str {
    let copy = original.with_file_name("copy");
    copy_all(original, &copy);
    fs::write(copy.join(file), bytes).expect("a file");
    let outcome = outcome(&run(name, &copy, "read"));
    fs::remove_dir_all(&copy).expect("a folder");
    outcome
}

/// Writes everything and ends without closing, or opens the store and prints what it holds.
pub fn reopen(name: &str, folder: &Path, what: &str) {
    let engine = engines::open(name, folder);
    if what == "write" {
        for first in (0..BATCHES * BATCH).step_by(BATCH as usize) {
            engine.put_all(
                (first..first + BATCH)
                    .map(|number| (id(number), value(number)))
                    .collect(),
            );
        }
        std::process::exit(0);
    }
    let values = (0..BATCHES * BATCH)
        .map(|number| engine.get(&id(number)).map(|read| read == value(number)));
    let values: Vec<Option<bool>> = values.collect();
    println!(
        "{}",
        match () {
            () if values.contains(&Some(false)) => "wrong value",
            () if values.contains(&None) => "fewer",
            () => "all there",
        }
    );
    std::process::exit(0);
}

fn run(name: &str, folder: &Path, what: &str) -> Output {
    let mut program = this_program();
    program.arg("damage").arg(name).arg(folder).arg(what);
    program.output().expect("this program")
}

fn outcome(output: &Output) -> &'static str {
    let text = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => OUTCOMES
            .into_iter()
            .find(|outcome| text.trim() == *outcome)
            .expect("an outcome"),
        // The store's errors are turned into panics there.
        Some(_) if String::from_utf8_lossy(&output.stderr).contains("src/engines.rs") => "refused",
        Some(_) => "panicked inside",
        None => {
            assert!(output.status.signal().is_some());
            "killed"
        }
    }
}

fn files(root: &Path, below: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root.join(below)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = below.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => paths.extend(files(root, &path)),
            false => paths.push(path),
        }
    }
    paths
}

fn copy_all(from: &Path, to: &Path) {
    for file in files(from, Path::new("")) {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().expect("a parent")).expect("a folder");
        fs::copy(from.join(file), target).expect("a copy");
    }
}
