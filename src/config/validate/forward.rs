//! Forwards: to which groups, in which shares.

use std::sync::Arc;

use super::groups::{Groups, User};
use super::range;
use super::report::Report;
use crate::config::document::{Forward, WeightedGroup};
use crate::config::path::Path;

/// ALB's quota for one action.
const GROUPS: usize = 5;

/// Checks a forward; notes in `groups` that `user` uses them.
pub(super) fn validate(
    forward: &Forward,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<(Arc<str>, u32)>> {
    match forward {
        Forward::Group(name) => {
            let group = groups.forward(name, user, path, report)?;
            Some(vec![(group, 1)])
        }
        Forward::Weighted(shares) => weighted(shares, user, path, groups, report),
    }
}

fn weighted(
    shares: &[WeightedGroup],
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<(Arc<str>, u32)>> {
    check_shares(shares, path, report);
    let mut valid = Vec::with_capacity(shares.len());
    for (index, share) in shares.iter().enumerate() {
        let path = path.index(index);
        range::number(report, &path.key("weight"), share.weight, 0..=999);
        let earlier = &shares[..index];
        if earlier.iter().any(|earlier| earlier.group == share.group) {
            let message = format!("target group `{}` is there twice", share.group);
            report.refuse(path.key("group"), message, "add their weights up");
        }
        if shares.len() > 1 && groups.is_sticky(&share.group) {
            let message = format!(
                "target group `{}` is sticky: its clients would have to stay with the group, too",
                share.group
            );
            let help = "stickiness of groups (AWSALBTG) is not there yet: forward to one group, or \
                        leave its stickiness out";
            report.refuse(path.key("group"), message, help);
        }
        let group = groups.forward(&share.group, user, &path.key("group"), report);
        valid.extend(group.map(|group| (group, share.weight)));
    }
    Some(valid)
}

fn check_shares(shares: &[WeightedGroup], path: &Path<'_>, report: &mut Report<'_>) {
    if shares.is_empty() {
        let help =
            "write the name of a group, or a list such as [{ group = \"blue\", weight = 9 }]";
        return report.refuse(path, "no target group is named", help);
    }
    if shares.iter().all(|share| share.weight == 0) {
        let help = "give at least one group a weight of 1 to 999";
        report.refuse(path, "every group has the weight 0", help);
    }
    if report.is_strict() && shares.len() > GROUPS {
        let message = format!(
            "{} target groups are named; at most {GROUPS} may be",
            shares.len()
        );
        let help = "this is ALB's quota; `ranges = \"relaxed\"` at the top of the file lifts it";
        report.refuse(path, message, help);
    }
}
