//! ALB's duration-based stickiness: `AWSALB`, and `AWSALBCORS` for requests from other sites.
//!
//! Every response sets both, to the same value; browsers keep them for 7 days. The duration that is set
//! is checked inside, and counts from the last response.

use std::time::SystemTime;

use super::cookies::{self, CROSS_SITE};

const NAME: &str = "AWSALB";
const CORS: &str = "AWSALBCORS";

/// What the client brings. Of both, ALB's manual gives `AWSALBCORS` precedence; one is opened, however
/// many there are.
pub(super) fn text<'c>(fields: impl Iterator<Item = &'c [u8]>) -> Option<&'c [u8]> {
    cookies::either(fields, CORS, NAME)
}

pub(super) fn write(out: &mut Vec<u8>, text: &[u8], now: SystemTime) {
    let expires = now + super::EXPIRES;
    cookies::set(out, NAME, text, expires, "");
    cookies::set(out, CORS, text, expires, CROSS_SITE);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::time::Duration;

    use super::super::sample::{Place, kept};
    use super::super::{Policy, Response, tag};

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const STICKY: Policy = Policy::Balancer { duration: DAY };

    #[test]
    fn a_response_sets_both_cookies_for_seven_days() {
        let place = Place::new();
        let text = place.answer(&STICKY, 1, "", 7, Response::default());
        let lines: Vec<&str> = text.lines().collect();
        let expires = "; Expires=Fri, 22 Jan 2027 08:00:00 GMT; Path=/";
        assert!(lines[0].starts_with("Set-Cookie: AWSALB="), "{text}");
        assert!(lines[0].ends_with(expires), "{text}");
        assert!(lines[1].starts_with("Set-Cookie: AWSALBCORS="), "{text}");
        assert!(
            lines[1].ends_with(&format!("{expires}; SameSite=None; Secure")),
            "{text}"
        );
    }

    #[test]
    fn a_client_that_brings_either_cookie_sticks_for_the_duration() {
        let place = Place::new();
        let text = place.answer(&STICKY, 1, "", 7, Response::default());
        for line in [0, 1] {
            let cookie = format!("a=b; {};c=d", kept(&text)[line]);
            let just = place.later(DAY - Duration::from_secs(1));
            assert_eq!(just.target(&STICKY, 1, &cookie), Some(7));
            assert_eq!(place.later(DAY).target(&STICKY, 1, &cookie), None);
        }
    }

    #[test]
    fn of_both_cookies_the_one_for_other_sites_has_precedence() {
        let place = Place::new();
        let here = kept(&place.answer(&STICKY, 1, "", 7, Response::default()));
        let there = kept(&place.answer(&STICKY, 1, "", 8, Response::default()));
        let both = format!("{}; {}", here[0], there[1]);
        assert_eq!(place.target(&STICKY, 1, &both), Some(8));
    }

    #[test]
    fn one_cookie_serves_four_groups() {
        let place = Place::new();
        let mut cookie = String::new();
        for group in 1..=5 {
            let text = place.answer(&STICKY, group, &cookie, group * 10, Response::default());
            cookie = kept(&text)[0].clone();
        }
        let targets = [1, 2, 3, 4, 5].map(|group| place.target(&STICKY, group, &cookie));
        assert_eq!(targets, [None, Some(20), Some(30), Some(40), Some(50)]);
    }

    #[test]
    fn a_tampered_or_foreign_cookie_is_as_if_it_were_not_there() {
        let place = Place::new();
        let cookie = kept(&place.answer(&STICKY, 1, "", 7, Response::default()))[0].clone();
        let mut forged = cookie.clone().into_bytes();
        forged[20] ^= 1;
        let forged = String::from_utf8(forged).unwrap();
        let long = format!("AWSALB={}", "A".repeat(16_000));
        for bad in [&forged, "AWSALB=", "AWSALB=%41", "AWSALBTG=x", &long] {
            assert_eq!(place.target(&STICKY, 1, bad), None, "{bad}");
        }
        assert_eq!(place.of("other").target(&STICKY, 1, &cookie), None);
        assert_eq!(Place::new().target(&STICKY, 1, &cookie), None);
    }

    #[test]
    fn a_field_full_of_cookies_is_read_once_and_one_is_opened() {
        let place = Place::new();
        let own = kept(&place.answer(&STICKY, 1, "", 7, Response::default()))[0].clone();
        let cookie = "x=y; ".repeat(13_000) + &own;
        assert_eq!(place.target(&STICKY, 1, &cookie), Some(7));
        let shadowed = format!("AWSALB=x; {cookie}");
        assert_eq!(place.target(&STICKY, 1, &shadowed), None);
    }

    #[test]
    fn a_tag_tells_identities_apart() {
        assert_ne!(tag(&[b"ab", b"c"]), tag(&[b"a", b"bc"]));
    }
}
