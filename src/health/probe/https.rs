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
use crate::target_group::HealthCheck;

/// Does the handshake on a fresh connection.
pub(super) async fn handshake(
    stream: TcpStream,
    target: &Target,
    check: &HealthCheck,
) -> Result<TlsStream<TcpStream>, ProbeError> {
    let name = server_name(target, check)?;
    let config = client_config().map_err(ProbeError::TlsClient)?;
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
