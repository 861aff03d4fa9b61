//! Keeps web pages from misusing the browser of an operator.
//!
//! A page anywhere can make a browser send requests to a loopback address. It cannot read the
//! answers, so reading needs no guard; but a request that changes something must not come from a
//! foreign page. Browsers say where a request comes from (`Origin`, `Sec-Fetch-Site`), and other
//! clients send neither and are let through. A page whose own name is made to resolve to this
//! address (DNS rebinding) would count as the same origin: so a browser must have asked for an IP
//! address or `localhost`, which no name server can redirect.

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::Refusal;

/// Lets a request through, or refuses it with 403.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    if !request.method().is_safe()
        && let Err(error) = check(request.headers())
    {
        let help = "open the admin page under its IP address or localhost and act there, or use a \
                    client that is no browser";
        return Refusal::new(StatusCode::FORBIDDEN, error, help).into_response();
    }
    next.run(request).await
}

fn check(headers: &HeaderMap) -> Result<(), &'static str> {
    const FOREIGN: &str = "this request was made by a page of another site";
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if !matches!(text("sec-fetch-site"), None | Some("same-origin" | "none")) {
        return Err(FOREIGN);
    }
    let Some(origin) = text("origin") else {
        return Ok(());
    };
    let host = text("host").unwrap_or_default();
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
        return Err(FOREIGN);
    }
    match is_address(host) {
        true => Ok(()),
        false => Err("this request came from a page under a host name"),
    }
}

/// Whether `host:port` names an IP address or `localhost`.
fn is_address(host: &str) -> bool {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let last = name.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn verdict(fields: &[(&'static str, &str)]) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, value.parse().unwrap());
        }
        check(&headers)
    }

    #[test]
    fn a_client_that_is_no_browser_may_use_any_name() {
        assert_eq!(verdict(&[("host", "elbow.internal:9900")]), Ok(()));
    }

    #[test]
    fn the_admin_page_itself_may_act() {
        for host in [
            "127.0.0.1:9900",
            "[::1]:9900",
            "localhost:9900",
            "LOCALHOST",
            "10.1.2.3",
        ] {
            let origin = format!("http://{host}");
            let fields = [
                ("host", host),
                ("origin", &origin),
                ("sec-fetch-site", "same-origin"),
            ];
            assert_eq!(verdict(&fields), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        let host = ("host", "127.0.0.1:9900");
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:80",
            "null",
            "https://localhost",
        ] {
            assert!(verdict(&[host, ("origin", origin)]).is_err(), "{origin}");
        }
        assert!(verdict(&[host, ("sec-fetch-site", "cross-site")]).is_err());
        assert!(verdict(&[host, ("sec-fetch-site", "same-site")]).is_err());
    }

    #[test]
    fn a_name_that_a_name_server_can_redirect_is_no_proof() {
        let rebound = [
            ("host", "evil.example:9900"),
            ("origin", "http://evil.example:9900"),
        ];
        assert!(verdict(&rebound).is_err());
        let looks_like = [
            ("host", "127.0.0.1.evil.example"),
            ("origin", "http://127.0.0.1.evil.example"),
        ];
        assert!(verdict(&looks_like).is_err());
    }
}
