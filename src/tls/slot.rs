//! A certificate's place: named in the configuration, filled now or later, replaced in passing.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::certificate::Certificate;
use super::choose::Certificates;
use super::files::Files;

/// A place for a certificate. Several listeners may show the same one.
///
/// This is also the door for certificates that do not come from files: make a slot without one, put
/// it among a listener's [`Certificates`], and [`Slot::fill`] it when the certificate arrives.
pub struct Slot {
    name: Arc<str>,
    files: Option<Files>,
    current: ArcSwapOption<Certificate>,
    failure: Mutex<Option<Failure>>,
    shown_by: Mutex<Vec<Weak<Certificates>>>,
}

/// Why the last attempt to replace a certificate failed; the one before stays in use.
#[derive(Clone, Debug)]
pub struct Failure {
    /// When.
    pub at: SystemTime,
    /// Why, and what to do about it.
    pub reason: String,
}

impl Slot {
    /// An empty place. `name` is what logs and metrics call it; `files` are where its certificate
    /// comes from, unless somebody else brings it.
    pub fn new(name: impl Into<Arc<str>>, files: Option<Files>) -> Self {
        Self {
            name: name.into(),
            files,
            current: ArcSwapOption::empty(),
            failure: Mutex::default(),
            shown_by: Mutex::default(),
        }
    }

    /// A place with a certificate in it.
    pub fn with(name: impl Into<Arc<str>>, files: Option<Files>, certificate: Certificate) -> Self {
        let slot = Self::new(name, files);
        slot.current.store(Some(Arc::new(certificate)));
        slot
    }

    /// What logs and metrics call it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where its certificate comes from, if from files.
    pub fn files(&self) -> Option<&Files> {
        self.files.as_ref()
    }

    /// The certificate in use.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.current.load_full()
    }

    /// Puts a certificate in the place of the one before: handshakes from now on see it, connections
    /// that are open do not notice.
    pub fn fill(&self, certificate: Certificate) {
        self.current.store(Some(Arc::new(certificate)));
        *self.failure.lock() = None;
        self.shown_by.lock().retain(|certificates| {
            let certificates = certificates.upgrade();
            certificates
                .inspect(|certificates| certificates.index())
                .is_some()
        });
    }

    /// Whether that very certificate, with its key and OCSP response, is in use.
    pub fn holds(&self, certificate: &Certificate) -> bool {
        let current = self.current.load();
        current
            .as_ref()
            .is_some_and(|current| current.is(certificate))
    }

    /// Notes that the certificate in use is the one that should be.
    pub fn recover(&self) {
        *self.failure.lock() = None;
    }

    /// Notes that a certificate that should have come in its place cannot be used.
    pub fn fail(&self, reason: impl Into<String>, at: SystemTime) {
        let reason = reason.into();
        *self.failure.lock() = Some(Failure { at, reason });
    }

    /// Why the last attempt to replace it failed, if it did.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.lock().clone()
    }

    /// Tells `certificates` of every change from now on.
    pub(super) fn tell(&self, certificates: &Arc<Certificates>) {
        let mut shown_by = self.shown_by.lock();
        shown_by.retain(|certificates| certificates.strong_count() > 0);
        shown_by.push(Arc::downgrade(certificates));
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.name).finish()
    }
}
