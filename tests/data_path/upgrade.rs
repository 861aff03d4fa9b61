//! Connections that switch protocols: WebSocket end to end, and what must not be switched.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use crate::support::{Client, Elbow, Target, Wire};

/// A WebSocket server that sends every message back, and closes when it is told to.
async fn echo() -> Target {
    Target::raw(|stream, _| async move {
        let mut socket = accept_async(stream).await.unwrap();
        while let Some(Ok(frame)) = socket.next().await {
            if frame == Frame::text("close, please") {
                let code = CloseCode::Normal;
                let reason = "as you wish".into();
                let _ = socket.close(Some(CloseFrame { code, reason })).await;
            } else if frame.is_text() || frame.is_binary() {
                socket.send(frame).await.unwrap();
            }
        }
    })
    .await
}

async fn open(elbow: &Elbow) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(elbow.address()).await.unwrap();
    let (socket, response) = client_async("ws://site.test/chat?room=1", stream)
        .await
        .unwrap();
    assert_eq!(response.status(), 101);
    socket
}

#[tokio::test]
async fn messages_of_any_size_go_both_ways() {
    let target = echo().await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut socket = open(&elbow).await;
    elbow.expect_metric("elbow_upgraded_connections", 1.0).await;
    for frame in [
        Frame::text("hello"),
        Frame::binary(vec![7; 3 << 20]),
        Frame::text(""),
    ] {
        socket.send(frame.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), frame);
    }
    socket.close(None).await.unwrap();
    while let Some(frame) = socket.next().await {
        assert!(frame.unwrap().is_close());
    }
    drop(socket);
    let line = elbow.log_line().await;
    assert_eq!(line.text("type"), "ws");
    assert_eq!(line.number("elb_status_code"), Some(101.0));
    assert_eq!(line.number("target_status_code"), Some(101.0));
    assert_eq!(line.text("error_reason"), "-");
    assert!(
        line.text("request_url").starts_with("ws://site.test"),
        "{line:?}"
    );
    let through = f64::from(3 << 20);
    for bytes in ["received_bytes", "sent_bytes"] {
        let counted = line.number(bytes).unwrap();
        assert!(
            counted > through && counted < through + 10_000.0,
            "{bytes}: {counted}"
        );
    }
    elbow.expect_metric("elbow_upgraded_connections", 0.0).await;
    elbow.expect_metric("elbow_target_connections", 0.0).await;
    let closed = "elbow_target_connections_closed_total{reason=\"upgraded\"}";
    elbow.expect_metric(closed, 1.0).await;
}

#[tokio::test]
async fn the_target_may_close() {
    let target = echo().await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut socket = open(&elbow).await;
    socket.send(Frame::text("close, please")).await.unwrap();
    let Frame::Close(Some(reason)) = socket.next().await.unwrap().unwrap() else {
        panic!("no close frame");
    };
    assert_eq!(reason.reason.as_str(), "as you wish");
    assert!(socket.next().await.is_none());
    drop(socket);
    assert_eq!(elbow.log_line().await.text("type"), "ws");
}

#[tokio::test]
async fn a_client_that_vanishes_ends_the_targets_connection() {
    let target = echo().await;
    let elbow = Elbow::before(&[&target], "", "").await;
    drop(open(&elbow).await);
    assert_eq!(elbow.log_line().await.text("type"), "ws");
    elbow.expect_metric("elbow_target_connections", 0.0).await;
}

#[tokio::test]
async fn a_socket_on_which_nothing_moves_ends_at_the_idle_timeout() {
    let target = echo().await;
    let elbow = Elbow::before(&[&target], "idle_timeout = \"300ms\"", "").await;
    let mut socket = open(&elbow).await;
    // Beyond the timeout in all, never at a time.
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        socket.send(Frame::text("still here")).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap().is_text());
    }
    let start = Instant::now();
    let end = socket.next().await;
    assert!(matches!(end, None | Some(Err(_))), "{end:?}");
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(250) && took < Duration::from_millis(2500),
        "{took:?}"
    );
    assert_eq!(
        elbow.log_line().await.number("elb_status_code"),
        Some(101.0)
    );
}

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
                   Upgrade: chat\r\n";

#[tokio::test]
async fn bytes_that_come_with_the_heads_are_part_of_the_new_protocol() {
    let target = Target::raw(|stream, _| async move {
        let mut wire = Wire::new(stream);
        let request = wire.head().await.unwrap();
        assert_eq!(request.value("Connection"), Some("upgrade"));
        assert_eq!(request.value("Upgrade"), Some("chat"));
        wire.send("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nfirst")
            .await;
        let early = wire.take(5).await.unwrap();
        wire.send(early).await;
        // Half of the connection may end before the other.
        assert_eq!(wire.rest().await.0, b"late");
        wire.send("bye").await;
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    client.send(format!("{ASK}\r\nearly")).await;
    let head = client.wire.head().await.unwrap();
    assert_eq!(
        head.head,
        "HTTP/1.1 101 Switching\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n"
    );
    assert_eq!(client.wire.take(10).await.unwrap(), b"firstearly");
    client.send("late").await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.wire.stream)
        .await
        .unwrap();
    assert_eq!(client.wire.rest().await, (b"bye".to_vec(), true));
}

#[tokio::test]
async fn a_target_that_declines_answers_like_any_other() {
    let said = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: other\r\nContent-Length: 2\r\n\r\nno";
    let target = Target::answering(said).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..2 {
        let response = client.ask(format!("{ASK}\r\n")).await;
        assert_eq!((response.status(), response.text()), (426, "no"));
        assert_eq!(response.value("Upgrade"), Some("other"));
    }
    assert_eq!(target.connections(), 1);
}

#[tokio::test]
async fn http_2_is_never_asked_for() {
    for protocol in ["h2c", "H2C", "h2", "websocket, h2c", "h2c, websocket"] {
        let target = Target::saying("plain").await;
        let elbow = Elbow::before(&[&target], "", "").await;
        let mut client = Client::connect(elbow.address()).await;
        let response = client
            .ask(format!(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                 Upgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
            ))
            .await;
        assert_eq!(response.text(), "plain");
        let request = target.request();
        let upgrade = request.value("Upgrade").unwrap_or_default().to_lowercase();
        assert!(!upgrade.contains("h2"), "{protocol}: {}", request.head);
        assert_eq!(request.value("HTTP2-Settings"), None);
    }
}

#[tokio::test]
async fn only_a_get_without_a_body_may_switch() {
    let switch = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
    for request in [
        ASK.replace("GET", "POST") + "Content-Length: 3\r\n\r\nabc",
        ASK.to_owned() + "Content-Length: 3\r\n\r\nabc",
        ASK.replace("HTTP/1.1", "HTTP/1.0") + "\r\n",
        ASK.replace("keep-alive, Upgrade", "keep-alive") + "\r\n",
    ] {
        let target = Target::answering(switch).await;
        let elbow = Elbow::before(&[&target], "", "").await;
        let mut client = Client::connect(elbow.address()).await;
        assert_eq!(client.ask(&request).await.status(), 502, "{request}");
        assert_eq!(target.request().value("Upgrade"), None, "{request}");
        assert_eq!(
            elbow.log_line().await.text("error_reason"),
            "UpgradeUnasked"
        );
    }
}
