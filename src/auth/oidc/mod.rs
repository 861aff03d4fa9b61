//! `authenticate-oidc`: sends a client to an identity provider to log in, and knows it from then on by a sealed cookie.
//!
//! [`Oidc::admit`] looks at a request: it may pass, with what the target is told about the user, or the client has to log
//! in. [`Oidc::complete`] is what happens at [`CALLBACK`], where the provider sends the client back to. The balancer keeps
//! nothing of a session: all of it is in the client's cookies, so every node that has the same cookie keys knows it.
//!
//! A session lasts for its timeout. When the access token ends before and there is a refresh token, the session is
//! renewed by it; requests that come at the same time share one renewal, for many providers take a refresh token once.

mod login;
mod provider;
mod session;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use form_urlencoded::Serializer;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::AuthError;
use super::cookie::{Cookies, deleted, forgotten};
use super::outbound::{Endpoint, Outbound};
use super::signer::Signer;
use crate::keyring::Keyring;

use login::Login;
use session::{Session, seconds};

/// Where a provider sends clients back to, on every host: ALB's path.
pub const CALLBACK: &str = "/oauth2/idpresponse";

/// How long a renewal serves requests that come with the session from before it.
const SHARED: Duration = Duration::from_secs(30);

/// A secret that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    Here(String),
    InFile(PathBuf),
}

impl ClientSecret {
    /// This one.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Kept::Here(secret.into()))
    }

    /// What is in the file whenever it is needed; blanks at its ends do not count.
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        Self(Kept::InFile(path.into()))
    }

    async fn reveal(&self) -> std::io::Result<String> {
        match &self.0 {
            Kept::Here(secret) => Ok(secret.clone()),
            Kept::InFile(path) => {
                let secret = tokio::fs::read_to_string(path).await?;
                Ok(secret.trim().to_owned())
            }
        }
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret")
    }
}

/// What happens to a request without a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnauthenticated {
    /// The client is sent to log in.
    #[default]
    Authenticate,
    /// The request goes on without a user.
    Allow,
    /// 401.
    Deny,
}

/// An identity provider, and what the balancer is to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcSettings {
    /// What `iss` of an ID token is.
    pub issuer: String,
    /// Where clients log in.
    pub authorization_endpoint: Endpoint,
    /// Where codes are turned into tokens.
    pub token_endpoint: Endpoint,
    /// Where a user's claims are.
    pub user_info_endpoint: Endpoint,
    /// The balancer's name there.
    pub client_id: String,
    /// And its secret.
    pub client_secret: ClientSecret,
    /// What is asked for; holds `openid`.
    pub scope: String,
    /// The name of the session's cookies, without `-0`.
    pub session_cookie_name: String,
    /// How long a session lasts.
    pub session_timeout: Duration,
    /// What happens to a request without a session.
    pub on_unauthenticated_request: OnUnauthenticated,
    /// More parameters of the login, such as `prompt` or `display`.
    pub extra_params: Vec<(String, String)>,
    /// Whose certificates the endpoints' are believed by; none means the system's.
    pub ca_file: Option<PathBuf>,
}

/// A request as far as a login is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// What the Host field says, with the port: empty if there is none.
    pub host: &'a str,
    /// The path and query.
    pub uri: &'a str,
    /// The cookies.
    pub cookies: Cookies<'a>,
    /// The time.
    pub now: SystemTime,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It goes on.
    Pass(Passport),
    /// The client is sent away.
    SendAway(Detour),
}

/// What a target is told of the user, and the client of its session.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passport {
    /// Whether there is a user.
    pub user: Option<User>,
    /// Set-Cookie values for the client.
    pub cookies: Vec<String>,
    /// Whether the session was renewed by its refresh token.
    pub refreshed: bool,
}

/// Who a request is of: ALB's three fields.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    /// `x-amzn-oidc-accesstoken`
    pub access_token: String,
    /// `x-amzn-oidc-identity`
    pub identity: String,
    /// `x-amzn-oidc-data`
    pub data: String,
}

/// A 302.
#[derive(Debug, PartialEq, Eq)]
pub struct Detour {
    /// Where to.
    pub location: String,
    /// Set-Cookie values.
    pub cookies: Vec<String>,
}

/// What a session is opened, sealed and told to targets with.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Seals.
    pub keyring: Keyring,
    /// Signs.
    pub signer: Signer,
}

type Renewal = Arc<OnceCell<Result<Session, AuthError>>>;

/// An identity provider at work.
#[derive(Debug)]
pub struct Oidc {
    settings: OidcSettings,
    /// Tells the providers of a listener apart: what a session and a login are bound to.
    id: String,
    outbound: Outbound,
    renewals: Mutex<HashMap<[u8; 32], (Instant, Renewal)>>,
}

