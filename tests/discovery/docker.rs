//! Containers as targets, over an engine's whole life.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::engine::Engine;
use crate::scene::{
    admin, before_web, expect, expect_healthy, expect_provider, registered, says, site, state, who,
};
use crate::support::{Client, Elbow, SOON, Target, eventually};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const STOPPED: &str = "unused Target.InvalidState: Target is in the stopped state";
const INVALID: &str = "unused Target.InvalidState: Target is in an invalid state";
const DRAINING: &str =
    "draining Target.DeregistrationInProgress: Target deregistration is in progress";

/// Two containers `wp-a` and `wp-b`, and a daemon that has found them healthy.
struct Two {
    engine: Engine,
    a: Target,
    b: Target,
    elbow: Elbow,
}

impl Two {
    async fn start() -> Self {
        let engine = Engine::start().await;
        let (a, b) = (site("a").await, site("b").await);
        engine.run("wp-a", &a, &[]);
        engine.run("wp-b", &b, &[]);
        let text = before_web("") + &engine.setting();
        let elbow = Elbow::start_from_file(&text).await;
        // Known when it is ready: no look at the engine is waited for here.
        assert_eq!(registered(&elbow), ["wp-a", "wp-b"]);
        expect_healthy(&elbow, &["wp-a", "wp-b"]).await;
        Self {
            engine,
            a,
            b,
            elbow,
        }
    }
}

#[tokio::test]
async fn containers_with_labels_are_targets_when_the_daemon_is_ready() {
    let two = Two::start().await;
    assert_eq!(who(two.elbow.address(), 4).await, ["a", "a", "b", "b"]);
    let provider = expect_provider(&two.elbow, "working").await;
    assert_eq!(provider["targets"][0]["origin"], "container wp-a");
    assert_eq!(provider["remarks"].as_array().unwrap().len(), 0);
    let status = admin(&two.elbow, "/status").await;
    assert_eq!(status["providers"][0]["targets"], 2);
}

#[tokio::test]
async fn the_engine_is_asked_in_no_newer_version_than_it_speaks() {
    let two = Two::start().await;
    let newer = |path: &String| {
        let minor = path
            .strip_prefix("/v1.")
            .and_then(|rest| rest.split_once('/'));
        minor.is_some_and(|(minor, _)| minor.parse::<u32>().unwrap() > 41)
    };
    let asked = two.engine.asked();
    assert!(
        asked.iter().any(|path| path.contains("/events")),
        "{asked:?}"
    );
    assert!(!asked.iter().any(newer), "{asked:?}");
}

#[tokio::test]
async fn a_container_that_stops_and_starts_at_another_address_is_the_same_target() {
    let mut two = Two::start().await;
    let before = state(&two.elbow, "wp-a").unwrap();
    two.engine.stop("wp-a");
    two.a.stop().await;
    expect(&two.elbow, "wp-a", STOPPED).await;
    assert_eq!(who(two.elbow.address(), 3).await, ["b", "b", "b"]);

    two.a.start_again_at(ELSEWHERE).await;
    two.engine.start_at("wp-a", ELSEWHERE);
    // One pass, though an unhealthy target would need five.
    expect_healthy(&two.elbow, &["wp-a"]).await;
    let after = state(&two.elbow, "wp-a").unwrap();
    assert!(Arc::ptr_eq(&before, &after));
    assert_eq!(who(two.elbow.address(), 2).await, ["a", "b"]);
}

#[tokio::test]
async fn with_stale_ip_after_stop_it_stays_out_of_service_until_it_is_registered_anew() {
    let engine = Engine::start().await;
    let (mut a, b) = (site("a").await, site("b").await);
    engine.run("wp-a", &a, &[]);
    engine.run("wp-b", &b, &[]);
    let text = before_web("stale_ip_after_stop = true") + &engine.setting();
    let elbow = Elbow::start_from_file(&text).await;
    expect_healthy(&elbow, &["wp-a", "wp-b"]).await;
    engine.stop("wp-a");
    a.stop().await;
    expect(&elbow, "wp-a", STOPPED).await;
    a.start_again_at(ELSEWHERE).await;
    engine.start_at("wp-a", ELSEWHERE);
    // It runs, and the balancer asks where it was.
    let failed = "unhealthy Target.FailedHealthChecks: Health checks failed";
    expect(&elbow, "wp-a", failed).await;
    let where_it_was = |elbow: &Elbow| {
        let snapshot = elbow.running().shared.load();
        let targets = snapshot.groups["web"].targets().iter();
        let mut addresses = targets.map(|target| target.socket_address().unwrap().ip());
        addresses.next().unwrap()
    };
    assert_eq!(where_it_was(&elbow), HERE);
    assert_eq!(who(elbow.address(), 3).await, ["b", "b", "b"]);
    // Neither a reload nor what else the engine tells changes that.
    elbow.apply(&text).await.unwrap();
    assert_eq!(where_it_was(&elbow), HERE);
    // AWS's advice of the time: deregister it, and register it again.
    let mut operator = Client::connect(elbow.admin()).await;
    for order in ["drain", "undrain"] {
        let path = format!("/target-groups/web/targets/wp-a/{order}");
        assert_eq!(operator.post(&path).await.status(), 200);
    }
    expect_healthy(&elbow, &["wp-a"]).await;
    assert_eq!(where_it_was(&elbow), ELSEWHERE);
    assert_eq!(who(elbow.address(), 2).await, ["a", "b"]);
}

