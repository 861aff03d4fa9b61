//! TCP and SSL listeners of a Classic load balancer, in the words of its manual.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::scene::{
    PROBED, UNPROBED, a_while, echo, echoes, expect_reset, expect_turned_away, finish, forwarding,
    healthy, open, order,
};
use crate::support::{Certificates, Client, Elbow, SOON, Target, eventually, targets};

/// A Classic load balancer with a TCP listener before these instances.
fn classic(instances: &[&Target], balancer: &str, group: &str) -> String {
    let typed = format!("name = \"lb\"\ntype = \"classic\"\n{balancer}");
    forwarding(&targets(instances), "", group).replacen("name = \"lb\"", &typed, 1)
}

/// Has the access log written in AWS's format instead of JSON.
fn logging(text: &str) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = format!("access_log = {{ path = {path:?}, format = \"alb\" }}\n");
    (log + text, folder)
}

async fn log_of(folder: &tempfile::TempDir) -> String {
    let path = folder.path().join("access.log");
    let read = || std::fs::read_to_string(&path).unwrap_or_default();
    eventually(SOON, "a line", || read().ends_with('\n')).await;
    read()
}

#[tokio::test]
async fn connections_go_round_the_instances() {
    let (a, b) = (echo('a').await, echo('b').await);
    let elbow = Elbow::start(&classic(&[&a, &b], "", UNPROBED)).await;
    let order = order(elbow.address(), 6).await;
    assert!(["ababab", "bababa"].contains(&&*order), "{order}");
}

#[tokio::test]
async fn the_proxy_protocol_policy_tells_an_instance_who_connects() {
    let a = echo('a').await;
    let settings = format!("{UNPROBED}\nproxy_protocol = \"v1\"");
    let elbow = Elbow::start(&classic(&[&a], "", &settings)).await;
    let (mut client, _) = open(elbow.address()).await;
    let (source, destination) = (client.address, elbow.address());
    let line = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n",
        source.port(),
        destination.port()
    );
    client.send("hello").await;
    let expected = format!("{line}hello");
    let heard = client.wire.take(expected.len()).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), expected);
}

#[tokio::test]
async fn the_idle_timeout_of_the_load_balancer_is_that_of_its_connections() {
    let a = echo('a').await;
    let elbow = Elbow::start(&classic(&[&a], "idle_timeout = \"400ms\"", UNPROBED)).await;
    let (mut client, _) = open(elbow.address()).await;
    sleep(Duration::from_millis(200)).await;
    echoes(&mut client).await;
    let silent = Instant::now();
    expect_reset(&mut client).await;
    assert!(silent.elapsed() >= Duration::from_millis(399));
    assert_eq!(elbow.log_line().await.text("error_reason"), "IdleTimeout");
}

#[tokio::test]
async fn with_connection_draining_a_deregistered_instance_keeps_its_connections() {
    let (a, b) = (echo('a').await, echo('b').await);
    let elbow = Elbow::start_from_file(&classic(&[&a], "", UNPROBED)).await;
    let (mut client, _) = open(elbow.address()).await;
    elbow.apply(&classic(&[&b], "", UNPROBED)).await.unwrap();
    assert_eq!(order(elbow.address(), 3).await, "bbb");
    echoes(&mut client).await;
}

#[tokio::test]
async fn without_connection_draining_they_are_closed_at_once() {
    let (a, b) = (echo('a').await, echo('b').await);
    let settings = format!("{UNPROBED}\nderegistration_delay = \"0s\"");
    let elbow = Elbow::start_from_file(&classic(&[&a], "", &settings)).await;
    let (mut client, _) = open(elbow.address()).await;
    elbow.apply(&classic(&[&b], "", &settings)).await.unwrap();
    expect_reset(&mut client).await;
}

#[tokio::test]
async fn an_instance_that_turns_unhealthy_keeps_its_connections_and_gets_no_more() {
    // Probed on a port of its own, so that connections do not end with it.
    let (a, mut probed) = (echo('a').await, echo('p').await);
    let port = format!("{{ port = {}, interval", probed.address.port());
    let settings = PROBED.replace("{ interval", &port);
    let elbow = Elbow::start(&classic(&[&a], "", &settings)).await;
    healthy(&elbow, 1).await;
    let (mut client, _) = open(elbow.address()).await;
    probed.stop().await;
    healthy(&elbow, 0).await;
    a_while().await;
    echoes(&mut client).await;
    // There is no fail-open: nobody takes it.
    expect_turned_away(elbow.address()).await;
}

