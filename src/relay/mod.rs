//! One connection from its first byte to its last, forwarded whole.
//!
//! What a TCP listener does: [`Relay::serve`] chooses a group, `reach` finds a target that takes the
//! connection, `exchange` passes bytes both ways until both sides have finished, one breaks, nothing
//! moves any more, or the target or the listener is taken away. Dropping the `record` writes the access
//! log and the metrics. What is said on the connection is nobody's question here.
//!
//! # Choices
//!
//! * A connection that does not end in order is reset on both sides, never closed: nobody must take a
//!   stream that was cut for one that was complete.
//! * A target that is deregistered keeps its connections for the deregistration delay, and so does a
//!   listener that is removed by a reload. A shutdown ends them at its deadline.
//! * A target that turns unhealthy loses its connections at once, unless the group says
//!   `on_unhealthy = "keep"`: NLB's default.

mod error;
mod exchange;
mod reach;
mod record;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::access_log::LogBuffer;
use crate::config::RelaySettings;
use crate::net::Stream;
use crate::snapshot::{Action, Entrance, Group};

use error::RelayError;
use exchange::exchange;
use reach::reach;
use record::ConnectionRecord;

/// What forwards the connections of one worker.
#[derive(Debug)]
pub struct Relay {
    log: LogBuffer,
}

/// The two ends of a client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The client's address.
    pub client: SocketAddr,
    /// The node's.
    pub node: SocketAddr,
    /// Where the client connected to: the node, or a proxy before it that says so.
    pub destination: SocketAddr,
}

impl Relay {
    /// For one worker: the log to write.
    pub fn new(log: LogBuffer) -> Self {
        Self { log }
    }

    /// Serves one connection to its end, by the snapshot that it was accepted under. `drain` says
    /// that the listener goes away.
    pub async fn serve(
        &self,
        mut client: Stream,
        ends: Ends,
        entrance: Arc<Entrance>,
        settings: RelaySettings,
        drain: CancellationToken,
    ) {
        let mut record = ConnectionRecord::open(&self.log, &entrance, ends);
        let outcome = forward(&mut client, &settings, &drain, &mut record).await;
        if outcome.is_err() {
            client.reset_when_dropped();
        }
        record.ended(outcome.as_ref().err());
    }
}

/// Finds a target and passes bytes both ways.
async fn forward<'r>(
    client: &mut Stream,
    settings: &RelaySettings,
    drain: &CancellationToken,
    record: &mut ConnectionRecord<'r>,
) -> Result<(), RelayError> {
    let entrance = record.entrance;
    let group = choose(entrance).ok_or(RelayError::NoGroup)?;
    record.group = Some(group);
    let mut target = reach(entrance, group, record).await?;
    record.reached(&target);
    let outcome = exchange(client, &mut target, group, settings, drain, record).await;
    target.ended(outcome.as_ref().err());
    outcome
}

/// The group that takes the next connection. None only if the listener has an action that a checked
/// configuration does not give to it.
fn choose(entrance: &Entrance) -> Option<&Group> {
    match entrance.listener.rules.default_action() {
        Action::Forward(forward) => forward.choose().map(|group| &**group),
        Action::Redirect(_) | Action::FixedResponse(_) => None,
    }
}
