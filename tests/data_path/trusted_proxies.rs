//! Proxies in front that say whom a request comes from, and what the next hop is told.

use std::net::IpAddr;

use crate::support::{Client, Elbow, Message, Target, targets};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const FIELDS: &str = "X-Forwarded-For: 192.0.2.7:4711, 127.0.0.9\r\n\
                      X-Forwarded-Proto: https\r\n\
                      X-Forwarded-Port: 8443\r\n";
/// Stands for the CDN, which is trusted; 127.0.0.1 is not.
const CDN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 8));

/// A balancer that trusts 127.0.0.8 and 127.0.0.9. Rule 1 is for 192.0.2.0/24.
async fn balancer(to: &Target, settings: &str, attributes: &str) -> Elbow {
    let targets = targets(&[to]);
    Elbow::start(&format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         trusted_proxies = {{ from = [\"127.0.0.8/31\"]{settings} }}\n\
         {attributes}\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         default = {{ forward = \"group\" }}\n\
         [[load_balancer.listener.rule]]\n\
         priority = 1\n\
         source_ip = [\"192.0.2.0/24\"]\n\
         fixed_response = {{ status = 202 }}\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ enabled = false }}\n\
         {targets}\n"
    ))
    .await
}

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: Shop.test\r\n{fields}\r\n")
}

fn forwarded(message: &Message) -> [Option<&str>; 3] {
    ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port"].map(|name| message.value(name))
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_client_is_and_how_it_came() {
    let target = Target::answering(OK).await;
    let elbow = balancer(&target, "", "").await;
    let mut cdn = Client::connect_from(CDN, elbow.address()).await;
    assert_eq!(cdn.ask(get(FIELDS)).await.status(), 200);
    let seen = target.request();
    assert_eq!(
        forwarded(&seen),
        ["192.0.2.7:4711, 127.0.0.9, 127.0.0.8", "https", "8443"].map(Some)
    );
    let line = elbow.log_line().await;
    assert_eq!(line.text("client_ip"), "192.0.2.7");
    assert_eq!(line.number("client_port"), Some(4711.0));
}

#[tokio::test]
async fn whoever_is_not_trusted_is_the_client_whatever_it_claims() {
    let target = Target::answering(OK).await;
    let elbow = balancer(&target, ", source_ip = true", "").await;
    let mut liar = Client::connect(elbow.address()).await;
    assert_eq!(liar.ask(get(FIELDS)).await.status(), 200);
    let port = elbow.address().port().to_string();
    assert_eq!(
        forwarded(&target.request()),
        ["192.0.2.7:4711, 127.0.0.9, 127.0.0.1", "http", &port].map(Some)
    );
    let line = elbow.log_line().await;
    assert_eq!(line.text("client_ip"), "127.0.0.1");
}

#[tokio::test]
async fn source_ip_looks_at_the_connection_unless_it_is_to_look_further() {
    let target = Target::answering(OK).await;
    for (settings, status) in [("", 200), (", source_ip = true", 202)] {
        let elbow = balancer(&target, settings, "").await;
        let mut cdn = Client::connect_from(CDN, elbow.address()).await;
        assert_eq!(cdn.ask(get(FIELDS)).await.status(), status, "{settings}");
        // Each request of the connection comes from somebody else.
        assert_eq!(
            cdn.ask(get("X-Forwarded-For: 1.1.1.1\r\n")).await.status(),
            200
        );
    }
}

#[tokio::test]
async fn only_the_field_that_trusted_proxies_write_is_believed() {
    let target = Target::answering(OK).await;
    let settings = ", field = \"forwarded\", source_ip = true";
    let elbow = balancer(&target, settings, "").await;
    let mut cdn = Client::connect_from(CDN, elbow.address()).await;
    assert_eq!(cdn.ask(get(FIELDS)).await.status(), 200);
    let fields = "Forwarded: for=1.1.1.1, for=\"192.0.2.7:4711\";proto=https\r\n";
    assert_eq!(cdn.ask(get(fields)).await.status(), 202);
    let lines = elbow.log(2).await;
    assert_eq!(lines[0].text("client_ip"), "127.0.0.8");
    assert_eq!(lines[1].text("client_ip"), "192.0.2.7");
}

#[tokio::test]
async fn forwarded_goes_on_as_it_came_unless_it_is_to_be_written_or_removed() {
    let sent = "Forwarded: for=192.0.2.7;by=_cdn\r\nForwarded: for=_x\r\n";
    for (settings, seen) in [
        ("", vec!["for=192.0.2.7;by=_cdn", "for=_x"]),
        ("forwarded = { mode = \"remove\" }", vec![]),
        (
            "forwarded = { mode = \"append\", by = \"_shop\" }",
            vec!["for=192.0.2.7;by=_cdn, for=_x, for=127.0.0.1;by=_shop;host=Shop.test;proto=http"],
        ),
    ] {
        let target = Target::answering(OK).await;
        let elbow = balancer(&target, "", settings).await;
        let mut client = Client::connect(elbow.address()).await;
        assert_eq!(client.ask(get(sent)).await.status(), 200);
        assert_eq!(target.request().values("Forwarded"), seen, "{settings}");
    }
}

#[tokio::test]
async fn more_than_thirty_addresses_are_refused_from_a_trusted_proxy_too() {
    let target = Target::answering(OK).await;
    let elbow = balancer(&target, "", "").await;
    let mut cdn = Client::connect_from(CDN, elbow.address()).await;
    let many = ["127.0.0.9"; 31].join(", ");
    let answer = cdn.ask(get(&format!("X-Forwarded-For: {many}\r\n"))).await;
    assert_eq!(answer.status(), 463);
}
