//! What is measured, and its names on `/metrics`.
//!
//! [`Metrics`] owns every family. A snapshot resolves handles when it is compiled ([`NodeMetrics`]
//! for a node, [`GroupMetrics`] with one [`TargetMetrics`] a zone for a target group), so that a
//! request costs atomic additions and no look-up. A handle's rows leave `/metrics` when its last
//! owner drops it. Figures that mirror state (healthy targets, requests in flight) are not kept
//! here: a scrape fills a fresh [`StateMetrics`] from the snapshot.
//!
//! Labels are names from the configuration and words of enums, never data of a request. ALB's name
//! of a metric ends its help text, and Classic's where it has one.

mod acme;
mod auth;
mod blocked;
mod classic;
mod condition;
mod daemon;
mod group;
mod node;
mod process;
mod relay;
mod rows;
mod state;
mod target;

use std::sync::Arc;

use prometheus::{IntCounter, IntGauge, Registry, TextEncoder};

pub use acme::{AcmeMetrics, CertificateSample};
pub use auth::AuthMetrics;
pub use blocked::BlockedMetrics;
pub use classic::ClassicMetrics;
pub use condition::ConditionMetrics;
pub use daemon::{ReloadMetrics, ServerMetrics, UpgradeMetrics};
pub use group::{GroupMetrics, ProbeMetrics, ProbeOutcome};
pub use node::{ActiveConnection, NodeMetrics};
pub use process::ProcessMetrics;
pub use relay::{RelayMetrics, ResetSide};
pub use state::{ProviderSample, StateMetrics, TargetSample};
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
    /// Processes that take over from one another.
    pub upgrade: UpgradeMetrics,
    /// Worker threads.
    pub workers: IntGauge,
    registry: Registry,
    families: Arc<Families>,
}

