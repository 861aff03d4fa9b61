//! What both kinds of discovery are looked at through: sites, targets' states, the admin API.

use std::net::SocketAddr;
use std::sync::Arc;

use elbow::target::{TargetHealth, TargetState};
use serde_json::Value;
use tokio::time::Instant;

use crate::support::{Client, Elbow, SOON, Target, eventually};

/// A load balancer `lb` before one group `web`, with more of the group's settings.
pub(crate) fn before_web(settings: &str) -> String {
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"web\" }} }}]\n\
         [[target_group]]\n\
         name = \"web\"\n\
         health_check = {{ interval = \"200ms\", timeout = \"190ms\", unhealthy_threshold = 10 }}\n\
         deregistration_delay = \"10s\"\n\
         {settings}\n"
    )
}

/// A site that says its name.
pub(crate) async fn site(name: &str) -> Target {
    Target::saying(name).await
}

/// The state of a target of `web`, registered or draining.
pub(crate) fn state(elbow: &Elbow, id: &str) -> Option<Arc<TargetState>> {
    let snapshot = elbow.running().shared.load();
    let group = snapshot.groups.get("web")?;
    let now = Instant::now();
    let mut targets = group.targets().iter().chain(group.departing(now));
    let target = targets.find(|target| &*target.key.id == id)?;
    Some(Arc::clone(&target.state))
}

/// State, reason code and description in one line; "gone" when there is no such target.
pub(crate) fn says(elbow: &Elbow, id: &str) -> String {
    let health = state(elbow, id).map(|state| state.describe(Instant::now()));
    let Some(health) = health else {
        return "gone".to_owned();
    };
    match health.reason {
        None => health.state.to_string(),
        Some(reason) => format!("{} {}: {reason}", health.state, reason.code()),
    }
}

/// Waits until a target says this of itself.
pub(crate) async fn expect(elbow: &Elbow, id: &str, line: &str) {
    let what = format!("{id} is {line}");
    eventually(SOON, &what, || says(elbow, id) == line).await;
}

/// Waits until targets are healthy.
pub(crate) async fn expect_healthy(elbow: &Elbow, ids: &[&str]) {
    for id in ids {
        expect(elbow, id, TargetHealth::Healthy.as_str()).await;
    }
}

/// The ids of the registered targets of `web`, in order.
pub(crate) fn registered(elbow: &Elbow) -> Vec<String> {
    let snapshot = elbow.running().shared.load();
    let targets = snapshot.groups["web"].targets().iter();
    targets.map(|target| target.key.id.to_string()).collect()
}

/// Who answers these many requests, sorted.
pub(crate) async fn who(address: SocketAddr, count: usize) -> Vec<String> {
    let mut client = Client::connect(address).await;
    let mut names = Vec::new();
    for _ in 0..count {
        let response = client.get("/").await;
        names.push(match response.status() {
            200 => response.text().to_owned(),
            status => status.to_string(),
        });
    }
    names.sort();
    names
}

/// What the admin API answers.
pub(crate) async fn admin(elbow: &Elbow, path: &str) -> Value {
    let mut client = Client::connect(elbow.admin()).await;
    let answer = client.get(path).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    serde_json::from_str(answer.text()).expect("JSON")
}

/// Waits until the only provider is in this state.
pub(crate) async fn expect_provider(elbow: &Elbow, state: &str) -> Value {
    let deadline = Instant::now() + SOON;
    loop {
        let said = admin(elbow, "/providers").await;
        if said["providers"][0]["state"] == state {
            return said["providers"][0].clone();
        }
        assert!(Instant::now() < deadline, "not {state}: {said:#}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
