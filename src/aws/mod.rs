//! AWS's own API, for the tools that speak it: the AWS CLI, its SDKs, what is built on them.
//!
//! A request is a form (`Action=DescribeTargetHealth&Version=2015-12-01&...`), an answer is XML: AWS's Query
//! protocol. [`Api::answer`] is where one becomes the other. What is described is the configuration in force,
//! whoever made it; what is made here goes into the inventory ([`crate::config::inventory`]) and through the
//! reloader like any other change: so an answer says what is in force. What the file says, only the file can change.
//!
//! Signatures are not looked at: the admin address has no authentication (see [`crate::admin`]). The region of
//! ARNs is the one that the client has signed for; there is one account.

mod arn;
mod catalogue;
mod ec2;
mod elb;
mod elbv2;
mod error;
mod place;
mod query;
mod service;
mod sts;
mod xml;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::causes::in_full;
use crate::config::Inventory;
use crate::reload::{ReloadError, ReloadHandle, Standing};
use crate::snapshot::Shared;

pub use error::ApiError;

use arn::Arn;
use catalogue::Catalogue;
use place::Place;
use query::Tree;
use service::Service;

/// Answers requests. Clones answer for the same daemon.
#[derive(Clone, Debug)]
pub struct Api {
    shared: Arc<Shared>,
    reload: ReloadHandle,
    /// Changes come one after the other: each starts from what the one before has made.
    changing: Arc<Mutex<()>>,
}

/// One request, and whom it may ask.
#[derive(Clone, Debug)]
struct Call {
    api: Api,
    place: Place,
}

impl Api {
    /// An API to what `reload` has in force.
    pub fn new(shared: Arc<Shared>, reload: ReloadHandle) -> Self {
        Self {
            shared,
            reload,
            changing: Arc::default(),
        }
    }

    /// Answers one request: the fields of its head, and the form that is its body. Never fails: what is wrong is
    /// answered in AWS's words.
    pub async fn answer(&self, headers: &HeaderMap, form: &[u8]) -> Response {
        let request = format!("{:032x}", fastrand::u128(..));
        let call = Call {
            api: self.clone(),
            place: Place::of(headers),
        };
        let (service, answer) = call.answer(form).await;
        let (status, document) = match answer {
            Ok((action, result)) => (StatusCode::OK, service.result(&action, &result, &request)),
            Err(error) => (error.status(), service.error(&error, &request)),
        };
        let kind = (CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        (status, [kind], document).into_response()
    }
}

impl Call {
    /// Whose words the answer is in, and what it says: to which action what.
    async fn answer(&self, form: &[u8]) -> (Service, Result<(String, Value), ApiError>) {
        let parameters = match Tree::read(form) {
            Ok(parameters) => parameters,
            Err(error) => return (Service::default(), Err(error)),
        };
        let text = |name: &str| parameters.text(name).unwrap_or_default().to_owned();
        let (action, version) = (text("Action"), text("Version"));
        let Some(service) = Service::of(&version) else {
            let unknown = ApiError::InvalidAction { action, version };
            return (Service::default(), Err(unknown));
        };
        let result = match service {
            Service::Elbv2 => elbv2::answer(self, &action, parameters).await,
            Service::Elb => elb::answer(self, &action, parameters).await,
            Service::Sts => sts::answer(self, &action),
            Service::Ec2 => ec2::answer(self, &action, &parameters),
        };
        (service, result.map(|result| (action, result)))
    }

    /// What is in force.
    fn standing(&self) -> Arc<Standing> {
        self.api.reload.standing()
    }

    /// Changes what was made and waits until that is in force, or changes nothing. `edit` is given a copy, and what it
    /// returns is returned, with what is in force then.
    async fn change<T>(
        &self,
        edit: impl FnOnce(&Catalogue<'_>, &mut Inventory) -> Result<T, ApiError>,
    ) -> Result<(T, Arc<Standing>), ApiError> {
        let _alone = self.api.changing.lock().await;
        let standing = self.standing();
        if standing.config.state_directory.is_none() {
            return Err(ApiError::NothingIsKept);
        }
        let mut inventory = standing.inventory.clone();
        let made = edit(&Catalogue::new(&standing, &self.place), &mut inventory)?;
        match self.api.reload.change(inventory).await {
            Ok(_) => Ok((made, self.standing())),
            Err(error) => Err(refused(&error)),
        }
    }
}

/// An operation's answer as a value.
fn written(answer: impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(answer).map_err(|error| ApiError::Internal(error.to_string()))
}

/// What the checks of a configuration find is the caller's mistake; the rest is not.
fn refused(error: &ReloadError) -> ApiError {
    match error {
        ReloadError::Invalid(problems) => {
            let first = problems.problems.iter().find(|problem| problem.is_error());
            let message = first.map_or_else(String::new, |problem| match &problem.help {
                Some(help) => format!("{} ({help})", problem.message),
                None => problem.message.clone(),
            });
            ApiError::InvalidConfigurationRequest(message)
        }
        ReloadError::ShuttingDown => ApiError::Unavailable,
        other => ApiError::InvalidConfigurationRequest(in_full(other)),
    }
}

/// What is noted of when something was made: seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// The same as AWS writes it (ISO 8601).
fn timestamp(seconds: u64) -> String {
    let at = UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(at).to_string()
}
