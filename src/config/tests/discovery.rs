//! Container engines and names in DNS.

use super::{RIGHT, check, told};
use crate::config::document::Records;
use crate::config::{DockerHost, ProviderSource};

fn told_of(more: &str) -> Vec<String> {
    let lines = RIGHT.lines().count();
    let told = told(&format!("{RIGHT}{more}"));
    let own = told.iter().map(|line| {
        let (at, message) = line.split_once(' ').unwrap();
        let (line, column) = at.split_once(':').unwrap();
        let line = line.parse::<usize>().unwrap() - lines;
        format!("{line}:{column} {message}")
    });
    own.collect()
}

#[test]
fn providers_are_known_by_name_with_all_their_settings() {
    let text = format!(
        "{RIGHT}[[target_group.dns]]\nname = \"web.internal\"\nport = 80\n\
         [[target_group.dns]]\nname = \"_http._tcp.web.internal\"\nrecords = \"SRV\"\n\
         [[docker]]\ntarget_groups = [\"wordpress\"]\n\
         [[docker]]\nname = \"far\"\nhost = \"tcp://10.0.0.5:2375/\"\ntarget_groups = [\"wordpress\"]\n"
    );
    let report = check(&text);
    assert!(report.problems.is_empty(), "{}", report.problems);
    let providers = report.config.unwrap().providers;
    let names: Vec<&str> = providers.iter().map(|provider| &*provider.name).collect();
    let expected = [
        "docker",
        "far",
        "dns:web.internal@wordpress",
        "dns:_http._tcp.web.internal@wordpress",
    ];
    assert_eq!(names, expected);
    let ProviderSource::Docker(far) = &providers[1].source else {
        panic!("{providers:?}")
    };
    assert_eq!(far.host, DockerHost::Http("10.0.0.5:2375".to_owned()));
    let ProviderSource::Dns(dns) = &providers[3].source else {
        panic!("{providers:?}")
    };
    assert_eq!(dns.records, Records::Srv);
    assert!(providers[0].may_feed("wordpress") && !providers[0].may_feed("other"));
}

#[test]
fn an_engine_feeds_groups_that_exist_and_answers_somewhere() {
    assert_eq!(
        told_of("[[docker]]\ntarget_groups = [\"wordpres\"]\n"),
        ["2:18 there is no target group `wordpres`; did you mean `wordpress`?"]
    );
    assert_eq!(
        told_of("[[docker]]\ntarget_groups = []\n"),
        ["2:17 no label can name a target group"]
    );
    assert_eq!(told_of("[[docker]]\n"), ["1:1 missing key `target_groups`"]);
    let host = |host: &str| {
        told_of(&format!(
            "[[docker]]\ntarget_groups = [\"wordpress\"]\nhost = \"{host}\"\n"
        ))
    };
    assert_eq!(
        host("docker.sock"),
        ["3:8 `docker.sock` is not where an engine answers"]
    );
    assert_eq!(
        host("unix://docker.sock"),
        ["3:8 `docker.sock` is not the whole path of a socket"]
    );
    assert_eq!(host("http://10.0.0.5:2375"), [""; 0]);
}

#[test]
fn engines_have_different_names_and_networks_are_networks() {
    let engine = "[[docker]]\ntarget_groups = [\"wordpress\"]\n";
    assert_eq!(
        told_of(&format!("{engine}{engine}")),
        ["3:1 docker[0] is named `docker`, too"]
    );
    assert_eq!(
        told_of(&format!("{engine}zones = {{ \"10.0.0.0/33\" = \"a\" }}\n")),
        ["3:27 `10.0.0.0/33` is not a network"]
    );
    assert_eq!(
        told_of(&format!("{engine}label_prefix = \"elbow.\"\n")),
        ["3:16 \"elbow.\" cannot begin a label"]
    );
}

#[test]
fn a_name_in_dns_has_what_its_records_need() {
    let dns = |settings: &str| told_of(&format!("[[target_group.dns]]\n{settings}\n"));
    assert_eq!(
        dns("name = \"web.internal\""),
        ["1:1 addresses have no port: the targets need one"]
    );
    assert_eq!(
        dns("name = \"_http._tcp.web\"\nrecords = \"SRV\"\nport = 80"),
        ["4:8 SRV records bring their own port"]
    );
    assert_eq!(
        dns("name = \"_http._tcp.web\"\nport = 80"),
        ["2:8 warning: `_http._tcp.web` will have no addresses"]
    );
    assert_eq!(
        dns("name = \"10.0.0.6\"\nport = 80"),
        ["2:8 `10.0.0.6` is an address, not a name"]
    );
    assert_eq!(
        dns("name = \"web\"\nport = 80\nmin_ttl = \"10s\"\nmax_ttl = \"5s\""),
        ["5:11 it is shorter than min_ttl, 10s"]
    );
    assert_eq!(
        dns("name = \"web\"\nport = 80\n[[target_group.dns]]\nname = \"web\"\nport = 81"),
        ["5:8 dns[0] asks for `web`, too"]
    );
}

#[test]
fn only_a_provider_can_say_that_a_target_is_stopped() {
    let stopped = "zone = \"a\", invalid_state = \"stopped\" }";
    let text = RIGHT.replacen(
        "zone = \"a\" },\n  { id = \"wp-b\"",
        &format!("{stopped},\n  {{ id = \"wp-b\""),
        1,
    );
    assert_eq!(told(&text), ["19:55 unknown key `invalid_state`"]);
}
