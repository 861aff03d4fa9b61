//! `elbow status`: what a running daemon balances, as one page of text.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Failure;
use super::certificates::Certificates;
use super::classic::{InstanceHealth, Waiting};
use super::remote::{self, RemoteError};
use super::say::say;
use super::table::Table;

/// `/status`, as far as it is printed.
#[derive(Debug, Deserialize)]
struct Daemon {
    version: String,
    uptime_seconds: u64,
    ready: bool,
    workers: i64,
    generation: u64,
    #[serde(default)]
    process: Option<Process>,
    last_refusal: Option<Refusal>,
    #[serde(default)]
    providers: Vec<Provider>,
}

#[derive(Debug, Deserialize)]
struct Process {
    pid: u32,
    took_over: Option<TookOver>,
    last_failed_upgrade: Option<FailedUpgrade>,
}

#[derive(Debug, Deserialize)]
struct TookOver {
    from_pid: u32,
    from_version: String,
    time: String,
    draining: bool,
}

#[derive(Debug, Deserialize)]
struct FailedUpgrade {
    time: String,
    error: String,
}

#[derive(Debug, Deserialize)]
struct Provider {
    name: String,
    state: String,
    targets: usize,
    remarks: usize,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    time: String,
    cause: String,
    error: String,
}

/// `/load-balancers`
#[derive(Debug, Deserialize)]
struct LoadBalancers {
    load_balancers: Vec<LoadBalancer>,
}

