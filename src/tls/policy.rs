//! AWS's security policies, and what of each can be honoured here.
//!
//! rustls has TLS 1.3 and 1.2, and in 1.2 only key exchanges with forward secrecy and ciphers with
//! authentication. A policy that has no more than that is served to the letter; of any other the part
//! that is safe is served, and [`Policy::missing`] says what is not: clients that need it are older
//! than 2014.
//!
//! The default is what ALB's console proposes, `ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09`; it is
//! among the exact ones. (AWS's command line, for the sake of old scripts, still means
//! `ELBSecurityPolicy-2016-08`.) As with ALB, the first cipher of the server's list that the client has
//! is taken. The hybrid groups of the PQ policies are X25519MLKEM768, preferred, and
//! SecP256r1MLKEM768; ALB also has SecP384r1MLKEM1024, which rustls does not.
//!
//! Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>

use std::fmt;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};

use super::cipher::{openssl_name, version_name};
use aws_lc_rs::{cipher_suite as suite, kx_group as group};

/// A security policy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Policy(&'static Entry);

/// There is no such policy here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// AWS has none of that name either.
    #[error("there is no security policy `{name}`")]
    Unknown {
        /// What was written.
        name: String,
        /// What may be meant.
        nearest: Option<&'static str>,
    },
    /// AWS has it, and it promises validated cryptography.
    #[error("`{0}` promises cryptography that is validated to a standard, which Elbow's is not")]
    Validated(String),
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    /// Without the prefix that all have.
    name: &'static str,
    versions: &'static [Version],
    ciphers: &'static [Ciphers],
    hybrid: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Tls13,
    Tls12,
    Tls11,
    Tls10,
}

/// The ciphers for TLS 1.2 and before, as the policies have them: in sets. (TLS 1.3 has its own three
/// wherever it is.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ciphers {
    /// ECDHE with AES-GCM.
    Gcm,
    /// ECDHE with AES-CBC and SHA-2.
    Cbc,
    /// ECDHE with AES-CBC and SHA-1.
    CbcSha1,
    /// RSA key exchange with AES and SHA-2.
    Rsa,
    /// RSA key exchange with AES-CBC and SHA-1.
    RsaSha1,
    /// RSA key exchange with triple DES.
    TripleDes,
}

impl Ciphers {
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Gcm => &[
                "ECDHE-ECDSA-AES128-GCM-SHA256",
                "ECDHE-RSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-AES256-GCM-SHA384",
                "ECDHE-RSA-AES256-GCM-SHA384",
            ],
            Self::Cbc => &[
                "ECDHE-ECDSA-AES128-SHA256",
                "ECDHE-RSA-AES128-SHA256",
                "ECDHE-ECDSA-AES256-SHA384",
                "ECDHE-RSA-AES256-SHA384",
            ],
            Self::CbcSha1 => &[
                "ECDHE-ECDSA-AES128-SHA",
                "ECDHE-RSA-AES128-SHA",
                "ECDHE-ECDSA-AES256-SHA",
                "ECDHE-RSA-AES256-SHA",
            ],
            Self::Rsa => &[
                "AES128-GCM-SHA256",
                "AES128-SHA256",
                "AES256-GCM-SHA384",
                "AES256-SHA256",
            ],
            Self::RsaSha1 => &["AES128-SHA", "AES256-SHA"],
            Self::TripleDes => &["DES-CBC3-SHA"],
        }
    }
}

const PREFIX: &str = "ELBSecurityPolicy-";
const DEFAULT: &str = "TLS13-1-2-Res-PQ-2025-09";

use Ciphers::{Cbc, CbcSha1, Gcm, Rsa, RsaSha1, TripleDes};
use Version::{Tls10, Tls11, Tls12, Tls13};

const ONLY_13: &[Version] = &[Tls13];
const FROM_12: &[Version] = &[Tls13, Tls12];
const FROM_11: &[Version] = &[Tls13, Tls12, Tls11];
const FROM_10: &[Version] = &[Tls13, Tls12, Tls11, Tls10];
const OLD_12: &[Version] = &[Tls12];
const OLD_11: &[Version] = &[Tls12, Tls11];
const OLD_10: &[Version] = &[Tls12, Tls11, Tls10];

const NONE: &[Ciphers] = &[];
const RESTRICTED: &[Ciphers] = &[Gcm];
const SHA2: &[Ciphers] = &[Gcm, Cbc];
const FORWARD: &[Ciphers] = &[Gcm, Cbc, CbcSha1];
const SHA2_RSA: &[Ciphers] = &[Gcm, Cbc, Rsa];
const ALL: &[Ciphers] = &[Gcm, Cbc, CbcSha1, Rsa, RsaSha1];
const ALL_3DES: &[Ciphers] = &[Gcm, Cbc, CbcSha1, Rsa, RsaSha1, TripleDes];

const fn entry(
    name: &'static str,
    versions: &'static [Version],
    ciphers: &'static [Ciphers],
) -> Entry {
    Entry {
        name,
        versions,
        ciphers,
        hybrid: false,
    }
}

