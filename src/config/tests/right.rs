//! What becomes of a document that is right, and that no document at all can do harm.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::examples::{FULL, full_with_absent_settings};
use crate::config::{
    ForwardedFor, ValidAction, ValidConfig, ValidForward, check_text, parse, schema, validate,
};
use crate::routing::Condition;
use crate::target::TargetAddress;
use crate::target_group::{HealthCheck, ProbeProtocol, ZonePolicy};

fn valid(text: &str) -> ValidConfig {
    check_text(text, "elbow.toml").into_result().unwrap().0
}

const MINIMAL: &str = r#"
[[load_balancer]]
name = "web"
[[load_balancer.listener]]
port = 80
default = { forward = "web" }
[[target_group]]
name = "web"
targets = [{ address = "10.0.0.6:8080" }, { address = "wp-b:80", id = "b", zone = "c", weight = 3 }]
"#;

#[test]
fn what_is_not_written_is_albs_default() {
    let config = valid(MINIMAL);
    assert_eq!(config.admin.to_string(), "127.0.0.1:9900");
    assert_eq!(config.workers, None);
    let balancer = &config.load_balancers[0];
    assert_eq!(balancer.nodes.len(), 1);
    assert!(balancer.nodes[0].zone.is_none() && balancer.nodes[0].address.is_unspecified());
    let attributes = balancer.attributes;
    assert_eq!(attributes.idle_timeout, Duration::from_secs(60));
    assert_eq!(attributes.client_keep_alive, Duration::from_secs(3600));
    assert_eq!(attributes.forwarded_for, ForwardedFor::Append);
    assert_eq!(attributes.limits.headers, 64 * 1024);
    assert_eq!(attributes.limits.response_headers, 32 * 1024);
    let group = &config.target_groups[0];
    assert_eq!(group.health_check, HealthCheck::default());
    assert_eq!(group.settings.zones, ZonePolicy::CrossZone);
    assert!(group.settings.fail_open && group.settings.health_checked);
    assert_eq!(
        group.settings.deregistration_delay,
        Duration::from_secs(300)
    );
    assert_eq!(group.settings.connect_timeout, Duration::from_secs(10));
    assert_eq!(group.settings.response_timeout, None);
}

#[test]
fn a_target_is_known_by_its_id_or_by_its_host() {
    let group = &valid(MINIMAL).target_groups[0];
    let [first, second] = &group.registrations[..] else {
        panic!("{group:?}")
    };
    assert_eq!(first.key.to_string(), "10.0.0.6:8080");
    assert_eq!((first.zone.as_ref(), first.weight), (None, 1));
    assert_eq!(second.key.to_string(), "b:80");
    assert_eq!(second.address, TargetAddress::Name("wp-b".into(), 80));
    assert_eq!(
        (second.zone.as_ref().unwrap().as_str(), second.weight),
        ("c", 3)
    );
}

#[test]
fn a_group_knows_the_load_balancer_that_uses_it() {
    let config = valid(&format!("{MINIMAL}\n[[target_group]]\nname = \"spare\"\n"));
    let users: Vec<_> = config
        .target_groups
        .iter()
        .map(|group| group.load_balancer.as_deref())
        .collect();
    assert_eq!(users, [Some("web"), None]);
}

#[test]
fn the_full_example_becomes_what_it_says() {
    let config = valid(&full_with_absent_settings());
    assert_eq!(config.workers, Some(4));
    let balancer = &config.load_balancers[0];
    assert_eq!(balancer.nodes[1].zone.as_ref().unwrap().as_str(), "zone-b");
    assert_eq!(balancer.attributes.max_connections, Some(10_000));
    let listener = &balancer.listeners[0];
    let to = |names: [(&str, u32); 1]| names.map(|(name, weight)| (Arc::from(name), weight));
    let default = ValidAction::Forward(ValidForward {
        groups: to([("shop-blue", 1)]).to_vec(),
        stickiness: None,
    });
    assert_eq!(*listener.rules.default_action(), default);
    let priorities: Vec<u32> = listener
        .rules
        .rules()
        .iter()
        .map(|rule| rule.priority())
        .collect();
    assert_eq!(priorities, [10, 20, 30, 40, 50]);
    let rules = listener.rules.rules();
    assert!(matches!(rules[0].action(), ValidAction::Forward(to) if to.groups[0].1 == 90));
    assert!(matches!(rules[1].action(), ValidAction::Redirect(_)));
    assert!(matches!(rules[2].action(), ValidAction::FixedResponse(_)));
    assert_eq!(rules[2].conditions().len(), 3);
    assert!(rules[3].conditions().iter().all(Condition::is_regex));
    let transforms = rules[4].transforms().unwrap();
    assert!(transforms.host_header.is_some() && transforms.url.is_some());
    let group = &config.target_groups[0];
    assert!(matches!(group.settings.zones, ZonePolicy::Weighted(_)));
    assert_eq!(group.health_check.port, Some(8090));
    assert_eq!(group.health_check.protocol, ProbeProtocol::Http);
    assert_eq!(group.health_check.host.as_deref(), Some("shop.example.com"));
    assert_eq!(
        group.settings.response_timeout,
        Some(Duration::from_secs(30))
    );
}

