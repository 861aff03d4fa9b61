//! What commands print.

use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Prints on standard output. `print!` would panic where nobody reads on, as in `elbow schema | head`;
/// who has seen enough is no failure.
pub(super) fn say(text: impl fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
