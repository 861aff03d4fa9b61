//! Rows of labelled families that live as long as the handle that counts in them.
//!
//! Prometheus' client keeps a row for ever once it was touched. Here every row is made through
//! [`Rows`], which removes it when the handle is dropped, unless a successor with the same labels
//! has been made meanwhile: the two then count in the same rows.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, core::Metric,
};

use super::MetricsError;

/// The handles of one kind that are in use, by their labels.
#[derive(Debug)]
pub(super) struct Shelf<T>(Mutex<Entries<T>>);

#[derive(Debug)]
struct Entries<T> {
    by_labels: HashMap<Vec<String>, (u64, Weak<T>)>,
    made: u64,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Mutex::new(Entries {
            by_labels: HashMap::new(),
            made: 0,
        }))
    }
}

impl<T> Shelf<T> {
    /// The handle with these labels: the one in use, or what `make` builds.
    pub(super) fn take(
        shelf: &Arc<Self>,
        labels: &[&str],
        make: impl FnOnce(Rows<T>) -> T,
    ) -> Arc<T> {
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        let mut entries = shelf.0.lock();
        let in_use = entries.by_labels.get(&labels);
        if let Some(handle) = in_use.and_then(|(_, handle)| handle.upgrade()) {
            return handle;
        }
        entries.made += 1;
        let made = entries.made;
        let handle = Arc::new(make(Rows {
            shelf: Arc::clone(shelf),
            labels: labels.clone(),
            made,
            removals: Mutex::default(),
        }));
        let entry = (made, Arc::downgrade(&handle));
        entries.by_labels.insert(labels, entry);
        handle
    }
}

type Removal = Box<dyn Fn() + Send + Sync>;

/// The rows of one handle: they share their first labels.
pub(super) struct Rows<T> {
    shelf: Arc<Shelf<T>>,
    labels: Vec<String>,
    made: u64,
    removals: Mutex<Vec<Removal>>,
}

impl<T> Rows<T> {
    /// The row of `family` with the shared labels and these `more`.
    pub(super) fn row<B>(&self, family: &MetricVec<B>, more: &[&str]) -> B::M
    where
        B: MetricVecBuilder + 'static,
        B::M: Metric,
    {
        let shared = self.labels.iter().map(String::as_str);
        let values: Vec<String> = shared
            .chain(more.iter().copied())
            .map(str::to_owned)
            .collect();
        let row = family.with_label_values(&values);
        let family = family.clone();
        let removal = move || {
            // The only error is "no such row": then there is nothing to remove.
            let _ = family.remove_label_values(&values);
        };
        self.removals.lock().push(Box::new(removal));
        row
    }
}

impl<T> Drop for Rows<T> {
    fn drop(&mut self) {
        let mut entries = self.shelf.0.lock();
        let is_ours = |(made, _): &(u64, Weak<T>)| *made == self.made;
        if entries.by_labels.get(&self.labels).is_some_and(is_ours) {
            entries.by_labels.remove(&self.labels);
            self.removals.get_mut().iter().for_each(|remove| remove());
        }
    }
}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rows").field(&self.labels).finish()
    }
}

/// Registers families that begin with the same labels.
pub(super) struct Registrar<'a> {
    pub(super) registry: &'a Registry,
    pub(super) labels: &'a [&'a str],
}

impl Registrar<'_> {
    pub(super) fn counter(
        &self,
        name: &str,
        help: &str,
        more: &[&str],
    ) -> Result<IntCounterVec, MetricsError> {
        let family = IntCounterVec::new(Opts::new(name, help), &self.with(more))?;
        self.register(family)
    }

    pub(super) fn gauge(
        &self,
        name: &str,
        help: &str,
        more: &[&str],
    ) -> Result<IntGaugeVec, MetricsError> {
        let family = IntGaugeVec::new(Opts::new(name, help), &self.with(more))?;
        self.register(family)
    }

    pub(super) fn float_gauge(
        &self,
        name: &str,
        help: &str,
        more: &[&str],
    ) -> Result<GaugeVec, MetricsError> {
        let family = GaugeVec::new(Opts::new(name, help), &self.with(more))?;
        self.register(family)
    }

    pub(super) fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<HistogramVec, MetricsError> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(HistogramVec::new(options, self.labels)?)
    }

    fn with<'b>(&'b self, more: &[&'b str]) -> Vec<&'b str> {
        self.labels.iter().chain(more).copied().collect()
    }

    fn register<C: Collector + Clone + 'static>(&self, family: C) -> Result<C, MetricsError> {
        self.registry.register(Box::new(family.clone()))?;
        Ok(family)
    }
}
