//! `path-pattern`: the path of the request, without its query.
//!
//! Case-sensitive, as paths are, and compared with the path in its normal form, whatever the client wrote: `/admin` is met
//! by `/%61dmin`, `//admin` and `/x/../admin`, too, which most targets take for the same page
//! ([`crate::routing::normalized`] says what is done). The target gets what the client wrote, unless the load balancer's
//! `normalize_path` says otherwise.

use super::{
    Case, ConditionError, ConditionKind, Escapes, Pattern, VALUE_CHARACTERS, Wildcard,
    check_values, fit,
};
use crate::routing::RequestView;

/// Path patterns, with wildcards or as regular expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    values: Box<[Pattern]>,
}

impl PathPattern {
    /// Takes at least one pattern of at most 128 letters, digits, ``_-.$/~"'@:+&*?``. A pattern that begins with
    /// neither `/` nor a wildcard would fit no path and is refused.
    pub fn new(values: &[String]) -> Result<Self, ConditionError> {
        check_values(
            ConditionKind::PathPattern,
            values.iter().map(String::as_str),
            VALUE_CHARACTERS,
            |character| character.is_ascii_alphanumeric() || "_-.$/~\"'@:+&*?".contains(character),
            "letters, digits and _ - . $ / ~ \" ' @ : + & * ?; for any other character write ?, \
             and for what follows a `?` in the URL a query-string condition",
        )?;
        if let Some(value) = values
            .iter()
            .find(|value| !value.starts_with(['/', '*', '?']))
        {
            return Err(ConditionError::PathWithoutSlash {
                value: value.clone(),
            });
        }
        let compile = |value: &String| {
            Pattern::Wildcard(Wildcard::new(value, Case::Sensitive, Escapes::None))
        };
        Ok(Self {
            values: values.iter().map(compile).collect(),
        })
    }

    /// Takes at least one regular expression of at most 128 characters; case matters in them, too.
    pub fn regex(values: &[String]) -> Result<Self, ConditionError> {
        let values = Pattern::expressions(ConditionKind::PathPattern, values, Case::Sensitive)?;
        Ok(Self { values })
    }

    /// Whether a path, in its normal form, is met.
    pub fn fits(&self, path: &str) -> bool {
        fit(&self.values, path.as_bytes()).is_some()
    }

    pub(super) fn values(&self) -> &[Pattern] {
        &self.values
    }

    pub(super) fn fit(&self, request: &RequestView<'_>) -> Option<usize> {
        fit(&self.values, request.path.as_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::{get, values};

    fn matches(value: &str, target: &str) -> bool {
        let condition = PathPattern::new(&values([value])).unwrap();
        condition.fit(&get(target).view()).is_some()
    }

    #[test]
    fn the_manuals_examples() {
        assert!(matches("/img/*", "/img/picture.jpg"));
        assert!(matches("/img/*/pics", "/img/2024/pics"));
        assert!(!matches("/img/*/pics", "/img/2024/pics/1"));
        assert!(matches("/package.service/*", "/package.service/method"));
    }

    #[test]
    fn paths_have_two_cases() {
        assert!(!matches("/img/*", "/IMG/picture.jpg"));
    }

    #[test]
    fn a_regular_expression_tells_what_wildcards_cannot() {
        let condition = PathPattern::regex(&values(["^/v[0-9]+/[^/]+$"])).unwrap();
        let fits = |target: &str| condition.fit(&get(target).view()).is_some();
        assert!(fits("/v12/users?all"));
        assert!(!fits("/v12/users/7"));
        assert!(!fits("/V12/users"));
        assert!(PathPattern::regex(&values(["users$"])).is_ok());
    }

    #[test]
    fn the_query_is_not_part_of_the_path() {
        assert!(matches("/search", "/search?q=img"));
        assert!(!matches("/search*q*", "/search?q=img"));
    }

    #[test]
    fn all_the_manuals_characters_are_accepted() {
        assert!(PathPattern::new(&values([r#"/aZ0_-.$/~"'@:+&*?"#])).is_ok());
    }

    #[test]
    fn other_characters_are_refused() {
        for value in ["/caf\u{e9}", "/a b", "/a%20b", "/a=b", "/a#b", "/a\tb"] {
            let refused = PathPattern::new(&values([value])).unwrap_err();
            assert!(
                matches!(refused, ConditionError::Character { .. }),
                "{value}"
            );
        }
    }

    #[test]
    fn a_pattern_that_no_path_fits_is_refused_with_the_right_one() {
        let refused = PathPattern::new(&values(["img/*"])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`img/*` fits no path, for every path begins with `/`: write `/img/*`"
        );
        assert!(PathPattern::new(&values(["*.jpg"])).is_ok());
    }
}
