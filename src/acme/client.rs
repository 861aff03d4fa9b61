//! One account's side of the protocol: the account itself, orders, renewal windows.
//!
//! The protocol is instant-acme's; here is what it is used for, step by step, and what it says is
//! put into an operator's words.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use instant_acme::{Account, CertificateIdentifier, ExternalAccountKey, NewAccount, RenewalInfo};
use rustls::pki_types::CertificateDer;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::info;

use super::challenge::Challenges;
use super::error::AcmeError;
use super::schedule::Window;
use super::settings::Authority;
use super::storage::{Folder, StorageError, StoredAccount};
use super::transport::{Transport, TransportError};
use crate::tls::authorities;

/// How often a lock that another process holds is tried.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Making an account takes a few exchanges.
const ACCOUNT_WITHIN: Duration = Duration::from_secs(120);

/// Speaks for one account.
pub(super) struct Client {
    pub(super) authority: Arc<Authority>,
    pub(super) folder: Folder,
    pub(super) challenges: Arc<Challenges>,
    /// Where the answers to challenges are put for other processes.
    pub(super) board: PathBuf,
    transport: Transport,
    /// Known to be the authority's, once it was used.
    account: Mutex<Option<Account>>,
}

impl Client {
    /// Reads whom to trust.
    pub(super) async fn new(
        authority: Arc<Authority>,
        folder: Folder,
        challenges: Arc<Challenges>,
        board: PathBuf,
    ) -> Result<Self, AcmeError> {
        let ca = authority.ca.clone();
        let trusted = blocking(move || Ok(authorities(ca.as_deref()))).await?;
        let trusted = trusted.map_err(TransportError::Roots);
        let transport = trusted.and_then(Transport::new);
        let transport = transport.map_err(|source| AcmeError::Transport {
            what: "make ready to reach the authority",
            source,
        })?;
        Ok(Self {
            authority,
            folder,
            challenges,
            board,
            transport,
            account: Mutex::default(),
        })
    }

    /// Before this the authority does not want to be asked again; forgets it.
    pub(super) fn take_retry_after(&self) -> Option<SystemTime> {
        self.transport.take_retry_after()
    }

