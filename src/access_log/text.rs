//! Bytes of a line: numbers, addresses, times, escapes. No allocation, no `format!`.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_A_DAY: u64 = 24 * 60 * 60;
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends a number in decimal.
pub(super) fn number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends seconds with three decimals.
pub(super) fn seconds(out: &mut Vec<u8>, time: Duration) {
    number(out, time.as_secs());
    out.push(b'.');
    digits::<3>(out, time.subsec_millis());
}

/// Appends seconds with six decimals.
pub(super) fn microseconds(out: &mut Vec<u8>, time: Duration) {
    number(out, time.as_secs());
    out.push(b'.');
    digits::<6>(out, time.subsec_micros());
}

/// Appends an IP address; IPv6 without brackets.
pub(super) fn ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        // Addresses are most of a line's numbers: put together before the line grows, once.
        IpAddr::V4(address) => {
            let mut text = [b'.'; 15];
            let mut end = 0;
            for octet in address.octets() {
                let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| digit + b'0');
                let leading = usize::from(octet < 100) + usize::from(octet < 10);
                for digit in &digits[leading..] {
                    text[end] = *digit;
                    end += 1;
                }
                // The dot that stands there already.
                end += 1;
            }
            out.extend_from_slice(&text[..end - 1]);
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

/// Appends `address:port`; IPv6 in brackets.
pub(super) fn socket_address(out: &mut Vec<u8>, address: SocketAddr) {
    if address.is_ipv6() {
        out.push(b'[');
    }
    ip(out, address.ip());
    if address.is_ipv6() {
        out.push(b']');
    }
    out.push(b':');
    number(out, address.port());
}

/// Appends text as ALB's format has it within quotes: a quote, a backslash, and every byte that is
/// not printable ASCII become `\xHH`, so that a line stays one line and a field one field.
pub(super) fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    let special = |byte: u8| !(b' '..=b'~').contains(&byte) | (byte == b'"') | (byte == b'\\');
    // Nearly every text is clean. Without an early exit, and without a table, many bytes are looked at
    // in one instruction.
    if !text.iter().fold(false, |any, &byte| any | special(byte)) {
        out.extend_from_slice(text);
        return;
    }
    for &byte in text {
        if special(byte) {
            let high = HEX[usize::from(byte >> 4)];
            let low = HEX[usize::from(byte & 15)];
            out.extend_from_slice(&[b'\\', b'x', high, low]);
        } else {
            out.push(byte);
        }
    }
}

/// Appends text in the same form where it stands without quotes: its blanks, too, become `\xHH`.
pub(super) fn escaped_word(out: &mut Vec<u8>, text: &[u8]) {
    for (index, part) in text.split(|byte| *byte == b' ').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\\x20");
        }
        escaped(out, part);
    }
}

/// Appends text as it stands within the quotes of a JSON string. Bytes that are not UTF-8 are
/// taken as Latin-1, so that none is lost.
pub(super) fn json_escaped(out: &mut Vec<u8>, text: &[u8]) {
    const fn special(byte: u8) -> bool {
        byte < b' ' || byte == 0x7f || byte == b'"' || byte == b'\\'
    }
    let high = |byte: u8| byte > 0x7f;
    let any = |any: bool, &byte: &u8| any | special(byte) | (byte > 0x7f);
    if !text.iter().fold(false, any) {
        out.extend_from_slice(text);
        return;
    }
    let is_utf8 = std::str::from_utf8(text).is_ok();
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ if special(byte) || (high(byte) && !is_utf8) => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
            _ => out.push(byte),
        }
    }
}

/// Writes times as RFC 3339 in UTC with microseconds, and keeps the text of the last second.
#[derive(Debug, Default)]
pub(super) struct Clock {
    second: u64,
    text: Vec<u8>,
}

