//! ALB's stickiness of target groups: `AWSALBTG`, and `AWSALBTGCORS` for requests from other sites.
//!
//! Both are set by every response and kept for 7 days; the duration that is set is checked inside, and
//! counts from the last response. One cookie remembers the last four groups, so that a site with
//! several rules sticks in each. A group whose weight has become 0 keeps the clients that it has, so
//! that it can be emptied gently; one that is left out of the rule does not.

use std::time::Duration;

use super::cookies::{self, CROSS_SITE};
use super::slots::{self, Slot};
use super::{Scene, seconds};
use crate::keyring::Purpose;

const NAME: &str = "AWSALBTG";
const CORS: &str = "AWSALBTGCORS";

/// What a client brought, for a request to one of several groups.
#[derive(Clone, Debug)]
pub struct GroupVisit {
    /// Of groups that are not to choose from here; the last first.
    others: Vec<Slot>,
    choice: GroupChoice,
}

/// To which group the client sticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupChoice {
    /// To the one with this tag.
    Sticks(u64),
    /// To none: the client is new here, or was away for too long.
    Free,
    /// To none: its cookie is none of ours.
    Invalid,
}

impl GroupVisit {
    /// What the `Cookie` fields of a request say, for one of the groups with these tags.
    pub fn read<'c>(
        groups: &[u64],
        duration: Duration,
        fields: impl Iterator<Item = &'c [u8]>,
        scene: Scene<'_>,
    ) -> Self {
        let mut visit = Self {
            others: Vec::new(),
            choice: GroupChoice::Free,
        };
        let Some(text) = cookies::either(fields, CORS, NAME) else {
            return visit;
        };
        let Some(plain) = scene.open(Purpose::GroupStickiness, text) else {
            visit.choice = GroupChoice::Invalid;
            return visit;
        };
        let now = seconds(scene.now);
        for slot in slots::read(&plain) {
            if !groups.contains(&slot.group) {
                visit.others.push(slot);
            } else if slot.age(now) < duration && visit.choice == GroupChoice::Free {
                visit.choice = GroupChoice::Sticks(slot.group);
            }
        }
        visit
    }

    /// To which group the client sticks.
    pub fn choice(&self) -> GroupChoice {
        self.choice
    }

    /// The two `Set-Cookie` fields of the response of a target of this group.
    pub fn write(&self, group: u64, scene: Scene<'_>) -> Vec<u8> {
        let own = Slot {
            group,
            target: 0,
            at: seconds(scene.now),
        };
        let plain = slots::write(own, &self.others, slots::FEWEST);
        let Some(text) = scene.seal(Purpose::GroupStickiness, &plain) else {
            return Vec::new();
        };
        let mut out = Vec::with_capacity(512);
        let expires = scene.now + super::EXPIRES;
        cookies::set(&mut out, NAME, &text, expires, "");
        cookies::set(&mut out, CORS, &text, expires, CROSS_SITE);
        out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::super::sample::{Place, kept};
    use super::GroupChoice::{Free, Invalid, Sticks};
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn visit(place: &Place, groups: &[u64], cookie: &str) -> GroupVisit {
        let fields = [cookie.as_bytes()].into_iter();
        GroupVisit::read(groups, HOUR, fields, place.scene())
    }

    fn after(place: &Place, groups: &[u64], cookie: &str, group: u64) -> Vec<String> {
        let text = visit(place, groups, cookie).write(group, place.scene());
        kept(&String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_client_sticks_to_a_group_for_the_duration_by_either_cookie() {
        let place = Place::new();
        let both = after(&place, &[1, 2], "", 2);
        assert!(both[0].starts_with("AWSALBTG=") && both[1].starts_with("AWSALBTGCORS="));
        for cookie in both {
            assert_eq!(visit(&place, &[1, 2], &cookie).choice(), Sticks(2));
            let just = place.later(HOUR - Duration::from_secs(1));
            assert_eq!(visit(&just, &[1, 2], &cookie).choice(), Sticks(2));
            assert_eq!(visit(&place.later(HOUR), &[1, 2], &cookie).choice(), Free);
        }
    }

    #[test]
    fn both_last_seven_days_and_one_is_for_other_sites() {
        let place = Place::new();
        let text = visit(&place, &[1], "").write(1, place.scene());
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let end = "; Expires=Fri, 22 Jan 2027 08:00:00 GMT; Path=/";
        assert!(lines[0].ends_with(end), "{text}");
        assert!(
            lines[1].ends_with(&format!("{end}; SameSite=None; Secure")),
            "{text}"
        );
    }

    #[test]
    fn a_client_of_a_group_that_has_left_the_rule_is_free() {
        let place = Place::new();
        let cookie = after(&place, &[1, 2], "", 2)[0].clone();
        assert_eq!(visit(&place, &[1, 3], &cookie).choice(), Free);
    }

    #[test]
    fn a_client_sticks_in_several_rules() {
        let place = Place::new();
        let first = after(&place, &[1, 2], "", 2)[0].clone();
        let second = after(&place, &[8, 9], &first, 8)[0].clone();
        assert_eq!(visit(&place, &[1, 2], &second).choice(), Sticks(2));
        assert_eq!(visit(&place, &[8, 9], &second).choice(), Sticks(8));
    }

    #[test]
    fn a_cookie_that_does_not_open_is_invalid() {
        let place = Place::new();
        let good = after(&place, &[1], "", 1)[0].clone();
        let forged = good.replacen("AWSALBTG=", "AWSALBTG=A", 1);
        for bad in ["AWSALBTG=", "AWSALBTG=%41%42", &forged] {
            assert_eq!(visit(&place, &[1], bad).choice(), Invalid, "{bad}");
        }
        assert_eq!(visit(&Place::new(), &[1], &good).choice(), Invalid);
        // A cookie of another purpose is none of these.
        let target = good.replacen("AWSALBTG=", "AWSALB=", 1);
        assert_eq!(visit(&place, &[1], &target).choice(), Free);
    }
}
