use std::fs::{self, OpenOptions};
use std::path::PathBuf;

use quickcheck::{Arbitrary, Gen, QuickCheck};
use temp_dir::TempDir;

use super::log::{FILE_HEADER, FRAME_HEADER};
use super::*;

const SAMPLE: [&str; 3] = ["a", "b", "c"];

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new().unwrap())
}

fn open(folder: &TempDir) -> Result<Store, StartError> {
    Store::open(folder.path(), Room::UNBOUNDED, metrics())
}

fn id(text: &str) -> Id {
    text.to_owned().try_into().unwrap()
}

fn put(name: &str, value: &str) -> Op {
    Op::PutConcept(id(name), value.as_bytes().to_vec().into())
}

fn key(source: &str, target: &str) -> Key {
    Key::parse(&format!("{source}\t{target}\tis_a")).unwrap()
}

fn link(source: &str, target: &str) -> Association {
    association(&key(source, target).outgoing(), 0.5).unwrap()
}

fn write(store: &Store, ops: Vec<Op>) -> Vec<Result<Written, StoreError>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(store.write(ops, None)).unwrap()
}

fn write_one(store: &Store, op: Op) -> Result<Written, StoreError> {
    write(store, vec![op]).remove(0)
}

/// Opens a store in a new folder with concepts of these names.
fn store_with(names: &[&str]) -> (Store, TempDir) {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).unwrap();
    for name in names {
        assert_eq!(write_one(&store, put(name, name)), Ok(Written::Created));
    }
    (store, folder)
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join(folder::LOG)
}

fn text(store: &Store, name: &str) -> String {
    String::from_utf8(store.concept(&id(name)).unwrap()).unwrap()
}

fn ids(page: &Page<Json>) -> Vec<String> {
    let ids = page
        .items
        .iter()
        .map(|json| String::from_utf8(json.clone()));
    ids.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_concept_is_created_replaced_and_deleted() {
    let (store, _folder) = store_with(&["cat"]);
    assert_eq!(write_one(&store, put("cat", "new")), Ok(Written::Replaced));
    assert_eq!(text(&store, "cat"), "new");
    let delete = Op::DeleteConcept(id("cat"));
    assert_eq!(write_one(&store, delete.clone()), Ok(Written::Deleted));
    let missing = StoreError::NoConcept(id("cat"));
    assert_eq!(store.concept(&id("cat")), Err(missing.clone()));
    assert_eq!(write_one(&store, delete), Err(missing));
}

#[test]
fn pages_follow_each_other() {
    let (store, _folder) = store_with(&SAMPLE);
    let first = store.concepts("", None, 2).unwrap();
    assert_eq!(
        (ids(&first), &first.next),
        (vec!["a".into(), "b".into()], &Some("b".into()))
    );
    let second = store.concepts("", Some("b"), 2).unwrap();
    assert_eq!((ids(&second), second.next), (vec!["c".into()], None));
    assert_eq!(store.concepts("", None, 3).unwrap().next, None);
}

#[test]
fn a_prefix_bounds_a_page() {
    let (store, _folder) = store_with(&["a", "ab", "abc", "b"]);
    let page = |after, limit| store.concepts("ab", after, limit).unwrap();
    assert_eq!(ids(&page(None, 9)), ["ab", "abc"]);
    assert_eq!(page(None, 1).next, Some("ab".into()));
    assert_eq!(ids(&page(Some("a"), 9)), ["ab", "abc"]);
    assert_eq!(ids(&page(Some("ab"), 9)), ["abc"]);
    assert_eq!(ids(&page(Some("b"), 9)), [""; 0]);
    assert_eq!(page(None, 2).next, None);
}

#[test]
fn a_page_ends_at_its_bytes() {
    let (store, _folder) = store_with(&[]);
    let half = "x".repeat(MAX_PAGE / 2);
    for name in SAMPLE {
        write_one(&store, put(name, &half)).unwrap();
    }
    let page = store.concepts("", None, 100).unwrap();
    assert_eq!((page.items.len(), page.next), (2, Some("b".into())));
}

#[test]
fn associations_are_found_from_both_ends_in_pages() {
    let (store, _folder) = store_with(&SAMPLE);
    let put = |source, target| write_one(&store, Op::PutAssociation(link(source, target)));
    assert_eq!(put("a", "b"), Ok(Written::Created));
    assert_eq!(put("a", "b"), Ok(Written::Replaced));
    for (source, target) in [("a", "a"), ("c", "a"), ("b", "a")] {
        assert_eq!(put(source, target), Ok(Written::Created));
    }
    let all = [
        link("a", "a"),
        link("a", "b"),
        link("b", "a"),
        link("c", "a"),
    ];
    let page =
        |after: Option<&After>, limit| store.associations_of(&id("a"), after, limit).unwrap();
    assert_eq!(
        page(None, 9),
        Page {
            items: all.to_vec(),
            next: None
        }
    );
    assert_eq!(page(None, 4).next, None);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let Page { items, next } = page(after.as_ref(), 1);
        paged.extend(items);
        after = match next.as_deref().map(|next| next.split_once('\t').unwrap()) {
            None => break,
            Some(("out", key)) => Some(After::Outgoing(key.into())),
            Some((_, key)) => Some(After::Incoming(key.into())),
        };
    }
    assert_eq!(paged, all);
    let list = |after, limit| store.associations(after, limit).unwrap();
    assert_eq!(
        list(None, 9),
        Page {
            items: all.to_vec(),
            next: None
        }
    );
    let next = Some(key("a", "b").outgoing());
    assert_eq!(
        list(None, 2),
        Page {
            items: all[..2].to_vec(),
            next: next.clone()
        }
    );
    assert_eq!(
        list(next.as_deref(), 2),
        Page {
            items: all[2..].to_vec(),
            next: None
        }
    );
}

