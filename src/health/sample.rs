//! Targets for the tests of this folder: some that only exist as values, some with a real socket.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use prometheus::Registry;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::report::Report;
use super::task::Assignment;
use crate::metrics::Metrics;
use crate::target::{Outcome, ProbeRecord, Target, TargetAddress, TargetKey, TargetState};
use crate::target_group::HealthCheck;

/// A target at this address, new.
pub(super) fn target(address: TargetAddress) -> Arc<Target> {
    Arc::new(Target {
        key: TargetKey {
            id: "wp-a".into(),
            port: address.port(),
        },
        address,
        zone: None,
        weight: 1,
        state: Arc::new(TargetState::new(Arc::default())),
    })
}

/// A target in the group `wordpress` that is to be checked like this.
pub(super) fn assign(target: Arc<Target>, check: HealthCheck) -> Assignment {
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let metrics = metrics.group("wp-elb", "wordpress", &[None]);
    Assignment {
        target,
        check: Arc::new(check),
        report: Report {
            group: "wordpress".into(),
            metrics: Arc::clone(metrics.probes()),
        },
    }
}

/// The same with a target that nothing connects to.
pub(super) fn assignment(check: HealthCheck) -> Assignment {
    let address = SocketAddr::from(([127, 0, 0, 1], 80));
    assign(target(TargetAddress::Ip(address)), check)
}

/// What a probe found.
pub(super) fn record(outcome: Outcome) -> ProbeRecord {
    ProbeRecord {
        at: SystemTime::UNIX_EPOCH,
        address: None,
        outcome,
        status: None,
        latency: Duration::ZERO,
        detail: String::new(),
    }
}

/// Waits until something is so, and fails if that takes longer than any machine needs.
pub(super) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "not so after 20 s: {what}");
}

/// A target with a real socket that gives every request the same answer, and keeps the connection
/// open until the other side closes it.
pub(super) struct Scripted {
    /// Where it listens.
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _accepting: AbortOnDropHandle<()>,
}

impl Scripted {
    /// Listens on a free port of 127.0.0.1.
    pub(super) async fn answering(answer: &'static str) -> Self {
        Self::listening("127.0.0.1:0", answer).await
    }

    /// Listens there.
    pub(super) async fn listening(address: &str, answer: &'static str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, answer, Arc::clone(&heard)));
            }
        });
        Self {
            address,
            requests,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// It, as a target that is known by its address.
    pub(super) fn target(&self) -> Arc<Target> {
        target(TargetAddress::Ip(self.address))
    }

    /// The requests so far, each as it came.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }
}

/// Hears one request, answers, and waits for the other side to close.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    answer: &str,
    heard: Arc<Mutex<Vec<String>>>,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut request).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    heard.lock().push(String::from_utf8(request).unwrap());
    // The other side may have gone: that is no concern of a target's.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.flush().await;
    let _ = stream.read(&mut [0; 64]).await;
}
