//! From where to where a number may go: by ALB's ranges, or by wide ones for labs and tests.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::report::Report;
use crate::config::path::Path;
use crate::config::value::{Size, Span};

/// What a setting may be, strictly and relaxed.
pub(super) struct Range<T> {
    strict: RangeInclusive<T>,
    relaxed: RangeInclusive<T>,
}

const fn secs(first: u64, last: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(first)..=Duration::from_secs(last)
}

/// What to do about more of something than AWS permits.
pub(super) const QUOTA: &str =
    "this is AWS's quota; `ranges = \"relaxed\"` at the top of the file lifts it";

/// Relaxed durations begin at a tenth of a second: shorter ones only measure the machine.
const fn from_tenth(last: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(100)..=Duration::from_secs(last)
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

pub(super) const SHUTDOWN_DEADLINE: Range<Duration> = Range {
    strict: secs(0, HOUR),
    relaxed: secs(0, DAY),
};
pub(super) const UPGRADE_DEADLINE: Range<Duration> = Range {
    strict: secs(0, DAY),
    relaxed: secs(0, DAY),
};
pub(super) const KEY_ROTATION: Range<Duration> = Range {
    strict: secs(HOUR, 30 * DAY),
    relaxed: secs(HOUR, 30 * DAY),
};
pub(super) const IDLE_TIMEOUT: Range<Duration> = Range {
    strict: secs(1, 4000),
    relaxed: from_tenth(DAY),
};
pub(super) const SESSION_TIMEOUT: Range<Duration> = Range {
    strict: secs(1, 7 * DAY),
    relaxed: secs(1, 7 * DAY),
};
pub(super) const RELAY_IDLE_TIMEOUT: Range<Duration> = Range {
    strict: secs(60, 6000),
    relaxed: from_tenth(DAY),
};
pub(super) const CLIENT_KEEP_ALIVE: Range<Duration> = Range {
    strict: secs(60, 7 * DAY),
    relaxed: from_tenth(30 * DAY),
};
pub(super) const HEADER_TIMEOUT: Range<Duration> = IDLE_TIMEOUT;
pub(super) const TLS_HANDSHAKE_TIMEOUT: Range<Duration> = Range {
    strict: secs(1, 60),
    relaxed: from_tenth(HOUR),
};
pub(super) const RESPONSE_TIMEOUT: Range<Duration> = IDLE_TIMEOUT;
pub(super) const DEREGISTRATION_DELAY: Range<Duration> = Range {
    strict: secs(0, HOUR),
    relaxed: secs(0, DAY),
};
pub(super) const STICKINESS: Range<Duration> = Range {
    strict: secs(1, 7 * DAY),
    relaxed: secs(1, 7 * DAY),
};
pub(super) const SLOW_START: Range<Duration> = Range {
    strict: secs(30, 900),
    relaxed: from_tenth(DAY),
};
pub(super) const CONNECT_TIMEOUT: Range<Duration> = Range {
    strict: from_tenth(60),
    relaxed: Duration::from_millis(10)..=Duration::from_secs(HOUR),
};
pub(super) const PROXY_PROTOCOL_TIMEOUT: Range<Duration> = CONNECT_TIMEOUT;
pub(super) const INTERVAL: Range<Duration> = Range {
    strict: secs(5, 300),
    relaxed: from_tenth(HOUR),
};
pub(super) const TIMEOUT: Range<Duration> = Range {
    strict: secs(2, 120),
    relaxed: Duration::from_millis(10)..=Duration::from_secs(HOUR),
};
pub(super) const MIN_TTL: Range<Duration> = Range {
    strict: secs(1, HOUR),
    relaxed: from_tenth(HOUR),
};
pub(super) const MAX_TTL: Range<Duration> = Range {
    strict: secs(1, DAY),
    relaxed: from_tenth(DAY),
};
pub(super) const QUEUE_TIMEOUT: Range<Duration> = IDLE_TIMEOUT;
pub(super) const SURGE_QUEUE: Range<u32> = Range {
    strict: 0..=1024,
    relaxed: 0..=1_000_000,
};
pub(super) const THRESHOLD: Range<u32> = Range {
    strict: 2..=10,
    relaxed: 1..=1000,
};

/// Checks a duration.
pub(super) fn duration(
    report: &mut Report<'_>,
    path: &Path<'_>,
    span: Span,
    range: &Range<Duration>,
) {
    within(report, path, &span.0, range, |length| plain(*length));
}

/// Checks a number of times.
pub(super) fn count(report: &mut Report<'_>, path: &Path<'_>, count: u32, range: &Range<u32>) {
    within(report, path, &count, range, u32::to_string);
}

/// Checks a number that has the same range always.
pub(super) fn number<T: PartialOrd + Display>(
    report: &mut Report<'_>,
    path: &Path<'_>,
    number: T,
    range: RangeInclusive<T>,
) {
    if !range.contains(&number) {
        let (first, last) = range.into_inner();
        let message = format!("{number} is out of range: write {first} to {last}");
        report.error(path, message);
    }
}

/// Checks a number of bytes.
pub(super) fn size(report: &mut Report<'_>, path: &Path<'_>, size: Size) {
    number(report, path, size, Size::from_kib(1)..=Size::from_kib(1024));
}

fn within<T: PartialOrd>(
    report: &mut Report<'_>,
    path: &Path<'_>,
    value: &T,
    range: &Range<T>,
    written: impl Fn(&T) -> String,
) {
    let words = |range: &RangeInclusive<T>| {
        let (first, last) = (written(range.start()), written(range.end()));
        format!("{first} to {last}")
    };
    let strict = report.is_strict();
    let enforced = if strict {
        &range.strict
    } else {
        &range.relaxed
    };
    if enforced.contains(value) {
        return;
    }
    let value_in_words = written(value);
    let message = format!(
        "{value_in_words} is out of range: write {}",
        words(enforced)
    );
    if strict && range.relaxed.contains(value) {
        let help = format!(
            "for labs and tests, `ranges = \"relaxed\"` at the top of the file allows {}",
            words(&range.relaxed)
        );
        report.refuse(path, message, help);
    } else {
        report.error(path, message);
    }
}

/// Seconds as seconds, for ALB counts in them: `4000s`, not `1h 6m 40s`.
pub(super) fn plain(length: Duration) -> String {
    match length.subsec_nanos() {
        0 => format!("{}s", length.as_secs()),
        _ => Span(length).to_string(),
    }
}
