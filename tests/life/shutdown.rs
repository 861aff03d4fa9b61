//! Shutdown: the listeners close, what is idle ends, what is in flight finishes until the deadline.

use std::io::ErrorKind;
use std::time::Duration;

use elbow::app::Ended;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::scene::{
    Site, UNPROBED, asking, echo, expect_refused, one_group, order, web_socket, who,
};
use crate::support::{Client, Elbow, SOON, eventually};

async fn before(site: &Site, deadline: &str) -> Elbow {
    let group = one_group(&[site], UNPROBED);
    Elbow::start(&format!("shutdown_deadline = \"{deadline}\"\n{group}")).await
}

#[tokio::test]
async fn idle_connections_close_at_once_and_new_ones_are_refused() {
    let site = Site::start("a").await;
    let elbow = before(&site, "60s").await;
    let address = elbow.address();
    let mut silent = Client::connect(address).await;
    let mut idle = Client::connect(address).await;
    assert_eq!(idle.get("/").await.status(), 200);
    elbow.expect_metric("elbow_active_connections", 2.0).await;
    let (ended, _log) = elbow.shutdown().await;
    assert_eq!(ended, Ended { cut: 0 });
    idle.expect_closed().await;
    silent.expect_closed().await;
    let error = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_request_in_flight_finishes_while_the_rest_ends_and_its_connection_is_told_to_close() {
    let site = Site::start("a").await;
    let elbow = before(&site, "60s").await;
    let address = elbow.address();
    let log = elbow.log_path();
    let mut client = asking(address, "/held").await;
    let mut half = asking(address, "/half").await;
    let mut begun = half.wire.head().await.unwrap();
    eventually(SOON, "the request is in flight", || {
        site.asked("/held") == 1
    })
    .await;
    let mut idle = Client::connect(address).await;
    assert_eq!(who(&idle.get("/").await), "a");
    let mut admin = Client::connect(elbow.admin()).await;
    assert_eq!(admin.get("/ready").await.status(), 200);
    let readiness = elbow.running().readiness.clone();

    let ending = tokio::spawn(elbow.shutdown());
    idle.expect_closed().await;
    assert!(!readiness.is_ready());
    assert_eq!(admin.get("/ready").await.status(), 503);
    expect_refused(address).await;
    site.open_gate();
    let response = client.response().await;
    assert_eq!(who(&response), "a");
    assert_eq!(response.value("Connection"), Some("close"));
    client.expect_closed().await;
    half.wire.body(&mut begun, true).await.expect("the rest");
    half.expect_closed().await;
    let (ended, directory) = ending.await.unwrap();
    assert_eq!(ended.cut, 0);
    let lines = std::fs::read_to_string(log).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    drop(directory);
}

#[tokio::test]
async fn a_request_that_was_sent_before_the_shutdown_is_answered() {
    let site = Site::start("a").await;
    let elbow = before(&site, "60s").await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(asking(elbow.address(), "/").await);
    }
    let (ended, _log) = elbow.shutdown().await;
    for client in &mut clients {
        assert_eq!(client.response().await.status(), 200);
    }
    assert_eq!(ended, Ended { cut: 0 });
}

#[tokio::test]
async fn what_does_not_finish_is_cut_at_the_deadline_and_logged() {
    let site = Site::start("a").await;
    let elbow = before(&site, "500ms").await;
    let log = elbow.log_path();
    let mut held = asking(elbow.address(), "/held").await;
    let mut socket = web_socket(elbow.address()).await;
    eventually(SOON, "the request is in flight", || {
        site.asked("/held") == 1
    })
    .await;
    let begun = Instant::now();
    let (ended, directory) = elbow.shutdown().await;
    let took = begun.elapsed();
    assert_eq!(ended.cut, 2);
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(took < SOON, "{took:?}");
    held.expect_closed().await;
    socket.expect_closed().await;
    let lines = std::fs::read_to_string(log).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    drop(directory);
}

#[tokio::test]
async fn the_deadline_is_that_of_the_last_reload() {
    let site = Site::start("a").await;
    let group = one_group(&[&site], UNPROBED);
    let text = format!("shutdown_deadline = \"60s\"\n{group}");
    let elbow = Elbow::start_from_file(&text).await;
    let mut held = asking(elbow.address(), "/held").await;
    eventually(SOON, "the request is in flight", || {
        site.asked("/held") == 1
    })
    .await;
    elbow.apply(&text.replace("60s", "50ms")).await.unwrap();
    let (ended, _log) = elbow.shutdown().await;
    assert_eq!(ended, Ended { cut: 1 });
    held.expect_closed().await;
}

#[tokio::test]
async fn a_web_socket_that_ends_in_time_is_not_cut() {
    let site = Site::start("a").await;
    let elbow = before(&site, "60s").await;
    let address = elbow.address();
    let mut socket = web_socket(address).await;
    let ending = tokio::spawn(elbow.shutdown());
    expect_refused(address).await;
    echo(&mut socket, "still here").await;
    drop(socket);
    let (ended, _log) = ending.await.unwrap();
    assert_eq!(ended.cut, 0);
}

#[tokio::test]
async fn all_lines_of_the_access_log_are_there_at_the_end() {
    let site = Site::start("a").await;
    let elbow = before(&site, "60s").await;
    let log = elbow.log_path();
    assert_eq!(order(elbow.address(), 200).await.len(), 200);
    let (_, directory) = elbow.shutdown().await;
    let lines = std::fs::read_to_string(log).unwrap();
    assert_eq!(lines.lines().count(), 200);
    drop(directory);
}
