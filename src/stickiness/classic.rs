//! The stickiness of a Classic load balancer: `AWSELB`, and `AWSELBCORS` for requests from other sites.
//!
//! By duration: set once, with an age of its own or none (until the browser ends); the balancer
//! neither renews it nor looks at its age, and where the instance is gone another is chosen as if there
//! were no cookie. By the application's cookie: set when the application sets its own, with the same
//! attributes, and used while the client brings that one; where the instance is gone, the
//! session moves and stays (AWS: "Configure sticky sessions for your Classic Load Balancer").
//!
//! Since nothing is renewed, a cookie opens for as long as the key that sealed it: 7 days after the
//! next key has superseded it.

use std::time::Duration;

use super::cookies::{self, CROSS_SITE};

const NAME: &str = "AWSELB";
const CORS: &str = "AWSELBCORS";

/// Where applications set their cookies for several paths there are several of these; more are not
/// opened.
const MOST: usize = 4;

/// What is copied of the application's cookie.
const ATTRIBUTES: [&[u8]; 12] = [
    b"path",
    b"port",
    b"domain",
    b"secure",
    b"httponly",
    b"discard",
    b"max-age",
    b"expires",
    b"version",
    b"comment",
    b"commenturl",
    b"samesite",
];

/// The texts that a client brings.
pub(super) fn texts<'c>(fields: impl Iterator<Item = &'c [u8]>) -> impl Iterator<Item = &'c [u8]> {
    let pairs = cookies::pairs(fields);
    let own = pairs.filter(|(name, _)| [NAME.as_bytes(), CORS.as_bytes()].contains(name));
    own.map(|(_, text)| text).take(MOST)
}

/// By duration.
pub(super) fn write(out: &mut Vec<u8>, text: &[u8], expires: Option<Duration>) {
    let age = expires.map_or_else(String::new, |age| format!("; Max-Age={}", age.as_secs()));
    for (name, more) in [(NAME, ""), (CORS, CROSS_SITE)] {
        begin(out, name, text);
        out.extend_from_slice(format!("; Path=/{age}{more}\r\n").as_bytes());
    }
}

/// Whether a `Set-Cookie` of the application is followed: one that ends with `;` is not.
pub(super) fn is_followed(set_cookie: &[u8]) -> bool {
    !set_cookie.trim_ascii_end().ends_with(b";")
}

