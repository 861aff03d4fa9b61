//! How long each party may take, and what becomes of a request when one takes longer or leaves.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Client, Elbow, SOON, Target, Wire, eventually};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A pause that is part of what a test says, not a wait for something to happen.
const PAUSE: Duration = Duration::from_millis(60);

/// A timeout of 300ms may come this early or late; the machine may be busy.
fn expect_about_300ms(since: Instant) {
    let took = since.elapsed();
    let (early, late) = (Duration::from_millis(290), Duration::from_millis(2500));
    assert!(took >= early && took < late, "{took:?}");
}

/// Reads requests and never answers.
async fn silent() -> Target {
    Target::scripted(|wire: Wire, _, _| async move { Some(wire) }).await
}

#[tokio::test]
async fn an_idle_client_is_let_go_without_a_word() {
    let target = Target::answering(OK).await;
    let elbow = Elbow::before(&[&target], "idle_timeout = \"300ms\"", "").await;
    let start = Instant::now();
    let mut client = Client::connect(elbow.address()).await;
    client.expect_closed().await;
    expect_about_300ms(start);
    let mut client = Client::connect(elbow.address()).await;
    client.get("/").await;
    let start = Instant::now();
    client.expect_closed().await;
    expect_about_300ms(start);
    // An empty line is no request either, for it was never begun (RFC 9112 section 2.2).
    let mut client = Client::connect(elbow.address()).await;
    client.send("\r\n").await;
    client.expect_closed().await;
    assert_eq!(elbow.log(1).await.len(), 1);
}

#[tokio::test]
async fn a_head_that_trickles_in_is_408() {
    let elbow = Elbow::before(&[], "header_timeout = \"300ms\"", "").await;
    let start = Instant::now();
    let mut client = Client::connect(elbow.address()).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    let response = loop {
        let _ = client.wire.try_send("X: y\r\n").await;
        if let Ok(response) = timeout(PAUSE, client.response()).await {
            break response;
        }
    };
    assert_eq!(response.status(), 408);
    expect_about_300ms(start);
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(408.0));
    assert_eq!(line.text("error_reason"), "ClientTimeout");
    elbow
        .expect_metric("elbow_balancer_responses_total{code=\"408\"}", 1.0)
        .await;
}

#[tokio::test]
async fn a_body_that_stops_coming_is_408_and_one_that_trickles_in_is_not() {
    let target = Target::answering(OK).await;
    let elbow = Elbow::before(&[&target], "idle_timeout = \"300ms\"", "").await;
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n";
    let mut client = Client::connect(elbow.address()).await;
    client.send(format!("{post}abc")).await;
    let start = Instant::now();
    assert_eq!(client.response().await.status(), 408);
    expect_about_300ms(start);
    client.expect_closed().await;
    assert_eq!(elbow.log_line().await.text("error_reason"), "ClientTimeout");
    assert_eq!(target.requests().len(), 0);

    let mut client = Client::connect(elbow.address()).await;
    client.send(post).await;
    for _ in 0..12 {
        sleep(PAUSE).await;
        client.send("x").await;
    }
    assert_eq!(client.response().await.status(), 200);
}

#[tokio::test]
async fn a_target_that_does_not_answer_in_time_is_504_and_no_other_is_asked() {
    let (target, other) = (silent().await, silent().await);
    let settings = "response_timeout = \"300ms\"\nretries = 3";
    let elbow = Elbow::before(&[&target, &other], "", settings).await;
    let start = Instant::now();
    let response = Client::connect(elbow.address()).await.ask(GET).await;
    assert_eq!(response.status(), 504);
    expect_about_300ms(start);
    assert_eq!(target.connections() + other.connections(), 1);
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(504.0));
    assert_eq!(line.number("target_status_code"), None);
    assert_eq!(line.text("error_reason"), "TargetTimeout");
    elbow
        .expect_metric("elbow_balancer_responses_total{code=\"504\"}", 1.0)
        .await;
}

