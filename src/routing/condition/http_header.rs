//! `http-header`: any header field but `Host`.
//!
//! Name and value have no case. A field that is sent several times is searched in order until one value fits. To ask
//! for two values at once, write two conditions.

use super::{
    Case, ConditionError, ConditionKind, Escapes, Pattern, VALUE_CHARACTERS, Wildcard,
    check_values, fit,
};
use crate::routing::RequestView;

/// ALB's limit for the name.
const NAME_CHARACTERS: usize = 40;

/// A field and what its value may be, with wildcards or as a regular expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpHeader {
    name: Box<str>,
    values: Box<[Pattern]>,
}

impl HttpHeader {
    /// Takes a field name of at most 40 characters without wildcards, not `Host`, and at least one value of at most
    /// 128 visible ASCII characters or spaces. ALB knows no escape here: `*` and `?` are always wildcards.
    pub fn new(name: &str, values: &[String]) -> Result<Self, ConditionError> {
        check_name(name)?;
        check_values(
            ConditionKind::HttpHeader,
            values.iter().map(String::as_str),
            VALUE_CHARACTERS,
            |character| matches!(character, ' '..='~'),
            "visible ASCII characters and spaces",
        )?;
        let compile = |value: &String| {
            Pattern::Wildcard(Wildcard::new(value, Case::Insensitive, Escapes::None))
        };
        Ok(Self {
            name: name.into(),
            values: values.iter().map(compile).collect(),
        })
    }

    /// Takes a field name as [`HttpHeader::new`] does, and at least one regular expression of at most 128 characters,
    /// which has no case either.
    pub fn regex(name: &str, values: &[String]) -> Result<Self, ConditionError> {
        check_name(name)?;
        Ok(Self {
            name: name.into(),
            values: Pattern::expressions(ConditionKind::HttpHeader, values, Case::Insensitive)?,
        })
    }

    /// The name of the field.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn values(&self) -> &[Pattern] {
        &self.values
    }

    pub(super) fn fit(&self, request: &RequestView<'_>) -> Option<usize> {
        let mut found = None;
        request.fields.any(&self.name, &mut |sent| {
            found = fit(&self.values, sent);
            found.is_some()
        });
        found
    }

    /// The values that the field was sent with.
    pub(super) fn sent(&self, request: &RequestView<'_>) -> Vec<String> {
        let mut values = Vec::new();
        request.fields.any(&self.name, &mut |sent| {
            values.push(String::from_utf8_lossy(sent).into_owned());
            false
        });
        values
    }
}

fn check_name(name: &str) -> Result<(), ConditionError> {
    let is_name = (1..=NAME_CHARACTERS).contains(&name.len()) && name.bytes().all(is_token);
    if !is_name {
        return Err(ConditionError::FieldName {
            name: name.to_owned(),
            limit: NAME_CHARACTERS,
        });
    }
    match name.eq_ignore_ascii_case("host") {
        true => Err(ConditionError::HostField),
        false => Ok(()),
    }
}

/// RFC 9110, section 5.6.2, without `*`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::{get, values};

    fn browsers() -> HttpHeader {
        HttpHeader::new("User-Agent", &values(["*Chrome*", "*Safari*"])).unwrap()
    }

    #[test]
    fn name_and_value_have_no_case() {
        let request = get("/").field("user-agent", "Mozilla/5.0 CHROME/120");
        assert!(browsers().fit(&request.view()).is_some());
    }

    #[test]
    fn a_field_that_was_not_sent_does_not_match_even_a_star() {
        let anything = HttpHeader::new("X-Debug", &values(["*"])).unwrap();
        assert!(anything.fit(&get("/").view()).is_none());
        assert!(
            anything
                .fit(&get("/").field("X-Debug", "").view())
                .is_some()
        );
    }

    #[test]
    fn a_repeated_field_is_searched_until_a_value_fits() {
        let request = get("/")
            .field("User-Agent", "curl/8")
            .field("Accept", "Safari")
            .field("User-Agent", "Safari/17");
        assert!(browsers().fit(&request.view()).is_some());
        let other = get("/")
            .field("User-Agent", "curl/8")
            .field("Accept", "Safari");
        assert!(browsers().fit(&other.view()).is_none());
    }

    #[test]
    fn a_regular_expression_looks_at_each_value() {
        let condition = HttpHeader::regex("Cookie", &values(["(^|; )beta=1(;|$)"])).unwrap();
        let request = get("/")
            .field("Cookie", "a=b")
            .field("cookie", "x=y; BETA=1");
        assert_eq!(condition.fit(&request.view()), Some(0));
        assert_eq!(condition.sent(&request.view()), ["a=b", "x=y; BETA=1"]);
        assert!(
            condition
                .fit(&get("/").field("Cookie", "beta=12").view())
                .is_none()
        );
        assert!(HttpHeader::regex("Host", &values(["a"])).is_err());
    }

    #[test]
    fn host_has_a_condition_of_its_own() {
        let refused = HttpHeader::new("HOST", &values(["a.example.com"])).unwrap_err();
        assert_eq!(refused, ConditionError::HostField);
    }

    #[test]
    fn wildcards_and_separators_are_refused_in_the_name() {
        for name in ["", "X-*", "X-?", "X Y", "X:", &"a".repeat(41)] {
            let refused = HttpHeader::new(name, &values(["a"])).unwrap_err();
            assert!(
                matches!(refused, ConditionError::FieldName { .. }),
                "{name}"
            );
        }
        assert!(HttpHeader::new(&"a".repeat(40), &values(["a"])).is_ok());
    }

    #[test]
    fn control_characters_are_refused_in_the_value() {
        for value in ["a\tb", "a\u{7f}", "caf\u{e9}"] {
            assert!(HttpHeader::new("X-Y", &values([value])).is_err(), "{value}");
        }
    }
}
