//! The admin address while the daemon runs, and how it goes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long an answer under way may take when the process ends.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// The admin address, served.
#[derive(Debug)]
pub(super) struct AdminSide {
    serving: JoinHandle<()>,
    leave: CancellationToken,
}

/// The socket of the admin address: one to serve, and a copy to be passed on.
#[derive(Debug)]
pub(super) struct AdminSocket {
    pub(super) address: SocketAddr,
    pub(super) copy: std::net::TcpListener,
    listener: TcpListener,
}

impl AdminSocket {
    /// Call it within a tokio runtime.
    pub(super) fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: listener.local_addr()?,
            copy: listener.try_clone()?,
            listener: TcpListener::from_std(listener)?,
        })
    }

    /// Serves these routes from now on.
    pub(super) fn serve(self, routes: Router) -> (AdminSide, std::net::TcpListener) {
        let leave = CancellationToken::new();
        let left = leave.clone().cancelled_owned();
        let serving = axum::serve(self.listener, routes).with_graceful_shutdown(left);
        let serving = tokio::spawn(async move {
            // It ends when it is told to, and not otherwise.
            let _ = serving.await;
        });
        (AdminSide { serving, leave }, self.copy)
    }
}

impl AdminSide {
    /// Accepts no more; another process does.
    pub(super) fn leave(&self) {
        self.leave.cancel();
    }

    /// Gives the last answers a little time.
    pub(super) async fn end(self) {
        self.leave.cancel();
        // Whoever has not read it by then will not.
        let _ = tokio::time::timeout(LAST_ANSWER, self.serving).await;
    }
}
