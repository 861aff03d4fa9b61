//! What a user of the balancer sees of a reload, and what not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "daemon_support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::get;
use elbow::reload::{Cause, ReloadError};
use elbow::server::ServerError;
use elbow::target::TargetHealth;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;

use support::{Client, Daemon, Site, eventually, own_address};

/// A load balancer `web` that answers everything with `text`.
fn answering(text: &str) -> String {
    format!(
        "[[load_balancer]]\nname = \"web\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\nport = 0\n\
         default = {{ fixed_response = {{ status = 200, body = \"{text}\" }} }}\n"
    )
}

/// A load balancer `web` in front of a group `site` with these targets.
fn forwarding(targets: &[(&str, &Site)]) -> String {
    let targets: String = targets
        .iter()
        .map(|(id, site)| format!("{{ id = \"{id}\", address = \"{}\" }}, ", site.address))
        .collect();
    format!(
        "[[load_balancer]]\nname = \"web\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\nport = 0\ndefault = {{ forward = \"site\" }}\n\
         [[target_group]]\nname = \"site\"\nderegistration_delay = \"60s\"\n\
         health_check = {{ path = \"/health\", interval = \"1s\", timeout = \"500ms\" }}\n\
         targets = [{targets}]\n"
    )
}

#[tokio::test]
async fn a_changed_file_is_taken_over_without_being_asked() {
    let daemon = Daemon::start(&answering("one")).await;
    let mut client = Client::connect(daemon.address("web")).await;
    assert_eq!(client.get("/").await.body, "one");
    daemon.write(&answering("two"));
    eventually("the second configuration is in force", || {
        daemon.running.shared.load().generation == 2
    })
    .await;
    assert_eq!(client.get("/").await.body, "two");
}

#[tokio::test]
async fn a_refused_configuration_changes_nothing_and_says_why() {
    let daemon = Daemon::start(&answering("one")).await;
    let error = daemon
        .reload("[[load_balancer]]\nname = 7\n")
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(matches!(*error, ReloadError::Invalid(_)), "{said}");
    assert!(said.contains("elbow.toml:6:8"), "line and column: {said}");
    assert_eq!(daemon.running.shared.load().generation, 1);
    let mut client = Client::connect(daemon.address("web")).await;
    assert_eq!(client.get("/").await.body, "one");
    assert_eq!(
        daemon
            .metric("elbow_reloads_total{result=\"refused\"}")
            .await,
        1.0
    );
    assert_eq!(
        daemon.running.reload.last_refusal().unwrap().cause,
        Cause::Api
    );

    let mut admin = Client::connect(daemon.running.admin).await;
    let answer = admin.ask("POST", "/reload").await;
    assert_eq!(answer.status, 422, "{answer:?}");

    daemon.reload(&answering("two")).await.unwrap();
    assert!(daemon.running.reload.last_refusal().is_none());
    assert_eq!(client.get("/").await.body, "two");
}

#[tokio::test]
async fn an_empty_or_half_written_file_is_refused_and_the_whole_one_is_taken() {
    let daemon = Daemon::start(&answering("one")).await;
    let whole = support::document(&answering("two"));
    daemon.write_raw(&whole[..whole.len() - 5]);
    eventually("the half of a file is refused", || {
        daemon.running.reload.last_refusal().is_some()
    })
    .await;
    daemon.write_raw(&whole);
    eventually("the whole file is in force", || {
        daemon.running.shared.load().generation == 2
    })
    .await;
    let mut client = Client::connect(daemon.address("web")).await;
    assert_eq!(client.get("/").await.body, "two");
}

