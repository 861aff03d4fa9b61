//! Accounts with authorities that make certificates by ACME, and the certificates ordered by them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::file;
use super::report::Report;
use crate::acme::{Authority, ChallengeKind, ExternalAccount, Wanted};
use crate::config::document::{
    Acme, AcmeChallenge, AcmeKey, Config, ListenerCertificate, ListenerProtocol, LoadBalancer,
};
use crate::config::path::Path;
use crate::config::suggest::{listed, nearest};
use crate::local_ca::{KeyKind, Name};

/// Let's Encrypt's, by the names that its own documentation has for them.
const PRODUCTION: &str = "https://acme-v02.api.letsencrypt.org/directory";
const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// Let's Encrypt's limit, and the highest of those that are known.
const MOST_NAMES: usize = 100;

/// The accounts by name, and whether a listener uses them.
pub(super) struct Accounts<'a>(BTreeMap<&'a str, Account>);

struct Account {
    authority: Option<Arc<Authority>>,
    place: usize,
    used: bool,
}

/// What a load balancer's listeners order.
pub(super) struct Orders<'a, 'b> {
    pub(super) accounts: &'b mut Accounts<'a>,
    /// Whether the load balancer has a listener that can answer HTTP-01.
    has_http: bool,
}

impl<'a, 'b> Orders<'a, 'b> {
    pub(super) fn of(load_balancer: &LoadBalancer, accounts: &'b mut Accounts<'a>) -> Self {
        let mut listeners = load_balancer.listener.iter();
        Self {
            accounts,
            has_http: listeners.any(|listener| listener.protocol == ListenerProtocol::Http),
        }
    }
}

/// Checks all accounts.
pub(super) fn validate<'a>(config: &'a Config, report: &mut Report<'_>) -> Accounts<'a> {
    let path = Path::Root.key("acme");
    let mut accounts = Accounts(BTreeMap::new());
    let mut same = BTreeMap::new();
    for (place, account) in config.acme.iter().enumerate() {
        let path = path.index(place);
        let authority = authority(account, &path, report);
        if let Some(authority) = &authority {
            let external = authority.external_account.as_ref();
            let external = external.map(|external| external.key_id.clone());
            let key = (Arc::clone(&authority.directory), external);
            let (first, contact) = *same.entry(key).or_insert((place, &account.contact));
            if contact != &account.contact {
                let message = format!("acme[{first}] is the same account with another contact");
                let help = "an account has one contact: write the same, or leave one of them out";
                report.refuse(path.key("contact"), message, help);
            }
        }
        let account_name = account.name.as_str();
        if account_name.is_empty() {
            report.error(path.key("name"), "the name is empty");
        }
        let entry = Account {
            authority: authority.map(Arc::new),
            place,
            used: false,
        };
        if let Some(first) = accounts.0.insert(account_name, entry) {
            let message = format!("acme[{}] is named `{account_name}`, too", first.place);
            report.refuse(path.key("name"), message, "names are unique");
        }
    }
    if !config.acme.is_empty() && config.state_directory.is_none() {
        let untouched = report.is_untouched("state_directory");
        if untouched {
            let help = "write state_directory = \"/var/lib/elbow\", say, at the top of the file: \
                        without it each start would order all certificates again";
            report.refuse(path, "certificates that are ordered must be kept", help);
        }
    }
    accounts
}

/// Says which accounts no listener uses.
pub(super) fn unused(accounts: &Accounts<'_>, report: &mut Report<'_>) {
    for (name, account) in accounts.0.iter().filter(|(_, account)| !account.used) {
        report.warn(
            Path::Root.key("acme").index(account.place),
            format!("no listener has a certificate from `{name}`"),
            format!("certificates = [{{ acme = \"{name}\", names = [\"www.example.com\"] }}]"),
        );
    }
}

fn authority(account: &Acme, path: &Path<'_>, report: &mut Report<'_>) -> Option<Authority> {
    if !account.agree_to_terms {
        let help = "read the authority's terms of service, and write agree_to_terms = true";
        report.refuse(path, "the authority's terms are not agreed to", help);
    }
    if account.challenges.is_empty() {
        let help = "write \"tls-alpn-01\", \"http-01\", or both";
        report.refuse(path.key("challenges"), "the list is empty", help);
    }
    let contact = account.contact.iter().enumerate();
    let contact: Vec<Option<String>> = contact
        .map(|(index, contact)| contacted(contact, &path.key("contact").index(index), report))
        .collect();
    if account.profile.as_deref() == Some("") {
        report.error(path.key("profile"), "the name of the profile is empty");
    }
    let files = [
        ("ca", account.ca.as_ref()),
        (
            "external_account.key_file",
            account
                .external_account
                .as_ref()
                .map(|external| &external.key_file),
        ),
    ];
    for (key, file) in files {
        file::validate(file, &path.key(key), report);
    }
    let external = account.external_account.as_ref();
    if external.is_some_and(|external| external.key_id.is_empty()) {
        let path = path.key("external_account");
        report.error(path.key("key_id"), "the identifier is empty");
    }
    Some(Authority {
        name: account.name.as_str().into(),
        directory: directory(&account.directory, &path.key("directory"), report)?,
        ca: account.ca.clone(),
        contact: contact.into_iter().collect::<Option<_>>()?,
        external_account: external.map(|external| ExternalAccount {
            key_id: external.key_id.clone(),
            key_file: external.key_file.clone(),
        }),
        profile: account.profile.clone(),
        challenges: challenges(&account.challenges),
        key: match account.key {
            AcmeKey::EcdsaP256 => KeyKind::EcdsaP256,
            AcmeKey::EcdsaP384 => KeyKind::EcdsaP384,
            AcmeKey::Rsa2048 => KeyKind::Rsa2048,
            AcmeKey::Rsa3072 => KeyKind::Rsa3072,
            AcmeKey::Rsa4096 => KeyKind::Rsa4096,
        },
    })
}

