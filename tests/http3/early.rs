//! Early data: what of a client's first flight is acted on, and when.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::Request;
use quinn::Endpoint;
use quinn::crypto::rustls::QuicClientConfig;
use tokio::net::UdpSocket;

use crate::client::{Http3Client, Waiting};
use crate::configuration;
use crate::relay::{Relay, Way};
use crate::support::{Certificates, Elbow, LogLine, SOON, Target, eventually, soon};

const OPEN: [Way; 2] = [Way::Open, Way::Open];

/// A site, and a client that has been there before.
struct Scene {
    target: Target,
    elbow: Elbow,
    certificates: Certificates,
    returning: quinn::ClientConfig,
}

impl Scene {
    async fn new(attributes: &str, early: &str) -> Self {
        let target = Target::scripted(|mut wire, request, _| async move {
            let wary = request.start_line().contains("/wary");
            let (status, text) = match wary && request.value("early-data").is_some() {
                true => ("425 Too Early", ""),
                false => ("200 OK", "hello"),
            };
            let length = text.len();
            let response = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{text}");
            wire.try_send(response).await.ok().map(|()| wire)
        })
        .await;
        let certificates = Certificates::new();
        let site = certificates.make("site", &["site.test"]);
        let text = Self::text(&target, &certificates, &site, attributes, early);
        let elbow = Elbow::start_from_file(&text).await;
        let tls = certificates.visitor().offering(&["h3"]).resuming();
        let mut tls = tls.into_config();
        tls.enable_early_data = true;
        let tls = QuicClientConfig::try_from(tls).unwrap();
        let scene = Self {
            target,
            elbow,
            certificates,
            returning: quinn::ClientConfig::new(Arc::new(tls)),
        };
        let (endpoint, connecting) = scene.connect(scene.elbow.address());
        let quic = soon(connecting).await.unwrap();
        let mut client = Http3Client::over(endpoint, quic).await;
        // Whoever has an answer has the tickets, which are sent before it.
        client
            .ask(Request::get("https://site.test/first"), b"")
            .await;
        scene.eventually_established(1).await;
        scene
    }

    fn text(
        target: &Target,
        certificates: &Certificates,
        site: &str,
        attributes: &str,
        early: &str,
    ) -> String {
        let log = certificates.path("connections.log");
        let log = format!("connection_log = {{ path = {log:?}, format = \"json\" }}\n");
        let text = configuration(target, site, "");
        let text = text.replacen("http3 = true\n", &format!("http3 = true\n{early}\n"), 1);
        let named = format!("name = \"lb\"\n{attributes}\n");
        log + &text.replacen("name = \"lb\"\n", &named, 1)
    }

    fn connect(&self, address: SocketAddr) -> (Endpoint, quinn::Connecting) {
        let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.set_default_client_config(self.returning.clone());
        let connecting = endpoint.connect(address, "site.test").unwrap();
        (endpoint, connecting)
    }

    /// A client that does not wait for the handshake, and what tells whether that was taken.
    async fn hasty(&self, address: SocketAddr) -> (Http3Client, quinn::ZeroRttAccepted) {
        let (endpoint, connecting) = self.connect(address);
        let early = connecting.into_0rtt().map_err(|_| "no session");
        let (quic, accepted) = early.unwrap();
        (Http3Client::over(endpoint, quic).await, accepted)
    }

    /// What the connection log says of verification, line by line.
    fn connections(&self) -> Vec<String> {
        let lines = LogLine::read(&self.certificates.path("connections.log"));
        let status = |line: &LogLine| line.text("tls_verify_status").to_owned();
        lines.iter().map(status).collect()
    }

    async fn eventually_established(&self, count: usize) {
        eventually(SOON, "the connection log has its lines", || {
            self.connections().len() >= count
        })
        .await;
        assert_eq!(self.connections(), vec!["Success"; count]);
    }

    /// The requests that the target saw, but the first: method, path and what it was told of early data.
    fn seen(&self) -> Vec<(String, Option<String>)> {
        let requests = self.target.requests();
        let seen = requests.iter().skip(1).map(|request| {
            let line = request.start_line().replace(" HTTP/1.1", "");
            (line, request.value("early-data").map(str::to_owned))
        });
        seen.collect()
    }

