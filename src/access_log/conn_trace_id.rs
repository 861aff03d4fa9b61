//! The name of a client's connection, which stands in the connection log and in the access log.

/// `TID_` and 32 hexadecimal digits (ALB: `conn_trace_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnTraceId(u128);

impl From<u128> for ConnTraceId {
    fn from(number: u128) -> Self {
        Self(number)
    }
}

impl ConnTraceId {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        out.extend_from_slice(b"TID_");
        let digit = |byte: u8| DIGITS[usize::from(byte)];
        for byte in self.0.to_be_bytes() {
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
}
