//! `elbow check` and `elbow schema`: questions that need no daemon.

use std::path::Path;

use crate::config;

use super::Failure;
use super::say::say;

/// Says all that is wrong with a file, as a compiler would.
pub(super) fn check(file: &Path) -> Result<(), Failure> {
    let (valid, warnings) = config::check(file)
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
    Ok(say(format_args!(
        "{} can be used: {}, {}, {}.\n",
        file.display(),
        number(valid.load_balancers.len(), "load balancer"),
        number(valid.target_groups.len(), "target group"),
        number(targets, "target"),
    ))?)
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