impl Clock {
    /// Appends `2018-07-02T22:23:00.186641Z`. A time before 1970 is written as 1970.
    pub(super) fn time(&mut self, out: &mut Vec<u8>, time: SystemTime) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.text.is_empty() || self.second != since.as_secs() {
            self.second = since.as_secs();
            self.text.clear();
            date(&mut self.text, self.second);
        }
        out.extend_from_slice(&self.text);
        out.push(b'.');
        digits::<6>(out, since.subsec_micros());
        out.push(b'Z');
    }
}

/// Appends `2018-07-02T22:23:00`. Days to a civil date after Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms": the year begins in March, so that the leap day is its last.
fn date(out: &mut Vec<u8>, seconds: u64) {
    let days = seconds / SECONDS_A_DAY + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) = match month_from_march {
        0..=9 => (month_from_march + 3, 0),
        _ => (month_from_march - 9, 1),
    };
    let year = era * 400 + year_of_era + next_year;
    let time = seconds % SECONDS_A_DAY;
    for (value, separator) in [(year / 100, None), (year % 100, Some(b'-'))] {
        pair(out, value, separator);
    }
    pair(out, month, Some(b'-'));
    pair(out, day, Some(b'T'));
    pair(out, time / 3_600, Some(b':'));
    pair(out, time / 60 % 60, Some(b':'));
    pair(out, time % 60, None);
}

fn pair(out: &mut Vec<u8>, value: u64, separator: Option<u8>) {
    digits::<2>(out, (value % 100) as u32);
    out.extend(separator);
}

/// Appends the last `N` decimal digits of `value`.
fn digits<const N: usize>(out: &mut Vec<u8>, mut value: u32) {
    let mut text = [b'0'; N];
    for digit in text.iter_mut().rev() {
        *digit += (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn times_agree_with_a_date_library_over_four_centuries() {
        let mut clock = Clock::default();
        for step in 0..4_000_u64 {
            let time = UNIX_EPOCH + Duration::new(step * 3_155_695, (step * 249_000) as u32);
            let expected = humantime::format_rfc3339_micros(time).to_string();
            assert_eq!(written(|out| clock.time(out, time)), expected);
        }
    }

    #[test]
    fn a_leap_day_is_a_day() {
        let time = UNIX_EPOCH + Duration::from_micros(1_709_210_096_000_007);
        let text = written(|out| Clock::default().time(out, time));
        assert_eq!(text, "2024-02-29T12:34:56.000007Z");
    }

    #[test]
    fn a_second_time_in_the_same_second_differs_in_its_microseconds_only() {
        let mut clock = Clock::default();
        let time = UNIX_EPOCH + Duration::from_micros(999_999);
        assert_eq!(
            written(|out| clock.time(out, UNIX_EPOCH)),
            "1970-01-01T00:00:00.000000Z"
        );
        assert_eq!(
            written(|out| clock.time(out, time)),
            "1970-01-01T00:00:00.999999Z"
        );
    }

    #[test]
    fn a_quote_a_backslash_and_control_bytes_are_escaped() {
        let text = written(|out| escaped(out, b"a \"b\" \\ \n\xe3~"));
        assert_eq!(text, r"a \x22b\x22 \x5C \x0A\xE3~");
    }

    #[test]
    fn any_bytes_are_a_json_string() {
        let all: Vec<u8> = (0..=255).collect();
        for text in [&all[..], "日本 \u{7f}\"\\\n".as_bytes(), b"plain"] {
            let json = written(|out| {
                out.push(b'"');
                json_escaped(out, text);
                out.push(b'"');
            });
            let parsed: String = serde_json::from_str(&json).unwrap();
            let expected = match std::str::from_utf8(text) {
                Ok(text) => text.to_owned(),
                Err(_) => text.iter().map(|&byte| char::from(byte)).collect(),
            };
            assert_eq!(parsed, expected);
        }
    }

    #[test]
    fn seconds_have_three_decimals_and_addresses_their_port() {
        assert_eq!(
            written(|out| seconds(out, Duration::from_micros(12_034_999))),
            "12.034"
        );
        for address in ["10.0.0.1:80", "[2001:db8::7]:65535"] {
            let parsed = address.parse().unwrap();
            assert_eq!(written(|out| socket_address(out, parsed)), address);
        }
    }
}
