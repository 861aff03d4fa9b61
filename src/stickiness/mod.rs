//! Which target a client sticks to: the cookie that says so (ALB: `AWSALB`, and `AWSALBCORS` for
//! requests from other sites).
//!
//! [`Visit::read`] finds out what a client's cookies say for one target group, [`Visit::write`] what
//! the response tells it. A target is known by a [`tag`] of its identity; nothing here knows targets.
//!
//! One cookie serves all groups of a load balancer: it remembers the last four, so that a site whose
//! paths lead to several groups sticks in each. Its `Expires` is always 7 days away; the duration
//! that is set is checked inside, and counts from the last response. What cannot be opened, is too
//! old, or was made by another load balancer is as if it were not there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memchr::memchr_iter;

use crate::keyring::{Keyring, Purpose};

/// How long a browser keeps the cookie.
const EXPIRES: Duration = Duration::from_secs(7 * 24 * 3600);

/// How many groups a cookie remembers.
const SLOTS: usize = 4;

/// A slot: the group's tag, the target's, and when the last response was.
const SLOT: usize = 8 + 8 + 4;

/// A number for an identity: the same in every process.
pub fn tag(parts: &[&[u8]]) -> u64 {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let digest = context.finish();
    let first = digest.as_ref().first_chunk::<8>();
    first.map_or(0, |first| u64::from_be_bytes(*first))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    group: u64,
    target: u64,
    at: u32,
}

/// What a client brought, for a request to one group.
#[derive(Clone, Debug)]
pub struct Visit {
    group: u64,
    /// The last first; those of other groups only.
    others: Vec<Slot>,
    target: Option<u64>,
}

impl Visit {
    /// What the `Cookie` fields of a request say. `context` is the load balancer's name.
    pub fn read<'c>(
        keyring: &Keyring,
        context: &str,
        (group, duration): (u64, Duration),
        cookies: impl Iterator<Item = &'c [u8]>,
        now: SystemTime,
    ) -> Self {
        let mut visit = Self {
            group,
            others: Vec::new(),
            target: None,
        };
        let Some(value) = value(cookies) else {
            return visit;
        };
        let opened = keyring.open(Purpose::Stickiness, context.as_bytes(), value);
        let now = seconds(now);
        for slot in opened.iter().flat_map(|bytes| slots(bytes)) {
            let age = u64::from(now.saturating_sub(slot.at));
            if slot.group != group {
                visit.others.push(slot);
            } else if Duration::from_secs(age) < duration {
                visit.target = Some(slot.target);
            }
        }
        visit
    }

    /// The tag of the target that the client sticks to.
    pub fn target(&self) -> Option<u64> {
        self.target
    }

    /// The two `Set-Cookie` fields of the response of a target.
    pub fn write(&self, keyring: &Keyring, context: &str, target: u64, now: SystemTime) -> Vec<u8> {
        let mut plain = [0; SLOTS * SLOT];
        let own = Slot {
            group: self.group,
            target,
            at: seconds(now),
        };
        let slots = std::iter::once(&own).chain(&self.others);
        for (place, slot) in plain.chunks_exact_mut(SLOT).zip(slots) {
            place[..8].copy_from_slice(&slot.group.to_be_bytes());
            place[8..16].copy_from_slice(&slot.target.to_be_bytes());
            place[16..].copy_from_slice(&slot.at.to_be_bytes());
        }
        let mut value = Vec::with_capacity(192);
        let context = context.as_bytes();
        if !keyring.seal(&mut value, Purpose::Stickiness, context, &plain, now) {
            return Vec::new();
        }
        let expires = httpdate::fmt_http_date(now + EXPIRES);
        let mut out = Vec::with_capacity(512);
        for (name, more) in [("AWSALB", ""), ("AWSALBCORS", "; SameSite=None; Secure")] {
            out.extend_from_slice(b"Set-Cookie: ");
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            out.extend_from_slice(&value);
            let rest = format!("; Expires={expires}; Path=/{more}\r\n");
            out.extend_from_slice(rest.as_bytes());
        }
        out
    }
}

