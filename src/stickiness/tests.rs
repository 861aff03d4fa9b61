//! What holds for all kinds of cookies, whatever clients and targets write.

use std::time::Duration;

use proptest::prelude::*;

use super::sample::Place;
use super::{GroupChoice, GroupVisit, Policy, Response, Visit, sets, takes_same_site_none};

const HOUR: Duration = Duration::from_secs(3600);

fn policies() -> [Policy; 4] {
    [
        Policy::Balancer { duration: HOUR },
        Policy::Application {
            cookie: "session".into(),
            duration: HOUR,
        },
        Policy::Classic { expires: None },
        Policy::ClassicApplication {
            cookie: "session".into(),
        },
    ]
}

/// Pieces of cookies, put together in any order.
fn cookies() -> impl Strategy<Value = Vec<u8>> {
    let names = "(AWSALB|AWSALBCORS|AWSALBTG|AWSALBTGCORS|AWSALBAPP-[0-4]|AWSELB|session)";
    let pieces = prop_oneof![
        names.prop_map(String::into_bytes),
        "[=; ,\"%_A-Za-z0-9-]{0,40}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
        Just(b"; session=1; ".to_vec()),
        Just(b"=_remove_; ".to_vec()),
    ];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_that_a_client_makes_up_leads_to_a_target(
        fields in prop::collection::vec(cookies(), 0..3),
    ) {
        let place = Place::new();
        let values = || fields.iter().map(Vec::as_slice);
        for policy in policies() {
            let visit = Visit::read(&policy, 1, values(), place.scene());
            prop_assert_eq!(visit.target(), None);
        }
        let visit = GroupVisit::read(&[1, 2], HOUR, values(), place.scene());
        prop_assert!(!matches!(visit.choice(), GroupChoice::Sticks(_)));
    }

    #[test]
    fn whatever_a_target_sets_becomes_whole_lines(
        set_cookie in prop::collection::vec(any::<u8>(), 0..60),
        user_agent in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        // A field's value holds none of these.
        let set_cookie: Vec<u8> = set_cookie
            .into_iter()
            .filter(|byte| !b"\r\n\0".contains(byte))
            .collect();
        let place = Place::new();
        let response = Response {
            set_cookie: sets(&set_cookie, "session").then_some(&set_cookie[..]),
            is_cross_site: takes_same_site_none(&user_agent),
        };
        for policy in policies() {
            let visit = Visit::read(&policy, 1, std::iter::empty(), place.scene());
            let lines = visit.write(&policy, 7, response, place.scene());
            let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
            for line in lines {
                prop_assert!(line.starts_with(b"Set-Cookie: AWS") && line.ends_with(b"\r\n"));
            }
        }
    }

    #[test]
    fn what_was_written_leads_back_to_the_target(group: u64, target: u64) {
        let place = Place::new();
        let response = Response {
            set_cookie: Some(b"session=1"),
            is_cross_site: false,
        };
        for policy in policies() {
            let text = place.answer(&policy, group, "", target, response);
            let cookies = super::sample::kept(&text).join("; ") + "; session=1";
            prop_assert_eq!(place.target(&policy, group, &cookies), Some(target));
            prop_assert_eq!(place.target(&policy, group ^ 1, &cookies), None);
        }
    }
}
