//! Trust stores, which stand in the file: described, with the listeners that have them.

use serde::{Deserialize, Serialize};

use super::page::Page;
use crate::aws::catalogue::{Catalogue, not_found};
use crate::aws::{ApiError, Arn, Call};
use crate::config::document::TrustStore;
use crate::config::inventory::Id;
use crate::tls::TrustStoreFiles;

/// `DescribeTrustStores`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeTrustStores {
    trust_store_arns: Vec<String>,
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<u32>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TrustStores {
    trust_stores: Vec<TrustStoreDescription>,
    next_marker: Option<String>,
}

/// AWS: TrustStore.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TrustStoreDescription {
    name: String,
    trust_store_arn: String,
    status: &'static str,
    number_of_ca_certificates: Option<usize>,
    total_revoked_entries: Option<usize>,
}

/// `DescribeTrustStoreAssociations`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeTrustStoreAssociations {
    trust_store_arn: String,
    marker: Option<String>,
    page_size: Option<u32>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TrustStoreAssociations {
    trust_store_associations: Vec<Association>,
    next_marker: Option<String>,
}

/// AWS: TrustStoreAssociation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Association {
    resource_arn: String,
}

pub(super) async fn describe(
    call: &Call,
    wanted: DescribeTrustStores,
) -> Result<TrustStores, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let mut names = wanted.names;
    for arn in &wanted.trust_store_arns {
        names.push(named(arn, &catalogue)?.name.clone());
    }
    let all = &standing.config.trust_store;
    for name in &names {
        if !all.iter().any(|it| it.name == *name) {
            return Err(not_found("TrustStoreNotFound", "Trust store", name));
        }
    }
    let asked = all
        .iter()
        .filter(|it| names.is_empty() || names.contains(&it.name));
    let (page, next_marker) = Page::of(wanted.page_size, wanted.marker).cut(asked.collect())?;
    let mut trust_stores = Vec::new();
    for store in page {
        trust_stores.push(described(call, store).await);
    }
    Ok(TrustStores {
        trust_stores,
        next_marker,
    })
}

/// How much is in its files is left out while they cannot be read.
async fn described(call: &Call, store: &TrustStore) -> TrustStoreDescription {
    let files = TrustStoreFiles {
        ca_certificates: store.ca_certificates.clone(),
        revocation_lists: store.revocation_lists.clone(),
        has_quotas: false,
    };
    let read = tokio::task::spawn_blocking(move || files.load()).await;
    let read = read.ok().and_then(Result::ok);
    TrustStoreDescription {
        name: store.name.clone(),
        trust_store_arn: arn(&store.name).at(&call.place),
        status: "ACTIVE",
        number_of_ca_certificates: read.as_ref().map(|store| store.authorities()),
        total_revoked_entries: read.as_ref().map(|store| store.revocations().1),
    }
}

pub(super) fn associations(
    call: &Call,
    wanted: DescribeTrustStoreAssociations,
) -> Result<TrustStoreAssociations, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let name = &named(&wanted.trust_store_arn, &catalogue)?.name;
    let mut all = Vec::new();
    for load_balancer in catalogue.load_balancers() {
        let listeners = catalogue.listeners(&load_balancer).filter(|listener| {
            let asked = &listener.document.mutual_authentication;
            asked.trust_store.as_ref() == Some(name)
        });
        all.extend(listeners.map(|listener| Association {
            resource_arn: listener.arn(&call.place),
        }));
    }
    let (page, next_marker) = Page::of(wanted.page_size, wanted.marker).cut(all)?;
    Ok(TrustStoreAssociations {
        trust_store_associations: page,
        next_marker,
    })
}

fn named<'a>(arn: &str, catalogue: &Catalogue<'a>) -> Result<&'a TrustStore, ApiError> {
    let wanted: Arn = arn.parse()?;
    let mut all = catalogue.standing.config.trust_store.iter();
    let found = all.find(|it| self::arn(&it.name) == wanted);
    found.ok_or_else(|| not_found("TrustStoreNotFound", "Trust store", arn))
}

fn arn(name: &str) -> Arn {
    Arn::TrustStore {
        name: name.to_owned(),
        id: Id::of_trust_store(name),
    }
}
