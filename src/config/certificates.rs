//! The certificates that a configuration names, read: step 3 of a reload.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::problem::Problem;
use super::valid::{CertificateSource, ValidCertificate, ValidConfig};
use crate::tls::{Certificate, CertificateError, Connector, Files, Part, Slot};

/// A certificate that expires sooner than this is worth a warning: who renews automatically does so
/// earlier.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The certificates of a configuration. Listeners that name the same files share them. Beside them
/// stand the authorities that target groups believe.
#[derive(Clone, Debug, Default)]
pub struct LoadedCertificates {
    listeners: BTreeMap<(Arc<str>, Files), Arc<Slot>>,
    groups: BTreeMap<Arc<str>, Arc<Connector>>,
}

impl LoadedCertificates {
    /// Where that certificate is.
    pub fn slot(&self, name: &Arc<str>, files: &Files) -> Option<&Arc<Slot>> {
        self.listeners.get(&(Arc::clone(name), files.clone()))
    }

    /// What connects to the targets of groups over TLS.
    pub fn connectors(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Connector>)> {
        self.groups.iter()
    }
}

/// Reads all that `valid` names; what is `known` already only when it is to be read `anew`. Blocks: the
/// files may lie on a network. The problems have a path, and no location yet; if one is an error, there
/// is a certificate less.
pub(super) fn load(
    valid: &ValidConfig,
    known: &LoadedCertificates,
    anew: bool,
    now: SystemTime,
) -> (LoadedCertificates, Vec<Problem>) {
    let mut loaded = LoadedCertificates::default();
    let mut problems = Vec::new();
    let listeners = valid.load_balancers.iter().flat_map(|lb| &lb.listeners);
    let tls = listeners.filter_map(|listener| listener.tls.as_ref());
    for wanted in tls.flat_map(|tls| &tls.certificates) {
        let CertificateSource::Files(files) = &wanted.source else {
            continue; // Whoever orders it has it.
        };
        let key = (Arc::clone(&wanted.name), files.clone());
        if loaded.listeners.contains_key(&key) {
            continue;
        }
        if let Some(slot) = known.slot(&wanted.name, files).filter(|_| !anew) {
            loaded.listeners.insert(key, Arc::clone(slot));
            continue;
        }
        match files.load() {
            Ok(certificate) => {
                problems.extend(doubts((wanted, files), &certificate, now));
                let name = Arc::clone(&wanted.name);
                let slot = Slot::with(name, Some(files.clone()), certificate);
                loaded.listeners.insert(key, Arc::new(slot));
            }
            Err(error) => problems.push(refused((wanted, files), &error)),
        }
    }
    for (index, group) in valid.target_groups.iter().enumerate() {
        let Some(settings) = &group.tls else {
            continue;
        };
        let name = &group.settings.name;
        // Who keeps it keeps its connections and sessions. The system's authorities hardly change.
        let same = known.groups.get(name).filter(|known| {
            known.settings() == settings && (!anew || settings.authorities.is_none())
        });
        let connector = match same {
            Some(same) => Arc::clone(same),
            None => match Connector::new(settings.clone()) {
                Ok(connector) => Arc::new(connector),
                Err(error) => {
                    let path = format!("target_group[{index}].tls.ca");
                    let help =
                        "write the path of a PEM file, or install the package ca-certificates";
                    problems.push(Problem::error(path, error.to_string()).with_help(help));
                    continue;
                }
            },
        };
        loaded.groups.insert(Arc::clone(name), connector);
    }
    (loaded, problems)
}

fn refused((wanted, files): (&ValidCertificate, &Files), error: &CertificateError) -> Problem {
    let (key, file) = match error.part() {
        Part::Certificate => ("certificate", Some(&files.certificate)),
        Part::PrivateKey => ("private_key", Some(&files.private_key)),
        Part::OcspResponse => ("ocsp_response", files.ocsp_response.as_ref()),
    };
    let message = match (error, file) {
        (CertificateError::Read { .. }, _) | (_, None) => error.to_string(),
        (_, Some(file)) => format!("{}: {error}", file.display()),
    };
    Problem::error(format!("{}.{key}", wanted.path), message).with_help(error.remedy())
}

/// What can be used and may not be meant.
fn doubts(
    (wanted, files): (&ValidCertificate, &Files),
    certificate: &Certificate,
    now: SystemTime,
) -> Vec<Problem> {
    let path = format!("{}.certificate", wanted.path);
    let file = files.certificate.display();
    let doubt = |message: String, help: &str| Problem::warning(&path, message).with_help(help);
    let mut doubts = Vec::new();
    let until = humantime::format_rfc3339_seconds(certificate.not_after());
    if certificate.not_after() <= now {
        let message = format!("{file}: the certificate has expired on {until}");
        doubts.push(doubt(message, "clients refuse it: renew it"));
    } else if certificate.not_after() <= now + SOON {
        let message = format!("{file}: the certificate expires on {until}");
        doubts.push(doubt(
            message,
            "renew it; the files are read again when they change",
        ));
    }
    if certificate.not_before() > now {
        let from = humantime::format_rfc3339_seconds(certificate.not_before());
        let message = format!("{file}: the certificate is not valid before {from}");
        doubts.push(doubt(
            message,
            "clients refuse it until then, unless a clock is wrong",
        ));
    }
    if !certificate.is_in_order() {
        let message = format!("{file}: a certificate of the chain is not followed by its issuer's");
        let help = "the site's own comes first, then that of its issuer, and so on; the root is not \
                    needed";
        doubts.push(doubt(message, help));
    }
    doubts
}
