//! What finding a rule costs: the last of a thousand, when every one before it had to be looked at.

#![allow(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::net::{IpAddr, Ipv4Addr};

use divan::{Bencher, black_box};

use elbow::routing::{
    Condition, Fields, HostHeader, PathPattern, RequestView, Rule, RuleTable, Scheme,
};

const RULES: u32 = 1_000;

fn main() {
    divan::main();
}

/// Paths that share their beginning and end: no rule is dismissed at its first byte.
#[divan::bench]
fn last_of_1000_path_rules(bencher: Bencher<'_, '_>) {
    let table = table(|number| path(&format!("/service-{number:04}/*")));
    bench(
        bencher,
        &table,
        "www.example.com",
        "/service-1000/index.html",
    );
}

#[divan::bench]
fn last_of_1000_path_rules_with_two_stars(bencher: Bencher<'_, '_>) {
    let table = table(|number| path(&format!("/service-{number:04}/*/pics/*")));
    bench(
        bencher,
        &table,
        "www.example.com",
        "/service-1000/a/pics/1.png",
    );
}

#[divan::bench]
fn last_of_1000_host_rules(bencher: Bencher<'_, '_>) {
    let table = table(|number| host(&format!("site-{number:04}.example.com")));
    bench(bencher, &table, "site-1000.example.com", "/");
}

#[divan::bench]
fn last_of_1000_host_rules_for_a_host_in_capitals(bencher: Bencher<'_, '_>) {
    let table = table(|number| host(&format!("site-{number:04}.example.com")));
    bench(bencher, &table, "SITE-1000.Example.Com", "/");
}

#[divan::bench]
fn last_of_1000_subdomain_rules(bencher: Bencher<'_, '_>) {
    let table = table(|number| host(&format!("*.site-{number:04}.example.com")));
    bench(bencher, &table, "www.site-1000.example.com", "/");
}

fn bench(bencher: Bencher<'_, '_>, table: &RuleTable<u32>, host: &str, path: &str) {
    let request = RequestView {
        method: "GET",
        scheme: Scheme::Http,
        host,
        port: 80,
        path,
        query: None,
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        fields: &NoFields,
    };
    assert_eq!(table.find(&request).priority, RULES);
    bencher.bench_local(|| table.find(black_box(&request)).priority);
}

fn table(condition: impl Fn(u32) -> Condition) -> RuleTable<u32> {
    let rules = (1..=RULES)
        .map(|number| Rule::new(number, vec![condition(number)], number).unwrap())
        .collect();
    RuleTable::new(rules, 0).unwrap()
}

fn path(pattern: &str) -> Condition {
    Condition::PathPattern(PathPattern::new(&[pattern.to_owned()]).unwrap())
}

fn host(name: &str) -> Condition {
    Condition::HostHeader(HostHeader::new(&[name.to_owned()]).unwrap())
}

struct NoFields;

impl Fields for NoFields {
    fn any(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}
