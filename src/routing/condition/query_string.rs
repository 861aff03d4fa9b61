//! `query-string`: keys and values of the query.
//!
//! The query is cut at `&`, and each part at its first `=`. Key and value are compared without regard to case and as
//! they were sent: nothing is percent-decoded and `+` is not a space, so that what a rule saw is what the target gets.
//! Write `%20` in a value to meet `%20` (or `%2f` to meet `%2F`, for letters have no case here).
//!
//! A condition value without a key is met by any key that has the value ("any key set to", says ALB's manual), and
//! also by a part without `=`: the value `debug` is met by `?debug`. AWS does not say what such a part is.

use super::{
    Case, ConditionError, ConditionKind, Escapes, VALUE_CHARACTERS, Wildcard, check_value,
};
use crate::routing::RequestView;

/// Pairs of a key, or none for any key, and a value, with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryString {
    values: Box<[(Option<Wildcard>, Wildcard)]>,
}

impl QueryString {
    /// Takes at least one pair. Key and value have 1 to 128 visible ASCII characters; `\*` and `\?` stand for the
    /// characters themselves. A key that is left out is any key.
    pub fn new(values: &[(Option<String>, String)]) -> Result<Self, ConditionError> {
        if values.is_empty() {
            return Err(ConditionError::NoValues {
                kind: ConditionKind::QueryString,
            });
        }
        let values = values
            .iter()
            .map(|(key, value)| Ok((key.as_deref().map(compile).transpose()?, compile(value)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self { values })
    }

    pub(super) fn values(&self) -> &[(Option<Wildcard>, Wildcard)] {
        &self.values
    }

    pub(super) fn fit(&self, request: &RequestView<'_>) -> Option<usize> {
        let fit = |part| self.values.iter().position(|pair| part_fits(part, pair));
        parts(request).find_map(fit)
    }
}

/// The parts of the query.
pub(super) fn parts<'a>(request: &RequestView<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let parts = request.query.into_iter().flat_map(|query| query.split('&'));
    parts.filter(|part| !part.is_empty())
}

fn part_fits(part: &str, (key, value): &(Option<Wildcard>, Wildcard)) -> bool {
    match (key, part.split_once('=')) {
        (Some(key), Some((sent_key, sent_value))) => {
            key.matches(sent_key.as_bytes()) && value.matches(sent_value.as_bytes())
        }
        (Some(key), None) => key.matches(part.as_bytes()) && value.matches(b""),
        (None, Some((_, sent_value))) => value.matches(sent_value.as_bytes()),
        (None, None) => value.matches(part.as_bytes()),
    }
}

fn compile(text: &str) -> Result<Wildcard, ConditionError> {
    check_value(
        ConditionKind::QueryString,
        text,
        VALUE_CHARACTERS,
        |character| character.is_ascii_graphic(),
        "visible ASCII characters; write any other percent-encoded, as clients send it",
    )?;
    Ok(Wildcard::new(text, Case::Insensitive, Escapes::Backslash))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::get;

    fn pair(key: &str, value: &str) -> QueryString {
        QueryString::new(&[(Some(key.to_owned()), value.to_owned())]).unwrap()
    }

    fn any_key(value: &str) -> QueryString {
        QueryString::new(&[(None, value.to_owned())]).unwrap()
    }

    fn matches(condition: &QueryString, target: &str) -> bool {
        condition.fit(&get(target).view()).is_some()
    }

    #[test]
    fn the_manuals_example() {
        let condition = QueryString::new(&[
            (Some("version".to_owned()), "v1".to_owned()),
            (None, "*example*".to_owned()),
        ])
        .unwrap();
        assert!(matches(&condition, "/?a=b&version=v1"));
        assert!(matches(&condition, "/?site=www.example.com"));
        assert!(!matches(&condition, "/?version=v2"));
        assert!(!matches(&condition, "/?example=v2"));
        assert!(!matches(&condition, "/version=v1"));
    }

    #[test]
    fn key_and_value_have_no_case() {
        assert!(matches(&pair("Version", "V1"), "/?VERSION=v1"));
    }

    #[test]
    fn wildcards_work_in_both() {
        assert!(matches(&pair("utm_*", "mail?"), "/?utm_source=mail1"));
        assert!(!matches(&pair("utm_*", "mail?"), "/?utm_source=mail"));
    }

    #[test]
    fn a_backslash_makes_a_wildcard_an_ordinary_character() {
        assert!(matches(&pair("q", r"a\*"), "/?q=a*"));
        assert!(!matches(&pair("q", r"a\*"), "/?q=ab"));
        assert!(matches(&pair("q", r"why\?"), "/?q=why?"));
    }

    #[test]
    fn a_key_without_a_value_has_the_empty_one() {
        assert!(matches(&pair("debug", "*"), "/?debug"));
        assert!(matches(&pair("debug", "*"), "/?debug="));
        assert!(!matches(&pair("debug", "1"), "/?debug"));
        assert!(matches(&any_key("debug"), "/?debug"));
        assert!(!matches(&any_key("debug"), "/?debug=1"));
    }

    #[test]
    fn only_the_first_equals_sign_divides() {
        assert!(matches(&pair("token", "a=b"), "/?token=a=b"));
    }

    #[test]
    fn the_query_is_compared_as_sent() {
        assert!(!matches(&pair("q", "a/b"), "/?q=a%2Fb"));
        assert!(matches(&pair("q", "a%2fb"), "/?q=a%2Fb"));
    }

    #[test]
    fn no_query_and_an_empty_one_meet_nothing() {
        assert!(!matches(&any_key("*"), "/"));
        assert!(!matches(&any_key("*"), "/?"));
        assert!(matches(&any_key("*"), "/?a"));
    }

    #[test]
    fn empty_and_long_and_invisible_ones_are_refused() {
        let refused = |key: Option<&str>, value: &str| {
            QueryString::new(&[(key.map(str::to_owned), value.to_owned())]).unwrap_err()
        };
        assert!(matches!(refused(None, ""), ConditionError::Empty { .. }));
        assert!(matches!(
            refused(Some(""), "a"),
            ConditionError::Empty { .. }
        ));
        assert!(matches!(
            refused(Some(&"a".repeat(129)), "a"),
            ConditionError::TooLong { .. }
        ));
        assert!(matches!(
            refused(None, "a b"),
            ConditionError::Character { .. }
        ));
    }
}
