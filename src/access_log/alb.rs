//! ALB's format: fields 1-33, separated by spaces, texts in quotes.
//!
//! ALB's lists of targets and of their statuses hold one item and are documented as separated by
//! spaces, which AWS's own expression for Athena does not take. A request that was sent to more
//! than one target has them separated by commas, so that its line is not lost to such readers.

use std::net::SocketAddr;
use std::time::Duration;

use super::text::{self, Clock};
use super::{Entry, RequestLine};

/// Appends one line.
pub(super) fn line(out: &mut Vec<u8>, entry: &Entry<'_>, clock: &mut Clock) {
    plain(out, entry.kind.as_str());
    clock.time(out, entry.time);
    out.push(b' ');
    plain(out, entry.elb);
    address(out, Some(entry.client));
    address(out, entry.target);
    seconds(out, entry.request_processing_time);
    seconds(out, entry.target_processing_time);
    seconds(out, entry.response_processing_time);
    status(out, Some(entry.elb_status_code));
    status(out, entry.target_status_code);
    text::number(out, entry.received_bytes);
    out.push(b' ');
    text::number(out, entry.sent_bytes);
    out.push(b' ');
    request(out, &entry.request);
    quoted(out, entry.user_agent());
    plain(out, entry.ssl_cipher.unwrap_or_default());
    plain(out, entry.ssl_protocol.unwrap_or_default());
    plain(out, entry.target_group.unwrap_or_default());
    quoted(out, entry.trace_id);
    quoted_str(out, entry.domain_name);
    quoted_str(out, entry.chosen_certificate);
    match entry.matched_rule_priority {
        Some(priority) => text::number(out, priority),
        None => out.push(b'-'),
    }
    out.push(b' ');
    clock.time(out, entry.request_creation_time);
    out.push(b' ');
    quoted(out, entry.actions_executed.as_bytes());
    quoted(out, entry.redirect_url.unwrap_or_default());
    quoted_str(out, entry.error_reason);
    list(out, entry.targets, |out, target| {
        text::socket_address(out, *target);
    });
    list(out, entry.target_status_codes, |out, code| match code {
        Some(code) => text::number(out, *code),
        None => out.push(b'-'),
    });
    quoted_str(out, entry.classification);
    quoted_str(out, entry.classification_reason);
    match entry.conn_trace_id {
        Some(id) => out.extend_from_slice(&id.text()),
        None => out.push(b'-'),
    }
    out.push(b' ');
    quoted_str(out, entry.transformed_host);
    quoted_str(out, entry.transformed_uri);
    quoted_str(out, entry.request_transform_status);
    if let Some(last) = out.last_mut() {
        *last = b'\n';
    }
}

/// A word without quotes. Names in the configuration have no spaces.
pub(super) fn plain(out: &mut Vec<u8>, word: &str) {
    let word = if word.is_empty() { "-" } else { word };
    out.extend_from_slice(word.as_bytes());
    out.push(b' ');
}

pub(super) fn address(out: &mut Vec<u8>, address: Option<SocketAddr>) {
    match address {
        Some(address) => text::socket_address(out, address),
        None => out.push(b'-'),
    }
    out.push(b' ');
}

fn seconds(out: &mut Vec<u8>, time: Option<Duration>) {
    match time {
        Some(time) => text::seconds(out, time),
        None => out.extend_from_slice(b"-1"),
    }
    out.push(b' ');
}

pub(super) fn status(out: &mut Vec<u8>, status: Option<u16>) {
    match status {
        Some(status) => text::number(out, status),
        None => out.push(b'-'),
    }
    out.push(b' ');
}

pub(super) fn request(out: &mut Vec<u8>, request: &RequestLine<'_>) {
    out.push(b'"');
    or_dash(out, request.method);
    out.push(b' ');
    out.extend_from_slice(request.scheme.as_bytes());
    out.extend_from_slice(b"://");
    text::escaped(out, request.host);
    out.push(b':');
    text::number(out, request.port);
    or_dash(out, request.uri);
    out.push(b' ');
    or_dash(out, request.version.as_bytes());
    out.extend_from_slice(b"\" ");
}

fn or_dash(out: &mut Vec<u8>, text: &[u8]) {
    text::escaped(out, if text.is_empty() { b"-" } else { text });
}

pub(super) fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    if text.is_empty() {
        return out.extend_from_slice(b"\"-\" ");
    }
    out.push(b'"');
    text::escaped(out, text);
    out.extend_from_slice(b"\" ");
}

pub(super) fn quoted_str(out: &mut Vec<u8>, text: Option<&str>) {
    quoted(out, text.unwrap_or_default().as_bytes());
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'"');
    if items.is_empty() {
        out.push(b'-');
    }
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.extend_from_slice(b"\" ");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
mod tests {
    use std::net::SocketAddr;

    use super::super::entry::tests::example;
    use super::*;
    use crate::access_log::ConnTraceId;

    /// The expression that AWS publishes for Athena's table of ALB logs (`input.regex`).
    const ATHENA: &str = concat!(
        r#"^([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*):([0-9]*) ([^ ]*)[:-]([0-9]*) ([-.0-9]*) ([-.0-9]*) "#,
        r#"([-.0-9]*) (|[-0-9]*) (-|[-0-9]*) ([-0-9]*) ([-0-9]*) "([^ ]*) (.*) (- |[^ ]*)" "#,
        r#""([^"]*)" ([A-Z0-9-_]+) ([A-Za-z0-9.-]*) ([^ ]*) "([^"]*)" "([^"]*)" "([^"]*)" "#,
        r#"([-.0-9]*) ([^ ]*) "([^"]*)" "([^"]*)" "([^ ]*)" "([^\s]+?)" "([^\s]+)" "([^ ]*)" "#,
        r#""([^ ]*)" ?([^ ]*)?( .*)?$"#,
    );

