//! Mutual TLS: what a listener asks of its clients' certificates (AWS: "Mutual authentication with
//! TLS in Application Load Balancer").
//!
//! `passthrough` asks for a certificate and hands on whatever is shown, unverified but for the proof
//! that the client has its key. `verify` requires one that an authority of the trust store has
//! issued for clients, and that is neither expired nor revoked.
//!
//! rustls hands an error on, not what it is about; so each connection has a [`Witness`], which
//! remembers what was shown and why it was refused. Clients get the alert that fits.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::{
    EndEntityCert, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::client_certificate::ClientCertificate;
use super::client_fields::{ClientFields, client_fields};
use super::trust_store::TrustStore;
use super::trust_store_slot::TrustStoreSlot;

/// The most certificates that a client may show (ALB's quota).
const LONGEST_CHAIN: usize = 4;

/// What a listener asks of its clients.
#[derive(Clone, Debug)]
pub enum ClientAuthentication {
    /// A certificate, if they have one; it is not verified.
    Passthrough,
    /// A certificate that the trust store vouches for.
    Verify(Verify),
}

/// How certificates are verified.
#[derive(Clone, Debug)]
pub struct Verify {
    /// Whom to trust.
    pub trust_store: Arc<TrustStoreSlot>,
    /// Whether one that was good until it expired is good still.
    pub ignore_expiry: bool,
    /// Whether clients are told the names of the authorities.
    pub advertise_names: bool,
}

/// ALB's codes for what is wrong with a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More than four certificates.
    MaxChainDepthExceeded,
    /// Larger than TLS has room for.
    MaxSizeExceeded,
    /// A revocation list names it, or one of its issuers.
    CrlHit,
    /// A revocation list cannot be relied on.
    CrlProcessingError,
    /// No authority of the trust store has issued it.
    Untrusted,
    /// It is not valid yet.
    NotYetValid,
    /// It has expired.
    Expired,
    /// It is not of X.509 version 3, or of a kind that is not supported.
    TypeUnsupported,
    /// It is malformed, or breaks rules.
    Invalid,
    /// It was not issued for clients.
    PurposeInvalid,
}

impl Refusal {
    /// ALB's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxChainDepthExceeded => "ClientCertMaxChainDepthExceeded",
            Self::MaxSizeExceeded => "ClientCertMaxSizeExceeded",
            Self::CrlHit => "ClientCertCrlHit",
            Self::CrlProcessingError => "ClientCertCrlProcessingError",
            Self::Untrusted => "ClientCertUntrusted",
            Self::NotYetValid => "ClientCertNotYetValid",
            Self::Expired => "ClientCertExpired",
            Self::TypeUnsupported => "ClientCertTypeUnsupported",
            Self::Invalid => "ClientCertInvalid",
            Self::PurposeInvalid => "ClientCertPurposeInvalid",
        }
    }

    fn of(error: &webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::CertExpired { .. } => Self::Expired,
            E::CertNotValidYet { .. } => Self::NotYetValid,
            E::CertRevoked => Self::CrlHit,
            E::CrlExpired { .. }
            | E::InvalidCrlNumber
            | E::InvalidCrlSignatureForPublicKey
            | E::IssuerNotCrlSigner
            | E::UnknownRevocationStatus
            | E::UnsupportedCrlIssuingDistributionPoint
            | E::UnsupportedCrlVersion
            | E::UnsupportedCrlSignatureAlgorithmContext(_)
            | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
            | E::UnsupportedDeltaCrl
            | E::UnsupportedIndirectCrl
            | E::UnsupportedRevocationReason
            | E::UnsupportedRevocationReasonsPartitioning => Self::CrlProcessingError,
            E::UnknownIssuer | E::InvalidSignatureForPublicKey | E::CertDistrusted => {
                Self::Untrusted
            }
            E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => Self::PurposeInvalid,
            E::UnsupportedCertVersion
            | E::UnsupportedSignatureAlgorithmContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::TypeUnsupported,
            E::MaximumPathDepthExceeded | E::MaximumPathBuildCallsExceeded => {
                Self::MaxChainDepthExceeded
            }
            _ => Self::Invalid,
        }
    }

    /// What rustls, and through its alert the client, is told.
    fn error(self) -> Error {
        let error = match self {
            Self::CrlHit => CertificateError::Revoked,
            Self::CrlProcessingError => CertificateError::UnknownRevocationStatus,
            Self::Untrusted => CertificateError::UnknownIssuer,
            Self::NotYetValid => CertificateError::NotValidYet,
            Self::Expired => CertificateError::Expired,
            Self::PurposeInvalid => CertificateError::InvalidPurpose,
            Self::TypeUnsupported | Self::Invalid => CertificateError::BadEncoding,
            Self::MaxChainDepthExceeded | Self::MaxSizeExceeded => {
                CertificateError::ApplicationVerificationFailure
            }
        };
        error.into()
    }
}

