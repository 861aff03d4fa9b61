//! HTTP/3: connections of clients over QUIC.
//!
//! `serve` takes a client's connection and gives each of its requests a task; there it goes the way of
//! every other. [`Stream`] is both directions of one. QUIC is `quinn`'s, frames and field compression
//! are the `h3` crate's. Targets are not asked in HTTP/3. WebSockets do not come over it (RFC 9220): the
//! crate refuses an extended CONNECT of a protocol that it does not know, and it does not know them.
//!
//! What becomes of early data (0-RTT), where a listener takes it, is `early`'s answer.

mod early;
mod serve;
mod stream;

pub use early::Handshake;
pub(super) use stream::{Inbound, Outbound, Stream};
