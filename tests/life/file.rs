//! The configuration file: a change is noticed, however it is made, and only once it is whole.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use elbow::reload::Cause;
use tokio::time::Instant;

use crate::scene::{naming, order, who};
use crate::support::{Client, Elbow, SOON};

async fn expect_named(elbow: &Elbow, name: &str) {
    let deadline = Instant::now() + SOON;
    while order(elbow.address(), 1).await != [name] {
        assert!(Instant::now() < deadline, "{name} is not in force");
    }
}

#[tokio::test]
async fn a_file_that_an_editor_renames_into_place_is_taken_over() {
    let elbow = Elbow::start_from_file(&naming("one")).await;
    let mut open = Client::connect(elbow.address()).await;
    assert_eq!(who(&open.get("/").await), "one");
    let beside = elbow.save("elbow.toml.new", &naming("two"));
    fs::rename(&beside, beside.with_file_name("elbow.toml")).unwrap();
    expect_named(&elbow, "two").await;
    assert_eq!(who(&open.get("/").await), "two");
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
async fn a_file_that_is_half_or_wrong_is_refused_and_read_again_when_it_is_mended() {
    let elbow = Elbow::start_from_file(&naming("one")).await;
    let path = elbow.save("whole", &naming("two"));
    let whole = fs::read_to_string(&path).unwrap();
    let path = path.with_file_name("elbow.toml");
    let half = &whole[..whole.len() - 5];
    let wrong = "[[load_balancer]]\nname = 7\n";
    let refused = "elbow_reloads_total{result=\"refused\"}";
    for (number, text) in (1..).zip([half, wrong]) {
        fs::write(&path, text).unwrap();
        elbow.expect_metric(refused, f64::from(number)).await;
        let refusal = elbow.reload().last_refusal().unwrap();
        assert_eq!(refusal.cause, Cause::FileChange);
        assert_eq!(order(elbow.address(), 1).await, ["one"], "{text}");
    }
    fs::write(&path, &whole).unwrap();
    expect_named(&elbow, "two").await;
    assert!(elbow.reload().last_refusal().is_none());
    assert_eq!(elbow.metric(refused), 2.0);
    assert_eq!(elbow.generation(), 2);
}
