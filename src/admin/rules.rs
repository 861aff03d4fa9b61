//! `/rules`: what every listener does with which requests, in ALB's words.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::routing::{Condition, FixedResponse, Redirect, RedirectPart, Rule, Transforms};
use crate::snapshot::{Action, Authenticator, Forward, Listener, LoadBalancer};

use super::Context;
use super::load_balancers::span;

#[derive(Debug, Serialize)]
pub(super) struct Listeners {
    listeners: Vec<ListenerDocument>,
}

#[derive(Debug, Serialize)]
struct ListenerDocument {
    load_balancer: String,
    port: u16,
    protocol: &'static str,
    rules: Vec<RuleDocument>,
}

#[derive(Debug, Serialize)]
struct RuleDocument {
    /// A number, or `default`, as ALB has it.
    priority: String,
    conditions: Vec<ConditionDocument>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transforms: Vec<TransformDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticate: Option<AuthenticateDocument>,
    action: ActionDocument,
}

/// What stands before the action; no secret is in it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum AuthenticateDocument {
    AuthenticateOidc {
        issuer: String,
        authorization_endpoint: String,
        token_endpoint: String,
        user_info_endpoint: String,
        client_id: String,
        scope: String,
        session_cookie_name: String,
        session_timeout_seconds: u64,
    },
    JwtValidation {
        issuer: String,
        jwks_endpoint: String,
        additional_claims: Vec<String>,
    },
}

#[derive(Debug, Serialize)]
struct TransformDocument {
    r#type: &'static str,
    regex: String,
    replace: String,
}

