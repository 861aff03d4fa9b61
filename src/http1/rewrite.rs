//! Says a request that the strict parser does not take in the one form that every reader takes
//! alike.
//!
//! What comes out goes through the same strict parser as every other head, so leniency adds nothing
//! to what a target may get to see: it only turns a departure that AWS's load balancers let through
//! into what it was meant to say. Where readers disagree about what that is, there is no such form,
//! and the request is refused, whatever the mode:
//!
//! * a name that reads as Transfer-Encoding or Content-Length around white space or control
//!   characters (RFC 9112 section 5.1 wants 400; to drop the field would drop the body);
//! * a control character in a field that means something to the balancer;
//! * NUL or CR anywhere;
//! * a folded line, or one without a colon, that holds more than one word;
//! * a fragment, a user or an unknown scheme in the target; no target at all.

use super::FieldName;
use super::desync::{RequestLine, is_blank, is_token, may_frame, trim};

/// The head in strict form, or `None` if it has none.
///
/// * Lines end in CRLF.
/// * The target has its spaces, control characters and bytes beyond ASCII percent-encoded.
/// * HTTP/1.2 to HTTP/1.9 become HTTP/1.1, as RFC 9110 section 2.5 has it. HTTP/0.9 becomes
///   HTTP/1.0 without fields: it has none.
/// * A folded line of Content-Type is joined with it. Other multi-line headers are unknown to
///   ALB, which appends a colon: the line becomes a field of its own.
/// * Fields without a name, and fields whose name is no token, are left out. A control character
///   in a value becomes a space (RFC 9110 section 5.5).
pub(super) fn rewrite(head: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(head.len() + 64);
    let mut lines = head.split(|byte| *byte == b'\n').map(without_cr);
    let line = RequestLine::split(lines.next()?);
    push_request_line(&mut out, &line)?;
    if !line.is_http_0_9() {
        let mut in_content_type = false;
        for line in lines.take_while(|line| !line.is_empty()) {
            in_content_type = push_line(&mut out, line, in_content_type)?;
        }
    }
    out.extend_from_slice(b"\r\n");
    Some(out)
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn push_request_line(out: &mut Vec<u8>, line: &RequestLine<'_>) -> Option<()> {
    let version: &[u8] = match trim(line.version) {
        b"" | b"HTTP/0.9" if is_simple(line) => b"HTTP/1.0",
        b"HTTP/1.0" => b"HTTP/1.0",
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => b"HTTP/1.1",
        _ => return None,
    };
    out.extend_from_slice(line.method);
    out.push(b' ');
    let target = trim(line.target);
    if target.is_empty() {
        return None;
    }
    for byte in target {
        match byte {
            b'\0' | b'\r' => return None,
            0x21..=0x7e => out.push(*byte),
            _ => {
                let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble)];
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    out.push(b' ');
    out.extend_from_slice(version);
    out.extend_from_slice(b"\r\n");
    Some(())
}

/// A request of HTTP/0.9 can only be GET. Anything odd in its target makes it likelier that its
/// version has been misread than that there is none.
fn is_simple(line: &RequestLine<'_>) -> bool {
    line.method == b"GET" && trim(line.target).iter().all(u8::is_ascii_graphic)
}

/// Appends one line of the header section, if it goes on. Returns whether Content-Type is open,
/// that is, whether the next line may go on with it.
fn push_line(out: &mut Vec<u8>, line: &[u8], in_content_type: bool) -> Option<bool> {
    let text = trim(line);
    if text.is_empty() {
        return Some(in_content_type);
    }
    if is_blank(line[0]) && in_content_type {
        out.truncate(out.len() - b"\r\n".len());
        out.push(b' ');
        push_value(out, text, FieldName::Other)?;
        return Some(true);
    }
    let Some(colon) = memchr::memchr(b':', text) else {
        if !text.iter().all(|byte| is_token(*byte)) {
            return None;
        }
        out.extend_from_slice(text);
        out.extend_from_slice(b":\r\n");
        return Some(false);
    };
    // A field that is indented belongs to the field before for one reader and not for another.
    if is_blank(line[0]) && colon > 0 {
        return None;
    }
    let (name, value) = (&text[..colon], trim(&text[colon + 1..]));
    if name.contains(&0) || name.contains(&b'\r') || value.contains(&0) || value.contains(&b'\r') {
        return None;
    }
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return (!may_frame(name)).then_some(false);
    }
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    push_value(out, value, FieldName::of(name))?;
    Some(name.eq_ignore_ascii_case(b"content-type"))
}

fn push_value(out: &mut Vec<u8>, value: &[u8], name: FieldName) -> Option<()> {
    for byte in value {
        match byte {
            b'\0' | b'\r' => return None,
            0x01..=0x08 | 0x0a..=0x1f | 0x7f if name != FieldName::Other => return None,
            0x01..=0x08 | 0x0a..=0x1f | 0x7f => out.push(b' '),
            _ => out.push(*byte),
        }
    }
    out.extend_from_slice(b"\r\n");
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn rewritten(head: &str) -> Option<String> {
        rewrite(head.as_bytes()).map(|head| String::from_utf8(head).unwrap())
    }

    fn line(line: &str) -> Option<String> {
        let head = rewritten(&format!("{line}\r\n\r\n"))?;
        Some(head.strip_suffix("\r\n\r\n").unwrap().to_owned())
    }

    fn fields(fields: &str) -> Option<String> {
        let head = rewritten(&format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n"))?;
        let fields = head.strip_prefix("GET / HTTP/1.1\r\n").unwrap();
        Some(fields.strip_suffix("\r\n").unwrap().to_owned())
    }

    #[test]
    fn a_strict_head_stays_as_it_is() {
        let head = "POST /a?b HTTP/1.0\r\nHost: a\r\nX: \t\u{e9}\r\n\r\n";
        assert_eq!(
            rewritten(head).unwrap(),
            head.replace("X: \t", "X: "),
            "but for white space that means nothing"
        );
    }

    #[test]
    fn lines_end_in_crlf() {
        assert_eq!(
            rewritten("GET / HTTP/1.1\nHost: a\r\nX: b\n\n").unwrap(),
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n"
        );
    }

    #[test]
    fn the_target_is_percent_encoded() {
        for (sent, seen) in [
            ("GET /a b HTTP/1.1", "GET /a%20b HTTP/1.1"),
            ("GET  /a HTTP/1.1", "GET /a HTTP/1.1"),
            ("GET /a\tb\x7f HTTP/1.1", "GET /a%09b%7F HTTP/1.1"),
            ("GET /\u{e9} HTTP/1.1", "GET /%C3%A9 HTTP/1.1"),
            (
                "GET /a HTTP/1.1 x HTTP/1.1",
                "GET /a%20HTTP/1.1%20x HTTP/1.1",
            ),
        ] {
            assert_eq!(line(sent).as_deref(), Some(seen), "{sent:?}");
        }
        for sent in [
            "GET /a\0b HTTP/1.1",
            "GET /a\rb HTTP/1.1",
            "GET HTTP/1.1",
            "GET  HTTP/1.1",
        ] {
            assert_eq!(line(sent), None, "{sent:?}");
        }
    }

    #[test]
    fn versions_become_one_that_targets_speak() {
        for (sent, seen) in [
            ("GET / HTTP/1.9", "GET / HTTP/1.1"),
            ("GET / HTTP/1.1 ", "GET / HTTP/1.1"),
            ("GET / HTTP/1.0", "GET / HTTP/1.0"),
            ("GET / HTTP/0.9", "GET / HTTP/1.0"),
            ("GET /", "GET / HTTP/1.0"),
        ] {
            assert_eq!(line(sent).as_deref(), Some(seen), "{sent:?}");
        }
        for sent in [
            "POST /",
            "GET / HTTP/2.0",
            "GET / http/1.1",
            "GET /a b",
            "GET /a\tHTTP/1.1",
        ] {
            assert_eq!(line(sent), None, "{sent:?}");
        }
        let simple = "GET /\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(rewritten(simple).unwrap(), "GET / HTTP/1.0\r\n\r\n");
    }

    #[test]
    fn a_multi_line_header_gets_a_colon_of_its_own() {
        assert_eq!(fields("A: b\r\n c").unwrap(), "A: b\r\nc:\r\n");
        assert_eq!(fields("A").unwrap(), "A:\r\n");
        for more in ["c d", "c: d", "Transfer-Encoding: chunked", "\0", "c\r"] {
            assert_eq!(fields(&format!("A: b\r\n {more}")), None, "{more:?}");
        }
    }

    #[test]
    fn a_multi_line_content_type_is_joined() {
        assert_eq!(
            fields("Content-Type: a/b;\r\n c=\"d:e\"\r\nX: y\r\n z").unwrap(),
            "Content-Type: a/b; c=\"d:e\"\r\nX: y\r\nz:\r\n"
        );
    }

    #[test]
    fn a_field_whose_name_is_none_is_left_out() {
        for field in [
            ": b",
            " : b",
            "A b: c",
            "A : b",
            "\u{1}A: b",
            "\u{e9}: b",
            " \t",
        ] {
            assert_eq!(
                fields(&format!("X: y\r\n{field}")).unwrap(),
                "X: y\r\n",
                "{field:?}"
            );
        }
    }

    #[test]
    fn what_could_be_a_length_or_a_coding_is_not_left_out() {
        for field in [
            "Content-Length : 5",
            "\u{1}Content-Length: 5",
            "Transfer-Encoding\t: chunked",
            "Transfer Encoding: chunked",
        ] {
            assert_eq!(fields(field), None, "{field:?}");
        }
    }

    #[test]
    fn a_control_character_in_a_value_becomes_a_space() {
        assert_eq!(fields("X: a\u{1}b\u{7f}\tc").unwrap(), "X: a b \tc\r\n");
        for field in [
            "Content-Length: 5\u{1}",
            "Transfer-Encoding: \u{b}chunked",
            "Connection: \u{1}close",
            "Host: a\u{1}",
            "X: a\0",
            "X: a\rb",
        ] {
            assert_eq!(fields(field), None, "{field:?}");
        }
    }
}
