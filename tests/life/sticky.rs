//! Stickiness: a client stays with its target, by cookies that only the balancer can read.

use elbow::target::TargetHealth;

use crate::scene::{Group, Site, author, entries, group, listening, one_group, who};
use crate::support::{Client, Elbow, Message};

const STICKY: &str = "stickiness = { enabled = true }\n\
     health_check = { path = \"/probe\", interval = \"200ms\", timeout = \"190ms\" }";

/// The `Set-Cookie` fields of a response.
pub(crate) fn set_cookies(response: &Message) -> Vec<String> {
    let values = response.values("Set-Cookie").into_iter();
    values.map(str::to_owned).collect()
}

/// What a browser sends back of a response.
pub(crate) fn kept(response: &Message) -> String {
    let cookies = set_cookies(response);
    let pairs = cookies.iter().filter_map(|cookie| cookie.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

pub(crate) async fn ask(client: &mut Client, cookie: &str) -> Message {
    ask_for(client, "/", cookie).await
}

pub(crate) async fn ask_for(client: &mut Client, path: &str, cookie: &str) -> Message {
    let head = format!("GET {path} HTTP/1.1\r\nHost: site.test\r\nCookie: {cookie}\r\n\r\n");
    client.ask(head).await
}

pub(crate) async fn three() -> [Site; 3] {
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
    let site = author(&[&a, &b, &c], &first);
    let name = site.name;
    targets.break_down(site).await;
    let second = ask(&mut client, &kept(&first)).await;
    let other = who(&second);
    assert!(other != name && second.status() == 200, "{other}");
    targets.mend(site).await;
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

#[tokio::test]
async fn every_node_with_the_same_secret_understands_the_cookies_of_the_others() {
    let [a, b, c] = three().await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    let keys = format!(
        "cookie_keys.secret_file = {:?}\n",
        secret.display().to_string()
    );
    let text = keys + &one_group(&[&a, &b, &c], STICKY);
    let (one, other) = (Elbow::start(&text).await, Elbow::start(&text).await);
    for node in [&one, &other] {
        Group(node, "group").expect_healthy(&[&a, &b, &c]).await;
    }
    let mut client = Client::connect(one.address()).await;
    let mut elsewhere = Client::connect(other.address()).await;
    for _ in 0..6 {
        let here = client.get("/").await;
        let there = ask(&mut elsewhere, &kept(&here)).await;
        assert_eq!(who(&there), who(&here));
        let back = ask(&mut client, &kept(&there)).await;
        assert_eq!(who(&back), who(&here));
    }
    assert_eq!(other.metric("elbow_non_sticky_requests_total"), 0.0);
}

#[tokio::test]
async fn a_client_of_a_draining_target_gets_another_and_stays_there() {
    let [a, b, c] = three().await;
    let elbow = Elbow::start(&one_group(&[&a, &b, &c], STICKY)).await;
    let targets = Group(&elbow, "group");
    targets.expect_healthy(&[&a, &b, &c]).await;
    let mut client = Client::connect(elbow.address()).await;
    let first = client.get("/").await;
    let (name, path) = (who(&first), "/target-groups/group/targets");
    let mut admin = Client::connect(elbow.admin()).await;
    assert_eq!(
        admin.post(&format!("{path}/{name}/drain")).await.status(),
        200
    );
    let second = ask(&mut client, &kept(&first)).await;
    assert!(who(&second) != name && second.status() == 200);
    assert_eq!(
        admin.post(&format!("{path}/{name}/undrain")).await.status(),
        200
    );
    let site = [&a, &b, &c].into_iter().find(|site| site.name == name);
    targets.expect_healthy(&[site.unwrap()]).await;
    assert_eq!(who(&ask(&mut client, &kept(&second)).await), who(&second));
    // The cookie of before leads to the first target still, now that it is back.
    assert_eq!(who(&ask(&mut client, &kept(&first)).await), name);
}

#[tokio::test]
async fn when_all_are_unhealthy_a_sticky_request_is_served_by_the_next_one() {
    let [a, b, c] = three().await;
    let elbow = Elbow::start(&one_group(&[&a, &b, &c], STICKY)).await;
    let targets = Group(&elbow, "group");
    targets.expect_healthy(&[&a, &b, &c]).await;
    let mut client = Client::connect(elbow.address()).await;
    let mut last = client.get("/").await;
    for site in [&a, &b, &c] {
        site.judge([503]);
    }
    for site in [&a, &b, &c] {
        targets.expect(site.name, TargetHealth::Unhealthy).await;
    }
    let mut answers = std::collections::BTreeSet::new();
    for _ in 0..3 {
        last = ask(&mut client, &kept(&last)).await;
        assert_eq!(last.status(), 200);
        answers.insert(who(&last));
    }
    assert_eq!(answers.len(), 3, "an unhealthy target keeps nobody");
    assert_eq!(elbow.metric("elbow_non_sticky_requests_total"), 4.0);
}

#[tokio::test]
async fn a_target_of_weight_0_keeps_the_clients_that_it_has_and_gets_no_new_ones() {
    let [a, b, _] = three().await;
    let with_weight = |weight: u32| {
        let mut text = listening(0, "{ forward = \"group\" }");
        let entries = [a.entry(&format!(", weight = {weight}")), b.entry("")];
        group(&mut text, "group", STICKY, &entries);
        text
    };
    let elbow = Elbow::start_from_file(&with_weight(1)).await;
    Group(&elbow, "group").expect_healthy(&[&a, &b]).await;
    let mut client = Client::connect(elbow.address()).await;
    let mut first = client.get("/").await;
    if who(&first) == "b" {
        first = client.get("/").await;
    }
    assert_eq!(who(&first), "a");
    elbow.apply(&with_weight(0)).await.unwrap();
    for _ in 0..4 {
        assert_eq!(who(&ask(&mut client, &kept(&first)).await), "a");
        assert_eq!(who(&client.get("/").await), "b");
    }
}
