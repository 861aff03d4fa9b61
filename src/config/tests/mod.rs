//! Configurations, right and wrong, and what is said about them, to the letter.

mod acme;
mod attributes;
mod classic;
mod discovery;
mod examples;
mod header_settings;
mod load_balancer;
mod preset;
mod proxies;
mod relay;
mod right;
mod rule;
mod security;
mod shape;
mod stickiness;
mod target_group;
mod tls;
mod trust_stores;
mod upgrade;

use super::{CheckReport, Severity, check_text};

/// A configuration that is right, for tests to spoil.
const RIGHT: &str = r#"[[load_balancer]]
name = "wp-elb"
nodes = [
  { zone = "a", address = "127.0.0.11" },
  { zone = "c", address = "127.0.0.12" },
]
[[load_balancer.listener]]
port = 8080
default = { forward = "wordpress" }
[[load_balancer.listener.rule]]
priority = 10
path = ["/old/*"]
redirect = { path = "/new/#{path}", status = 301 }

[[target_group]]
name = "wordpress"
health_check = { path = "/wp-login.php", interval = "30s", timeout = "5s" }
targets = [
  { id = "wp-a", address = "10.0.0.6:80", zone = "a" },
  { id = "wp-b", address = "10.0.2.9:80", zone = "c", weight = 2 },
]
"#;

fn check(text: &str) -> CheckReport {
    check_text(text, "elbow.toml")
}

/// Every problem as "line:column severity: message".
fn told(text: &str) -> Vec<String> {
    let problems = check(text).problems.problems;
    let told = problems.iter().map(|problem| {
        let location = problem.location.as_ref().unwrap();
        let severity = match problem.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        let (line, column) = (location.line, location.column);
        format!("{line}:{column} {severity}{}", problem.message)
    });
    told.collect()
}

/// What is told when one part of the right configuration is written otherwise.
fn told_with(part: &str, otherwise: &str) -> Vec<String> {
    assert_eq!(RIGHT.matches(part).count(), 1, "{part}");
    told(&RIGHT.replace(part, otherwise))
}

#[test]
fn the_right_one_is_right() {
    assert_eq!(told(RIGHT), [""; 0]);
}
