//! What stands before an action: an identity provider, or an issuer of tokens, at work.

use std::sync::Arc;

use super::{Action, Snapshot};
use crate::auth::{JwtValidation, Oidc};
use crate::config::ValidAuthenticator;

/// An action that only some requests come to.
#[derive(Debug)]
pub struct Authenticated {
    /// Who lets them through.
    pub by: Authenticator,
    /// What happens to them then.
    pub then: Action,
}

/// Who lets requests through.
#[derive(Clone, Debug)]
pub enum Authenticator {
    /// `authenticate-oidc`.
    Oidc(Arc<Oidc>),
    /// `jwt-validation`.
    Jwt(Arc<JwtValidation>),
}

/// Those of a snapshot: one for rules that say the same. What they have fetched goes on over a reload.
#[derive(Clone, Debug, Default)]
pub struct Authenticators {
    oidc: Vec<Arc<Oidc>>,
    jwt: Vec<Arc<JwtValidation>>,
}

impl Authenticators {
    /// The one that says so: there already, taken over from the last snapshot, or new.
    pub(super) fn get(&mut self, valid: ValidAuthenticator, last: &Snapshot) -> Authenticator {
        match valid {
            ValidAuthenticator::Oidc(settings) => {
                let mut known = self.oidc.iter().chain(&last.authenticators.oidc);
                let known = known.find(|known| *known.settings() == *settings).cloned();
                let oidc = known.unwrap_or_else(|| Arc::new(Oidc::new(*settings)));
                if !self.oidc.iter().any(|known| Arc::ptr_eq(known, &oidc)) {
                    self.oidc.push(Arc::clone(&oidc));
                }
                Authenticator::Oidc(oidc)
            }
            ValidAuthenticator::Jwt(settings) => {
                let mut known = self.jwt.iter().chain(&last.authenticators.jwt);
                let known = known.find(|known| *known.settings() == *settings).cloned();
                let jwt = known.unwrap_or_else(|| {
                    let place = |other: &&Arc<JwtValidation>| {
                        other.settings().jwks_endpoint == settings.jwks_endpoint
                    };
                    let keys = self.jwt.iter().chain(&last.authenticators.jwt).find(place);
                    let keys = keys.map(|keys| &**keys);
                    Arc::new(JwtValidation::new((*settings).clone(), keys))
                });
                if !self.jwt.iter().any(|known| Arc::ptr_eq(known, &jwt)) {
                    self.jwt.push(Arc::clone(&jwt));
                }
                Authenticator::Jwt(jwt)
            }
        }
    }
}

/// The identity providers that a listener's actions name.
pub(super) fn providers<'a>(actions: impl Iterator<Item = &'a Action>) -> Vec<Arc<Oidc>> {
    let mut providers: Vec<Arc<Oidc>> = Vec::new();
    for action in actions {
        if let Action::Authenticate(authenticated) = action
            && let Authenticator::Oidc(oidc) = &authenticated.by
            && !providers.iter().any(|known| Arc::ptr_eq(known, oidc))
        {
            providers.push(Arc::clone(oidc));
        }
    }
    providers
}
