//! Divides the memory that the server may take among its parts.

use std::any::Any;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::StartError;

pub const MEMORY: &str = "SUTRA_STORAGE_MEMORY";

/// A value that keeps memory taken until it is dropped.
pub type Ticket = Arc<dyn Any + Send + Sync>;

const MIB: u64 = 1024 * 1024;
/// The least memory that a server works with.
const LEAST: u64 = 96 * MIB;
/// Memory for the program itself, its threads, its connections and the frame being written.
const BASE: u64 = 16 * MIB;
/// Least and most memory for requests and answers, which get a quarter of the limit; the least
/// holds one whole batch.
const REQUESTS: (u64, u64) = (48 * MIB, 1024 * MIB);

/// How many bytes of memory each part may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The whole limit.
    pub total: u64,
    /// Memory for running requests and answers on their way.
    pub requests: u64,
    /// Memory for the index. Memory in no part is left for the allocator's fragmentation.
    pub index: u64,
}

impl Room {
    /// No limit, except that requests get the most they may have.
    pub const UNBOUNDED: Self = Self {
        total: u64::MAX,
        requests: REQUESTS.1,
        index: u64::MAX,
    };

    /// Divides `total` bytes, which are at least [`LEAST`].
    fn of(total: u64) -> Self {
        let requests = (total / 4).clamp(REQUESTS.0, REQUESTS.1);
        let index = (total - requests - BASE) / 8 * 7;
        Self {
            total,
            requests,
            index,
        }
    }

    /// Reads the limit through `var`; by default it is the control group's, or the machine's.
    ///
    /// # Errors
    /// The variable holds no size, or one that is too small.
    pub fn from_env(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, StartError> {
        let Some(value) = var(MEMORY) else {
            return Ok(Self::of(found(Path::new("/")).max(LEAST)));
        };
        let size = value.to_str().and_then(bytes);
        match size.filter(|size| *size >= LEAST) {
            Some(size) => Ok(Self::of(size)),
            None => Err(StartError::new(
                format!("{MEMORY}: not a size of 96m or more {value:?}"),
                "write bytes, or a number with k, m or g, eg 512m; or unset it for what the \
                 container may take",
            )),
        }
    }
}

/// Reads a size as compose writes it: `536870912`, `524288k`, `512m`, `2g`, also with a `b`.
fn bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (digits, factor) = match text.char_indices().last()? {
        (at, 'k') => (&text[..at], 1024),
        (at, 'm') => (&text[..at], MIB),
        (at, 'g') => (&text[..at], 1024 * MIB),
        _ => (text, 1),
    };
    // `parse` alone would accept a sign.
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| plain)?;
    number.checked_mul(factor)
}

/// Returns the smallest limit on this process; `root` is where `/proc` and `/sys` are.
fn found(root: &Path) -> u64 {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(|line| limits_of(root, line));
    limits.chain(machine(root)).min().unwrap_or(u64::MAX)
}

/// Returns the limits of a control group, `ID:CONTROLLERS:PATH`, and of its ancestors. Inside a
/// container the path may be the host's and not exist; then the topmost group is the container's.
fn limits_of(root: &Path, line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
        return Vec::new();
    };
    let (top, file) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        "memory" => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        _ => return Vec::new(),
    };
    let top = root.join(top);
    let folder: PathBuf = top.join(path.trim_start_matches('/'));
    let folders = folder.ancestors().filter(|folder| folder.starts_with(&top));
    folders
        // "max" means no limit, and is not a number.
        .filter_map(|folder| {
            fs::read_to_string(folder.join(file))
                .ok()?
                .trim()
                .parse()
                .ok()
        })
        .collect()
}

fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use temp_dir::TempDir;

    use super::*;

    fn room(value: &'static str) -> Result<Room, StartError> {
        Room::from_env(|name| (name == MEMORY).then(|| value.into()))
    }

    /// Makes the root folder of a machine with 1 GiB of memory that also has these files.
    fn machine_with(files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().unwrap();
        for (name, text) in [&[("proc/meminfo", "MemTotal:  1048576 kB\n")], files].concat() {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn sizes_are_written_as_compose_writes_them() {
        for value in ["536870912", "524288k", "512m", "512M", "512mb"] {
            assert_eq!(room(value).unwrap().total, 512 * MIB, "{value}");
        }
        assert_eq!(room("2g").unwrap().total, 2048 * MIB);
    }

    #[test]
    fn a_size_that_is_none_or_too_small_is_refused() {
        for value in [
            "",
            "m",
            "95m",
            "100663295",
            "-1",
            "+96m",
            "1t",
            "99999999999g",
        ] {
            assert_eq!(
                room(value).unwrap_err().to_string(),
                format!(
                    "SUTRA_STORAGE_MEMORY: not a size of 96m or more {value:?}\n\
                     tip: write bytes, or a number with k, m or g, eg 512m; or unset it for what \
                     the container may take"
                )
            );
        }
        assert!(room("96m").is_ok());
    }

    #[test]
    fn every_part_has_its_room() {
        let parts = |value| room(value).map(|room| (room.requests / MIB, room.index / MIB));
        assert_eq!(parts("96m"), Ok((48, 28)));
        assert_eq!(parts("512m"), Ok((128, 322)));
        assert_eq!(parts("64g"), Ok((1024, 56434)));
    }

    #[test]
    fn the_smallest_limit_counts() {
        let limit = |files: &[(&str, &str)]| found(machine_with(files).path()) / MIB;
        assert_eq!(limit(&[]), 1024);
        let group = ("proc/self/cgroup", "0::/a/b\n");
        assert_eq!(
            limit(&[group, ("sys/fs/cgroup/a/b/memory.max", "max\n")]),
            1024
        );
        let above = ("sys/fs/cgroup/a/memory.max", "104857600\n");
        let own = ("sys/fs/cgroup/a/b/memory.max", "209715200\n");
        assert_eq!(limit(&[group, own]), 200);
        assert_eq!(limit(&[group, own, above]), 100);
    }

    #[test]
    fn a_container_whose_path_is_the_hosts_has_its_limit_at_the_top() {
        let limit = |files: &[(&str, &str)]| found(machine_with(files).path()) / MIB;
        let host = (
            "proc/self/cgroup",
            "4:memory:/docker/abc\n3:cpu:/docker/abc\n",
        );
        let top = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n");
        assert_eq!(limit(&[host, top]), 100);
        let top = ("sys/fs/cgroup/memory.max", "104857600\n");
        assert_eq!(limit(&[("proc/self/cgroup", "0::/../abc\n"), top]), 100);
    }
}
