//! The daemon, started as `main` starts it, on ports that the system chooses.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use elbow::app::{App, Ended, Options, Running, StartError};
use elbow::metrics::StateMetrics;
use elbow::reload::{Cause, ReloadError, ReloadHandle, Reloaded, Source};
use tempfile::TempDir;

use super::log::{self, LogLine};
use super::target::targets;
use super::{SOON, Target, eventually};

/// A running daemon; dropping it ends it at once.
pub(crate) struct Elbow {
    running: Running,
    directory: TempDir,
}

impl Elbow {
    /// Starts with a configuration of this text, and, unless the text sets them itself: relaxed
    /// ranges, one worker, an admin address, a JSON access log. Let listeners have port 0.
    pub(crate) async fn start(text: &str) -> Self {
        started(Self::try_start(text).await)
    }

    /// The same, when it may be refused.
    pub(crate) async fn try_start(text: &str) -> Result<Self, StartError> {
        let directory = tempfile::tempdir().unwrap();
        let source = Source::Text {
            name: "test".to_owned(),
            text: completed(text, &directory),
        };
        Self::launch(source, directory).await
    }

    /// The same, from a file: [`Elbow::apply`] works then.
    pub(crate) async fn start_from_file(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("elbow.toml");
        std::fs::write(&path, completed(text, &directory)).unwrap();
        started(Self::launch(Source::File(path), directory).await)
    }

    /// One load balancer `lb` that forwards all to one group `group` of these targets, which are
    /// not probed. `attributes` are lines of the load balancer, `settings` of the group.
    pub(crate) async fn before(to: &[&Target], attributes: &str, settings: &str) -> Self {
        let targets = match to {
            [] => String::new(),
            to => targets(to),
        };
        Self::start(&format!(
            "[[load_balancer]]\n\
             name = \"lb\"\n\
             nodes = [{{ address = \"127.0.0.1\" }}]\n\
             listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
             {attributes}\n\
             [[target_group]]\n\
             name = \"group\"\n\
             health_check = {{ enabled = false }}\n\
             {targets}\n\
             {settings}\n"
        ))
        .await
    }

    /// The same as [`Elbow::before`], with targets at these addresses.
    pub(crate) async fn before_addresses(
        to: &[SocketAddr],
        attributes: &str,
        settings: &str,
    ) -> Self {
        let entries: Vec<_> = to
            .iter()
            .map(|address| format!("{{ address = \"{address}\" }}"))
            .collect();
        let settings = format!("targets = [{}]\n{settings}", entries.join(", "));
        Self::before(&[], attributes, &settings).await
    }

    async fn launch(source: Source, directory: TempDir) -> Result<Self, StartError> {
        let running = App::start(Options::new(source)).await?;
        Ok(Self { running, directory })
    }

    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// The first address of the load balancer `lb`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses("lb")[0]
    }

    /// The addresses of a load balancer.
    pub(crate) fn addresses(&self, load_balancer: &str) -> Vec<SocketAddr> {
        self.running.addresses.of(load_balancer)
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.running.admin
    }

    pub(crate) fn reload(&self) -> ReloadHandle {
        self.running.reload.clone()
    }

    /// Writes another configuration to the file, and reloads.
    pub(crate) async fn apply(&self, text: &str) -> Result<Reloaded, Arc<ReloadError>> {
        let path = self.directory.path().join("elbow.toml");
        assert!(
            path.exists(),
            "only what was started from a file can be changed"
        );
        std::fs::write(&path, completed(text, &self.directory)).unwrap();
        self.running.reload.reload(Cause::Api).await
    }

    /// Writes a configuration to a file in the directory of the one in force, and tells nobody.
    pub(crate) fn save(&self, file: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(file);
        std::fs::write(&path, completed(text, &self.directory)).unwrap();
        path
    }

    /// The number of the configuration in force, from 1.
    pub(crate) fn generation(&self) -> u64 {
        self.running.shared.load().generation
    }

    /// The value of one row of the metrics, 0 if it is not there: `elbow_requests_total` sums all
    /// rows of that name, `elbow_requests_total{target_group="a"}` those with that label, too.
    pub(crate) fn metric(&self, row: &str) -> f64 {
        let (name, labels) = row.split_once('{').unwrap_or((row, ""));
        let labels: Vec<&str> = labels
            .trim_end_matches('}')
            .split(',')
            .filter(|label| !label.is_empty())
            .collect();
        let text = self.scrape();
        let rows = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        rows.filter_map(value).sum()
    }

    /// All metrics but those that mirror state.
    pub(crate) fn scrape(&self) -> String {
        let state = StateMetrics::new().unwrap();
        self.running.metrics.encode(&state).unwrap()
    }

    /// Waits until a row of the metrics has a value.
    pub(crate) async fn expect_metric(&self, row: &str, value: f64) {
        let what = format!("{row} is {value}");
        eventually(SOON, &what, || self.metric(row) == value).await;
    }

    /// Where the access log is, unless the configuration says otherwise.
    pub(crate) fn log_path(&self) -> PathBuf {
        log_path(&self.directory)
    }

    /// Waits for so many lines of the access log and returns all.
    pub(crate) async fn log(&self, count: usize) -> Vec<LogLine> {
        let mut lines = Vec::new();
        eventually(SOON, &format!("{count} lines of the access log"), || {
            lines = log::read(&self.log_path());
            lines.len() >= count
        })
        .await;
        lines
    }

    /// The only line of the access log.
    pub(crate) async fn log_line(&self) -> LogLine {
        let mut lines = self.log(1).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    /// Shuts down in order. The directory with the log lives as long as what is returned.
    pub(crate) async fn shutdown(self) -> (Ended, TempDir) {
        (self.running.shutdown().await, self.directory)
    }
}

fn started(outcome: Result<Elbow, StartError>) -> Elbow {
    match outcome {
        Ok(elbow) => elbow,
        Err(error) => panic!("the daemon does not start: {error}"),
    }
}

fn log_path(directory: &TempDir) -> PathBuf {
    directory.path().join("access.log")
}

fn completed(text: &str, directory: &TempDir) -> String {
    let log = log_path(directory);
    let defaults = [
        ("ranges", "ranges = \"relaxed\"".to_owned()),
        ("workers", "workers = 1".to_owned()),
        ("admin", "admin = { address = \"127.0.0.1:0\" }".to_owned()),
        (
            "access_log",
            format!(
                "access_log = {{ path = {:?}, format = \"json\" }}",
                log.display().to_string()
            ),
        ),
    ];
    let mut whole = String::new();
    for (key, line) in defaults {
        let is_set = |line: &str| {
            let line = line.trim_start_matches('[');
            line.strip_prefix(key)
                .is_some_and(|rest| rest.starts_with([' ', '=', '.', ']']))
        };
        if !text.lines().any(is_set) {
            whole.push_str(&line);
            whole.push('\n');
        }
    }
    whole + text
}