#[tokio::test]
async fn an_address_that_is_taken_refuses_the_whole_configuration() {
    let daemon = Daemon::start(&answering("one")).await;
    let taken = std::net::TcpListener::bind((own_address(), 8080)).unwrap();
    let other = format!(
        "{}[[load_balancer]]\nname = \"other\"\nnodes = [{{ address = \"{}\" }}]\n\
         [[load_balancer.listener]]\nport = 8080\n\
         default = {{ fixed_response = {{ status = 200 }} }}\n",
        answering("two"),
        taken.local_addr().unwrap().ip(),
    );
    let error = daemon.reload(&other).await.unwrap_err();
    let in_use = matches!(*error, ReloadError::Server(ServerError::InUse { .. }));
    assert!(in_use, "{error}");
    let mut client = Client::connect(daemon.address("web")).await;
    assert_eq!(client.get("/").await.body, "one");
    drop(taken);
    daemon.reload(&other).await.unwrap();
    assert_eq!(client.get("/").await.body, "two");
    Client::connect(daemon.address("other"))
        .await
        .get("/")
        .await;
}

#[tokio::test]
async fn health_and_counts_go_on_when_weights_and_thresholds_change() {
    let site = Site::saying("a").await;
    let daemon = Daemon::start(&forwarding(&[("a", &site)])).await;
    daemon.healthy("site", "a").await;
    let mut client = Client::connect(daemon.address("web")).await;
    assert_eq!(client.get("/").await.body, "a");
    let before = daemon.target("site", "a");
    let changed = forwarding(&[("a", &site)])
        .replace(" }, ]", ", weight = 9 }]")
        .replace(
            "interval = \"1s\"",
            "interval = \"2s\", healthy_threshold = 7",
        );
    let reloaded = daemon.reload(&changed).await.unwrap();
    assert_eq!(
        reloaded.difference.to_string(),
        "target groups ~site, targets ~site/a"
    );
    let after = daemon.target("site", "a");
    assert_eq!(after.weight, 9);
    assert!(Arc::ptr_eq(&before.state, &after.state));
    assert_eq!(after.state.health(), TargetHealth::Healthy);
    assert_eq!(client.get("/").await.body, "a");
    let requests = "elbow_requests_total{load_balancer=\"web\",target_group=\"site\",zone=\"\"}";
    assert_eq!(daemon.metric(requests).await, 2.0);
}

#[tokio::test]
async fn a_request_at_a_target_that_is_removed_is_answered_and_new_ones_go_elsewhere() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let slow = move || async move {
        let _permit = held.acquire().await;
        "old"
    };
    let routes = Router::new().route("/slow", get(slow));
    let old = Site::start(routes.route("/health", get(|| async { "" }))).await;
    let new = Site::saying("new").await;
    let daemon = Daemon::start(&forwarding(&[("old", &old)])).await;
    daemon.healthy("site", "old").await;
    let mut waiting = Client::connect(daemon.address("web")).await;
    waiting.send("GET", "/slow").await;
    let target = daemon.target("site", "old");
    eventually("the request is in flight", || target.state.in_flight() == 1).await;

    daemon.reload(&forwarding(&[("new", &new)])).await.unwrap();
    daemon.healthy("site", "new").await;
    assert_eq!(target.state.health(), TargetHealth::Draining);
    let mut client = Client::connect(daemon.address("web")).await;
    assert_eq!(client.get("/").await.body, "new");
    gate.add_permits(1);
    assert_eq!(waiting.answer().await.unwrap().body, "old");
    assert_eq!(waiting.get("/").await.body, "new");
}

#[tokio::test]
async fn a_removed_listener_lets_its_idle_connections_go_and_others_stay() {
    let both = answering("one") + &answering("other").replace("\"web\"", "\"gone\"");
    let daemon = Daemon::start(&both).await;
    let address = daemon.address("gone");
    let mut leaving = Client::connect(address).await;
    let mut staying = Client::connect(daemon.address("web")).await;
    assert_eq!(leaving.get("/").await.body, "other");
    assert_eq!(staying.get("/").await.body, "one");
    daemon.reload(&answering("one")).await.unwrap();
    leaving.closed().await;
    let refused = async || TcpStream::connect(address).await.is_err();
    let mut closed = refused().await;
    while !closed {
        closed = refused().await;
    }
    assert_eq!(staying.get("/").await.body, "one");
}