#[tokio::test]
async fn a_container_takes_no_new_requests_from_its_stop_signal_on() {
    let two = Two::start().await;
    two.engine.signal("wp-a", 1);
    two.engine.signal("wp-a", 28);
    expect(&two.elbow, "wp-a", STOPPED).await;
    // It still runs, and may finish what it is about.
    assert_eq!(who(two.elbow.address(), 3).await, ["b", "b", "b"]);
    two.engine.stop("wp-a");
    two.engine.start_at("wp-a", HERE);
    expect_healthy(&two.elbow, &["wp-a"]).await;
}

#[tokio::test]
async fn a_container_may_be_deregistered_as_soon_as_it_is_told_to_stop() {
    let two = Two::start().await;
    let c = site("c").await;
    two.engine
        .run("job", &c, &[("elbow.deregister_on", "stop")]);
    expect_healthy(&two.elbow, &["job"]).await;
    two.engine.signal("job", 28);
    expect(&two.elbow, "job", DRAINING).await;
    assert_eq!(registered(&two.elbow), ["wp-a", "wp-b"]);
}

#[tokio::test]
async fn scaling_up_registers_and_scaling_down_drains() {
    let two = Two::start().await;
    let more = [site("c").await, site("d").await, site("e").await];
    for (number, site) in (3..).zip(&more) {
        let number = number.to_string();
        let labels = [
            ("com.docker.compose.project", "blog"),
            ("com.docker.compose.service", "wp"),
            ("com.docker.compose.container-number", number.as_str()),
        ];
        two.engine.run(&format!("blog_wp_{number}"), site, &labels);
    }
    let ids = ["blog-wp-3", "blog-wp-4", "blog-wp-5"];
    expect_healthy(&two.elbow, &ids).await;
    assert_eq!(who(two.elbow.address(), 5).await, ["a", "b", "c", "d", "e"]);
    for number in 3..=5 {
        two.engine.remove(&format!("blog_wp_{number}"));
    }
    for id in ids {
        expect(&two.elbow, id, DRAINING).await;
    }
    assert_eq!(who(two.elbow.address(), 4).await, ["a", "a", "b", "b"]);
}

#[tokio::test]
async fn a_paused_container_and_one_off_its_network_take_no_requests() {
    let two = Two::start().await;
    two.engine.pause("wp-a", HERE);
    expect(&two.elbow, "wp-a", INVALID).await;
    two.engine.unpause("wp-a", HERE);
    expect_healthy(&two.elbow, &["wp-a"]).await;
    two.engine.disconnect("wp-b");
    expect(&two.elbow, "wp-b", INVALID).await;
    assert_eq!(who(two.elbow.address(), 2).await, ["a", "a"]);
}

#[tokio::test]
async fn a_request_at_a_container_that_is_paused_goes_to_another() {
    let engine = Engine::start().await;
    let silent = Target::scripted(|mut wire, request, _| async move {
        if !request.start_line().contains("/slow") {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
            return Some(wire);
        }
        std::future::pending().await
    });
    let silent = silent.await;
    let other = site("other").await;
    engine.run("silent", &silent, &[]);
    engine.run("other", &other, &[]);
    let text = before_web("") + &engine.setting();
    let elbow = Elbow::start_from_file(&text).await;
    expect_healthy(&elbow, &["silent", "other"]).await;
    // In turn: one of two requests is at the silent one.
    let slow = "GET /slow HTTP/1.1\r\nHost: site.test\r\n\r\n";
    let mut one = Client::connect(elbow.address()).await;
    let mut two = Client::connect(elbow.address()).await;
    one.send(slow).await;
    two.send(slow).await;
    let arrived = || {
        let requests = silent.requests();
        requests.iter().any(|r| r.start_line().contains("/slow"))
    };
    eventually(SOON, "a request is at the silent target", arrived).await;
    engine.pause("silent", HERE);
    assert_eq!(one.response().await.text(), "other");
    assert_eq!(two.response().await.text(), "other");
}

