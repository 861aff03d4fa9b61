//! Waiting with a limit, for the price of one timer a connection.
//!
//! Whoever waits pins the future where it is made and lends it: an `async fn` keeps room for what it is
//! given once more than it needs, and a wait within a wait within a wait would add up to kilobytes a
//! connection, moved about at each request.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The limit has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Elapsed;

/// Watches over one wait at a time.
///
/// The timer is armed only when a wait really has to wait, and left armed when the wait ends: the
/// next one usually has a later deadline, so the timer need not be touched again until it fires.
/// Setting a timer for every read and write would cost more than parsing the request does.
#[derive(Debug, Default)]
pub(super) struct Vigil(Option<Pin<Box<Sleep>>>);

impl Vigil {
    /// Waits for `future`, at most `limit`.
    pub(super) async fn wait<T>(
        &mut self,
        limit: Duration,
        mut future: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Elapsed> {
        let mut deadline = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + limit);
            let sleep = self.armed(deadline);
            while sleep.as_mut().poll(cx).is_ready() {
                if Instant::now() >= deadline {
                    return Poll::Ready(Err(Elapsed));
                }
                sleep.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for `future` as long as it moves something: at most `limit` without a change of `moved`.
    pub(super) async fn wait_while_moving<T>(
        &mut self,
        limit: Duration,
        moved: &AtomicU64,
        mut future: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Elapsed> {
        loop {
            let before = moved.load(Ordering::Relaxed);
            match self.wait(limit, future.as_mut()).await {
                Err(Elapsed) if moved.load(Ordering::Relaxed) != before => {}
                outcome => return outcome,
            }
        }
    }

    /// The timer, armed for `deadline` or earlier.
    fn armed(&mut self, deadline: Instant) -> &mut Pin<Box<Sleep>> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;

    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_its_limit_whatever_the_one_before_was() {
        let mut vigil = Vigil::default();
        for limit in [5, 60, 1, 3] {
            let start = Instant::now();
            let outcome = vigil.wait(limit * SECOND, pin!(pending::<()>())).await;
            assert_eq!(outcome, Err(Elapsed));
            let over = start.elapsed() - limit * SECOND;
            assert!(over < Duration::from_millis(5), "{over:?} late");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_moves_may_take_longer_than_the_limit_and_what_stalls_may_not() {
        let mut vigil = Vigil::default();
        let moved = AtomicU64::new(0);
        let slow = async {
            for _ in 0..5 {
                sleep(SECOND).await;
                moved.fetch_add(1, Ordering::Relaxed);
            }
        };
        let outcome = vigil
            .wait_while_moving(2 * SECOND, &moved, pin!(slow))
            .await;
        assert_eq!(outcome, Ok(()));
        let stalled = pin!(pending::<()>());
        let stalled = vigil.wait_while_moving(2 * SECOND, &moved, stalled);
        assert_eq!(stalled.await, Err(Elapsed));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_in_time_is_returned() {
        let mut vigil = Vigil::default();
        for _ in 0..3 {
            let done = vigil.wait(2 * SECOND, pin!(sleep(SECOND))).await;
            assert_eq!(done, Ok(()));
        }
    }
}
