//! X-Forwarded-For (AWS: "HTTP headers and Application Load Balancers").

use std::io::Write;

use super::push_field;
use crate::config::ForwardedFor;
use crate::http1::{FieldName, RequestHead};
use crate::proxy::ends::Ends;

const NAME: &[u8] = b"X-Forwarded-For";

/// A request with more addresses than this is answered with 463.
pub(in crate::proxy) const MOST_ADDRESSES: usize = 30;

/// How many addresses the X-Forwarded-For fields of a request name.
pub(in crate::proxy) fn address_count(head: &RequestHead) -> usize {
    head.values(FieldName::XForwardedFor)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .filter(|address| !address.trim_ascii().is_empty())
        .count()
}

/// Appends the field that the target sees, if any. Several fields of the client's become one; the
/// port belongs to the balancer's own part only, so it has no effect when nothing is appended.
pub(super) fn push_forwarded_for(
    out: &mut Vec<u8>,
    head: &RequestHead,
    mode: ForwardedFor,
    ends: &Ends,
    with_port: bool,
) {
    let mut values = head.values(FieldName::XForwardedFor);
    match mode {
        ForwardedFor::Remove => {}
        ForwardedFor::Preserve => {
            for value in values {
                push_field(out, NAME, value);
            }
        }
        ForwardedFor::Append => {
            out.extend_from_slice(NAME);
            out.extend_from_slice(b": ");
            for value in values.by_ref().filter(|value| !value.is_empty()) {
                out.extend_from_slice(value);
                out.extend_from_slice(b", ");
            }
            if with_port {
                // Writing to a vector cannot fail.
                let _ = write!(out, "{}", ends.client);
            } else {
                out.extend_from_slice(ends.client_ip.as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn pushed(sent: &str, mode: ForwardedFor, client: &str, with_port: bool) -> String {
        let head = format!("GET / HTTP/1.1\r\n{sent}\r\n");
        let head = RequestHead::parse(head.clone().into(), head.len()).unwrap();
        let mut out = Vec::new();
        let client = client.parse().unwrap();
        let ends = Ends::new(client, client);
        push_forwarded_for(&mut out, &head, mode, &ends, with_port);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_of_modes() {
        use ForwardedFor::{Append, Preserve, Remove};
        let sent = "X-Forwarded-For: 10.0.0.1\r\n";
        let two = "X-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\n";
        for (sent, mode, client, with_port, seen) in [
            (
                "",
                Append,
                "1.2.3.4:5",
                false,
                "X-Forwarded-For: 1.2.3.4\r\n",
            ),
            (
                sent,
                Append,
                "1.2.3.4:5",
                false,
                "X-Forwarded-For: 10.0.0.1, 1.2.3.4\r\n",
            ),
            (
                two,
                Append,
                "1.2.3.4:5",
                false,
                "X-Forwarded-For: 10.0.0.1, 10.0.0.2, 1.2.3.4\r\n",
            ),
            (
                "",
                Append,
                "1.2.3.4:5",
                true,
                "X-Forwarded-For: 1.2.3.4:5\r\n",
            ),
            (
                "",
                Append,
                "[fd00::1]:5",
                true,
                "X-Forwarded-For: [fd00::1]:5\r\n",
            ),
            (
                "",
                Append,
                "[fd00::1]:5",
                false,
                "X-Forwarded-For: fd00::1\r\n",
            ),
            (
                sent,
                Preserve,
                "1.2.3.4:5",
                true,
                "X-Forwarded-For: 10.0.0.1\r\n",
            ),
            ("", Preserve, "1.2.3.4:5", false, ""),
            (sent, Remove, "1.2.3.4:5", true, ""),
        ] {
            assert_eq!(pushed(sent, mode, client, with_port), seen);
        }
    }
}
