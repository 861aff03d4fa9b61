//! Health: who is in service, since when, and why not.

use std::collections::HashMap;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use elbow::app::{App, Options};
use elbow::health::Resolver;
use elbow::reload::Source;
use elbow::target::{HealthReason, Outcome, TargetHealth, TargetState};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::scene::{
    Group, MAINTENANCE, PROBED, Site, UNPROBED, asking, entries, group, listening, one_group,
    order, outlast, shares,
};
use crate::support::{Client, Elbow, SOON, eventually};

/// Out after two failures in a row, back after three passes in a row.
const EXACT: &str = "health_check = { path = \"/probe\", interval = \"250ms\", \
     timeout = \"240ms\", unhealthy_threshold = 2, healthy_threshold = 3 }";

fn passes(state: &TargetState) -> Vec<bool> {
    let probes = state.probes();
    let pass = |outcome: &Outcome| *outcome == Outcome::Pass;
    probes.iter().map(|probe| pass(&probe.outcome)).collect()
}

#[tokio::test]
async fn one_pass_admits_two_failures_take_out_three_passes_readmit() {
    use TargetHealth::{Healthy, Unhealthy};
    let site = Site::start("a").await;
    // In at once; a failure and a pass change nothing; out; a failure restarts the count; back.
    site.judge([
        200, 503, 200, 503, 503, 200, 200, 503, 200, 200, 200, 503, 200,
    ]);
    let expected = [
        Healthy, Healthy, Healthy, Healthy, Unhealthy, Unhealthy, Unhealthy, Unhealthy, Unhealthy,
        Unhealthy, Healthy, Healthy,
    ];
    let elbow = Elbow::start(&one_group(&[&site], EXACT)).await;
    let state = Group(&elbow, "group").state("a").unwrap();
    let mut seen = HashMap::new();
    eventually(SOON, "twelve probes", || {
        let (probes, health) = (state.probes().len(), state.health());
        if probes == state.probes().len() {
            seen.insert(probes, health);
        }
        probes >= expected.len()
    })
    .await;
    for (probes, health) in seen {
        let probed = probes.checked_sub(1).and_then(|last| expected.get(last));
        let expected = probed.copied().unwrap_or(TargetHealth::Initial);
        assert_eq!(health, expected, "after {probes}: {:?}", passes(&state));
    }
}

#[tokio::test]
async fn an_unhealthy_target_says_why() {
    let (moved, silent, gone) = (
        Site::start("moved").await,
        Site::start("silent").await,
        Site::start("gone").await,
    );
    moved.judge([301]);
    silent.judge([0]);
    let elbow = Elbow::start(&one_group(&[&moved, &silent, &gone], EXACT)).await;
    let group = Group(&elbow, "group");
    group.expect("gone", TargetHealth::Healthy).await;
    let Site { mut target, .. } = gone;
    target.stop().await;
    for (id, says) in [
        (
            "moved",
            "unhealthy Target.ResponseCodeMismatch: Health checks failed with these codes: [301]",
        ),
        ("silent", "unhealthy Target.Timeout: Request timed out"),
        (
            "gone",
            "unhealthy Target.FailedHealthChecks: Health checks failed",
        ),
    ] {
        group.expect(id, TargetHealth::Unhealthy).await;
        assert_eq!(group.says(id), says);
    }
    let mut admin = Client::connect(elbow.admin()).await;
    let shown = admin.get("/target-groups/group/health").await;
    for words in [
        "Target.ResponseCodeMismatch",
        "Health checks failed with these codes: [301]",
        "Target.Timeout",
        "Target.FailedHealthChecks",
    ] {
        assert!(shown.text().contains(words), "{words}");
    }
}

