//! The TCP probe: a target that takes a connection passes.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::ProbeError;

/// Opens a connection, as every other probe does first.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, ProbeError> {
    TcpStream::connect(address)
        .await
        .map_err(ProbeError::Connect)
}
