//! Stickiness on the way of a request: where its cookie leads, and the one that goes back.

use super::request::Request;
use super::{Proxy, RequestRecord};
use crate::http1::Field;
use crate::snapshot::Group;
use crate::stickiness::Visit;
use crate::target::{Lease, TargetKey};

impl Proxy {
    /// What the client's cookies say about its target; none where the group has no stickiness.
    pub(super) fn visit(
        &self,
        request: &Request<'_>,
        group: &Group,
        record: &RequestRecord<'_>,
    ) -> Option<Visit> {
        let sticky = group.stickiness()?;
        let cookies = request.head.fields().filter(is_cookie);
        Some(Visit::read(
            &self.secrets.keyring,
            &request.entrance.load_balancer.name,
            sticky,
            cookies.map(|field| field.value),
            record.arrived_at(),
        ))
    }

    /// A place at the target that the client sticks to, if it may take the request.
    pub(super) fn stick(
        &self,
        visit: &Visit,
        group: &Group,
        tried: &[TargetKey],
        record: &RequestRecord<'_>,
    ) -> Option<Lease> {
        group.pick_sticky(visit.target()?, tried, record.arrived())
    }

    /// Lets the response say which target the client sticks to from now on.
    pub(super) fn stay_with(
        &self,
        visit: &Visit,
        request: &Request<'_>,
        group: &Group,
        lease: &Lease,
        record: &mut RequestRecord<'_>,
    ) {
        let name = &request.entrance.load_balancer.name;
        let tag = group.tag(&lease.key);
        record.set_cookies = visit.write(&self.secrets.keyring, name, tag, record.arrived_at());
    }
}

fn is_cookie(field: &Field<'_>) -> bool {
    field.name.eq_ignore_ascii_case(b"cookie")
}
