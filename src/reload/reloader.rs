//! The life of a reload.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::access_log::{self, AccessLog, Subject};
use crate::acme::{self, Acme};
use crate::causes::in_full;
use crate::config::{
    self, AccessLogSettings, Inventory, LoadedCertificates, LoadedTrustStores, Problems, Rejected,
    ValidConfig,
};
use crate::discovery::Discovery;
use crate::health::HealthChecker;
use crate::keyring::{self, Keyring};
use crate::metrics::Metrics;
use crate::server::{Prepared, Server};
use crate::snapshot::{Shared, Snapshot};

use super::apart::{keep, prepare_log, read_certificates, read_inventory, read_trust_stores};
use super::bequest::Inherited;
use super::handle::{Order, Outcome};
use super::{
    Cause, Difference, Fixed, Queue, Refusal, ReloadError, Reloaded, Source, Standing, TlsState,
};

/// The only writer of snapshots. One task owns it, so reloads never overlap.
#[derive(Debug)]
pub struct Reloader {
    source: Source,
    pub(super) rooms: Rooms,
    queue: Queue,
    /// The text that was looked at last, whether it was taken over or not.
    text: Option<String>,
    in_force: InForce,
    /// What another process has passed on, until this one serves.
    pub(super) inherited: Option<Inherited>,
}

/// The parts of the daemon that learn of a new configuration.
#[derive(Debug)]
pub struct Rooms {
    /// Where the snapshot is published.
    pub shared: Arc<Shared>,
    /// Handles for the snapshot, and the count of reloads.
    pub metrics: Metrics,
    /// Writes where the configuration says.
    pub access_log: AccessLog,
    /// The same for connections.
    pub connection_log: AccessLog,
    /// Has the keys that the configuration speaks of.
    pub keyring: Keyring,
    /// Listens where the snapshot says.
    pub server: Server,
    /// Probes what the snapshot says.
    pub health: HealthChecker,
    /// Finds targets where the configuration says.
    pub discovery: Discovery,
    /// What outlives the TLS of one configuration.
    pub tls: TlsState,
    /// Orders the certificates that the configuration wants ordered.
    pub acme: Acme,
}

/// What the reloader knows of the configuration in force, beyond the snapshot.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The text that was taken over.
    text: String,
    /// The document.
    pub standing: Arc<Standing>,
    /// How long a shutdown may take.
    pub shutdown_deadline: Duration,
    /// How long they may take when another process has taken over.
    pub upgrade_deadline: Duration,
    logs: Option<Logs>,
    /// Those that were read; their files are watched.
    certificates: LoadedCertificates,
    /// The same.
    trust_stores: LoadedTrustStores,
    fixed: Fixed,
}

/// Where the logs go.
#[derive(Clone, Debug)]
struct Logs {
    requests: AccessLogSettings,
    connections: AccessLogSettings,
}

/// All that can be made before anything changes.
struct Ready {
    text: String,
    standing: Standing,
    rejected: Vec<Rejected>,
    valid: Arc<ValidConfig>,
    certificates: LoadedCertificates,
    warnings: Vec<String>,
    ordered: acme::Prepared,
    snapshot: Snapshot,
    sockets: Prepared,
    trust_stores: LoadedTrustStores,
    logs: Logs,
    /// None when it stays as it is.
    access_log: Option<access_log::Prepared>,
    /// The same.
    connection_log: Option<access_log::Prepared>,
    /// None when they stay as they are.
    keys: Option<keyring::Prepared>,
}

impl Reloader {
    /// A reloader that has nothing in force yet.
    pub fn new(source: Source, rooms: Rooms, queue: Queue, fixed: Fixed) -> Self {
        Self {
            source,
            rooms,
            queue,
            text: None,
            inherited: None,
            in_force: InForce {
                text: String::new(),
                standing: Arc::default(),
                shutdown_deadline: Duration::ZERO,
                upgrade_deadline: Duration::ZERO,
                logs: None,
                certificates: LoadedCertificates::default(),
                trust_stores: LoadedTrustStores::default(),
                fixed,
            },
        }
    }