#[tokio::test]
async fn the_idle_timeout_is_the_response_timeout_unless_that_is_set() {
    let target = silent().await;
    let elbow = Elbow::before(&[&target], "idle_timeout = \"300ms\"", "").await;
    let start = Instant::now();
    let response = Client::connect(elbow.address()).await.ask(GET).await;
    assert_eq!(response.status(), 504);
    expect_about_300ms(start);
}

#[tokio::test]
async fn some_paths_may_take_longer_than_others_or_not_as_long() {
    let target = silent().await;
    let settings = "response_timeout = \"60s\"\n\
         response_timeouts = [{ path = [\"*/wp-admin/*\"], timeout = \"300ms\" }]";
    let elbow = Elbow::before(&[&target], "", settings).await;
    let mut visitor = Client::connect(elbow.address()).await;
    visitor.send(GET).await;
    let start = Instant::now();
    let mut client = Client::connect(elbow.address()).await;
    // Whatever the spelling, as with rules.
    let response = client.get("/blog/x/../wp-admin//import.php?all").await;
    assert_eq!(response.status(), 504);
    expect_about_300ms(start);
    eventually(SOON, "the visitor waits on", || target.connections() == 2).await;
    assert_eq!(elbow.log(1).await.len(), 1);
}

#[tokio::test]
async fn the_targets_clock_runs_only_once_it_has_the_whole_request() {
    let target = Target::answering(OK).await;
    let elbow = Elbow::before(&[&target], "", "response_timeout = \"200ms\"").await;
    let mut client = Client::connect(elbow.address()).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
        .await;
    for _ in 0..6 {
        sleep(2 * PAUSE).await;
        client.send("x").await;
    }
    assert_eq!(client.response().await.status(), 200);
}

