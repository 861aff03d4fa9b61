//! Targets that speak HTTP/2, and which clients their groups take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::sync::Semaphore;

use crate::support::{
    Client, Elbow, Http2Client, Http2Target, SOON, Target, eventually, read, soon, whole,
};

const HTTP2: &str = "protocol_version = \"HTTP2\"";
const GRPC: &str = "protocol_version = \"GRPC\"";

fn call(path: &str) -> http::request::Builder {
    Request::post(format!("http://site.test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

async fn before(target: &Http2Target, settings: &str) -> Elbow {
    Elbow::before_addresses(&[target.address], "", settings).await
}

#[tokio::test]
async fn a_request_in_http_2_reaches_a_target_in_http_2() {
    let target = Http2Target::saying("hello").await;
    let elbow = before(&target, HTTP2).await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let request = Request::get("http://Site.test/a?b=c").header("x-mine", "1");
    let response = client.ask(request).await;
    assert_eq!(
        (response.status(), response.text().as_str()),
        (200, "hello")
    );
    assert_eq!(client.post("/p", b"body").await.status(), 200);
    let requests = target.requests();
    let (head, _) = &requests[0];
    let port = elbow.address().port();
    assert_eq!(
        head.uri.to_string(),
        format!("http://site.test:{port}/a?b=c")
    );
    assert_eq!(head.headers["x-mine"], "1");
    assert_eq!(head.headers["x-forwarded-for"], "127.0.0.1");
    assert!(!head.headers.contains_key("host"));
    assert_eq!(requests[1].1, b"body");
}

#[tokio::test]
async fn requests_of_many_clients_share_one_connection_to_a_target() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let target = Http2Target::scripted(move |exchange| {
        let held = Arc::clone(&held);
        async move {
            let _open = held.acquire().await.unwrap();
            exchange.answer(200, "ok", None);
        }
    })
    .await;
    let elbow = before(&target, HTTP2).await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut client = Http2Client::connect(elbow.address()).await;
        for _ in 0..5 {
            waiting.push(client.send(Request::get("http://site.test/"), true).await.0);
        }
        std::mem::forget(client);
    }
    eventually(SOON, "all requests are there", || {
        target.requests().len() == 25
    })
    .await;
    gate.add_permits(25);
    for response in waiting {
        assert_eq!(read(soon(response).await.unwrap()).await.text(), "ok");
    }
    assert_eq!(target.connections(), 1);
    assert_eq!(elbow.metric("elbow_target_connections"), 1.0);
}

#[tokio::test]
async fn trailers_and_interim_responses_come_through() {
    let target = Http2Target::scripted(|mut exchange| async move {
        let hints = Response::builder()
            .status(103)
            .header("link", "</a>")
            .body(());
        exchange.respond.send_informational(hints.unwrap()).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        exchange.answer(200, "x", Some(trailers));
    })
    .await;
    let elbow = before(&target, GRPC).await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let (mut response, mut sending) = client.send(call("/pkg.Service/Method"), false).await;
    sending.send_data(Bytes::from_static(b"q"), true).unwrap();
    let hints = soon(std::future::poll_fn(|cx| response.poll_informational(cx))).await;
    assert_eq!(hints.unwrap().unwrap().headers()["link"], "</a>");
    let response = read(soon(response).await.unwrap()).await;
    assert_eq!(response.text(), "x");
    assert_eq!(response.trailers.unwrap()["grpc-status"], "0");
    let (head, body) = &target.requests()[0];
    assert_eq!(
        (head.headers["te"].as_bytes(), &body[..]),
        (&b"trailers"[..], &b"q"[..])
    );
    let line = elbow.log_line().await;
    assert_eq!(line.text("type"), "grpcs");
}

/// AWS: the table of protocol versions in "Target groups for your Application Load Balancers".
#[tokio::test]
async fn which_clients_a_group_takes() {
    let plain = Target::saying("1").await;
    let target = Http2Target::saying("2").await;
    let one = Elbow::before(&[&plain], "", "").await;
    let two = before(&target, HTTP2).await;
    let grpc = before(&target, GRPC).await;
    for (elbow, old, get, post, called) in [
        (&one, 200, 200, 200, 464),
        (&two, 464, 200, 200, 200),
        (&grpc, 464, 464, 200, 200),
    ] {
        let address = elbow.address();
        let status = Client::connect(address).await.get("/").await.status();
        assert_eq!(status, old);
        let mut client = Http2Client::connect(address).await;
        assert_eq!(client.get("/").await.status(), get);
        assert_eq!(client.post("/", b"x").await.status(), post);
        let response = client.ask(call("/a.B/C")).await;
        let code = response.head.headers.get("grpc-status");
        match called {
            464 => assert_eq!(code.unwrap(), "12"),
            _ => assert_eq!((response.status(), code), (200, None)),
        }
    }
    let line = one.log(4).await;
    assert_eq!(line[3].number("elb_status_code"), Some(464.0));
    assert_eq!(line[3].text("error_reason"), "ProtocolVersionMismatch");
}

#[tokio::test]
async fn a_call_that_no_target_can_take_ends_with_a_grpc_status() {
    let elbow = Elbow::before_addresses(&["127.0.0.1:1".parse().unwrap()], "", GRPC).await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let response = client.ask(call("/a.B/C")).await;
    assert_eq!(response.status(), 200);
    let headers = &response.head.headers;
    assert_eq!(headers["content-type"], "application/grpc");
    assert_eq!(headers["grpc-status"], "14");
    assert_eq!(headers["grpc-message"], "TargetConnectionError");
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(502.0));
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let reset = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&reset);
    let target = Http2Target::scripted(move |mut exchange| {
        let noted = Arc::clone(&noted);
        async move {
            let reason = std::future::poll_fn(|cx| exchange.respond.poll_reset(cx)).await;
            noted.store(reason.unwrap() == Reason::CANCEL, Ordering::SeqCst);
        }
    })
    .await;
    let elbow = before(&target, GRPC).await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let response = client
        .ask(call("/a.B/C").header("grpc-timeout", "200m"))
        .await;
    assert_eq!(response.head.headers["grpc-status"], "4");
    eventually(SOON, "the target is told", || reset.load(Ordering::SeqCst)).await;
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(504.0));
}