#[tokio::test]
async fn connections_wait_in_the_surge_queue_and_what_is_too_much_is_closed() {
    let a = echo('a').await;
    let settings = format!("{UNPROBED}\nmax_concurrency = 1\nsurge_queue = {{ length = 1 }}");
    let elbow = Elbow::start(&classic(&[&a], "", &settings)).await;
    let waiting = || {
        let snapshot = elbow.running().shared.load();
        let queues = snapshot.groups["group"].surge_queues(Instant::now());
        queues.first().map_or(0, |queue| queue.length)
    };
    let (mut first, _) = open(elbow.address()).await;
    let mut second = Client::connect(elbow.address()).await;
    second.send("early").await;
    eventually(SOON, "one waits", || waiting() == 1).await;
    expect_turned_away(elbow.address()).await;
    assert_eq!(
        elbow.metric("elbow_errors_total{reason=\"SurgeQueueFull\"}"),
        1.0
    );
    a_while().await;
    assert_eq!(a.connections(), 1);
    finish(&mut first.wire).await;
    drop(first);
    assert_eq!(second.wire.take(6).await.unwrap(), b"aearly");
    assert_eq!(waiting(), 0);
}

#[tokio::test]
async fn a_connection_that_has_said_all_keeps_its_place_and_one_that_is_gone_does_not() {
    let a = echo('a').await;
    let settings = format!("{UNPROBED}\nmax_concurrency = 1");
    let elbow = Elbow::start(&classic(&[&a], "", &settings)).await;
    let waiting = || {
        let snapshot = elbow.running().shared.load();
        let queues = snapshot.groups["group"].surge_queues(Instant::now());
        queues.first().map_or(0, |queue| queue.length)
    };
    let (first, _) = open(elbow.address()).await;
    let mut complete = Client::connect(elbow.address()).await;
    complete.send("all").await;
    finish(&mut complete.wire).await;
    eventually(SOON, "one waits", || waiting() == 1).await;
    let gone = Client::connect(elbow.address()).await;
    eventually(SOON, "two wait", || waiting() == 2).await;
    drop(gone);
    eventually(SOON, "one has gone", || waiting() == 1).await;
    drop(first);
    assert_eq!(complete.wire.take(5).await.unwrap(), b"aall.");
    assert_eq!(a.connections(), 2);
}

#[tokio::test]
async fn a_line_of_the_access_log_has_dashes_where_a_connection_has_no_request() {
    let a = echo('a').await;
    let (text, folder) = logging(&classic(&[&a], "", UNPROBED));
    let elbow = Elbow::start(&text).await;
    let (mut client, _) = open(elbow.address()).await;
    echoes(&mut client).await;
    let from = client.address;
    finish(&mut client.wire).await;
    drop(client);
    let line = log_of(&folder).await;
    let fields: Vec<&str> = line.trim_end().split(' ').collect();
    assert_eq!(
        fields[1..4],
        ["lb", &from.to_string(), &a.address.to_string()]
    );
    for time in &fields[4..7] {
        let (_, decimals) = time.split_once('.').expect(time);
        assert_eq!(decimals.len(), 6, "{line}");
    }
    assert_eq!(fields[7..9], ["-", "-"]);
    assert_eq!(fields[9], "4");
    assert!(line.ends_with(" \"- - - \" \"-\" - -\n"), "{line}");
}

#[tokio::test]
async fn an_ssl_listener_ends_tls_and_logs_its_cipher() {
    let certificates = Certificates::new();
    let site = certificates.make("site", &["db.test"]);
    let a = echo('a').await;
    let ssl = format!("protocol = \"TLS\"\ncertificates = [{site}]");
    let text = classic(&[&a], "", UNPROBED).replacen("protocol = \"TCP\"", &ssl, 1);
    let (text, folder) = logging(&text);
    let elbow = Elbow::start(&text).await;
    let mut client = certificates
        .visitor()
        .visit(elbow.address(), "db.test")
        .await;
    client.send("ping").await;
    assert_eq!(client.wire.take(5).await.unwrap(), b"aping");
    drop(client);
    let line = log_of(&folder).await;
    let end: Vec<&str> = line.trim_end().rsplit(' ').take(2).collect();
    assert_eq!(end[0], "TLSv1.3", "{line}");
    assert!(end[1].starts_with("TLS_"), "{line}");
    assert!(line.contains(" \"- - - \" \"-\" "), "{line}");
}
