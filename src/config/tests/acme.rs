//! Accounts with authorities, and certificates that are ordered by them.

use super::{check, told};
use crate::acme::ChallengeKind;

const ACCOUNT: &str = r#"state_directory = "/var/lib/elbow"
[[acme]]
name = "le"
agree_to_terms = true
[[load_balancer]]
name = "web"
[[load_balancer.listener]]
port = 443
protocol = "HTTPS"
certificates = [{ acme = "le", names = ["www.example.com"] }]
default = { fixed_response = { status = 200 } }
"#;

const HTTP: &str = r#"[[load_balancer.listener]]
port = 80
default = { fixed_response = { status = 200 } }
"#;

/// What is told when one part of the configuration is written otherwise.
fn told_with(part: &str, otherwise: &str) -> Vec<String> {
    assert_eq!(ACCOUNT.matches(part).count(), 1, "{part}");
    told(&ACCOUNT.replace(part, otherwise))
}

#[test]
fn an_account_is_lets_encrypts_unless_it_says_otherwise() {
    let valid = check(ACCOUNT).config.unwrap();
    let [wanted] = &valid.wanted().collect::<Vec<_>>()[..] else {
        panic!("one certificate is wanted");
    };
    let authority = &wanted.authority;
    assert!(authority.directory.contains("acme-v02.api.letsencrypt.org"));
    assert_eq!(&*wanted.name, "www.example.com");
    let staging = ACCOUNT.replace("agree_to", "directory = \"staging\"\nagree_to");
    let valid = check(&staging).config.unwrap();
    let directory = &valid.wanted().next().unwrap().authority.directory;
    assert!(directory.contains("acme-staging-v02"));
}

#[test]
fn http_01_needs_a_listener_that_answers_it() {
    let challenges = |text: &str| {
        let valid = check(text).config.unwrap();
        valid.wanted().next().unwrap().challenges.clone()
    };
    let (tls, http) = (ChallengeKind::TlsAlpn01, ChallengeKind::Http01);
    assert_eq!(challenges(ACCOUNT), [tls]);
    assert_eq!(challenges(&format!("{ACCOUNT}{HTTP}")), [tls, http]);
    let only = ACCOUNT.replace("agree_to", "challenges = [\"http-01\"]\nagree_to");
    assert_eq!(
        told(&only),
        ["11:26 the load balancer has no listener that could answer http-01"]
    );
    assert_eq!(challenges(&format!("{only}{HTTP}")), [http]);
}

#[test]
fn an_account_has_all_that_an_authority_wants_to_know() {
    assert_eq!(
        told_with("agree_to_terms = true", "agree_to_terms = false"),
        ["2:1 the authority's terms are not agreed to"]
    );
    assert_eq!(
        told_with("state_directory = \"/var/lib/elbow\"\n", ""),
        ["1:1 certificates that are ordered must be kept"]
    );
    for (setting, problem) in [
        ("directory = \"stagin\"", "\"stagin\" is no directory"),
        (
            "directory = \"http://ca.test/dir\"",
            "\"http://ca.test/dir\" is no directory",
        ),
        ("contact = [\"ops\"]", "\"ops\" is no contact"),
        ("challenges = []", "the list is empty"),
        ("profile = \"\"", "the name of the profile is empty"),
        ("ca = \"\"", "the path is empty"),
        (
            "external_account = { key_id = \"\", key_file = \"k\" }",
            "the identifier is empty",
        ),
    ] {
        let told = told_with("agree_to", &format!("{setting}\nagree_to"));
        assert!(told[0].ends_with(problem), "{setting}: {told:?}");
    }
}

#[test]
fn names_of_accounts_are_unique_and_meant() {
    let second = "[[acme]]\nname = \"le\"\nagree_to_terms = true\ncontact = [\"a@b.test\"]\n[[load_balancer]]";
    assert_eq!(
        told_with("[[load_balancer]]", second),
        [
            "6:8 acme[0] is named `le`, too",
            "8:11 acme[0] is the same account with another contact"
        ]
    );
    let told_of = |name: &str| told_with("acme = \"le\"", &format!("acme = \"{name}\""));
    assert_eq!(
        told_of("l"),
        [
            "2:1 warning: no listener has a certificate from `le`",
            "10:26 there is no account `l`"
        ]
    );
}

#[test]
fn a_certificate_is_ordered_for_dns_names() {
    for (names, problem) in [
        ("[]", "a certificate is ordered for names"),
        (
            "[\"*.example.com\"]",
            "a wildcard can be had by the challenge dns-01 only",
        ),
        ("[\"10.0.0.6\"]", "an address is no DNS name"),
        ("[\"a.test\", \"A.test\"]", "`a.test` is there already"),
    ] {
        let told = told_with("[\"www.example.com\"]", names);
        assert_eq!(told.len(), 1, "{names}: {told:?}");
        assert!(told[0].ends_with(problem), "{names}: {told:?}");
    }
    let many: Vec<String> = (0..101).map(|n| format!("\"n{n}.test\"")).collect();
    let told = told_with("[\"www.example.com\"]", &format!("[{}]", many.join(", ")));
    assert_eq!(told, ["10:40 these are 101 names"]);
}

#[test]
fn a_certificate_comes_from_files_or_is_ordered() {
    assert_eq!(
        told_with(
            "{ acme = \"le\"",
            "{ acme = \"le\", certificate = \"a.pem\""
        ),
        ["10:46 `certificate` has no place beside `acme`"]
    );
    let told = told_with("acme = \"le\"", "certificate = \"a.pem\"");
    assert!(
        told[1].ends_with("`names` are for certificates that are ordered"),
        "{told:?}"
    );
    let told = told_with(
        "acme = \"le\", names = [\"www.example.com\"]",
        "name = \"shop\"",
    );
    assert!(
        told[1].ends_with("it says not where the certificate comes from"),
        "{told:?}"
    );
}
