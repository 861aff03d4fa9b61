//! Where targets come from besides the file: container engines and DNS, each asked by a provider.
//!
//! Look at [`Discovery`], the room that starts and ends providers as the configuration says, and at
//! [`Board`], where each notes what it has found. A provider contributes targets to groups that the
//! file names; the reloader takes its part in, checks it and publishes it as it does with the file.
//! A provider that fails keeps what it found last, says so, and tries again, ever less often.
//!
//! Nothing here knows a snapshot: what becomes of a target is not the provider's business.

mod backoff;
mod board;
mod dns;
mod docker;

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use crate::config::{Contribution, ProviderSource, Rejected, ValidProvider};
use backoff::Backoff;
use board::Reporter;

pub use board::{Board, ProviderReport, ProviderState, Remark};

/// The providers of the configuration in force. Dropping it ends them.
#[derive(Debug, Default)]
pub struct Discovery {
    board: Arc<Board>,
    running: HashMap<Arc<str>, Running>,
}

/// A running provider. Dropping it ends it.
#[derive(Debug)]
struct Running {
    provider: ValidProvider,
    _task: AbortOnDropHandle<()>,
}

impl Discovery {
    /// What the providers have found, for whoever wants to show it.
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Asks these providers from now on. One whose settings are the same goes on undisturbed; one
    /// whose settings have changed keeps what it had found until it has found something anew.
    pub fn reconcile(&mut self, providers: &[ValidProvider]) {
        let is_wanted = |name: &str| providers.iter().any(|wanted| *wanted.name == *name);
        self.running.retain(|name, _| is_wanted(name));
        self.board.retain(is_wanted);
        for provider in providers {
            let running = self.running.get(&provider.name);
            if running.is_none_or(|running| running.provider != *provider) {
                let running = self.start(provider.clone());
                self.running.insert(Arc::clone(&provider.name), running);
            }
        }
    }

    fn start(&self, provider: ValidProvider) -> Running {
        let (kind, asked) = match &provider.source {
            ProviderSource::Docker(docker) => ("docker", docker.host.to_string()),
            ProviderSource::Dns(dns) => ("dns", dns.name.clone()),
        };
        let reporter = Reporter::new(&self.board, &provider.name, kind, asked);
        let task = supervise(provider.source.clone(), reporter);
        Running {
            provider,
            _task: AbortOnDropHandle::new(tokio::spawn(task)),
        }
    }

    /// What all providers have found, by their names.
    pub fn contributions(&self) -> Vec<Contribution> {
        self.board.contributions()
    }

    /// Waits until a provider has found something else than before. One waiter at a time.
    pub async fn changed(&self) {
        self.board.changed().await;
    }

    /// Waits until every provider has had its first answer, or its first failure.
    pub async fn answered(&self) {
        self.board.answered().await;
    }

    /// Notes which of the targets found were not taken.
    pub fn rejected(&self, rejected: Vec<Rejected>) {
        self.board.rejected(rejected);
    }
}

/// Runs a provider for ever: one that panics has failed, and begins again.
async fn supervise(source: ProviderSource, reporter: Reporter) {
    let mut backoff = Backoff::default();
    loop {
        let (source, for_task) = (source.clone(), reporter.clone());
        let task = tokio::spawn(async move {
            match source {
                ProviderSource::Docker(docker) => docker::run(docker, for_task).await,
                ProviderSource::Dns(dns) => dns::run(dns, for_task).await,
            }
        });
        if let Err(error) = AbortOnDropHandle::new(task).await {
            reporter.failed(&format!("the provider has ended: {error}"));
        }
        backoff.pause().await;
    }
}
