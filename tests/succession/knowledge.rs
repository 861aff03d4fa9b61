//! What the process that took over knows already.

use std::net::SocketAddr;

use serde_json::Value;

use crate::process::{Daemon, address};
use crate::scene::{Site, UNPROBED, entries, group, listening};
use crate::support::{Client, SOON, eventually};

#[tokio::test]
async fn health_and_drains_are_known_before_the_first_probe() {
    let (a, b, c) = (
        Site::start("a").await,
        Site::start("b").await,
        Site::start("c").await,
    );
    b.judge([500]);
    let check = |interval: &str| {
        format!(
            "health_check = {{ path = \"/probe\", interval = \"{interval}\", timeout = \"190ms\", \
             unhealthy_threshold = 10, healthy_threshold = 2 }}"
        )
    };
    let configuration = |interval: &str| {
        let mut text = listening(0, "{ forward = \"group\" }");
        group(
            &mut text,
            "group",
            &check(interval),
            &entries(&[&a, &b, &c]),
        );
        text
    };
    let daemon = Daemon::start(&configuration("200ms")).await;
    let unhealthy = "target is unhealthy";
    eventually(SOON, "b is out", || daemon.log().contains(unhealthy)).await;
    eventually(SOON, "a and c are in", || {
        daemon.log().matches("target is healthy").count() >= 2
    })
    .await;
    let mut admin = Client::connect(daemon.admin()).await;
    let drained = admin.post("/target-groups/group/targets/c/drain").await;
    assert_eq!(drained.status(), 200);
    daemon.configure(&configuration("300s"));
    let taken = "configuration in force: target groups ~group";
    eventually(SOON, "it is taken over", || {
        !daemon.events(taken).is_empty()
    })
    .await;
    // Silence from now on, and hardly a probe: whatever is known was known before.
    for site in [&a, &c] {
        site.judge([0]);
    }
    daemon.upgraded().await;
    let health = daemon.ask("/target-health").await;
    let targets = health["target_groups"][0]["targets"].as_array().unwrap();
    let states: Vec<_> = targets
        .iter()
        .map(|target| target["target_health"]["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["healthy", "unhealthy", "draining"], "{health}");
    let reason = &targets[1]["target_health"]["reason"];
    assert_eq!(reason, "Target.ResponseCodeMismatch");
    let mut client = Client::connect(daemon.address()).await;
    for _ in 0..4 {
        assert!(client.get("/").await.text().starts_with("a "));
    }
}

#[tokio::test]
async fn what_was_made_through_the_aws_api_is_there_and_can_be_changed() {
    let site = Site::start("a").await;
    let state = tempfile::tempdir().unwrap();
    let mut text = format!("state_directory = {:?}\n", state.path());
    text += &listening(0, "{ forward = \"group\" }");
    group(&mut text, "group", UNPROBED, &[]);
    let daemon = Daemon::start(&text).await;
    let address = site.target.address;
    let target = format!(
        "&Targets.member.1.Id={}&Targets.member.1.Port={}",
        address.ip(),
        address.port()
    );
    let groups = aws(&daemon, "DescribeTargetGroups").await;
    let (_, arn) = groups.split_once("<TargetGroupArn>").unwrap();
    let arn = arn.split('<').next().unwrap();
    let of_group = |action: &str| format!("{action}&TargetGroupArn={arn}");
    aws(&daemon, &(of_group("RegisterTargets") + &target)).await;
    daemon.upgraded().await;
    let mut client = Client::connect(daemon.address()).await;
    assert!(client.get("/").await.text().starts_with("a "));
    aws(&daemon, &(of_group("DeregisterTargets") + &target)).await;
    let health = aws(&daemon, &of_group("DescribeTargetHealth")).await;
    assert!(health.contains("<State>draining</State>"), "{health}");
}

/// What the AWS API answers to an action with its parameters.
async fn aws(daemon: &Daemon, action: &str) -> String {
    let form = format!("Version=2015-12-01&Action={action}");
    let length = form.len();
    let request =
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{form}");
    let response = Client::connect(daemon.admin()).await.ask(request).await;
    assert_eq!(response.status(), 200, "{action}: {}", response.text());
    response.text().to_owned()
}

#[tokio::test]
async fn a_client_stays_with_its_target_over_an_upgrade() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let mut text = listening(0, "{ forward = \"group\" }");
    let settings = "health_check = { enabled = false }\nstickiness = { enabled = true }";
    group(&mut text, "group", settings, &entries(&[&a, &b]));
    let daemon = Daemon::start(&text).await;
    let mut client = Client::connect(daemon.address()).await;
    let first = client.get("/").await;
    let cookie = first.values("set-cookie")[0];
    let cookie = cookie.split(';').next().unwrap().to_owned();
    daemon.upgraded().await;
    let mut client = Client::connect(daemon.address()).await;
    for _ in 0..6 {
        let request = format!("GET / HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n");
        assert_eq!(client.ask(request).await.text(), first.text());
    }
}

#[tokio::test]
async fn listeners_that_are_new_are_opened_and_those_that_are_gone_are_closed() {
    let two = |names: [&str; 2]| {
        names
            .map(|name| {
                let answer =
                    format!("{{ fixed_response = {{ status = 200, body = \"{name}\" }} }}");
                listening(0, &answer).replace("\"lb\"", &format!("\"{name}\""))
            })
            .concat()
    };
    let mut daemon = Daemon::start(&two(["one", "two"])).await;
    let listening = daemon.events("listening");
    let before = ["one", "two"].map(|name| address_of(&listening, name));
    daemon.configure(&two(["two", "three"]));
    daemon.upgraded().await;
    assert_eq!(daemon.first_ends().await, Some(0));
    let listening = daemon.events("listening");
    assert_eq!(address_of(&listening, "two"), before[1], "the same socket");
    for name in ["two", "three"] {
        let mut client = Client::connect(address_of(&listening, name)).await;
        assert_eq!(client.get("/").await.text(), name);
    }
    crate::scene::expect_refused(before[0]).await;
}

/// Where a load balancer listens, by the latest of these events.
fn address_of(listening: &[Value], name: &str) -> SocketAddr {
    let mut latest = listening.iter().rev();
    address(latest.find(|event| event["load_balancer"] == name).unwrap())
}
