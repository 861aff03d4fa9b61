//! A daemon's admin side for tests: a snapshot of two groups behind one load balancer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use prometheus::Registry;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::access_log::{AccessLog, Destination, Format, Settings, Subject};
use crate::acme::Statuses;
use crate::auth::Signer;
use crate::aws::Api;
use crate::config;
use crate::keyring::{self, Keyring};
use crate::metrics::Metrics;
use crate::reload::ReloadHandle;
use crate::server::Addresses;
use crate::snapshot::{Shared, Snapshot};
use crate::succession::{Lineage, UpgradeHandle};
use crate::target::{HealthReason, Outcome, ProbeRecord, Target, TargetKey, Thresholds};
use crate::tls::Terminators;

use super::{Context, Readiness, router};

const CONFIGURATION: &str = r##"
    [[load_balancer]]
    name = "wp-elb"
    zonal_shift = true
    nodes = [
      { zone = "a", address = "127.0.0.11" },
      { zone = "c", address = "127.0.0.12" },
    ]
    [[load_balancer.listener]]
    port = 8080
    default = { forward = "wordpress" }
    [[load_balancer.listener.rule]]
    priority = 10
    path = ["/old/*"]
    redirect = { path = "/new/#{path}", status = 301 }

    [[target_group]]
    name = "wordpress"
    targets = [
      { id = "wp-a", address = "10.0.0.6:80", zone = "a" },
      { id = "wp-b", address = "10.0.2.9:80", zone = "c", weight = 2 },
      { id = "wp-b", address = "10.0.2.9:81", zone = "c" },
    ]

    [[target_group]]
    name = "spare"
    targets = [{ id = "s", address = "10.0.0.7:80" }]
"##;

/// The admin side of a daemon that does not run, on a free port of 127.0.0.1.
pub(super) struct Sample {
    pub(super) context: Context,
    pub(super) address: SocketAddr,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Sample {
    pub(super) async fn start() -> Self {
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let (config, _) = config::check_text(CONFIGURATION, "sample")
            .into_result()
            .unwrap();
        let now = Instant::now();
        let snapshot = Snapshot::compile(
            &config,
            &Terminators::default(),
            &Snapshot::default(),
            &metrics,
            now,
        );
        snapshot.take_over(now);
        let shared = Arc::new(Shared::default());
        shared.publish(Arc::new(snapshot));
        let access_log = AccessLog::start(Settings {
            subject: Subject::Requests,
            destination: Destination::Off,
            format: Format::Alb,
        });
        let connection_log = AccessLog::start(Settings {
            subject: Subject::Connections,
            destination: Destination::Off,
            format: Format::Alb,
        });
        let keys = Keyring::prepare(keyring::Settings::default(), SystemTime::now());
        let keyring = Keyring::new(keys.unwrap());
        let (upgrade, _) = UpgradeHandle::new();
        let reload = ReloadHandle::new().0;
        let context = Context {
            aws: Api::new(Arc::clone(&shared), reload.clone()),
            lineage: Lineage::default(),
            upgrade,
            shared,
            reload,
            metrics,
            access_log: access_log.unwrap(),
            certificates: Statuses::default(),
            connection_log: connection_log.unwrap(),
            addresses: Addresses::default(),
            discovery: Arc::default(),
            readiness: Readiness::default(),
            signer: Signer::new(keyring),
            started: SystemTime::now(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let more = Router::new().route("/more", axum::routing::post(|| async { "more" }));
        let routes = router(context.clone(), more);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { context, address }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub(super) async fn post(&self, path: &str) -> Answer {
        self.ask("POST", path, "").await
    }

    /// Sends a request with more `fields`, each ended by CRLF.
    pub(super) async fn ask(&self, method: &str, path: &str, fields: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let host = self.address;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub(super) fn target(&self, group: &str, id: &str, port: u16) -> Arc<Target> {
        let key = TargetKey {
            id: id.into(),
            port,
        };
        let snapshot = self.context.shared.load();
        Arc::clone(snapshot.groups[group].target(&key).unwrap())
    }

    /// Reports one probe of a target.
    pub(super) fn probe(&self, target: &Target, outcome: Outcome) {
        let failed = outcome != Outcome::Pass;
        let record = ProbeRecord {
            at: UNIX_EPOCH + Duration::from_secs(1_530_570_180),
            address: target.socket_address(),
            outcome,
            status: failed.then_some(301),
            latency: Duration::from_micros(1_500),
            detail: if failed { "<moved>" } else { "" }.to_owned(),
        };
        let thresholds = Thresholds {
            healthy: 5,
            unhealthy: 2,
        };
        target.state.observe(record, &thresholds, None);
    }

    /// `wp-a` is healthy, `wp-b:80` unhealthy, `wp-b:81` initial.
    pub(super) fn probe_all(&self) {
        self.probe(&self.target("wordpress", "wp-a", 80), Outcome::Pass);
        let unhealthy = self.target("wordpress", "wp-b", 80);
        for _ in 0..2 {
            let moved = Outcome::Fail(HealthReason::ResponseCodeMismatch(301));
            self.probe(&unhealthy, moved);
        }
    }
}