#[tokio::test]
async fn a_slow_answer_does_not_delay_the_next_probe() {
    let (quick, silent) = (Site::start("quick").await, Site::start("silent").await);
    silent.judge([0]);
    let settings =
        "health_check = { path = \"/probe\", interval = \"250ms\", timeout = \"150ms\" }";
    let elbow = Elbow::start(&one_group(&[&quick, &silent], settings)).await;
    let group = Group(&elbow, "group");
    let probes = |id| group.state(id).unwrap().probes().len();
    eventually(SOON, "twelve probes of each", || {
        probes("quick") >= 12 && probes("silent") >= 12
    })
    .await;
    // Counted from its answer, the silent one's next probe would come after 400 ms: 19 to 12.
    assert!(probes("quick") <= 16, "{} to 12", probes("quick"));
}

#[tokio::test]
async fn when_all_are_unhealthy_all_serve_and_it_is_counted() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    a.judge([200, 503]);
    b.judge([200, 503]);
    let elbow = Elbow::start(&one_group(&[&a, &b], EXACT)).await;
    let group = Group(&elbow, "group");
    group.expect("a", TargetHealth::Unhealthy).await;
    group.expect("b", TargetHealth::Unhealthy).await;
    let order = order(elbow.address(), 6).await;
    assert_eq!(shares(&order, &["a", "b"]), [3, 3]);
    let counted = elbow.metric("elbow_unhealthy_routing_requests_total");
    assert_eq!(counted, 6.0);
}

#[tokio::test]
async fn a_group_that_fails_closed_answers_503_when_all_are_unhealthy() {
    let site = Site::start("a").await;
    site.judge([200, 503]);
    let settings = format!("{EXACT}\nfail_open = false");
    let elbow = Elbow::start(&one_group(&[&site], &settings)).await;
    let group = Group(&elbow, "group");
    group.expect("a", TargetHealth::Unhealthy).await;
    assert_eq!(order(elbow.address(), 2).await, ["503", "503"]);
    assert_eq!(site.asked("/"), 0);
    let log = elbow.log(2).await;
    assert_eq!(log[0].number("elb_status_code"), Some(503.0));
}

#[tokio::test]
async fn one_healthy_target_takes_all() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    b.judge([503]);
    let elbow = Elbow::start(&one_group(&[&a, &b], EXACT)).await;
    let group = Group(&elbow, "group");
    group.expect("a", TargetHealth::Healthy).await;
    group.expect("b", TargetHealth::Unhealthy).await;
    assert_eq!(
        shares(&order(elbow.address(), 6).await, &["a", "b"]),
        [6, 0]
    );
}

#[tokio::test]
async fn while_all_are_initial_the_answer_is_503() {
    let site = Site::start("a").await;
    site.judge([0]);
    let slow = "health_check = { path = \"/probe\", interval = \"60s\", timeout = \"50s\" }";
    let elbow = Elbow::start(&one_group(&[&site], slow)).await;
    eventually(SOON, "the first probe", || site.asked("/probe") == 1).await;
    let says = Group(&elbow, "group").says("a");
    assert_eq!(
        says,
        "initial Elb.InitialHealthChecking: Initial health checks in progress"
    );
    assert_eq!(order(elbow.address(), 1).await, ["503"]);
}

#[tokio::test]
async fn a_group_in_no_rule_is_unused_and_not_probed() {
    let (used, unused) = (Site::start("used").await, Site::start("unused").await);
    let mut text = one_group(&[&used], PROBED);
    group(&mut text, "other", PROBED, &entries(&[&unused]));
    let elbow = Elbow::start_from_file(&text).await;
    let (in_use, other) = (Group(&elbow, "group"), Group(&elbow, "other"));
    in_use.expect("used", TargetHealth::Healthy).await;
    assert_eq!(
        other.says("unused"),
        "unused Target.NotInUse: Target group is not configured to receive traffic from the load \
         balancer"
    );
    eventually(SOON, "more probes", || used.asked("/probe") > 3).await;
    assert_eq!(unused.target.connections(), 0);

    let both = text.replacen(
        "{ forward = \"group\" }",
        "{ forward = [{ group = \"group\" }, { group = \"other\" }] }",
        1,
    );
    elbow.apply(&both).await.unwrap();
    other.expect("unused", TargetHealth::Healthy).await;
    elbow.apply(&text).await.unwrap();
    assert_eq!(
        other.describe("unused").unwrap().reason,
        Some(HealthReason::NotInUse)
    );
}

