//! A redirect as it is written down, part by part, and how each part is read.

use super::RedirectError;
use super::template::{RedirectPart, Template};
use crate::routing::Scheme;

/// ALB's limit for host, path and query, in characters with the placeholders as written.
const PART_CHARACTERS: usize = 128;

/// What each part is if it is not set, and what changes nothing if it is.
const SAME_PROTOCOL: &str = "#{protocol}";
pub(super) const SAME_HOST: &str = "#{host}";
const SAME_PORT: &str = "#{port}";
pub(super) const SAME_PATH: &str = "/#{path}";
const SAME_QUERY: &str = "#{query}";

/// A redirect as it is written down; `None` keeps what the request had.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedirectSettings<'a> {
    /// `HTTP`, `HTTPS` or `#{protocol}`.
    pub protocol: Option<&'a str>,
    /// May contain `#{host}`.
    pub host: Option<&'a str>,
    /// 1 to 65535 or `#{port}`.
    pub port: Option<&'a str>,
    /// Begins with `/`; may contain `#{host}`, `#{port}`, `#{path}`.
    pub path: Option<&'a str>,
    /// Without the `?`; may contain all placeholders; an empty one takes the query away.
    pub query: Option<&'a str>,
}

impl RedirectSettings<'_> {
    /// Whether they lead back to where the request came from. As with ALB, a new query alone is not a new place.
    pub(super) fn change_nothing(&self) -> bool {
        let same = |part: Option<&str>, same| part.is_none_or(|part| part == same);
        same(self.protocol, SAME_PROTOCOL)
            && same(self.host, SAME_HOST)
            && same(self.port, SAME_PORT)
            && same(self.path, SAME_PATH)
    }

    /// `None` is the request's own.
    pub(super) fn protocol(&self) -> Result<Option<Scheme>, RedirectError> {
        match self.protocol.unwrap_or(SAME_PROTOCOL) {
            SAME_PROTOCOL => Ok(None),
            "HTTP" => Ok(Some(Scheme::Http)),
            "HTTPS" => Ok(Some(Scheme::Https)),
            text => Err(RedirectError::Protocol {
                text: text.to_owned(),
            }),
        }
    }

    pub(super) fn host(&self) -> Result<Template, RedirectError> {
        let text = self.host.unwrap_or(SAME_HOST);
        template(RedirectPart::Host, text, |character| {
            character.is_ascii_alphanumeric() || "-._".contains(character)
        })
    }

    /// `None` is the request's own.
    pub(super) fn port(&self) -> Result<Option<u16>, RedirectError> {
        let text = self.port.unwrap_or(SAME_PORT);
        if text == SAME_PORT {
            return Ok(None);
        }
        match text.parse() {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => Err(RedirectError::Port {
                text: text.to_owned(),
            }),
        }
    }

    pub(super) fn path(&self) -> Result<Template, RedirectError> {
        let text = self.path.unwrap_or(SAME_PATH);
        let path = template(RedirectPart::Path, text, |character| {
            character.is_ascii_graphic() && character != '?'
        })?;
        if !text.starts_with('/') {
            return Err(RedirectError::PathWithoutSlash {
                text: text.to_owned(),
            });
        }
        Ok(path)
    }

    pub(super) fn query(&self) -> Result<Template, RedirectError> {
        let text = self.query.unwrap_or(SAME_QUERY);
        if text.is_empty() {
            return Template::new(RedirectPart::Query, text);
        }
        let query = template(RedirectPart::Query, text, |character| {
            character.is_ascii_graphic()
        })?;
        if text.starts_with('?') {
            return Err(RedirectError::QueryWithMark {
                text: text.to_owned(),
            });
        }
        Ok(query)
    }
}

fn template(
    part: RedirectPart,
    text: &str,
    allowed: impl Fn(char) -> bool,
) -> Result<Template, RedirectError> {
    let length = text.chars().count();
    if !(1..=PART_CHARACTERS).contains(&length) {
        return Err(RedirectError::Length {
            part,
            length,
            limit: PART_CHARACTERS,
        });
    }
    let template = Template::new(part, text)?;
    let refused = template
        .texts()
        .flat_map(str::chars)
        .find(|character| !allowed(*character));
    match refused {
        Some(character) => Err(RedirectError::Character {
            part,
            text: text.to_owned(),
            character,
        }),
        None => Ok(template),
    }
}
