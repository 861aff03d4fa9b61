//! The sentences, and which test proves each: `tests/{suite}/{module} {function}`, or a claim that a stage of `.ci/run`
//! makes, because the sentence is about somebody else's program: `tests/{stage}/{part}.py {claim}`.

use std::fs;
use std::path::Path;

/// Number, sentence, proofs.
type Sentence = (u32, &'static str, &'static [&'static str]);

const SENTENCES: &[Sentence] = &[
    (
        1,
        "A target that is registered is in service after the first 200, not after five.",
        &[
            "tests/acceptance/health_counts.rs a_registered_target_is_in_service_after_the_first_200_not_after_five",
        ],
    ),
    (
        1,
        "One that fails is out after exactly 2.",
        &["tests/acceptance/health_counts.rs a_target_that_fails_is_out_after_exactly_2"],
    ),
    (
        1,
        "One that recovers is in after exactly 5 consecutive.",
        &[
            "tests/acceptance/health_counts.rs a_target_that_recovers_is_in_after_exactly_5_consecutive",
        ],
    ),
    (
        1,
        "One failure at pass 4 restarts the count.",
        &["tests/acceptance/health_counts.rs one_failure_at_pass_4_restarts_the_count"],
    ),
    (
        2,
        "The interval is independent of the response time.",
        &["tests/life/health.rs a_slow_answer_does_not_delay_the_next_probe"],
    ),
    (
        2,
        "A timeout counts as a failure with the reason Target.Timeout; a refused connection gives \
         Target.FailedHealthChecks; a 301 gives Target.ResponseCodeMismatch, \"Health checks failed \
         with these codes: [301]\".",
        &["tests/life/health.rs an_unhealthy_target_says_why"],
    ),
    (
        3,
        "When all are unhealthy, ALB serves, and UnhealthyRoutingRequestCount rises.",
        &["tests/life/health.rs when_all_are_unhealthy_all_serve_and_it_is_counted"],
    ),
    (
        3,
        "When all are unhealthy, Classic answers 503.",
        &[
            "tests/life/classic.rs an_instance_is_in_service_after_one_pass_and_when_none_is_the_answer_is_503",
        ],
    ),
    (
        4,
        "Deregistering under load: no new request, and those in flight complete.",
        &[
            "tests/life/draining.rs deregistering_under_load_costs_no_request",
            "tests/life/draining.rs a_removed_target_gets_nothing_new_finishes_and_drains_for_the_whole_delay",
        ],
    ),
    (
        4,
        "The state is draining for the whole delay.",
        &[
            "tests/life/draining.rs a_removed_target_gets_nothing_new_finishes_and_drains_for_the_whole_delay",
        ],
    ),
    (
        4,
        "A request that is still running at the end of the delay gets 502.",
        &[
            "tests/life/draining.rs a_request_that_still_runs_when_the_delay_elapses_is_answered_502",
        ],
    ),
    (
        5,
        "Of 2 + 8 targets in two zones, each gets 10 % with cross-zone load balancing.",
        &["tests/life/balancing.rs with_cross_zone_each_of_two_and_eight_targets_gets_a_tenth"],
    ),
    (
        5,
        "Without it, 25 % and 6.25 %.",
        &[
            "tests/life/balancing.rs without_cross_zone_two_targets_get_a_quarter_each_and_eight_a_sixteenth",
        ],
    ),
    (
        5,
        "Without it, an empty zone answers 503.",
        &["tests/life/balancing.rs without_cross_zone_an_empty_zone_answers_503"],
    ),
    (
        6,
        "In slow start a target gets a share that rises linearly.",
        &[
            "tests/acceptance/slow_start.rs the_share_of_a_target_that_has_turned_healthy_rises_linearly_to_its_whole_one",
        ],
    ),
    (
        6,
        "There is none when the group was empty.",
        &["tests/acceptance/slow_start.rs targets_of_a_group_that_was_empty_take_all_at_once"],
    ),
    (
        7,
        "Cookies have their names, and Expires is 7 days away on every response.",
        &[
            "tests/acceptance/sticky.rs the_cookies_have_their_names_and_expire_in_7_days_on_every_response",
        ],
    ),
    (
        7,
        "AWSALBCORS is a twin.",
        &["tests/acceptance/sticky.rs the_twin_for_other_sites_has_the_same_value_and_is_secure"],
    ),
    (
        7,
        "A dead target means a new cookie.",
        &["tests/acceptance/sticky.rs a_dead_target_means_a_new_cookie"],
    ),
    (
        7,
        "A tampered cookie means a new target and no 5xx.",
        &["tests/acceptance/sticky.rs a_tampered_cookie_means_a_new_target_and_no_5xx"],
    ),
    (
        8,
        "X-Forwarded-For is appended to, preserved or removed as the table says.",
        &["tests/acceptance/forwarded.rs x_forwarded_for_is_appended_to_preserved_or_removed"],
    ),
    (
        8,
        "31 addresses are answered 463.",
        &["tests/acceptance/forwarded.rs thirty_addresses_pass_and_31_are_answered_463"],
    ),
    (
        8,
        "Host is rewritten as the table says, for the ports 80, 443 and 8080.",
        &[
            "tests/acceptance/forwarded.rs host_loses_the_default_port_and_gets_another_ones_unless_it_is_preserved",
        ],
    ),
    (
        9,
        "The trace header has four cases.",
        &[
            "tests/acceptance/trace.rs without_the_field_a_root_is_added_and_logged",
            "tests/acceptance/trace.rs a_root_is_kept_with_its_custom_fields_and_a_self_stands_in_front",
            "tests/acceptance/trace.rs a_self_is_replaced",
            "tests/acceptance/trace.rs a_field_of_more_than_7_kb_is_written_anew_with_a_root",
        ],
    ),
    (
        10,
        "Clients and groups whose protocol versions do not meet are answered 464.",
        &["tests/http2/targets.rs which_clients_a_group_takes"],
    ),
    (
        10,
        "TRACE is answered 405.",
        &["tests/acceptance/statuses.rs trace_is_answered_405"],
    ),
    (
        10,
        "An unsupported Transfer-Encoding is answered 501.",
        &["tests/acceptance/statuses.rs an_unsupported_transfer_encoding_is_answered_501"],
    ),
    (
        10,
        "Headers of 65 K are answered 400.",
        &["tests/acceptance/statuses.rs headers_of_65_k_are_answered_400_and_of_63_k_served"],
    ),
    (
        10,
        "A target that swallows connections is answered 504 at 10 s.",
        &[
            "tests/acceptance/timeouts.rs a_target_that_swallows_connections_is_answered_504_at_10_s",
        ],
    ),
    (
        10,
        "Idle for 60 s means 504.",
        &["tests/acceptance/timeouts.rs a_target_that_is_idle_for_60_s_is_answered_for_with_504"],
    ),
    (
        11,
        "The cases that AWS publishes for desync mitigation, in all three modes.",
        &[
            "tests/desync/manual.rs the_cases_that_aws_publishes_fare_as_its_table_of_modes_says",
            "tests/desync/oracle.rs the_cases_that_aws_publishes_are_classified_as_aws_does",
        ],
    ),
    (
        12,
        "Lines of the access log parse with Athena's expression, unmodified; matched_rule_priority \
         is 0 for the default rule; times are -1 when nothing was dispatched.",
        &["tests/data_path/athena.rs the_expression_of_aws_parses_every_line"],
    ),
    (
        13,
        "`aws elbv2 wait target-in-service` against the API.",
        &[
            "tests/awscli/target_in_service.py `aws elbv2 wait target-in-service` returns when it is healthy",
        ],
    ),
    (
        13,
        "A tool that applies a description of a whole site finds no difference when it applies it again: \
         Ansible's modules for AWS.",
        &["tests/awscli/ansible_modules.py a second run finds nothing to change"],
    ),
    (
        13,
        "What Terraform's AWS provider asks of the API when it applies, plans and destroys leaves no \
         difference.",
        &[
            "tests/awscli/terraform_shape.py a plan is empty: aws_lb_target_group_attachment",
            "tests/awscli/terraform_shape.py a plan is empty: {what}",
            "tests/awscli/terraform_shape.py destroyed, nothing is left",
        ],
    ),
    (
        14,
        "Reloads at 1000 requests a second: no WebSocket dropped, no change of health, no 5xx.",
        &["tests/life/load.rs a_hundred_reloads_under_a_thousand_requests_a_second_harm_nothing"],
    ),
    (
        15,
        "A container that is stopped and started with another address is back in service without an \
         operator.",
        &[
            "tests/discovery/docker.rs a_container_that_stops_and_starts_at_another_address_is_the_same_target",
            "tests/acceptance/stale_address.rs an_instance_that_returns_at_another_address_is_in_service_without_an_operator",
        ],
    ),
    (
        15,
        "With stale_ip_after_stop it stays OutOfService until it is registered again.",
        &[
            "tests/acceptance/stale_address.rs with_stale_ip_after_stop_it_stays_out_of_service_until_it_is_registered_again",
            "src/health/stop_and_start.rs with_a_stale_address_it_stays_out_of_service_as_on_ec2_classic",
        ],
    ),
    (
        16,
        "A target with 5 s of keep-alive against a pool of 60 s, at a low rate for 30 min: no 502.",
        &[
            "tests/acceptance/keep_alive.rs a_target_with_5_s_of_keep_alive_at_a_low_rate_for_30_minutes_costs_no_502",
        ],
    ),
];

/// What cannot be proved yet, and the words of the README that say so.
const MISSING: &[(u32, &str, &str)] = &[(
    13,
    "Terraform itself applies and plans without a difference, against the API.",
    "a run of Terraform itself",
)];

const COUNT: u32 = 16;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_sentence_is_proved_by_a_test_that_exists() {
    for (number, sentence, proofs) in SENTENCES {
        assert!(!proofs.is_empty(), "{number}: {sentence}");
        for proof in *proofs {
            let (file, function) = proof.split_once(' ').unwrap();
            let text = fs::read_to_string(root().join(file)).unwrap();
            if let Some(part) = file.strip_suffix(".py") {
                assert!(is_claimed(part, function, &text), "nobody claims {proof}");
                continue;
            }
            let lines: Vec<&str> = text.lines().collect();
            let declared = [
                format!("async fn {function}() {{"),
                format!("fn {function}() {{"),
            ];
            let place = lines.iter().position(|line| {
                declared
                    .iter()
                    .any(|begin| line.starts_with(begin.as_str()))
            });
            let place = place.unwrap_or_else(|| panic!("there is no {proof}"));
            let before = lines[place - 1];
            let is_test = before.starts_with("#[test]") || before.starts_with("#[tokio::test");
            assert!(is_test, "{proof} does not run");
        }
    }
}

/// Whether a part of a stage makes this claim, the stage runs that part, and `.ci/run` that stage.
fn is_claimed(part: &str, claim: &str, text: &str) -> bool {
    let (stage, name) = part.rsplit_once('/').unwrap();
    let parts = fs::read_to_string(root().join(stage).join("run")).unwrap();
    let stages = fs::read_to_string(root().join(".ci/run")).unwrap();
    let line_of = |text: &str, begin: &str| {
        let mut lines = text.lines().map(str::trim_start);
        let line = lines.find(|line| line.starts_with(begin)).unwrap();
        line.to_owned()
    };
    let in_list = |list: &str, name: &str| {
        let mut words = list.split(|it: char| !it.is_alphanumeric() && it != '_');
        words.any(|word| word == name)
    };
    let caller = stages
        .lines()
        .find(|line| line.contains(&format!("{stage}/run")));
    let (caller, _) = caller.unwrap().split_once("()").unwrap();
    text.contains(&format!("\"{claim}"))
        && in_list(&line_of(&parts, "[ $# -gt 0 ] || parts=("), name)
        && in_list(&line_of(&stages, "all=("), caller)
}

#[test]
fn every_number_is_there_and_what_is_missing_is_said_in_the_readme() {
    let missing: Vec<u32> = MISSING.iter().map(|(number, ..)| *number).collect();
    for number in 1..=COUNT {
        let is_proved = SENTENCES.iter().any(|(proved, ..)| *proved == number);
        assert!(is_proved || missing.contains(&number), "sentence {number}");
    }
    for (_, missing, _) in MISSING {
        let is_proved = SENTENCES.iter().any(|(_, proved, _)| proved == missing);
        assert!(!is_proved, "{missing}");
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let not_yet = readme.lines().find(|line| line.starts_with("| Not yet |"));
    for (number, sentence, words) in MISSING {
        let said = not_yet.is_some_and(|line| line.contains(words));
        assert!(said, "{number}: {sentence}");
    }
}
