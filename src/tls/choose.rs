//! Which certificate a client is shown.
//!
//! As ALB does it: the name that the client asks for (SNI), and of several that fit the best that it
//! supports. A certificate made out to the very name goes before one with a wildcard. Who asks for no
//! name, or for one that no certificate has, is shown the default, the first of the configuration.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::server::ClientHello;
use rustls::{CipherSuite, SignatureScheme};
use smallvec::SmallVec;

use super::certificate::Certificate;
use super::cipher;
use super::names::parent;
use super::slot::Slot;

/// The longest name that DNS has.
const LONGEST: usize = 253;

/// The certificates of a listener, the default one first.
#[derive(Debug)]
pub struct Certificates {
    slots: Vec<Arc<Slot>>,
    index: ArcSwap<Index>,
}

/// A certificate and its place.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) name: Arc<str>,
    pub(super) certificate: Arc<Certificate>,
}

/// Best first.
type Candidates = SmallVec<[Chosen; 2]>;

#[derive(Debug, Default)]
struct Index {
    /// By host.
    exact: HashMap<Box<str>, Candidates>,
    /// By what follows the wildcard.
    wildcard: HashMap<Box<str>, Candidates>,
    default: Option<Chosen>,
}

/// What of a client's first message decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) host: Option<&'a str>,
    pub(super) signatures: &'a [SignatureScheme],
    pub(super) ciphers: &'a [CipherSuite],
    /// Whether the listener speaks TLS 1.3, where the cipher does not depend on the certificate.
    pub(super) tls13: bool,
}

impl<'a> Wish<'a> {
    pub(super) fn of(hello: &'a ClientHello<'_>, tls13: bool) -> Self {
        Self {
            host: hello.server_name(),
            signatures: hello.signature_schemes(),
            ciphers: hello.cipher_suites(),
            tls13,
        }
    }

    /// Whether the client can do with that certificate.
    fn fits(&self, certificate: &Certificate) -> bool {
        let signs = certificate.key().key.choose_scheme(self.signatures);
        let suite = |suite: &CipherSuite| {
            (self.tls13 && cipher::is_tls13(*suite))
                || cipher::signs_with(*suite, certificate.kind())
        };
        signs.is_some() && self.ciphers.iter().any(suite)
    }
}

impl Certificates {
    /// The certificates in these places; the first is the default.
    pub fn new(slots: Vec<Arc<Slot>>) -> Arc<Self> {
        let certificates = Arc::new(Self {
            slots,
            index: ArcSwap::default(),
        });
        for slot in &certificates.slots {
            slot.tell(&certificates);
        }
        // After that, or a change in between would be missed.
        certificates.index();
        certificates
    }

    /// Their places, the default one first.
    pub fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    /// Looks at the places anew.
    pub(super) fn index(&self) {
        let mut index = Index::default();
        for slot in &self.slots {
            let Some(certificate) = slot.certificate() else {
                continue;
            };
            let chosen = Chosen {
                name: Arc::clone(slot.name()),
                certificate,
            };
            index.default.get_or_insert_with(|| chosen.clone());
            for name in chosen.certificate.patterns() {
                let (map, key) = match name.wildcard() {
                    Some(parent) => (&mut index.wildcard, parent),
                    None => (&mut index.exact, name.as_str()),
                };
                map.entry(key.into()).or_default().push(chosen.clone());
            }
        }
        for candidates in index.exact.values_mut().chain(index.wildcard.values_mut()) {
            // Stable: of equals the first of the configuration stays first.
            candidates.sort_by_key(|chosen| std::cmp::Reverse(chosen.certificate.rank()));
        }
        self.index.store(Arc::new(index));
    }

    /// The certificate for a client; none only while no place has one.
    pub(super) fn choose(&self, wish: &Wish<'_>) -> Option<Chosen> {
        let index = self.index.load();
        let named = wish.host.and_then(|host| index.named(host, wish));
        named.or(index.default.as_ref()).cloned()
    }
}

impl Index {
    fn named(&self, host: &str, wish: &Wish<'_>) -> Option<&Chosen> {
        if host.len() > LONGEST {
            return None;
        }
        let mut lower = SmallVec::<[u8; LONGEST]>::from_slice(host.as_bytes());
        lower.make_ascii_lowercase();
        let host = str::from_utf8(&lower).ok()?;
        let exact = self.exact.get(host);
        let wildcard = parent(host).and_then(|parent| self.wildcard.get(parent));
        let groups = || [exact, wildcard].into_iter().flatten();
        let best = groups().find_map(|candidates| best(candidates, wish));
        // Shown all the same when the client can do with none: it will say what it misses.
        best.or_else(|| groups().flatten().next())
    }
}

