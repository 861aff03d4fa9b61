//! Actions of rules and listeners, as AWS writes them and as the document does.
//!
//! AWS has a list, put in order by `Order`, that ends with what happens to the request; the document has a place for
//! each kind. The numbers that were given are noted, so that whoever reads them back finds the same.

mod authenticate_oidc;
mod fixed_response;
mod forward;
mod jwt_validation;
mod redirect;

use serde::{Deserialize, Serialize};

use crate::aws::ApiError;
use crate::aws::catalogue::Catalogue;
use crate::config::document;
use crate::config::inventory::Notes;

/// What the numbers are noted as.
const ORDER: &str = "Order";

/// AWS: Action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Action {
    #[serde(rename = "Type")]
    kind: String,
    order: Option<u32>,
    target_group_arn: Option<String>,
    forward_config: Option<forward::Config>,
    redirect_config: Option<redirect::Config>,
    fixed_response_config: Option<fixed_response::Config>,
    authenticate_oidc_config: Option<authenticate_oidc::Config>,
    jwt_validation_config: Option<jwt_validation::Config>,
}

/// What a list of actions means. `before` is what it replaces.
pub(super) fn read(
    actions: &[Action],
    before: Option<&document::Action>,
    catalogue: &Catalogue<'_>,
) -> Result<document::Action, ApiError> {
    let mut sorted: Vec<_> = actions.iter().collect();
    sorted.sort_by_key(|action| action.order);
    let Some((last, first)) = sorted.split_last() else {
        return Err(ApiError::Validation("an action must be given".to_owned()));
    };
    if first.len() > 1 {
        return Err(ApiError::Other {
            code: "TooManyActions",
            message: "a rule has at most two actions: one that asks who the client is, and one that answers it"
                .to_owned(),
        });
    }
    let mut document = document::Action::default();
    for action in first {
        match action.kind.as_str() {
            "authenticate-oidc" => {
                let before = before.and_then(|it| it.authenticate_oidc.as_ref());
                let config = given(action, &action.authenticate_oidc_config)?;
                let read = authenticate_oidc::read(config, before)?;
                document.authenticate_oidc = Some(read);
            }
            "jwt-validation" => {
                let before = before.and_then(|it| it.jwt_validation.as_ref());
                let config = given(action, &action.jwt_validation_config)?;
                document.jwt_validation = Some(jwt_validation::read(config, before)?);
            }
            "forward" | "redirect" | "fixed-response" => {
                return Err(invalid(format!(
                    "the action '{}' must be the last one",
                    action.kind
                )));
            }
            other => return Err(unknown(other)),
        }
    }
    match last.kind.as_str() {
        "forward" => {
            let alone = last.target_group_arn.as_deref();
            let read = forward::read(alone, last.forward_config.as_ref(), catalogue)?;
            document.forward = Some(read);
        }
        "redirect" => {
            let config = given(last, &last.redirect_config)?;
            document.redirect = Some(redirect::read(config)?);
        }
        "fixed-response" => {
            let config = given(last, &last.fixed_response_config)?;
            document.fixed_response = Some(fixed_response::read(config)?);
        }
        "authenticate-oidc" | "jwt-validation" => {
            return Err(invalid(
                "the last action must be one of 'forward', 'redirect', 'fixed-response'".to_owned(),
            ));
        }
        other => return Err(unknown(other)),
    }
    Ok(document)
}

/// The same as AWS writes it.
pub(super) fn told(
    document: &document::Action,
    notes: Option<&Notes>,
    catalogue: &Catalogue<'_>,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let new = |kind: &str| Action {
        kind: kind.to_owned(),
        ..Action::default()
    };
    if let Some(action) = &document.authenticate_oidc {
        actions.push(Action {
            authenticate_oidc_config: Some(authenticate_oidc::told(action)),
            ..new("authenticate-oidc")
        });
    }
    if let Some(action) = &document.jwt_validation {
        actions.push(Action {
            jwt_validation_config: Some(jwt_validation::told(action)),
            ..new("jwt-validation")
        });
    }
    if let Some(action) = &document.forward {
        let (target_group_arn, config) = forward::told(action, catalogue);
        actions.push(Action {
            target_group_arn,
            forward_config: Some(config),
            ..new("forward")
        });
    }
    if let Some(action) = &document.redirect {
        actions.push(Action {
            redirect_config: Some(redirect::told(action)),
            ..new("redirect")
        });
    }
    if let Some(action) = &document.fixed_response {
        actions.push(Action {
            fixed_response_config: Some(fixed_response::told(action)),
            ..new("fixed-response")
        });
    }
    let noted = notes.and_then(|notes| notes.parameters.get(ORDER));
    let noted = noted.map(|text| text.split(',').map(|number| number.parse().ok()).collect());
    let noted: Vec<Option<u32>> = noted.unwrap_or_default();
    // AWS: one that was given no number is told without; of several each has one.
    let are_several = actions.len() > 1;
    for (number, action) in (1..).zip(&mut actions) {
        let given = noted.get(number as usize - 1).copied().flatten();
        action.order = given.or(are_several.then_some(number));
    }
    actions
}