    /// Answers orders, one after the other, until `stop`. Returns what a shutdown needs.
    pub async fn run(mut self, stop: CancellationToken) -> (Rooms, InForce) {
        loop {
            let order = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                order = self.queue.orders.recv() => order,
                Some(order) = self.queue.bequests.recv() => {
                    tokio::select! {
                        () = self.bequeath(order) => continue,
                        () = stop.cancelled() => break,
                    }
                }
                () = self.rooms.discovery.changed() => {
                    // Whatever comes of it is told; nobody waits for it.
                    let _ = self.apply(Cause::Discovery).await;
                    continue;
                }
            };
            let Some(Order {
                cause,
                inventory,
                answer,
            }) = order
            else {
                break;
            };
            let outcome = match inventory {
                Some(inventory) => self.change(inventory).await,
                None => self.apply(cause).await,
            };
            // Nobody needs to wait for the answer.
            let _ = answer.send(outcome);
        }
        (self.rooms, self.in_force)
    }

    /// Takes the configuration over as it is now, or refuses it and changes nothing.
    ///
    /// # Errors
    ///
    /// Why it was refused; it is in the log, the metrics and [`ReloadHandle::last_refusal`] already.
    ///
    /// [`ReloadHandle::last_refusal`]: super::ReloadHandle::last_refusal
    pub async fn apply(&mut self, cause: Cause) -> Outcome {
        let now = Instant::now();
        if cause == Cause::Discovery {
            return self.discovered(now).await;
        }
        let text = match self.read().await {
            Ok(text) => text,
            Err(error) => return Err(self.refuse(cause, error)),
        };
        if cause == Cause::FileChange && self.text.as_ref() == Some(&text) {
            return Ok(self.nothing_new());
        }
        let ready = self.prepare(text.clone(), None, cause, now).await;
        self.text = Some(text);
        match ready {
            Ok(ready) => Ok(self.take_over(cause, ready, now)),
            Err(error) => Err(self.refuse(cause, error)),
        }
    }

    /// Waits, not longer than `limit`, for the first answers of all providers, and takes in what
    /// they have found: so that a daemon that says it is ready knows its targets.
    pub async fn await_discovery(&mut self, limit: Duration) {
        if self.in_force.standing.config.uses_discovery() {
            // Who has not answered by then is waited for no longer; it says why by itself.
            let _ = tokio::time::timeout(limit, self.rooms.discovery.answered()).await;
            // A refusal is told, and can only be the machine's fault.
            let _ = self.apply(Cause::Discovery).await;
        }
    }

    /// Takes in what providers have found, with the text that is in force: what may be wrong with
    /// the file meanwhile does not concern them.
    async fn discovered(&mut self, now: Instant) -> Outcome {
        let text = self.in_force.text.clone();
        match self.prepare(text, None, Cause::Discovery, now).await {
            Ok(ready) => {
                let before = &self.in_force.standing.config;
                if Difference::between(before, &ready.standing.config).is_empty() {
                    self.rooms.discovery.rejected(ready.rejected);
                    return Ok(self.nothing_new());
                }
                Ok(self.take_over(Cause::Discovery, ready, now))
            }
            Err(error) => Err(self.refuse(Cause::Discovery, error)),
        }
    }

    /// Takes over what was made through the AWS API, with the text that is in force, and keeps it.
    async fn change(&mut self, inventory: Inventory) -> Outcome {
        let now = Instant::now();
        let text = self.in_force.text.clone();
        let cause = Cause::AwsApi;
        let ready = match self.prepare(text, Some(inventory), cause, now).await {
            Ok(ready) => ready,
            Err(error) => return Err(Arc::new(error)),
        };
        // Last: what is on the disk is in force.
        let before = &self.in_force.standing.inventory;
        match keep(&ready.valid, before, &ready.standing.inventory).await {
            Ok(()) => Ok(self.take_over(cause, ready, now)),
            Err(error) => Err(Arc::new(error)),
        }
    }

    async fn read(&self) -> Result<String, ReloadError> {
        let source = self.source.clone();
        // A file system that hangs must not hang health checks and the admin API with it.
        match tokio::task::spawn_blocking(move || source.read()).await {
            Ok(read) => read,
            Err(_) => Err(ReloadError::ShuttingDown),
        }
    }

    /// Steps 1 to 5: whatever fails here leaves the process exactly as it was.
    async fn prepare(
        &mut self,
        text: String,
        inventory: Option<Inventory>,
        cause: Cause,
        now: Instant,
    ) -> Result<Ready, ReloadError> {
        let name = self.source.name();
        // 1 load
        let inventory = match (inventory, cause) {
            (Some(inventory), _) => inventory,
            (None, Cause::Discovery) => self.in_force.standing.inventory.clone(),
            (None, _) => read_inventory(config::parse(&text, &name)?.state_directory).await?,
        };
        let mut config = config::parse_joined(&text, &name, &inventory)?;
        // 2 validate: from the text again, because only there a problem has its line
        let checked = config::check_joined(&text, &name, &inventory);
        let (mut valid, mut problems) = checked.into_result()?;
        let contributions = self.rooms.discovery.contributions();
        let rejected = valid.contribute(&mut config, &contributions);
        // 3 certificates
        let valid = Arc::new(valid);
        let known = self.in_force.certificates.clone();
        let anew = cause != Cause::Discovery;
        let read = read_certificates(&valid, (known, anew), &text, &name);
        let (certificates, doubts) = read.await?;
        problems.problems.extend(doubts.problems);
        let ordered = self.prepare_orders(&valid).await?;
        let trust_stores = match cause {
            Cause::Discovery => self.in_force.trust_stores.clone(),
            _ => read_trust_stores(&valid, &text, &name).await?,
        };
        let tls = self
            .rooms
            .tls
            .terminators(&valid, &certificates, &ordered, &trust_stores)?;
        // 4 compile
        let last = self.rooms.shared.load();
        let snapshot = Snapshot::compile(&valid, &tls, &last, &self.rooms.metrics, now);
        // 5 prepare; the sockets last, because clients can reach them from then on
        let before = self.in_force.logs.as_ref();
        let logs = Logs {
            requests: valid.access_log.clone(),
            connections: valid.connection_log.clone(),
        };
        let access_log = prepare_log(
            Subject::Requests,
            before.map(|logs| &logs.requests),
            &logs.requests,
        );
        let access_log = access_log.await?;
        let connection_log = prepare_log(
            Subject::Connections,
            before.map(|logs| &logs.connections),
            &logs.connections,
        );
        let connection_log = connection_log.await?;
        let keys = self.prepare_keys(&valid.cookie_keys).await?;
        let sockets = self.rooms.server.prepare(&snapshot).await?;
        Ok(Ready {
            text,
            standing: Standing { config, inventory },
            rejected,
            warnings: warnings(&self.in_force.fixed, &valid, problems),
            valid,
            certificates,
            ordered,
            snapshot,
            sockets,
            trust_stores,
            logs,
            access_log,
            connection_log,
            keys,
        })
    }

    /// Finds a place for each certificate that is to be ordered.
    async fn prepare_orders(&self, valid: &ValidConfig) -> Result<acme::Prepared, ReloadError> {
        let wanted: Vec<_> = valid.wanted().cloned().collect();
        match &valid.state_directory {
            Some(state) => Ok(self.rooms.acme.prepare(state, wanted).await?),
            None => Ok(acme::Prepared::default()), // Then none is.
        }
    }

    /// Reads the keys of cookies if they are other ones.
    async fn prepare_keys(
        &self,
        wanted: &keyring::Settings,
    ) -> Result<Option<keyring::Prepared>, ReloadError> {
        if self.rooms.keyring.settings() == *wanted {
            return Ok(None);
        }
        let (wanted, ring) = (wanted.clone(), self.rooms.keyring.clone());
        let prepare = move || ring.prepare_change(wanted, SystemTime::now());
        match tokio::task::spawn_blocking(prepare).await {
            Ok(prepared) => Ok(Some(prepared?)),
            Err(_) => Err(ReloadError::ShuttingDown),
        }
    }

    /// Steps 6 to 8: nothing here can fail.
    fn take_over(&mut self, cause: Cause, ready: Ready, now: Instant) -> Reloaded {
        let rooms = &mut self.rooms;
        let snapshot = Arc::new(ready.snapshot);
        // Whoever sees the new snapshot must not be told of an older refusal.
        *self.queue.last_refusal.lock() = None;
        if let Some(keys) = ready.keys {
            rooms.keyring.apply(keys);
        }
        // 6 publish
        rooms.shared.publish(Arc::clone(&snapshot));
        snapshot.take_over(now);
        if let Some(inherited) = &mut self.inherited {
            rooms.shared.inherit(&mut inherited.live, now);
        }
        // 7 commit
        rooms.server.commit(ready.sockets);
        rooms.health.reconcile(&snapshot);
        rooms.discovery.reconcile(&ready.valid.providers);
        rooms.discovery.rejected(ready.rejected);
        rooms.acme.commit(ready.ordered);
        rooms.tls.tickets.sweep();
        if let Some(access_log) = ready.access_log {
            rooms.access_log.apply(access_log);
        }
        if let Some(connection_log) = ready.connection_log {
            rooms.connection_log.apply(connection_log);
        }
        // 8 tell
        let reloaded = Reloaded {
            generation: snapshot.generation,
            difference: Difference::between(&self.in_force.standing.config, &ready.standing.config),
            warnings: ready.warnings,
        };
        let standing = Arc::new(ready.standing);
        self.queue.standing.store(Arc::clone(&standing));
        self.in_force = InForce {
            text: ready.text,
            standing,
            shutdown_deadline: ready.valid.shutdown_deadline,
            upgrade_deadline: ready.valid.upgrade.deadline,
            certificates: ready.certificates,
            trust_stores: ready.trust_stores,
            logs: Some(ready.logs),
            fixed: self.in_force.fixed.clone(),
        };
        let metrics = &self.rooms.metrics.reload;
        metrics.success(snapshot.generation, SystemTime::now());
        info!(
            generation = reloaded.generation,
            %cause,
            took_ms = now.elapsed().as_millis(),
            "configuration in force: {}",
            reloaded.difference,
        );
        // The file's warnings are not news each time that a provider finds something.
        if cause != Cause::Discovery {
            for warning in &reloaded.warnings {
                warn!("{warning}");
            }
        }
        reloaded
    }

    fn refuse(&self, cause: Cause, error: ReloadError) -> Arc<ReloadError> {
        if cause != Cause::Start {
            error!(
                %cause,
                "configuration refused, the one before stays in force:\n{}",
                in_full(&error),
            );
        }
        let error = Arc::new(error);
        *self.queue.last_refusal.lock() = Some(Refusal {
            at: SystemTime::now(),
            cause,
            error: Arc::clone(&error),
        });
        // Last: whoever sees it counted finds out why.
        self.rooms.metrics.reload.refused();
        error
    }

    /// The watcher has seen a change that an operator's own call has taken care of already.
    fn nothing_new(&self) -> Reloaded {
        Reloaded {
            generation: self.rooms.shared.load().generation,
            difference: Difference::default(),
            warnings: Vec::new(),
        }
    }
}

/// What may not be meant, and which settings will not take effect before the next start.
fn warnings(fixed: &Fixed, next: &ValidConfig, problems: Problems) -> Vec<String> {
    let name = &problems.source;
    let single = |problem| Problems::new(name, vec![problem]).to_string();
    let doubts = problems.problems.into_iter().map(single);
    doubts.chain(fixed.warnings(next)).collect()
}