#[test]
fn an_id_that_starts_like_another_is_not_it() {
    let (store, _folder) = store_with(&["a", "ab", "a b", "b"]);
    for source in ["ab", "a b"] {
        write_one(&store, Op::PutAssociation(link(source, "b"))).unwrap();
    }
    assert_eq!(store.associations_of(&id("a"), None, 9).unwrap().items, []);
}

#[test]
fn an_association_is_deleted() {
    let (store, _folder) = store_with(&["a"]);
    write_one(&store, Op::PutAssociation(link("a", "a"))).unwrap();
    let delete = || write_one(&store, Op::DeleteAssociation(key("a", "a")));
    assert_eq!(delete(), Ok(Written::Deleted));
    assert_eq!(delete(), Err(StoreError::NoAssociation(key("a", "a"))));
    assert_eq!(store.stats().associations, 0);
}

#[test]
fn deleting_a_concept_deletes_its_associations_for_good() {
    let (store, folder) = store_with(&SAMPLE);
    for (source, target) in [("a", "b"), ("b", "a"), ("a", "a"), ("b", "c")] {
        write_one(&store, Op::PutAssociation(link(source, target))).unwrap();
    }
    write_one(&store, Op::DeleteConcept(id("a"))).unwrap();
    let left = |store: &Store| store.associations(None, 9).unwrap().items;
    assert_eq!(left(&store), [link("b", "c")]);
    write_one(&store, put("a", "again")).unwrap();
    store.close();
    let store = open(&folder).unwrap();
    assert_eq!(left(&store), [link("b", "c")]);
    assert_eq!(store.associations_of(&id("a"), None, 9).unwrap().items, []);
}

#[test]
fn changes_of_one_call_see_each_other() {
    let (store, _folder) = store_with(&["old"]);
    write_one(&store, Op::PutAssociation(link("old", "old"))).unwrap();
    let missing = |name| Err(StoreError::NoConcept(id(name)));
    let done = write(
        &store,
        vec![
            Op::PutAssociation(link("a", "b")),
            put("a", "1"),
            put("a", "2"),
            put("b", "1"),
            Op::PutAssociation(link("a", "b")),
            Op::PutAssociation(link("a", "b")),
            Op::DeleteConcept(id("b")),
            Op::PutAssociation(link("a", "b")),
            put("b", "2"),
            Op::PutAssociation(link("a", "b")),
            Op::DeleteConcept(id("old")),
            put("old", "2"),
            Op::DeleteAssociation(key("old", "old")),
        ],
    );
    use Written::{Created, Deleted, Replaced};
    let gone = Err(StoreError::NoAssociation(key("old", "old")));
    let expected = [
        missing("a"),
        Ok(Created),
        Ok(Replaced),
        Ok(Created),
        Ok(Created),
        Ok(Replaced),
        Ok(Deleted),
        missing("b"),
        Ok(Created),
        Ok(Created),
        Ok(Deleted),
        Ok(Created),
        gone,
    ];
    assert_eq!(done, expected);
    assert_eq!(text(&store, "a"), "2");
    assert_eq!(store.associations(None, 9).unwrap().items, [link("a", "b")]);
}

