//! What happens before an action: a session or a token is looked at, a login begun or ended.
//!
//! Whatever has to be asked of a provider is awaited beside the other requests of the worker, five seconds at most.

use std::time::{Instant, SystemTime};

use smallvec::SmallVec;

use super::answer::Answer;
use super::client::Client;
use super::error::ProxyError;
use super::record::RequestRecord;
use super::request::Request;
use super::{After, Proxy, after_answer, may_keep_alive};
use crate::auth::{Admission, AuthError, CALLBACK, Cookies, Detour, JwtValidation, Oidc, Visit};
use crate::http1::FieldName;
use crate::snapshot::Authenticator;

/// Where public keys of what targets are told are had: this, and the id.
const PUBLIC_KEYS: &str = "/oauth2/public-keys/";

/// The values of all Cookie fields; HTTP/2 clients may send one for each cookie.
type Lines<'r> = SmallVec<[&'r [u8]; 4]>;

impl Proxy {
    /// Answers a request for one of the paths that a listener with identity providers keeps to itself; `None` if it is
    /// for another.
    pub(super) async fn own_path<'r>(
        &self,
        client: &mut Client,
        request: &Request<'r>,
        record: &mut RequestRecord<'r>,
    ) -> Option<Result<After, ProxyError>> {
        let path = request.head.path();
        if path == CALLBACK {
            return Some(self.complete(client, request, record).await);
        }
        let id = path.strip_prefix(PUBLIC_KEYS)?;
        let key = self.secrets.signer.public_key(id, SystemTime::now());
        let answer = Answer {
            status: if key.is_some() { 200 } else { 404 },
            content_type: "text/plain; charset=utf-8",
            body: key.as_deref().unwrap_or("there is no such key\n"),
            location: None,
            cookies: &[],
            keep_alive: may_keep_alive(client, request),
        };
        client.answer(&answer, record).await;
        Some(Ok(after_answer(client, request, answer.keep_alive)))
    }

    /// Lets a request through, with what the target is to be told; or answers it.
    pub(super) async fn authenticate<'r>(
        &self,
        client: &mut Client,
        request: &mut Request<'r>,
        by: &Authenticator,
        record: &mut RequestRecord<'r>,
    ) -> Result<Option<After>, ProxyError> {
        match by {
            Authenticator::Jwt(jwt) => {
                record.authenticated = "jwt-validation";
                self.validate(request, jwt).await?;
                Ok(None)
            }
            Authenticator::Oidc(oidc) => {
                record.authenticated = "authenticate";
                self.admit_session(client, request, oidc, record).await
            }
        }
    }

    async fn validate(&self, request: &Request<'_>, jwt: &JwtValidation) -> Result<(), ProxyError> {
        let authorization = request
            .head
            .fields()
            .find(|field| field.name.eq_ignore_ascii_case(b"authorization"));
        let authorization = authorization.map(|field| field.value);
        let checked = jwt.check(authorization, SystemTime::now()).await;
        let metrics = &request.entrance.metrics.auth;
        match &checked {
            Ok(()) => metrics.jwt_successes.inc(),
            Err(_) => metrics.jwt_failures.inc(),
        }
        checked.map_err(ProxyError::Auth)
    }

    async fn admit_session<'r>(
        &self,
        client: &mut Client,
        request: &mut Request<'r>,
        oidc: &Oidc,
        record: &mut RequestRecord<'r>,
    ) -> Result<Option<After>, ProxyError> {
        let lines = cookie_lines(request);
        let (host, uri) = (host(request), uri(request));
        let visit = Visit {
            host: &host,
            uri: &uri,
            cookies: Cookies::new(&lines),
            now: SystemTime::now(),
        };
        let balancer = &request.entrance.load_balancer.name;
        let admission = oidc.admit(&visit, &self.secrets, balancer).await;
        let metrics = &request.entrance.metrics.auth;
        match admission {
            Ok(Admission::Pass(passport)) => {
                if passport.refreshed {
                    metrics.refreshes.inc();
                }
                request.passport = passport;
                Ok(None)
            }
            Ok(Admission::SendAway(detour)) => {
                Ok(Some(self.send_away(client, request, detour, record).await))
            }
            Err(error) => {
                count(request, &error);
                Err(ProxyError::Auth(error))
            }
        }
    }

    async fn complete<'r>(
        &self,
        client: &mut Client,
        request: &Request<'r>,
        record: &mut RequestRecord<'r>,
    ) -> Result<After, ProxyError> {
        record.authenticated = "authenticate";
        let lines = cookie_lines(request);
        let host = host(request);
        let visit = Visit {
            host: &host,
            uri: CALLBACK,
            cookies: Cookies::new(&lines),
            now: SystemTime::now(),
        };
        let query = request.head.query().unwrap_or_default();
        let providers = &request.entrance.listener.providers;
        let of_login = |oidc: &&std::sync::Arc<Oidc>| oidc.began(query, &self.secrets);
        // Of a login that nobody began, anyone can say what is wrong.
        let oidc = providers.iter().find(of_login).or(providers.first());
        let oidc = oidc.ok_or(ProxyError::NoListener)?;
        if let Some(detour) = oidc.lead_on(query, &visit, &self.secrets) {
            return Ok(self.send_away(client, request, detour, record).await);
        }
        let began = Instant::now();
        let completed = oidc.complete(query, &visit, &self.secrets).await;
        let metrics = &request.entrance.metrics.auth;
        metrics.latency.observe(began.elapsed().as_secs_f64());
        match completed {
            Ok(detour) => {
                metrics.successes.inc();
                Ok(self.send_away(client, request, detour, record).await)
            }
            Err(error) => {
                count(request, &error);
                Err(ProxyError::Auth(error))
            }
        }
    }

    async fn send_away<'r>(
        &self,
        client: &mut Client,
        request: &Request<'r>,
        detour: Detour,
        record: &mut RequestRecord<'r>,
    ) -> After {
        let answer = Answer {
            status: 302,
            content_type: "",
            body: "",
            location: Some(&detour.location),
            cookies: &detour.cookies,
            keep_alive: may_keep_alive(client, request),
        };
        client.answer(&answer, record).await;
        after_answer(client, request, answer.keep_alive)
    }
}

/// ALB: `ELBAuthError` is what the balancer or the provider could not do, `ELBAuthFailure` what the client may not.
fn count(request: &Request<'_>, error: &AuthError) {
    let metrics = &request.entrance.metrics.auth;
    match error.status() {
        401 | 561 => metrics.failures.inc(),
        _ => metrics.errors.inc(),
    }
    if *error == AuthError::TooLarge {
        metrics.claims_size_exceeded.inc();
    }
}

fn cookie_lines<'r>(request: &Request<'r>) -> Lines<'r> {
    request.head.values(FieldName::Cookie).collect()
}

/// The host as the client wrote it, with its port.
fn host(request: &Request<'_>) -> String {
    let host = request.host;
    match host.port {
        Some(port) => format!("{}:{port}", host.name),
        None => host.name.to_owned(),
    }
}

fn uri(request: &Request<'_>) -> String {
    let path = match request.head.path() {
        "" => "/",
        path => path,
    };
    match request.head.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}
