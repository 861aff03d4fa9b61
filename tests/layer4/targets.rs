//! Which target takes a connection: turns, weights, zones, groups, and another one when it is not
//! to be reached.

use crate::scene::{
    PROBED, UNPROBED, echo, echoes, expect_turned_away, forwarding, healthy, open, order,
};
use crate::support::{Client, Elbow, Target, Wire, targets};

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_made_to_another_target() {
    let (a, mut b) = (echo('a').await, echo('b').await);
    b.stop().await;
    let text = forwarding(&targets(&[&b, &a]), "", UNPROBED);
    let elbow = Elbow::start(&text).await;
    assert_eq!(order(elbow.address(), 4).await, "aaaa");
    let retries = "elbow_retries_total{reason=\"connect_failed\"}";
    assert!(elbow.metric(retries) >= 2.0);
    let errors = "elbow_target_connection_errors_total";
    assert_eq!(elbow.metric(errors), elbow.metric(retries));
}

#[tokio::test]
async fn a_connection_that_no_target_takes_is_reset_and_logged_with_its_reason() {
    let (mut a, mut b) = (echo('a').await, echo('b').await);
    a.stop().await;
    b.stop().await;
    let settings = format!("{UNPROBED}\nretries = 0");
    let elbow = Elbow::start(&forwarding(&targets(&[&a, &b]), "", &settings)).await;
    expect_turned_away(elbow.address()).await;
    let line = elbow.log_line().await;
    assert_eq!(line.text("error_reason"), "TargetConnectionError");
    let port = line.number("target_port").unwrap();
    assert!([a.address.port(), b.address.port()].contains(&(port as u16)));
    assert_eq!(elbow.metric("elbow_target_connection_errors_total"), 1.0);
    assert_eq!(elbow.metric("elbow_retries_total"), 0.0);
}

#[tokio::test]
async fn connections_go_round_by_weight() {
    let (a, b) = (echo('a').await, echo('b').await);
    let weighted = format!(
        "targets = [{{ address = \"{}\", weight = 3 }}, {{ address = \"{}\" }}]",
        a.address, b.address
    );
    let elbow = Elbow::start(&forwarding(&weighted, "", UNPROBED)).await;
    let order = order(elbow.address(), 16).await;
    assert_eq!(order.matches('a').count(), 12, "{order}");
}

#[tokio::test]
async fn the_target_with_the_fewest_open_connections_is_next() {
    let (a, b) = (echo('a').await, echo('b').await);
    let settings = format!("{UNPROBED}\nalgorithm = \"least_outstanding_requests\"");
    let elbow = Elbow::start(&forwarding(&targets(&[&a, &b]), "", &settings)).await;
    let mut open_ones = Vec::new();
    for _ in 0..8 {
        open_ones.push(open(elbow.address()).await);
    }
    let at_a = open_ones.iter().filter(|(_, name)| *name == 'a').count();
    assert_eq!(at_a, 4);
    open_ones.retain(|(_, name)| *name == 'b');
    elbow.expect_metric("elbow_active_connections", 4.0).await;
    for _ in 0..4 {
        let (client, name) = open(elbow.address()).await;
        assert_eq!(name, 'a');
        open_ones.push((client, name));
    }
}

#[tokio::test]
async fn without_cross_zone_a_node_keeps_to_its_zone() {
    let (a, b) = (echo('a').await, echo('b').await);
    let zoned = format!(
        "targets = [{{ address = \"{}\", zone = \"1a\" }}, {{ address = \"{}\", zone = \"1b\" }}]",
        a.address, b.address
    );
    let settings = format!("{UNPROBED}\ncross_zone = false");
    let text = forwarding(&zoned, "", &settings).replace(
        "[{ address = \"127.0.0.1\" }]",
        "[{ zone = \"1a\", address = \"127.0.0.1\" }, { zone = \"1b\", address = \"127.0.0.2\" }]",
    );
    let elbow = Elbow::start(&text).await;
    let nodes = elbow.addresses("lb");
    assert_eq!(order(nodes[0], 3).await, "aaa");
    assert_eq!(order(nodes[1], 3).await, "bbb");
    let row = "elbow_target_connections_opened_total{zone=\"1b\"}";
    assert_eq!(elbow.metric(row), 3.0);
}

