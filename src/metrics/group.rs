//! The handles of one target group: traffic by zone, and probes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Registry};

use super::MetricsError;
use super::rows::{Registrar, Rows};
use super::target::TargetMetrics;

/// Upper bounds of the probe duration histogram, in seconds. ALB's longest timeout is 120 s.
const PROBE_TIME: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 30.0, 120.0,
];

/// One target group: a [`TargetMetrics`] for each zone of its targets, and its probes.
#[derive(Clone, Debug)]
pub struct GroupMetrics(Arc<Group>);

#[derive(Debug)]
struct Group {
    load_balancer: Box<str>,
    target_group: Box<str>,
    zones: Vec<(Box<str>, Arc<TargetMetrics>)>,
    other: OnceLock<Arc<TargetMetrics>>,
    probes: Arc<ProbeMetrics>,
    families: Arc<super::Families>,
}

impl GroupMetrics {
    pub(super) fn new(
        families: Arc<super::Families>,
        load_balancer: &str,
        target_group: &str,
        zones: &[Option<&str>],
    ) -> Self {
        let mut names: Vec<&str> = zones.iter().map(|zone| zone.unwrap_or_default()).collect();
        names.sort_unstable();
        names.dedup();
        let zones = names.into_iter().map(|zone| {
            let metrics = families.target(load_balancer, target_group, zone);
            (zone.into(), metrics)
        });
        Self(Arc::new(Group {
            load_balancer: load_balancer.into(),
            target_group: target_group.into(),
            zones: zones.collect(),
            other: OnceLock::new(),
            probes: families.probes(load_balancer, target_group),
            families,
        }))
    }

    /// The handle for targets in `zone`. A zone that was not named when the handles were resolved
    /// counts as none.
    pub fn zone(&self, zone: Option<&str>) -> &Arc<TargetMetrics> {
        let group = &*self.0;
        let zone = zone.unwrap_or_default();
        match group.zones.iter().find(|(name, _)| **name == *zone) {
            Some((_, metrics)) => metrics,
            None => group.other.get_or_init(|| {
                group
                    .families
                    .target(&group.load_balancer, &group.target_group, "")
            }),
        }
    }

    /// The handle for the group's probes.
    pub fn probes(&self) -> &Arc<ProbeMetrics> {
        &self.0.probes
    }
}

/// What a probe found, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ProbeOutcome {
    /// The answer matched.
    Pass,
    /// `Target.ResponseCodeMismatch`
    ResponseCodeMismatch,
    /// `Target.Timeout`
    Timeout,
    /// `Target.FailedHealthChecks`
    Failed,
    /// `Elb.InternalError`
    InternalError,
    /// 503 with Retry-After, in a group that tells it apart.
    Maintenance,
}

impl ProbeOutcome {
    /// Every outcome, in the order of declaration.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::ResponseCodeMismatch,
        Self::Timeout,
        Self::Failed,
        Self::InternalError,
        Self::Maintenance,
    ];

    /// The word in the label `outcome`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::ResponseCodeMismatch => "response_code_mismatch",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::InternalError => "internal_error",
            Self::Maintenance => "maintenance",
        }
    }
}

/// The probes of one target group: labels `load_balancer` and `target_group`.
#[derive(Debug)]
pub struct ProbeMetrics {
    /// Times that a target turned healthy.
    pub turned_healthy: IntCounter,
    /// Times that a target turned unhealthy.
    pub turned_unhealthy: IntCounter,
    outcomes: [IntCounter; ProbeOutcome::ALL.len()],
    duration: Histogram,
    _rows: Rows<ProbeMetrics>,
}

impl ProbeMetrics {
    pub(super) fn new(families: &Families, rows: Rows<Self>) -> Self {
        Self {
            turned_healthy: rows.row(&families.transitions, &["healthy"]),
            turned_unhealthy: rows.row(&families.transitions, &["unhealthy"]),
            outcomes: ProbeOutcome::ALL
                .map(|outcome| rows.row(&families.probes, &[outcome.as_str()])),
            duration: rows.row(&families.duration, &[]),
            _rows: rows,
        }
    }

    /// How many probes found no answer that could be read: no connection, above all.
    pub fn failed(&self) -> u64 {
        self.outcomes[ProbeOutcome::Failed as usize].get()
    }

    /// Counts one probe that took this long.
    pub fn observe(&self, outcome: ProbeOutcome, took: Duration) {
        self.outcomes[outcome as usize].inc();
        self.duration.observe(took.as_secs_f64());
    }
}

#[derive(Clone, Debug)]
pub(super) struct Families {
    probes: IntCounterVec,
    transitions: IntCounterVec,
    duration: HistogramVec,
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let r = Registrar {
            registry,
            labels: &["load_balancer", "target_group"],
        };
        Ok(Self {
            probes: r.counter(
                "elbow_probes_total",
                "Health probes of targets, by what they found.",
                &["outcome"],
            )?,
            transitions: r.counter(
                "elbow_target_health_transitions_total",
                "Times that probes turned a target healthy or unhealthy.",
                &["to"],
            )?,
            duration: r.histogram(
                "elbow_probe_duration_seconds",
                "From sending a health probe to its verdict.",
                &PROBE_TIME,
            )?,
        })
    }
}
