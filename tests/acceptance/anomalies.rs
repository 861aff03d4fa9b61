//! Automatic target weights: a target that answers with more 5xx than the others gets less, never
//! nothing, and comes back.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::scene::{group, listening};
use crate::support::{Client, Elbow, Target, eventually};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Says its name; while it fails, every eighth answer is 500. Its probes pass all the same.
async fn target(name: &'static str, fails: &Arc<AtomicBool>) -> Target {
    let fails = Arc::clone(fails);
    Target::scripted(move |mut wire, request, number| {
        let is_probe = request.start_line().contains("/probe");
        let fails = fails.load(Ordering::Relaxed) && number % 8 == 7 && !is_probe;
        async move {
            let status = if fails { 500 } else { 200 };
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 1\r\n\r\n{name}");
            wire.try_send(head).await.ok().map(|()| wire)
        }
    })
    .await
}

struct Scene {
    elbow: Elbow,
    fails: Arc<AtomicBool>,
    _targets: Vec<Target>,
}

/// Four targets, of which `d` fails on command.
async fn before(mitigation: bool) -> Scene {
    let (fails, never) = (Arc::default(), Arc::default());
    let (mut targets, mut entries) = (Vec::new(), Vec::new());
    for name in NAMES {
        let target = target(name, if name == "d" { &fails } else { &never }).await;
        entries.push(format!(
            "{{ id = \"{name}\", address = \"{}\" }}",
            target.address
        ));
        targets.push(target);
    }
    let mut text = listening(0, "{ forward = \"group\" }");
    let settings = format!(
        "algorithm = \"weighted_random\"\nanomaly_mitigation = {mitigation}\n\
         health_check = {{ path = \"/probe\", interval = \"1s\", timeout = \"900ms\" }}"
    );
    group(&mut text, "group", &settings, &entries);
    let elbow = Elbow::start(&text).await;
    let is_ready = || elbow.running().shared.load().groups["group"].detects_anomalies();
    eventually(crate::support::SOON, "enough healthy targets", is_ready).await;
    Scene {
        elbow,
        fails,
        _targets: targets,
    }
}

impl Scene {
    /// What `d` takes of its weight, in hundredths.
    fn part(&self) -> u32 {
        let snapshot = self.elbow.running().shared.load();
        let group = &snapshot.groups["group"];
        let mut targets = group.targets().iter();
        let target = targets.find(|target| &*target.key.id == "d").unwrap();
        group.share_percent(target, Instant::now())
    }

    /// Asks so often; how many requests `d` got, and which part of its weight it took before and after.
    async fn load(&self, requests: usize) -> (usize, u32, u32) {
        let before = self.part();
        let mut client = Client::connect(self.elbow.address()).await;
        let mut got = 0;
        for _ in 0..requests {
            got += usize::from(client.get("/").await.text() == "d");
        }
        (got, before, self.part())
    }

    /// Keeps asking until `d` takes another part of its weight that is as it should be; every batch in
    /// which the part stayed the same had about that part.
    async fn load_until(&self, is_right: impl Fn(u32) -> bool) {
        let limit = Instant::now() + 12 * elbow::target_group::ANOMALY_PERIOD;
        while !is_right(self.part()) {
            assert!(Instant::now() < limit, "still {} %", self.part());
            self.expect_share().await;
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn expect_share(&self) {
        const BATCH: usize = 400;
        let (got, before, after) = self.load(BATCH).await;
        if before == after {
            let odds = f64::from(before) / (300.0 + f64::from(before));
            let mean = BATCH as f64 * odds;
            let deviation = (mean * (1.0 - odds)).sqrt();
            let off = (got as f64 - mean).abs() / deviation;
            assert!(off <= 5.0, "{got} of {BATCH} with {before} % of its weight");
        }
    }

    /// What `DescribeTargetHealth` says of `d`.
    async fn detected(&self) -> (String, String) {
        let mut admin = Client::connect(self.elbow.admin()).await;
        let shown = admin.get("/target-groups/group/health").await;
        let shown: Value = serde_json::from_str(shown.text()).unwrap();
        let targets = shown["target_groups"][0]["targets"].as_array().unwrap();
        let mut targets = targets.iter();
        let d = targets
            .find(|target| target["target"]["id"] == "d")
            .unwrap();
        let of = |key: &str| {
            d["anomaly_detection"][key]
                .as_str()
                .unwrap_or("-")
                .to_owned()
        };
        (of("result"), of("mitigation_in_effect"))
    }
}

#[tokio::test]
async fn a_target_that_returns_5xx_gets_less_but_never_nothing_and_recovers() {
    let scene = before(true).await;
    assert_eq!(scene.part(), 100);
    scene.expect_share().await;
    scene.fails.store(true, Ordering::Relaxed);
    scene.load_until(|part| part <= 25).await;
    assert_eq!(scene.detected().await, ("anomalous".into(), "yes".into()));
    scene.expect_share().await;
    scene.fails.store(false, Ordering::Relaxed);
    // Its failures are not forgotten at once; then it gets back some at a time.
    let lowest = Cell::new(scene.part());
    let rises = |part| part > lowest.replace(lowest.get().min(part));
    scene.load_until(rises).await;
    assert_eq!(scene.detected().await.0, "normal");
    scene.expect_share().await;
}

#[tokio::test]
async fn without_mitigation_it_is_only_detected() {
    let scene = before(false).await;
    scene.fails.store(true, Ordering::Relaxed);
    let limit = Instant::now() + 4 * elbow::target_group::ANOMALY_PERIOD;
    while scene.detected().await.0 != "anomalous" {
        assert!(Instant::now() < limit, "not detected");
        scene.expect_share().await;
    }
    assert_eq!(scene.part(), 100);
    assert_eq!(scene.detected().await.1, "no");
    scene.expect_share().await;
}
