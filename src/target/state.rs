//! What has happened to a target since it was registered; survives reloads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::bequest::Verdict;
use super::{
    Conduct, Epoch, HealthMachine, HealthReason, InvalidState, ProbeRecord, ProbeRing,
    TargetBequest, TargetHealth, Thresholds, Transition,
};

/// A target's health as an operator sees it: state, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub state: TargetHealth,
    /// Why; none when healthy.
    pub reason: Option<HealthReason>,
}

/// The live state of one target. Shared by every snapshot that registers the target.
#[derive(Debug)]
pub struct TargetState {
    /// What a pick reads: `Live::health` as one byte.
    health: AtomicU8,
    in_flight: AtomicU32,
    requests: AtomicU64,
    recalls: AtomicU32,
    failures: AtomicU64,
    /// What it takes of its weight in hundredths.
    part: AtomicU32,
    draining: AtomicBool,
    resolved: ArcSwapOption<SocketAddr>,
    epoch: Arc<Epoch>,
    renewed: Notify,
    changes: Notify,
    live: Mutex<Live>,
}

#[derive(Debug, Default)]
struct Live {
    machine: HealthMachine,
    /// Set when nothing sends the target traffic, or its health is not checked.
    standing: Option<HealthReason>,
    drain: Option<Drain>,
    probes: ProbeRing,
    /// Registered while no target of its group was healthy.
    founding: bool,
    slow_since: Option<Instant>,
    /// The last probe said so.
    maintained: bool,
    conduct: Conduct,
}

/// All of a target's weight, in hundredths.
const WHOLE: u32 = 100;

#[derive(Clone, Copy, Debug)]
struct Drain {
    until: Instant,
}

impl TargetState {
    /// A target registered just now. Changes of its eligibility advance `epoch`.
    pub fn new(epoch: Arc<Epoch>) -> Self {
        Self {
            health: AtomicU8::new(TargetHealth::Initial as u8),
            in_flight: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            recalls: AtomicU32::new(0),
            failures: AtomicU64::new(0),
            part: AtomicU32::new(WHOLE),
            draining: AtomicBool::new(false),
            resolved: ArcSwapOption::empty(),
            epoch,
            renewed: Notify::new(),
            changes: Notify::new(),
            live: Mutex::default(),
        }
    }

    /// The state that decides eligibility, without time: a target whose deregistration delay has
    /// elapsed is still `Draining` here. One atomic load.
    pub fn health(&self) -> TargetHealth {
        TargetHealth::ALL[usize::from(self.health.load(Ordering::Acquire))]
    }

