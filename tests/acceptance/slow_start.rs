//! Slow start under traffic: the share rises linearly, ends, and who enters at all.
//!
//! How much a target should have had of some requests follows from the times right before the first
//! and right after the last of them: a busy machine makes the bounds wider, not the test wrong.

use std::fmt::Write;
use std::time::Duration;

use elbow::target::TargetHealth;
use tokio::time::Instant;

use crate::scene::{Group, Site, group, listening, order, shares};
use crate::support::{Elbow, SOON, eventually};

const DURATION: Duration = Duration::from_secs(6);

fn text(sites: &[&Site], slow_start: &str) -> String {
    let settings = format!(
        "slow_start = \"{slow_start}\"\ncross_zone = true\nhealth_check = {{ path = \"/probe\", \
         interval = \"200ms\", timeout = \"190ms\", healthy_threshold = 2, unhealthy_threshold = 5 }}"
    );
    let mut text = listening(0, "{ forward = \"group\" }");
    let entries: Vec<String> = sites.iter().map(|site| site.entry("")).collect();
    group(&mut text, "group", &settings, &entries);
    text
}

/// The whole hundredths of its share that a target takes, by the clock: none while it takes all.
fn percent(since: Instant, now: Instant) -> Option<u32> {
    let elapsed = now.saturating_duration_since(since);
    let steps = elapsed.as_nanos() * 100 / DURATION.as_nanos();
    (steps < 100).then(|| u32::try_from(steps).unwrap().max(1))
}

/// What target `b` should get of so many requests, when it takes that part of its share and `a` all.
fn expected(requests: usize, percent: u32) -> f64 {
    let part = f64::from(percent);
    requests as f64 * part / (100.0 + part)
}

async fn fail_and_recover(group: &Group<'_>, site: &Site) {
    site.judge([503]);
    group.expect(site.name, TargetHealth::Unhealthy).await;
    site.judge([200]);
    group.expect(site.name, TargetHealth::Healthy).await;
}

#[tokio::test]
async fn the_share_of_a_target_that_has_turned_healthy_rises_linearly_to_its_whole_one() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let elbow = Elbow::start(&text(&[&a, &b], "6s")).await;
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&a, &b]).await;
    fail_and_recover(&group, &b).await;
    let since = group.state("b").unwrap().slow_since().expect("slow start");
    const BATCH: usize = 200;
    let mut seen = String::new();
    let mut batches = 0;
    while let Some(before) = percent(since, Instant::now()) {
        let answers = order(elbow.address(), BATCH).await;
        let Some(after) = percent(since, Instant::now()) else {
            break;
        };
        let got = shares(&answers, &["b"])[0];
        let _ = write!(seen, "{before}-{after} %: {got} ");
        let (least, most) = (expected(BATCH, before), expected(BATCH, after));
        // Each step of a hundredth lets the turns begin anew.
        let (steps, got) = (f64::from(after - before + 2), got as f64);
        assert!(got >= least - steps && got <= most + steps, "{seen}");
        batches += 1;
    }
    println!("{seen}");
    assert!(batches >= 5, "{seen}");
    let answers = order(elbow.address(), BATCH).await;
    let whole = shares(&answers, &["a", "b"]);
    assert!(whole[0].abs_diff(whole[1]) <= 2, "{whole:?}");
}

#[tokio::test]
async fn targets_of_a_group_that_was_empty_take_all_at_once() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let elbow = Elbow::start_from_file(&text(&[], "1h")).await;
    assert_eq!(order(elbow.address(), 1).await, ["503"]);
    elbow.apply(&text(&[&a, &b], "1h")).await.unwrap();
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&a, &b]).await;
    for site in [&a, &b] {
        assert_eq!(group.state(site.name).unwrap().slow_since(), None);
    }
    let answers = order(elbow.address(), 40).await;
    assert_eq!(shares(&answers, &["a", "b"]), [20, 20]);
}

#[tokio::test]
async fn switching_it_on_puts_no_healthy_target_into_it_and_one_that_is_added_enters() {
    let (a, b, c) = (
        Site::start("a").await,
        Site::start("b").await,
        Site::start("c").await,
    );
    let elbow = Elbow::start_from_file(&text(&[&a, &b], "0s")).await;
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&a, &b]).await;
    elbow.apply(&text(&[&a, &b], "1h")).await.unwrap();
    let answers = order(elbow.address(), 40).await;
    assert_eq!(shares(&answers, &["a", "b"]), [20, 20]);
    elbow.apply(&text(&[&a, &b, &c], "1h")).await.unwrap();
    group.expect("c", TargetHealth::Healthy).await;
    assert!(group.state("c").unwrap().slow_since().is_some());
    // One of 201 while it takes a hundredth, at most two steps later one of 67.
    let answers = order(elbow.address(), 402).await;
    let got = shares(&answers, &["c"])[0];
    assert!((1..=12).contains(&got), "{got}");
}

#[tokio::test]
async fn it_ends_when_the_target_turns_unhealthy_or_is_deregistered_and_begins_again_afterwards() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let elbow = Elbow::start_from_file(&text(&[&a, &b], "1h")).await;
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&a, &b]).await;
    let slow = || group.state("b").and_then(|state| state.slow_since());
    fail_and_recover(&group, &b).await;
    let first = slow().expect("after recovery");
    b.judge([503]);
    group.expect("b", TargetHealth::Unhealthy).await;
    assert_eq!(slow(), None);
    b.judge([200]);
    group.expect("b", TargetHealth::Healthy).await;
    let second = slow().expect("again");
    assert!(second > first);
    elbow.apply(&text(&[&a], "1h")).await.unwrap();
    assert_eq!(slow(), None);
    elbow.apply(&text(&[&a, &b], "1h")).await.unwrap();
    eventually(SOON, "slow start of a new registration", || {
        slow().is_some_and(|third| third > second)
    })
    .await;
}
