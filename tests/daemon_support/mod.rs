//! A daemon in this process, scripted targets behind it, and a client that counts.
//!
//! Every wait is for a state, with a deadline. Every port is chosen by the system, or stands on a
//! loopback address that no other test uses.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::Router;
use elbow::app::{App, Options, Running};
use elbow::reload::{Cause, ReloadError, Reloaded, Source};
use elbow::target::{Target, TargetHealth};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

/// Nothing here takes longer, even on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// What all test configurations begin with.
const PREAMBLE: &str = "ranges = \"relaxed\"\nworkers = 2\nshutdown_deadline = \"10s\"\n\
                        admin = { address = \"127.0.0.1:0\" }\n";

/// A daemon with a configuration file of its own. Dropping it ends it.
pub struct Daemon {
    pub running: Running,
    folder: TempDir,
}

impl Daemon {
    /// Starts with `tables` after the settings that every test wants.
    pub async fn start(tables: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("elbow.toml");
        fs::write(&file, document(tables)).unwrap();
        let options = Options::new(Source::File(file));
        match App::start(options).await {
            Ok(running) => Self { running, folder },
            Err(error) => panic!("{error}"),
        }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("elbow.toml")
    }

    /// Puts another configuration in the place of the file at once, as an editor does.
    pub fn write(&self, tables: &str) {
        self.write_raw(&document(tables));
    }

    pub fn write_raw(&self, text: &str) {
        let beside = self.folder.path().join("new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.file()).unwrap();
    }

    /// Writes a configuration and waits until it is in force, or refused.
    pub async fn reload(&self, tables: &str) -> Result<Reloaded, Arc<ReloadError>> {
        self.write(tables);
        self.running.reload.reload(Cause::Api).await
    }

    /// The first address of a load balancer.
    pub fn address(&self, load_balancer: &str) -> SocketAddr {
        self.running.addresses.of(load_balancer)[0]
    }

    /// A registered target.
    pub fn target(&self, group: &str, id: &str) -> Arc<Target> {
        let snapshot = self.running.shared.load();
        let mut targets = snapshot.groups[group].targets().iter();
        Arc::clone(targets.find(|target| &*target.key.id == id).unwrap())
    }

    pub async fn healthy(&self, group: &str, id: &str) {
        let target = self.target(group, id);
        eventually("the target is healthy", || {
            target.state.health() == TargetHealth::Healthy
        })
        .await;
    }

    /// The value of a row of `/metrics`, with its labels as they are written there; 0 if absent.
    pub async fn metric(&self, row: &str) -> f64 {
        let page = Client::connect(self.running.admin)
            .await
            .get("/metrics")
            .await;
        let line = page.body.lines().find_map(|line| line.strip_prefix(row));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }
}

pub fn document(tables: &str) -> String {
    format!("{PREAMBLE}{tables}")
}

/// A loopback address that no other test has.
pub fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let last = NEXT.fetch_add(1, Ordering::Relaxed) as u8;
    Ipv4Addr::new(127, high.max(1), low, last)
}

/// Waits until `state` holds.
pub async fn eventually(what: &str, mut state: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !state() {
        assert!(Instant::now() < until, "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A web server of the test. Dropping it stops it.
pub struct Site {
    pub address: SocketAddr,
    server: AbortHandle,
}

impl Site {
    /// Serves these routes on a port of the system's choice.
    pub async fn start(routes: Router) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            address,
            server: server.abort_handle(),
        }
    }

    /// Answers everything with this text.
    pub async fn saying(text: &'static str) -> Self {
        Self::start(Router::new().fallback(move || async move { text })).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// One connection to the balancer, kept alive.
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer with a `Content-Length`.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            received: Vec::new(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path).await
    }

    pub async fn ask(&mut self, method: &str, path: &str) -> Answer {
        self.send(method, path).await;
        match self.answer().await {
            Some(answer) => answer,
            None => panic!("the connection was closed before an answer to {path}"),
        }
    }

    pub async fn send(&mut self, method: &str, path: &str) {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: test.example\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await.unwrap();
    }

    /// The next answer; `None` when the balancer has closed.
    pub async fn answer(&mut self) -> Option<Answer> {
        let read = async {
            loop {
                if let Some(answer) = self.take_answer() {
                    return Some(answer);
                }
                match self.stream.read_buf(&mut self.received).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        };
        timeout(DEADLINE, read).await.unwrap()
    }

    /// Waits until the balancer closes, and has said nothing more.
    pub async fn closed(&mut self) {
        let answer = self.answer().await;
        assert!(answer.is_none(), "{answer:?}");
    }

    fn take_answer(&mut self) -> Option<Answer> {
        let text = String::from_utf8_lossy(&self.received).into_owned();
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let found = name.eq_ignore_ascii_case("content-length");
            found.then(|| value.trim().parse::<usize>().unwrap())
        });
        let length = length.unwrap_or(0);
        let body = rest.get(..length)?.to_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let head = head.to_owned();
        self.received.drain(..head.len() + 4 + length);
        Some(Answer { status, head, body })
    }
}
