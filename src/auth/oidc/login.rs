//! A login: what a client is sent to the provider with, and must bring back.
//!
//! The `state` parameter is sealed and holds where the client wanted to go, when it was sent away, and the verifier of
//! PKCE (RFC 7636). It is bound to the browser by a cookie, `AWSALBAuthNonce`: another's state is of no use, so nobody can
//! be logged in as somebody else by following a link. The nonce that the ID token must hold follows from the same cookie.

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::session::seconds;
use crate::auth::AuthError;
use crate::auth::cookie::{Cookies, set_cookie};
use crate::keyring::{Keyring, Purpose};

/// ALB: a login must be over by then.
const WITHIN: Duration = Duration::from_secs(15 * 60);

/// The cookie that binds a login to a browser.
pub(super) const NONCE: &str = "AWSALBAuthNonce";

/// A longer path and query is not come back to, for it has to travel twice; its path, or the root, is.
const LONGEST_URI: usize = 2048;

/// What comes back with the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Login {
    /// The provider that it is of.
    #[serde(rename = "i")]
    pub(super) provider: String,
    /// Where the client wanted to go: path and query.
    #[serde(rename = "u")]
    pub(super) uri: String,
    /// When it was sent away, in seconds since 1970.
    #[serde(rename = "t")]
    began: u64,
    /// The hash of the browser's cookie.
    #[serde(rename = "b")]
    browser: String,
    #[serde(rename = "v")]
    pub(super) verifier: String,
}

/// A login about to begin.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) challenge: String,
    /// The Set-Cookie value.
    pub(super) cookie: String,
}

impl Login {
    /// Begins a login for a browser. One that has begun another, in another tab, keeps its cookie.
    pub(super) fn begin(
        provider: &str,
        uri: &str,
        cookies: &Cookies<'_>,
        keyring: &Keyring,
        now: SystemTime,
    ) -> Result<Begun, AuthError> {
        let known = cookies.get(NONCE).filter(|nonce| is_nonce(nonce));
        let browser = match known {
            Some(nonce) => nonce.to_owned(),
            None => random()?,
        };
        let verifier = random()?;
        let path = uri.split('?').next().unwrap_or_default();
        let uri = [uri, path].into_iter().find(|uri| uri.len() <= LONGEST_URI);
        let login = Self {
            provider: provider.to_owned(),
            uri: uri.unwrap_or("/").to_owned(),
            began: seconds(now),
            browser: hash("browser", &browser),
            verifier: verifier.clone(),
        };
        let plain = serde_json::to_vec(&login).map_err(|_| AuthError::NoKey)?;
        let mut state = Vec::new();
        if !keyring.seal(&mut state, Purpose::Login, b"", &plain, now) {
            return Err(AuthError::NoKey);
        }
        Ok(Begun {
            state: String::from_utf8(state).map_err(|_| AuthError::NoKey)?,
            nonce: hash("nonce", &browser),
            challenge: URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())),
            cookie: set_cookie(NONCE, &browser, now + WITHIN),
        })
    }

    /// The login that a state is of, whoever brings it and whenever.
    pub(super) fn open(state: &str, keyring: &Keyring) -> Option<Self> {
        let plain = keyring.open(Purpose::Login, b"", state.as_bytes())?;
        serde_json::from_slice(&plain).ok()
    }

    /// The login that a client comes back from, and the nonce that its ID token must hold.
    pub(super) fn end(
        state: &str,
        cookies: &Cookies<'_>,
        keyring: &Keyring,
        now: SystemTime,
    ) -> Result<(Self, String), AuthError> {
        let login = Self::open(state, keyring).ok_or(AuthError::InvalidState)?;
        let browser = cookies.get(NONCE).ok_or(AuthError::InvalidState)?;
        if hash("browser", browser) != login.browser {
            return Err(AuthError::InvalidState);
        }
        if seconds(now) > login.began + WITHIN.as_secs() {
            return Err(AuthError::LoginTooSlow);
        }
        let nonce = hash("nonce", browser);
        Ok((login, nonce))
    }
}

/// 32 bytes out of nowhere, as text.
fn random() -> Result<String, AuthError> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| AuthError::NoKey)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn is_nonce(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.len() == 43 && text.bytes().all(is_digit)
}

fn hash(label: &str, text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("{label}:{text}").as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::auth::sample::keyring;

    fn begin(uri: &str, cookies: &Cookies<'_>, ring: &Keyring, now: SystemTime) -> Begun {
        Login::begin("p", uri, cookies, ring, now).unwrap()
    }

    fn cookie_of(begun: &Begun) -> String {
        begun.cookie.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_login_ends_in_the_browser_in_which_it_began_within_15_minutes() {
        let (ring, now) = (keyring(), SystemTime::now());
        let begun = begin("/a?b", &Cookies::new(&[]), &ring, now);
        let cookie = cookie_of(&begun);
        let lines = [cookie.as_bytes()];
        let cookies = Cookies::new(&lines);
        let (login, nonce) = Login::end(&begun.state, &cookies, &ring, now).unwrap();
        assert_eq!((login.uri.as_str(), login.provider.as_str()), ("/a?b", "p"));
        assert_eq!(nonce, begun.nonce);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, login.verifier.as_bytes()));
        assert_eq!(challenge, begun.challenge);
        let end = |state: &str, cookies: &Cookies<'_>, later: u64| {
            let now = now + Duration::from_secs(later);
            Login::end(state, cookies, &ring, now).map(|_| ())
        };
        assert_eq!(end(&begun.state, &cookies, 900), Ok(()));
        assert_eq!(
            end(&begun.state, &cookies, 901),
            Err(AuthError::LoginTooSlow)
        );
        assert_eq!(end("forged", &cookies, 0), Err(AuthError::InvalidState));
        let other = cookie_of(&begin("/", &Cookies::new(&[]), &ring, now));
        let lines = [other.as_bytes()];
        assert_eq!(
            end(&begun.state, &Cookies::new(&lines), 0),
            Err(AuthError::InvalidState)
        );
        assert_eq!(
            end(&begun.state, &Cookies::new(&[]), 0),
            Err(AuthError::InvalidState)
        );
    }

    #[test]
    fn two_tabs_can_log_in_at_the_same_time() {
        let (ring, now) = (keyring(), SystemTime::now());
        let first = begin("/1", &Cookies::new(&[]), &ring, now);
        let cookie = cookie_of(&first);
        let lines = [cookie.as_bytes()];
        let second = begin("/2", &Cookies::new(&lines), &ring, now);
        assert_eq!(cookie_of(&second), cookie);
        assert!(Login::end(&first.state, &Cookies::new(&lines), &ring, now).is_ok());
        assert!(Login::end(&second.state, &Cookies::new(&lines), &ring, now).is_ok());
        let lines: [&[u8]; 1] = [b"AWSALBAuthNonce=x"];
        let third = begin("/3", &Cookies::new(&lines), &ring, now);
        assert_ne!(cookie_of(&third), "AWSALBAuthNonce=x");
    }

    #[test]
    fn a_long_uri_is_cut_to_what_can_travel() {
        let (ring, now) = (keyring(), SystemTime::now());
        let back = |uri: &str| {
            let begun = begin(uri, &Cookies::new(&[]), &ring, now);
            let cookie = cookie_of(&begun);
            let lines = [cookie.as_bytes()];
            let ended = Login::end(&begun.state, &Cookies::new(&lines), &ring, now);
            ended.unwrap().0.uri
        };
        let long = "x".repeat(LONGEST_URI);
        assert_eq!(back(&format!("/a?{long}")), "/a");
        assert_eq!(back(&format!("/{long}")), "/");
    }
}
