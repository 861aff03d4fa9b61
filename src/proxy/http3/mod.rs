//! HTTP/3: connections of clients over QUIC.
//!
//! `serve` takes a client's connection and gives each of its requests a task; there it goes the way of
//! every other. [`Stream`] is both directions of one. QUIC is `quinn`'s, frames and field compression
//! are the `h3` crate's. Targets are not asked in HTTP/3.
//!
//! Early data (0-RTT) is refused: the libraries do not tell which requests came in it, and whoever
//! has recorded such a request may play it again.

mod serve;
mod stream;

pub(super) use stream::{Inbound, Outbound, Stream};