impl ClientAuthentication {
    /// One for a connection. The trust store is the one of now.
    pub(super) fn witness(&self, provider: &Arc<CryptoProvider>) -> Arc<Witness> {
        Arc::new(Witness {
            verify: match self {
                Self::Passthrough => None,
                // The names are those of now; certificates meet the trust store of then.
                Self::Verify(verify) => Some((verify.clone(), verify.trust_store.current())),
            },
            provider: Arc::clone(provider),
            shown: OnceLock::new(),
        })
    }

    /// What targets are told of a client that showed this chain.
    pub fn fields(&self, chain: &[CertificateDer<'_>]) -> ClientFields {
        client_fields(self, chain)
    }

    /// Whether a client that comes again may resume its session. It would not be verified anew, and
    /// might have been revoked meanwhile.
    pub(super) fn permits_resumption(&self) -> bool {
        matches!(self, Self::Passthrough)
    }

    /// ALB's word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
            Self::Verify(_) => "verify",
        }
    }
}

/// Remembers what the client of one connection showed.
#[derive(Debug)]
pub struct Witness {
    verify: Option<(Verify, Arc<TrustStore>)>,
    provider: Arc<CryptoProvider>,
    shown: OnceLock<Shown>,
}

#[derive(Debug)]
struct Shown {
    certificate: CertificateDer<'static>,
    refusal: Option<Refusal>,
}

impl Witness {
    /// The certificate that the client showed, in words.
    pub fn certificate(&self) -> Option<ClientCertificate> {
        ClientCertificate::of(&self.shown.get()?.certificate)
    }

    /// Why it was refused.
    pub fn refusal(&self) -> Option<Refusal> {
        self.shown.get()?.refusal
    }

    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let Some((verify, _)) = &self.verify else {
            return Ok(());
        };
        let store = verify.trust_store.current();
        if 1 + others.len() > LONGEST_CHAIN {
            return Err(Refusal::MaxChainDepthExceeded);
        }
        let parsed = EndEntityCert::try_from(certificate).map_err(|error| Refusal::of(&error))?;
        let at = |time| self.verify_at(&store, &parsed, others, time);
        let mut judged = at(now);
        if verify.ignore_expiry {
            // As of the last second of one certificate after the other: whatever else is wrong with
            // them is so still.
            for _ in 0..=others.len() {
                let Err(webpki::Error::CertExpired { not_after, .. }) = judged else {
                    break;
                };
                judged = at(not_after);
            }
        }
        judged.map_err(|error| match error {
            // Looked at before the issuer: what signs itself, as strangers' certificates often do, is an
            // authority's, and is above all not trusted.
            webpki::Error::CaUsedAsEndEntity if !store.knows(parsed.issuer()) => Refusal::Untrusted,
            error => Refusal::of(&error),
        })
    }

    fn verify_at(
        &self,
        store: &TrustStore,
        certificate: &EndEntityCert<'_>,
        others: &[CertificateDer<'_>],
        time: UnixTime,
    ) -> Result<(), webpki::Error> {
        let lists: Vec<_> = store.revocation_lists.iter().collect();
        // None without a list. Whom no list speaks of is not revoked: lists are a choice.
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Allow)
                .build()
        });
        let algorithms = self.provider.signature_verification_algorithms.all;
        certificate
            .verify_for_usage(
                algorithms,
                &store.anchors,
                others,
                time,
                KeyUsage::client_auth(),
                revocation,
                None,
            )
            .map(drop)
    }
}

