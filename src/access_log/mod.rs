//! The access log: one line a request, in ALB's format or as JSON; and one a connection that was
//! forwarded whole, in NLB's. Those of Classic load balancers have Classic's format.
//!
//! The connection log is another one of the same kind, with a line a connection: [`Subject`] tells
//! them apart.
//!
//! [`AccessLog`] owns a thread of its own that writes; each worker formats its lines into a
//! [`LogBuffer`] of its own, which the thread empties ten times a second. So no request waits for
//! a disk and none wakes another thread: when lines come faster than they can be written, they are
//! dropped and counted. An [`Entry`] is what one line says, a [`ConnectionEntry`] one of a connection.
//!
//! It does not compress, upload or delete old files: rename the file and call
//! [`AccessLog::reopen`], as logrotate does.

mod alb;
mod buffer;
mod classic;
mod conn_trace_id;
mod connection;
mod connection_log;
mod entry;
mod json;
mod text;
mod writer;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

pub use buffer::LogBuffer;
pub use classic::{Bodies, FirstBytes};
pub use conn_trace_id::ConnTraceId;
pub use connection::{ConnectionEntry, ConnectionKind};
pub use connection_log::{ConnectionLogEntry, VerifyStatus};
pub use entry::{Entry, RequestKind, RequestLine};

use buffer::Shared;
use writer::{Sink, Writer};

/// How long the thread may take to write what is left when the last [`AccessLog`] is dropped.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the lines of a log are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Requests, and connections that were forwarded whole: the access log.
    Requests,
    /// Clients' connections: the connection log.
    Connections,
}

impl Subject {
    /// What messages call the log.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "access log",
            Self::Connections => "connection log",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the lines go and what they look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What they are about.
    pub subject: Subject,
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
    /// ALB's fields, separated by spaces; NLB's of connections; Classic's of a Classic load balancer.
    Alb,
    /// One object with the column names of Amazon Athena's table for ALB logs.
    Json,
}

/// A log could not be opened, or its thread not be started.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    /// The destination cannot be written.
    #[error("cannot open the {subject} {path}", path = .path.display())]
    Open {
        /// Which log.
        subject: Subject,
        /// The file, or `-` for standard output.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system refused the thread.
    #[error("cannot start the {subject}'s thread")]
    Thread {
        /// Which log.
        subject: Subject,
        /// Why.
        source: io::Error,
    },
}

/// Settings whose destination is open already, so that taking them over cannot fail.
#[derive(Debug)]
pub struct Prepared {
    settings: Settings,
    sink: Sink,
}

/// A log. Cheap to clone; when the last clone is dropped, what is left is written.
#[derive(Clone, Debug)]
pub struct AccessLog(Arc<Owner>);

#[derive(Debug)]
struct Owner(Arc<Shared>);

impl AccessLog {
    /// Opens the destination and starts the thread, named `access-log` or `connection-log`.
    pub fn start(settings: Settings) -> Result<Self, AccessLogError> {
        let prepared = Self::prepare(settings)?;
        let shared = Arc::new(Shared::new(&prepared.settings));
        let subject = prepared.settings.subject;
        let writer = Writer::new(subject, Arc::clone(&shared), prepared.sink);
        thread::Builder::new()
            .name(subject.as_str().replace(' ', "-"))
            .spawn(move || writer.run())
            .map_err(|source| AccessLogError::Thread { subject, source })?;
        Ok(Self(Arc::new(Owner(shared))))
    }

    /// A buffer for one worker.
    pub fn buffer(&self) -> LogBuffer {
        LogBuffer::new(Arc::clone(&self.0.0))
    }

    /// Opens the destination of new settings, and changes nothing yet. To open a pipe waits for
    /// its reader.
    pub fn prepare(settings: Settings) -> Result<Prepared, AccessLogError> {
        let sink = Sink::open(settings.subject, &settings.destination)?;
        Ok(Prepared { settings, sink })
    }

    /// Takes over new settings. Lines formatted before go to the old destination in the old
    /// format, all others to the new one. A log that was off is on when this returns.
    pub fn apply(&self, prepared: Prepared) {
        let format = prepared.settings.effective_format();
        self.0.0.order(|orders| orders.apply = Some(prepared));
        self.0.0.switch_on(format);
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader, Read};
    use std::os::fd::AsRawFd;
    use std::path::Path;

    use super::entry::tests::example;
    use super::*;

    fn to(path: &Path, format: Format) -> Settings {
        Settings {
            subject: Subject::Requests,
            destination: Destination::File(path.to_owned()),
            format,
        }
    }

    fn start(path: &Path) -> AccessLog {
        AccessLog::start(to(path, Format::Alb)).unwrap()
    }

