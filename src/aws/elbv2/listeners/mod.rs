//! Listeners: made, described, changed, deleted.
//!
//! Besides HTTP and HTTPS there are TCP and TLS, which AWS has on Network Load Balancers only. Listeners can be made on
//! a load balancer of the file, too. `AlpnPolicy` is kept and shown, and has no effect.

mod certificates;
mod description;
mod mutual_authentication;

use serde::Deserialize;

use super::Done;
use super::actions::{self, Action};
use super::load_balancers::forget_listener;
use super::page::Page;
use super::tags::{self, Tag};
use crate::aws::catalogue::{Catalogue, Entry};
use crate::aws::{ApiError, Call, now};
use crate::config::Inventory;
use crate::config::document;
use crate::config::document::{Listener, ListenerProtocol, RequestHeaderNames, ResponseHeaders};
use crate::config::inventory::{Id, Made, MadeListener, Notes};
use crate::tls::Policy;

pub(super) use certificates::{add, describe as describe_certificates, remove};
use description::Listeners;
use mutual_authentication::MutualAuthentication;

/// What it is noted as.
const ALPN_POLICY: &str = "AlpnPolicy";

/// `CreateListener` and `ModifyListener`, which differ in what they must contain.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Wanted {
    load_balancer_arn: Option<String>,
    listener_arn: Option<String>,
    port: Option<u16>,
    protocol: Option<String>,
    ssl_policy: Option<String>,
    certificates: Vec<certificates::Certificate>,
    default_actions: Vec<Action>,
    alpn_policy: Vec<String>,
    mutual_authentication: Option<MutualAuthentication>,
    tags: Vec<Tag>,
}

/// `DescribeListeners`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeListeners {
    load_balancer_arn: Option<String>,
    listener_arns: Vec<String>,
    marker: Option<String>,
    page_size: Option<u32>,
}

/// `DeleteListener`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteListener {
    listener_arn: String,
}

pub(super) fn describe(call: &Call, wanted: DescribeListeners) -> Result<Listeners, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let mut listeners = Vec::new();
    if let Some(arn) = &wanted.load_balancer_arn {
        let load_balancer = catalogue.load_balancer(arn)?;
        listeners.extend(catalogue.listeners(&load_balancer));
    } else if wanted.listener_arns.is_empty() {
        let message = "You must specify either a load balancer ARN or listener ARNs";
        return Err(ApiError::Validation(message.to_owned()));
    }
    for arn in &wanted.listener_arns {
        let (_, listener) = catalogue.listener(arn)?;
        listeners.retain(|other| other.arn != listener.arn);
        listeners.push(listener);
    }
    let (page, next) = Page::of(wanted.page_size, wanted.marker).cut(listeners)?;
    Ok(description::described(&catalogue, &page, next))
}

pub(super) async fn create(call: &Call, wanted: Wanted) -> Result<Listeners, ApiError> {
    let owner = required(wanted.load_balancer_arn.as_ref(), "LoadBalancerArn")?;
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let load_balancer = catalogue.load_balancer(owner)?;
        required(wanted.protocol.as_ref(), "Protocol")?;
        let port = required(wanted.port, "Port")?;
        let mut made = MadeListener {
            load_balancer: load_balancer.document.name.clone(),
            certificates: Vec::new(),
            listener: Made {
                id: Id::random(),
                notes: Notes {
                    created: now(),
                    ..Notes::default()
                },
                document: Listener::on(port, ListenerProtocol::Http),
            },
        };
        required(wanted.default_actions.first(), "DefaultActions")?;
        wanted.apply(&mut made, catalogue)?;
        if let Some(there) = on_port(catalogue, &load_balancer, port) {
            let mut before = inventory.listeners.iter();
            let before = before.find(|it| it.listener.id == there);
            return match before.is_some_and(|before| is_the_same(before, &made)) {
                true => Ok(there),
                false => Err(duplicate(port)),
            };
        }
        let id = made.listener.id.clone();
        tags::put(inventory, &id, tags::checked(wanted.tags.clone())?)?;
        inventory.listeners.push(made);
        Ok(id)
    };
    let (id, standing) = call.change(edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    let load_balancer = catalogue.load_balancer(owner)?;
    let listeners = catalogue.listeners(&load_balancer);
    let made: Vec<_> = listeners.filter(|it| it.arn.id() == id).collect();
    Ok(description::described(&catalogue, &made, None))
}

