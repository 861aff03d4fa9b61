//! X-Amzn-Trace-Id (AWS: "Request tracing for your Application Load Balancer").

use std::time::{SystemTime, UNIX_EPOCH};

use smallvec::SmallVec;

/// A field longer than this is replaced.
const LONGEST: usize = 7 * 1024;

/// The value of X-Amzn-Trace-Id that the target sees and the access log shows.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) struct TraceId(SmallVec<[u8; 96]>);

impl TraceId {
    /// ALB's four cases: no Root, a Root; a Self is replaced; too long is begun anew.
    pub(in crate::proxy) fn new(sent: Option<&[u8]>, now: SystemTime, random: u128) -> Self {
        let mut value = SmallVec::new();
        let sent = sent.filter(|sent| sent.len() <= LONGEST);
        let has_root = sent.is_some_and(|sent| fields(sent).any(|field| is(field, b"root")));
        push_id(
            &mut value,
            if has_root { "Self" } else { "Root" },
            now,
            random,
        );
        for field in sent.into_iter().flat_map(fields) {
            if !is(field, b"self") {
                value.push(b';');
                value.extend_from_slice(field);
            }
        }
        Self(value)
    }

    /// The value as sent on.
    pub(in crate::proxy) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn fields(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b';')
        .map(<[u8]>::trim_ascii)
        .filter(|field| !field.is_empty())
}

fn is(field: &[u8], name: &[u8]) -> bool {
    let key = field.split(|byte| *byte == b'=').next().unwrap_or_default();
    key.eq_ignore_ascii_case(name)
}

/// `Root=1-{8 hex digits of epoch seconds}-{24 hex digits}`
fn push_id(value: &mut SmallVec<[u8; 96]>, name: &str, now: SystemTime, random: u128) {
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    value.extend_from_slice(name.as_bytes());
    value.extend_from_slice(b"=1-");
    push_hex::<8>(value, seconds.into());
    value.push(b'-');
    push_hex::<24>(value, random);
}

/// The last `DIGITS` hexadecimal digits of a number.
fn push_hex<const DIGITS: usize>(value: &mut SmallVec<[u8; 96]>, mut number: u128) {
    let mut digits = [0; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
    value.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::time::Duration;

    use super::*;

    const ID: &str = "1-58337262-00000000000000000000abcd";

    fn traced(sent: Option<&str>) -> String {
        let now = UNIX_EPOCH + Duration::from_secs(0x5833_7262);
        let id = TraceId::new(sent.map(str::as_bytes), now, 0xabcd);
        String::from_utf8(id.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn without_the_field_a_root_is_added() {
        assert_eq!(traced(None), format!("Root={ID}"));
    }

    #[test]
    fn a_root_is_kept_and_self_goes_in_front_of_it() {
        let sent = "Root=1-67891233-abcdef012345678912345678;CalledFrom=app";
        assert_eq!(traced(Some(sent)), format!("Self={ID};{sent}"));
    }

    #[test]
    fn a_self_is_replaced() {
        assert_eq!(
            traced(Some("Self=1-1-2;Root=1-3-4;CalledFrom=app")),
            format!("Self={ID};Root=1-3-4;CalledFrom=app")
        );
    }

    #[test]
    fn custom_fields_without_a_root_get_one() {
        assert_eq!(traced(Some("A=b")), format!("Root={ID};A=b"));
    }

    #[test]
    fn a_field_over_seven_kilobytes_is_begun_anew() {
        let long = format!("Root=1-3-4;A={}", "x".repeat(8000));
        assert_eq!(traced(Some(&long)), format!("Root={ID}"));
    }
}
