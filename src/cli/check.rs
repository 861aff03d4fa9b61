//! `elbow check` and `elbow schema`: questions that need no daemon.

use std::fmt::Write;
use std::path::Path;

use crate::config::{self, ValidConfig};

use super::Failure;
use super::say::say;

/// Says all that is wrong with a file, as a compiler would; and what presets set in it.
pub(super) fn check(file: &Path, explain_presets: bool) -> Result<(), Failure> {
    let report = config::check(file);
    let presets = presets(&report);
    let (valid, warnings) = report
        .into_result()
        .map_err(|problems| Failure::Refused(format!("{problems}\n\n{}", count(&problems))))?;
    if !warnings.is_empty() {
        eprintln!("{warnings}\n");
    }
    let targets: usize = valid
        .target_groups
        .iter()
        .map(|group| group.registrations.len())
        .sum();
    let guarded = guarded(&valid);
    if explain_presets {
        say(format_args!("{presets}\n\n"))?;
    }
    Ok(say(format_args!(
        "{} can be used: {}, {}, {}.\n{guarded}",
        file.display(),
        number(valid.load_balancers.len(), "load balancer"),
        number(valid.target_groups.len(), "target group"),
        number(targets, "target"),
    ))?)
}

/// Who may connect, where that is said: one line for each load balancer.
fn guarded(valid: &ValidConfig) -> String {
    let mut text = String::new();
    for load_balancer in &valid.load_balancers {
        let groups = load_balancer.security_groups.join(", ");
        let nodes = load_balancer.nodes.iter();
        let stands = nodes.filter_map(|node| {
            let subnet = node.subnet.as_ref()?;
            let acl = node.network_acl.as_ref();
            let acl = acl.map_or_else(String::new, |acl| format!(", network ACL {}", acl.name));
            Some(format!("{} (subnet {subnet}{acl})", node.address))
        });
        let stands: Vec<_> = stands.collect();
        let parts = [
            (!groups.is_empty()).then(|| format!("security groups {groups}")),
            (!stands.is_empty()).then(|| format!("nodes {}", stands.join(", "))),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if !parts.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}: {}", load_balancer.name, parts.join("; "));
        }
    }
    text
}

fn presets(report: &config::CheckReport) -> String {
    let presets: Vec<String> = report.presets.iter().map(ToString::to_string).collect();
    match presets.is_empty() {
        true => "No target group has a preset.".to_owned(),
        false => presets.join("\n\n"),
    }
}

/// Prints the JSON Schema.
pub(super) fn schema() -> Result<(), Failure> {
    Ok(say(format_args!("{:#}\n", config::schema()))?)
}

fn count(problems: &config::Problems) -> String {
    let errors = number(problems.errors(), "error");
    match problems.warnings() {
        0 => errors,
        warnings => format!("{errors}, {}", number(warnings, "warning")),
    }
}

fn number(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}
