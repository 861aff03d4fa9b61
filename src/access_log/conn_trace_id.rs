//! The name of a client's connection, which stands in the connection log and in the access log.

const PREFIX: &[u8] = b"TID_";
const LENGTH: usize = PREFIX.len() + 32;

/// `TID_` and 32 hexadecimal digits (ALB: `conn_trace_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnTraceId(u128);

impl From<u128> for ConnTraceId {
    fn from(number: u128) -> Self {
        Self(number)
    }
}

impl ConnTraceId {
    /// As the logs have it. Put together before a line grows, once: it stands in every request's.
    pub(super) fn text(self) -> [u8; LENGTH] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; LENGTH];
        let (prefix, digits) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        text
    }
}
