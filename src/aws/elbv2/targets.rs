//! Registering and deregistering targets.
//!
//! A target of type `ip` is called by its address, one of type `instance` by a host name, which is looked up again
//! and again, or by an address. In a group of the file, targets can be registered too; those that the file registers
//! stay.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Done;
use crate::aws::catalogue::{Catalogue, Entry};
use crate::aws::{ApiError, Call};
use crate::config::Inventory;
use crate::config::document::{Target, TargetGroup};
use crate::config::inventory::MadeTarget;

/// AWS: TargetDescription.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::aws) struct TargetDescription {
    pub(in crate::aws) id: String,
    pub(in crate::aws) port: Option<u16>,
    pub(in crate::aws) availability_zone: Option<String>,
}

/// `RegisterTargets`, `DeregisterTargets`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Targets {
    target_group_arn: String,
    targets: Vec<TargetDescription>,
}

impl TargetDescription {
    /// Whether it means `other`, which has a port.
    pub(super) fn names(&self, other: &Self) -> bool {
        self.id() == other.id() && self.port.is_none_or(|port| other.port == Some(port))
    }

    /// An address may be written in several ways.
    fn id(&self) -> String {
        let address = self.id.parse::<IpAddr>();
        address.map_or_else(|_| self.id.clone(), |ip| ip.to_string())
    }

    /// What the document says of such a target.
    fn document(&self, default_port: u16) -> Target {
        let port = self.port.unwrap_or(default_port);
        let address = match self.id.parse() {
            Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
            _ => format!("{}:{port}", self.id),
        };
        Target {
            id: Some(self.id()),
            address,
            zone: self.availability_zone.clone(),
            weight: 1,
            invalid_state: None,
            priority: None,
        }
    }

    /// Whether the document says it so.
    pub(super) fn is(&self, target: &Target, default_port: u16) -> bool {
        let (host, port) = target
            .address
            .rsplit_once(':')
            .unwrap_or((&target.address, ""));
        let id = target
            .id
            .as_deref()
            .unwrap_or(host.trim_matches(['[', ']']));
        id == self.id() && port == self.port.unwrap_or(default_port).to_string()
    }

    /// The same without a port: AWS takes all registrations of the id out then.
    fn is_any(&self, target: &Target, default_port: u16) -> bool {
        match (self.port, target.address.rsplit_once(':')) {
            (None, Some((_, port))) => self.is(target, port.parse().unwrap_or(default_port)),
            _ => self.is(target, default_port),
        }
    }

    /// Whether a target of that id can be in such a group. What the file's groups hold, nobody has said.
    fn check(&self, group: &Entry<'_, TargetGroup>) -> Result<(), ApiError> {
        let refused = |why: &str| {
            Err(ApiError::Other {
                code: "InvalidTarget",
                message: format!("The target '{}' {why}", self.id),
            })
        };
        if self.port == Some(0) {
            return refused("has no port 0");
        }
        let noted = |name: &str| group.notes?.parameters.get(name).map(String::as_str);
        let is_v6 = noted("IpAddressType") == Some("ipv6");
        match self.id.parse::<IpAddr>() {
            Ok(ip) if ip.is_unspecified() || ip.is_multicast() => {
                refused("is not an address that can be connected to")
            }
            Ok(ip) if group.notes.is_some() && ip.is_ipv6() != is_v6 => refused(match is_v6 {
                true => "is not a valid IPv6 address, as the target group's IpAddressType has it",
                false => "is not a valid IPv4 address, as the target group's IpAddressType has it",
            }),
            Ok(_) => Ok(()),
            Err(_) if noted("TargetType") == Some("ip") => {
                refused("is not an IP address; take TargetType 'instance' for host names")
            }
            Err(_) if !is_host_name(&self.id) => {
                refused("is neither an IP address nor a host name")
            }
            Err(_) => Ok(()),
        }
    }
}

/// As far as it can be seen without asking anyone.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_fit)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = text
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|it| it.is_ascii_digit()));
    text.len() <= 128 && text.split('.').all(is_label) && !is_number
}

