//! Certificates and what else TLS takes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A certificate of an HTTPS listener. Its files are read again when they change.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerCertificate {
    /// What logs and metrics call it (ALB: chosen_cert_arn). Default: the path of `certificate`.
    #[serde(default)]
    pub name: Option<String>,
    /// A PEM file: the site's own certificate first, then its chain.
    pub certificate: PathBuf,
    /// A PEM file with its private key, not encrypted: PKCS#8, PKCS#1 or SEC1. Default: it stands in
    /// the file of the certificate.
    #[serde(default)]
    pub private_key: Option<PathBuf>,
    /// A file with an OCSP response (DER), stapled to the certificate. Whoever fetches it puts it
    /// there. Default: none.
    #[serde(default)]
    pub ocsp_response: Option<PathBuf>,
}

/// What holds for all TLS.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Where the secrets of all TLS sessions are written, in the SSLKEYLOGFILE format that Wireshark
    /// reads. Whoever has the file can read everything: for debugging only. Default: nowhere.
    pub key_log: Option<PathBuf>,
}
