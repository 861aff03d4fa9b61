//! Keys that a reader of AWS's manual may try, and that Elbow does not offer: what to use instead.
//!
//! They would be unknown keys anyway; but who writes one of these knows what it means, and is told why it is not here.

/// What to say about a key of AWS's that has no meaning here.
pub(super) fn unoffered(key: &str) -> Option<Unoffered> {
    let key = key.to_ascii_lowercase().replace(['-', '.'], "_");
    let (what, instead) = match &*key {
        "authenticate_cognito" | "cognito" => (
            "Amazon Cognito runs at AWS only",
            "a user pool speaks OpenID Connect: write authenticate_oidc with its issuer, \
             https://cognito-idp.REGION.amazonaws.com/POOL",
        ),
        "lambda" | "lambda_arn" | "lambda_multi_value_headers_enabled" => (
            "Lambda functions run at AWS only",
            "put an HTTP server in front of the function, such as the Lambda Runtime Interface Emulator or the \
             Lambda Web Adapter, and register its address in `targets`",
        ),
        "outbound" | "egress" | "security_group_egress" => (
            "what goes out is always let out: Elbow connects to targets, and to what its configuration names",
            "leave it out; a security group has `inbound` rules only",
        ),
        "ingress" | "ip_permissions" => (
            "the rules of a security group or a network ACL are called `inbound`, as in AWS's console",
            "write inbound = [{ port = 443, source = \"0.0.0.0/0\" }]",
        ),
        "target_type" => (
            "targets have no type: instances and containers are registered by their address or name in `targets`",
            "for a Lambda function, put an HTTP server in front of it, such as the Lambda Runtime Interface \
             Emulator; for another load balancer, register its address",
        ),
        key if key == "waf"
            || key == "web_acl"
            || key.starts_with("waf_")
            || key.starts_with("wafv2") =>
        {
            (
                "AWS WAF runs at AWS only",
                "rules with source_ip, header, query and path conditions can answer 403 by fixed_response; for \
             inspecting bodies, put a filter such as Coraza or ModSecurity between Elbow and the targets",
            )
        }
        _ => return None,
    };
    Some(Unoffered { what, instead })
}

/// Why a key is not offered.
#[derive(Debug)]
pub(super) struct Unoffered {
    pub(super) what: &'static str,
    pub(super) instead: &'static str,
}
