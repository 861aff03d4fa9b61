//! One key: what it seals, it opens.

use std::fmt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use smallvec::SmallVec;

use super::{KeyringError, Purpose};

/// How many bytes name a key.
pub(super) const ID: usize = 4;

/// AES-256-GCM-SIV's.
const TAG: usize = 16;

/// A sealed text of more bytes than this is none of ours: cookies end at 16 KB, four of 4 KB.
const MOST: usize = 16 * 1024;

/// What a key is made from.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) [u8; 32]);

/// The bytes of a sealed text; on the stack for those that only name a target.
pub(super) type Bytes = SmallVec<[u8; 192]>;

/// A key with an id, from a time on, for each purpose.
#[derive(Clone)]
pub(super) struct Key {
    id: [u8; ID],
    /// From when it seals, in seconds since 1970.
    pub(super) from: u64,
    pub(super) secret: Secret,
    ciphers: std::sync::Arc<[Option<LessSafeKey>]>,
}

/// A length for HKDF.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Secret {
    pub(super) fn random() -> Result<Self, KeyringError> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| KeyringError::Randomness)?;
        Ok(Self(bytes))
    }

    /// The secret in a file; blanks at its ends do not count.
    pub(super) fn read(path: &Path) -> Result<Self, KeyringError> {
        let bytes = std::fs::read(path).map_err(|source| KeyringError::File {
            path: path.to_owned(),
            source,
        })?;
        let bytes = bytes.trim_ascii();
        if bytes.len() < 32 {
            return Err(KeyringError::Malformed {
                path: path.to_owned(),
                reason: format!(
                    "the secret has {} bytes; it needs at least 32 bytes, such as `openssl rand -hex 32` prints",
                    bytes.len()
                ),
            });
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let mut secret = [0; 32];
        secret.copy_from_slice(digest.as_ref());
        Ok(Self(secret))
    }

    /// As a file has it.
    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(super) fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Another secret, from this one and a label.
    pub(super) fn derive(&self, label: &[u8]) -> Self {
        let mut derived = [0; 32];
        expand(&self.0, label, &mut derived);
        Self(derived)
    }
}

/// RFC 5869's second step: the secrets are as random as keys already.
fn expand(secret: &[u8; 32], label: &[u8], out: &mut [u8]) {
    let prk = Prk::new_less_safe(HKDF_SHA256, secret);
    let labels = [b"elbow cookie keys: ".as_slice(), label];
    // Only an output of more than 255 hashes fails.
    if let Ok(okm) = prk.expand(&labels, Length(out.len())) {
        let _ = okm.fill(out);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x?} from {})", self.id, self.from)
    }
}

impl Key {
    pub(super) fn new(from: u64, secret: Secret) -> Self {
        let mut id = [0; ID];
        expand(&secret.0, b"id", &mut id);
        let cipher = |purpose: Purpose| {
            let Secret(bytes) = secret.derive(purpose.label().as_bytes());
            UnboundKey::new(&AES_256_GCM_SIV, &bytes)
                .map(LessSafeKey::new)
                .ok()
        };
        Self {
            id,
            from,
            ciphers: Purpose::ALL.into_iter().map(cipher).collect(),
            secret,
        }
    }

    pub(super) fn has_id(&self, id: &[u8]) -> bool {
        self.id == id
    }

    fn cipher(&self, purpose: Purpose) -> Option<&LessSafeKey> {
        self.ciphers[purpose as usize].as_ref()
    }

    pub(super) fn seal(
        &self,
        out: &mut Vec<u8>,
        purpose: Purpose,
        context: &[u8],
        plain: &[u8],
    ) -> bool {
        let mut nonce = [0; NONCE_LEN];
        if rand::fill(&mut nonce).is_err() {
            return false;
        }
        let mut bytes = Bytes::new();
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(plain);
        let Some(cipher) = self.cipher(purpose) else {
            return false;
        };
        let nonce = Nonce::assume_unique_for_key(nonce);
        let place = &mut bytes[ID + NONCE_LEN..];
        let Ok(tag) = cipher.seal_in_place_separate_tag(nonce, Aad::from(context), place) else {
            return false;
        };
        bytes.extend_from_slice(tag.as_ref());
        let start = out.len();
        out.resize(start + bytes.len() * 4 / 3 + 2, 0);
        let written = URL_SAFE_NO_PAD.encode_slice(&bytes, &mut out[start..]);
        out.truncate(start + written.unwrap_or(0));
        out.len() > start
    }

    pub(super) fn open(
        &self,
        purpose: Purpose,
        context: &[u8],
        mut bytes: Bytes,
    ) -> Option<Vec<u8>> {
        let nonce = bytes.get(ID..ID + NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let sealed = bytes.get_mut(ID + NONCE_LEN..)?;
        let cipher = self.cipher(purpose)?;
        let plain = cipher.open_in_place(nonce, Aad::from(context), sealed);
        plain.ok().map(|plain| plain.to_vec())
    }
}

/// The bytes that a sealed text stands for, if it has the form of one.
pub(super) fn decode(text: &[u8]) -> Option<Bytes> {
    if text.len() > MOST || text.len() < (ID + NONCE_LEN + TAG) * 4 / 3 {
        return None;
    }
    let mut bytes = Bytes::from_elem(0, text.len() * 3 / 4 + 3);
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}
