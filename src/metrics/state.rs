//! Figures that mirror state: made for one scrape, filled from the snapshot, thrown away.
//!
//! So a target or group that has left the configuration leaves no row behind.

use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Registry};

use super::acme::{self, CertificateSample};
use super::rows::Registrar;
use super::{ClassicMetrics, ConditionMetrics, MetricsError, ProcessMetrics, counter};

/// The families of one scrape.
#[derive(Debug)]
pub struct StateMetrics {
    /// What Classic has metrics for, and ALB has not.
    pub classic: ClassicMetrics,
    /// How target groups stand.
    pub condition: ConditionMetrics,
    registry: Registry,
    healthy_hosts: IntGaugeVec,
    unhealthy_hosts: IntGaugeVec,
    health: IntGaugeVec,
    in_flight: IntGaugeVec,
    requests: IntCounterVec,
    weight: IntGaugeVec,
    active_priority: IntGaugeVec,
    failovers: IntCounterVec,
    provider_up: IntGaugeVec,
    provider_targets: IntGaugeVec,
    provider_remarks: IntGaugeVec,
    provider_last_success: IntGaugeVec,
    provider_failures: IntCounterVec,
    certificate_expiry: IntGaugeVec,
    certificate_failed: IntGaugeVec,
    ordered: acme::StateFamilies,
    written: IntCounter,
    dropped: IntCounter,
    connections_written: IntCounter,
    connections_dropped: IntCounter,
}

/// One provider at the moment of the scrape.
#[derive(Clone, Copy, Debug)]
pub struct ProviderSample<'a> {
    /// Its name.
    pub provider: &'a str,
    /// Whether its last question was answered.
    pub up: bool,
    /// How many targets it has found.
    pub targets: usize,
    /// How much it has found that cannot be used as it is.
    pub remarks: usize,
    /// When it last had an answer, in seconds since 1970.
    pub last_success: Option<u64>,
    /// How often it has had none.
    pub failures: u64,
}

/// One target at the moment of the scrape.
#[derive(Clone, Copy, Debug)]
pub struct TargetSample<'a> {
    /// The load balancer, empty when none uses the group.
    pub load_balancer: &'a str,
    /// The target group.
    pub target_group: &'a str,
    /// The target, as `id:port`.
    pub target: &'a str,
    /// Its zone, empty when it is in none.
    pub zone: &'a str,
    /// The state that it is in.
    pub state: &'a str,
    /// Requests that it is working on.
    pub in_flight: u32,
    /// Requests for which it was chosen.
    pub requests: u64,
    /// Its share relative to the others of its group.
    pub weight: u32,
}