/// With the attributes of the application's cookie, if the response sets it.
pub(super) fn follow(out: &mut Vec<u8>, text: &[u8], set_cookie: Option<&[u8]>) {
    begin(out, NAME, text);
    match set_cookie.filter(|field| is_followed(field)) {
        None => out.extend_from_slice(b"; Path=/"),
        Some(field) => {
            let attributes = field.split(|byte| *byte == b';').skip(1);
            attributes.for_each(|attribute| push(out, attribute.trim_ascii()));
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn begin(out: &mut Vec<u8>, name: &str, text: &[u8]) {
    out.extend_from_slice(b"Set-Cookie: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend_from_slice(text);
}

fn push(out: &mut Vec<u8>, attribute: &[u8]) {
    let name = attribute.split(|byte| *byte == b'=').next();
    let name = name.unwrap_or_default().trim_ascii();
    let is_named = |known: &&[u8]| name.eq_ignore_ascii_case(known);
    if !ATTRIBUTES.iter().any(is_named) {
        return;
    }
    out.extend_from_slice(b"; ");
    match name.eq_ignore_ascii_case(b"path") {
        // As Internet Explorer 7 expected it.
        true => {
            for byte in attribute {
                match byte {
                    b'_' => out.extend_from_slice(b"%5F"),
                    byte => out.push(*byte),
                }
            }
        }
        false => out.extend_from_slice(attribute),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Place, kept};
    use super::super::{Policy, Response};
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn sets(set_cookie: &[u8]) -> Response<'_> {
        Response {
            set_cookie: Some(set_cookie),
            is_cross_site: false,
        }
    }

    fn following() -> Policy {
        Policy::ClassicApplication {
            cookie: "session".into(),
        }
    }

    #[test]
    fn a_cookie_by_duration_is_set_once_and_its_age_is_the_clients_business() {
        let place = Place::new();
        let policy = Policy::Classic {
            expires: Some(HOUR),
        };
        let text = place.answer(&policy, 1, "", 7, Response::default());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("Set-Cookie: AWSELB="), "{text}");
        assert!(lines[0].ends_with("; Path=/; Max-Age=3600"), "{text}");
        assert!(lines[1].starts_with("Set-Cookie: AWSELBCORS="), "{text}");
        let end = "; Path=/; Max-Age=3600; SameSite=None; Secure";
        assert!(lines[1].ends_with(end), "{text}");
        let cookie = kept(&text)[0].clone();
        assert_eq!(
            place.answer(&policy, 1, &cookie, 7, Response::default()),
            ""
        );
        let later = place.later(HOUR * 48);
        assert_eq!(later.target(&policy, 1, &cookie), Some(7));
        let moved = later.answer(&policy, 1, &cookie, 8, Response::default());
        assert_eq!(later.target(&policy, 1, &kept(&moved)[1]), Some(8));
    }

    #[test]
    fn without_a_duration_the_cookie_ends_with_the_browser() {
        let policy = Policy::Classic { expires: None };
        let text = Place::new().answer(&policy, 1, "", 7, Response::default());
        assert!(
            text.lines()
                .next()
                .is_some_and(|line| line.ends_with("; Path=/")),
            "{text}"
        );
    }

    #[test]
    fn a_cookie_that_follows_the_applications_has_its_attributes() {
        let place = Place::new();
        let field = b"session=1; path=/my_shop; Domain=example.com; HttpOnly; Max-Age=60; \
                      Secure; SameSite=Lax; Partitioned; Priority=High";
        let text = place.answer(&following(), 1, "", 7, sets(field));
        let end =
            "; path=/my%5Fshop; Domain=example.com; HttpOnly; Max-Age=60; Secure; SameSite=Lax\r\n";
        assert!(
            text.starts_with("Set-Cookie: AWSELB=") && text.ends_with(end),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_cookie_of_the_application_that_ends_with_a_semicolon_is_not_followed() {
        let place = Place::new();
        assert_eq!(
            place.answer(&following(), 1, "", 7, sets(b"session=1; Path=/; ")),
            ""
        );
        assert_eq!(
            place.answer(&following(), 1, "", 7, Response::default()),
            ""
        );
    }

    #[test]
    fn a_session_lasts_while_the_client_brings_both_and_moves_with_the_instance() {
        let place = Place::new();
        let own = kept(&place.answer(&following(), 1, "", 7, sets(b"session=1")))[0].clone();
        let both = format!("session=1; {own}");
        assert_eq!(place.target(&following(), 1, &both), Some(7));
        assert_eq!(place.target(&following(), 1, &own), None);
        assert_eq!(
            place.answer(&following(), 1, &both, 7, Response::default()),
            ""
        );
        let moved = place.answer(&following(), 1, &both, 8, Response::default());
        assert!(moved.ends_with("; Path=/\r\n"), "{moved}");
        assert_eq!(
            place.answer(&following(), 1, &own, 8, Response::default()),
            ""
        );
    }

    #[test]
    fn of_several_cookies_for_several_paths_the_newest_counts() {
        let place = Place::new();
        let policy = Policy::Classic { expires: None };
        let first = kept(&place.answer(&policy, 1, "", 7, Response::default()))[0].clone();
        let later = place.later(HOUR);
        let second = kept(&later.answer(&policy, 1, "", 8, Response::default()))[0].clone();
        for both in [format!("{first}; {second}"), format!("{second}; {first}")] {
            assert_eq!(later.target(&policy, 1, &both), Some(8));
        }
        let late = format!("{}{second}", "AWSELB=x; ".repeat(4));
        assert_eq!(later.target(&policy, 1, &late), None, "four are opened");
    }
}
