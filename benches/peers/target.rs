//! The target behind every contender: a keep-alive server whose answers are built beforehand, so
//! that it costs the core it shares with the load as little as can be.
//!
//! `/1k` and `/100k` answer that much, `/stream/N` answers N bytes, any `POST` is read to its end,
//! anything else (a probe) gets a short 200.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::wire::{self, Head};

/// How often the receiver of a large body stops to read, and for how long: a proxy that does not
/// hold the sender back then has to keep the bytes, and its memory shows it.
pub(crate) const PAUSES: u64 = 4;
pub(crate) const PAUSE: Duration = Duration::from_millis(150);

struct Answers {
    small: Vec<u8>,
    large: Vec<u8>,
    probe: Vec<u8>,
}

/// Serves on all of `addresses` until the process is ended.
pub(crate) async fn serve(addresses: Vec<SocketAddr>) -> Result<()> {
    let answers = Arc::new(Answers {
        small: answer(1024),
        large: answer(100 * 1024),
        probe: answer(2),
    });
    let mut accepting = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await.context("target")?;
        accepting.push(tokio::spawn(accept(listener, Arc::clone(&answers))));
    }
    for task in accepting {
        task.await??;
    }
    Ok(())
}

async fn accept(listener: TcpListener, answers: Arc<Answers>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            // A peer that goes away in the middle is the measurement's affair, not the target's.
            let _ = converse(stream, &answers).await;
        });
    }
}

async fn converse(mut stream: TcpStream, answers: &Answers) -> Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        let Some(head) = Head::parse(&buffer[..filled])? else {
            if filled == buffer.len() {
                bail!("a head larger than the target's buffer");
            }
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Ok(()),
                n => filled += n,
            }
            continue;
        };
        let mut words = head.first_line.split(' ');
        let (method, path) = (words.next(), words.next().unwrap_or_default());
        let streamed = path
            .strip_prefix("/stream/")
            .map(str::parse::<u64>)
            .transpose()?;
        let answer = match path {
            "/1k" => &answers.small,
            "/100k" => &answers.large,
            _ => &answers.probe,
        };
        let (length, body) = (head.length, head.content_length);
        if method == Some("POST") {
            swallow(&mut stream, body - (filled - length) as u64).await?;
            filled = 0;
        } else {
            buffer.copy_within(length..filled, 0);
            filled -= length;
        }
        match streamed {
            Some(bytes) => pour(&mut stream, bytes).await?,
            None => stream.write_all(answer).await?,
        }
    }
}

async fn swallow(stream: &mut TcpStream, body: u64) -> Result<()> {
    let mut scratch = vec![0; 256 * 1024];
    let (mut read, mut pauses) = (0, 0);
    while read < body {
        match stream.read(&mut scratch).await? {
            0 => bail!("the body ended early"),
            n => read += n as u64,
        }
        if read >= (pauses + 1) * (body / (PAUSES + 1)) && pauses < PAUSES {
            pauses += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

async fn pour(stream: &mut TcpStream, bytes: u64) -> Result<()> {
    stream.write_all(&wire::answer_head(bytes)).await?;
    let chunk = vec![b'x'; 256 * 1024];
    let mut left = bytes;
    while left > 0 {
        let n = left.min(chunk.len() as u64) as usize;
        stream.write_all(&chunk[..n]).await?;
        left -= n as u64;
    }
    Ok(())
}

fn answer(body: usize) -> Vec<u8> {
    let mut bytes = wire::answer_head(body as u64);
    bytes.resize(bytes.len() + body, b'x');
    bytes
}
