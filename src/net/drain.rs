//! How a socket and its connections are asked to end: with their next answer, or at once where nothing is
//! in flight.

use tokio_util::sync::CancellationToken;

/// Asks all that hold a clone to end: connections, and who accepts them to accept no more.
///
/// A client may send a request in the very moment in which its idle connection is closed, and can
/// then not know whether it was acted on. So whoever has time asks to [finish](Drain::finish) first:
/// each connection says with its next answer that it was the last one, and closes then.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    finish: CancellationToken,
    close: CancellationToken,
}

impl Drain {
    /// Asks to end with the next answer. A connection at rest may rest on, to its idle timeout.
    pub fn finish(&self) {
        self.finish.cancel();
    }

    /// Asks to finish the request in flight; a connection at rest closes at once.
    pub fn close(&self) {
        // First, so that whoever finishes knows whether that is all.
        self.close.cancel();
        self.finish.cancel();
    }

    /// Whether the next answer is to be the last one.
    pub fn is_finishing(&self) -> bool {
        self.finish.is_cancelled()
    }

    /// Whether what is at rest is to close.
    pub fn is_closing(&self) -> bool {
        self.close.is_cancelled()
    }

    /// Resolves when the next answer is to be the last one.
    pub async fn finishing(&self) {
        self.finish.cancelled().await;
    }

    /// Resolves when what is at rest is to close.
    pub async fn closing(&self) {
        self.close.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn to_close_means_to_finish_too_but_not_the_other_way_round() {
        let drain = Drain::default();
        let connection = drain.clone();
        assert!(!connection.is_finishing());
        drain.finish();
        connection.finishing().await;
        assert!(connection.is_finishing());
        assert!(!connection.is_closing());
        drain.close();
        connection.closing().await;
    }
}
