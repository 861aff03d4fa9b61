//! How what was made joins what the file says, and which part of the result is which.

use std::collections::BTreeMap;

use super::super::document::{Config, Listener, ListenerCertificate, Target};
use super::super::path::{Step, steps};
use super::super::problem::Problem;
use super::{Id, Inventory};

/// How far the file's part of a joined document goes: what was made comes after it in every list.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// For each load balancer of the file how many rules each of its listeners has.
    load_balancers: Vec<Vec<usize>>,
    /// For each target group of the file how many targets it has.
    target_groups: Vec<usize>,
    /// What stands at which path: nobody can look up a number in a list that is in no file.
    names: BTreeMap<String, String>,
}

impl Inventory {
    /// Takes what was made into the file's document. What it was made for and is there no longer is left out, with
    /// a warning.
    pub(in crate::config) fn join(&self, config: &mut Config) -> (Joined, Vec<Problem>) {
        let mut joined = Joined::of(config);
        let mut problems = Vec::new();
        let certificates = named_certificates(config);
        let load_balancers = self.load_balancers.iter();
        let load_balancers = load_balancers.map(|made| made.document.clone());
        config.load_balancer.extend(load_balancers);
        for made in &self.listeners {
            let mut listener = made.listener.document.clone();
            for name in &made.certificates {
                listener.certificates.push(certificate(&certificates, name));
            }
            let named = |it: &&mut super::LoadBalancer| it.name == made.load_balancer;
            match config.load_balancer.iter_mut().find(named) {
                Some(load_balancer) => load_balancer.listener.push(listener),
                None => problems.push(orphan(
                    format_args!("a listener on port {}", listener.port),
                    format_args!("load balancer `{}`", made.load_balancer),
                )),
            }
        }
        for made in &self.rules {
            let rule = made.rule.document.clone();
            match self.listener(config, &made.listener) {
                Some(listener) => listener.rule.push(rule),
                None => problems.push(orphan(
                    format_args!("a rule of priority {}", rule.priority),
                    format_args!("listener {}", made.listener),
                )),
            }
        }
        let target_groups = self.target_groups.iter();
        let target_groups = target_groups.map(|made| made.document.clone());
        config.target_group.extend(target_groups);
        for made in &self.targets {
            let named = |it: &&mut super::TargetGroup| it.name == made.target_group;
            match config.target_group.iter_mut().find(named) {
                // Whoever writes it into the file, too, takes it over.
                Some(group) if group.targets.iter().any(|it| is_same(it, &made.target)) => {}
                Some(group) => group.targets.push(made.target.clone()),
                None => problems.push(orphan(
                    format_args!("target {}", made.target.address),
                    format_args!("target group `{}`", made.target_group),
                )),
            }
        }
        if !self.is_empty() {
            joined.name(config);
        }
        (joined, problems)
    }

    /// The listener of that id, whoever says it.
    fn listener<'a>(&self, config: &'a mut Config, id: &Id) -> Option<&'a mut Listener> {
        let made = self.listeners.iter().find(|made| made.listener.id == *id);
        let made = made.map(|made| (&made.load_balancer, made.listener.document.port));
        let mut load_balancers = config.load_balancer.iter_mut();
        load_balancers.find_map(|load_balancer| {
            let name = &load_balancer.name;
            let mut listeners = load_balancer.listener.iter_mut();
            listeners.find(|listener| match made {
                Some(made) => made == (name, listener.port),
                None => Id::of_listener(name, listener.port) == *id,
            })
        })
    }
}

impl Joined {
    fn of(config: &Config) -> Self {
        let rules = |it: &Listener| it.rule.len();
        let load_balancers = config.load_balancer.iter();
        let target_groups = config.target_group.iter();
        Self {
            load_balancers: load_balancers
                .map(|it| it.listener.iter().map(rules).collect())
                .collect(),
            target_groups: target_groups.map(|it| it.targets.len()).collect(),
            names: BTreeMap::new(),
        }
    }

    /// What is at a path, in words: "load balancer `web`, listener on port 80, default.forward".
    pub(in crate::config) fn named(&self, path: &str) -> String {
        let mut words = Vec::new();
        let mut rest = path;
        for (place, name) in &self.names {
            let below = path.strip_prefix(place.as_str());
            if let Some(below) = below.filter(|it| it.is_empty() || it.starts_with('.')) {
                words.push(name.as_str());
                rest = below.trim_start_matches('.');
            }
        }
        words.extend(Some(rest).filter(|rest| !rest.is_empty()));
        words.join(", ")
    }

