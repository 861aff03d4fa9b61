//! Balancing: who gets how much. Round robin counts over all connections of the one worker, so the
//! shares are exact.

use crate::scene::{Group, Site, UNPROBED, asking, entries, group, listening, order, shares, who};
use crate::support::{Client, Elbow, SOON, eventually};

/// A node in the zones `a` and `c` each, in front of one group.
fn two_zones(settings: &str, targets: &[String]) -> String {
    let nodes = "{ address = \"127.0.0.11\", zone = \"a\" }, \
         { address = \"127.0.0.12\", zone = \"c\" }";
    let mut text = listening(0, "{ forward = \"group\" }");
    text = text.replace("{ address = \"127.0.0.1\" }", nodes);
    group(&mut text, "group", settings, targets);
    text
}

fn in_zone(zone: &str, sites: &[Site]) -> Vec<String> {
    let entry = |site: &Site| site.entry(&format!(", zone = \"{zone}\""));
    sites.iter().map(entry).collect()
}

async fn sites<const N: usize>(names: [&'static str; N]) -> Vec<Site> {
    let mut sites = Vec::new();
    for name in names {
        sites.push(Site::start(name).await);
    }
    sites
}

const TEN: [&str; 10] = ["a1", "a2", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];

/// Two targets in zone `a`, eight in zone `c`; returns the share of each when both nodes get the
/// same number of requests.
async fn two_and_eight(cross_zone: bool, requests: usize) -> Vec<usize> {
    let (two, eight) = (
        sites(["a1", "a2"]).await,
        sites(["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"]).await,
    );
    let targets = [in_zone("a", &two), in_zone("c", &eight)].concat();
    let settings = format!("{UNPROBED}\ncross_zone = {cross_zone}");
    let elbow = Elbow::start(&two_zones(&settings, &targets)).await;
    let nodes = elbow.addresses("lb");
    let mut answers = order(nodes[0], requests / 2).await;
    answers.extend(order(nodes[1], requests / 2).await);
    shares(&answers, &TEN)
}

#[tokio::test]
async fn with_cross_zone_each_of_two_and_eight_targets_gets_a_tenth() {
    assert_eq!(two_and_eight(true, 100).await, [10; 10]);
}

#[tokio::test]
async fn without_cross_zone_two_targets_get_a_quarter_each_and_eight_a_sixteenth() {
    let expected = [20, 20, 5, 5, 5, 5, 5, 5, 5, 5];
    assert_eq!(two_and_eight(false, 80).await, expected);
}

#[tokio::test]
async fn without_cross_zone_an_empty_zone_answers_503() {
    let a = sites(["a1"]).await;
    let settings = format!("{UNPROBED}\ncross_zone = false");
    let elbow = Elbow::start(&two_zones(&settings, &in_zone("a", &a))).await;
    let nodes = elbow.addresses("lb");
    assert_eq!(order(nodes[0], 2).await, ["a1", "a1"]);
    assert_eq!(order(nodes[1], 2).await, ["503", "503"]);
    let row = "elbow_balancer_responses_total{code=\"503\",zone=\"c\"}";
    assert_eq!(elbow.metric(row), 2.0);
}

#[tokio::test]
async fn weights_are_shares_and_0_takes_nothing() {
    let all = sites(["a", "b", "none"]).await;
    let mut text = listening(0, "{ forward = \"group\" }");
    let targets = [
        all[0].entry(", weight = 3"),
        all[1].entry(", weight = 1"),
        all[2].entry(", weight = 0"),
    ];
    group(&mut text, "group", UNPROBED, &targets);
    let elbow = Elbow::start(&text).await;
    let answers = order(elbow.address(), 40).await;
    assert_eq!(shares(&answers, &["a", "b", "none"]), [30, 10, 0]);
}

#[tokio::test]
async fn least_outstanding_requests_sends_to_the_target_that_is_idle() {
    let all = sites(["a", "b"]).await;
    let settings = format!("{UNPROBED}\nalgorithm = \"least_outstanding_requests\"");
    let mut text = listening(0, "{ forward = \"group\" }");
    group(&mut text, "group", &settings, &entries(&[&all[0], &all[1]]));
    let elbow = Elbow::start(&text).await;
    let mut held = asking(elbow.address(), "/held").await;
    let busy = || all.iter().position(|site| site.asked("/held") == 1);
    eventually(SOON, "a request at a target", || busy().is_some()).await;
    let (busy, idle) = match busy() {
        Some(0) => (&all[0], &all[1]),
        _ => (&all[1], &all[0]),
    };
    assert_eq!(order(elbow.address(), 6).await, [idle.name; 6]);
    busy.open_gate();
    assert_eq!(who(&held.response().await), busy.name);
    let answers = order(elbow.address(), 6).await;
    assert_eq!(shares(&answers, &["a", "b"]), [3, 3]);
}

#[tokio::test]
async fn zone_weights_say_how_much_of_a_nodes_traffic_goes_to_which_zone() {
    let (a, c) = (sites(["a1", "a2"]).await, sites(["c1"]).await);
    let targets = [in_zone("a", &a), in_zone("c", &c)].concat();
    let table = "zone_weights = { a = { a = 3, c = 1 }, c = { c = 1 } }";
    let settings = format!("{UNPROBED}\n{table}");
    let elbow = Elbow::start(&two_zones(&settings, &targets)).await;
    let nodes = elbow.addresses("lb");
    let names = ["a1", "a2", "c1"];
    assert_eq!(shares(&order(nodes[0], 40).await, &names), [15, 15, 10]);
    assert_eq!(shares(&order(nodes[1], 40).await, &names), [0, 0, 40]);
}

#[tokio::test]
async fn prefer_local_spills_over_as_the_zone_loses_capacity() {
    let (a, c) = (sites(["a1", "a2"]).await, sites(["c1"]).await);
    let targets = [in_zone("a", &a), in_zone("c", &c)].concat();
    let settings = "prefer_local = true\nhealth_check = { path = \"/probe\", interval = \"200ms\", \
         timeout = \"190ms\" }";
    let elbow = Elbow::start(&two_zones(settings, &targets)).await;
    let group = Group(&elbow, "group");
    group.expect_healthy(&[&a[0], &a[1], &c[0]]).await;
    let node = elbow.addresses("lb")[0];
    let names = ["a1", "a2", "c1"];
    assert_eq!(shares(&order(node, 20).await, &names), [10, 10, 0]);
    group.break_down(&a[1]).await;
    assert_eq!(shares(&order(node, 20).await, &names), [10, 0, 10]);
    group.break_down(&a[0]).await;
    assert_eq!(shares(&order(node, 20).await, &names), [0, 0, 20]);
}

#[tokio::test]
async fn a_weighted_group_keeps_its_share_though_it_cannot_answer() {
    let blue = Site::start("blue").await;
    let forward = "{ forward = [{ group = \"blue\", weight = 3 }, { group = \"green\" }] }";
    let mut text = listening(0, forward);
    group(&mut text, "blue", UNPROBED, &entries(&[&blue]));
    group(&mut text, "green", UNPROBED, &[]);
    let elbow = Elbow::start(&text).await;
    let answers = order(elbow.address(), 400).await;
    let [blue, refused] = shares(&answers, &["blue", "503"])[..] else {
        panic!("two shares");
    };
    assert_eq!(blue + refused, 400);
    // Drawn by lot: four and a half standard deviations around 300.
    assert!((260..=340).contains(&blue), "{blue} of 400");
}

#[tokio::test]
async fn a_request_that_finds_its_target_dead_is_answered_by_another_and_shares_stay_even() {
    let (mut all, names) = (sites(["a", "b", "c"]).await, ["a", "b", "c"]);
    let mut text = listening(0, "{ forward = \"group\" }");
    group(
        &mut text,
        "group",
        UNPROBED,
        &entries(&[&all[0], &all[1], &all[2]]),
    );
    let elbow = Elbow::start(&text).await;
    all[1].target.stop().await;
    let mut client = Client::connect(elbow.address()).await;
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(who(&client.get("/").await));
    }
    let found = shares(&answers, &names);
    assert_eq!(found[0] + found[2], 30, "{answers:?}");
    assert!(found[0].abs_diff(found[2]) <= 10, "{answers:?}");
}
