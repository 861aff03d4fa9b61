//! The access log: one line a request, in ALB's format or as JSON.
//!
//! [`AccessLog`] owns a thread of its own that writes; each worker formats its lines into a
//! [`LogBuffer`] of its own, which the thread empties ten times a second. So no request waits for
//! a disk and none wakes another thread: when lines come faster than they can be written, they are
//! dropped and counted. An [`Entry`] is what one line says.
//!
//! It does not compress, upload or delete old files: rename the file and call
//! [`AccessLog::reopen`], as logrotate does.

mod alb;
mod buffer;
mod entry;
mod json;
mod text;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

pub use buffer::LogBuffer;
pub use entry::{Entry, RequestKind, RequestLine};

use buffer::Shared;
use writer::{Sink, Writer};

/// How long the thread may take to write what is left when the last [`AccessLog`] is dropped.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where the lines go and what they look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where they go.
    pub destination: Destination,
    /// What they look like.
    pub format: Format,
}

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Nowhere: no line is formatted.
    Off,
    /// Standard output.
    Stdout,
    /// The end of this file, which is created if need be.
    File(PathBuf),
}

impl Destination {
    /// What a configured path means: none is off, `-` is standard output.
    pub fn from_path(path: Option<PathBuf>) -> Self {
        match path {
            None => Self::Off,
            Some(path) if path.as_os_str() == "-" => Self::Stdout,
            Some(path) => Self::File(path),
        }
    }
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ALB's fields 1-29, separated by spaces.
    Alb,
    /// One object with the column names of Amazon Athena's table for ALB logs.
    Json,
}

/// The access log could not be opened, or its thread not be started.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    /// The destination cannot be written.
    #[error("cannot open the access log {path}", path = .path.display())]
    Open {
        /// The file, or `-` for standard output.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system refused the thread.
    #[error("cannot start the access log's thread")]
    Thread(#[source] io::Error),
}

/// Settings whose destination is open already, so that taking them over cannot fail.
#[derive(Debug)]
pub struct Prepared {
    settings: Settings,
    sink: Sink,
}

/// The access log. Cheap to clone; when the last clone is dropped, what is left is written.
#[derive(Clone, Debug)]
pub struct AccessLog(Arc<Owner>);

#[derive(Debug)]
struct Owner(Arc<Shared>);

impl AccessLog {
    /// Opens the destination and starts the thread, named `access-log`.
    pub fn start(settings: Settings) -> Result<Self, AccessLogError> {
        let prepared = Self::prepare(settings)?;
        let shared = Arc::new(Shared::new(&prepared.settings));
        let writer = Writer::new(Arc::clone(&shared), prepared.sink);
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer.run())
            .map_err(AccessLogError::Thread)?;
        Ok(Self(Arc::new(Owner(shared))))
    }

    /// A buffer for one worker.
    pub fn buffer(&self) -> LogBuffer {
        LogBuffer::new(Arc::clone(&self.0.0))
    }

    /// Opens the destination of new settings, and changes nothing yet. To open a pipe waits for
    /// its reader.
    pub fn prepare(settings: Settings) -> Result<Prepared, AccessLogError> {
        let sink = Sink::open(&settings.destination)?;
        Ok(Prepared { settings, sink })
    }

    /// Takes over new settings. Lines formatted before go to the old destination in the old
    /// format, all others to the new one.
    pub fn apply(&self, prepared: Prepared) {
        self.0.0.order(|orders| orders.apply = Some(prepared));
    }

    /// Opens the file anew by its name, after it was renamed. Lines formatted before go to the
    /// renamed file. If the name cannot be opened, the renamed file stays in use.
    pub fn reopen(&self) {
        self.0.0.order(|orders| orders.reopen = true);
    }

    /// Lines written since start-up.
    pub fn written(&self) -> u64 {
        self.0.0.written.load(Ordering::Relaxed)
    }

    /// Lines dropped since start-up: formatted or due, but not written.
    pub fn dropped(&self) -> u64 {
        self.0.0.dropped.load(Ordering::Relaxed)
    }

    /// Writes what is left and ends. Returns whether that was done before the deadline. Lines that
    /// come later are ignored.
    pub fn close(&self, deadline: Instant) -> bool {
        self.0.0.close(deadline)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close(Instant::now() + FAREWELL);
    }
}
