//! Why a connection was not forwarded, or did not end in order.

use std::io;

use crate::metrics::{CloseReason, ResetSide};
use crate::net::HandshakeError;
use crate::target_group::PickError;

/// Why a connection was not forwarded, or did not end in order.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    /// The listener names no group: not possible in a checked configuration.
    #[error("the listener forwards to no target group")]
    NoGroup,
    /// No target can take the connection.
    #[error("no target: {0}")]
    NoTarget(#[source] PickError),
    /// The target's name has not been resolved.
    #[error("the target's name is not resolved")]
    Unresolved,
    /// The target refused the connection or could not be reached.
    #[error("no connection to the target: {0}")]
    TargetConnect(#[source] io::Error),
    /// The TLS handshake with the target failed.
    #[error("no TLS session with the target: {0}")]
    TargetTls(#[source] HandshakeError),
    /// The connection to the target was not made in time.
    #[error("connecting to the target took too long")]
    TargetConnectTimeout,
    /// The client closed the connection before it had said which target group it wants, or before there
    /// was a target for it.
    #[error("the client closed the connection before it was forwarded")]
    ClientClosedEarly,
    /// The client's first message is none of TLS.
    #[error("the client does not speak TLS")]
    HelloInvalid,
    /// The client's first message did not come in time.
    #[error("the client's TLS handshake did not begin in time")]
    HelloTimeout,
    /// The client reset the connection.
    #[error("the client reset the connection")]
    ClientReset,
    /// The target reset the connection.
    #[error("the target reset the connection")]
    TargetReset,
    /// Nothing moved for the listener's idle timeout.
    #[error("nothing moved for the idle timeout")]
    IdleTimeout,
    /// The target turned unhealthy.
    #[error("the target turned unhealthy")]
    TargetUnhealthy,
    /// Other targets of the group have become active instead.
    #[error("another target has become active")]
    FailedOver,
    /// The deregistration delay of the target elapsed.
    #[error("the target's deregistration delay elapsed")]
    Deregistered,
    /// The listener was removed, and the deregistration delay has elapsed since.
    #[error("the listener was removed")]
    ListenerRemoved,
}

impl RelayError {
    /// A word for metrics and logs.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NoGroup => "ListenerRemoved",
            Self::NoTarget(error) => error.as_str(),
            Self::Unresolved => "TargetNameUnresolved",
            Self::TargetConnect(_) => "TargetConnectionError",
            Self::TargetTls(_) => "TargetTlsNegotiationError",
            Self::TargetConnectTimeout => "TargetConnectionTimeout",
            Self::ClientClosedEarly => "ClientClosedEarly",
            Self::HelloInvalid => "ClientHelloInvalid",
            Self::HelloTimeout => "ClientHelloTimeout",
            Self::ClientReset => "ClientReset",
            Self::TargetReset => "TargetReset",
            Self::IdleTimeout => "IdleTimeout",
            Self::TargetUnhealthy => "TargetTurnedUnhealthy",
            Self::FailedOver => "FailedOver",
            Self::Deregistered => "DeregistrationDelayElapsed",
            Self::ListenerRemoved => "ListenerRemoved",
        }
    }

    /// Who ended a connection that ended like this.
    pub(super) fn side(&self) -> ResetSide {
        match self {
            Self::ClientReset => ResetSide::Client,
            Self::TargetReset => ResetSide::Target,
            _ => ResetSide::Balancer,
        }
    }

    /// Why the connection to the target was closed.
    pub(super) fn close_reason(&self) -> CloseReason {
        match self {
            Self::ClientReset => CloseReason::ClientReset,
            Self::TargetReset => CloseReason::TargetReset,
            Self::IdleTimeout => CloseReason::IdleTimeout,
            _ => CloseReason::Cut,
        }
    }
}
