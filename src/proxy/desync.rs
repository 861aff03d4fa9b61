//! What a mode of desync mitigation makes of a request (AWS: "Desync mitigation mode").
//!
//! | class | monitor | defensive | strictest |
//! | --- | --- | --- | --- |
//! | compliant | served | served | served |
//! | acceptable | served | served | refused |
//! | ambiguous | served | served, then both connections are closed | refused |
//! | severe | served if it can be | refused | refused |
//!
//! That is ALB's table. We are stricter in these points:
//!
//! * What goes to a target is in every mode the strict form of the request, never its own bytes:
//!   one framing, lines that end in CRLF, a target without spaces. What has no such form is
//!   refused in every mode (`http1::rewrite` lists it), so `monitor`, too, serves few severe
//!   requests.
//! * A target's connection ends after an ambiguous request in every mode. Others share it, and
//!   a target that takes a body of GET for the next request would answer them out of turn.
//! * A client's connection ends, in every mode, after a request whose head or body others may have
//!   seen end elsewhere: lines without CR, Transfer-Encoding with Content-Length or in HTTP/1.0
//!   (RFC 9112 section 6.1 demands it), HTTP/0.9, and ambiguous heads that had to be said anew.

use super::error::ProxyError;
use crate::config::DesyncMitigation;
use crate::http1::{Class, HeadError, Reason, RequestHead, Reuse};

/// Lets a request in, and settles which connections outlive it.
///
/// # Errors
///
/// The mode does not permit requests of its class.
pub(super) fn judge(mode: DesyncMitigation, head: &mut RequestHead) -> Result<(), ProxyError> {
    if head.reason() == Reason::Compliant {
        return Ok(());
    }
    match verdict(mode, head.reason(), head.objection()) {
        Some(reuse) => {
            head.set_reuse(reuse);
            Ok(())
        }
        None => {
            head.set_reuse(Reuse {
                client: false,
                target: false,
            });
            let error = head.objection().unwrap_or(HeadError::NonCompliant);
            Err(ProxyError::RequestHead(error))
        }
    }
}

/// Which connections outlive a request that is served; none if it is not.
fn verdict(mode: DesyncMitigation, reason: Reason, objection: Option<HeadError>) -> Option<Reuse> {
    use DesyncMitigation::{Defensive, Monitor, Strictest};
    match (mode, reason.class()) {
        (_, Class::Compliant) => {}
        (Strictest, _) | (Defensive, Class::Severe) => return None,
        (Monitor | Defensive, _) => {}
    }
    let ambiguous = reason.class() >= Class::Ambiguous;
    let ends_unclear = match objection {
        Some(HeadError::BareLf) => true,
        Some(_) => ambiguous,
        None => false,
    };
    Some(Reuse {
        client: !(ends_unclear || ambiguous && mode == Defensive),
        target: !ambiguous,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether client and target are kept, or nothing if the request is refused.
    fn kept(
        mode: DesyncMitigation,
        reason: Reason,
        objection: Option<HeadError>,
    ) -> Option<(bool, bool)> {
        verdict(mode, reason, objection).map(|reuse| (reuse.client, reuse.target))
    }

    #[test]
    fn each_mode_treats_each_class_as_alb_does() {
        use DesyncMitigation::{Defensive, Monitor, Strictest};
        let acceptable = Reason::GetHeadZeroContentLength;
        let ambiguous = Reason::DuplicateContentLength;
        let severe = Reason::BadHeader;
        for (reason, monitor, defensive, strictest) in [
            (
                Reason::Compliant,
                Some((true, true)),
                Some((true, true)),
                Some((true, true)),
            ),
            (acceptable, Some((true, true)), Some((true, true)), None),
            (ambiguous, Some((true, false)), Some((false, false)), None),
            (severe, Some((true, false)), None, None),
        ] {
            assert_eq!(kept(Monitor, reason, None), monitor, "{reason:?}");
            assert_eq!(kept(Defensive, reason, None), defensive, "{reason:?}");
            assert_eq!(kept(Strictest, reason, None), strictest, "{reason:?}");
        }
    }

    #[test]
    fn no_mode_keeps_a_connection_on_which_requests_may_end_elsewhere() {
        use DesyncMitigation::{Defensive, Monitor};
        for mode in [Monitor, Defensive] {
            for (reason, objection, reuse) in [
                (
                    Reason::BothTeClPresent,
                    HeadError::LengthAndEncoding,
                    (false, false),
                ),
                (Reason::MultilineHeader, HeadError::ObsFold, (false, false)),
                (
                    Reason::NonCrLfLineTermination,
                    HeadError::BareLf,
                    (false, true),
                ),
                (Reason::SpaceInUri, HeadError::Malformed, (true, true)),
                (
                    Reason::NonCompliantVersion,
                    HeadError::Version,
                    (true, true),
                ),
                (Reason::Compliant, HeadError::Target, (true, true)),
            ] {
                let kept = kept(mode, reason, Some(objection));
                assert_eq!(kept, Some(reuse), "{mode:?} {reason:?}");
            }
        }
    }
}