/// The value of the first `AWSALB` cookie, else of the first `AWSALBCORS`: one is opened, however
/// many there are.
fn value<'c>(cookies: impl Iterator<Item = &'c [u8]>) -> Option<&'c [u8]> {
    let mut other = None;
    for field in cookies {
        let mut start = 0;
        for end in memchr_iter(b';', field).chain([field.len()]) {
            let pair = field[start..end].trim_ascii();
            start = end + 1;
            if let Some(value) = pair.strip_prefix(b"AWSALB=") {
                return Some(value);
            }
            if other.is_none() {
                other = pair.strip_prefix(b"AWSALBCORS=");
            }
        }
    }
    other
}

fn slots(bytes: &[u8]) -> impl Iterator<Item = Slot> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let slots = bytes.chunks_exact(SLOT).map(move |slot| Slot {
        group: number(&slot[..8]),
        target: number(&slot[8..16]),
        at: number(&slot[16..]) as u32,
    });
    slots.filter(|slot| slot.at > 0)
}

fn seconds(time: SystemTime) -> u32 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn start() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn keyring() -> Keyring {
        Keyring::new(Keyring::prepare(crate::keyring::Settings::default(), start()).unwrap())
    }

    fn read(ring: &Keyring, group: u64, cookie: &[u8], now: SystemTime) -> Visit {
        Visit::read(ring, "lb", (group, DAY), [cookie].into_iter(), now)
    }

    /// The cookie `name=value` that a browser keeps of a response.
    fn kept(fields: &[u8], line: usize) -> Vec<u8> {
        let text = std::str::from_utf8(fields).unwrap();
        let line = text.lines().nth(line).unwrap();
        let pair = line.strip_prefix("Set-Cookie: ").unwrap();
        pair.split(';').next().unwrap().as_bytes().to_vec()
    }

    #[test]
    fn a_response_sets_both_cookies_for_seven_days() {
        let ring = keyring();
        let fields = read(&ring, 1, b"", start()).write(&ring, "lb", 7, start());
        let text = String::from_utf8(fields).unwrap();
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
        let ring = keyring();
        let fields = read(&ring, 1, b"", start()).write(&ring, "lb", 7, start());
        for line in [0, 1] {
            let cookie = [b"a=b; ", kept(&fields, line).as_slice(), b";c=d"].concat();
            let just = start() + DAY - Duration::from_secs(1);
            assert_eq!(read(&ring, 1, &cookie, just).target(), Some(7));
            assert_eq!(read(&ring, 1, &cookie, start() + DAY).target(), None);
        }
    }

    #[test]
    fn one_cookie_serves_four_groups() {
        let ring = keyring();
        let mut cookie = Vec::new();
        for group in 1..=5 {
            let visit = read(&ring, group, &cookie, start());
            cookie = kept(&visit.write(&ring, "lb", group * 10, start()), 0);
        }
        let targets = [1, 2, 3, 4, 5].map(|group| read(&ring, group, &cookie, start()).target());
        assert_eq!(targets, [None, Some(20), Some(30), Some(40), Some(50)]);
    }

    #[test]
    fn a_tampered_or_foreign_cookie_is_as_if_it_were_not_there() {
        let ring = keyring();
        let fields = read(&ring, 1, b"", start()).write(&ring, "lb", 7, start());
        let cookie = kept(&fields, 0);
        let mut forged = cookie.clone();
        forged[20] ^= 1;
        for bad in [forged.as_slice(), b"AWSALB=", b"AWSALB=%41", b"AWSALBTG=x"] {
            assert_eq!(read(&ring, 1, bad, start()).target(), None);
        }
        let other = Visit::read(&ring, "other", (1, DAY), [&*cookie].into_iter(), start());
        assert_eq!(other.target(), None);
        assert_eq!(read(&keyring(), 1, &cookie, start()).target(), None);
    }

    #[test]
    fn a_field_full_of_cookies_is_read_once_and_one_is_opened() {
        let ring = keyring();
        let fields = read(&ring, 1, b"", start()).write(&ring, "lb", 7, start());
        let mut cookie = b"x=y; ".repeat(13_000);
        cookie.extend_from_slice(&kept(&fields, 0));
        assert_eq!(read(&ring, 1, &cookie, start()).target(), Some(7));
        let shadowed = [b"AWSALB=x; ".as_slice(), &cookie].concat();
        assert_eq!(read(&ring, 1, &shadowed, start()).target(), None);
    }
}
