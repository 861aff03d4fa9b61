//! Connections to targets: used again, replaced when dead, and when a request is sent once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Client, Elbow, Message, SOON, Target, Wire, eventually, targets};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

async fn status(elbow: &Elbow, request: &str) -> u16 {
    Client::connect(elbow.address())
        .await
        .ask(request)
        .await
        .status()
}

#[tokio::test]
async fn clients_share_a_connection_to_the_target() {
    let target = Target::answering(OK).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    for request in [GET, POST, GET] {
        assert_eq!(status(&elbow, request).await, 200);
    }
    assert_eq!(target.connections(), 1);
    elbow
        .expect_metric("elbow_target_connections_opened_total", 1.0)
        .await;
    elbow
        .expect_metric("elbow_target_connections_reused_total", 2.0)
        .await;
    elbow
        .expect_metric("elbow_target_idle_connections", 1.0)
        .await;
}

#[tokio::test]
async fn a_get_that_meets_a_connection_just_closed_is_sent_on_a_fresh_one() {
    // The worst case: the target closes when the request is on its way already.
    let target = Target::scripted(|mut wire: Wire, _, number| async move {
        if number == 1 {
            return None;
        }
        wire.send(OK).await;
        Some(wire)
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "retries = 0").await;
    for _ in 0..4 {
        assert_eq!(status(&elbow, GET).await, 200);
    }
    assert_eq!(target.connections(), 4);
    elbow.expect_metric("elbow_stale_reuse_total", 3.0).await;
    elbow.expect_metric("elbow_retries_total", 0.0).await;
}

#[tokio::test]
async fn a_post_that_a_target_may_have_acted_on_is_never_sent_twice() {
    let target = Target::scripted(|mut wire: Wire, _, number| async move {
        if number == 1 {
            return None;
        }
        wire.send(OK).await;
        Some(wire)
    })
    .await;
    let other = Target::answering(OK).await;
    let elbow = Elbow::before(&[&target], "", "retries = 3").await;
    assert_eq!(status(&elbow, GET).await, 200);
    assert_eq!(status(&elbow, POST).await, 502);
    let posts = target
        .requests()
        .iter()
        .filter(|seen| seen.text() == "hello")
        .count();
    assert_eq!((posts, other.connections()), (1, 0));
    elbow.expect_metric("elbow_stale_reuse_total", 0.0).await;
}

#[tokio::test]
async fn a_target_that_closes_after_each_response_without_a_word_costs_nobody_a_response() {
    let target = Target::scripted(|mut wire: Wire, _, _| async move {
        wire.send(OK).await;
        None
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "retries = 0").await;
    let mut client = Client::connect(elbow.address()).await;
    for number in 0..60 {
        let request = if number % 3 == 0 { POST } else { GET };
        assert_eq!(client.ask(request).await.status(), 200, "{number}");
    }
    let acted = target
        .requests()
        .iter()
        .filter(|seen| seen.text() == "hello")
        .count();
    assert_eq!(acted, 20);
}

#[tokio::test]
async fn a_connection_is_kept_as_long_as_its_target_says() {
    for (said, connections, reason) in [
        ("Connection: close", 3, "not_reusable"),
        ("Keep-Alive: timeout=1", 3, "target_timeout"),
        ("Keep-Alive: timeout=5, max=0", 3, "target_maximum"),
        ("Keep-Alive: timeout=5, max=100", 1, "not_reusable"),
    ] {
        let response = format!("HTTP/1.1 200 OK\r\n{said}\r\nContent-Length: 2\r\n\r\nok");
        let target = Target::answering(response).await;
        let elbow = Elbow::before(&[&target], "", "").await;
        for request in [GET, POST, GET] {
            assert_eq!(status(&elbow, request).await, 200);
        }
        assert_eq!(target.connections(), connections, "{said}");
        let closed = format!("elbow_target_connections_closed_total{{reason=\"{reason}\"}}");
        let expected = if connections == 1 { 0.0 } else { 3.0 };
        elbow.expect_metric(&closed, expected).await;
    }
}

#[tokio::test]
async fn a_connection_at_rest_is_closed_at_the_idle_timeout() {
    let target = Target::answering(OK).await;
    let elbow = Elbow::before(&[&target], "idle_timeout = \"200ms\"", "").await;
    assert_eq!(status(&elbow, GET).await, 200);
    let closed = "elbow_target_connections_closed_total{reason=\"idle_timeout\"}";
    elbow.expect_metric(closed, 1.0).await;
    elbow.expect_metric("elbow_target_connections", 0.0).await;
}

#[tokio::test]
async fn what_a_target_sends_unasked_is_answered_to_nobody() {
    // In the same write as the response, and in one of its own behind it.
    for late in [false, true] {
        let target = Target::scripted(move |mut wire: Wire, _, _| async move {
            let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
            if late {
                wire.send(OK).await;
                wire.send(evil).await;
            } else {
                wire.send(format!("{OK}{evil}")).await;
            }
            Some(wire)
        })
        .await;
        let elbow = Elbow::before(&[&target], "", "").await;
        for _ in 0..2 {
            let mut client = Client::connect(elbow.address()).await;
            assert_eq!(client.get("/").await.text(), "ok");
            let closed = "elbow_target_idle_connections";
            // A connection that spoke unasked is found out before anyone gets it.
            eventually(SOON, "the connection is closed", || {
                elbow.metric(closed) == 0.0
            })
            .await;
        }
        assert_eq!(target.connections(), 2);
    }
}

#[tokio::test]
async fn a_target_that_refuses_connections_costs_neither_get_nor_post() {
    let mut dead = Target::answering(OK).await;
    let alive = Target::answering(OK).await;
    let elbow = Elbow::before(&[&dead, &alive], "", "").await;
    dead.stop().await;
    for request in [GET, POST, GET, POST] {
        assert_eq!(status(&elbow, request).await, 200);
    }
    let seen = alive.requests();
    let bodies: Vec<_> = seen.iter().map(Message::text).collect();
    assert_eq!(bodies, ["", "hello", "", "hello"]);
    let log = elbow.log(4).await;
    let mut retried = 0.0;
    for line in log {
        assert_eq!(line.number("elb_status_code"), Some(200.0));
        if line.field("target_port_list").as_array().unwrap().len() == 2 {
            assert_eq!(
                line.field("target_status_code_list").to_string(),
                "[null,200]"
            );
            retried += 1.0;
        }
    }
    assert!(retried >= 2.0, "{retried}");
    let retries = "elbow_retries_total{reason=\"connect_failed\"}";
    elbow.expect_metric(retries, retried).await;
    let errors = "elbow_target_connection_errors_total";
    elbow.expect_metric(errors, retried).await;
}

#[tokio::test]
async fn retries_are_limited_and_the_client_sees_why_they_failed() {
    for (retries, tried) in [(0, 1), (1, 2), (2, 3), (9, 3)] {
        let mut dead = Vec::new();
        for _ in 0..3 {
            dead.push(Target::answering(OK).await);
        }
        let all: Vec<&Target> = dead.iter().collect();
        let elbow = Elbow::before(&all, "", &format!("retries = {retries}")).await;
        for target in &mut dead {
            target.stop().await;
        }
        assert_eq!(status(&elbow, GET).await, 502);
        let line = elbow.log_line().await;
        assert_eq!(line.text("error_reason"), "TargetConnectionError");
        assert_eq!(line.number("elb_status_code"), Some(502.0));
        assert_eq!(line.number("target_status_code"), None);
        let list = line.field("target_port_list").as_array().unwrap().len();
        assert_eq!(list, tried, "{retries} retries");
        // Counted is what was sent again, not what could have been.
        let counted = f64::from(tried as u32 - 1);
        elbow.expect_metric("elbow_retries_total", counted).await;
    }
}

#[tokio::test]
async fn a_large_post_whose_first_target_refuses_goes_elsewhere_whole() {
    let mut dead = Target::answering(OK).await;
    let alive = Target::answering(OK).await;
    let elbow = Elbow::before(&[&dead, &alive], "", "").await;
    dead.stop().await;
    let body = "0123456789".repeat(100_000);
    let length = body.len();
    for _ in 0..2 {
        let mut client = Client::connect(elbow.address()).await;
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(client.ask(head + &body).await.status(), 200);
    }
    assert!(alive.requests().iter().all(|post| post.text() == body));
}

/// Two targets: the first to be asked reads the request and closes; the other answers.
async fn one_of_two_closes() -> (Target, Target) {
    let closed = Arc::new(AtomicBool::new(false));
    let script = move |mut wire: Wire, _: Message, _| {
        let first = !closed.swap(true, Ordering::SeqCst);
        async move {
            if first {
                return None;
            }
            wire.send(OK).await;
            Some(wire)
        }
    };
    (
        Target::scripted(script.clone()).await,
        Target::scripted(script).await,
    )
}

#[tokio::test]
async fn a_target_that_closes_on_a_request_costs_a_get_nothing_and_a_post_its_answer() {
    for (request, expected, seen) in [(GET, 200, 2), (POST, 502, 1)] {
        let (a, b) = one_of_two_closes().await;
        let elbow = Elbow::before(&[&a, &b], "", "").await;
        assert_eq!(status(&elbow, request).await, expected);
        assert_eq!(a.requests().len() + b.requests().len(), seen);
        let retries = "elbow_retries_total{reason=\"connection_lost\"}";
        elbow
            .expect_metric(retries, f64::from(seen as u32 - 1))
            .await;
        let line = elbow.log_line().await;
        let reason = if expected == 200 { "-" } else { "TargetClosed" };
        assert_eq!(line.text("error_reason"), reason);
    }
}

#[tokio::test]
async fn a_put_with_its_body_is_sent_again_whole() {
    let (a, b) = one_of_two_closes().await;
    let elbow = Elbow::before(&[&a, &b], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
    assert_eq!(client.ask(chunked).await.status(), 200);
    let seen = [a.requests(), b.requests()].concat();
    let bodies: Vec<_> = seen
        .iter()
        .map(|put| (put.text(), &*put.trailers))
        .collect();
    assert_eq!(bodies, [("hello", "X-Sum: 1\r\n"); 2]);
}

#[tokio::test]
async fn a_body_whose_start_is_gone_is_not_sent_again() {
    let (a, b) = one_of_two_closes().await;
    let elbow = Elbow::before(&[&a, &b], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let size = 300_000;
    client
        .send(format!(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
        ))
        .await;
    assert_eq!(client.ask(vec![b'x'; size]).await.status(), 502);
    assert_eq!(a.requests().len() + b.requests().len(), 1);
}

#[tokio::test]
async fn a_get_leaves_a_target_that_turns_unhealthy_while_it_waits_and_a_post_stays() {
    for (request, leaves, patience) in [(GET, true, "9s"), (POST, false, "2s")] {
        // Hangs once a request of a client has come, for that and for probes.
        let hung = Arc::new(AtomicBool::new(false));
        let noticed = Arc::clone(&hung);
        let hanging = Target::scripted(move |mut wire: Wire, request: Message, _| {
            let is_probe = request.start_line().contains("/probe");
            let hangs = match is_probe {
                true => noticed.load(Ordering::SeqCst),
                false => !noticed.swap(true, Ordering::SeqCst),
            };
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                wire.send(OK).await;
                Some(wire)
            }
        })
        .await;
        let spare = Target::answering(OK).await;
        let elbow = Elbow::start(&format!(
            "[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
             idle_timeout = \"{patience}\"\n\
             listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
             [[target_group]]\nname = \"group\"\n\
             {}\n\
             [target_group.health_check]\npath = \"/probe\"\ninterval = \"200ms\"\n\
             timeout = \"100ms\"\nunhealthy_threshold = 2\n",
            targets(&[&hanging, &spare])
        ))
        .await;
        let probed = || elbow.metric("elbow_probes_total") >= 2.0;
        eventually(SOON, "both targets are probed", probed).await;
        while !hung.load(Ordering::SeqCst) {
            let mut client = Client::connect(elbow.address()).await;
            client.send(request).await;
            let wait = tokio::time::timeout(Duration::from_millis(50), client.response());
            if let Ok(response) = wait.await {
                assert_eq!(response.status(), 200);
                continue;
            }
            let expected = if leaves { 200 } else { 504 };
            assert_eq!(client.response().await.status(), expected);
        }
        let retries = "elbow_retries_total{reason=\"target_unhealthy\"}";
        elbow
            .expect_metric(retries, f64::from(u8::from(leaves)))
            .await;
    }
}