#[derive(Debug, Deserialize)]
struct LoadBalancer {
    name: String,
    addresses: Vec<String>,
    open_connections: usize,
    #[serde(default)]
    nodes: Vec<Node>,
    #[serde(default)]
    zonal_shift: Option<ZonalShift>,
    #[serde(default)]
    security_groups: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Node {
    zone: Option<String>,
    address: String,
    in_use: bool,
    state: String,
    #[serde(default)]
    unhealthy_target_groups: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ZonalShift {
    away_from: String,
    expires_in_seconds: u64,
    #[serde(default)]
    comment: String,
}

/// `/target-health`
#[derive(Debug, Deserialize)]
struct Groups {
    target_groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    target_group: String,
    load_balancer: Option<String>,
    #[serde(default)]
    surge_queue: Vec<Waiting>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    target: Identity,
    target_health: Health,
    /// In Classic's words, for its instances.
    #[serde(default)]
    instance_health: Option<InstanceHealth>,
    #[serde(default)]
    slow_start: Option<SlowStart>,
    #[serde(default)]
    anomaly_detection: Option<Anomaly>,
    #[serde(default)]
    administrative_override: Option<Override>,
    weight: u32,
    standby: Option<Standby>,
    in_flight: u32,
    probes: Vec<Probe>,
}

#[derive(Debug, Deserialize)]
struct Standby {
    active: bool,
}

#[derive(Debug, Deserialize)]
struct Identity {
    id: String,
    address: String,
    availability_zone: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Health {
    state: String,
    reason: Option<String>,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
struct SlowStart {
    percent: u32,
}

#[derive(Debug, Deserialize)]
struct Anomaly {
    result: String,
    percent: u32,
}

#[derive(Debug, Deserialize)]
struct Override {
    state: String,
}

#[derive(Debug, Deserialize)]
struct Probe {
    time: String,
    outcome: String,
    status: Option<u16>,
    latency_ms: f64,
    #[serde(default)]
    detail: String,
}

/// Prints what the daemon balances.
pub(super) fn status(admin: SocketAddr) -> Result<(), Failure> {
    let daemon: Daemon = fetch(admin, "/status")?;
    let balancers: LoadBalancers = fetch(admin, "/load-balancers")?;
    let groups: Groups = fetch(admin, "/target-health")?;
    let certificates: Certificates = fetch(admin, "/acme")?;
    let page = page(&daemon, &balancers, &groups);
    Ok(say(format_args!("{page}{}", certificates.section()))?)
}

fn fetch<T: DeserializeOwned>(admin: SocketAddr, path: &str) -> Result<T, RemoteError> {
    remote::parse(admin, &remote::ask(admin, Method::GET, path)?)
}

fn page(daemon: &Daemon, balancers: &LoadBalancers, groups: &Groups) -> String {
    let mut page = heading(daemon);
    let mut table = Table::new(["LOAD BALANCER", "LISTENS ON", "CONNECTIONS"]);
    for balancer in &balancers.load_balancers {
        let mut first = true;
        for address in &balancer.addresses {
            let (name, open) = match std::mem::take(&mut first) {
                true => (balancer.name.clone(), balancer.open_connections.to_string()),
                false => Default::default(),
            };
            table.row([name, address.clone(), open]);
        }
        if first {
            let open = balancer.open_connections.to_string();
            table.row([balancer.name.clone(), "nothing".to_owned(), open]);
        }
    }
    let _ = write!(page, "\n{table}");
    if !daemon.providers.is_empty() {
        let _ = write!(page, "\n{}", providers(&daemon.providers));
    }
    for balancer in &balancers.load_balancers {
        page.push_str(&remarks(balancer));
    }
    for group in &groups.target_groups {
        let _ = write!(page, "\n{}", group_section(group));
    }
    page
}

// Writing to a string cannot fail, here and below.
fn heading(daemon: &Daemon) -> String {
    let uptime = Duration::from_secs(daemon.uptime_seconds);
    let mut text = format!(
        "Elbow {}, {}, up {}, {} workers, configuration {}\n",
        daemon.version,
        if daemon.ready { "ready" } else { "NOT READY" },
        humantime::format_duration(uptime),
        daemon.workers,
        daemon.generation,
    );
    if let Some(process) = &daemon.process {
        text.push_str(&succession(process));
    }
    if let Some(refusal) = &daemon.last_refusal {
        let _ = write!(
            text,
            "\nA newer configuration was refused at {} ({}):\n{}\n",
            refusal.time, refusal.cause, refusal.error
        );
    }
    text
}

/// Whom the daemon took over from, and who could not take over from it.
fn succession(process: &Process) -> String {
    let mut text = String::new();
    if let Some(before) = &process.took_over {
        let _ = writeln!(
            text,
            "Process {} took over from process {} (Elbow {}) at {}{}",
            process.pid,
            before.from_pid,
            before.from_version,
            before.time,
            match before.draining {
                true => ", which still has connections",
                false => "",
            },
        );
    }
    if let Some(failed) = &process.last_failed_upgrade {
        let _ = writeln!(
            text,
            "\nAn upgrade failed at {}: {}",
            failed.time, failed.error
        );
    }
    text
}

fn providers(providers: &[Provider]) -> Table<4> {
    let mut table = Table::new(["TARGETS FROM", "STATE", "FOUND", "REASON"]);
    for provider in providers {
        let remarks = match provider.remarks {
            0 => String::new(),
            1 => "1 remark: see /providers".to_owned(),
            remarks => format!("{remarks} remarks: see /providers"),
        };
        table.row([
            provider.name.clone(),
            provider.state.clone(),
            provider.targets.to_string(),
            provider.error.clone().unwrap_or(remarks),
        ]);
    }
    table
}

/// What keeps clients from a load balancer or its nodes.
fn remarks(balancer: &LoadBalancer) -> String {
    let mut text = String::new();
    let name = &balancer.name;
    if !balancer.security_groups.is_empty() {
        let groups = balancer.security_groups.join(", ");
        let _ = writeln!(
            text,
            "{name}: open to whom its security groups let in: {groups}"
        );
    }
    if let Some(shift) = &balancer.zonal_shift {
        let left = humantime::format_duration(Duration::from_secs(shift.expires_in_seconds));
        let zone = &shift.away_from;
        let _ = write!(text, "{name}: traffic is kept away from {zone} for {left}");
        if !shift.comment.is_empty() {
            let _ = write!(text, " ({})", shift.comment);
        }
        text.push('\n');
    }
    for node in &balancer.nodes {
        if node.state == "unhealthy" {
            let place = node.zone.as_ref().unwrap_or(&node.address);
            let groups = node.unhealthy_target_groups.join(", ");
            let used = if node.in_use {
                "; it stays in use, for no node is healthy"
            } else {
                ""
            };
            let few = "too few healthy targets in";
            let _ = writeln!(
                text,
                "{name}: node {place} is unhealthy: {few} {groups}{used}"
            );
        }
    }
    text
}

fn group_section(group: &Group) -> String {
    let healthy = group
        .targets
        .iter()
        .filter(|target| target.target_health.state == "healthy")
        .count();
    let mut text = format!(
        "Target group {}{}: {healthy} of {} healthy\n",
        group.target_group,
        match &group.load_balancer {
            Some(name) => format!(" of {name}"),
            None => ", in no rule".to_owned(),
        },
        group.targets.len(),
    );
    for queue in &group.surge_queue {
        let _ = writeln!(text, "{queue}");
    }
    let mut table = Table::new([
        "TARGET",
        "ADDRESS",
        "ZONE",
        "WEIGHT",
        "STATE",
        "IN FLIGHT",
        "LAST PROBE",
        "REASON",
    ]);
    for target in &group.targets {
        table.row([
            target.target.id.clone(),
            target.target.address.clone(),
            target
                .target
                .availability_zone
                .clone()
                .unwrap_or_else(|| "-".to_owned()),
            target.weight.to_string(),
            state(target),
            target.in_flight.to_string(),
            target
                .probes
                .last()
                .map_or_else(|| "-".to_owned(), last_probe),
            match &target.instance_health {
                Some(health) => health.reason(),
                None => reason(&target.target_health),
            },
        ]);
    }
    let _ = write!(text, "{table}");
    text
}

/// The state, and what keeps the target from its share.
fn state(target: &Target) -> String {
    let mut text = match &target.instance_health {
        Some(health) => health.state.clone(),
        None => target.target_health.state.clone(),
    };
    match &target.standby {
        Some(standby) if standby.active => text.push_str(", active"),
        Some(_) => text.push_str(", standby"),
        None => {}
    }
    if let Some(slow_start) = &target.slow_start {
        let _ = write!(text, ", slow start {}%", slow_start.percent);
    }
    if let Some(anomaly) = &target.anomaly_detection {
        if anomaly.result == "anomalous" {
            text.push_str(", anomalous");
        }
        if anomaly.percent < 100 {
            let _ = write!(text, ", mitigated {}%", anomaly.percent);
        }
    }
    let state = target.administrative_override.as_ref();
    if state.is_some_and(|it| it.state == "zonal_shift_active") {
        text.push_str(", zonal shift");
    }
    text
}

/// `12:00:03 pass 200 in 1.2 ms`
fn last_probe(probe: &Probe) -> String {
    let clock = probe.time.split_once('T').map_or("", |(_, clock)| clock);
    let clock = clock.get(..8).unwrap_or(clock);
    let status = probe
        .status
        .map_or_else(String::new, |status| format!(" {status}"));
    let mut text = format!(
        "{clock} {}{status} in {:.1} ms",
        probe.outcome, probe.latency_ms
    );
    if !probe.detail.is_empty() {
        let _ = write!(text, " ({})", probe.detail);
    }
    text
}

fn reason(health: &Health) -> String {
    match (&health.reason, &health.description) {
        (Some(code), Some(words)) => format!("{code}: {words}"),
        (Some(code), None) => code.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn an_operator_sees_state_reason_and_last_probe_at_a_glance() {
        let daemon: Daemon = serde_json::from_str(
            r#"{ "version": "0.1.0", "uptime_seconds": 3700, "ready": true, "workers": 2,
                 "generation": 4, "last_refusal": null, "providers": [
                   { "name": "docker", "state": "failing", "targets": 2, "remarks": 1,
                     "error": "no such file" },
                   { "name": "dns:web", "state": "working", "targets": 3, "remarks": 1,
                     "error": null }] }"#,
        )
        .unwrap();
        let balancers: LoadBalancers = serde_json::from_str(
            r#"{ "load_balancers": [{ "name": "web", "open_connections": 3,
                 "addresses": ["127.0.0.11:80", "127.0.0.12:80"] }] }"#,
        )
        .unwrap();
        let groups: Groups = serde_json::from_str(
            r#"{ "target_groups": [{ "target_group": "site", "load_balancer": "web", "targets": [
              { "target": { "id": "a", "address": "10.0.0.6:80", "availability_zone": "1a" },
                "target_health": { "state": "healthy" }, "weight": 1, "in_flight": 2, "probes": [] },
              { "target": { "id": "b", "address": "10.0.2.9:80", "availability_zone": null },
                "target_health": { "state": "unhealthy", "reason": "Target.Timeout",
                  "description": "Request timed out" }, "weight": 2, "in_flight": 0, "probes": [
                  { "time": "2026-01-02T03:04:05.678Z", "outcome": "fail", "status": null,
                    "latency_ms": 5000.4, "detail": "no answer" }] }] }] }"#,
        )
        .unwrap();
        let shown = page(&daemon, &balancers, &groups);
        let expected = "\
Elbow 0.1.0, ready, up 1h 1m 40s, 2 workers, configuration 4

