//! What systemd, or another service manager, is told (`sd_notify(3)`): that the daemon is ready, and
//! which process is the daemon's now. Nothing is told where nobody has asked (`NOTIFY_SOCKET`).

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tracing::debug;

/// Tells that the daemon is ready.
pub fn ready() {
    tell("READY=1");
}

/// Tells that the daemon shuts down.
pub fn stopping() {
    tell("STOPPING=1");
}

/// Tells that another process is the daemon from now on.
pub(super) fn main_process(pid: u32) {
    tell(&format!("MAINPID={pid}"));
}

fn tell(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let send = || -> io::Result<usize> {
        let address = match path.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&path)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.send_to_addr(state.as_bytes(), &address)
    };
    if let Err(error) = send() {
        debug!(%error, state, "the service manager cannot be told");
    }
}