impl ClientCertVerifier for Witness {
    fn client_auth_mandatory(&self) -> bool {
        self.verify.is_some()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        match &self.verify {
            Some((verify, store)) if verify.advertise_names => &store.names,
            _ => &[],
        }
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let judged = self.judge(end_entity, intermediates, now);
        let _ = self.shown.set(Shown {
            certificate: end_entity.clone().into_owned(),
            refusal: judged.err(),
        });
        match judged {
            Ok(()) => Ok(ClientCertVerified::assertion()),
            Err(refusal) => Err(refusal.error()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use rcgen::ExtendedKeyUsagePurpose;
    use rustls::crypto::aws_lc_rs;

    use super::*;
    use crate::tls::mutual_sample::{Authority, CLIENT, Client};
    use crate::tls::trust_store_slot::TrustStoreFiles;

    /// A witness who trusts this bundle, and these lists.
    fn verifying(bundle: &str, lists: &[String], ignore_expiry: bool) -> Arc<Witness> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: String, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let lists = lists.iter().enumerate();
        let files = TrustStoreFiles {
            ca_certificates: write("ca.pem".to_owned(), bundle),
            revocation_lists: lists
                .map(|(index, list)| write(format!("{index}.crl"), list))
                .collect(),
            has_quotas: true,
        };
        let slot = TrustStoreSlot::load("store".into(), files).unwrap();
        let authentication = ClientAuthentication::Verify(Verify {
            trust_store: Arc::new(slot),
            ignore_expiry,
            advertise_names: true,
        });
        authentication.witness(&Arc::new(aws_lc_rs::default_provider()))
    }

    /// Why the chain is refused.
    fn refusal(witness: &Witness, chain: &[CertificateDer<'_>]) -> Option<&'static str> {
        let verified = witness.verify_client_cert(&chain[0], &chain[1..], UnixTime::now());
        assert_eq!(verified.is_ok(), witness.refusal().is_none());
        witness.refusal().map(Refusal::as_str)
    }

    fn judged(root: &Authority, client: &Client) -> Option<&'static str> {
        refusal(&verifying(&root.pem(), &[], false), &[root.issue(client)])
    }

    #[test]
    fn a_certificate_that_an_authority_has_issued_for_clients_is_let_in() {
        let root = Authority::root("root");
        assert_eq!(judged(&root, &CLIENT), None);
        let without_purpose = Client {
            purpose: None,
            ..CLIENT
        };
        assert_eq!(judged(&root, &without_purpose), None);
    }

    #[test]
    fn what_is_wrong_with_a_certificate_has_albs_code() {
        let root = Authority::root("root");
        for (client, code) in [
            (
                Client {
                    valid: (-3, -1),
                    ..CLIENT
                },
                "ClientCertExpired",
            ),
            (
                Client {
                    valid: (1, 3),
                    ..CLIENT
                },
                "ClientCertNotYetValid",
            ),
            (
                Client {
                    purpose: Some(ExtendedKeyUsagePurpose::ServerAuth),
                    ..CLIENT
                },
                "ClientCertPurposeInvalid",
            ),
        ] {
            assert_eq!(judged(&root, &client), Some(code));
        }
        let witness = || verifying(&root.pem(), &[], false);
        let stranger = Authority::root("stranger").issue(&CLIENT);
        assert_eq!(
            refusal(&witness(), &[stranger]),
            Some("ClientCertUntrusted")
        );
        // The same name, another key.
        let impostor = Authority::root("root").issue(&CLIENT);
        assert_eq!(
            refusal(&witness(), &[impostor]),
            Some("ClientCertUntrusted")
        );
        let of_itself = Authority::root("of itself").der();
        assert_eq!(
            refusal(&witness(), &[of_itself]),
            Some("ClientCertUntrusted")
        );
        let garbage = CertificateDer::from(b"garbage".to_vec());
        assert_eq!(refusal(&witness(), &[garbage]), Some("ClientCertInvalid"));
        let authority = root.der();
        assert_eq!(refusal(&witness(), &[authority]), Some("ClientCertInvalid"));
    }

    #[test]
    fn four_certificates_may_be_shown_and_no_more() {
        let root = Authority::root("root");
        let mut chain = vec![root.intermediate("1")];
        for name in ["2", "3", "4"] {
            chain.push(chain[chain.len() - 1].intermediate(name));
        }
        let shown = |depth: usize| {
            let leaf = chain[depth - 1].issue(&CLIENT);
            let issuers = chain[..depth].iter().rev().map(Authority::der);
            let shown: Vec<_> = std::iter::once(leaf).chain(issuers).collect();
            refusal(&verifying(&root.pem(), &[], false), &shown)
        };
        assert_eq!(shown(3), None);
        assert_eq!(shown(4), Some("ClientCertMaxChainDepthExceeded"));
        // An intermediate authority is an anchor as good as any.
        let leaf = chain[3].issue(&CLIENT);
        assert_eq!(
            refusal(&verifying(&chain[3].pem(), &[], false), &[leaf]),
            None
        );
    }

    #[test]
    fn what_a_list_revokes_is_refused_and_what_no_list_speaks_of_is_not() {
        let (root, other) = (Authority::root("root"), Authority::root("other"));
        let bundle = root.pem() + &other.pem();
        let lists = [root.revoke(&[7, CLIENT.serial])];
        let witness = || verifying(&bundle, &lists, false);
        let revoked = root.issue(&CLIENT);
        assert_eq!(refusal(&witness(), &[revoked]), Some("ClientCertCrlHit"));
        let kept = Client {
            serial: 8,
            ..CLIENT
        };
        assert_eq!(refusal(&witness(), &[root.issue(&kept)]), None);
        assert_eq!(refusal(&witness(), &[other.issue(&CLIENT)]), None);
        // Not the named authority's own list.
        let forged = [Authority::root("root").revoke(&[7])];
        let witness = verifying(&bundle, &forged, false);
        let code = refusal(&witness, &[root.issue(&kept)]);
        assert_eq!(code, Some("ClientCertCrlProcessingError"));
    }

    #[test]
    fn expiry_may_be_ignored_and_nothing_else_with_it() {
        let (root, stranger) = (Authority::root("root"), Authority::root("stranger"));
        let expired = Client {
            valid: (-3, -1),
            ..CLIENT
        };
        let witness = || verifying(&root.pem(), &[root.revoke(&[7])], true);
        assert_eq!(refusal(&witness(), &[root.issue(&expired)]), None);
        let code = refusal(&witness(), &[stranger.issue(&expired)]);
        assert_eq!(code, Some("ClientCertUntrusted"));
        let revoked = Client {
            serial: 7,
            ..expired
        };
        let code = refusal(&witness(), &[root.issue(&revoked)]);
        assert_eq!(code, Some("ClientCertCrlHit"));
    }

    #[test]
    fn a_witness_remembers_what_was_shown() {
        let root = Authority::root("root");
        let witness = verifying(&root.pem(), &[], false);
        assert_eq!(witness.certificate(), None);
        let stranger = Authority::root("stranger").issue(&CLIENT);
        refusal(&witness, &[stranger]);
        let seen = witness.certificate().unwrap();
        assert_eq!(seen.subject, "CN=client,O=Shop\\, Inc.,C=US");
        assert_eq!(seen.issuer, "CN=stranger");
        assert_eq!(seen.serial_number, "FEF25737");
        assert!(!witness.root_hint_subjects().is_empty());
    }

    #[test]
    fn passed_through_is_whatever_is_shown_and_nothing_need_be() {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let witness = ClientAuthentication::Passthrough.witness(&provider);
        assert!(!witness.client_auth_mandatory());
        let expired = Client {
            valid: (-3, -1),
            ..CLIENT
        };
        let stranger = Authority::root("stranger").issue(&expired);
        assert_eq!(refusal(&witness, &[stranger]), None);
    }
}