LOAD BALANCER  LISTENS ON     CONNECTIONS
web            127.0.0.11:80  3
               127.0.0.12:80

TARGETS FROM  STATE    FOUND  REASON
docker        failing  2      no such file
dns:web       working  3      1 remark: see /providers

Target group site of web: 1 of 2 healthy
TARGET  ADDRESS      ZONE  WEIGHT  STATE      IN FLIGHT  LAST PROBE                              REASON
a       10.0.0.6:80  1a    1       healthy    2          -
b       10.0.2.9:80  -     2       unhealthy  0          03:04:05 fail in 5000.4 ms (no answer)  Target.Timeout: Request timed out
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn instances_of_a_classic_load_balancer_are_told_in_its_words() {
        let groups: Groups = serde_json::from_str(
            r#"{ "target_groups": [{ "target_group": "instances", "load_balancer": "elb",
              "surge_queue": [{ "zone": "1a", "length": 3, "peak": 7, "spillovers": 2 }],
              "targets": [
              { "target": { "id": "i-1", "address": "10.0.0.6:80", "availability_zone": null },
                "target_health": { "state": "healthy" }, "weight": 1, "in_flight": 2, "probes": [],
                "instance_health": { "state": "InService", "reason_code": "N/A",
                                     "description": "N/A" } },
              { "target": { "id": "i-2", "address": "10.0.0.7:80", "availability_zone": null },
                "target_health": { "state": "initial" }, "weight": 1, "in_flight": 0, "probes": [],
                "instance_health": { "state": "OutOfService", "reason_code": "ELB",
                  "description": "Instance registration is still in progress." } }] }] }"#,
        )
        .unwrap();
        let expected = "\
Target group instances of elb: 1 of 2 healthy
Node 1a: 3 waiting because all targets are full, 7 at most of late; 2 spilled over
TARGET  ADDRESS      ZONE  WEIGHT  STATE         IN FLIGHT  LAST PROBE  REASON
i-1     10.0.0.6:80  -     1       InService     2          -
i-2     10.0.0.7:80  -     1       OutOfService  0          -           ELB: Instance registration is still in progress.
";
        assert_eq!(group_section(&groups.target_groups[0]), expected);
    }

    #[test]
    fn what_keeps_traffic_from_a_target_stands_beside_its_state() {
        let target = |more: &str| {
            let text = format!(
                r#"{{ "target": {{ "id": "a", "address": "10.0.0.6:80", "availability_zone": "1a" }},
                     "target_health": {{ "state": "healthy" }}, "weight": 1, "in_flight": 0,
                     "probes": [], {more} }}"#
            );
            state(&serde_json::from_str::<Target>(&text).unwrap())
        };
        let slow = r#""slow_start": { "percent": 37, "ends_in_seconds": 63.0 }"#;
        assert_eq!(target(slow), "healthy, slow start 37%");
        let anomalous = r#""anomaly_detection": { "result": "anomalous", "percent": 50 }"#;
        assert_eq!(target(anomalous), "healthy, anomalous, mitigated 50%");
        let shifted = r#""administrative_override": { "state": "zonal_shift_active" }"#;
        assert_eq!(target(shifted), "healthy, zonal shift");
        let plain = r#""administrative_override": { "state": "no_override" }"#;
        assert_eq!(target(plain), "healthy");
    }

    #[test]
    fn whom_a_process_took_over_from_is_told_once_it_has() {
        let told = |text: &str| succession(&serde_json::from_str(text).unwrap());
        let first = r#"{ "pid": 7, "took_over": null, "last_failed_upgrade": null }"#;
        assert_eq!(told(first), "");
        let second = r#"{ "pid": 9, "took_over": { "from_pid": 7, "from_version": "0.1.0",
            "time": "2026-01-02T03:04:05Z", "draining": true }, "last_failed_upgrade": {
            "time": "2026-01-02T04:05:06Z", "error": "it ended" } }"#;
        assert_eq!(
            told(second),
            "Process 9 took over from process 7 (Elbow 0.1.0) at 2026-01-02T03:04:05Z, which still has \
             connections\n\nAn upgrade failed at 2026-01-02T04:05:06Z: it ended\n"
        );
    }

    #[test]
    fn shifts_and_unhealthy_nodes_are_told_below_the_load_balancers() {
        let balancer: LoadBalancer = serde_json::from_str(
            r#"{ "name": "web", "addresses": [], "open_connections": 0,
                 "zonal_shift": { "away_from": "1a", "expires_in_seconds": 5400, "comment": "gray" },
                 "nodes": [
                   { "zone": "1a", "address": "127.0.0.11", "in_use": false, "state": "zonal_shift" },
                   { "zone": "1c", "address": "127.0.0.12", "in_use": false, "state": "unhealthy",
                     "unhealthy_target_groups": ["site"] }] }"#,
        )
        .unwrap();
        assert_eq!(
            remarks(&balancer),
            "web: traffic is kept away from 1a for 1h 30m (gray)\n\
             web: node 1c is unhealthy: too few healthy targets in site\n"
        );
        let only: LoadBalancer = serde_json::from_str(
            r#"{ "name": "web", "addresses": [], "open_connections": 0, "nodes": [
                 { "address": "0.0.0.0", "in_use": true, "state": "unhealthy",
                   "unhealthy_target_groups": ["site"] }] }"#,
        )
        .unwrap();
        assert_eq!(
            remarks(&only),
            "web: node 0.0.0.0 is unhealthy: too few healthy targets in site; it stays in use, for no \
             node is healthy\n"
        );
    }
}
