//! `path-pattern`: the path of the request, without its query.
//!
//! Case-sensitive, as paths are, and compared with the path as the client sent it, which is the path that the target
//! gets. (ALB's manual says that it normalises the URI before it evaluates rules, and not how.) So `/admin` is met
//! neither by `/%61dmin` nor by `/x/../admin`, which a target may well take for the same page: a path pattern divides
//! traffic, it does not keep anyone out.

use super::{
    Case, ConditionError, ConditionKind, Escapes, VALUE_CHARACTERS, Wildcard, check_values,
};
use crate::routing::RequestView;

/// Path patterns, with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    values: Box<[Wildcard]>,
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
        Ok(Self {
            values: values
                .iter()
                .map(|value| Wildcard::new(value, Case::Sensitive, Escapes::None))
                .collect(),
        })
    }

    pub(super) fn values(&self) -> &[Wildcard] {
        &self.values
    }

    pub(super) fn matches(&self, request: &RequestView<'_>) -> bool {
        self.values
            .iter()
            .any(|value| value.matches(request.path.as_bytes()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::{get, values};

    fn matches(value: &str, target: &str) -> bool {
        let condition = PathPattern::new(&values([value])).unwrap();
        condition.matches(&get(target).view())
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
    fn the_query_is_not_part_of_the_path() {
        assert!(matches("/search", "/search?q=img"));
        assert!(!matches("/search*q*", "/search?q=img"));
    }

    #[test]
    fn the_path_is_compared_as_sent() {
        assert!(!matches("/admin", "/%61dmin"));
        assert!(!matches("/admin", "/x/../admin"));
        assert!(matches("/?61dmin", "/%61dmin"));
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