impl Oidc {
    /// Works for these settings.
    pub fn new(settings: OidcSettings) -> Self {
        let parts = [
            &settings.issuer,
            &settings.client_id,
            &settings.session_cookie_name,
        ];
        let hash = digest(&SHA256, format!("{parts:?}").as_bytes());
        let id = hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}"));
        Self {
            id: id.collect(),
            outbound: Outbound::new(settings.ca_file.clone()),
            settings,
            renewals: Mutex::default(),
        }
    }

    /// What it was made from.
    pub fn settings(&self) -> &OidcSettings {
        &self.settings
    }

    /// Looks at a request: it passes, or the client must log in, or it is refused. `balancer` signs what targets are told.
    pub async fn admit(
        &self,
        visit: &Visit<'_>,
        secrets: &Secrets,
        balancer: &str,
    ) -> Result<Admission, AuthError> {
        let name = &self.settings.session_cookie_name;
        let timeout = self.settings.session_timeout;
        let context = (&secrets.keyring, self.id.as_bytes());
        let session = Session::open(&visit.cookies, name, context, timeout, visit.now);
        let Some(session) = session else {
            return self.without_session(visit, secrets);
        };
        if !session.is_to_be_refreshed(visit.now) || session.refresh_token.is_none() {
            let user = Some(self.user(&session, secrets, balancer, visit.now)?);
            let passport = Passport {
                user,
                ..Passport::default()
            };
            return Ok(Admission::Pass(passport));
        }
        match self.renewed(&session, visit.now).await {
            Ok(session) => {
                let cookies = session.seal(&visit.cookies, name, context, visit.now)?;
                Ok(Admission::Pass(Passport {
                    user: Some(self.user(&session, secrets, balancer, visit.now)?),
                    cookies,
                    refreshed: true,
                }))
            }
            // The provider knows the session no more; one that cannot be reached is another matter.
            Err(AuthError::InvalidGrant(_)) => self.without_session(visit, secrets),
            Err(error) => Err(error),
        }
    }

    fn without_session(
        &self,
        visit: &Visit<'_>,
        secrets: &Secrets,
    ) -> Result<Admission, AuthError> {
        match self.settings.on_unauthenticated_request {
            OnUnauthenticated::Allow => Ok(Admission::Pass(Passport::default())),
            OnUnauthenticated::Deny => Err(AuthError::NotAuthenticated),
            OnUnauthenticated::Authenticate => self.send_away(visit, secrets),
        }
    }

    fn send_away(&self, visit: &Visit<'_>, secrets: &Secrets) -> Result<Admission, AuthError> {
        if visit.host.is_empty() {
            return Err(AuthError::MissingHost);
        }
        let keyring = &secrets.keyring;
        let login = Login::begin(&self.id, visit.uri, &visit.cookies, keyring, visit.now)?;
        let url = self.settings.authorization_endpoint.url();
        let joint = if url.contains('?') { '&' } else { '?' };
        let mut query = Serializer::new(String::new());
        for (name, value) in &self.settings.extra_params {
            query.append_pair(name, value);
        }
        query.append_pair("client_id", &self.settings.client_id);
        query.append_pair("redirect_uri", &redirect_uri(visit.host));
        query.append_pair("response_type", "code");
        query.append_pair("scope", &self.settings.scope);
        query.append_pair("state", &login.state);
        query.append_pair("nonce", &login.nonce);
        query.append_pair("code_challenge", &login.challenge);
        query.append_pair("code_challenge_method", "S256");
        let mut cookies = forgotten(&self.settings.session_cookie_name, &visit.cookies);
        cookies.push(login.cookie);
        Ok(Admission::SendAway(Detour {
            location: format!("{url}{joint}{}", query.finish()),
            cookies,
        }))
    }

    /// Whether a client comes back with a state of this provider's; it may be another's, or old.
    pub fn began(&self, query: &str, secrets: &Secrets) -> bool {
        self.login(query, secrets).is_some()
    }

    fn login(&self, query: &str, secrets: &Secrets) -> Option<(String, Login)> {
        let state = parameter(query, "state")?;
        let login = Login::open(&state, &secrets.keyring)?;
        (login.provider == self.id).then_some((state, login))
    }

    /// Where a client wanted to go whose login is over, and which has a session: it has logged in in another tab
    /// meanwhile, or loads the address again that it came back to.
    pub fn lead_on(&self, query: &str, visit: &Visit<'_>, secrets: &Secrets) -> Option<Detour> {
        let (state, login) = self.login(query, secrets)?;
        let (keyring, name) = (&secrets.keyring, &self.settings.session_cookie_name);
        if Login::end(&state, &visit.cookies, keyring, visit.now).is_ok() {
            return None;
        }
        let timeout = self.settings.session_timeout;
        let context = (keyring, self.id.as_bytes());
        Session::open(&visit.cookies, name, context, timeout, visit.now)?;
        Some(Detour {
            location: format!("https://{}{}", visit.host, login.uri),
            cookies: Vec::new(),
        })
    }

    /// Ends the login of a client that comes back to [`CALLBACK`] with this query, and sends it where it wanted to go.
    pub async fn complete(
        &self,
        query: &str,
        visit: &Visit<'_>,
        secrets: &Secrets,
    ) -> Result<Detour, AuthError> {
        let state = parameter(query, "state").ok_or(AuthError::MissingState)?;
        let (keyring, now) = (&secrets.keyring, visit.now);
        let (login, nonce) = Login::end(&state, &visit.cookies, keyring, now)?;
        if login.provider != self.id {
            return Err(AuthError::InvalidState);
        }
        if let Some(error) = parameter(query, "error") {
            let more = parameter(query, "error_description").unwrap_or_default();
            let error = provider::printable(&format!("{error} {more}"));
            return Err(AuthError::Provider(error));
        }
        let code = parameter(query, "code").ok_or(AuthError::MissingCode)?;
        let redirect_uri = redirect_uri(visit.host);
        let (settings, outbound) = (&self.settings, &self.outbound);
        let verifier = &login.verifier;
        let tokens = provider::exchange(settings, outbound, &code, &redirect_uri, verifier).await?;
        let id_token = tokens.id_token.as_deref();
        let subject = provider::id_token_subject(settings, id_token, &nonce, now)?;
        let claims = provider::user_info(settings, outbound, &tokens.access_token).await?;
        if provider::subject(&claims)? != subject {
            return Err(AuthError::InvalidUserInfo("is about another user"));
        }
        let session = Session {
            began: seconds(now),
            token_ends: tokens
                .expires_in
                .map(|lasts| seconds(now).saturating_add(lasts)),
            subject,
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            claims,
        };
        let name = &settings.session_cookie_name;
        let context = (keyring, self.id.as_bytes());
        let mut cookies = session.seal(&visit.cookies, name, context, now)?;
        cookies.push(deleted(login::NONCE));
        Ok(Detour {
            location: format!("https://{}{}", visit.host, login.uri),
            cookies,
        })
    }

    /// The session with new tokens and claims. Requests that bring the same refresh token share what comes.
    async fn renewed(&self, session: &Session, now: SystemTime) -> Result<Session, AuthError> {
        let token = session.refresh_token.clone().unwrap_or_default();
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let renewal = {
            let mut renewals = self.renewals.lock();
            let moment = Instant::now();
            renewals.retain(|_, (since, _)| moment < *since + SHARED);
            let (_, renewal) = renewals
                .entry(key)
                .or_insert_with(|| (moment, Renewal::default()));
            Arc::clone(renewal)
        };
        let renewed = renewal
            .get_or_init(|| self.renew(session, &token, now))
            .await
            .clone();
        if renewed.is_err() {
            // The next request may have more luck.
            self.renewals.lock().remove(&key);
        }
        renewed
    }

    async fn renew(
        &self,
        session: &Session,
        token: &str,
        now: SystemTime,
    ) -> Result<Session, AuthError> {
        let (settings, outbound) = (&self.settings, &self.outbound);
        let tokens = provider::refresh(settings, outbound, token).await?;
        let claims = provider::user_info(settings, outbound, &tokens.access_token).await?;
        if provider::subject(&claims)? != session.subject {
            return Err(AuthError::InvalidUserInfo("is about another user"));
        }
        Ok(Session {
            began: session.began,
            token_ends: tokens
                .expires_in
                .map(|lasts| seconds(now).saturating_add(lasts)),
            subject: session.subject.clone(),
            access_token: tokens.access_token,
            // A provider that gives no new one means the old one to stay good.
            refresh_token: tokens
                .refresh_token
                .or_else(|| session.refresh_token.clone()),
            claims,
        })
    }

    fn user(
        &self,
        session: &Session,
        secrets: &Secrets,
        balancer: &str,
        now: SystemTime,
    ) -> Result<User, AuthError> {
        let parties = (
            balancer,
            self.settings.issuer.as_str(),
            self.settings.client_id.as_str(),
        );
        Ok(User {
            access_token: session.access_token.clone(),
            identity: session.subject.clone(),
            data: secrets.signer.sign(&session.claims, parties, now)?,
        })
    }
}

