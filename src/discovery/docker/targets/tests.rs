//! What containers come to as targets.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use super::*;
use crate::config::ZoneMap;
use crate::discovery::docker::sample::{container, source};

fn find(containers: &[Container], source: &DockerSource, known: &mut LastKnown) -> Findings {
    let seen = containers.iter().map(|container| Seen {
        container,
        stopping: false,
    });
    Findings::of(seen, source, known)
}

/// Each target as `group/id address zone weight state`.
fn lines(findings: &Findings) -> Vec<String> {
    let targets = findings.targets.iter().map(|found| {
        let target = &found.target;
        let (group, id) = (&found.group, target.id.as_deref().unwrap());
        let mut line = format!("{group}/{id} {}", target.address);
        if let Some(zone) = &target.zone {
            line += &format!(" in {zone}");
        }
        if target.weight != 1 {
            line += &format!(" weight {}", target.weight);
        }
        if let Some(state) = target.invalid_state {
            line += &format!(" {state:?}");
        }
        line
    });
    targets.collect()
}

fn told(findings: &Findings) -> Vec<String> {
    let remarks = findings.remarks.iter();
    let remarks = remarks.map(|remark| format!("{}: {}", remark.about, remark.message));
    remarks.collect()
}

fn label(container: &mut Container, name: &str, text: &str) {
    container.labels.insert(name.to_owned(), text.to_owned());
}

fn compose(name: &str, address: &str, number: u32) -> Container {
    let mut container = container(name, address);
    label(&mut container, "com.docker.compose.project", "blog");
    label(&mut container, "com.docker.compose.service", "wordpress");
    label(
        &mut container,
        "com.docker.compose.container-number",
        &number.to_string(),
    );
    container
}

#[test]
fn a_running_container_is_a_target_at_its_own_address() {
    let findings = find(
        &[container("wp-a", "10.0.0.6")],
        &source(),
        &mut LastKnown::default(),
    );
    assert_eq!(lines(&findings), ["wordpress/wp-a 10.0.0.6:80"]);
    assert_eq!(told(&findings), [""; 0]);
}

#[test]
fn identity_is_the_label_or_composes_or_swarms_or_the_name() {
    let plain = container("plain", "10.0.0.1");
    let mut named = compose("blog-wordpress-7", "10.0.0.2", 7);
    label(&mut named, "elbow.id", "wp-b");
    let mut swarm = container("web.3.x8f", "10.0.0.4");
    label(&mut swarm, "com.docker.swarm.task.name", "web.3.x8f9");
    let containers = [plain, named, compose("anything", "10.0.0.3", 2), swarm];
    let findings = find(&containers, &source(), &mut LastKnown::default());
    assert_eq!(
        lines(&findings),
        [
            "wordpress/blog-wordpress-2 10.0.0.3:80",
            "wordpress/plain 10.0.0.1:80",
            "wordpress/web.3 10.0.0.4:80",
            "wordpress/wp-b 10.0.0.2:80",
        ]
    );
}

#[test]
fn a_stopped_container_stays_a_target_where_it_was_and_comes_back_where_it_is() {
    let mut known = LastKnown::default();
    let source = source();
    let mut wp_a = container("wp-a", "10.0.0.6");
    find(&[wp_a.clone()], &source, &mut known);
    wp_a.condition = Condition::Stopped;
    wp_a.networks.insert("front".to_owned(), None);
    let findings = find(&[wp_a.clone()], &source, &mut known);
    assert_eq!(lines(&findings), ["wordpress/wp-a 10.0.0.6:80 Stopped"]);
    wp_a.condition = Condition::Running;
    wp_a.networks
        .insert("front".to_owned(), "10.0.0.9".parse().ok());
    let findings = find(&[wp_a], &source, &mut known);
    assert_eq!(lines(&findings), ["wordpress/wp-a 10.0.0.9:80"]);
}

#[test]
fn a_container_that_was_never_seen_running_goes_by_its_name() {
    let mut created = container("blog_wp.1", "");
    created.condition = Condition::Stopped;
    let findings = find(&[created], &source(), &mut LastKnown::default());
    assert_eq!(
        lines(&findings),
        ["wordpress/blog_wp.1 cblog-wp-1:80 Stopped"]
    );
}

#[test]
fn a_paused_container_and_one_in_no_network_cannot_serve() {
    let mut paused = container("paused", "10.0.0.6");
    paused.condition = Condition::Paused;
    let mut cut = container("cut", "10.0.0.7");
    let mut known = LastKnown::default();
    find(&[cut.clone()], &source(), &mut known);
    cut.networks.clear();
    let findings = find(&[paused, cut], &source(), &mut known);
    assert_eq!(
        lines(&findings),
        [
            "wordpress/cut 10.0.0.7:80 Invalid",
            "wordpress/paused 10.0.0.6:80 Invalid",
        ]
    );
}

#[test]
fn one_that_was_told_to_stop_takes_no_more_and_may_be_deregistered_at_once() {
    let mut wp_a = container("wp-a", "10.0.0.6");
    let stopping = |container: &Container| {
        let seen = Seen {
            container,
            stopping: true,
        };
        Findings::of([seen].into_iter(), &source(), &mut LastKnown::default())
    };
    assert_eq!(
        lines(&stopping(&wp_a)),
        ["wordpress/wp-a 10.0.0.6:80 Stopping"]
    );
    label(&mut wp_a, "elbow.deregister_on", "stop");
    assert_eq!(lines(&stopping(&wp_a)), [""; 0]);
}

