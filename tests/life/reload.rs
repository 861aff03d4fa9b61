//! Reload: what changes, what goes on, and what a refused configuration leaves as it was.

use std::sync::Arc;
use std::time::Duration;

use elbow::reload::{Cause, ReloadError};
use elbow::target::TargetHealth;
use tokio::time::Instant;

use crate::scene::{
    Group, PROBED, Site, UNPROBED, echo, group, listening, naming, one_group, order, web_socket,
    who,
};
use crate::support::{Client, Elbow};

#[tokio::test]
async fn round_robin_goes_on_where_it_was() {
    let sites = [
        Site::start("a").await,
        Site::start("b").await,
        Site::start("c").await,
    ];
    let text = one_group(&[&sites[0], &sites[1], &sites[2]], UNPROBED);
    let elbow = Elbow::start_from_file(&text).await;
    let mut answers = order(elbow.address(), 1).await;
    for number in 0..5 {
        elbow.apply(&format!("{text}# {number}\n")).await.unwrap();
        answers.extend(order(elbow.address(), 1).await);
    }
    let first = answers.iter().position(|name| name == "a").unwrap();
    answers.rotate_left(first);
    assert_eq!(answers, ["a", "b", "c", "a", "b", "c"]);
}

#[tokio::test]
async fn health_and_counts_go_on_when_weights_and_thresholds_change() {
    let site = Site::start("a").await;
    let elbow = Elbow::start_from_file(&one_group(&[&site], PROBED)).await;
    let states = Group(&elbow, "group");
    states.expect_healthy(&[&site]).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(who(&client.get("/").await), "a");
    let before = states.state("a").unwrap();

    let settings = PROBED
        .replace("interval = \"200ms\"", "interval = \"2s\"")
        .replace("unhealthy_threshold = 10", "unhealthy_threshold = 7");
    let mut changed = listening(0, "{ forward = \"group\" }");
    group(
        &mut changed,
        "group",
        &settings,
        &[site.entry(", weight = 9")],
    );
    let reloaded = elbow.apply(&changed).await.unwrap();
    let difference = reloaded.difference.to_string();
    assert_eq!(difference, "target groups ~group, targets ~group/a");
    let snapshot = elbow.running().shared.load();
    assert_eq!(snapshot.groups["group"].targets()[0].weight, 9);
    let after = states.state("a").unwrap();
    assert!(Arc::ptr_eq(&before, &after));
    assert_eq!(after.health(), TargetHealth::Healthy);
    assert_eq!(who(&client.get("/").await), "a");
    let requests = "elbow_requests_total{load_balancer=\"lb\",target_group=\"group\",zone=\"\"}";
    elbow.expect_metric(requests, 2.0).await;
}

#[tokio::test]
async fn a_web_socket_goes_on_when_its_listener_gets_other_rules() {
    let site = Site::start("a").await;
    let text = one_group(&[&site], UNPROBED);
    let elbow = Elbow::start_from_file(&text).await;
    let mut socket = web_socket(elbow.address()).await;
    elbow.apply(&format!("{text}# again\n")).await.unwrap();
    echo(&mut socket, "two").await;
    elbow.apply(&naming("changed")).await.unwrap();
    assert_eq!(order(elbow.address(), 1).await, ["changed"]);
    echo(&mut socket, "three").await;
}

#[tokio::test]
async fn attributes_change_for_connections_that_are_open() {
    let site = Site::start("a").await;
    let with = |attributes: &str, settings: &str| {
        let text = one_group(&[&site], &format!("{UNPROBED}\n{settings}"));
        text.replace("name = \"lb\"", &format!("name = \"lb\"\n{attributes}"))
    };
    let elbow = Elbow::start_from_file(&with("", "")).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.get("/").await.status(), 200);
    let quick = with("idle_timeout = \"300ms\"", "response_timeout = \"200ms\"");
    elbow.apply(&quick).await.unwrap();
    assert_eq!(client.get("/held").await.status(), 504);
    assert_eq!(client.get("/").await.status(), 200);
    let begun = Instant::now();
    client.expect_closed().await;
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "not idle for 300ms"
    );
}

#[tokio::test]
async fn settings_that_only_a_start_can_change_are_named() {
    let with = |workers: u8, admin: &str| {
        let admin = format!("admin = {{ address = \"{admin}\" }}");
        format!("workers = {workers}\n{admin}\n{}", naming("one"))
    };
    let elbow = Elbow::start_from_file(&with(2, "127.0.0.1:0")).await;
    let reloaded = elbow.apply(&with(3, "[::1]:1")).await.unwrap();
    let said = reloaded.warnings.join("\n");
    assert!(said.contains("workers stays 2"), "{said}");
    assert!(said.contains("admin.address stays 127.0.0.1:0"), "{said}");
}

#[tokio::test]
async fn a_refused_configuration_changes_nothing_and_says_why() {
    let site = Site::start("a").await;
    let text = one_group(&[&site], PROBED);
    let elbow = Elbow::start_from_file(&text).await;
    Group(&elbow, "group").expect_healthy(&[&site]).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(who(&client.get("/").await), "a");
    let before = elbow.running().shared.load();
    let reload = elbow.reload();
    // Four lines come before this text.
    let mistyped = text.replace("name = \"lb\"", "name = 7");
    let dangling = text.replace("{ forward = \"group\" }", "{ forward = \"grop\" }");
    for (wrong, words) in [
        (mistyped, ["elbow.toml:6:8", "name", "7"]),
        (dangling, ["elbow.toml:10:23", "grop", "\"group\""]),
    ] {
        let error = elbow.apply(&wrong).await.unwrap_err();
        let said = error.to_string();
        assert!(matches!(*error, ReloadError::Invalid(_)), "{said}");
        for word in words {
            assert!(said.contains(word), "{word} in {said}");
        }
        let after = elbow.running().shared.load();
        assert!(Arc::ptr_eq(&before, &after));
        let refusal = reload.last_refusal().unwrap();
        assert_eq!(refusal.error.to_string(), said);
        assert_eq!(refusal.cause, Cause::Api);
    }
    let mut admin = Client::connect(elbow.admin()).await;
    assert_eq!(admin.post("/reload").await.status(), 422);
    let page = admin.get("/metrics").await;
    for row in [
        "elbow_reloads_total{result=\"refused\"} 3\n",
        "elbow_last_reload_successful 0\n",
    ] {
        assert!(page.text().contains(row), "{row} in {}", page.text());
    }
    assert_eq!(who(&client.get("/").await), "a");
    assert_eq!(order(elbow.address(), 1).await, ["a"]);

    elbow.save("elbow.toml", &naming("two"));
    reload.reload(Cause::Signal).await.unwrap();
    assert!(reload.last_refusal().is_none());
    assert_eq!(elbow.metric("elbow_last_reload_successful"), 1.0);
    assert_eq!(elbow.metric("elbow_configuration_generation"), 2.0);
    assert_eq!(who(&client.get("/").await), "two");
}
