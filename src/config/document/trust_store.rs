//! Mutual TLS: whom a listener asks for a certificate, and whose it trusts.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Certificate authorities that vouch for clients. Its files are read again when they change.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustStore {
    /// Its name: at most 32 letters, digits and hyphens, no hyphen at either end.
    #[schemars(length(min = 1, max = 32))]
    pub name: String,
    /// A PEM file with the authorities' certificates, root or intermediate, 1-25.
    pub ca_certificates: PathBuf,
    /// Files (PEM or DER) with certificate revocation lists, at most 30, with at most 500000 entries
    /// together. A certificate that no list speaks of is not revoked.
    #[serde(default)]
    pub revocation_lists: Vec<PathBuf>,
}

/// ALB: MutualAuthentication. What an HTTPS listener asks of its clients' certificates.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MutualAuthentication {
    /// "off"; "passthrough" hands on what a client shows, unverified, in X-Amzn-Mtls-Clientcert;
    /// "verify" requires a certificate that the trust store vouches for, and says in
    /// X-Amzn-Mtls-Clientcert-Subject, -Issuer, -Serial-Number, -Validity and -Leaf whose it is.
    pub mode: MutualAuthenticationMode,
    /// ALB: TrustStoreArn. The name of a trust store, for "verify".
    pub trust_store: Option<String>,
    /// ALB: IgnoreClientCertificateExpiry. Whether "verify" lets certificates in that were good until
    /// they expired.
    pub ignore_client_certificate_expiry: bool,
    /// ALB: AdvertiseTrustStoreCaNames. Whether clients are told the names of the authorities, so that
    /// they can choose among their certificates.
    pub advertise_trust_store_ca_names: bool,
}

/// What a listener asks of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MutualAuthenticationMode {
    /// Nothing.
    #[default]
    Off,
    /// A certificate if they have one, whichever.
    Passthrough,
    /// A certificate that the trust store vouches for.
    Verify,
}
