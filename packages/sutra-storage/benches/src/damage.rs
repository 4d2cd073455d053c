//! What each store does with a file that was cut or has a flipped byte.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::{engines, id, this_program, value};

/// None of these groups its writes: it makes no difference here.
const NAMES: [&str; 4] = ["log", "redb", "fjall+group", "sqlite"];
const BATCHES: u64 = 10;
const BATCH: u64 = 100;
/// Places of each file that are tried.
const PLACES: u64 = 40;
const OUTCOMES: [&str; 6] = [
    "all there",
    "refused",
    "fewer",
    "wrong value",
    "panicked inside",
    "killed",
];

/// Prints how often each outcome was seen.
pub fn table() {
    println!("| store | damage | {} |", OUTCOMES.join(" | "));
    println!("|---|---|{}", "---:|".repeat(OUTCOMES.len()));
    for name in NAMES {
        let folder = tempfile::tempdir_in(".").expect("a folder");
        let original = folder.path().join("original");
        fs::create_dir(&original).expect("a folder");
        let written = run(name, &original, "write");
        assert!(written.status.success(), "{name}: {written:?}");
        let damages: [(&str, fn(&mut Vec<u8>, usize)); 2] = [
            ("cut", |bytes, at| bytes.truncate(at)),
            ("flipped byte", |bytes, at| bytes[at] ^= 0x10),
        ];
        for (damage, change) in damages {
            let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
            for file in files(&original, Path::new("")) {
                let bytes = fs::read(original.join(&file)).expect("a file");
                for place in 0..PLACES.min(bytes.len() as u64) {
                    let copy = folder.path().join("copy");
                    copy_all(&original, &copy);
                    let mut bytes = bytes.clone();
                    let at = bytes.len() as u64 * (2 * place + 1) / (2 * PLACES);
                    change(&mut bytes, at as usize);
                    fs::write(copy.join(&file), bytes).expect("a file");
                    *seen.entry(outcome(&run(name, &copy, "read"))).or_default() += 1;
                    fs::remove_dir_all(&copy).expect("a folder");
                }
            }
            let counts =
                OUTCOMES.map(|outcome| seen.get(outcome).copied().unwrap_or(0).to_string());
            println!("| {name} | {damage} | {} |", counts.join(" | "));
        }
    }
}

/// Writes all and ends without closing, or opens the store and says what it finds.
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
    let found = (0..BATCHES * BATCH)
        .map(|number| engine.get(&id(number)).map(|found| found == value(number)));
    let found: Vec<Option<bool>> = found.collect();
    println!(
        "{}",
        match () {
            () if found.contains(&Some(false)) => "wrong value",
            () if found.contains(&None) => "fewer",
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
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => OUTCOMES
            .into_iter()
            .find(|outcome| said.trim() == *outcome)
            .expect("an outcome"),
        // Errors that the store returned are turned into panics there.
        Some(_) if String::from_utf8_lossy(&output.stderr).contains("src/engines.rs") => "refused",
        Some(_) => "panicked inside",
        None => {
            assert!(output.status.signal().is_some());
            "killed"
        }
    }
}

fn files(root: &Path, below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(below)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = below.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => found.extend(files(root, &path)),
            false => found.push(path),
        }
    }
    found
}

fn copy_all(from: &Path, to: &Path) {
    for file in files(from, Path::new("")) {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().expect("a parent")).expect("a folder");
        fs::copy(from.join(file), target).expect("a copy");
    }
}