    async fn eventually_seen(&self, count: usize) {
        eventually(SOON, "the target sees the requests", || {
            self.seen().len() >= count
        })
        .await;
    }

    fn early_requests(&self, fate: &str) -> f64 {
        let row = format!("elbow_early_requests_total{{fate={fate:?}}}");
        self.elbow.metric(&row)
    }
}

/// A GET and a POST, both in the first flight; the POST goes first.
async fn ask_both(client: &mut Http3Client) -> (Waiting, Waiting) {
    let posted = client.begin(Request::post("https://site.test/post")).await;
    let got = client.begin(Request::get("https://site.test/get")).await;
    (posted, got)
}

fn early_get() -> (String, Option<String>) {
    ("GET /get".to_owned(), Some("1".to_owned()))
}

#[tokio::test]
async fn a_safe_request_is_answered_before_the_handshake_is_complete_and_any_other_waits() {
    let scene = Scene::new("", "early_data = true").await;
    let ways = [Way::Open, Way::Held];
    let relay = Relay::to(scene.elbow.address(), ways).await;
    let (mut client, accepted) = scene.hasty(relay.address).await;
    let (posted, got) = ask_both(&mut client).await;
    scene.eventually_seen(1).await;

    // From now on the client hears the balancer, which does not hear how it ends the handshake.
    relay.turn([Way::Lost, Way::Open]);
    let got = soon(got.read()).await.unwrap();
    assert_eq!((got.status, got.text().as_str()), (200, "hello"));
    assert!(soon(accepted).await, "the client completes the handshake");
    assert_eq!(scene.seen(), [early_get()]);
    assert_eq!(scene.connections().len(), 1);
    assert_eq!(scene.early_requests("served"), 1.0);
    assert_eq!(scene.early_requests("waited"), 1.0);

    relay.turn(OPEN);
    assert_eq!(soon(posted.read()).await.unwrap().status, 200);
    scene.eventually_established(2).await;
    assert_eq!(scene.seen()[1..], [("POST /post".to_owned(), None)]);
    let more = client
        .ask(Request::get("https://site.test/more"), b"")
        .await;
    assert_eq!(more.status, 200);
    assert_eq!(scene.seen()[2..], [("GET /more".to_owned(), None)]);
}

#[tokio::test]
async fn a_client_that_comes_back_and_waits_for_the_handshake_is_not_early() {
    let scene = Scene::new("", "early_data = true").await;
    for times in 1..=5 {
        let (endpoint, connecting) = scene.connect(scene.elbow.address());
        let mut client = Http3Client::over(endpoint, soon(connecting).await.unwrap()).await;
        let response = client.ask(Request::get("https://site.test/get"), b"").await;
        assert_eq!(response.status, 200);
        scene.eventually_established(1 + times).await;
    }
    assert_eq!(scene.seen(), vec![("GET /get".to_owned(), None); 5]);
    assert_eq!(scene.early_requests("served"), 0.0);
    let resumed = "elbow_tls_handshakes_total{kind=\"resumed\"}";
    assert_eq!(scene.elbow.metric(resumed), 5.0);
}