    fn name(&mut self, config: &Config) {
        let names = &mut self.names;
        for (index, load_balancer) in config.load_balancer.iter().enumerate() {
            let place = format!("load_balancer[{index}]");
            for (index, listener) in load_balancer.listener.iter().enumerate() {
                let place = format!("{place}.listener[{index}]");
                for (index, rule) in listener.rule.iter().enumerate() {
                    let name = format!("rule of priority {}", rule.priority);
                    names.insert(format!("{place}.rule[{index}]"), name);
                }
                names.insert(place, format!("listener on port {}", listener.port));
            }
            names.insert(place, format!("load balancer `{}`", load_balancer.name));
        }
        for (index, group) in config.target_group.iter().enumerate() {
            let place = format!("target_group[{index}]");
            for (index, target) in group.targets.iter().enumerate() {
                let name = format!("target {}", target.address);
                names.insert(format!("{place}.targets[{index}]"), name);
            }
            names.insert(place, format!("target group `{}`", group.name));
        }
    }

    /// Whether what is at `path` was made, and has no place in the file.
    pub(in crate::config) fn is_made(&self, path: &str) -> bool {
        let steps = steps(path);
        let key =
            |at: usize, name: &str| matches!(steps.get(at), Some(Step::Key(it)) if it == name);
        let index = |at: usize| match steps.get(at) {
            Some(Step::Index(index)) => Some(*index),
            _ => None,
        };
        if key(0, "target_group")
            && let Some(group) = index(1)
        {
            let of_file = self.target_groups.get(group);
            let target = key(2, "targets").then(|| index(3)).flatten();
            return of_file.is_none_or(|targets| target.is_some_and(|target| target >= *targets));
        }
        if !key(0, "load_balancer") {
            return false;
        }
        let Some(load_balancer) = index(1) else {
            return false;
        };
        let Some(listeners) = self.load_balancers.get(load_balancer) else {
            return true;
        };
        let listener = key(2, "listener").then(|| index(3)).flatten();
        let rule = key(4, "rule").then(|| index(5)).flatten();
        listener.is_some_and(|listener| match listeners.get(listener) {
            Some(rules) => rule.is_some_and(|rule| rule >= *rules),
            None => true,
        })
    }
}

/// The certificates that have names.
fn named_certificates(config: &Config) -> Vec<ListenerCertificate> {
    let listeners = config.load_balancer.iter().flat_map(|it| &it.listener);
    let all = config.certificate.iter();
    let all = all.chain(listeners.flat_map(|listener| &listener.certificates));
    all.filter(|it| it.name.is_some()).cloned().collect()
}

/// The certificate of that name; of one that is gone, one that says so when it is checked.
fn certificate(known: &[ListenerCertificate], name: &str) -> ListenerCertificate {
    let found = known.iter().find(|it| it.name.as_deref() == Some(name));
    found.cloned().unwrap_or_else(|| ListenerCertificate {
        name: Some(name.to_owned()),
        certificate: None,
        private_key: None,
        ocsp_response: None,
        acme: None,
        names: Vec::new(),
    })
}

