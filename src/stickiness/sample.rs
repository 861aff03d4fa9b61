//! What the tests of all kinds of cookies share: a balancer with its keys at a time.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Policy, Response, Scene, Visit};
use crate::keyring::{Keyring, Settings};

/// A load balancer at a time.
#[derive(Clone)]
pub(super) struct Place {
    keyring: Keyring,
    name: &'static str,
    now: SystemTime,
}

impl Place {
    pub(super) fn new() -> Self {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let keyring = Keyring::new(Keyring::prepare(Settings::default(), now).unwrap());
        Self {
            keyring,
            name: "lb",
            now,
        }
    }

    /// The same one, so much later.
    pub(super) fn later(&self, time: Duration) -> Self {
        let now = self.now + time;
        Self {
            now,
            ..self.clone()
        }
    }

    /// One of another name, with the same keys.
    pub(super) fn of(&self, name: &'static str) -> Self {
        Self {
            name,
            ..self.clone()
        }
    }

    pub(super) fn scene(&self) -> Scene<'_> {
        Scene {
            keyring: &self.keyring,
            load_balancer: self.name,
            now: self.now,
        }
    }

    fn visit(&self, policy: &Policy, group: u64, cookies: &str) -> Visit {
        let fields = [cookies.as_bytes()].into_iter();
        Visit::read(policy, group, fields, self.scene())
    }

    /// The target that these cookies lead to.
    pub(super) fn target(&self, policy: &Policy, group: u64, cookies: &str) -> Option<u64> {
        self.visit(policy, group, cookies).target()
    }

    /// What a response of `target` says to a client with these cookies.
    pub(super) fn answer(
        &self,
        policy: &Policy,
        group: u64,
        cookies: &str,
        target: u64,
        response: Response<'_>,
    ) -> String {
        let visit = self.visit(policy, group, cookies);
        let fields = visit.write(policy, target, response, self.scene());
        String::from_utf8(fields).unwrap()
    }
}

/// The cookies, `name=value`, that a browser keeps of a response.
pub(super) fn kept(fields: &str) -> Vec<String> {
    let pairs = fields.lines().map(|line| {
        let pair = line.strip_prefix("Set-Cookie: ").unwrap();
        pair.split(';').next().unwrap().to_owned()
    });
    pairs.collect()
}
