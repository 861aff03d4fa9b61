//! Reload: what changes, what goes on, and what a refused configuration leaves as it was.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, process};

use elbow::reload::Cause;
use elbow::target::TargetHealth;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::scene::{
    Group, PROBED, Site, UNPROBED, asking, echo, entries, group, listening, one_group, order,
    web_socket, who,
};
use crate::support::{Client, Elbow, SOON, eventually};

/// An address that no other test of this process listens on, with a port that another process,
/// also one that runs the same tests, is unlikely to have: outside the range from which the kernel
/// gives ports.
fn own_address(last: u8) -> SocketAddr {
    let port = 20_000 + u16::try_from(process::id() % 10_000).unwrap();
    SocketAddr::from((Ipv4Addr::new(127, 0, 7, last), port))
}

/// A load balancer on one address and these ports.
fn on_ports(address: SocketAddr, ports: &[u16], attributes: &str) -> String {
    let mut text = format!(
        "[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"{}\" }}]\n{attributes}\n",
        address.ip()
    );
    for port in ports {
        text += &format!(
            "[[load_balancer.listener]]\nport = {port}\ndefault = {{ forward = \"group\" }}\n"
        );
    }
    text
}

#[tokio::test]
async fn a_hundred_reloads_under_load_harm_nothing() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let variant = |number: u32| {
        let rule = format!(
            "[[load_balancer.listener.rule]]\npriority = {}\npath = [\"/gone/*\"]\n\
             fixed_response = {{ status = 404 }}\n",
            1 + number
        );
        let mut text = listening(0, "{ forward = \"group\" }") + &rule;
        let weight = format!(", weight = {}", 1 + number % 3);
        group(&mut text, "group", PROBED, &[a.entry(&weight), b.entry("")]);
        text
    };
    let elbow = Elbow::start_from_file(&variant(0)).await;
    let states = Group(&elbow, "group");
    states.expect_healthy(&[&a, &b]).await;
    let address = elbow.address();

    let enough = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let enough = Arc::clone(&enough);
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut served = 0;
                while !enough.load(Ordering::Relaxed) {
                    let response = client.get("/").await;
                    assert_eq!(response.status(), 200, "{}", response.head);
                    served += 1;
                }
                served
            })
        })
        .collect();
    let mut socket = web_socket(address).await;
    let mut download = asking(address, "/half").await;
    let mut begun = download.wire.head().await.unwrap();
    let mut upload = Client::connect(address).await;
    upload
        .send(
            "POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        )
        .await;

    for number in 1..=100 {
        let outcome = match number % 5 {
            0 => elbow.apply("[[load_balancer]]\nname = 7\n").await,
            _ => elbow.apply(&variant(number)).await,
        };
        assert_eq!(outcome.is_ok(), number % 5 != 0, "{outcome:?}");
        for id in ["a", "b"] {
            let health = states.describe(id).unwrap().state;
            assert_eq!(health, TargetHealth::Healthy, "{id} after {number}");
        }
        if number % 10 == 0 {
            echo(&mut socket, &format!("reload {number}")).await;
        }
    }
    assert_eq!(elbow.generation(), 81);
    assert_eq!(
        elbow.metric("elbow_reloads_total{result=\"refused\"}"),
        20.0
    );

    enough.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    echo(&mut socket, "the same connection").await;
    a.open_gate();
    b.open_gate();
    download.wire.body(&mut begun, true).await.unwrap();
    assert_eq!(begun.text(), "halfhalf");
    upload.send("4\r\nhalf\r\n0\r\n\r\n").await;
    assert!(upload.response().await.text().ends_with(" 8"));
    assert_eq!(
        elbow.metric("elbow_errors_total"),
        0.0,
        "{}",
        elbow.scrape()
    );
}

#[tokio::test]
async fn round_robin_goes_on_where_it_was() {
    let sites = [
        Site::start("a").await,
        Site::start("b").await,
        Site::start("c").await,
    ];
    let text = one_group(&[&sites[0], &sites[1], &sites[2]], UNPROBED);
    let elbow = Elbow::start_from_file(&text).await;
    let mut answers = order(elbow.address(), 1).await;
    for number in 0..5 {
        elbow.apply(&format!("{text}# {number}\n")).await.unwrap();
        answers.extend(order(elbow.address(), 1).await);
    }
    let first = answers.iter().position(|name| name == "a").unwrap();
    answers.rotate_left(first);
    assert_eq!(answers, ["a", "b", "c", "a", "b", "c"]);
}

