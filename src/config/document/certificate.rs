//! Certificates and what else TLS takes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A certificate of an HTTPS listener: from files, which are read again when they change, or from an
/// authority that speaks ACME.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerCertificate {
    /// What logs and metrics call it (ALB: chosen_cert_arn). Default: the path of
    /// `certificate`, or the first of the `names`.
    #[serde(default)]
    pub name: Option<String>,
    /// A PEM file: the site's own certificate first, then its chain.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// A PEM file with its private key, not encrypted: PKCS#8, PKCS#1 or SEC1. Default: it stands in
    /// the file of the certificate.
    #[serde(default)]
    pub private_key: Option<PathBuf>,
    /// A file with an OCSP response (DER), stapled to the certificate. Whoever fetches it puts it
    /// there. Default: none.
    #[serde(default)]
    pub ocsp_response: Option<PathBuf>,
    /// Instead of files: the account, by its name in `[[acme]]`, by which the certificate is ordered
    /// and renewed. Until it has come, clients are shown a placeholder that they do not trust.
    #[serde(default)]
    pub acme: Option<String>,
    /// What the certificate is ordered for: 1-100 DNS names, without wildcards.
    #[serde(default)]
    pub names: Vec<String>,
}

/// What holds for all TLS.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Where the secrets of all TLS sessions are written, in the SSLKEYLOGFILE format that Wireshark
    /// reads. Whoever has the file can read everything: for debugging only. Default: nowhere.
    pub key_log: Option<PathBuf>,
}

/// How the targets of an HTTPS or TLS group are believed, by requests, connections and probes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetTls {
    /// Whether a known authority must have issued a target's certificate, to its name. ALB does not ask
    /// for that: false does as ALB does.
    pub verify: bool,
    /// A PEM file with the certificates of the authorities that are believed. Default: the system's.
    pub ca: Option<PathBuf>,
    /// The name that targets are asked for (SNI) and that must be in their certificates. Default: each
    /// target's own name or address.
    pub server_name: Option<String>,
    /// SHA-256 of public keys in base64, as `openssl pkey -pubin -outform DER | openssl dgst -sha256
    /// -binary | base64` prints it: a target must have one of them. With `verify = false` that is all
    /// that is asked. Default: any key.
    pub pinned_keys: Vec<String>,
}

impl Default for TargetTls {
    fn default() -> Self {
        Self {
            verify: true,
            ca: None,
            server_name: None,
            pinned_keys: Vec::new(),
        }
    }
}
