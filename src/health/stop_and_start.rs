//! The puzzle of 2014, answered by running it: does an instance that went OutOfService come back by
//! itself, and does one that was stopped and started?
//!
//! The checks are Classic's (every 30 s, 2 failures out, 10 passes in), the clock is tokio's and
//! stands still while nothing is due. What stands behind a probe is an [`Instance`] that can be
//! stopped and started, and a name that stands for it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::probe::Prober;
use super::schedule::Schedule;
use super::task::{self, Assignment};
use super::{Resolver, sample};
use crate::target::{
    HealthReason, InstanceState, Outcome, Target, TargetAddress, TargetHealth, Thresholds,
};
use crate::target_group::HealthCheck;

const INTERVAL: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// Where the instance is; nowhere while it is stopped.
type Instance = Arc<Mutex<Option<SocketAddr>>>;

/// A registered instance, and the task that checks it.
struct Registered {
    instance: Instance,
    target: Arc<Target>,
    _assignments: watch::Sender<Assignment>,
    _checking: AbortOnDropHandle<()>,
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 80))
}

/// Registers an instance at 10.0.0.1, and waits until it is in service.
async fn registered(stale_ip_after_stop: bool) -> Registered {
    let instance: Instance = Arc::new(Mutex::new(Some(address(1))));
    let target = sample::target(TargetAddress::Name("i-0123456789abcdef0".into(), 80));
    let check = HealthCheck {
        interval: INTERVAL,
        timeout: Duration::from_secs(5),
        thresholds: Thresholds {
            healthy: 10,
            unhealthy: 2,
        },
        classic: true,
        keeps_address: stale_ip_after_stop,
        ..HealthCheck::default()
    };
    let stands_for = Arc::clone(&instance);
    // A stopped instance keeps its name, and the name its last address.
    let last = Mutex::new(address(1));
    let resolver = Resolver::new(move |_, _| {
        let mut last = last.lock();
        *last = stands_for.lock().unwrap_or(*last);
        std::future::ready(Ok(vec![*last]))
    });
    let (assignments, receiver) = watch::channel(sample::assign(Arc::clone(&target), check));
    let (prober, answers) = (Prober::new(resolver), Arc::clone(&instance));
    let schedule = Schedule::new(Instant::now(), &"i-0123456789abcdef0");
    let run = task::run(receiver, schedule, move |assignment: Assignment| {
        let (prober, answers) = (prober.clone(), Arc::clone(&answers));
        async move {
            let asked = prober.locate(&assignment.target, &assignment.check).await;
            let answered = asked.is_ok_and(|asked| *answers.lock() == Some(asked));
            sample::record(match answered {
                true => Outcome::Pass,
                false => Outcome::Fail(HealthReason::FailedHealthChecks),
            })
        }
    });
    let registered = Registered {
        instance,
        target,
        _assignments: assignments,
        _checking: AbortOnDropHandle::new(tokio::spawn(run)),
    };
    assert!(registered.until("InService", MINUTE).await < INTERVAL);
    registered
}

impl Registered {
    /// What `DescribeInstanceHealth` says.
    fn describe(&self) -> InstanceState {
        let health = self.target.state.describe(Instant::now());
        let last = self.target.state.probes().pop();
        let recovering = last.is_some_and(|probe| probe.outcome == Outcome::Pass);
        InstanceState::of(health.state, health.reason.as_ref(), recovering)
    }

    /// How long it takes until it is in that state.
    async fn until(&self, state: &str, limit: Duration) -> Duration {
        let start = Instant::now();
        while self.describe().state != state {
            assert!(start.elapsed() < limit, "not {state} after {limit:?}");
            sleep(Duration::from_millis(100)).await;
        }
        start.elapsed()
    }

    /// Stops the instance, and waits until the load balancer has noticed.
    async fn stop(&self) {
        *self.instance.lock() = None;
        let took = self.until("OutOfService", 2 * MINUTE).await;
        assert!(took > INTERVAL && took <= 2 * INTERVAL, "{took:?}");
        assert!(
            self.describe()
                .description
                .starts_with("Instance has failed at least")
        );
    }

    fn start(&self, at: SocketAddr) {
        *self.instance.lock() = Some(at);
    }

    /// Deregisters the instance and registers it again.
    fn register_anew(&self) {
        self.target.state.drain(Instant::now(), Duration::ZERO);
        self.target.state.register();
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_was_out_of_service_comes_back_by_itself_after_ten_passes() {
    let instance = registered(false).await;
    instance.stop().await;
    sleep(60 * MINUTE).await;
    instance.start(address(1));
    // Nine passes do not do.
    sleep(9 * INTERVAL).await;
    let InstanceState {
        state, description, ..
    } = instance.describe();
    assert_eq!(state, "OutOfService");
    assert!(description.starts_with("Instance has not passed the configured HealthyThreshold"));
    let more = instance.until("InService", MINUTE).await;
    assert!(more <= INTERVAL, "{more:?}: about five minutes in all");
}

#[tokio::test(start_paused = true)]
async fn a_single_failure_begins_the_count_anew() {
    let instance = registered(false).await;
    instance.stop().await;
    instance.start(address(1));
    sleep(8 * INTERVAL).await;
    *instance.instance.lock() = None;
    sleep(INTERVAL).await;
    instance.start(address(1));
    let again = instance.until("InService", 10 * MINUTE).await;
    assert!(again > 9 * INTERVAL && again <= 10 * INTERVAL, "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_registered_anew_needs_a_single_pass_hence_the_folklore() {
    let instance = registered(false).await;
    instance.stop().await;
    instance.start(address(1));
    instance.register_anew();
    let took = instance.until("InService", MINUTE).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_returns_with_another_address_comes_back_by_itself_too() {
    let instance = registered(false).await;
    instance.stop().await;
    instance.start(address(2));
    let took = instance.until("InService", 10 * MINUTE).await;
    assert!(took > 9 * INTERVAL && took <= 10 * INTERVAL, "{took:?}");
    assert_eq!(instance.target.socket_address(), Some(address(2)));
}

#[tokio::test(start_paused = true)]
async fn with_a_stale_address_it_stays_out_of_service_as_on_ec2_classic() {
    let instance = registered(true).await;
    instance.stop().await;
    instance.start(address(2));
    sleep(24 * 60 * MINUTE).await;
    assert_eq!(instance.describe().state, "OutOfService");
    assert_eq!(instance.target.state.health(), TargetHealth::Unhealthy);
    assert_eq!(instance.target.socket_address(), Some(address(1)));
    // AWS's advice of the time: deregister it, and register it again.
    instance.register_anew();
    instance.until("InService", MINUTE).await;
    assert_eq!(instance.target.socket_address(), Some(address(2)));
}

#[tokio::test(start_paused = true)]
async fn with_a_stale_address_one_that_kept_it_comes_back_as_in_a_vpc() {
    let instance = registered(true).await;
    instance.stop().await;
    instance.start(address(1));
    let took = instance.until("InService", 10 * MINUTE).await;
    assert!(took > 9 * INTERVAL && took <= 10 * INTERVAL, "{took:?}");
}
