//! The HTTP probe: one GET on a connection of its own, and the status of the answer.
//!
//! As ALB does it: HTTP/1.1, `Host` is the target's address and the probed port unless the group
//! names another, redirects are not followed, the body is not read. Classic wants to know before that
//! where the body ends.

use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, LOCATION, RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::ProbeError;
use crate::target_group::HealthCheck;

/// What ALB's probes call themselves; access logs and robots filters know it.
const ELB_HEALTH_CHECKER: HeaderValue = HeaderValue::from_static("ELB-HealthChecker/2.0");

/// What Classic's call themselves.
const CLASSIC_HEALTH_CHECKER: HeaderValue = HeaderValue::from_static("ELB-HealthChecker/1.0");

/// Asks on a fresh stream and judges the answer's status. The stream is closed at the end.
pub(super) async fn ask<S>(
    stream: S,
    address: SocketAddr,
    check: &HealthCheck,
) -> Result<u16, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = request(address, check).map_err(ProbeError::Request)?;
    let (response, connection) = send(stream, request).await.map_err(ProbeError::Answer)?;
    let status = judge(&response, check)?;
    if check.classic && !is_framed(&response) {
        without_body(response, connection).await?;
    }
    Ok(status)
}

/// Whether the head says where the body ends.
fn is_framed(response: &Response<Incoming>) -> bool {
    let headers = response.headers();
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

/// Sees that there is no body: one must have a Content-Length or come in chunks (AWS: "Configure
/// health checks for your Classic Load Balancer").
async fn without_body(
    response: Response<Incoming>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> Result<(), ProbeError> {
    let mut body = response.into_body();
    let frame = {
        let mut frame = pin!(body.frame());
        tokio::select! {
            biased;
            frame = &mut frame => frame,
            _ = connection => frame.await,
        }
    };
    match frame {
        None => Ok(()),
        Some(Ok(_)) => Err(ProbeError::Unframed),
        Some(Err(error)) => Err(ProbeError::Answer(error)),
    }
}

pub(super) fn request(
    address: SocketAddr,
    check: &HealthCheck,
) -> http::Result<Request<Empty<Bytes>>> {
    let host = match &check.host {
        Some(host) => HeaderValue::try_from(host)?,
        None => HeaderValue::try_from(address.to_string())?,
    };
    let mut request = Request::get(&*check.path).body(Empty::new())?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    let agent = match check.classic {
        true => CLASSIC_HEALTH_CHECKER,
        false => ELB_HEALTH_CHECKER,
    };
    headers.insert(USER_AGENT, agent);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    replace(headers, &check.headers)?;
    Ok(request)
}

/// The group's own fields replace the default ones; a name given twice is sent twice.
fn replace(headers: &mut HeaderMap, fields: &[(String, String)]) -> http::Result<()> {
    let mut own = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        own.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    headers.extend(own);
    Ok(())
}

/// The answer, and what is left to drive of its connection.
async fn send<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
) -> hyper::Result<(Response<Incoming>, impl Future<Output = hyper::Result<()>>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut connection = Box::pin(connection.fuse());
    let mut answer = pin!(sender.send_request(request));
    // The connection is driven here and not by a task of its own, so that it cannot outlive the
    // probe. When it ends first, the answer holds what it ended with.
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    };
    Ok((answer?, connection))
}

