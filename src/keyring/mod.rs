//! The keys of cookies: what the balancer hands out sealed, and opens when it comes back.
//!
//! Look at [`Keyring::seal`] and [`Keyring::open`]. A sealed text is opaque, cannot be changed, and
//! opens only for the [`Purpose`] and the context that it was sealed for. Keys change on a
//! schedule, and one that has been superseded opens for [`LONGEST`] more: as long as the longest
//! cookie lives. Where keys come from is a [`Source`]: nowhere but memory, a file in the state
//! directory that nodes may share, or a secret from which every node derives the same ones.
//!
//! The form of a text: URL-safe base64 (RFC 4648) of the key's id (4 bytes), a random nonce (12),
//! the ciphertext and the tag (16) of AES-256-GCM-SIV (RFC 8452), which bears that a key seals more
//! texts than random nonces of plain GCM would be good for.

mod bequest;
mod file;
mod key;
mod schedule;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use thiserror::Error;

pub use bequest::KeyBequest;
use file::KeyFile;
use key::{Key, Secret};
use schedule::Keys;

/// How long a key opens what it sealed after another has superseded it: ALB's cookies live for 7
/// days at most.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The shortest time from one key to the next.
pub const SHORTEST_ROTATION: Duration = Duration::from_secs(3600);

/// How often nodes that share a file look whether another has added a key.
const LOOK: Duration = Duration::from_secs(60);

/// A new key of a file is announced so long before it seals, so that all nodes know it by then.
const LEAD: Duration = Duration::from_secs(600);

/// What is sealed. Each purpose has keys of its own, so that a text of one kind never opens as
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// Which target a client sticks to.
    Stickiness,
    /// Which target a session of the application sticks to.
    ApplicationStickiness,
    /// Which target group a client sticks to.
    GroupStickiness,
    /// An authenticated session.
    Session,
    /// What a login must bring back.
    Login,
}

impl Purpose {
    /// Every purpose, in the order of declaration.
    pub const ALL: [Self; 5] = [
        Self::Stickiness,
        Self::ApplicationStickiness,
        Self::GroupStickiness,
        Self::Session,
        Self::Login,
    ];

    /// What keys are derived for. Never changed: sealed texts outlive a version.
    const fn label(self) -> &'static str {
        match self {
            Self::Stickiness => "stickiness",
            Self::ApplicationStickiness => "application stickiness",
            Self::GroupStickiness => "group stickiness",
            Self::Session => "session",
            Self::Login => "login",
        }
    }
}

/// Where keys come from, and how often they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where from.
    pub source: Source,
    /// From one key to the next; at least [`SHORTEST_ROTATION`].
    pub rotation: Duration,
}

/// Where keys come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Chance; they end with the process.
    #[default]
    Memory,
    /// `cookie-keys.json` in this directory: kept there over restarts, and shared by all nodes that
    /// have the same one.
    Directory(PathBuf),
    /// A file with a secret of at least 32 bytes. All who have the same secret and the same
    /// rotation have the same keys.
    Secret(PathBuf),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            source: Source::default(),
            rotation: Duration::from_secs(24 * 3600),
        }
    }
}

/// The keys are not to be had.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// The system does not let a file be read or written.
    #[error("the cookie keys in {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("the cookie keys in {}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The system has no randomness.
    #[error("no randomness for a cookie key")]
    Randomness,
}

/// The keys in force. Clones share them.
#[derive(Clone, Debug)]
pub struct Keyring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: ArcSwap<Keys>,
    settings: Mutex<Settings>,
}

/// Keys that were read, and wait to be taken over.
#[derive(Debug)]
pub struct Prepared {
    settings: Settings,
    keys: Keys,
}

impl Keyring {
    /// Gets the keys that the settings speak of: reads, and if need be makes, a file. Blocks.
    ///
    /// # Errors
    ///
    /// Why they are not to be had.
    pub fn prepare(settings: Settings, now: SystemTime) -> Result<Prepared, KeyringError> {
        let keys = keys(&settings, &Keys::default(), now)?;
        Ok(Prepared { settings, keys })
    }

    /// A ring with these keys.
    pub fn new(prepared: Prepared) -> Self {
        Self(Arc::new(Inner {
            keys: ArcSwap::from_pointee(prepared.keys),
            settings: Mutex::new(prepared.settings),
        }))
    }

