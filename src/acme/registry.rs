//! All certificates that are kept: which a configuration wants, and what keeps them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::challenge::{Challenges, mirror};
use super::client::{Client, blocking};
use super::error::AcmeError;
use super::keeper::{Keeper, Unsaved};
use super::placeholder::placeholder;
use super::settings::Identity;
use super::status::{SharedStatus, Shown, Status};
use super::storage::{Folder, root};
use super::{Clock, Wanted};
use crate::local_ca::Name;
use crate::metrics::Metrics;
use crate::tls::{Certificate, Slot};

/// How many certificates are ordered at the same time: a configuration with hundreds of them must
/// neither flood an authority nor wait for them one by one.
const AT_ONCE: usize = 4;

/// All certificates that are kept. Dropping it ends the keeping, and an order that is under way.
pub struct Acme {
    clock: Clock,
    metrics: Metrics,
    challenges: Arc<Challenges>,
    statuses: Statuses,
    turns: Arc<Semaphore>,
    kept: BTreeMap<Identity, Kept>,
    state: Option<PathBuf>,
    mirror: Option<Task>,
}

/// A certificate that is kept.
struct Kept {
    wanted: Wanted,
    slot: Arc<Slot>,
    /// What is shown until there is one.
    stand_in: Option<Shown>,
    status: SharedStatus,
    wake: Arc<Notify>,
    _task: Task,
}

/// Ends with whoever holds it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a configuration wants, made ready. Dropping it changes nothing.
#[derive(Default)]
pub struct Prepared {
    state: Option<PathBuf>,
    certificates: BTreeMap<Identity, Ready>,
}

struct Ready {
    wanted: Wanted,
    slot: Arc<Slot>,
    /// What is shown until there is one.
    stand_in: Option<Shown>,
    status: SharedStatus,
    /// None goes on as it is.
    client: Option<(Arc<Client>, Folder)>,
}

impl Prepared {
    /// The place of a certificate, for the listeners that show it.
    pub fn slot(&self, wanted: &Wanted) -> Option<Arc<Slot>> {
        let ready = self.certificates.get(&wanted.identity())?;
        Some(Arc::clone(&ready.slot))
    }
}

/// How all certificates are, for whoever asks. Clones show the same.
#[derive(Clone, Default)]
pub struct Statuses(Arc<RwLock<Vec<Watched>>>);

/// How one certificate is, and what wakes its keeper.
type Watched = (SharedStatus, Arc<Notify>);

impl Statuses {
    /// In the order of the authorities and of the certificates' files.
    pub fn all(&self) -> Vec<Status> {
        let statuses = self.0.read();
        statuses
            .iter()
            .map(|(status, _)| status.lock().clone())
            .collect()
    }

    /// Has the certificates of that name ordered anew, whether they are due or not. Returns how many
    /// there are.
    pub fn renew(&self, name: &str) -> usize {
        let statuses = self.0.read();
        let meant = statuses
            .iter()
            .filter(|(status, _)| &*status.lock().name == name);
        meant.inspect(|(_, wake)| wake.notify_one()).count()
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Statuses")
            .field(&self.0.read().len())
            .finish()
    }
}

impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acme").field(&self.kept.keys()).finish()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prepared")
            .field(&self.certificates.keys())
            .finish()
    }
}

impl Acme {
    /// Keeps nothing yet. Answers to challenges are put up in `challenges`.
    pub fn new(clock: Clock, metrics: Metrics, challenges: Arc<Challenges>) -> Self {
        Self {
            clock,
            metrics,
            challenges,
            statuses: Statuses::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            kept: BTreeMap::new(),
            state: None,
            mirror: None,
        }
    }

    /// How all certificates are, from now on.
    pub fn statuses(&self) -> Statuses {
        self.statuses.clone()
    }

    /// What authorities may ask, and the answers.
    pub fn challenges(&self) -> &Arc<Challenges> {
        &self.challenges
    }

    /// Makes ready what a configuration wants, in the state directory `state`: those that are kept
    /// already keep their places, others get one with the certificate from disk in it, or a
    /// placeholder. Asks no authority for anything.
    ///
    /// # Errors
    ///
    /// The state directory cannot be used, or an authority's `ca` be read.
    pub async fn prepare(&self, state: &Path, wanted: Vec<Wanted>) -> Result<Prepared, AcmeError> {
        let mut prepared = Prepared {
            state: (!wanted.is_empty()).then(|| state.to_owned()),
            certificates: BTreeMap::new(),
        };
        let mut clients: BTreeMap<String, (Arc<Client>, Folder)> = BTreeMap::new();
        let same_state = self.state.as_deref() == Some(state);
        for (identity, wanted) in merged(wanted) {
            let kept = self.kept.get(&identity);
            if let Some(kept) = kept.filter(|kept| kept.wanted == wanted && same_state) {
                let ready = Ready {
                    wanted,
                    slot: Arc::clone(&kept.slot),
                    stand_in: None,
                    status: Arc::clone(&kept.status),
                    client: None,
                };
                prepared.certificates.insert(identity, ready);
                continue;
            }
            let (client, folder) = match clients.get(&identity.folder) {
                Some(client) => client.clone(),
                None => {
                    let client = self.client(state, &identity, &wanted).await?;
                    clients.insert(identity.folder.clone(), client.clone());
                    client
                }
            };
            let (slot, stand_in) = match kept.filter(|kept| kept.wanted.name == wanted.name) {
                Some(kept) => (Arc::clone(&kept.slot), kept.stand_in.clone()),
                None => self.slot(&folder, &identity, &wanted).await?,
            };
            let ready = Ready {
                slot,
                stand_in,
                status: Arc::new(Mutex::new(Status::new(&wanted))),
                client: Some((client, folder)),
                wanted,
            };
            prepared.certificates.insert(identity, ready);
        }
        Ok(prepared)
    }