pub(super) async fn modify(call: &Call, wanted: Wanted) -> Result<Listeners, ApiError> {
    let arn = required(wanted.listener_arn.as_ref(), "ListenerArn")?;
    let edit = |catalogue: &Catalogue<'_>, made: &mut MadeListener| {
        let (load_balancer, listener) = catalogue.listener(arn)?;
        wanted.apply(made, catalogue)?;
        let port = made.listener.document.port;
        let other = on_port(catalogue, &load_balancer, port);
        match other.is_some_and(|other| other != listener.arn.id()) {
            true => Err(duplicate(port)),
            false => Ok(()),
        }
    };
    let standing = set(call, arn, edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    let (_, listener) = catalogue.listener(arn)?;
    Ok(description::described(&catalogue, &[listener], None))
}

pub(super) async fn delete(call: &Call, wanted: DeleteListener) -> Result<Done, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let (_, listener) = catalogue.listener(&wanted.listener_arn)?;
        must_be_made(&listener)?;
        forget_listener(inventory, &listener.arn.id());
        Ok(())
    };
    call.change(edit).await.map(|_| Done {})
}

/// Changes a listener that was made; returns what is in force then.
pub(super) async fn set(
    call: &Call,
    arn: &str,
    edit: impl FnOnce(&Catalogue<'_>, &mut MadeListener) -> Result<(), ApiError>,
) -> Result<std::sync::Arc<crate::reload::Standing>, ApiError> {
    let change = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let (_, listener) = catalogue.listener(arn)?;
        must_be_made(&listener)?;
        let id = listener.arn.id();
        let mut made = inventory.listeners.iter_mut();
        let made = made.find(|made| made.listener.id == id);
        edit(catalogue, made.ok_or(ApiError::Unavailable)?)
    };
    call.change(change).await.map(|((), standing)| standing)
}

fn must_be_made(listener: &Entry<'_, Listener>) -> Result<(), ApiError> {
    let port = listener.document.port;
    listener.must_be_made(format_args!("the listener on port {port}"))
}

impl Wanted {
    /// Gives a listener what is said here; what is not said stays.
    fn apply(&self, made: &mut MadeListener, catalogue: &Catalogue<'_>) -> Result<(), ApiError> {
        let document = &mut made.listener.document;
        let notes = &mut made.listener.notes;
        if let Some(port) = self.port {
            if port == 0 {
                let message = "Port '0' must be between 1 and 65535";
                return Err(ApiError::Validation(message.to_owned()));
            }
            document.port = port;
        }
        if let Some(name) = &self.protocol {
            document.protocol = protocol(name)?;
        }
        keep_own_attributes(document);
        match document.protocol {
            ListenerProtocol::Https | ListenerProtocol::Tls => {
                self.secure(document, &mut made.certificates, catalogue)?;
            }
            ListenerProtocol::Http | ListenerProtocol::Tcp => {
                self.must_not_be_secure(document.protocol)?;
                document.ssl_policy = None;
                document.mutual_authentication = document::MutualAuthentication::default();
                made.certificates.clear();
            }
        }
        if !self.default_actions.is_empty() {
            let before = &document.default;
            document.default = actions::read(&self.default_actions, Some(before), catalogue)?;
            actions::note_order(&self.default_actions, notes);
        }
        if let Some(policy) = self.alpn_policy.first() {
            let known = [
                "HTTP1Only",
                "HTTP2Only",
                "HTTP2Optional",
                "HTTP2Preferred",
                "None",
            ];
            if !known.contains(&policy.as_str()) {
                return Err(ApiError::Other {
                    code: "ALPNPolicyNotFound",
                    message: format!(
                        "AlpnPolicy '{policy}' must be one of '{}'",
                        known.join("', '")
                    ),
                });
            }
            notes
                .parameters
                .insert(ALPN_POLICY.to_owned(), policy.clone());
        }
        Ok(())
    }

