//! The life of one certificate: looked up, ordered when it is due, put in its place, again and again.
//!
//! Whoever gets certificates is an argument ([`Issuer`]), so that the order of things can be tested
//! without an authority and in no time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::client::{Client, blocking};
use super::error::AcmeError;
use super::order::Issued;
use super::schedule::{Facts, Window};
use super::settings::{Identity, chance};
use super::status::{SharedStatus, Shown};
use super::storage::{Folder, History, Suggestion};
use super::{Attempt, ChallengeKind, Clock, Failure, Reason, Wanted};
use crate::metrics::AcmeMetrics;
use crate::tls::{Certificate, Slot};

/// How long an order may take in all.
const ORDER_WITHIN: Duration = Duration::from_secs(10 * 60);

/// How often a lock that another process holds is tried: it is ordering the same certificate.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How often a state directory that cannot be used is tried.
const MENDED_AFTER: Duration = Duration::from_secs(60);

/// How long an authority's word of when to renew is good, whatever it says itself.
const ADVICE: (Duration, Duration) = (
    Duration::from_secs(60 * 60),
    Duration::from_secs(24 * 60 * 60),
);

/// A new certificate is hardly to be renewed at once.
const FIRST_ADVICE: Duration = Duration::from_secs(60);

/// Gets certificates.
pub(super) trait Issuer: Send + Sync {
    fn order(
        &self,
        wanted: &Wanted,
        kind: ChallengeKind,
        replaces: Option<&CertificateDer<'_>>,
    ) -> impl Future<Output = Result<Issued, AcmeError>> + Send;

    fn renewal(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> impl Future<Output = Result<Option<(Window, Duration)>, AcmeError>> + Send;

    /// Before this the authority does not want to be asked again; forgets it.
    fn take_retry_after(&self) -> Option<SystemTime>;
}

impl Issuer for Client {
    async fn order(
        &self,
        wanted: &Wanted,
        kind: ChallengeKind,
        replaces: Option<&CertificateDer<'_>>,
    ) -> Result<Issued, AcmeError> {
        let issued = Self::order(self, wanted, kind, replaces).await;
        if issued.as_ref().is_err_and(AcmeError::is_unknown_account) {
            self.forget_account().await?;
        }
        issued
    }

    async fn renewal(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Result<Option<(Window, Duration)>, AcmeError> {
        Self::renewal(self, certificate).await
    }

    fn take_retry_after(&self) -> Option<SystemTime> {
        Self::take_retry_after(self)
    }
}

/// Keeps one certificate.
pub(super) struct Keeper<I> {
    pub(super) wanted: Wanted,
    pub(super) identity: Identity,
    pub(super) folder: Folder,
    pub(super) issuer: Arc<I>,
    pub(super) slot: Arc<Slot>,
    /// What is shown until there is one.
    pub(super) stand_in: Option<Shown>,
    pub(super) status: SharedStatus,
    pub(super) metrics: Arc<AcmeMetrics>,
    pub(super) clock: Clock,
    /// How many may order at the same time.
    pub(super) turns: Arc<Semaphore>,
    /// Wakes it for an order that is not due.
    pub(super) wake: Arc<Notify>,
    /// What could not be written: it is used all the same, and tried again.
    pub(super) unsaved: Unsaved,
}

/// What is not on disk, but should be.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// The key, then the chain.
    pem: Option<String>,
    history: Option<History>,
}

/// What is known about the certificate.
struct Known {
    certificate: Option<Arc<Certificate>>,
    history: History,
}

impl Known {
    fn serial(&self) -> &str {
        self.certificate.as_ref().map_or("", |known| known.serial())
    }

    fn due(&self, stem: &str) -> SystemTime {
        let life = self.certificate.as_ref().map(|certificate| Window {
            start: certificate.not_before(),
            end: certificate.not_after(),
        });
        let suggested = self.history.suggested.as_ref();
        let suggested = suggested.filter(|suggested| suggested.serial == self.serial());
        Facts {
            life,
            suggested: suggested.map(Suggestion::window),
            failures: self.history.failures,
            last: self.history.last.as_ref(),
            chance: chance(stem, self.serial()),
        }
        .due()
    }
}

impl<I: Issuer> Keeper<I> {
    /// Keeps the certificate until it is dropped.
    pub(super) async fn run(mut self) {
        let mut forced = false;
        let mut ask_at = self.clock.now() + FIRST_ADVICE;
        loop {
            let known = match self.look().await {
                Ok(known) => known,
                Err(error) => {
                    self.storage_fails(&error);
                    sleep(MENDED_AFTER).await;
                    continue;
                }
            };
            let due = known.due(&self.identity.stem);
            self.status.lock().next_order = Some(due);
            let now = self.clock.now();
            if forced || due <= now {
                forced = !self.take_turn(forced).await && forced;
                continue;
            }
            if let Some(certificate) = &known.certificate
                && ask_at <= now
            {
                ask_at = now + self.ask_when(certificate, &known.history).await;
                continue;
            }
            tokio::select! {
                () = self.clock.until(due.min(ask_at.max(now + FIRST_ADVICE))) => {}
                () = self.wake.notified() => forced = true,
            }
        }
    }