#[tokio::test]
async fn a_renamed_load_balancer_keeps_its_socket_and_its_connections() {
    let address = own_address();
    let fixed = answering("one")
        .replace("port = 0", "port = 8080")
        .replace("127.0.0.1", &address.to_string());
    let daemon = Daemon::start(&fixed).await;
    let mut client = Client::connect(daemon.address("web")).await;
    assert_eq!(client.get("/").await.body, "one");
    let renamed = fixed
        .replace("\"web\"", "\"www\"")
        .replace("\"one\"", "\"two\"");
    daemon.reload(&renamed).await.unwrap();
    assert_eq!(client.get("/").await.body, "two");
    assert_eq!(daemon.address("www").to_string(), format!("{address}:8080"));
    let mut another = Client::connect(daemon.address("www")).await;
    assert_eq!(another.get("/").await.body, "two");
}

/// A target that speaks WebSocket, and says everything twice.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                let twice = format!("{message}{message}");
                socket.send(Message::text(twice)).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn a_websocket_goes_on_through_reloads_even_when_its_listener_gets_other_rules() {
    let target = echo().await;
    // Without probes: the target takes one connection only.
    let before = format!(
        "[[load_balancer]]\nname = \"web\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\nport = 0\ndefault = {{ forward = \"chat\" }}\n\
         [[target_group]]\nname = \"chat\"\nhealth_check = {{ enabled = false }}\n\
         targets = [{{ id = \"a\", address = \"{target}\" }}]\n"
    );
    let daemon = Daemon::start(&before).await;
    let address = daemon.address("web");
    let url = format!("ws://{address}/");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let mut say = async |word: &str| {
        socket.send(Message::text(word)).await.unwrap();
        socket.next().await.unwrap().unwrap().to_string()
    };
    assert_eq!(say("one").await, "oneone");
    daemon.reload(&format!("{before}# again\n")).await.unwrap();
    assert_eq!(say("two").await, "twotwo");
    daemon.reload(&answering("no chat")).await.unwrap();
    assert_eq!(
        Client::connect(address).await.get("/").await.body,
        "no chat"
    );
    assert_eq!(say("three").await, "threethree");
}

#[tokio::test]
async fn settings_that_only_a_start_can_change_are_named() {
    let daemon = Daemon::start(&answering("one")).await;
    let text = support::document(&answering("one"));
    daemon.write_raw(
        &text
            .replace("workers = 2", "workers = 3")
            .replace("127.0.0.1:0", "[::1]:1"),
    );
    let reloaded = daemon.running.reload.reload(Cause::Api).await.unwrap();
    let said = reloaded.warnings.join("\n");
    assert!(said.contains("workers stays 2"), "{said}");
    assert!(said.contains("admin.address stays 127.0.0.1:0"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reloads_under_load_fail_no_request() {
    let (a, b) = (Site::saying("a").await, Site::saying("b").await);
    let daemon = Daemon::start(&forwarding(&[("a", &a), ("b", &b)])).await;
    daemon.healthy("site", "a").await;
    daemon.healthy("site", "b").await;
    let address = daemon.address("web");
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut answers = 0;
                while !done.load(Ordering::Relaxed) {
                    let answer = client.get("/").await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    let both = forwarding(&[("a", &a), ("b", &b)]);
    let mut refused = 0;
    for round in 0..100 {
        let next = match round % 4 {
            0 => both.replace("interval = \"1s\"", "interval = \"2s\""),
            1 => both.clone() + "[[target_group]]\nname = \"site\"\n",
            2 => both.replace(" }, ]", ", weight = 3 }]"),
            _ => both.clone(),
        };
        refused += usize::from(daemon.reload(&next).await.is_err());
    }
    done.store(true, Ordering::Relaxed);
    let mut answers = 0;
    for client in clients {
        answers += client.await.unwrap();
    }
    assert!(answers > 100, "only {answers} requests: that was no load");
    assert_eq!(refused, 25);
    assert_eq!(daemon.running.shared.load().generation, 76);
    for id in ["a", "b"] {
        assert_eq!(
            daemon.target("site", id).state.health(),
            TargetHealth::Healthy
        );
    }
}
