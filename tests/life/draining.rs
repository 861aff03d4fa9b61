//! Deregistration: no new requests at once, those in flight may finish until the delay elapses.

use std::time::Duration;

use elbow::target::TargetHealth;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};

use crate::scene::{
    Group, PROBED, Site, UNPROBED, asking, echo, entries, group, listening, one_group, order,
    outlast, shares, web_socket, who,
};
use crate::support::{Client, Elbow, SOON, eventually};

fn delayed(delay: &str) -> String {
    format!("{UNPROBED}\nderegistration_delay = \"{delay}\"")
}

/// A request at this very target; those that another one is chosen for are given up.
async fn held(elbow: &Elbow, site: &Site, path: &str) -> Client {
    loop {
        let total = elbow.metric("elbow_requests_total");
        let client = asking(elbow.address(), path).await;
        eventually(SOON, "a target is chosen", || {
            elbow.metric("elbow_requests_total") > total
        })
        .await;
        let state = Group(elbow, "group").state(site.name).unwrap();
        if state.in_flight() > 0 {
            eventually(SOON, "it has arrived", || site.asked(path) == 1).await;
            return client;
        }
    }
}

#[tokio::test]
async fn a_removed_target_gets_nothing_new_finishes_and_drains_for_the_whole_delay() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let delay = Duration::from_millis(1500);
    let elbow = Elbow::start_from_file(&one_group(&[&a, &b], &delayed("1500ms"))).await;
    let group = Group(&elbow, "group");
    let mut held = held(&elbow, &b, "/held").await;
    let begun = Instant::now();
    let only_a = one_group(&[&a], &delayed("1500ms"));
    elbow.apply(&only_a).await.unwrap();
    assert_eq!(order(elbow.address(), 6).await, ["a"; 6]);
    let draining = "draining Target.DeregistrationInProgress: Target deregistration is in progress";
    assert_eq!(group.says("b"), draining);
    b.open_gate();
    assert_eq!(who(&held.response().await), "b");
    eventually(SOON, "b is gone", || {
        let says = group.says("b");
        let over = begun.elapsed() >= delay;
        assert!(
            over || says == draining,
            "{says} after {:?}",
            begun.elapsed()
        );
        says == "gone"
    })
    .await;
    assert_eq!(order(elbow.address(), 2).await, ["a", "a"]);
}

#[tokio::test]
async fn a_target_may_be_replaced_by_another_while_it_works() {
    let (old, new) = (Site::start("old").await, Site::start("new").await);
    let settings = format!("{PROBED}\nderegistration_delay = \"60s\"");
    let elbow = Elbow::start_from_file(&one_group(&[&old], &settings)).await;
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&old]).await;
    let mut held = held(&elbow, &old, "/held").await;
    elbow.apply(&one_group(&[&new], &settings)).await.unwrap();
    group.expect_healthy(&[&new]).await;
    assert_eq!(group.describe("old").unwrap().state, TargetHealth::Draining);
    assert_eq!(order(elbow.address(), 2).await, ["new"; 2]);
    old.open_gate();
    assert_eq!(who(&held.response().await), "old");
    assert_eq!(who(&held.get("/").await), "new", "on the same connection");
}

#[tokio::test]
async fn a_request_that_still_runs_when_the_delay_elapses_is_answered_502() {
    let site = Site::start("a").await;
    let elbow = Elbow::start_from_file(&one_group(&[&site], &delayed("400ms"))).await;
    let mut held = held(&elbow, &site, "/held").await;
    elbow
        .apply(&one_group(&[], &delayed("400ms")))
        .await
        .unwrap();
    assert_eq!(held.response().await.status(), 502);
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(502.0));
    assert_eq!(line.text("error_reason"), "DeregistrationDelayElapsed");
    assert_eq!(order(elbow.address(), 1).await, ["503"]);
}

#[tokio::test]
async fn a_download_that_never_waits_is_cut_when_the_delay_elapses() {
    let site = Site::start("a").await;
    let elbow = Elbow::start_from_file(&one_group(&[&site], &delayed("300ms"))).await;
    let mut client = asking(elbow.address(), "/endless").await;
    assert_eq!(client.wire.head().await.unwrap().status(), 200);
    elbow
        .apply(&one_group(&[], &delayed("300ms")))
        .await
        .unwrap();
    let mut scrap = vec![0; 1 << 16];
    let read = async { while matches!(client.wire.stream.read(&mut scrap).await, Ok(1..)) {} };
    timeout(SOON, read).await.expect("it goes on and on");
    let line = elbow.log_line().await;
    assert_eq!(line.text("error_reason"), "DeregistrationDelayElapsed");
    assert_eq!(line.number("elb_status_code"), Some(200.0));
}

#[tokio::test]
async fn a_download_that_nobody_takes_is_cut_when_the_delay_elapses() {
    let site = Site::start("a").await;
    let elbow = Elbow::start_from_file(&one_group(&[&site], &delayed("300ms"))).await;
    let state = Group(&elbow, "group").state("a").unwrap();
    let mut client = asking(elbow.address(), "/endless").await;
    assert_eq!(client.wire.head().await.unwrap().status(), 200);
    elbow
        .apply(&one_group(&[], &delayed("300ms")))
        .await
        .unwrap();
    eventually(SOON, "the request ends", || state.in_flight() == 0).await;
    assert_eq!(
        elbow.log_line().await.text("error_reason"),
        "DeregistrationDelayElapsed"
    );
}

