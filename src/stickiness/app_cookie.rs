//! ALB's application-based stickiness: `AWSALBAPP-0` to `AWSALBAPP-3`, beside a cookie of the
//! application.
//!
//! The balancer's cookie begins when a target sets the application's, of which only the name is
//! looked at; then every response renews it, whichever target gives it. A client must bring both.
//! Where a target fails, the session sticks to the next one and stays there. A text of more than
//! 4 KB is spread over up to four cookies; one that is not needed any more becomes `_remove_`.
//!
//! `SameSite=None; Secure` is for Chromium from 80 on. Browsers drop a cookie that is `Secure` and
//! came over plain HTTP, so it is added where the client speaks HTTPS: to a balancer in front, perhaps.

use std::borrow::Cow;
use std::time::SystemTime;

use super::cookies::{self, CROSS_SITE, REMOVED};

const NAMES: [&str; 4] = ["AWSALBAPP-0", "AWSALBAPP-1", "AWSALBAPP-2", "AWSALBAPP-3"];

/// Name, `=` and value together have 4096 bytes at most.
const SHARD: usize = 4096 - NAMES[0].len() - 1;

/// How many groups fit into four cookies, of 20 bytes each, with what sealing adds, as base64.
pub(super) const GROUPS: usize = (NAMES.len() * SHARD / 4 * 3 - 32) / 20;

/// Chromium of before understands `SameSite=None` as `Strict`.
const FIRST_CHROMIUM: u32 = 80;

/// What the client brings, put together, and in how many cookies; the first of each name counts.
pub(super) fn text<'c>(fields: impl Iterator<Item = &'c [u8]>) -> (Option<Cow<'c, [u8]>>, usize) {
    let mut shards = [None; NAMES.len()];
    for (name, value) in cookies::pairs(fields) {
        let place = NAMES.iter().position(|known| known.as_bytes() == name);
        if let Some(place) = place.filter(|place| shards[*place].is_none() && value != REMOVED) {
            shards[place] = Some(value);
        }
    }
    let brought = shards.iter().rposition(Option::is_some);
    let brought = brought.map_or(0, |last| last + 1);
    let together = shards.iter().map_while(|shard| *shard);
    let text = together.fold(None, |text: Option<Cow<'_, [u8]>>, shard| match text {
        None => Some(Cow::Borrowed(shard)),
        Some(text) if text.len() + shard.len() > NAMES.len() * SHARD => Some(text),
        Some(text) => Some(Cow::Owned([&text, shard].concat())),
    });
    (text, brought)
}

/// `before`: in how many cookies the client has the last text.
pub(super) fn write(
    out: &mut Vec<u8>,
    text: &[u8],
    before: usize,
    is_cross_site: bool,
    now: SystemTime,
) {
    let more = if is_cross_site { CROSS_SITE } else { "" };
    let needed = text.chunks(SHARD).zip(NAMES);
    let removed = NAMES
        .into_iter()
        .take(before)
        .skip(text.len().div_ceil(SHARD));
    for (value, name) in needed.chain(removed.map(|name| (REMOVED, name))) {
        cookies::set(out, name, value, now + super::EXPIRES, more);
    }
}

