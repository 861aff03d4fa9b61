//! What becomes of the connections of a listener, checked.

use std::time::Duration;

/// What becomes of the connections of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Requests are read from them, and each goes its own way.
    Http,
    /// Each is forwarded whole to one target.
    Relay(RelaySettings),
}

/// How a listener forwards connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelaySettings {
    /// A connection on which nothing moves for so long is reset.
    pub idle_timeout: Duration,
    /// Whether the group is chosen by the name that a TLS client asks for, and TLS passed on.
    pub passthrough: bool,
}
