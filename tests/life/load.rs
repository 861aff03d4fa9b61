//! Reloads under load: a thousand requests a second, of which none may fail.

use std::net::SocketAddr;
use std::time::Duration;

use elbow::target::TargetHealth;
use tokio::sync::watch;
use tokio::time::{Instant, interval, interval_at};

use crate::scene::{Group, Site, asking, echo, group, listening, web_socket};
use crate::support::{Client, Elbow};

/// How many clients there are, each on one connection.
const CLIENTS: u32 = 50;

/// From one request of a client to its next: all clients together send one a millisecond.
const PACE: Duration = Duration::from_millis(50);

/// How many requests a second a machine must manage that has other things to do, too: half of what
/// is sent. One of two cores with nothing else to do manages all.
const LEAST: f64 = 500.0;

/// From one reload to the next.
const RELOADS: Duration = Duration::from_millis(50);

/// Sends a request at each of its times, and what is overdue as soon as the last one is answered;
/// returns how many were answered, all of them with 200.
async fn ask_at_a_pace(address: SocketAddr, first: Instant, enough: watch::Receiver<bool>) -> u32 {
    let mut client = Client::connect(address).await;
    let mut due = interval_at(first, PACE);
    let mut answered = 0;
    while !*enough.borrow() {
        due.tick().await;
        let response = client.get("/").await;
        assert_eq!(response.status(), 200, "{}", response.head);
        answered += 1;
    }
    answered
}

/// Configurations that differ in rules, weights and health checks; every fifth one is wrong.
fn variant(number: u32, a: &Site, b: &Site) -> String {
    let rule = format!(
        "[[load_balancer.listener.rule]]\npriority = {}\npath = [\"/gone/*\"]\n\
         fixed_response = {{ status = 404 }}\n",
        1 + number
    );
    let mut text = listening(0, "{ forward = \"group\" }") + &rule;
    let weight = format!(", weight = {}", 1 + number % 3);
    // Ten failures in a row take longer than the test: slowness alone makes no target unhealthy.
    let interval = if number < 50 { "1s" } else { "1100ms" };
    let threshold = 10 + number % 2;
    let settings = format!(
        "health_check = {{ path = \"/probe\", interval = \"{interval}\", timeout = \"900ms\", \
         unhealthy_threshold = {threshold} }}"
    );
    group(
        &mut text,
        "group",
        &settings,
        &[a.entry(&weight), b.entry("")],
    );
    match number % 10 {
        0 if number > 0 => text.replace("name = \"lb\"", "name = 7"),
        5 => text + "[[target_group]]\nname = \"group\"\n",
        _ => text,
    }
}

#[tokio::test]
async fn a_hundred_reloads_under_a_thousand_requests_a_second_harm_nothing() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let elbow = Elbow::start_from_file(&variant(0, &a, &b)).await;
    let states = Group(&elbow, "group");
    states.expect_healthy(&[&a, &b]).await;
    let address = elbow.address();
    let mut socket = web_socket(address).await;
    let mut download = asking(address, "/half").await;
    let mut begun = download.wire.head().await.unwrap();
    let mut upload = Client::connect(address).await;
    upload
        .send(
            "POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        )
        .await;

    let enough = watch::Sender::new(false);
    let start = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let first = start + PACE * number / CLIENTS;
            tokio::spawn(ask_at_a_pace(address, first, enough.subscribe()))
        })
        .collect();
    let mut due = interval(RELOADS);
    for number in 1..=100 {
        due.tick().await;
        let outcome = elbow.apply(&variant(number, &a, &b)).await;
        assert_eq!(outcome.is_ok(), number % 5 != 0, "{outcome:?}");
        for id in ["a", "b"] {
            let health = states.describe(id).unwrap().state;
            assert_eq!(health, TargetHealth::Healthy, "{id} after {number}");
        }
        if number % 10 == 0 {
            echo(&mut socket, &format!("reload {number}")).await;
        }
    }
    let took = start.elapsed();
    enough.send_replace(true);
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    let rate = f64::from(answered) / took.as_secs_f64();
    println!("{answered} requests in {took:.2?}: {rate:.0} a second");
    assert!(rate >= LEAST, "{rate:.0} requests a second are no load");
    assert!(a.asked("/probe") > 2, "probes go on");
    assert_eq!(elbow.generation(), 81);
    let refused = elbow.metric("elbow_reloads_total{result=\"refused\"}");
    assert_eq!(refused, 20.0);

    echo(&mut socket, "the same connection").await;
    a.open_gate();
    b.open_gate();
    download.wire.body(&mut begun, true).await.unwrap();
    assert_eq!(begun.text(), "halfhalf");
    upload.send("4\r\nhalf\r\n0\r\n\r\n").await;
    assert!(upload.response().await.text().ends_with(" 8"));
    let errors = elbow.metric("elbow_errors_total");
    assert_eq!(errors, 0.0, "{}", elbow.scrape());
}