#[test]
fn the_revision_grows_with_every_change_and_survives() {
    let (store, folder) = store_with(&SAMPLE);
    assert_eq!(store.stats().revision, 3);
    write_one(&store, Op::DeleteConcept(id("x"))).unwrap_err();
    assert_eq!(store.stats().revision, 3);
    write_one(&store, Op::DeleteConcept(id("a"))).unwrap();
    let stats = store.stats();
    assert_eq!(stats.revision, 4);
    store.close();
    let store = open(&folder).unwrap();
    // Closing leaves this mark.
    let bytes = stats.bytes + FRAME_HEADER as u64;
    assert_eq!(store.stats(), Stats { bytes, ..stats });
}

#[test]
fn writes_after_closing_are_refused() {
    let (store, _folder) = store_with(&["a"]);
    store.close();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let late = runtime.block_on(store.write(vec![put("b", "b")], None));
    assert_eq!(late, Err(StoreError::Stopping));
    assert_eq!(text(&store, "a"), "a");
}

#[test]
fn many_waiting_writers_share_a_sync() {
    let folder = TempDir::new().unwrap();
    let metrics = metrics();
    let store = Store::open(folder.path(), Room::UNBOUNDED, metrics.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let store = Arc::new(store);
    runtime.block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..200 {
            let store = store.clone();
            writers.spawn(async move { store.write_one(put(&number.to_string(), "x")).await });
        }
        while let Some(done) = writers.join_next().await {
            assert_eq!(done.unwrap(), Ok(Written::Created));
        }
    });
    store.close();
    let text = metrics.text(&store.stats(), false).unwrap();
    let text = String::from_utf8(text).unwrap();
    let value = |name: &str| -> u64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.trim().parse().unwrap()
    };
    assert_eq!(value("sutra_storage_group_changes_sum"), 200);
    // The first may be written alone; the others wait for it and are written together.
    assert!(value("sutra_storage_sync_seconds_count") < 100, "{text}");
}

// ---- failures of the disk ---------------------------------------------------

/// Returns the appender of a device file; `/dev/full` refuses writes and `/dev/null` cannot be
/// synced.
fn failure_on(device: &str) -> appender::Failure {
    let file = OpenOptions::new().write(true).open(device).unwrap();
    let end = log::End {
        offset: 0,
        number: 0,
        revision: 0,
        marked: false,
    };
    let mut appender = appender::Appender::new(file, end, 0);
    let failure = appender.append(log::Frame::new(0), 1).err().unwrap();
    assert_eq!(appender.end, end);
    failure
}

#[test]
fn a_failed_sync_is_final() {
    assert!(matches!(
        failure_on("/dev/null"),
        appender::Failure::Broken(_)
    ));
}

#[test]
fn a_full_disk_whose_log_cannot_be_cut_is_final() {
    assert!(matches!(
        failure_on("/dev/full"),
        appender::Failure::Broken(_)
    ));
}

#[test]
fn a_failed_store_refuses_writes_and_still_reads() {
    let (store, _folder) = store_with(&["a"]);
    store.shared.failed.store(true, Ordering::Relaxed);
    assert_eq!(write_one(&store, put("b", "b")), Err(StoreError::Failed));
    assert!(store.has_failed());
    assert_eq!(text(&store, "a"), "a");
}

