//! Which target a client sticks to: the cookies that say so.
//!
//! | who sticks | cookies | file |
//! | --- | --- | --- |
//! | to a target, for a time (ALB: `lb_cookie`) | `AWSALB`, `AWSALBCORS` | `lb_cookie` |
//! | to a target, beside a cookie of the application (ALB: `app_cookie`) | `AWSALBAPP-0` to `-3` | `app_cookie` |
//! | to one of several groups (ALB: `TargetGroupStickinessConfig`) | `AWSALBTG`, `AWSALBTGCORS` | `group_cookie` |
//! | to an instance of a Classic load balancer | `AWSELB`, `AWSELBCORS` | `classic` |
//!
//! A [`Policy`] says how the clients of a target group stick; [`Visit::read`] finds out what a
//! client's cookies say, [`Visit::write`] what the response tells it. [`GroupVisit`] does the same
//! for groups. A target is known by a [`tag`] of its identity; nothing here knows targets.
//!
//! One cookie serves several groups of a load balancer: it remembers the last ones, so that a site
//! whose paths lead to several groups sticks in each. What cannot be opened, is too old, or was made
//! by another load balancer is as if it were not there.

mod app_cookie;
mod classic;
mod cookies;
mod group_cookie;
mod lb_cookie;
mod slots;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::keyring::{Keyring, Purpose};
use slots::Slot;

pub use app_cookie::takes_same_site_none;
pub use cookies::sets;
pub use group_cookie::{GroupChoice, GroupVisit};

/// How long a browser keeps a cookie of ALB's: neither less nor more.
const EXPIRES: Duration = Duration::from_secs(7 * 24 * 3600);

/// How the clients of a target group stick to their targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// For so long after the last response (ALB: `lb_cookie`).
    Balancer {
        /// 1 s to 7 days.
        duration: Duration,
    },
    /// While the client brings the application's cookie, too, and for so long after the last
    /// response (ALB: `app_cookie`).
    Application {
        /// The name of the application's cookie.
        cookie: Arc<str>,
        /// 1 s to 7 days.
        duration: Duration,
    },
    /// For as long as the client keeps the cookie (Classic: `LBCookieStickinessPolicy`).
    Classic {
        /// How long it is told to, from the first response on; none means until the browser ends.
        expires: Option<Duration>,
    },
    /// For as long as the client keeps the application's cookie (Classic:
    /// `AppCookieStickinessPolicy`).
    ClassicApplication {
        /// The name of the application's cookie.
        cookie: Arc<str>,
    },
}

impl Policy {
    /// The application's cookie that it follows.
    pub fn application_cookie(&self) -> Option<&str> {
        match self {
            Self::Application { cookie, .. } | Self::ClassicApplication { cookie } => Some(cookie),
            Self::Balancer { .. } | Self::Classic { .. } => None,
        }
    }

    fn purpose(&self) -> Purpose {
        match self.application_cookie() {
            Some(_) => Purpose::ApplicationStickiness,
            None => Purpose::Stickiness,
        }
    }

    /// After which time without a response the balancer forgets; a Classic one leaves that to the
    /// client, so nothing but the age of the key sets a limit.
    fn duration(&self) -> Duration {
        match self {
            Self::Balancer { duration } | Self::Application { duration, .. } => *duration,
            Self::Classic { .. } | Self::ClassicApplication { .. } => Duration::MAX,
        }
    }

    /// How many groups a cookie remembers.
    fn memory(&self) -> usize {
        match self {
            Self::Application { .. } => app_cookie::GROUPS,
            Self::Balancer { .. } | Self::Classic { .. } | Self::ClassicApplication { .. } => {
                slots::FEWEST
            }
        }
    }
}

impl fmt::Display for Policy {
    /// Such as `AWSALB for 1day`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |time: &Duration| humantime::format_duration(*time);
        match self {
            Self::Balancer { duration } => write!(f, "AWSALB for {}", span(duration)),
            Self::Application { cookie, duration } => {
                write!(f, "{cookie} with AWSALBAPP for {}", span(duration))
            }
            Self::Classic { expires: None } => f.write_str("AWSELB until the browser ends"),
            Self::Classic {
                expires: Some(time),
            } => write!(f, "AWSELB for {}", span(time)),
            Self::ClassicApplication { cookie } => write!(f, "{cookie} with AWSELB"),
        }
    }
}

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

/// Who reads and writes: the keys, the load balancer's name, and when the request came.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'s> {
    /// The keys of the cookies.
    pub keyring: &'s Keyring,
    /// The load balancer: its cookies open for nobody else.
    pub load_balancer: &'s str,
    /// The time by the calendar.
    pub now: SystemTime,
}

