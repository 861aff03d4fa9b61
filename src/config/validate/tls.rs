//! TLS of a listener: certificates and policy, where they belong.

use super::acme::{self, Orders};
use super::name::Names;
use super::report::Report;
use super::{file, trust_store};
use crate::config::document::{Config, Listener, ListenerCertificate, ListenerProtocol};
use crate::config::path::Path;
use crate::config::valid::{CertificateSource, ValidCertificate, ValidTls};
use crate::tls::{Files, Policy, PolicyError};

/// How many ciphers of a policy that are not served are named.
const NAMED: usize = 4;

/// Checks what a listener says about TLS; none when it speaks none. The files are not read here.
pub(super) fn validate(
    listener: &Listener,
    path: &Path<'_>,
    orders: &mut Orders<'_, '_>,
    report: &mut Report<'_>,
) -> Option<ValidTls> {
    let settings = &listener.mutual_authentication;
    let protocol = listener.protocol;
    let asked = trust_store::mutual_authentication(settings, protocol, path, report);
    early_data(listener, asked.is_some(), path, report);
    if !listener.ends_tls() {
        let written = [
            ("certificates", !listener.certificates.is_empty()),
            ("ssl_policy", listener.ssl_policy.is_some()),
        ];
        for (key, _) in written.into_iter().filter(|(_, written)| *written) {
            let message = format!("`{key}` is for listeners that speak TLS");
            let help = "write protocol = \"HTTPS\", or \"TLS\" without passthrough";
            report.refuse(path.key(key), message, help);
        }
        return None;
    }
    if listener.certificates.is_empty() && report.is_untouched(path.key("certificates")) {
        let help = "add certificates = [{ certificate = \"site.pem\", private_key = \"site.key\" }], \
                    which `elbow cert` makes for a lab, or [{ acme = \"le\", names = \
                    [\"www.example.com\"] }] and an account [[acme]]";
        let message = match listener.protocol == ListenerProtocol::Tls {
            true => "a TLS listener needs a certificate, unless it passes TLS through",
            false => "an HTTPS listener needs a certificate",
        };
        report.refuse(path, message, help);
    }
    let places = path.key("certificates");
    let certificates = listener.certificates.iter().enumerate();
    let certificates = certificates
        .filter_map(|(index, certificate)| {
            validated(certificate, &places.index(index), orders, report)
        })
        .collect();
    let policy = match &listener.ssl_policy {
        None => Policy::default(),
        Some(name) => policy(name, &path.key("ssl_policy"), report)?,
    };
    Some(ValidTls {
        certificates,
        policy,
        client_authentication: asked,
        early_data: listener.early_data,
    })
}

/// Checks who may send early data: nobody whose certificate is verified only later.
fn early_data(listener: &Listener, asked: bool, path: &Path<'_>, report: &mut Report<'_>) {
    let place = path.key("early_data");
    if listener.early_data && !listener.http3 {
        let message = "early data is taken over HTTP/3 only";
        let help = "write `http3 = true`, or leave `early_data` out";
        report.refuse(place, message, help);
    } else if listener.early_data && asked {
        let message = "early data comes before a client's certificate is verified";
        let help = "leave `early_data` or `mutual_authentication` out";
        report.refuse(place, message, help);
    }
}

fn validated(
    certificate: &ListenerCertificate,
    path: &Path<'_>,
    orders: &mut Orders<'_, '_>,
    report: &mut Report<'_>,
) -> Option<ValidCertificate> {
    let source = match &certificate.acme {
        Some(account) => {
            from_files_too(certificate, path, report);
            let wanted = acme::wanted(account, certificate, path, orders, report);
            wanted.map(CertificateSource::Acme)
        }
        None => from_files(certificate, path, report).map(CertificateSource::Files),
    };
    let default_name = match &source {
        Some(CertificateSource::Files(files)) => files.certificate.display().to_string(),
        Some(CertificateSource::Acme(wanted)) => wanted.name.to_string(),
        None => return None,
    };
    let plain = |character: char| !character.is_control() && character != '"';
    let is_plain = |name: &String| !name.is_empty() && name.chars().all(plain);
    if certificate
        .name
        .as_ref()
        .is_some_and(|name| !is_plain(name))
    {
        let message = "the name of a certificate stands between quotes in the access log";
        let help = "write one without quotes and control characters";
        report.refuse(path.key("name"), message, help);
    }
    Some(ValidCertificate {
        name: certificate.name.clone().unwrap_or(default_name).into(),
        source: source?,
        path: path.to_string(),
    })
}