/// Whether both are the same target: of one id, on one port.
fn is_same(one: &Target, other: &Target) -> bool {
    let identity = |target: &Target| {
        let (host, port) = target.address.rsplit_once(':')?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Some((target.id.clone().unwrap_or(host), port.to_owned()))
    };
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

fn orphan(what: std::fmt::Arguments<'_>, of: std::fmt::Arguments<'_>) -> Problem {
    let message = format!("{what} was made through the AWS API for {of}, which is gone");
    Problem::warning("", message)
        .with_help("it comes back with it; to forget it, delete it through the API")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::super::{Made, MadeListener, MadeRule, MadeTarget, Notes};
    use super::*;
    use crate::config::{check_joined, parse};

    const FILE: &str = "[[load_balancer]]\nname = \"web\"\n[[load_balancer.listener]]\nport = 80\n\
                        default = { forward = \"site\" }\n[[target_group]]\nname = \"site\"\n";

    fn made<T>(document: T) -> Made<T> {
        Made {
            id: Id::random(),
            notes: Notes::default(),
            document,
        }
    }

    /// A listener of the file's load balancer, a rule of the file's listener, a target of its group; and a load
    /// balancer and a group of their own.
    fn inventory() -> Inventory {
        let text = "[[load_balancer]]\nname = \"made\"\n[[load_balancer.listener]]\nport = 81\n\
                    default = { forward = \"made\" }\n\
                    [[load_balancer.listener.rule]]\npriority = 5\npath = [\"/a\"]\nforward = \"made\"\n\
                    [[target_group]]\nname = \"made\"\ntargets = [{ address = \"127.0.0.1:9\" }]\n";
        let mut document = parse(text, "made").unwrap();
        let mut load_balancer = document.load_balancer.pop().unwrap();
        let mut listener = load_balancer.listener.pop().unwrap();
        let rule = listener.rule.pop().unwrap();
        let group = document.target_group.pop().unwrap();
        let target = group.targets[0].clone();
        Inventory {
            load_balancers: vec![made(load_balancer)],
            listeners: vec![MadeListener {
                load_balancer: "web".to_owned(),
                certificates: Vec::new(),
                listener: made(listener),
            }],
            rules: vec![MadeRule {
                listener: Id::of_listener("web", 80),
                rule: made(rule),
            }],
            target_groups: vec![made(group)],
            targets: vec![MadeTarget {
                target_group: "site".to_owned(),
                target,
            }],
            ..Inventory::default()
        }
    }

    #[test]
    fn what_was_made_stands_behind_what_the_file_says() {
        let mut config = parse(FILE, "file").unwrap();
        let (joined, problems) = inventory().join(&mut config);
        assert_eq!(problems, []);
        let names: Vec<_> = config.load_balancer.iter().map(|it| &it.name).collect();
        assert_eq!(names, ["web", "made"]);
        let listeners = &config.load_balancer[0].listener;
        assert_eq!((listeners[0].port, listeners[1].port), (80, 81));
        assert_eq!(listeners[0].rule[0].priority, 5);
        assert_eq!(config.target_group[0].targets.len(), 1);
        for path in [
            "load_balancer[1].name",
            "load_balancer[0].listener[1].port",
            "load_balancer[0].listener[0].rule[0].path",
            "target_group[0].targets[0].address",
            "target_group[1]",
        ] {
            assert!(joined.is_made(path), "{path}");
        }
        for path in [
            "load_balancer",
            "load_balancer[0].name",
            "load_balancer[0].listener[0].port",
            "target_group[0].health_check",
            "workers",
        ] {
            assert!(!joined.is_made(path), "{path}");
        }
    }

    #[test]
    fn a_problem_of_what_was_made_has_no_line_in_the_file() {
        let mut inventory = inventory();
        inventory.rules[0].rule.document.forward =
            Some(crate::config::document::Forward::Group("gone".to_owned()));
        let problems = check_joined(FILE, "file", &inventory).into_result();
        let problems = problems.unwrap_err().problems;
        assert_eq!(problems[0].location, None, "{problems:?}");
        assert!(
            problems[0].path.starts_with(
                "AWS API: load balancer `web`, listener on port 80, rule of priority 5"
            ),
            "{problems:?}"
        );
    }

    #[test]
    fn a_target_that_the_file_registers_later_is_there_once() {
        let mut inventory = inventory();
        inventory.targets[0].target.id = Some("127.0.0.1".to_owned());
        let file = format!("{FILE}targets = [{{ address = \"127.0.0.1:9\" }}]\n");
        let mut config = parse(&file, "file").unwrap();
        let (_, problems) = inventory.join(&mut config);
        assert_eq!(problems, []);
        assert_eq!(config.target_group[0].targets.len(), 1);
        assert_eq!(config.target_group[0].targets[0].id, None, "the file's");
    }

    #[test]
    fn a_name_that_the_file_takes_is_refused_and_says_who_else_has_it() {
        let file = FILE.replace("\"site\"", "\"made\"");
        let report = check_joined(&file, "file", &inventory());
        let text = report.into_result().unwrap_err().to_string();
        assert!(
            text.contains("target_group[0] is named `made`, too"),
            "{text}"
        );
        assert!(
            text.contains("AWS API: target group `made`, name"),
            "{text}"
        );
    }

    #[test]
    fn what_a_thing_was_made_for_may_be_gone() {
        let other = "[[load_balancer]]\nname = \"other\"\n[[load_balancer.listener]]\nport = 80\n\
                     default = { forward = \"other\" }\n[[target_group]]\nname = \"other\"\n";
        let report = check_joined(other, "file", &inventory());
        let (_, problems) = report.into_result().unwrap();
        let text = problems.to_string();
        for gone in [
            "a listener on port 81 was made through the AWS API for load balancer `web`, which is gone",
            "a rule of priority 5",
            "target 127.0.0.1:9 was made through the AWS API for target group `site`",
        ] {
            assert!(text.contains(gone), "{gone}: {text}");
        }
    }
}
