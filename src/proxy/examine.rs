//! What the proxy makes of a request's head, for whoever wants to know without sending it.

use std::net::SocketAddr;

use super::admit;
use super::ends::Ends;
use super::error::ProxyError;
use super::headers::Origin;
use super::request::{HeadFields, Request};
use super::transform::transformed;
use crate::http1::RequestHead;
use crate::routing::{RequestView, TransformError, Transformed, Transforms};
use crate::snapshot::Entrance;
use crate::tls::Facts;

/// A request that would be let in.
#[derive(Debug)]
pub struct Examined<'r> {
    request: Request<'r>,
}

/// Looks at the request with this head that `client` sends to the node's address, or says why it would be refused.
pub fn examine<T>(
    entrance: &Entrance,
    head: &RequestHead,
    client: SocketAddr,
    node: SocketAddr,
    look: impl FnOnce(Examined<'_>) -> T,
) -> Result<T, ProxyError> {
    let mut ends = Ends::new(client, node);
    if entrance.listener.is_secure {
        ends = ends.with_tls(Facts::default());
    }
    let trusted = entrance.load_balancer.trusted_proxies.as_ref();
    let origin = Origin::of(head, &ends, trusted);
    let request = admit(entrance, &ends, origin, head)?;
    Ok(look(Examined { request }))
}

impl Examined<'_> {
    /// What rules see of it.
    pub fn look<T>(&self, look: impl FnOnce(&RequestView<'_>) -> T) -> T {
        let fields = HeadFields(self.request.head);
        look(&self.request.view(&fields))
    }

    /// What a target would get instead of host, path and query.
    pub fn transformed(
        &self,
        transforms: Option<&Transforms>,
    ) -> Result<Transformed, TransformError> {
        transformed(&self.request, transforms)
    }
}
