//! Forwards: to which groups, in which shares.

use std::sync::Arc;
use std::time::Duration;

use super::groups::{Groups, User};
use super::range;
use super::report::Report;
use crate::config::document::{Forward, GroupStickiness, StickinessType, WeightedGroup};
use crate::config::path::Path;
use crate::config::valid::ValidForward;

/// ALB's quota for one action.
const GROUPS: usize = 5;

/// Checks a forward; notes in `groups` that `user` uses them.
pub(super) fn validate(
    forward: &Forward,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Option<ValidForward> {
    let plain = |groups| ValidForward {
        groups,
        stickiness: None,
    };
    match forward {
        Forward::Group(name) => {
            let group = groups.forward(name, user, path, report)?;
            Some(plain(vec![(group, 1)]))
        }
        Forward::Weighted(shares) => {
            weighted((shares, false), user, path, groups, report).map(plain)
        }
        Forward::Config(config) => {
            let place = path.key("stickiness");
            let stickiness = stickiness(&config.stickiness, user, &place, report);
            let shares = (&config.groups[..], stickiness.is_some());
            let groups = weighted(shares, user, &path.key("groups"), groups, report)?;
            Some(ValidForward { groups, stickiness })
        }
    }
}

/// How long clients stay with their group; none is off.
fn stickiness(
    stickiness: &GroupStickiness,
    user: &User,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Duration> {
    let duration = path.key("duration");
    range::duration(report, &duration, stickiness.duration, &range::STICKINESS);
    if stickiness.enabled && user.relays {
        let message = "stickiness rests on cookies, which need HTTP";
        report.refuse(path.key("enabled"), message, "leave `stickiness` out");
    }
    stickiness.enabled.then_some(stickiness.duration.0)
}

/// Checks several groups, and whether clients may stay with targets of theirs.
fn weighted(
    (shares, stays): (&[WeightedGroup], bool),
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
        if shares.len() > 1 {
            check_stickiness(share, stays, groups, &path, report);
        }
        let group = groups.forward(&share.group, user, &path.key("group"), report);
        valid.extend(group.map(|group| (group, share.weight)));
    }
    Some(valid)
}

/// What ALB says of a sticky group that is one of several.
fn check_stickiness(
    share: &WeightedGroup,
    stays: bool,
    groups: &Groups<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) {
    let group = &share.group;
    let (message, help) = match groups.stickiness(group) {
        Some(StickinessType::AppCookie) => (
            format!("target group `{group}` follows a cookie of the application, alone"),
            "stickiness of the type `app_cookie` does not go with several groups: take `lb_cookie`",
        ),
        Some(StickinessType::LbCookie) if !stays => (
            format!(
                "target group `{group}` is sticky: its clients have to stay with the group, too"
            ),
            "write { groups = [...], stickiness = { enabled = true } }, or leave the group's \
             stickiness out",
        ),
        Some(StickinessType::LbCookie) | None => return,
    };
    report.refuse(path.key("group"), message, help);
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
        report.refuse(path, message, range::QUOTA);
    }
}