#[test]
fn a_concept_that_changed_on_disk_is_not_served() {
    let (store, folder) = store_with(&["a"]);
    flip(&log_of(&folder), store.stats().bytes as usize - 1);
    assert_eq!(store.concept(&id("a")), Err(StoreError::Failed));
    assert!(store.concepts("", None, 1).is_err());
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Returns the log, without the room at its end, of a store that was killed after it wrote
/// [`SAMPLE`], and where its last frame starts.
fn killed() -> (Vec<u8>, usize) {
    let (store, folder) = store_with(&SAMPLE[..2]);
    let last = store.stats().bytes as usize;
    write_one(&store, put("c", "c")).unwrap();
    let mut bytes = fs::read(log_of(&folder)).unwrap();
    let room = bytes.split_off(store.stats().bytes as usize);
    assert_eq!(room, vec![0; log::ROOM - (bytes.len() - room_start())]);
    (bytes, last)
}

/// Returns the log with room as the first frame made it: that frame's size and [`log::ROOM`].
fn room_start() -> usize {
    FILE_HEADER + first_frame()
}

fn first_frame() -> usize {
    FRAME_HEADER + log::RECORD_HEADER + put("a", "a").encode(&mut Vec::new()).end
}

fn folder_with(log: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(log_of(&folder), log).unwrap();
    folder
}

/// Opens a store with this log, with and without room at its end, and returns the concepts in it,
/// or the error without the path.
fn found_in(log: &[u8]) -> Result<Vec<String>, String> {
    let with_room = [log, &[0; 500]].concat();
    let outcome = found_in_file(log);
    // A header that was cut within its zeros is whole again with the zeros of room.
    if log.len() >= FILE_HEADER {
        assert_eq!(found_in_file(&with_room), outcome);
    }
    outcome
}

fn found_in_file(log: &[u8]) -> Result<Vec<String>, String> {
    let folder = folder_with(log);
    let store = match open(&folder) {
        Ok(store) => store,
        Err(error) => {
            assert_eq!(
                fs::read(log_of(&folder)).unwrap(),
                log,
                "the log was changed"
            );
            let path = format!("{:?}", log_of(&folder));
            return Err(error.problem.replace(&path, "LOG"));
        }
    };
    let concepts = ids(&store.concepts("", None, 9).unwrap());
    // The repaired log can be written to and opened again.
    write_one(&store, put("z", "z")).unwrap();
    store.close();
    let again = open(&folder).unwrap();
    let all = ids(&again.concepts("", None, 9).unwrap());
    assert_eq!(all, [concepts.clone(), vec!["z".into()]].concat());
    Ok(concepts)
}

#[test]
fn a_log_cut_at_any_byte_of_its_last_frame_loses_that_frame_only() {
    let (log, last) = killed();
    assert_eq!(found_in(&log).unwrap(), SAMPLE);
    for len in last..log.len() {
        assert_eq!(found_in(&log[..len]).unwrap(), SAMPLE[..2], "{len}");
    }
}

#[test]
fn a_last_frame_with_any_byte_not_written_is_cut_off() {
    let (log, last) = killed();
    for offset in last..log.len() {
        let mut torn = log.clone();
        torn[offset] ^= 0x10;
        assert_eq!(found_in(&torn).unwrap(), SAMPLE[..2], "{offset}");
    }
    // The file has its new size, but the data was never written.
    let zeros = [&log[..last], &vec![0; log.len() - last]].concat();
    assert_eq!(found_in(&zeros).unwrap(), SAMPLE[..2]);
}

#[test]
fn a_flipped_byte_before_the_last_frame_stops_the_start() {
    let (log, last) = killed();
    for offset in 0..last {
        let mut damaged = log.clone();
        damaged[offset] ^= 0x10;
        let error = found_in(&damaged).unwrap_err();
        assert!(
            error.starts_with("SUTRA_STORAGE_DATA: damaged LOG: offset "),
            "{offset}: {error}"
        );
    }
}

#[test]
fn a_closed_log_has_no_last_frame_to_lose() {
    let (store, folder) = store_with(&SAMPLE);
    let len = store.stats().bytes as usize;
    store.close();
    let log = fs::read(log_of(&folder)).unwrap();
    assert_eq!(log.len(), len + FRAME_HEADER);
    for offset in 0..len {
        let mut damaged = log.clone();
        damaged[offset] ^= 0x10;
        found_in(&damaged).unwrap_err();
    }
    for offset in len..log.len() {
        let mut torn = log.clone();
        torn[offset] ^= 0x10;
        assert_eq!(found_in(&torn).unwrap(), SAMPLE, "{offset}");
    }
}

#[test]
fn damage_is_told_with_its_offset_and_what_to_do() {
    let (log, last) = killed();
    let second = (FILE_HEADER..last)
        .find(|&at| log[at + 1..].starts_with(b"FRAM"))
        .unwrap()
        + 1;
    let problem_after = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut log = log.clone();
        change(&mut log);
        found_in(&log).unwrap_err()
    };
    let damaged =
        |offset: usize, why| format!("SUTRA_STORAGE_DATA: damaged LOG: offset {offset}: {why}");
    assert_eq!(
        problem_after(&|log| log[0] = 0),
        damaged(0, "not a log of this version")
    );
    assert_eq!(
        problem_after(&|log| log.truncate(15)),
        damaged(0, "not a log: 15 bytes are too few")
    );
    assert_eq!(
        problem_after(&|log| log[second] = 0),
        damaged(second, "not a frame, but frames follow")
    );
    assert_eq!(
        problem_after(&|log| log[last - 1] ^= 1),
        damaged(second, "checksum of a frame does not match")
    );
    assert_eq!(
        problem_after(&|log| drop(log.drain(second..last))),
        damaged(second, "frame 2 where 1 should be")
    );
    let many = vec![7; FRAME_HEADER + log::MAX_FRAME + log::ROOM + 1];
    assert_eq!(
        problem_after(&|log| log.extend(&many)),
        damaged(log.len(), "not a frame, and longer than one can be")
    );
}

