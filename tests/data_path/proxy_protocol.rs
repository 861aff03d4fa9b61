//! The PROXY protocol: from a proxy before the balancer, and on to the targets.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::support::{Client, Elbow, SOON, Target, Wire, eventually, targets};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const V1: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";

/// A header of version 2 that says the same as [`V1`].
fn v2() -> Vec<u8> {
    let ends = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb];
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".as_slice(), &ends].concat()
}

fn from(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

/// A balancer whose listener believes 127.0.0.1, with these settings beside. Rule 1 is for the
/// client that the headers name.
fn config(to: &[&Target], settings: &str, group: &str) -> String {
    let targets = targets(to);
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         default = {{ forward = \"group\" }}\n\
         proxy_protocol = {{ from = [\"127.0.0.1/32\"]{settings} }}\n\
         [[load_balancer.listener.rule]]\n\
         priority = 1\n\
         source_ip = [\"192.0.2.0/24\"]\n\
         method = [\"PUT\"]\n\
         fixed_response = {{ status = 202 }}\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ enabled = false }}\n\
         {group}\n\
         {targets}\n"
    )
}

async fn balancer(to: &Target, settings: &str) -> Elbow {
    Elbow::start(&config(&[to], settings, "")).await
}

#[tokio::test]
async fn the_client_that_a_trusted_proxy_names_is_the_client() {
    for header in [V1.as_bytes().to_vec(), v2()] {
        let target = Target::answering(OK).await;
        let elbow = balancer(&target, "").await;
        let mut client = Client::connect(elbow.address()).await;
        client.send([&header, GET.as_bytes()].concat()).await;
        assert_eq!(client.response().await.status(), 200);
        let put = GET.replace("GET", "PUT");
        assert_eq!(client.ask(put).await.status(), 202);
        let seen = target.request();
        assert_eq!(seen.value("X-Forwarded-For"), Some("192.0.2.7"));
        let port = elbow.address().port().to_string();
        assert_eq!(seen.value("X-Forwarded-Port"), Some(&*port));
        for line in elbow.log(2).await {
            assert_eq!(line.text("client_ip"), "192.0.2.7");
            assert_eq!(line.number("client_port"), Some(4711.0));
        }
    }
}

#[tokio::test]
async fn a_client_whose_tls_the_proxy_ended_came_by_https() {
    let target = Target::answering(OK).await;
    let elbow = balancer(&target, "").await;
    let mut header = v2();
    header[15] += 8;
    header.extend(b"\x20\x00\x05\x01\x00\x00\x00\x00");
    let mut client = Client::connect(elbow.address()).await;
    client.send([&header, GET.as_bytes()].concat()).await;
    assert_eq!(client.response().await.status(), 200);
    let seen = target.request();
    assert_eq!(seen.value("X-Forwarded-Proto"), Some("https"));
    assert_eq!(seen.value("X-Forwarded-Port"), Some("443"));
}

#[tokio::test]
async fn a_header_may_come_in_pieces() {
    let target = Target::answering(OK).await;
    let elbow = balancer(&target, "").await;
    let mut client = Client::connect(elbow.address()).await;
    for byte in [&v2(), GET.as_bytes()].concat() {
        client.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.response().await.status(), 200);
    assert_eq!(target.request().value("X-Forwarded-For"), Some("192.0.2.7"));
}

#[tokio::test]
async fn a_proxys_own_connection_keeps_its_own_address() {
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00".to_vec();
    for header in [local, b"PROXY UNKNOWN\r\n".to_vec()] {
        let target = Target::answering(OK).await;
        let elbow = balancer(&target, "").await;
        let mut client = Client::connect(elbow.address()).await;
        client.send([&header, GET.as_bytes()].concat()).await;
        assert_eq!(client.response().await.status(), 200);
        assert_eq!(target.request().value("X-Forwarded-For"), Some("127.0.0.1"));
        let line = elbow.log_line().await;
        assert_eq!(
            line.number("client_port"),
            Some(client.address.port().into())
        );
    }
}

#[tokio::test]
async fn a_trusted_proxy_without_an_acceptable_header_is_cut_off_without_a_word() {
    let target = Target::answering(OK).await;
    for (sent, reason) in [
        (GET, "missing"),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n", "malformed"),
        ("PROXY TCP9 a b 1 2\r\n", "undefined"),
        ("PROXY TCP4 192.0.2.7 198.51", "timeout"),
    ] {
        let elbow = balancer(&target, ", timeout = \"200ms\"").await;
        let mut client = Client::connect(elbow.address()).await;
        let begun = Instant::now();
        client.send(sent).await;
        client.expect_closed().await;
        let early = reason == "timeout" && begun.elapsed() < Duration::from_millis(200);
        assert!(!early, "{:?}", begun.elapsed());
        let row = format!("elbow_proxy_protocol_errors_total{{reason=\"{reason}\"}}");
        elbow.expect_metric(&row, 1.0).await;
        elbow.expect_metric("elbow_active_connections", 0.0).await;
        assert_eq!(elbow.metric("elbow_client_requests_total"), 0.0);
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn whoever_is_not_trusted_is_the_client_itself_and_cannot_claim_to_be_another() {
    let target = Target::answering(OK).await;
    let elbow = balancer(&target, "").await;
    let mut client = Client::connect_from(from(2), elbow.address()).await;
    assert_eq!(client.ask(GET).await.status(), 200);
    assert_eq!(target.request().value("X-Forwarded-For"), Some("127.0.0.2"));
    for header in [V1.as_bytes().to_vec(), v2()] {
        let mut liar = Client::connect_from(from(2), elbow.address()).await;
        liar.send([&header, GET.as_bytes()].concat()).await;
        let answer = liar.response().await;
        assert_eq!(answer.status(), 400);
    }
    assert_eq!(target.requests().len(), 1);
}

#[tokio::test]
async fn whoever_is_not_trusted_is_refused_where_only_proxies_may_come() {
    let target = Target::answering(OK).await;
    let elbow = balancer(&target, ", others = \"refuse\"").await;
    let mut client = Client::connect_from(from(2), elbow.address()).await;
    client.expect_closed().await;
    let row = "elbow_proxy_protocol_errors_total{reason=\"untrusted\"}";
    elbow.expect_metric(row, 1.0).await;
    let mut proxy = Client::connect(elbow.address()).await;
    assert_eq!(proxy.ask(format!("{V1}{GET}")).await.status(), 200);
}

#[tokio::test]
async fn a_reload_decides_about_new_connections_only() {
    let target = Target::answering(OK).await;
    let text = config(&[&target], "", "");
    let elbow = Elbow::start_from_file(&text).await;
    let mut introduced = Client::connect(elbow.address()).await;
    assert_eq!(introduced.ask(format!("{V1}{GET}")).await.status(), 200);
    let nobody = text.replace("127.0.0.1/32", "192.0.2.1/32");
    elbow.apply(&nobody).await.unwrap();
    assert_eq!(introduced.get("/").await.status(), 200);
    let mut direct = Client::connect(elbow.address()).await;
    assert_eq!(direct.get("/").await.status(), 200);
    let seen = target.requests();
    let clients: Vec<_> = seen
        .iter()
        .map(|seen| seen.value("X-Forwarded-For"))
        .collect();
    assert_eq!(clients, ["192.0.2.7", "192.0.2.7", "127.0.0.1"].map(Some));
}

#[tokio::test]
async fn a_connection_that_still_owes_its_header_does_not_hold_up_the_shutdown() {
    let target = Target::answering(OK).await;
    let elbow = balancer(&target, ", timeout = \"60s\"").await;
    let mut client = Client::connect(elbow.address()).await;
    client.send("PROXY TCP4").await;
    elbow.expect_metric("elbow_active_connections", 1.0).await;
    let begun = Instant::now();
    elbow.shutdown().await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    client.expect_closed().await;
}

/// A target that expects a header of version 1 at the beginning of each connection, and notes it.
async fn expecting() -> (Target, Arc<Mutex<Vec<String>>>) {
    let headers = Arc::<Mutex<Vec<String>>>::default();
    let noted = Arc::clone(&headers);
    let target = Target::raw(move |stream, _| {
        let noted = Arc::clone(&noted);
        async move {
            let mut wire = Wire::new(stream);
            if let Ok(line) = wire.line().await {
                noted.lock().push(line);
            }
            while wire.request().await.is_some() {
                wire.send(OK).await;
            }
        }
    })
    .await;
    (target, headers)
}

#[tokio::test]
async fn a_connection_to_a_target_names_one_client_and_serves_no_other() {
    let (target, headers) = expecting().await;
    let elbow = Elbow::before(&[&target], "", "proxy_protocol = \"v1\"").await;
    let mut first = Client::connect(elbow.address()).await;
    let mut second = Client::connect(elbow.address()).await;
    for client in [&mut first, &mut second] {
        for _ in 0..3 {
            assert_eq!(client.get("/").await.status(), 200);
        }
    }
    let node = elbow.address().port();
    let named = |client: &Client| {
        let port = client.address.port();
        format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} {node}\r\n")
    };
    assert_eq!(*headers.lock(), [named(&first), named(&second)]);
    elbow
        .expect_metric("elbow_target_idle_connections", 2.0)
        .await;
    drop(first);
    let gone = "elbow_target_connections_closed_total{reason=\"client_gone\"}";
    elbow.expect_metric(gone, 1.0).await;
    assert_eq!(second.get("/").await.status(), 200);
    assert_eq!(target.connections(), 2);
}

#[tokio::test]
async fn a_target_learns_of_the_client_that_a_proxy_named() {
    let ends = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb];
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let target = Target::raw(move |stream, _| {
        let sender = sender.clone();
        async move {
            let mut wire = Wire::new(stream);
            sender
                .send(wire.take(16 + ends.len()).await.unwrap())
                .unwrap();
            while wire.request().await.is_some() {
                wire.send(OK).await;
            }
        }
    })
    .await;
    let elbow = Elbow::start(&config(&[&target], "", "proxy_protocol = \"v2\"")).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.ask(format!("{V1}{GET}")).await.status(), 200);
    assert_eq!(received.recv().await.unwrap(), v2());
}

#[tokio::test]
async fn a_target_that_wants_no_header_gets_none() {
    let (target, headers) = expecting().await;
    let text = config(&[&target], "", "proxy_protocol = \"v1\"");
    let elbow = Elbow::start_from_file(&text).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.ask(format!("{V1}{GET}")).await.status(), 200);
    let plain = Target::answering(OK).await;
    elbow.apply(&config(&[&plain], "", "")).await.unwrap();
    assert_eq!(client.get("/").await.status(), 200);
    assert_eq!(plain.request().start_line(), "GET / HTTP/1.1");
    assert_eq!(headers.lock().len(), 1);
}

#[tokio::test]
async fn a_probe_says_that_its_connection_is_the_balancers_own() {
    let (target, headers) = expecting().await;
    let text = config(&[&target], "", "proxy_protocol = \"v1\"");
    let probed = "health_check = { interval = \"1s\", timeout = \"500ms\" }";
    let text = text.replace("health_check = { enabled = false }", probed);
    let _elbow = Elbow::start(&text).await;
    eventually(SOON, "a probe", || !headers.lock().is_empty()).await;
    assert_eq!(headers.lock()[0], "PROXY UNKNOWN\r\n");
}
