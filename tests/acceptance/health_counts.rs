//! When a target comes into service and when it goes out, with ALB's default thresholds.

use std::collections::HashMap;

use elbow::target::TargetHealth::{self, Healthy, Initial, Unhealthy};

use crate::scene::{Group, Site, one_group};
use crate::support::{Elbow, SOON, eventually};

/// No thresholds: the defaults are 5 and 2.
const DEFAULT: &str =
    "health_check = { path = \"/probe\", interval = \"300ms\", timeout = \"290ms\" }";

/// Answers probes with these statuses, and sees what the target is after each of them.
async fn expect_states(statuses: &[u16], expected: &[TargetHealth]) {
    assert_eq!(statuses.len(), expected.len());
    let site = Site::start("a").await;
    site.judge(statuses.iter().copied());
    let elbow = Elbow::start(&one_group(&[&site], DEFAULT)).await;
    let state = Group(&elbow, "group").state("a").unwrap();
    let mut seen = HashMap::new();
    eventually(SOON, "all probes", || {
        let (probes, health) = (state.probes().len(), state.health());
        if probes == state.probes().len() {
            seen.insert(probes, health);
        }
        probes >= expected.len()
    })
    .await;
    for (place, expected) in expected.iter().enumerate() {
        let found = seen.get(&(place + 1)).expect("seen after each probe");
        assert_eq!(found, expected, "after {:?}", &statuses[..=place]);
    }
}

#[tokio::test]
async fn a_registered_target_is_in_service_after_the_first_200_not_after_five() {
    expect_states(&[503, 200, 200, 200], &[Initial, Healthy, Healthy, Healthy]).await;
}

#[tokio::test]
async fn a_target_that_fails_is_out_after_exactly_2() {
    expect_states(
        &[200, 503, 200, 503, 503, 503],
        &[Healthy, Healthy, Healthy, Healthy, Unhealthy, Unhealthy],
    )
    .await;
}

#[tokio::test]
async fn a_target_that_recovers_is_in_after_exactly_5_consecutive() {
    expect_states(
        &[200, 503, 503, 200, 200, 200, 200, 200, 200],
        &[
            Healthy, Healthy, Unhealthy, Unhealthy, Unhealthy, Unhealthy, Unhealthy, Healthy,
            Healthy,
        ],
    )
    .await;
}

#[tokio::test]
async fn one_failure_at_pass_4_restarts_the_count() {
    let mut statuses = vec![200, 503, 503, 200, 200, 200, 503];
    let mut expected = vec![Healthy, Healthy];
    expected.extend([Unhealthy; 5]);
    statuses.extend([200; 5]);
    expected.extend([Unhealthy; 4]);
    expected.push(Healthy);
    expect_states(&statuses, &expected).await;
}
