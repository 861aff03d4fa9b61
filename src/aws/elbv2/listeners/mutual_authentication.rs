//! What a listener asks of its clients' certificates, as AWS writes it and as the document does.

use serde::{Deserialize, Serialize};

use crate::aws::catalogue::{Catalogue, not_found};
use crate::aws::place::Place;
use crate::aws::{ApiError, Arn};
use crate::config::document;
use crate::config::document::MutualAuthenticationMode as Mode;
use crate::config::inventory::Id;

/// AWS: MutualAuthenticationAttributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct MutualAuthentication {
    mode: Option<String>,
    trust_store_arn: Option<String>,
    ignore_client_certificate_expiry: Option<bool>,
    trust_store_association_status: Option<String>,
    advertise_trust_store_ca_names: Option<String>,
}

impl MutualAuthentication {
    /// Whether nothing is asked.
    pub(super) fn is_off(&self) -> bool {
        matches!(self.mode.as_deref(), None | Some("off"))
    }

    pub(super) fn read(
        &self,
        catalogue: &Catalogue<'_>,
    ) -> Result<document::MutualAuthentication, ApiError> {
        let mode = match self.mode.as_deref() {
            None | Some("off") => Mode::Off,
            Some("passthrough") => Mode::Passthrough,
            Some("verify") => Mode::Verify,
            Some(other) => {
                return Err(ApiError::Validation(format!(
                    "Mode '{other}' must be one of 'off', 'passthrough', 'verify'"
                )));
            }
        };
        let advertises = match self.advertise_trust_store_ca_names.as_deref() {
            None | Some("off") => false,
            Some("on") => true,
            Some(other) => {
                return Err(ApiError::Validation(format!(
                    "AdvertiseTrustStoreCaNames '{other}' must be one of 'on', 'off'"
                )));
            }
        };
        let arn = self
            .trust_store_arn
            .as_deref()
            .filter(|arn| !arn.is_empty());
        let trust_store = arn.map(|arn| trust_store(arn, catalogue)).transpose()?;
        if mode == Mode::Verify && trust_store.is_none() {
            let message = "Mode 'verify' needs TrustStoreArn";
            return Err(ApiError::Validation(message.to_owned()));
        }
        Ok(document::MutualAuthentication {
            mode,
            trust_store,
            ignore_client_certificate_expiry: self
                .ignore_client_certificate_expiry
                .unwrap_or(false),
            advertise_trust_store_ca_names: advertises,
        })
    }

    pub(super) fn told(document: &document::MutualAuthentication, place: &Place) -> Self {
        let verifies = document.mode == Mode::Verify;
        let arn = |name: &String| {
            let id = Id::of_trust_store(name);
            let name = name.clone();
            Arn::TrustStore { name, id }.at(place)
        };
        let advertises = match document.advertise_trust_store_ca_names {
            true => "on",
            false => "off",
        };
        Self {
            mode: Some(
                match document.mode {
                    Mode::Off => "off",
                    Mode::Passthrough => "passthrough",
                    Mode::Verify => "verify",
                }
                .to_owned(),
            ),
            trust_store_arn: document.trust_store.as_ref().map(arn),
            ignore_client_certificate_expiry: verifies
                .then_some(document.ignore_client_certificate_expiry),
            trust_store_association_status: verifies.then(|| "active".to_owned()),
            advertise_trust_store_ca_names: verifies.then(|| advertises.to_owned()),
        }
    }
}

/// The name of the trust store of that ARN.
fn trust_store(arn: &str, catalogue: &Catalogue<'_>) -> Result<String, ApiError> {
    let mut all = catalogue.standing.config.trust_store.iter();
    match arn.parse()? {
        Arn::TrustStore { name, .. } if all.any(|it| it.name == name) => Ok(name),
        _ => Err(not_found("TrustStoreNotFound", "Trust store", arn)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::config::parse;
    use crate::reload::Standing;

    #[test]
    fn what_is_asked_is_told_as_it_was_said() {
        let text = "[[trust_store]]\nname = \"staff\"\nca_certificates = \"ca.pem\"\n";
        let standing = Standing {
            config: parse(text, "file").unwrap(),
            ..Standing::default()
        };
        let place = Place::of(&axum::http::HeaderMap::new());
        let catalogue = Catalogue::new(&standing, &place);
        let arn = Arn::TrustStore {
            name: "staff".to_owned(),
            id: Id::of_trust_store("staff"),
        };
        let arn = arn.at(&place);
        let verify = MutualAuthentication {
            mode: Some("verify".to_owned()),
            trust_store_arn: Some(arn.clone()),
            ignore_client_certificate_expiry: Some(true),
            trust_store_association_status: Some("active".to_owned()),
            advertise_trust_store_ca_names: Some("on".to_owned()),
        };
        let mode = |mode: &str| MutualAuthentication {
            mode: Some(mode.to_owned()),
            ..MutualAuthentication::default()
        };
        for wanted in [verify, mode("passthrough"), mode("off")] {
            let document = wanted.read(&catalogue).unwrap();
            assert_eq!(MutualAuthentication::told(&document, &place), wanted);
        }
        assert!(mode("odd").read(&catalogue).is_err());
        assert!(mode("verify").read(&catalogue).is_err());
        let gone = MutualAuthentication {
            trust_store_arn: Some(arn.replace("staff", "guests")),
            ..mode("verify")
        };
        let error = gone.read(&catalogue).unwrap_err();
        assert_eq!(error.code(), "TrustStoreNotFound");
    }
}
