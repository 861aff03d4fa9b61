//! Security groups and network ACLs over real sockets: who is let in, and what becomes of who is not.
//! Clients come from different addresses of the loopback interface.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use support::{Certificates, Client, Elbow, Message, SOON, Target, Wire, eventually};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A load balancer `lb` that has the group `web`; `tables` say whom that lets in. Listeners have port 0 here, and so
/// have rules.
fn config(node: &str, listener: &str, tables: &str) -> String {
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         security_groups = [\"web\"]\n\
         nodes = [{{ {node} }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         {listener}\n\
         {tables}\n"
    )
}

const HELLO: &str = "default = { fixed_response = { status = 200, body = \"hello\" } }";
const HERE: &str = "address = \"127.0.0.1\"";

fn web(sources: &str) -> String {
    format!(
        "[[security_group]]\nname = \"web\"\ninbound = [{{ port = 0, source = [{sources}] }}]\n"
    )
}

fn from(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

/// Whether a peer with this address gets an answer; who does not is reset, and hears nothing.
async fn is_let_in(peer: IpAddr, address: SocketAddr) -> bool {
    match ask(peer, address, "").await {
        Ok(response) => {
            assert_eq!(response.status(), 200);
            true
        }
        Err(kind) => {
            assert_eq!(kind, ErrorKind::ConnectionReset);
            false
        }
    }
}

/// Sends something and a request. Where a connection is reset the system says so once, to whatever comes first:
/// connecting, sending or reading.
async fn ask(peer: IpAddr, address: SocketAddr, before: &str) -> Result<Message, ErrorKind> {
    let mut client = Client::try_connect_from(peer, address)
        .await
        .map_err(|error| error.kind())?;
    let request = format!("{before}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let sent = client.wire.try_send(request).await;
    let heard = client.wire.try_response("GET").await;
    heard.map_err(|error| {
        assert_eq!(client.wire.unread, b"", "no byte");
        let sent = sent.err().map(|error| error.kind());
        sent.filter(|kind| *kind == ErrorKind::ConnectionReset)
            .unwrap_or(error.kind())
    })
}

const BLOCKED: &str = "elbow_blocked_connections_total";

#[tokio::test]
async fn who_no_rule_lets_in_is_reset_before_a_byte_is_read_and_counted() {
    let target = Target::saying("hello").await;
    let group = format!(
        "[[target_group]]\nname = \"group\"\nhealth_check = {{ enabled = false }}\n{}\n",
        target.line()
    );
    let tables = web("\"127.0.0.2/32\", \"127.0.0.64/26\"") + &group;
    let elbow = Elbow::start(&config(HERE, "default = { forward = \"group\" }", &tables)).await;
    let address = elbow.address();
    assert!(is_let_in(from(2), address).await);
    assert!(is_let_in(from(100), address).await);
    for stranger in [from(1), from(3), from(128)] {
        assert!(!is_let_in(stranger, address).await, "{stranger}");
    }
    let labels = "{load_balancer=\"lb\",listener=\"0\",protocol=\"tcp\",by=\"security_group\"}";
    elbow
        .expect_metric(&format!("{BLOCKED}{labels}"), 3.0)
        .await;
    elbow
        .expect_metric("elbow_new_connections_total", 2.0)
        .await;
    assert_eq!(target.requests().len(), 2);
    assert_eq!(elbow.log(2).await.len(), 2);
}

#[tokio::test]
async fn without_a_security_group_everybody_is_let_in_and_one_without_rules_lets_nobody_in() {
    let open = config(HERE, HELLO, "").replace("security_groups = [\"web\"]", "");
    let elbow = Elbow::start_from_file(&open).await;
    assert!(is_let_in(from(9), elbow.address()).await);
    let shut = config(HERE, HELLO, "[[security_group]]\nname = \"web\"\n");
    elbow.apply(&shut).await.unwrap();
    assert!(!is_let_in(from(9), elbow.address()).await);
    // The admin address has no security group.
    assert_eq!(
        Client::connect_from(from(9), elbow.admin())
            .await
            .get("/live")
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn a_changed_rule_holds_for_the_next_connection_and_leaves_open_ones_alone() {
    let elbow = Elbow::start_from_file(&config(HERE, HELLO, &web("\"127.0.0.2/32\""))).await;
    let address = elbow.address();
    let mut open = Client::connect_from(from(2), address).await;
    assert_eq!(open.get("/").await.status(), 200);
    elbow
        .apply(&config(HERE, HELLO, &web("\"127.0.0.3/32\"")))
        .await
        .unwrap();
    assert!(!is_let_in(from(2), address).await);
    assert!(is_let_in(from(3), address).await);
    assert_eq!(open.get("/").await.status(), 200);
}

#[tokio::test]
async fn rules_are_about_the_port_that_they_name() {
    let other = web("\"127.0.0.0/8\"").replace("port = 0", "port = 443");
    let elbow = Elbow::start(&config(HERE, HELLO, &other)).await;
    assert!(!is_let_in(from(1), elbow.address()).await);
    let all = web("\"127.0.0.0/8\"").replace("port = 0, ", "");
    let elbow = Elbow::start(&config(HERE, HELLO, &all)).await;
    assert!(is_let_in(from(1), elbow.address()).await);
}

#[tokio::test]
async fn the_first_rule_of_the_subnets_network_acl_decides_before_the_security_groups() {
    let tables = web("\"127.0.0.0/25\"")
        + "[[subnet]]\n\
           name = \"public\"\n\
           zone = \"a\"\n\
           cidr_blocks = [\"127.0.0.0/29\"]\n\
           addresses = [\"127.0.0.1\"]\n\
           network_acl = \"edge\"\n\
           [[network_acl]]\n\
           name = \"edge\"\n\
           inbound = [\n\
             { rule_number = 300, action = \"deny\", source = \"127.0.0.4/32\" },\n\
             { rule_number = 200, action = \"allow\", source = \"127.0.0.0/24\" },\n\
             { rule_number = 100, action = \"deny\", source = [\"127.0.0.3/32\"] },\n\
           ]\n";
    let elbow = Elbow::start(&config("subnet = \"public\"", HELLO, &tables)).await;
    let address = elbow.address();
    assert_eq!(address.ip(), from(1));
    assert!(is_let_in(from(2), address).await);
    assert!(!is_let_in(from(3), address).await, "rule 100 comes first");
    assert!(
        is_let_in(from(4), address).await,
        "rule 200 comes before 300"
    );
    assert!(
        !is_let_in(IpAddr::from([127, 0, 1, 1]), address).await,
        "no rule"
    );
    assert!(!is_let_in(from(200), address).await, "no rule of the group");
    let by = |by: &str| elbow.metric(&format!("{BLOCKED}{{zone=\"a\",by=\"{by}\"}}"));
    assert_eq!((by("network_acl"), by("security_group")), (2.0, 1.0));
}

#[tokio::test]
async fn an_ipv4_peer_of_a_socket_for_both_families_is_an_ipv4_peer() {
    let node = "address = \"::\"";
    let only_v6 = Elbow::start(&config(node, HELLO, &web("\"::/0\""))).await;
    let port = only_v6.address().port();
    assert!(!is_let_in(from(1), SocketAddr::from(([127, 0, 0, 1], port))).await);
    let v4 = Elbow::start(&config(node, HELLO, &web("\"127.0.0.0/8\""))).await;
    let port = v4.address().port();
    assert!(is_let_in(from(1), SocketAddr::from(([127, 0, 0, 1], port))).await);
}

async fn ask6(address: SocketAddr) -> Option<Message> {
    let stream = TcpStream::connect(address).await.ok()?;
    let mut wire = Wire::new(stream);
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let _ = wire.try_send(request).await;
    wire.try_response("GET").await.ok()
}

#[tokio::test]
async fn ipv6_peers_are_let_in_by_ipv6_blocks() {
    let node = "address = \"::1\"";
    for (source, status) in [("::1", Some(200)), ("fd00::/8", None), ("0.0.0.0/0", None)] {
        let elbow = Elbow::start(&config(node, HELLO, &web(&format!("{source:?}")))).await;
        let response = ask6(elbow.address()).await;
        assert_eq!(
            response.map(|response| response.status()),
            status,
            "{source}"
        );
    }
}

#[tokio::test]
async fn a_group_as_a_source_is_the_addresses_of_whoever_has_it() {
    let hosts = "[[security_group]]\nname = \"hosts\"\nmembers = [\"127.0.0.9\"]\n\
                 [[load_balancer]]\nname = \"edge\"\nsecurity_groups = [\"hosts\"]\n\
                 nodes = [{ address = \"127.0.0.7\" }]\n\
                 listener = [{ port = 0, default = { forward = \"group\" } }]\n\
                 [[target_group]]\nname = \"group\"\nsecurity_groups = [\"hosts\"]\n\
                 health_check = { enabled = false }\n\
                 targets = [{ address = \"127.0.0.5:9\" }]\n";
    let elbow = Elbow::start_from_file(&config(HERE, HELLO, &(web("\"hosts\"") + hosts))).await;
    let address = elbow.address();
    for (peer, let_in) in [(5, true), (7, true), (9, true), (6, false), (1, false)] {
        assert_eq!(
            is_let_in(from(peer), address).await,
            let_in,
            "127.0.0.{peer}"
        );
    }
    // A target comes, another goes.
    let moved = hosts.replace("127.0.0.5:9", "127.0.0.6:9");
    elbow
        .apply(&config(HERE, HELLO, &(web("\"hosts\"") + &moved)))
        .await
        .unwrap();
    assert!(is_let_in(from(6), address).await);
    assert!(!is_let_in(from(5), address).await);
}

#[tokio::test]
async fn a_target_known_by_its_name_is_let_in_by_the_address_that_it_has() {
    let hosts = "[[security_group]]\nname = \"hosts\"\n\
                 [[target_group]]\nname = \"group\"\nsecurity_groups = [\"hosts\"]\n\
                 health_check = { interval = \"100ms\", timeout = \"90ms\" }\n\
                 targets = [{ address = \"localhost:9\" }]\n";
    let listener = "default = { forward = \"group\" }\n\
                    rule = [{ priority = 1, path = [\"/\"], fixed_response = { status = 200 } }]";
    let elbow = Elbow::start(&config(HERE, listener, &(web("\"hosts\"") + hosts))).await;
    let address = elbow.address();
    eventually(SOON, "the name is resolved", || {
        let snapshot = elbow.running().shared.load();
        snapshot.groups["group"].targets()[0]
            .socket_address()
            .is_some()
    })
    .await;
    assert!(!is_let_in(from(2), address).await);
    let resolved = {
        let snapshot = elbow.running().shared.load();
        snapshot.groups["group"].targets()[0]
            .socket_address()
            .unwrap()
    };
    if resolved.is_ipv4() {
        assert!(is_let_in(resolved.ip(), address).await);
    }
}

#[tokio::test]
async fn the_address_of_the_packet_decides_whomever_a_proxy_introduces() {
    let listener = format!("proxy_protocol = {{ from = [\"127.0.0.0/29\"] }}\n{HELLO}");
    let elbow = Elbow::start(&config(HERE, &listener, &web("\"127.0.0.2/32\""))).await;
    let introduce = |peer, client| {
        let header = format!("PROXY TCP4 {client} 127.0.0.1 4711 80\r\n");
        let address = elbow.address();
        async move { ask(from(peer), address, &header).await.is_ok() }
    };
    assert!(introduce(2, "192.0.2.7").await, "the proxy is let in");
    assert!(!introduce(3, "127.0.0.2").await, "the proxy is not");
}

#[tokio::test]
async fn forwarded_connections_are_let_in_alike() {
    let target = Target::raw(|mut stream, _| async move {
        use tokio::io::AsyncWriteExt;
        let _ = stream.write_all(b"hello").await;
    })
    .await;
    let group = format!(
        "[[target_group]]\nname = \"group\"\nprotocol = \"TCP\"\nhealth_check = {{ enabled = false }}\n{}\n",
        target.line()
    );
    let listener = "protocol = \"TCP\"\ndefault = { forward = \"group\" }";
    let tables = web("\"127.0.0.2/32\"") + &group;
    let elbow = Elbow::start(&config(HERE, listener, &tables)).await;
    let mut known = Client::connect_from(from(2), elbow.address()).await;
    assert_eq!(known.wire.take(5).await.unwrap(), b"hello");
    assert!(!is_let_in(from(3), elbow.address()).await);
    assert_eq!(target.connections(), 1);
}

#[tokio::test]
async fn http_3_needs_a_rule_for_udp_and_hears_nothing_without() {
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let listener = format!("protocol = \"HTTPS\"\nhttp3 = true\ncertificates = [{site}]\n{HELLO}");
    let tcp = web("\"127.0.0.1/32\"");
    let elbow = Elbow::start_from_file(&config(HERE, &listener, &tcp)).await;
    let tls = certificates.visitor().offering(&["h3"]).into_config();
    let tls = QuicClientConfig::try_from(tls).unwrap();
    let endpoint = quinn::Endpoint::client((from(1), 0).into()).unwrap();
    let settings = quinn::ClientConfig::new(Arc::new(tls));
    let connecting = endpoint.connect_with(settings, elbow.address(), "site.test");
    let mut connecting = connecting.unwrap();
    let row = format!("{BLOCKED}{{protocol=\"udp\",by=\"security_group\"}}");
    eventually(SOON, "it is counted", || elbow.metric(&row) >= 1.0).await;
    let heard = timeout(Duration::from_millis(300), &mut connecting).await;
    assert!(heard.is_err(), "{heard:?}");
    // The client's next attempt meets another rule.
    let udp = tcp.replace(
        "inbound = [",
        "inbound = [{ protocol = \"udp\", source = \"127.0.0.0/8\" }, ",
    );
    elbow.apply(&config(HERE, &listener, &udp)).await.unwrap();
    timeout(SOON, connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn explain_status_and_nft_know_the_groups() {
    let target = "[[target_group]]\nname = \"group\"\nsecurity_groups = [\"hosts\"]\n\
                  health_check = { enabled = false }\n\
                  targets = [{ address = \"127.0.0.5:9\" }]\n\
                  [[security_group]]\nname = \"hosts\"\ninbound = [{ source = \"web\" }]\n";
    let elbow = Elbow::start(&config(
        HERE,
        "default = { forward = \"group\" }",
        &(web("\"127.0.0.2/32\"") + target),
    ))
    .await;
    let mut admin = Client::connect(elbow.admin()).await;
    let refused = admin
        .get("/explain?url=http://127.0.0.1/&source=127.0.0.3")
        .await;
    assert!(
        refused
            .text()
            .contains("no inbound rule of web lets 127.0.0.3 in on port"),
        "{}",
        refused.text()
    );
    let served = admin
        .get("/explain?url=http://127.0.0.1/&source=127.0.0.2")
        .await;
    assert!(
        served.text().contains("\"type\":\"forward\""),
        "{}",
        served.text()
    );
    let balancers = admin.get("/load-balancers").await;
    assert!(balancers.text().contains("\"security_groups\":[\"web\"]"));
    let rules = admin.get("/nft").await;
    assert!(
        rules.text().contains("elements = { 127.0.0.5 . 9 }"),
        "{}",
        rules.text()
    );
    assert!(
        rules.text().contains("elements = { 127.0.0.1 }"),
        "{}",
        rules.text()
    );
}