fn from_files(
    certificate: &ListenerCertificate,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Files> {
    if !certificate.names.is_empty() {
        let message = "`names` are for certificates that are ordered";
        let help = "one from a file names its hosts itself; write acme = \"...\" to order one";
        report.refuse(path.key("names"), message, help);
    }
    let Some(own) = &certificate.certificate else {
        if report.is_untouched(path) {
            let help = "write certificate = \"site.pem\", or acme = \"le\" and names";
            report.refuse(path, "it says not where the certificate comes from", help);
        }
        return None;
    };
    let files = [
        ("certificate", Some(own)),
        ("private_key", certificate.private_key.as_ref()),
        ("ocsp_response", certificate.ocsp_response.as_ref()),
    ];
    for (key, file) in files {
        file::validate(file, &path.key(key), report);
    }
    Some(Files {
        certificate: own.clone(),
        private_key: certificate.private_key.as_ref().unwrap_or(own).clone(),
        ocsp_response: certificate.ocsp_response.clone(),
    })
}

/// Refuses files beside an account.
fn from_files_too(certificate: &ListenerCertificate, path: &Path<'_>, report: &mut Report<'_>) {
    let files = [
        ("certificate", &certificate.certificate),
        ("private_key", &certificate.private_key),
        ("ocsp_response", &certificate.ocsp_response),
    ];
    for (key, _) in files.into_iter().filter(|(_, file)| file.is_some()) {
        let message = format!("`{key}` has no place beside `acme`");
        let help = "a certificate comes from files or is ordered: write one or the other";
        report.refuse(path.key(key), message, help);
    }
}

fn policy(name: &str, path: &Path<'_>, report: &mut Report<'_>) -> Option<Policy> {
    let policy = match Policy::named(name) {
        Ok(policy) => policy,
        Err(error) => {
            let help = match &error {
                PolicyError::Unknown {
                    nearest: Some(nearest),
                    ..
                } => format!("did you mean \"ELBSecurityPolicy-{nearest}\"?"),
                _ => format!("the default is \"{}\"", Policy::default().name()),
            };
            report.refuse(path, error.to_string(), help);
            return None;
        }
    };
    let missing = policy.missing();
    if !missing.is_empty() {
        let message = format!("`{name}` is served without {}", enumerated(&missing));
        let help = "what is left is safe, and any client made since 2014 can do with it; \
                    \"ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09\", the default, is served exactly";
        report.warn(path, message, help);
    }
    Some(policy)
}

/// `TLS 1.1, TLS 1.0, AES128-SHA and 13 more ciphers`.
fn enumerated(missing: &[&str]) -> String {
    let versions = missing
        .iter()
        .filter(|name| name.starts_with("TLS"))
        .count();
    let named = missing.len().min(versions + NAMED);
    let mut text = missing[..named].join(", ");
    match missing.len() - named {
        0 => {}
        1 => text.push_str(" and 1 more cipher"),
        more => text.push_str(&format!(" and {more} more ciphers")),
    }
    text
}

/// Checks what holds for all TLS.
pub(super) fn settings(config: &Config, report: &mut Report<'_>) {
    let path = Path::Root.key("tls");
    file::validate(config.tls.key_log.as_ref(), &path.key("key_log"), report);
    let list = Path::Root.key("certificate");
    let mut names = Names::of("certificate", "the certificates");
    for (index, certificate) in config.certificate.iter().enumerate() {
        let path = list.index(index);
        match &certificate.name {
            Some(name) => names.add(name, &path, report),
            None => report.refuse(
                path,
                "the certificate has no name",
                "add name = \"site\", say: listeners that are made through the AWS API know it by that",
            ),
        }
    }
}
