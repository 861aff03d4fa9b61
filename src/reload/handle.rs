//! Asking for a reload, and what became of the last one.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::bequest::BequestOrder;
use super::{Bequest, Cause, ReloadError, Reloaded, Standing};
use crate::config::Inventory;

/// What became of a reload. The error is shared with [`ReloadHandle::last_refusal`].
pub(super) type Outcome = Result<Reloaded, Arc<ReloadError>>;

/// Asks the reloader, from anywhere. Clones ask the same one.
#[derive(Clone, Debug)]
pub struct ReloadHandle {
    standing: Arc<ArcSwap<Standing>>,
    orders: mpsc::Sender<Order>,
    bequests: mpsc::Sender<BequestOrder>,
    last_refusal: Arc<Mutex<Option<Refusal>>>,
}

/// The reloader's end of it.
#[derive(Debug)]
pub struct Queue {
    pub(super) standing: Arc<ArcSwap<Standing>>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) bequests: mpsc::Receiver<BequestOrder>,
    pub(super) last_refusal: Arc<Mutex<Option<Refusal>>>,
}

/// One request for a reload.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) cause: Cause,
    /// What is to be in force instead of what was made through the AWS API.
    pub(super) inventory: Option<Inventory>,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// A configuration that was refused after the one in force.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// When.
    pub at: SystemTime,
    /// Who had asked.
    pub cause: Cause,
    /// Why.
    pub error: Arc<ReloadError>,
}

impl ReloadHandle {
    /// A handle, and the queue for the [`Reloader`](super::Reloader) that will answer it.
    pub fn new() -> (Self, Queue) {
        // One runs and some wait: who asks more often than that may wait to be let in.
        let (sender, orders) = mpsc::channel(16);
        let (bequests, wanted) = mpsc::channel(1);
        let last_refusal = Arc::<Mutex<_>>::default();
        let standing = Arc::<ArcSwap<_>>::default();
        let handle = Self {
            standing: Arc::clone(&standing),
            orders: sender,
            bequests,
            last_refusal: Arc::clone(&last_refusal),
        };
        let queue = Queue {
            standing,
            orders,
            bequests: wanted,
            last_refusal,
        };
        (handle, queue)
    }

    /// Reads, checks and takes over the configuration as it is now; returns when that has happened
    /// or has been refused.
    ///
    /// # Errors
    ///
    /// Why it was refused. The configuration in force stays in force.
    pub async fn reload(&self, cause: Cause) -> Result<Reloaded, Arc<ReloadError>> {
        self.order(cause, None).await
    }

    /// Checks, keeps and takes over `inventory` instead of what was made through the AWS API before, beside the file
    /// that is in force; returns when that has happened or has been refused. Whoever changes what
    /// [`Self::standing`] says must be the only one.
    ///
    /// # Errors
    ///
    /// Why it was refused. The configuration in force stays in force.
    pub async fn change(&self, inventory: Inventory) -> Result<Reloaded, Arc<ReloadError>> {
        self.order(Cause::AwsApi, Some(inventory)).await
    }

    /// The configuration in force as a document.
    pub fn standing(&self) -> Arc<Standing> {
        self.standing.load_full()
    }

    async fn order(
        &self,
        cause: Cause,
        inventory: Option<Inventory>,
    ) -> Result<Reloaded, Arc<ReloadError>> {
        let gone = |()| Arc::new(ReloadError::ShuttingDown);
        let (answer, outcome) = oneshot::channel();
        let order = Order {
            cause,
            inventory,
            answer,
        };
        self.orders.send(order).await.map_err(|_| gone(()))?;
        outcome.await.map_err(|_| gone(()))?
    }

    /// All that another process is to go on with; nothing is reloaded until the other end of `pause` is
    /// dropped. None when the process is shutting down.
    pub async fn bequeath(&self, pause: oneshot::Receiver<()>) -> Option<io::Result<Bequest>> {
        let (answer, bequest) = oneshot::channel();
        let order = BequestOrder { answer, pause };
        self.bequests.send(order).await.ok()?;
        bequest.await.ok()
    }

    /// The last refusal, unless a configuration was taken over since.
    pub fn last_refusal(&self) -> Option<Refusal> {
        self.last_refusal.lock().clone()
    }
}
