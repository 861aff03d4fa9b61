//! Regular expressions, as far as ALB takes them.
//!
//! An [`Expression`] is found anywhere in a text unless `^` and `$` tie it down. It works on bytes and ASCII, and takes
//! time in proportion to the text, whatever a client sends: what would need more (lookaround, backreferences, atomic
//! groups, possessive quantifiers, recursion) ALB refuses, and so do we, by name. Some of it would otherwise be read as
//! something else: `a++` as a repetition of a repetition, `(?R)` as a flag.

use std::fmt;
use std::ops::Range;

use regex::bytes::{Captures, Regex, RegexBuilder};
use regex_syntax::ast;

use super::Case;

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Box<str>,
    case: Case,
    regex: Regex,
}

/// How large an expression may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExpressionLimits {
    /// The longest text, in characters.
    pub(super) characters: usize,
    /// The largest compiled form, in bytes. It bounds how long one byte of a request may take: a counted repetition of
    /// a counted repetition is short to write and long to run.
    pub(super) compiled: usize,
}

/// Parentheses within parentheses.
const NESTING: u32 = 32;

/// What the automaton that is built while matching may hold, in bytes, for each worker.
const AUTOMATON: usize = 256 * 1024;

impl Expression {
    pub(super) fn new(
        text: &str,
        case: Case,
        limits: ExpressionLimits,
    ) -> Result<Self, ExpressionError> {
        check_text(text, limits.characters)?;
        let mut parser = ast::parse::ParserBuilder::new().nest_limit(NESTING).build();
        let tree = parser.parse(text).map_err(|error| refused(text, &error))?;
        if let Err(unsupported) = ast::visit(&tree, Unsupported) {
            return Err(unsupported.within(text));
        }
        let regex = RegexBuilder::new(text)
            .unicode(false)
            .case_insensitive(case == Case::Insensitive)
            .nest_limit(NESTING)
            .size_limit(limits.compiled)
            .dfa_size_limit(AUTOMATON)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => ExpressionError::TooBig { text: text.into() },
                // What the parser lets pass and the compiler does not, such as `\xFF` in a place for text.
                other => ExpressionError::Syntax {
                    text: text.into(),
                    place: 1,
                    problem: last_line(&other.to_string()),
                },
            })?;
        Ok(Self {
            text: text.into(),
            case,
            regex,
        })
    }

    /// Whether it is found in `text`.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// Its first place in `text`, with its groups.
    pub(super) fn captures<'t>(&self, text: &'t [u8]) -> Option<Captures<'t>> {
        self.regex.captures(text)
    }

    /// Whether whatever it finds is at the beginning of the text.
    pub(super) fn is_tied_to_the_start(&self) -> bool {
        let mut parser = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .nest_limit(NESTING)
            .build();
        let start = regex_syntax::hir::Look::Start;
        let tree = parser.parse(&self.text);
        tree.is_ok_and(|tree| tree.properties().look_set_prefix().contains(start))
    }

    /// How many groups it has, without the whole match.
    pub(super) fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }
}

/// The expression as it was written.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.case) == (&other.text, other.case)
    }
}

impl Eq for Expression {}

/// A regular expression that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// The empty text.
    #[error(
        "a regular expression is empty: it would be found in everything; write `.*` if that is meant"
    )]
    Empty,
    /// A text that is too long.
    #[error("the regular expression `{text}` has {length} characters: at most {limit} are allowed")]
    TooLong {
        /// The expression.
        text: String,
        /// How many characters it has.
        length: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A character that no request holds where expressions look.
    #[error(
        "the regular expression `{text}` holds {character:?}: write visible ASCII characters and spaces, \
             and any other byte as `\\x` and two digits"
    )]
    Character {
        /// The expression.
        text: String,
        /// The first such character.
        character: char,
    },
    /// Something that ALB does not offer either.
    #[error(
        "the regular expression `{text}` uses {feature}, `{found}`: neither ALB nor Elbow offers that; {instead}"
    )]
    Unsupported {
        /// The expression.
        text: String,
        /// What it is called.
        feature: &'static str,
        /// How it is written there.
        found: String,
        /// What to write instead.
        instead: &'static str,
    },
    /// Not a regular expression.
    #[error("the regular expression `{text}` is wrong at character {place}: {problem}")]
    Syntax {
        /// The expression.
        text: String,
        /// The character where it is wrong; the first is 1.
        place: usize,
        /// What is wrong.
        problem: String,
    },
    /// An expression whose compiled form is too large.
    #[error(
        "the regular expression `{text}` becomes too large when it is compiled: \
             write smaller counts of repetition, or `+` and `*`"
    )]
    TooBig {
        /// The expression.
        text: String,
    },
}

