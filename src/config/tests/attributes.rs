//! Attributes of target groups, and which of them exclude one another.

use super::{RIGHT, check, told};

/// What is told when the group has these lines more.
fn told_of(lines: &str) -> Vec<String> {
    let name = "name = \"wordpress\"\n";
    told(&RIGHT.replace(name, &format!("{name}{lines}\n")))
}

/// What would be right, of the only problem.
fn help_for(lines: &str) -> String {
    let name = "name = \"wordpress\"\n";
    let problems = check(&RIGHT.replace(name, &format!("{name}{lines}\n"))).problems;
    assert_eq!(problems.problems.len(), 1, "{problems}");
    problems.problems[0].help.clone().unwrap_or_default()
}

#[test]
fn slow_start_lasts_30_to_900_seconds_or_is_off() {
    for right in ["0s", "30s", "15m"] {
        let lines = format!("slow_start = \"{right}\"");
        assert_eq!(told_of(&lines), [""; 0], "{right}");
    }
    for wrong in ["29s", "901s"] {
        let told = told_of(&format!("slow_start = \"{wrong}\""));
        let message = format!("17:14 {wrong} is out of range: write 30s to 900s");
        assert_eq!(told, [message]);
    }
}

#[test]
fn slow_start_goes_with_round_robin_only() {
    for algorithm in ["least_outstanding_requests", "weighted_random"] {
        let lines = format!("algorithm = \"{algorithm}\"\nslow_start = \"30s\"");
        let message = format!("18:14 slow start does not go with the algorithm `{algorithm}`");
        assert_eq!(told_of(&lines), [message]);
        assert!(help_for(&lines).contains("algorithm = \"round_robin\""));
        let off = format!("algorithm = \"{algorithm}\"\nslow_start = \"0s\"");
        assert_eq!(told_of(&off), [""; 0]);
    }
}
