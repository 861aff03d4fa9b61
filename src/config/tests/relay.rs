//! Listeners that forward connections, and the groups behind them.

use std::time::Duration;

use super::{check, told};
use crate::config::Service;
use crate::target_group::{ProbeProtocol, TargetProtocol};

/// A right one, for tests to spoil.
const DATABASE: &str = r#"[[load_balancer]]
name = "db"
[[load_balancer.listener]]
port = 3306
protocol = "TCP"
default = { forward = "mariadb" }

[[target_group]]
name = "mariadb"
protocol = "TCP"
targets = [{ address = "10.0.0.7:3306" }]
"#;

fn told_with(part: &str, otherwise: &str) -> Vec<String> {
    assert_eq!(DATABASE.matches(part).count(), 1, "{part}");
    told(&DATABASE.replace(part, otherwise))
}

#[test]
fn a_tcp_listener_has_nlbs_idle_timeout_and_its_group_a_tcp_probe() {
    let valid = check(DATABASE).config.unwrap();
    let Service::Relay(relay) = valid.load_balancers[0].listeners[0].service else {
        panic!("it forwards connections");
    };
    assert_eq!(relay.idle_timeout, Duration::from_secs(350));
    let group = &valid.target_groups[0];
    assert_eq!(group.settings.protocol, TargetProtocol::Tcp);
    assert!(group.settings.cut_unhealthy);
    assert_eq!(group.health_check.protocol, ProbeProtocol::Tcp);
    let probed = DATABASE.replace(
        "targets =",
        "health_check = { protocol = \"HTTP\", port = 9200 }\non_unhealthy = \"keep\"\ntargets =",
    );
    let valid = check(&probed).config.unwrap();
    let group = &valid.target_groups[0];
    assert_eq!(group.health_check.protocol, ProbeProtocol::Http);
    assert!(!group.settings.cut_unhealthy);
}

#[test]
fn a_tcp_listener_only_forwards() {
    let mariadb = "8:8 warning: no rule forwards to target group `mariadb`";
    assert_eq!(
        told_with(
            "{ forward = \"mariadb\" }",
            "{ fixed_response = { status = 200 } }"
        ),
        [
            "6:30 fixed_response answers requests, which a TCP listener does not read",
            &mariadb.replace("8:8", "9:8")
        ]
    );
    let rule = "[[load_balancer.listener.rule]]\npriority = 1\npath = [\"/\"]\nforward = \"mariadb\"\n\n[[target_group]]";
    assert_eq!(
        told_with("[[target_group]]", rule),
        ["8:1 a TCP listener has no rules: it does not look into what it forwards"]
    );
}

#[test]
fn the_protocols_of_listener_and_group_go_together() {
    let listener = "3306\nprotocol = \"TCP\"";
    assert_eq!(
        told_with(listener, "3306"),
        [
            "5:23 target group `mariadb` has the protocol TCP: it takes connections, and an HTTP listener forwards requests"
        ]
    );
    let group = "\"mariadb\"\nprotocol = \"TCP\"";
    assert_eq!(
        told_with(group, "\"mariadb\""),
        [
            "6:23 target group `mariadb` has the protocol HTTP: it takes requests, and a TCP listener forwards connections"
        ]
    );
}

#[test]
fn what_means_nothing_for_the_protocol_is_refused() {
    let idle = |timeout: &str| {
        let line = format!("protocol = \"TCP\"\nidle_timeout = \"{timeout}\"\ndefault");
        told_with("protocol = \"TCP\"\ndefault", &line)
    };
    assert_eq!(idle("6000s"), [""; 0]);
    assert_eq!(
        idle("59s"),
        ["6:16 59s is out of range: write 60s to 6000s"]
    );
    assert_eq!(
        told_with("targets =", "response_timeout = \"5s\"\ntargets ="),
        ["11:20 a target group of protocol TCP knows no responses"]
    );
    let http = DATABASE.replace("protocol = \"TCP\"\n", "");
    assert_eq!(
        told(&http.replace("targets =", "on_unhealthy = \"cut\"\ntargets =")),
        ["9:16 a target group of protocol HTTP has no connections to cut"]
    );
    assert_eq!(
        told(&http.replace("default =", "idle_timeout = \"100s\"\ndefault =")),
        ["5:16 an HTTP listener has no idle timeout of its own"]
    );
}