impl Scene<'_> {
    fn open(&self, purpose: Purpose, text: &[u8]) -> Option<Vec<u8>> {
        let context = self.load_balancer.as_bytes();
        self.keyring.open(purpose, context, text)
    }

    /// The sealed text, unless there is no key.
    fn seal(&self, purpose: Purpose, plain: &[u8]) -> Option<Vec<u8>> {
        let mut text = Vec::with_capacity(192);
        let context = self.load_balancer.as_bytes();
        let sealed = self
            .keyring
            .seal(&mut text, purpose, context, plain, self.now);
        sealed.then_some(text)
    }
}

/// What a client brought, for a request to one group.
#[derive(Clone, Debug)]
pub struct Visit {
    group: u64,
    /// The last first; those of other groups only.
    others: Vec<Slot>,
    target: Option<u64>,
    /// How many cookies the balancer's text came in.
    shards: usize,
}

/// What a response says that matters here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Response<'r> {
    /// The last `Set-Cookie` of the target that sets the application's cookie.
    pub set_cookie: Option<&'r [u8]>,
    /// Whether the client wants `SameSite=None; Secure`, and takes it.
    pub is_cross_site: bool,
}

impl Visit {
    /// What the `Cookie` fields of a request say, for the group with this tag.
    pub fn read<'c>(
        policy: &Policy,
        group: u64,
        fields: impl Iterator<Item = &'c [u8]> + Clone,
        scene: Scene<'_>,
    ) -> Self {
        let mut visit = Self {
            group,
            others: Vec::new(),
            target: None,
            shards: 0,
        };
        let purpose = policy.purpose();
        let open = |text: Option<Cow<'_, [u8]>>| {
            let plain = text.and_then(|text| scene.open(purpose, &text));
            plain.map_or_else(Vec::new, |plain| slots::read(&plain))
        };
        let slots = match policy {
            Policy::Balancer { .. } => open(lb_cookie::text(fields.clone()).map(Cow::Borrowed)),
            Policy::Application { .. } => {
                let (text, shards) = app_cookie::text(fields.clone());
                visit.shards = shards;
                open(text)
            }
            Policy::Classic { .. } | Policy::ClassicApplication { .. } => {
                let texts = classic::texts(fields.clone());
                let several = texts.map(|text| open(Some(Cow::Borrowed(text))));
                slots::newest(several, group)
            }
        };
        let (now, longest) = (seconds(scene.now), policy.duration());
        let mut target = None;
        for slot in slots {
            if slot.group != group {
                visit.others.push(slot);
            } else if slot.age(now) < longest {
                target = Some(slot.target);
            }
        }
        // An application's cookie that the client has lost, or never had, ends its session.
        let name = policy.application_cookie();
        visit.target = target.filter(|_| name.is_none_or(|name| cookies::has(fields, name)));
        visit
    }

    /// The tag of the target that the client sticks to.
    pub fn target(&self) -> Option<u64> {
        self.target
    }

    /// The `Set-Cookie` fields of the response of a target.
    pub fn write(
        &self,
        policy: &Policy,
        target: u64,
        response: Response<'_>,
        scene: Scene<'_>,
    ) -> Vec<u8> {
        let (goes_on, moves) = (self.target.is_some(), self.target != Some(target));
        let is_due = match policy {
            Policy::Balancer { .. } => true,
            Policy::Application { .. } => response.set_cookie.is_some() || goes_on,
            Policy::Classic { .. } => moves,
            Policy::ClassicApplication { .. } => {
                response.set_cookie.is_some_and(classic::is_followed) || goes_on && moves
            }
        };
        if !is_due {
            return Vec::new();
        }
        let own = Slot {
            group: self.group,
            target,
            at: seconds(scene.now),
        };
        let plain = slots::write(own, &self.others, policy.memory());
        let Some(text) = scene.seal(policy.purpose(), &plain) else {
            return Vec::new();
        };
        let mut out = Vec::with_capacity(512);
        match policy {
            Policy::Balancer { .. } => lb_cookie::write(&mut out, &text, scene.now),
            Policy::Application { .. } => {
                let cross_site = response.is_cross_site;
                app_cookie::write(&mut out, &text, self.shards, cross_site, scene.now);
            }
            Policy::Classic { expires } => classic::write(&mut out, &text, *expires),
            Policy::ClassicApplication { .. } => {
                classic::follow(&mut out, &text, response.set_cookie);
            }
        }
        out
    }
}

fn seconds(time: SystemTime) -> u32 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