#[tokio::test]
async fn a_target_in_a_zone_without_a_node_is_unused_and_not_probed() {
    let (here, there) = (Site::start("here").await, Site::start("there").await);
    let mut text = listening(0, "{ forward = \"group\" }");
    text = text.replace(
        "{ address = \"127.0.0.1\" }",
        "{ address = \"127.0.0.11\", zone = \"a\" }",
    );
    let targets = [here.entry(", zone = \"a\""), there.entry(", zone = \"c\"")];
    group(&mut text, "group", PROBED, &targets);
    let elbow = Elbow::start(&text).await;
    let group = Group(&elbow, "group");
    group.expect("here", TargetHealth::Healthy).await;
    assert_eq!(
        group.says("there"),
        "unused Target.NotInUse: Target is in an Availability Zone that is not enabled for the \
         load balancer"
    );
    assert_eq!(order(elbow.address(), 2).await, ["here", "here"]);
    assert_eq!(there.target.connections(), 0);
}

#[tokio::test]
async fn a_group_without_health_checks_is_unavailable_and_serves() {
    let site = Site::start("a").await;
    let elbow = Elbow::start(&one_group(&[&site], UNPROBED)).await;
    assert_eq!(
        Group(&elbow, "group").says("a"),
        "unavailable Target.HealthCheckDisabled: Health checks are disabled"
    );
    assert_eq!(order(elbow.address(), 1).await, ["a"]);
}

#[tokio::test]
async fn a_target_that_was_stopped_comes_back_by_itself() {
    let (mut a, b) = (Site::start("a").await, Site::start("b").await);
    let elbow = Elbow::start(&one_group(&[&a, &b], EXACT)).await;
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&a, &b]).await;
    let mut client = Client::connect(elbow.address()).await;
    let mut answers = Vec::new();
    a.target.stop().await;
    while group.describe("a").unwrap().state != TargetHealth::Unhealthy {
        answers.push(client.get("/").await.status());
    }
    a.target.start_again().await;
    while group.describe("a").unwrap().state != TargetHealth::Healthy {
        answers.push(client.get("/").await.status());
    }
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_eq!(
        shares(&order(elbow.address(), 4).await, &["a", "b"]),
        [2, 2]
    );
}

#[tokio::test]
async fn a_target_known_by_name_is_found_at_its_new_address() {
    let (before, after) = (Site::start("before").await, Site::start("after").await);
    let stands_for = Arc::new(Mutex::new(before.address()));
    let answers = Arc::clone(&stands_for);
    let mut text = String::from("ranges = \"relaxed\"\nadmin = { address = \"127.0.0.1:0\" }\n");
    text += &listening(0, "{ forward = \"group\" }");
    let target = "{ id = \"web\", address = \"web.example:80\" }".to_owned();
    group(&mut text, "group", EXACT, &[target]);
    let mut options = Options::new(Source::Text {
        name: "test".to_owned(),
        text,
    });
    options.resolver = Resolver::new(move |_, _| ready(Ok(vec![*answers.lock()])));
    let running = App::start(options).await.unwrap();
    let address = running.addresses.of("lb")[0];
    let answer = async || order(address, 1).await.remove(0);
    let deadline = Instant::now() + SOON;
    while answer().await != "before" {
        assert!(Instant::now() < deadline, "not in service");
    }
    let came_back_at: SocketAddr = after.address();
    drop(before);
    *stands_for.lock() = came_back_at;
    while answer().await != "after" {
        assert!(Instant::now() < deadline, "not found again");
    }
}

