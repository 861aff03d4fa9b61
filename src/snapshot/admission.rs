//! The limit on a load balancer's client connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many client connections of a load balancer are open, over all workers.
#[derive(Debug, Default)]
pub struct Admissions(AtomicUsize);

impl Admissions {
    /// The number at this time.
    pub fn open(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more, unless that is more than `limit`.
    pub fn admit(this: &Arc<Self>, limit: Option<usize>) -> Option<Admission> {
        // Counting first and looking then never admits too many, whatever other workers do.
        let admission = Admission(Arc::clone(this));
        let before = this.0.fetch_add(1, Ordering::Relaxed);
        limit
            .is_none_or(|limit| before < limit)
            .then_some(admission)
    }
}

/// Counts as one open client connection until it is dropped.
#[derive(Debug)]
pub struct Admission(Arc<Admissions>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_more_than_the_limit_is_refused_and_not_counted() {
        let admissions = Arc::new(Admissions::default());
        let first = Admissions::admit(&admissions, Some(2));
        let second = Admissions::admit(&admissions, Some(2));
        assert!(first.is_some() && second.is_some());
        assert!(Admissions::admit(&admissions, Some(2)).is_none());
        assert_eq!(admissions.open(), 2);
        drop(first);
        assert!(Admissions::admit(&admissions, Some(2)).is_some());
    }

    #[test]
    fn without_a_limit_all_are_admitted() {
        let admissions = Arc::new(Admissions::default());
        let many: Vec<_> = (0..1000)
            .filter_map(|_| Admissions::admit(&admissions, None))
            .collect();
        assert_eq!(many.len(), 1000);
        assert_eq!(admissions.open(), 1000);
    }
}
