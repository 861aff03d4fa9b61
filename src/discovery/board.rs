//! What each provider has found last, and how it is.
//!
//! Providers note, by a [`Reporter`] each; the reloader and the admin side read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use crate::config::{Contributed, Contribution, Rejected};

/// What all providers have found last.
#[derive(Debug, Default)]
pub struct Board {
    entries: Mutex<BTreeMap<Arc<str>, ProviderReport>>,
    /// Another contribution than before.
    changed: Notify,
    /// A first answer or failure.
    answered: Notify,
}

/// How a provider is, and what it has found.
#[derive(Clone, Debug)]
pub struct ProviderReport {
    /// Its name.
    pub name: Arc<str>,
    /// "docker" or "dns".
    pub kind: &'static str,
    /// Whom it asks, or for what.
    pub asks: String,
    /// How it is.
    pub state: ProviderState,
    /// When it last had an answer.
    pub last_success: Option<SystemTime>,
    /// When it last failed, and why; it may have recovered since.
    pub last_error: Option<(SystemTime, String)>,
    /// How often it has failed since the daemon started.
    pub failures: u64,
    /// What it has found last.
    pub targets: Arc<[Contributed]>,
    /// What it has found that cannot be a target, and why.
    pub remarks: Vec<Remark>,
    /// What it has found that the configuration did not take.
    pub rejected: Vec<Remark>,
}

/// How a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// It has no answer yet.
    Starting,
    /// Its last answer is what is.
    Working,
    /// It has no answer now; what it found last stays.
    Failing,
}

/// Something found that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What is meant: `container wp-a`.
    pub about: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl ProviderState {
    /// A word for pages and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Working => "working",
            Self::Failing => "failing",
        }
    }
}

impl Board {
    /// How all providers are, by name.
    pub fn reports(&self) -> Vec<ProviderReport> {
        self.entries.lock().values().cloned().collect()
    }

    pub(super) fn contributions(&self) -> Vec<Contribution> {
        let entries = self.entries.lock();
        let contributions = entries.values().map(|entry| Contribution {
            provider: Arc::clone(&entry.name),
            targets: Arc::clone(&entry.targets),
        });
        contributions.collect()
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) async fn answered(&self) {
        loop {
            let answered = self.answered.notified();
            let starting = |entry: &ProviderReport| entry.state == ProviderState::Starting;
            if !self.entries.lock().values().any(starting) {
                return;
            }
            answered.await;
        }
    }

    pub(super) fn retain(&self, is_wanted: impl Fn(&str) -> bool) {
        self.entries.lock().retain(|name, _| is_wanted(name));
    }

    /// Replaces all that was noted of targets not taken, and tells of those that are new.
    pub(super) fn rejected(&self, rejected: Vec<Rejected>) {
        let mut entries = self.entries.lock();
        for entry in entries.values_mut() {
            let own = rejected.iter().filter(|other| other.provider == entry.name);
            let remarks = own.map(|rejected| Remark {
                about: rejected.origin.clone(),
                message: rejected.message.clone(),
            });
            let remarks = remarks.collect();
            tell_news(&entry.name, &entry.rejected, &remarks);
            entry.rejected = remarks;
        }
    }
}

/// By which one provider notes what it finds.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    board: Arc<Board>,
    name: Arc<str>,
}

impl Reporter {
    /// A reporter for a provider that begins, maybe with other settings than before.
    pub(super) fn new(
        board: &Arc<Board>,
        name: &Arc<str>,
        kind: &'static str,
        asks: String,
    ) -> Self {
        let mut entries = board.entries.lock();
        let before = entries.remove(name);
        let entry = ProviderReport {
            name: Arc::clone(name),
            kind,
            asks,
            state: ProviderState::Starting,
            last_success: None,
            last_error: None,
            failures: before.as_ref().map_or(0, |before| before.failures),
            targets: before.map_or_else(|| Arc::from([]), |before| before.targets),
            remarks: Vec::new(),
            rejected: Vec::new(),
        };
        entries.insert(Arc::clone(name), entry);
        Self {
            board: Arc::clone(board),
            name: Arc::clone(name),
        }
    }

    /// Notes an answer: these targets are all there are now.
    pub(super) fn found(&self, targets: Vec<Contributed>, remarks: Vec<Remark>) {
        self.note(|entry| {
            if entry.state != ProviderState::Working {
                info!(
                    provider = %entry.name,
                    asks = entry.asks,
                    targets = targets.len(),
                    "provider answers"
                );
            }
            entry.state = ProviderState::Working;
            entry.last_success = Some(SystemTime::now());
            tell_news(&entry.name, &entry.remarks, &remarks);
            entry.remarks = remarks;
            let changed = *entry.targets != *targets;
            entry.targets = targets.into();
            changed
        });
    }