#[tokio::test]
async fn a_web_socket_to_a_draining_target_lives_until_the_delay_elapses() {
    let site = Site::start("a").await;
    let elbow = Elbow::start_from_file(&one_group(&[&site], &delayed("1s"))).await;
    let mut socket = web_socket(elbow.address()).await;
    let begun = Instant::now();
    elbow.apply(&one_group(&[], &delayed("1s"))).await.unwrap();
    echo(&mut socket, "still here").await;
    socket.expect_closed().await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let line = elbow.log_line().await;
    assert_eq!(line.text("error_reason"), "DeregistrationDelayElapsed");
    assert_eq!(line.number("elb_status_code"), Some(101.0));
}

#[tokio::test]
async fn a_target_drained_by_hand_stays_drained_over_reloads_until_it_is_put_back() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let text = one_group(&[&a, &b], PROBED);
    let elbow = Elbow::start_from_file(&text).await;
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&a, &b]).await;
    let mut admin = Client::connect(elbow.admin()).await;
    let mut order_it = async |what: &str| {
        let path = format!("/target-groups/group/targets/b/{what}");
        admin.post(&path).await
    };
    assert_eq!(order_it("drain").await.status(), 200);
    assert_eq!(order(elbow.address(), 4).await, ["a"; 4]);
    elbow.apply(&format!("{text}# touched\n")).await.unwrap();
    assert_eq!(group.describe("b").unwrap().state, TargetHealth::Draining);
    assert_eq!(order(elbow.address(), 4).await, ["a"; 4]);
    assert_eq!(order_it("undrain").await.status(), 200);
    group.expect("b", TargetHealth::Healthy).await;
    let answers = order(elbow.address(), 4).await;
    assert_eq!(shares(&answers, &["a", "b"]), [2, 2]);
}

#[tokio::test]
async fn a_target_added_again_while_it_drains_needs_one_pass_and_its_requests_go_on() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let settings = format!("{PROBED}\nderegistration_delay = \"700ms\"");
    let both = one_group(&[&a, &b], &settings);
    let elbow = Elbow::start_from_file(&both).await;
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&a, &b]).await;
    let mut held = held(&elbow, &b, "/held").await;
    let state = group.state("b").unwrap();
    elbow.apply(&one_group(&[&a], &settings)).await.unwrap();
    b.judge([0]);
    elbow.apply(&both).await.unwrap();
    assert_eq!(group.describe("b").unwrap().state, TargetHealth::Initial);
    assert_eq!(order(elbow.address(), 4).await, ["a"; 4]);
    group.mend(&b).await;
    assert_eq!(state.in_flight(), 1, "the request is still counted");
    outlast(Duration::from_millis(800)).await;
    b.open_gate();
    assert_eq!(who(&held.response().await), "b");
}

#[tokio::test]
async fn the_targets_of_a_deleted_group_drain_too() {
    let (site, other) = (Site::start("a").await, Site::start("b").await);
    let elbow = Elbow::start_from_file(&one_group(&[&site], &delayed("700ms"))).await;
    let deleted = Group(&elbow, "group");
    let mut held = held(&elbow, &site, "/held").await;
    // First the target, then the group that it was in.
    elbow
        .apply(&one_group(&[], &delayed("700ms")))
        .await
        .unwrap();
    let mut text = listening(0, "{ forward = \"other\" }");
    group(&mut text, "other", UNPROBED, &entries(&[&other]));
    elbow.apply(&text).await.unwrap();
    assert_eq!(
        deleted.says("a"),
        "draining Target.DeregistrationInProgress: Target deregistration is in progress"
    );
    assert_eq!(order(elbow.address(), 2).await, ["b", "b"]);
    assert_eq!(held.response().await.status(), 502);
    eventually(SOON, "a is gone", || deleted.says("a") == "gone").await;
    elbow.apply(&format!("{text}# touched\n")).await.unwrap();
    assert!(elbow.running().shared.load().deleted.is_empty());
}

#[tokio::test]
async fn deregistering_under_load_costs_no_request() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let (both, only_a) = (
        one_group(&[&a, &b], &delayed("10s")),
        one_group(&[&a], &delayed("10s")),
    );
    let elbow = Elbow::start_from_file(&both).await;
    let address = elbow.address();
    let clients: Vec<_> = (0..4)
        .map(|_| tokio::spawn(async move { order(address, 200).await }))
        .collect();
    for text in [&only_a, &both, &only_a, &both] {
        let before = elbow.metric("elbow_requests_total");
        elbow.apply(text).await.unwrap();
        eventually(SOON, "some load", || {
            elbow.metric("elbow_requests_total") > before + 20.0
                || clients.iter().all(|client| client.is_finished())
        })
        .await;
    }
    for client in clients {
        let answers = client.await.unwrap();
        assert_eq!(shares(&answers, &["a", "b"]).iter().sum::<usize>(), 200);
    }
}