    /// Takes keys over in place of those in force, which open nothing any more.
    pub fn apply(&self, prepared: Prepared) {
        *self.0.settings.lock() = prepared.settings;
        self.0.keys.store(Arc::new(prepared.keys));
    }

    /// Appends the sealed text of `plain` to `out`; it opens with the same `context` only. Without
    /// randomness or keys nothing is appended, and the answer is false.
    #[must_use]
    pub fn seal(
        &self,
        out: &mut Vec<u8>,
        purpose: Purpose,
        context: &[u8],
        plain: &[u8],
        now: SystemTime,
    ) -> bool {
        let keys = self.0.keys.load();
        let key = keys.sealing(seconds(now));
        key.is_some_and(|key| key.seal(out, purpose, context, plain))
    }

    /// What was sealed; `None` for whatever was not sealed by one of the keys for this purpose and
    /// this context.
    pub fn open(&self, purpose: Purpose, context: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let bytes = key::decode(text)?;
        let keys = self.0.keys.load();
        let key = keys.by_id(bytes.get(..key::ID)?)?;
        key.open(purpose, context, bytes)
    }

    /// Secrets for a use that seals nothing, such as signing: all who have the same keys derive the
    /// same ones for a label. The first is that of the key that seals at `now`.
    pub fn derive(&self, label: &str, now: SystemTime) -> Vec<[u8; 32]> {
        let keys = self.0.keys.load();
        let sealing = keys.sealing(seconds(now));
        let others = keys
            .iter()
            .filter(|key| Some(key.from) != sealing.map(|key| key.from));
        let all = sealing.into_iter().chain(others);
        all.map(|key| key.secret.derive(label.as_bytes()).0)
            .collect()
    }

    /// The keys that another process is to go on with, if they are nowhere but in memory.
    pub fn bequeath(&self) -> Vec<KeyBequest> {
        match self.settings().source {
            Source::Memory => self.0.keys.load().iter().map(KeyBequest::of).collect(),
            Source::Directory(_) | Source::Secret(_) => Vec::new(),
        }
    }

    /// Goes on with the keys of another process. Those that the configuration names are used instead.
    pub fn inherit(&self, keys: &[KeyBequest]) {
        let keys: Vec<Key> = keys.iter().filter_map(KeyBequest::key).collect();
        if !keys.is_empty() {
            self.0.keys.store(Arc::new(Keys::new(keys)));
        }
    }

    /// Gets the keys that other settings speak of; those that are in memory are kept there. Blocks.
    ///
    /// # Errors
    ///
    /// Why they are not to be had.
    pub fn prepare_change(
        &self,
        settings: Settings,
        now: SystemTime,
    ) -> Result<Prepared, KeyringError> {
        let in_memory = self.settings().source == Source::Memory;
        let before = match in_memory {
            true => Keys::clone(&self.0.keys.load()),
            false => Keys::default(),
        };
        let keys = keys(&settings, &before, now)?;
        Ok(Prepared { settings, keys })
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.0.settings.lock().clone()
    }

    /// Adds a key when one is due, drops those that are too old, and learns of keys that other
    /// nodes have added. Blocks.
    ///
    /// # Errors
    ///
    /// Why not; the keys stay what they were.
    pub fn refresh(&self, now: SystemTime) -> Result<(), KeyringError> {
        let settings = self.settings();
        let fresh = keys(&settings, &self.0.keys.load(), now)?;
        // A reload may have brought other settings meanwhile, and their keys with them.
        let current = self.0.settings.lock();
        if *current == settings {
            self.0.keys.store(Arc::new(fresh));
        }
        Ok(())
    }

    /// Refreshes the keys every minute, for as long as the daemon lives.
    pub async fn tend(self) {
        let mut failing = false;
        loop {
            tokio::time::sleep(LOOK).await;
            let ring = self.clone();
            let refreshed =
                tokio::task::spawn_blocking(move || ring.refresh(SystemTime::now())).await;
            let Ok(refreshed) = refreshed else { return };
            match (&refreshed, failing) {
                (Err(error), false) => tracing::error!(%error, "cookie keys stay as they are"),
                (Ok(()), true) => tracing::info!("cookie keys can be read and written again"),
                _ => {}
            }
            failing = refreshed.is_err();
        }
    }
}

