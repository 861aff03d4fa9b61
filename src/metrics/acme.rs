//! Certificates that are ordered from an authority: the handle that counts orders, and how each
//! certificate is at the moment of a scrape.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{IntCounterVec, IntGaugeVec, Registry};

use super::MetricsError;
use super::rows::{Registrar, Rows};

/// One certificate's orders.
#[derive(Debug)]
pub struct AcmeMetrics {
    orders: IntCounterVec,
    rows: Rows<Self>,
}

#[derive(Debug)]
pub(super) struct Families {
    orders: IntCounterVec,
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let registrar = Registrar {
            registry,
            labels: &["certificate"],
        };
        Ok(Self {
            orders: registrar.counter(
                "elbow_acme_orders_total",
                "Attempts to get a certificate, by what became of them: success, or why it failed.",
                &["result"],
            )?,
        })
    }
}

impl AcmeMetrics {
    pub(super) fn new(families: &Families, rows: Rows<Self>) -> Self {
        Self {
            orders: families.orders.clone(),
            rows,
        }
    }

    /// Counts an attempt; `result` is `success` or a word for why it failed.
    pub fn order(&self, result: &str) {
        // Rare: resolved when it happens.
        self.rows.row(&self.orders, &[result]).inc();
    }
}

/// A certificate that is ordered, at the moment of the scrape.
#[derive(Clone, Copy, Debug)]
pub struct CertificateSample<'a> {
    /// Its name.
    pub certificate: &'a str,
    /// Until when what clients are shown is valid; none while it is a placeholder.
    pub not_after: Option<SystemTime>,
    /// When it will be ordered next.
    pub next_order: Option<SystemTime>,
    /// The attempts that have failed in a row.
    pub failures: u32,
    /// What became of the last attempt: success, or why it failed.
    pub last_result: Option<&'a str>,
}

/// The families of [`CertificateSample`].
#[derive(Debug)]
pub(super) struct StateFamilies {
    expiry: IntGaugeVec,
    next_order: IntGaugeVec,
    failures: IntGaugeVec,
    last_order: IntGaugeVec,
}

impl StateFamilies {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let ordered = Registrar {
            registry,
            labels: &["certificate"],
        };
        Ok(Self {
            expiry: ordered.gauge(
                "elbow_acme_certificate_expiry_timestamp_seconds",
                "Until when a certificate that was ordered is valid, in seconds since 1970; no row \
                 while clients are shown a placeholder.",
                &[],
            )?,
            next_order: ordered.gauge(
                "elbow_acme_next_order_timestamp_seconds",
                "When a certificate will be ordered next, in seconds since 1970.",
                &[],
            )?,
            failures: ordered.gauge(
                "elbow_acme_failures",
                "Attempts to get a certificate that have failed in a row.",
                &[],
            )?,
            last_order: ordered.gauge(
                "elbow_acme_last_order",
                "1, with what became of the last attempt: success, or why it failed.",
                &["result"],
            )?,
        })
    }

    pub(super) fn set(&self, sample: CertificateSample<'_>) {
        let label = [sample.certificate];
        let seconds = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            since.as_secs().cast_signed()
        };
        if let Some(time) = sample.not_after {
            self.expiry.with_label_values(&label).set(seconds(time));
        }
        if let Some(time) = sample.next_order {
            self.next_order.with_label_values(&label).set(seconds(time));
        }
        let failures = self.failures.with_label_values(&label);
        failures.set(sample.failures.into());
        if let Some(result) = sample.last_result {
            let labels = [sample.certificate, result];
            self.last_order.with_label_values(&labels).set(1);
        }
    }
}