/// Each once, in their order.
fn challenges(wanted: &[AcmeChallenge]) -> Vec<ChallengeKind> {
    let mut challenges = Vec::new();
    for challenge in wanted {
        let kind = match challenge {
            AcmeChallenge::TlsAlpn01 => ChallengeKind::TlsAlpn01,
            AcmeChallenge::Http01 => ChallengeKind::Http01,
        };
        if !challenges.contains(&kind) {
            challenges.push(kind);
        }
    }
    challenges
}

fn directory(written: &str, path: &Path<'_>, report: &mut Report<'_>) -> Option<Arc<str>> {
    let url = match written {
        "production" => PRODUCTION,
        "staging" => STAGING,
        url => url,
    };
    let is_url = url.parse::<http::Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty())
    });
    if is_url {
        return Some(url.into());
    }
    let help = match nearest(written, ["production", "staging"]) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => "write \"production\" or \"staging\" (Let's Encrypt), or the https:// URL of a \
                 directory"
            .to_owned(),
    };
    report.refuse(path, format!("{written:?} is no directory"), help);
    None
}

/// RFC 8555 section 7.3 wants URLs; people write addresses.
fn contacted(written: &str, path: &Path<'_>, report: &mut Report<'_>) -> Option<String> {
    let url = match written.split_once(':') {
        Some(_) => written.to_owned(),
        None => format!("mailto:{written}"),
    };
    let address = url.strip_prefix("mailto:");
    let is_address = |address: &str| {
        let halves = address.split_once('@');
        halves.is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
    };
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && address.is_none_or(is_address) {
        return Some(url);
    }
    let help = "write an address such as \"ops@example.com\", or a URL";
    report.refuse(path, format!("{written:?} is no contact"), help);
    None
}

/// Checks a certificate that is ordered by the account `account`.
pub(super) fn wanted(
    account: &str,
    certificate: &ListenerCertificate,
    path: &Path<'_>,
    orders: &mut Orders<'_, '_>,
    report: &mut Report<'_>,
) -> Option<Wanted> {
    let names = names(&certificate.names, &path.key("names"), report);
    let accounts = &mut orders.accounts.0;
    let Some(found) = accounts.get_mut(account) else {
        if report.is_untouched("acme") {
            let known = accounts.keys().copied();
            let help = match nearest(account, known.clone()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if accounts.is_empty() => {
                    format!("add [[acme]] with name = \"{account}\" and agree_to_terms = true")
                }
                None => format!("there are {}", listed(account, known)),
            };
            let message = format!("there is no account `{account}`");
            report.refuse(path.key("acme"), message, help);
        }
        return None;
    };
    found.used = true;
    let authority = Arc::clone(found.authority.as_ref()?);
    let mut challenges = authority.challenges.clone();
    if !orders.has_http {
        challenges.retain(|kind| *kind != ChallengeKind::Http01);
    }
    if challenges.is_empty() && !authority.challenges.is_empty() {
        let message = "the load balancer has no listener that could answer http-01";
        let help = "authorities ask on port 80: add a listener with protocol = \"HTTP\", or let the \
                    account have challenges = [\"tls-alpn-01\"]";
        report.refuse(path.key("acme"), message, help);
    }
    let names = names?;
    let name = certificate.name.as_deref();
    let name = name.or_else(|| names.first().map(Name::as_str));
    Some(Wanted {
        authority,
        name: name.unwrap_or_default().into(),
        names,
        challenges,
    })
}

fn names(written: &[String], path: &Path<'_>, report: &mut Report<'_>) -> Option<Vec<Name>> {
    if written.is_empty() && report.is_untouched(path) {
        let help = "write names = [\"www.example.com\"]";
        report.refuse(path, "a certificate is ordered for names", help);
        return None;
    }
    if written.len() > MOST_NAMES {
        let message = format!("these are {} names", written.len());
        let help = format!("authorities put at most {MOST_NAMES} names on a certificate");
        report.refuse(path, message, help);
    }
    let mut names: Vec<Name> = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        let path = path.index(index);
        let name = match text.parse::<Name>() {
            Ok(name) => name,
            Err(error) => {
                report.error(path, error.to_string());
                continue;
            }
        };
        if name.as_str().starts_with("*.") {
            let message = "a wildcard can be had by the challenge dns-01 only";
            let help = "Elbow shows names by tls-alpn-01 and http-01: write the names one by one";
            report.refuse(path, message, help);
        } else if name.as_str().parse::<IpAddr>().is_ok() {
            let help = "write a DNS name; for an address `elbow cert` makes certificates";
            report.refuse(path, "an address is no DNS name", help);
        } else if names.contains(&name) {
            report.error(path, format!("`{name}` is there already"));
        } else {
            names.push(name);
        }
    }
    (names.len() == written.len()).then_some(names)
}
