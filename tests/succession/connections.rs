//! What becomes of connections that are open while another process takes over.

use std::sync::Arc;

use http::Request;
use tokio::sync::Semaphore;

use crate::http3::Http3Client;
use crate::process::{A_WHILE, Daemon};
use crate::scene::{Site, UNPROBED, asking, echo, one_group, outlast, web_socket};
use crate::support::{Certificates, Http2Client, SOON, Target, eventually, soon};

fn with_deadline(deadline: &str, text: &str) -> String {
    format!("upgrade = {{ deadline = \"{deadline}\" }}\n{text}")
}

#[tokio::test]
async fn a_websocket_stays_in_the_process_before_until_its_deadline() {
    let site = Site::start("a").await;
    let text = with_deadline("3s", &one_group(&[&site], UNPROBED));
    let mut daemon = Daemon::start(&text).await;
    let mut socket = web_socket(daemon.address()).await;
    daemon.upgraded().await;
    echo(&mut socket, "still there").await;
    let status = daemon.ask("/status").await;
    assert_eq!(status["process"]["took_over"]["draining"], true);
    assert_eq!(
        status["process"]["took_over"]["from_pid"],
        daemon.first_pid()
    );
    outlast(A_WHILE).await;
    echo(&mut socket, "and after a while").await;
    socket.expect_closed().await;
    assert_eq!(daemon.first_ends().await, Some(0));
    // The new process says so once it has noticed.
    let ended = || daemon.events("the process before has ended").len() == 1;
    eventually(SOON, "its end is told", ended).await;
    let cut = daemon.events("cut at the deadline");
    assert_eq!(cut[0]["connections"], 1);
}

#[tokio::test]
async fn a_request_in_flight_is_answered_by_the_process_that_took_it() {
    let site = Site::start("a").await;
    let mut daemon = Daemon::start(&one_group(&[&site], UNPROBED)).await;
    let mut waiting = asking(daemon.address(), "/held").await;
    eventually(SOON, "the target has it", || site.asked("/held") == 1).await;
    let mut resting = asking(daemon.address(), "/").await;
    assert_eq!(resting.response().await.status(), 200);
    daemon.upgraded().await;
    outlast(A_WHILE).await;
    assert!(daemon.first_runs());
    site.open_gate();
    let answer = waiting.response().await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.value("connection"), Some("close"));
    waiting.expect_closed().await;
    let answer = resting.get("/").await;
    assert_eq!(answer.value("connection"), Some("close"));
    assert_eq!(daemon.first_ends().await, Some(0));
}

#[tokio::test]
async fn one_sigterm_lets_connections_end_in_a_process_that_was_taken_over_from() {
    let site = Site::start("a").await;
    let mut daemon = Daemon::start(&one_group(&[&site], UNPROBED)).await;
    let mut waiting = asking(daemon.address(), "/held").await;
    eventually(SOON, "the target has it", || site.asked("/held") == 1).await;
    daemon.upgraded().await;
    daemon.signal_first("TERM");
    let heard = "connections are ending already; a second signal cuts them";
    eventually(SOON, "it has heard", || daemon.events(heard).len() == 1).await;
    site.open_gate();
    assert_eq!(waiting.response().await.status(), 200);
    assert_eq!(daemon.first_ends().await, Some(0));
}

fn https(target: &Target, certificate: &str) -> String {
    format!(
        "[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\nport = 0\nprotocol = \"HTTPS\"\nhttp3 = true\n\
         certificates = [{certificate}]\ndefault = {{ forward = \"group\" }}\n\
         [[target_group]]\nname = \"group\"\nhealth_check = {{ enabled = false }}\n{}\n",
        target.line(),
    )
}

#[tokio::test]
async fn sessions_of_tls_are_resumed_by_the_process_that_took_over() {
    let target = Target::saying("hello").await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let daemon = Daemon::start(&https(&target, &site)).await;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let visitor = certificates.visitor_of(&[version]).resuming();
        let mut client = visitor.visit(daemon.address(), "site.test").await;
        client.get("/").await;
        assert_eq!(
            client.session().handshake_kind(),
            Some(rustls::HandshakeKind::Full)
        );
        daemon.upgraded().await;
        let mut client = visitor.visit(daemon.address(), "site.test").await;
        assert_eq!(client.get("/").await.status(), 200);
        let kind = client.session().handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Resumed), "{version:?}");
    }
}

/// Answers `ok`; for `/held`, once the gate is open, with so much that a client must acknowledge what it
/// gets, or no more comes.
async fn holding_much(gate: &Arc<Semaphore>) -> Target {
    let gate = Arc::clone(gate);
    Target::scripted(move |mut wire, request, _| {
        let gate = Arc::clone(&gate);
        async move {
            let body = match request.start_line().starts_with("GET /held ") {
                true => {
                    let _open = gate.acquire().await.ok()?;
                    "x".repeat(MUCH)
                }
                false => "ok".to_owned(),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            wire.try_send(answer).await.ok().map(|()| wire)
        }
    })
    .await
}

const MUCH: usize = 600_000;

#[tokio::test]
async fn connections_of_http_3_go_on_in_the_process_that_has_them() {
    let gate = Arc::new(Semaphore::new(0));
    let target = holding_much(&gate).await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let mut daemon = Daemon::start(&https(&target, &site)).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = Http3Client::connect(daemon.address(), &certificates).await;
        let held = client.begin(Request::get("https://site.test/held")).await;
        clients.push((client, held));
    }
    eventually(SOON, "the target has them", || target.requests().len() == 6).await;
    for round in 1..=2 {
        daemon.upgraded().await;
        // New clients meet the new process, whatever socket the kernel chooses for them.
        for _ in 0..6 {
            let mut new = Http3Client::connect(daemon.address(), &certificates).await;
            let answer = new.ask(Request::get("https://site.test/"), b"").await;
            let seen = (answer.status, answer.text());
            assert_eq!(seen, (200, "ok".to_owned()), "round {round}");
        }
    }
    assert!(daemon.first_runs());
    gate.add_permits(100);
    for (_client, held) in clients {
        let answer = soon(held.read()).await.expect("a whole response");
        assert_eq!((answer.status, answer.body.len()), (200, MUCH));
    }
    assert_eq!(daemon.first_ends().await, Some(0));
}
