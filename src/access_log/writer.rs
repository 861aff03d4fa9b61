//! The thread that writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::buffer::{Batch, Shared};
use super::{AccessLogError, Destination, Prepared, Subject};

/// How often the buffers are emptied when none is full.
const PERIOD: Duration = Duration::from_millis(100);

/// A vector that grew beyond this is given back when it was written.
const KEPT_CAPACITY: usize = 512 * 1024;

/// Where the lines go, open.
#[derive(Debug)]
pub(super) enum Sink {
    Off,
    Stdout(File),
    File(File, PathBuf),
}

impl Sink {
    pub(super) fn open(
        subject: Subject,
        destination: &Destination,
    ) -> Result<Self, AccessLogError> {
        let opened = match destination {
            Destination::Off => Ok(Self::Off),
            // A descriptor of its own: the standard library's stdout is buffered by lines.
            Destination::Stdout => {
                let descriptor = io::stdout().as_fd().try_clone_to_owned();
                descriptor.map(|descriptor| Self::Stdout(descriptor.into()))
            }
            Destination::File(path) => append(path).map(|file| Self::File(file, path.clone())),
        };
        opened.map_err(|source| AccessLogError::Open {
            subject,
            path: match destination {
                Destination::File(path) => path.clone(),
                Destination::Off | Destination::Stdout => "-".into(),
            },
            source,
        })
    }

    fn reopen(&mut self, subject: Subject) {
        if let Self::File(file, path) = self {
            match append(path) {
                Ok(new) => *file = new,
                Err(error) => tracing::warn!(
                    path = %path.display(),
                    %error,
                    "the {subject} could not be reopened; it stays in the file that is open"
                ),
            }
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The thread's state.
#[derive(Debug)]
pub(super) struct Writer {
    subject: Subject,
    shared: Arc<Shared>,
    sink: Sink,
    batches: Vec<Batch>,
    /// The file ends in the middle of a line.
    is_torn: bool,
    /// The last write failed, and that has been said.
    is_failing: bool,
    /// What the counter of dropped lines was when it was last looked at, and what is known of it.
    dropped: u64,
    is_dropping: bool,
}

impl Writer {
    pub(super) fn new(subject: Subject, shared: Arc<Shared>, sink: Sink) -> Self {
        Self {
            subject,
            shared,
            sink,
            batches: Vec::new(),
            is_torn: false,
            is_failing: false,
            dropped: 0,
            is_dropping: false,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let orders = self.shared.wait(PERIOD);
            let change = match (&orders.apply, orders.stop) {
                (_, true) => Some(None),
                (Some(prepared), _) => Some(prepared.settings.effective_format()),
                (None, _) => None,
            };
            self.shared.collect(&mut self.batches, change);
            let mut apply = orders.apply;
            if matches!(self.sink, Sink::Off) {
                // Lines are formatted as soon as a log is switched on: they belong to it.
                self.take_over(&mut apply);
            }
            self.say_if_dropping();
            self.write_batches();
            if orders.reopen {
                self.sink.reopen(self.subject);
                self.is_torn = false;
            }
            self.take_over(&mut apply);
            if orders.stop {
                break;
            }
        }
        self.shared.end();
    }

    fn take_over(&mut self, apply: &mut Option<Prepared>) {
        if let Some(prepared) = apply.take() {
            self.sink = prepared.sink;
            self.is_torn = false;
        }
    }

    fn write_batches(&mut self) {
        let mut batches = std::mem::take(&mut self.batches);
        for batch in &mut batches {
            if batch.count > 0 {
                self.write_batch(batch);
            }
            batch.count = 0;
            batch.bytes.clear();
            batch.bytes.shrink_to(KEPT_CAPACITY);
        }
        self.batches = batches;
    }

    fn write_batch(&mut self, batch: &Batch) {
        let file = match &mut self.sink {
            Sink::Off => return,
            Sink::Stdout(file) | Sink::File(file, _) => file,
        };
        let mut rest = &batch.bytes[..];
        let mut result = Ok(());
        if self.is_torn {
            result = file.write_all(b"\n");
            self.is_torn = result.is_err();
        }
        while result.is_ok() && !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
        }
        let lost = memchr::memchr_iter(b'\n', rest).count() as u64;
        let done = &batch.bytes[..batch.bytes.len() - rest.len()];
        self.is_torn |= done.last().is_some_and(|&byte| byte != b'\n');
        self.shared
            .written
            .fetch_add(batch.count - lost, Ordering::Relaxed);
        match result {
            Ok(()) => self.say_recovered(),
            Err(error) => self.say_failed(lost, &error),
        }
    }

    /// Counts lines that could not be written. What is said is said once for many failures.
    fn say_failed(&mut self, lost: u64, error: &io::Error) {
        self.shared.dropped.fetch_add(lost, Ordering::Relaxed);
        self.dropped += lost;
        if !self.is_failing {
            self.is_failing = true;
            tracing::warn!(
                %error,
                "the {} cannot be written; its lines are dropped until it can",
                self.subject
            );
        }
    }

    fn say_recovered(&mut self) {
        if self.is_failing {
            self.is_failing = false;
            let dropped = self.shared.dropped.load(Ordering::Relaxed);
            tracing::info!(dropped, "the {} is written again", self.subject);
        }
    }

    /// Tells once when workers begin to drop lines because the writer was too slow for them.
    fn say_if_dropping(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        let is_dropping = dropped > self.dropped;
        if is_dropping && !self.is_dropping {
            tracing::warn!(
                dropped,
                "the {} is written too slowly; lines are dropped",
                self.subject
            );
        }
        self.dropped = dropped;
        self.is_dropping = is_dropping;
    }
}
