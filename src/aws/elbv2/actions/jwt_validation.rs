//! `jwt-validation`.

use serde::{Deserialize, Serialize};

use crate::aws::ApiError;
use crate::config::document::{AdditionalClaim, AdditionalClaimFormat, JwtValidation};

/// AWS: JwtValidationActionConfig.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Config {
    jwks_endpoint: String,
    issuer: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    additional_claims: Vec<Claim>,
}

/// AWS: JwtValidationActionAdditionalClaim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Claim {
    format: String,
    name: String,
    values: Vec<String>,
}

pub(super) fn read(
    config: &Config,
    before: Option<&JwtValidation>,
) -> Result<JwtValidation, ApiError> {
    let claims = config.additional_claims.iter().map(|claim| {
        let format = match claim.format.as_str() {
            "single-string" => AdditionalClaimFormat::SingleString,
            "string-array" => AdditionalClaimFormat::StringArray,
            "space-separated-values" => AdditionalClaimFormat::SpaceSeparatedValues,
            other => {
                return Err(ApiError::Validation(format!(
                    "Format '{other}' must be one of 'single-string', 'string-array', 'space-separated-values'"
                )));
            }
        };
        Ok(AdditionalClaim {
            name: claim.name.clone(),
            format: Some(format),
            values: claim.values.clone(),
        })
    });
    Ok(JwtValidation {
        jwks_endpoint: config.jwks_endpoint.clone(),
        issuer: config.issuer.clone(),
        additional_claims: claims.collect::<Result<_, _>>()?,
        ca_file: before.and_then(|before| before.ca_file.clone()),
    })
}

pub(super) fn told(action: &JwtValidation) -> Config {
    let claims = action.additional_claims.iter().map(|claim| Claim {
        format: match claim.format.unwrap_or_default() {
            AdditionalClaimFormat::SingleString => "single-string",
            AdditionalClaimFormat::StringArray => "string-array",
            AdditionalClaimFormat::SpaceSeparatedValues => "space-separated-values",
        }
        .to_owned(),
        name: claim.name.clone(),
        values: claim.values.clone(),
    });
    Config {
        jwks_endpoint: action.jwks_endpoint.clone(),
        issuer: action.issuer.clone(),
        additional_claims: claims.collect(),
    }
}