    fn deadline() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    fn wait_for(what: &str, mut reached: impl FnMut() -> bool) {
        let deadline = deadline();
        while !reached() {
            assert!(Instant::now() < deadline, "not within 20 s: {what}");
            thread::yield_now();
        }
    }

    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "a torn line in {path:?}"
        );
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_appear_without_being_asked_for_and_are_all_there_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = start(&path);
        let buffer = log.buffer();
        buffer.write(&example());
        wait_for("the first line", || lines(&path).len() == 1);
        buffer.write(&example());
        drop(log);
        assert_eq!(lines(&path).len(), 2);
    }

    #[test]
    fn a_log_that_is_switched_on_has_every_line_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let path = folder.path().join(round.to_string());
            let off = Settings {
                subject: Subject::Requests,
                destination: Destination::Off,
                format: Format::Alb,
            };
            let log = AccessLog::start(off).unwrap();
            let buffer = log.buffer();
            buffer.write(&example());
            log.apply(AccessLog::prepare(to(&path, Format::Alb)).unwrap());
            buffer.write(&example());
            assert!(log.close(deadline()));
            assert_eq!(lines(&path).len(), 1, "round {round}");
        }
    }

    #[test]
    fn lines_of_a_worker_that_has_ended_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = start(&path);
        let buffer = log.buffer();
        buffer.write(&example());
        drop(buffer);
        wait_for("its line", || log.written() == 1);
        assert!(log.close(deadline()));
        assert_eq!(lines(&path).len(), 1);
    }

    #[test]
    fn rotation_by_rename_and_reopen_loses_no_line_and_tears_none() {
        const WORKERS: usize = 3;
        const LINES: usize = 4_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = start(&path);
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                let buffer = log.buffer();
                thread::spawn(move || (0..LINES).for_each(|_| buffer.write(&example())))
            })
            .collect();
        for round in 0..5 {
            fs::rename(&path, folder.path().join(format!("access.log.{round}"))).unwrap();
            log.reopen();
            wait_for("the new file", || path.exists());
        }
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        assert!(log.close(deadline()));
        let files = fs::read_dir(folder.path()).unwrap();
        let found: usize = files.map(|file| lines(&file.unwrap().path()).len()).sum();
        assert_eq!(found, WORKERS * LINES);
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn a_stalled_reader_costs_lines_and_not_time_and_every_lost_line_is_counted() {
        let (reader, writer) = io::pipe().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
        let log = start(&path);
        drop(writer);
        let buffer = log.buffer();
        let mut sent = 0;
        wait_for("a dropped line", || {
            buffer.write(&example());
            sent += 1;
            log.dropped() > 0
        });
        let read = thread::spawn(move || BufReader::new(reader).lines().count() as u64);
        assert!(log.close(deadline()));
        drop((log, buffer));
        assert_eq!(read.join().unwrap(), sent - 1);
    }

    #[test]
    fn a_full_disk_drops_lines_counts_them_and_ends_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let log = start(Path::new("/dev/full"));
        let buffer = log.buffer();
        (0..10).for_each(|_| buffer.write(&example()));
        wait_for("ten dropped lines", || log.dropped() == 10);
        let path = folder.path().join("access.log");
        log.apply(AccessLog::prepare(to(&path, Format::Alb)).unwrap());
        wait_for("the new file in use", || {
            buffer.write(&example());
            log.written() > 0
        });
        assert!(log.close(deadline()));
        assert_eq!(lines(&path).len() as u64, log.written());
    }

    #[test]
    fn new_settings_divide_the_lines_cleanly_between_old_and_new() {
        let folder = tempfile::tempdir().unwrap();
        let (alb, json) = (folder.path().join("alb"), folder.path().join("json"));
        let log = start(&alb);
        let buffer = log.buffer();
        buffer.write(&example());
        log.apply(AccessLog::prepare(to(&json, Format::Json)).unwrap());
        wait_for("a line in the new file", || {
            buffer.write(&example());
            // Not its lines: the writer may be in the middle of one.
            fs::metadata(&json).unwrap().len() > 0
        });
        assert!(log.close(deadline()));
        assert!(lines(&alb).iter().all(|line| line.starts_with("http ")));
        assert!(lines(&json).iter().all(|line| line.starts_with('{')));
        assert!(!lines(&alb).is_empty());
    }

    #[test]
    fn an_access_log_that_is_off_formats_nothing_and_can_be_switched_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = AccessLog::start(Settings {
            subject: Subject::Requests,
            destination: Destination::from_path(None),
            format: Format::Alb,
        })
        .unwrap();
        let buffer = log.buffer();
        buffer.write(&example());
        log.apply(AccessLog::prepare(to(&path, Format::Alb)).unwrap());
        wait_for("the switch", || {
            buffer.write(&example());
            log.written() > 0
        });
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn a_destination_that_cannot_be_opened_is_named() {
        let result = AccessLog::start(to(Path::new("/nowhere/access.log"), Format::Alb));
        let message = result.unwrap_err().to_string();
        assert_eq!(message, "cannot open the access log /nowhere/access.log");
    }

    #[test]
    fn a_writer_that_is_stuck_does_not_hold_up_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
        let log = start(&path);
        drop(writer);
        let buffer = log.buffer();
        (0..1_000).for_each(|_| buffer.write(&example()));
        assert!(!log.close(Instant::now() + Duration::from_millis(300)));
        thread::spawn(move || io::copy(&mut reader.by_ref(), &mut io::sink()));
        assert!(log.close(deadline()));
    }
}
