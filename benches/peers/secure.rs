//! Loads over TLS: whole connections with a full or a resumed handshake, requests over HTTP/1.1 and
//! over HTTP/2. The client's side of all is rustls with one key exchange that every contender has.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::ValueEnum;
use h2::client::SendRequest;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::load::{connect_one, wait_for_go};
use crate::wire::{self, Head};

/// What a load does over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A connection a request, each with a full handshake.
    Full,
    /// A connection a request, each resuming a session (TLS 1.3: a ticket, with a new key exchange).
    Resumed,
    /// HTTP/1.1, requests over keep-alive connections.
    Http1,
    /// HTTP/2, requests over [`SHARED`] connections.
    Http2,
}

impl Kind {
    /// As the load is told of it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }
}

/// One measure.
pub(crate) struct Secure {
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    pub(crate) path: &'static str,
    /// In a round.
    pub(crate) requests: u64,
}

/// All that is measured.
pub(crate) const MEASURES: [Secure; 6] = {
    const fn measure(label: &'static str, kind: Kind, path: &'static str, requests: u64) -> Secure {
        Secure {
            label,
            kind,
            path,
            requests,
        }
    }
    [
        measure("CPU a connection, full", Kind::Full, "/1k", 400),
        measure("CPU a connection, resumed", Kind::Resumed, "/1k", 400),
        measure("CPU a request, HTTPS /1k", Kind::Http1, "/1k", 4_000),
        measure("CPU a request, HTTPS /100k", Kind::Http1, "/100k", 600),
        measure("CPU a request, HTTP/2 /1k", Kind::Http2, "/1k", 4_000),
        measure("CPU a request, HTTP/2 /100k", Kind::Http2, "/100k", 600),
    ]
};

/// How many connections of HTTP/2 carry the requests of all.
const SHARED: usize = 8;
/// After so many requests a connection of HTTP/2 makes room for a new one: before the contenders, of
/// which some end one after 10,000 requests, do it.
const REQUESTS: usize = 8_000;

/// Makes a certificate (ECDSA on P-256, as authorities issue them today) for all contenders in
/// `folder`: `chain.pem`, `key.pem`, and `both.pem` for HAProxy.
pub(crate) fn certify(folder: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["bench.test".to_owned()])?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    std::fs::write(folder.join("chain.pem"), &chain)?;
    std::fs::write(folder.join("key.pem"), &key)?;
    std::fs::write(folder.join("both.pem"), chain + &key)?;
    Ok(())
}

/// Does `requests` of one kind each time it is told to, `clients` at once.
pub(crate) async fn run(
    kind: Kind,
    address: SocketAddr,
    path: String,
    clients: usize,
    requests: u64,
) -> Result<()> {
    let mut crew = Crew::new(kind, address, path, clients).await?;
    crew.serve(requests).await?;
    loop {
        wait_for_go()?;
        let begun = Instant::now();
        crew.serve(requests).await?;
        println!("wall_ns={}", begun.elapsed().as_nanos());
    }
}

/// Makes connections.
#[derive(Clone)]
struct Dialler {
    address: SocketAddr,
    connector: TlsConnector,
}

impl Dialler {
    fn new(kind: Kind, address: SocketAddr) -> Result<Self> {
        let provider = CryptoProvider {
            // What OpenSSL 3.0 has not got, or prefers otherwise, would make it another comparison.
            kx_groups: vec![aws_lc_rs::kx_group::X25519],
            ..aws_lc_rs::default_provider()
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unchecked))
            .with_no_client_auth();
        if kind != Kind::Resumed {
            config.resumption = Resumption::disabled();
        }
        config.alpn_protocols = match kind {
            Kind::Http2 => vec![b"h2".to_vec()],
            _ => vec![b"http/1.1".to_vec()],
        };
        Ok(Self {
            address,
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    async fn dial(&self) -> Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("bench.test")?;
        let tcp = connect_one(self.address).await?;
        let stream = self.connector.connect(name, tcp).await;
        stream.context("the handshake with the proxy")
    }
}

/// All clients of one load, between its rounds.
enum Crew {
    /// A connection a request. Each client keeps its own tickets.
    Brief {
        diallers: Vec<Dialler>,
        resumed: bool,
        path: String,
    },
    /// Connections that stay.
    Kept {
        streams: Vec<TlsStream<TcpStream>>,
        path: String,
    },
    /// Connections that many share.
    Shared {
        dialler: Dialler,
        connections: VecDeque<Shared>,
        path: String,
        clients: usize,
    },
}

/// A connection of HTTP/2.
struct Shared {
    send: SendRequest<Bytes>,
    served: usize,
}

impl Crew {
    async fn new(kind: Kind, address: SocketAddr, path: String, clients: usize) -> Result<Self> {
        let dialler = Dialler::new(kind, address)?;
        Ok(match kind {
            Kind::Full | Kind::Resumed => Self::Brief {
                diallers: (0..clients)
                    .map(|_| Dialler::new(kind, address))
                    .collect::<Result<_>>()?,
                resumed: kind == Kind::Resumed,
                path,
            },
            Kind::Http1 => {
                let mut streams = Vec::new();
                for _ in 0..clients {
                    streams.push(dialler.dial().await?);
                }
                Self::Kept { streams, path }
            }
            Kind::Http2 => Self::Shared {
                dialler,
                connections: VecDeque::new(),
                path,
                clients,
            },
        })
    }