fn check_text(text: &str, limit: usize) -> Result<(), ExpressionError> {
    if text.is_empty() {
        return Err(ExpressionError::Empty);
    }
    let length = text.chars().count();
    if length > limit {
        let text = text.to_owned();
        return Err(ExpressionError::TooLong {
            text,
            length,
            limit,
        });
    }
    match text
        .chars()
        .find(|character| !matches!(character, ' '..='~'))
    {
        Some(character) => Err(ExpressionError::Character {
            text: text.to_owned(),
            character,
        }),
        None => Ok(()),
    }
}

/// A use of what ALB does not offer.
struct Use {
    feature: &'static str,
    place: Range<usize>,
    instead: &'static str,
}

impl Use {
    fn new(feature: &'static str, place: &ast::Span, instead: &'static str) -> Self {
        let place = place.start.offset..place.end.offset;
        Self {
            feature,
            place,
            instead,
        }
    }

    fn within(self, text: &str) -> ExpressionError {
        ExpressionError::Unsupported {
            text: text.to_owned(),
            feature: self.feature,
            found: text.get(self.place).unwrap_or_default().to_owned(),
            instead: self.instead,
        }
    }
}

const WITHOUT: &str = "write the condition without it, or divide it among rules";

/// What the parser does not take: named, if it is something that other engines have.
fn refused(text: &str, error: &ast::Error) -> ExpressionError {
    let start = error.span().start.offset;
    let feature = match error.kind() {
        ast::ErrorKind::UnsupportedLookAround if text[start..].starts_with("(?<") => "lookbehind",
        ast::ErrorKind::UnsupportedLookAround => "lookahead",
        ast::ErrorKind::UnsupportedBackreference => "a backreference",
        ast::ErrorKind::FlagUnrecognized => match text.as_bytes()[start..] {
            [b'>', ..] => "an atomic group",
            [b'0'..=b'9' | b'&' | b'+', ..] | [b'P', b'>', ..] => "recursion or a subroutine",
            [b'P', b'=', ..] => "a backreference",
            [b'(', ..] => "a conditional group",
            _ => "",
        },
        ast::ErrorKind::EscapeUnrecognized => match text.as_bytes().get(start + 1) {
            Some(b'k') => "a backreference",
            Some(b'g') => "recursion or a subroutine",
            _ => "",
        },
        _ => "",
    };
    if feature.is_empty() {
        return ExpressionError::Syntax {
            text: text.to_owned(),
            place: start + 1,
            problem: error.kind().to_string(),
        };
    }
    // Of a group the parser marks the sign behind the `(?`.
    let from = text[..start].rfind("(?").filter(|open| open + 2 == start);
    let place = from.unwrap_or(start)..error.span().end.offset;
    let instead = WITHOUT;
    Use {
        feature,
        place,
        instead,
    }
    .within(text)
}

/// Finds what the parser takes and ALB does not.
struct Unsupported;

impl ast::Visitor for Unsupported {
    type Output = ();
    type Err = Use;

    fn finish(self) -> Result<(), Use> {
        Ok(())
    }

