//! One JSON object a line, with the column names of Athena's table for ALB logs.
//!
//! What ALB's format writes as `-` or `-1` is `null` here; numbers are numbers.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::text::{self, Clock};
use super::{ConnTraceId, Entry};

/// Appends one line.
pub(super) fn line(out: &mut Vec<u8>, entry: &Entry<'_>, clock: &mut Clock) {
    out.push(b'{');
    string(out, "type", entry.kind.as_str().as_bytes());
    time(out, "time", entry.time, clock);
    string(out, "elb", entry.elb.as_bytes());
    address(out, ["client_ip", "client_port"], Some(entry.client));
    address(out, ["target_ip", "target_port"], entry.target);
    seconds(
        out,
        "request_processing_time",
        entry.request_processing_time,
    );
    seconds(out, "target_processing_time", entry.target_processing_time);
    seconds(
        out,
        "response_processing_time",
        entry.response_processing_time,
    );
    number(out, "elb_status_code", Some(entry.elb_status_code));
    number(out, "target_status_code", entry.target_status_code);
    number(out, "received_bytes", Some(entry.received_bytes));
    number(out, "sent_bytes", Some(entry.sent_bytes));
    string(out, "request_verb", entry.request.method);
    url(out, entry);
    string(out, "request_proto", entry.request.version.as_bytes());
    string(out, "user_agent", entry.user_agent());
    optional(out, "ssl_cipher", entry.ssl_cipher);
    optional(out, "ssl_protocol", entry.ssl_protocol);
    optional(out, "target_group_arn", entry.target_group);
    string(out, "trace_id", entry.trace_id);
    optional(out, "domain_name", entry.domain_name);
    optional(out, "chosen_cert_arn", entry.chosen_certificate);
    number(out, "matched_rule_priority", entry.matched_rule_priority);
    let created = entry.request_creation_time;
    time(out, "request_creation_time", created, clock);
    string(out, "actions_executed", entry.actions_executed.as_bytes());
    string(out, "redirect_url", entry.redirect_url.unwrap_or_default());
    optional(out, "error_reason", entry.error_reason);
    list(out, "target_port_list", entry.targets, |out, target| {
        out.push(b'"');
        text::socket_address(out, *target);
        out.push(b'"');
    });
    let codes = entry.target_status_codes;
    list(
        out,
        "target_status_code_list",
        codes,
        |out, code| match code {
            Some(code) => text::number(out, *code),
            None => out.extend_from_slice(b"null"),
        },
    );
    optional(out, "classification", entry.classification);
    optional(out, "classification_reason", entry.classification_reason);
    let id = entry.conn_trace_id.map(ConnTraceId::text);
    let id: &[u8] = id.as_ref().map_or(b"", |text| text);
    string(out, "conn_trace_id", id);
    optional(out, "transformed_host", entry.transformed_host);
    optional(out, "transformed_uri", entry.transformed_uri);
    let status = entry.request_transform_status;
    optional(out, "request_transform_status", status);
    out.pop();
    out.extend_from_slice(b"}\n");
}

pub(super) fn key(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

pub(super) fn time(out: &mut Vec<u8>, name: &str, time: SystemTime, clock: &mut Clock) {
    key(out, name);
    out.push(b'"');
    clock.time(out, time);
    out.extend_from_slice(b"\",");
}

pub(super) fn string(out: &mut Vec<u8>, name: &str, text: &[u8]) {
    key(out, name);
    if text.is_empty() {
        out.extend_from_slice(b"null,");
        return;
    }
    out.push(b'"');
    text::json_escaped(out, text);
    out.extend_from_slice(b"\",");
}

pub(super) fn optional(out: &mut Vec<u8>, name: &str, text: Option<&str>) {
    string(out, name, text.unwrap_or_default().as_bytes());
}

pub(super) fn number(out: &mut Vec<u8>, name: &str, value: Option<impl itoa::Integer>) {
    key(out, name);
    match value {
        Some(value) => text::number(out, value),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b',');
}

pub(super) fn seconds(out: &mut Vec<u8>, name: &str, time: Option<Duration>) {
    key(out, name);
    match time {
        Some(time) => text::seconds(out, time),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b',');
}

pub(super) fn address(out: &mut Vec<u8>, [ip, port]: [&str; 2], address: Option<SocketAddr>) {
    key(out, ip);
    match address {
        Some(address) => {
            out.push(b'"');
            text::ip(out, address.ip());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.push(b',');
    number(out, port, address.map(|address| address.port()));
}

fn url(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let request = &entry.request;
    key(out, "request_url");
    out.push(b'"');
    out.extend_from_slice(request.scheme.as_bytes());
    out.extend_from_slice(b"://");
    text::json_escaped(out, request.host);
    out.push(b':');
    text::number(out, request.port);
    text::json_escaped(out, request.uri);
    out.extend_from_slice(b"\",");
}

fn list<T>(out: &mut Vec<u8>, name: &str, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    key(out, name);
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.extend_from_slice(b"],");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use serde_json::{Value, json};

    use super::super::entry::tests::example;
    use super::*;

    fn parsed(entry: &Entry<'_>) -> Value {
        let mut out = Vec::new();
        line(&mut out, entry, &mut Clock::default());
        assert_eq!(out.pop(), Some(b'\n'));
        assert!(!out.contains(&b'\n'));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_line_is_one_object_with_typed_fields() {
        let expected = json!({
            "type": "http",
            "time": "2018-07-02T22:23:00.186641Z",
            "elb": "app/my-loadbalancer/50dc6c495c0c9188",
            "client_ip": "192.168.131.39",
            "client_port": 2817,
            "target_ip": "10.0.0.1",
            "target_port": 80,
            "request_processing_time": 0.0,
            "target_processing_time": 0.001,
            "response_processing_time": 0.0,
            "elb_status_code": 200,
            "target_status_code": 200,
            "received_bytes": 34,
            "sent_bytes": 366,
            "request_verb": "GET",
            "request_url": "http://www.example.com:80/",
            "request_proto": "HTTP/1.1",
            "user_agent": "curl/7.46.0",
            "ssl_cipher": null,
            "ssl_protocol": null,
            "target_group_arn": example().target_group,
            "trace_id": "Root=1-58337262-36d228ad5d99923122bbe354",
            "domain_name": null,
            "chosen_cert_arn": null,
            "matched_rule_priority": 0,
            "request_creation_time": "2018-07-02T22:22:48.364000Z",
            "actions_executed": "forward",
            "redirect_url": null,
            "error_reason": null,
            "target_port_list": ["10.0.0.1:80"],
            "target_status_code_list": [200],
            "classification": null,
            "classification_reason": null,
            "conn_trace_id": null,
            "transformed_host": null,
            "transformed_uri": null,
            "request_transform_status": null,
        });
        assert_eq!(parsed(&example()), expected);
    }

    #[test]
    fn what_a_client_sends_stays_within_its_string() {
        let entry = Entry {
            user_agent: b"a\",\"elb\":\"x\\\n\xff",
            target: None,
            target_status_codes: &[None, Some(502)],
            ..example()
        };
        let value = parsed(&entry);
        assert_eq!(value["user_agent"], "a\",\"elb\":\"x\\\n\u{ff}");
        assert_eq!(value["elb"], "app/my-loadbalancer/50dc6c495c0c9188");
        assert_eq!(value["target_port"], Value::Null);
        assert_eq!(value["target_status_code_list"], json!([null, 502]));
    }
}
