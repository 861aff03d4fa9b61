//! The TCP probe: a target that takes a connection passes.
//!
//! Where targets expect a PROXY protocol header, a probe says that it is the balancer's own (LOCAL,
//! in version 1 UNKNOWN), as HAProxy's checks do; without it, many would take the probe for broken.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::ProbeError;
use crate::proxy_protocol::Version;

/// Opens a connection, as every other probe does first.
pub(super) async fn connect(
    address: SocketAddr,
    proxy_protocol: Option<Version>,
) -> Result<TcpStream, ProbeError> {
    let connect = async {
        let mut stream = TcpStream::connect(address).await?;
        if let Some(version) = proxy_protocol {
            let mut header = Vec::new();
            version.write(&mut header, None);
            stream.write_all(&header).await?;
        }
        Ok(stream)
    };
    connect.await.map_err(ProbeError::Connect)
}