    async fn serve(&mut self, requests: u64) -> Result<()> {
        let left = Arc::new(AtomicI64::new(i64::try_from(requests)?));
        match self {
            Self::Brief {
                diallers,
                resumed,
                path,
            } => brief(diallers, *resumed, path, &left).await,
            Self::Kept { streams, path } => {
                *streams = kept(std::mem::take(streams), path, &left).await?;
                Ok(())
            }
            Self::Shared {
                dialler,
                connections,
                path,
                clients,
            } => shared(dialler, connections, path, (*clients, requests), &left).await,
        }
    }
}

/// Whether one more request is to be made.
fn goes_on(left: &AtomicI64) -> bool {
    left.fetch_sub(1, Ordering::Relaxed) > 0
}

async fn brief(
    diallers: &[Dialler],
    resumed: bool,
    path: &str,
    left: &Arc<AtomicI64>,
) -> Result<()> {
    let request: Arc<[u8]> = wire::request("GET", path, 0).into();
    let mut tasks = JoinSet::new();
    for dialler in diallers {
        let (dialler, request, left) = (dialler.clone(), Arc::clone(&request), Arc::clone(left));
        tasks.spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            let mut first = true;
            while goes_on(&left) {
                let mut stream = dialler.dial().await?;
                exchange(&mut stream, &request, &mut buffer).await?;
                let kind = stream.get_ref().1.handshake_kind();
                let has_resumed = kind == Some(rustls::HandshakeKind::Resumed);
                // Each client's first one has no ticket yet.
                if has_resumed != resumed && !first {
                    bail!("a handshake was {kind:?}");
                }
                first = false;
                stream.shutdown().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

async fn kept(
    streams: Vec<TlsStream<TcpStream>>,
    path: &str,
    left: &Arc<AtomicI64>,
) -> Result<Vec<TlsStream<TcpStream>>> {
    let request: Arc<[u8]> = wire::request("GET", path, 0).into();
    let mut tasks = JoinSet::new();
    for mut stream in streams {
        let (request, left) = (Arc::clone(&request), Arc::clone(left));
        tasks.spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while goes_on(&left) {
                exchange(&mut stream, &request, &mut buffer).await?;
            }
            anyhow::Ok(stream)
        });
    }
    let mut streams = Vec::new();
    while let Some(done) = tasks.join_next().await {
        streams.push(done??);
    }
    Ok(streams)
}

async fn exchange(
    stream: &mut TlsStream<TcpStream>,
    request: &[u8],
    buffer: &mut [u8],
) -> Result<()> {
    stream.write_all(request).await?;
    let mut filled = 0;
    let mut left = loop {
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
    while left > 0 {
        match stream.read(buffer).await? {
            0 => bail!("the answer ended early"),
            n => left = left.checked_sub(n as u64).context("more than announced")?,
        }
    }
    Ok(())
}

async fn shared(
    dialler: &Dialler,
    connections: &mut VecDeque<Shared>,
    path: &str,
    (clients, requests): (usize, u64),
    left: &Arc<AtomicI64>,
) -> Result<()> {
    let each = usize::try_from(requests)? / SHARED;
    connections.retain(|one| one.served + 2 * each < REQUESTS);
    while connections.len() < SHARED {
        let builder = h2::client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 24)
            .handshake::<_, Bytes>(dialler.dial().await?);
        let (send, connection) = builder.await?;
        tokio::spawn(connection);
        connections.push_back(Shared { send, served: 0 });
    }
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let connection = &mut connections[client % SHARED];
        let (mut send, left) = (connection.send.clone(), Arc::clone(left));
        let request = head(path)?;
        tasks.spawn(async move {
            while goes_on(&left) {
                send = ask(send, request.clone()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    connections.iter_mut().for_each(|one| one.served += each);
    Ok(())
}

/// The same request as over HTTP/1.1.
fn head(path: &str) -> Result<http::Request<()>> {
    let bytes = wire::request("GET", path, 0);
    let text = std::str::from_utf8(&bytes)?;
    let mut request =
        http::Request::get(format!("https://bench.test{path}")).version(http::Version::HTTP_2);
    for line in text.lines().skip(1) {
        match line.split_once(": ") {
            Some(("Host" | "Connection", _)) | None => {}
            Some((name, value)) => request = request.header(name, value),
        }
    }
    Ok(request.body(())?)
}

async fn ask(send: SendRequest<Bytes>, request: http::Request<()>) -> Result<SendRequest<Bytes>> {
    let mut send = send.ready().await?;
    let (response, _) = send.send_request(request, true)?;
    let response = response.await?;
    if response.status() != http::StatusCode::OK {
        bail!("not a 200: {}", response.status());
    }
    let announced = response.headers().get("content-length");
    let announced: usize = announced.context("content-length")?.to_str()?.parse()?;
    let mut body = response.into_body();
    let mut came = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        came += data.len();
        body.flow_control().release_capacity(data.len())?;
    }
    if came != announced {
        bail!("{came} of {announced} bytes");
    }
    Ok(send)
}

/// Takes every certificate: it is the proxies that are measured.
#[derive(Debug)]
struct Unchecked;

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