#[tokio::test]
async fn a_post_that_a_leaving_target_has_not_begun_with_is_sent_again() {
    let first = Arc::new(AtomicBool::new(true));
    let target = Http2Target::raw(move |mut connection, seen| {
        let leaving = first.swap(false, Ordering::SeqCst);
        async move {
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                if leaving {
                    respond.send_reset(Reason::REFUSED_STREAM);
                    continue;
                }
                let seen = seen.clone();
                tokio::spawn(async move {
                    let (parts, body) = whole(request).await;
                    seen.note(&parts, &body);
                    let response = Response::new(());
                    respond.send_response(response, true).unwrap();
                });
            }
        }
    })
    .await;
    let other = Http2Target::saying("other").await;
    let both = [target.address, other.address];
    let elbow = Elbow::before_addresses(&both, "", HTTP2).await;
    let mut client = Http2Client::connect(elbow.address()).await;
    assert_eq!(client.post("/", b"once").await.status(), 200);
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(200.0));
    let bodies: usize = target.requests().len() + other.requests().len();
    assert_eq!(bodies, 1);
}

#[tokio::test]
async fn streams_go_both_ways_at_the_same_time() {
    let target = Http2Target::raw(|mut connection, _| async move {
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            tokio::spawn(async move {
                let mut body = request.into_body();
                let mut out = respond.send_response(Response::new(()), false).unwrap();
                while let Some(Ok(data)) = body.data().await {
                    body.flow_control().release_capacity(data.len()).unwrap();
                    out.send_data(data, false).unwrap();
                }
                out.send_data(Bytes::new(), true).unwrap();
            });
        }
    })
    .await;
    let elbow = before(&target, GRPC).await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let (response, mut sending) = client.send(call("/a.B/Chat"), false).await;
    let mut back = soon(response).await.unwrap().into_body();
    for word in ["one", "two", "three"] {
        sending.send_data(Bytes::from(word), false).unwrap();
        assert_eq!(soon(back.data()).await.unwrap().unwrap(), word);
    }
    sending.send_data(Bytes::new(), true).unwrap();
    while let Some(data) = soon(back.data()).await {
        assert!(data.unwrap().is_empty());
    }
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(200.0));
}

#[tokio::test]
async fn a_websocket_in_http_2_reaches_a_target_in_http_2() {
    let target = Http2Target::raw(|mut connection, _| async move {
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            tokio::spawn(async move {
                assert_eq!(request.method(), "CONNECT");
                assert_eq!(request.uri().path(), "/chat");
                let protocol = request.extensions().get::<h2::ext::Protocol>().unwrap();
                assert_eq!(protocol.as_str(), "websocket");
                assert!(!request.headers().contains_key("sec-websocket-key"));
                let mut body = request.into_body();
                let mut out = respond.send_response(Response::new(()), false).unwrap();
                let data = body.data().await.unwrap().unwrap();
                out.send_data(data, true).unwrap();
            });
        }
    })
    .await;
    let elbow = before(&target, HTTP2).await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let request = Request::connect("http://site.test/chat")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13");
    let (response, mut sending) = client.send(request, false).await;
    let response = soon(response).await.unwrap();
    assert_eq!(response.status(), 200);
    sending
        .send_data(Bytes::from_static(b"echo"), true)
        .unwrap();
    assert_eq!(read(response).await.text(), "echo");
}
