//! HTTP/3 over QUIC, and HTTP/2 by ALPN: what a browser meets on an HTTPS listener.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod client;
mod early;
mod handshake;
mod relay;

use std::sync::Arc;

use client::Http3Client;
use h3::error::Code;
use http::Request;
use relay::{Relay, Way};
use support::{Certificates, Elbow, Http2Client, LogLine, SOON, Target, eventually, soon};
use tokio::sync::Semaphore;

fn configuration(target: &Target, certificate: &str, more: &str) -> String {
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         protocol = \"HTTPS\"\n\
         http3 = true\n\
         certificates = [{certificate}]\n\
         default = {{ forward = \"group\" }}\n\
         {more}\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ enabled = false }}\n\
         {}\n",
        target.line(),
    )
}

async fn site(target: &Target) -> (Elbow, Certificates) {
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let elbow = Elbow::start_from_file(&configuration(target, &site, "")).await;
    (elbow, certificates)
}

#[tokio::test]
async fn a_request_in_http_3_reaches_a_target_in_http_1_1() {
    let target = Target::saying("hello").await;
    let (elbow, certificates) = site(&target).await;
    let mut client = Http3Client::connect(elbow.address(), &certificates).await;
    let request = Request::get("https://Site.test/a?b=c").header("x-mine", "1");
    let response = client.ask(request, b"").await;
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    let request = target.request();
    assert_eq!(request.start_line(), "GET /a?b=c HTTP/1.1");
    assert_eq!(request.value("x-mine"), Some("1"));
    assert_eq!(request.value("x-forwarded-proto"), Some("https"));
    assert_eq!(request.value("transfer-encoding"), None);
    let line = elbow.log_line().await;
    assert_eq!(line.text("type"), "h3");
    assert_eq!(line.text("request_proto"), "HTTP/3.0");
    assert_eq!(line.text("ssl_protocol"), "TLSv1.3");
    assert_eq!(line.text("domain_name"), "site.test");
    assert_eq!(line.number("elb_status_code"), Some(200.0));
}

#[tokio::test]
async fn bodies_of_any_size_go_both_ways_in_http_3() {
    let target = Target::echoing().await;
    let (elbow, certificates) = site(&target).await;
    let mut client = Http3Client::connect(elbow.address(), &certificates).await;
    for size in [0, 1, 70_000, 2_000_000] {
        let body: Vec<u8> = (0..size).map(|place| place as u8).collect();
        let request = Request::post("https://site.test/");
        let response = client.ask(request, &body).await;
        assert_eq!(response.status, 200);
        let (sent, came) = (body.len(), response.body.len());
        assert!(response.body == body, "{sent} bytes came back as {came}");
    }
}

#[tokio::test]
async fn trailers_come_through_in_http_3() {
    let target = Target::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n",
    )
    .await;
    let (elbow, certificates) = site(&target).await;
    let mut client = Http3Client::connect(elbow.address(), &certificates).await;
    let response = client.ask(Request::get("https://site.test/"), b"").await;
    assert_eq!(response.text(), "abc");
    assert_eq!(response.trailers.unwrap()["x-sum"], "7");
}

#[tokio::test]
async fn a_response_that_is_cut_short_is_not_taken_for_whole_in_http_3() {
    let target = Target::scripted(|mut wire, _, _| async move {
        let part = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
        wire.try_send(part).await.ok()?;
        None
    })
    .await;
    let (elbow, certificates) = site(&target).await;
    let mut client = Http3Client::connect(elbow.address(), &certificates).await;
    let response = client
        .try_ask(Request::get("https://site.test/"), b"")
        .await;
    assert!(response.is_none());
}

