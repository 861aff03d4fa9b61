//! TLS to targets: whom a group believes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;

use super::report::Report;
use crate::config::document::{ProtocolVersion, TargetGroup, TargetProtocol};
use crate::config::path::Path;
use crate::tls::ConnectorSettings;

/// Checks what a group says about TLS to its targets; none when it speaks none.
pub(super) fn validate(
    group: &TargetGroup,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ConnectorSettings> {
    let path = path.key("tls");
    if !matches!(group.protocol, TargetProtocol::Https | TargetProtocol::Tls) {
        if group.tls.is_some() {
            let help = "write protocol = \"HTTPS\", or \"TLS\" for TCP and TLS listeners";
            report.refuse(path, "`tls` is for groups whose targets speak TLS", help);
        }
        return None;
    }
    let tls = group.tls.clone().unwrap_or_default();
    if tls.ca.as_ref().is_some_and(|ca| ca.as_os_str().is_empty()) {
        report.refuse(
            path.key("ca"),
            "the path is empty",
            "write the path of a PEM file",
        );
    }
    if !tls.verify && tls.ca.is_some() {
        let help = "leave it out, or write verify = true";
        report.refuse(
            path.key("ca"),
            "without `verify` no authority is asked",
            help,
        );
    }
    let server_name = tls.server_name.as_ref().and_then(|name| {
        let parsed = ServerName::try_from(name.clone());
        if parsed.is_err() {
            let message = format!("`{name}` is no name that TLS can ask for");
            report.refuse(
                path.key("server_name"),
                message,
                "write a DNS name, such as \"shop.internal\"",
            );
        }
        parsed.ok()
    });
    let keys = path.key("pinned_keys");
    let pins = tls.pinned_keys.iter().enumerate().filter_map(|(index, text)| {
        let pin = STANDARD.decode(text).ok().and_then(|pin| pin.try_into().ok());
        if pin.is_none() {
            let message = format!("`{text}` is no SHA-256 in base64");
            let help = "`openssl x509 -in CERTIFICATE -pubkey -noout | openssl pkey -pubin -outform DER | \
                        openssl dgst -sha256 -binary | base64` prints it";
            report.refuse(keys.index(index), message, help);
        }
        pin
    });
    Some(ConnectorSettings {
        verify: tls.verify,
        pins: pins.collect(),
        authorities: tls.ca,
        server_name,
        protocol: match (group.protocol, group.protocol_version) {
            // Whatever the client speaks, and nobody here knows that.
            (TargetProtocol::Tls, _) => None,
            (_, ProtocolVersion::Http1) => Some("http/1.1"),
            (_, ProtocolVersion::Http2 | ProtocolVersion::Grpc) => Some("h2"),
        },
    })
}