fn redirect_uri(host: &str) -> String {
    format!("https://{host}{CALLBACK}")
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let value = pairs.find(|(found, _)| found == name)?.1;
    Some(value.into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::auth::sample::keyring;

    pub(super) fn settings() -> OidcSettings {
        let endpoint =
            |path: &str| Endpoint::parse(&format!("https://idp.test/{path}"), false).unwrap();
        OidcSettings {
            issuer: "https://idp.test".to_owned(),
            authorization_endpoint: endpoint("authorize"),
            token_endpoint: endpoint("token"),
            user_info_endpoint: endpoint("userinfo"),
            client_id: "me".to_owned(),
            client_secret: ClientSecret::new("secret"),
            scope: "openid".to_owned(),
            session_cookie_name: "AWSELBAuthSessionCookie".to_owned(),
            session_timeout: Duration::from_secs(604_800),
            on_unauthenticated_request: OnUnauthenticated::default(),
            extra_params: vec![("prompt".to_owned(), "login".to_owned())],
            ca_file: None,
        }
    }

    fn secrets() -> Secrets {
        let keyring = keyring();
        Secrets {
            signer: Signer::new(keyring.clone()),
            keyring,
        }
    }

    fn visit<'a>(host: &'a str, uri: &'a str, lines: &'a [&'a [u8]]) -> Visit<'a> {
        Visit {
            host,
            uri,
            cookies: Cookies::new(lines),
            now: SystemTime::now(),
        }
    }

    #[tokio::test]
    async fn a_client_without_a_session_is_sent_to_log_in() {
        let oidc = Oidc::new(settings());
        let lines: [&[u8]; 1] = [b"AWSELBAuthSessionCookie-0=forged"];
        let visit = visit("shop.test:8443", "/basket?a=b", &lines);
        let admission = oidc.admit(&visit, &secrets(), "shop").await.unwrap();
        let Admission::SendAway(detour) = admission else {
            unreachable!("{admission:?}")
        };
        let (url, query) = detour.location.split_once('?').unwrap();
        assert_eq!(url, "https://idp.test/authorize");
        let value = |name| parameter(query, name).unwrap();
        assert_eq!(
            value("redirect_uri"),
            "https://shop.test:8443/oauth2/idpresponse"
        );
        assert_eq!(
            (value("client_id"), value("scope")),
            ("me".to_owned(), "openid".to_owned())
        );
        assert_eq!(
            (value("response_type"), value("prompt")),
            ("code".to_owned(), "login".to_owned())
        );
        assert_eq!(value("code_challenge_method"), "S256");
        assert!(!detour.location.contains("basket"), "the state is sealed");
        assert!(
            detour.cookies[0].starts_with("AWSELBAuthSessionCookie-0=; Expires=Thu, 01 Jan 1970")
        );
        assert!(detour.cookies[1].starts_with("AWSALBAuthNonce="));
    }

    #[tokio::test]
    async fn without_a_session_a_request_may_also_pass_or_be_denied() {
        let admit = async |on_unauthenticated_request, host| {
            let oidc = Oidc::new(OidcSettings {
                on_unauthenticated_request,
                ..settings()
            });
            oidc.admit(&visit(host, "/", &[]), &secrets(), "shop").await
        };
        let allowed = admit(OnUnauthenticated::Allow, "a.test").await;
        assert_eq!(allowed, Ok(Admission::Pass(Passport::default())));
        let denied = admit(OnUnauthenticated::Deny, "a.test").await;
        assert_eq!(denied, Err(AuthError::NotAuthenticated));
        let nowhere = admit(OnUnauthenticated::Authenticate, "").await;
        assert_eq!(nowhere, Err(AuthError::MissingHost));
    }

    #[tokio::test]
    async fn who_comes_back_with_nothing_or_with_an_error_is_refused() {
        let (oidc, secrets) = (Oidc::new(settings()), secrets());
        let away = oidc
            .admit(&visit("a.test", "/a", &[]), &secrets, "shop")
            .await
            .unwrap();
        let Admission::SendAway(detour) = away else {
            unreachable!("{away:?}")
        };
        let state = parameter(detour.location.split_once('?').unwrap().1, "state").unwrap();
        let cookie = detour.cookies.last().unwrap().split(';').next().unwrap();
        let lines = [cookie.as_bytes()];
        let complete = async |query: &str| {
            let visit = visit("a.test", CALLBACK, &lines);
            oidc.complete(query, &visit, &secrets).await.unwrap_err()
        };
        assert_eq!(complete("code=x").await, AuthError::MissingState);
        assert_eq!(complete("state=x&code=x").await, AuthError::InvalidState);
        assert_eq!(
            complete(&format!("state={state}")).await,
            AuthError::MissingCode
        );
        let denied = complete(&format!("state={state}&error=access_denied")).await;
        assert_eq!(denied, AuthError::Provider("access_denied".to_owned()));
    }
}
