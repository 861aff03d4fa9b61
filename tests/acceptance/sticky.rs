//! Stickiness by duration: what the cookies say to the letter. What else it does is in `tests/life`.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use elbow::target::TargetHealth;

use crate::scene::{Group, Site, one_group, who};
use crate::support::{Client, Elbow, Message};

const STICKY: &str = "stickiness = { enabled = true }\n\
     health_check = { path = \"/probe\", interval = \"200ms\", timeout = \"190ms\" }";

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

async fn before(sites: &[&Site]) -> (Elbow, Client) {
    let elbow = Elbow::start(&one_group(sites, STICKY)).await;
    Group(&elbow, "group").expect_healthy(sites).await;
    let client = Client::connect(elbow.address()).await;
    (elbow, client)
}

/// The parts of each `Set-Cookie` field: name, value, attributes.
fn cookies(response: &Message) -> Vec<(&str, &str, Vec<&str>)> {
    let fields = response.values("Set-Cookie").into_iter();
    let parts = fields.map(|field| {
        let mut parts = field.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        (name, value, parts.collect())
    });
    parts.collect()
}

async fn ask(client: &mut Client, cookie: &str) -> Message {
    let head = format!("GET / HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n");
    client.ask(head).await
}

#[tokio::test]
async fn the_cookies_have_their_names_and_expire_in_7_days_on_every_response() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let (_elbow, mut client) = before(&[&a, &b]).await;
    let mut cookie = String::new();
    for _ in 0..5 {
        let asked = SystemTime::now();
        let response = ask(&mut client, &cookie).await;
        let answered = SystemTime::now();
        let set = cookies(&response);
        let names: Vec<&str> = set.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, ["AWSALB", "AWSALBCORS"]);
        for (_, _, attributes) in &set {
            let expires = attributes[0].strip_prefix("Expires=").unwrap();
            let expires = httpdate::parse_http_date(expires).unwrap();
            // The date has whole seconds.
            assert!(expires <= answered + WEEK && expires + Duration::from_secs(1) > asked + WEEK);
            assert!(!attributes.iter().any(|other| other.starts_with("Max-Age")));
        }
        cookie = format!("AWSALB={}", set[0].1);
    }
}

#[tokio::test]
async fn the_twin_for_other_sites_has_the_same_value_and_is_secure() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let (_elbow, mut client) = before(&[&a, &b]).await;
    let response = client.get("/").await;
    let set = cookies(&response);
    assert_eq!(set[0].1, set[1].1);
    assert_eq!(set[0].2[1..], ["Path=/"]);
    assert_eq!(set[1].2[1..], ["Path=/", "SameSite=None", "Secure"]);
    for _ in 0..3 {
        let again = ask(&mut client, &format!("AWSALBCORS={}", set[1].1)).await;
        assert_eq!(who(&again), who(&response));
    }
}

#[tokio::test]
async fn a_dead_target_means_a_new_cookie() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let (elbow, mut client) = before(&[&a, &b]).await;
    let first = client.get("/").await;
    let (dead, alive) = match &*who(&first) {
        "a" => (&a, "b"),
        _ => (&b, "a"),
    };
    dead.judge([503]);
    let group = Group(&elbow, "group");
    group.expect(dead.name, TargetHealth::Unhealthy).await;
    let second = ask(&mut client, &format!("AWSALB={}", cookies(&first)[0].1)).await;
    assert_eq!((second.status(), &*who(&second)), (200, alive));
    dead.judge([200]);
    group.expect(dead.name, TargetHealth::Healthy).await;
    let cookie = format!("AWSALB={}", cookies(&second)[0].1);
    assert_eq!(who(&ask(&mut client, &cookie).await), alive);
}

#[tokio::test]
async fn a_tampered_cookie_means_a_new_target_and_no_5xx() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let (elbow, mut client) = before(&[&a, &b]).await;
    let first = client.get("/").await;
    let value = cookies(&first)[0].1.to_owned();
    let mut asked = 0;
    // Each character in turn is another one: none of them is understood.
    let mut answers = BTreeSet::new();
    for place in 0..value.len() {
        let mut forged = value.clone().into_bytes();
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let response = ask(&mut client, &format!("AWSALB={forged}")).await;
        assert_eq!(response.status(), 200);
        answers.insert(who(&response));
        asked += 1;
    }
    assert_eq!(answers.len(), 2);
    let non_sticky = elbow.metric("elbow_non_sticky_requests_total");
    assert_eq!(non_sticky, f64::from(1 + asked));
}
