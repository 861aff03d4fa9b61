//! The HTTPS probe: the HTTP probe within TLS.
//!
//! As ALB does it, the target's certificate is not verified: it may be self-signed, expired, or
//! made out to another name. The handshake itself must succeed, with TLS 1.2 or 1.3.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ProbeError;
use crate::target::Target;
use crate::target_group::{HealthCheck, ProtocolVersion};

/// Does the handshake on a fresh connection.
pub(super) async fn handshake(
    stream: TcpStream,
    target: &Target,
    check: &HealthCheck,
) -> Result<TlsStream<TcpStream>, ProbeError> {
    let name = server_name(target, check)?;
    let mut config = client_config().map_err(ProbeError::TlsClient)?;
    if check.version != ProtocolVersion::Http1 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(ProbeError::Tls)
}

/// The name that the handshake asks for (SNI): the probe's own host, or the target's. An IP address
/// is not sent, says RFC 6066 section 3, so a target known by its address is asked for no name.
fn server_name(target: &Target, check: &HealthCheck) -> Result<ServerName<'static>, ProbeError> {
    if let Some(host) = &check.host {
        let host = host.rsplit_once(':').map_or(&**host, |(host, _)| host);
        if let Ok(name) = ServerName::try_from(host) {
            return Ok(name.to_owned());
        }
    }
    ServerName::try_from(target.address.host()).map_err(|_| ProbeError::ServerName)
}

/// Made for each probe: no session may be resumed, for a probe finds out whether a target can still
/// do a whole handshake.
fn client_config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Accepts whatever a target shows. Nothing secret is sent to it: a probe asks, and believes only a
/// status.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::health::probe::Prober;
    use crate::health::sample::{self, Scripted};
    use crate::target::{HealthReason, Outcome, TargetAddress};
    use crate::target_group::ProbeProtocol;

    fn https(host: Option<&str>) -> HealthCheck {
        HealthCheck {
            protocol: ProbeProtocol::Https,
            host: host.map(str::to_owned),
            ..HealthCheck::default()
        }
    }

    #[tokio::test]
    async fn a_certificate_is_not_verified() {
        let site = Scripted::answering_over_tls("HTTP/1.1 200 OK\r\n\r\n").await;
        for host in [None, Some("shop.example:8443")] {
            let record = Prober::default().probe(&site.target(), &https(host)).await;
            assert_eq!(record.outcome, Outcome::Pass, "{}", record.detail);
        }
        let request = site.requests().concat();
        assert!(request.contains(&format!("Host: {}\r\n", site.address)));
        assert!(request.contains("Host: shop.example:8443\r\n"));
    }

    #[tokio::test]
    async fn a_target_that_speaks_no_tls_fails_the_check() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").await.unwrap();
            listener.accept().await
        });
        let target = sample::target(TargetAddress::Ip(address));
        let record = Prober::default().probe(&target, &https(None)).await;
        let reason = HealthReason::FailedHealthChecks;
        assert_eq!(record.outcome, Outcome::Fail(reason));
        let words = "TLS handshake failed: ";
        assert!(record.detail.starts_with(words), "{}", record.detail);
    }

    #[test]
    fn the_name_asked_for_is_the_probes_host_or_else_the_targets() {
        let name = |target: TargetAddress, host| {
            let name = server_name(&sample::target(target), &https(host)).unwrap();
            name.to_str().into_owned()
        };
        let by_name = TargetAddress::Name("wp.example".into(), 443);
        let by_address = TargetAddress::Ip(SocketAddr::from(([127, 0, 0, 1], 443)));
        assert_eq!(name(by_name.clone(), Some("shop.example")), "shop.example");
        assert_eq!(name(by_name, None), "wp.example");
        assert_eq!(name(by_address, None), "127.0.0.1");
    }
}
