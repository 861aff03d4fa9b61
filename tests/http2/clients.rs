//! Clients that speak HTTP/2, and targets that speak HTTP/1.1.

use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use http::Request;
use tokio::sync::Semaphore;

use crate::support::{Client, Elbow, Http2Client, SOON, Target, eventually, read, soon};

#[tokio::test]
async fn a_request_in_http_2_reaches_a_target_in_http_1_1() {
    let target = Target::saying("hello").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let request = Request::get("http://Site.test/a?b=c")
        .header("x-mine", "1")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    let response = client.ask(request).await;
    assert_eq!(
        (response.status(), response.text().as_str()),
        (200, "hello")
    );
    assert_eq!(response.head.headers["content-length"], "5");
    let request = target.request();
    assert_eq!(request.start_line(), "GET /a?b=c HTTP/1.1");
    let port = elbow.address().port();
    assert_eq!(
        request.value("host"),
        Some(format!("site.test:{port}").as_str())
    );
    assert_eq!(request.value("x-mine"), Some("1"));
    assert_eq!(request.value("cookie"), Some("a=1; b=2"));
    assert_eq!(request.value("x-forwarded-for"), Some("127.0.0.1"));
    let line = elbow.log_line().await;
    assert_eq!(line.text("type"), "h2");
    assert_eq!(line.text("request_proto"), "HTTP/2.0");
    assert_eq!(line.number("elb_status_code"), Some(200.0));
}

#[tokio::test]
async fn bodies_of_any_size_go_both_ways() {
    let target = Target::echoing().await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Http2Client::connect(elbow.address()).await;
    for size in [0, 1, 70_000, 3_000_000] {
        let body: Vec<u8> = (0..size).map(|place| place as u8).collect();
        let request = Request::post("http://site.test/");
        let (response, mut sending) = client.send(request, false).await;
        let sent = body.clone();
        let send = async {
            let mut left = &sent[..];
            while !left.is_empty() {
                sending.reserve_capacity(left.len());
                let room = soon(std::future::poll_fn(|cx| sending.poll_capacity(cx))).await;
                let (part, rest) = left.split_at(room.unwrap().unwrap().min(left.len()));
                sending
                    .send_data(Bytes::copy_from_slice(part), rest.is_empty())
                    .unwrap();
                left = rest;
            }
            if sent.is_empty() {
                sending.send_data(Bytes::new(), true).unwrap();
            }
        };
        let ((), response) =
            tokio::join!(send, async { read(soon(response).await.unwrap()).await });
        assert_eq!(response.status(), 200);
        assert!(
            response.body == body,
            "{size} bytes came back as {}",
            response.body.len()
        );
    }
}

#[tokio::test]
async fn a_length_that_the_client_gives_reaches_the_target() {
    let target = Target::saying("ok").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let request = Request::post("http://site.test/").header("content-length", "3");
    let (response, mut sending) = client.send(request, false).await;
    sending.send_data(Bytes::from_static(b"abc"), true).unwrap();
    assert_eq!(read(soon(response).await.unwrap()).await.status(), 200);
    assert_eq!(client.post("/", b"abcd").await.status(), 200);
    let requests = target.requests();
    assert_eq!(requests[0].value("content-length"), Some("3"));
    assert_eq!(requests[1].value("transfer-encoding"), Some("chunked"));
    assert_eq!(requests[1].body, b"abcd");
}

