//! What the tests of a life share: sites whose probes fail on command and whose answers can be held
//! back, a load balancer in front of them, and a look at targets' states.

use std::collections::VecDeque;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use elbow::target::{Health, TargetHealth, TargetState};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::support::{Client, Elbow, Message, SOON, Target, Wire, eventually};

/// Probes often. Ten in a row that fail by mere slowness are not to be expected; tests of thresholds
/// say their own.
pub(crate) const PROBED: &str = "health_check = { path = \"/probe\", interval = \"200ms\", \
     timeout = \"190ms\", unhealthy_threshold = 10, healthy_threshold = 2 }";

/// Not probed: takes requests from the start.
pub(crate) const UNPROBED: &str = "health_check = { enabled = false }";

/// A verdict: 503 with Retry-After, which says that the site is being maintained.
pub(crate) const MAINTENANCE: u16 = 1503;

/// A target that answers by path:
///
/// * `/probe`: the next of its verdicts (a status; 0 is silence), the last one for ever;
/// * `/held`: 200 with its name, once the gate is open;
/// * `/half`: the first half of a response, and the second one once the gate is open;
/// * `/endless`: a body that goes on for as long as somebody takes it;
/// * `/socket`: switches protocols, then sends back what it gets;
/// * `/login`: the same as all else, and sets the application's cookie `session`;
/// * all else: 200 with its name and the length of the request's body.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) target: Target,
    script: Arc<Script>,
}

struct Script {
    name: &'static str,
    verdicts: Mutex<VecDeque<u16>>,
    gate: watch::Sender<bool>,
}

impl Site {
    pub(crate) async fn start(name: &'static str) -> Self {
        let script = Arc::new(Script {
            name,
            verdicts: Mutex::new(VecDeque::from([200])),
            gate: watch::Sender::new(false),
        });
        let answering = Arc::clone(&script);
        let target = Target::scripted(move |wire, request, _| {
            let script = Arc::clone(&answering);
            async move { script.answer(wire, request).await }
        });
        Self {
            name,
            target: target.await,
            script,
        }
    }

    /// What the next probes are answered with; the last verdict goes for all that follow.
    pub(crate) fn judge(&self, verdicts: impl IntoIterator<Item = u16>) {
        *self.script.verdicts.lock() = verdicts.into_iter().collect();
    }

    /// Lets all answers go that are held back, and will be.
    pub(crate) fn open_gate(&self) {
        self.script.gate.send_replace(true);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.target.address
    }

    /// How many requests came for this path.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let start = format!(" {path} ");
        let requests = self.target.requests();
        let asked = requests
            .iter()
            .filter(|request| request.start_line().contains(&start));
        asked.count()
    }

    /// An entry of a group's `targets`, with more settings.
    pub(crate) fn entry(&self, settings: &str) -> String {
        let (name, address) = (self.name, self.address());
        format!("{{ id = \"{name}\", address = \"{address}\"{settings} }}")
    }
}

impl Script {
    async fn answer(&self, mut wire: Wire, request: Message) -> Option<Wire> {
        let path = request.start_line().split(' ').nth(1).unwrap_or_default();
        match path {
            "/probe" => {
                let status = self.verdict();
                if status == 0 {
                    std::future::pending::<()>().await;
                }
                let (status, more) = match status {
                    MAINTENANCE => (503, "Retry-After: 600\r\n"),
                    status => (status, ""),
                };
                let head = format!("HTTP/1.1 {status} Verdict\r\n{more}Content-Length: 0\r\n\r\n");
                wire.try_send(head).await.ok()?;
            }
            "/half" => {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";
                wire.try_send(head).await.ok()?;
                self.gate_open().await;
                wire.try_send("half").await.ok()?;
            }
            "/endless" => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                wire.try_send(head).await.ok()?;
                let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
                while wire.try_send(&chunk).await.is_ok() {}
                return None;
            }
            "/socket" => {
                let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                     Upgrade: websocket\r\n\r\n";
                wire.try_send(head).await.ok()?;
                let (mut from, mut to) = wire.stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                return None;
            }
            _ => {
                if path == "/held" {
                    self.gate_open().await;
                }
                let text = format!("{} {}", self.name, request.body.len());
                let length = text.len();
                let cookie = match path {
                    "/login" => "Set-Cookie: session=1; Path=/; HttpOnly\r\n",
                    _ => "",
                };
                let head =
                    format!("HTTP/1.1 200 OK\r\n{cookie}Content-Length: {length}\r\n\r\n{text}");
                wire.try_send(head).await.ok()?;
            }
        }
        Some(wire)
    }

    fn verdict(&self) -> u16 {
        let mut verdicts = self.verdicts.lock();
        match verdicts.len() {
            1 => verdicts[0],
            _ => verdicts.pop_front().unwrap_or(200),
        }
    }

    async fn gate_open(&self) {
        let mut gate = self.gate.subscribe();
        let _ = gate.wait_for(|open| *open).await;
    }
}

/// The configuration of one load balancer `lb`, with a node without a zone, that forwards all to
/// one group `group`.
pub(crate) fn one_group(sites: &[&Site], settings: &str) -> String {
    let mut text = listening(0, "{ forward = \"group\" }");
    group(&mut text, "group", settings, &entries(sites));
    text
}

/// A load balancer `lb` with one listener; more of it may follow.
pub(crate) fn listening(port: u16, default: &str) -> String {
    on_ports(
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        &[port],
        default,
    )
}

/// A load balancer `lb` on one address, whatever its port, and these ports.
pub(crate) fn on_ports(address: SocketAddr, ports: &[u16], default: &str) -> String {
    let address = address.ip();
    let mut text =
        format!("[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"{address}\" }}]\n");
    for port in ports {
        let listener = "[[load_balancer.listener]]";
        writeln!(text, "{listener}\nport = {port}\ndefault = {default}").unwrap();
    }
    text
}