#[tokio::test]
async fn the_last_thirty_two_probes_are_kept() {
    let site = Site::start("a").await;
    let often = "health_check = { path = \"/probe\", interval = \"100ms\", timeout = \"90ms\" }";
    let elbow = Elbow::start(&one_group(&[&site], often)).await;
    eventually(SOON, "34 probes", || site.asked("/probe") >= 34).await;
    let state = Group(&elbow, "group").state("a").unwrap();
    let probes = state.probes();
    assert_eq!(probes.len(), 32);
    assert!(probes.is_sorted_by_key(|probe| probe.at));
    assert_eq!(probes[0].address, Some(site.address()));
    assert_eq!(probes[0].status, Some(200));
}

#[tokio::test]
async fn probes_are_in_no_log_and_no_request_metric() {
    let site = Site::start("a").await;
    let elbow = Elbow::start(&one_group(&[&site], PROBED)).await;
    eventually(SOON, "five probes", || site.asked("/probe") >= 5).await;
    assert_eq!(order(elbow.address(), 1).await, ["a"]);
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(200.0));
    assert_eq!(elbow.metric("elbow_client_requests_total"), 1.0);
    assert_eq!(elbow.metric("elbow_requests_total"), 1.0);
}

#[tokio::test]
async fn a_probe_introduces_itself_and_closes() {
    let site = Site::start("a").await;
    let elbow = Elbow::start(&one_group(&[&site], PROBED)).await;
    eventually(SOON, "two probes", || site.asked("/probe") >= 2).await;
    let probe = site.target.requests().remove(0);
    assert_eq!(probe.start_line(), "GET /probe HTTP/1.1");
    assert_eq!(probe.value("User-Agent"), Some("ELB-HealthChecker/2.0"));
    assert_eq!(probe.value("Host"), Some(&*site.address().to_string()));
    assert_eq!(probe.value("Connection"), Some("close"));
    drop(elbow);
}

#[tokio::test]
async fn a_response_that_has_begun_is_not_cut_when_its_target_turns_unhealthy() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    b.judge([503]);
    let elbow = Elbow::start(&one_group(&[&a, &b], EXACT)).await;
    let group = Group(&elbow, "group");
    group.expect("a", TargetHealth::Healthy).await;
    group.expect("b", TargetHealth::Unhealthy).await;
    let mut client = asking(elbow.address(), "/half").await;
    let mut response = client.wire.head().await.unwrap();
    b.judge([200]);
    group.break_down(&a).await;
    // The balancer looks at the target once a second while it waits.
    outlast(Duration::from_millis(1500)).await;
    a.open_gate();
    let body = client.wire.body(&mut response, true).await;
    body.expect("the whole response");
    assert_eq!(response.text(), "halfhalf");
}

#[tokio::test]
async fn a_site_that_is_maintained_as_a_whole_stays_in_service_and_one_target_alone_does_not() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let tolerant = EXACT.replace("{ path", "{ tolerate_maintenance = true, path");
    let elbow = Elbow::start(&one_group(&[&a, &b], &tolerant)).await;
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&a, &b]).await;
    a.judge([MAINTENANCE]);
    b.judge([MAINTENANCE]);
    let maintained = |id: &str| {
        let probes = group.state(id).unwrap().probes();
        let found = probes.iter().rev();
        let failed = |outcome: &Outcome| *outcome != Outcome::Pass;
        found.take_while(|probe| failed(&probe.outcome)).count()
    };
    eventually(SOON, "four probes of each found it", || {
        maintained("a") >= 4 && maintained("b") >= 4
    })
    .await;
    group.expect_healthy(&[&a, &b]).await;
    assert!(elbow.metric("elbow_probes_total{outcome=\"maintenance\"}") >= 8.0);
    // One is done, and the other one is left behind.
    a.judge([200]);
    group.expect("b", TargetHealth::Unhealthy).await;
    group.expect_healthy(&[&a]).await;
    b.judge([200]);
    group.expect_healthy(&[&b]).await;
}
