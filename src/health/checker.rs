//! Which targets are probed: one task for each that is in use.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::Resolver;
use super::names::Names;
use super::probe::Prober;
use super::report::Report;
use super::schedule::Schedule;
use super::task::{self, Assignment};
use crate::snapshot::{Group, Snapshot};
use crate::target::{Target, TargetKey};

/// Probes the targets of the current snapshot. Dropping it ends all probes; one that is cut off
/// midway counts neither as a pass nor as a failure.
#[derive(Debug)]
pub struct HealthChecker {
    prober: Prober,
    origin: Instant,
    tasks: HashMap<Identity, Task>,
    /// Of those that are not probed.
    names: Names,
}

/// The group's name and the target's identity in it.
pub(super) type Identity = (Arc<str>, TargetKey);

impl HealthChecker {
    /// One that probes nothing yet, and will resolve targets' names with `resolver`.
    pub fn new(resolver: Resolver) -> Self {
        Self {
            prober: Prober::new(resolver),
            origin: Instant::now(),
            tasks: HashMap::new(),
            names: Names::default(),
        }
    }

    /// Checks what `snapshot` says from now on: call it after the snapshot has taken over, within a
    /// tokio runtime. A target new to it is probed at once; one that it has no longer, not any more;
    /// all others go on at their times, with the new settings. A target whose address was changed
    /// keeps its health and its times, and is probed at once, too.
    pub fn reconcile(&mut self, snapshot: &Snapshot) {
        let report = |(name, group): (&Arc<str>, &Arc<Group>)| Report {
            name: Arc::clone(name),
            group: Arc::clone(group),
        };
        let assignments = snapshot.groups.iter().flat_map(|(name, group)| {
            let report = report((name, group));
            group.probed().map(move |target| Assignment {
                target: Arc::clone(target),
                check: Arc::clone(&group.health_check),
                connector: group.connector.clone(),
                report: report.clone(),
            })
        });
        self.assign(assignments);
        let reports = snapshot.groups.iter().map(report);
        self.names.assign(&self.prober, reports);
    }

    fn assign(&mut self, assignments: impl Iterator<Item = Assignment>) {
        let mut before = mem::take(&mut self.tasks);
        for assignment in assignments {
            let name = Arc::clone(&assignment.report.name);
            let identity = (name, assignment.target.key.clone());
            let task = match before.remove(&identity) {
                Some(task) if task.watches(&assignment.target) => {
                    task.reassign(assignment);
                    task
                }
                _ => self.start(&identity, assignment),
            };
            self.tasks.insert(identity, task);
        }
    }

    fn start(&self, identity: &Identity, assignment: Assignment) -> Task {
        let prober = self.prober.clone();
        let schedule = Schedule::new(self.origin, identity);
        let (assignments, receiver) = watch::channel(assignment);
        let run = task::run(receiver, schedule, move |assignment: Assignment| {
            let prober = prober.clone();
            async move {
                let connector = assignment.connector.as_deref();
                prober
                    .probe(&assignment.target, &assignment.check, connector)
                    .await
            }
        });
        Task {
            assignments,
            running: AbortOnDropHandle::new(tokio::spawn(run)),
        }
    }
}

/// A running task. Dropping it ends it.
#[derive(Debug)]
struct Task {
    assignments: watch::Sender<Assignment>,
    running: AbortOnDropHandle<()>,
}

impl Task {
    /// Whether what it probes is this very target, where it is now.
    fn watches(&self, target: &Target) -> bool {
        let assigned = &self.assignments.borrow().target;
        !self.running.is_finished()
            && Arc::ptr_eq(&assigned.state, &target.state)
            && assigned.address == target.address
    }