/// An action that says `name`, as a target of that name would.
pub(crate) fn fixed(name: &str) -> String {
    format!("{{ fixed_response = {{ status = 200, body = \"{name}\" }} }}")
}

/// The configuration of one load balancer `lb` that says `name` to everything.
pub(crate) fn naming(name: &str) -> String {
    listening(0, &fixed(name))
}

/// An address that no other test listens on, of this process or of another one that runs the same
/// tests; its port and the few above it are outside the range from which the kernel gives ports.
pub(crate) fn own_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = process::id().to_be_bytes();
    let last = NEXT.fetch_add(1, Ordering::Relaxed);
    let port = 20_000 + u16::try_from(process::id() % 5_000).unwrap();
    SocketAddr::from((Ipv4Addr::new(127, high.max(1), low, last), port))
}

/// Waits until nobody listens on an address.
pub(crate) async fn expect_refused(address: SocketAddr) {
    let deadline = Instant::now() + SOON;
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "{address} still listens");
    }
}

/// Adds a group to a configuration.
pub(crate) fn group(text: &mut String, name: &str, settings: &str, targets: &[String]) {
    let targets = targets.join(", ");
    writeln!(
        text,
        "[[target_group]]\nname = \"{name}\"\n{settings}\ntargets = [{targets}]"
    )
    .unwrap();
}

/// The entries of a group's `targets`.
pub(crate) fn entries(sites: &[&Site]) -> Vec<String> {
    sites.iter().map(|site| site.entry("")).collect()
}

/// What is known of the targets of one group, over reloads.
pub(crate) struct Group<'e>(pub(crate) &'e Elbow, pub(crate) &'static str);

impl Group<'_> {
    /// The live state of a target, registered or draining.
    pub(crate) fn state(&self, id: &str) -> Option<Arc<TargetState>> {
        let snapshot = self.0.running().shared.load();
        let group = snapshot
            .all_groups()
            .find(|group| &*group.settings().name == self.1)?;
        let now = Instant::now();
        let mut targets = group.targets().iter().chain(group.departing(now));
        let target = targets.find(|target| &*target.key.id == id)?;
        Some(Arc::clone(&target.state))
    }

    /// State and reason as an operator sees them; `None` when the target is gone.
    pub(crate) fn describe(&self, id: &str) -> Option<Health> {
        Some(self.state(id)?.describe(Instant::now()))
    }

    /// State, reason code and description in one line.
    pub(crate) fn says(&self, id: &str) -> String {
        let Some(health) = self.describe(id) else {
            return "gone".to_owned();
        };
        match health.reason {
            None => health.state.to_string(),
            Some(reason) => format!("{} {}: {reason}", health.state, reason.code()),
        }
    }

    pub(crate) async fn expect(&self, id: &str, state: TargetHealth) {
        let what = format!("{id} is {state}");
        eventually(SOON, &what, || {
            self.describe(id)
                .is_some_and(|health| health.state == state)
        })
        .await;
    }

    pub(crate) async fn expect_healthy(&self, sites: &[&Site]) {
        for site in sites {
            self.expect(site.name, TargetHealth::Healthy).await;
        }
    }

    /// Lets a site fail its probes until it is out of service.
    pub(crate) async fn break_down(&self, site: &Site) {
        site.judge([503]);
        self.expect(site.name, TargetHealth::Unhealthy).await;
    }

    /// Lets it pass them until it is back.
    pub(crate) async fn mend(&self, site: &Site) {
        site.judge([200]);
        self.expect(site.name, TargetHealth::Healthy).await;
    }
}

/// The site that gave this answer.
pub(crate) fn author<'s>(sites: &[&'s Site], response: &Message) -> &'s Site {
    let name = who(response);
    sites.iter().find(|site| site.name == name).unwrap()
}

/// Who answers these many requests, in order, on one connection.
pub(crate) async fn order(address: SocketAddr, count: usize) -> Vec<String> {
    let mut client = Client::connect(address).await;
    let mut order = Vec::new();
    for _ in 0..count {
        order.push(who(&client.get("/").await));
    }
    order
}

/// How often each name of `names` is in `order`.
pub(crate) fn shares(order: &[String], names: &[&str]) -> Vec<usize> {
    let count = |name: &&str| order.iter().filter(|other| other == name).count();
    names.iter().map(count).collect()
}

/// The name of the site that gave this answer, or the status of another one.
pub(crate) fn who(response: &Message) -> String {
    match response.status() {
        200 => response
            .text()
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned(),
        status => status.to_string(),
    }
}

/// Opens a WebSocket, as far as the balancer is concerned.
pub(crate) async fn web_socket(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).await;
    let request = "GET /socket HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\n\r\n";
    assert_eq!(client.ask(request).await.status(), 101);
    echo(&mut client, "hello").await;
    client
}

/// Says something on a WebSocket, and hears it back.
pub(crate) async fn echo(socket: &mut Client, text: &str) {
    socket.send(text).await;
    let heard = socket.wire.take(text.len()).await;
    assert_eq!(heard.expect("an echo"), text.as_bytes());
}

/// Sends a GET and does not wait for the response.
pub(crate) async fn asking(address: SocketAddr, path: &str) -> Client {
    let mut client = Client::connect(address).await;
    client
        .send(format!("GET {path} HTTP/1.1\r\nHost: site.test\r\n\r\n"))
        .await;
    client
}

/// Lets a time pass in which something must not happen.
pub(crate) async fn outlast(time: Duration) {
    tokio::time::sleep(time).await;
}
