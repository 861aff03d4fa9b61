//! Who a client is: STS of 2011-06-15, because every tool of AWS's begins with that question.
//!
//! There is one account, and nobody is asked for a secret: everybody is its root.

use serde::Serialize;
use serde_json::Value;

use super::{ApiError, Call, written};

/// What `Version` says.
pub(super) const VERSION: &str = "2011-06-15";

/// Of the answers.
pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The answer to `GetCallerIdentity`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CallerIdentity {
    arn: String,
    user_id: &'static str,
    account: &'static str,
}

/// Answers one request.
pub(super) fn answer(call: &Call, action: &str) -> Result<Value, ApiError> {
    let account = call.place.account;
    match action {
        "GetCallerIdentity" => written(CallerIdentity {
            arn: format!("arn:aws:iam::{account}:root"),
            user_id: account,
            account,
        }),
        _ => Err(ApiError::InvalidAction {
            action: action.to_owned(),
            version: VERSION.to_owned(),
        }),
    }
}