pub(super) fn judge<B>(response: &Response<B>, check: &HealthCheck) -> Result<u16, ProbeError> {
    let status = response.status().as_u16();
    if check.matcher.matches(status) {
        return Ok(status);
    }
    if check.tolerate_maintenance
        && status == 503
        && let Some(after) = response.headers().get(RETRY_AFTER)
    {
        let after = String::from_utf8_lossy(after.as_bytes());
        return Err(ProbeError::Maintenance(after.chars().take(100).collect()));
    }
    let location = response.headers().get(LOCATION);
    Err(ProbeError::Mismatch {
        status,
        location: location.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned()),
        expected: check.matcher.to_string(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::health::probe::Prober;
    use crate::health::sample::{self, Scripted};
    use crate::proxy_protocol::Version;
    use crate::target::{HealthReason, Outcome, ProbeRecord, TargetAddress};

    async fn probe(site: &Scripted, check: &HealthCheck) -> ProbeRecord {
        Prober::default().probe(&site.target(), check, None).await
    }

    async fn found(answer: &'static str) -> ProbeRecord {
        let site = Scripted::answering(answer).await;
        probe(&site, &HealthCheck::default()).await
    }

    #[tokio::test]
    async fn the_request_is_the_one_that_alb_sends() {
        let site = Scripted::answering("HTTP/1.1 200 OK\r\n\r\n").await;
        let check = HealthCheck {
            path: "/wp-login.php?probe=1".to_owned(),
            ..HealthCheck::default()
        };
        let record = probe(&site, &check).await;
        assert_eq!(
            (record.outcome, record.status),
            (Outcome::Pass, Some(200)),
            "{}",
            record.detail
        );
        let expected = format!(
            "GET /wp-login.php?probe=1 HTTP/1.1\r\nHost: {}\r\n\
             User-Agent: ELB-HealthChecker/2.0\r\nConnection: close\r\n\r\n",
            site.address
        );
        assert_eq!(site.requests(), [expected]);
    }

    #[tokio::test]
    async fn a_probe_says_that_its_connection_is_the_balancers_own() {
        let site = Scripted::answering("HTTP/1.1 200 OK\r\n\r\n").await;
        let check = HealthCheck {
            proxy_protocol: Some(Version::V1),
            ..HealthCheck::default()
        };
        assert_eq!(probe(&site, &check).await.outcome, Outcome::Pass);
        let request = site.requests().concat();
        let expected = "PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n";
        assert!(request.starts_with(expected), "{request:?}");
    }

    #[tokio::test]
    async fn a_group_may_name_the_host_and_more_fields() {
        let site = Scripted::answering("HTTP/1.1 200 OK\r\n\r\n").await;
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let check = HealthCheck {
            host: Some("shop.example".to_owned()),
            headers: vec![
                field("X-Forwarded-Proto", "https"),
                field("User-Agent", "probe"),
                field("X-Twice", "1"),
                field("X-Twice", "2"),
            ],
            ..HealthCheck::default()
        };
        assert_eq!(probe(&site, &check).await.outcome, Outcome::Pass);
        let request = site.requests().concat();
        for line in [
            "Host: shop.example\r\n",
            "X-Forwarded-Proto: https\r\n",
            "User-Agent: probe\r\n",
            "X-Twice: 1\r\nX-Twice: 2\r\n",
        ] {
            assert_eq!(request.matches(line).count(), 1, "{line:?} in {request:?}");
        }
        assert!(!request.contains("ELB-HealthChecker"), "{request:?}");
    }

    #[tokio::test]
    async fn another_status_is_a_mismatch_and_a_redirect_is_not_followed() {
        let record = found("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
        let reason = HealthReason::ResponseCodeMismatch(503);
        assert_eq!(record.outcome, Outcome::Fail(reason));
        assert_eq!(record.detail, "HTTP 503, expected 200");

        let moved = "HTTP/1.1 301 Moved\r\nLocation: https://shop.example/\r\n\r\n";
        let site = Scripted::answering(moved).await;
        let record = probe(&site, &HealthCheck::default()).await;
        let reason = HealthReason::ResponseCodeMismatch(301);
        assert_eq!(
            reason.to_string(),
            "Health checks failed with these codes: [301]"
        );
        assert_eq!(record.outcome, Outcome::Fail(reason));
        assert_eq!(record.status, Some(301));
        let detail = "HTTP 301 to https://shop.example/, expected 200";
        assert_eq!(record.detail, detail);
        assert_eq!(site.requests().len(), 1);
    }

    #[tokio::test]
    async fn maintenance_is_told_from_other_failures_where_that_is_wanted() {
        let check = HealthCheck {
            tolerate_maintenance: true,
            ..HealthCheck::default()
        };
        let maintenance = "HTTP/1.1 503 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n";
        let site = Scripted::answering(maintenance).await;
        let record = probe(&site, &check).await;
        assert_eq!(record.outcome, Outcome::Maintenance);
        assert_eq!(record.status, Some(503));
        assert_eq!(record.detail, "maintenance: HTTP 503, Retry-After: 600");
        let failed = Outcome::Fail(HealthReason::ResponseCodeMismatch(503));
        assert_eq!(found(maintenance).await.outcome, failed);
        let site = Scripted::answering("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(probe(&site, &check).await.outcome, failed);
    }

    #[tokio::test]
    async fn what_is_no_http_is_a_failed_health_check() {
        for answer in [
            "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
            "HTTP/1.1 twohundred OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        ] {
            let record = found(answer).await;
            let reason = HealthReason::FailedHealthChecks;
            assert_eq!(record.outcome, Outcome::Fail(reason), "{answer:?}");
            let words = "no well-formed answer: ";
            assert!(record.detail.starts_with(words), "{}", record.detail);
        }
    }

    #[tokio::test]
    async fn a_body_that_never_comes_and_an_interim_answer_do_not_matter() {
        let early = "HTTP/1.1 103 Early Hints\r\n\r\n\
                     HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
        assert_eq!(found(early).await.outcome, Outcome::Pass);
        let old = "HTTP/1.0 200 OK\r\n\r\n";
        assert_eq!(found(old).await.outcome, Outcome::Pass);
    }

    #[tokio::test]
    async fn classic_wants_a_length_or_chunks_if_there_is_a_body() {
        let check = HealthCheck {
            classic: true,
            ..HealthCheck::default()
        };
        for (answer, passes) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                true,
            ),
            ("HTTP/1.1 200 OK\r\n\r\nok", false),
        ] {
            let site = Scripted::answering(answer).await;
            let record = probe(&site, &check).await;
            assert_eq!(record.outcome == Outcome::Pass, passes, "{answer:?}");
            if !passes {
                let reason = HealthReason::FailedHealthChecks;
                assert_eq!(record.outcome, Outcome::Fail(reason));
                let detail = "HTTP 200 with a body that has neither Content-Length nor chunks";
                assert_eq!(record.detail, detail);
                // ALB does not mind.
                assert_eq!(found(answer).await.outcome, Outcome::Pass);
            }
        }
    }

    #[tokio::test]
    async fn classic_takes_an_answer_without_a_body_that_says_nothing_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answering = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = stream.read(&mut asked).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        };
        let check = HealthCheck {
            classic: true,
            ..HealthCheck::default()
        };
        let target = sample::target(TargetAddress::Ip(address));
        let prober = Prober::default();
        let (record, ()) = tokio::join!(prober.probe(&target, &check, None), answering);
        assert_eq!(record.outcome, Outcome::Pass, "{}", record.detail);
    }

    #[tokio::test]
    async fn the_connection_is_closed_afterwards_though_the_target_would_keep_it() {
        let answer = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";
        let site = Scripted::answering(answer).await;
        probe(&site, &HealthCheck::default()).await;
        probe(&site, &HealthCheck::default()).await;
        sample::eventually("two connections are closed", || site.closed() == 2).await;
    }
}