#[test]
fn a_tip_names_a_cut_only_where_it_saves_something() {
    let tip = |log: &[u8]| open(&folder_with(log)).err().unwrap().tip;
    let (log, last) = killed();
    let none = "nothing was changed; put back an intact copy of store.log; nothing in this \
                one can be saved by a cut: without a copy, move it away to start empty";
    assert_eq!(tip(&[]), none);
    assert_eq!(tip(&log[..15]), none);
    let mut first = log.clone();
    first[FILE_HEADER] = 0;
    assert_eq!(tip(&first), none);
    let mut later = log.clone();
    later[last - 1] ^= 1;
    let offset = found_in(&later).unwrap_err();
    let (_, offset) = offset.split_once("offset ").unwrap();
    let (offset, _) = offset.split_once(':').unwrap();
    assert_eq!(
        tip(&later),
        format!(
            "nothing was changed; put back an intact copy of store.log, or keep a copy of \
             this one and cut it to its first {offset} bytes to go on with what is before"
        )
    );
    let saved = found_in(&later[..offset.parse().unwrap()]);
    assert_eq!(saved, Ok(vec!["a".into()]));
}

#[test]
fn a_store_of_version_0_1_0_is_refused_and_kept() {
    let folder = TempDir::new().unwrap();
    let old = folder.path().join("store.redb");
    fs::write(&old, "redb").unwrap();
    assert_eq!(
        open(&folder).err().unwrap().to_string(),
        format!(
            "SUTRA_STORAGE_DATA: written by version 0.1.0, which this one cannot read {old:?}\n\
             tip: export it with that version, and move the file away or choose another folder"
        )
    );
    assert_eq!(fs::read(&old).unwrap(), b"redb");
    assert!(!log_of(&folder).exists());
}

// ---- rewriting --------------------------------------------------------------

/// Returns every concept and association.
fn all(store: &Store) -> (Vec<String>, Vec<Association>) {
    let concepts = ids(&store.concepts("", None, 1000).unwrap());
    (concepts, store.associations(None, 1000).unwrap().items)
}

