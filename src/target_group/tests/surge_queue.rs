//! Who waits while all targets are full.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::target_group::SurgeQueueLimits;

const MINUTE: Duration = Duration::from_secs(60);

fn limited(most: u32, length: u32) -> Settings {
    Settings {
        fail_open: false,
        max_concurrency: Some(most),
        surge_queue: SurgeQueueLimits {
            length,
            timeout: MINUTE,
        },
        ..settings(ZonePolicy::CrossZone)
    }
}

fn busy(most: u32, length: u32, ids: &[&str]) -> TargetGroup {
    let group = new_group(limited(most, length), targets(ids), Scope::All);
    for target in group.targets() {
        pass(&target.state);
    }
    group
}

type Waiting<'g> = Pin<Box<dyn Future<Output = Result<Lease, PickError>> + 'g>>;

/// One who waits at the node in no zone; polled once, so that it is in the queue.
fn waiting(group: &TargetGroup) -> Waiting<'_> {
    let mut waiting: Waiting<'_> = Box::pin(group.pick_in_turn(None));
    assert!(peek(&mut waiting).is_none(), "it need not wait");
    waiting
}

fn peek(waiting: &mut Waiting<'_>) -> Option<Result<Lease, PickError>> {
    match waiting
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(picked) => Some(picked),
        Poll::Pending => None,
    }
}

fn length(group: &TargetGroup) -> usize {
    group.surge_queues(Instant::now())[0].length
}

#[tokio::test]
async fn a_target_takes_no_more_than_max_concurrency_and_the_next_goes_to_another() {
    let group = busy(2, 0, &["a1", "a2"]);
    let leases: Vec<_> = (0..4).map(|_| group.pick_from("a").unwrap()).collect();
    assert_eq!(group.state("a1").in_flight(), 2);
    assert_eq!(group.state("a2").in_flight(), 2);
    assert_eq!(group.pick_from("a").unwrap_err(), PickError::Saturated);
    drop(leases);
    assert!(group.pick_from("a").is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_came_first_is_served_first_and_nobody_overtakes() {
    let group = busy(1, 1024, &["a1"]);
    let lease = group.next(None, &[]).unwrap();
    let (mut first, mut second) = (waiting(&group), waiting(&group));
    assert_eq!(length(&group), 2);
    drop(lease);
    // The place is free, and somebody waits for it.
    assert_eq!(group.next(None, &[]).unwrap_err(), PickError::Saturated);
    assert!(peek(&mut second).is_none());
    let lease = first.as_mut().await.unwrap();
    assert_eq!(length(&group), 1);
    assert!(peek(&mut second).is_none());
    drop(lease);
    second.await.unwrap();
    assert_eq!(length(&group), 0);
    assert!(group.next(None, &[]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn as_many_as_the_queue_holds_wait_and_more_spill_over() {
    let group = busy(1, 3, &["a1"]);
    let _lease = group.next(None, &[]).unwrap();
    let waiters: Vec<_> = (0..3).map(|_| waiting(&group)).collect();
    for _ in 0..2 {
        let refused = group.pick_in_turn(None).await;
        assert_eq!(refused.unwrap_err(), PickError::Saturated);
    }
    let queue = group.surge_queues(Instant::now()).remove(0);
    assert_eq!((queue.length, queue.peak, queue.spillovers), (3, 3, 2));
    drop(waiters);
    let queue = group.surge_queues(Instant::now()).remove(0);
    assert_eq!((queue.length, queue.peak, queue.spillovers), (0, 3, 2));
}

#[tokio::test(start_paused = true)]
async fn each_node_has_a_queue_of_its_own() {
    let group = busy(1, 1, &["a1"]);
    let _lease = group.next(None, &[]).unwrap();
    let _here = waiting(&group);
    let (a, now) = (zone("a"), Instant::now());
    let mut there: Waiting<'_> = Box::pin(group.pick_in_turn(Some(&a)));
    assert!(
        peek(&mut there).is_none(),
        "refused for want of room elsewhere"
    );
    let zones = group.surge_queues(now).into_iter().map(|queue| queue.zone);
    assert_eq!(zones.collect::<Vec<_>>(), [None, Some(zone("a"))]);
}

#[tokio::test(start_paused = true)]
async fn one_who_goes_away_leaves_the_queue_wherever_it_stood() {
    let group = busy(1, 1024, &["a1"]);
    let lease = group.next(None, &[]).unwrap();
    let (first, second, mut third) = (waiting(&group), waiting(&group), waiting(&group));
    drop(second);
    drop(first);
    assert_eq!(length(&group), 1);
    drop(lease);
    assert!(peek(&mut third).unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_timeout() {
    let group = busy(1, 1024, &["a1"]);
    let _lease = group.next(None, &[]).unwrap();
    let before = Instant::now();
    let picked = group.pick_in_turn(None).await;
    assert_eq!(picked.unwrap_err(), PickError::QueueTimeout);
    assert!(before.elapsed() >= MINUTE && before.elapsed() < MINUTE + Duration::from_secs(1));
    assert_eq!(length(&group), 0);
}

#[tokio::test(start_paused = true)]
async fn when_the_last_target_fails_those_who_wait_are_refused_at_once() {
    let group = busy(1, 1024, &["a1"]);
    let _lease = group.next(None, &[]).unwrap();
    let mut waiters = [waiting(&group), waiting(&group)];
    let before = Instant::now();
    group.fail(&["a1"]);
    for waiter in &mut waiters {
        assert_eq!(waiter.await.unwrap_err(), PickError::NoneHealthy);
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_a_reload_adds_serves_those_who_wait_already() {
    let before = busy(1, 1024, &["a1"]);
    let _lease = before.next(None, &[]).unwrap();
    let waiter = waiting(&before);
    let after = reload(
        &before,
        limited(1, 1024),
        targets(&["a1", "a2"]),
        Instant::now(),
    );
    pass(after.state("a2"));
    assert_eq!(&*waiter.await.unwrap().key.id, "a2");
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_lifts_the_limit_lets_all_go() {
    let before = busy(1, 1024, &["a1"]);
    let _lease = before.next(None, &[]).unwrap();
    let waiters = [waiting(&before), waiting(&before)];
    let unlimited = settings(ZonePolicy::CrossZone);
    let _after = reload(&before, unlimited, targets(&["a1"]), Instant::now());
    for waiter in waiters {
        assert!(waiter.await.is_ok());
    }
}

#[test]
fn many_threads_together_never_exceed_the_limit() {
    let group = busy(3, 0, &["a1", "a2"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let lease = group.next(None, &[]);
                    assert!(group.targets().iter().all(|it| it.state.in_flight() <= 3));
                    drop(lease);
                }
            });
        }
    });
    assert_eq!(in_flight(&group), 0);
}
