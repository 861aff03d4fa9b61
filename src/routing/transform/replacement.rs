//! A regular expression and what stands in the place of what it finds: `^/api/(.*)$` and `/$1`.
//!
//! The first place where the expression is found is replaced, and what is around it stays. `$1` to `$99` and `${1}` are
//! the groups, `$0` is all that was found, `$$` is a dollar sign; a group that took no part is empty.

use std::ops::Range;

use regex::bytes::Captures;

use super::super::Case;
use super::super::expression::{Expression, ExpressionError, ExpressionLimits};

/// ALB's limit for the expression and for the replacement; ours for the compiled form.
const CHARACTERS: usize = 1024;
const LIMITS: ExpressionLimits = ExpressionLimits {
    characters: CHARACTERS,
    compiled: 256 * 1024,
};

/// A checked pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewrite {
    regex: Expression,
    text: Box<str>,
    pieces: Box<[Piece]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Group(usize),
}

/// A rewrite that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The regular expression is wrong.
    #[error(transparent)]
    Regex(#[from] ExpressionError),
    /// The replacement is too long.
    #[error("the replacement has {length} characters: at most {limit} are allowed")]
    TooLong {
        /// How many it has.
        length: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A character that cannot stand in the result.
    #[error("the replacement `{replacement}` holds {character:?}: {rule}")]
    Character {
        /// The replacement.
        replacement: String,
        /// The first such character.
        character: char,
        /// What can stand there, in words.
        rule: &'static str,
    },
    /// A dollar sign that begins nothing.
    #[error(
        "`{found}` in the replacement `{replacement}` is no group: groups are `$1` or `${{1}}`, \
             a dollar sign is `$$`"
    )]
    Dollar {
        /// The replacement.
        replacement: String,
        /// What is there.
        found: String,
    },
    /// A group that the expression does not have.
    #[error(
        "the replacement `{replacement}` names group {group}, but the regular expression has {groups}: \
             if a digit should follow a group, write `${{1}}0`"
    )]
    NoSuchGroup {
        /// The replacement.
        replacement: String,
        /// The group.
        group: usize,
        /// How many the expression has.
        groups: usize,
    },
    /// A path that would not begin with `/`.
    #[error(
        "a path rewritten with `{replacement}` would not begin with `/`, for the regular expression begins with `^`: \
             write `/{replacement}`"
    )]
    PathWithoutSlash {
        /// The replacement.
        replacement: String,
    },
}

impl RewriteError {
    /// Whether it is the regular expression that is wrong, and not the replacement.
    pub fn is_of_regex(&self) -> bool {
        matches!(self, Self::Regex(_))
    }
}

impl Rewrite {
    /// Takes an expression and a replacement of at most 1,024 characters each. `allowed` says which characters may stand
    /// in the result, `rule` the same in words.
    pub(super) fn new(
        regex: &str,
        case: Case,
        replacement: &str,
        allowed: impl Fn(char) -> bool,
        rule: &'static str,
    ) -> Result<Self, RewriteError> {
        let regex = Expression::new(regex, case, LIMITS)?;
        let length = replacement.chars().count();
        if length > CHARACTERS {
            let limit = CHARACTERS;
            return Err(RewriteError::TooLong { length, limit });
        }
        let pieces = pieces(replacement)?;
        for piece in &pieces {
            match piece {
                Piece::Text(text) => {
                    if let Some(character) = text.chars().find(|it| !allowed(*it)) {
                        return Err(RewriteError::Character {
                            replacement: replacement.to_owned(),
                            character,
                            rule,
                        });
                    }
                }
                Piece::Group(group) if *group > regex.groups() => {
                    return Err(RewriteError::NoSuchGroup {
                        replacement: replacement.to_owned(),
                        group: *group,
                        groups: regex.groups(),
                    });
                }
                Piece::Group(_) => {}
            }
        }
        Ok(Self {
            regex,
            text: replacement.into(),
            pieces: pieces.into(),
        })
    }

    /// The expression as it was written.
    pub(super) fn regex(&self) -> String {
        self.regex.to_string()
    }

    /// Whether what it finds is always at the beginning.
    pub(super) fn is_tied_to_the_start(&self) -> bool {
        self.regex.is_tied_to_the_start()
    }

