//! From options to a running daemon, in order.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use prometheus::Registry;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::access_log::{AccessLog, AccessLogError, Destination, Format, Settings, Subject};
use crate::acme::{Acme, Challenges, Clock};
use crate::admin::{self, Readiness};
use crate::auth::{Secrets, Signer};
use crate::aws;
use crate::causes::in_full;
use crate::config;
use crate::discovery::Discovery;
use crate::health::{HealthChecker, watch_anomalies};
use crate::keyring::{self, Keyring, KeyringError};
use crate::metrics::{Metrics, MetricsError};
use crate::net::{self, Activation};
use crate::proxy::Proxy;
use crate::relay::Relay;
use crate::reload::{
    Cause, Fixed, ReloadError, ReloadHandle, Reloader, Rooms, Source, TlsState, watch,
    watch_certificates, watch_trust_stores,
};
use crate::server::{Server, ServerError};
use crate::snapshot::Shared;
use crate::succession::{
    Lineage, Predecessor, SuccessionError, Successor, UpgradeHandle, UpgradeSocket,
};

use super::admin_side::AdminSocket;
use super::control::Control;
use super::{Options, Running};

/// What kept the daemon from starting.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration is wrong, or what it asks for is not to be had.
    #[error(transparent)]
    Configuration(#[from] Arc<ReloadError>),
    /// The admin address cannot be bound.
    #[error(
        "cannot listen on the admin address {address} (if another Elbow runs here, give this one \
         another admin.address)"
    )]
    Admin {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// A worker cannot start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The access log's thread cannot start.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// The metrics cannot be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// There is no key for cookies.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The control thread cannot start.
    #[error("the control thread cannot start")]
    Control(#[source] io::Error),
    /// Sockets that were passed on or given cannot be used.
    #[error("the sockets that this process was given cannot be used")]
    Sockets(#[source] io::Error),
    /// Sockets were given that nobody would accept from.
    #[error(
        "no listener is on {0}, where the service manager has opened a socket: clients would wait for \
         ever. Take it out of the socket unit, or add a listener"
    )]
    Unwanted(String),
    /// The socket for another process that wants to take over cannot be made.
    #[error("cannot listen on the upgrade socket {}", path.display())]
    UpgradeSocket {
        /// The socket.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The process that was to be taken over from knows targets that this one has not found.
    #[error(
        "provider {provider:?} does not answer ({reason}): its targets, which the running process knows, \
         would be lost. Try again when it does"
    )]
    Provider {
        /// The provider.
        provider: String,
        /// Why.
        reason: String,
    },
    /// The other process does not let this one take over.
    #[error(transparent)]
    Succession(#[from] SuccessionError),
}

impl StartError {
    /// Whether the configuration's text or file is at fault, not the machine's state.
    pub fn is_bad_configuration(&self) -> bool {
        match self {
            Self::Configuration(error) => {
                matches!(**error, ReloadError::Read { .. } | ReloadError::Invalid(_))
            }
            _ => false,
        }
    }
}

/// How long the daemon waits for the first answers of its providers before it says that it is ready.
const FIRST_ANSWERS: Duration = Duration::from_secs(5);

