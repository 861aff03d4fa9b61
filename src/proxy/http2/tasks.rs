//! The tasks that serve the streams of a client's connection, one for each: a panic ends its request
//! alone.
//!
//! A task that is done serves the next request that comes: it is large, and to make it, its timer and
//! its share of the connection anew for each request costs more than reading the request does. One
//! that has had nothing to do for [`REST`] ends, so that a connection at rest holds none.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::census::Fate;
use crate::proxy::vigil::Vigil;

/// How long a task waits for its next request.
const REST: Duration = Duration::from_secs(1);

/// All tasks of one connection, which serve requests of kind `R`. Dropped, they end.
pub(super) struct Tasks<R> {
    running: JoinSet<()>,
    board: Arc<Mutex<Board<R>>>,
    /// How many requests are being served.
    open: usize,
}

/// What the tasks tell their connection. One thread takes the lock.
struct Board<R> {
    /// Those that have nothing to do.
    resting: Vec<Arc<Mutex<Desk<R>>>>,
    /// How requests have ended that the connection does not know of yet.
    fates: Vec<Fate>,
    connection: Option<Waker>,
}

/// Where one task finds its next request.
struct Desk<R> {
    next: Option<R>,
    task: Option<Waker>,
}

/// A request ended in a panic.
#[derive(Debug)]
pub(super) struct Panicked;

impl<R> Tasks<R> {
    pub(super) fn new() -> Self {
        Self {
            running: JoinSet::new(),
            board: Arc::new(Mutex::new(Board {
                resting: Vec::new(),
                fates: Vec::new(),
                connection: None,
            })),
            open: 0,
        }
    }

    /// Whether no request is being served.
    pub(super) fn are_idle(&self) -> bool {
        self.open == 0
    }

    /// Gives a request to a task that rests, or to one that is `made` for it.
    pub(super) fn serve<T>(&mut self, request: R, made: impl FnOnce(Seat<R>) -> T)
    where
        T: Future<Output = ()> + Send + 'static,
    {
        self.open += 1;
        let resting = self.board.lock().resting.pop();
        if let Some(desk) = resting {
            let mut desk = desk.lock();
            desk.next = Some(request);
            desk.task.take().into_iter().for_each(Waker::wake);
            return;
        }
        let desk = Desk {
            next: Some(request),
            task: None,
        };
        self.running.spawn(made(Seat {
            board: Arc::clone(&self.board),
            desk: Arc::new(Mutex::new(desk)),
        }));
    }

    /// Waits for a request to end.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fate, Panicked>> {
        let mut board = self.board.lock();
        if let Some(fate) = board.fates.pop() {
            self.open -= 1;
            return Poll::Ready(Ok(fate));
        }
        remember(&mut board.connection, cx);
        drop(board);
        while let Poll::Ready(Some(ended)) = self.running.poll_join_next(cx) {
            if ended.is_err_and(|error| error.is_panic()) {
                self.open -= 1;
                return Poll::Ready(Err(Panicked));
            }
        }
        Poll::Pending
    }
}

/// The place of one task.
pub(super) struct Seat<R> {
    board: Arc<Mutex<Board<R>>>,
    desk: Arc<Mutex<Desk<R>>>,
}

impl<R> Seat<R> {
    /// The next request; none when there has been none for long, and none will come any more.
    pub(super) async fn next(&self, vigil: &mut Vigil) -> Option<R> {
        let given = poll_fn(|cx| {
            let mut desk = self.desk.lock();
            if desk.next.is_some() {
                return Poll::Ready(());
            }
            remember(&mut desk.task, cx);
            Poll::Pending
        });
        if vigil.wait(REST, pin!(given)).await.is_err() {
            let mut board = self.board.lock();
            board.resting.retain(|desk| !Arc::ptr_eq(desk, &self.desk));
        }
        self.desk.lock().next.take()
    }

    /// Tells how the request has ended, and that there is time for another.
    pub(super) fn done(&self, fate: Fate) {
        let mut board = self.board.lock();
        board.fates.push(fate);
        board.resting.push(Arc::clone(&self.desk));
        board.connection.iter().for_each(Waker::wake_by_ref);
    }
}

/// Keeps whom to wake; mostly it is the one that is known already.
fn remember(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(known) => known.clone_from(cx.waker()),
        none => *none = Some(cx.waker().clone()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// A request that lasts as long as it is told to, and panics if it is let down.
    type Request = oneshot::Receiver<()>;

    const FATE: Fate = Fate {
        answered: true,
        stalled: false,
    };

    async fn task(seat: Seat<Request>) {
        let mut vigil = Vigil::default();
        while let Some(request) = seat.next(&mut vigil).await {
            request.await.unwrap();
            seat.done(FATE);
        }
    }

    fn begin(tasks: &mut Tasks<Request>) -> oneshot::Sender<()> {
        let (end, request) = oneshot::channel();
        tasks.serve(request, task);
        end
    }

    async fn ended(tasks: &mut Tasks<Request>) -> Result<Fate, Panicked> {
        poll_fn(|cx| tasks.poll_ended(cx)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_is_done_serves_the_next_request() {
        let mut tasks = Tasks::new();
        for _ in 0..3 {
            begin(&mut tasks).send(()).unwrap();
            assert!(!tasks.are_idle());
            assert!(ended(&mut tasks).await.unwrap().answered);
            assert!(tasks.are_idle());
        }
        assert_eq!(tasks.running.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_at_the_same_time_have_a_task_each_and_end_in_any_order() {
        let mut tasks = Tasks::new();
        let ends: Vec<_> = (0..5).map(|_| begin(&mut tasks)).collect();
        assert_eq!(tasks.running.len(), 5);
        for end in ends.into_iter().rev() {
            end.send(()).unwrap();
            ended(&mut tasks).await.unwrap();
        }
        assert!(tasks.are_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_ends_its_request_alone() {
        let mut tasks = Tasks::new();
        let (first, second) = (begin(&mut tasks), begin(&mut tasks));
        drop(first);
        ended(&mut tasks).await.unwrap_err();
        assert!(!tasks.are_idle());
        second.send(()).unwrap();
        ended(&mut tasks).await.unwrap();
        assert!(tasks.are_idle());
        begin(&mut tasks).send(()).unwrap();
        ended(&mut tasks).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_has_rested_long_enough_ends() {
        let mut tasks = Tasks::new();
        begin(&mut tasks).send(()).unwrap();
        ended(&mut tasks).await.unwrap();
        let waiting = tokio::time::timeout(2 * REST, ended(&mut tasks));
        assert!(waiting.await.is_err());
        assert_eq!(tasks.running.len(), 0);
        begin(&mut tasks).send(()).unwrap();
        ended(&mut tasks).await.unwrap();
    }
}
