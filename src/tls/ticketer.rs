//! Seals the tickets of one listener (RFC 5077): a key that changes every six hours, and the one before,
//! which opens for as long again.
//!
//! Unlike the ready-made one of rustls, whose keys nobody can see, it can be passed on to the process
//! that takes over. A ticket is the id of its key (8 bytes), a random nonce (12), then the session
//! and the tag (16) of AES-256-GCM-SIV (RFC 8452), which bears random nonces in any number.

use std::fmt;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use parking_lot::Mutex;
use rustls::server::ProducesTickets;
use serde::{Deserialize, Serialize};

/// How long a key seals.
const SEALS: Duration = Duration::from_secs(6 * 3600);
const ID: usize = 8;
const TAG: usize = 16;
const BYTES: usize = ID + 32;

/// The keys of one listener.
#[derive(Debug)]
pub(super) struct Ticketer(Mutex<Keys>);

#[derive(Debug)]
struct Keys {
    current: Key,
    since: Instant,
    before: Option<Key>,
}

/// Keys on their way from one process to the next.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct KeysBequest {
    current: String,
    before: Option<String>,
    /// How long the current one has sealed.
    age: Duration,
}

impl fmt::Debug for KeysBequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeysBequest({:?} old)", self.age)
    }
}

struct Key {
    /// The id, then what the cipher is made of.
    bytes: [u8; BYTES],
    cipher: LessSafeKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x?})", &self.bytes[..ID])
    }
}

impl Key {
    fn random() -> Option<Self> {
        let mut bytes = [0; BYTES];
        rand::fill(&mut bytes).ok()?;
        Self::new(bytes)
    }

    fn new(bytes: [u8; BYTES]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, &bytes[ID..]).ok()?;
        let cipher = LessSafeKey::new(key);
        Some(Self { bytes, cipher })
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        Self::new(bytes.try_into().ok()?)
    }

    fn id(&self) -> &[u8] {
        &self.bytes[..ID]
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut ticket = Vec::with_capacity(ID + NONCE_LEN + plain.len() + TAG);
        ticket.extend_from_slice(self.id());
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let (id, sealed) = ticket.split_at_mut(ID + NONCE_LEN);
        let associated = Aad::from(&id[..ID]);
        let tag = self
            .cipher
            .seal_in_place_separate_tag(nonce, associated, sealed)
            .ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = ticket.split_at_checked(ID)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = self.cipher.open_in_place(nonce, Aad::from(id), &mut sealed);
        plain.ok().map(|plain| plain.to_vec())
    }
}

impl Ticketer {
    /// With a new key; `None` when the system has no random numbers.
    pub(super) fn new() -> Option<Self> {
        Some(Self(Mutex::new(Keys {
            current: Key::random()?,
            since: Instant::now(),
            before: None,
        })))
    }

    pub(super) fn bequeath(&self) -> KeysBequest {
        let keys = self.0.lock();
        let encode = |key: &Key| STANDARD_NO_PAD.encode(key.bytes);
        KeysBequest {
            current: encode(&keys.current),
            before: keys.before.as_ref().map(encode),
            age: keys.since.elapsed(),
        }
    }

    /// With the keys of another process; `None` when they are none.
    pub(super) fn inherit(bequest: &KeysBequest) -> Option<Self> {
        let now = Instant::now();
        Some(Self(Mutex::new(Keys {
            current: Key::decode(&bequest.current)?,
            since: now.checked_sub(bequest.age).unwrap_or(now),
            before: bequest.before.as_deref().and_then(Key::decode),
        })))
    }
}

impl Keys {
    /// Changes the keys when it is time.
    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age >= SEALS * 2 {
            self.before = None;
        }
        if age >= SEALS
            && let Some(next) = Key::random()
        {
            let last = std::mem::replace(&mut self.current, next);
            self.before = (age < SEALS * 2).then_some(last);
            self.since = now;
        }
    }
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        (SEALS * 2).as_secs().try_into().unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut keys = self.0.lock();
        keys.turn(Instant::now());
        keys.current.seal(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let mut keys = self.0.lock();
        keys.turn(Instant::now());
        let id = ticket.get(..ID)?;
        let mut known = [Some(&keys.current), keys.before.as_ref()]
            .into_iter()
            .flatten();
        known.find(|key| key.id() == id)?.open(ticket)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_for_one_change_of_keys_and_not_for_two() {
        let ticketer = Ticketer::new().unwrap();
        let ticket = ticketer.encrypt(b"session").unwrap();
        let start = Instant::now();
        ticketer.0.lock().turn(start + SEALS);
        assert_eq!(ticketer.decrypt(&ticket).unwrap(), b"session");
        assert_ne!(ticketer.encrypt(b"session").unwrap()[..ID], ticket[..ID]);
        ticketer.0.lock().turn(start + SEALS * 2);
        assert_eq!(ticketer.decrypt(&ticket), None);
    }

    #[test]
    fn keys_that_rested_too_long_open_nothing() {
        let ticketer = Ticketer::new().unwrap();
        let ticket = ticketer.encrypt(b"session").unwrap();
        ticketer.0.lock().turn(Instant::now() + SEALS * 2);
        assert_eq!(ticketer.decrypt(&ticket), None);
    }

    #[test]
    fn a_ticket_with_any_bit_changed_does_not_open() {
        let ticketer = Ticketer::new().unwrap();
        let ticket = ticketer.encrypt(b"session").unwrap();
        for place in 0..ticket.len() {
            let mut forged = ticket.clone();
            forged[place] ^= 1;
            assert_eq!(ticketer.decrypt(&forged), None, "byte {place}");
            assert_eq!(ticketer.decrypt(&ticket[..place]), None);
        }
    }

    #[test]
    fn the_next_process_opens_the_tickets_of_this_one() {
        let before = Ticketer::new().unwrap();
        let old = before.encrypt(b"old").unwrap();
        before.0.lock().turn(Instant::now() + SEALS);
        let new = before.encrypt(b"new").unwrap();
        let passed = serde_json::to_string(&before.bequeath()).unwrap();
        let after = Ticketer::inherit(&serde_json::from_str(&passed).unwrap()).unwrap();
        assert_eq!(after.decrypt(&old).unwrap(), b"old");
        assert_eq!(after.decrypt(&new).unwrap(), b"new");
    }
}