    /// The replacement as it was written.
    pub(super) fn replacement(&self) -> &str {
        &self.text
    }

    /// `text` with the first match replaced; `None` if there is none. Of a text that is ASCII, the result is, too.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        let found = self.regex.captures(text.as_bytes())?;
        let whole = place(&found, 0)?;
        let mut out = String::with_capacity(text.len() + self.text.len());
        out.push_str(text.get(..whole.start)?);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => {
                    let group = place(&found, *group).and_then(|place| text.get(place));
                    out.push_str(group.unwrap_or_default());
                }
            }
        }
        out.push_str(text.get(whole.end..)?);
        Some(out)
    }
}

fn place(found: &Captures<'_>, group: usize) -> Option<Range<usize>> {
    found.get(group).map(|group| group.range())
}

fn pieces(replacement: &str) -> Result<Vec<Piece>, RewriteError> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            text.push('$');
            rest = after;
            continue;
        }
        let Some((group, after)) = group(after) else {
            let found = after.split(['/', '?', '&', '.', '$']).next();
            return Err(RewriteError::Dollar {
                replacement: replacement.to_owned(),
                found: format!("${}", found.unwrap_or_default()),
            });
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text).into()));
        }
        pieces.push(Piece::Group(group));
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
    Ok(pieces)
}

/// The number of a group and what follows it: `12rest` or `{12}rest`.
fn group(text: &str) -> Option<(usize, &str)> {
    let (number, rest) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}')?,
        None => {
            let is_digit = |byte: u8| byte.is_ascii_digit();
            let end = text
                .bytes()
                .take(2)
                .take_while(|byte| is_digit(*byte))
                .count();
            text.split_at(end)
        }
    };
    let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    Some((number.parse().ok().filter(|_| is_number)?, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn rewrite(regex: &str, replacement: &str) -> Result<Rewrite, RewriteError> {
        let allowed = |character: char| character.is_ascii_graphic();
        Rewrite::new(
            regex,
            Case::Sensitive,
            replacement,
            allowed,
            "visible characters",
        )
    }

    fn apply(regex: &str, replacement: &str, text: &str) -> Option<String> {
        rewrite(regex, replacement).unwrap().apply(text)
    }

    #[test]
    fn the_first_match_is_replaced_and_the_rest_stays() {
        assert_eq!(apply("a+", "-", "/baab/aa").as_deref(), Some("/b-b/aa"));
        assert_eq!(apply("x", "-", "/baab"), None);
        assert_eq!(apply("^", "/v1", "/a").as_deref(), Some("/v1/a"));
        assert_eq!(apply("a", "", "/a").as_deref(), Some("/"));
    }

    #[test]
    fn groups_are_numbered_and_may_have_taken_no_part() {
        assert_eq!(
            apply("^/(.)/(.)", "/$2/$1", "/a/b/c").as_deref(),
            Some("/b/a/c")
        );
        assert_eq!(
            apply("^/(a)|(b)", "/[$1][$2]", "/a").as_deref(),
            Some("/[a][]")
        );
        assert_eq!(apply("(a)", "${1}0$0$$1", "a").as_deref(), Some("a0a$1"));
    }

    #[test]
    fn a_group_must_be_there() {
        let refused = |replacement| rewrite("(a)", replacement).unwrap_err();
        assert!(matches!(
            refused("$2"),
            RewriteError::NoSuchGroup {
                group: 2,
                groups: 1,
                ..
            }
        ));
        assert!(refused("$10").to_string().contains("${1}0"));
        for replacement in ["$", "$x", "${1", "${}", "${x}", "${123}", "a$/b"] {
            let refused = refused(replacement);
            assert!(
                matches!(refused, RewriteError::Dollar { .. }),
                "{replacement}"
            );
        }
    }

    #[test]
    fn expression_and_replacement_have_at_most_1024_characters() {
        let long = |length| "a".repeat(length);
        assert!(rewrite(&long(1024), &long(1024)).is_ok());
        assert!(rewrite(&long(1025), "a").unwrap_err().is_of_regex());
        let refused = rewrite("a", &long(1025)).unwrap_err();
        assert_eq!(
            refused,
            RewriteError::TooLong {
                length: 1025,
                limit: 1024
            }
        );
    }
}