#[tokio::test]
async fn groups_have_their_shares() {
    let (a, b) = (echo('a').await, echo('b').await);
    let text = forwarding(&targets(&[&a]), "", UNPROBED).replace(
        "forward = \"group\"",
        "forward = [{ group = \"group\", weight = 0 }, { group = \"other\" }]",
    );
    let other = format!(
        "[[target_group]]\nname = \"other\"\nprotocol = \"TCP\"\n{UNPROBED}\n{}\n",
        targets(&[&b])
    );
    let elbow = Elbow::start(&format!("{text}{other}")).await;
    assert_eq!(order(elbow.address(), 3).await, "bbb");
}

#[tokio::test]
async fn a_target_that_refuses_its_probes_takes_nothing_until_it_passes_again() {
    let (a, mut b) = (echo('a').await, echo('b').await);
    let elbow = Elbow::start(&forwarding(&targets(&[&a, &b]), "", PROBED)).await;
    healthy(&elbow, 2).await;
    b.stop().await;
    healthy(&elbow, 1).await;
    assert_eq!(order(elbow.address(), 4).await, "aaaa");
    b.start_again().await;
    healthy(&elbow, 2).await;
    let order = order(elbow.address(), 4).await;
    assert_eq!(order.matches('b').count(), 2, "{order}");
}

#[tokio::test]
async fn a_group_that_fails_closed_refuses_when_no_target_is_healthy() {
    let mut a = echo('a').await;
    a.stop().await;
    let settings = format!("{PROBED}\nfail_open = false");
    let elbow = Elbow::start(&forwarding(&targets(&[&a]), "", &settings)).await;
    let unhealthy = || elbow.running().shared.load().groups["group"].unhealthy_count(None);
    crate::support::eventually(crate::support::SOON, "it is out", || unhealthy() == 1).await;
    expect_turned_away(elbow.address()).await;
    let line = elbow.log_line().await;
    assert_eq!(line.text("error_reason"), "NoHealthyTarget");
    assert_eq!(line.text("target_ip"), "-");
}

#[tokio::test]
async fn a_load_balancer_takes_no_more_connections_than_it_may() {
    let a = echo('a').await;
    let text = forwarding(&targets(&[&a]), "", UNPROBED)
        .replace("name = \"lb\"", "name = \"lb\"\nmax_connections = 1");
    let elbow = Elbow::start(&text).await;
    let (mut first, _) = open(elbow.address()).await;
    let (rest, _) = Client::connect(elbow.address()).await.wire.rest().await;
    assert_eq!(rest, b"");
    echoes(&mut first).await;
    assert_eq!(elbow.metric("elbow_rejected_connections_total"), 1.0);
}

#[tokio::test]
async fn a_target_is_told_who_the_client_is_and_a_trusted_proxy_says_who_that_is() {
    let target = Target::raw(|stream, _| async move {
        let mut wire = Wire::new(stream);
        let header = wire.take(42).await.unwrap();
        wire.send(header).await;
        let said = wire.take(4).await.unwrap();
        wire.send(said).await;
    })
    .await;
    let settings = format!("{UNPROBED}\nproxy_protocol = \"v1\"");
    let listener = "proxy_protocol = { from = [\"127.0.0.0/8\"] }";
    let elbow = Elbow::start(&forwarding(&targets(&[&target]), listener, &settings)).await;
    let mut client = Client::connect(elbow.address()).await;
    let header = "PROXY TCP4 192.0.2.7 192.0.2.8 1111 2222\r\n";
    assert_eq!(header.len(), 42);
    client.send(format!("{header}ping")).await;
    let heard = client.wire.take(46).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), format!("{header}ping"));
    drop(client);
    let line = elbow.log_line().await;
    assert_eq!(line.text("client_ip"), "192.0.2.7");
    assert_eq!(line.number("client_port"), Some(1111.0));
    assert_eq!(line.number("received_bytes"), Some(4.0), "without headers");
}
