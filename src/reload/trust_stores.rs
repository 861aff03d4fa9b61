//! Reads the files of trust stores again when they change: a new revocation list holds for the next
//! handshake, without a reload. What cannot be used is said, and the store before stays in use.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::{Duration, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::tls::{TrustStoreLook, TrustStoreSlot};

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The trust stores in force. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct WatchedTrustStores(Arc<Mutex<Vec<Watched>>>);

#[derive(Debug)]
struct Watched {
    slot: Arc<TrustStoreSlot>,
    /// What the files looked like when they were read.
    read: TrustStoreLook,
    last: TrustStoreLook,
}

impl Watched {
    fn new(slot: &Arc<TrustStoreSlot>) -> Self {
        let look = slot.first_look().clone();
        Self {
            slot: Arc::clone(slot),
            read: look.clone(),
            last: look,
        }
    }

    fn is_of(&self, slot: &Arc<TrustStoreSlot>) -> bool {
        Arc::ptr_eq(&self.slot, slot)
    }

    /// Reads the files again if they have changed, and have then stayed the same for one more look.
    fn look(&mut self) {
        let seen = self.slot.files().look();
        let settled = self.last == seen;
        self.last = seen.clone();
        if !settled || self.read == seen {
            return;
        }
        self.read = seen;
        let name = self.slot.name();
        match self.slot.files().load() {
            Ok(store) => {
                let (lists, revoked) = store.revocations();
                info!(
                    trust_store = %name,
                    authorities = store.authorities(),
                    lists,
                    revoked,
                    "the files of a trust store have changed and are in use"
                );
                self.slot.fill(store);
            }
            Err(error) => warn!(
                trust_store = %name,
                %error,
                "the files of a trust store have changed and cannot be used; those before stay in use"
            ),
        }
    }
}

impl WatchedTrustStores {
    /// Looks after these from now on, and no others.
    pub(super) fn replace<'s>(&self, slots: impl Iterator<Item = &'s Arc<TrustStoreSlot>>) {
        let mut stores = self.0.lock();
        let known = std::mem::take(&mut *stores);
        let mut known: Vec<_> = known.into_iter().map(Some).collect();
        *stores = slots
            .map(|slot| {
                let mut known = known.iter_mut();
                let same = known.find(|known| known.as_ref().is_some_and(|it| it.is_of(slot)));
                let same = same.and_then(Option::take);
                same.unwrap_or_else(|| Watched::new(slot))
            })
            .collect();
    }

    /// Looks after them, for as long as the daemon lives.
    pub async fn tend(self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if self.0.lock().is_empty() {
                continue;
            }
            let stores = self.clone();
            // They may lie on a network.
            let looked = tokio::task::spawn_blocking(move || stores.look());
            if looked.await.is_err() {
                return;
            }
        }
    }

    /// One look at all. They are taken out meanwhile: a reload that replaces them must not wait.
    fn look(&self) {
        let mut taken = std::mem::take(&mut *self.0.lock());
        taken.iter_mut().for_each(Watched::look);
        let mut stores = self.0.lock();
        if stores.is_empty() {
            *stores = taken;
        }
    }
}
