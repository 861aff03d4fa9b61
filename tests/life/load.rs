//! Reloads under load: a thousand requests a second, of which none may fail.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use elbow::target::TargetHealth;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::scene::{Group, Site, asking, echo, group, listening, web_socket};
use crate::support::{Client, Elbow, SOON, eventually};

/// How many clients there are, each on one connection.
const CLIENTS: u32 = 50;

/// From one request of a client to its next: all clients together send one a millisecond.
const PACE: Duration = Duration::from_millis(50);

/// From one reload to the next, at the least.
const RELOADS: Duration = Duration::from_millis(50);

/// How many requests are answered from one reload to the next, at the least: of the fifty that are
/// sent, those are left out that a busy machine may be late with. One that cannot keep the pace gets
/// its reloads more slowly, not with less load.
const EACH: u32 = 40;

/// What the clients have done, and whether it is enough.
#[derive(Default)]
struct Load {
    answered: AtomicU32,
    enough: AtomicBool,
}

impl Load {
    fn answered(&self) -> u32 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Sends a request at each of its times, and what is overdue as soon as the last one is
    /// answered; all are answered with 200.
    async fn ask_at_a_pace(self: Arc<Self>, address: SocketAddr, first: Instant) {
        let mut client = Client::connect(address).await;
        let mut due = interval_at(first, PACE);
        while !self.enough.load(Ordering::Relaxed) {
            due.tick().await;
            let response = client.get("/").await;
            assert_eq!(response.status(), 200, "{}", response.head);
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
    }
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

    let load = Arc::<Load>::default();
    let start = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let first = start + PACE * number / CLIENTS;
            tokio::spawn(Arc::clone(&load).ask_at_a_pace(address, first))
        })
        .collect();
    let mut due = interval(RELOADS);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1..=100 {
        let before = load.answered();
        due.tick().await;
        eventually(SOON, "the load", || load.answered() >= before + EACH).await;
        let outcome = elbow.apply(&variant(number, &a, &b)).await;
        assert_eq!(outcome.is_ok(), number % 5 != 0, "{outcome:?}");
        for id in ["a", "b"] {
            let health = states.describe(id).unwrap().state;
            assert_eq!(health, TargetHealth::Healthy, "{id} after {number}");
        }
        if number % 10 == 0 {
            echo(&mut socket, &format!("reload {number}")).await;
            upload.send("4\r\nmore\r\n").await;
        }
    }
    let took = start.elapsed();
    load.enough.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let answered = load.answered();
    let rate = f64::from(answered) / took.as_secs_f64();
    println!("{answered} requests in {took:.2?}: {rate:.0} a second");
    assert!(answered >= 100 * EACH);
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
    assert!(upload.response().await.text().ends_with(" 48"));
    let errors = elbow.metric("elbow_errors_total");
    assert_eq!(errors, 0.0, "{}", elbow.scrape());
}
