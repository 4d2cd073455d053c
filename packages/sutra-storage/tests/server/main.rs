//! Runs the real binary on free loopback ports. One program holds all of these tests, which then
//! run side by side; each further program would be linked with all crates once more.

// Helpers may panic as tests do: clippy.toml only covers the test functions themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod durability;
mod generated;
mod hostile;
mod http;
mod limits;
#[cfg(feature = "postgres")]
mod postgres;
mod snapshot;
mod support;
