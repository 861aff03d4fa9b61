//! `elbow run` as a process of its own, and the processes that take over from it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Client, SOON, eventually};

/// What starts with a file in a folder of its own. All processes write one log.
pub(crate) struct Daemon {
    folder: TempDir,
    first: Child,
    more: Vec<Child>,
}

impl Daemon {
    /// Starts, and waits until it is ready. Let listeners have port 0.
    pub(crate) async fn start(configuration: &str) -> Self {
        Self::start_telling(None, configuration).await
    }

    /// The same with a service manager that listens at a socket.
    pub(crate) async fn start_telling(manager: Option<&Path>, configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_elbow"), folder.path().join("elbow")).unwrap();
        configure(&folder, configuration);
        let mut run = run(&folder, &[]);
        if let Some(manager) = manager {
            run.env("NOTIFY_SOCKET", manager);
        }
        let first = run.spawn().unwrap();
        let more = Vec::new();
        let daemon = Self {
            folder,
            first,
            more,
        };
        daemon.expect_ready(1).await;
        daemon
    }

    /// Starts another process with these arguments besides.
    pub(crate) fn start_another(&mut self, arguments: &[&str]) {
        let another = run(&self.folder, arguments).spawn().unwrap();
        self.more.push(another);
    }

    pub(crate) fn configure(&self, configuration: &str) {
        configure(&self.folder, configuration);
    }

    /// Puts a program in the place of the one that was started.
    pub(crate) fn install(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let new = self.path("elbow.new");
        fs::write(&new, script).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, self.path("elbow")).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// All that was logged with this message.
    pub(crate) fn events(&self, message: &str) -> Vec<Value> {
        events(&self.folder, message)
    }

    pub(crate) async fn expect_ready(&self, times: usize) {
        let what = format!("ready, {times} times; the log:\n{}", self.log());
        eventually(SOON, &what, || self.events("ready").len() >= times).await;
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Where the load balancers listen.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.events("listening").iter().map(address).collect()
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        address(self.events("admin address").last().unwrap())
    }

    /// `elbow upgrade`
    pub(crate) async fn upgrade(&self) -> Output {
        let admin = self.admin().to_string();
        let command = move || {
            Command::new(env!("CARGO_BIN_EXE_elbow"))
                .args(["upgrade", "--admin", &admin])
                .output()
                .unwrap()
        };
        tokio::task::spawn_blocking(command).await.unwrap()
    }

    /// The same, when it must succeed.
    pub(crate) async fn upgraded(&self) {
        let output = self.upgrade().await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}\n{}", self.log());
        assert!(said.contains("has taken over"), "{said}");
    }

    /// A document of the admin address.
    pub(crate) async fn ask(&self, path: &str) -> Value {
        let mut client = Client::connect(self.admin()).await;
        serde_json::from_slice(&client.get(path).await.body).unwrap()
    }

    /// The process that serves.
    pub(crate) async fn pid(&self) -> u64 {
        self.ask("/status").await["process"]["pid"]
            .as_u64()
            .unwrap()
    }

    pub(crate) fn first_pid(&self) -> u64 {
        self.first.id().into()
    }

    /// Waits until the process that was started first has ended; its exit code.
    pub(crate) async fn first_ends(&mut self) -> Option<i32> {
        let mut status = None;
        eventually(SOON, "the first process has ended", || {
            status = self.first.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap().code()
    }

    pub(crate) fn first_runs(&mut self) -> bool {
        self.first.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal_first(&self, name: &str) {
        signal(&self.first.id().to_string(), name);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for started in self.events("a new process has been started") {
            signal(&started["pid"].to_string(), "KILL");
        }
        for child in self.more.iter_mut().chain([&mut self.first]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn configure(folder: &TempDir, configuration: &str) {
    let mut text = String::new();
    for (key, line) in [
        ("ranges", "ranges = \"relaxed\"\n"),
        ("workers", "workers = 2\n"),
        ("admin", "admin = { address = \"127.0.0.1:0\" }\n"),
    ] {
        if !configuration.lines().any(|other| other.starts_with(key)) {
            text.push_str(line);
        }
    }
    // Written whole: the daemon looks at the file, too.
    let new = folder.path().join("elbow.toml.new");
    fs::write(&new, text + configuration).unwrap();
    fs::rename(new, folder.path().join("elbow.toml")).unwrap();
}

pub(crate) fn run(folder: &TempDir, arguments: &[&str]) -> Command {
    let log = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.path().join("log"))
        .unwrap();
    let mut command = Command::new(folder.path().join("elbow"));
    command
        .args(["run", "--log-format", "json", "--config"])
        .arg(folder.path().join("elbow.toml"))
        .args(arguments)
        .env_remove("ELBOW_LOG")
        .stdin(Stdio::null())
        .stderr(log);
    command
}

pub(crate) fn events(folder: &TempDir, message: &str) -> Vec<Value> {
    let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let events = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["message"] == message).collect()
}

pub(crate) fn address(event: &Value) -> SocketAddr {
    event["address"].as_str().unwrap().parse().unwrap()
}

pub(crate) fn signal(pid: &str, name: &str) {
    // It may have ended.
    let _ = Command::new("kill").args(["-s", name, pid]).output();
}

/// How long something must not happen that would have happened at once.
pub(crate) const A_WHILE: Duration = Duration::from_millis(700);