/// The first that the client can do with; one that is out of date only if all of them are.
fn best<'c>(candidates: &'c Candidates, wish: &Wish<'_>) -> Option<&'c Chosen> {
    let fits = |chosen: &&Chosen| wish.fits(&chosen.certificate);
    let first = candidates.iter().find(fits)?;
    if candidates.len() == 1 {
        return Some(first);
    }
    let now = SystemTime::now();
    let mut fitting = candidates.iter().filter(fits);
    let valid = fitting.find(|chosen| chosen.certificate.is_valid_at(now));
    Some(valid.unwrap_or(first))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::tls::sample::{self, Made};

    const BOTH: &[SignatureScheme] = &[
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureScheme::ECDSA_NISTP384_SHA384,
    ];

    fn of(made: &[(&str, Made)]) -> Arc<Certificates> {
        let slot = |(name, made): &(&str, Made)| {
            let certificate =
                Certificate::from_pem(made.certificate.as_bytes(), made.key.as_bytes(), None);
            Arc::new(Slot::with(*name, None, certificate.unwrap()))
        };
        Certificates::new(made.iter().map(slot).collect())
    }

    fn wish(host: Option<&str>) -> Wish<'_> {
        Wish {
            host,
            signatures: BOTH,
            ciphers: &[CipherSuite::TLS13_AES_128_GCM_SHA256],
            tls13: true,
        }
    }

    fn shown(certificates: &Certificates, wish: &Wish<'_>) -> String {
        certificates.choose(wish).unwrap().name.to_string()
    }

    #[test]
    fn without_a_name_or_with_an_unknown_one_the_default_is_shown() {
        let certificates = of(&[
            ("default", sample::ecdsa(&["a.example"])),
            ("b", sample::ecdsa(&["b.example"])),
        ]);
        assert_eq!(shown(&certificates, &wish(None)), "default");
        assert_eq!(shown(&certificates, &wish(Some("z.example"))), "default");
        assert_eq!(shown(&certificates, &wish(Some("B.Example"))), "b");
    }

    #[test]
    fn the_very_name_goes_before_a_wildcard_which_covers_one_label() {
        let certificates = of(&[
            ("default", sample::ecdsa(&["default.example"])),
            ("wildcard", sample::ecdsa(&["*.shop.example"])),
            ("exact", sample::rsa(&["www.shop.example"])),
        ]);
        assert_eq!(
            shown(&certificates, &wish(Some("www.shop.example"))),
            "exact"
        );
        assert_eq!(
            shown(&certificates, &wish(Some("api.shop.example"))),
            "wildcard"
        );
        for other in ["shop.example", "a.b.shop.example"] {
            assert_eq!(shown(&certificates, &wish(Some(other))), "default");
        }
    }

    #[test]
    fn of_several_the_best_that_the_client_supports_is_shown() {
        let host = ["a.example"];
        let certificates = of(&[
            ("rsa", sample::rsa(&host)),
            ("p256", sample::ecdsa(&host)),
            ("p384", sample::ecdsa_384(&host)),
        ]);
        let wish = wish(Some("a.example"));
        assert_eq!(shown(&certificates, &wish), "p384");
        let without_384 = Wish {
            signatures: &BOTH[..2],
            ..wish
        };
        assert_eq!(shown(&certificates, &without_384), "p256");
        let rsa_only = Wish {
            signatures: &BOTH[..1],
            ..wish
        };
        assert_eq!(shown(&certificates, &rsa_only), "rsa");
        // TLS 1.2: the cipher says what the certificate must be.
        let rsa_cipher = Wish {
            ciphers: &[CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256],
            ..wish
        };
        assert_eq!(shown(&certificates, &rsa_cipher), "rsa");
        let old_listener = Wish {
            ciphers: &[
                CipherSuite::TLS13_AES_128_GCM_SHA256,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ],
            tls13: false,
            ..wish
        };
        assert_eq!(shown(&certificates, &old_listener), "rsa");
    }

    #[test]
    fn a_longer_validity_decides_last_and_what_has_expired_is_shown_only_alone() {
        let host = ["a.example"];
        let certificates = of(&[
            ("expired", sample::expired(&host)),
            ("short", sample::valid_for(&host, 30)),
            ("long", sample::valid_for(&host, 90)),
        ]);
        assert_eq!(shown(&certificates, &wish(Some("a.example"))), "long");
        let alone = of(&[("expired", sample::expired(&host))]);
        assert_eq!(shown(&alone, &wish(Some("a.example"))), "expired");
    }

    #[test]
    fn a_place_that_is_filled_later_is_shown_from_then_on() {
        let empty = Arc::new(Slot::new("ordered", None));
        let certificates = Certificates::new(vec![Arc::clone(&empty)]);
        assert!(certificates.choose(&wish(Some("a.example"))).is_none());
        let made = sample::ecdsa(&["a.example"]);
        let certificate =
            Certificate::from_pem(made.certificate.as_bytes(), made.key.as_bytes(), None).unwrap();
        empty.fill(certificate);
        assert_eq!(shown(&certificates, &wish(Some("a.example"))), "ordered");
    }
}