    /// What is known, first of all from disk; what is found there is put in its place.
    async fn look(&mut self) -> Result<Known, AcmeError> {
        self.save().await;
        let (folder, stem) = (self.folder.clone(), self.identity.stem.clone());
        let read = move || Ok((folder.certificate(&stem)?, folder.history(&stem)?));
        let (pem, history) = blocking(read).await?;
        let shown = self.slot.certificate();
        let certificate = match (&self.unsaved.pem, pem) {
            (Some(_), _) => shown,
            (None, None) => None,
            (None, Some(pem)) => self.place(shown, &pem),
        };
        let history = self.unsaved.history.clone().unwrap_or(history);
        let mut status = self.status.lock();
        let own = certificate.as_deref().map(Shown::from);
        status.shown = own.or_else(|| self.stand_in.clone());
        status.failures = history.failures;
        status.last = history.last.clone();
        drop(status);
        Ok(Known {
            certificate,
            history,
        })
    }

    /// Shows the certificate of the file, unless it is shown already.
    fn place(&self, shown: Option<Arc<Certificate>>, pem: &str) -> Option<Arc<Certificate>> {
        let certificate = match Certificate::from_pem(pem.as_bytes(), pem.as_bytes(), None) {
            Ok(certificate) => certificate,
            Err(error) => {
                let file = self.folder.file(&self.identity.stem, "pem");
                warn!(
                    file = %file.display(),
                    %error,
                    "a certificate that was kept cannot be used: another one is ordered"
                );
                return None;
            }
        };
        if let Some(shown) = shown.filter(|shown| shown.serial() == certificate.serial()) {
            return Some(shown);
        }
        info!(
            certificate = %self.wanted.name,
            expires = %humantime::format_rfc3339_seconds(certificate.not_after()),
            "a certificate that was kept is shown"
        );
        self.slot.fill(certificate);
        self.slot.certificate()
    }

    /// Orders, when it is this one's turn and nobody else is at it. Returns whether that is done,
    /// whatever came of it.
    async fn take_turn(&mut self, forced: bool) -> bool {
        let turns = Arc::clone(&self.turns);
        let Ok(_turn) = turns.acquire().await else {
            return false; // Nobody closes it.
        };
        let (folder, stem) = (self.folder.clone(), self.identity.stem.clone());
        let lock = match blocking(move || folder.lock(&stem)).await {
            Ok(lock) => lock,
            Err(error) => {
                self.storage_fails(&error);
                drop(_turn);
                sleep(MENDED_AFTER).await;
                return false;
            }
        };
        let Some(_lock) = lock else {
            drop(_turn);
            sleep(TRY_AGAIN).await;
            return false;
        };
        // With the lock the look is the last word: whoever had it before may have ordered.
        match self.look().await {
            Ok(known) if forced || known.due(&self.identity.stem) <= self.clock.now() => {
                self.status.lock().ordering = true;
                self.attempt(known).await;
                self.status.lock().ordering = false;
                true
            }
            Ok(_) => true,
            Err(error) => {
                self.storage_fails(&error);
                false
            }
        }
    }

