//! Classic load balancers: what they have by default, and what they have not.

use std::time::Duration;

use super::{check, told};
use crate::balance::Algorithm;
use crate::config::Service;
use crate::target_group::{ProbeProtocol, ZonePolicy};

/// What is told of a Classic load balancer with such a listener and such a group.
fn classic(listener: &str, group: &str) -> Vec<String> {
    let text = format!(
        "[[load_balancer]]\nname = \"lb\"\ntype = \"classic\"\n\
         listener = [{{ port = 80, {listener} }}]\n\
         [[target_group]]\nname = \"g\"\n{group}\n\
         targets = [{{ address = \"10.0.0.6:80\" }}]\n"
    );
    told(&text)
}

#[test]
fn a_classic_load_balancer_has_no_more_than_it_had() {
    let plain = "default = { forward = \"g\" }";
    assert_eq!(
        classic(plain, "health_check = { target = \"HTTP:80/index.html\" }"),
        [""; 0]
    );
    for (listener, group, problem) in [
        (
            "default = { redirect = { port = \"81\", status = 301 } }",
            "",
            "a classic load balancer answers nothing by itself",
        ),
        (
            "default = { forward = \"g\" }, rule = [{ priority = 1, path = [\"/a\"], forward = \"g\" }]",
            "",
            "a classic load balancer has no rules",
        ),
        (
            plain,
            "protocol_version = \"HTTP2\"",
            "a classic load balancer asks its targets in HTTP/1.1",
        ),
        (
            plain,
            "algorithm = \"weighted_random\"",
            "a classic load balancer does not draw lots",
        ),
        (
            plain,
            "algorithm = \"round_robin\"\nslow_start = \"30s\"",
            "a classic load balancer knows no slow start",
        ),
        (
            plain,
            "health_check = { protocol = \"HTTP\", matcher = \"200-299\" }",
            "only the status 200 passes the health check of a classic load balancer",
        ),
        (
            plain,
            "proxy_protocol = \"v1\"",
            "a classic load balancer sends PROXY protocol headers for TCP and SSL listeners only",
        ),
        (
            "protocol = \"TCP\", default = { forward = \"g\" }",
            "protocol = \"TCP\"\nproxy_protocol = \"v2\"",
            "a classic load balancer knows version 1 of the PROXY protocol",
        ),
        (
            plain,
            "max_concurrency = 0",
            "expected a whole number of at least 1, found the number 0",
        ),
        (
            plain,
            "max_concurrency = 1\nsurge_queue = { length = 1025 }",
            "1025 is out of range: write 0 to 1024",
        ),
        (
            plain,
            "surge_queue = { length = 1024 }",
            "nobody ever waits in this surge queue",
        ),
        (
            plain,
            "health_check = { target = \"HTTP:80/\", port = 80 }",
            "`target` says the port already",
        ),
        (
            plain,
            "health_check = { target = \"HTTP:80\" }",
            "`HTTP:80` has no path; write HTTP:80/",
        ),
    ] {
        let told = classic(listener, group);
        assert!(
            told.iter().any(|told| told.ends_with(problem)),
            "{problem}: {told:?}"
        );
    }
}

#[test]
fn the_defaults_of_a_classic_load_balancer_are_those_of_2012() {
    let text = "[[load_balancer]]\nname = \"lb\"\ntype = \"classic\"\n\
        listener = [{ port = 80, default = { forward = \"g\" } }, \
                    { port = 81, protocol = \"TCP\", default = { forward = \"t\" } }]\n\
        [[target_group]]\nname = \"g\"\nhealth_check = { target = \"HTTPS:8443/a?b\" }\n\
        [[target_group]]\nname = \"t\"\nprotocol = \"TCP\"\n";
    let config = check(text).into_result().unwrap().0;
    let (requests, connections) = (&config.target_groups[0], &config.target_groups[1]);
    let settings = &requests.settings;
    assert_eq!(settings.algorithm, Algorithm::LeastOutstandingRequests);
    assert_eq!(connections.settings.algorithm, Algorithm::RoundRobin);
    assert!(settings.classic && !settings.fail_open);
    assert_eq!(settings.zones, ZonePolicy::OwnZone);
    assert_eq!(settings.deregistration_delay, Duration::from_secs(300));
    let check = &requests.health_check;
    assert_eq!(
        (check.thresholds.healthy, check.thresholds.unhealthy),
        (10, 2)
    );
    assert_eq!(
        (check.interval, check.timeout),
        (Duration::from_secs(30), Duration::from_secs(5))
    );
    assert_eq!(
        (check.protocol, check.port),
        (ProbeProtocol::Https, Some(8443))
    );
    assert_eq!(
        (check.path.as_str(), check.matcher.to_string().as_str()),
        ("/a?b", "200")
    );
    assert_eq!(connections.health_check.protocol, ProbeProtocol::Tcp);
    assert!(!config.load_balancers[0].attributes.http2);
    let Service::Relay(relay) = config.load_balancers[0].listeners[1].service else {
        panic!("it forwards connections");
    };
    assert_eq!(relay.idle_timeout, Duration::from_secs(60));
    assert!(!connections.settings.cut_unhealthy);
    assert_eq!(settings.max_concurrency, None);
    assert_eq!(settings.surge_queue.length, 1024);
    assert_eq!(settings.surge_queue.timeout, Duration::from_secs(60));
}