#[derive(Debug, Serialize)]
struct ConditionDocument {
    field: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_header_name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regex_values: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum ActionDocument {
    Forward {
        target_groups: Vec<ChoiceDocument>,
        /// How long a client stays with its group; none is not at all.
        #[serde(skip_serializing_if = "Option::is_none")]
        stickiness: Option<String>,
    },
    Redirect {
        protocol: String,
        host: String,
        port: String,
        path: String,
        query: String,
        status_code: u16,
    },
    FixedResponse {
        status_code: u16,
        content_type: &'static str,
        message_body: String,
    },
}

#[derive(Debug, Serialize)]
struct ChoiceDocument {
    target_group: String,
    weight: u32,
}

pub(super) async fn list(State(context): State<Context>) -> Json<Listeners> {
    let snapshot = context.snapshot();
    let documents = snapshot.load_balancers.iter().flat_map(|load_balancer| {
        let listeners = load_balancer.listeners.iter();
        listeners.map(|listener| document(load_balancer, listener))
    });
    Json(Listeners {
        listeners: documents.collect(),
    })
}

fn document(load_balancer: &LoadBalancer, listener: &Listener) -> ListenerDocument {
    let rules = listener.rules.rules().iter().map(rule);
    let default = RuleDocument {
        priority: "default".to_owned(),
        conditions: Vec::new(),
        transforms: Vec::new(),
        authenticate: authenticate(listener.rules.default_action()),
        action: action(listener.rules.default_action()),
    };
    ListenerDocument {
        load_balancer: load_balancer.name.to_string(),
        port: listener.port,
        protocol: listener.protocol(),
        rules: rules.chain([default]).collect(),
    }
}

fn rule(rule: &Rule<Action>) -> RuleDocument {
    RuleDocument {
        priority: rule.priority().to_string(),
        conditions: rule.conditions().iter().map(condition).collect(),
        transforms: rule.transforms().map(transforms).unwrap_or_default(),
        authenticate: authenticate(rule.action()),
        action: action(rule.action()),
    }
}

fn authenticate(action: &Action) -> Option<AuthenticateDocument> {
    let Action::Authenticate(authenticated) = action else {
        return None;
    };
    Some(match &authenticated.by {
        Authenticator::Oidc(oidc) => {
            let settings = oidc.settings();
            AuthenticateDocument::AuthenticateOidc {
                issuer: settings.issuer.clone(),
                authorization_endpoint: settings.authorization_endpoint.url(),
                token_endpoint: settings.token_endpoint.url(),
                user_info_endpoint: settings.user_info_endpoint.url(),
                client_id: settings.client_id.clone(),
                scope: settings.scope.clone(),
                session_cookie_name: settings.session_cookie_name.clone(),
                session_timeout_seconds: settings.session_timeout.as_secs(),
            }
        }
        Authenticator::Jwt(jwt) => {
            let settings = jwt.settings();
            let claims = settings.claims.iter().map(|claim| claim.name().to_owned());
            AuthenticateDocument::JwtValidation {
                issuer: settings.issuer.clone(),
                jwks_endpoint: settings.jwks_endpoint.url(),
                additional_claims: claims.collect(),
            }
        }
    })
}

fn transforms(transforms: &Transforms) -> Vec<TransformDocument> {
    let host_header = transforms.host_header.as_ref();
    let host_header = host_header.map(|rewrite| TransformDocument {
        r#type: "host-header-rewrite",
        regex: rewrite.regex(),
        replace: rewrite.replacement().to_owned(),
    });
    let url = transforms.url.as_ref().map(|rewrite| TransformDocument {
        r#type: "url-rewrite",
        regex: rewrite.regex(),
        replace: rewrite.replacement().to_owned(),
    });
    host_header.into_iter().chain(url).collect()
}

fn condition(condition: &Condition) -> ConditionDocument {
    let texts = condition.texts();
    let (values, regex_values) = match condition.is_regex() {
        true => (Vec::new(), texts),
        false => (texts, Vec::new()),
    };
    ConditionDocument {
        field: condition.kind().as_str(),
        http_header_name: match condition {
            Condition::HttpHeader(header) => Some(header.name().to_owned()),
            _ => None,
        },
        values,
        regex_values,
    }
}

fn action(of: &Action) -> ActionDocument {
    match of {
        Action::Forward(forward) => forward_action(forward),
        Action::Redirect(redirect) => redirect_action(redirect),
        Action::FixedResponse(response) => fixed_response_action(response),
        Action::Authenticate(authenticated) => action(&authenticated.then),
    }
}

fn forward_action(forward: &Forward) -> ActionDocument {
    let choices = forward.choices().iter().map(|choice| ChoiceDocument {
        target_group: choice.group.settings().name.to_string(),
        weight: choice.weight,
    });
    ActionDocument::Forward {
        target_groups: choices.collect(),
        stickiness: forward.stickiness().map(span),
    }
}

fn redirect_action(redirect: &Redirect) -> ActionDocument {
    ActionDocument::Redirect {
        protocol: redirect.part(RedirectPart::Protocol),
        host: redirect.part(RedirectPart::Host),
        port: redirect.part(RedirectPart::Port),
        path: redirect.part(RedirectPart::Path),
        query: redirect.part(RedirectPart::Query),
        status_code: redirect.status().code(),
    }
}

fn fixed_response_action(response: &FixedResponse) -> ActionDocument {
    ActionDocument::FixedResponse {
        status_code: response.status(),
        content_type: response.content_type().as_str(),
        message_body: response.body().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admin::sample::Sample;

    #[tokio::test]
    async fn rules_are_listed_in_order_with_the_default_last() {
        let sample = Sample::start().await;
        let expected = json!({ "listeners": [{
            "load_balancer": "wp-elb",
            "port": 8080,
            "protocol": "HTTP",
            "rules": [
                {
                    "priority": "10",
                    "conditions": [{ "field": "path-pattern", "values": ["/old/*"] }],
                    "action": {
                        "type": "redirect", "protocol": "#{protocol}", "host": "#{host}",
                        "port": "#{port}", "path": "/new/#{path}", "query": "#{query}",
                        "status_code": 301,
                    },
                },
                {
                    "priority": "default",
                    "conditions": [],
                    "action": {
                        "type": "forward",
                        "target_groups": [{ "target_group": "wordpress", "weight": 1 }],
                    },
                },
            ],
        }] });
        assert_eq!(sample.get("/rules").await.json(), expected);
    }
}
