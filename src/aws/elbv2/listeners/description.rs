//! What is told of a listener.

use serde::Serialize;

use super::ALPN_POLICY;
use super::certificates::{self, Certificate};
use super::mutual_authentication::MutualAuthentication;
use crate::aws::catalogue::{Catalogue, Entry};
use crate::aws::elbv2::actions::{self, Action};
use crate::config::document::{Listener, ListenerProtocol, TlsMode};
use crate::tls::Policy;

/// The answer to what makes listeners, changes them, or describes them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Listeners {
    listeners: Vec<ListenerDescription>,
    next_marker: Option<String>,
}

/// AWS: Listener.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListenerDescription {
    listener_arn: String,
    load_balancer_arn: String,
    port: u16,
    protocol: &'static str,
    certificates: Option<Vec<Certificate>>,
    ssl_policy: Option<String>,
    default_actions: Vec<Action>,
    alpn_policy: Option<Vec<String>>,
    mutual_authentication: Option<MutualAuthentication>,
}

pub(super) fn described(
    catalogue: &Catalogue<'_>,
    listeners: &[Entry<'_, Listener>],
    next_marker: Option<String>,
) -> Listeners {
    let listeners = listeners.iter().map(|listener| one(catalogue, listener));
    Listeners {
        listeners: listeners.collect(),
        next_marker,
    }
}

fn one(catalogue: &Catalogue<'_>, listener: &Entry<'_, Listener>) -> ListenerDescription {
    let document = listener.document;
    let passes_tls = document.tls_mode == Some(TlsMode::Passthrough);
    let is_secure = match document.protocol {
        ListenerProtocol::Https => true,
        ListenerProtocol::Tls => !passes_tls,
        ListenerProtocol::Http | ListenerProtocol::Tcp => false,
    };
    let policy = document.ssl_policy.clone();
    // Of all of them AWS tells only the default one here, and does not say that it is that.
    let certificate = document.certificates.first();
    let certificate = certificate.map(|it| Certificate::of(it, None, catalogue.place));
    let alpn = listener
        .notes
        .and_then(|notes| notes.parameters.get(ALPN_POLICY));
    ListenerDescription {
        listener_arn: listener.arn(catalogue.place),
        load_balancer_arn: certificates::owner(&listener.arn).at(catalogue.place),
        port: document.port,
        protocol: protocol(document.protocol),
        certificates: is_secure.then(|| certificate.into_iter().collect()),
        ssl_policy: is_secure.then(|| policy.unwrap_or_else(|| Policy::default().name())),
        default_actions: actions::told(&document.default, listener.notes, catalogue),
        alpn_policy: alpn.map(|policy| vec![policy.clone()]),
        mutual_authentication: (document.protocol == ListenerProtocol::Https)
            .then(|| MutualAuthentication::told(&document.mutual_authentication, catalogue.place)),
    }
}

/// AWS's word.
pub(super) fn protocol(protocol: ListenerProtocol) -> &'static str {
    match protocol {
        ListenerProtocol::Http => "HTTP",
        ListenerProtocol::Https => "HTTPS",
        ListenerProtocol::Tcp => "TCP",
        ListenerProtocol::Tls => "TLS",
    }
}
