//! `redirect`: sends the client to another URI, made of the one it asked for.
//!
//! As with ALB, what is not set keeps its value, also the port: from `http://a:80/` with only the protocol changed one
//! arrives at `https://a:80/`, so a redirect to HTTPS sets port 443 as well. And as with ALB, `Location` is an absolute
//! URI that always names the port: `https://www.example.com:443/`.

mod error;
mod settings;
mod template;

pub use error::{LocationTooLong, RedirectError};
pub use settings::RedirectSettings;
pub use template::{Keyword, RedirectPart};

use template::{Template, push_port};

use crate::routing::{RequestView, Scheme};

/// The longest `Location` that ALB sends, in bytes.
const LOCATION_BYTES: usize = 8 * 1024;

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

impl Redirect {
    /// Takes status 301 or 302 and settings that change the protocol, the host, the port or the path: a redirect that
    /// changed nothing, or the query alone, would lead back to itself.
    pub fn new(status: u16, settings: RedirectSettings<'_>) -> Result<Self, RedirectError> {
        let status = match status {
            301 => RedirectStatus::MovedPermanently,
            302 => RedirectStatus::Found,
            _ => return Err(RedirectError::Status { status }),
        };
        let redirect = Self {
            status,
            protocol: settings.protocol()?,
            host: settings.host()?,
            port: settings.port()?,
            path: settings.path()?,
            query: settings.query()?,
        };
        if settings.change_nothing() {
            return Err(RedirectError::NothingChanged);
        }
        Ok(redirect)
    }

    /// Whether a listener of this protocol and port may have this redirect: one to plain HTTP is refused on HTTPS, and
    /// one that spells out what the listener is and changes nothing else would lead back to itself.
    pub fn check_listener(&self, scheme: Scheme, port: u16) -> Result<(), RedirectError> {
        if (scheme, self.protocol) == (Scheme::Https, Some(Scheme::Http)) {
            return Err(RedirectError::Downgrade);
        }
        let stays = self.protocol.is_none_or(|protocol| protocol == scheme)
            && self.port.is_none_or(|own| own == port)
            && self.host.text() == settings::SAME_HOST
            && self.path.text() == settings::SAME_PATH;
        match stays {
            true => Err(RedirectError::NothingChanged),
            false => Ok(()),
        }
    }

    /// Where it leads, part by part, with the placeholders as they are written.
    pub fn part(&self, part: RedirectPart) -> String {
        match part {
            RedirectPart::Protocol => match self.protocol {
                Some(protocol) => protocol.as_str().to_ascii_uppercase(),
                None => "#{protocol}".to_owned(),
            },
            RedirectPart::Host => self.host.text(),
            RedirectPart::Port => match self.port {
                Some(port) => port.to_string(),
                None => "#{port}".to_owned(),
            },
            RedirectPart::Path => self.path.text(),
            RedirectPart::Query => self.query.text(),
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
            to_http.check_listener(Scheme::Https, 443),
            Err(RedirectError::Downgrade)
        );
        assert_eq!(
            to_http.check_listener(Scheme::Http, 80),
            Err(RedirectError::NothingChanged)
        );
        let new_path = Redirect::new(302, path("/new")).unwrap();
        assert_eq!(new_path.check_listener(Scheme::Https, 443), Ok(()));
        assert_eq!(
            new_path.location(&get("/old").https().view()).unwrap(),
            "https://www.example.com:443/new"
        );
    }

    #[test]
    fn what_the_listener_is_already_is_no_change() {
        let redirect = Redirect::new(302, to_https()).unwrap();
        assert_eq!(redirect.check_listener(Scheme::Http, 80), Ok(()));
        assert_eq!(redirect.check_listener(Scheme::Https, 8443), Ok(()));
        let refused = redirect.check_listener(Scheme::Https, 443);
        assert_eq!(refused, Err(RedirectError::NothingChanged));
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
