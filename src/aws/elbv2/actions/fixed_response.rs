//! `fixed-response`.

use serde::{Deserialize, Serialize};

use crate::aws::ApiError;
use crate::config::document::FixedResponse;

/// AWS: FixedResponseActionConfig.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Config {
    message_body: Option<String>,
    status_code: String,
    content_type: Option<String>,
}

pub(super) fn read(config: &Config) -> Result<FixedResponse, ApiError> {
    let status = config.status_code.parse().map_err(|_| {
        let status = &config.status_code;
        ApiError::Validation(format!("StatusCode '{status}' must be 2XX, 4XX or 5XX"))
    })?;
    let kind = config.content_type.clone();
    Ok(FixedResponse {
        status,
        content_type: kind.unwrap_or_else(|| "text/plain".to_owned()),
        body: config.message_body.clone().unwrap_or_default(),
    })
}

pub(super) fn told(response: &FixedResponse) -> Config {
    Config {
        message_body: Some(response.body.clone()).filter(|body| !body.is_empty()),
        status_code: response.status.to_string(),
        content_type: Some(response.content_type.clone()),
    }
}
