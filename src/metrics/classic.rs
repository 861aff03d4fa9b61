//! What only a Classic load balancer has a metric for, at the moment of a scrape.

use prometheus::{IntCounterVec, IntGaugeVec, Registry};

use super::MetricsError;
use super::rows::Registrar;

/// The families of one scrape.
#[derive(Debug)]
pub struct ClassicMetrics {
    surge_queue_length: IntGaugeVec,
    surge_queue_peak: IntGaugeVec,
    spillovers: IntCounterVec,
    backend_connection_errors: IntCounterVec,
}

impl ClassicMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let node = Registrar {
            registry,
            labels: &["load_balancer", "target_group", "zone"],
        };
        let whole = Registrar {
            registry,
            labels: &["load_balancer", "target_group"],
        };
        Ok(Self {
            surge_queue_length: node.gauge(
                "elbow_surge_queue_length",
                "Requests and connections that wait at the node of this zone because all targets are \
                 full. Classic: SurgeQueueLength.",
                &[],
            )?,
            surge_queue_peak: node.gauge(
                "elbow_surge_queue_peak",
                "The most that have waited within this minute and the last. \
                 Classic: SurgeQueueLength, its maximum.",
                &[],
            )?,
            spillovers: node.counter(
                "elbow_spillovers_total",
                "Requests and connections that were refused because the surge queue was full. \
                 Classic: SpilloverCount.",
                &[],
            )?,
            backend_connection_errors: whole.counter(
                "elbow_backend_connection_errors_total",
                "Connections to targets that could not be made, retries and probes that failed without \
                 an answer included. Classic: BackendConnectionErrors.",
                &[],
            )?,
        })
    }

    /// How the queue of a node stands: how many wait, the most of late, how many were refused.
    pub fn surge_queue(&self, labels: [&str; 3], length: usize, peak: usize, spillovers: u64) {
        let set = |family: &IntGaugeVec, count: usize| {
            let count = count.cast_signed() as i64;
            family.with_label_values(&labels).set(count);
        };
        set(&self.surge_queue_length, length);
        set(&self.surge_queue_peak, peak);
        self.spillovers
            .with_label_values(&labels)
            .inc_by(spillovers);
    }

    /// The connections that could not be made to the targets of a Classic load balancer.
    pub fn backend_connection_errors(&self, labels: [&str; 2], count: u64) {
        let family = &self.backend_connection_errors;
        family.with_label_values(&labels).inc_by(count);
    }
}