#[tokio::test]
async fn a_chunked_response_comes_without_framing_and_with_its_trailers() {
    let target = Target::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\
         Keep-Alive: timeout=5\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n",
    )
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let response = client.get("/").await;
    assert_eq!(response.text(), "abc");
    assert_eq!(response.trailers.unwrap()["x-sum"], "7");
    for name in ["transfer-encoding", "connection", "keep-alive"] {
        assert!(!response.head.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn many_requests_share_a_connection_and_none_waits_for_another() {
    let gate = Arc::new(Semaphore::new(0));
    let target = Target::holding("/slow", &gate).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let slow = Request::get("http://site.test/slow");
    let (slow, _) = client.send(slow, true).await;
    for _ in 0..10 {
        assert_eq!(client.get("/quick").await.status(), 200);
    }
    gate.add_permits(1);
    assert_eq!(read(soon(slow).await.unwrap()).await.status(), 200);
    assert_eq!(elbow.metric("elbow_new_connections_total"), 1.0);
    elbow.expect_metric("elbow_requests_total", 11.0).await;
}

#[tokio::test]
async fn a_client_that_resets_its_stream_ends_the_request_at_the_target() {
    let gate = Arc::new(Semaphore::new(0));
    let target = Target::holding("/held", &gate).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let (response, mut sending) = client
        .send(Request::get("http://site.test/held"), true)
        .await;
    eventually(SOON, "the target has the request", || {
        target.requests().len() == 1
    })
    .await;
    sending.send_reset(Reason::CANCEL);
    drop(response);
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(460.0));
    assert_eq!(
        client.get("/other").await.status(),
        200,
        "the connection goes on"
    );
}

#[tokio::test]
async fn a_response_that_is_cut_short_resets_its_stream_alone() {
    let target = Target::scripted(|mut wire, request, _| async move {
        if request.start_line().contains("/cut") {
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                .await;
            return None;
        }
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
        Some(wire)
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let (response, _) = client
        .send(Request::get("http://site.test/cut"), true)
        .await;
    // The reset may overtake what was not yet on the wire.
    let error = match soon(response).await {
        Err(error) => error,
        Ok(response) => {
            let mut body = response.into_body();
            loop {
                if let Err(error) = soon(body.data()).await.expect("the body is not whole") {
                    break error;
                }
            }
        }
    };
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    assert_eq!(client.get("/whole").await.text(), "ok");
}

#[tokio::test]
async fn a_websocket_over_http_2_is_an_upgrade_at_the_target() {
    let target = Target::scripted(|mut wire, request, _| async move {
        assert_eq!(request.start_line(), "GET /chat HTTP/1.1");
        assert_eq!(request.value("upgrade"), Some("websocket"));
        assert_eq!(request.value("sec-websocket-key").unwrap().len(), 24);
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello";
        wire.send(answer).await;
        assert_eq!(wire.take(4).await.unwrap(), b"ping");
        wire.send(b"pong").await;
        None
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let request = Request::connect("http://site.test/chat")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13");
    let (response, mut sending) = client.send(request, false).await;
    let response = soon(response).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("upgrade"));
    sending
        .send_data(Bytes::from_static(b"ping"), false)
        .unwrap();
    assert_eq!(read(response).await.text(), "hellopong");
    sending.send_data(Bytes::new(), true).unwrap();
    let line = elbow.log_line().await;
    assert_eq!(line.text("type"), "ws");
    assert_eq!(line.number("elb_status_code"), Some(101.0));
}

#[tokio::test]
async fn a_listener_that_is_removed_says_goaway_and_finishes_what_is_in_flight() {
    let gate = Arc::new(Semaphore::new(0));
    let target = Target::holding("/slow", &gate).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let (slow, _) = client
        .send(Request::get("http://site.test/slow"), true)
        .await;
    eventually(SOON, "the target has the request", || {
        target.requests().len() == 1
    })
    .await;
    let ending = tokio::spawn(elbow.shutdown());
    // GOAWAY makes the client's library refuse to open another stream; until then each is served.
    soon(async {
        while let Ok(mut ready) = client.requests.clone().ready().await {
            let request = Request::get("http://site.test/").body(()).unwrap();
            let Ok((response, _)) = ready.send_request(request, true) else {
                return;
            };
            if response.await.is_err() {
                return;
            }
        }
    })
    .await;
    gate.add_permits(1);
    assert_eq!(read(soon(slow).await.unwrap()).await.status(), 200);
    soon(client.ended()).await.unwrap();
    let _ = soon(ending).await.unwrap();
}

#[tokio::test]
async fn http_2_can_be_switched_off() {
    let target = Target::saying("hello").await;
    let elbow = Elbow::before(&[&target], "http2 = false", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let response = client.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(response.status(), 505);
}
