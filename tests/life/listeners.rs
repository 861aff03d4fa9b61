//! Listeners: those that a reload adds, removes and renames, and what they refuse.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use elbow::reload::ReloadError;
use elbow::server::ServerError;
use tokio::net::TcpStream;

use crate::scene::{
    Site, UNPROBED, asking, echo, entries, expect_refused, fixed, group, listening, naming,
    on_ports, order, own_address, web_socket, who,
};
use crate::support::{Client, Elbow, SOON, eventually};

const TO_GROUP: &str = "{ forward = \"group\" }";

/// A load balancer on these ports of one address, in front of one site.
fn before(site: &Site, address: SocketAddr, ports: &[u16]) -> String {
    let mut text = on_ports(address, ports, TO_GROUP);
    group(&mut text, "group", UNPROBED, &entries(&[site]));
    text
}

#[tokio::test]
async fn a_listener_is_added_and_removed_and_its_port_is_free_again() {
    let site = Site::start("a").await;
    let first = own_address();
    let second = SocketAddr::new(first.ip(), first.port() + 1);
    let with = |ports: &[u16]| before(&site, first, ports);
    let elbow = Elbow::start_from_file(&with(&[first.port()])).await;
    assert!(TcpStream::connect(second).await.is_err());
    let reloaded = elbow
        .apply(&with(&[first.port(), second.port()]))
        .await
        .unwrap();
    assert!(!reloaded.difference.to_string().is_empty());
    let mut stays = Client::connect(first).await;
    assert_eq!(who(&stays.get("/").await), "a");
    let mut idle = Client::connect(second).await;
    assert_eq!(who(&idle.get("/").await), "a");
    let mut held = asking(second, "/held").await;
    let mut socket = web_socket(second).await;
    eventually(SOON, "the request is in flight", || {
        site.asked("/held") == 1
    })
    .await;

    elbow.apply(&with(&[first.port()])).await.unwrap();
    idle.expect_closed().await;
    eventually(SOON, "the port is free", || {
        TcpListener::bind(second).is_ok()
    })
    .await;
    site.open_gate();
    let response = held.response().await;
    assert_eq!(who(&response), "a");
    assert_eq!(response.value("Connection"), Some("close"));
    held.expect_closed().await;
    echo(&mut socket, "still here").await;
    assert_eq!(who(&stays.get("/").await), "a", "the other listener's");
}

#[tokio::test]
async fn a_listener_removed_and_added_again_listens() {
    let site = Site::start("a").await;
    let first = own_address();
    let second = SocketAddr::new(first.ip(), first.port() + 1);
    let with = |ports: &[u16]| before(&site, first, ports);
    let both = with(&[first.port(), second.port()]);
    let elbow = Elbow::start_from_file(&both).await;
    for _ in 0..20 {
        elbow.apply(&with(&[first.port()])).await.unwrap();
        elbow.apply(&both).await.unwrap();
        assert_eq!(order(second, 1).await, ["a"]);
    }
}

#[tokio::test]
async fn nodes_may_take_the_place_of_the_node_on_all_addresses() {
    let site = Site::start("a").await;
    // Where no address of another test's has its ports: this one takes it everywhere.
    let port = own_address().port() + 6_000;
    let on = |nodes: &str| {
        let mut text = listening(port, TO_GROUP);
        text = text.replace("{ address = \"127.0.0.1\" }", nodes);
        group(&mut text, "group", UNPROBED, &entries(&[&site]));
        text
    };
    let (all, one) = (
        on("{ address = \"0.0.0.0\" }"),
        on("{ address = \"127.0.7.3\", zone = \"a\" }"),
    );
    let elbow = Elbow::start_from_file(&all).await;
    let elsewhere = SocketAddr::from(([127, 0, 7, 4], port));
    let here = SocketAddr::from(([127, 0, 7, 3], port));
    assert_eq!(order(elsewhere, 1).await, ["a"]);
    elbow.apply(&one).await.unwrap();
    assert_eq!(order(here, 1).await, ["a"]);
    expect_refused(elsewhere).await;
    elbow.apply(&all).await.unwrap();
    assert_eq!(order(elsewhere, 1).await, ["a"]);
}

