//! The load generator: a process of its own, so that what it costs is never counted as a proxy's.
//!
//! It connects and warms up, prints `ready`, waits for a line, does its work and prints one line of
//! `name=value` pairs; a load that can be repeated begins again at `ready`. Every answer must be a
//! 200 of full length; the first that is not ends the process.

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::target::{PAUSE, PAUSES};
use crate::wire::{self, Head};
use crate::{rate, secure, single};

/// What to do to a proxy.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Load {
    /// So many requests over keep-alive connections, each sent when the last is answered.
    Closed {
        address: SocketAddr,
        path: String,
        connections: usize,
        requests: u64,
    },
    /// Requests at a fixed rate, each latency counted from the instant it was due.
    Rate {
        address: SocketAddr,
        path: String,
        connections: usize,
        per_second: u64,
        requests: u64,
    },
    /// Connections that send one request each and then stay open until a line arrives.
    Hold {
        address: SocketAddr,
        connections: usize,
    },
    /// The same over TLS, in one of its kinds.
    Secure {
        address: SocketAddr,
        kind: secure::Kind,
        path: String,
        connections: usize,
        requests: u64,
    },
    /// One large body from the target, read with pauses.
    Download { address: SocketAddr, bytes: u64 },
    /// One large body to the target, which reads with pauses.
    Upload { address: SocketAddr, bytes: u64 },
}

/// Does it and prints what was seen.
pub(crate) fn run(load: Load) -> Result<()> {
    match load {
        Load::Rate {
            address,
            path,
            connections,
            per_second,
            requests,
        } => rate::run(address, &path, connections, per_second, requests),
        Load::Closed {
            address,
            path,
            connections,
            requests,
        } => single(closed(address, path, connections, requests)),
        Load::Secure {
            address,
            kind,
            path,
            connections,
            requests,
        } => single(secure::run(kind, address, path, connections, requests)),
        Load::Hold {
            address,
            connections,
        } => single(hold(address, connections)),
        Load::Download { address, bytes } => single(download(address, bytes)),
        Load::Upload { address, bytes } => single(upload(address, bytes)),
    }
}

/// Says that all is prepared and waits for the word to begin.
pub(crate) fn wait_for_go() -> Result<()> {
    println!("ready");
    std::io::stdout().flush()?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        bail!("nobody waits for the result");
    }
    Ok(())
}

async fn closed(
    address: SocketAddr,
    path: String,
    connections: usize,
    requests: u64,
) -> Result<()> {
    let request: Arc<[u8]> = wire::request("GET", &path, 0).into();
    let mut streams = connect(address, connections).await?;
    (_, streams) = exchange_all(streams, &request, requests).await?;
    loop {
        wait_for_go()?;
        let wall;
        (wall, streams) = exchange_all(streams, &request, requests).await?;
        println!("wall_ns={}", wall.as_nanos());
    }
}

async fn hold(address: SocketAddr, connections: usize) -> Result<()> {
    let request = wire::request("GET", "/1k", 0);
    let mut buffer = vec![0; 4096];
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut stream = connect_one(address).await?;
        stream.write_all(&request).await?;
        read_answer(&mut stream, &mut buffer, Duration::ZERO).await?;
        open.push(stream);
    }
    wait_for_go()?;
    println!("held={}", open.len());
    Ok(())
}

async fn download(address: SocketAddr, bytes: u64) -> Result<()> {
    let mut stream = connect_one(address).await?;
    let mut buffer = vec![0; 4096];
    wait_for_go()?;
    let begun = Instant::now();
    let request = wire::request("GET", &format!("/stream/{bytes}"), 0);
    stream.write_all(&request).await?;
    read_answer(&mut stream, &mut buffer, PAUSE).await?;
    println!("wall_ns={}", begun.elapsed().as_nanos());
    Ok(())
}

async fn upload(address: SocketAddr, bytes: u64) -> Result<()> {
    let mut stream = connect_one(address).await?;
    let mut buffer = vec![0; 4096];
    let chunk = vec![b'x'; 256 * 1024];
    wait_for_go()?;
    let begun = Instant::now();
    stream
        .write_all(&wire::request("POST", "/upload", bytes))
        .await?;
    let mut left = bytes;
    while left > 0 {
        let n = left.min(chunk.len() as u64) as usize;
        stream.write_all(&chunk[..n]).await?;
        left -= n as u64;
    }
    read_answer(&mut stream, &mut buffer, Duration::ZERO).await?;
    println!("wall_ns={}", begun.elapsed().as_nanos());
    Ok(())
}

async fn exchange_all(
    streams: Vec<TcpStream>,
    request: &Arc<[u8]>,
    requests: u64,
) -> Result<(Duration, Vec<TcpStream>)> {
    let left = Arc::new(AtomicI64::new(i64::try_from(requests)?));
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for mut stream in streams {
        let (request, left) = (Arc::clone(request), Arc::clone(&left));
        tasks.spawn(async move {
            let mut buffer = vec![0; 4096];
            while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                stream.write_all(&request).await?;
                read_answer(&mut stream, &mut buffer, Duration::ZERO).await?;
            }
            anyhow::Ok(stream)
        });
    }
    let mut streams = Vec::new();
    while let Some(done) = tasks.join_next().await {
        streams.push(done??);
    }
    Ok((begun.elapsed(), streams))
}

pub(crate) async fn connect(address: SocketAddr, connections: usize) -> Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(connect_one(address).await?);
    }
    Ok(streams)
}

pub(crate) async fn connect_one(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)
        .await
        .context("connecting to the proxy")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one answer to its end. With a `pause` other than zero it stops reading now and then.
pub(crate) async fn read_answer(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    pause: Duration,
) -> Result<()> {
    let mut filled = 0;
    let body = loop {
        match stream.read(&mut buffer[filled..]).await? {
            0 => bail!("the proxy closed the connection after {filled} bytes"),
            n => filled += n,
        }
        if let Some(head) = Head::parse(&buffer[..filled])? {
            head.expect_ok()?;
            break (head.length as u64 + head.content_length)
                .checked_sub(filled as u64)
                .context("more bytes than the answer has")?;
        }
    };
    let (mut left, mut pauses) = (body, 0);
    while left > 0 {
        left -= discard(stream, left).await? as u64;
        if !pause.is_zero()
            && body - left >= (pauses + 1) * (body / (PAUSES + 1))
            && pauses < PAUSES
        {
            pauses += 1;
            tokio::time::sleep(pause).await;
        }
    }
    Ok(())
}

/// Takes up to `limit` bytes out of the socket without copying them (`MSG_TRUNC`, tcp(7)): the
/// generator shares a core with the target, and should not be what limits a proxy.
async fn discard(stream: &TcpStream, limit: u64) -> Result<usize> {
    const MSG_TRUNC: i32 = 0x20;
    const MOST: usize = 512 * 1024;
    // The kernel writes nothing into it: only its length matters, so it never becomes resident.
    let mut nowhere = Vec::<u8>::with_capacity(MOST);
    let length = usize::try_from(limit).unwrap_or(MOST).min(MOST);
    loop {
        stream.readable().await?;
        let room = &mut nowhere.spare_capacity_mut()[..length];
        match stream.try_io(Interest::READABLE, || {
            SockRef::from(stream).recv_with_flags(room, MSG_TRUNC)
        }) {
            Ok(0) => bail!("the answer ended early"),
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}
