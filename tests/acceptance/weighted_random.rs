//! Weighted random: shares by weight, in no order.

use crate::scene::{Site, UNPROBED, group, listening, order, shares};
use crate::support::Elbow;

async fn before(weights: &[(&'static str, u32)]) -> (Elbow, Vec<Site>) {
    let mut sites = Vec::new();
    let mut entries = Vec::new();
    for (name, weight) in weights {
        let site = Site::start(name).await;
        entries.push(site.entry(&format!(", weight = {weight}")));
        sites.push(site);
    }
    let mut text = listening(0, "{ forward = \"group\" }");
    let settings = format!("{UNPROBED}\nalgorithm = \"weighted_random\"");
    group(&mut text, "group", &settings, &entries);
    (Elbow::start(&text).await, sites)
}

/// Whether so many of `trials` are what a chance of `odds` gives, within five standard deviations: one
/// run in two million falls outside.
fn is_likely(count: usize, trials: usize, odds: f64) -> bool {
    let trials = trials as f64;
    let deviation = (trials * odds * (1.0 - odds)).sqrt();
    (count as f64 - trials * odds).abs() <= 5.0 * deviation
}

#[tokio::test]
async fn each_target_gets_its_weights_share_and_0_nothing() {
    let weights = [("a", 1), ("b", 1), ("c", 2), ("none", 0)];
    let (elbow, _sites) = before(&weights).await;
    let answers = order(elbow.address(), 4000).await;
    let found = shares(&answers, &["a", "b", "c", "none"]);
    for (count, odds) in [(found[0], 0.25), (found[1], 0.25), (found[2], 0.5)] {
        assert!(is_likely(count, 4000, odds), "{found:?}");
    }
    assert_eq!(found[3], 0);
}

#[tokio::test]
async fn requests_come_in_random_order_and_not_in_turn() {
    let (elbow, _sites) = before(&[("a", 1), ("b", 1)]).await;
    let answers = order(elbow.address(), 2001).await;
    let same = answers.windows(2).filter(|pair| pair[0] == pair[1]).count();
    // In turn it would be none, and all if one target were asked for good.
    assert!(is_likely(same, 2000, 0.5), "{same} of 2000");
    let third = answers
        .windows(3)
        .filter(|three| three[0] == three[2])
        .count();
    assert!(is_likely(third, 1999, 0.5), "{third} of 1999");
}
