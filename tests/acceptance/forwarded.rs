//! `X-Forwarded-For` by the table of ALB's manual, and `Host` by its table for default and other ports.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::scene::own_address;
use crate::support::{Client, Elbow, Message, Target};

/// What a target sees of a request with these fields.
async fn seen(attributes: &str, fields: &str) -> (Message, SocketAddr) {
    let target = Target::saying("").await;
    let elbow = Elbow::before(&[&target], attributes, "").await;
    let mut client = Client::connect(elbow.address()).await;
    let head = format!("GET / HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n");
    assert_eq!(client.ask(head).await.status(), 200);
    (target.request(), client.address)
}

#[tokio::test]
async fn x_forwarded_for_is_appended_to_preserved_or_removed() {
    let port = "x_forwarded_for_client_port = true\n";
    let (preserve, remove) = (
        "x_forwarded_for = \"preserve\"",
        "x_forwarded_for = \"remove\"",
    );
    let (one, two) = (
        "X-Forwarded-For: 192.0.2.1\r\n",
        "X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\n",
    );
    for (attributes, sent, expected) in [
        ("", "", "CLIENT"),
        ("", one, "192.0.2.1, CLIENT"),
        ("", two, "192.0.2.1, 192.0.2.2, CLIENT"),
        (port, "", "CLIENT:PORT"),
        (port, one, "192.0.2.1, CLIENT:PORT"),
        (preserve, "", ""),
        (preserve, one, "192.0.2.1"),
        (preserve, two, "192.0.2.1, 192.0.2.2"),
        (&format!("{port}{preserve}"), one, "192.0.2.1"),
        (remove, "", ""),
        (remove, two, ""),
        (&format!("{port}{remove}"), one, ""),
    ] {
        let (request, client) = seen(attributes, sent).await;
        let expected = expected
            .replace("CLIENT", &client.ip().to_string())
            .replace("PORT", &client.port().to_string());
        let found = request.values("X-Forwarded-For").join(" | ");
        assert_eq!(found, expected, "{attributes:?} {sent:?}");
    }
}

#[tokio::test]
async fn thirty_addresses_pass_and_31_are_answered_463() {
    let target = Target::saying("").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    for (count, status) in [(30, 200), (31, 463)] {
        let addresses = vec!["192.0.2.1"; count].join(", ");
        let head =
            format!("GET / HTTP/1.1\r\nHost: site.test\r\nX-Forwarded-For: {addresses}\r\n\r\n");
        assert_eq!(client.ask(head).await.status(), status, "{count}");
    }
    assert_eq!(target.requests().len(), 1);
}

/// The Host that a target sees of each of these request targets and Hosts, on a listener with this
/// port; none where the system keeps the port to root.
async fn hosts(port: u16, attributes: &str, sent: &[(&str, &str)]) -> Option<Vec<String>> {
    let address = SocketAddr::new(own_address().ip(), port);
    if let Err(error) = TcpListener::bind(address).await {
        println!("port {port} is not to be had: {error}");
        return None;
    }
    let target = Target::saying("").await;
    let elbow = Elbow::start(&format!(
        "[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"{}\" }}]\n\
         listener = [{{ port = {port}, default = {{ forward = \"group\" }} }}]\n{attributes}\n\
         [[target_group]]\nname = \"group\"\nhealth_check = {{ enabled = false }}\n{}\n",
        address.ip(),
        target.line(),
    ))
    .await;
    let mut client = Client::connect(elbow.address()).await;
    for (to, host) in sent {
        let head = format!("GET {to} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(client.ask(head).await.status(), 200);
    }
    let requests = target.requests();
    let hosts = requests.iter().map(|request| request.value("Host"));
    Some(hosts.map(|host| host.unwrap().to_owned()).collect())
}

#[tokio::test]
async fn host_loses_the_default_port_and_gets_another_ones_unless_it_is_preserved() {
    let preserve = "preserve_host = true";
    // The manual's rows: no port, a default port, an absolute target; then a port that is no default.
    let sent = [
        ("/index.html", "www.Example.com"),
        ("/index.html", "www.example.com:80"),
        ("http://other.example.com/index.html", "www.example.com"),
    ];
    if let Some(hosts) = hosts(80, "", &sent).await {
        let expected = ["www.example.com", "www.example.com", "other.example.com"];
        assert_eq!(hosts, expected);
    }
    if let Some(hosts) = hosts(80, preserve, &sent).await {
        let expected = ["www.Example.com", "www.example.com:80", "www.example.com"];
        assert_eq!(hosts, expected);
    }
    if let Some(hosts) = hosts(443, "", &[("/", "www.example.com:443")]).await {
        assert_eq!(hosts, ["www.example.com"]);
    }
    let other = [("/", "www.example.com"), ("/", "www.example.com:8080")];
    let appended = hosts(8080, "", &other).await.unwrap();
    assert_eq!(appended, ["www.example.com:8080", "www.example.com:8080"]);
    let preserved = hosts(8080, preserve, &other).await.unwrap();
    assert_eq!(preserved, ["www.example.com", "www.example.com:8080"]);
}
