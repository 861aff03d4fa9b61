//! HTTP/2: connections of clients, and streams to both sides.
//!
//! `serve` takes a client's connection and gives each of its streams one of its `tasks`; there the request goes
//! the way of every other ([`Proxy::handle`](super::Proxy)). `targets` keeps the connections to
//! targets. [`Stream`] is both directions of a body. Frames, compression and flow control are the `h2` crate's.
//! `io` lets a `census` of clients' frames be taken before it sees them, and `flood` says how much of
//! each is borne.

mod census;
mod flood;
mod io;
mod serve;
mod stream;
mod targets;
mod tasks;

pub(super) use census::Stalls;
pub(super) use flood::FloodLog;
pub(super) use io::PREFACE;
pub(super) use stream::{Inbound, NoHead, Outbound, Stream};
pub(super) use targets::{SharedConnections, Wanted};
