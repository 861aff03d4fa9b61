//! Stickiness on the way of a request: where its cookies lead, and those that go back.

use std::time::SystemTime;

use smallvec::SmallVec;

use super::request::Request;
use super::{Proxy, RequestRecord};
use crate::http1::{FieldName, ResponseHead};
use crate::keyring::Keyring;
use crate::routing::Scheme;
use crate::snapshot::{Forward, Group};
use crate::stickiness::{
    GroupChoice, GroupVisit, Policy, Response, Scene, Visit, sets, takes_same_site_none,
};
use crate::target::Lease;

/// ALB's word for a cookie of a target group that does not open; the request goes on as a new one.
const GROUP_COOKIE_INVALID: &str = "AWSALBTGCookieInvalid";

/// Where the client of a request stays. There is none unless its rule or its group is sticky.
#[derive(Debug)]
pub(super) struct Stay<'r> {
    keyring: Keyring,
    load_balancer: &'r str,
    now: SystemTime,
    /// What it brought for the groups of its rule, and the tag of the one that was chosen.
    group: Option<(GroupVisit, u64)>,
    /// How the clients of the chosen group stay, and what it brought for that.
    target: Option<(&'r Policy, Visit)>,
    /// The tag of the target now being asked.
    asked: u64,
}

impl Stay<'_> {
    fn scene(&self) -> Scene<'_> {
        Scene {
            keyring: &self.keyring,
            load_balancer: self.load_balancer,
            now: self.now,
        }
    }

    /// The tag of the target that the client's cookies lead to.
    pub(super) fn target(&self) -> Option<u64> {
        self.target.as_ref()?.1.target()
    }

    /// Notes the target that is asked next.
    pub(super) fn asks(&mut self, group: &Group, lease: &Lease) {
        if self.target.is_some() {
            self.asked = group.tag_of(&lease.key);
        }
    }

    /// The lines of `Set-Cookie` for the response of the target now being asked.
    pub(super) fn cookies(
        &self,
        request: &Request<'_>,
        head: &ResponseHead,
        bytes: &[u8],
    ) -> Vec<u8> {
        let mut lines = Vec::new();
        if let Some((visit, tag)) = &self.group {
            lines = visit.write(*tag, self.scene());
        }
        if let Some((policy, visit)) = &self.target {
            let response = match policy.application_cookie() {
                None => Response::default(),
                Some(name) => Response {
                    set_cookie: head
                        .fields(bytes)
                        .filter(|field| field.name.eq_ignore_ascii_case(b"set-cookie"))
                        .map(|field| field.value)
                        .filter(|value| sets(value, name))
                        .last(),
                    is_cross_site: takes_cross_site(request),
                },
            };
            lines.extend(visit.write(policy, self.asked, response, self.scene()));
        }
        lines
    }
}

impl Proxy {
    /// The group of a forward that the client sticks to, or else one by weight.
    pub(super) fn choose_group<'r>(
        &self,
        request: &Request<'r>,
        forward: &'r Forward,
        record: &mut RequestRecord<'r>,
    ) -> Option<&'r Group> {
        let Some(duration) = forward.stickiness() else {
            return forward.choose().map(|group| &**group);
        };
        let mut stay = self.stay(request, record);
        let cookies = request.head.values(FieldName::Cookie);
        let visit = GroupVisit::read(forward.tags(), duration, cookies, stay.scene());
        let stuck = match visit.choice() {
            GroupChoice::Sticks(tag) => forward.by_tag(tag),
            GroupChoice::Free => None,
            GroupChoice::Invalid => {
                record.noted(GROUP_COOKIE_INVALID);
                None
            }
        };
        let group = stuck.or_else(|| forward.choose())?;
        stay.group = Some((visit, group.tag()));
        record.stay = Some(stay);
        Some(group)
    }

    /// Reads what the client's cookies say about its target, if the clients of the group stay.
    pub(super) fn visit<'r>(
        &self,
        request: &Request<'r>,
        group: &'r Group,
        record: &mut RequestRecord<'r>,
    ) {
        let Some(policy) = &group.settings().stickiness else {
            return;
        };
        let stay = record.stay.take();
        let mut stay = stay.unwrap_or_else(|| self.stay(request, record));
        let cookies: SmallVec<[&[u8]; 4]> = request.head.values(FieldName::Cookie).collect();
        let cookies = cookies.iter().copied();
        let visit = Visit::read(policy, group.tag(), cookies, stay.scene());
        stay.target = Some((policy, visit));
        record.stay = Some(stay);
    }

    fn stay<'r>(&self, request: &Request<'r>, record: &RequestRecord<'r>) -> Box<Stay<'r>> {
        Box::new(Stay {
            keyring: self.secrets.keyring.clone(),
            load_balancer: &request.entrance.load_balancer.name,
            now: record.arrived_at(),
            group: None,
            target: None,
            asked: 0,
        })
    }
}

/// Counts a request whose target was chosen anew, though the clients of its group stay.
pub(super) fn count_non_sticky(request: &Request<'_>, policy: &Policy) {
    let metrics = &request.entrance.metrics;
    metrics.non_sticky_requests.inc();
    if policy.application_cookie().is_some() {
        metrics.app_cookie_non_sticky_requests.inc();
    }
}

/// Whether a cookie for other sites is of use to the client: not over plain HTTP, where browsers drop it.
fn takes_cross_site(request: &Request<'_>) -> bool {
    let schemes = [Some(request.ends.scheme()), request.origin.scheme];
    let agent = request.head.value(FieldName::UserAgent);
    schemes.contains(&Some(Scheme::Https)) && agent.is_some_and(takes_same_site_none)
}
