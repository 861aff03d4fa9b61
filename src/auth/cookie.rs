//! Cookies that hold more than one can: a text cut into shards `NAME-0` to `NAME-3`.

use std::time::{Duration, SystemTime};

/// What browsers keep of one cookie, name, value and attributes together, is 4 KB; ALB's shards are as long.
const SHARD: usize = 3900;

/// ALB's most shards.
pub(super) const SHARDS: usize = 4;

/// How long a client keeps a cookie of ours; what is inside may end before.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The cookies that a client sent: the values of its Cookie fields.
#[derive(Clone, Copy, Debug)]
pub struct Cookies<'a> {
    lines: &'a [&'a [u8]],
}

impl<'a> Cookies<'a> {
    /// Reads the values of all Cookie fields (HTTP/2 clients may send several).
    pub fn new(lines: &'a [&'a [u8]]) -> Self {
        Self { lines }
    }

    /// The first cookie of that name.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let pairs = self
            .lines
            .iter()
            .flat_map(|line| line.split(|byte| *byte == b';'));
        let value = pairs.filter_map(|pair| {
            let pair = std::str::from_utf8(pair.trim_ascii()).ok()?;
            let (found, value) = pair.split_once('=')?;
            (found == name).then_some(value)
        });
        let mut value = value;
        value.next()
    }

    /// The text of all shards, in order; `None` without the first.
    pub(super) fn joined(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        for shard in 0..SHARDS {
            match self.get(&format!("{name}-{shard}")) {
                Some(value) => text.push_str(value),
                None if shard == 0 => return None,
                None => break,
            }
        }
        Some(text)
    }

    fn has_shard(&self, name: &str, shard: usize) -> bool {
        self.get(&format!("{name}-{shard}")).is_some()
    }
}

/// Whether a cookie is a shard of `name`.
pub fn is_shard(cookie: &str, name: &str) -> bool {
    let rest = cookie
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'3']))
}

/// The Set-Cookie values for a text, and those that delete what the client has of a longer one. `None` if it does not fit.
pub(super) fn sharded(
    name: &str,
    text: &str,
    sent: &Cookies<'_>,
    now: SystemTime,
) -> Option<Vec<String>> {
    let shards: Vec<&[u8]> = text.as_bytes().chunks(SHARD).collect();
    if shards.len() > SHARDS {
        return None;
    }
    let mut set = Vec::with_capacity(SHARDS);
    for (number, shard) in shards.iter().enumerate() {
        let value = std::str::from_utf8(shard).ok()?;
        set.push(set_cookie(&format!("{name}-{number}"), value, now + KEPT));
    }
    let gone = (shards.len()..SHARDS).filter(|shard| sent.has_shard(name, *shard));
    set.extend(gone.map(|shard| deleted(&format!("{name}-{shard}"))));
    Some(set)
}

/// The Set-Cookie values that delete a session.
pub(super) fn forgotten(name: &str, sent: &Cookies<'_>) -> Vec<String> {
    let there = (0..SHARDS).filter(|shard| sent.has_shard(name, *shard));
    there
        .map(|shard| deleted(&format!("{name}-{shard}")))
        .collect()
}

/// A Set-Cookie value. Lax is what lets a client come back from the provider with its cookies, and no other site post
/// with them.
pub(super) fn set_cookie(name: &str, value: &str, expires: SystemTime) -> String {
    let expires = httpdate::fmt_http_date(expires);
    format!("{name}={value}; Expires={expires}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

/// A Set-Cookie value that deletes.
pub(super) fn deleted(name: &str) -> String {
    set_cookie(name, "", SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_in_every_field() {
        let lines: [&[u8]; 2] = [b"a=1; b=x=y", b" c=3;a=2"];
        let cookies = Cookies::new(&lines);
        assert_eq!(cookies.get("a"), Some("1"));
        assert_eq!(cookies.get("b"), Some("x=y"));
        assert_eq!(cookies.get("c"), Some("3"));
        assert_eq!(cookies.get("d"), None);
    }

    #[test]
    fn a_long_text_comes_back_from_its_shards() {
        let text = "x".repeat(3 * SHARD + 1);
        let none = Cookies::new(&[]);
        let set = sharded("S", &text, &none, SystemTime::now()).unwrap();
        assert_eq!(set.len(), 4);
        assert!(set.iter().all(|cookie| cookie.len() <= 4096));
        let line = set.iter().map(|cookie| cookie.split(';').next().unwrap());
        let line = line.rev().collect::<Vec<_>>().join("; ");
        let lines = [line.as_bytes()];
        assert_eq!(Cookies::new(&lines).joined("S").unwrap(), text);
        assert_eq!(
            sharded("S", &"x".repeat(4 * SHARD + 1), &none, SystemTime::now()),
            None
        );
    }

    #[test]
    fn shards_that_are_left_over_are_deleted() {
        let lines: [&[u8]; 1] = [b"S-0=a; S-1=b; S-2=c"];
        let sent = Cookies::new(&lines);
        let set = sharded("S", "z", &sent, SystemTime::now()).unwrap();
        let names: Vec<_> = set.iter().map(|cookie| &cookie[..4]).collect();
        assert_eq!(names, ["S-0=", "S-1=", "S-2="]);
        assert!(set[1].starts_with("S-1=; Expires=Thu, 01 Jan 1970"));
        assert_eq!(forgotten("S", &sent).len(), 3);
        assert!(is_shard("S-3", "S") && !is_shard("S-4", "S") && !is_shard("SX-1", "S"));
    }
}
