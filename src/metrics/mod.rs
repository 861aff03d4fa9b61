//! What is measured, and its names on `/metrics`.
//!
//! [`Metrics`] owns every family. A snapshot resolves handles when it is compiled ([`NodeMetrics`]
//! for a node, [`GroupMetrics`] with one [`TargetMetrics`] a zone for a target group), so that a
//! request costs atomic additions and no look-up. A handle's rows leave `/metrics` when its last
//! owner drops it. Figures that mirror state (healthy targets, requests in flight) are not kept
//! here: a scrape fills a fresh [`StateMetrics`] from the snapshot.
//!
//! Labels are names from the configuration and words of enums, never data of a request. ALB's name
//! of a metric ends its help text. `RequestCountPerTarget` has no family of its own: it is
//! `elbow_requests_total` divided by `elbow_healthy_hosts`.

mod daemon;
mod group;
mod node;
mod process;
mod rows;
mod state;
mod target;

use std::sync::Arc;

use prometheus::{IntCounter, IntGauge, Registry, TextEncoder};

pub use daemon::{ReloadMetrics, ServerMetrics};
pub use group::{GroupMetrics, ProbeMetrics, ProbeOutcome};
pub use node::{ActiveConnection, NodeMetrics};
pub use process::ProcessMetrics;
pub use state::{StateMetrics, TargetLabels};
pub use target::{CloseReason, RetryReason, TargetMetrics};

use rows::Shelf;

/// The families could not be registered, or their text could not be written.
#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// Every family that Elbow counts in. Cheap to clone: clones count in the same families.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Reloads of the configuration.
    pub reload: ReloadMetrics,
    /// Connections before and after they belong to a node.
    pub server: ServerMetrics,
    /// Worker threads.
    pub workers: IntGauge,
    registry: Registry,
    families: Arc<Families>,
}

/// The families with labels, and the handles in use.
#[derive(Debug)]
struct Families {
    node: node::Families,
    target: target::Families,
    probe: group::Families,
    nodes: Arc<Shelf<NodeMetrics>>,
    targets: Arc<Shelf<TargetMetrics>>,
    probes: Arc<Shelf<ProbeMetrics>>,
}

impl Metrics {
    /// Registers all families with `registry`. Fails if the registry has one of them already.
    pub fn new(registry: &Registry) -> Result<Self, MetricsError> {
        daemon::build_info(registry)?;
        Ok(Self {
            reload: ReloadMetrics::new(registry)?,
            server: ServerMetrics::new(registry)?,
            workers: daemon::workers(registry)?,
            registry: registry.clone(),
            families: Arc::new(Families {
                node: node::Families::new(registry)?,
                target: target::Families::new(registry)?,
                probe: group::Families::new(registry)?,
                nodes: Arc::default(),
                targets: Arc::default(),
                probes: Arc::default(),
            }),
        })
    }

    /// The handle for what enters a load balancer through one node. The same labels give the same
    /// handle for as long as anyone holds it.
    pub fn node(&self, load_balancer: &str, zone: Option<&str>) -> Arc<NodeMetrics> {
        let labels = [load_balancer, zone.unwrap_or_default()];
        let families = &self.families;
        Shelf::take(&families.nodes, &labels, |rows| {
            NodeMetrics::new(&families.node, rows)
        })
    }

    /// The handles for what one target group does, by the zones of its targets.
    pub fn group(
        &self,
        load_balancer: &str,
        target_group: &str,
        zones: &[Option<&str>],
    ) -> GroupMetrics {
        GroupMetrics::new(
            Arc::clone(&self.families),
            load_balancer,
            target_group,
            zones,
        )
    }

    /// The text of a scrape: the families kept here, then those in `state`.
    pub fn encode(&self, state: &StateMetrics) -> Result<String, MetricsError> {
        let mut families = self.registry.gather();
        families.extend(state.gather());
        Ok(TextEncoder::new().encode_to_string(&families)?)
    }
}

impl Families {
    fn target(&self, load_balancer: &str, group: &str, zone: &str) -> Arc<TargetMetrics> {
        Shelf::take(&self.targets, &[load_balancer, group, zone], |rows| {
            TargetMetrics::new(&self.target, rows)
        })
    }

    fn probes(&self, load_balancer: &str, group: &str) -> Arc<ProbeMetrics> {
        Shelf::take(&self.probes, &[load_balancer, group], |rows| {
            ProbeMetrics::new(&self.probe, rows)
        })
    }
}

/// A counter without labels.
fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
    let counter = IntCounter::new(name, help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

/// A gauge without labels.
fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}
