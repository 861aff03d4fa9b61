//! Names of load balancers, target groups and zones.

use super::report::Report;
use crate::config::path::Path;

/// ALB's limit.
const CHARACTERS: usize = 32;

/// Checks the name of a load balancer or target group: ALB has the same rules for both.
pub(super) fn validate(report: &mut Report<'_>, path: &Path<'_>, name: &str) {
    let is_known = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let length = name.chars().count();
    if name.is_empty() {
        return report.error(path, "the name is empty");
    }
    if length > CHARACTERS {
        report.refuse(
            path,
            format!("the name has {length} characters"),
            format!("a name has at most {CHARACTERS}"),
        );
    }
    if let Some(odd) = name.chars().find(|&character| !is_known(character)) {
        report.refuse(
            path,
            format!("the name holds {odd:?}"),
            "a name consists of letters (A-Z, a-z), digits and hyphens",
        );
    }
    if name.starts_with('-') || name.ends_with('-') {
        report.error(path, "a name neither begins nor ends with a hyphen");
    }
}

/// Checks the name of a zone, which is only compared, but stands in logs and labels.
pub(super) fn zone(report: &mut Report<'_>, path: &Path<'_>, zone: Option<&str>) {
    let Some(zone) = zone else {
        return;
    };
    if zone.is_empty() {
        report.refuse(
            path,
            "the name of the zone is empty",
            "write a name such as \"ap-northeast-1a\", or leave the zone out",
        );
    } else if zone.len() > 128 || zone.chars().any(|character| !character.is_ascii_graphic()) {
        report.error(
            path,
            "the name of a zone has at most 128 visible ASCII characters and no blank",
        );
    }
}
