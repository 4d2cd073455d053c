//! The metrics at `/metrics`, in Prometheus' text format.

use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};

use crate::model::Stats;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    refused: IntCounter,
    group: Histogram,
    sync: Histogram,
    no_space: IntCounter,
    no_memory: IntCounter,
    index_bytes: IntGauge,
    index_limit: IntGauge,
    concepts: IntGauge,
    associations: IntGauge,
    revision: IntGauge,
    bytes: IntGauge,
    live_bytes: IntGauge,
    failed: IntGauge,
}

impl Metrics {
    /// # Errors
    /// Two metrics have the same name.
    pub fn new() -> prometheus::Result<Self> {
        let seconds = [1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
        let labels = ["method", "route"];
        let options = |name: &str, help: &str| HistogramOpts::new(name, help);
        let gauge = |name: &str, help: &str| IntGauge::new(name, help);
        let metrics = Self {
            registry: Registry::new_custom(Some("sutra_storage".into()), None)?,
            requests: IntCounterVec::new(
                Opts::new("requests_total", "requests that were answered"),
                &["method", "route", "status"],
            )?,
            seconds: HistogramVec::new(
                options("request_seconds", "time to answer").buckets(seconds.into()),
                &labels,
            )?,
            refused: IntCounter::new("refused_total", "requests and connections over a limit")?,
            group: Histogram::with_opts(
                options("group_changes", "changes that shared one sync").buckets(vec![
                    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 256.0, 1024.0, 4096.0,
                ]),
            )?,
            sync: Histogram::with_opts(
                options("sync_seconds", "time to put a group on disk").buckets(seconds.into()),
            )?,
            no_space: IntCounter::new("no_space_total", "groups that a full disk refused")?,
            no_memory: IntCounter::new("no_memory_total", "changes that the memory limit refused")?,
            index_bytes: gauge("index_bytes", "memory that the index may take")?,
            index_limit: gauge(
                "index_limit_bytes",
                "memory for the index; beyond it new entries are refused",
            )?,
            concepts: gauge("concepts", "concepts in the store")?,
            associations: gauge("associations", "associations in the store")?,
            revision: gauge("revision", "changes since the store was created")?,
            bytes: gauge("log_bytes", "size of the log")?,
            live_bytes: gauge("log_live_bytes", "bytes of the log that still count")?,
            failed: gauge("failed", "1 once the disk failed, until a restart")?,
        };
        metrics.register()?;
        Ok(metrics)
    }

    fn register(&self) -> prometheus::Result<()> {
        let Self { registry, .. } = self;
        registry.register(Box::new(self.requests.clone()))?;
        registry.register(Box::new(self.seconds.clone()))?;
        for histogram in [&self.group, &self.sync] {
            registry.register(Box::new(histogram.clone()))?;
        }
        for counter in [&self.refused, &self.no_space, &self.no_memory] {
            registry.register(Box::new(counter.clone()))?;
        }
        let sizes = [&self.bytes, &self.live_bytes, &self.failed];
        let memory = [&self.index_bytes, &self.index_limit];
        for gauge in sizes.into_iter().chain(memory).chain([
            &self.concepts,
            &self.associations,
            &self.revision,
        ]) {
            registry.register(Box::new(gauge.clone()))?;
        }
        Ok(())
    }

    /// Counts an answered request.
    pub fn request(&self, method: &str, route: &str, status: &str, took: Duration) {
        self.requests
            .with_label_values(&[method, route, status])
            .inc();
        self.seconds
            .with_label_values(&[method, route])
            .observe(took.as_secs_f64());
    }

    /// Counts a request or connection over a limit.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// Records a group of changes that is on disk.
    pub fn group(&self, changes: u64) {
        self.group.observe(changes as f64);
    }

    /// Records an attempt to put a group on disk.
    pub fn sync(&self, took: Duration) {
        self.sync.observe(took.as_secs_f64());
    }

    /// Counts a group that a full disk refused.
    pub fn no_space(&self) {
        self.no_space.inc();
    }

    /// Counts a change that the memory limit refused.
    pub fn no_memory(&self) {
        self.no_memory.inc();
    }

    /// Sets how many bytes of memory the index may take.
    pub fn index_limit(&self, bytes: u64) {
        self.index_limit
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Returns all metrics as text.
    ///
    /// # Errors
    /// A metric cannot be written as text.
    pub fn text(&self, stats: &Stats, failed: bool) -> prometheus::Result<Vec<u8>> {
        self.concepts.set(stats.concepts as i64);
        self.associations.set(stats.associations as i64);
        self.revision.set(stats.revision as i64);
        self.bytes.set(stats.bytes as i64);
        self.live_bytes.set(stats.live_bytes as i64);
        self.index_bytes.set(stats.memory as i64);
        self.failed.set(i64::from(failed));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
