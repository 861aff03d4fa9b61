//! Stickiness: a client stays with its target, by cookies that only the balancer can read.

use elbow::target::TargetHealth;

use crate::scene::{Group, Site, entries, group, listening, one_group, who};
use crate::support::{Client, Elbow, Message};

const STICKY: &str = "stickiness = { enabled = true }\n\
     health_check = { path = \"/probe\", interval = \"200ms\", timeout = \"190ms\" }";

/// The `Set-Cookie` fields of a response.
fn set_cookies(response: &Message) -> Vec<String> {
    let values = response.values("Set-Cookie").into_iter();
    values.map(str::to_owned).collect()
}

/// What a browser sends back of a response.
fn kept(response: &Message) -> String {
    let cookies = set_cookies(response);
    let pairs = cookies.iter().filter_map(|cookie| cookie.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

async fn ask(client: &mut Client, cookie: &str) -> Message {
    let request = format!("GET / HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n");
    client.ask(request).await
}

async fn three() -> [Site; 3] {
    [
        Site::start("a").await,
        Site::start("b").await,
        Site::start("c").await,
    ]
}

#[tokio::test]
async fn a_client_stays_with_its_target_and_every_response_sets_both_cookies_for_seven_days() {
    let [a, b, c] = three().await;
    let elbow = Elbow::start(&one_group(&[&a, &b, &c], STICKY)).await;
    Group(&elbow, "group").expect_healthy(&[&a, &b, &c]).await;
    let mut client = Client::connect(elbow.address()).await;
    let mut last = client.get("/").await;
    let target = who(&last);
    for _ in 0..6 {
        let cookies = set_cookies(&last);
        assert!(cookies[0].starts_with("AWSALB="), "{cookies:?}");
        assert!(cookies[1].starts_with("AWSALBCORS="), "{cookies:?}");
        assert!(
            cookies[1].ends_with("; Path=/; SameSite=None; Secure"),
            "{cookies:?}"
        );
        assert!(
            cookies.iter().all(|cookie| cookie.contains("; Expires=")),
            "{cookies:?}"
        );
        last = ask(&mut client, &kept(&last)).await;
        assert_eq!(who(&last), target);
    }
    assert_eq!(elbow.metric("elbow_non_sticky_requests_total"), 1.0);
}

#[tokio::test]
async fn a_client_whose_target_is_unhealthy_gets_another_and_stays_there() {
    let [a, b, c] = three().await;
    let elbow = Elbow::start(&one_group(&[&a, &b, &c], STICKY)).await;
    let targets = Group(&elbow, "group");
    targets.expect_healthy(&[&a, &b, &c]).await;
    let mut client = Client::connect(elbow.address()).await;
    let first = client.get("/").await;
    let name = who(&first);
    let site = [&a, &b, &c]
        .into_iter()
        .find(|site| site.name == name)
        .unwrap();
    site.judge([503]);
    targets.expect(site.name, TargetHealth::Unhealthy).await;
    let second = ask(&mut client, &kept(&first)).await;
    let other = who(&second);
    assert!(other != name && second.status() == 200, "{other}");
    site.judge([200]);
    targets.expect(site.name, TargetHealth::Healthy).await;
    assert_eq!(who(&ask(&mut client, &kept(&second)).await), other);
}

#[tokio::test]
async fn a_tampered_cookie_is_a_new_choice_and_never_an_error() {
    let [a, b, c] = three().await;
    let elbow = Elbow::start(&one_group(&[&a, &b, &c], STICKY)).await;
    Group(&elbow, "group").expect_healthy(&[&a, &b, &c]).await;
    let mut client = Client::connect(elbow.address()).await;
    let good = kept(&client.get("/").await);
    let mut answers = std::collections::BTreeSet::new();
    for bad in [
        "AWSALB=x",
        "AWSALB=",
        "AWSALB=%41%42",
        &good.replacen("AWSALB=", "AWSALB=A", 1),
    ] {
        let response = ask(&mut client, bad).await;
        assert_eq!(response.status(), 200, "{bad}");
        answers.insert(who(&response));
    }
    assert_eq!(answers.len(), 3, "in turn, as for new clients");
}

#[tokio::test]
async fn a_group_without_stickiness_sets_no_cookie() {
    let a = Site::start("a").await;
    let mut text = listening(0, "{ forward = \"group\" }");
    group(
        &mut text,
        "group",
        "health_check = { enabled = false }",
        &entries(&[&a]),
    );
    let elbow = Elbow::start(&text).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(set_cookies(&client.get("/").await), [""; 0]);
}

#[tokio::test]
async fn a_client_stays_over_a_restart_where_keys_are_kept() {
    let [a, b, c] = three().await;
    let state = tempfile::tempdir().unwrap();
    let kept_in = format!(
        "state_directory = {:?}\n",
        state.path().display().to_string()
    );
    let text = kept_in + &one_group(&[&a, &b, &c], STICKY);
    let before = Elbow::start(&text).await;
    Group(&before, "group").expect_healthy(&[&a, &b, &c]).await;
    let mut client = Client::connect(before.address()).await;
    client.get("/").await;
    let first = client.get("/").await;
    drop(client);
    before.shutdown().await;
    let after = Elbow::start(&text).await;
    Group(&after, "group").expect_healthy(&[&a, &b, &c]).await;
    let mut client = Client::connect(after.address()).await;
    let again = ask(&mut client, &kept(&first)).await;
    assert_eq!(who(&again), who(&first));
    assert_eq!(after.metric("elbow_non_sticky_requests_total"), 0.0);
}