#[test]
fn a_document_without_a_text_can_be_checked_too() {
    let mut config = parse(MINIMAL, "elbow.toml").unwrap();
    assert!(validate(&config).is_ok());
    config.target_group.clear();
    let problems = validate(&config).unwrap_err();
    assert_eq!(
        problems.problems[0].path,
        "load_balancer[0].listener[0].default.forward"
    );
    assert_eq!(problems.problems[0].location, None);
    assert!(
        problems
            .to_string()
            .contains(" --> configuration: load_balancer[0]"),
        "{problems}"
    );
}

#[test]
fn a_document_reads_back_what_it_writes() {
    let config = parse(FULL, "full.toml").unwrap();
    let written = toml::to_string(&config).unwrap();
    let again = parse(&written, "again").unwrap();
    assert_eq!(toml::to_string(&again).unwrap(), written);
}

#[test]
fn the_schema_is_a_manual() {
    let schema = schema();
    assert_eq!(schema["title"], "Config");
    let check = &schema["$defs"]["HealthCheck"]["properties"];
    assert_eq!(check["interval"]["default"], "30s");
    assert!(
        check["timeout"]["description"]
            .as_str()
            .unwrap()
            .contains("2s-120s")
    );
    assert_eq!(
        schema["$defs"]["Rule"]["properties"]["priority"]["maximum"],
        50_000
    );
}

/// A thousand groups of ten targets, each with a rule of its own.
fn large() -> String {
    let mut text = "ranges = \"relaxed\"\n[[load_balancer]]\nname = \"large\"\n[[load_balancer.listener]]\nport = 80\ndefault = { forward = \"group-0\" }\n".to_owned();
    for group in 0..1000 {
        let priority = group + 1;
        writeln!(text, "[[load_balancer.listener.rule]]\npriority = {priority}\npath = [\"/{group}/*\"]\nforward = \"group-{group}\"").unwrap();
    }
    for group in 0..1000 {
        writeln!(
            text,
            "[[target_group]]\nname = \"group-{group}\"\ntargets = ["
        )
        .unwrap();
        for target in 0..10 {
            let (third, fourth) = (group / 250, group % 250);
            writeln!(text, "  {{ id = \"t-{target}\", address = \"10.{target}.{third}.{fourth}:80\", zone = \"a\" }},").unwrap();
        }
        writeln!(text, "]").unwrap();
    }
    text
}

#[test]
fn a_thousand_groups_are_checked_in_a_moment() {
    let text = large();
    let begun = tokio::time::Instant::now();
    let config = valid(&text);
    // Optimised it takes tens of milliseconds; what is quadratic would take minutes.
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(20), "{taken:?}");
    assert_eq!(config.target_groups.len(), 1000);
    assert_eq!(
        config.load_balancers[0].listeners[0].rules.rules().len(),
        1000
    );
}

#[test]
fn a_thousand_problems_are_found_in_a_moment() {
    let text = large().replace("zone = \"a\"", "zonne = \"a\"");
    let begun = tokio::time::Instant::now();
    let problems = check_text(&text, "large.toml").problems;
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(60), "{taken:?}");
    assert_eq!(problems.errors(), 10_000);
}

/// One change of a text: at a place, so many bytes are replaced.
type Change = (prop::sample::Index, usize, Vec<u8>);

fn change() -> impl Strategy<Value = Change> {
    let telling = prop::sample::select(b"[]{}\"'=,.#\n\\ -0aZ\t".to_vec());
    let bytes = prop_oneof![telling, any::<u8>()];
    (any::<prop::sample::Index>(), 0..40_usize, vec(bytes, 0..6))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_check_panic(changes in vec(change(), 1..8)) {
        let mut bytes = full_with_absent_settings().into_bytes();
        for (place, length, inserted) in changes {
            let start = place.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, inserted);
        }
        let text = String::from_utf8_lossy(&bytes);
        let report = check_text(&text, "mutated.toml");
        // Either it can be used or it is said why not, and where.
        prop_assert_eq!(report.config.is_none(), report.problems.has_errors());
        let lines = text.split('\n').count();
        for problem in &report.problems.problems {
            let location = problem.location.as_ref().unwrap();
            prop_assert!((1..=lines).contains(&location.line));
            prop_assert!(!problem.message.is_empty());
        }
        prop_assert_eq!(report.problems.to_string().is_empty(), report.problems.is_empty());
    }
}
