//! A session: what the provider says of a user, and for how long; kept by the client, sealed, in the session cookie.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::AuthError;
use crate::auth::cookie::{Cookies, sharded};
use crate::keyring::{Keyring, Purpose};

/// What a session holds. The names are short, for they travel with every request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    /// When the user logged in, in seconds since 1970.
    #[serde(rename = "t")]
    pub(super) began: u64,
    /// When the access token ends.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(super) token_ends: Option<u64>,
    #[serde(rename = "s")]
    pub(super) subject: String,
    #[serde(rename = "a")]
    pub(super) access_token: String,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<String>,
    #[serde(rename = "c")]
    pub(super) claims: Map<String, Value>,
}

impl Session {
    /// The session that a client has sent, if it is one of ours and not over. `context` is the provider that it is of.
    pub(super) fn open(
        cookies: &Cookies<'_>,
        name: &str,
        (keyring, context): (&Keyring, &[u8]),
        timeout: Duration,
        now: SystemTime,
    ) -> Option<Self> {
        let text = cookies.joined(name)?;
        let plain = keyring.open(Purpose::Session, context, text.as_bytes())?;
        let session: Self = serde_json::from_slice(&plain).ok()?;
        let ends = session.began.saturating_add(timeout.as_secs());
        (seconds(now) < ends).then_some(session)
    }

    /// The Set-Cookie values that hand it to the client.
    pub(super) fn seal(
        &self,
        sent: &Cookies<'_>,
        name: &str,
        (keyring, context): (&Keyring, &[u8]),
        now: SystemTime,
    ) -> Result<Vec<String>, AuthError> {
        let plain = serde_json::to_vec(self).map_err(|_| AuthError::NoKey)?;
        let mut text = Vec::new();
        if !keyring.seal(&mut text, Purpose::Session, context, &plain, now) {
            return Err(AuthError::NoKey);
        }
        let text = String::from_utf8(text).map_err(|_| AuthError::NoKey)?;
        sharded(name, &text, sent, now).ok_or(AuthError::TooLarge)
    }

    /// Whether the access token is at its end, and with it what is known of the user.
    pub(super) fn is_to_be_refreshed(&self, now: SystemTime) -> bool {
        self.token_ends.is_some_and(|ends| seconds(now) >= ends)
    }
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::auth::sample::keyring;

    fn session(now: SystemTime, claims: usize) -> Session {
        let mut map = Map::new();
        map.insert("note".to_owned(), "x".repeat(claims).into());
        Session {
            began: seconds(now),
            token_ends: Some(seconds(now) + 60),
            subject: "u-1".to_owned(),
            access_token: "secret".to_owned(),
            refresh_token: None,
            claims: map,
        }
    }

    /// The Cookie field of a client that took these.
    fn sent_back(set: &[String]) -> String {
        let pairs: Vec<_> = set
            .iter()
            .map(|cookie| cookie.split(';').next().unwrap())
            .collect();
        pairs.join("; ")
    }

    #[test]
    fn a_session_comes_back_from_the_client_until_it_is_over() {
        let (ring, now) = (keyring(), SystemTime::now());
        let hour = Duration::from_secs(3600);
        let session = session(now, 9000);
        let none = Cookies::new(&[]);
        let set = session.seal(&none, "S", (&ring, b"a"), now).unwrap();
        assert!(set.len() > 1);
        assert!(
            set.iter()
                .all(|cookie| cookie.contains("; Secure; HttpOnly;"))
        );
        assert!(!set.concat().contains("secret"));
        let line = sent_back(&set);
        let lines = [line.as_bytes()];
        let open = |context: &[u8], later: Duration| {
            Session::open(
                &Cookies::new(&lines),
                "S",
                (&ring, context),
                hour,
                now + later,
            )
        };
        assert_eq!(open(b"a", Duration::ZERO).unwrap(), session);
        assert_eq!(open(b"b", Duration::ZERO), None);
        assert_eq!(open(b"a", hour), None);
        let opened = open(b"a", Duration::from_secs(60)).unwrap();
        assert!(opened.is_to_be_refreshed(now + Duration::from_secs(60)));
        assert!(!opened.is_to_be_refreshed(now));
    }

    #[test]
    fn a_session_that_is_too_large_for_four_cookies_is_refused() {
        let (ring, now) = (keyring(), SystemTime::now());
        let sealed = session(now, 12 * 1024).seal(&Cookies::new(&[]), "S", (&ring, b"a"), now);
        assert_eq!(sealed, Err(AuthError::TooLarge));
    }
}
