//! The demo's targets: small HTTP servers that can be stopped and started.

use std::io;
use std::net::SocketAddr;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::net;

use super::DemoError;
use super::page::{self, Site};

/// All targets.
#[derive(Debug)]
pub(super) struct Fleet {
    targets: Vec<Target>,
    /// Where they run: the routes that start them are served by another runtime.
    runtime: Handle,
}

#[derive(Debug)]
pub(super) struct Target {
    pub(super) id: &'static str,
    pub(super) zone: &'static str,
    pub(super) address: SocketAddr,
    running: Mutex<Option<CancellationToken>>,
}

impl Target {
    pub(super) fn is_running(&self) -> bool {
        self.running.lock().is_some()
    }
}

impl Fleet {
    /// Starts every target.
    pub(super) fn start<const N: usize>(
        targets: [(&'static str, &'static str); N],
        addresses: [SocketAddr; N],
    ) -> Result<Self, DemoError> {
        let targets = targets.into_iter().zip(addresses);
        let fleet = Self {
            targets: targets
                .map(|((id, zone), address)| Target {
                    id,
                    zone,
                    address,
                    running: Mutex::default(),
                })
                .collect(),
            runtime: Handle::current(),
        };
        for target in &fleet.targets {
            fleet.start_target(target)?;
        }
        Ok(fleet)
    }

    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Starts one; one that runs goes on.
    pub(super) fn start_one(&self, id: &str) -> Result<(), DemoError> {
        self.start_target(self.target(id)?)
    }

    /// Stops one as a web server is stopped: what it is answering is still answered, and its
    /// connections close.
    pub(super) fn stop_one(&self, id: &str) -> Result<(), DemoError> {
        if let Some(running) = self.target(id)?.running.lock().take() {
            running.cancel();
        }
        Ok(())
    }

    fn target(&self, id: &str) -> Result<&Target, DemoError> {
        let target = self.targets.iter().find(|target| target.id == id);
        target.ok_or_else(|| DemoError::Unknown(id.to_owned()))
    }

    fn start_target(&self, target: &Target) -> Result<(), DemoError> {
        let mut running = target.running.lock();
        if running.is_some() {
            return Ok(());
        }
        let listener = self.listen(target).map_err(|source| DemoError::Listen {
            id: target.id,
            address: target.address,
            source,
        })?;
        let stop = CancellationToken::new();
        let site = page::site(Site {
            id: target.id,
            zone: target.zone,
        });
        let stopped = stop.clone().cancelled_owned();
        self.runtime.spawn(async move {
            axum::serve(listener, site)
                .with_graceful_shutdown(stopped)
                .await
        });
        *running = Some(stop);
        Ok(())
    }

    fn listen(&self, target: &Target) -> io::Result<TcpListener> {
        let _entered = self.runtime.enter();
        let sockets = net::listen(target.address, 1)?;
        let socket = sockets.into_iter().next();
        TcpListener::from_std(socket.ok_or_else(|| io::Error::other("no socket"))?)
    }
}