#[tokio::test]
async fn an_address_in_use_refuses_the_whole_configuration_with_a_message_that_helps() {
    let first = own_address();
    let port = |number: u16| SocketAddr::new(first.ip(), first.port() + number);
    let (taken, last) = (port(1), port(2));
    let other = TcpListener::bind(taken).unwrap();
    let one = on_ports(first, &[first.port()], &fixed("one"));
    let ports = [first.port(), taken.port(), last.port()];
    let more = on_ports(first, &ports, &fixed("two"));
    let elbow = Elbow::start_from_file(&one).await;
    let mut client = Client::connect(first).await;
    assert_eq!(who(&client.get("/").await), "one");
    let error = elbow.apply(&more).await.unwrap_err();
    let in_use = matches!(*error, ReloadError::Server(ServerError::InUse { .. }));
    assert!(in_use, "{error:?}");
    let said = error.to_string();
    assert!(said.contains("the address is in use"), "{said}");
    assert!(said.contains(&taken.to_string()), "{said}");
    assert_eq!(elbow.addresses("lb"), [first]);
    assert_eq!(who(&client.get("/").await), "one");
    assert_eq!(order(first, 1).await, ["one"]);
    assert!(TcpStream::connect(last).await.is_err(), "it was not kept");

    drop(other);
    elbow.apply(&more).await.unwrap();
    assert_eq!(who(&client.get("/").await), "two");
    for address in [first, taken, last] {
        assert_eq!(order(address, 1).await, ["two"]);
    }
}

#[tokio::test]
async fn a_removed_load_balancer_lets_its_idle_connections_go_and_others_stay() {
    let gone = naming("other").replace("\"lb\"", "\"gone\"");
    let elbow = Elbow::start_from_file(&(naming("one") + &gone)).await;
    let address = elbow.addresses("gone")[0];
    let mut leaving = Client::connect(address).await;
    let mut staying = Client::connect(elbow.address()).await;
    assert_eq!(who(&leaving.get("/").await), "other");
    assert_eq!(who(&staying.get("/").await), "one");
    elbow.apply(&naming("one")).await.unwrap();
    leaving.expect_closed().await;
    expect_refused(address).await;
    assert_eq!(who(&staying.get("/").await), "one");
}

#[tokio::test]
async fn a_renamed_load_balancer_keeps_its_socket_and_its_connections() {
    let address = own_address();
    let text = on_ports(address, &[address.port()], &fixed("one"));
    let elbow = Elbow::start_from_file(&text).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(who(&client.get("/").await), "one");
    let renamed = on_ports(address, &[address.port()], &fixed("two")).replace("\"lb\"", "\"www\"");
    elbow.apply(&renamed).await.unwrap();
    assert_eq!(who(&client.get("/").await), "two");
    assert_eq!(elbow.addresses("www"), [address]);
    assert_eq!(order(address, 1).await, ["two"]);
}

#[tokio::test]
async fn one_connection_more_than_allowed_is_closed_and_counted() {
    let limited = naming("one").replace("name = \"lb\"", "name = \"lb\"\nmax_connections = 2");
    let elbow = Elbow::start(&limited).await;
    let mut first = Client::connect(elbow.address()).await;
    let mut second = Client::connect(elbow.address()).await;
    assert_eq!(first.get("/").await.status(), 200);
    assert_eq!(second.get("/").await.status(), 200);
    let mut third = Client::connect(elbow.address()).await;
    third.expect_closed().await;
    let labels = "{load_balancer=\"lb\",zone=\"\"}";
    let count = |family: &str| elbow.metric(&format!("{family}{labels}"));
    assert_eq!(count("elbow_rejected_connections_total"), 1.0);
    assert_eq!(count("elbow_active_connections"), 2.0);
    drop(first);
    let balancer = Arc::clone(&elbow.running().shared.load().load_balancers[0]);
    eventually(SOON, "the place is free", || {
        balancer.admissions.open() == 1
    })
    .await;
    assert_eq!(order(elbow.address(), 1).await, ["one"]);
}
