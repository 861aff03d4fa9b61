//! ALB's defaults in full: ten seconds to connect, sixty in which nothing comes.

use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use crate::support::{Client, Elbow, Target};

/// The status of a response that may take longer than anything should, and how long it took.
async fn answered(elbow: &Elbow, limit: Duration) -> (u16, Duration) {
    let mut client = Client::connect(elbow.address()).await;
    let start = Instant::now();
    client
        .send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
        .await;
    // The client's own waits are shorter.
    let readable = timeout(limit, client.wire.stream.readable()).await;
    readable.expect("an answer").unwrap();
    let took = start.elapsed();
    (client.response().await.status(), took)
}

/// From `seconds` to a few more, for the machine may be busy.
fn expect_about(took: Duration, seconds: u64) {
    let due = Duration::from_secs(seconds);
    let late = due + Duration::from_secs(8);
    assert!(took >= due && took < late, "{took:?} instead of {due:?}");
}

#[tokio::test]
async fn a_target_that_swallows_connections_is_answered_504_at_10_s() {
    // A full queue drops every further SYN: to the connecting side, a black hole.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fill = Vec::new();
    let soon = Duration::from_millis(200);
    while let Ok(Ok(stream)) = timeout(soon, TcpStream::connect(address)).await {
        fill.push(stream);
    }
    let elbow = Elbow::before_addresses(&[address], "", "").await;
    let (status, took) = answered(&elbow, Duration::from_secs(40)).await;
    assert_eq!(status, 504);
    expect_about(took, 10);
    let line = elbow.log_line().await;
    assert_eq!(line.text("error_reason"), "TargetConnectionTimeout");
}

#[tokio::test]
async fn a_target_that_is_idle_for_60_s_is_answered_for_with_504() {
    let target = Target::scripted(|wire, _, _| async move {
        std::future::pending::<()>().await;
        Some(wire)
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let (status, took) = answered(&elbow, Duration::from_secs(90)).await;
    assert_eq!(status, 504);
    expect_about(took, 60);
    assert_eq!(target.requests().len(), 1, "no other try");
    let line = elbow.log_line().await;
    assert_eq!(line.text("error_reason"), "TargetTimeout");
}