/// Whether a `User-Agent` is Chromium 80 or newer, or built on it.
pub fn takes_same_site_none(user_agent: &[u8]) -> bool {
    let names = [b"Chrome/".as_slice(), b"Chromium/".as_slice()];
    names.into_iter().any(|name| {
        let place = memchr::memmem::find(user_agent, name);
        let digits = place.map(|place| {
            let version = &user_agent[place + name.len()..];
            version.iter().take_while(|byte| byte.is_ascii_digit())
        });
        let version = digits.map(|digits| {
            digits.fold(0u32, |n, digit| {
                n.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
            })
        });
        version.is_some_and(|version| version >= FIRST_CHROMIUM)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample::{Place, kept};
    use super::super::{Policy, Response};
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn sticky() -> Policy {
        Policy::Application {
            cookie: "session".into(),
            duration: HOUR,
        }
    }

    /// A target sets the application's cookie.
    fn sets() -> Response<'static> {
        Response {
            set_cookie: Some(b"session=1; Path=/; HttpOnly"),
            is_cross_site: false,
        }
    }

    #[test]
    fn a_session_begins_when_the_target_sets_its_cookie() {
        let place = Place::new();
        assert_eq!(place.answer(&sticky(), 1, "", 7, Response::default()), "");
        let text = place.answer(&sticky(), 1, "", 7, sets());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1, "{text}");
        assert!(lines[0].starts_with("Set-Cookie: AWSALBAPP-0="), "{text}");
        let end = "; Expires=Fri, 22 Jan 2027 08:00:00 GMT; Path=/";
        assert!(
            lines[0].ends_with(end),
            "its attributes are its own: {text}"
        );
    }

    #[test]
    fn a_client_sticks_while_it_brings_both_cookies() {
        let place = Place::new();
        let own = kept(&place.answer(&sticky(), 1, "", 7, sets()))[0].clone();
        let target = |cookies: &str| place.target(&sticky(), 1, cookies);
        assert_eq!(target(&format!("session=1; {own}")), Some(7));
        assert_eq!(
            target(&format!("{own}; session=another")),
            Some(7),
            "the name counts"
        );
        assert_eq!(target(&own), None);
        assert_eq!(target("session=1"), None);
        let late = place.later(HOUR);
        assert_eq!(
            late.target(&sticky(), 1, &format!("session=1; {own}")),
            None
        );
    }

    #[test]
    fn every_response_of_a_session_renews_it_and_moves_it_with_the_target() {
        let place = Place::new();
        let own = kept(&place.answer(&sticky(), 1, "", 7, sets()))[0].clone();
        let later = place.later(HOUR / 2);
        let both = format!("session=1; {own}");
        let moved = later.answer(&sticky(), 1, &both, 8, Response::default());
        let both = format!("session=1; {}", kept(&moved)[0]);
        let just = later.later(HOUR - Duration::from_secs(1));
        assert_eq!(just.target(&sticky(), 1, &both), Some(8));
        // Without a session, nothing is renewed.
        assert_eq!(later.answer(&sticky(), 1, &own, 8, Response::default()), "");
    }

    #[test]
    fn a_text_of_many_groups_is_spread_over_cookies_of_4_kb() {
        let place = Place::new();
        let mut cookies = "session=1".to_owned();
        let mut most = 0;
        for group in 1..=GROUPS as u64 + 1 {
            let text = place.answer(&sticky(), group, &cookies, group, sets());
            let own = kept(&text);
            assert!(own.iter().all(|cookie| cookie.len() <= 4096));
            most = most.max(own.len());
            cookies = format!("session=1; {}", own.join("; "));
        }
        assert_eq!(most, 4);
        let target = |group| place.target(&sticky(), group, &cookies);
        assert_eq!(target(1), None, "there is room for the last {GROUPS}");
        assert_eq!((target(2), target(300)), (Some(2), Some(300)));
        // Any part that is lost, is all that is lost.
        let without = cookies.replacen("AWSALBAPP-1=", "AWSALBAPP-1=A", 1);
        assert_eq!(place.target(&sticky(), 300, &without), None);
    }

    #[test]
    fn cookies_that_are_not_needed_any_more_are_removed() {
        let place = Place::new();
        let brought = "session=1; AWSALBAPP-0=x; AWSALBAPP-2=y; AWSALBAPP-3=_remove_";
        let text = place.answer(&sticky(), 1, brought, 7, sets());
        let own = kept(&text);
        assert_eq!(own[1..], ["AWSALBAPP-1=_remove_", "AWSALBAPP-2=_remove_"]);
        let both = format!("session=1; {}", own.join("; "));
        assert_eq!(place.target(&sticky(), 1, &both), Some(7));
    }

    #[test]
    fn chromium_from_80_on_gets_a_cookie_for_other_sites() {
        let agent = |chrome| format!("Mozilla/5.0 (X11) AppleWebKit/537.36 {chrome} Safari/537.36");
        for (chrome, takes) in [
            ("Chrome/80.0.3987.87", true),
            ("Chromium/126.0.0.0", true),
            ("Chrome/126.0.0.0 Edg/126.0", true),
            ("Chrome/79.0.3945.130", false),
            ("CriOS/126.0.0.0", false),
            ("Firefox/133.0", false),
            ("Chrome/99999999999999", true),
            ("Chrome/", false),
        ] {
            assert_eq!(
                takes_same_site_none(agent(chrome).as_bytes()),
                takes,
                "{chrome}"
            );
        }
        let cross_site = Response {
            is_cross_site: true,
            ..sets()
        };
        let text = Place::new().answer(&sticky(), 1, "", 7, cross_site);
        assert!(
            text.trim_end().ends_with("; SameSite=None; Secure"),
            "{text}"
        );
    }
}