    async fn attempt(&mut self, known: Known) {
        let Known {
            certificate,
            mut history,
        } = known;
        let kinds = &self.wanted.challenges;
        let turn = usize::try_from(history.failures).unwrap_or_default() % kinds.len().max(1);
        let kind = kinds.get(turn).copied().unwrap_or(ChallengeKind::Http01);
        info!(
            certificate = %self.wanted.name,
            names = self.wanted.names.len(),
            acme = %self.wanted.authority.name,
            challenge = %kind,
            "ordering a certificate"
        );
        let chain = certificate
            .as_ref()
            .map(|certificate| &certificate.key().cert);
        let replaces = chain.and_then(|chain| chain.first());
        let order = self.issuer.order(&self.wanted, kind, replaces);
        let issued = timeout(ORDER_WITHIN, order).await;
        let issued = issued.unwrap_or(Err(AcmeError::Timeout("the order took too long")));
        let at = self.clock.now();
        match issued {
            Ok(issued) => {
                self.metrics.order("success");
                history = History {
                    last: Some(Attempt { at, failure: None }),
                    ..History::default()
                };
                self.takes(issued);
            }
            Err(error) => {
                let failure = Failure {
                    reason: error.reason(),
                    detail: error.to_string(),
                    retry_after: self.issuer.take_retry_after().filter(|time| *time > at),
                };
                self.metrics.order(failure.reason.as_str());
                history.failures = history.failures.saturating_add(1);
                history.last = Some(Attempt {
                    at,
                    failure: Some(failure),
                });
                let known = Known {
                    certificate,
                    history: history.clone(),
                };
                self.tell_failure(&known, &error, at);
            }
        }
        self.unsaved.history = Some(history);
        self.save().await;
    }

    /// A certificate has come.
    fn takes(&mut self, issued: Issued) {
        info!(
            certificate = %self.wanted.name,
            serial = issued.certificate.serial(),
            expires = %humantime::format_rfc3339_seconds(issued.certificate.not_after()),
            "a certificate has come and is shown"
        );
        self.slot.fill(issued.certificate);
        self.unsaved.pem = Some(issued.pem);
    }

    fn tell_failure(&self, known: &Known, error: &AcmeError, now: SystemTime) {
        let title = &*self.wanted.name;
        self.slot.fail(error.to_string(), now);
        let again = known.due(&self.identity.stem);
        let again = humantime::format_rfc3339_seconds(again);
        let reason = error.reason().as_str();
        match &known.certificate {
            Some(certificate) if certificate.not_after() > now => warn!(
                certificate = title,
                reason,
                %error,
                expires = %humantime::format_rfc3339_seconds(certificate.not_after()),
                %again,
                "a certificate could not be renewed; the one before stays"
            ),
            shown => error!(
                certificate = title,
                reason,
                %error,
                %again,
                "a certificate could not be had; clients are shown {}",
                match (shown, &self.stand_in) {
                    (Some(_), _) => "the one before, which has expired",
                    (None, Some(_)) => "an older one, which is not for all names",
                    (None, None) => "a placeholder that they do not trust",
                }
            ),
        }
    }

    /// Asks the authority when it would like the certificate to be renewed. Returns how long its
    /// answer is good.
    async fn ask_when(&mut self, certificate: &Certificate, history: &History) -> Duration {
        let (shortest, longest) = ADVICE;
        let Some(leaf) = certificate.key().cert.first() else {
            return longest;
        };
        let (window, good_for) = match self.issuer.renewal(leaf).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return longest,
            Err(error) => {
                // Only advice: what it advises about goes on without.
                warn!(certificate = %self.wanted.name, %error, "no word of when to renew");
                return longest / 4;
            }
        };
        let suggested = Suggestion::new(certificate.serial().to_owned(), window);
        if history.suggested.as_ref() != Some(&suggested) {
            let (folder, stem) = (self.folder.clone(), self.identity.stem.clone());
            let note = move || {
                let Some(_lock) = folder.lock(&stem)? else {
                    return Ok(()); // Whoever holds it replaces the certificate.
                };
                let mut history = folder.history(&stem)?;
                history.suggested = Some(suggested);
                folder.keep_history(&stem, &history)
            };
            if let Err(error) = blocking(note).await {
                self.storage_fails(&error);
            }
        }
        good_for.clamp(shortest, longest)
    }

    /// Writes what is not on disk yet.
    async fn save(&mut self) {
        let pem = self.unsaved.pem.clone();
        let history = self.unsaved.history.clone();
        if pem.is_none() && history.is_none() {
            return;
        }
        let (folder, stem) = (self.folder.clone(), self.identity.stem.clone());
        let write = move || {
            if let Some(pem) = pem {
                folder.keep_certificate(&stem, &pem)?;
            }
            match history {
                Some(history) => folder.keep_history(&stem, &history),
                None => Ok(()),
            }
        };
        match blocking(write).await {
            Ok(()) => self.unsaved = Unsaved::default(),
            Err(error) => self.storage_fails(&error),
        }
    }

    fn storage_fails(&self, error: &AcmeError) {
        error!(
            certificate = %self.wanted.name,
            %error,
            "the state directory cannot be used; a restart would order certificates again"
        );
        self.metrics.order(Reason::Storage.as_str());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
mod tests;