#[tokio::test]
async fn a_target_that_takes_no_more_of_an_upload_is_504() {
    let target = Target::raw(|stream, _| async move {
        sleep(SOON).await;
        drop(stream);
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "response_timeout = \"300ms\"").await;
    let client = Client::connect(elbow.address()).await;
    let size = 64 << 20;
    let (mut reader, mut writer) = client.wire.stream.into_split();
    let upload = tokio::spawn(async move {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
        writer.write_all(head.as_bytes()).await.unwrap();
        let _ = writer.write_all(&vec![b'x'; size]).await;
    });
    let mut start = [0; 12];
    timeout(SOON, reader.read_exact(&mut start))
        .await
        .expect("an answer")
        .unwrap();
    assert_eq!(&start, b"HTTP/1.1 504");
    assert_eq!(elbow.log_line().await.text("error_reason"), "TargetTimeout");
    upload.abort();
}

#[tokio::test]
async fn a_target_that_stops_within_its_response_ends_it() {
    let target = Target::scripted(|mut wire: Wire, _, _| async move {
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            .await;
        Some(wire)
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "response_timeout = \"300ms\"").await;
    let mut client = Client::connect(elbow.address()).await;
    client.send(GET).await;
    let start = Instant::now();
    assert_eq!(client.wire.head().await.unwrap().status(), 200);
    assert_eq!(client.wire.rest().await.0, b"hello");
    expect_about_300ms(start);
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(200.0));
    assert_eq!(line.text("error_reason"), "TargetTimeout");
}

#[tokio::test]
async fn a_response_that_trickles_goes_on() {
    let target = Target::raw(|stream, _| async move {
        let mut wire = Wire::new(stream);
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
            .await;
        for _ in 0..8 {
            sleep(PAUSE).await;
            wire.send("x").await;
        }
    })
    .await;
    let attributes = "idle_timeout = \"200ms\"";
    let elbow = Elbow::before(&[&target], attributes, "").await;
    assert_eq!(
        Client::connect(elbow.address()).await.get("/").await.text(),
        "xxxxxxxx"
    );
}

#[tokio::test]
async fn a_target_whose_connections_are_never_made_is_504() {
    // A full queue drops every further SYN: to the connecting side, a black hole.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fill = Vec::new();
    while let Ok(Ok(stream)) = timeout(2 * PAUSE, TcpStream::connect(address)).await {
        fill.push(stream);
    }
    let elbow = Elbow::start(&format!(
        "[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
         [[target_group]]\nname = \"group\"\nconnect_timeout = \"300ms\"\n\
         health_check = {{ enabled = false }}\ntargets = [{{ address = \"{address}\" }}]\n"
    ))
    .await;
    let start = Instant::now();
    let response = Client::connect(elbow.address()).await.ask(GET).await;
    assert_eq!(response.status(), 504);
    expect_about_300ms(start);
    let line = elbow.log_line().await;
    assert_eq!(line.text("error_reason"), "TargetConnectionTimeout");
    assert_eq!(line.number("target_processing_time"), None);
    elbow
        .expect_metric("elbow_target_connection_errors_total", 1.0)
        .await;
    elbow.expect_metric("elbow_retries_total", 0.0).await;
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_is_logged_as_460() {
    let target = silent().await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    client.send(GET).await;
    eventually(SOON, "the target has the request", || {
        !target.requests().is_empty()
    })
    .await;
    drop(client);
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(460.0));
    assert_eq!(line.text("error_reason"), "ClientClosed");
    assert_eq!(line.number("sent_bytes"), Some(0.0));
    // What the target is still working on must not be answered to the next one.
    elbow.expect_metric("elbow_target_connections", 0.0).await;
    elbow
        .expect_metric("elbow_balancer_responses_total{code=\"460\"}", 1.0)
        .await;
}

#[tokio::test]
async fn a_client_that_leaves_within_its_request_is_logged_as_400() {
    let target = silent().await;
    let elbow = Elbow::before(&[&target], "", "").await;
    for part in [
        "GET / HT",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let mut client = Client::connect(elbow.address()).await;
        client.send(part).await;
    }
    for line in elbow.log(3).await {
        assert_eq!(line.number("elb_status_code"), Some(400.0));
        assert_eq!(line.text("error_reason"), "ClientClosedEarly");
    }
    assert_eq!(target.requests().len(), 0);
    elbow.expect_metric("elbow_target_connections", 0.0).await;
}

#[tokio::test]
async fn a_client_connection_has_a_longest_life() {
    let target = Target::answering(OK).await;
    let elbow = Elbow::before(&[&target], "client_keep_alive = \"300ms\"", "").await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.get("/").await.value("Connection"), None);
    let mut last = client.get("/").await;
    while last.value("Connection").is_none() {
        sleep(PAUSE).await;
        last = client.get("/").await;
    }
    assert_eq!(last.value("Connection"), Some("close"));
    client.expect_closed().await;
}

/// More than the kernel takes off the daemon's hands for a client that does not read.
const LARGE: usize = 24 << 20;

/// A client with a small window.
async fn narrow(elbow: &Elbow) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(elbow.address()).await.unwrap();
    stream.write_all(GET.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go_and_one_that_takes_little_is_not() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
    let target = Target::answering([head.as_bytes(), &vec![b'x'; LARGE]].concat()).await;
    let elbow = Elbow::before(&[&target], "idle_timeout = \"400ms\"", "").await;
    let still = narrow(&elbow).await;
    let line = elbow.log_line().await;
    assert_eq!(line.text("error_reason"), "ClientTimeout");
    assert!(line.number("sent_bytes").unwrap() < LARGE as f64);
    drop(still);

    let mut slow = narrow(&elbow).await;
    let mut received = 0;
    let mut piece = vec![0; 256 << 10];
    while received < LARGE {
        let count = slow
            .read(&mut piece)
            .await
            .expect("the rest of the response");
        assert!(count > 0, "cut after {received} bytes");
        received += count;
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(elbow.log(2).await[1].text("error_reason"), "-");
}
