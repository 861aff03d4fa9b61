//! The statuses that pass a health check (ALB: `Matcher.HttpCode`, `Matcher.GrpcCode`).

use std::fmt;
use std::ops::RangeInclusive;

use thiserror::Error;

/// A list of statuses and ranges of statuses, for example `200,202-299`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher(Vec<RangeInclusive<u16>>);

/// Why a list of statuses is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MatcherError {
    /// The list is empty, or a part between two commas is.
    #[error("a status is missing; write one status, a list or a range: 200 or 200,302 or 200-299")]
    Empty,
    /// Not a number, or not a range of two.
    #[error(
        "`{0}` is not a status; write one status, a list or a range: 200 or 200,302 or 200-299"
    )]
    NotAStatus(String),
    /// ALB takes 200 to 499 of HTTP, and 0 to 99 of gRPC.
    #[error("{0} cannot be matched; a matcher takes the statuses {start}-{end}", start = .1.start(), end = .1.end())]
    OutOfRange(u64, RangeInclusive<u16>),
    /// The range ends before it begins.
    #[error("the range {0}-{1} is empty; write {1}-{0}")]
    Backwards(u16, u16),
}

impl Matcher {
    /// The statuses of HTTP that may be named.
    pub const HTTP: RangeInclusive<u16> = 200..=499;
    /// The statuses of gRPC that may be named.
    pub const GRPC: RangeInclusive<u16> = 0..=99;

    /// Reads a list of statuses among `permitted` ones and of ranges, separated by commas; blanks
    /// around a part are ignored.
    pub fn parse(text: &str, permitted: RangeInclusive<u16>) -> Result<Self, MatcherError> {
        text.split(',')
            .map(|part| range(part, &permitted))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a probe that was answered with this status passes.
    pub fn matches(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

/// ALB's: 200.
impl Default for Matcher {
    fn default() -> Self {
        Self(vec![200..=200])
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, range) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            write!(f, "{}", range.start())?;
            if range.start() != range.end() {
                write!(f, "-{}", range.end())?;
            }
        }
        Ok(())
    }
}

fn range(part: &str, permitted: &RangeInclusive<u16>) -> Result<RangeInclusive<u16>, MatcherError> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let first = status(first, part, permitted)?;
    let last = status(last, part, permitted)?;
    if first > last {
        return Err(MatcherError::Backwards(first, last));
    }
    Ok(first..=last)
}

fn status(text: &str, part: &str, permitted: &RangeInclusive<u16>) -> Result<u16, MatcherError> {
    let text = text.trim();
    if part.trim().is_empty() {
        return Err(MatcherError::Empty);
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MatcherError::NotAStatus(part.trim().to_owned()));
    }
    // Only a number too long for u64 fails here, and that is out of range, too.
    let status: u64 = text.parse().unwrap_or(u64::MAX);
    u16::try_from(status)
        .ok()
        .filter(|status| permitted.contains(status))
        .ok_or_else(|| MatcherError::OutOfRange(status, permitted.clone()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Matcher, MatcherError> {
        Matcher::parse(text, Matcher::HTTP)
    }

    #[test]
    fn a_matcher_is_a_status_a_list_or_a_range() {
        for (text, passes, fails) in [
            ("200", &[200][..], &[201, 301, 404][..]),
            ("200,302", &[200, 302], &[201, 301, 303]),
            ("200-299", &[200, 204, 299], &[199, 300]),
            ("200, 202-299 ,401", &[200, 202, 401], &[201, 400]),
        ] {
            let matcher = parse(text).unwrap();
            assert!(
                passes.iter().all(|status| matcher.matches(*status)),
                "{text}"
            );
            assert!(
                !fails.iter().any(|status| matcher.matches(*status)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_matcher_takes_200_to_499() {
        assert!(parse("200-499").is_ok());
        assert_eq!(
            parse("199"),
            Err(MatcherError::OutOfRange(199, Matcher::HTTP))
        );
        assert_eq!(
            parse("200-500"),
            Err(MatcherError::OutOfRange(500, Matcher::HTTP))
        );
        assert_eq!(
            parse("99999999999999999999").unwrap_err(),
            MatcherError::OutOfRange(u64::MAX, Matcher::HTTP)
        );
    }

    #[test]
    fn a_matcher_of_grpc_takes_0_to_99() {
        let matcher = Matcher::parse("0,12-99", Matcher::GRPC).unwrap();
        assert!(matcher.matches(0) && matcher.matches(99) && !matcher.matches(1));
        let error = Matcher::parse("200", Matcher::GRPC).unwrap_err();
        assert_eq!(
            error.to_string(),
            "200 cannot be matched; a matcher takes the statuses 0-99"
        );
    }

    #[test]
    fn what_is_no_status_is_named() {
        for text in ["2xx", "200-", "-200", "+200", "200-299-301", "200;201"] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, MatcherError::NotAStatus(text.to_owned()));
        }
        for text in ["", " ", "200,", ",200"] {
            assert_eq!(parse(text), Err(MatcherError::Empty), "{text:?}");
        }
    }

    #[test]
    fn a_backward_range_is_told_how_to_be_right() {
        let error = parse("299-200").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the range 299-200 is empty; write 200-299"
        );
    }

    #[test]
    fn a_matcher_reads_back_what_it_shows() {
        let matcher = parse("200, 202-299").unwrap();
        assert_eq!(matcher.to_string(), "200,202-299");
        assert_eq!(parse(&matcher.to_string()), Ok(matcher));
    }
}
