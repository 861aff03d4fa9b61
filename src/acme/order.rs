//! One order, from its names to a certificate (RFC 8555, section 7.4).

use std::time::Duration;

use instant_acme::{
    AuthorizationStatus, CertificateIdentifier, ChallengeType, Identifier, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName};
use rustls::pki_types::CertificateDer;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::debug;

use super::challenge::{Posted, SEEN_AFTER};
use super::client::Client;
use super::error::{AcmeError, of_problem};
use super::{ChallengeKind, Wanted};
use crate::local_ca::Name;
use crate::tls::Certificate;

/// How long an authority may take to look at the answers, and how long to sign. Those of the public
/// take seconds.
const POLLS: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(180));

/// What an order has led to.
#[derive(Debug)]
pub(super) struct Issued {
    /// The key, then the chain, as PEM.
    pub(super) pem: String,
    /// The same, ready for use.
    pub(super) certificate: Certificate,
}

impl Client {
    /// Gets a certificate. `replaces` is the one that it will take the place of.
    pub(super) async fn order(
        &self,
        wanted: &Wanted,
        kind: ChallengeKind,
        replaces: Option<&CertificateDer<'_>>,
    ) -> Result<Issued, AcmeError> {
        let mut order = self.new_order(wanted, replaces).await?;
        debug!(order = order.url(), "an order was made");
        let _up = self.answer(&mut order, kind).await?;
        let ready = order.poll_ready(&POLLS).await;
        if matches!(
            ready,
            Ok(OrderStatus::Invalid) | Err(instant_acme::Error::Api(_))
        ) {
            return Err(failures(&mut order, kind).await);
        }
        ready.map_err(|error| AcmeError::of("wait for the challenges", error))?;
        self.finish(&mut order, wanted).await
    }

    async fn new_order(
        &self,
        wanted: &Wanted,
        replaces: Option<&CertificateDer<'_>>,
    ) -> Result<Order, AcmeError> {
        let account = self.account().await?;
        let names = wanted.names.iter().map(Name::to_string);
        let identifiers: Vec<Identifier> = names.map(Identifier::Dns).collect();
        let plain = || {
            let order = NewOrder::new(&identifiers);
            match &self.authority.profile {
                Some(profile) => order.profile(profile),
                None => order,
            }
        };
        let replaced = replaces.and_then(|der| CertificateIdentifier::try_from(der).ok());
        if let Some(replaced) = replaced {
            let order = plain().replaces(replaced);
            match account.new_order(&order).await {
                // An authority without renewal information, or one that has replaced it already.
                Err(instant_acme::Error::Unsupported(_)) => {}
                Err(error) => {
                    let error = AcmeError::of("make an order", error);
                    if !error.is_already_replaced() {
                        return Err(error);
                    }
                }
                Ok(order) => return Ok(order),
            }
        }
        let order = account.new_order(&plain()).await;
        order.map_err(|error| AcmeError::of("make an order", error))
    }

    /// Puts the answers up, and says so. They are up until what is returned is dropped.
    async fn answer(
        &self,
        order: &mut Order,
        kind: ChallengeKind,
    ) -> Result<Vec<Posted>, AcmeError> {
        let mut up = Vec::new();
        let wanted = match kind {
            ChallengeKind::Http01 => ChallengeType::Http01,
            ChallengeKind::TlsAlpn01 => ChallengeType::TlsAlpn01,
        };
        let fails = |error| AcmeError::of("see what is to be shown", error);
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(fails)?;
            if authorization.status != AuthorizationStatus::Pending {
                continue; // Shown before, or the order fails and says why.
            }
            let name = authorization.identifier().to_string();
            let challenge = authorization.challenge(wanted.clone());
            let challenge = challenge.ok_or_else(|| AcmeError::NoChallenge {
                kind,
                name: name.clone(),
            })?;
            let subject = match kind {
                ChallengeKind::Http01 => &challenge.token,
                ChallengeKind::TlsAlpn01 => &name,
            };
            let answer = challenge.key_authorization();
            let answer = answer.as_str();
            let posted = Posted::new(&self.challenges, &self.board, kind, subject, answer).await?;
            up.push(posted);
        }
        if up.is_empty() {
            return Ok(up);
        }
        sleep(SEEN_AFTER).await;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(fails)?;
            if authorization.status == AuthorizationStatus::Pending
                && let Some(mut challenge) = authorization.challenge(wanted.clone())
            {
                let told = challenge.set_ready().await;
                told.map_err(|error| AcmeError::of("have a challenge looked at", error))?;
            }
        }
        Ok(up)
    }

    async fn finish(&self, order: &mut Order, wanted: &Wanted) -> Result<Issued, AcmeError> {
        let kind = self.authority.key;
        let key = spawn_blocking(move || kind.generate()).await;
        let key = key.map_err(|_| AcmeError::ShuttingDown)??;
        let names: Vec<String> = wanted.names.iter().map(Name::to_string).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key)?;
        let finalized = order.finalize_csr(request.der()).await;
        finalized.map_err(|error| AcmeError::of("have the certificate made", error))?;
        let chain = order.poll_certificate(&POLLS).await;
        let chain = chain.map_err(|error| AcmeError::of("get the certificate", error))?;
        let key = key.serialize_pem();
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes(), None)?;
        for name in &wanted.names {
            if !certificate.names().any(|known| known == name.as_str()) {
                return Err(AcmeError::Missing(name.to_string()));
            }
        }
        Ok(Issued {
            pem: format!("{key}{chain}"),
            certificate,
        })
    }
}

/// Why an order has failed, in the authority's words; it is let go of.
async fn failures(order: &mut Order, kind: ChallengeKind) -> AcmeError {
    let mut failures = Vec::new();
    let error = order.state().error.clone();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else {
            continue;
        };
        let errors = state
            .challenges
            .iter()
            .filter_map(|challenge| challenge.error.as_ref());
        failures.extend(errors.map(|error| format!("{name}: {}", of_problem(error))));
        if state.status == AuthorizationStatus::Pending {
            // Authorities allow a number of these to wait.
            let _ = authorization.deactivate().await;
        }
    }
    if failures.is_empty() {
        failures.push(match &error {
            Some(error) => of_problem(error),
            None => "the order is invalid".to_owned(),
        });
    }
    AcmeError::Challenge { kind, failures }
}
