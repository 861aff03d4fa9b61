//! The certificates of listeners: `arn:aws:acm:REGION:ACCOUNT:certificate/NAME` is the one that the file gives that
//! name, in `[[certificate]]` or at a listener.

use serde::{Deserialize, Serialize};

use super::set;
use crate::aws::catalogue::Catalogue;
use crate::aws::elbv2::Done;
use crate::aws::elbv2::page::Page;
use crate::aws::place::Place;
use crate::aws::{ApiError, Arn, Call};
use crate::config::document::{ListenerCertificate, ListenerProtocol};
use crate::config::inventory::MadeListener;

/// AWS: Certificate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Certificate {
    certificate_arn: String,
    is_default: Option<bool>,
}

/// `AddListenerCertificates`, `RemoveListenerCertificates`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct ListenerCertificates {
    listener_arn: String,
    certificates: Vec<Certificate>,
}

/// `DescribeListenerCertificates`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct DescribeListenerCertificates {
    listener_arn: String,
    marker: Option<String>,
    page_size: Option<u32>,
}

/// The answer to all but removing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Certificates {
    certificates: Vec<Certificate>,
    next_marker: Option<String>,
}

impl Certificate {
    /// That of a listener.
    pub(super) fn of(
        document: &ListenerCertificate,
        is_default: Option<bool>,
        place: &Place,
    ) -> Self {
        let name = label(document);
        Self {
            certificate_arn: Arn::Certificate { name }.at(place),
            is_default,
        }
    }

    /// The name that the file gives it.
    pub(super) fn named(&self, catalogue: &Catalogue<'_>) -> Result<String, ApiError> {
        let arn = &self.certificate_arn;
        let config = &catalogue.standing.config;
        let listeners = config.load_balancer.iter().flat_map(|it| &it.listener);
        let all = listeners.flat_map(|listener| &listener.certificates);
        let all = config.certificate.iter().chain(all);
        let mut names: Vec<_> = all.filter_map(|it| it.name.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        if let Ok(Arn::Certificate { name }) = arn.parse()
            && names.contains(&name.as_str())
        {
            return Ok(name);
        }
        let there = match names.is_empty() {
            true => "none with a name: write a [[certificate]] there".to_owned(),
            false => format!("the names {}", names.join(", ")),
        };
        Err(ApiError::Other {
            code: "CertificateNotFound",
            message: format!(
                "Certificate ARN '{arn}' not found: it must end with certificate/NAME, and of the certificates in \
                 Elbow's configuration file there are {there}"
            ),
        })
    }
}

/// What logs call it, too.
fn label(document: &ListenerCertificate) -> String {
    let path = document.certificate.as_ref();
    let path = path.map(|path| path.display().to_string());
    let name = document.name.clone().or(path);
    name.or_else(|| document.names.first().cloned())
        .unwrap_or_default()
}

/// The load balancer of a listener.
pub(super) fn owner(listener: &Arn) -> Arn {
    match listener {
        Arn::Listener {
            name,
            load_balancer,
            ..
        } => Arn::LoadBalancer {
            name: name.clone(),
            id: load_balancer.clone(),
        },
        other => other.clone(),
    }
}

pub(in super::super) fn describe(
    call: &Call,
    wanted: DescribeListenerCertificates,
) -> Result<Certificates, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let (_, listener) = catalogue.listener(&wanted.listener_arn)?;
    let all = listener.document.certificates.iter().enumerate();
    let all = all.map(|(index, it)| Certificate::of(it, Some(index == 0), &call.place));
    let (certificates, next_marker) =
        Page::of(wanted.page_size, wanted.marker).cut(all.collect())?;
    Ok(Certificates {
        certificates,
        next_marker,
    })
}

pub(in super::super) async fn add(
    call: &Call,
    wanted: ListenerCertificates,
) -> Result<Certificates, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, made: &mut MadeListener| {
        match made.listener.document.protocol {
            ListenerProtocol::Https | ListenerProtocol::Tls => {}
            ListenerProtocol::Http | ListenerProtocol::Tcp => {
                return Err(ApiError::InvalidConfigurationRequest(
                    "only listeners of protocol HTTPS or TLS have certificates".to_owned(),
                ));
            }
        }
        for certificate in &wanted.certificates {
            if certificate.is_default == Some(true) {
                let message = "IsDefault cannot be given here: change the default certificate by ModifyListener";
                return Err(ApiError::Validation(message.to_owned()));
            }
            let name = certificate.named(catalogue)?;
            if !made.certificates.contains(&name) {
                made.certificates.push(name);
            }
        }
        Ok(())
    };
    set(call, &wanted.listener_arn, edit).await?;
    let added = wanted.certificates.into_iter().map(|it| Certificate {
        is_default: Some(false),
        ..it
    });
    Ok(Certificates {
        certificates: added.collect(),
        next_marker: None,
    })
}

pub(in super::super) async fn remove(
    call: &Call,
    wanted: ListenerCertificates,
) -> Result<Done, ApiError> {
    let edit = |_: &Catalogue<'_>, made: &mut MadeListener| {
        for certificate in &wanted.certificates {
            let Ok(Arn::Certificate { name }) = certificate.certificate_arn.parse() else {
                continue; // Whatever it is, the listener does not have it.
            };
            if made.certificates.first() == Some(&name) {
                return Err(ApiError::OperationNotPermitted(format!(
                    "The default certificate '{name}' cannot be removed: give the listener another one by \
                     ModifyListener"
                )));
            }
            made.certificates.retain(|other| *other != name);
        }
        Ok(())
    };
    set(call, &wanted.listener_arn, edit).await.map(|_| Done {})
}
