//! Where a worker puts its lines, and where the writer finds them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::text::Clock;
use super::{
    ConnectionEntry, ConnectionLogEntry, Destination, Entry, Format, Prepared, Settings, alb,
    classic, connection, connection_log, json,
};

/// A worker's lines that wait for the writer; beyond this they are dropped.
const LIMIT: usize = 4 * 1024 * 1024;

/// So many bytes wake the writer before its time.
const FULL: usize = 256 * 1024;

/// The lines of one worker. Clones share one buffer.
#[derive(Clone, Debug)]
pub struct LogBuffer {
    lines: Arc<Mutex<Lines>>,
    shared: Arc<Shared>,
}

impl LogBuffer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let mut buffers = shared.buffers.lock();
        let lines = Arc::new(Mutex::new(Lines {
            format: buffers.format,
            ..Lines::default()
        }));
        buffers.list.push(Arc::clone(&lines));
        drop(buffers);
        Self { lines, shared }
    }

    /// Formats one line. Never waits for the disk: a full buffer drops the line and counts it.
    pub fn write(&self, entry: &Entry<'_>) {
        self.line(|format, bytes, clock| match format {
            Format::Alb => match entry.classic {
                None => alb::line(bytes, entry, clock),
                Some(bodies) => classic::line(bytes, entry, bodies, clock),
            },
            Format::Json => json::line(bytes, entry, clock),
        });
    }

    /// The same for a connection that was forwarded whole.
    pub fn write_connection(&self, entry: &ConnectionEntry<'_>) {
        self.line(|format, bytes, clock| match format {
            Format::Alb => match entry.classic {
                None => connection::plain_line(bytes, entry, clock),
                Some(first) => classic::connection_line(bytes, entry, first, clock),
            },
            Format::Json => connection::json_line(bytes, entry, clock),
        });
    }

    /// The same for a connection of a client's, in the connection log.
    pub fn write_to_connection_log(&self, entry: &ConnectionLogEntry<'_>) {
        self.line(|format, bytes, clock| match format {
            Format::Alb => connection_log::plain_line(bytes, entry, clock),
            Format::Json => connection_log::json_line(bytes, entry, clock),
        });
    }

    /// Whether a line would be written.
    pub fn is_on(&self) -> bool {
        self.lines.lock().format.is_some()
    }

    fn line(&self, write: impl FnOnce(Format, &mut Vec<u8>, &mut Clock)) {
        let mut lines = self.lines.lock();
        let Some(format) = lines.format else {
            return;
        };
        let before = lines.bytes.len();
        if before >= LIMIT {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Lines { bytes, clock, .. } = &mut *lines;
        write(format, bytes, clock);
        let is_full = before < FULL && bytes.len() >= FULL;
        lines.count += 1;
        drop(lines);
        if is_full {
            self.shared.wake.notify_one();
        }
    }
}

/// What a worker has formatted and the writer not yet taken.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// None while nothing is to be formatted.
    format: Option<Format>,
    bytes: Vec<u8>,
    count: u64,
    clock: Clock,
}

/// What the handles, the buffers and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    buffers: Mutex<Buffers>,
    orders: Mutex<Orders>,
    wake: Condvar,
    ended: Mutex<bool>,
    end: Condvar,
}

#[derive(Debug)]
struct Buffers {
    format: Option<Format>,
    list: Vec<Arc<Mutex<Lines>>>,
}

/// What the writer is asked to do next.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) apply: Option<Prepared>,
    pub(super) reopen: bool,
    pub(super) stop: bool,
}

impl Orders {
    fn is_empty(&self) -> bool {
        self.apply.is_none() && !self.reopen && !self.stop
    }
}

impl Shared {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            buffers: Mutex::new(Buffers {
                format: settings.effective_format(),
                list: Vec::new(),
            }),
            orders: Mutex::default(),
            wake: Condvar::new(),
            ended: Mutex::new(false),
            end: Condvar::new(),
        }
    }

    /// Asks the writer for something.
    pub(super) fn order(&self, ask: impl FnOnce(&mut Orders)) {
        ask(&mut self.orders.lock());
        self.wake.notify_one();
    }

    /// Has lines formatted from now on, if none are. They wait in the buffers until the writer has
    /// come to the order that says where they go.
    pub(super) fn switch_on(&self, format: Option<Format>) {
        let mut buffers = self.buffers.lock();
        if buffers.format.is_some() {
            return;
        }
        buffers.format = format;
        for buffer in &buffers.list {
            buffer.lock().format = format;
        }
    }

    /// The writer's next orders: at once if there are any, else after a while or when a buffer is
    /// full. While no line is formatted, it waits for orders alone.
    pub(super) fn wait(&self, while_: std::time::Duration) -> Orders {
        let is_off = self.buffers.lock().format.is_none();
        let mut orders = self.orders.lock();
        if orders.is_empty() {
            if is_off {
                self.wake.wait(&mut orders);
            } else {
                self.wake.wait_for(&mut orders, while_);
            }
        }
        std::mem::take(&mut *orders)
    }

    /// Takes the lines of every buffer, giving each a spare vector in turn, and forgets buffers
    /// whose worker has ended. With `change`, the buffers format differently from here on.
    pub(super) fn collect(&self, batches: &mut Vec<Batch>, change: Option<Option<Format>>) {
        let mut buffers = self.buffers.lock();
        if let Some(format) = change {
            buffers.format = format;
        }
        let mut taken = 0;
        buffers.list.retain(|buffer| {
            // Looked at before the lines are taken: nobody can add to a buffer that only we hold.
            let in_use = Arc::strong_count(buffer) > 1;
            let mut lines = buffer.lock();
            if let Some(format) = change {
                lines.format = format;
            }
            if lines.count > 0 {
                if taken == batches.len() {
                    batches.push(Batch::default());
                }
                let batch = &mut batches[taken];
                batch.count = std::mem::take(&mut lines.count);
                std::mem::swap(&mut batch.bytes, &mut lines.bytes);
                taken += 1;
            }
            in_use
        });
    }

    /// Notes that the writer has ended.
    pub(super) fn end(&self) {
        *self.ended.lock() = true;
        self.end.notify_all();
    }

    /// Asks the writer to end, and waits for it until the deadline.
    pub(super) fn close(&self, deadline: Instant) -> bool {
        self.order(|orders| orders.stop = true);
        let mut ended = self.ended.lock();
        while !*ended {
            if self.end.wait_until(&mut ended, deadline).timed_out() {
                break;
            }
        }
        *ended
    }
}

/// The lines of one worker on their way to the file.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u64,
}

impl Settings {
    /// The format to use, or none if there is nowhere to write to.
    pub(super) fn effective_format(&self) -> Option<Format> {
        (self.destination != Destination::Off).then_some(self.format)
    }
}
