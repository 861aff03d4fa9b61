//! What the guide of `elbow demo` promises.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use elbow::app::{App, Running};
use elbow::demo::Demo;
use elbow::target::TargetHealth;

use support::{Client, SOON, eventually};

/// A demo on ports that are free: five in a row, so they must be looked for.
async fn demo() -> (Demo, Running) {
    let first = 20_000 + std::process::id() % 20_000;
    for base in (first..first + 5_000).step_by(5) {
        let Ok(demo) = Demo::start(0, base.try_into().unwrap()) else {
            continue;
        };
        if let Ok(running) = App::start(demo.options()).await {
            return (demo, running);
        }
    }
    panic!("no five free ports in a row");
}

fn health(running: &Running, id: &str) -> TargetHealth {
    let snapshot = running.shared.load();
    let mut targets = snapshot.groups["shop"].targets().iter();
    let target = targets.find(|target| &*target.key.id == id);
    target.unwrap().state.health()
}

#[tokio::test]
async fn a_target_that_is_stopped_is_seen_to_leave_and_to_return_and_no_page_fails() {
    let (_demo, running) = demo().await;
    eventually(SOON, "both shops are healthy", || {
        ["shop-a", "shop-c"].map(|id| health(&running, id)) == [TargetHealth::Healthy; 2]
    })
    .await;
    let mut client = Client::connect(running.addresses.of("demo")[0]).await;
    let pages = [client.get("/").await, client.get("/").await];
    for id in ["shop-a", "shop-c"] {
        let answered = pages.iter().filter(|page| page.text().contains(id)).count();
        assert_eq!(answered, 1, "{id} answers every other page");
    }

    let mut admin = Client::connect(running.admin).await;
    let stopped = admin.post("/demo/targets/shop-a/stop").await;
    assert!(stopped.text().contains("\"running\":false"), "{stopped:?}");
    while health(&running, "shop-a") != TargetHealth::Unhealthy {
        let page = client.get("/").await;
        assert_eq!(page.status(), 200, "{page:?}");
    }
    for _ in 0..4 {
        assert!(client.get("/").await.text().contains("shop-c"));
    }

    admin.post("/demo/targets/shop-a/start").await;
    eventually(SOON, "shop-a is back", || {
        health(&running, "shop-a") == TargetHealth::Healthy
    })
    .await;
    let unknown = admin.post("/demo/targets/shop-z/stop").await;
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn the_rules_that_need_no_target_answer_as_the_guide_says() {
    let (_demo, running) = demo().await;
    let mut client = Client::connect(running.addresses.of("demo")[0]).await;
    let hello = client.get("/hello").await;
    assert_eq!(hello.text(), "Hello from the balancer itself.\n");
    let old = client.get("/old/post").await;
    assert_eq!(old.status(), 302);
    assert!(old.head.contains("/blog"), "{old:?}");
}