#[test]
fn active_and_standby_targets_have_priorities() {
    let pair = "targets = [{ address = \"10.0.0.7:3306\", priority = 1 }, { address = \"10.0.2.7:3306\", priority = 2 }]";
    let with = |targets: &str, group: &str| {
        let one = "targets = [{ address = \"10.0.0.7:3306\" }]";
        told_with(one, &format!("{group}\n{targets}"))
    };
    assert_eq!(with(pair, "active_standby = {}"), [""; 0]);
    let meaningless = "a priority means nothing where all targets share the traffic";
    assert_eq!(
        with(pair, ""),
        [
            format!("12:52 {meaningless}"),
            format!("12:97 {meaningless}")
        ]
    );
    assert_eq!(
        with(&pair.replace("1 }", "2 }"), "active_standby = {}"),
        ["11:18 warning: all targets have the same priority: none stands by"]
    );
    assert_eq!(
        with(pair, "active_standby = {}\ncross_zone = false")[0],
        "11:18 active targets take the traffic of all nodes"
    );
    assert_eq!(
        with(pair, "active_standby = {}\non_unhealthy = \"keep\""),
        ["11:18 `on_unhealthy` means nothing in an active/standby group"]
    );
}

#[test]
fn connections_are_cut_and_requests_kept_when_others_become_active() {
    let cut = |text: &str| {
        let valid = check(text).config.unwrap();
        let settings = &valid.target_groups[0].settings;
        settings.active_standby.map(|settings| settings.cut)
    };
    let relayed = DATABASE.replace("targets =", "active_standby = {}\ntargets =");
    assert_eq!(cut(&relayed), Some(true));
    let http = relayed.replace("protocol = \"TCP\"\n", "");
    assert_eq!(cut(&http), Some(false));
    assert_eq!(cut(DATABASE), None);
}

#[test]
fn a_tls_listener_passes_through_by_name_or_has_certificates() {
    let tls = DATABASE.replacen("protocol = \"TCP\"", "protocol = \"TLS\"", 1);
    assert_eq!(
        told(&tls),
        ["3:1 a TLS listener needs a certificate, unless it passes TLS through"]
    );
    let passing = tls.replace("\"TLS\"\n", "\"TLS\"\ntls_mode = \"passthrough\"\n");
    let rule = |condition: &str| {
        let rule = format!(
            "[[load_balancer.listener.rule]]\npriority = 1\n{condition}\nforward = \"mariadb\"\n\n[[target_group]]"
        );
        told(&passing.replace("[[target_group]]", &rule))
    };
    assert_eq!(rule("host = [\"*.example.com\"]"), [""; 0]);
    assert_eq!(
        rule("path = [\"/\"]"),
        ["9:1 only the name that a client asks for is seen of a TLS connection"]
    );
    let tcp = DATABASE.replace("port = 3306", "port = 3306\ntls_mode = \"passthrough\"");
    assert_eq!(
        told(&tcp),
        ["5:12 `tls_mode` is for listeners of protocol TLS"]
    );
}

#[test]
fn a_group_of_protocol_tls_begins_tls_anew_and_never_within_tls() {
    let group = DATABASE.replace(
        "name = \"mariadb\"\nprotocol = \"TCP\"",
        "name = \"mariadb\"\nprotocol = \"TLS\"\ntls = { verify = false }",
    );
    assert_eq!(told(&group), [""; 0]);
    let valid = check(&group).config.unwrap();
    let group_of = &valid.target_groups[0];
    assert_eq!(group_of.settings.protocol, TargetProtocol::Tls);
    assert_eq!(group_of.health_check.protocol, ProbeProtocol::Ssl);
    assert_eq!(group_of.tls.as_ref().unwrap().protocol, None);
    let passed = group.replacen(
        "protocol = \"TCP\"",
        "protocol = \"TLS\"\ntls_mode = \"passthrough\"",
        1,
    );
    let told = told(&passed);
    assert!(
        told[0].ends_with("its targets would get TLS within TLS"),
        "{told:?}"
    );
}
