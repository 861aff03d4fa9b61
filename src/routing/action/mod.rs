//! The actions that end with the balancer's own answer.
//!
//! A [`Redirect`] and a [`FixedResponse`] need no target; `forward` does, and lives where targets are known. The closed
//! set of actions that a rule can have is made there, of these two and of that one.

mod fixed_response;
mod redirect;

pub use fixed_response::{ContentType, FixedResponse, FixedResponseError};
pub use redirect::{
    Keyword, LocationTooLong, Redirect, RedirectError, RedirectPart, RedirectSettings,
    RedirectStatus,
};
