//! Active/standby groups: who takes connections and requests when targets fail and come back, and
//! what becomes of what is open.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use crate::scene::{PROBED, a_while, echo, echoes, expect_reset, forwarding, healthy, open, order};
use crate::support::{Client, Elbow, SOON, Target, Wire, eventually};

/// The primary `a`, and `b`, which stands by.
fn pair(a: &Target, b: &Target) -> String {
    format!(
        "targets = [{{ id = \"a\", address = \"{}\", priority = 1 }}, \
         {{ id = \"b\", address = \"{}\", priority = 2 }}]",
        a.address, b.address
    )
}

fn settings(active_standby: &str) -> String {
    format!("{PROBED}\nactive_standby = {{ {active_standby} }}")
}

fn active(elbow: &Elbow) -> Option<u32> {
    elbow.running().shared.load().groups["group"].active_priority()
}

async fn expect_active(elbow: &Elbow, priority: u32) {
    let what = format!("priority {priority} is active");
    eventually(SOON, &what, || active(elbow) == Some(priority)).await;
}

async fn post(elbow: &Elbow, path: &str) -> (u16, Value) {
    let mut admin = Client::connect(elbow.admin()).await;
    let answer = admin.post(path).await;
    let document = serde_json::from_slice(&answer.body).unwrap();
    (answer.status(), document)
}

async fn get(elbow: &Elbow, path: &str) -> String {
    let mut admin = Client::connect(elbow.admin()).await;
    admin.get(path).await.text().to_owned()
}

