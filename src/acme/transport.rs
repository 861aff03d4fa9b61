//! How an authority is reached: HTTPS, its certificate verified, with limits of time and size.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::time::timeout;

use crate::causes::in_full;
use crate::tls::AuthoritiesError;

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// No answer of the protocol is as long.
const LONGEST: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum TransportError {
    /// Whom to trust as the issuer of the authority's own certificate is not known.
    #[error(transparent)]
    Roots(#[from] AuthoritiesError),
    /// The versions of TLS and the cryptographic library do not fit.
    #[error(transparent)]
    Tls(rustls::Error),
    /// No connection, or it broke.
    #[error("the authority cannot be reached: {0}")]
    Connection(String),
    /// No answer in time.
    #[error("the authority does not answer within {} seconds", PATIENCE.as_secs())]
    Slow,
    /// An answer that is not the protocol's.
    #[error("the authority answers {0}")]
    Status(StatusCode),
}

/// Reaches one authority. Clones share connections.
#[derive(Clone)]
pub(super) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    retry_after: Arc<Mutex<Option<SystemTime>>>,
}

impl Transport {
    pub(super) fn new(roots: RootCertStore) -> Result<Self, TransportError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TransportError::Tls)?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_root_certificates(roots).with_no_client_auth())
            .https_only()
            .enable_http1()
            .build();
        Ok(Self {
            // An order every few weeks: connections are for its exchanges, not for the next one.
            client: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(PATIENCE)
                .pool_timer(hyper_util::rt::TokioTimer::new())
                .build(connector),
            retry_after: Arc::default(),
        })
    }

    /// Before this the authority does not want to be asked again; forgets it.
    pub(super) fn take_retry_after(&self) -> Option<SystemTime> {
        self.retry_after.lock().take()
    }

    async fn exchange(
        self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, TransportError> {
        let response = self.client.request(request).await;
        let response = response.map_err(|error| TransportError::Connection(in_full(&error)))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        let body = body.map_err(|error| TransportError::Connection(in_full(&*error)))?;
        if parts.status == StatusCode::TOO_MANY_REQUESTS
            || parts.status == StatusCode::SERVICE_UNAVAILABLE
        {
            *self.retry_after.lock() = retry_after(&parts.headers, SystemTime::now());
        }
        if parts.status.as_u16() >= 400 && !is_json(&parts.headers) {
            return Err(TransportError::Status(parts.status));
        }
        Ok(Response::from_parts(parts, Full::new(body.to_bytes())))
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let exchange = self.clone().exchange(request);
        Box::pin(async move {
            let answered = timeout(PATIENCE, exchange).await;
            let answered = answered.unwrap_or(Err(TransportError::Slow));
            match answered {
                Ok(response) => Ok(BytesResponse::from(response)),
                Err(error) => Err(instant_acme::Error::Other(Box::new(error))),
            }
        })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.contains("json"))
}

/// RFC 9110, section 10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<SystemTime> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse::<u32>() {
        Ok(seconds) => Some(now + Duration::from_secs(seconds.into())),
        Err(_) => httpdate::parse_http_date(value).ok(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_of_its_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(now + Duration::from_secs(120)));
        let date = httpdate::fmt_http_date(now + Duration::from_secs(5));
        let read_date = httpdate::parse_http_date(&date).unwrap();
        assert_eq!(read(date.leak()), Some(read_date));
        assert_eq!(read("soon"), None);
    }
}
