//! What concerns the daemon as a whole: its version, its workers, its reloads and upgrades.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::{MetricsError, counter, gauge};

/// Reloads of the configuration.
#[derive(Clone, Debug)]
pub struct ReloadMetrics {
    success: IntCounter,
    refused: IntCounter,
    last_success: IntGauge,
    last_successful: IntGauge,
    generation: IntGauge,
}

impl ReloadMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let reloads = IntCounterVec::new(
            Opts::new(
                "elbow_reloads_total",
                "Configurations taken over (the first one too) or refused.",
            ),
            &["result"],
        )?;
        registry.register(Box::new(reloads.clone()))?;
        Ok(Self {
            success: reloads.with_label_values(&["success"]),
            refused: reloads.with_label_values(&["refused"]),
            last_success: gauge(
                registry,
                "elbow_last_reload_success_timestamp_seconds",
                "When a configuration was last taken over, in seconds since 1970.",
            )?,
            last_successful: gauge(
                registry,
                "elbow_last_reload_successful",
                "1 if the last configuration that was offered was taken over, 0 if it was refused.",
            )?,
            generation: gauge(
                registry,
                "elbow_configuration_generation",
                "The number of the configuration in force, counted from 1 at start-up.",
            )?,
        })
    }

    /// Notes that a configuration was taken over at `now` as this generation.
    pub fn success(&self, generation: u64, now: SystemTime) {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.success.inc();
        self.last_success.set(seconds.cast_signed());
        self.last_successful.set(1);
        self.generation.set(generation.cast_signed());
    }

    /// When a configuration was last taken over, to the second.
    pub fn last_success(&self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.last_success.get()).unwrap_or_default();
        (seconds > 0).then(|| UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// Notes that a configuration was refused.
    pub fn refused(&self) {
        self.refused.inc();
        self.last_successful.set(0);
    }
}

/// What happens to connections before a node can be named, or after its code has failed.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    /// Times that the system would not give a connection, for example for want of file descriptors.
    pub accept_errors: IntCounter,
    /// Connections that ended in a panic.
    pub panics: IntCounter,
}

impl ServerMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            accept_errors: counter(
                registry,
                "elbow_accept_errors_total",
                "Times that the system would not give a connection that a client had opened.",
            )?,
            panics: counter(
                registry,
                "elbow_connection_panics_total",
                "Connections that ended in a panic, which is an error in Elbow.",
            )?,
        })
    }
}

/// Processes that take over from one another.
#[derive(Clone, Debug)]
pub struct UpgradeMetrics {
    /// How many processes there were, this one included.
    pub number: IntGauge,
    /// Processes that were to take over from this one, and did not.
    pub failures: IntCounter,
}

impl UpgradeMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            number: gauge(
                registry,
                "elbow_process_number",
                "How many processes there were since one started that took over from none, this one \
                 included.",
            )?,
            failures: counter(
                registry,
                "elbow_failed_upgrades_total",
                "Processes that were to take over from this one, and did not.",
            )?,
        })
    }
}

pub(super) fn workers(registry: &Registry) -> Result<IntGauge, MetricsError> {
    gauge(registry, "elbow_workers", "Threads that serve requests.")
}

pub(super) fn build_info(registry: &Registry) -> Result<(), MetricsError> {
    let info = IntGaugeVec::new(
        Opts::new("elbow_build_info", "1, with the version as label."),
        &["version"],
    )?;
    registry.register(Box::new(info.clone()))?;
    info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    Ok(())
}