/// The families with labels, and the handles in use.
#[derive(Debug)]
struct Families {
    node: node::Families,
    target: Arc<target::Families>,
    probe: group::Families,
    acme: acme::Families,
    acme_rows: Arc<Shelf<AcmeMetrics>>,
    blocked: blocked::Families,
    blocked_rows: Arc<Shelf<BlockedMetrics>>,
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
            upgrade: UpgradeMetrics::new(registry)?,
            workers: daemon::workers(registry)?,
            registry: registry.clone(),
            families: Arc::new(Families {
                node: node::Families::new(registry)?,
                target: Arc::new(target::Families::new(registry)?),
                probe: group::Families::new(registry)?,
                acme: acme::Families::new(registry)?,
                acme_rows: Arc::default(),
                blocked: blocked::Families::new(registry)?,
                blocked_rows: Arc::default(),
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

    /// The handle for whom a listener does not let in through one node.
    pub fn blocked(
        &self,
        load_balancer: &str,
        zone: Option<&str>,
        listener: u16,
    ) -> Arc<BlockedMetrics> {
        let labels = [
            load_balancer,
            zone.unwrap_or_default(),
            &listener.to_string(),
        ];
        let families = &self.families;
        Shelf::take(&families.blocked_rows, &labels, |rows| {
            BlockedMetrics::new(&families.blocked, rows)
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

    /// The handle for the orders of one certificate.
    pub fn acme(&self, certificate: &str) -> Arc<AcmeMetrics> {
        let families = &self.families;
        Shelf::take(&families.acme_rows, &[certificate], |rows| {
            AcmeMetrics::new(&families.acme, rows)
        })
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(&Registry::new()).unwrap()
    }

    fn scrape(metrics: &Metrics) -> String {
        metrics.encode(&StateMetrics::new().unwrap()).unwrap()
    }

    /// A scrape with at least one row of every family.
    fn full_scrape() -> String {
        let metrics = metrics();
        let node = metrics.node("wp-elb", Some("a"));
        let connection = ActiveConnection::new(Arc::clone(&node));
        node.response(302).inc();
        node.error("no_healthy_target");
        node.non_compliant("Acceptable", "SpaceInUri");
        node.http2_flood("Ping");
        node.tls_negotiation_error("timeout");
        node.tls_handshake("TLSv1.3", true);
        let group = metrics.group("wp-elb", "wordpress", &[Some("a"), Some("b")]);
        group.zone(Some("a")).response(200).inc();
        group.zone(Some("a")).response_time.observe(0.012);
        let took = Duration::from_millis(3);
        group.probes().observe(ProbeOutcome::Pass, took);
        metrics.reload.success(1, SystemTime::now());
        metrics.workers.set(2);
        let state = StateMetrics::new().unwrap();
        state.hosts(["wp-elb", "wordpress", "a"], 1, 0);
        let sample = TargetSample {
            load_balancer: "wp-elb",
            target_group: "wordpress",
            target: "wp-a:80",
            zone: "a",
            state: "healthy",
            in_flight: 3,
            requests: 40,
            weight: 1,
        };
        state.target(sample, &["healthy", "unhealthy"]);
        state.certificate(["wp-elb", "443", "shop"], Some(7), true);
        state.ordered(CertificateSample {
            certificate: "www.example.com",
            not_after: Some(SystemTime::now()),
            next_order: Some(SystemTime::now()),
            failures: 1,
            last_result: Some("challenge"),
        });
        metrics.acme("www.example.com").order("challenge");
        state.access_log(10, 1);
        state.provider(ProviderSample {
            provider: "docker",
            up: true,
            targets: 2,
            remarks: 0,
            last_success: Some(7),
            failures: 1,
        });
        let condition = &state.condition;
        condition.standing(["wp-elb", "wordpress", "a"], true, true);
        condition.hosts(["wp-elb", "wordpress", "a"], 0, 1, 1);
        condition.target(["wp-elb", "wordpress", "wp-a:80", "a"], 50, 4.2);
        let classic = &state.classic;
        classic.surge_queue(["wp-elb", "wordpress", "a"], 1, 2, 3);
        classic.backend_connection_errors(["wp-elb", "wordpress"], 1);
        let text = metrics.encode(&state).unwrap();
        drop((connection, group));
        text
    }

    #[test]
    fn names_units_and_helps_are_those_that_promtool_accepts() {
        let text = full_scrape();
        let mut families = 0;
        for line in text.lines() {
            let mut words = line.splitn(4, ' ');
            let (Some("#"), Some(kind), Some(name), Some(rest)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            assert!(
                name.starts_with("elbow_") || name.starts_with("process_"),
                "{name}"
            );
            match kind {
                "HELP" => assert!(rest.ends_with('.'), "{line}"),
                _ => {
                    families += 1;
                    assert_eq!(rest == "counter", name.ends_with("_total"), "{line}");
                }
            }
        }
        assert!(families > 40, "{families} families:\n{text}");
    }

    #[test]
    fn every_applicable_cloudwatch_metric_is_named_in_a_help_text() {
        let text = full_scrape();
        for name in [
            "ActiveConnectionCount",
            "NewConnectionCount",
            "RejectedConnectionCount",
            "ClientTLSNegotiationErrorCount",
            "TargetTLSNegotiationErrorCount",
            "ProcessedBytes",
            "IPv6ProcessedBytes",
            "IPv6RequestCount",
            "DesyncMitigationMode_NonCompliant_Request_Count",
            "HTTP_Fixed_Response_Count",
            "HTTP_Redirect_Count",
            "HTTP_Redirect_Url_Limit_Exceeded_Count",
            "HTTPCode_ELB_3XX_Count",
            "HTTPCode_ELB_4XX_Count",
            "HTTPCode_ELB_5XX_Count",
            "HTTPCode_ELB_500_Count",
            "HTTPCode_ELB_502_Count",
            "HTTPCode_ELB_503_Count",
            "HTTPCode_ELB_504_Count",
            "DroppedInvalidHeaderRequestCount",
            "ForwardedInvalidHeaderRequestCount",
            "RequestCount",
            "RuleEvaluations",
            "HealthyHostCount",
            "UnHealthyHostCount",
            "HTTPCode_Target_2XX_Count",
            "HTTPCode_Target_3XX_Count",
            "HTTPCode_Target_4XX_Count",
            "HTTPCode_Target_5XX_Count",
            "TargetConnectionErrorCount",
            "TargetResponseTime",
            "UnhealthyRoutingRequestCount",
            "RequestCountPerTarget",
            "AnomalousHostCount",
            "NonStickyRequestCount",
            "AppCookieNonStickinessCount",
            "MitigatedHostCount",
            "ActiveZonalShiftHostCount",
            "HealthyStateDNS",
            "UnhealthyStateDNS",
            "HealthyStateRouting",
            "UnhealthyStateRouting",
        ] {
            let found = text.lines().any(|line| {
                let names = line.split_once("ALB: ").map_or("", |(_, names)| names);
                names.split([',', ' ', '.']).any(|word| word == name)
            });
            assert!(found, "{name} is in no help text");
        }
    }

    #[test]
    fn every_metric_of_a_classic_load_balancer_is_named_in_a_help_text() {
        let text = full_scrape();
        for name in [
            "BackendConnectionErrors",
            "DesyncMitigationMode_NonCompliant_Request_Count",
            "HealthyHostCount",
            "UnHealthyHostCount",
            "HTTPCode_Backend_2XX",
            "HTTPCode_Backend_3XX",
            "HTTPCode_Backend_4XX",
            "HTTPCode_Backend_5XX",
            "HTTPCode_ELB_4XX",
            "HTTPCode_ELB_5XX",
            "Latency",
            "RequestCount",
            "SpilloverCount",
            "SurgeQueueLength",
        ] {
            let found = text.lines().any(|line| {
                let names = line.split_once("Classic: ").map_or("", |(_, names)| names);
                names.split([',', ' ', '.']).any(|word| word == name)
            });
            assert!(found, "{name} is in no help text");
        }
    }

    #[test]
    fn the_rows_of_a_group_leave_with_the_last_who_counts_in_them() {
        let metrics = metrics();
        let group = metrics.group("lb", "blue", &[Some("a")]);
        let request_in_flight = Arc::clone(group.zone(Some("a")));
        request_in_flight.requests.inc();
        drop(group);
        let row = r#"elbow_requests_total{load_balancer="lb",target_group="blue",zone="a"} 1"#;
        assert!(scrape(&metrics).contains(row));
        drop(request_in_flight);
        assert!(!scrape(&metrics).contains("blue"));
    }

    #[test]
    fn a_group_that_stays_over_a_reload_goes_on_counting() {
        let metrics = metrics();
        let before = metrics.group("lb", "blue", &[None]);
        before.zone(None).requests.inc();
        let after = metrics.group("lb", "blue", &[None]);
        drop(before);
        after.zone(None).requests.inc();
        assert_eq!(after.zone(None).requests.get(), 2);
        assert!(scrape(&metrics).contains(r#"target_group="blue",zone=""} 2"#));
    }

    #[test]
    fn a_zone_that_was_not_named_counts_as_none() {
        let metrics = metrics();
        let group = metrics.group("lb", "blue", &[Some("a")]);
        assert!(!scrape(&metrics).contains(r#"zone="""#));
        group.zone(Some("z")).requests.inc();
        assert!(Arc::ptr_eq(group.zone(None), group.zone(Some("y"))));
        assert_eq!(group.zone(None).requests.get(), 1);
    }

    #[test]
    fn a_connection_counts_as_active_until_it_is_dropped() {
        let metrics = metrics();
        let node = metrics.node("lb", None);
        let mut connection = ActiveConnection::new(Arc::clone(&node));
        connection.upgrade();
        connection.upgrade();
        assert_eq!(node.active_connections.get(), 1);
        assert_eq!(node.upgraded_connections.get(), 1);
        drop(connection);
        assert_eq!(node.active_connections.get(), 0);
        assert_eq!(node.upgraded_connections.get(), 0);
        assert_eq!(node.new_connections.get(), 1);
    }

    #[test]
    fn responses_count_by_their_status_and_errors_by_their_reason() {
        let metrics = metrics();
        let node = metrics.node("lb", None);
        node.response(503).inc();
        node.response(999).inc();
        node.error("target_timeout");
        node.error("target_timeout");
        let text = scrape(&metrics);
        for row in [
            r#"elbow_balancer_responses_total{code="503",load_balancer="lb",zone=""} 1"#,
            r#"elbow_balancer_responses_total{code="500",load_balancer="lb",zone=""} 1"#,
            r#"elbow_balancer_responses_total{code="502",load_balancer="lb",zone=""} 0"#,
            r#"elbow_errors_total{load_balancer="lb",reason="target_timeout",zone=""} 2"#,
        ] {
            assert!(text.contains(row), "no row {row}\n{text}");
        }
        assert!(!text.contains(r#"code="999""#));
    }

    #[test]
    fn a_refused_reload_shows_in_the_count_and_in_the_last_result() {
        let metrics = metrics();
        metrics
            .reload
            .success(3, SystemTime::UNIX_EPOCH + Duration::from_secs(7));
        metrics.reload.refused();
        let text = scrape(&metrics);
        for row in [
            "elbow_reloads_total{result=\"success\"} 1",
            "elbow_reloads_total{result=\"refused\"} 1",
            "elbow_last_reload_success_timestamp_seconds 7",
            "elbow_last_reload_successful 0",
            "elbow_configuration_generation 3",
        ] {
            assert!(text.contains(row), "no row {row}\n{text}");
        }
    }

    #[test]
    fn two_daemons_in_one_process_do_not_share_their_figures() {
        let (one, other) = (metrics(), metrics());
        one.node("lb", None).requests.inc();
        assert_eq!(other.node("lb", None).requests.get(), 0);
        assert!(Metrics::new(&one.registry).is_err());
    }
}