#[tokio::test]
async fn a_client_of_tls_is_told_of_http_3_and_may_speak_http_2() {
    let target = Target::saying("hello").await;
    let (elbow, certificates) = site(&target).await;
    let port = elbow.address().port();
    let offered = format!("h3=\":{port}\"; ma=86400");

    let visitor = certificates.visitor().offering(&["http/1.1"]);
    let mut old = visitor.visit(elbow.address(), "site.test").await;
    assert_eq!(old.get("/").await.value("alt-svc"), Some(&*offered));

    let visitor = certificates.visitor().offering(&["h2", "http/1.1"]);
    let stream = visitor.visit(elbow.address(), "site.test").await;
    assert_eq!(stream.session().alpn_protocol(), Some(&b"h2"[..]));
    let mut client = Http2Client::over(stream.wire.stream).await;
    let response = client.ask(Request::get("https://site.test/")).await;
    assert_eq!(response.text(), "hello");
    assert_eq!(response.head.headers["alt-svc"], *offered);
    let line = elbow.log(2).await.pop().unwrap();
    assert_eq!(line.text("type"), "h2");
}

#[tokio::test]
async fn a_reload_does_not_concern_a_connection_in_http_3() {
    let gate = Arc::new(Semaphore::new(0));
    let target = Target::holding("/held", &gate).await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let elbow = Elbow::start_from_file(&configuration(&target, &site, "")).await;
    let mut client = Http3Client::connect(elbow.address(), &certificates).await;
    let held = client.begin(Request::get("https://site.test/held")).await;
    eventually(SOON, "the target has the request", || {
        target.requests().len() == 1
    })
    .await;
    let rule = "[[load_balancer.listener.rule]]\n\
                priority = 1\n\
                path = [\"/new\"]\n\
                fixed_response = { status = 418 }\n";
    elbow
        .apply(&configuration(&target, &site, rule))
        .await
        .unwrap();
    gate.add_permits(1);
    assert_eq!(soon(held.read()).await.unwrap().status, 200);
    let response = client.ask(Request::get("https://site.test/new"), b"").await;
    assert_eq!(response.status, 418);
}

#[tokio::test]
async fn a_shutdown_lets_requests_in_http_3_finish() {
    let gate = Arc::new(Semaphore::new(0));
    let target = Target::holding("/held", &gate).await;
    let (elbow, certificates) = site(&target).await;
    let mut client = Http3Client::connect(elbow.address(), &certificates).await;
    let held = client.begin(Request::get("https://site.test/held")).await;
    eventually(SOON, "the target has the request", || {
        target.requests().len() == 1
    })
    .await;
    let ending = tokio::spawn(elbow.shutdown());
    gate.add_permits(1);
    assert_eq!(soon(held.read()).await.unwrap().status, 200);
    drop(client);
    let _ = soon(ending).await.unwrap();
}

#[tokio::test]
async fn a_connection_in_http_3_that_is_cut_at_the_deadline_is_told_so() {
    let gate = Arc::new(Semaphore::new(0));
    let target = Target::holding("/held", &gate).await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let text = configuration(&target, &site, "");
    let elbow = Elbow::start(&format!("shutdown_deadline = \"100ms\"\n{text}")).await;
    let (endpoint, quic) = Http3Client::quic(elbow.address(), &certificates).await;
    let mut client = Http3Client::over(endpoint, quic.clone()).await;
    let held = client.begin(Request::get("https://site.test/held")).await;
    eventually(SOON, "the target has the request", || {
        target.requests().len() == 1
    })
    .await;
    let log = elbow.log_path();
    let (ended, _directory) = soon(elbow.shutdown()).await;
    assert_eq!(ended.cut, 1);
    let quinn::ConnectionError::ApplicationClosed(close) = soon(quic.closed()).await else {
        panic!("the client was told nothing");
    };
    assert_eq!(close.error_code.into_inner(), Code::H3_NO_ERROR.value());
    assert!(
        soon(held.read()).await.is_none(),
        "it is not taken for whole"
    );
    let lines = LogLine::read(&log);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].number("elb_status_code"), Some(503.0));
}

