//! Stop and start of a Classic load balancer's instance that returns with another address.

use std::future::ready;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use elbow::app::{App, Options, Running};
use elbow::health::Resolver;
use elbow::reload::{Cause, Source};
use parking_lot::Mutex;

use crate::scene::{Site, who};
use crate::support::{Client, SOON, eventually};

/// A Classic load balancer before one instance that is known by name, or before none.
fn text(stale: bool, targets: &str) -> String {
    format!(
        "ranges = \"relaxed\"\nadmin = {{ address = \"127.0.0.1:0\" }}\n\
         [[load_balancer]]\nname = \"lb\"\ntype = \"classic\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
         [[target_group]]\nname = \"group\"\nstale_ip_after_stop = {stale}\n\
         deregistration_delay = \"0s\"\n\
         health_check = {{ protocol = \"HTTP\", path = \"/probe\", interval = \"100ms\", \
                           timeout = \"95ms\", healthy_threshold = 2 }}\n\
         targets = [{targets}]\n"
    )
}

const INSTANCE: &str = "{ id = \"i-0123456789abcdef0\", address = \"web.example:80\" }";

async fn start(file: &Path, at: &Arc<Mutex<SocketAddr>>) -> Running {
    let stands_for = Arc::clone(at);
    let mut options = Options::new(Source::File(file.to_owned()));
    options.resolver = Resolver::new(move |_, _| ready(Ok(vec![*stands_for.lock()])));
    App::start(options).await.unwrap()
}

async fn answer(running: &Running) -> String {
    let mut client = Client::connect(running.addresses.of("lb")[0]).await;
    who(&client.get("/").await)
}

async fn until(running: &Running, expected: &str) {
    let limit = tokio::time::Instant::now() + SOON;
    loop {
        let found = answer(running).await;
        if found == expected {
            return;
        }
        assert!(
            tokio::time::Instant::now() < limit,
            "{found}, not {expected}"
        );
    }
}

/// The instance is stopped, and starts again at another address.
async fn moved(stale: bool, file: &Path) -> (Running, Site) {
    let (before, after) = (Site::start("before").await, Site::start("after").await);
    let at = Arc::new(Mutex::new(before.address()));
    std::fs::write(file, text(stale, INSTANCE)).unwrap();
    let running = start(file, &at).await;
    until(&running, "before").await;
    drop(before);
    until(&running, "503").await;
    *at.lock() = after.address();
    (running, after)
}

#[tokio::test]
async fn an_instance_that_returns_at_another_address_is_in_service_without_an_operator() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _after) = moved(false, &folder.path().join("elbow.toml")).await;
    until(&running, "after").await;
}

#[tokio::test]
async fn with_stale_ip_after_stop_it_stays_out_of_service_until_it_is_registered_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("elbow.toml");
    let (running, after) = moved(true, &file).await;
    let state = {
        let snapshot = running.shared.load();
        Arc::clone(&snapshot.groups["group"].targets()[0].state)
    };
    // Ten times as many probes as would bring it back.
    let probed = || state.probes().iter().map(|probe| probe.at).max();
    for _ in 0..20 {
        let last = probed();
        eventually(SOON, "another probe", || probed() > last).await;
        assert_eq!(answer(&running).await, "503");
    }
    assert_eq!(after.target.connections(), 0);
    for targets in ["", INSTANCE] {
        std::fs::write(&file, text(true, targets)).unwrap();
        running.reload.reload(Cause::Api).await.unwrap();
    }
    until(&running, "after").await;
}
