//! What a token must say beside who made it: a claim, of one of three forms, and its values.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::auth::AuthError;

/// ALB's limits.
const NAME: usize = 256;
const VALUE: usize = 256;
const VALUES: usize = 10;

/// A claim and what it must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredClaim {
    name: String,
    format: ClaimFormat,
    values: Vec<String>,
}

/// The form of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimFormat {
    /// `"value"`: it must be the one.
    SingleString,
    /// `["value", "value"]`: all must be in it.
    StringArray,
    /// `"value value"`, as scopes are: all must be in it.
    SpaceSeparatedValues,
}

impl ClaimFormat {
    /// ALB's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleString => "single-string",
            Self::StringArray => "string-array",
            Self::SpaceSeparatedValues => "space-separated-values",
        }
    }
}

/// A claim that cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClaimError {
    /// No name, or a long one, or one that is always checked.
    #[error(
        "`{name}` cannot be asked for: a claim's name has 1 to {NAME} characters, and iss, exp, nbf and iat are looked at anyway"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Too few values, or too many.
    #[error("a {} claim takes {allowed}, not {found}", format.as_str())]
    Values {
        /// The form of the claim.
        format: ClaimFormat,
        /// How many it may have, in words.
        allowed: String,
        /// How many it has.
        found: usize,
    },
    /// A value that cannot be one.
    #[error("`{value}` cannot be a value of a {} claim: it has 1 to {VALUE} characters{}", format.as_str(), without_space(*format))]
    Value {
        /// The form of the claim.
        format: ClaimFormat,
        /// The value.
        value: String,
    },
}

fn without_space(format: ClaimFormat) -> &'static str {
    match format {
        ClaimFormat::SpaceSeparatedValues => " and no space",
        ClaimFormat::SingleString | ClaimFormat::StringArray => "",
    }
}

impl RequiredClaim {
    /// Takes a name of 1 to 256 characters, and 1 to 10 values of as many; of a single string one.
    pub fn new(name: &str, format: ClaimFormat, values: &[String]) -> Result<Self, ClaimError> {
        let known = matches!(name, "iss" | "exp" | "nbf" | "iat");
        if known || !(1..=NAME).contains(&name.chars().count()) {
            return Err(ClaimError::Name {
                name: name.to_owned(),
            });
        }
        let most = match format {
            ClaimFormat::SingleString => 1,
            ClaimFormat::StringArray | ClaimFormat::SpaceSeparatedValues => VALUES,
        };
        if !(1..=most).contains(&values.len()) {
            let allowed = match most {
                1 => "one value".to_owned(),
                most => format!("1 to {most} values"),
            };
            let found = values.len();
            return Err(ClaimError::Values {
                format,
                allowed,
                found,
            });
        }
        let is_value = |value: &&String| {
            let spaced = format == ClaimFormat::SpaceSeparatedValues && value.contains(' ');
            (1..=VALUE).contains(&value.chars().count()) && !spaced
        };
        if let Some(value) = values.iter().find(|value| !is_value(value)) {
            let value = value.clone();
            return Err(ClaimError::Value { format, value });
        }
        Ok(Self {
            name: name.to_owned(),
            format,
            values: values.to_vec(),
        })
    }

    /// The claim's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a token holds what it must.
    pub(super) fn check(&self, claims: &Map<String, Value>) -> Result<(), AuthError> {
        let Some(claim) = claims.get(&self.name) else {
            return Err(AuthError::JwtClaimNotPresent(self.name.clone()));
        };
        let held: Option<Vec<&str>> = match (self.format, claim) {
            (ClaimFormat::SingleString, Value::String(text)) => Some(vec![text]),
            (ClaimFormat::SpaceSeparatedValues, Value::String(text)) => {
                Some(text.split(' ').filter(|part| !part.is_empty()).collect())
            }
            (ClaimFormat::StringArray, Value::Array(items)) => {
                items.iter().map(Value::as_str).collect()
            }
            _ => None,
        };
        let Some(held) = held else {
            return Err(AuthError::JwtClaimFormat(self.name.clone()));
        };
        match self
            .values
            .iter()
            .all(|value| held.contains(&value.as_str()))
        {
            true => Ok(()),
            false => Err(AuthError::JwtClaimValue(self.name.clone())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn check(format: ClaimFormat, wanted: &[&str], claim: Value) -> Result<(), AuthError> {
        let required = RequiredClaim::new("x", format, &values(wanted)).unwrap();
        let Value::Object(claims) = json!({ "x": claim }) else {
            unreachable!("claims are an object")
        };
        required.check(&claims)
    }

    #[test]
    fn each_form_holds_its_values_in_its_own_way() {
        use ClaimFormat::{SingleString, SpaceSeparatedValues, StringArray};
        let wrong = || Err(AuthError::JwtClaimValue("x".to_owned()));
        let misformed = || Err(AuthError::JwtClaimFormat("x".to_owned()));
        for (format, wanted, claim, verdict) in [
            (SingleString, &["a"][..], json!("a"), Ok(())),
            (SingleString, &["a"], json!("a b"), wrong()),
            (SingleString, &["a"], json!(["a"]), misformed()),
            (StringArray, &["a", "b"], json!(["b", "c", "a"]), Ok(())),
            (StringArray, &["a", "b"], json!(["a"]), wrong()),
            (StringArray, &["a"], json!("a"), misformed()),
            (StringArray, &["a"], json!(["a", 1]), misformed()),
            (SpaceSeparatedValues, &["a", "b"], json!("c b  a"), Ok(())),
            (SpaceSeparatedValues, &["a"], json!("ab"), wrong()),
            (SpaceSeparatedValues, &["a"], json!(true), misformed()),
        ] {
            assert_eq!(
                check(format, wanted, claim.clone()),
                verdict,
                "{format:?} {claim}"
            );
        }
    }

    #[test]
    fn a_claim_that_is_not_there_is_told_apart() {
        let required = RequiredClaim::new("x", ClaimFormat::SingleString, &values(&["a"]));
        let missing = Err(AuthError::JwtClaimNotPresent("x".to_owned()));
        assert_eq!(required.unwrap().check(&Map::new()), missing);
    }

    #[test]
    fn names_and_values_have_albs_limits() {
        let make = |name: &str, format, count| {
            RequiredClaim::new(name, format, &vec!["a".to_owned(); count])
        };
        assert!(make("x", ClaimFormat::StringArray, 10).is_ok());
        assert!(make("x", ClaimFormat::StringArray, 11).is_err());
        assert!(make("x", ClaimFormat::StringArray, 0).is_err());
        assert!(make("x", ClaimFormat::SingleString, 2).is_err());
        for name in ["", "iss", "exp", &"x".repeat(257)] {
            assert!(make(name, ClaimFormat::SingleString, 1).is_err(), "{name}");
        }
        let spaced = values(&["a b"]);
        assert!(RequiredClaim::new("x", ClaimFormat::SpaceSeparatedValues, &spaced).is_err());
        assert!(RequiredClaim::new("x", ClaimFormat::StringArray, &spaced).is_ok());
    }
}