/// `RegisterTargets`. Registering again is no mistake, and may name another zone.
pub(super) async fn register(call: &Call, wanted: Targets) -> Result<Done, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let group = catalogue.target_group(&wanted.target_group_arn)?;
        put(catalogue, inventory, &group, &wanted.targets)
    };
    call.change(edit).await.map(|_| Done {})
}

/// `DeregisterTargets`. Those that are not there are no mistake.
pub(super) async fn deregister(call: &Call, wanted: Targets) -> Result<Done, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let group = catalogue.target_group(&wanted.target_group_arn)?;
        take(catalogue, inventory, &group, &wanted.targets)
    };
    call.change(edit).await.map(|_| Done {})
}

/// What is done to a group's targets: [`put`], [`take`].
pub(in crate::aws) type Edit = fn(
    &Catalogue<'_>,
    &mut Inventory,
    &Entry<'_, TargetGroup>,
    &[TargetDescription],
) -> Result<(), ApiError>;

/// Puts targets into a group.
pub(in crate::aws) fn put(
    catalogue: &Catalogue<'_>,
    inventory: &mut Inventory,
    group: &Entry<'_, TargetGroup>,
    targets: &[TargetDescription],
) -> Result<(), ApiError> {
    let name = &group.document.name;
    let default_port = catalogue.port(group);
    for wanted in targets {
        wanted.check(group)?;
    }
    let mut made = inventory.target_groups.iter_mut();
    if let Some(made) = made.find(|made| made.document.name == *name) {
        let list = &mut made.document.targets;
        for wanted in targets {
            list.retain(|it| !wanted.is(it, default_port));
            list.push(wanted.document(default_port));
        }
        return Ok(());
    }
    for wanted in targets {
        let is = |it: &MadeTarget| it.target_group == *name && wanted.is(&it.target, default_port);
        inventory.targets.retain(|it| !is(it));
        let of_file = |it: &Target| wanted.is(it, default_port);
        if group.document.targets.iter().any(of_file)
            && !catalogue.standing.inventory.targets.iter().any(is)
        {
            continue; // The file has registered it.
        }
        inventory.targets.push(MadeTarget {
            target_group: name.clone(),
            target: wanted.document(default_port),
        });
    }
    Ok(())
}

