//! What the configuration says: accounts with authorities, and the certificates wanted of them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use crate::local_ca::{KeyKind, Name};

/// An authority that speaks ACME, and the account there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// What the configuration calls it.
    pub name: Arc<str>,
    /// The URL of its directory (RFC 8555, section 7.1.1).
    pub directory: Arc<str>,
    /// PEM: whom to trust as the issuer of the directory's own certificate; none trusts whom the
    /// system trusts.
    pub ca: Option<PathBuf>,
    /// Where it may write to about the account: URLs, such as `mailto:ops@example.com`.
    pub contact: Vec<String>,
    /// The account elsewhere that the account belongs to, where the authority wants one.
    pub external_account: Option<ExternalAccount>,
    /// The kind of certificate, among those that the authority offers; none leaves it the choice.
    pub profile: Option<String>,
    /// How it is shown that a name is the balancer's: the first way at first, the next one when that
    /// has failed. At least one.
    pub challenges: Vec<ChallengeKind>,
    /// The kind of key that certificates are ordered for.
    pub key: KeyKind,
}

/// An account elsewhere (RFC 8555, section 7.3.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExternalAccount {
    /// Its identifier.
    pub key_id: String,
    /// The file with its key: base64, as authorities hand it out.
    pub key_file: PathBuf,
}

/// How it is shown that a name is the balancer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChallengeKind {
    /// A file that the authority fetches from port 80 (RFC 8555, section 8.3).
    Http01,
    /// A certificate that it is shown on port 443 (RFC 8737).
    TlsAlpn01,
}

impl ChallengeKind {
    /// Its name in the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Authority {
    /// The folder of what belongs to the account. Another directory or another external account is
    /// another folder: a certificate for tests must never be found where a trusted one is wanted.
    pub(super) fn folder(&self) -> String {
        let host = self.directory.split("://").last().unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default();
        let account = self.external_account.as_ref();
        let account = account.map_or("", |account| account.key_id.as_str());
        format!("{host}-{}", short_hash([&*self.directory, account]))
    }
}

/// A certificate that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Of whom.
    pub authority: Arc<Authority>,
    /// What logs and metrics call it.
    pub name: Arc<str>,
    /// What for: DNS names without wildcards. At least one.
    pub names: Vec<Name>,
    /// The authority's challenges, less those that no listener could answer. At least one.
    pub challenges: Vec<ChallengeKind>,
}

impl Wanted {
    /// What it is the same certificate by: the names in any order, the key's kind, the profile.
    pub(super) fn identity(&self) -> Identity {
        let mut parts: Vec<&str> = self.names.iter().map(Name::as_str).collect();
        parts.sort_unstable();
        let key = self.authority.key.to_string();
        parts.extend([&key, self.authority.profile.as_deref().unwrap_or_default()]);
        let stem = self.names.first().map(Name::file_stem).unwrap_or_default();
        Identity {
            folder: self.authority.folder(),
            stem: format!("{stem}-{}", short_hash(parts)),
        }
    }
}

/// Identifies a certificate over reloads and restarts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Identity {
    /// The folder of its account.
    pub(super) folder: String,
    /// What its files are called, without what follows the dot.
    pub(super) stem: String,
}

/// A number from 0 to 1 that belongs to a certificate: the same in every process that shares it, and
/// another one for the next.
pub(super) fn chance(stem: &str, serial: &str) -> f64 {
    let hash = digest(&SHA256, format!("{stem}\n{serial}").as_bytes());
    let number = hash
        .as_ref()
        .iter()
        .take(4)
        .fold(0, |number, byte| number << 8 | u32::from(*byte));
    f64::from(number) / f64::from(u32::MAX)
}

fn short_hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(part);
        text.push('\n');
    }
    let hash = digest(&SHA256, text.as_bytes());
    let bytes = hash.as_ref().iter().take(4);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
pub(super) mod tests {
    use super::*;

    pub(in crate::acme) fn authority(directory: &str) -> Authority {
        Authority {
            name: "le".into(),
            directory: directory.into(),
            ca: None,
            contact: Vec::new(),
            external_account: None,
            profile: None,
            challenges: vec![ChallengeKind::Http01],
            key: KeyKind::EcdsaP256,
        }
    }

    pub(in crate::acme) fn wanted(names: &[&str]) -> Wanted {
        Wanted {
            authority: Arc::new(authority("https://ca.test:14000/dir")),
            names: names.iter().map(|name| name.parse().unwrap()).collect(),
            challenges: vec![ChallengeKind::Http01],
            name: names[0].into(),
        }
    }

    #[test]
    fn another_directory_or_external_account_is_another_folder() {
        let one = authority("https://acme-v02.api.letsencrypt.org/directory");
        assert!(one.folder().starts_with("acme-v02.api.letsencrypt.org-"));
        let renamed = Authority {
            name: "letsencrypt".into(),
            contact: vec!["mailto:ops@example.com".to_owned()],
            ..one.clone()
        };
        assert_eq!(renamed.folder(), one.folder());
        let external = Authority {
            external_account: Some(ExternalAccount {
                key_id: "kid-1".to_owned(),
                key_file: "kid-1.key".into(),
            }),
            ..one.clone()
        };
        assert_ne!(external.folder(), one.folder());
        let path = authority("https://acme-v02.api.letsencrypt.org/other");
        assert_ne!(path.folder(), one.folder());
        assert!(authority("https://[::1]:14000/dir").folder().len() > 8);
    }

    #[test]
    fn a_certificate_is_the_same_by_its_names_its_key_and_its_profile() {
        let one = wanted(&["shop.test", "www.shop.test"]);
        assert!(one.identity().stem.starts_with("shop.test-"));
        let hash = |wanted: &Wanted| {
            wanted
                .identity()
                .stem
                .rsplit('-')
                .next()
                .unwrap()
                .to_owned()
        };
        let turned = wanted(&["www.shop.test", "shop.test"]);
        assert_eq!(hash(&turned), hash(&one));
        for other in [
            wanted(&["shop.test"]),
            Wanted {
                authority: Arc::new(Authority {
                    key: KeyKind::Rsa2048,
                    ..(*one.authority).clone()
                }),
                ..one.clone()
            },
            Wanted {
                authority: Arc::new(Authority {
                    profile: Some("shortlived".to_owned()),
                    ..(*one.authority).clone()
                }),
                ..one.clone()
            },
        ] {
            assert_ne!(other.identity(), one.identity());
        }
    }
}