    /// Notes that there is no answer: what was found last stays.
    pub(super) fn failed(&self, error: &str) {
        self.note(|entry| {
            let is_news = entry.state != ProviderState::Failing
                || entry
                    .last_error
                    .as_ref()
                    .is_none_or(|(_, last)| last != error);
            let targets = entry.targets.len();
            let provider = &*entry.name;
            let asks = &entry.asks;
            if is_news {
                warn!(
                    provider,
                    asks, targets, "provider fails, its last known targets stay: {error}"
                );
            } else {
                debug!(provider, asks, targets, "provider still fails: {error}");
            }
            entry.state = ProviderState::Failing;
            entry.last_error = Some((SystemTime::now(), error.to_owned()));
            entry.failures += 1;
            false
        });
    }

    /// Changes the provider's entry; `change` says whether its contribution is another one.
    fn note(&self, change: impl FnOnce(&mut ProviderReport) -> bool) {
        let mut entries = self.board.entries.lock();
        // A provider that is configured no longer has no entry, and nothing to say.
        let Some(entry) = entries.get_mut(&self.name) else {
            return;
        };
        let first = entry.state == ProviderState::Starting;
        let changed = change(entry);
        let answered = first && entry.state != ProviderState::Starting;
        drop(entries);
        if changed {
            self.board.changed.notify_one();
        }
        if answered {
            self.board.answered.notify_waiters();
        }
    }
}

/// Tells of what was not said before.
fn tell_news(provider: &str, before: &[Remark], now: &Vec<Remark>) {
    for remark in now {
        if !before.contains(remark) {
            warn!(provider, "{}: {}", remark.about, remark.message);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn board() -> (Arc<Board>, Reporter) {
        let board = Arc::<Board>::default();
        let reporter = Reporter::new(&board, &"docker".into(), "docker", "unix:///s".into());
        (board, reporter)
    }

    fn target(id: &str) -> Contributed {
        let text = format!("id = \"{id}\"\naddress = \"10.0.0.1:80\"\n");
        Contributed {
            group: "site".into(),
            origin: format!("container {id}"),
            target: toml::from_str(&text).unwrap(),
        }
    }

    fn is_ready(future: impl Future) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        matches!(pin!(future).poll(&mut context), Poll::Ready(_))
    }

    #[test]
    fn a_provider_that_fails_keeps_what_it_found_last() {
        let (board, reporter) = board();
        reporter.found(vec![target("a")], Vec::new());
        reporter.failed("no such file");
        let report = board.reports().remove(0);
        assert_eq!(report.state, ProviderState::Failing);
        assert_eq!(report.targets.len(), 1);
        assert_eq!(report.failures, 1);
        assert_eq!(report.last_error.unwrap().1, "no such file");
        assert!(report.last_success.is_some());
    }

    #[test]
    fn only_another_contribution_is_a_change() {
        let (board, reporter) = board();
        reporter.found(vec![target("a")], Vec::new());
        assert!(is_ready(board.changed()));
        reporter.found(vec![target("a")], Vec::new());
        reporter.failed("gone");
        assert!(!is_ready(board.changed()));
        reporter.found(vec![target("b")], Vec::new());
        assert!(is_ready(board.changed()));
    }

    #[test]
    fn a_failure_is_a_first_answer_too() {
        let (board, reporter) = board();
        assert!(!is_ready(board.answered()));
        reporter.failed("no such file");
        assert!(is_ready(board.answered()));
    }

    #[test]
    fn a_provider_with_other_settings_keeps_its_targets_until_it_has_an_answer() {
        let (board, reporter) = board();
        reporter.found(vec![target("a")], Vec::new());
        let reporter = Reporter::new(&board, &"docker".into(), "docker", "unix:///t".into());
        assert_eq!(board.contributions()[0].targets.len(), 1);
        reporter.found(Vec::new(), Vec::new());
        assert_eq!(board.contributions()[0].targets.len(), 0);
    }

    #[test]
    fn a_provider_that_is_configured_no_longer_has_nothing_to_say() {
        let (board, reporter) = board();
        board.retain(|_| false);
        reporter.found(vec![target("a")], Vec::new());
        assert!(board.reports().is_empty());
        assert!(!is_ready(board.changed()));
    }

    #[test]
    fn what_was_not_taken_is_noted_with_its_provider() {
        let (board, reporter) = board();
        reporter.found(vec![target("a")], Vec::new());
        board.rejected(vec![Rejected {
            provider: "docker".into(),
            origin: "container a".into(),
            message: "taken".into(),
        }]);
        assert_eq!(board.reports()[0].rejected.len(), 1);
        board.rejected(Vec::new());
        assert!(board.reports()[0].rejected.is_empty());
    }
}