#[test]
fn a_container_that_is_not_healthy_by_its_own_check_waits_if_that_is_asked_for() {
    let mut wp_a = container("wp-a", "10.0.0.6");
    wp_a.health = Some(ContainerHealth::Starting);
    let mut known = LastKnown::default();
    let ignored = find(&[wp_a.clone()], &source(), &mut known);
    assert_eq!(lines(&ignored), ["wordpress/wp-a 10.0.0.6:80"]);
    label(&mut wp_a, "elbow.health", "follow");
    let waits = find(&[wp_a.clone()], &source(), &mut known);
    assert_eq!(lines(&waits), ["wordpress/wp-a 10.0.0.6:80 Invalid"]);
    wp_a.health = Some(ContainerHealth::Healthy);
    let serves = find(&[wp_a], &source(), &mut known);
    assert_eq!(lines(&serves), ["wordpress/wp-a 10.0.0.6:80"]);
}

#[test]
fn zones_and_weights_come_from_labels_or_from_the_address() {
    let mut source = source();
    let networks = vec![("10.0.2.0/24".parse().unwrap(), "c".to_owned())];
    source.zones = ZoneMap::new(Some("a".to_owned()), networks);
    let mut labelled = container("labelled", "10.0.2.7");
    label(&mut labelled, "elbow.zone", "d");
    label(&mut labelled, "elbow.weight", "5");
    let containers = [
        container("here", "10.0.0.6"),
        container("there", "10.0.2.9"),
        labelled,
    ];
    let findings = find(&containers, &source, &mut LastKnown::default());
    assert_eq!(
        lines(&findings),
        [
            "wordpress/here 10.0.0.6:80 in a",
            "wordpress/labelled 10.0.2.7:80 in d weight 5",
            "wordpress/there 10.0.2.9:80 in c",
        ]
    );
}

#[test]
fn the_network_is_chosen_by_name_with_or_without_its_project() {
    let mut wp_a = compose("wp-a", "10.0.0.6", 1);
    wp_a.networks = [
        ("blog_back".to_owned(), "10.9.0.6".parse().ok()),
        ("blog_front".to_owned(), "10.0.0.6".parse().ok()),
    ]
    .into();
    let mut known = LastKnown::default();
    let unsaid = find(&[wp_a.clone()], &source(), &mut known);
    assert_eq!(lines(&unsaid), ["wordpress/blog-wordpress-1 10.9.0.6:80"]);
    assert!(told(&unsaid)[0].contains("say which with the label `network`"));
    for network in ["front", "blog_front"] {
        label(&mut wp_a, "elbow.network", network);
        let said = find(&[wp_a.clone()], &source(), &mut known);
        assert_eq!(lines(&said), ["wordpress/blog-wordpress-1 10.0.0.6:80"]);
        assert_eq!(told(&said), [""; 0]);
    }
    label(&mut wp_a, "elbow.network", "nowhere");
    let wrong = find(&[wp_a], &source(), &mut known);
    assert_eq!(
        told(&wrong),
        ["container wp-a: it is not in network `nowhere`, but in blog_back, blog_front"]
    );
}

#[test]
fn a_port_that_cannot_be_told_is_asked_for() {
    let mut several = container("several", "10.0.0.6");
    several.exposed = vec![80, 443];
    let mut none = container("none", "10.0.0.7");
    none.exposed.clear();
    let containers = [several, none, container("right", "10.0.0.8")];
    let findings = find(&containers, &source(), &mut LastKnown::default());
    assert_eq!(lines(&findings), ["wordpress/right 10.0.0.8:80"]);
    assert_eq!(
        told(&findings),
        [
            "container several: its image exposes several ports (80, 443): say which with the label \
             `port`",
            "container none: its image exposes no TCP port: say which with the label `port`",
        ]
    );
}

#[test]
fn published_ports_and_the_hosts_own_network_are_reached_at_the_host() {
    let mut source = source();
    source.host_address = "192.0.2.5".parse().unwrap();
    let mut host = container("host", "");
    host.in_host_network = true;
    let mut known = LastKnown::default();
    let findings = find(&[host.clone()], &source, &mut known);
    assert_eq!(lines(&findings), ["wordpress/host 192.0.2.5:80"]);
    source.reach = Reach::Published;
    let findings = find(&[container("wp-a", "10.0.0.6")], &source, &mut known);
    assert_eq!(lines(&findings), ["wordpress/wp-a 192.0.2.5:8081"]);
}

#[test]
fn while_a_container_is_recreated_the_one_that_serves_is_the_target() {
    let mut old = compose("c0ffee_blog-wordpress-1", "", 1);
    old.condition = Condition::Stopped;
    let mut new = compose("blog-wordpress-1", "10.0.0.9", 1);
    new.id = "new".to_owned();
    new.created = "2026-01-02T00:00:00Z".to_owned();
    let findings = find(&[old, new], &source(), &mut LastKnown::default());
    assert_eq!(lines(&findings), ["wordpress/blog-wordpress-1 10.0.0.9:80"]);
    assert_eq!(told(&findings), [""; 0]);
}

#[test]
fn two_that_claim_one_identity_are_told_and_the_first_keeps_it() {
    let mut first = container("first", "10.0.0.6");
    let mut second = container("second", "10.0.0.7");
    second.created = "2026-01-02T00:00:00Z".to_owned();
    for container in [&mut first, &mut second] {
        label(container, "elbow.id", "wp");
    }
    let findings = find(&[second, first], &source(), &mut LastKnown::default());
    assert_eq!(lines(&findings), ["wordpress/wp 10.0.0.6:80"]);
    assert_eq!(
        told(&findings),
        [
            "container second: container first is target wp:80 of `wordpress` already: give each a \
          label `id` of its own"
        ]
    );
}
