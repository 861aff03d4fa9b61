//! What a value of a host-header, path-pattern or http-header condition can be: with wildcards, or a regular expression.

use std::fmt;

use super::{Case, ConditionError, ConditionKind, Wildcard};
use crate::routing::Expression;
use crate::routing::expression::ExpressionLimits;

/// One value, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// With `*` and `?`; the whole text must fit.
    Wildcard(Wildcard),
    /// Found anywhere in the text.
    Regex(Box<Expression>),
}

/// ALB's limit, and ours for the compiled form: an expression of 128 characters seldom needs a tenth of it.
const LIMITS: ExpressionLimits = ExpressionLimits {
    characters: super::VALUE_CHARACTERS,
    compiled: 64 * 1024,
};

impl Pattern {
    /// Compiles the regular expressions of a condition, of which there is at least one.
    pub(super) fn expressions(
        kind: ConditionKind,
        values: &[String],
        case: Case,
    ) -> Result<Box<[Self]>, ConditionError> {
        if values.is_empty() {
            return Err(ConditionError::NoValues { kind });
        }
        let compile = |value: &String| match Expression::new(value, case, LIMITS) {
            Ok(expression) => Ok(Self::Regex(Box::new(expression))),
            Err(error) => Err(ConditionError::Expression {
                kind,
                value: value.clone(),
                error,
            }),
        };
        values.iter().map(compile).collect()
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Regex(expression) => expression.matches(text),
        }
    }

    /// How many `*` and `?` it holds; those of a regular expression are none.
    pub(super) fn wildcards(&self) -> usize {
        match self {
            Self::Wildcard(wildcard) => wildcard.wildcards(),
            Self::Regex(_) => 0,
        }
    }

    pub(super) fn is_regex(&self) -> bool {
        matches!(self, Self::Regex(_))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wildcard(wildcard) => wildcard.fmt(f),
            Self::Regex(expression) => expression.fmt(f),
        }
    }
}
