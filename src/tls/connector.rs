//! TLS to targets: whom the balancer believes there, and what it asks for.
//!
//! The safe default is to believe only a certificate that a known authority has issued to the name of
//! the target. ALB validates nothing; who wants that says so. A pinned key is for targets that sign
//! their own certificates: it is believed whoever issued it.

use std::cmp::Ordering;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};

use super::authorities::{AuthoritiesError, authorities};

/// HTTP/2, as ALPN has it.
const H2: &str = "h2";

/// How many sessions are kept to be resumed, for all targets of a group.
const SESSIONS: usize = 256;

/// How the targets of a group are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorSettings {
    /// Whether an authority must have issued their certificates, to their names.
    pub verify: bool,
    /// PEM: the authorities that are believed; none means the system's.
    pub authorities: Option<PathBuf>,
    /// The name that is asked for and must be in the certificate; none means each target's own.
    pub server_name: Option<ServerName<'static>>,
    /// SHA-256 of public keys (SubjectPublicKeyInfo), of which a target must have one; none for any.
    pub pins: Vec<[u8; 32]>,
    /// The application protocol that is spoken and offered (ALPN); none where nobody knows.
    pub protocol: Option<&'static str>,
}

/// Why connections to targets cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// Nobody's certificates could be believed.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// rustls finds fault.
    #[error("the TLS client cannot be set up: {0}")]
    Client(String),
}

/// Makes TLS connections to the targets of one group. Two are equal only if they are the same one.
pub struct Connector {
    settings: ConnectorSettings,
    config: Arc<ClientConfig>,
    probing: Arc<ClientConfig>,
}

impl Connector {
    /// Reads the authorities, and makes it. Blocks.
    ///
    /// # Errors
    ///
    /// There are none, or they cannot be read.
    pub fn new(settings: ConnectorSettings) -> Result<Self, ConnectorError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let fault = |error: &dyn fmt::Display| ConnectorError::Client(error.to_string());
        let chain = match settings.verify {
            false => None,
            true => {
                let roots = Arc::new(authorities(settings.authorities.as_deref())?);
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
                Some(verifier.build().map_err(|error| fault(&error))?)
            }
        };
        let believed = Believed {
            chain,
            pins: settings.pins.clone(),
            provider,
        };
        let probing = whole_handshakes(believed, settings.protocol)?;
        let mut config = probing.clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Self {
            settings,
            config: Arc::new(config),
            probing: Arc::new(probing),
        })
    }

    /// What it was made of.
    pub fn settings(&self) -> &ConnectorSettings {
        &self.settings
    }

    /// What handshakes are done with.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// What the handshakes of probes are done with: they believe whom requests believe.
    pub fn probing(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.probing)
    }

    /// What the handshakes of probes are done with where requests do not go over TLS: they believe anything, and
    /// offer `protocol`.
    ///
    /// # Errors
    ///
    /// rustls finds fault.
    pub fn probing_anything(
        protocol: Option<&'static str>,
    ) -> Result<Arc<ClientConfig>, ConnectorError> {
        let anything = Believed {
            chain: None,
            pins: Vec::new(),
            provider: Arc::new(aws_lc_rs::default_provider()),
        };
        whole_handshakes(anything, protocol).map(Arc::new)
    }

    /// What a target does not speak that has agreed on `agreed`. HTTP/1.1 was spoken before there was an ALPN, so who
    /// agrees on nothing speaks that; HTTP/2 within TLS is agreed on, always (RFC 9113 section 3.2).
    pub fn missing(&self, agreed: Option<&[u8]>) -> Option<&'static str> {
        let wanted = self.settings.protocol.filter(|wanted| *wanted == H2)?;
        (agreed != Some(wanted.as_bytes())).then_some(wanted)
    }

    /// Whether a handshake failed because the target said that it does not speak what it was offered.
    pub fn refused(&self, error: &Error) -> Option<&'static str> {
        let refusal = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
        self.settings.protocol.filter(|_| *error == refusal)
    }

    /// The name that a target is asked for, whose host is `host`; none if that is no name or address.
    pub fn name(&self, host: &str) -> Option<ServerName<'static>> {
        match &self.settings.server_name {
            Some(name) => Some(name.clone()),
            None => ServerName::try_from(host.to_owned()).ok(),
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.settings).finish()
    }
}

/// What a connection to a target is made with: connections of different ones are never mixed.
#[derive(Clone, Debug)]
pub struct Secure {
    /// Makes it.
    pub connector: Arc<Connector>,
    /// Whom it asks for.
    pub name: ServerName<'static>,
}

impl Secure {
    fn key(&self) -> (usize, std::borrow::Cow<'_, str>) {
        (Arc::as_ptr(&self.connector).addr(), self.name.to_str())
    }
}

impl PartialEq for Secure {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Secure {}

impl PartialOrd for Secure {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Secure {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// No session is resumed: a probe finds out whether a target can still do a whole handshake.
fn whole_handshakes(
    believed: Believed,
    protocol: Option<&'static str>,
) -> Result<ClientConfig, ConnectorError> {
    let provider = Arc::clone(&believed.provider);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectorError::Client(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(believed))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = protocol.iter().map(|it| it.as_bytes().to_vec()).collect();
    Ok(config)
}

/// Whom the balancer believes.
#[derive(Debug)]
struct Believed {
    chain: Option<Arc<WebPkiServerVerifier>>,
    pins: Vec<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl Believed {
    /// Whether anything is believed, so that who has the key need not be known.
    fn is_anything(&self) -> bool {
        self.chain.is_none() && self.pins.is_empty()
    }
}

impl ServerCertVerifier for Believed {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(verifier) = &self.chain {
            verifier.verify_server_cert(own, chain, name, ocsp, now)?;
        }
        if !self.pins.is_empty() {
            let parsed = x509_parser::parse_x509_certificate(own);
            let (_, parsed) = parsed.map_err(|_| CertificateError::BadEncoding)?;
            let key = parsed.tbs_certificate.subject_pki.raw;
            let digest = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, key);
            if !self
                .pins
                .iter()
                .any(|pin| pin.as_slice() == digest.as_ref())
            {
                return Err(Error::General("its key is none of those pinned".to_owned()));
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.is_anything() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.is_anything() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
