//! The `*` and `?` of ALB's conditions.
//!
//! A [`Wildcard`] is compiled once and then tested against bytes without allocation. `*` stands for any run of bytes,
//! also none and also across `/`; `?` for exactly one. The usual shapes (`/img`, `/img/*`, `*.example.com`) are told
//! apart at compile time and cost one comparison. Not a regular expression, and not a file glob: no sets, no braces.

use std::fmt;

/// Whether `A` and `a` are the same. Only ASCII letters have two cases here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// They differ: paths.
    Sensitive,
    /// They are the same: header field values and query strings.
    Insensitive,
}

/// Whether a pattern can name a literal `*` or `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    /// It cannot; a backslash is an ordinary character.
    None,
    /// `\*`, `\?` and `\\` stand for the second character; before any other one a backslash is an ordinary character.
    Backslash,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard {
    form: Form,
    case: Case,
    wildcards: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Anything,
    Literal(Box<[u8]>),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    /// Everything else. No two neighbours are both [`Token::Many`].
    Tokens(Box<[Token]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    One,
    Many,
}

impl Wildcard {
    /// Compiles a pattern; every string is one.
    pub fn new(pattern: &str, case: Case, escapes: Escapes) -> Self {
        let mut tokens = tokens(pattern.as_bytes(), case, escapes);
        let wildcards = tokens
            .iter()
            .filter(|token| !matches!(token, Token::Byte(_)))
            .count();
        tokens.dedup_by(|next, token| (*next, *token) == (Token::Many, Token::Many));
        Self {
            form: Form::of(&tokens),
            case,
            wildcards,
        }
    }

    /// Whether the whole of `text` fits the pattern. Takes at most as many steps as the lengths of text and pattern
    /// multiplied, whatever the client sends.
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.form {
            Form::Anything => true,
            Form::Literal(literal) => self.equal(literal, text),
            Form::Prefix(prefix) => text
                .get(..prefix.len())
                .is_some_and(|start| self.equal(prefix, start)),
            Form::Suffix(suffix) => text
                .len()
                .checked_sub(suffix.len())
                .is_some_and(|at| self.equal(suffix, &text[at..])),
            Form::Tokens(tokens) => tokens_match(tokens, text, self.case),
        }
    }

    /// How many `*` and `?` the pattern holds: ALB limits their number in a rule.
    pub fn wildcards(&self) -> usize {
        self.wildcards
    }

    fn equal(&self, pattern: &[u8], text: &[u8]) -> bool {
        match self.case {
            Case::Sensitive => pattern == text,
            Case::Insensitive => pattern.eq_ignore_ascii_case(text),
        }
    }
}

