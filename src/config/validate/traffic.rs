//! What a rule of a security group or a network ACL is about: a protocol, and ports.

use super::report::Report;
use crate::config::document::RuleProtocol;
use crate::config::path::Path;
use crate::inbound::{Traffic, Transport};

/// Checks `port`, or `from_port` and `to_port`.
pub(super) fn validate(
    protocol: RuleProtocol,
    (port, from_port, to_port): (Option<u16>, Option<u16>, Option<u16>),
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Traffic> {
    let written = [
        ("port", port.is_some()),
        ("from_port", from_port.is_some()),
        ("to_port", to_port.is_some()),
    ];
    let written: Vec<&str> = written
        .into_iter()
        .filter_map(|(key, written)| written.then_some(key))
        .collect();
    let (from_port, to_port) = match (port, from_port, to_port) {
        (None, None, None) => (0, u16::MAX),
        _ if protocol == RuleProtocol::All => {
            let message = "`all` is all protocols on all ports";
            let help = "write protocol = \"tcp\", or leave the port out";
            report.refuse(path.key(written[0]), message, help);
            return None;
        }
        (Some(port), None, None) => (port, port),
        (None, Some(first), Some(last)) if first > last => {
            let message = format!("there is no port from {first} to {last}");
            report.refuse(path.key("to_port"), message, "write the lower one first");
            return None;
        }
        (None, Some(first), Some(last)) => (first, last),
        _ => {
            let message = format!("`{}` does not say which ports", written.join("` with `"));
            let help = "write `port` for one, or `from_port` and `to_port` for several";
            if report.is_untouched(path) {
                report.refuse(path.key(written[0]), message, help);
            }
            return None;
        }
    };
    Some(Traffic {
        transport: match protocol {
            RuleProtocol::Tcp => Some(Transport::Tcp),
            RuleProtocol::Udp => Some(Transport::Udp),
            RuleProtocol::All => None,
        },
        from_port,
        to_port,
    })
}
