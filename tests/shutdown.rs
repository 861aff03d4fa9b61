//! How the daemon ends, and what it refuses while it runs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "daemon_support/mod.rs"]
mod support;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use elbow::app::{App, Ended, Options, StartError};
use elbow::reload::Source;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use support::{Client, Daemon, Site, document, eventually};

/// A site whose `/slow` answers when the gate opens.
async fn slow_site() -> (Site, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let slow = move || async move {
        let _permit = held.acquire().await;
        "at last"
    };
    let routes = Router::new()
        .route("/slow", get(slow))
        .fallback(|| async { "quick" });
    (Site::start(routes).await, gate)
}

fn forwarding(site: &Site) -> String {
    format!(
        "[[load_balancer]]\nname = \"web\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\nport = 0\ndefault = {{ forward = \"site\" }}\n\
         [[target_group]]\nname = \"site\"\n\
         targets = [{{ id = \"a\", address = \"{}\" }}]\n",
        site.address
    )
}

/// A request that the target has begun to work on.
async fn in_flight(daemon: &Daemon) -> Client {
    daemon.healthy("site", "a").await;
    let mut client = Client::connect(daemon.address("web")).await;
    client.send("GET", "/slow").await;
    let target = daemon.target("site", "a");
    eventually("the request is in flight", || target.state.in_flight() == 1).await;
    client
}

#[tokio::test]
async fn a_shutdown_answers_what_is_in_flight_and_closes_what_is_idle() {
    let (site, gate) = slow_site().await;
    let daemon = Daemon::start(&forwarding(&site)).await;
    let mut busy = in_flight(&daemon).await;
    let address = daemon.address("web");
    let mut idle = Client::connect(address).await;
    assert_eq!(idle.get("/").await.body, "quick");
    let mut admin = Client::connect(daemon.running.admin).await;
    assert_eq!(admin.get("/ready").await.status, 200);

    let readiness = daemon.running.readiness.clone();
    let shutdown = tokio::spawn(daemon.running.shutdown());
    idle.closed().await;
    assert!(!readiness.is_ready());
    assert_eq!(admin.get("/ready").await.status, 503);
    while TcpStream::connect(address).await.is_ok() {}
    gate.add_permits(1);
    assert_eq!(busy.answer().await.unwrap().body, "at last");
    busy.closed().await;
    assert_eq!(shutdown.await.unwrap(), Ended { cut: 0 });
}

#[tokio::test]
async fn a_request_that_was_sent_before_the_shutdown_is_answered() {
    let (site, _gate) = slow_site().await;
    let daemon = Daemon::start(&forwarding(&site)).await;
    daemon.healthy("site", "a").await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = Client::connect(daemon.address("web")).await;
        client.send("GET", "/").await;
        clients.push(client);
    }
    let ended = daemon.running.shutdown().await;
    let mut answered = 0;
    for client in &mut clients {
        answered += usize::from(
            client
                .answer()
                .await
                .is_some_and(|answer| answer.status == 200),
        );
    }
    assert_eq!((answered, ended), (100, Ended { cut: 0 }));
}

#[tokio::test]
async fn what_is_open_at_the_deadline_is_cut() {
    let (site, _gate) = slow_site().await;
    let daemon = Daemon::start(&forwarding(&site)).await;
    let mut busy = in_flight(&daemon).await;
    let text = document(&forwarding(&site));
    daemon.write_raw(&text.replace(
        "shutdown_deadline = \"10s\"",
        "shutdown_deadline = \"50ms\"",
    ));
    let reload = daemon.running.reload.clone();
    reload.reload(elbow::reload::Cause::Api).await.unwrap();
    assert_eq!(daemon.running.shutdown().await, Ended { cut: 1 });
    busy.closed().await;
}

#[tokio::test]
async fn one_connection_more_than_allowed_is_closed_and_counted() {
    let (site, _gate) = slow_site().await;
    let limited =
        forwarding(&site).replace("name = \"web\"", "name = \"web\"\nmax_connections = 2");
    let daemon = Daemon::start(&limited).await;
    daemon.healthy("site", "a").await;
    let mut first = Client::connect(daemon.address("web")).await;
    let mut second = Client::connect(daemon.address("web")).await;
    assert_eq!(first.get("/").await.status, 200);
    assert_eq!(second.get("/").await.status, 200);
    Client::connect(daemon.address("web")).await.closed().await;
    let labels = "{load_balancer=\"web\",zone=\"\"}";
    let rejected = format!("elbow_rejected_connections_total{labels}");
    assert_eq!(daemon.metric(&rejected).await, 1.0);
    let active = format!("elbow_active_connections{labels}");
    assert_eq!(daemon.metric(&active).await, 2.0);
    drop(first);
    let balancer = Arc::clone(&daemon.running.shared.load().load_balancers[0]);
    eventually("the place is free", || balancer.admissions.open() == 1).await;
    let mut third = Client::connect(daemon.address("web")).await;
    assert_eq!(third.get("/").await.status, 200);
}

#[tokio::test]
async fn a_second_daemon_on_the_same_address_is_refused_although_the_kernel_would_share_it() {
    let (site, _gate) = slow_site().await;
    let address = support::own_address();
    let fixed = forwarding(&site)
        .replace("port = 0", "port = 8080")
        .replace(
            "nodes = [{ address = \"127.0.0.1\"",
            &format!("nodes = [{{ address = \"{address}\""),
        );
    let _first = Daemon::start(&fixed).await;
    let second = App::start(Options::new(Source::Text {
        name: "second".to_owned(),
        text: document(&fixed),
    }))
    .await;
    let error = second.map(|_| ()).unwrap_err();
    assert!(
        error.to_string().contains("the address is in use"),
        "{error}"
    );
    assert!(!error.is_bad_configuration());
}

#[tokio::test]
async fn a_wrong_configuration_keeps_the_daemon_from_starting() {
    let text = "[[load_balancer]]\nname = \"web\"\n[[load_balancer.listener]]\nport = 80\n\
                default = { forward = \"nowhere\" }\n";
    let started = App::start(Options::new(Source::Text {
        name: "text".to_owned(),
        text: text.to_owned(),
    }))
    .await;
    let error: StartError = started.map(|_| ()).unwrap_err();
    assert!(error.is_bad_configuration());
    assert!(error.to_string().contains("text:5:23"), "{error}");
}
