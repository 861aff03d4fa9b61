//! Which key seals when, which ones still open, and when another one is due.

use super::LONGEST;
use super::key::{Key, Secret};

/// Keys in the order of the times from which they seal.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    pub(super) fn new(mut keys: Vec<Key>) -> Self {
        keys.sort_by_key(|key| key.from);
        Self(keys)
    }

    /// The keys that follow from a secret at `now`: those that may have sealed what still opens,
    /// and the next one, because the clocks of nodes differ.
    pub(super) fn derived(secret: &Secret, now: u64, period: u64) -> Self {
        let current = now / period;
        let first = current.saturating_sub(LONGEST.as_secs().div_ceil(period));
        let key = |number: u64| {
            let label = format!("period {number} of {period} seconds");
            Key::new(number * period, secret.derive(label.as_bytes()))
        };
        Self((first..=current + 1).map(key).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    pub(super) fn push(&mut self, key: Key) {
        self.0.push(key);
    }

    /// The newest key whose time has come; with a clock that was set back, the oldest.
    pub(super) fn sealing(&self, now: u64) -> Option<&Key> {
        let current = self.0.iter().rev().find(|key| key.from <= now);
        current.or_else(|| self.0.first())
    }

    pub(super) fn by_id(&self, id: &[u8]) -> Option<&Key> {
        self.0.iter().rev().find(|key| key.has_id(id))
    }

    /// From when a new key is to seal, if it is to be made at `now`: `lead` seconds ahead.
    pub(super) fn due(&self, now: u64, period: u64, lead: u64) -> Option<u64> {
        match self.0.last() {
            None => Some(now),
            Some(last) if now + lead >= last.from.saturating_add(period) => {
                Some((last.from + period).max(now + lead))
            }
            Some(_) => None,
        }
    }

    /// Drops the keys that were superseded so long ago that nothing they sealed is of use.
    pub(super) fn retire(&mut self, now: u64) {
        let is_of_use = |next: &Key| next.from.saturating_add(LONGEST.as_secs()) >= now;
        let old = self.0.windows(2).take_while(|pair| !is_of_use(&pair[1]));
        let old = old.count();
        self.0.drain(..old);
    }
}
