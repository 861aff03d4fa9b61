//! Actions: exactly one, and what it says.

use super::authenticate::{self, Written};
use super::forward;
use super::groups::{Groups, User};
use super::report::Report;
use crate::config::document::{self, Action, Forward, Listener, ListenerProtocol, Rule};
use crate::config::path::Path;
use crate::config::valid::{ValidAction, ValidAuthenticated};
use crate::routing::{
    FixedResponse, FixedResponseError, Redirect, RedirectError, RedirectSettings, Scheme,
};

/// The actions as they are written, of a rule or of a listener's default.
pub(super) struct Actions<'a> {
    forward: Option<&'a Forward>,
    redirect: Option<&'a document::Redirect>,
    fixed_response: Option<&'a document::FixedResponse>,
    before: Written<'a>,
}

impl<'a> Actions<'a> {
    pub(super) fn of_default(action: &'a Action) -> Self {
        Self {
            forward: action.forward.as_ref(),
            redirect: action.redirect.as_ref(),
            fixed_response: action.fixed_response.as_ref(),
            before: Written {
                oidc: action.authenticate_oidc.as_ref(),
                jwt: action.jwt_validation.as_ref(),
            },
        }
    }

    pub(super) fn of_rule(rule: &'a Rule) -> Self {
        Self {
            forward: rule.forward.as_ref(),
            redirect: rule.redirect.as_ref(),
            fixed_response: rule.fixed_response.as_ref(),
            before: Written {
                oidc: rule.authenticate_oidc.as_ref(),
                jwt: rule.jwt_validation.as_ref(),
            },
        }
    }

    fn names(&self) -> Vec<&'static str> {
        let all = [
            (self.forward.is_some(), "forward"),
            (self.redirect.is_some(), "redirect"),
            (self.fixed_response.is_some(), "fixed_response"),
        ];
        let written = all.into_iter().filter(|(written, _)| *written);
        written.map(|(_, name)| name).collect()
    }
}

/// Checks every action that is written, that it is exactly one, and what stands before it.
pub(super) fn validate(
    actions: &Actions<'_>,
    listener: &Listener,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Option<ValidAction> {
    let before = authenticate::validate(actions.before, listener, path, report);
    let then = last(actions, listener, user, path, groups, report);
    match (before?, then?) {
        (None, then) => Some(then),
        (Some(by), then) => {
            let authenticated = ValidAuthenticated { by, then };
            Some(ValidAction::Authenticate(Box::new(authenticated)))
        }
    }
}

/// The action that ends the rule.
fn last(
    actions: &Actions<'_>,
    listener: &Listener,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Option<ValidAction> {
    let forward = actions.forward.map(|forward| {
        forward::validate(forward, user, &path.key("forward"), groups, report)
            .map(ValidAction::Forward)
    });
    let redirect = actions.redirect.map(|redirect| {
        self::redirect(redirect, listener, &path.key("redirect"), report).map(ValidAction::Redirect)
    });
    let fixed_response = actions.fixed_response.map(|response| {
        self::fixed_response(response, &path.key("fixed_response"), report)
            .map(ValidAction::FixedResponse)
    });
    let names = actions.names();
    match names[..] {
        [_] => [forward, redirect, fixed_response]
            .into_iter()
            .flatten()
            .next()?,
        [] => {
            let help = "write one of forward, redirect and fixed_response";
            report.refuse(path, "there is no action", help);
            None
        }
        _ => {
            let message = format!("there are {} actions: {}", names.len(), names.join(" and "));
            report.refuse(path, message, "keep exactly one of them");
            None
        }
    }
}

/// Checks a redirect part by part: each error is reported where it is, and the part left out of
/// the next attempt.
fn redirect(
    redirect: &document::Redirect,
    listener: &Listener,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Redirect> {
    let scheme = match listener.protocol {
        ListenerProtocol::Https => Scheme::Https,
        // What a TCP listener says of requests is refused elsewhere.
        ListenerProtocol::Http | ListenerProtocol::Tcp | ListenerProtocol::Tls => Scheme::Http,
    };
    let mut status = redirect.status;
    let mut settings = RedirectSettings {
        protocol: redirect.protocol.as_deref(),
        host: redirect.host.as_deref(),
        port: redirect.port.as_deref(),
        path: redirect.path.as_deref(),
        query: redirect.query.as_deref(),
    };
    let mut refused = false;
    loop {
        let made = Redirect::new(status, settings).and_then(|redirect| {
            redirect.check_listener(scheme, listener.port)?;
            Ok(redirect)
        });
        let error = match made {
            Ok(redirect) => return (!refused).then_some(redirect),
            // With a part left out, there may be nothing left.
            Err(RedirectError::NothingChanged) if refused => return None,
            Err(error) => error,
        };
        refused = true;
        let key = redirect_key(&error);
        match key.as_deref() {
            Some("status") => status = 301,
            Some("protocol") => settings.protocol = None,
            Some("host") => settings.host = None,
            Some("port") => settings.port = None,
            Some("path") => settings.path = None,
            Some("query") => settings.query = None,
            _ => {
                report.error(path, error.to_string());
                return None;
            }
        }
        report.error(path.key(&key.unwrap_or_default()), error.to_string());
    }
}

/// The key whose value is wrong, if it is one.
fn redirect_key(error: &RedirectError) -> Option<String> {
    match error {
        RedirectError::Status { .. } => Some("status".to_owned()),
        RedirectError::Protocol { .. } | RedirectError::Downgrade => Some("protocol".to_owned()),
        RedirectError::Port { .. } => Some("port".to_owned()),
        RedirectError::PathWithoutSlash { .. } => Some("path".to_owned()),
        RedirectError::QueryWithMark { .. } => Some("query".to_owned()),
        RedirectError::Length { part, .. }
        | RedirectError::Character { part, .. }
        | RedirectError::Placeholder { part, .. } => Some(part.to_string()),
        RedirectError::NothingChanged => None,
    }
}

/// Checks a fixed response in the same way.
fn fixed_response(
    response: &document::FixedResponse,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<FixedResponse> {
    let (mut status, mut body) = (response.status, response.body.as_str());
    let mut content_type = Some(response.content_type.as_str());
    let mut refused = false;
    loop {
        let error = match FixedResponse::new(status, content_type, body) {
            Ok(response) => return (!refused).then_some(response),
            Err(error) => error,
        };
        refused = true;
        let key = match error {
            FixedResponseError::Status { .. } => {
                status = 200;
                "status"
            }
            FixedResponseError::ContentType { .. } => {
                content_type = None;
                "content_type"
            }
            FixedResponseError::BodyTooLong { .. } | FixedResponseError::BodyNotAllowed { .. } => {
                body = "";
                "body"
            }
        };
        report.error(path.key(key), error.to_string());
    }
}
