//! What a cookie remembers: for some groups, which target it was and when.

use std::time::Duration;

/// How many groups every cookie has room for. A cookie is never shorter, so that its length tells
/// nobody how many groups there are; with four, one of ALB's is 150 characters long.
pub(super) const FEWEST: usize = 4;

/// The group's tag, the target's, and when the last response was.
const SLOT: usize = 8 + 8 + 4;

/// One group, and the target there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) group: u64,
    pub(super) target: u64,
    /// In seconds since 1970; an empty slot has 0.
    pub(super) at: u32,
}

impl Slot {
    pub(super) fn age(&self, now: u32) -> Duration {
        Duration::from_secs(u64::from(now.saturating_sub(self.at)))
    }
}

/// The slots of an opened text.
pub(super) fn read(plain: &[u8]) -> Vec<Slot> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let slots = plain.chunks_exact(SLOT).map(|slot| Slot {
        group: number(&slot[..8]),
        target: number(&slot[8..16]),
        at: number(&slot[16..]) as u32,
    });
    slots.filter(|slot| slot.at > 0).collect()
}

/// Of several texts the one with the newest slot for `group`.
pub(super) fn newest(texts: impl Iterator<Item = Vec<Slot>>, group: u64) -> Vec<Slot> {
    let at = |slots: &Vec<Slot>| {
        let own = slots.iter().find(|slot| slot.group == group);
        own.map_or(0, |slot| slot.at)
    };
    texts.max_by_key(at).unwrap_or_default()
}

/// The text to seal: `own`, then at most so many of the others that `most` are not exceeded, those of
/// last time first. Slots that are older than any stickiness lasts are left out.
pub(super) fn write(own: Slot, others: &[Slot], most: usize) -> Vec<u8> {
    let alive = others
        .iter()
        .filter(|slot| slot.age(own.at) < super::EXPIRES);
    let slots = std::iter::once(&own).chain(alive).take(most);
    let mut plain = Vec::with_capacity(FEWEST * SLOT);
    for slot in slots {
        plain.extend_from_slice(&slot.group.to_be_bytes());
        plain.extend_from_slice(&slot.target.to_be_bytes());
        plain.extend_from_slice(&slot.at.to_be_bytes());
    }
    plain.resize(plain.len().max(FEWEST * SLOT), 0);
    plain
}
