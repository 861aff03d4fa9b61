//! `redirect`: sends the client to another URI, made of the one it asked for.
//!
//! As with ALB, what is not set keeps its value, also the port: from `http://a:80/` with only the protocol changed one
//! arrives at `https://a:80/`, so a redirect to HTTPS sets port 443 as well. And as with ALB, `Location` is an absolute
//! URI that always names the port: `https://www.example.com:443/`.

use super::template::{RedirectPart, Template, push_port};
use crate::routing::{RequestView, Scheme};

/// ALB's limit for host, path and query, in characters with the placeholders as written.
const PART_CHARACTERS: usize = 128;

/// The longest `Location` that ALB sends, in bytes.
const LOCATION_BYTES: usize = 8 * 1024;

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

/// A checked redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    status: RedirectStatus,
    protocol: Option<Scheme>,
    host: Template,
    port: Option<u16>,
    path: Template,
    query: Template,
}

/// Whether the client may remember the new place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectStatus {
    /// 301, `HTTP_301`.
    MovedPermanently,
    /// 302, `HTTP_302`.
    Found,
}

impl RedirectStatus {
    /// The status code.
    pub fn code(self) -> u16 {
        match self {
            Self::MovedPermanently => 301,
            Self::Found => 302,
        }
    }
}

/// What each part is if it is not set, and what changes nothing if it is.
const SAME_PROTOCOL: &str = "#{protocol}";
const SAME_HOST: &str = "#{host}";
const SAME_PORT: &str = "#{port}";
const SAME_PATH: &str = "/#{path}";
const SAME_QUERY: &str = "#{query}";

impl Redirect {
    /// Takes status 301 or 302 and settings that change the protocol, the host, the port or the path: a redirect that
    /// changed nothing, or the query alone, would lead back to itself.
    pub fn new(status: u16, settings: RedirectSettings<'_>) -> Result<Self, RedirectError> {
        let status = match status {
            301 => RedirectStatus::MovedPermanently,
            302 => RedirectStatus::Found,
            _ => return Err(RedirectError::Status { status }),
        };
        let host = settings.host.unwrap_or(SAME_HOST);
        let path = settings.path.unwrap_or(SAME_PATH);
        let redirect = Self {
            status,
            protocol: parse_protocol(settings.protocol.unwrap_or(SAME_PROTOCOL))?,
            host: parse_host(host)?,
            port: parse_port(settings.port.unwrap_or(SAME_PORT))?,
            path: parse_path(path)?,
            query: parse_query(settings.query.unwrap_or(SAME_QUERY))?,
        };
        let same_place = host == SAME_HOST && path == SAME_PATH;
        if same_place && redirect.protocol.is_none() && redirect.port.is_none() {
            return Err(RedirectError::NothingChanged);
        }
        Ok(redirect)
    }

