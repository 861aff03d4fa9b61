//! Who a request is of: the actions that stand before a forward and may keep a request from it.
//!
//! [`Oidc`] has people log in at an identity provider (`authenticate-oidc`); [`JwtValidation`] takes tokens that programs
//! bring (`jwt-validation`). Both ask servers that may be slow or dead: each question has five seconds and a limit in
//! size, runs beside other requests, and its failure is an answer of its own ([`AuthError`]). [`Signer`] signs what
//! targets are told about a user.
//!
//! Nothing here knows connections, rules or targets.

mod cookie;
mod error;
mod jwt;
mod oidc;
mod outbound;
#[cfg(test)]
mod sample;
mod signer;

pub use cookie::{Cookies, is_shard};
pub use error::AuthError;
pub use jwt::{ClaimError, ClaimFormat, JwtSettings, JwtValidation, KeySet, RequiredClaim};
pub use oidc::{
    Admission, CALLBACK, ClientSecret, Detour, Oidc, OidcSettings, OnUnauthenticated, Passport,
    Secrets, User, Visit,
};
pub use outbound::{Endpoint, EndpointError, roots};
pub use signer::Signer;
