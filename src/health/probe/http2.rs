//! The probe in HTTP/2: one GET, or for a GRPC group one call, on a connection of its own.
//!
//! As ALB does it, a gRPC probe passes by the call's status: by default 12 (unimplemented) of a method
//! that no server has. What a message says is not read, but for one: the standard health service
//! answers with status 0 (OK) also when it says NOT_SERVING, which nobody who probes it can mean to pass.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, TE};
use http::uri::Scheme;
use http::{Method, Request, Response, Uri};
use tokio::io::{AsyncRead, AsyncWrite};

use super::ProbeError;
use super::http::{judge, request};
use crate::target_group::{HealthCheck, ProtocolVersion};

/// An empty message: not compressed, no bytes (gRPC: "Length-Prefixed-Message").
const EMPTY_MESSAGE: [u8; 5] = [0; 5];

/// gRPC's status of a call that went well.
const OK: u16 = 0;
/// The standard health service (gRPC: "Health Checking Protocol").
const HEALTH_SERVICE: &str = "/grpc.health.v1.Health/Check";
/// So much of a message is kept: what is read of one is at its start.
const KEPT: usize = 64;

/// Asks on a fresh stream and judges the answer. The stream is closed at the end.
pub(super) async fn ask<S>(
    stream: S,
    address: SocketAddr,
    check: &HealthCheck,
) -> Result<u16, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = in_http_2(address, check).map_err(ProbeError::Request)?;
    let (sender, connection) = h2::client::Builder::new()
        .enable_push(false)
        .handshake(stream)
        .await
        .map_err(ProbeError::Http2)?;
    let exchange = async {
        match check.version {
            ProtocolVersion::Grpc => call(sender, request, check).await,
            ProtocolVersion::Http1 | ProtocolVersion::Http2 => {
                let response = send(sender, request, None).await?;
                judge(&response, check)
            }
        }
    };
    let mut exchange = std::pin::pin!(exchange);
    // The connection is driven here, so that it cannot outlive the probe. When it ends first, the
    // answer holds what it ended with.
    tokio::select! {
        biased;
        found = &mut exchange => found,
        _ = connection => exchange.await,
    }
}

/// The request of the HTTP/1.1 probe, with what differs.
fn in_http_2(address: SocketAddr, check: &HealthCheck) -> http::Result<Request<()>> {
    let (mut parts, _) = request(address, check)?.into_parts();
    parts.headers.remove(CONNECTION);
    let host = parts.headers.remove(HOST);
    let authority = host.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
    parts.uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(authority)
        .path_and_query(&*check.path)
        .build()?;
    if check.version == ProtocolVersion::Grpc {
        parts.method = Method::POST;
        let grpc = HeaderValue::from_static("application/grpc");
        parts.headers.insert(CONTENT_TYPE, grpc);
        parts
            .headers
            .insert(TE, HeaderValue::from_static("trailers"));
    }
    Ok(Request::from_parts(parts, ()))
}

async fn send(
    sender: SendRequest<Bytes>,
    request: Request<()>,
    message: Option<Bytes>,
) -> Result<Response<RecvStream>, ProbeError> {
    let mut sender = sender.ready().await.map_err(ProbeError::Http2)?;
    let (response, mut body) = sender
        .send_request(request, message.is_none())
        .map_err(ProbeError::Http2)?;
    if let Some(message) = message {
        body.send_data(message, true).map_err(ProbeError::Http2)?;
    }
    response.await.map_err(ProbeError::Http2)
}

async fn call(
    sender: SendRequest<Bytes>,
    request: Request<()>,
    check: &HealthCheck,
) -> Result<u16, ProbeError> {
    let message = Bytes::from_static(&EMPTY_MESSAGE);
    let response = send(sender, request, Some(message)).await?;
    let (head, mut body) = response.into_parts();
    let mut message = Vec::new();
    let status = match grpc_status(&head.headers) {
        Some(status) => Some(status),
        None => {
            while let Some(data) = body.data().await {
                let data = data.map_err(ProbeError::Http2)?;
                message.extend_from_slice(&data[..data.len().min(KEPT - message.len())]);
                // Fails only if more is released than was received.
                let _ = body.flow_control().release_capacity(data.len());
            }
            let trailers = body.trailers().await.map_err(ProbeError::Http2)?;
            trailers.as_ref().and_then(grpc_status)
        }
    };
    let status = status.ok_or(ProbeError::NoGrpcStatus(head.status.as_u16()))?;
    if !check.matcher.matches(status) {
        return Err(ProbeError::GrpcMismatch {
            status,
            expected: check.matcher.to_string(),
        });
    }
    if status == OK && check.path == HEALTH_SERVICE {
        serving(&message)?;
    }
    Ok(status)
}

/// What the health service says: a message of one field, an enum, that is left out when it is 0.
fn serving(message: &[u8]) -> Result<(), ProbeError> {
    const FIELD_1: u8 = 0x08;
    let said = match message {
        [_, _, _, _, _, FIELD_1, said, ..] => *said,
        _ => 0,
    };
    match said {
        1 => Ok(()),
        0 => Err(ProbeError::NotServing("UNKNOWN")),
        3 => Err(ProbeError::NotServing("SERVICE_UNKNOWN")),
        _ => Err(ProbeError::NotServing("NOT_SERVING")),
    }
}

