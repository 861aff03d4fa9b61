//! Presets: defaults under what is written.

use std::time::Duration;

use super::check;
use crate::config::tests::told;
use crate::config::{PresetOutcome, check_text};

const SITE: &str = r#"[[load_balancer]]
name = "blog"
[[load_balancer.listener]]
port = 80
default = { fixed_response = { status = 404 } }
[[load_balancer.listener.rule]]
priority = 1
host = ["blog.example.com"]
forward = "wordpress"

[[target_group]]
name = "wordpress"
preset = "wordpress"
targets = [{ address = "10.0.0.6:80" }]
"#;

#[test]
fn a_group_with_the_preset_is_as_if_its_settings_had_been_written() {
    let with_preset = check(SITE).config.unwrap().target_groups.remove(0);
    let by_hand = SITE.replace(
        "preset = \"wordpress\"\n",
        "response_timeouts = [{ path = [\"*/wp-admin/*\", \"*/wp-cron.php\"], timeout = \"300s\" }]\n\
         health_check = { path = \"/wp-login.php\", matcher = \"200\", tolerate_maintenance = true, \
                          host = \"blog.example.com\", \
                          headers = { X-Forwarded-Proto = \"https\" } }\n",
    );
    let by_hand = check(&by_hand).config.unwrap().target_groups.remove(0);
    assert_eq!(with_preset.health_check, by_hand.health_check);
    let debug = |group: &crate::config::ValidTargetGroup| format!("{:?}", group.settings);
    assert_eq!(debug(&with_preset), debug(&by_hand));
    let settings = with_preset.settings;
    for (path, timeout) in [
        ("/wp-admin/import.php", Some(300)),
        ("/blog/wp-admin/update-core.php", Some(300)),
        ("/x/../wp-admin//import.php", Some(300)),
        ("/wp-cron.php", Some(300)),
        ("/2026/11/a-post/", None),
    ] {
        let found = settings.response_timeout_of(path);
        assert_eq!(found, timeout.map(Duration::from_secs), "{path}");
    }
}

#[test]
fn what_is_written_goes_before_the_preset_key_by_key() {
    let written = SITE.replace(
        "preset = \"wordpress\"\n",
        "preset = \"wordpress\"\n\
         health_check = { path = \"/health.php\", interval = \"10s\", \
                          headers = { x-forwarded-proto = \"http\", X-Probe = \"1\" } }\n",
    );
    let group = check(&written).config.unwrap().target_groups.remove(0);
    let check = group.health_check;
    assert_eq!(check.path, "/health.php");
    assert_eq!(check.interval, Duration::from_secs(10));
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = [field("X-Probe", "1"), field("x-forwarded-proto", "http")];
    assert_eq!(check.headers, fields);
    assert!(check.tolerate_maintenance);
}

#[test]
fn a_host_is_probed_for_only_where_it_is_the_only_one() {
    for (hosts, host) in [
        ("[\"blog.example.com\"]", Some("blog.example.com")),
        ("[\"blog.example.com\", \"www.example.com\"]", None),
        ("[\"*.example.com\"]", None),
    ] {
        let text = SITE.replace("[\"blog.example.com\"]", hosts);
        let group = check(&text).config.unwrap().target_groups.remove(0);
        assert_eq!(group.health_check.host.as_deref(), host, "{hosts}");
    }
}

#[test]
fn a_classic_health_target_says_the_path() {
    let text = "[[load_balancer]]\nname = \"lb\"\ntype = \"classic\"\n\
        listener = [{ port = 80, default = { forward = \"g\" } }]\n\
        [[target_group]]\nname = \"g\"\npreset = \"wordpress\"\n\
        health_check = { target = \"HTTP:80/wp-login.php\" }\n\
        targets = [{ address = \"10.0.0.6:80\" }]\n";
    let report = check(text);
    assert!(report.problems.is_empty(), "{}", report.problems);
    assert_eq!(
        report.config.unwrap().target_groups[0].health_check.port,
        Some(80)
    );
}

#[test]
fn what_it_came_to_is_told_with_reasons() {
    let text = SITE.replace(
        "preset = \"wordpress\"\n",
        "preset = \"wordpress\"\nhealth_check = { matcher = \"200,302\" }\n",
    );
    let report = check_text(&text, "test");
    let [preset] = &report.presets[..] else {
        panic!("{:?}", report.presets);
    };
    let outcome = |setting: &str| {
        let choice = preset.choices.iter().find(|it| it.setting == setting);
        choice.map(|choice| choice.outcome.clone())
    };
    let set = |value: &str| Some(PresetOutcome::Set(value.to_owned()));
    assert_eq!(outcome("health_check.path"), set("\"/wp-login.php\""));
    assert_eq!(outcome("health_check.host"), set("\"blog.example.com\""));
    assert_eq!(outcome("health_check.matcher"), Some(PresetOutcome::Yours));
    assert_eq!(outcome("stickiness.enabled"), Some(PresetOutcome::Left));
    let told = preset.to_string();
    assert!(
        told.starts_with("target group wordpress, preset \"wordpress\":\n\n  health_check.path")
    );
    assert!(told.lines().all(|line| line.len() <= 100), "{told}");
    for choice in &preset.choices {
        assert!(choice.reason.len() > 60, "{} has no reason", choice.setting);
    }
}

#[test]
fn a_preset_that_there_is_not_is_told() {
    let text = SITE.replace("\"wordpress\"\ntargets", "\"drupal\"\ntargets");
    assert_eq!(
        told(&text),
        ["13:10 expected \"wordpress\", found the text \"drupal\""]
    );
}

#[test]
fn response_timeouts_are_checked() {
    let text = |timeouts: &str| {
        SITE.replace(
            "preset = \"wordpress\"\n",
            &format!("response_timeouts = {timeouts}\n"),
        )
    };
    let odd = text("[{ path = [\"wp\"], timeout = \"0s\" }]");
    let told = told(&odd);
    assert!(
        told.iter()
            .any(|it| it.contains("0s is out of range: write 1s to 4000s")),
        "{told:?}"
    );
    assert_eq!(told.len(), 2, "{told:?}");
}