    fn secure(
        &self,
        document: &mut Listener,
        names: &mut Vec<String>,
        catalogue: &Catalogue<'_>,
    ) -> Result<(), ApiError> {
        if let Some(name) = &self.ssl_policy {
            Policy::named(name).map_err(|error| ApiError::Other {
                code: "SSLPolicyNotFound",
                message: error.to_string(),
            })?;
            document.ssl_policy = Some(name.clone());
        }
        match &self.certificates[..] {
            [] if names.is_empty() => {
                let message = "A certificate must be specified for HTTPS and TLS listeners";
                return Err(ApiError::Validation(message.to_owned()));
            }
            [] => {}
            [one] => {
                let default = one.named(catalogue)?;
                // The one before is no longer the listener's, the additional ones stay.
                let others = names.iter().skip(1).filter(|name| **name != default);
                *names = [&default].into_iter().chain(others).cloned().collect();
            }
            _ => {
                return Err(ApiError::Other {
                    code: "TooManyCertificates",
                    message:
                        "You can specify only one certificate here, the default one: add others by \
                              AddListenerCertificates"
                            .to_owned(),
                });
            }
        }
        if let Some(wanted) = &self.mutual_authentication {
            document.mutual_authentication = wanted.read(catalogue)?;
        }
        Ok(())
    }

    fn must_not_be_secure(&self, protocol: ListenerProtocol) -> Result<(), ApiError> {
        let off = |wanted: &MutualAuthentication| wanted.is_off();
        let asked = [
            ("SslPolicy", self.ssl_policy.is_some()),
            ("Certificates", !self.certificates.is_empty()),
            (
                "MutualAuthentication",
                !self.mutual_authentication.as_ref().is_none_or(off),
            ),
        ];
        match asked.iter().find(|(_, is_asked)| *is_asked) {
            Some((what, _)) => Err(ApiError::InvalidConfigurationRequest(format!(
                "{what} is for HTTPS and TLS listeners, and this one speaks {}",
                description::protocol(protocol)
            ))),
            None => Ok(()),
        }
    }
}

/// Those of a protocol that it no longer speaks go.
fn keep_own_attributes(document: &mut Listener) {
    match document.protocol {
        ListenerProtocol::Http | ListenerProtocol::Https => document.idle_timeout = None,
        ListenerProtocol::Tcp | ListenerProtocol::Tls => {
            document.response_headers = ResponseHeaders::default();
            document.request_header_names = RequestHeaderNames::default();
        }
    }
}

fn protocol(name: &str) -> Result<ListenerProtocol, ApiError> {
    match name {
        "HTTP" => Ok(ListenerProtocol::Http),
        "HTTPS" => Ok(ListenerProtocol::Https),
        "TCP" => Ok(ListenerProtocol::Tcp),
        "TLS" => Ok(ListenerProtocol::Tls),
        other => Err(ApiError::Other {
            code: "UnsupportedProtocol",
            message: format!(
                "Protocol '{other}' is not supported: it must be one of 'HTTP', 'HTTPS', 'TCP', 'TLS'"
            ),
        }),
    }
}

/// The id of the listener that a load balancer has on a port.
fn on_port(
    catalogue: &Catalogue<'_>,
    of: &Entry<'_, crate::config::document::LoadBalancer>,
    port: u16,
) -> Option<Id> {
    let entry = Entry {
        arn: of.arn.clone(),
        document: of.document,
        notes: of.notes,
    };
    let found = catalogue
        .listeners(&entry)
        .find(|it| it.document.port == port);
    found.map(|it| it.arn.id())
}

/// Whether a listener is there as it is wanted: its attributes are no part of it.
fn is_the_same(there: &MadeListener, wanted: &MadeListener) -> bool {
    let mut wanted_document = wanted.listener.document.clone();
    let document = &there.listener.document;
    wanted_document.response_headers = document.response_headers.clone();
    wanted_document.request_header_names = document.request_header_names.clone();
    wanted_document.idle_timeout = document.idle_timeout;
    let json = |it: &Listener| serde_json::to_value(it).ok();
    json(document) == json(&wanted_document)
        && there.certificates.first() == wanted.certificates.first()
        && there.listener.notes.parameters == wanted.listener.notes.parameters
}

fn duplicate(port: u16) -> ApiError {
    ApiError::Duplicate {
        code: "DuplicateListener",
        message: format!("A listener already exists on this port for this load balancer: {port}"),
    }
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, ApiError> {
    let missing = || ApiError::Validation(format!("the request must contain the parameter {name}"));
    value.ok_or_else(missing)
}
