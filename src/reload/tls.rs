//! From read certificates to what answers TLS clients, and what of that outlives a configuration.

use std::sync::Arc;

use tracing::warn;

use super::ReloadError;
use crate::acme::Prepared as Ordered;
use crate::config::{
    CertificateSource, LoadedCertificates, LoadedTrustStores, ValidClientAuthentication,
    ValidConfig, ValidTls,
};
use crate::tls::{
    Certificates, Challenges, ClientAuthentication, KeyLogFile, Settings, Terminator, Terminators,
    Tickets, Verify,
};

/// What outlives the TLS of one configuration.
#[derive(Debug, Default)]
pub struct TlsState {
    /// Sessions are resumed over reloads.
    pub tickets: Tickets,
    /// Whoever orders certificates puts the ACME server's challenges here.
    pub challenges: Arc<Challenges>,
}

impl TlsState {
    /// Makes the terminators of all HTTPS listeners.
    ///
    /// # Errors
    ///
    /// The key log cannot be opened, or rustls finds fault.
    pub(super) fn terminators(
        &self,
        valid: &ValidConfig,
        certificates: &LoadedCertificates,
        ordered: &Ordered,
        trust_stores: &LoadedTrustStores,
    ) -> Result<Terminators, ReloadError> {
        let key_log = match &valid.key_log {
            None => None,
            Some(path) => {
                let opened = KeyLogFile::open(path).map_err(|source| ReloadError::KeyLog {
                    path: path.clone(),
                    source,
                })?;
                warn!(
                    path = %path.display(),
                    "the secrets of all TLS sessions are written to a file: whoever has it can read \
                     everything; take `tls.key_log` out when you are done"
                );
                Some(Arc::new(opened))
            }
        };
        let mut terminators = Terminators::default();
        for (group, connector) in certificates.connectors() {
            terminators.connect(Arc::clone(group), Arc::clone(connector));
        }
        for load_balancer in &valid.load_balancers {
            let name = &load_balancer.name;
            for listener in &load_balancer.listeners {
                let Some(tls) = &listener.tls else {
                    continue;
                };
                let protocols = listener.application_protocols(&load_balancer.attributes);
                let asked = asked(tls, trust_stores).map_err(|source| ReloadError::Tls {
                    load_balancer: Arc::clone(name),
                    port: listener.port,
                    source,
                })?;
                let clients = asked.as_ref().map_or("", ClientAuthentication::as_str);
                let tickets = self.tickets.of(name, listener.port, clients);
                let terminator = tickets.and_then(|tickets| {
                    Terminator::new(Settings {
                        policy: tls.policy,
                        certificates: shown(tls, certificates, ordered),
                        protocols,
                        tickets,
                        early_data: tls.early_data.then(|| {
                            let headers = load_balancer.attributes.limits.headers;
                            self.tickets.sessions(name, listener.port, headers)
                        }),
                        challenges: Arc::clone(&self.challenges),
                        client_authentication: asked,
                        key_log: key_log.clone(),
                    })
                });
                let terminator = terminator.map_err(|source| ReloadError::Tls {
                    load_balancer: Arc::clone(name),
                    port: listener.port,
                    source,
                })?;
                terminators.insert(Arc::clone(name), listener.port, Arc::new(terminator));
            }
        }
        Ok(terminators)
    }
}

/// What a listener asks of its clients. Fails without its trust store, which the checks would have
/// found out: never may it ask for nothing instead.
fn asked(
    tls: &ValidTls,
    trust_stores: &LoadedTrustStores,
) -> Result<Option<ClientAuthentication>, rustls::Error> {
    let authentication = match &tls.client_authentication {
        None => return Ok(None),
        Some(ValidClientAuthentication::Passthrough) => ClientAuthentication::Passthrough,
        Some(ValidClientAuthentication::Verify {
            trust_store,
            ignore_expiry,
            advertise_names,
        }) => {
            let slot = trust_stores.slot(trust_store);
            let missing = || rustls::Error::General(format!("no trust store {trust_store:?}"));
            ClientAuthentication::Verify(Verify {
                trust_store: Arc::clone(slot.ok_or_else(missing)?),
                ignore_expiry: *ignore_expiry,
                advertise_names: *advertise_names,
            })
        }
    };
    Ok(Some(authentication))
}

/// The places of the certificates that a listener shows.
fn shown(tls: &ValidTls, loaded: &LoadedCertificates, ordered: &Ordered) -> Arc<Certificates> {
    let slots = tls
        .certificates
        .iter()
        .filter_map(|wanted| match &wanted.source {
            CertificateSource::Files(files) => loaded.slot(&wanted.name, files).cloned(),
            CertificateSource::Acme(wanted) => ordered.slot(wanted),
        });
    Certificates::new(slots.collect())
}