#[tokio::test]
async fn a_listener_is_added_and_removed_and_its_port_is_free_again() {
    let site = Site::start("a").await;
    let first = own_address(1);
    let second = SocketAddr::new(first.ip(), first.port() + 1);
    let with = |ports: &[u16]| {
        let mut text = on_ports(first, ports, "");
        group(&mut text, "group", UNPROBED, &entries(&[&site]));
        text
    };
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
    let first = own_address(2);
    let second = SocketAddr::new(first.ip(), first.port() + 1);
    let with = |ports: &[u16]| {
        let mut text = on_ports(first, ports, "");
        group(&mut text, "group", UNPROBED, &entries(&[&site]));
        text
    };
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
    let port = own_address(0).port() + 2;
    let on = |nodes: &str| {
        let mut text = listening(port, "{ forward = \"group\" }");
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
    let deadline = Instant::now() + SOON;
    while TcpStream::connect(elsewhere).await.is_ok() {
        assert!(Instant::now() < deadline, "still listening everywhere");
    }
    elbow.apply(&all).await.unwrap();
    assert_eq!(order(elsewhere, 1).await, ["a"]);
}

#[tokio::test]
async fn an_address_in_use_is_refused_with_a_message_that_helps() {
    let site = Site::start("a").await;
    let first = own_address(5);
    let taken = SocketAddr::new(first.ip(), first.port() + 1);
    let _other = TcpListener::bind(taken).unwrap();
    let with = |ports: &[u16]| {
        let mut text = on_ports(first, ports, "");
        group(&mut text, "group", UNPROBED, &entries(&[&site]));
        text
    };
    let elbow = Elbow::start_from_file(&with(&[first.port()])).await;
    let ports = [first.port(), taken.port(), taken.port() + 1];
    let error = elbow.apply(&with(&ports)).await.unwrap_err().to_string();
    assert!(error.contains("the address is in use"), "{error}");
    assert!(error.contains(&taken.to_string()), "{error}");
    assert_eq!(elbow.addresses("lb"), [first]);
    assert_eq!(order(first, 1).await, ["a"]);
    let not_kept = SocketAddr::new(first.ip(), taken.port() + 1);
    assert!(TcpStream::connect(not_kept).await.is_err());
}

#[tokio::test]
async fn attributes_change_for_connections_that_are_open() {
    let site = Site::start("a").await;
    let address = own_address(6);
    let with = |attributes: &str, settings: &str| {
        let mut text = on_ports(address, &[address.port()], attributes);
        let settings = format!("{UNPROBED}\n{settings}");
        group(&mut text, "group", &settings, &entries(&[&site]));
        text
    };
    let elbow = Elbow::start_from_file(&with("", "")).await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.get("/").await.status(), 200);
    let quick = with("idle_timeout = \"300ms\"", "response_timeout = \"200ms\"");
    elbow.apply(&quick).await.unwrap();
    assert_eq!(client.get("/held").await.status(), 504);
    assert_eq!(client.get("/").await.status(), 200);
    let begun = Instant::now();
    client.expect_closed().await;
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "not idle for 300ms"
    );
}

