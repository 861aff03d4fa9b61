//! What the reloader passes on to another process, and takes over from one.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::info;

use super::Reloader;
use crate::keyring::KeyBequest;
use crate::server::{self, SocketRecord};
use crate::snapshot::LiveBequest;
use crate::tls::TicketBequest;

/// All that another process goes on with.
#[derive(Debug)]
pub struct Bequest {
    /// The sockets.
    pub sockets: server::Bequest,
    /// What is known besides.
    pub knowledge: Knowledge,
}

/// What one process knows, and the next need not find out. A version that does not know a part of it yet
/// leaves that out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Knowledge {
    live: LiveBequest,
    /// The keys of cookies, if they are nowhere but in memory.
    cookie_keys: Vec<KeyBequest>,
    /// The keys of TLS sessions.
    tickets: Vec<TicketBequest>,
    /// The providers that have found targets.
    providers: BTreeSet<String>,
}

/// The same, as it has come to the other process.
#[derive(Debug)]
pub struct Legacy {
    /// What the sockets are.
    pub records: Vec<SocketRecord>,
    /// The sockets.
    pub sockets: Vec<OwnedFd>,
    /// What is known besides.
    pub knowledge: Knowledge,
}

/// What is taken over while the first targets are found.
#[derive(Debug)]
pub(super) struct Inherited {
    pub(super) live: LiveBequest,
    providers: BTreeSet<String>,
}

/// Asks for a bequest.
#[derive(Debug)]
pub(super) struct BequestOrder {
    pub(super) answer: oneshot::Sender<io::Result<Bequest>>,
    /// Until its other end is dropped nothing is reloaded: another process relies on what it was told.
    pub(super) pause: oneshot::Receiver<()>,
}

impl Reloader {
    /// Answers, and waits until the other process has taken over or has failed.
    pub(super) async fn bequeath(&self, order: BequestOrder) {
        let bequest = self.rooms.server.bequeath().map(|sockets| Bequest {
            sockets,
            knowledge: Knowledge {
                live: self.rooms.shared.load().bequeath(Instant::now()),
                cookie_keys: self.rooms.keyring.bequeath(),
                tickets: self.rooms.tls.tickets.bequeath(),
                providers: self.providers(),
            },
        });
        // Whoever asked may have gone; then the pause is over at once.
        let _ = order.answer.send(bequest);
        let _ = order.pause.await;
    }

    /// Those that have found targets.
    fn providers(&self) -> BTreeSet<String> {
        let reports = self.rooms.discovery.board().reports();
        let found = reports.iter().filter(|report| !report.targets.is_empty());
        found.map(|report| report.name.to_string()).collect()
    }

    /// Goes on with what another process has passed on. Call it before the first configuration is
    /// applied; nothing accepts before [`Reloader::open`].
    ///
    /// # Errors
    ///
    /// What came is not complete.
    pub fn inherit(&mut self, legacy: Legacy) -> io::Result<()> {
        self.rooms.server.hold();
        self.rooms.server.inherit(legacy.records, legacy.sockets)?;
        let known = legacy.knowledge;
        self.rooms.keyring.inherit(&known.cookie_keys);
        self.rooms.tls.tickets.inherit(&known.tickets);
        self.inherited = Some(Inherited {
            live: known.live,
            providers: known.providers,
        });
        Ok(())
    }

    /// Takes listening sockets that whoever started this process has opened. Call it before the
    /// first configuration is applied.
    ///
    /// # Errors
    ///
    /// One of them cannot be used.
    pub fn given(&mut self, tcp: Vec<TcpListener>, udp: Vec<UdpSocket>) -> io::Result<()> {
        self.rooms.server.given(tcp, udp)
    }

    /// The addresses of sockets that no listener of the first configuration has wanted; they are closed.
    pub fn unwanted(&mut self) -> Vec<(SocketAddr, &'static str)> {
        self.rooms.server.unwanted()
    }

    /// A provider that does not answer although the process before knew targets of it, and why.
    pub fn silent_provider(&self) -> Option<(String, String)> {
        let reports = self.rooms.discovery.board().reports();
        let silent = reports.into_iter().find(|report| {
            let known = self.inherited.as_ref();
            let known = known.is_some_and(|it| it.providers.contains(&*report.name));
            known && report.last_success.is_none()
        });
        silent.map(|report| {
            let reason = report.last_error.map(|(_, error)| error);
            let nothing = || "no answer yet".to_owned();
            (report.name.to_string(), reason.unwrap_or_else(nothing))
        })
    }

    /// Begins to accept from what was inherited.
    pub fn open(&mut self) {
        self.inherited = None;
        for (address, transport) in self.rooms.server.unwanted() {
            info!(%address, transport, "no listener wants this address any more");
        }
        self.rooms.server.open();
    }
}
