//! Text with placeholders: `/new/#{path}`.
//!
//! A [`Template`] is cut into pieces once and then only copied together. Which placeholders may stand where is ALB's
//! table, in [`RedirectPart::keywords`].

use std::fmt;

use super::RedirectError;
use crate::routing::RequestView;

/// A part of the request's URI that a redirect can reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// `#{protocol}`: `http` or `https`.
    Protocol,
    /// `#{host}`: without the port.
    Host,
    /// `#{port}`: the listener's.
    Port,
    /// `#{path}`: without its leading `/`.
    Path,
    /// `#{query}`: without the `?`; empty if there was none.
    Query,
}

impl Keyword {
    const ALL: [Self; 5] = [
        Self::Protocol,
        Self::Host,
        Self::Port,
        Self::Path,
        Self::Query,
    ];

    /// The word between the braces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
            Self::Query => "query",
        }
    }
}

/// A part of the URI that a redirect leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectPart {
    /// The protocol.
    Protocol,
    /// The host.
    Host,
    /// The port.
    Port,
    /// The path.
    Path,
    /// The query.
    Query,
}

impl RedirectPart {
    /// The placeholders that may stand in it.
    pub fn keywords(self) -> &'static [Keyword] {
        match self {
            Self::Protocol => &[Keyword::Protocol],
            Self::Host => &[Keyword::Host],
            Self::Port => &[Keyword::Port],
            Self::Path => &[Keyword::Host, Keyword::Port, Keyword::Path],
            Self::Query => &Keyword::ALL,
        }
    }
}

impl fmt::Display for RedirectPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Protocol => "protocol",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
            Self::Query => "query",
        })
    }
}

/// Text and placeholders in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Box<[Piece]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Keyword(Keyword),
}

impl Template {
    /// Cuts `text` into its pieces. Refuses `#{` without `}`, and a word between them that is not allowed in `part`;
    /// a `#` without a brace is only a `#`.
    pub(super) fn new(part: RedirectPart, text: &str) -> Result<Self, RedirectError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, placeholder)) = rest.split_once("#{") {
            let found = placeholder.split_once('}').and_then(|(word, after)| {
                let keyword = part.keywords().iter().find(|it| it.as_str() == word)?;
                Some((*keyword, after))
            });
            let Some((keyword, after)) = found else {
                let end = placeholder.find('}').map_or(placeholder.len(), |at| at + 1);
                return Err(RedirectError::Placeholder {
                    part,
                    placeholder: format!("#{{{}", &placeholder[..end]),
                    allowed: in_words(part.keywords()),
                });
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            pieces.push(Piece::Keyword(keyword));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Self {
            pieces: pieces.into(),
        })
    }

    /// The text as it was written.
    pub(super) fn text(&self) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.to_string(),
            Piece::Keyword(keyword) => format!("#{{{}}}", keyword.as_str()),
        });
        pieces.collect()
    }

    /// The text between the placeholders.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(&**text),
            Piece::Keyword(_) => None,
        })
    }

    /// Appends the text with the request's own parts put in, byte for byte: nothing is encoded or decoded.
    pub(super) fn expand(&self, request: &RequestView<'_>, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Keyword(Keyword::Protocol) => out.push_str(request.scheme.as_str()),
                Piece::Keyword(Keyword::Host) => out.push_str(request.host),
                Piece::Keyword(Keyword::Port) => push_port(request.port, out),
                Piece::Keyword(Keyword::Path) => {
                    out.push_str(request.path.strip_prefix('/').unwrap_or(request.path));
                }
                Piece::Keyword(Keyword::Query) => out.push_str(request.query.unwrap_or_default()),
            }
        }
    }
}

pub(super) fn push_port(port: u16, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(port));
}

fn in_words(keywords: &[Keyword]) -> String {
    let words: Vec<_> = keywords
        .iter()
        .map(|keyword| format!("#{{{}}}", keyword.as_str()))
        .collect();
    words.join(" ")
}