/// The keys that there are to be at `now`.
fn keys(settings: &Settings, before: &Keys, now: SystemTime) -> Result<Keys, KeyringError> {
    let (now, period) = (seconds(now), settings.rotation.as_secs().max(1));
    match &settings.source {
        Source::Memory => {
            let mut keys = before.clone();
            keys.retire(now);
            if let Some(from) = keys.due(now, period, 0) {
                keys.push(Key::new(from, Secret::random()?));
            }
            Ok(keys)
        }
        Source::Directory(directory) => {
            KeyFile::in_directory(directory).refresh(now, period, LEAD.as_secs().min(period / 4))
        }
        Source::Secret(path) => Ok(Keys::derived(&Secret::read(path)?, now, period)),
    }
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn start() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_123)
    }

    fn ring(source: Source, now: SystemTime) -> Keyring {
        let settings = Settings {
            source,
            rotation: DAY,
        };
        Keyring::new(Keyring::prepare(settings, now).unwrap())
    }

    fn sealed(ring: &Keyring, plain: &[u8], now: SystemTime) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(ring.seal(&mut out, Purpose::Stickiness, b"lb", plain, now));
        out
    }

    fn opened(ring: &Keyring, text: &[u8]) -> Option<Vec<u8>> {
        ring.open(Purpose::Stickiness, b"lb", text)
    }

    #[test]
    fn what_was_sealed_opens_and_says_nothing_to_others() {
        let ring = ring(Source::Memory, start());
        let text = sealed(&ring, b"wp-a:80", start());
        assert_eq!(opened(&ring, &text).unwrap(), b"wp-a:80");
        assert!(
            text.iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
        );
        assert_ne!(sealed(&ring, b"wp-a:80", start()), text);
    }

    #[test]
    fn a_secret_for_another_use_is_alike_for_all_who_have_the_keys() {
        let ring = ring(Source::Memory, start());
        let other = ring.clone();
        assert_eq!(ring.derive("a", start()), other.derive("a", start()));
        assert_ne!(ring.derive("a", start()), ring.derive("b", start()));
        let before = ring.derive("a", start());
        ring.refresh(start() + DAY).unwrap();
        let after = ring.derive("a", start() + DAY);
        assert_eq!((after.len(), after[1]), (2, before[0]));
    }

    #[test]
    fn a_text_with_any_bit_changed_does_not_open() {
        let ring = ring(Source::Memory, start());
        let text = sealed(&ring, b"wp-a:80", start());
        for place in 0..text.len() {
            for bit in 0..8 {
                let mut forged = text.clone();
                forged[place] ^= 1 << bit;
                assert_eq!(opened(&ring, &forged), None, "byte {place}, bit {bit}");
            }
        }
        for cut in 0..text.len() {
            assert_eq!(opened(&ring, &text[..cut]), None);
        }
    }

    #[test]
    fn a_text_opens_for_its_own_purpose_and_context_only() {
        let ring = ring(Source::Memory, start());
        let text = sealed(&ring, b"wp-a:80", start());
        for purpose in Purpose::ALL {
            let opens = ring.open(purpose, b"lb", &text).is_some();
            assert_eq!(opens, purpose == Purpose::Stickiness);
        }
        assert_eq!(ring.open(Purpose::Stickiness, b"other", &text), None);
        let stranger = self::ring(Source::Memory, start());
        assert_eq!(opened(&stranger, &text), None);
    }

    #[test]
    fn keys_change_every_day_and_old_ones_open_for_seven_days_more() {
        let ring = ring(Source::Memory, start());
        let text = sealed(&ring, b"old", start());
        for day in 1..=8 {
            ring.refresh(start() + DAY * day).unwrap();
            let now = sealed(&ring, b"new", start() + DAY * day);
            assert_ne!(now[..4], text[..4], "another key on day {day}");
            // Superseded at the end of day 1.
            assert_eq!(opened(&ring, &text).is_some(), day <= 8, "day {day}");
        }
        ring.refresh(start() + DAY * 8 + HOUR).unwrap();
        assert_eq!(opened(&ring, &text), None);
    }

    #[test]
    fn keys_in_a_state_directory_survive_a_restart_and_are_for_the_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let source = || Source::Directory(directory.path().join("state"));
        let before = ring(source(), start());
        let text = sealed(&before, b"wp-a:80", start());
        let after = ring(source(), start() + HOUR);
        assert_eq!(opened(&after, &text).unwrap(), b"wp-a:80");
        let file = directory.path().join("state/cookie-keys.json");
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn nodes_that_share_a_directory_know_a_new_key_before_it_seals() {
        let directory = tempfile::tempdir().unwrap();
        let source = || Source::Directory(directory.path().to_owned());
        let (one, other) = (ring(source(), start()), ring(source(), start()));
        let soon = start() + DAY - LEAD;
        one.refresh(soon).unwrap();
        let announced = fs::read_to_string(directory.path().join("cookie-keys.json")).unwrap();
        assert_eq!(announced.matches("secret").count(), 2);
        other.refresh(soon + LOOK).unwrap();
        let again = fs::read_to_string(directory.path().join("cookie-keys.json")).unwrap();
        assert_eq!(again, announced, "one new key, whoever looks first");
        let before = sealed(&one, b"x", start() + DAY - HOUR / 60);
        let after = sealed(&one, b"x", start() + DAY);
        assert_ne!(before[..4], after[..4]);
        assert!(opened(&other, &before).is_some() && opened(&other, &after).is_some());
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let source = || Source::Directory(directory.path().to_owned());
        ring(source(), start());
        let file = directory.path().join("cookie-keys.json");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let settings = Settings {
            source: source(),
            rotation: DAY,
        };
        let error = Keyring::prepare(settings, start()).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn whoever_has_the_same_secret_has_the_same_keys() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
        let source = || Source::Secret(file.clone());
        let (one, other) = (ring(source(), start()), ring(source(), start() + DAY * 5));
        let text = sealed(&one, b"wp-a:80", start());
        assert_eq!(opened(&other, &text).unwrap(), b"wp-a:80");
        // A clock that is ahead by less than a day.
        let ahead = sealed(&one, b"wp-a:80", start() + DAY);
        assert!(opened(&one, &ahead).is_some());
        other.refresh(start() + DAY * 9).unwrap();
        assert_eq!(opened(&other, &text), None);
        fs::write(&file, "fedcba9876543210fedcba9876543210").unwrap();
        assert_eq!(opened(&ring(source(), start()), &text), None);
    }

    #[test]
    fn a_short_secret_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        fs::write(&file, "too short\n").unwrap();
        let settings = Settings {
            source: Source::Secret(file),
            rotation: DAY,
        };
        let error = Keyring::prepare(settings, start()).unwrap_err().to_string();
        assert!(error.contains("at least 32 bytes"), "{error}");
    }

    #[test]
    fn the_next_process_opens_what_this_one_sealed_by_keys_in_memory() {
        let before = ring(Source::Memory, start());
        let text = sealed(&before, b"wp-a:80", start());
        let passed = serde_json::to_string(&before.bequeath()).unwrap();
        let after = ring(Source::Memory, start());
        after.inherit(&serde_json::from_str::<Vec<KeyBequest>>(&passed).unwrap());
        assert_eq!(opened(&after, &text).unwrap(), b"wp-a:80");
        let another = Settings {
            source: Source::Memory,
            rotation: DAY * 2,
        };
        after.apply(after.prepare_change(another, start()).unwrap());
        assert_eq!(opened(&after, &text).unwrap(), b"wp-a:80");
        let directory = tempfile::tempdir().unwrap();
        let kept = ring(Source::Directory(directory.path().to_owned()), start());
        assert!(kept.bequeath().is_empty());
    }

    #[test]
    fn keys_never_show_in_a_debug_text() {
        let directory = tempfile::tempdir().unwrap();
        let ring = ring(Source::Directory(directory.path().to_owned()), start());
        let file = fs::read_to_string(directory.path().join("cookie-keys.json")).unwrap();
        let stored: serde_json::Value = serde_json::from_str(&file).unwrap();
        let secret = stored["keys"][0]["secret"].as_str().unwrap().to_owned();
        assert!(!format!("{ring:?}").contains(&secret));
    }
}