#[tokio::test]
async fn all_connections_go_to_the_primary_and_to_the_standby_while_it_is_down() {
    let (mut a, b) = (echo('a').await, echo('b').await);
    let elbow = Elbow::start(&forwarding(&pair(&a, &b), "", &settings(""))).await;
    healthy(&elbow, 2).await;
    assert_eq!(order(elbow.address(), 4).await, "aaaa");
    a.stop().await;
    expect_active(&elbow, 2).await;
    assert_eq!(order(elbow.address(), 4).await, "bbbb");
    let (mut at_b, _) = open(elbow.address()).await;
    a.start_again().await;
    expect_active(&elbow, 1).await;
    expect_reset(&mut at_b).await;
    assert_eq!(order(elbow.address(), 4).await, "aaaa");

    let lines = elbow.log(13).await;
    let cut = lines.iter().find(|line| line.text("error_reason") != "-");
    assert_eq!(cut.unwrap().text("error_reason"), "FailedOver");
    let metrics = get(&elbow, "/metrics").await;
    let labels = "load_balancer=\"lb\",target_group=\"group\"";
    let failovers = |kind: &str| format!("elbow_failovers_total{{kind=\"{kind}\",{labels}}} 1");
    for row in [
        format!("elbow_active_priority{{{labels}}} 1"),
        failovers("failover"),
        failovers("fail_back"),
    ] {
        assert!(metrics.contains(&row), "{row} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn a_primary_that_hangs_loses_its_connections_when_its_probes_have_failed() {
    // Probed on a port of its own, so that connections do not end with it.
    let (a, b, mut probed) = (echo('a').await, echo('b').await, echo('p').await);
    let port = format!("{{ port = {}, interval", probed.address.port());
    let settings = settings("").replace("{ interval", &port);
    let targets = format!(
        "targets = [{{ id = \"a\", address = \"{}\" }}, {{ id = \"b\", address = \"127.0.0.2:{}\", priority = 2 }}]",
        a.address,
        b.address.port()
    );
    // The standby is where nothing listens: only what becomes of the primary matters here.
    let elbow = Elbow::start(&forwarding(&targets, "", &settings)).await;
    healthy(&elbow, 1).await;
    let (mut client, _) = open(elbow.address()).await;
    probed.stop().await;
    expect_reset(&mut client).await;
    let line = elbow.log_line().await;
    assert_eq!(line.text("error_reason"), "TargetTurnedUnhealthy");
}

#[tokio::test]
async fn connections_may_be_kept_when_another_target_becomes_active() {
    let (mut a, b) = (echo('a').await, echo('b').await);
    let keep = settings("on_failover = \"keep\"");
    let elbow = Elbow::start(&forwarding(&pair(&a, &b), "", &keep)).await;
    healthy(&elbow, 2).await;
    a.stop().await;
    expect_active(&elbow, 2).await;
    let (mut at_b, _) = open(elbow.address()).await;
    a.start_again().await;
    expect_active(&elbow, 1).await;
    a_while().await;
    echoes(&mut at_b).await;
    assert_eq!(order(elbow.address(), 2).await, "aa");
}

#[tokio::test]
async fn with_manual_fail_back_the_standby_stays_until_an_operator_says_so_reloads_or_not() {
    let (mut a, b) = (echo('a').await, echo('b').await);
    let text = forwarding(&pair(&a, &b), "", &settings("fail_back = \"manual\""));
    let elbow = Elbow::start_from_file(&text).await;
    healthy(&elbow, 2).await;
    assert_eq!(order(elbow.address(), 2).await, "aa");
    a.stop().await;
    expect_active(&elbow, 2).await;
    a.start_again().await;
    healthy(&elbow, 2).await;
    assert_eq!(order(elbow.address(), 2).await, "bb");
    elbow
        .apply(&text.replace("lb\"", "lb\"\nmax_connections = 99"))
        .await
        .unwrap();
    assert_eq!(order(elbow.address(), 2).await, "bb");
    assert_eq!(active(&elbow), Some(2));

    let (mut at_b, _) = open(elbow.address()).await;
    let (status, answer) = post(&elbow, "/target-groups/group/fail-back").await;
    assert_eq!(status, 200, "{answer}");
    let key = format!("a:{}", a.address.port());
    assert_eq!(answer["active_targets"], serde_json::json!([key]));
    expect_reset(&mut at_b).await;
    assert_eq!(order(elbow.address(), 2).await, "aa");
    let (status, answer) = post(&elbow, "/target-groups/group/fail-back").await;
    assert_eq!(status, 409);
    let error = answer["error"].as_str().unwrap();
    assert!(error.ends_with("it is active already"), "{error}");
}

#[tokio::test]
async fn an_operator_may_switch_over_from_the_command_line_and_sees_who_is_active() {
    let (a, b) = (echo('a').await, echo('b').await);
    let text = forwarding(&pair(&a, &b), "", &settings("fail_back = \"manual\""));
    let elbow = Elbow::start(&text).await;
    healthy(&elbow, 2).await;
    let said = command(elbow.admin(), &["activate", "group", "b"]).await;
    let key = format!("b:{}", b.address.port());
    let expected = format!("{key} of target group group is active now.\n");
    assert_eq!(said, (0, expected, String::new()));
    assert_eq!(order(elbow.address(), 2).await, "bb");
    let (_, status, _) = command(elbow.admin(), &["status"]).await;
    let states: Vec<&str> = status
        .lines()
        .filter(|line| line.contains("healthy, "))
        .collect();
    assert!(
        states[0].starts_with("a ") && states[0].contains("healthy, standby"),
        "{status}"
    );
    assert!(
        states[1].starts_with("b ") && states[1].contains("healthy, active"),
        "{status}"
    );
    let (code, _, error) = command(elbow.admin(), &["activate", "group", "b"]).await;
    assert_eq!(code, 1);
    assert!(
        error.contains("it is active already (nothing has changed)"),
        "{error}"
    );
    let (code, said, _) = command(elbow.admin(), &["fail-back", "group"]).await;
    assert_eq!((code, said.starts_with("a:")), (0, true), "{said}");
    assert_eq!(order(elbow.address(), 2).await, "aa");
}

/// Exit code, standard output and standard error of `elbow`.
async fn command(admin: SocketAddr, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elbow"));
    command
        .args(arguments)
        .args(["--admin", &admin.to_string()]);
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn draining_the_primary_hands_over_and_leaves_open_connections_their_delay() {
    let (a, b) = (echo('a').await, echo('b').await);
    let elbow = Elbow::start(&forwarding(&pair(&a, &b), "", &settings(""))).await;
    healthy(&elbow, 2).await;
    let (mut at_a, _) = open(elbow.address()).await;
    let (status, _) = post(&elbow, "/target-groups/group/targets/a/drain").await;
    assert_eq!(status, 200);
    assert_eq!(active(&elbow), Some(2));
    assert_eq!(order(elbow.address(), 2).await, "bb");
    a_while().await;
    echoes(&mut at_a).await;
    post(&elbow, "/target-groups/group/targets/a/undrain").await;
    expect_active(&elbow, 1).await;
    assert_eq!(order(elbow.address(), 2).await, "aa");
}

/// A target of requests that are answered with its name, or, for `/hang`, never.
async fn site(name: &'static str) -> Target {
    Target::scripted(move |mut wire: Wire, request, _| async move {
        if request.start_line().contains("/hang") {
            std::future::pending::<()>().await;
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{name}");
        wire.try_send(head).await.ok().map(|()| wire)
    })
    .await
}

fn site_pair(a: &Target, b: &Target, on_failover: &str) -> String {
    let settings = settings(on_failover).replace("{ interval", "{ protocol = \"TCP\", interval");
    forwarding(&pair(a, b), "", &settings).replace("protocol = \"TCP\"\n", "")
}

#[tokio::test]
async fn requests_have_a_primary_and_a_standby_too() {
    let (mut a, b) = (site("a").await, site("b").await);
    let text = site_pair(&a, &b, "on_failover = \"cut\"");
    let elbow = Elbow::start(&text).await;
    healthy(&elbow, 2).await;
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.text(), "a");
    }
    a.stop().await;
    expect_active(&elbow, 2).await;
    assert_eq!(client.get("/").await.text(), "b");
    // What may be repeated is, where requests go now; what may not is answered 502.
    client
        .send("POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        .await;
    eventually(SOON, "it has arrived", || b.requests().len() == 2).await;
    a.start_again().await;
    expect_active(&elbow, 1).await;
    assert_eq!(client.response().await.status(), 502);
    let lines = elbow.log(5).await;
    assert_eq!(lines[4].text("error_reason"), "FailedOver");
    assert_eq!(client.get("/").await.text(), "a");
}

#[tokio::test]
async fn requests_in_flight_are_kept_unless_the_group_says_otherwise() {
    let (mut a, b) = (site("a").await, site("b").await);
    let elbow = Elbow::start(&site_pair(&a, &b, "")).await;
    healthy(&elbow, 2).await;
    a.stop().await;
    expect_active(&elbow, 2).await;
    let mut client = Client::connect(elbow.address()).await;
    client.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n").await;
    eventually(SOON, "it has arrived", || b.requests().len() == 1).await;
    a.start_again().await;
    expect_active(&elbow, 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let silent = tokio::time::timeout(std::time::Duration::from_millis(10), client.response());
    assert!(silent.await.is_err(), "it was cut");
}
