//! Notices that the files of trust stores have changed, and reads them again: a new revocation list holds
//! for the next handshake, without a reload. What cannot be used is said, and the store before stays in
//! use. It looks as [`super::watch`] does.

use std::sync::Arc;

use tracing::{info, warn};

use super::watch::{Watch, watch_all};
use crate::snapshot::Shared;
use crate::tls::{TrustStoreLook, TrustStoreSlot};

/// Watches the files of all trust stores in force. Never ends by itself.
pub async fn watch_trust_stores(shared: Arc<Shared>) {
    let in_force = |shared: &Shared| shared.load().trust_stores().cloned().collect();
    watch_all(&shared, in_force, look_at).await;
}

/// What has been seen of the files of each trust store.
type Watches = Vec<(Arc<TrustStoreSlot>, Watch<TrustStoreLook>)>;

fn look_at(slots: &[Arc<TrustStoreSlot>], watches: &mut Watches) {
    watches.retain(|(known, _)| slots.iter().any(|slot| Arc::ptr_eq(known, slot)));
    for slot in slots {
        if !watches.iter().any(|(known, _)| Arc::ptr_eq(known, slot)) {
            let watch = Watch::since(slot.first_look().clone());
            watches.push((Arc::clone(slot), watch));
        }
    }
    for (slot, watch) in watches {
        if watch.has_settled(slot.files().look()) {
            read(slot);
        }
    }
}

fn read(slot: &TrustStoreSlot) {
    let name = slot.name();
    match slot.files().load() {
        Ok(store) => {
            let (lists, revoked) = store.revocations();
            info!(
                trust_store = %name,
                authorities = store.authorities(),
                lists,
                revoked,
                "the files of a trust store have changed and are in use"
            );
            slot.fill(store);
        }
        Err(error) => warn!(
            trust_store = %name,
            %error,
            "the files of a trust store have changed and cannot be used; those before stay in use"
        ),
    }
}
