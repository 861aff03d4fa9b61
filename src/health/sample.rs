//! Targets for the tests of this folder: some that only exist as values, some with a real socket.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use prometheus::Registry;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::report::Report;
use super::task::Assignment;
use crate::metrics::Metrics;
use crate::snapshot::Group;
use crate::target::{Outcome, ProbeRecord, Target, TargetAddress, TargetKey, TargetState};
use crate::target_group::{HealthCheck, Scope, Settings, TargetGroup};

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
        invalid_state: None,
        priority: 1,
        state: Arc::new(TargetState::new(Arc::default())),
    })
}

/// A target in the group `wordpress` that is to be checked like this.
pub(super) fn assign(target: Arc<Target>, check: HealthCheck) -> Assignment {
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let check = Arc::new(check);
    let settings = Settings::new("wordpress");
    let now = Instant::now();
    let group = Group {
        connector: None,
        target_group: TargetGroup::new(settings, Vec::new(), Scope::All, None, now),
        health_check: Arc::clone(&check),
        security_groups: Vec::new(),
        load_balancer: Some("wp-elb".into()),
        metrics: metrics.group("wp-elb", "wordpress", &[None]),
    };
    Assignment {
        target,
        check,
        connector: None,
        report: Report {
            name: "wordpress".into(),
            group: Arc::new(group),
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

/// A port of 127.0.0.1 that refuses connections for as long as the answer is held: it is taken, and
/// nobody listens there.
pub(super) fn refusing() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    (socket.local_addr().unwrap(), socket)
}

/// A target with a real socket that gives every request the same answer, and keeps the connection
/// open until the other side closes it.
pub(super) struct Scripted {
    /// Where it listens.
    pub(super) address: SocketAddr,
    heard: Arc<Heard>,
    _accepting: AbortOnDropHandle<()>,
}

/// What a target has met.
#[derive(Debug, Default)]
struct Heard {
    requests: Mutex<Vec<String>>,
    closed: AtomicUsize,
}

impl Scripted {
    /// Answers over plain TCP.
    pub(super) async fn answering(answer: &'static str) -> Self {
        Self::listening(answer, async |stream| Ok(stream)).await
    }

    /// Answers over TLS, with a certificate of a day in 2026 that the target signed itself and that
    /// is made out to another name.
    pub(super) async fn answering_over_tls(answer: &'static str) -> Self {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::listening(answer, move |stream| acceptor.accept(stream)).await
    }

    async fn listening<S, F>(
        answer: &'static str,
        secure: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Heard>::default();
        let hears = Arc::clone(&heard);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (secured, heard) = (secure(stream), Arc::clone(&hears));
                tokio::spawn(async move {
                    if let Ok(stream) = secured.await {
                        converse(stream, answer, &heard).await;
                    }
                    heard.closed.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Self {
            address,
            heard,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// It, as a target that is known by its address.
    pub(super) fn target(&self) -> Arc<Target> {
        target(TargetAddress::Ip(self.address))
    }

    /// The requests so far, each as it came.
    pub(super) fn requests(&self) -> Vec<String> {
        self.heard.requests.lock().clone()
    }

    /// How many connections the other side has closed.
    pub(super) fn closed(&self) -> usize {
        self.heard.closed.load(Ordering::Relaxed)
    }
}

/// Hears one request, answers, and waits for the other side to close.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &str, heard: &Heard) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut request).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    heard
        .requests
        .lock()
        .push(String::from_utf8(request).unwrap());
    // The other side may have gone: that is no concern of a target's.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.flush().await;
    let _ = stream.read(&mut [0; 64]).await;
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBjDCCATOgAwIBAgIUUKuk4aTEIz8DtDdHJxMpJ4jlZiMwCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRZWxzZXdoZXJlLmV4YW1wbGUwHhcNMjYxMTIzMTU1MDQwWhcN
MjYxMTI0MTU1MDQwWjAcMRowGAYDVQQDDBFlbHNld2hlcmUuZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABAJhOqGoxrQCYH0lccjMLhtYaKXT4vkhWbfq
KgVIKZkp53MOGBte+ovzRlsCbRKMFHS97StXpVmKzOU8qQTQrqajUzBRMB0GA1Ud
DgQWBBQV64C02RQ+ItqET6uHTOoUu1M6MjAfBgNVHSMEGDAWgBQV64C02RQ+ItqE
T6uHTOoUu1M6MjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCHy9E
lYgsRPaNAMUaYSRtZE2Db3ak5axr0ddbv8ec0kUCIQDnlSd1eKgud0vnZRM2ZW3f
iffMI7xEOwvmGWm6vvLvyA==
-----END CERTIFICATE-----";

/// Made for these tests, and used nowhere else.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGjPme5IlpFI/Zf0D
aXOYtamrk36/QKJk0B86HaWkZIehRANCAAQCYTqhqMa0AmB9JXHIzC4bWGil0+L5
IVm36ioFSCmZKedzDhgbXvqL80ZbAm0SjBR0ve0rV6VZiszlPKkE0K6m
-----END PRIVATE KEY-----";
