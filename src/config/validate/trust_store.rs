//! Trust stores, and the listeners that name them.

use super::file;
use super::name::Names;
use super::range::QUOTA;
use super::report::Report;
use crate::config::document::{
    Config, ListenerProtocol, MutualAuthentication, MutualAuthenticationMode, TrustStore,
};
use crate::config::path::Path;
use crate::config::valid::{ValidClientAuthentication, ValidTrustStore};
use crate::tls::TrustStoreFiles;

/// How many listeners of a load balancer may verify certificates (ALB's quota).
const VERIFYING: usize = 2;
/// How many revocation lists a trust store may have (ALB's quota).
const LISTS: usize = 30;

/// Checks all trust stores, and who names them. The files are not read here.
pub(super) fn validate(config: &Config, report: &mut Report<'_>) -> Vec<ValidTrustStore> {
    let path = Path::Root.key("trust_store");
    let mut names = Names::of("trust_store", "trust stores");
    let mut valid = Vec::with_capacity(config.trust_store.len());
    for (index, store) in config.trust_store.iter().enumerate() {
        let path = path.index(index);
        names.add(&store.name, &path, report);
        valid.push(trust_store(store, &path, report));
    }
    references(config, &names, report);
    valid
}

fn trust_store(store: &TrustStore, path: &Path<'_>, report: &mut Report<'_>) -> ValidTrustStore {
    let lists = path.key("revocation_lists");
    for (index, file) in store.revocation_lists.iter().enumerate() {
        file::validate(Some(file), &lists.index(index), report);
    }
    let authorities = path.key("ca_certificates");
    file::validate(Some(&store.ca_certificates), &authorities, report);
    if store.revocation_lists.len() > LISTS && report.is_strict() {
        let message = format!("there are more than {LISTS} revocation lists");
        report.refuse(lists, message, QUOTA);
    }
    ValidTrustStore {
        name: store.name.as_str().into(),
        files: TrustStoreFiles {
            ca_certificates: store.ca_certificates.clone(),
            revocation_lists: store.revocation_lists.clone(),
            has_quotas: report.is_strict(),
        },
        path: path.to_string(),
    }
}

/// Checks that the trust stores which listeners name exist, and that not too many of them verify.
fn references(config: &Config, names: &Names<'_>, report: &mut Report<'_>) {
    let path = Path::Root.key("load_balancer");
    for (index, load_balancer) in config.load_balancer.iter().enumerate() {
        let path = path.index(index);
        let path = path.key("listener");
        let mut verifying = 0;
        for (index, listener) in load_balancer.listener.iter().enumerate() {
            let path = path.index(index);
            let path = path.key("mutual_authentication");
            let settings = &listener.mutual_authentication;
            if let Some(name) = settings.trust_store.as_deref()
                && !names.has(name)
                && report.is_untouched("trust_store")
            {
                let message = format!("there is no trust store `{name}`");
                report.refuse(path.key("trust_store"), message, names.remedy(name));
            }
            verifying += usize::from(settings.mode == MutualAuthenticationMode::Verify);
            if verifying > VERIFYING && report.is_strict() {
                let message = format!("more than {VERIFYING} listeners verify certificates");
                report.refuse(path.key("mode"), message, QUOTA);
            }
        }
    }
}

/// Checks what a listener asks of its clients; none when it asks for nothing.
pub(super) fn mutual_authentication(
    settings: &MutualAuthentication,
    protocol: ListenerProtocol,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ValidClientAuthentication> {
    let path = path.key("mutual_authentication");
    let mode = settings.mode;
    if mode != MutualAuthenticationMode::Off && protocol != ListenerProtocol::Https {
        let message = "only HTTPS listeners ask for certificates";
        report.refuse(path.key("mode"), message, "write protocol = \"HTTPS\"");
    }
    if mode == MutualAuthenticationMode::Verify {
        let Some(name) = &settings.trust_store else {
            let help = "write trust_store = \"name\", and [[trust_store]] with that name";
            report.refuse(path.key("mode"), "no trust store is named", help);
            return None;
        };
        return Some(ValidClientAuthentication::Verify {
            trust_store: name.as_str().into(),
            ignore_expiry: settings.ignore_client_certificate_expiry,
            advertise_names: settings.advertise_trust_store_ca_names,
        });
    }
    if mode == MutualAuthenticationMode::Off {
        return None;
    }
    let written = [
        ("trust_store", settings.trust_store.is_some()),
        (
            "ignore_client_certificate_expiry",
            settings.ignore_client_certificate_expiry,
        ),
        (
            "advertise_trust_store_ca_names",
            settings.advertise_trust_store_ca_names,
        ),
    ];
    for (key, _) in written.into_iter().filter(|(_, written)| *written) {
        let message = format!("`{key}` is for listeners that verify certificates");
        report.refuse(path.key(key), message, "write mode = \"verify\"");
    }
    Some(ValidClientAuthentication::Passthrough)
}
