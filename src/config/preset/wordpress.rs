//! WordPress. Every reason is what a WordPress 6.1 on Apache answered, in containers without a balancer
//! in front of them.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use super::{Choice, Value, text};

pub(super) const CHOICES: &[Choice] = &[
    Choice {
        keys: &["health_check", "path"],
        value: Value::Is("\"/wp-login.php\""),
        reason: "It is made by PHP from the database, and answers 200 to any Host. The front page \
                 answers 301 to a Host with a port, such as a probe's own 10.0.0.11:80; /wp-admin/ 302 \
                 to everybody who is not logged in; /wp-cron.php does all that is due; /readme.html and \
                 pictures are 200 while the database is down, when this is 500; and before installation \
                 this is 302.",
        unless: Some("target"),
    },
    Choice {
        keys: &["health_check", "matcher"],
        value: Value::Is("\"200\""),
        reason: "A redirect is the answer of a site that is not installed (to /wp-admin/install.php) or \
                 that takes the probe for plain HTTP: visitors would not get what they came for.",
        unless: None,
    },
    Choice {
        keys: &["health_check", "headers", "X-Forwarded-Proto"],
        value: Value::Is("\"https\""),
        reason: "Without it a site whose address is https answers its login page with 302 to \
                 https://.../wp-login.php; with it, 200. A site whose address is http does not mind.",
        unless: None,
    },
    Choice {
        keys: &["health_check", "host"],
        value: Value::Host,
        reason: "The login page of one site is 200 for any Host, so it is set only where rules forward a \
                 single host to the group. A network of sites (multisite) sends a Host that is none of \
                 its own away: name one there.",
        unless: None,
    },
    Choice {
        keys: &["health_check", "tolerate_maintenance"],
        value: Value::Is("true"),
        reason: "While it updates itself WordPress answers everything but files with 503 and \
                 `Retry-After: 600`, its login page too. Hosts that share their files do so all at once: \
                 then its own page tells visitors more than the balancer's, no host is reported dead (and \
                 killed amid its update by whatever watches that), and all are back with the first page \
                 after it. One host alone is taken out as ever.",
        unless: None,
    },
    Choice {
        keys: &["response_timeouts"],
        value: Value::Is("[{ path = [\"*/wp-admin/*\", \"*/wp-cron.php\"], timeout = \"300s\" }]"),
        reason: "WordPress gives its updates and what it unpacks 300 s (`set_time_limit(300)` in \
                 update-core.php and in the upgrader), and imports are no quicker; behind ALB's 60 s the \
                 browser sees 504 while the work goes on. Pages that visitors read keep the usual limit.",
        unless: None,
    },
    Choice {
        keys: &["stickiness", "enabled"],
        value: Value::None,
        reason: "No session is kept on a host: wordpress_logged_in_* and wordpress_sec_* are signed with \
                 the keys and salts of wp-config.php, and a login made at one host is good at every other \
                 that has the same ones. If hosts cannot share them, or a plug-in uses PHP's sessions, \
                 take type = \"app_cookie\".",
        unless: None,
    },
];

/// For each target group the host that rules forward to it, where that is a single one.
pub(super) fn hosts(document: &DeTable<'_>) -> BTreeMap<String, String> {
    let mut hosts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for load_balancer in tables(document, "load_balancer") {
        for listener in tables(load_balancer, "listener") {
            for rule in tables(listener, "rule") {
                if let Some(group) = text(rule, "forward") {
                    let named = hosts.entry(group.to_owned()).or_default();
                    named.extend(texts(rule, "host"));
                }
            }
        }
    }
    let single = hosts.into_iter().filter_map(|(group, hosts)| {
        let mut hosts = hosts.into_iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) if !host.contains(['*', '?']) => Some((group, host)),
            _ => None,
        }
    });
    single.collect()
}

fn tables<'t, 'd>(table: &'t DeTable<'d>, key: &str) -> impl Iterator<Item = &'t DeTable<'d>> {
    let array = match table.get(key).map(toml::Spanned::get_ref) {
        Some(DeValue::Array(array)) => Some(array),
        _ => None,
    };
    let items = array.into_iter().flat_map(|array| array.iter());
    items.filter_map(|item| match item.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    })
}

fn texts(table: &DeTable<'_>, key: &str) -> Vec<String> {
    match table.get(key).map(toml::Spanned::get_ref) {
        Some(DeValue::Array(array)) => {
            let texts = array.iter().filter_map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            });
            texts.collect()
        }
        _ => Vec::new(),
    }
}