    /// State and reason as an operator sees them at `now`.
    pub fn describe(&self, now: Instant) -> Health {
        self.live.lock().describe(now)
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Requests for which the target was chosen since it was registered.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that the target failed since it was registered: it answered 5xx, or could not be
    /// spoken to.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// What was found of the target's requests of late.
    pub fn conduct(&self) -> Conduct {
        self.live.lock().conduct
    }

    /// Takes in what has been counted since the last look, and returns what there is.
    pub fn look(&self) -> Conduct {
        let finished = self.requests().saturating_sub(u64::from(self.in_flight()));
        let mut live = self.live.lock();
        live.conduct.look(finished, self.failures());
        live.conduct
    }

    /// Notes what was decided: how the target does, and what it takes of its weight, in hundredths.
    pub fn judged(&self, conduct: Conduct, part: u32) {
        self.live.lock().conduct = conduct;
        if self.part.swap(part, Ordering::AcqRel) != part {
            self.epoch.advance();
        }
    }

    /// What the target takes of its weight, in hundredths: less than 100 while an anomaly is
    /// mitigated.
    pub fn part(&self) -> u32 {
        self.part.load(Ordering::Acquire)
    }

    /// Notes that the first probe is on its way.
    pub fn checking(&self) {
        self.live.lock().machine.checking();
    }

    /// Takes the finding of one probe in; returns the transition that it caused, if any. A target
    /// that turns healthy by it is in slow start from `slow` on, unless it was a founding one.
    pub fn observe(
        &self,
        record: ProbeRecord,
        thresholds: &Thresholds,
        slow: Option<Instant>,
    ) -> Option<Transition> {
        let mut live = self.live.lock();
        let transition = live.machine.observe(&record.outcome, thresholds);
        live.probes.push(record);
        if let Some(transition) = transition {
            let founding = std::mem::take(&mut live.founding);
            let enters = transition.to == TargetHealth::Healthy && !founding;
            live.slow_since = slow.filter(|_| enters);
        }
        self.publish(&live);
        transition
    }

    /// Notes whether the last probe found the target being maintained.
    pub fn maintained(&self, is_so: bool) {
        self.live.lock().maintained = is_so;
    }

    /// Whether the last probe found the target being maintained.
    pub fn is_maintained(&self) -> bool {
        self.live.lock().maintained
    }

    /// The kept probes, oldest first.
    pub fn probes(&self) -> Vec<ProbeRecord> {
        self.live.lock().probes.iter().cloned().collect()
    }

    /// Says why nothing probes the target: its group is in no rule, its zone is not enabled, what
    /// runs it is stopped, or checks are switched off. `None` ends it: the target starts again as a new one, except that
    /// one which took requests unchecked goes on taking them until its probes say otherwise.
    /// Returns whether it starts again.
    pub fn stand(&self, reason: Option<HealthReason>) -> bool {
        let mut live = self.live.lock();
        if live.standing == reason {
            return false;
        }
        let renewed = reason.is_none();
        if renewed {
            live.machine = match live.standing {
                Some(HealthReason::HealthCheckDisabled) => HealthMachine::presumed_healthy(),
                _ => HealthMachine::default(),
            };
        }
        live.standing = reason;
        live.slow_since = None;
        self.publish(&live);
        if renewed {
            self.renewed.notify_one();
        }
        renewed
    }

    /// Notes that no target of the group was healthy when this one was registered: it takes its
    /// full share as soon as it is healthy itself.
    pub fn found(&self) {
        self.live.lock().founding = true;
    }

    /// Since when the target is in slow start, if it has entered it since it turned healthy. How
    /// long that lasts is for the group to say.
    pub fn slow_since(&self) -> Option<Instant> {
        self.live.lock().slow_since
    }

    /// Takes the target out of slow start.
    pub fn end_slow_start(&self) {
        let mut live = self.live.lock();
        if live.slow_since.take().is_some() {
            self.epoch.advance();
        }
    }

    /// Whether what runs the target cannot answer any more.
    pub(super) fn is_out_of_order(&self) -> bool {
        match self.live.lock().standing {
            Some(HealthReason::InvalidState(state)) => state != InvalidState::Stopping,
            _ => false,
        }
    }

    /// Deregisters: no new requests from now on; those in flight may finish until `now + delay`.
    /// A target that is draining already keeps its deadline.
    pub fn drain(&self, now: Instant, delay: Duration) {
        let mut live = self.live.lock();
        live.drain.get_or_insert(Drain { until: now + delay });
        live.slow_since = None;
        self.draining.store(true, Ordering::Release);
        self.publish(&live);
    }

    /// Registers again: the target starts as a new one and needs one pass.
    pub fn register(&self) {
        let mut live = self.live.lock();
        let renewed = live.drain.take().is_some();
        if renewed {
            live.machine = HealthMachine::default();
        }
        self.draining.store(false, Ordering::Release);
        self.publish(&live);
        if renewed {
            self.renewed.notify_one();
        }
    }

    /// Waits until the target starts again as a new one. One waiter at a time, the target's health
    /// check, so that it need not wait for its next interval. A renewal that nobody waited for is
    /// kept: look at [`TargetState::is_new`] for whether it still matters.
    pub async fn renewed(&self) {
        self.renewed.notified().await;
    }

    /// Whether no probe has been sent since the target started as a new one.
    pub fn is_new(&self) -> bool {
        self.live.lock().machine.reason() == Some(&HealthReason::RegistrationInProgress)
    }

    /// Notes that the target's registered address has changed: nothing is known of the health of
    /// whatever answers there, so the target starts as a new one. Requests in flight go on.
    pub fn relocate(&self) {
        let mut live = self.live.lock();
        live.machine = HealthMachine::default();
        live.slow_since = None;
        self.resolved.store(None);
        self.publish(&live);
        self.renewed.notify_one();
    }

    /// What the next process is to know of the target, which is reached at `address`.
    pub fn bequeath(&self, address: String, now: Instant) -> TargetBequest {
        let live = self.live.lock();
        let (passes, failures) = live.machine.counts();
        let drain = live.drain.filter(|drain| now < drain.until);
        TargetBequest {
            address,
            health: Verdict::of(live.machine.state(), live.machine.reason()),
            passes,
            failures,
            founding: live.founding,
            slow_for: live
                .slow_since
                .map(|since| now.saturating_duration_since(since)),
            drains_for: drain.map(|drain| drain.until - now),
            resolved: self.resolved(),
        }
    }

    /// Takes over what the process before knew, unless a probe has found something meanwhile.
    pub fn inherit(&self, bequest: &TargetBequest, now: Instant) {
        let mut live = self.live.lock();
        if live.probes.iter().next().is_none() {
            let (passes, failures) = (bequest.passes, bequest.failures);
            live.machine = HealthMachine::left_at(&bequest.health, passes, failures);
            live.founding = bequest.founding;
            let slow = bequest.slow_for.and_then(|slow| now.checked_sub(slow));
            live.slow_since = slow.filter(|_| live.standing.is_none());
        }
        if let Some(address) = bequest.resolved {
            self.resolved
                .rcu(|known| known.clone().or(Some(Arc::new(address))));
        }
        if let Some(left) = bequest.drains_for {
            live.drain.get_or_insert(Drain { until: now + left });
            self.draining.store(true, Ordering::Release);
        }
        self.publish(&live);
    }

    /// Waits for a change of what decides eligibility. Enable it before looking at the state: a
    /// change that comes in between is then not missed.
    pub fn changed(&self) -> Notified<'_> {
        self.changes.notified()
    }

