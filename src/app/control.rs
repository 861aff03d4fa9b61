//! What the control thread does once all is started: wait for the end, and make it an orderly one.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::access_log::AccessLog;
use crate::admin::Readiness;
use crate::reload::{InForce, Rooms};
use crate::succession::Lineage;

use super::Ended;
use super::admin_side::AdminSide;
use super::running::Departure;

/// The access log may take this long, after the last connection has ended.
const WRITE_OUT: Duration = Duration::from_secs(5);

/// The end of the daemon that is inside it.
pub(super) struct Control {
    /// Answers when somebody asks for a shutdown; fails when the handle was simply dropped.
    pub(super) stopped: oneshot::Receiver<Departure>,
    pub(super) readiness: Readiness,
    pub(super) stop_reloading: CancellationToken,
    pub(super) reloading: JoinHandle<(Rooms, InForce)>,
    pub(super) access_log: AccessLog,
    pub(super) connection_log: AccessLog,
    pub(super) admin: AdminSide,
    pub(super) lineage: Lineage,
    pub(super) end: oneshot::Sender<Ended>,
}

impl Control {
    /// Waits for the end, then shuts down in order.
    pub(super) async fn run(self) {
        let departure = self.stopped.await;
        self.readiness.set(false);
        self.stop_reloading.cancel();
        let Ok((rooms, in_force)) = self.reloading.await else {
            return; // The reloader has panicked, and said so.
        };
        let cut = match departure {
            Ok(Departure::Succession) => {
                let deadline = in_force.upgrade_deadline;
                info!(
                    deadline_s = deadline.as_secs_f64(),
                    "leaving: connections end with their next answer"
                );
                self.admin.leave();
                // First the workers are told, then the new process.
                let retiring = rooms.server.retire(deadline);
                let (cut, ()) = tokio::join!(retiring, async { self.lineage.note_left() });
                cut
            }
            stopped => {
                let asked = stopped.is_ok();
                let deadline = match asked {
                    true => in_force.shutdown_deadline,
                    false => Duration::ZERO,
                };
                info!(
                    deadline_s = deadline.as_secs_f64(),
                    "shutting down: listeners are closed, requests in flight may finish"
                );
                rooms.server.shutdown(deadline).await
            }
        };
        drop((rooms.health, rooms.discovery));
        if cut > 0 {
            warn!(connections = cut, "cut at the deadline");
        }
        let until = Instant::now() + WRITE_OUT;
        let logs = [
            ("access log", &self.access_log),
            ("connection log", &self.connection_log),
        ];
        for (name, log) in logs {
            if !log.close(until) {
                warn!("the end of the {name} could not be written in time");
            }
        }
        self.admin.end().await;
        // Nobody may be waiting.
        let _ = self.end.send(Ended { cut });
    }
}
