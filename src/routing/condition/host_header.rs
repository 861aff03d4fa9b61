//! `host-header`: the name by which the client called.
//!
//! Names have no case. Only the first `Host` field counts, and its port does not. `*.example.com` is met by
//! `www.example.com` and `a.b.example.com`, not by `example.com`. A regular expression looks at the name in lower case
//! and without regard to its own case.

use super::{
    Case, ConditionError, ConditionKind, Escapes, Pattern, VALUE_CHARACTERS, Wildcard,
    check_values, fit,
};
use crate::routing::RequestView;

/// Host names, with wildcards or as regular expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostHeader {
    /// In lower case, and compared so: the table lower-cases a request's host once, not each rule again.
    values: Box<[Pattern]>,
}

impl HostHeader {
    /// Takes at least one name of at most 128 letters, digits, `-`, `.`, `*` and `?`, with a dot, and with only
    /// letters after the last dot.
    pub fn new(values: &[String]) -> Result<Self, ConditionError> {
        check_values(
            ConditionKind::HostHeader,
            values.iter().map(String::as_str),
            VALUE_CHARACTERS,
            |character| character.is_ascii_alphanumeric() || "-.*?".contains(character),
            "letters, digits, - . * and ?",
        )?;
        for value in values {
            let Some((_, ending)) = value.rsplit_once('.') else {
                return Err(ConditionError::HostWithoutDot {
                    value: value.clone(),
                });
            };
            if ending.is_empty() || !ending.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                return Err(ConditionError::HostEnding {
                    value: value.clone(),
                });
            }
        }
        let compile = |value: &String| {
            let value = value.to_ascii_lowercase();
            Pattern::Wildcard(Wildcard::new(&value, Case::Sensitive, Escapes::None))
        };
        Ok(Self {
            values: values.iter().map(compile).collect(),
        })
    }

    /// Takes at least one regular expression of at most 128 characters.
    pub fn regex(values: &[String]) -> Result<Self, ConditionError> {
        let values = Pattern::expressions(ConditionKind::HostHeader, values, Case::Insensitive)?;
        Ok(Self { values })
    }

    pub(super) fn values(&self) -> &[Pattern] {
        &self.values
    }

    pub(super) fn fit(&self, request: &RequestView<'_>) -> Option<usize> {
        fit(&self.values, request.host.as_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::{get, values};

    fn matches(value: &str, host: &'static str) -> bool {
        let condition = HostHeader::new(&values([value])).unwrap();
        condition.fit(&get("/").host(host).view()).is_some()
    }

    #[test]
    fn a_star_stands_for_a_subdomain_but_not_for_none() {
        assert!(matches("*.example.com", "test.example.com"));
        assert!(matches("*.example.com", "a.b.example.com"));
        assert!(!matches("*.example.com", "example.com"));
    }

    #[test]
    fn a_rule_in_capitals_means_the_same_name() {
        assert!(matches("WWW.Example.Com", "www.example.com"));
    }

    #[test]
    fn one_of_several_names_is_enough() {
        let condition = HostHeader::new(&values(["example.com", "example.org"])).unwrap();
        assert_eq!(condition.fit(&get("/").host("example.org").view()), Some(1));
        assert_eq!(condition.fit(&get("/").host("example.net").view()), None);
    }

    #[test]
    fn a_regular_expression_has_no_case_and_need_not_have_a_dot() {
        let condition = HostHeader::regex(&values([r"^(www|SHOP)-\d+\.", "^localhost$"])).unwrap();
        let fit = |host| condition.fit(&get("/").host(host).view());
        assert_eq!(fit("shop-12.example.com"), Some(0));
        assert_eq!(fit("localhost"), Some(1));
        assert_eq!(fit("shop-x.example.com"), None);
    }

    #[test]
    fn a_name_needs_a_dot_and_letters_behind_it() {
        let refused = |value| HostHeader::new(&values([value])).unwrap_err();
        assert!(matches!(
            refused("localhost"),
            ConditionError::HostWithoutDot { .. }
        ));
        for value in ["example.", "10.0.0.1", "example.*", "example.c?m"] {
            assert!(
                matches!(refused(value), ConditionError::HostEnding { .. }),
                "{value}"
            );
        }
    }

    #[test]
    fn a_port_a_path_and_an_underscore_are_not_part_of_a_name() {
        for value in ["example.com:8080", "example.com/a", "a_b.example.com"] {
            let refused = HostHeader::new(&values([value])).unwrap_err();
            assert!(
                matches!(refused, ConditionError::Character { .. }),
                "{value}"
            );
        }
    }

    #[test]
    fn a_name_has_at_most_128_characters() {
        let name = |length: usize| format!("{}.com", "a".repeat(length - 4));
        assert!(HostHeader::new(&[name(128)]).is_ok());
        assert!(matches!(
            HostHeader::new(&[name(129)]),
            Err(ConditionError::TooLong {
                length: 129,
                limit: 128,
                ..
            })
        ));
    }

    #[test]
    fn a_condition_without_a_name_is_refused() {
        assert!(matches!(
            HostHeader::new(&[]),
            Err(ConditionError::NoValues { .. })
        ));
        assert!(matches!(
            HostHeader::new(&values([""])),
            Err(ConditionError::Empty { .. })
        ));
    }
}
