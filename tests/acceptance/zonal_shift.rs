//! Zonal shift as an operator orders it: `elbow zonal-shift`, run as a process against the admin
//! address of a daemon with traffic.

use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use crate::scene::{Site, UNPROBED, group, listening, order, shares};
use crate::support::{Client, Elbow};

/// A node and a target in the zones `a` and `c` each.
fn text(sites: &[Site; 2], cross_zone: bool, enabled: bool) -> String {
    let nodes =
        "{ address = \"127.0.0.11\", zone = \"a\" }, { address = \"127.0.0.12\", zone = \"c\" }";
    let mut text = listening(0, "{ forward = \"group\" }");
    text = text.replace("{ address = \"127.0.0.1\" }", nodes);
    text = text.replace(
        "name = \"lb\"",
        &format!("name = \"lb\"\nzonal_shift = {enabled}"),
    );
    let settings = format!("{UNPROBED}\ncross_zone = {cross_zone}");
    let entries = [
        sites[0].entry(", zone = \"a\""),
        sites[1].entry(", zone = \"c\""),
    ];
    group(&mut text, "group", &settings, &entries);
    text
}

async fn sites() -> [Site; 2] {
    [Site::start("a").await, Site::start("c").await]
}

/// Runs `elbow zonal-shift`; its exit code, and what it says.
async fn command(elbow: &Elbow, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elbow"));
    let admin = elbow.admin().to_string();
    command.arg("zonal-shift").args(arguments);
    command.args(["--load-balancer", "lb", "--admin", &admin]);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

async fn start(elbow: &Elbow, zone: &str, expires_in: &str) -> (i32, String) {
    command(
        elbow,
        &["start", "--away-from", zone, "--expires-in", expires_in],
    )
    .await
}

/// Who answers ten requests at each node.
async fn answers(elbow: &Elbow) -> [Vec<usize>; 2] {
    let nodes = elbow.addresses("lb");
    let names = ["a", "c", "503"];
    [
        shares(&order(nodes[0], 10).await, &names),
        shares(&order(nodes[1], 10).await, &names),
    ]
}

async fn node(elbow: &Elbow, zone: &str) -> u16 {
    let mut admin = Client::connect(elbow.admin()).await;
    admin.get(&format!("/nodes/{zone}/health")).await.status()
}

const EVEN: [usize; 3] = [5, 5, 0];
const ONLY_A: [usize; 3] = [10, 0, 0];
const ONLY_C: [usize; 3] = [0, 10, 0];

#[tokio::test]
async fn with_cross_zone_the_targets_of_the_zone_get_nothing_until_it_is_cancelled() {
    let sites = sites().await;
    let elbow = Elbow::start_from_file(&text(&sites, true, true)).await;
    assert_eq!(answers(&elbow).await, [EVEN, EVEN]);
    let (code, said) = start(&elbow, "c", "2h").await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(answers(&elbow).await, [ONLY_A, ONLY_A]);
    assert_eq!(
        (node(&elbow, "a").await, node(&elbow, "c").await),
        (200, 503)
    );
    // It goes on over a reload, and one zone at a time is enough.
    elbow.apply(&text(&sites, true, true)).await.unwrap();
    assert_eq!(answers(&elbow).await, [ONLY_A, ONLY_A]);
    let (code, said) = start(&elbow, "a", "2h").await;
    assert_eq!(code, 1);
    assert!(
        said.contains("traffic is shifted away from zone c already"),
        "{said}"
    );
    let (code, said) = command(&elbow, &["cancel"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(answers(&elbow).await, [EVEN, EVEN]);
    assert_eq!(node(&elbow, "c").await, 200);
}

#[tokio::test]
async fn without_cross_zone_it_is_left_to_dns() {
    let sites = sites().await;
    let elbow = Elbow::start(&text(&sites, false, true)).await;
    let (code, said) = start(&elbow, "c", "2h").await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(answers(&elbow).await, [ONLY_A, ONLY_C]);
    assert_eq!(
        (node(&elbow, "a").await, node(&elbow, "c").await),
        (200, 503)
    );
}

#[tokio::test]
async fn it_ends_by_itself_when_it_expires() {
    let sites = sites().await;
    let elbow = Elbow::start(&text(&sites, true, true)).await;
    let before = Instant::now();
    let (code, said) = start(&elbow, "c", "1m").await;
    let after = Instant::now();
    assert_eq!(code, 0, "{said}");
    let minute = Duration::from_secs(60);
    // In force for the whole minute, counted from the order.
    loop {
        let seen = answers(&elbow).await;
        if Instant::now() >= before + minute {
            break;
        }
        assert_eq!(seen, [ONLY_A, ONLY_A]);
        let status = node(&elbow, "c").await;
        assert!(
            status == 503 || Instant::now() >= before + minute,
            "{status}"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    tokio::time::sleep_until(after + minute).await;
    assert_eq!(answers(&elbow).await, [EVEN, EVEN]);
    assert_eq!(node(&elbow, "c").await, 200);
}

#[tokio::test]
async fn it_has_to_be_enabled_and_to_expire_within_72_hours() {
    let sites = sites().await;
    let elbow = Elbow::start_from_file(&text(&sites, true, false)).await;
    let (code, said) = start(&elbow, "c", "2h").await;
    assert_eq!(code, 1);
    assert!(
        said.contains("zonal shift is not enabled for load balancer"),
        "{said}"
    );
    elbow.apply(&text(&sites, true, true)).await.unwrap();
    for (zone, expires_in, message) in [
        ("c", "59s", "a zonal shift ends after 1 minute to 72 hours"),
        ("c", "73h", "a zonal shift ends after 1 minute to 72 hours"),
        ("nowhere", "2h", "has no node in zone"),
    ] {
        let (code, said) = start(&elbow, zone, expires_in).await;
        assert_eq!(code, 1);
        assert!(said.contains(message), "{said}");
    }
    let (code, _) = command(&elbow, &["start", "--away-from", "c"]).await;
    assert_eq!(code, 2, "without an end it is not even asked for");
    assert_eq!(answers(&elbow).await, [EVEN, EVEN]);
}
