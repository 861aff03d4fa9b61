//! Accounts with authorities that make certificates by ACME.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An account with an authority that speaks ACME (RFC 8555), such as Let's Encrypt. Listeners name it:
/// `certificates = [{ acme = "le", names = ["www.example.com"] }]`. What it leads to is kept in the
/// state directory.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// What listeners call it.
    pub name: String,
    /// The authority: "production" or "staging", which are Let's Encrypt's, or the URL of another
    /// one's directory. Certificates from "staging" are for trying things out: no client trusts them.
    #[serde(default = "default::directory")]
    pub directory: String,
    /// true: you agree to the authority's terms of service, which its directory names. Without that no
    /// authority makes an account.
    pub agree_to_terms: bool,
    /// Where the authority may write to: "ops@example.com" or a URL such as
    /// "mailto:ops@example.com".
    #[serde(default)]
    pub contact: Vec<String>,
    /// How it is shown that names are yours: "tls-alpn-01" (asked on port 443) and "http-01" (asked on
    /// port 80). The first way at first, the next one when that has failed; without an HTTP listener
    /// "http-01" is left out.
    #[serde(default = "default::challenges")]
    pub challenges: Vec<AcmeChallenge>,
    /// The kind of key: "ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072" or "rsa-4096". Each
    /// certificate has a new one.
    #[serde(default)]
    pub key: AcmeKey,
    /// The kind of certificate, among those that the authority offers, such as Let's Encrypt's
    /// "shortlived". Default: the authority's choice.
    #[serde(default)]
    pub profile: Option<String>,
    /// The account elsewhere that this one is bound to, where the authority wants one.
    #[serde(default)]
    pub external_account: Option<ExternalAccount>,
    /// A PEM file: whom to trust as the issuer of the directory's own certificate, for an authority in
    /// an inner network. Default: whom the system trusts.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// An account elsewhere (RFC 8555, section 7.3.4).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalAccount {
    /// Its identifier, as the authority gave it out.
    pub key_id: String,
    /// A file with its HMAC key, in base64. Read when the account is made.
    pub key_file: PathBuf,
}

/// How it is shown that a name is the balancer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum AcmeChallenge {
    /// By a certificate in the handshake (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// By an answer to a request (RFC 8555, section 8.3).
    #[serde(rename = "http-01")]
    Http01,
}

/// The kind of key of a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum AcmeKey {
    /// ECDSA on P-256.
    #[default]
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// ECDSA on P-384.
    #[serde(rename = "ecdsa-p384")]
    EcdsaP384,
    /// RSA, 2048 bits.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSA, 3072 bits.
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    /// RSA, 4096 bits.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
}

mod default {
    use super::AcmeChallenge;

    pub(super) fn directory() -> String {
        "production".to_owned()
    }

    pub(super) fn challenges() -> Vec<AcmeChallenge> {
        vec![AcmeChallenge::TlsAlpn01, AcmeChallenge::Http01]
    }
}
