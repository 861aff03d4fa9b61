//! Whether a request that failed is sent once more, and where.

use super::error::ProxyError;
use crate::metrics::RetryReason;

/// How far a request had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// The target has seen none of it.
    Nothing,
    /// The target may have acted on it; it has not answered.
    Target,
    /// The client has seen the head of the response.
    Client,
}

/// What decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    pub(super) reached: Reached,
    /// The connection had served requests before.
    pub(super) reused: bool,
    /// Sending the request twice does what sending it once does.
    pub(super) idempotent: bool,
    /// The body, if any, can be sent from its start.
    pub(super) intact: bool,
    /// How many more targets may be tried.
    pub(super) left: u32,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The same target on a fresh connection: the pooled one was dead.
    Again,
    /// Another target.
    Elsewhere(RetryReason),
    /// Answer with the error.
    GiveUp,
}

/// A request that a target may have acted on is sent again only if that does no harm, and one whose
/// response the client has begun to see never.
pub(super) fn decide(error: &ProxyError, situation: Situation) -> Decision {
    let Situation {
        reached,
        reused,
        idempotent,
        intact,
        left,
    } = situation;
    let harmless = match reached {
        Reached::Nothing => true,
        Reached::Target if matches!(error, ProxyError::TargetRefused) => true,
        Reached::Target => idempotent,
        Reached::Client => false,
    };
    if !harmless || !intact {
        return Decision::GiveUp;
    }
    let reason = match error {
        ProxyError::TargetClosed | ProxyError::TargetRefused if reused => return Decision::Again,
        ProxyError::TargetClosed | ProxyError::TargetRefused => RetryReason::ConnectionLost,
        ProxyError::TargetConnect(_) | ProxyError::TargetTls(_) | ProxyError::Unresolved => {
            RetryReason::ConnectFailed
        }
        ProxyError::TargetConnectTimeout => RetryReason::ConnectTimeout,
        ProxyError::TargetUnhealthy | ProxyError::FailedOver => RetryReason::TargetUnhealthy,
        // A target that is merely slow would be slow elsewhere, too, and asking twice doubles the
        // load just then; the client gets its 504.
        _ => return Decision::GiveUp,
    };
    match left {
        0 => Decision::GiveUp,
        _ => Decision::Elsewhere(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::ConnectionRefused;

    use super::*;

    const GET: Situation = Situation {
        reached: Reached::Target,
        reused: false,
        idempotent: true,
        intact: true,
        left: 1,
    };
    const POST: Situation = Situation {
        idempotent: false,
        ..GET
    };

    fn refused() -> ProxyError {
        ProxyError::TargetConnect(ConnectionRefused.into())
    }

    #[test]
    fn a_dead_pooled_connection_is_replaced_and_costs_no_try() {
        let reused = Situation {
            reused: true,
            left: 0,
            ..GET
        };
        assert_eq!(decide(&ProxyError::TargetClosed, reused), Decision::Again);
    }

    #[test]
    fn a_post_that_may_have_been_acted_on_is_never_sent_twice() {
        for error in [
            ProxyError::TargetClosed,
            ProxyError::TargetUnhealthy,
            ProxyError::FailedOver,
            ProxyError::TargetTimeout,
        ] {
            for reused in [false, true] {
                let post = Situation { reused, ..POST };
                assert_eq!(decide(&error, post), Decision::GiveUp, "{error}");
            }
        }
    }

    #[test]
    fn a_post_that_the_target_has_not_begun_with_goes_elsewhere() {
        assert_eq!(
            decide(&ProxyError::TargetRefused, POST),
            Decision::Elsewhere(RetryReason::ConnectionLost)
        );
    }

    #[test]
    fn a_post_that_no_target_has_seen_goes_elsewhere() {
        let unsent = Situation {
            reached: Reached::Nothing,
            ..POST
        };
        assert_eq!(
            decide(&refused(), unsent),
            Decision::Elsewhere(RetryReason::ConnectFailed)
        );
    }

    #[test]
    fn a_body_whose_start_is_gone_is_not_sent_again() {
        let consumed = Situation {
            intact: false,
            reached: Reached::Nothing,
            ..GET
        };
        assert_eq!(decide(&refused(), consumed), Decision::GiveUp);
    }

    #[test]
    fn a_response_that_has_begun_is_not_begun_again() {
        let begun = Situation {
            reached: Reached::Client,
            ..GET
        };
        assert_eq!(decide(&ProxyError::TargetClosed, begun), Decision::GiveUp);
    }

    #[test]
    fn a_slow_target_is_not_answered_with_more_load() {
        assert_eq!(decide(&ProxyError::TargetTimeout, GET), Decision::GiveUp);
    }

    #[test]
    fn a_get_is_sent_elsewhere_as_often_as_permitted() {
        assert_eq!(
            decide(&ProxyError::TargetUnhealthy, GET),
            Decision::Elsewhere(RetryReason::TargetUnhealthy)
        );
        let spent = Situation { left: 0, ..GET };
        assert_eq!(
            decide(&ProxyError::TargetUnhealthy, spent),
            Decision::GiveUp
        );
    }
}
