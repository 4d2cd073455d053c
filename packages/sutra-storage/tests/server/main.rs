//! Runs the real binary on free loopback ports. One program holds all of these tests: each program
//! more is linked with all crates once more, and takes as long as the tests in it.

// Helpers may panic as tests do: clippy.toml only covers the test functions themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod durability;
mod hostile;
mod http;
mod limits;
#[cfg(feature = "postgres")]
mod postgres;
mod snapshot;
mod support;