    async fn client(
        &self,
        state: &Path,
        identity: &Identity,
        wanted: &Wanted,
    ) -> Result<(Arc<Client>, Folder), AcmeError> {
        let (root, name) = (state.to_owned(), identity.folder.clone());
        let folder = blocking(move || Folder::open(&root, &name)).await?;
        let client = Client::new(
            Arc::clone(&wanted.authority),
            folder.clone(),
            Arc::clone(&self.challenges),
            board(state),
        );
        Ok((Arc::new(client.await?), folder))
    }

    /// A new place, with what clients are shown at first; the second is a certificate that stands in
    /// for the one that is to come.
    async fn slot(
        &self,
        folder: &Folder,
        identity: &Identity,
        wanted: &Wanted,
    ) -> Result<(Arc<Slot>, Option<Shown>), AcmeError> {
        let slot = |certificate| Arc::new(Slot::with(Arc::clone(&wanted.name), None, certificate));
        let (place, stem) = (folder.clone(), identity.stem.clone());
        let pem = blocking(move || place.certificate(&stem)).await?;
        // What is wrong with one that cannot be used, its keeper says.
        if let Some(certificate) = pem.and_then(|pem| read(&pem)) {
            return Ok((slot(certificate), None));
        }
        let now = self.clock.now();
        let place = folder.clone();
        let others = blocking(move || place.certificates()).await?;
        if let Some(other) = stand_in(&others, wanted, now) {
            info!(
                certificate = %wanted.name,
                acme = %wanted.authority.name,
                names = ?other.names().collect::<Vec<_>>(),
                "until a certificate has come, clients are shown an older one"
            );
            let shown = Shown::from(&other);
            return Ok((slot(other), Some(shown)));
        }
        warn!(
            certificate = %wanted.name,
            acme = %wanted.authority.name,
            "until a certificate has come, clients are shown a placeholder that they do not trust"
        );
        Ok((slot(placeholder(wanted, now)?), None))
    }

    /// Keeps what was made ready, and nothing else any more.
    pub fn commit(&mut self, prepared: Prepared) {
        if self.state != prepared.state {
            let mirrored = prepared.state.as_deref().map(board);
            let challenges = &self.challenges;
            self.mirror =
                mirrored.map(|folder| Task(tokio::spawn(mirror(folder, Arc::clone(challenges)))));
            self.state = prepared.state;
        }
        let mut before = std::mem::take(&mut self.kept);
        for (identity, ready) in prepared.certificates {
            let kept = match (ready.client, before.remove(&identity)) {
                (None, Some(kept)) => kept,
                (None, None) => continue, // Not to be: it was there when this was made ready.
                (Some((client, folder)), before) => {
                    drop(before); // Its task ends first.
                    let wake = Arc::new(Notify::new());
                    let keeper = Keeper {
                        wanted: ready.wanted.clone(),
                        identity: identity.clone(),
                        folder,
                        issuer: client,
                        slot: Arc::clone(&ready.slot),
                        stand_in: ready.stand_in.clone(),
                        status: Arc::clone(&ready.status),
                        metrics: self.metrics.acme(&ready.wanted.name),
                        clock: self.clock.clone(),
                        turns: Arc::clone(&self.turns),
                        wake: Arc::clone(&wake),
                        unsaved: Unsaved::default(),
                    };
                    Kept {
                        wanted: ready.wanted,
                        slot: ready.slot,
                        stand_in: ready.stand_in,
                        status: ready.status,
                        wake,
                        _task: Task(tokio::spawn(keeper.run())),
                    }
                }
            };
            self.kept.insert(identity, kept);
        }
        for kept in before.values() {
            info!(
                certificate = %kept.wanted.name,
                acme = %kept.wanted.authority.name,
                "a certificate is kept no more; its files stay"
            );
        }
        let all = self.kept.values();
        let all = all.map(|kept| (Arc::clone(&kept.status), Arc::clone(&kept.wake)));
        *self.statuses.0.write() = all.collect();
    }
}

/// Of the certificates that the account has, the valid one for the most of the names: when names are
/// added, those that were there keep theirs.
fn stand_in(others: &[String], wanted: &Wanted, now: SystemTime) -> Option<Certificate> {
    let covered = |certificate: &Certificate| {
        let has = |name: &Name| certificate.names().any(|known| known == name.as_str());
        wanted.names.iter().filter(|name| has(name)).count()
    };
    let others = others.iter().filter_map(|pem| read(pem));
    let fitting = others.filter(|other| other.is_valid_at(now) && covered(other) > 0);
    fitting.max_by_key(|other| (covered(other), other.not_after()))
}

fn read(pem: &str) -> Option<Certificate> {
    Certificate::from_pem(pem.as_bytes(), pem.as_bytes(), None).ok()
}

/// Each certificate once, though several listeners show it; that of the listener with the most ways to
/// show its names.
fn merged(wanted: Vec<Wanted>) -> BTreeMap<Identity, Wanted> {
    let mut merged: BTreeMap<Identity, Wanted> = BTreeMap::new();
    for wanted in wanted {
        let identity = wanted.identity();
        let known = merged.get(&identity);
        if known.is_none_or(|known| known.challenges.len() < wanted.challenges.len()) {
            merged.insert(identity, wanted);
        }
    }
    merged
}

/// Where the answers to challenges are put for other processes.
fn board(state: &Path) -> PathBuf {
    root(state).join("challenges")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests;