    fn text(entry: &Entry<'_>) -> String {
        let mut out = Vec::new();
        line(&mut out, entry, &mut Clock::default());
        String::from_utf8(out).unwrap()
    }

    /// The fields as Athena sees them, numbered from 1.
    fn athena(line: &str) -> Vec<String> {
        let expression = regex_lite::Regex::new(ATHENA).unwrap();
        let line = line.strip_suffix('\n').unwrap();
        let Some(found) = expression.captures(line) else {
            panic!("Athena would not read this line: {line}");
        };
        let field = |index| {
            found
                .get(index)
                .map_or("", |field| field.as_str())
                .to_owned()
        };
        (0..found.len()).map(field).collect()
    }

    #[test]
    fn the_example_of_the_manual_is_reproduced_to_the_byte_with_the_fields_that_came_later() {
        let expected = concat!(
            "http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 ",
            "192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 ",
            "\"GET http://www.example.com:80/ HTTP/1.1\" \"curl/7.46.0\" - - ",
            "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 ",
            "\"Root=1-58337262-36d228ad5d99923122bbe354\" \"-\" \"-\" 0 2018-07-02T22:22:48.364000Z ",
            "\"forward\" \"-\" \"-\" \"10.0.0.1:80\" \"200\" \"-\" \"-\" - \"-\" \"-\" \"-\"\n",
        );
        assert_eq!(text(&example()), expected);
    }

    #[test]
    fn what_transforms_did_stands_in_the_last_three_fields() {
        let line = text(&Entry {
            conn_trace_id: Some(ConnTraceId::from(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)),
            transformed_host: Some("internal.example.com"),
            transformed_uri: Some("/product.php?id=7"),
            request_transform_status: Some("TransformSuccess"),
            ..example()
        });
        let end = "\"-\" \"-\" TID_0123456789abcdef0123456789abcdef \"internal.example.com\" \
                   \"/product.php?id=7\" \"TransformSuccess\"\n";
        assert!(line.ends_with(end), "{line}");
        assert_eq!(athena(&line)[34], "TID_0123456789abcdef0123456789abcdef");
    }

    #[test]
    fn a_request_that_was_not_dispatched_has_minus_one_as_times_and_dashes() {
        let entry = Entry {
            target: None,
            request_processing_time: None,
            target_processing_time: None,
            response_processing_time: None,
            elb_status_code: 400,
            target_status_code: None,
            request: RequestLine {
                method: b"",
                host: b"my-loadbalancer",
                uri: b"",
                version: "",
                ..example().request
            },
            user_agent: b"",
            target_group: None,
            matched_rule_priority: None,
            actions_executed: "",
            targets: &[],
            target_status_codes: &[],
            classification: Some("Severe"),
            classification_reason: Some("BadMethod"),
            ..example()
        };
        let text = text(&entry);
        assert!(
            text.contains(
                " - -1 -1 -1 400 - 34 366 \"- http://my-loadbalancer:80- -\" \"-\" - - - "
            )
        );
        let fields = athena(&text);
        assert_eq!(fields[8..11], ["-1", "-1", "-1"]);
        assert_eq!(fields[32..34], ["Severe", "BadMethod"]);
    }

    #[test]
    fn what_a_client_sends_cannot_end_a_field_or_a_line() {
        let entry = Entry {
            request: RequestLine {
                uri: b"/a\" 200 \"x\r\nhttp 2018",
                ..example().request
            },
            user_agent: b"evil\" \"agent\\",
            trace_id: b"Root=\"1\"\0",
            ..example()
        };
        let text = text(&entry);
        assert_eq!(text.matches('\n').count(), 1);
        let fields = athena(&text);
        assert_eq!(
            fields[16],
            r"http://www.example.com:80/a\x22 200 \x22x\x0D\x0Ahttp 2018"
        );
        assert_eq!(fields[18], r"evil\x22 \x22agent\x5C");
        assert_eq!(fields[22], r"Root=\x221\x22\x00");
    }

    #[test]
    fn a_retried_request_names_all_its_targets_in_a_line_that_athena_reads() {
        let targets: [SocketAddr; 2] = [
            "10.0.0.1:80".parse().unwrap(),
            "[2001:db8::2]:80".parse().unwrap(),
        ];
        let entry = Entry {
            client: "[2001:db8::1]:4711".parse().unwrap(),
            target: Some(targets[1]),
            targets: &targets,
            target_status_codes: &[None, Some(200)],
            ..example()
        };
        let fields = athena(&text(&entry));
        assert_eq!(
            fields[4..8],
            ["[2001:db8::1]", "4711", "[2001:db8::2]", "80"]
        );
        assert_eq!(fields[30..32], ["10.0.0.1:80,[2001:db8::2]:80", "-,200"]);
    }

    #[test]
    fn a_user_agent_is_cut_at_eight_kibibytes() {
        let agent = [b'x'; 10_000];
        let fields = athena(&text(&Entry {
            user_agent: &agent,
            ..example()
        }));
        assert_eq!(fields[18].len(), 8192);
    }
}
