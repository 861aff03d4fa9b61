//! Stickiness beside a cookie of the application (ALB: `app_cookie`).

use crate::scene::{Group, Site, author, one_group, who};
use crate::sticky::{ask, ask_for, kept, set_cookies, three};
use crate::support::{Client, Elbow, Message};

const STICKY: &str = "stickiness = { enabled = true, type = \"app_cookie\", cookie_name = \"session\" }\n\
     health_check = { path = \"/probe\", interval = \"200ms\", timeout = \"190ms\" }";

const NON_STICKY: &str = "elbow_app_cookie_non_sticky_requests_total";

async fn before(sites: &[&Site; 3]) -> (Elbow, Client) {
    let elbow = Elbow::start(&one_group(sites, STICKY)).await;
    Group(&elbow, "group").expect_healthy(sites).await;
    let client = Client::connect(elbow.address()).await;
    (elbow, client)
}

/// The balancer's own cookies of a response.
fn own(response: &Message) -> Vec<String> {
    let cookies = set_cookies(response).into_iter();
    cookies
        .filter(|cookie| cookie.starts_with("AWSALB"))
        .collect()
}

#[tokio::test]
async fn a_session_begins_with_the_applications_cookie_and_every_response_renews_it() {
    let [a, b, c] = three().await;
    let (elbow, mut client) = before(&[&a, &b, &c]).await;
    // No session, no cookie, and every target in turn.
    let mut answers = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let response = client.get("/").await;
        assert_eq!(set_cookies(&response), [""; 0]);
        answers.insert(who(&response));
    }
    assert_eq!(answers.len(), 3);
    let mut last = client.get("/login").await;
    let (target, cookies) = (who(&last), set_cookies(&last));
    assert_eq!(cookies[0], "session=1; Path=/; HttpOnly");
    assert!(cookies[1].starts_with("AWSALBAPP-0="), "{cookies:?}");
    assert!(cookies[1].contains("; Expires=") && cookies[1].ends_with("; Path=/"));
    assert_eq!(cookies.len(), 2, "no SameSite, no other shards");
    assert_eq!(elbow.metric(NON_STICKY), 4.0);
    for _ in 0..6 {
        let both = format!(
            "session=anything; {}",
            own(&last)[0].split(';').next().unwrap()
        );
        last = ask(&mut client, &both).await;
        assert_eq!(who(&last), target);
        assert_eq!(own(&last).len(), 1, "renewed");
    }
    assert_eq!(elbow.metric(NON_STICKY), 4.0);
    assert_eq!(elbow.metric("elbow_non_sticky_requests_total"), 4.0);
}

#[tokio::test]
async fn the_application_sees_its_cookie_untouched() {
    let [a, b, c] = three().await;
    let (_elbow, mut client) = before(&[&a, &b, &c]).await;
    let last = client.get("/login").await;
    let cookies = format!("{}; x=y", kept(&last));
    let name = who(&ask_for(&mut client, "/seen", &cookies).await);
    let site = [&a, &b, &c].into_iter().find(|site| site.name == name);
    let requests = site.unwrap().target.requests();
    let seen = requests
        .iter()
        .find(|seen| seen.start_line().contains("/seen"));
    assert_eq!(seen.unwrap().value("Cookie"), Some(&*cookies));
}

#[tokio::test]
async fn a_client_that_brings_one_cookie_alone_or_a_tampered_one_is_a_new_one() {
    let [a, b, c] = three().await;
    let (elbow, mut client) = before(&[&a, &b, &c]).await;
    let cookies = kept(&client.get("/login").await);
    let balancers = cookies.split("; ").nth(1).unwrap();
    let forged = cookies.replace("AWSALBAPP-0=", "AWSALBAPP-0=A");
    let long = format!("session=1; AWSALBAPP-0={}", "A".repeat(8000));
    let foreign = cookies.replace("AWSALBAPP-0=", "AWSALB=");
    let bad = [balancers, "session=1", &forged, &long, &foreign];
    for cookies in bad {
        let mut answers = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let response = ask(&mut client, cookies).await;
            assert_eq!(response.status(), 200);
            assert_eq!(own(&response), [""; 0], "nothing is renewed");
            answers.insert(who(&response));
        }
        assert_eq!(answers.len(), 3, "{cookies}");
    }
    assert_eq!(elbow.metric(NON_STICKY), 1.0 + 3.0 * bad.len() as f64);
}

#[tokio::test]
async fn a_session_whose_target_fails_moves_and_stays_though_the_target_comes_back() {
    let [a, b, c] = three().await;
    let (elbow, mut client) = before(&[&a, &b, &c]).await;
    let targets = Group(&elbow, "group");
    let first = client.get("/login").await;
    let site = author(&[&a, &b, &c], &first);
    let name = site.name;
    targets.break_down(site).await;
    let moved = ask(&mut client, &kept(&first)).await;
    assert_ne!(who(&moved), name);
    targets.mend(site).await;
    for _ in 0..3 {
        let again = ask(&mut client, &format!("session=1; {}", kept(&moved))).await;
        assert_eq!(who(&again), who(&moved));
    }
}

#[tokio::test]
async fn chromium_gets_a_cookie_for_other_sites_from_a_proxy_that_speaks_https() {
    let [a, b, c] = three().await;
    let trusted = "trusted_proxies = { from = [\"127.0.0.0/8\"] }\n[[load_balancer.listener]]";
    let text = one_group(&[&a, &b, &c], STICKY).replace("[[load_balancer.listener]]", trusted);
    let elbow = Elbow::start(&text).await;
    Group(&elbow, "group").expect_healthy(&[&a, &b, &c]).await;
    let mut client = Client::connect(elbow.address()).await;
    for (agent, scheme, is_for_others) in [
        ("Chrome/126.0.0.0", "https", true),
        ("Chrome/126.0.0.0", "http", false),
        ("Firefox/133.0", "https", false),
        ("Chrome/79.0.0.0", "https", false),
    ] {
        let request = format!(
            "GET /login HTTP/1.1\r\nHost: site.test\r\nUser-Agent: Mozilla/5.0 {agent}\r\n\
             X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: {scheme}\r\n\r\n"
        );
        let cookie = own(&client.ask(request).await).remove(0);
        let ends = cookie.ends_with("; SameSite=None; Secure");
        assert_eq!(ends, is_for_others, "{agent} {scheme}: {cookie}");
    }
}
