//! The four that are compared: how each is configured, started and found ready.

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{Pinned, find};
use crate::wire;

/// The core of the proxies.
pub(crate) const PROXY_CORE: usize = 0;
/// The core of the load and of the target.
pub(crate) const LOAD_CORE: usize = 1;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Contender {
    Elbow,
    Nginx,
    Haproxy,
    Forwarder,
}

impl Contender {
    pub(crate) const ALL: [Self; 4] = [Self::Elbow, Self::Nginx, Self::Haproxy, Self::Forwarder];

    /// Whether Elbow has to be as good as it; the forwarder is only the floor.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::Nginx | Self::Haproxy)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Elbow => "elbow",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Forwarder => "forwarder",
        })
    }
}

/// What all contenders share.
pub(crate) struct Site {
    /// Where the templates of their configurations are.
    pub(crate) templates: PathBuf,
    /// Where their files go.
    pub(crate) folder: PathBuf,
    pub(crate) targets: [SocketAddr; 2],
}

/// A contender at work.
pub(crate) struct Running {
    pub(crate) who: Contender,
    pub(crate) address: SocketAddr,
    /// Where it takes TLS; the forwarder does not.
    pub(crate) secure: SocketAddr,
    pub(crate) process: Pinned,
    log: PathBuf,
}

impl Running {
    /// Empties the access log, so that writing it back to a disk does not disturb what follows.
    pub(crate) fn empty_log(&self) {
        // It is opened for appending by its writer, who goes on at the new end.
        if let Ok(log) = File::options().write(true).open(&self.log) {
            let _ = log.set_len(0);
        }
    }

    /// Says so when the access log has not a line for each of `requests`: a contender without its
    /// log would be compared for less work than the others.
    pub(crate) fn doubt_log(&self, requests: u64) {
        // The last buffer may not be written yet.
        const UNWRITTEN: u64 = 1000;
        let text = fs::read(&self.log).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', &text).count() as u64;
        if lines + UNWRITTEN < requests && self.who != Contender::Forwarder {
            println!("{} logged {lines} of {requests} requests", self.who);
        }
    }
}

/// Starts one contender and waits until a request through it is answered by a target.
///
/// # Errors
/// When it is not installed, does not start, or does not answer within ten seconds.
pub(crate) fn start(who: Contender, site: &Site) -> Result<Running> {
    let (address, secure) = (free_address()?, free_address()?);
    let log = site.folder.join(format!("{who}-access.log"));
    let process = match who {
        Contender::Elbow => {
            let program = match std::env::var_os("ELBOW_BIN") {
                Some(path) => PathBuf::from(path),
                None => PathBuf::from(env!("CARGO_BIN_EXE_elbow")),
            };
            let file = configure(site, "elbow.toml", address, secure)?;
            let arguments = ["run".into(), "--config".into(), text(&file)];
            Pinned::start(PROXY_CORE, &program, &arguments, output(site, "elbow.out")?)?
        }
        Contender::Nginx => {
            let program = find("nginx").context("not installed (apt-get install nginx-light)")?;
            let file = configure(site, "nginx.conf", address, secure)?;
            let errors = site.folder.join("nginx-error.log");
            let arguments = [
                "-p".into(),
                text(&site.folder),
                "-e".into(),
                text(&errors),
                "-c".into(),
                text(&file),
            ];
            Pinned::start(PROXY_CORE, &program, &arguments, output(site, "nginx.out")?)?
        }
        Contender::Haproxy => {
            let program = find("haproxy").context("not installed (apt-get install haproxy)")?;
            let file = configure(site, "haproxy.cfg", address, secure)?;
            let arguments = ["-db".into(), "-f".into(), text(&file)];
            Pinned::start(
                PROXY_CORE,
                &program,
                &arguments,
                output(site, "haproxy-access.log")?,
            )?
        }
        Contender::Forwarder => {
            let mut arguments = vec!["forward".into(), address.to_string()];
            arguments.extend(site.targets.map(|target| target.to_string()));
            Pinned::start_self(PROXY_CORE, &arguments)?
        }
    };
    let mut running = Running {
        who,
        address,
        secure,
        process,
        log,
    };
    wait_until_ready(&mut running)?;
    Ok(running)
}

/// An address of the loopback that nobody listens on at this moment.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn configure(site: &Site, name: &str, listen: SocketAddr, secure: SocketAddr) -> Result<PathBuf> {
    let template = site.templates.join(name);
    let filled = fs::read_to_string(&template)
        .with_context(|| text(&template))?
        .replace("{{listen}}", &listen.to_string())
        .replace("{{port}}", &listen.port().to_string())
        .replace("{{secure}}", &secure.to_string())
        .replace("{{secure_port}}", &secure.port().to_string())
        .replace("{{admin}}", &free_address()?.to_string())
        .replace("{{target_a}}", &site.targets[0].to_string())
        .replace("{{target_b}}", &site.targets[1].to_string())
        .replace("{{dir}}", &text(&site.folder));
    let file = site.folder.join(name);
    fs::write(&file, filled)?;
    Ok(file)
}

fn output(site: &Site, name: &str) -> Result<Stdio> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(site.folder.join(name))?;
    Ok(file.into())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn wait_until_ready(running: &mut Running) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let failure = match ask_once(running.address) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if let Some(status) = running.process.ended()? {
            bail!("ended at once ({status})");
        }
        if Instant::now() > deadline {
            return Err(failure.context("no answer through it within ten seconds"));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn ask_once(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(&wire::request("GET", "/1k", 0))?;
    let mut buffer = [0; 4096];
    let n = stream.read(&mut buffer)?;
    wire::Head::parse(&buffer[..n])?
        .context("half a head")?
        .expect_ok()
}
