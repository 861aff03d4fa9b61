//! What authorities may ask to find out who has a name, and the answers.
//!
//! An answer is up from when it is [`Challenges::put`] until what that returns is dropped. It is also
//! put into a folder, and [`mirror`] puts up here what other processes have put there: the authority
//! may meet any of the nodes that a name stands for.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::{Mutex, RwLock};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::ChallengeKind;
use super::error::AcmeError;
use crate::disk::{self, Readers};
use crate::tls;

/// How often a process looks what others have put up; they wait for longer before they say that it
/// is there.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// After this the others are taken to have seen it.
pub(super) const SEEN_AFTER: Duration = Duration::from_millis(1200);

/// No order takes this long: what is older was left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(60 * 60);

const HTTP_PREFIX: &[u8] = b"/.well-known/acme-challenge/";

/// The answers that are up. Shared by all listeners.
#[derive(Debug, Default)]
pub struct Challenges {
    tls: Arc<tls::Challenges>,
    http: RwLock<HashMap<Box<[u8]>, Arc<str>>>,
    /// How many there are in `http`.
    waiting: AtomicUsize,
    /// How often each answer is up.
    holders: Mutex<HashMap<Question, usize>>,
}

/// What an authority will ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    kind: ChallengeKind,
    /// The token for HTTP-01, the name for TLS-ALPN-01.
    subject: String,
}

/// An answer that is up. Dropping it takes it down.
#[derive(Debug)]
#[must_use]
pub struct Up {
    challenges: Arc<Challenges>,
    question: Question,
}

/// An answer that is up, also in the folder. Dropping it takes it down.
#[derive(Debug)]
pub(super) struct Posted {
    _up: Up,
    path: PathBuf,
}

impl Challenges {
    /// The same, answering TLS-ALPN-01 by way of `tls`.
    pub fn new(tls: Arc<tls::Challenges>) -> Arc<Self> {
        Arc::new(Self {
            tls,
            ..Self::default()
        })
    }

    /// Those that listeners with TLS answer.
    pub fn tls(&self) -> &Arc<tls::Challenges> {
        &self.tls
    }

    /// The body of the answer to a request for this path (without its query), if an authority may
    /// ask for it now.
    pub fn http(&self, path: &[u8]) -> Option<Arc<str>> {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let token = path.strip_prefix(HTTP_PREFIX)?;
        self.http.read().get(token).map(Arc::clone)
    }

    /// Puts an answer up. `subject` is the token for HTTP-01, the name for TLS-ALPN-01.
    ///
    /// # Errors
    ///
    /// The certificate for TLS-ALPN-01 cannot be made.
    pub fn put(
        self: &Arc<Self>,
        kind: ChallengeKind,
        subject: &str,
        key_authorization: &str,
    ) -> Result<Up, AcmeError> {
        let question = Question {
            kind,
            subject: subject.to_owned(),
        };
        // Held throughout, so that a last holder who leaves now does not take this one down.
        let mut holders = self.holders.lock();
        match kind {
            ChallengeKind::Http01 => {
                let mut http = self.http.write();
                http.insert(subject.as_bytes().into(), key_authorization.into());
                self.waiting.store(http.len(), Ordering::Relaxed);
            }
            ChallengeKind::TlsAlpn01 => {
                let certificate = challenge_certificate(subject, key_authorization)?;
                self.tls.expect(subject, Arc::new(certificate));
            }
        }
        *holders.entry(question.clone()).or_default() += 1;
        Ok(Up {
            challenges: Arc::clone(self),
            question,
        })
    }

    fn take_down(&self, question: &Question) {
        let mut holders = self.holders.lock();
        if let Some(count) = holders.get_mut(question) {
            *count -= 1;
            if *count > 0 {
                return;
            }
        }
        holders.remove(question);
        match question.kind {
            ChallengeKind::Http01 => {
                let mut http = self.http.write();
                http.remove(question.subject.as_bytes());
                self.waiting.store(http.len(), Ordering::Relaxed);
            }
            ChallengeKind::TlsAlpn01 => self.tls.forget(&question.subject),
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.challenges.take_down(&self.question);
    }
}

impl Posted {
    /// Puts an answer up, here and in `folder`.
    pub(super) async fn new(
        challenges: &Arc<Challenges>,
        folder: &Path,
        kind: ChallengeKind,
        subject: &str,
        key_authorization: &str,
    ) -> Result<Self, AcmeError> {
        // The authority chose the token; RFC 8555 section 8.1 leaves it these characters.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if subject.is_empty() || subject.starts_with('.') || !subject.bytes().all(fits) {
            return Err(AcmeError::Token(subject.to_owned()));
        }
        let path = folder.join(format!("{kind}_{subject}"));
        let up = challenges.put(kind, subject, key_authorization)?;
        let (folder, file) = (folder.to_owned(), path.clone());
        let contents = key_authorization.to_owned();
        let write = move || {
            disk::private_folder(&folder)?;
            disk::replace(&file, contents.as_bytes(), Readers::Owner)
        };
        let written = spawn_blocking(write).await.unwrap_or(Ok(()));
        written.map_err(|source| AcmeError::Post {
            path: path.clone(),
            source,
        })?;
        Ok(Self { _up: up, path })
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        // What cannot be removed is removed by whoever finds it left behind.
        let remove = move || {
            let _ = fs::remove_file(path);
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Puts up what other processes have put into `folder`, and takes it down with them. Never ends.
pub(super) async fn mirror(folder: PathBuf, challenges: Arc<Challenges>) {
    let mut up: HashMap<PathBuf, (String, Up)> = HashMap::new();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let seen = {
            let folder = folder.clone();
            spawn_blocking(move || look(&folder)).await
        };
        let Ok(Ok(seen)) = seen else {
            continue; // The folder may not be there yet; who orders says what is wrong with it.
        };
        up.retain(|path, _| seen.contains_key(path));
        for (path, (Question { kind, subject }, answer)) in seen {
            if up.get(&path).is_some_and(|(before, _)| *before == answer) {
                continue;
            }
            if let Ok(put) = challenges.put(kind, &subject, &answer) {
                up.insert(path, (answer, put));
            }
        }
    }
}

fn look(folder: &Path) -> io::Result<HashMap<PathBuf, (Question, String)>> {
    let mut seen = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(question) = name.to_str().and_then(question) else {
            continue;
        };
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let age = age.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > LEFT_BEHIND) {
            let _ = fs::remove_file(entry.path());
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            seen.insert(entry.path(), (question, text));
        }
    }
    Ok(seen)
}

