//! Notices that the files of certificates have changed, as renewals do, and reads them again.
//!
//! No reload of the configuration: the listener that shows a certificate does not notice. A file that
//! cannot be used leaves the certificate before it in use, and is told of in the log, on the admin
//! side and by a metric. It looks as [`super::watch`] does, and for the same reasons; that all files
//! of a certificate stay the same for one more look is what keeps a new certificate from being
//! read with its old key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use tracing::{info, warn};

use super::watch::{Watch, watch_all};
use crate::snapshot::Shared;
use crate::tls::{Certificate, CertificateError, Files, Look, Slot};

/// Watches the files of all certificates in force. Never ends by itself.
pub async fn watch_certificates(shared: Arc<Shared>) {
    let in_force = |shared: &Shared| shared.load().certificates().cloned().collect();
    watch_all(&shared, in_force, look_at).await;
}

/// What has been seen of the files of each certificate.
type Watches = HashMap<Files, Watch<Look>>;

fn look_at(slots: &[Arc<Slot>], watches: &mut Watches) {
    watches.retain(|files, _| slots.iter().any(|slot| slot.files() == Some(files)));
    let mut settled: Vec<&Files> = Vec::new();
    for files in slots.iter().filter_map(|slot| slot.files()) {
        if settled.contains(&files) {
            continue; // Two listeners may show it by two names.
        }
        let watch = watches.entry(files.clone()).or_default();
        if watch.has_settled(files.look()) {
            settled.push(files);
        }
    }
    for files in settled {
        let read = files.load();
        for slot in slots.iter().filter(|slot| slot.files() == Some(files)) {
            take(slot, &read, files);
        }
    }
}

/// Puts what was read in its place. The first look at files always settles: what it finds is mostly
/// what was read with the configuration.
fn take(slot: &Slot, read: &Result<Certificate, CertificateError>, files: &Files) {
    match read {
        Ok(certificate) if slot.holds(certificate) => slot.recover(),
        Ok(certificate) => {
            slot.fill(certificate.clone());
            info!(
                certificate = %slot.name(),
                serial = certificate.serial(),
                not_after = %humantime::format_rfc3339_seconds(certificate.not_after()),
                "the certificate has been replaced",
            );
        }
        Err(error) => {
            let reason = format!("{error}: {}", error.remedy());
            warn!(
                certificate = %slot.name(),
                file = %files.certificate.display(),
                "a new certificate cannot be used, the one before stays in use: {reason}",
            );
            slot.fail(reason, SystemTime::now());
        }
    }
}
