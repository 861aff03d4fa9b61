//! Errors as a line for people: what went wrong, and what caused it.

use std::error::Error;

/// An error with all that caused it, each after a colon. What has been said already is not said again: many an
/// error repeats its cause.
pub fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let said = source.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Outer {
        said: &'static str,
        source: io::Error,
    }

    #[test]
    fn each_cause_is_said_once() {
        let outer = |said| Outer {
            said,
            source: io::Error::other("the disk is full"),
        };
        let cannot = outer("cannot write");
        assert_eq!(in_full(&cannot), "cannot write: the disk is full");
        let repeats = outer("cannot write: the disk is full");
        assert_eq!(in_full(&repeats), "cannot write: the disk is full");
    }
}
