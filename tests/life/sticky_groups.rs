//! Stickiness of target groups: of several groups of a forward, a client stays with one (ALB:
//! `TargetGroupStickinessConfig`).

use std::fmt::Write;

use crate::scene::{Site, UNPROBED, entries, group, listening, who};
use crate::sticky::{ask, ask_for, kept, set_cookies};
use crate::support::{Client, Elbow, Message, SOON};

const STICKY: &str = "stickiness = { enabled = true }\nhealth_check = { enabled = false }";

/// A load balancer that forwards to these groups by weight; `stay` says whether clients stay.
fn weighted(groups: &[(&'static str, u32, &[&Site])], stay: &str, settings: &str) -> String {
    let shares = groups
        .iter()
        .fold(String::new(), |mut shares, (name, weight, _)| {
            let _ = write!(shares, "{{ group = \"{name}\", weight = {weight} }}, ");
            shares
        });
    let action = format!("{{ forward = {{ groups = [{shares}], stickiness = {{ {stay} }} }} }}");
    let mut text = listening(0, &action);
    for (name, _, sites) in groups {
        group(&mut text, name, settings, &entries(sites));
    }
    text
}

const STAY: &str = "enabled = true";

#[tokio::test]
async fn a_client_stays_with_its_group_and_every_response_sets_both_cookies() {
    let [a, b, c, d] = four().await;
    let groups = [("blue", 1, &[&a, &b][..]), ("green", 1, &[&c, &d][..])];
    let elbow = Elbow::start(&weighted(&groups, STAY, UNPROBED)).await;
    let mut client = Client::connect(elbow.address()).await;
    let mut both = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let mut last = client.get("/").await;
        let group = group_of(&last);
        let mut answers = std::collections::BTreeSet::from([who(&last)]);
        for _ in 0..4 {
            let cookies = set_cookies(&last);
            assert_eq!(cookies.len(), 2, "the group is not sticky itself");
            assert!(cookies[0].starts_with("AWSALBTG="), "{cookies:?}");
            assert!(cookies[0].contains("; Expires=") && cookies[0].ends_with("; Path=/"));
            assert!(cookies[1].starts_with("AWSALBTGCORS="), "{cookies:?}");
            assert!(cookies[1].ends_with("; Path=/; SameSite=None; Secure"));
            last = ask(&mut client, &kept(&last)).await;
            assert_eq!(group_of(&last), group);
            answers.insert(who(&last));
        }
        assert_eq!(answers.len(), 2, "both targets of the group, in turn");
        both.insert(group);
    }
    // By weight, 1 of 2^19 times all would come to the same one.
    assert_eq!(both.len(), 2);
}

#[tokio::test]
async fn in_a_sticky_group_a_client_stays_with_its_target_too() {
    let [a, b, c, d] = four().await;
    let groups = [("blue", 1, &[&a, &b][..]), ("green", 1, &[&c, &d][..])];
    let elbow = Elbow::start(&weighted(&groups, STAY, STICKY)).await;
    let mut client = Client::connect(elbow.address()).await;
    let mut last = client.get("/").await;
    let target = who(&last);
    for _ in 0..10 {
        let cookies = set_cookies(&last);
        let names = cookies
            .iter()
            .map(|cookie| cookie.split('=').next().unwrap());
        let all = ["AWSALBTG", "AWSALBTGCORS", "AWSALB", "AWSALBCORS"];
        assert_eq!(names.collect::<Vec<_>>(), all);
        last = ask(&mut client, &kept(&last)).await;
        assert_eq!(who(&last), target);
    }
}

#[tokio::test]
async fn a_group_of_weight_0_keeps_its_clients_and_one_that_left_the_rule_does_not() {
    let [a, b, ..] = four().await;
    let text = |blue: u32| {
        let groups = [("blue", blue, &[&a][..]), ("green", 1, &[&b][..])];
        weighted(&groups, STAY, UNPROBED)
    };
    let elbow = Elbow::start_from_file(&text(999)).await;
    let mut client = Client::connect(elbow.address()).await;
    let mut first = client.get("/").await;
    while who(&first) != "a" {
        first = client.get("/").await;
    }
    elbow.apply(&text(0)).await.unwrap();
    for _ in 0..4 {
        assert_eq!(who(&ask(&mut client, &kept(&first)).await), "a");
        assert_eq!(who(&client.get("/").await), "b", "a new client");
    }
    let alone = [("green", 1, &[&b][..])];
    elbow
        .apply(&weighted(&alone, STAY, UNPROBED))
        .await
        .unwrap();
    let moved = ask(&mut client, &kept(&first)).await;
    assert_eq!(who(&moved), "b");
    // And it stays there, although the group of before has come back.
    elbow.apply(&text(999)).await.unwrap();
    assert_eq!(who(&ask(&mut client, &kept(&moved)).await), "b");
    assert_eq!(elbow.metric("elbow_errors_total"), 0.0);
}

#[tokio::test]
async fn a_group_without_a_target_keeps_its_clients_and_answers_503() {
    let [a, b, ..] = four().await;
    let text = |blue: &[&Site]| {
        let groups = [("blue", 999, blue), ("green", 1, &[&b][..])];
        weighted(&groups, STAY, UNPROBED)
    };
    let elbow = Elbow::start_from_file(&text(&[&a])).await;
    let mut client = Client::connect(elbow.address()).await;
    let mut first = client.get("/").await;
    while who(&first) != "a" {
        first = client.get("/").await;
    }
    elbow.apply(&text(&[])).await.unwrap();
    // ALB lets no other group stand in.
    let refused = ask(&mut client, &kept(&first)).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(set_cookies(&refused), [""; 0]);
}

#[tokio::test]
async fn a_tampered_cookie_is_a_new_choice_that_the_access_log_tells_of() {
    let [a, b, ..] = four().await;
    let groups = [("blue", 1, &[&a][..]), ("green", 1, &[&b][..])];
    let elbow = Elbow::start(&weighted(&groups, STAY, UNPROBED)).await;
    let mut client = Client::connect(elbow.address()).await;
    let good = kept(&client.get("/").await);
    let bad = [
        "AWSALBTG=".to_owned(),
        "AWSALBTG=%41%42".to_owned(),
        good.replace("AWSALBTGCORS=", "AWSALBTGCORS=A"),
        format!("AWSALBTG={}", "A".repeat(8000)),
    ];
    for cookie in &bad {
        let response = ask_for(&mut client, "/bad", cookie).await;
        assert_eq!(response.status(), 200, "{cookie}");
        assert_eq!(set_cookies(&response).len(), 2);
    }
    let log = elbow.log(1 + bad.len()).await;
    let reasons: Vec<&str> = log.iter().map(|line| line.text("error_reason")).collect();
    assert_eq!(reasons[0], "-");
    assert_eq!(reasons[1..], ["AWSALBTGCookieInvalid"; 4]);
    let row = "elbow_errors_total{reason=\"AWSALBTGCookieInvalid\"}";
    assert_eq!(elbow.metric(row), bad.len() as f64);
}

#[tokio::test]
async fn a_client_is_free_again_after_the_duration() {
    let [a, b, ..] = four().await;
    let groups = [("blue", 1, &[&a][..]), ("green", 0, &[&b][..])];
    let stay = "enabled = true, duration = \"1s\"";
    let elbow = Elbow::start_from_file(&weighted(&groups, stay, UNPROBED)).await;
    let mut client = Client::connect(elbow.address()).await;
    let first = client.get("/").await;
    assert_eq!(who(&first), "a");
    let other = [("blue", 0, &[&a][..]), ("green", 1, &[&b][..])];
    elbow
        .apply(&weighted(&other, stay, UNPROBED))
        .await
        .unwrap();
    let cookie = kept(&first);
    let mut answers = Vec::new();
    let limit = tokio::time::Instant::now() + SOON;
    while answers.last().is_none_or(|answer| answer == "a") {
        assert!(tokio::time::Instant::now() < limit, "it never becomes free");
        answers.push(who(&ask(&mut client, &cookie).await));
    }
    assert_eq!(answers.last().unwrap(), "b");
}

#[tokio::test]
async fn groups_without_stickiness_set_no_cookie() {
    let [a, b, ..] = four().await;
    let groups = [("blue", 1, &[&a][..]), ("green", 1, &[&b][..])];
    let elbow = Elbow::start(&weighted(&groups, "enabled = false", UNPROBED)).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(set_cookies(&client.get("/").await), [""; 0]);
}

async fn four() -> [Site; 4] {
    [
        Site::start("a").await,
        Site::start("b").await,
        Site::start("c").await,
        Site::start("d").await,
    ]
}

fn group_of(response: &Message) -> &'static str {
    match &*who(response) {
        "a" | "b" => "blue",
        "c" | "d" => "green",
        other => panic!("{other}"),
    }
}
