//! `http-request-method`: standard or custom methods, compared exactly.

use super::{ConditionError, ConditionKind, check_values};
use crate::routing::RequestView;

/// ALB's limit for a method.
const METHOD_CHARACTERS: usize = 40;

/// Methods; there are no wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequestMethod {
    values: Box<[Box<str>]>,
}

impl HttpRequestMethod {
    /// Takes at least one method of at most 40 capitals, `-` and `_`.
    pub fn new(values: &[String]) -> Result<Self, ConditionError> {
        check_values(
            ConditionKind::HttpRequestMethod,
            values.iter().map(String::as_str),
            METHOD_CHARACTERS,
            |character| character.is_ascii_uppercase() || "-_".contains(character),
            "capitals, - and _ without wildcards, such as GET or CUSTOM-METHOD",
        )?;
        Ok(Self {
            values: values.iter().map(|value| value.as_str().into()).collect(),
        })
    }

    pub(super) fn values(&self) -> &[Box<str>] {
        &self.values
    }

    pub(super) fn fit(&self, request: &RequestView<'_>) -> Option<usize> {
        self.values
            .iter()
            .position(|value| **value == *request.method)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::{get, values};

    #[test]
    fn the_method_must_be_an_exact_match() {
        let condition = HttpRequestMethod::new(&values(["POST", "CUSTOM-METHOD"])).unwrap();
        assert!(condition.fit(&get("/").method("POST").view()).is_some());
        assert!(
            condition
                .fit(&get("/").method("CUSTOM-METHOD").view())
                .is_some()
        );
        assert!(condition.fit(&get("/").method("post").view()).is_none());
        assert!(condition.fit(&get("/").method("POSTING").view()).is_none());
    }

    #[test]
    fn small_letters_and_wildcards_are_refused() {
        for value in ["get", "G*", "GET "] {
            let refused = HttpRequestMethod::new(&values([value])).unwrap_err();
            assert!(
                matches!(refused, ConditionError::Character { .. }),
                "{value}"
            );
        }
    }

    #[test]
    fn a_method_has_at_most_40_characters() {
        assert!(HttpRequestMethod::new(&["A".repeat(40)]).is_ok());
        assert!(HttpRequestMethod::new(&["A".repeat(41)]).is_err());
    }
}