impl StateMetrics {
    /// Empty families, and what the operating system says of this process.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        ProcessMetrics::read().register(&registry)?;
        let group = Registrar {
            registry: &registry,
            labels: &["load_balancer", "target_group", "zone"],
        };
        let whole = Registrar {
            registry: &registry,
            labels: &["load_balancer", "target_group"],
        };
        let target = Registrar {
            registry: &registry,
            labels: &["load_balancer", "target_group", "target", "zone"],
        };
        let provider = Registrar {
            registry: &registry,
            labels: &["provider"],
        };
        let certificate = Registrar {
            registry: &registry,
            labels: &["load_balancer", "listener", "certificate"],
        };
        Ok(Self {
            certificate_expiry: certificate.gauge(
                "elbow_certificate_expiry_timestamp_seconds",
                "Until when the certificate of a listener is valid, in seconds since 1970.",
                &[],
            )?,
            certificate_failed: certificate.gauge(
                "elbow_certificate_replacement_failed",
                "1 if the certificate that should have replaced the one in use cannot be used.",
                &[],
            )?,
            ordered: acme::StateFamilies::new(&registry)?,
            provider_up: provider.gauge(
                "elbow_provider_up",
                "1 if a provider of targets has an answer, 0 if it goes by its last one.",
                &[],
            )?,
            provider_targets: provider.gauge(
                "elbow_provider_targets",
                "Targets that a provider has found.",
                &[],
            )?,
            provider_remarks: provider.gauge(
                "elbow_provider_remarks",
                "What a provider has found that cannot be used as it is; see /providers.",
                &[],
            )?,
            provider_last_success: provider.gauge(
                "elbow_provider_last_success_timestamp_seconds",
                "When a provider last had an answer, in seconds since 1970.",
                &[],
            )?,
            provider_failures: provider.counter(
                "elbow_provider_failures_total",
                "How often a provider had no answer.",
                &[],
            )?,
            classic: ClassicMetrics::new(&registry)?,
            condition: ConditionMetrics::new(&registry)?,
            healthy_hosts: group.gauge(
                "elbow_healthy_hosts",
                "Targets that are healthy. ALB: HealthyHostCount. Classic: HealthyHostCount.",
                &[],
            )?,
            unhealthy_hosts: group.gauge(
                "elbow_unhealthy_hosts",
                "Targets that are unhealthy. ALB: UnHealthyHostCount. \
                 Classic: UnHealthyHostCount.",
                &[],
            )?,
            health: target.gauge(
                "elbow_target_health",
                "1 for the state that a target is in, 0 for all others.",
                &["state"],
            )?,
            in_flight: target.gauge(
                "elbow_target_requests_in_flight",
                "Requests that a target is working on.",
                &[],
            )?,
            requests: target.counter(
                "elbow_target_requests_total",
                "Requests for which a target was chosen, by target. ALB: RequestCountPerTarget is \
                 their mean over the healthy targets.",
                &[],
            )?,
            weight: target.gauge(
                "elbow_target_weight",
                "A target's share relative to the others of its group.",
                &[],
            )?,
            active_priority: whole.gauge(
                "elbow_active_priority",
                "The priority of the targets that take all traffic of an active/standby group; 0 before \
                 one was healthy.",
                &[],
            )?,
            failovers: whole.counter(
                "elbow_failovers_total",
                "Times that other targets became active in an active/standby group, by kind: because \
                 those before failed, because better ones came back, or by hand.",
                &["kind"],
            )?,
            written: counter(
                &registry,
                "elbow_access_log_lines_written_total",
                "Lines written to the access log.",
            )?,
            dropped: counter(
                &registry,
                "elbow_access_log_lines_dropped_total",
                "Lines of the access log that were dropped because it could not be written.",
            )?,
            connections_written: counter(
                &registry,
                "elbow_connection_log_lines_written_total",
                "Lines written to the connection log.",
            )?,
            connections_dropped: counter(
                &registry,
                "elbow_connection_log_lines_dropped_total",
                "Lines of the connection log that were dropped because it could not be written.",
            )?,
            registry,
        })
    }

    /// How many targets of a group are healthy and unhealthy in one zone.
    pub fn hosts(&self, labels: [&str; 3], healthy: usize, unhealthy: usize) {
        let gauge = self.healthy_hosts.with_label_values(&labels);
        gauge.set(healthy.cast_signed() as i64);
        let gauge = self.unhealthy_hosts.with_label_values(&labels);
        gauge.set(unhealthy.cast_signed() as i64);
    }

    /// Who is active in an active/standby group, and how often that has changed, by kind.
    pub fn failovers<'k>(
        &self,
        labels: [&str; 2],
        active: Option<u32>,
        counts: impl Iterator<Item = (&'k str, u64)>,
    ) {
        let gauge = self.active_priority.with_label_values(&labels);
        gauge.set(active.unwrap_or_default().into());
        for (kind, count) in counts {
            let labels = [labels[0], labels[1], kind];
            self.failovers.with_label_values(&labels).inc_by(count);
        }
    }

    /// One target; `states` are all that there are.
    pub fn target(&self, sample: TargetSample<'_>, states: &[&str]) {
        let labels = [
            sample.load_balancer,
            sample.target_group,
            sample.target,
            sample.zone,
        ];
        let [load_balancer, target_group, target, zone] = labels;
        for state in states {
            let labels = [load_balancer, target_group, target, zone, state];
            let gauge = self.health.with_label_values(&labels);
            gauge.set(i64::from(*state == sample.state));
        }
        let gauge = self.in_flight.with_label_values(&labels);
        gauge.set(i64::from(sample.in_flight));
        let counter = self.requests.with_label_values(&labels);
        counter.inc_by(sample.requests);
        let gauge = self.weight.with_label_values(&labels);
        gauge.set(i64::from(sample.weight));
    }

    /// One provider.
    pub fn provider(&self, sample: ProviderSample<'_>) {
        let labels = [sample.provider];
        let set = |family: &IntGaugeVec, value: i64| family.with_label_values(&labels).set(value);
        set(&self.provider_up, i64::from(sample.up));
        set(&self.provider_targets, sample.targets.cast_signed() as i64);
        set(&self.provider_remarks, sample.remarks.cast_signed() as i64);
        if let Some(seconds) = sample.last_success {
            set(&self.provider_last_success, seconds.cast_signed());
        }
        let counter = self.provider_failures.with_label_values(&labels);
        counter.inc_by(sample.failures);
    }

    /// One certificate of a listener; `labels` are the load balancer, the listener's port and the
    /// certificate's name. `expiry` is in seconds since 1970, none while there is no certificate.
    pub fn certificate(&self, labels: [&str; 3], expiry: Option<u64>, failed: bool) {
        if let Some(expiry) = expiry {
            let gauge = self.certificate_expiry.with_label_values(&labels);
            gauge.set(expiry.cast_signed());
        }
        let gauge = self.certificate_failed.with_label_values(&labels);
        gauge.set(i64::from(failed));
    }

    /// One certificate that is ordered.
    pub fn ordered(&self, sample: CertificateSample<'_>) {
        self.ordered.set(sample);
    }

    /// Lines of the access log since start-up.
    pub fn access_log(&self, written: u64, dropped: u64) {
        self.written.inc_by(written);
        self.dropped.inc_by(dropped);
    }

    /// The same of the connection log.
    pub fn connection_log(&self, written: u64, dropped: u64) {
        self.connections_written.inc_by(written);
        self.connections_dropped.inc_by(dropped);
    }

    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}
