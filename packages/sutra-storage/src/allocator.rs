//! Tunes the allocator at start, and tells how much memory it takes for a block.
//!
//! A memory limit holds only if freed bytes leave the process. By default both allocators keep
//! them: mimalloc for a second, and huge pages as long as one byte of them is in use; glibc in an
//! arena for each thread, with blocks of up to 32 MiB, of which it only gives back the end.

#![allow(unsafe_code)]

/// Makes the allocator return freed memory to the system at once. Must be called first in `main`.
pub fn give_back_at_once() {
    take_no_huge_pages();
    set_up();
}

fn take_no_huge_pages() {
    // The kernel reads whole registers and refuses other values.
    const ON: libc::c_ulong = 1;
    const UNUSED: libc::c_ulong = 0;
    // SAFETY: sets a flag of the process, and touches no memory of it.
    let set = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, ON, UNUSED, UNUSED, UNUSED) };
    // This fails on a kernel without huge pages, where there is nothing to turn off.
    let _ = set;
}

#[cfg(any(target_env = "musl", sutra_mimalloc))]
fn set_up() {
    use std::ffi::{c_int, c_long};

    // libmimalloc-sys declares it only with a feature that needs one crate more.
    extern "C" {
        fn mi_option_set(option: c_int, value: c_long);
    }
    /// `mi_option_purge_delay` of mimalloc.h, in milliseconds.
    const PURGE_DELAY: c_int = 15;
    // SAFETY: sets a number, under no lock, before there is another thread.
    unsafe { mi_option_set(PURGE_DELAY, 0) };
}

#[cfg(not(any(target_env = "musl", sutra_mimalloc)))]
fn set_up() {
    /// Blocks of this many bytes or more are mapped alone. Once set, glibc no longer raises it.
    const MAPPED: i32 = 128 * 1024;
    /// Arenas that all threads share: each keeps the memory of its own holes.
    const ARENAS: i32 = 2;
    // SAFETY: sets numbers, before there is another thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// Returns how many bytes the allocator takes for a block of `size`: mimalloc has four sizes for
/// each power of two, glibc one each 16 bytes, eight of which are its own.
pub const fn block(size: u64) -> u64 {
    match cfg!(any(target_env = "musl", sutra_mimalloc)) {
        true => in_quarters(size),
        false => in_sixteens(size),
    }
}

const fn in_quarters(size: u64) -> u64 {
    let step = match size {
        0..=64 => 16,
        _ => (1 << (size - 1).ilog2()) / 4,
    };
    size.next_multiple_of(step)
}

const fn in_sixteens(size: u64) -> u64 {
    (size + 8).next_multiple_of(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mimalloc_has_four_sizes_for_each_power_of_two() {
        for (size, takes) in [
            (1, 16),
            (64, 64),
            (65, 80),
            (512, 512),
            (513, 640),
            (528, 640),
            (640, 640),
            (641, 768),
            (1024, 1024),
            (1106, 1280),
        ] {
            assert_eq!(in_quarters(size), takes, "{size}");
        }
    }

    #[test]
    fn glibc_has_a_size_each_sixteen_bytes() {
        for (size, takes) in [(1, 16), (24, 32), (25, 48), (528, 544), (1106, 1120)] {
            assert_eq!(in_sixteens(size), takes, "{size}");
        }
    }
}