/// Notes the numbers that were given.
pub(super) fn note_order(actions: &[Action], notes: &mut Notes) {
    let given: Option<Vec<_>> = actions.iter().map(|action| action.order).collect();
    let Some(mut given) = given else {
        notes.parameters.remove(ORDER);
        return;
    };
    given.sort_unstable();
    let text: Vec<_> = given.iter().map(ToString::to_string).collect();
    notes.parameters.insert(ORDER.to_owned(), text.join(","));
}

/// The action of a rule.
pub(super) fn of_rule(rule: &document::Rule) -> document::Action {
    document::Action {
        authenticate_oidc: rule.authenticate_oidc.clone(),
        jwt_validation: rule.jwt_validation.clone(),
        forward: rule.forward.clone(),
        redirect: rule.redirect.clone(),
        fixed_response: rule.fixed_response.clone(),
    }
}

/// Gives a rule this action.
pub(super) fn into_rule(action: document::Action, rule: &mut document::Rule) {
    rule.authenticate_oidc = action.authenticate_oidc;
    rule.jwt_validation = action.jwt_validation;
    rule.forward = action.forward;
    rule.redirect = action.redirect;
    rule.fixed_response = action.fixed_response;
}

fn given<'a, T>(action: &Action, config: &'a Option<T>) -> Result<&'a T, ApiError> {
    config.as_ref().ok_or_else(|| {
        let kind = &action.kind;
        ApiError::Validation(format!(
            "the action '{kind}' must contain its configuration"
        ))
    })
}

fn invalid(message: String) -> ApiError {
    ApiError::Other {
        code: "InvalidLoadBalancerAction",
        message,
    }
}