#[tokio::test]
async fn when_the_engine_is_gone_its_targets_stay_and_that_is_told() {
    let mut two = Two::start().await;
    two.engine.vanish().await;
    let provider = expect_provider(&two.elbow, "failing").await;
    assert!(provider["last_error"]["error"].is_string(), "{provider:#}");
    assert_eq!(provider["targets"].as_array().unwrap().len(), 2);
    let mut client = Client::connect(two.elbow.admin()).await;
    let metrics = client.get("/metrics").await.text().to_owned();
    assert!(metrics.contains("elbow_provider_up{provider=\"docker\"} 0"));
    assert!(metrics.contains("elbow_provider_targets{provider=\"docker\"} 2"));
    assert_eq!(who(two.elbow.address(), 4).await, ["a", "a", "b", "b"]);
    // What happened meanwhile is found out when it is back.
    two.engine.remove_silently("wp-b");
    two.engine.listen();
    expect_provider(&two.elbow, "working").await;
    expect(&two.elbow, "wp-b", DRAINING).await;
    assert_eq!(says(&two.elbow, "wp-a"), "healthy");
}

#[tokio::test]
async fn a_daemon_starts_without_its_engine_and_finds_it_later() {
    let mut engine = Engine::start().await;
    let a = site("a").await;
    engine.run("wp-a", &a, &[]);
    engine.vanish().await;
    let text = before_web("") + &engine.setting();
    let elbow = Elbow::start_from_file(&text).await;
    expect_provider(&elbow, "failing").await;
    assert_eq!(who(elbow.address(), 1).await, ["503"]);
    engine.listen();
    expect_healthy(&elbow, &["wp-a"]).await;
}

#[tokio::test]
async fn wrong_labels_are_told_by_the_containers_name_and_harm_no_other() {
    let two = Two::start().await;
    let c = site("c").await;
    two.engine
        .run("foreign", &c, &[("elbow.target_group", "admin")]);
    two.engine.run("odd", &c, &[("elbow.port", "http")]);
    two.engine.run("twin", &c, &[("elbow.id", "spaced out")]);
    let remarks = || async {
        let provider = expect_provider(&two.elbow, "working").await;
        let remarks = provider["remarks"].as_array().unwrap().clone();
        let line = |remark: &serde_json::Value| {
            let (about, message) = (&remark["about"], &remark["message"]);
            format!("{}: {}", about.as_str().unwrap(), message.as_str().unwrap())
        };
        remarks.iter().map(line).collect::<Vec<String>>()
    };
    let deadline = tokio::time::Instant::now() + SOON;
    let mut told = remarks().await;
    while told.len() < 3 && tokio::time::Instant::now() < deadline {
        told = remarks().await;
    }
    told.sort();
    assert_eq!(
        told,
        [
            "container foreign: its label names target group `admin`, which this engine's \
             containers may not join: `target_groups` allows web",
            "container odd: its label `elbow.port=http` is wrong: a port is 1 to 65535",
            "container twin: an id has 1 to 128 visible ASCII characters and no blank",
        ]
    );
    assert_eq!(registered(&two.elbow), ["wp-a", "wp-b"]);
    assert_eq!(who(two.elbow.address(), 2).await, ["a", "b"]);
}

#[tokio::test]
async fn a_file_that_is_broken_meanwhile_keeps_no_container_out() {
    let two = Two::start().await;
    assert!(two.elbow.apply("nonsense = 1").await.is_err());
    let c = site("c").await;
    two.engine.run("wp-c", &c, &[]);
    expect_healthy(&two.elbow, &["wp-c"]).await;
}

#[tokio::test]
async fn a_reload_keeps_containers_and_their_health_and_a_removed_engine_takes_them_along() {
    let two = Two::start().await;
    let before = state(&two.elbow, "wp-a").unwrap();
    let heavier = before_web("retries = 3\n") + &two.engine.setting();
    two.elbow.apply(&heavier).await.unwrap();
    assert!(Arc::ptr_eq(&before, &state(&two.elbow, "wp-a").unwrap()));
    assert_eq!(says(&two.elbow, "wp-a"), "healthy");
    let alone = before_web(&two.b.line());
    two.elbow.apply(&alone).await.unwrap();
    assert_eq!(says(&two.elbow, "wp-a"), DRAINING);
    assert_eq!(registered(&two.elbow), ["127.0.0.1"]);
}