#[test]
fn a_log_of_mostly_replaced_concepts_is_rewritten_and_says_the_same() {
    let (store, folder) = store_with(&["keep", "gone"]);
    write_one(&store, Op::PutAssociation(link("keep", "keep"))).unwrap();
    write_one(&store, Op::PutAssociation(link("keep", "gone"))).unwrap();
    write_one(&store, Op::DeleteConcept(id("gone"))).unwrap();
    fs::write(folder.path().join(folder::NEW_LOG), "unfinished").unwrap();
    let large = "x".repeat(1024 * 1024);
    let mut largest = 0;
    // Each round adds 1 MiB, and a rewrite is due after 33.
    for number in 0..200 {
        write_one(&store, put("z", &format!("{number}{large}"))).unwrap();
        largest = largest.max(store.stats().bytes);
        if store.stats().bytes < largest {
            break;
        }
    }
    let stats = store.stats();
    assert!(stats.bytes < largest, "it was never rewritten");
    assert!(stats.revision > 33);
    let (concepts, associations) = all(&store);
    assert_eq!(concepts[0], "keep");
    assert_eq!(associations, [link("keep", "keep")]);
    write_one(&store, put("later", "later")).unwrap();
    store.close();
    assert!(!folder.path().join(folder::NEW_LOG).exists());
    let again = open(&folder).unwrap();
    assert_eq!(again.stats().revision, stats.revision + 1);
    assert_eq!(again.stats().live_bytes, store.stats().live_bytes);
    assert_eq!(all(&again), all(&store));
}

/// Any change of a few concepts.
impl Arbitrary for Op {
    fn arbitrary(g: &mut Gen) -> Self {
        let [name, other] = [(); 2].map(|()| *g.choose(&SAMPLE).unwrap());
        match g.choose(&[1, 2, 3, 4]).unwrap() {
            1 => put(name, &String::arbitrary(&mut short(g))),
            2 => Op::DeleteConcept(id(name)),
            3 => Op::PutAssociation(link(name, other)),
            _ => Op::DeleteAssociation(key(name, other)),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let Op::PutConcept(id, value) = self else {
            return quickcheck::empty_shrinker();
        };
        let (id, value) = (id.clone(), String::from_utf8(value.to_vec()).unwrap());
        let values = value.shrink().map(|value| value.into_bytes().into());
        Box::new(values.map(move |value| Op::PutConcept(id.clone(), value)))
    }
}

/// Returns a source of texts of at most 40 characters, which is seeded by `g`.
fn short(g: &mut Gen) -> Gen {
    Gen::from_size_and_seed(41, u64::arbitrary(g))
}

/// Checks `property`, whose argument is a vector, with 64 vectors of less than `length` items.
fn check<T: Arbitrary + std::fmt::Debug>(length: usize, property: fn(Vec<T>)) {
    let mut check = QuickCheck::new().tests(64).rng(Gen::new(length));
    check.quickcheck(property);
}

#[test]
fn bytes_that_are_no_frame_are_cut_off() {
    check(300, |bytes: Vec<u8>| {
        // These bytes hold no frame, so they are torn.
        let log = [log::file_header().as_slice(), &bytes].concat();
        assert_eq!(found_in(&log), Ok(vec![]));
    });
}

#[test]
fn one_call_or_many_and_a_rewrite_end_the_same() {
    check(60, |ops: Vec<Op>| {
        let (one, folder) = store_with(&[]);
        let (many, _many_folder) = store_with(&[]);
        let together = write(&one, ops.clone());
        let alone: Vec<_> = ops.into_iter().map(|op| write_one(&many, op)).collect();
        assert_eq!(together, alone);
        assert_eq!(all(&one), all(&many));
        assert_eq!(one.stats().live_bytes, many.stats().live_bytes);
        one.close();
        let before = all(&one);
        compact::rewrite_now(folder.path()).unwrap();
        let again = open(&folder).unwrap();
        assert_eq!(all(&again), before);
        assert_eq!(again.stats().revision, one.stats().revision);
        assert_eq!(again.stats().live_bytes, one.stats().live_bytes);
    });
}

#[test]
fn any_record_is_read_or_refused() {
    check(80, |record: Vec<u8>| {
        if let Ok((op, _)) = Op::decode(&record) {
            let mut again = Vec::new();
            op.encode(&mut again);
            assert_eq!(again, record);
        }
    });
}