    /// When requests in flight are cut off; none unless draining. One atomic load when it is not.
    pub fn drains_until(&self) -> Option<Instant> {
        if !self.draining.load(Ordering::Acquire) {
            return None;
        }
        self.live.lock().drain.map(|drain| drain.until)
    }

    /// The address that the target's name stood for when it was last resolved.
    pub fn resolved(&self) -> Option<SocketAddr> {
        self.resolved.load().as_deref().copied()
    }

    /// Notes what the target's name stands for now. Returns whether that is new.
    pub fn resolve(&self, address: SocketAddr) -> bool {
        let before = self.resolved.swap(Some(Arc::new(address)));
        before.as_deref() != Some(&address)
    }

    /// Says that what is open at the target is to be cut: another one is active instead.
    pub fn recall(&self) {
        self.recalls.fetch_add(1, Ordering::AcqRel);
        self.changes.notify_waiters();
    }

    /// How often that was said.
    pub(super) fn recalls(&self) -> u32 {
        self.recalls.load(Ordering::Acquire)
    }

    /// Only a lease may count.
    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// The same, unless that would make more than `most` in flight. Returns whether it was done.
    pub(super) fn enter_within(&self, most: u32) -> bool {
        let one_more = |count| (count < most).then_some(count + 1);
        let ordering = Ordering::AcqRel;
        let entered = self
            .in_flight
            .fetch_update(ordering, Ordering::Acquire, one_more)
            .is_ok();
        self.requests.fetch_add(entered.into(), Ordering::Relaxed);
        entered
    }

    /// Only a lease may count.
    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Tells those who wait for a place that there may be one.
    pub(super) fn make_room(&self) {
        self.epoch.open();
    }

    /// Only a lease may count.
    pub(super) fn fail(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes the locked state visible to picks.
    fn publish(&self, live: &Live) {
        let health = live.eligibility() as u8;
        if self.health.swap(health, Ordering::AcqRel) != health {
            self.epoch.advance();
            self.changes.notify_waiters();
        }
    }
}

impl Live {
    fn eligibility(&self) -> TargetHealth {
        match (&self.drain, &self.standing) {
            (Some(_), _) => TargetHealth::Draining,
            (None, Some(HealthReason::HealthCheckDisabled)) => TargetHealth::Unavailable,
            (None, Some(_)) => TargetHealth::Unused,
            (None, None) => self.machine.state(),
        }
    }

