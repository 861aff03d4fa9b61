//! `fixed-response`: an answer out of the configuration.

/// ALB's limit for the body, in characters.
const BODY_CHARACTERS: usize = 1024;

/// A status and perhaps a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedResponse {
    status: u16,
    content_type: ContentType,
    body: Box<str>,
}

/// What a fixed response's body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// `text/plain`, the default.
    TextPlain,
    /// `text/css`.
    TextCss,
    /// `text/html`.
    TextHtml,
    /// `application/javascript`.
    ApplicationJavascript,
    /// `application/json`.
    ApplicationJson,
}

impl FixedResponse {
    /// Takes a status of 2xx, 4xx or 5xx, one of the five content types (`None` is `text/plain`) and a body of at most
    /// 1,024 characters; none with 204 and 205, which have no body (RFC 9110, sections 15.3.5 and 15.3.6).
    pub fn new(
        status: u16,
        content_type: Option<&str>,
        body: &str,
    ) -> Result<Self, FixedResponseError> {
        if !matches!(status, 200..=299 | 400..=599) {
            return Err(FixedResponseError::Status { status });
        }
        let characters = body.chars().count();
        if characters > BODY_CHARACTERS {
            return Err(FixedResponseError::BodyTooLong {
                characters,
                limit: BODY_CHARACTERS,
            });
        }
        if matches!(status, 204 | 205) && !body.is_empty() {
            return Err(FixedResponseError::BodyNotAllowed { status });
        }
        Ok(Self {
            status,
            content_type: content_type.map_or(Ok(ContentType::TextPlain), ContentType::named)?,
            body: body.into(),
        })
    }

    /// The status code: 2xx, 4xx or 5xx.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What the body is.
    pub fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// The body; may be empty.
    pub fn body(&self) -> &str {
        &self.body
    }
}

impl ContentType {
    const ALL: [Self; 5] = [
        Self::TextPlain,
        Self::TextCss,
        Self::TextHtml,
        Self::ApplicationJavascript,
        Self::ApplicationJson,
    ];

    /// The name that the configuration uses, such as `text/plain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TextPlain => "text/plain",
            Self::TextCss => "text/css",
            Self::TextHtml => "text/html",
            Self::ApplicationJavascript => "application/javascript",
            Self::ApplicationJson => "application/json",
        }
    }

    /// The value of the `Content-Type` field. ALB names the charset; JSON has no such parameter (RFC 8259, section 11).
    pub fn field_value(self) -> &'static str {
        match self {
            Self::TextPlain => "text/plain; charset=utf-8",
            Self::TextCss => "text/css; charset=utf-8",
            Self::TextHtml => "text/html; charset=utf-8",
            Self::ApplicationJavascript => "application/javascript; charset=utf-8",
            Self::ApplicationJson => "application/json",
        }
    }

    fn named(name: &str) -> Result<Self, FixedResponseError> {
        Self::ALL
            .into_iter()
            .find(|content_type| content_type.as_str() == name)
            .ok_or_else(|| FixedResponseError::ContentType {
                name: name.to_owned(),
            })
    }
}

/// A fixed response that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FixedResponseError {
    /// A status that is neither success nor error.
    #[error(
        "a fixed response has a status of 2xx, 4xx or 5xx, not {status}; for 301 and 302 use a redirect"
    )]
    Status {
        /// The status.
        status: u16,
    },
    /// Not one of the five.
    #[error(
        "`{name}` is not a content type of a fixed response: write text/plain, text/css, text/html, \
             application/javascript or application/json"
    )]
    ContentType {
        /// The name.
        name: String,
    },
    /// A body that is too long.
    #[error(
        "the body of a fixed response has {characters} characters: at most {limit} are allowed; \
             for a longer page forward to a target"
    )]
    BodyTooLong {
        /// How many it has.
        characters: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A body where HTTP allows none.
    #[error("a response with status {status} has no body: leave the body out, or use status 200")]
    BodyNotAllowed {
        /// The status.
        status: u16,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_2xx_4xx_or_5xx() {
        for (status, accepted) in [
            (199, false),
            (200, true),
            (299, true),
            (301, false),
            (399, false),
            (400, true),
            (503, true),
            (599, true),
            (600, false),
        ] {
            let made = FixedResponse::new(status, None, "");
            assert_eq!(made.is_ok(), accepted, "{status}");
        }
    }

    #[test]
    fn the_content_type_is_plain_text_or_one_of_five() {
        let made = |name| FixedResponse::new(200, name, "{}").map(|made| made.content_type());
        assert_eq!(made(None), Ok(ContentType::TextPlain));
        for content_type in ContentType::ALL {
            assert_eq!(made(Some(content_type.as_str())), Ok(content_type));
        }
        let refused = made(Some("application/xml")).unwrap_err();
        assert!(refused.to_string().contains("application/json"));
    }

    #[test]
    fn the_body_has_at_most_1024_characters() {
        assert!(FixedResponse::new(200, None, &"\u{e9}".repeat(1024)).is_ok());
        assert_eq!(
            FixedResponse::new(200, None, &"a".repeat(1025)),
            Err(FixedResponseError::BodyTooLong {
                characters: 1025,
                limit: 1024
            })
        );
    }

    #[test]
    fn no_content_has_no_body() {
        assert!(FixedResponse::new(204, None, "").is_ok());
        assert_eq!(
            FixedResponse::new(204, None, "a"),
            Err(FixedResponseError::BodyNotAllowed { status: 204 })
        );
    }
}
