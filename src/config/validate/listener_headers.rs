//! What a listener does to header fields.

use super::report::Report;
use crate::config::document::{self, Listener};
use crate::config::listener_headers::{ListenerHeaders, ResponseChanges};
use crate::config::path::Path;
use crate::http1::FieldName;

/// ALB's limit for a value, in bytes.
const VALUE: usize = 1024;
/// ALB's limit for a name, in characters.
const NAME: usize = 40;

/// Checks the settings of one listener, whose place is `path`.
pub(super) fn validate(
    listener: &Listener,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> ListenerHeaders {
    names(
        &listener.request_header_names,
        &path.key("request_header_names"),
        report,
    );
    ListenerHeaders {
        response: response(
            &listener.response_headers,
            &path.key("response_headers"),
            report,
        ),
        names: listener.request_header_names.clone().into(),
    }
}

fn response(
    headers: &document::ResponseHeaders,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ResponseChanges> {
    let values = [
        (
            "strict_transport_security",
            "Strict-Transport-Security",
            &headers.strict_transport_security,
        ),
        (
            "content_security_policy",
            "Content-Security-Policy",
            &headers.content_security_policy,
        ),
        (
            "x_content_type_options",
            "X-Content-Type-Options",
            &headers.x_content_type_options,
        ),
        (
            "x_frame_options",
            "X-Frame-Options",
            &headers.x_frame_options,
        ),
        (
            "access_control_allow_origin",
            "Access-Control-Allow-Origin",
            &headers.access_control_allow_origin,
        ),
        (
            "access_control_allow_methods",
            "Access-Control-Allow-Methods",
            &headers.access_control_allow_methods,
        ),
        (
            "access_control_allow_headers",
            "Access-Control-Allow-Headers",
            &headers.access_control_allow_headers,
        ),
        (
            "access_control_allow_credentials",
            "Access-Control-Allow-Credentials",
            &headers.access_control_allow_credentials,
        ),
        (
            "access_control_expose_headers",
            "Access-Control-Expose-Headers",
            &headers.access_control_expose_headers,
        ),
        (
            "access_control_max_age",
            "Access-Control-Max-Age",
            &headers.access_control_max_age,
        ),
    ];
    let mut set = Vec::new();
    for (key, name, value) in values {
        if let Some(value) = value {
            check_value(key, value, &path.key(key), report);
            set.push((name, value.as_str()));
        }
    }
    ResponseChanges::new(!headers.server, set.into_iter())
}

fn check_value(key: &str, value: &str, path: &Path<'_>, report: &mut Report<'_>) {
    let is_visible = |character: char| matches!(character, ' '..='~');
    if value.trim().is_empty() {
        let help = "leave the setting out to leave the field as it is";
        report.refuse(path, "the value is empty", help);
    } else if value.trim() != value {
        report.error(path, "the value begins or ends with white space");
    } else if let Some(odd) = value.chars().find(|&character| !is_visible(character)) {
        let help = "a value consists of visible ASCII characters and spaces";
        report.refuse(path, format!("the value holds {odd:?}"), help);
    } else if value.len() > VALUE {
        let message = format!("the value has {} characters", value.len());
        report.refuse(path, message, format!("a value has at most {VALUE}"));
    } else if let Err(help) = useful(key, value) {
        report.warn(path, format!("browsers do not understand `{value}`"), help);
    }
}

/// What no browser understands is sent all the same, as ALB would: what would be right instead.
fn useful(key: &str, value: &str) -> Result<(), &'static str> {
    let lower = value.to_ascii_lowercase();
    let (is_useful, help) = match key {
        "strict_transport_security" => (
            lower.contains("max-age="),
            "write \"max-age=31536000\", say",
        ),
        "x_content_type_options" => (lower == "nosniff", "the only value is \"nosniff\""),
        "x_frame_options" => (
            lower == "deny" || lower == "sameorigin",
            "the values are \"DENY\" and \"SAMEORIGIN\"",
        ),
        "access_control_allow_credentials" => (value == "true", "the only value is \"true\""),
        "access_control_max_age" => (
            value.bytes().all(|byte| byte.is_ascii_digit()),
            "write a number of seconds",
        ),
        _ => (true, ""),
    };
    is_useful.then_some(()).ok_or(help)
}

fn names(names: &document::RequestHeaderNames, path: &Path<'_>, report: &mut Report<'_>) {
    let named = [
        ("x_amzn_tls_version", &names.x_amzn_tls_version),
        ("x_amzn_tls_cipher_suite", &names.x_amzn_tls_cipher_suite),
        ("x_amzn_mtls_clientcert", &names.x_amzn_mtls_clientcert),
        (
            "x_amzn_mtls_clientcert_leaf",
            &names.x_amzn_mtls_clientcert_leaf,
        ),
        (
            "x_amzn_mtls_clientcert_serial_number",
            &names.x_amzn_mtls_clientcert_serial_number,
        ),
        (
            "x_amzn_mtls_clientcert_issuer",
            &names.x_amzn_mtls_clientcert_issuer,
        ),
        (
            "x_amzn_mtls_clientcert_subject",
            &names.x_amzn_mtls_clientcert_subject,
        ),
        (
            "x_amzn_mtls_clientcert_validity",
            &names.x_amzn_mtls_clientcert_validity,
        ),
    ];
    for (place, (key, name)) in named.iter().enumerate() {
        let path = path.key(key);
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > NAME || !name.bytes().all(is_known) {
            let message = format!("`{name}` is no name for a header field");
            let help = format!("a name has 1-{NAME} letters, digits, hyphens and underscores");
            report.refuse(path, message, help);
        } else if is_taken(name) {
            let message = format!("{name} has a meaning of its own");
            report.refuse(path, message, "choose a name that means nothing else");
        } else if let Some((other, _)) = named[..place]
            .iter()
            .find(|(_, other)| other.eq_ignore_ascii_case(name))
        {
            report.refuse(
                path,
                format!("`{other}` is called {name}, too"),
                "names are unique",
            );
        }
    }
}

/// Whether the balancer, or every reader, takes the field for something else.
fn is_taken(name: &str) -> bool {
    let known = FieldName::of(name.as_bytes());
    !matches!(
        known,
        FieldName::Other | FieldName::XAmznTls | FieldName::XAmznMtlsClientcert
    )
}