#[tokio::test]
async fn a_refused_configuration_changes_nothing_and_says_why() {
    let site = Site::start("a").await;
    let text = one_group(&[&site], PROBED);
    let elbow = Elbow::start_from_file(&text).await;
    Group(&elbow, "group").expect_healthy(&[&site]).await;
    let before = elbow.running().shared.load();
    let wrong = text.replace("{ forward = \"group\" }", "{ forward = \"grop\" }");
    let error = elbow.apply(&wrong).await.unwrap_err();
    let said = error.to_string();
    for words in ["grop", "group", "elbow.toml"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    let after = elbow.running().shared.load();
    assert!(Arc::ptr_eq(&before, &after));
    let refusal = elbow.reload().last_refusal().unwrap();
    assert_eq!(refusal.error.to_string(), said);
    assert_eq!(refusal.cause, Cause::Api);
    assert_eq!(elbow.metric("elbow_reloads_total{result=\"refused\"}"), 1.0);
    assert_eq!(elbow.metric("elbow_last_reload_successful"), 0.0);
    assert_eq!(order(elbow.address(), 1).await, ["a"]);

    let reload = elbow.reload();
    elbow.save("elbow.toml", &text);
    reload.reload(Cause::Signal).await.unwrap();
    assert!(reload.last_refusal().is_none());
    assert_eq!(elbow.metric("elbow_last_reload_successful"), 1.0);
    assert_eq!(elbow.metric("elbow_configuration_generation"), 2.0);
}

/// A configuration whose default action says `name`.
fn naming(name: &str) -> String {
    let action = format!("{{ fixed_response = {{ status = 200, body = \"{name}\" }} }}");
    listening(0, &action)
}

async fn expect_named(elbow: &Elbow, name: &str) {
    let deadline = Instant::now() + SOON;
    while order(elbow.address(), 1).await != [name] {
        assert!(Instant::now() < deadline, "{name} is not in force");
    }
}

#[tokio::test]
async fn a_file_that_an_editor_renames_into_place_is_taken_over() {
    let elbow = Elbow::start_from_file(&naming("one")).await;
    let beside = elbow.save("elbow.toml.new", &naming("two"));
    fs::rename(&beside, beside.with_file_name("elbow.toml")).unwrap();
    expect_named(&elbow, "two").await;
    assert_eq!(elbow.generation(), 2);
}

#[tokio::test]
async fn a_directory_that_kubernetes_swaps_by_a_link_is_taken_over() {
    let elbow = Elbow::start_from_file(&naming("one")).await;
    let at = |name: &str| elbow.log_path().with_file_name(name);
    for (version, name) in [("v1", "two"), ("v2", "three")] {
        fs::create_dir(at(version)).unwrap();
        elbow.save(&format!("{version}/elbow.toml"), &naming(name));
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/elbow.toml", at("link")).unwrap();
    fs::rename(at("link"), at("elbow.toml")).unwrap();
    expect_named(&elbow, "two").await;
    symlink("v2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    expect_named(&elbow, "three").await;
    assert_eq!(elbow.generation(), 3);
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_not_read() {
    let elbow = Elbow::start_from_file(&naming("one")).await;
    let path = elbow.save("whole", &naming("two"));
    let whole = fs::read_to_string(&path).unwrap();
    let path = path.with_file_name("elbow.toml");
    // Slower than anybody writes, faster than the watcher looks twice.
    let mut written = 0;
    while written < whole.len() {
        written = (written + whole.len().div_ceil(20)).min(whole.len());
        fs::write(&path, &whole[..written]).unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    expect_named(&elbow, "two").await;
    assert_eq!(elbow.metric("elbow_reloads_total{result=\"refused\"}"), 0.0);
    assert_eq!(elbow.generation(), 2);
}

#[tokio::test]
async fn a_file_that_goes_back_to_what_it_was_is_taken_over_again() {
    let elbow = Elbow::start_from_file(&naming("one")).await;
    // Long enough for the watcher to have settled on the first content.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    elbow.apply(&naming("two")).await.unwrap();
    elbow.save("elbow.toml", &naming("one"));
    expect_named(&elbow, "one").await;
}

#[tokio::test]
async fn a_file_that_is_refused_is_read_again_when_it_is_mended() {
    let elbow = Elbow::start_from_file(&naming("one")).await;
    elbow.save("elbow.toml", "[[load_balancer]]\nname = 7\n");
    let refused = "elbow_reloads_total{result=\"refused\"}";
    elbow.expect_metric(refused, 1.0).await;
    assert_eq!(
        elbow.reload().last_refusal().unwrap().cause,
        Cause::FileChange
    );
    elbow.save("elbow.toml", &naming("two"));
    expect_named(&elbow, "two").await;
    assert_eq!(elbow.metric(refused), 1.0);
}
