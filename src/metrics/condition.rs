//! How target groups stand, at the moment of a scrape: failover, zonal shift, anomalies.

use prometheus::{GaugeVec, IntGaugeVec, Registry};

use super::MetricsError;
use super::rows::Registrar;

/// The families of one scrape.
#[derive(Debug)]
pub struct ConditionMetrics {
    healthy_dns: IntGaugeVec,
    unhealthy_dns: IntGaugeVec,
    healthy_routing: IntGaugeVec,
    unhealthy_routing: IntGaugeVec,
    shifted_hosts: IntGaugeVec,
    anomalous_hosts: IntGaugeVec,
    mitigated_hosts: IntGaugeVec,
    share: IntGaugeVec,
    score: GaugeVec,
}

impl ConditionMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let group = Registrar {
            registry,
            labels: &["load_balancer", "target_group", "zone"],
        };
        let target = Registrar {
            registry,
            labels: &["load_balancer", "target_group", "target", "zone"],
        };
        let state = |name, help| group.gauge(name, help, &[]);
        Ok(Self {
            healthy_dns: state(
                "elbow_healthy_state_dns",
                "1 if the node of this zone has enough healthy targets to get clients. \
                 ALB: HealthyStateDNS.",
            )?,
            unhealthy_dns: state(
                "elbow_unhealthy_state_dns",
                "1 if the node of this zone has too few healthy targets to get clients. \
                 ALB: UnhealthyStateDNS.",
            )?,
            healthy_routing: state(
                "elbow_healthy_state_routing",
                "1 if the node of this zone has enough healthy targets to leave unhealthy ones \
                 alone. ALB: HealthyStateRouting.",
            )?,
            unhealthy_routing: state(
                "elbow_unhealthy_state_routing",
                "1 if the node of this zone has so few healthy targets that it sends to all. \
                 ALB: UnhealthyStateRouting.",
            )?,
            shifted_hosts: state(
                "elbow_zonal_shift_hosts",
                "Targets that a zonal shift keeps traffic away from. \
                 ALB: ActiveZonalShiftHostCount.",
            )?,
            anomalous_hosts: state(
                "elbow_anomalous_hosts",
                "Targets that fail more often than the others of their group. \
                 ALB: AnomalousHostCount.",
            )?,
            mitigated_hosts: state(
                "elbow_mitigated_hosts",
                "Targets that get less because they are, or were, anomalous. \
                 ALB: MitigatedHostCount.",
            )?,
            share: target.gauge(
                "elbow_target_share_percent",
                "What a target takes of its weight: less than 100 in slow start, and while an \
                 anomaly is mitigated.",
                &[],
            )?,
            score: target.float_gauge(
                "elbow_target_anomaly_score",
                "How far a target's failures exceed those of the others, in standard deviations.",
                &[],
            )?,
        })
    }

    /// Whether the node of the zone in the labels has enough healthy targets of a group.
    pub fn standing(&self, labels: [&str; 3], dns: bool, routing: bool) {
        for (family, is_so) in [
            (&self.healthy_dns, dns),
            (&self.unhealthy_dns, !dns),
            (&self.healthy_routing, routing),
            (&self.unhealthy_routing, !routing),
        ] {
            family.with_label_values(&labels).set(i64::from(is_so));
        }
    }

    /// How many targets of a group in the zone in the labels are shifted away from, anomalous,
    /// mitigated.
    pub fn hosts(&self, labels: [&str; 3], shifted: usize, anomalous: usize, mitigated: usize) {
        for (family, count) in [
            (&self.shifted_hosts, shifted),
            (&self.anomalous_hosts, anomalous),
            (&self.mitigated_hosts, mitigated),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            family.with_label_values(&labels).set(count);
        }
    }

    /// What the target in the labels takes of its weight, and its anomaly score.
    pub fn target(&self, labels: [&str; 4], percent: u32, score: f64) {
        let share = self.share.with_label_values(&labels);
        share.set(i64::from(percent));
        self.score.with_label_values(&labels).set(score);
    }
}