fn grpc_status(fields: &HeaderMap) -> Option<u16> {
    fields.get("grpc-status")?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::net::TcpListener;

    use super::*;
    use crate::health::probe::Prober;
    use crate::health::sample;
    use crate::target::{HealthReason, Outcome, ProbeRecord, TargetAddress};
    use crate::target_group::Matcher;

    type Asked = Arc<Mutex<Vec<Request<()>>>>;

    /// Answers every request with this status, and with a gRPC status if there is one.
    async fn target(status: u16, grpc: Option<&'static str>) -> (SocketAddr, Asked) {
        saying(status, b"", grpc).await
    }

    /// The same, with this message.
    async fn saying(
        status: u16,
        message: &'static [u8],
        grpc: Option<&'static str>,
    ) -> (SocketAddr, Asked) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Asked::default();
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    noted.lock().push(request.map(drop));
                    let response = Response::builder().status(status).body(()).unwrap();
                    let mut body = respond.send_response(response, grpc.is_none()).unwrap();
                    if !message.is_empty() {
                        body.send_data(Bytes::from_static(message), false).unwrap();
                    }
                    if let Some(code) = grpc {
                        let mut trailers = HeaderMap::new();
                        trailers.insert("grpc-status", HeaderValue::from_static(code));
                        body.send_trailers(trailers).unwrap();
                    }
                }
            }
        });
        (address, asked)
    }

    async fn probe(address: SocketAddr, version: ProtocolVersion, matcher: &str) -> ProbeRecord {
        probe_path(address, version, "/AWS.ALB/healthcheck", matcher).await
    }

    async fn probe_path(
        address: SocketAddr,
        version: ProtocolVersion,
        path: &str,
        matcher: &str,
    ) -> ProbeRecord {
        let grpc = version == ProtocolVersion::Grpc;
        let permitted = if grpc { Matcher::GRPC } else { Matcher::HTTP };
        let check = HealthCheck {
            version,
            path: path.to_owned(),
            matcher: Matcher::parse(matcher, permitted).unwrap(),
            ..HealthCheck::default()
        };
        let target = sample::target(TargetAddress::Ip(address));
        Prober::default().probe(&target, &check, None).await
    }

    #[tokio::test]
    async fn a_grpc_probe_passes_by_the_status_of_the_call() {
        let (address, asked) = target(200, Some("12")).await;
        let record = probe(address, ProtocolVersion::Grpc, "12").await;
        assert_eq!(
            (record.outcome, record.status),
            (Outcome::Pass, Some(12)),
            "{}",
            record.detail
        );
        let request = asked.lock().remove(0);
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri().path(), "/AWS.ALB/healthcheck");
        assert_eq!(request.headers()["content-type"], "application/grpc");
        assert_eq!(request.headers()["te"], "trailers");

        let record = probe(address, ProtocolVersion::Grpc, "0-11").await;
        let reason = HealthReason::ResponseCodeMismatch(12);
        assert_eq!(record.outcome, Outcome::Fail(reason));
        assert_eq!(record.detail, "gRPC status 12, expected 0-11");
    }

    #[tokio::test]
    async fn the_health_service_must_say_that_it_serves() {
        const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
        const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 2];
        let version = ProtocolVersion::Grpc;
        for (message, path, detail) in [
            (SERVING, HEALTH_SERVICE, None),
            (NOT_SERVING, HEALTH_SERVICE, Some("NOT_SERVING")),
            (&NOT_SERVING[..5], HEALTH_SERVICE, Some("UNKNOWN")),
            (NOT_SERVING, "/shop.Health/Check", None),
        ] {
            let (address, _) = saying(200, message, Some("0")).await;
            let record = probe_path(address, version, path, "0").await;
            let Some(said) = detail else {
                assert_eq!((record.outcome, record.status), (Outcome::Pass, Some(0)));
                continue;
            };
            let reason = HealthReason::FailedHealthChecks;
            assert_eq!(record.outcome, Outcome::Fail(reason));
            let expected = format!("the health service says {said}");
            assert_eq!(record.detail, expected);
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_grpc_status_fails() {
        let (address, _) = target(404, None).await;
        let record = probe(address, ProtocolVersion::Grpc, "0-99").await;
        let reason = HealthReason::FailedHealthChecks;
        assert_eq!(record.outcome, Outcome::Fail(reason));
        assert_eq!(record.detail, "the answer has no gRPC status (HTTP 404)");
    }

    #[tokio::test]
    async fn a_probe_in_http_2_passes_by_the_status_of_http() {
        let (address, asked) = target(204, None).await;
        let record = probe(address, ProtocolVersion::Http2, "200-299").await;
        assert_eq!((record.outcome, record.status), (Outcome::Pass, Some(204)));
        let asked = asked.lock();
        assert_eq!(asked[0].method(), "GET");
        let authority = asked[0].uri().authority().unwrap();
        assert_eq!(authority.as_str(), address.to_string());
        let agent = &asked[0].headers()["user-agent"];
        assert_eq!(agent, "ELB-HealthChecker/2.0");
    }
}
