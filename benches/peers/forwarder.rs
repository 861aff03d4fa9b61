//! The floor: a forwarder of bytes on one thread that parses nothing and keeps one connection to a
//! target for each client connection. What it costs is the price of the sockets alone.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};

const BUFFER: usize = 64 * 1024;

/// Forwards what arrives on `listen` to `targets` in turn until the process is ended.
pub(crate) async fn serve(listen: SocketAddr, targets: Vec<SocketAddr>) -> Result<()> {
    let listener = TcpListener::bind(listen).await.context("forwarder")?;
    for target in targets.iter().cycle() {
        let (client, _) = listener.accept().await?;
        let target = *target;
        tokio::spawn(async move {
            // Either side may leave at any time; there is nobody to tell.
            let _ = forward(client, target).await;
        });
    }
    Ok(())
}

async fn forward(mut client: TcpStream, target: SocketAddr) -> Result<()> {
    let mut target = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    target.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut target, BUFFER, BUFFER).await?;
    Ok(())
}
