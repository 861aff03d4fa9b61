//! The HTTP probe: one GET on a connection of its own, and the status of the answer.
//!
//! As ALB does it: HTTP/1.1, `Host` is the target's address and the probed port unless the group
//! names another, redirects are not followed, the body is not read.

use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::ProbeError;
use crate::target_group::HealthCheck;

/// What ALB's probes call themselves; access logs and robots filters know it.
const ELB_HEALTH_CHECKER: HeaderValue = HeaderValue::from_static("ELB-HealthChecker/2.0");

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
    let response = send(stream, request).await.map_err(ProbeError::Answer)?;
    judge(&response, check)
}

fn request(address: SocketAddr, check: &HealthCheck) -> http::Result<Request<Empty<Bytes>>> {
    let host = match &check.host {
        Some(host) => HeaderValue::try_from(host)?,
        None => HeaderValue::try_from(address.to_string())?,
    };
    let mut request = Request::get(&*check.path).body(Empty::new())?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, ELB_HEALTH_CHECKER);
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

async fn send<S>(stream: S, request: Request<Empty<Bytes>>) -> hyper::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut answer = pin!(sender.send_request(request));
    // The connection is driven here and not by a task of its own, so that it cannot outlive the
    // probe. When it ends first, the answer holds what it ended with.
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

fn judge<B>(response: &Response<B>, check: &HealthCheck) -> Result<u16, ProbeError> {
    let status = response.status().as_u16();
    if check.matcher.matches(status) {
        return Ok(status);
    }
    let location = response.headers().get(LOCATION);
    Err(ProbeError::Mismatch {
        status,
        location: location.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned()),
        expected: check.matcher.to_string(),
    })
}