/// Starts the control thread, which starts all else; waits until it listens.
pub(super) async fn start(options: Options) -> Result<Running, StartError> {
    let (started, ready) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Control)?;
    let control = move || {
        runtime.block_on(async {
            match launch(options).await {
                Ok((running, control)) => {
                    // Whoever started the daemon may have given up; then it ends with `running`.
                    let _ = started.send(Ok(running));
                    control.run().await;
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        });
        // A look at a file on a dead network file system may never return.
        runtime.shutdown_background();
    };
    thread::Builder::new()
        .name("control".to_owned())
        .spawn(control)
        .map_err(StartError::Control)?;
    ready.await.unwrap_or_else(|_| {
        let error = io::Error::other("the control thread has ended");
        Err(StartError::Control(error))
    })
}

/// Starts all else. A process that was to take over tells the other one if it cannot.
async fn launch(mut options: Options) -> Result<(Running, Control), StartError> {
    let mut successor = options.successor.take();
    let launched = launch_after(options, successor.as_mut()).await;
    match (&launched, successor) {
        (Ok(_), Some(successor)) => {
            tokio::spawn(successor.outlive());
        }
        (Err(error), Some(successor)) => {
            let fault = error.is_bad_configuration();
            successor.failed(in_full(&error), fault).await;
        }
        (_, None) => {}
    }
    launched
}

async fn launch_after(
    mut options: Options,
    mut successor: Option<&mut Successor>,
) -> Result<(Running, Control), StartError> {
    let fixed = fixed(&options.source).map_err(Arc::new)?;
    let inherited = successor.as_mut().and_then(|it| it.admin(fixed.admin));
    let given = inherited.or_else(|| options.activation.take(fixed.admin));
    let admin_socket = bind_admin(fixed.admin, given)?;
    let admin = admin_socket.address;
    let metrics = Metrics::new(&Registry::new())?;
    let shared = Arc::new(Shared::default());
    let log = |subject| {
        AccessLog::start(Settings {
            subject,
            destination: Destination::Off,
            format: Format::Alb,
        })
    };
    let access_log = log(Subject::Requests)?;
    let connection_log = log(Subject::Connections)?;
    let workers = fixed.workers.and_then(NonZeroUsize::new);
    let workers = workers.map_or_else(thread::available_parallelism, Ok);
    let workers = workers.unwrap_or(NonZeroUsize::MIN);
    metrics
        .workers
        .set(workers.get().try_into().unwrap_or(i64::MAX));
    let keys = Keyring::prepare(keyring::Settings::default(), SystemTime::now())?;
    let keyring = Keyring::new(keys);
    let secrets = Secrets {
        signer: Signer::new(keyring.clone()),
        keyring: keyring.clone(),
    };
    let tls = TlsState::default();
    let challenges = Challenges::new(Arc::clone(&tls.challenges));
    let acme = Acme::new(Clock::system(), metrics.clone(), Arc::clone(&challenges));
    let statuses = acme.statuses();
    let server = Server::start(workers, &shared, &metrics, || {
        let log = access_log.buffer();
        let relay = Arc::new(Relay::new(log.clone()));
        let proxy = Arc::new(Proxy::new(
            &shared,
            log,
            secrets.clone(),
            Arc::clone(&challenges),
        ));
        (proxy, relay, connection_log.buffer())
    })?;
    let addresses = server.addresses();
    let (reload, queue) = ReloadHandle::new();
    let rooms = Rooms {
        shared: Arc::clone(&shared),
        metrics: metrics.clone(),
        access_log: access_log.clone(),
        connection_log: connection_log.clone(),
        keyring: keyring.clone(),
        server,
        health: HealthChecker::new(options.resolver),
        discovery: Discovery::default(),
        tls,
        acme,
    };
    let discovery = rooms.discovery.board();
    let mut reloader = Reloader::new(options.source.clone(), rooms, queue, fixed.clone());
    if let Some(legacy) = successor.as_mut().and_then(|it| it.legacy()) {
        reloader.inherit(legacy).map_err(StartError::Sockets)?;
    }
    let Activation { tcp, udp } = options.activation;
    let is_activated = !tcp.is_empty() || !udp.is_empty();
    reloader.given(tcp, udp).map_err(StartError::Sockets)?;
    reloader.apply(Cause::Start).await?;
    if is_activated {
        refuse_unwanted(&mut reloader)?;
    }
    reloader.await_discovery(FIRST_ANSWERS).await;
    // Before another process is told to leave: nothing may fail after that.
    let upgrade_socket = fixed.upgrade_socket.as_deref().map(bind_upgrade_socket);
    let upgrade_socket = upgrade_socket.transpose()?;
    if let Some(successor) = &successor {
        succeed(successor, &mut reloader).await?;
    }
    let lineage = successor.map_or_else(Lineage::default, |it| it.lineage().clone());
    let (upgrade, upgrades) = UpgradeHandle::new();
    tokio::spawn(keyring.tend());
    tokio::spawn(watch_anomalies(Arc::clone(&shared)));
    let stop_reloading = CancellationToken::new();
    let reloading = tokio::spawn(reloader.run(stop_reloading.clone()));
    tokio::spawn(watch_certificates(Arc::clone(&shared)));
    tokio::spawn(watch_trust_stores(Arc::clone(&shared)));
    if let Source::File(path) = options.source {
        tokio::spawn(watch(path, reload.clone()));
    }
    let readiness = Readiness::default();
    let aws = aws::Api::new(Arc::clone(&shared), reload.clone());
    let context = admin::Context {
        aws,
        shared: Arc::clone(&shared),
        reload: reload.clone(),
        metrics: metrics.clone(),
        access_log: access_log.clone(),
        certificates: statuses,
        connection_log: connection_log.clone(),
        addresses: addresses.clone(),
        discovery,
        readiness: readiness.clone(),
        signer: secrets.signer.clone(),
        lineage: lineage.clone(),
        upgrade: upgrade.clone(),
        started: SystemTime::now(),
    };
    let routes = admin::router(context, options.routes);
    let (admin_side, copy) = admin_socket.serve(routes);
    info!(address = %admin, "admin address");
    readiness.set(true);
    let predecessor = Predecessor {
        upgrades,
        reload: reload.clone(),
        admin: (fixed.admin, copy),
        program: options.program,
        lineage: lineage.clone(),
        metrics: metrics.upgrade.clone(),
    };
    metrics.upgrade.number.set(lineage.number.cast_signed());
    tokio::spawn(predecessor.run());
    if let Some(socket) = upgrade_socket {
        tokio::spawn(socket.serve(upgrade.clone()));
    }
    let (stop, stopped) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let control = Control {
        stopped,
        readiness: readiness.clone(),
        stop_reloading,
        reloading,
        access_log: access_log.clone(),
        connection_log: connection_log.clone(),
        admin: admin_side,
        lineage: lineage.clone(),
        end,
    };
    let running = Running {
        readiness,
        addresses,
        admin,
        reload,
        shared,
        metrics,
        access_log,
        connection_log,
        upgrade,
        lineage,
        stop,
        ended,
    };
    Ok((running, control))
}

/// What must be known before anything can be started.
fn fixed(source: &Source) -> Result<Fixed, ReloadError> {
    let report = config::check_standing(&source.read()?, &source.name());
    let (valid, _) = report.into_result()?;
    Ok(Fixed::of(&valid))
}

fn bind_admin(
    address: SocketAddr,
    given: Option<std::net::TcpListener>,
) -> Result<AdminSocket, StartError> {
    let bind = || {
        let opened = || {
            net::listen(address, 1)?
                .pop()
                .ok_or_else(|| io::Error::other("no socket"))
        };
        AdminSocket::new(given.map_or_else(opened, Ok)?)
    };
    bind().map_err(|source| StartError::Admin { address, source })
}

fn bind_upgrade_socket(path: &Path) -> Result<UpgradeSocket, StartError> {
    UpgradeSocket::bind(path).map_err(|source| StartError::UpgradeSocket {
        path: path.to_owned(),
        source,
    })
}

/// A socket that nobody accepts from would let clients wait for ever.
fn refuse_unwanted(reloader: &mut Reloader) -> Result<(), StartError> {
    let unwanted = reloader.unwanted().into_iter();
    let names = unwanted.map(|(address, transport)| format!("{address} ({transport})"));
    let names: Vec<String> = names.collect();
    match names.is_empty() {
        true => Ok(()),
        false => Err(StartError::Unwanted(names.join(", "))),
    }
}

/// Begins to accept in place of another process.
async fn succeed(successor: &Successor, reloader: &mut Reloader) -> Result<(), StartError> {
    if let Some((provider, reason)) = reloader.silent_provider() {
        return Err(StartError::Provider { provider, reason });
    }
    successor.prepared().await?;
    reloader.open();
    successor.serving().await;
    Ok(())
}