#[tokio::test]
async fn a_client_that_takes_its_requests_back_has_no_more_under_way_than_another() {
    let gate = Arc::new(Semaphore::new(0));
    let target = Target::holding("/held", &gate).await;
    let (elbow, certificates) = site(&target).await;
    let mut attacker = Http3Client::connect(elbow.address(), &certificates).await;
    let mut begun = 0;
    while begun < 1_000 {
        let request = Request::get("https://site.test/held");
        if !attacker.take_back(request).await {
            break;
        }
        begun += 1;
    }
    let reached = target.requests().len();
    assert!(reached > 0 && reached <= 128, "{reached} of {begun}");
    let mut other = Http3Client::connect(elbow.address(), &certificates).await;
    let response = other.ask(Request::get("https://site.test/"), b"").await;
    assert_eq!(response.status, 200);
    drop(attacker);
}

/// A site whose pages are of 8 MB, and which waits a second for a client to take one.
async fn impatient_site() -> (Target, Elbow, Certificates) {
    let target = Target::saying(&"x".repeat(8_000_000)).await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let text = configuration(&target, &site, "");
    let text = text.replacen(
        "name = \"lb\"\n",
        "name = \"lb\"\nidle_timeout = \"1s\"\n",
        1,
    );
    let elbow = Elbow::start(&text).await;
    (target, elbow, certificates)
}

#[tokio::test]
async fn a_response_that_the_client_does_not_take_is_given_up_in_http_3() {
    let (_target, elbow, certificates) = impatient_site().await;
    let mut client = Http3Client::connect(elbow.address(), &certificates).await;
    let waiting = client.begin(Request::get("https://site.test/")).await;
    let counter = "elbow_errors_total{reason=\"ClientTimeout\"}";
    elbow.expect_metric(counter, 1.0).await;
    assert!(waiting.read().await.is_none(), "it is not taken for whole");
    let response = client.ask(Request::get("https://site.test/"), b"").await;
    assert_eq!(response.body.len(), 8_000_000, "the connection goes on");
}

#[tokio::test]
async fn a_client_that_vanishes_amid_its_responses_is_given_up_with_all_of_them() {
    let (target, elbow, certificates) = impatient_site().await;
    let relay = Relay::to(elbow.address(), [Way::Open, Way::Open]).await;
    let mut client = Http3Client::connect(relay.address, &certificates).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let request = Request::get("https://site.test/");
        waiting.push(client.begin(request).await);
    }
    eventually(SOON, "the target has the requests", || {
        target.requests().len() == 3
    })
    .await;
    relay.turn([Way::Lost, Way::Lost]);
    let counter = "elbow_errors_total{reason=\"ClientTimeout\"}";
    elbow.expect_metric(counter, 3.0).await;
    // It has a second of rest, and what a polite one has to go.
    eventually(2 * SOON, "the connection is given up", || {
        elbow.metric("elbow_active_connections") == 0.0
    })
    .await;
}

#[tokio::test]
async fn a_client_that_takes_none_of_many_responses_is_sent_away_in_http_3() {
    let (_target, elbow, certificates) = impatient_site().await;
    let (endpoint, quic) = Http3Client::quic(elbow.address(), &certificates).await;
    let mut client = Http3Client::over(endpoint, quic.clone()).await;
    let mut waiting = Vec::new();
    for _ in 0..17 {
        let request = Request::get("https://site.test/");
        waiting.push(client.begin(request).await);
    }
    let quinn::ConnectionError::ApplicationClosed(close) = soon(quic.closed()).await else {
        panic!("the connection ended in another way");
    };
    let excessive = Code::H3_EXCESSIVE_LOAD.value();
    assert_eq!(close.error_code.into_inner(), excessive);
    let counter = "elbow_errors_total{reason=\"Http3WindowStall\"}";
    elbow.expect_metric(counter, 1.0).await;
    elbow.expect_metric("elbow_active_connections", 0.0).await;
}
