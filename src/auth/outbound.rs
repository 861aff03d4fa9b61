//! Asking identity providers and key servers: one small request at a time, over a connection of its own, in bounded
//! time and size.
//!
//! It runs on whichever runtime waits for the answer. Names are resolved and connections made without blocking it, and
//! whatever the other side does, [`Outbound::ask`] is back after [`PATIENCE`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::causes::in_full;

/// ALB's limit for an identity provider.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Where an identity provider or a key server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Uri);

/// An endpoint that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{url}` is not an endpoint: {reason}")]
pub struct EndpointError {
    url: String,
    reason: &'static str,
}

impl Endpoint {
    /// Takes an absolute URL with https, or if `plain` is allowed with http; without user and fragment.
    pub fn parse(url: &str, plain: bool) -> Result<Self, EndpointError> {
        let refuse = |reason| EndpointError {
            url: url.to_owned(),
            reason,
        };
        let uri: Uri = url.parse().map_err(|_| refuse("it is no URL"))?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if plain => {}
            Some("http") => {
                return Err(refuse(
                    "only https keeps secrets; `ranges = \"relaxed\"` at the top of the file lets a lab use http",
                ));
            }
            _ => return Err(refuse("it does not begin with https://")),
        }
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => Err(refuse("it names a user")),
            Some(_) if url.contains('#') => Err(refuse("it has a fragment")),
            Some(_) => Ok(Self(uri)),
            None => Err(refuse("it names no host")),
        }
    }

    /// The URL as it was written.
    pub fn url(&self) -> String {
        self.0.to_string()
    }

    fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Without the brackets of an IPv6 address.
    fn host(&self) -> &str {
        let host = self.0.host().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    fn port(&self) -> u16 {
        let own = if self.is_https() { 443 } else { 80 };
        self.0.port_u16().unwrap_or(own)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum OutboundError {
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Timeout,
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    #[error("{0}")]
    Failed(String),
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct Question {
    pub(super) authorization: Option<String>,
    /// A form to post; without one it is a GET.
    pub(super) form: Option<String>,
    /// The longest answer, in bytes.
    pub(super) limit: usize,
}

/// Asks endpoints, and knows whose certificates to believe.
#[derive(Debug)]
pub(super) struct Outbound {
    /// Certificates of authorities in PEM; none means the system's.
    authorities: Option<PathBuf>,
    tls: OnceCell<Arc<ClientConfig>>,
}

impl Outbound {
    pub(super) fn new(authorities: Option<PathBuf>) -> Self {
        Self {
            authorities,
            tls: OnceCell::new(),
        }
    }

    pub(super) async fn ask(
        &self,
        endpoint: &Endpoint,
        question: Question,
    ) -> Result<Answer, OutboundError> {
        match tokio::time::timeout(PATIENCE, self.exchange(endpoint, question)).await {
            Ok(answer) => answer,
            Err(_) => Err(OutboundError::Timeout),
        }
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        question: Question,
    ) -> Result<Answer, OutboundError> {
        let limit = question.limit;
        let request = request(endpoint, question)?;
        let stream = TcpStream::connect((endpoint.host(), endpoint.port()));
        let stream = stream.await.map_err(failed)?;
        let response = match endpoint.is_https() {
            false => send(stream, request).await?,
            true => {
                let name = ServerName::try_from(endpoint.host().to_owned()).map_err(failed)?;
                let connector = TlsConnector::from(Arc::clone(self.tls().await?));
                let stream = connector.connect(name, stream).await.map_err(failed)?;
                send(stream, request).await?
            }
        };
        let status = response.status();
        let body = Limited::new(response.into_body(), limit).collect().await;
        let body = body.map_err(
            |error| match error.is::<http_body_util::LengthLimitError>() {
                true => OutboundError::TooLarge(limit),
                false => OutboundError::Failed(error.to_string()),
            },
        )?;
        Ok(Answer {
            status,
            body: body.to_bytes(),
        })
    }

    /// Made at the first use: the system's certificates take a while to read.
    async fn tls(&self) -> Result<&Arc<ClientConfig>, OutboundError> {
        let make = || async {
            let authorities = self.authorities.clone();
            let read = move || roots(authorities.as_deref());
            let roots = tokio::task::spawn_blocking(read).await;
            let roots = roots.map_err(failed)?.map_err(OutboundError::Failed)?;
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(failed)?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Arc::new(config))
        };
        self.tls.get_or_try_init(make).await
    }
}

/// The certificates to believe: those in the file, or the system's.
///
/// # Errors
///
/// The file cannot be read, or there is no certificate in it.
pub fn roots(authorities: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates = match authorities {
        None => rustls_native_certs::load_native_certs().certs,
        Some(path) => {
            let pem =
                std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let all = rustls::pki_types::CertificateDer::pem_slice_iter(&pem);
            all.filter_map(Result::ok).collect()
        }
    };
    let (added, _) = roots.add_parsable_certificates(certificates);
    match (added, authorities) {
        (0, Some(path)) => Err(format!("{}: there is no certificate in it", path.display())),
        _ => Ok(roots),
    }
}

fn request(endpoint: &Endpoint, question: Question) -> Result<Request<Full<Bytes>>, OutboundError> {
    let authority = endpoint
        .0
        .authority()
        .map_or("", |authority| authority.as_str());
    let path = endpoint
        .0
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .uri(path)
        .header(header::HOST, authority)
        .header(header::ACCEPT, "application/json")
        .header(
            header::USER_AGENT,
            concat!("elbow/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close");
    if let Some(authorization) = question.authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    if question.form.is_some() {
        let form = "application/x-www-form-urlencoded";
        request = request
            .method(Method::POST)
            .header(header::CONTENT_TYPE, form);
    }
    let body = Full::new(Bytes::from(question.form.unwrap_or_default()));
    request.body(body).map_err(failed)
}

async fn send<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<Response<hyper::body::Incoming>, OutboundError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // Ends with the exchange: the body is read before the sender is gone, or not at all.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(failed)
}

fn failed(error: impl std::error::Error) -> OutboundError {
    OutboundError::Failed(in_full(&error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers one connection with these bytes, or with nothing.
    async fn answering(bytes: &'static str) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a?b", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(bytes.as_bytes()).await;
            if bytes.is_empty() {
                std::future::pending::<()>().await;
            }
        });
        Endpoint::parse(&url, true).unwrap()
    }

    async fn ask(endpoint: &Endpoint) -> Result<Answer, OutboundError> {
        let question = Question {
            limit: 10,
            ..Question::default()
        };
        Outbound::new(None).ask(endpoint, question).await
    }

    #[tokio::test]
    async fn an_answer_comes_with_its_status() {
        let endpoint = answering("HTTP/1.1 400 Bad\r\nContent-Length: 5\r\n\r\nhello").await;
        let answer = ask(&endpoint).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), &answer.body[..]),
            (400, &b"hello"[..])
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_none() {
        let endpoint = answering("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world").await;
        assert_eq!(
            ask(&endpoint).await.unwrap_err(),
            OutboundError::TooLarge(10)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_five_seconds() {
        let endpoint = answering("").await;
        let began = tokio::time::Instant::now();
        assert_eq!(ask(&endpoint).await.unwrap_err(), OutboundError::Timeout);
        assert_eq!(began.elapsed().as_secs(), 5);
    }

    #[test]
    fn an_endpoint_is_an_https_url() {
        for url in [
            "a",
            "/a",
            "ftp://a/",
            "http://a/",
            "https://u@a/",
            "https://a/#b",
        ] {
            assert!(Endpoint::parse(url, false).is_err(), "{url}");
        }
        let endpoint = Endpoint::parse("https://[::1]:8443/token", false).unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), ("::1", 8443));
        assert!(Endpoint::parse("http://a/", true).is_ok());
    }
}
