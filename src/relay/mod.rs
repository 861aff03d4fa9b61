//! One connection from its first byte to its last, forwarded whole.
//!
//! What a TCP or TLS listener does: [`Relay::serve`] chooses a group, `reach` finds a target that takes the
//! connection, `exchange` passes bytes both ways until both sides have finished, one breaks, nothing
//! moves any more, or the target or the listener is taken away. Dropping the `record` writes the access
//! log and the metrics. What is said on the connection is nobody's question here.
//!
//! # Choices
//!
//! * A connection that does not end in order is reset on both sides, never closed: nobody must take a
//!   stream that was cut for one that was complete.
//! * A client of a TLS listener that ends TLS is offered no application protocol (ALPN), for nobody
//!   here knows what the target speaks. Passed through, it asks the target itself.
//! * Targets of a group of protocol TLS are spoken to in TLS that begins here, whether the client's
//!   ended here or it spoke none; they, too, are offered no application protocol. A PROXY header comes
//!   before that TLS.
//! * A target that is deregistered keeps its connections for the deregistration delay, and so does a
//!   listener that is removed by a reload. A shutdown ends them at its deadline.
//! * A target that turns unhealthy loses its connections at once, unless the group says
//!   `on_unhealthy = "keep"`: NLB's default.

mod error;
mod exchange;
mod hello;
mod reach;
mod record;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::access_log::LogBuffer;
use crate::config::RelaySettings;
use crate::net::{Drain, Stream};
use crate::routing::{Fields, RequestView, Scheme};
use crate::snapshot::{Action, Entrance, Group};
use crate::tls::Facts;

use error::RelayError;
use exchange::exchange;
use hello::hear;
use reach::reach;
use record::ConnectionRecord;

/// What forwards the connections of one worker.
#[derive(Debug)]
pub struct Relay {
    log: LogBuffer,
}

/// The two ends of a client's connection.
#[derive(Clone, Debug)]
pub struct Ends {
    /// The client's address.
    pub client: SocketAddr,
    /// The node's.
    pub node: SocketAddr,
    /// Where the client connected to: the node, or a proxy before it that says so.
    pub destination: SocketAddr,
    /// What was negotiated with the client, if its TLS ends here.
    pub tls: Option<Facts>,
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
        drain: Drain,
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
    drain: &Drain,
    record: &mut ConnectionRecord<'r>,
) -> Result<(), RelayError> {
    let entrance = record.entrance;
    if settings.passthrough {
        let limit = entrance.load_balancer.attributes.tls_handshake_timeout;
        record.hello = hear(client, limit).await?;
    }
    let group = choose(record).ok_or(RelayError::NoGroup)?;
    record.group = Some(group);
    let mut target = reach(client, entrance, group, record).await?;
    record.reached(&target);
    let outcome = exchange(client, &mut target, group, settings, drain, record).await;
    target.ended(outcome.as_ref().err());
    outcome
}

/// The group that takes the connection. None only if the listener has an action that a checked
/// configuration does not give to it.
fn choose<'r>(record: &ConnectionRecord<'r>) -> Option<&'r Group> {
    let entrance = record.entrance;
    let name = record.hello.server_name.as_deref();
    let view = RequestView {
        method: "",
        scheme: Scheme::Https,
        host: name.unwrap_or_default(),
        port: record.ends.node.port(),
        path: "/",
        query: None,
        source: record.ends.client.ip(),
        fields: &NoFields,
    };
    match entrance.listener.rules.find(&view).action {
        Action::Forward(forward) => forward.choose().map(|group| &**group),
        Action::Redirect(_) | Action::FixedResponse(_) | Action::Authenticate(_) => None,
    }
}

/// A connection has no header fields that anybody could see.
struct NoFields;

impl Fields for NoFields {
    fn any(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}
