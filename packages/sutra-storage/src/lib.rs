//! The parts of `storage_server_simple`; a library so that tests and benchmarks can reach them.

pub mod allocator;
pub mod backend;
pub mod batch;
pub mod config;
pub mod guard;
pub mod healthcheck;
pub mod http;
pub mod limits;
pub mod memory;
pub mod metrics;
pub mod model;
mod places;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod problem;
pub mod serve;
pub mod snapshot;
pub mod store;
pub mod token;