    fn describe(&self, now: Instant) -> Health {
        let (state, reason) = match (&self.drain, &self.standing) {
            (Some(drain), _) if now < drain.until => (
                TargetHealth::Draining,
                Some(HealthReason::DeregistrationInProgress),
            ),
            (Some(_), _) => (TargetHealth::Unused, Some(HealthReason::NotRegistered)),
            (None, Some(reason)) => (self.eligibility(), Some(reason.clone())),
            (None, None) => (self.machine.state(), self.machine.reason().cloned()),
        };
        Health { state, reason }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::target::Outcome;

    const ALB: Thresholds = Thresholds {
        healthy: 5,
        unhealthy: 2,
    };
    const DELAY: Duration = Duration::from_secs(300);

    fn healthy() -> (TargetState, Arc<Epoch>) {
        let epoch = Arc::new(Epoch::default());
        let state = TargetState::new(Arc::clone(&epoch));
        state.observe(pass(), &ALB, None);
        (state, epoch)
    }

    fn pass() -> ProbeRecord {
        ProbeRecord {
            at: SystemTime::UNIX_EPOCH,
            address: None,
            outcome: Outcome::Pass,
            status: Some(200),
            latency: Duration::ZERO,
            detail: String::new(),
        }
    }

    #[test]
    fn a_draining_target_says_so_for_the_whole_delay_and_is_then_not_registered() {
        let (state, _) = healthy();
        let now = Instant::now();
        state.drain(now, DELAY);
        assert_eq!(state.health(), TargetHealth::Draining);
        let late = state.describe(now + DELAY - Duration::from_millis(1));
        assert_eq!(late.state, TargetHealth::Draining);
        assert_eq!(late.reason, Some(HealthReason::DeregistrationInProgress));
        let after = state.describe(now + DELAY);
        assert_eq!(after.state, TargetHealth::Unused);
        assert_eq!(after.reason, Some(HealthReason::NotRegistered));
    }

    #[test]
    fn a_pass_does_not_end_a_drain() {
        let (state, _) = healthy();
        state.drain(Instant::now(), DELAY);
        state.observe(pass(), &ALB, None);
        assert_eq!(state.health(), TargetHealth::Draining);
    }

    #[test]
    fn a_target_registered_again_needs_one_pass() {
        let (state, _) = healthy();
        state.drain(Instant::now(), DELAY);
        state.register();
        assert_eq!(state.health(), TargetHealth::Initial);
        state.observe(pass(), &ALB, None);
        assert_eq!(state.health(), TargetHealth::Healthy);
    }

    #[test]
    fn registering_a_registered_target_changes_nothing() {
        let (state, epoch) = healthy();
        let before = epoch.current();
        state.register();
        assert_eq!(state.health(), TargetHealth::Healthy);
        assert_eq!(epoch.current(), before);
    }

    #[test]
    fn only_a_change_of_eligibility_advances_the_epoch() {
        let (state, epoch) = healthy();
        let before = epoch.current();
        state.observe(pass(), &ALB, None);
        assert_eq!(epoch.current(), before);
        state.drain(Instant::now(), DELAY);
        assert_eq!(epoch.current(), before + 1);
    }

    #[test]
    fn a_group_that_comes_into_use_starts_its_targets_as_new() {
        let (state, _) = healthy();
        state.stand(Some(HealthReason::NotInUse));
        assert_eq!(state.health(), TargetHealth::Unused);
        state.stand(None);
        assert_eq!(state.health(), TargetHealth::Initial);
    }

    #[test]
    fn a_target_whose_machine_was_stopped_needs_one_pass_when_it_is_started_again() {
        let (state, _) = healthy();
        state.stand(Some(HealthReason::InvalidState(InvalidState::Stopped)));
        let health = state.describe(Instant::now());
        assert_eq!(health.state, TargetHealth::Unused);
        let reason = health
            .reason
            .map(|reason| (reason.code(), reason.to_string()));
        let words = "Target is in the stopped state".to_owned();
        assert_eq!(reason, Some(("Target.InvalidState", words)));
        state.stand(None);
        assert_eq!(state.health(), TargetHealth::Initial);
        state.observe(pass(), &ALB, None);
        assert_eq!(state.health(), TargetHealth::Healthy);
    }

    #[test]
    fn a_target_that_was_told_to_stop_may_still_answer() {
        let (state, _) = healthy();
        for (stands, out_of_order) in [
            (InvalidState::Stopping, false),
            (InvalidState::Stopped, true),
            (InvalidState::Invalid, true),
        ] {
            state.stand(Some(HealthReason::InvalidState(stands)));
            assert_eq!(state.is_out_of_order(), out_of_order, "{stands:?}");
        }
        state.stand(Some(HealthReason::NotInUse));
        assert!(!state.is_out_of_order());
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_starts_as_a_new_one_wakes_its_health_check() {
        let (state, _) = healthy();
        let woken = async || {
            let wait = tokio::time::timeout(DELAY, state.renewed());
            wait.await.is_ok() && state.is_new()
        };
        state.register();
        assert!(!woken().await);
        state.drain(Instant::now(), DELAY);
        assert!(!woken().await);
        state.register();
        assert!(woken().await);
        state.stand(Some(HealthReason::NotInUse));
        assert!(!woken().await);
        state.stand(None);
        assert!(woken().await);
        state.checking();
        assert!(!state.is_new());
    }

    #[test]
    fn a_target_whose_checks_are_switched_on_goes_on_taking_requests() {
        let state = TargetState::new(Arc::default());
        state.stand(Some(HealthReason::HealthCheckDisabled));
        assert_eq!(state.health(), TargetHealth::Unavailable);
        state.stand(None);
        assert_eq!(state.health(), TargetHealth::Healthy);
    }

    #[test]
    fn a_target_that_moves_to_another_address_needs_one_pass() {
        let (state, epoch) = healthy();
        state.resolve(SocketAddr::from(([127, 0, 0, 2], 80)));
        let before = epoch.current();
        state.relocate();
        assert_eq!(state.health(), TargetHealth::Initial);
        assert_eq!(state.resolved(), None);
        assert_eq!(epoch.current(), before + 1);
        state.observe(pass(), &ALB, None);
        assert_eq!(state.health(), TargetHealth::Healthy);
    }

    #[test]
    fn the_last_thirty_two_probes_are_kept() {
        let (state, _) = healthy();
        for _ in 0..40 {
            state.observe(pass(), &ALB, None);
        }
        assert_eq!(state.probes().len(), 32);
    }
}
