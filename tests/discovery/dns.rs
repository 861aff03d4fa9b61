//! Names in DNS as targets, by a server whose answers change.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::name_server::NameServer;
use crate::scene::{
    before_web, expect, expect_healthy, expect_provider, registered, says, site, state, who,
};
use crate::support::{Elbow, SOON, eventually};

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A daemon whose group asks this server, with more settings of the question.
async fn asking(server: &NameServer, settings: &str) -> Elbow {
    let address = server.address;
    let dns = format!("dns = [{{ servers = [\"{address}\"], min_ttl = \"100ms\", {settings} }}]");
    Elbow::start_from_file(&before_web(&dns)).await
}

async fn expect_registered(elbow: &Elbow, ids: &[&str]) {
    let what = format!("{ids:?} are registered");
    eventually(SOON, &what, || registered(elbow) == ids).await;
}

#[tokio::test]
async fn the_addresses_of_a_name_are_targets_and_follow_it_when_the_ttl_has_passed() {
    let server = NameServer::start().await;
    let one = site("one").await;
    let port = one.address.port();
    server.addresses("web.internal", 0, &["127.0.0.1"]);
    let elbow = asking(&server, &format!("name = \"web.internal\", port = {port}")).await;
    assert_eq!(registered(&elbow), ["127.0.0.1"]);
    expect_healthy(&elbow, &["127.0.0.1"]).await;

    server.addresses("web.internal", 0, &["127.0.0.1", "127.0.0.2", "::1"]);
    expect_registered(&elbow, &["127.0.0.1", "127.0.0.2", "::1"]).await;
    assert_eq!(says(&elbow, "127.0.0.1"), "healthy");

    server.addresses("web.internal", 0, &["127.0.0.1"]);
    expect_registered(&elbow, &["127.0.0.1"]).await;
    assert_eq!(who(elbow.address(), 2).await, ["one", "one"]);
}

#[tokio::test]
async fn an_answer_is_asked_for_again_no_sooner_than_its_ttl_says() {
    let server = NameServer::start().await;
    server.addresses("web.internal", 3600, &["127.0.0.1"]);
    let elbow = asking(&server, "name = \"web.internal\", port = 80").await;
    expect_provider(&elbow, "working").await;
    // One question for each family.
    let asked = server.asked();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(server.asked(), asked);
}

#[tokio::test]
async fn a_service_brings_hosts_with_ports_and_a_host_that_moves_is_the_same_target() {
    let server = NameServer::start().await;
    let (mut a, b) = (site("a").await, site("b").await);
    let service = "_http._tcp.web.internal";
    let hosts = [
        (10, 2, a.address.port(), "a.web.internal"),
        (10, 1, b.address.port(), "b.web.internal"),
        (20, 1, 1, "backup.web.internal"),
    ];
    server.services(service, 0, &hosts);
    server.addresses("a.web.internal", 0, &["127.0.0.1"]);
    server.addresses("b.web.internal", 0, &["127.0.0.1"]);
    server.addresses("backup.web.internal", 0, &["127.0.0.1"]);
    let elbow = asking(&server, &format!("name = \"{service}\", records = \"SRV\"")).await;
    assert_eq!(registered(&elbow), ["a.web.internal", "b.web.internal"]);
    expect_healthy(&elbow, &["a.web.internal", "b.web.internal"]).await;
    assert_eq!(
        who(elbow.address(), 6).await,
        ["a", "a", "a", "a", "b", "b"]
    );

    let before = state(&elbow, "a.web.internal").unwrap();
    a.start_again_at(ELSEWHERE).await;
    server.addresses("a.web.internal", 0, &["127.0.0.2"]);
    let moved = || {
        let snapshot = elbow.running().shared.load();
        let target = &snapshot.groups["web"].targets()[0];
        target.socket_address() == Some(a.address)
    };
    eventually(SOON, "the target has moved", moved).await;
    expect_healthy(&elbow, &["a.web.internal"]).await;
    assert!(Arc::ptr_eq(
        &before,
        &state(&elbow, "a.web.internal").unwrap()
    ));
}

#[tokio::test]
async fn a_negative_answer_and_none_at_all_leave_the_targets_as_they_are() {
    let server = NameServer::start().await;
    let one = site("one").await;
    let port = one.address.port();
    server.addresses("web.internal", 0, &["127.0.0.1"]);
    let elbow = asking(&server, &format!("name = \"web.internal\", port = {port}")).await;
    expect_healthy(&elbow, &["127.0.0.1"]).await;
    server.addresses("web.internal", 0, &[]);
    let provider = expect_provider(&elbow, "failing").await;
    let error = provider["last_error"]["error"].as_str().unwrap();
    assert_eq!(error, "DNS says that `web.internal` has no address");
    assert_eq!(registered(&elbow), ["127.0.0.1"]);

    server.addresses("web.internal", 0, &["127.0.0.1"]);
    expect_provider(&elbow, "working").await;
    server.silence(true);
    expect_provider(&elbow, "failing").await;
    assert_eq!(registered(&elbow), ["127.0.0.1"]);
    assert_eq!(who(elbow.address(), 1).await, ["one"]);
}

#[tokio::test]
async fn a_name_that_leaves_the_configuration_takes_its_targets_along() {
    let server = NameServer::start().await;
    server.addresses("web.internal", 0, &["127.0.0.1"]);
    let elbow = asking(&server, "name = \"web.internal\", port = 80").await;
    assert_eq!(registered(&elbow), ["127.0.0.1"]);
    elbow.apply(&before_web("")).await.unwrap();
    assert!(registered(&elbow).is_empty());
    let draining = "draining Target.DeregistrationInProgress: Target deregistration is in progress";
    expect(&elbow, "127.0.0.1", draining).await;
}