    /// When the authority would like a certificate to be renewed, and how long that answer is good;
    /// `None` where it has no such service (RFC 9773).
    pub(super) async fn renewal(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Result<Option<(Window, Duration)>, AcmeError> {
        let Ok(identifier) = CertificateIdentifier::try_from(certificate) else {
            return Ok(None); // It does not say which key of the authority it was signed with.
        };
        let account = self.account().await?;
        match account.renewal_info(&identifier).await {
            Ok((
                RenewalInfo {
                    suggested_window, ..
                },
                good_for,
            )) => {
                let window = Window {
                    start: suggested_window.start.into(),
                    end: suggested_window.end.into(),
                };
                Ok(Some((window, good_for)))
            }
            Err(instant_acme::Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(AcmeError::of("ask when to renew", error)),
        }
    }

    /// The account, made if there is none.
    pub(super) async fn account(&self) -> Result<Account, AcmeError> {
        let mut known = self.account.lock().await;
        if let Some(account) = &*known {
            return Ok(account.clone());
        }
        let account = match self.stored_account().await? {
            Some(stored) => self.open(stored).await?,
            None => self.create().await?,
        };
        *known = Some(account.clone());
        Ok(account)
    }

    /// The authority does not know the account: the next order makes another one.
    pub(super) async fn forget_account(&self) -> Result<(), AcmeError> {
        let mut known = self.account.lock().await;
        *known = None;
        let folder = self.folder.clone();
        blocking(move || folder.retire_account()).await
    }

    async fn stored_account(&self) -> Result<Option<StoredAccount>, AcmeError> {
        let folder = self.folder.clone();
        blocking(move || folder.account()).await
    }

    async fn open(&self, stored: StoredAccount) -> Result<Account, AcmeError> {
        let folder = self.folder.clone();
        let builder = Account::builder_with_http(Box::new(self.transport.clone()));
        // They cannot be copied, and opening the account takes them.
        let kept = serde_json::to_value(&stored.credentials);
        let account = builder.from_credentials(stored.credentials).await;
        let account = account.map_err(|error| AcmeError::of("open the account", error))?;
        if stored.contact != self.authority.contact {
            let contact: Vec<&str> = self.contact();
            let updated = account.update_contacts(&contact).await;
            updated.map_err(|error| AcmeError::of("change the account's contact", error))?;
            if let Ok(credentials) = kept.and_then(serde_json::from_value) {
                let contact = self.authority.contact.clone();
                let stored = StoredAccount {
                    credentials,
                    contact,
                };
                blocking(move || folder.keep_account(&stored)).await?;
            }
        }
        Ok(account)
    }

    async fn create(&self) -> Result<Account, AcmeError> {
        let lock = async {
            loop {
                let folder = self.folder.clone();
                if let Some(lock) = blocking(move || folder.lock("account")).await? {
                    return Ok::<_, AcmeError>(lock);
                }
                sleep(TRY_AGAIN).await;
            }
        };
        let lock = tokio::time::timeout(ACCOUNT_WITHIN, lock).await;
        let slow = "another process holds the lock of the account and does not let go";
        let _lock = lock.map_err(|_| AcmeError::Timeout(slow))??;
        if let Some(stored) = self.stored_account().await? {
            return self.open(stored).await;
        }
        let external = self.external_key().await?;
        let contact = self.contact();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true, // A configuration without it is refused.
            only_return_existing: false,
        };
        let (account, credentials) = Account::builder_with_http(Box::new(self.transport.clone()))
            .create(
                &wanted,
                self.authority.directory.to_string(),
                external.as_ref(),
            )
            .await
            .map_err(|error| AcmeError::of("make an account", error))?;
        info!(
            acme = %self.authority.name,
            directory = %self.authority.directory,
            account = account.id(),
            "an account was made"
        );
        let stored = StoredAccount {
            credentials,
            contact: self.authority.contact.clone(),
        };
        let folder = self.folder.clone();
        blocking(move || folder.keep_account(&stored)).await?;
        Ok(account)
    }

    fn contact(&self) -> Vec<&str> {
        self.authority.contact.iter().map(String::as_str).collect()
    }

    async fn external_key(&self) -> Result<Option<ExternalAccountKey>, AcmeError> {
        let Some(external) = self.authority.external_account.clone() else {
            return Ok(None);
        };
        let path = external.key_file.clone();
        let read = spawn_blocking(move || fs::read_to_string(&external.key_file)).await;
        let wrong = |why: String| AcmeError::ExternalKey {
            path: path.clone(),
            why,
        };
        let text = read.map_err(|_| AcmeError::ShuttingDown)?;
        let text = text.map_err(|error| wrong(error.to_string()))?;
        let key = decode(text.trim()).ok_or_else(|| wrong("this is not base64".to_owned()))?;
        Ok(Some(ExternalAccountKey::new(external.key_id, &key)))
    }
}

/// Authorities hand it out in one alphabet or the other, with and without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.is_empty() {
        return None;
    }
    let decoded = URL_SAFE_NO_PAD.decode(text);
    decoded.or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
}

/// Does what blocks where that harms nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, AcmeError> {
    match spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(AcmeError::ShuttingDown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_external_account_is_read_in_both_alphabets() {
        assert_eq!(decode("-_-_"), Some(vec![0xfb, 0xff, 0xbf]));
        assert_eq!(decode("+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
        assert_eq!(decode("AQ=="), Some(vec![1]));
        assert_eq!(decode("AQ"), Some(vec![1]));
        assert_eq!(decode(""), None);
        assert_eq!(decode("not base64!"), None);
    }
}