    fn visit_pre(&mut self, node: &ast::Ast) -> Result<(), Use> {
        match node {
            ast::Ast::ClassUnicode(class) => Err(unicode_class(&class.span)),
            ast::Ast::Repetition(outer) => match &*outer.ast {
                ast::Ast::Repetition(_) => Err(Use::new(
                    "a possessive quantifier, or a quantifier of a quantifier",
                    &outer.span,
                    "write one quantifier, or put the inner one into `(?:...)`",
                )),
                _ => Ok(()),
            },
            ast::Ast::Flags(set) => flags(&set.flags),
            ast::Ast::Group(group) => group.flags().map_or(Ok(()), flags),
            _ => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), Use> {
        match item {
            ast::ClassSetItem::Unicode(class) => Err(unicode_class(&class.span)),
            _ => Ok(()),
        }
    }
}

fn unicode_class(span: &ast::Span) -> Use {
    Use::new(
        "a Unicode class",
        span,
        "write the ASCII characters that are meant, such as `[A-Za-z]`",
    )
}

fn flags(flags: &ast::Flags) -> Result<(), Use> {
    let has = |flag| flags.flag_state(flag).is_some();
    if has(ast::Flag::CRLF) {
        return Err(Use::new("recursion", &flags.span, WITHOUT));
    }
    if has(ast::Flag::Unicode) {
        let instead = "requests are compared byte by byte";
        return Err(Use::new("Unicode mode", &flags.span, instead));
    }
    Ok(())
}

/// The compiler's message has the expression drawn above it.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    const LIMITS: ExpressionLimits = ExpressionLimits {
        characters: 128,
        compiled: 64 * 1024,
    };

    fn expression(text: &str) -> Result<Expression, ExpressionError> {
        Expression::new(text, Case::Sensitive, LIMITS)
    }

    fn matches(text: &str, within: &str) -> bool {
        expression(text).unwrap().matches(within.as_bytes())
    }

    #[test]
    fn it_is_found_anywhere_unless_it_is_tied_down() {
        assert!(matches("img[0-9]+", "/a/img12/b"));
        assert!(!matches("^img[0-9]+$", "/a/img12/b"));
        assert!(matches("^/(a|b)/.*$", "/b/"));
    }

    #[test]
    fn classes_are_ascii_and_bytes_are_bytes() {
        assert!(matches(r"^\w\d$", "a1"));
        assert!(!matches(r"^\w$", "\u{e9}"));
        assert!(expression(r"^\xe9$").unwrap().matches(b"\xe9"));
        assert!(expression("^.$").unwrap().matches(b"\xff"));
    }

    #[test]
    fn case_can_be_told_inside() {
        let insensitive = Expression::new("^a(?-i)b$", Case::Insensitive, LIMITS).unwrap();
        assert!(insensitive.matches(b"Ab"));
        assert!(!insensitive.matches(b"aB"));
        assert!(matches("(?i)^/IMG/", "/img/"));
    }

    #[test]
    fn what_alb_refuses_is_refused_by_name() {
        for (text, feature, found) in [
            ("a(?=b)", "lookahead", "(?="),
            ("a(?!b)", "lookahead", "(?!"),
            ("(?<=a)b", "lookbehind", "(?<="),
            ("(?<!a)b", "lookbehind", "(?<!"),
            (r"(a)\1", "a backreference", r"\1"),
            (r"(?P<x>a)\k<x>", "a backreference", r"\k"),
            ("(?P<x>a)(?P=x)", "a backreference", "(?P"),
            ("(?>a+)b", "an atomic group", "(?>"),
            ("(?R)", "recursion", "R"),
            ("(a(?1)?b)", "recursion or a subroutine", "(?1"),
            ("(?&x)", "recursion or a subroutine", "(?&"),
            (r"\g<x>", "recursion or a subroutine", r"\g"),
            (r"\p{L}", "a Unicode class", r"\p{L}"),
            (r"[a\PN]", "a Unicode class", r"\PN"),
            ("(?u)a", "Unicode mode", "u"),
        ] {
            let Err(ExpressionError::Unsupported {
                feature: named,
                found: shown,
                ..
            }) = expression(text)
            else {
                unreachable!("{text} is not refused by name: {:?}", expression(text))
            };
            assert_eq!((named, &*shown), (feature, found), "{text}");
        }
        for text in ["a++", "a*+", "a?+", "a{2}+", "a**"] {
            let refused = expression(text).unwrap_err().to_string();
            assert!(refused.contains("possessive"), "{refused}");
        }
        assert!(expression("(?:a+)+").is_ok());
        assert!(expression("a+?b").is_ok());
    }

    #[test]
    fn what_is_no_expression_is_refused_with_its_place() {
        assert_eq!(
            expression("/a[b").unwrap_err().to_string(),
            "the regular expression `/a[b` is wrong at character 3: unclosed character class"
        );
        assert!(matches!(
            expression("a{3,2}"),
            Err(ExpressionError::Syntax { place: 2, .. })
        ));
    }

    #[test]
    fn an_expression_has_1_to_128_visible_characters() {
        assert_eq!(expression(""), Err(ExpressionError::Empty));
        assert!(expression(&"a".repeat(128)).is_ok());
        assert!(matches!(
            expression(&"a".repeat(129)),
            Err(ExpressionError::TooLong {
                length: 129,
                limit: 128,
                ..
            })
        ));
        for text in ["caf\u{e9}", "a\tb"] {
            assert!(
                matches!(expression(text), Err(ExpressionError::Character { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn an_expression_that_would_be_slow_is_refused() {
        for text in ["((a{100}){100}){100}", "(?:[a-z]{1,90}[0-9]{1,90}){90}"] {
            let refused = expression(text);
            assert!(
                matches!(refused, Err(ExpressionError::TooBig { .. })),
                "{text}"
            );
        }
        let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
        assert!(matches!(
            expression(&deep),
            Err(ExpressionError::Syntax { .. })
        ));
    }
}
