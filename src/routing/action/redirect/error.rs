//! What can be wrong with a redirect: as it is written, and for one request.

use super::RedirectPart;

/// A redirect that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// A status other than the two.
    #[error("a redirect has status 301 (permanent) or 302 (temporary), not {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// Not a protocol.
    #[error("`{text}` is not a redirect's protocol: write HTTP, HTTPS or #{{protocol}}")]
    Protocol {
        /// What was written.
        text: String,
    },
    /// Not a port.
    #[error("`{text}` is not a redirect's port: write 1 to 65535 or #{{port}}")]
    Port {
        /// What was written.
        text: String,
    },
    /// A part that is empty or too long.
    #[error("the {part} of a redirect has {length} characters: it takes 1 to {limit}")]
    Length {
        /// The part.
        part: RedirectPart,
        /// How many it has.
        length: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A character that cannot stand there.
    #[error(
        "the {part} of a redirect, `{text}`, holds {character:?}, which cannot stand in it: host, port, path and \
             query are written apart, other characters in path and query percent-encoded"
    )]
    Character {
        /// The part.
        part: RedirectPart,
        /// What was written.
        text: String,
        /// The first such character.
        character: char,
    },
    /// A placeholder that does not exist or not there.
    #[error(
        "`{placeholder}` cannot stand in the {part} of a redirect: the placeholders there are {allowed}"
    )]
    Placeholder {
        /// The part.
        part: RedirectPart,
        /// What was written.
        placeholder: String,
        /// Those that can stand there.
        allowed: String,
    },
    /// A relative path.
    #[error("the path of a redirect begins with `/`: write `/{text}`")]
    PathWithoutSlash {
        /// What was written.
        text: String,
    },
    /// A query with its mark.
    #[error(
        "the query of a redirect, `{text}`, is written without its `?`, which is put in front of it"
    )]
    QueryWithMark {
        /// What was written.
        text: String,
    },
    /// A loop.
    #[error(
        "this redirect leads back to where the request came from: change its protocol, host, port or path"
    )]
    NothingChanged,
    /// From HTTPS to HTTP.
    #[error("an HTTPS listener does not redirect to HTTP: write protocol HTTPS, or leave it out")]
    Downgrade,
}

/// A `Location` that is too long to send; the answer is 507 then, and ALB counts it as
/// `HTTP_Redirect_Url_Limit_Exceeded_Count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the redirect's Location has {bytes} bytes, more than {limit}")]
pub struct LocationTooLong {
    /// How many it has.
    pub bytes: usize,
    /// How many are allowed.
    pub limit: usize,
}