/// Takes targets out of a group.
pub(in crate::aws) fn take(
    catalogue: &Catalogue<'_>,
    inventory: &mut Inventory,
    group: &Entry<'_, TargetGroup>,
    targets: &[TargetDescription],
) -> Result<(), ApiError> {
    let name = &group.document.name;
    let default_port = catalogue.port(group);
    let is = |it: &Target| targets.iter().any(|wanted| wanted.is_any(it, default_port));
    let made = inventory.target_groups.iter_mut();
    for made in made.filter(|made| made.document.name == *name) {
        made.document.targets.retain(|it| !is(it));
    }
    inventory
        .targets
        .retain(|it| it.target_group != *name || !is(&it.target));
    let made = catalogue.standing.inventory.targets.iter();
    let made: Vec<_> = made
        .filter(|it| it.target_group == *name)
        .map(|it| &it.target)
        .collect();
    let of_file = |it: &&Target| group.notes.is_none() && is(it) && !made.contains(it);
    match group.document.targets.iter().find(of_file) {
        Some(target) => Err(ApiError::OperationNotPermitted(format!(
            "target {} of target group {name} was not registered through this API: take it out of Elbow's \
             configuration file, or away from the provider that it comes from",
            target.address
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::aws::place::Place;
    use crate::config::inventory::{Id, Made, Notes};
    use crate::config::parse;
    use crate::reload::Standing;

    const FILE: &str =
        "[[target_group]]\nname = \"site\"\ntargets = [{ address = \"10.0.0.6:80\" }]\n";

    fn target(id: &str, port: Option<u16>) -> TargetDescription {
        TargetDescription {
            id: id.to_owned(),
            port,
            availability_zone: None,
        }
    }

    /// The addresses in the group after `edit`.
    fn edited(
        standing: &mut Standing,
        edit: impl Fn(&Catalogue<'_>, &mut Inventory, &Entry<'_, TargetGroup>) -> Result<(), ApiError>,
    ) -> Result<Vec<String>, ApiError> {
        let place = Place {
            region: "r".to_owned(),
            account: "a",
        };
        let mut inventory = standing.inventory.clone();
        let catalogue = Catalogue::new(standing, &place);
        let group = catalogue.target_group_named("site").unwrap();
        edit(&catalogue, &mut inventory, &group)?;
        let made = inventory
            .target_groups
            .iter()
            .flat_map(|it| &it.document.targets);
        let beside = inventory.targets.iter().map(|it| &it.target);
        let addresses = made.chain(beside).map(|it| it.address.clone()).collect();
        standing.inventory = inventory;
        Ok(addresses)
    }

    fn file() -> Standing {
        Standing {
            config: parse(FILE, "file").unwrap(),
            ..Standing::default()
        }
    }

    fn made(parameters: &[(&str, &str)]) -> Standing {
        let mut standing = file();
        standing.config.target_group[0].targets.clear();
        let parameters: BTreeMap<_, _> = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        standing.inventory.target_groups.push(Made {
            id: Id::given("1"),
            notes: Notes {
                parameters,
                ..Notes::default()
            },
            document: standing.config.target_group[0].clone(),
        });
        standing
    }

    #[test]
    fn a_target_that_is_named_twice_is_there_once() {
        for mut standing in [file(), made(&[("Port", "80"), ("TargetType", "ip")])] {
            let twice = [
                target("10.0.0.7", None),
                target("10.0.0.7", Some(80)),
                target("10.0.0.7", Some(81)),
            ];
            let addresses = edited(&mut standing, |catalogue, inventory, group| {
                put(catalogue, inventory, group, &twice)
            });
            assert_eq!(addresses.unwrap(), ["10.0.0.7:80", "10.0.0.7:81"]);
            let rest = edited(&mut standing, |catalogue, inventory, group| {
                take(
                    catalogue,
                    inventory,
                    group,
                    &[target("10.0.0.7", None), target("10.0.0.9", None)],
                )
            });
            assert_eq!(
                rest.unwrap(),
                [""; 0],
                "without a port all of them, and no mistake of the other"
            );
        }
    }

    #[test]
    fn what_the_file_registers_stays() {
        let same = [target("10.0.0.6", None)];
        let addresses = edited(&mut file(), |catalogue, inventory, group| {
            put(catalogue, inventory, group, &same)
        });
        assert_eq!(addresses.unwrap(), [""; 0]);
        let error = edited(&mut file(), |catalogue, inventory, group| {
            take(catalogue, inventory, group, &same)
        });
        let error = error.unwrap_err();
        assert_eq!(error.code(), "OperationNotPermitted");
        assert!(error.to_string().contains("configuration file"), "{error}");
    }

    #[test]
    fn an_address_of_ipv6_has_one_spelling() {
        let mut standing = made(&[
            ("Port", "80"),
            ("TargetType", "ip"),
            ("IpAddressType", "ipv6"),
        ]);
        let spellings = [target("FD00::0:1", None), target("fd00::1", None)];
        let addresses = edited(&mut standing, |catalogue, inventory, group| {
            put(catalogue, inventory, group, &spellings)
        });
        assert_eq!(addresses.unwrap(), ["[fd00::1]:80"]);
    }

    #[test]
    fn what_cannot_be_in_a_group_is_an_invalid_target() {
        let ip = [("TargetType", "ip"), ("IpAddressType", "ipv4")];
        let instance = [("TargetType", "instance")];
        for (parameters, id) in [
            (&ip[..], "web-a"),
            (&ip[..], "fd00::1"),
            (&ip[..], "0.0.0.0"),
            (&instance[..], "web_a:80"),
            (&instance[..], "10.0.0"),
            (&instance[..], ""),
            (&instance[..], "-web"),
        ] {
            let error = edited(&mut made(parameters), |catalogue, inventory, group| {
                put(catalogue, inventory, group, &[target(id, None)])
            });
            assert_eq!(error.unwrap_err().code(), "InvalidTarget", "{id}");
        }
        for id in ["web-a.example", "i-0123456789abcdef0", "10.0.0.7"] {
            let addresses = edited(&mut made(&instance), |catalogue, inventory, group| {
                put(catalogue, inventory, group, &[target(id, None)])
            });
            assert_eq!(addresses.unwrap(), [format!("{id}:80")]);
        }
    }
}