const fn hybrid(
    name: &'static str,
    versions: &'static [Version],
    ciphers: &'static [Ciphers],
) -> Entry {
    Entry {
        hybrid: true,
        ..entry(name, versions, ciphers)
    }
}

static POLICIES: &[Entry] = &[
    hybrid("TLS13-1-3-PQ-2025-09", ONLY_13, NONE),
    hybrid("TLS13-1-2-Res-PQ-2025-09", FROM_12, RESTRICTED),
    hybrid("TLS13-1-2-PQ-2025-09", FROM_12, SHA2),
    hybrid("TLS13-1-2-Ext1-PQ-2025-09", FROM_12, SHA2_RSA),
    hybrid("TLS13-1-2-Ext2-PQ-2025-09", FROM_12, ALL),
    hybrid("TLS13-1-0-PQ-2025-09", FROM_10, ALL),
    entry("TLS13-1-3-2021-06", ONLY_13, NONE),
    entry("TLS13-1-2-Res-2021-06", FROM_12, RESTRICTED),
    entry("TLS13-1-2-2021-06", FROM_12, SHA2),
    entry("TLS13-1-2-Ext1-2021-06", FROM_12, SHA2_RSA),
    entry("TLS13-1-2-Ext2-2021-06", FROM_12, ALL),
    entry("TLS13-1-1-2021-06", FROM_11, ALL),
    entry("TLS13-1-0-2021-06", FROM_10, ALL),
    entry("FS-1-2-Res-2020-10", OLD_12, RESTRICTED),
    entry("FS-1-2-Res-2019-08", OLD_12, SHA2),
    entry("FS-1-2-2019-08", OLD_12, FORWARD),
    entry("FS-1-1-2019-08", OLD_11, FORWARD),
    entry("FS-2018-06", OLD_10, FORWARD),
    entry("TLS-1-2-Ext-2018-06", OLD_12, ALL),
    entry("TLS-1-2-2017-01", OLD_12, SHA2_RSA),
    entry("TLS-1-1-2017-01", OLD_11, ALL),
    entry("2016-08", OLD_10, ALL),
    entry("TLS-1-0-2015-04", OLD_10, ALL_3DES),
    entry("2015-05", OLD_10, ALL),
];

impl Policy {
    /// The policy that AWS calls so.
    ///
    /// # Errors
    ///
    /// It has none of that name, or one that cannot be honoured at all.
    pub fn named(name: &str) -> Result<Self, PolicyError> {
        let short = name.strip_prefix(PREFIX);
        let found = short.and_then(|short| POLICIES.iter().find(|entry| entry.name == short));
        if let Some(entry) = found {
            return Ok(Self(entry));
        }
        let validated = |short: &str| short.contains("FIPS") || short.contains("9151");
        if short.is_some_and(validated) {
            return Err(PolicyError::Validated(name.to_owned()));
        }
        Err(PolicyError::Unknown {
            name: name.to_owned(),
            nearest: nearest(short.unwrap_or(name)),
        })
    }

    /// Every policy that is honoured, wholly or in part.
    pub fn all() -> impl Iterator<Item = Self> {
        POLICIES.iter().map(Self)
    }

    /// OpenSSL's names of the versions that are served, the newest first.
    pub fn served_versions(&self) -> Vec<&'static str> {
        let versions = self.versions().into_iter();
        versions.map(|it| version_name(it.version)).collect()
    }

    /// OpenSSL's names of the ciphers that are served, in the order in which they are preferred.
    pub fn served_ciphers(&self) -> Vec<&'static str> {
        let suites = &self.provider().cipher_suites;
        suites.iter().map(|it| openssl_name(it.suite())).collect()
    }

    /// AWS's name of it.
    pub fn name(&self) -> String {
        format!("{PREFIX}{}", self.0.name)
    }

    /// What AWS serves under this name and Elbow does not: versions, then ciphers. Empty if nothing
    /// is missing.
    pub fn missing(&self) -> Vec<&'static str> {
        let versions = self.0.versions.iter().filter_map(|version| match version {
            Tls13 | Tls12 => None,
            Tls11 => Some("TLS 1.1"),
            Tls10 => Some("TLS 1.0"),
        });
        let ciphers = self.0.ciphers.iter().filter(|ciphers| **ciphers != Gcm);
        let ciphers = ciphers.flat_map(|ciphers| ciphers.names()).copied();
        versions.chain(ciphers).collect()
    }

    /// Whether it has TLS 1.3.
    pub fn has_tls13(&self) -> bool {
        self.0.versions.contains(&Tls13)
    }

    pub(super) fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let served = self.0.versions.iter().filter_map(|version| match version {
            Tls13 => Some(&version::TLS13),
            Tls12 => Some(&version::TLS12),
            Tls11 | Tls10 => None,
        });
        served.collect()
    }

    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        let mut cipher_suites: Vec<SupportedCipherSuite> = Vec::new();
        if self.has_tls13() {
            cipher_suites.extend([
                suite::TLS13_AES_128_GCM_SHA256,
                suite::TLS13_AES_256_GCM_SHA384,
                suite::TLS13_CHACHA20_POLY1305_SHA256,
            ]);
        }
        if self.0.ciphers.contains(&Gcm) {
            cipher_suites.extend([
                suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            ]);
        }
        let mut kx_groups: Vec<&'static dyn SupportedKxGroup> = Vec::new();
        if self.0.hybrid {
            kx_groups.extend([group::X25519MLKEM768, group::SECP256R1MLKEM768]);
        }
        kx_groups.extend([group::X25519, group::SECP256R1, group::SECP384R1]);
        Arc::new(CryptoProvider {
            cipher_suites,
            kx_groups,
            ..aws_lc_rs::default_provider()
        })
    }
}