    /// Whether a listener that speaks `listener` may have this redirect: one to plain HTTP is refused on HTTPS.
    pub fn check_listener(&self, listener: Scheme) -> Result<(), RedirectError> {
        match (listener, self.protocol) {
            (Scheme::Https, Some(Scheme::Http)) => Err(RedirectError::Downgrade),
            _ => Ok(()),
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> RedirectStatus {
        self.status
    }

    /// The value of the answer's `Location` field. ALB answers 507 if it cannot be sent.
    pub fn location(&self, request: &RequestView<'_>) -> Result<String, LocationTooLong> {
        let path_and_query = request.path.len() + request.query.map_or(0, str::len);
        let mut location = String::with_capacity(64 + request.host.len() + path_and_query);
        location.push_str(self.protocol.unwrap_or(request.scheme).as_str());
        location.push_str("://");
        self.host.expand(request, &mut location);
        location.push(':');
        push_port(self.port.unwrap_or(request.port), &mut location);
        self.path.expand(request, &mut location);
        let before_query = location.len();
        location.push('?');
        self.query.expand(request, &mut location);
        if location.len() == before_query + 1 {
            location.truncate(before_query);
        }
        if location.len() > LOCATION_BYTES {
            return Err(LocationTooLong {
                bytes: location.len(),
                limit: LOCATION_BYTES,
            });
        }
        Ok(location)
    }
}

fn parse_protocol(text: &str) -> Result<Option<Scheme>, RedirectError> {
    match text {
        SAME_PROTOCOL => Ok(None),
        "HTTP" => Ok(Some(Scheme::Http)),
        "HTTPS" => Ok(Some(Scheme::Https)),
        _ => Err(RedirectError::Protocol {
            text: text.to_owned(),
        }),
    }
}

fn parse_port(text: &str) -> Result<Option<u16>, RedirectError> {
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

fn parse_host(text: &str) -> Result<Template, RedirectError> {
    parse_template(RedirectPart::Host, text, |character| {
        character.is_ascii_alphanumeric() || "-._".contains(character)
    })
}

fn parse_path(text: &str) -> Result<Template, RedirectError> {
    let template = parse_template(RedirectPart::Path, text, |character| {
        character.is_ascii_graphic() && character != '?'
    })?;
    if !text.starts_with('/') {
        return Err(RedirectError::PathWithoutSlash {
            text: text.to_owned(),
        });
    }
    Ok(template)
}

fn parse_query(text: &str) -> Result<Template, RedirectError> {
    if text.is_empty() {
        return Template::new(RedirectPart::Query, text);
    }
    let template = parse_template(RedirectPart::Query, text, |character| {
        character.is_ascii_graphic()
    })?;
    if text.starts_with('?') {
        return Err(RedirectError::QueryWithMark {
            text: text.to_owned(),
        });
    }
    Ok(template)
}

fn parse_template(
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::get;

    type Settings = RedirectSettings<'static>;

    fn to_https() -> Settings {
        Settings {
            protocol: Some("HTTPS"),
            port: Some("443"),
            ..Settings::default()
        }
    }

    fn path(path: &'static str) -> Settings {
        Settings {
            path: Some(path),
            ..Settings::default()
        }
    }

    fn location(settings: Settings, target: &str) -> String {
        let redirect = Redirect::new(301, settings).unwrap();
        redirect.location(&get(target).view()).unwrap()
    }

    fn refused(settings: Settings) -> RedirectError {
        Redirect::new(301, settings).unwrap_err()
    }

    #[test]
    fn http_to_https_keeps_host_path_and_query_and_names_the_port() {
        assert_eq!(
            location(to_https(), "/a/b?c=d&e"),
            "https://www.example.com:443/a/b?c=d&e"
        );
        assert_eq!(location(to_https(), "/"), "https://www.example.com:443/");
    }

    #[test]
    fn a_protocol_alone_keeps_the_port() {
        let settings = Settings {
            protocol: Some("HTTPS"),
            ..Settings::default()
        };
        assert_eq!(location(settings, "/"), "https://www.example.com:80/");
    }

    #[test]
    fn the_path_is_put_in_without_its_leading_slash() {
        assert_eq!(
            location(path("/new/#{path}"), "/old/a"),
            "http://www.example.com:80/new/old/a"
        );
        assert_eq!(
            location(path("/#{host}/#{port}/#{path}"), "/a"),
            "http://www.example.com:80/www.example.com/80/a"
        );
    }

    #[test]
    fn the_manuals_examples_for_host_and_query() {
        let settings = Settings {
            host: Some("example.#{host}"),
            query: Some("#{query}&value=xyz"),
            ..Settings::default()
        };
        assert_eq!(
            location(settings, "/a?b=c"),
            "http://example.www.example.com:80/a?b=c&value=xyz"
        );
    }

    #[test]
    fn all_placeholders_stand_in_the_query() {
        let settings = Settings {
            host: Some("login.example.com"),
            path: Some("/"),
            query: Some("to=#{protocol}://#{host}:#{port}/#{path}&#{query}"),
            ..Settings::default()
        };
        assert_eq!(
            location(settings, "/a?b=c"),
            "http://login.example.com:80/?to=http://www.example.com:80/a&b=c"
        );
    }

    #[test]
    fn an_empty_query_takes_the_query_away() {
        let settings = Settings {
            query: Some(""),
            ..to_https()
        };
        assert_eq!(
            location(settings, "/a?b=c"),
            "https://www.example.com:443/a"
        );
    }

    #[test]
    fn nothing_is_decoded_or_encoded() {
        assert_eq!(
            location(to_https(), "/%2e%2E//a?q=%20+'"),
            "https://www.example.com:443/%2e%2E//a?q=%20+'"
        );
    }

    #[test]
    fn something_but_the_query_must_change() {
        assert_eq!(refused(Settings::default()), RedirectError::NothingChanged);
        let spelt_out = Settings {
            protocol: Some("#{protocol}"),
            host: Some("#{host}"),
            port: Some("#{port}"),
            path: Some("/#{path}"),
            query: Some("a=b"),
        };
        assert_eq!(refused(spelt_out), RedirectError::NothingChanged);
    }

    #[test]
    fn https_is_not_redirected_to_http() {
        let to_http = Settings {
            protocol: Some("HTTP"),
            ..Settings::default()
        };
        let to_http = Redirect::new(302, to_http).unwrap();
        assert_eq!(
            to_http.check_listener(Scheme::Https),
            Err(RedirectError::Downgrade)
        );
        assert_eq!(to_http.check_listener(Scheme::Http), Ok(()));
        let new_path = Redirect::new(302, path("/new")).unwrap();
        assert_eq!(new_path.check_listener(Scheme::Https), Ok(()));
        assert_eq!(
            new_path.location(&get("/old").https().view()).unwrap(),
            "https://www.example.com:443/new"
        );
    }

    #[test]
    fn each_placeholder_has_its_places() {
        let query_in_path = refused(path("/#{query}"));
        assert_eq!(
            query_in_path.to_string(),
            "`#{query}` cannot stand in the path of a redirect: the placeholders there are #{host} #{port} #{path}"
        );
        for text in ["/#{Path}", "/#{}", "/#{path", "/#{protocol}"] {
            assert!(
                matches!(refused(path(text)), RedirectError::Placeholder { .. }),
                "{text}"
            );
        }
        let path_in_host = Settings {
            host: Some("#{path}.example.com"),
            ..Settings::default()
        };
        assert!(matches!(
            refused(path_in_host),
            RedirectError::Placeholder { .. }
        ));
        assert_eq!(
            location(path("/#/#{path}"), "/a"),
            "http://www.example.com:80/#/a"
        );
    }

    #[test]
    fn protocol_and_port_are_one_of_few() {
        for protocol in ["https", "FTP", ""] {
            let settings = Settings {
                protocol: Some(protocol),
                ..to_https()
            };
            assert!(
                matches!(refused(settings), RedirectError::Protocol { .. }),
                "{protocol}"
            );
        }
        for port in ["0", "65536", "a", "", "#{host}"] {
            let settings = Settings {
                port: Some(port),
                ..to_https()
            };
            assert!(
                matches!(refused(settings), RedirectError::Port { .. }),
                "{port}"
            );
        }
    }

    #[test]
    fn path_and_query_are_written_as_the_manual_says() {
        assert!(matches!(
            refused(path("new")),
            RedirectError::PathWithoutSlash { .. }
        ));
        for text in ["/a?b=c", "/a b", "/a\r\nX: y", "/caf\u{e9}"] {
            assert!(
                matches!(refused(path(text)), RedirectError::Character { .. }),
                "{text}"
            );
        }
        let marked = Settings {
            query: Some("?a=b"),
            ..to_https()
        };
        assert!(matches!(
            refused(marked),
            RedirectError::QueryWithMark { .. }
        ));
    }

    #[test]
    fn the_port_is_not_written_with_the_host() {
        let settings = Settings {
            host: Some("#{host}:8443"),
            ..Settings::default()
        };
        assert!(matches!(refused(settings), RedirectError::Character { .. }));
    }

    #[test]
    fn a_part_has_1_to_128_characters() {
        let long: &'static str = format!("/{}", "a".repeat(128)).leak();
        assert!(Redirect::new(301, path(&long[..128])).is_ok());
        assert!(matches!(
            refused(path(long)),
            RedirectError::Length { length: 129, .. }
        ));
        assert!(matches!(refused(path("")), RedirectError::Length { .. }));
    }

    #[test]
    fn the_status_is_301_or_302() {
        assert_eq!(Redirect::new(302, to_https()).unwrap().status().code(), 302);
        assert_eq!(
            Redirect::new(308, to_https()),
            Err(RedirectError::Status { status: 308 })
        );
    }

    #[test]
    fn a_location_has_at_most_8_kib() {
        let redirect = Redirect::new(301, to_https()).unwrap();
        let around = "https://www.example.com:443/".len();
        let longest = get(format!("/{}", "a".repeat(8192 - around)));
        assert_eq!(redirect.location(&longest.view()).unwrap().len(), 8192);
        let longer = get(format!("/{}", "a".repeat(8193 - around)));
        assert_eq!(
            redirect.location(&longer.view()),
            Err(LocationTooLong {
                bytes: 8193,
                limit: 8192
            })
        );
    }
}