/// The pattern as it could be written: in small letters where case makes no difference, and without
/// a second `*` next to another.
impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes)
                .replace('*', r"\*")
                .replace('?', r"\?")
        };
        match &self.form {
            Form::Anything => f.write_str("*"),
            Form::Literal(literal) => f.write_str(&text(literal)),
            Form::Prefix(prefix) => write!(f, "{}*", text(prefix)),
            Form::Suffix(suffix) => write!(f, "*{}", text(suffix)),
            Form::Tokens(tokens) => {
                let is_byte = |token: &Token| matches!(token, Token::Byte(_));
                for run in tokens.chunk_by(|one, next| is_byte(one) && is_byte(next)) {
                    match run {
                        [Token::Many] => f.write_str("*")?,
                        [Token::One] => f.write_str("?")?,
                        bytes => f.write_str(&text(&literal(bytes).unwrap_or_default()))?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl Form {
    fn of(tokens: &[Token]) -> Self {
        let (start, bare, end) = match tokens {
            [Token::Many] => return Self::Anything,
            [Token::Many, rest @ ..] => (true, rest, false),
            [rest @ .., Token::Many] => (false, rest, true),
            rest => (false, rest, false),
        };
        match (literal(bare), start, end) {
            (Some(suffix), true, _) => Self::Suffix(suffix),
            (Some(prefix), _, true) => Self::Prefix(prefix),
            (Some(literal), _, _) => Self::Literal(literal),
            (None, _, _) => Self::Tokens(tokens.into()),
        }
    }
}

fn tokens(pattern: &[u8], case: Case, escapes: Escapes) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        tokens.push(match byte {
            b'*' => Token::Many,
            b'?' => Token::One,
            b'\\' if escapes == Escapes::Backslash => {
                let escaped = bytes.next_if(|next| matches!(next, b'*' | b'?' | b'\\'));
                Token::Byte(escaped.unwrap_or(byte))
            }
            _ => Token::Byte(fold(byte, case)),
        });
    }
    tokens
}

fn literal(tokens: &[Token]) -> Option<Box<[u8]>> {
    tokens
        .iter()
        .map(|token| match token {
            Token::Byte(byte) => Some(*byte),
            Token::One | Token::Many => None,
        })
        .collect()
}

/// Walks both once; at a mismatch it goes back to the last `*` and lets that swallow one byte more. Earlier ones need
/// never be tried again: what follows them has matched at its first possible place, which leaves most for the rest.
fn tokens_match(tokens: &[Token], text: &[u8], case: Case) -> bool {
    let (mut at_token, mut at_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(at_text) {
        match tokens.get(at_token) {
            Some(Token::Many) => {
                at_token += 1;
                retry = Some((at_token, at_text));
                continue;
            }
            Some(Token::One) => {}
            Some(Token::Byte(expected)) if *expected == fold(byte, case) => {}
            Some(Token::Byte(_)) | None => {
                let Some((after_many, swallowed)) = retry else {
                    return false;
                };
                (at_token, at_text) = (after_many, swallowed + 1);
                retry = Some((at_token, at_text));
                continue;
            }
        }
        (at_token, at_text) = (at_token + 1, at_text + 1);
    }
    tokens[at_token..].iter().all(|token| *token == Token::Many)
}

fn fold(byte: u8, case: Case) -> u8 {
    match case {
        Case::Sensitive => byte,
        Case::Insensitive => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Wildcard::new(pattern, Case::Sensitive, Escapes::None).matches(text.as_bytes())
    }

    #[test]
    fn a_pattern_can_be_read_again() {
        for pattern in [
            "*",
            "/img/*",
            "*.example.com",
            "/a?c/*/d",
            "/",
            "??",
            r"\*a\?*b",
        ] {
            let compiled = Wildcard::new(pattern, Case::Insensitive, Escapes::Backslash);
            assert_eq!(compiled.to_string(), pattern);
        }
    }

    #[test]
    fn a_star_matches_none_or_more_characters() {
        assert!(matches("/img/*", "/img/"));
        assert!(matches("/img/*", "/img/a/b.png"));
        assert!(!matches("/img/*", "/img"));
        assert!(matches("*.example.com", "a.b.example.com"));
        assert!(!matches("*.example.com", "example.com"));
        assert!(matches("/img/*/pics", "/img/a/b/pics"));
        assert!(!matches("/img/*/pics", "/img/pics"));
        assert!(matches("*", ""));
    }

    #[test]
    fn a_question_mark_matches_exactly_one_character() {
        assert!(matches("/v?/", "/v1/"));
        assert!(!matches("/v?/", "/v/"));
        assert!(!matches("/v?/", "/v12/"));
        assert!(!matches("?", ""));
    }

    #[test]
    fn what_lies_between_two_stars_may_stand_anywhere() {
        assert!(matches("*chrome*", "mozilla chrome/120"));
        assert!(matches("*abab*c", "ababababc"));
        assert!(!matches("*abab*c", "abaabc"));
        assert!(matches("a*b*c", "a-bc-b-c"));
        assert!(!matches("a*b*c", "a-bc-b"));
    }

    #[test]
    fn letters_have_one_case_when_so_asked() {
        for pattern in ["V1", "*V1", "V1*", "*V1*", "?1"] {
            let wildcard = Wildcard::new(pattern, Case::Insensitive, Escapes::None);
            assert!(wildcard.matches(b"v1"), "{pattern}");
            assert!(!wildcard.matches(b"v2"), "{pattern}");
        }
        assert!(!matches("V1", "v1"));
    }

    #[test]
    fn a_backslash_takes_the_meaning_from_a_wildcard() {
        let star = Wildcard::new(r"a\*b*", Case::Sensitive, Escapes::Backslash);
        assert!(star.matches(b"a*bc"));
        assert!(!star.matches(b"axbc"));
        assert_eq!(star.wildcards(), 1);
        let backslash = Wildcard::new(r"a\\?\z", Case::Sensitive, Escapes::Backslash);
        assert!(backslash.matches(br"a\!\z"));
        assert!(!backslash.matches(br"a?\z"));
        let ordinary = Wildcard::new(r"a\*", Case::Sensitive, Escapes::None);
        assert!(ordinary.matches(br"a\bc"));
    }

    #[test]
    fn every_wildcard_is_counted() {
        let count =
            |pattern| Wildcard::new(pattern, Case::Sensitive, Escapes::Backslash).wildcards();
        assert_eq!(count("/img"), 0);
        assert_eq!(count("/*/**/?"), 4);
    }

    #[test]
    fn a_hostile_text_takes_no_more_than_pattern_times_text() {
        let wildcard = Wildcard::new("*a*a*a*a*a*b", Case::Sensitive, Escapes::None);
        assert!(!wildcard.matches(&[b'a'; 16 * 1024]));
    }

    /// The definition of the two wildcards, in exponential time.
    fn defined(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                defined(rest, text) || (!text.is_empty() && defined(pattern, &text[1..]))
            }
            ([b'?', rest @ ..], [_, tail @ ..]) => defined(rest, tail),
            ([byte, rest @ ..], [first, tail @ ..]) => byte == first && defined(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_definition(pattern in "[ab*?]{0,10}", text in "[ab]{0,12}") {
            prop_assert_eq!(matches(&pattern, &text), defined(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn case_insensitive_is_the_same_as_in_lower_case(pattern in "[aAbB*?]{0,8}", text in "[aAbB]{0,10}") {
            let insensitive = Wildcard::new(&pattern, Case::Insensitive, Escapes::None);
            prop_assert_eq!(
                insensitive.matches(text.as_bytes()),
                defined(pattern.to_ascii_lowercase().as_bytes(), text.to_ascii_lowercase().as_bytes())
            );
        }
    }
}
