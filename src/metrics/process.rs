//! What Linux says of this process, under the names that every Prometheus client uses.
//!
//! Read from `/proc/self` at each scrape. Elsewhere the figures are simply absent.

use std::fs;

use prometheus::{Counter, Gauge, Registry};

use super::MetricsError;

/// Linux counts CPU time and start times for user space in hundredths of a second (`USER_HZ`) on
/// every architecture that Rust has a tier 1 or 2 target for.
const TICKS: f64 = 100.0;

/// One reading.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessMetrics {
    cpu_seconds: Option<f64>,
    start_time_seconds: Option<f64>,
    resident_bytes: Option<f64>,
    virtual_bytes: Option<f64>,
    threads: Option<f64>,
    open_descriptors: Option<f64>,
    max_descriptors: Option<f64>,
}

impl ProcessMetrics {
    /// Reads the figures of this process.
    pub fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let descriptors = fs::read_dir("/proc/self/fd").ok();
        Self {
            cpu_seconds: ticks(&stat, 14)
                .zip(ticks(&stat, 15))
                .map(|(user, system)| user + system),
            start_time_seconds: ticks(&stat, 22)
                .zip(field(&boot, "btime"))
                .map(|(since_boot, boot)| boot + since_boot),
            resident_bytes: field(&status, "VmRSS:").map(|kib| kib * 1024.0),
            virtual_bytes: field(&status, "VmSize:").map(|kib| kib * 1024.0),
            threads: field(&status, "Threads:"),
            open_descriptors: descriptors.map(|open| open.count() as f64),
            max_descriptors: field(&limits, "Max open files"),
        }
    }

    pub(super) fn register(&self, registry: &Registry) -> Result<(), MetricsError> {
        if let Some(seconds) = self.cpu_seconds {
            let counter = Counter::new(
                "process_cpu_seconds_total",
                "User and system CPU time spent, in seconds.",
            )?;
            counter.inc_by(seconds);
            registry.register(Box::new(counter))?;
        }
        let gauges = [
            (
                "process_start_time_seconds",
                "When the process started, in seconds since 1970.",
                self.start_time_seconds,
            ),
            (
                "process_resident_memory_bytes",
                "Resident memory in bytes.",
                self.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual memory in bytes.",
                self.virtual_bytes,
            ),
            (
                "process_threads",
                "Threads of the operating system.",
                self.threads,
            ),
            (
                "process_open_fds",
                "Open file descriptors.",
                self.open_descriptors,
            ),
            (
                "process_max_fds",
                "How many file descriptors may be open.",
                self.max_descriptors,
            ),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                let gauge = Gauge::new(name, help)?;
                gauge.set(value);
                registry.register(Box::new(gauge))?;
            }
        }
        Ok(())
    }
}

/// A field of `/proc/self/stat` in seconds, numbered as in proc(5). The second field, the name in
/// parentheses, may hold spaces: what follows it is counted from the last parenthesis.
fn ticks(stat: &str, number: usize) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let text = after_name.split_whitespace().nth(number.checked_sub(3)?)?;
    Some(text.parse::<f64>().ok()? / TICKS)
}

/// The first number on the line that begins with `name`.
fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 12300 1 2";
        assert_eq!(ticks(stat, 14), Some(2.5));
        assert_eq!(ticks(stat, 15), Some(0.5));
        assert_eq!(ticks(stat, 22), Some(123.0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_descriptors_and_a_start() {
        let reading = ProcessMetrics::read();
        assert!(reading.resident_bytes > Some(100_000.0), "{reading:?}");
        assert!(reading.open_descriptors > Some(2.0), "{reading:?}");
        assert!(reading.start_time_seconds > Some(1e9), "{reading:?}");
        assert!(reading.cpu_seconds.is_some(), "{reading:?}");
    }
}
