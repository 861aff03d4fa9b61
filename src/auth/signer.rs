//! Signs what targets are told about a user, so that they can tell it from what anyone could write: ES256, with keys that
//! follow from those of the cookies.
//!
//! So all nodes that share their cookie keys sign alike, a restart changes nothing, and the public key of each id can be
//! had from every node. Unlike RFC 7515 has it, ALB keeps the padding of base64, and so do we.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Map, Value, json};

use super::AuthError;
use crate::keyring::Keyring;

/// What the signing keys are derived for. Never changed.
const LABEL: &str = "x-amzn-oidc-data signing";

/// How long a signed text is good, in seconds: it is made for one request.
const GOOD: u64 = 120;

/// ECPrivateKey for P-256 without its public part (RFC 5915), around the 32 bytes of the key.
const BEFORE: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
const AFTER: [u8; 12] = [
    0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
];

/// SubjectPublicKeyInfo for P-256 (RFC 5480), before the 65 bytes of the point.
const PUBLIC: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Signs, and knows the public keys. Clones share what is kept.
#[derive(Clone)]
pub struct Signer {
    keyring: Keyring,
    kept: Arc<ArcSwapOption<SigningKey>>,
}

struct SigningKey {
    secret: [u8; 32],
    pair: EcdsaKeyPair,
    id: String,
}

impl SigningKey {
    fn new(secret: [u8; 32]) -> Option<Self> {
        let mut scalar = secret;
        // One in four thousand million secrets is no key: its hash is the next to try.
        for _ in 0..4 {
            let der = [&BEFORE[..], &scalar, &AFTER].concat();
            let made = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der);
            if let Ok(pair) = made {
                let id = id(pair.public_key().as_ref());
                return Some(Self { secret, pair, id });
            }
            let next = digest(&SHA256, &scalar);
            scalar.copy_from_slice(next.as_ref());
        }
        None
    }
}

/// In the form of a UUID, as ALB's are.
fn id(public: &[u8]) -> String {
    let hash = digest(&SHA256, public);
    let hex: String = hash.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

impl Signer {
    /// Signs with keys that follow from those of `keyring`.
    pub fn new(keyring: Keyring) -> Self {
        let kept = Arc::new(ArcSwapOption::empty());
        Self { keyring, kept }
    }

    fn current(&self, now: SystemTime) -> Result<Arc<SigningKey>, AuthError> {
        let secrets = self.keyring.derive(LABEL, now);
        let secret = *secrets.first().ok_or(AuthError::NoKey)?;
        if let Some(kept) = self.kept.load_full().filter(|kept| kept.secret == secret) {
            return Ok(kept);
        }
        let key = Arc::new(SigningKey::new(secret).ok_or(AuthError::NoKey)?);
        self.kept.store(Some(Arc::clone(&key)));
        Ok(key)
    }

    /// The claims of a user as a token that is good for two minutes; `signer` is the load balancer.
    pub(super) fn sign(
        &self,
        claims: &Map<String, Value>,
        (signer, issuer, client): (&str, &str, &str),
        now: SystemTime,
    ) -> Result<String, AuthError> {
        let key = self.current(now)?;
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let expires = since.as_secs() + GOOD;
        let header = json!({
            "typ": "JWT", "alg": "ES256", "kid": key.id, "signer": signer, "iss": issuer,
            "client": client, "exp": expires,
        });
        let mut payload = claims.clone();
        payload.insert("exp".to_owned(), expires.into());
        payload.insert("iss".to_owned(), issuer.into());
        let mut token = URL_SAFE.encode(header.to_string());
        token.push('.');
        token += &URL_SAFE.encode(Value::Object(payload).to_string());
        let signature = key.pair.sign(&SystemRandom::new(), token.as_bytes());
        let signature = signature.map_err(|_| AuthError::NoKey)?;
        token.push('.');
        token += &URL_SAFE.encode(signature.as_ref());
        Ok(token)
    }

    /// The public key of that id in PEM, if it is or was one of ours.
    pub fn public_key(&self, wanted: &str, now: SystemTime) -> Option<String> {
        let secrets = self.keyring.derive(LABEL, now).into_iter();
        let mut keys = secrets.filter_map(SigningKey::new);
        let key = keys.find(|key| key.id == wanted)?;
        let der = [&PUBLIC[..], key.pair.public_key().as_ref()].concat();
        let text = STANDARD.encode(der);
        let (first, second) = text.split_at(text.len().min(64));
        Some(format!(
            "-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n"
        ))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;
    use crate::auth::sample::keyring;

    #[test]
    fn a_target_can_tell_what_the_balancer_has_signed() {
        let signer = Signer::new(keyring());
        let now = SystemTime::now();
        let Value::Object(claims) = json!({ "sub": "u-1", "exp": 1 }) else {
            unreachable!("claims are an object")
        };
        let parties = ("shop", "https://idp.test", "me");
        let token = signer.sign(&claims, parties, now).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        assert!(parts.iter().all(|part| part.len() % 4 == 0), "{token}");
        let json = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE.decode(part).unwrap()).unwrap()
        };
        let (header, payload) = (json(parts[0]), json(parts[1]));
        assert_eq!(header["signer"], "shop");
        assert_eq!(header["client"], "me");
        assert_eq!(
            (&payload["sub"], &payload["iss"]),
            (&json!("u-1"), &header["iss"])
        );
        assert_eq!(payload["exp"], header["exp"]);
        let pem = signer
            .public_key(header["kid"].as_str().unwrap(), now)
            .unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let point = &STANDARD.decode(body).unwrap()[PUBLIC.len()..];
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let signed = token.rsplit_once('.').unwrap().0;
        let signature = URL_SAFE.decode(parts[2]).unwrap();
        key.verify(signed.as_bytes(), &signature).unwrap();
        assert!(key.verify(b"another", &signature).is_err());
    }

    #[test]
    fn nodes_with_the_same_cookie_keys_know_each_others_public_keys() {
        let ring = keyring();
        let (one, other) = (Signer::new(ring.clone()), Signer::new(ring));
        let now = SystemTime::now();
        let id = one.current(now).unwrap().id.clone();
        assert_eq!(id.len(), 36);
        assert_eq!(one.public_key(&id, now), other.public_key(&id, now));
        assert_eq!(one.public_key("another", now), None);
    }
}