    /// Goes on with the new assignment. Wakes the task only if the settings differ.
    fn reassign(&self, assignment: Assignment) {
        self.assignments.send_if_modified(|current| {
            let differs = current.check != assignment.check;
            *current = assignment;
            differs
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::time::Duration;

    use parking_lot::Mutex;
    use prometheus::Registry;

    use super::*;
    use crate::health::sample::{self, Scripted, eventually};
    use crate::metrics::Metrics;
    use crate::target::{TargetAddress, TargetHealth, Thresholds};
    use crate::target_group::{HealthCheck, Registration, Scope, Settings, TargetGroup};

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    /// Out after two failures, back after two passes.
    fn every(interval: Duration) -> HealthCheck {
        HealthCheck {
            interval,
            thresholds: Thresholds {
                healthy: 2,
                unhealthy: 2,
            },
            ..HealthCheck::default()
        }
    }

    fn often() -> HealthCheck {
        every(Duration::from_millis(20))
    }

    fn seldom() -> HealthCheck {
        every(Duration::from_secs(300))
    }

    fn checker() -> HealthChecker {
        HealthChecker::new(Resolver::system())
    }

    fn handles(checker: &HealthChecker) -> Vec<tokio::task::AbortHandle> {
        let tasks = checker.tasks.values();
        tasks.map(|task| task.running.abort_handle()).collect()
    }

    #[tokio::test]
    async fn a_target_that_recovers_is_healthy_again() {
        let site = Scripted::answering(OK).await;
        let target = site.target();
        let (dead, _held) = sample::refusing();
        let state = Arc::clone(&target.state);
        let moved = Arc::new(Target {
            key: target.key.clone(),
            address: TargetAddress::Ip(dead),
            zone: None,
            weight: 1,
            invalid_state: None,
            priority: 1,
            state: Arc::clone(&state),
        });
        let mut checker = checker();
        checker.assign([sample::assign(Arc::clone(&target), often())].into_iter());
        eventually("healthy", || state.health() == TargetHealth::Healthy).await;
        checker.assign([sample::assign(moved, often())].into_iter());
        eventually("unhealthy", || state.health() == TargetHealth::Unhealthy).await;
        checker.assign([sample::assign(target, often())].into_iter());
        eventually("healthy", || state.health() == TargetHealth::Healthy).await;
    }

    #[tokio::test]
    async fn a_target_known_by_name_that_comes_back_elsewhere_is_healthy_again() {
        let before = Scripted::answering(OK).await;
        let after = Scripted::answering(OK).await;
        let back_at = after.address;
        let stands_for = Arc::new(Mutex::new(before.address));
        let answers = Arc::clone(&stands_for);
        let mut checker = HealthChecker::new(Resolver::new(move |_, _| {
            std::future::ready(Ok(vec![*answers.lock()]))
        }));
        let target = sample::target(TargetAddress::Name("wp.example".into(), 80));
        let health = || target.state.health();
        checker.assign([sample::assign(Arc::clone(&target), often())].into_iter());
        eventually("healthy", || health() == TargetHealth::Healthy).await;
        drop(before);
        eventually("unhealthy", || health() == TargetHealth::Unhealthy).await;
        *stands_for.lock() = back_at;
        eventually("healthy", || health() == TargetHealth::Healthy).await;
        assert_eq!(target.socket_address(), Some(back_at));
    }

    #[tokio::test]
    async fn an_unhealthy_target_says_why() {
        let moved = Scripted::answering("HTTP/1.1 301 Moved\r\n\r\n").await;
        let silent = Scripted::answering("").await;
        let (dead, _held) = sample::refusing();
        for (target, code, description) in [
            (
                moved.target(),
                "Target.ResponseCodeMismatch",
                "Health checks failed with these codes: [301]",
            ),
            (silent.target(), "Target.Timeout", "Request timed out"),
            (
                sample::target(TargetAddress::Ip(dead)),
                "Target.FailedHealthChecks",
                "Health checks failed",
            ),
        ] {
            let mut checker = checker();
            let mut check = often();
            if code == "Target.Timeout" {
                check.timeout = Duration::from_millis(100);
            }
            checker.assign([sample::assign(Arc::clone(&target), check)].into_iter());
            let state = &target.state;
            eventually("unhealthy", || state.health() == TargetHealth::Unhealthy).await;
            let reason = state.describe(Instant::now()).reason.unwrap();
            assert_eq!((reason.code(), &*reason.to_string()), (code, description));
        }
    }

    #[tokio::test]
    async fn a_reload_that_does_not_concern_a_target_leaves_its_task_alone() {
        let site = Scripted::answering(OK).await;
        let target = site.target();
        let mut checker = checker();
        checker.assign([sample::assign(Arc::clone(&target), seldom())].into_iter());
        let before = handles(&checker);
        let weighted = Arc::new(Target {
            key: target.key.clone(),
            address: target.address.clone(),
            zone: Some("a".into()),
            weight: 7,
            invalid_state: None,
            priority: 1,
            state: Arc::clone(&target.state),
        });
        checker.assign([sample::assign(weighted, often())].into_iter());
        assert_eq!(handles(&checker)[0].id(), before[0].id());
        eventually("the new interval counts", || site.requests().len() > 2).await;
    }

    #[tokio::test]
    async fn a_changed_address_is_probed_at_once_and_health_goes_on() {
        let (before, after) = (Scripted::answering(OK).await, Scripted::answering(OK).await);
        let target = before.target();
        let state = Arc::clone(&target.state);
        let mut checker = checker();
        checker.assign([sample::assign(Arc::clone(&target), seldom())].into_iter());
        eventually("healthy", || state.health() == TargetHealth::Healthy).await;
        let moved = Arc::new(Target {
            key: target.key.clone(),
            address: TargetAddress::Ip(after.address),
            zone: None,
            weight: 1,
            invalid_state: None,
            priority: 1,
            state: Arc::clone(&state),
        });
        checker.assign([sample::assign(moved, seldom())].into_iter());
        eventually("probed there", || after.requests().len() == 1).await;
        assert_eq!(state.health(), TargetHealth::Healthy);
    }

    #[tokio::test]
    async fn a_target_that_is_gone_is_probed_no_more() {
        let site = Scripted::answering(OK).await;
        let mut checker = checker();
        checker.assign([sample::assign(site.target(), often())].into_iter());
        eventually("probed", || !site.requests().is_empty()).await;
        let task = handles(&checker).remove(0);
        assert!(!task.is_finished());
        checker.assign(std::iter::empty());
        assert!(checker.tasks.is_empty());
        eventually("the task ends", || task.is_finished()).await;
    }

    #[tokio::test]
    async fn dropping_the_checker_in_the_middle_of_a_probe_is_no_failure() {
        let silent = Scripted::answering("").await;
        let target = silent.target();
        let mut checker = checker();
        checker.assign([sample::assign(Arc::clone(&target), seldom())].into_iter());
        eventually("asked", || silent.requests().len() == 1).await;
        let task = handles(&checker).remove(0);
        drop(checker);
        eventually("the task ends", || task.is_finished()).await;
        assert!(target.state.probes().is_empty());
        assert_eq!(target.state.health(), TargetHealth::Initial);
    }

    #[tokio::test]
    async fn only_targets_of_groups_in_use_are_probed() {
        let (used, unused) = (Scripted::answering(OK).await, Scripted::answering(OK).await);
        let snapshot = Snapshot {
            groups: BTreeMap::from([
                group("used", Scope::All, used.address),
                group("unused", Scope::NotInUse, unused.address),
            ]),
            ..Snapshot::default()
        };
        snapshot.take_over(Instant::now());
        let mut checker = checker();
        checker.reconcile(&snapshot);
        let target = Arc::clone(&snapshot.groups["used"].targets()[0]);
        let state = &target.state;
        eventually("healthy", || state.health() == TargetHealth::Healthy).await;
        assert_eq!(checker.tasks.len(), 1);
        let stands = snapshot.groups["unused"].targets()[0].state.health();
        assert_eq!(stands, TargetHealth::Unused);
        assert!(unused.requests().is_empty());
    }

    fn group(name: &str, scope: Scope, address: SocketAddr) -> (Arc<str>, Arc<Group>) {
        let name: Arc<str> = name.into();
        let registration = Registration {
            key: TargetKey {
                id: "wp-a".into(),
                port: address.port(),
            },
            address: TargetAddress::Ip(address),
            zone: None,
            weight: 1,
            invalid_state: None,
            priority: 1,
        };
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let group = Group {
            connector: None,
            target_group: TargetGroup::new(
                Settings::new(&name),
                vec![registration],
                scope,
                None,
                Instant::now(),
            ),
            health_check: Arc::new(seldom()),
            security_groups: Vec::new(),
            load_balancer: Some("wp-elb".into()),
            metrics: metrics.group("wp-elb", &name, &[None]),
        };
        (name, Arc::new(group))
    }
}
