//! Upgrades under load: nobody is refused, and no request fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::sleep;

use crate::process::Daemon;
use crate::support::{Certificates, Client, Target, Wire};

/// What clients have seen.
#[derive(Default)]
struct Seen {
    over: AtomicBool,
    answered: AtomicUsize,
    /// Answers that said that the connection ends.
    last: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

impl Seen {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn failed(&self, who: &str, error: impl ToString) {
        self.failed
            .lock()
            .push(format!("{who}: {}", error.to_string()));
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

/// One request; whether the connection goes on.
async fn ask(wire: &mut Wire, seen: &Seen) -> std::io::Result<bool> {
    wire.try_send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
        .await?;
    let response = wire.try_response("GET").await?;
    if response.status() != 200 {
        return Err(std::io::Error::other(response.start_line().to_owned()));
    }
    seen.answered.fetch_add(1, Ordering::Relaxed);
    let goes_on = response.value("connection") != Some("close");
    if !goes_on {
        seen.last.fetch_add(1, Ordering::Relaxed);
    }
    Ok(goes_on)
}

async fn connect(address: SocketAddr) -> std::io::Result<Wire> {
    Ok(Wire::new(tokio::net::TcpStream::connect(address).await?))
}

/// A client that connects for each request.
async fn comes_anew(address: SocketAddr, seen: Arc<Seen>) {
    while !seen.is_over() {
        let asked = async { ask(&mut connect(address).await?, &seen).await };
        if let Err(error) = asked.await {
            seen.failed("a new connection", error);
        }
        sleep(Duration::from_millis(3)).await;
    }
}

/// A client that keeps its connection for as long as it may, and rests between requests.
async fn stays(address: SocketAddr, rests: Duration, seen: Arc<Seen>) {
    let mut kept: Option<Wire> = None;
    while !seen.is_over() {
        let asked = async {
            let mut wire = match kept.take() {
                Some(wire) => wire,
                None => connect(address).await?,
            };
            let goes_on = ask(&mut wire, &seen).await?;
            std::io::Result::Ok(goes_on.then_some(wire))
        };
        match asked.await {
            Ok(wire) => kept = wire,
            Err(error) => seen.failed("a kept connection", error),
        }
        sleep(rests).await;
    }
}

fn configuration(target: &Target) -> String {
    format!(
        "[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\nport = 0\ndefault = {{ forward = \"group\" }}\n\
         [[target_group]]\nname = \"group\"\n\
         health_check = {{ interval = \"200ms\", timeout = \"190ms\", unhealthy_threshold = 10 }}\n\
         {}\n",
        target.line()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_upgrades_under_load_cost_no_connection_and_no_request() {
    let target = Target::saying("hello").await;
    let mut daemon = Daemon::start(&configuration(&target)).await;
    let address = daemon.address();
    let mut client = Client::connect(daemon.admin()).await;
    crate::support::eventually(crate::support::SOON, "healthy", || {
        daemon.log().contains("target is healthy")
    })
    .await;
    assert_eq!(client.get("/ready").await.status(), 200);
    let seen = Arc::new(Seen::default());
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(tokio::spawn(comes_anew(address, Arc::clone(&seen))));
    }
    for rests in [0, 1, 5, 20, 50, 200] {
        let rests = Duration::from_millis(rests);
        clients.push(tokio::spawn(stays(address, rests, Arc::clone(&seen))));
    }
    for round in 1..=3 {
        let before = seen.answered();
        crate::support::eventually(crate::support::SOON, "some answers", || {
            seen.answered() > before + 100
        })
        .await;
        daemon.upgraded().await;
        let status = daemon.ask("/status").await;
        assert_eq!(status["process"]["number"], round + 1);
    }
    let before = seen.answered();
    crate::support::eventually(crate::support::SOON, "some answers", || {
        seen.answered() > before + 100
    })
    .await;
    seen.over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let failed = seen.failed.lock().clone();
    assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
    assert!(seen.last.load(Ordering::Relaxed) > 0, "kept ones were told");
    assert_ne!(daemon.pid().await, daemon.first_pid());
    assert_eq!(daemon.first_ends().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_of_workers_loses_nobody_either() {
    let target = Target::saying("hello").await;
    let text = |workers: usize| format!("workers = {workers}\n{}", configuration(&target));
    let daemon = Daemon::start(&text(3)).await;
    let address = daemon.address();
    crate::support::eventually(crate::support::SOON, "healthy", || {
        daemon.log().contains("target is healthy")
    })
    .await;
    for workers in [1, 4, 2] {
        let seen = Arc::new(Seen::default());
        let clients = [(); 2].map(|()| tokio::spawn(comes_anew(address, Arc::clone(&seen))));
        daemon.configure(&text(workers));
        daemon.upgraded().await;
        assert_eq!(daemon.ask("/status").await["workers"], workers);
        let before = seen.answered();
        crate::support::eventually(crate::support::SOON, "some answers", || {
            seen.answered() > before + 50
        })
        .await;
        seen.over.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
        let failed = seen.failed.lock().clone();
        assert!(failed.is_empty(), "{workers} workers: {failed:?}");
    }
}