fn unknown(kind: &str) -> ApiError {
    match kind {
        "authenticate-cognito" => invalid(
            "Elbow knows no user pools of Amazon Cognito: use 'authenticate-oidc' with the endpoints of any OpenID \
             Connect provider, a user pool's own among them"
                .to_owned(),
        ),
        other => ApiError::Validation(format!(
            "Type '{other}' must be one of 'forward', 'redirect', 'fixed-response', 'authenticate-oidc', \
             'jwt-validation'"
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::aws::place::Place;
    use crate::aws::query::Tree;
    use crate::config::parse;
    use crate::reload::Standing;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        actions: Vec<Action>,
    }

    const ONE: &str = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/one/";

    fn standing() -> Standing {
        let text = "[[target_group]]\nname = \"one\"\n[[target_group]]\nname = \"two\"\n";
        Standing {
            config: parse(text, "file").unwrap(),
            ..Standing::default()
        }
    }

    fn arn(name: &str) -> String {
        let id = crate::config::inventory::Id::of_target_group(name);
        format!("{}{id}", ONE.replace("/one/", &format!("/{name}/")))
    }

    fn place() -> Place {
        Place::of(&axum::http::HeaderMap::new())
    }

    fn form(pairs: &[(&str, &str)]) -> Vec<Action> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(pairs).finish();
        let tree = Tree::read(form.as_bytes()).unwrap();
        tree.take::<Request>().unwrap().actions
    }

    /// What is read is told again, and what is told is read as the same.
    fn round(actions: &[Action]) -> Vec<Action> {
        let (standing, place) = (standing(), place());
        let catalogue = Catalogue::new(&standing, &place);
        let document = read(actions, None, &catalogue).unwrap();
        let mut notes = Notes::default();
        note_order(actions, &mut notes);
        let told = told(&document, Some(&notes), &catalogue);
        let again = told.iter().cloned().map(|mut action| {
            if let Some(oidc) = &mut action.authenticate_oidc_config {
                oidc.use_existing();
            }
            action
        });
        let again = read(&again.collect::<Vec<_>>(), Some(&document), &catalogue).unwrap();
        let json = |it: &document::Action| serde_json::to_value(it).unwrap();
        let mut expected = document.clone();
        // The defaults are told as if they had been given.
        if let (Some(expected), Some(again)) =
            (&mut expected.authenticate_oidc, &again.authenticate_oidc)
        {
            expected.scope.clone_from(&again.scope);
            expected
                .session_cookie_name
                .clone_from(&again.session_cookie_name);
            expected.session_timeout = again.session_timeout;
            expected.on_unauthenticated_request = again.on_unauthenticated_request;
        }
        assert_eq!(json(&again), json(&expected));
        told
    }

    fn refused(actions: &[Action]) -> ApiError {
        let (standing, place) = (standing(), place());
        read(actions, None, &Catalogue::new(&standing, &place)).unwrap_err()
    }

    #[test]
    fn a_forward_to_one_group_is_told_in_both_forms() {
        let one = arn("one");
        let alone = [
            ("Actions.member.1.Type", "forward"),
            ("Actions.member.1.TargetGroupArn", &one),
        ];
        let listed = [
            ("Actions.member.1.Type", "forward"),
            (
                "Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn",
                &one,
            ),
        ];
        for wanted in [&alone, &listed] {
            let told = round(&form(wanted));
            assert_eq!(told.len(), 1);
            assert_eq!(told[0].target_group_arn.as_deref(), Some(one.as_str()));
            assert_eq!(told[0].order, None);
            let text = serde_json::to_string(&told[0].forward_config).unwrap();
            assert_eq!(
                text,
                format!(
                    "{{\"TargetGroups\":[{{\"TargetGroupArn\":\"{one}\",\"Weight\":1}}],\
                     \"TargetGroupStickinessConfig\":{{\"Enabled\":false,\"DurationSeconds\":null}}}}"
                )
            );
        }
    }

    #[test]
    fn a_forward_to_several_groups_keeps_weights_and_stickiness() {
        let (one, two) = (arn("one"), arn("two"));
        let of = "Actions.member.1.ForwardConfig";
        let told = round(&form(&[
            ("Actions.member.1.Type", "forward"),
            ("Actions.member.1.Order", "7"),
            (&format!("{of}.TargetGroups.member.1.TargetGroupArn"), &one),
            (&format!("{of}.TargetGroups.member.1.Weight"), "9"),
            (&format!("{of}.TargetGroups.member.2.TargetGroupArn"), &two),
            (&format!("{of}.TargetGroups.member.2.Weight"), "0"),
            (&format!("{of}.TargetGroupStickinessConfig.Enabled"), "true"),
            (
                &format!("{of}.TargetGroupStickinessConfig.DurationSeconds"),
                "60",
            ),
        ]));
        assert_eq!((told[0].order, &told[0].target_group_arn), (Some(7), &None));
        let text = serde_json::to_string(&told[0].forward_config).unwrap();
        for part in [
            format!("\"{one}\",\"Weight\":9"),
            format!("\"{two}\",\"Weight\":0"),
            "\"Enabled\":true,\"DurationSeconds\":60".to_owned(),
        ] {
            assert!(text.contains(&part), "{text}");
        }
    }

    #[test]
    fn a_forward_where_nobody_stays_keeps_how_long_they_would() {
        let one = arn("one");
        let of = "Actions.member.1.ForwardConfig";
        let told = round(&form(&[
            ("Actions.member.1.Type", "forward"),
            (&format!("{of}.TargetGroups.member.1.TargetGroupArn"), &one),
            (
                &format!("{of}.TargetGroupStickinessConfig.Enabled"),
                "false",
            ),
            (
                &format!("{of}.TargetGroupStickinessConfig.DurationSeconds"),
                "3600",
            ),
        ]));
        let text = serde_json::to_string(&told[0].forward_config).unwrap();
        let kept = "\"Enabled\":false,\"DurationSeconds\":3600";
        assert!(text.contains(kept), "{text}");
    }

    #[test]
    fn a_redirect_is_told_with_the_placeholders_of_what_stays() {
        let told = round(&form(&[
            ("Actions.member.1.Type", "redirect"),
            ("Actions.member.1.RedirectConfig.Protocol", "HTTPS"),
            ("Actions.member.1.RedirectConfig.Port", "443"),
            ("Actions.member.1.RedirectConfig.Host", "#{host}"),
            ("Actions.member.1.RedirectConfig.StatusCode", "HTTP_301"),
        ]));
        let text = serde_json::to_string(&told[0].redirect_config).unwrap();
        assert_eq!(
            text,
            "{\"Protocol\":\"HTTPS\",\"Port\":\"443\",\"Host\":\"#{host}\",\"Path\":\"/#{path}\",\
             \"Query\":\"#{query}\",\"StatusCode\":\"HTTP_301\"}"
        );
    }

    #[test]
    fn a_fixed_response_is_told_as_it_was_made() {
        let told = round(&form(&[
            ("Actions.member.1.Type", "fixed-response"),
            ("Actions.member.1.FixedResponseConfig.StatusCode", "404"),
            (
                "Actions.member.1.FixedResponseConfig.ContentType",
                "text/html",
            ),
            (
                "Actions.member.1.FixedResponseConfig.MessageBody",
                "<p>no</p>",
            ),
        ]));
        let text = serde_json::to_string(&told[0].fixed_response_config).unwrap();
        assert_eq!(
            text,
            "{\"MessageBody\":\"<p>no</p>\",\"StatusCode\":\"404\",\"ContentType\":\"text/html\"}"
        );
    }

    fn oidc() -> Vec<(&'static str, &'static str)> {
        let of = "Actions.member.1.AuthenticateOidcConfig";
        let pairs = [
            ("Issuer", "https://id.test"),
            ("AuthorizationEndpoint", "https://id.test/auth"),
            ("TokenEndpoint", "https://id.test/token"),
            ("UserInfoEndpoint", "https://id.test/me"),
            ("ClientId", "elbow"),
            ("ClientSecret", "secret"),
            ("OnUnauthenticatedRequest", "deny"),
            ("AuthenticationRequestExtraParams.entry.1.key", "prompt"),
            ("AuthenticationRequestExtraParams.entry.1.value", "login"),
        ];
        let pairs = pairs.map(|(key, value)| (&*format!("{of}.{key}").leak(), value));
        let mut all = vec![
            ("Actions.member.1.Type", "authenticate-oidc"),
            ("Actions.member.1.Order", "10"),
            ("Actions.member.2.Type", "fixed-response"),
            ("Actions.member.2.Order", "20"),
            ("Actions.member.2.FixedResponseConfig.StatusCode", "200"),
        ];
        all.extend(pairs);
        all
    }

    #[test]
    fn a_login_is_told_without_its_secret_which_may_be_kept() {
        let told = round(&form(&oidc()));
        let orders: Vec<_> = told.iter().map(|action| action.order).collect();
        assert_eq!(orders, [Some(10), Some(20)]);
        let text = serde_json::to_string(&told[0].authenticate_oidc_config).unwrap();
        for part in [
            "\"ClientSecret\":null",
            "\"SessionTimeout\":604800",
            "\"OnUnauthenticatedRequest\":\"deny\"",
            "{\"entry\":[{\"key\":\"prompt\",\"value\":\"login\"}]}",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let mut without = oidc();
        without.retain(|(key, _)| !key.ends_with("ClientSecret"));
        let error = refused(&form(&without));
        assert!(error.to_string().contains("ClientSecret"), "{error}");
    }

    #[test]
    fn a_token_is_told_with_its_claims() {
        let of = "Actions.member.1.JwtValidationConfig";
        let claim = format!("{of}.AdditionalClaims.member.1");
        let told = round(&form(&[
            ("Actions.member.1.Type", "jwt-validation"),
            (&format!("{of}.JwksEndpoint"), "https://id.test/keys"),
            (&format!("{of}.Issuer"), "https://id.test"),
            (&format!("{claim}.Format"), "string-array"),
            (&format!("{claim}.Name"), "groups"),
            (&format!("{claim}.Values.member.1"), "staff"),
            ("Actions.member.2.Type", "fixed-response"),
            ("Actions.member.2.FixedResponseConfig.StatusCode", "200"),
        ]));
        let text = serde_json::to_string(&told[0].jwt_validation_config).unwrap();
        assert!(
            text.contains(
                "{\"Format\":\"string-array\",\"Name\":\"groups\",\"Values\":[\"staff\"]}"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_cannot_be_an_action_is_refused_by_name() {
        let one = arn("one");
        let kind = |kind| form(&[("Actions.member.1.Type", kind)]);
        let cognito = refused(&kind("authenticate-cognito"));
        assert_eq!(cognito.code(), "InvalidLoadBalancerAction");
        assert!(
            cognito.to_string().contains("authenticate-oidc"),
            "{cognito}"
        );
        assert!(
            refused(&kind("odd"))
                .to_string()
                .contains("'fixed-response'")
        );
        assert!(
            refused(&kind("forward"))
                .to_string()
                .contains("TargetGroupArn")
        );
        assert_eq!(refused(&[]).code(), "ValidationError");
        let gone = [
            ("Actions.member.1.Type", "forward"),
            (
                "Actions.member.1.TargetGroupArn",
                &one.replace("one", "six"),
            ),
        ];
        assert_eq!(refused(&form(&gone)).code(), "TargetGroupNotFound");
        let early = [
            ("Actions.member.1.Type", "forward"),
            ("Actions.member.1.TargetGroupArn", &one),
            ("Actions.member.2.Type", "forward"),
            ("Actions.member.2.TargetGroupArn", &one),
        ];
        assert_eq!(refused(&form(&early)).code(), "InvalidLoadBalancerAction");
        let mut three = oidc();
        three.push(("Actions.member.3.Type", "authenticate-oidc"));
        assert_eq!(refused(&form(&three)).code(), "TooManyActions");
    }
}
