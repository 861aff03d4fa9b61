//! Connections that are forwarded whole to the targets of one group in one zone.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Registry};

use super::MetricsError;
use super::rows::{Registrar, Rows};
use super::target::TargetMetrics;

/// Upper bounds of the duration histogram, in seconds: from a health check to a day's session.
const DURATION: [f64; 14] = [
    0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 14_400.0, 86_400.0,
];

/// Who ended a connection with a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ResetSide {
    /// The client.
    Client,
    /// The target.
    Target,
    /// The load balancer: at a limit, or because of what became of the target.
    Balancer,
}

impl ResetSide {
    /// Every side, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Client, Self::Target, Self::Balancer];

    /// The word in the label `side`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Target => "target",
            Self::Balancer => "balancer",
        }
    }
}

/// Labels `load_balancer`, `target_group` and `zone`, as [`TargetMetrics`] has them.
#[derive(Debug)]
pub struct RelayMetrics {
    /// Bytes that came from clients.
    pub received_bytes: IntCounter,
    /// Bytes that were sent to clients.
    pub sent_bytes: IntCounter,
    /// Seconds from the connection accepted to its end.
    pub duration: Histogram,
    resets: [IntCounter; ResetSide::ALL.len()],
}

impl RelayMetrics {
    pub(super) fn new(families: &Families, rows: &Rows<TargetMetrics>) -> Self {
        Self {
            received_bytes: rows.row(&families.bytes, &["received"]),
            sent_bytes: rows.row(&families.bytes, &["sent"]),
            duration: rows.row(&families.duration, &[]),
            resets: ResetSide::ALL.map(|side| rows.row(&families.resets, &[side.as_str()])),
        }
    }

    /// The counter of connections that this side ended with a reset.
    pub fn reset(&self, side: ResetSide) -> &IntCounter {
        &self.resets[side as usize]
    }
}

#[derive(Debug)]
pub(super) struct Families {
    bytes: IntCounterVec,
    duration: HistogramVec,
    resets: IntCounterVec,
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let r = Registrar {
            registry,
            labels: &["load_balancer", "target_group", "zone"],
        };
        Ok(Self {
            bytes: r.counter(
                "elbow_relayed_bytes_total",
                "Bytes of forwarded connections, received from and sent to clients. \
                 NLB: ProcessedBytes_TCP.",
                &["direction"],
            )?,
            duration: r.histogram(
                "elbow_relayed_connection_duration_seconds",
                "From a connection accepted to its end. Its count is NLB's NewFlowCount, of \
                 connections that have ended.",
                &DURATION,
            )?,
            resets: r.counter(
                "elbow_relayed_connection_resets_total",
                "Forwarded connections that ended with a reset, by who sent it. \
                 NLB: TCP_Client_Reset_Count, TCP_Target_Reset_Count, TCP_ELB_Reset_Count.",
                &["side"],
            )?,
        })
    }
}