#[tokio::test]
async fn a_first_flight_that_is_played_again_does_nothing_that_is_not_safe() {
    let attributes = "tls_handshake_timeout = \"1s\"";
    let scene = Scene::new(attributes, "early_data = true").await;
    let ways = [Way::Lost, Way::Lost];
    let relay = Relay::to(scene.elbow.address(), ways).await;
    let (mut client, _) = scene.hasty(relay.address).await;
    let _unheard = ask_both(&mut client).await;
    // The hello of a client with post-quantum key shares takes two datagrams, the requests at least one.
    eventually(SOON, "the client has sent all", || relay.lost().len() >= 3).await;
    let recorded = relay.lost();
    drop(client);

    let failed = "elbow_client_tls_negotiation_errors_total{cause=\"timeout\"}";
    let play = async |socket: &UdpSocket| {
        for datagram in &recorded {
            socket
                .send_to(datagram, scene.elbow.address())
                .await
                .unwrap();
        }
    };
    let thief = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    play(&thief).await;
    scene.elbow.expect_metric(failed, 1.0).await;
    assert_eq!(scene.seen(), [early_get()]);
    assert_eq!(scene.early_requests("waited"), 1.0);
    eventually(SOON, "it is logged", || scene.connections().len() == 2).await;
    assert_eq!(scene.connections()[1], "Failed:UnmappedConnectionError");

    // Once more, as soon as the connection id that the client had chosen means nothing any more: its
    // session is used up.
    let connections = || scene.elbow.metric("elbow_new_connections_total");
    let again = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let before = connections();
    soon(async {
        while connections() == before {
            play(&again).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    scene.elbow.expect_metric(failed, 2.0).await;
    assert_eq!(scene.seen(), [early_get()]);
    assert_eq!(scene.early_requests("waited"), 1.0);
    scene
        .elbow
        .expect_metric("elbow_active_connections", 0.0)
        .await;
}

#[tokio::test]
async fn early_data_is_off_unless_a_listener_says_otherwise() {
    let scene = Scene::new("", "").await;
    let (endpoint, connecting) = scene.connect(scene.elbow.address());
    let Err(connecting) = connecting.into_0rtt() else {
        panic!("the client was told that it might send early data");
    };
    let mut client = Http3Client::over(endpoint, soon(connecting).await.unwrap()).await;
    // Whatever the client has been told to say goes on.
    let request = Request::get("https://site.test/get").header("early-data", "1");
    assert_eq!(client.ask(request, b"").await.status, 200);
    assert_eq!(scene.seen(), [early_get()]);
    scene.eventually_established(2).await;
    assert_eq!(scene.early_requests("served"), 0.0);
}

#[tokio::test]
async fn a_reload_that_takes_early_data_away_makes_clients_say_it_again() {
    let scene = Scene::new("", "early_data = true").await;
    let (certificate, key) = scene.certificates.paths("site");
    let site = format!("{{ certificate = {certificate:?}, private_key = {key:?} }}");
    let text = Scene::text(&scene.target, &scene.certificates, &site, "", "");
    scene.elbow.apply(&text).await.unwrap();
    let (mut client, accepted) = scene.hasty(scene.elbow.address()).await;
    let (posted, got) = ask_both(&mut client).await;
    assert!(!soon(accepted).await);
    assert!(posted.read().await.is_none());
    assert!(got.read().await.is_none());
    scene.eventually_established(2).await;
    assert_eq!(scene.seen(), []);
}

#[tokio::test]
async fn a_reload_that_leaves_early_data_does_not_forget_who_may_send_it() {
    let scene = Scene::new("", "early_data = true").await;
    let (certificate, key) = scene.certificates.paths("site");
    let site = format!("{{ certificate = {certificate:?}, private_key = {key:?} }}");
    let other = "idle_timeout = \"70s\"";
    let text = Scene::text(
        &scene.target,
        &scene.certificates,
        &site,
        other,
        "early_data = true",
    );
    scene.elbow.apply(&text).await.unwrap();
    let (mut client, accepted) = scene.hasty(scene.elbow.address()).await;
    let (posted, got) = ask_both(&mut client).await;
    assert!(soon(accepted).await);
    assert_eq!(soon(posted.read()).await.unwrap().status, 200);
    assert_eq!(soon(got.read()).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_target_that_will_not_act_on_early_data_says_so_to_the_client() {
    let scene = Scene::new("", "early_data = true").await;
    let ways = [Way::Open, Way::Held];
    let relay = Relay::to(scene.elbow.address(), ways).await;
    let (mut client, _) = scene.hasty(relay.address).await;
    let got = client.begin(Request::get("https://site.test/wary")).await;
    scene.eventually_seen(1).await;
    relay.turn(OPEN);
    assert_eq!(soon(got.read()).await.unwrap().status, 425);
    // RFC 8470 section 5.2: said again, now that the handshake is complete.
    let request = Request::get("https://site.test/wary");
    assert_eq!(client.ask(request, b"").await.status, 200);
}
