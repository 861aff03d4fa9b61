//! Where a client believes itself to be: a region and an account, which ARNs name.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// There is one account.
const ACCOUNT: &str = "000000000000";

/// There are no networks to tell apart: what has an id in one has this.
pub(super) const VPC: &str = "vpc-elbow";

/// For clients that sign nothing.
const REGION: &str = "us-east-1";

/// What ARNs are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `us-east-1`
    pub(super) region: String,
    /// 12 digits.
    pub(super) account: &'static str,
}

impl Place {
    /// The region that the request is signed for (`Credential=KEY/20261125/us-east-1/elasticloadbalancing/...`).
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let authorization = headers.get(AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok());
        let credential = authorization.and_then(|value| value.split_once("Credential="));
        let region = credential.and_then(|(_, scope)| scope.split('/').nth(2));
        let region = region.filter(|region| {
            let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !region.is_empty() && region.bytes().all(is_fit)
        });
        Self {
            region: region.unwrap_or(REGION).to_owned(),
            account: ACCOUNT,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn region(authorization: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        Place::of(&headers).region
    }

    #[test]
    fn the_region_is_the_one_that_a_request_is_signed_for() {
        let signed = "AWS4-HMAC-SHA256 Credential=AKID/20261125/eu-central-1/elasticloadbalancing/\
                      aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(region(signed), "eu-central-1");
        for odd in [
            "Bearer x",
            "Credential=a/b",
            "Credential=a/b/<c>/d",
            "Credential=a/b//d",
        ] {
            assert_eq!(region(odd), REGION, "{odd}");
        }
        assert_eq!(Place::of(&HeaderMap::new()).region, REGION);
    }
}