fn question(file: &str) -> Option<Question> {
    let (kind, subject) = file.split_once('_')?;
    let kinds = [ChallengeKind::Http01, ChallengeKind::TlsAlpn01];
    Some(Question {
        kind: kinds.into_iter().find(|known| known.as_str() == kind)?,
        subject: subject.to_owned(),
    })
}

/// RFC 8737, section 3: self-signed, for the name alone, with the digest of the key authorization.
fn challenge_certificate(name: &str, key_authorization: &str) -> Result<CertifiedKey, AcmeError> {
    let key = KeyPair::generate()?;
    let digest = digest(&SHA256, key_authorization.as_bytes());
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::from(key);
    let key =
        provider::sign::any_supported_type(&key).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";

    fn path(token: &str) -> Vec<u8> {
        [HTTP_PREFIX, token.as_bytes()].concat()
    }

    async fn eventually(condition: impl Fn() -> bool) {
        let wait = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), wait).await.unwrap();
    }

    #[test]
    fn an_answer_is_up_until_it_is_dropped_and_nothing_else_is_answered() {
        let challenges = Challenges::new(Arc::default());
        let answer = "token.thumbprint";
        let up = challenges
            .put(ChallengeKind::Http01, TOKEN, answer)
            .unwrap();
        assert_eq!(challenges.http(&path(TOKEN)).as_deref(), Some(answer));
        for other in [
            path("other"),
            path(""),
            [path(TOKEN), b"/".to_vec()].concat(),
            TOKEN.as_bytes().to_vec(),
        ] {
            assert_eq!(challenges.http(&other), None);
        }
        drop(up);
        assert_eq!(challenges.http(&path(TOKEN)), None);
    }

    #[test]
    fn an_answer_that_two_have_put_up_stays_for_the_second() {
        let challenges = Challenges::new(Arc::default());
        let put = || {
            challenges
                .put(ChallengeKind::Http01, TOKEN, "answer")
                .unwrap()
        };
        let (first, second) = (put(), put());
        drop(first);
        assert!(challenges.http(&path(TOKEN)).is_some());
        drop(second);
        assert!(challenges.http(&path(TOKEN)).is_none());
    }

    #[test]
    fn the_certificate_of_a_challenge_names_the_host_and_the_digest_of_the_answer() {
        let challenges = Challenges::new(Arc::default());
        assert!(challenges.tls().is_empty());
        let up = challenges.put(ChallengeKind::TlsAlpn01, "shop.test", "answer");
        assert!(!challenges.tls().is_empty());
        drop(up);
        assert!(challenges.tls().is_empty());

        let key = challenge_certificate("shop.test", "answer").unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(&key.cert[0]).unwrap();
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        let only = [x509_parser::extensions::GeneralName::DNSName("shop.test")];
        assert_eq!(names.value.general_names, only);
        let extension = certificate
            .iter_extensions()
            .find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31")
            .unwrap();
        assert!(extension.critical);
        // An OCTET STRING of 32 bytes.
        assert_eq!(extension.value[..2], [4, 32]);
        assert_eq!(extension.value[2..], *digest(&SHA256, b"answer").as_ref());
    }

    #[tokio::test]
    async fn what_one_process_puts_up_another_answers() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("challenges");
        let (one, other) = (
            Challenges::new(Arc::default()),
            Challenges::new(Arc::default()),
        );
        let mirrored = tokio::spawn(mirror(folder.clone(), Arc::clone(&other)));
        let kind = ChallengeKind::Http01;
        let posted = Posted::new(&one, &folder, kind, TOKEN, "answer")
            .await
            .unwrap();
        eventually(|| other.http(&path(TOKEN)).as_deref() == Some("answer")).await;
        drop(posted);
        assert_eq!(one.http(&path(TOKEN)), None);
        eventually(|| other.http(&path(TOKEN)).is_none()).await;
        mirrored.abort();
    }

    #[tokio::test]
    async fn a_token_that_is_no_file_name_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let challenges = Challenges::new(Arc::default());
        for token in ["../../etc/passwd", "", ".", "a/b", "a b"] {
            let kind = ChallengeKind::Http01;
            let posted = Posted::new(&challenges, state.path(), kind, token, "answer").await;
            assert!(matches!(posted, Err(AcmeError::Token(_))), "{token}");
            assert_eq!(challenges.http(&path(token)), None);
        }
    }

    #[test]
    fn what_was_left_behind_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("http-01_token");
        fs::write(&file, "answer").unwrap();
        fs::write(folder.path().join("README"), "").unwrap();
        assert_eq!(look(folder.path()).unwrap().len(), 1);
        let old = std::time::SystemTime::now() - LEFT_BEHIND - Duration::from_secs(1);
        fs::File::open(&file).unwrap().set_modified(old).unwrap();
        assert!(look(folder.path()).unwrap().is_empty());
        assert!(!file.exists());
    }
}
