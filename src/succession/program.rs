//! The program that is started anew.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{self, Child, Command};
use std::{env, io};

use super::SuccessionError;

/// How the daemon is started again: as it was, by the file that has its name now.
#[derive(Clone, Debug)]
pub struct Program {
    path: OsString,
    arguments: Vec<OsString>,
}

impl Program {
    /// This program, with these arguments. `--take-over -` is added to them.
    pub fn this(arguments: Vec<OsString>) -> Self {
        // As it was called, not what /proc/self/exe leads to: that is the file of before, and a
        // link that leads to another version now is to be followed.
        let path = env::args_os().next().unwrap_or_else(|| "elbow".into());
        Self { path, arguments }
    }

    /// Starts it, with one end of a channel as its standard input; returns the other.
    pub(super) fn start(&self) -> Result<(Child, UnixStream), SuccessionError> {
        if process::id() == 1 {
            return Err(SuccessionError::Unable(
                "this is the first process of a container, which ends with it: start a new container \
                 with `run --take-over`, and the socket of `[upgrade] socket` on a volume of both",
            ));
        }
        let start = || -> io::Result<_> {
            let (mine, theirs) = UnixStream::pair()?;
            let child = Command::new(&self.path)
                .args(&self.arguments)
                .args(["--take-over", "-"])
                .stdin(OwnedFd::from(theirs))
                .spawn()?;
            Ok((child, mine))
        };
        start().map_err(|source| SuccessionError::Start {
            program: self.path.to_string_lossy().into_owned(),
            source,
        })
    }
}