impl Default for Policy {
    fn default() -> Self {
        let entry = POLICIES.iter().find(|entry| entry.name == DEFAULT);
        // A test sees to it that the first is not needed.
        Self(entry.unwrap_or(&POLICIES[0]))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Policy").field(&self.0.name).finish()
    }
}

fn nearest(short: &str) -> Option<&'static str> {
    let distance = |entry: &Entry| strsim::damerau_levenshtein(short, entry.name);
    let entry = POLICIES.iter().min_by_key(|entry| distance(entry))?;
    (distance(entry) <= entry.name.len() / 3).then_some(entry.name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_one_of_albs_console_and_exact() {
        let policy = Policy::default();
        assert_eq!(policy.name(), "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09");
        assert_eq!(policy.missing(), [""; 0]);
        let provider = policy.provider();
        assert_eq!(provider.cipher_suites.len(), 7);
        let first = provider.kx_groups.first().unwrap();
        assert_eq!(first.name(), rustls::NamedGroup::X25519MLKEM768);
    }

    #[test]
    fn exactly_these_are_served_to_the_letter() {
        let exact = POLICIES
            .iter()
            .map(Policy)
            .filter(|policy| policy.missing().is_empty());
        let exact: Vec<&str> = exact.map(|policy| policy.0.name).collect();
        assert_eq!(
            exact,
            [
                "TLS13-1-3-PQ-2025-09",
                "TLS13-1-2-Res-PQ-2025-09",
                "TLS13-1-3-2021-06",
                "TLS13-1-2-Res-2021-06",
                "FS-1-2-Res-2020-10",
            ]
        );
    }

    #[test]
    fn what_is_served_of_a_policy_has_openssls_names() {
        let policy = Policy::named("ELBSecurityPolicy-2016-08").unwrap();
        assert_eq!(policy.served_versions(), ["TLSv1.2"]);
        assert_eq!(policy.served_ciphers()[0], "ECDHE-ECDSA-AES128-GCM-SHA256");
        for policy in Policy::all() {
            assert!(!policy.served_ciphers().contains(&"-"), "{policy:?}");
            assert!(!policy.served_versions().contains(&"-"), "{policy:?}");
        }
    }

    #[test]
    fn what_is_missing_of_the_others_is_named() {
        let missing = |name: &str| Policy::named(name).unwrap().missing();
        assert_eq!(
            missing("ELBSecurityPolicy-TLS13-1-2-2021-06"),
            [
                "ECDHE-ECDSA-AES128-SHA256",
                "ECDHE-RSA-AES128-SHA256",
                "ECDHE-ECDSA-AES256-SHA384",
                "ECDHE-RSA-AES256-SHA384",
            ]
        );
        let oldest = missing("ELBSecurityPolicy-TLS-1-0-2015-04");
        assert_eq!(oldest[..2], ["TLS 1.1", "TLS 1.0"]);
        assert_eq!(oldest.last(), Some(&"DES-CBC3-SHA"));
    }

    #[test]
    fn no_policy_serves_a_version_that_it_does_not_name() {
        for entry in POLICIES {
            let served = Policy(entry).versions();
            assert!(!served.is_empty());
            let tls13 = served.contains(&&version::TLS13);
            assert_eq!(tls13, entry.versions.contains(&Tls13), "{}", entry.name);
            let tls12 = served.contains(&&version::TLS12);
            assert_eq!(tls12, entry.versions.contains(&Tls12), "{}", entry.name);
            let config = rustls::ServerConfig::builder_with_provider(Policy(entry).provider());
            assert!(
                config.with_protocol_versions(&served).is_ok(),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_refused_with_the_nearest() {
        let error = Policy::named("ELBSecurityPolicy-TLS13-1-2-Res-2021-05").unwrap_err();
        let PolicyError::Unknown { nearest, .. } = error else {
            unreachable!("{error}")
        };
        assert_eq!(nearest, Some("TLS13-1-2-Res-2021-06"));
        let fips = Policy::named("ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04");
        assert!(matches!(fips, Err(PolicyError::Validated(_))));
        assert!(Policy::named("TLS13-1-2-2021-06").is_err());
    }
}
