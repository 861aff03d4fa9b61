//! HTTPS listeners: what belongs to them, and what is said of their certificates and policies.

use std::fs;

use super::{RIGHT, told, told_with};
use crate::config::{self, Problems};
use crate::tls::sample::{self, Made};

/// The right configuration with an HTTPS listener; `more` are lines of it.
fn https(more: &str) -> String {
    let lines = format!("port = 8443\nprotocol = \"HTTPS\"\n{more}");
    RIGHT.replace("port = 8080", &lines)
}

const CERTIFICATES: &str = "certificates = [{ certificate = \"/site.pem\" }]";

#[test]
fn an_https_listener_has_certificates_and_other_listeners_have_none() {
    assert_eq!(told(&https(CERTIFICATES)), [""; 0]);
    assert_eq!(
        told(&https("")),
        ["7:1 an HTTPS listener needs a certificate"]
    );
    let misplaced = format!("port = 8080\n{CERTIFICATES}\nssl_policy = \"x\"");
    assert_eq!(
        told_with("port = 8080", &misplaced),
        [
            "9:16 `certificates` is for listeners that speak TLS",
            "10:14 `ssl_policy` is for listeners that speak TLS"
        ]
    );
    let empty = CERTIFICATES.replace("/site.pem", "");
    assert_eq!(told(&https(&empty))[0], "10:33 the path is empty");
    let quoted = CERTIFICATES.replace("{ c", "{ name = 'a\"b', c");
    let message = "10:26 the name of a certificate stands between quotes in the access log";
    assert_eq!(told(&https(&quoted)), [message]);
}

#[test]
fn early_data_needs_http_3_and_nobody_s_certificate() {
    let told = |more: &str| {
        told(&https(&format!(
            "{CERTIFICATES}\nearly_data = true\n{more}"
        )))
    };
    assert_eq!(told("http3 = true"), [""; 0]);
    assert_eq!(told(""), ["11:14 early data is taken over HTTP/3 only"]);
    assert_eq!(
        told("http3 = true\nmutual_authentication = { mode = \"passthrough\" }"),
        ["11:14 early data comes before a client's certificate is verified"]
    );
}

#[test]
fn certificates_for_the_aws_api_have_names_of_their_own() {
    let with = |more: &str| told(&format!("{}\n{more}", https(CERTIFICATES)));
    let site = "[[certificate]]\nname = \"site\"\ncertificate = \"/site.pem\"\n";
    assert_eq!(with(site), [""; 0]);
    let twice = with(&format!("{site}{site}"));
    assert!(
        twice[0].ends_with("certificate[0] is named `site`, too"),
        "{twice:?}"
    );
    let nameless = with("[[certificate]]\ncertificate = \"/site.pem\"\n");
    assert!(
        nameless[0].ends_with("the certificate has no name"),
        "{nameless:?}"
    );
}

#[test]
fn a_policy_that_is_not_served_whole_says_what_is_missing() {
    let policy = |name: &str| told(&https(&format!("{CERTIFICATES}\nssl_policy = \"{name}\"")));
    for exact in [
        "TLS13-1-3-2021-06",
        "TLS13-1-2-Res-2021-06",
        "FS-1-2-Res-2020-10",
    ] {
        assert_eq!(policy(&format!("ELBSecurityPolicy-{exact}")), [""; 0]);
    }
    assert_eq!(
        policy("ELBSecurityPolicy-TLS13-1-2-2021-06"),
        [
            "11:14 warning: `ELBSecurityPolicy-TLS13-1-2-2021-06` is served without \
             ECDHE-ECDSA-AES128-SHA256, ECDHE-RSA-AES128-SHA256, ECDHE-ECDSA-AES256-SHA384, \
             ECDHE-RSA-AES256-SHA384"
        ]
    );
    let old = policy("ELBSecurityPolicy-2016-08");
    let beginning =
        "11:14 warning: `ELBSecurityPolicy-2016-08` is served without TLS 1.1, TLS 1.0, ECDHE";
    assert!(old[0].starts_with(beginning), "{old:?}");
    assert!(old[0].ends_with("and 10 more ciphers"), "{old:?}");
    assert_eq!(
        policy("ELBSecurityPolicy-TLS13"),
        ["11:14 there is no security policy `ELBSecurityPolicy-TLS13`"]
    );
}

#[test]
fn a_redirect_of_an_https_listener_does_not_lead_to_http() {
    let text = https(CERTIFICATES).replace(
        "redirect = { path",
        "redirect = { protocol = \"HTTP\", path",
    );
    let told = told(&text);
    assert!(told[0].contains("does not redirect to HTTP"), "{told:?}");
}

/// What a check of files says: of these certificate files, in this order.
fn checked(files: &[(&str, &str)], certificates: &str) -> Problems {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let at = folder.path().display().to_string();
    let path = folder.path().join("elbow.toml");
    fs::write(&path, https(&certificates.replace("$", &at))).unwrap();
    config::check(&path).problems
}

#[test]
fn certificates_are_read_and_each_problem_is_at_its_place() {
    let Made { certificate, key } = sample::ecdsa(&["a.example"]);
    let other = sample::ecdsa(&["b.example"]);
    let files: [(&str, &str); 5] = [
        ("a.pem", &certificate),
        ("a.key", &key),
        ("b.key", &other.key),
        ("empty.pem", ""),
        ("encrypted.key", sample::ENCRYPTED_KEY),
    ];
    let right = "certificates = [{ certificate = \"$/a.pem\", private_key = \"$/a.key\" }]";
    assert_eq!(checked(&files, right).problems, []);
    for (from, to, key, message, help) in [
        (
            "a.pem",
            "z.pem",
            "certificate",
            "cannot be read",
            "path of a PEM file",
        ),
        (
            "a.pem",
            "empty.pem",
            "certificate",
            "is empty",
            "renewal may have failed",
        ),
        (
            "a.key",
            "b.key",
            "private_key",
            "does not belong",
            "must print the same",
        ),
        (
            "a.key",
            "a.pem",
            "private_key",
            "no private key",
            "PKCS#8, PKCS#1 or SEC1",
        ),
        (
            "a.key",
            "encrypted.key",
            "private_key",
            "encrypted",
            "openssl pkey",
        ),
        (
            "\" }]",
            "\", ocsp_response = \"$/a.key\" }]",
            "ocsp_response",
            "not one",
            "DER",
        ),
    ] {
        let problems = checked(&files, &right.replace(from, to)).problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        let problem = &problems[0];
        assert!(problem.is_error());
        let place = format!("load_balancer[0].listener[0].certificates[0].{key}");
        assert_eq!(problem.path, place);
        assert_eq!(problem.location.as_ref().unwrap().line, 10);
        assert!(problem.message.contains(message), "{}", problem.message);
        let said = problem.help.as_ref().unwrap();
        assert!(said.contains(help), "{said}");
    }
}

#[test]
fn a_certificate_that_expires_soon_or_has_expired_is_a_warning() {
    let warnings = |made: &Made| {
        let files: [(&str, &str); 2] = [("a.pem", &made.certificate), ("a.key", &made.key)];
        let entry = "certificates = [{ certificate = \"$/a.pem\", private_key = \"$/a.key\" }]";
        let problems = checked(&files, entry);
        assert!(!problems.has_errors());
        let problems = problems.problems.into_iter();
        problems.map(|problem| problem.message).collect::<Vec<_>>()
    };
    let expired = warnings(&sample::expired(&["a.example"]));
    assert!(expired[0].contains("has expired on 20"), "{expired:?}");
    let soon = warnings(&sample::valid_for(&["a.example"], 29));
    assert!(soon[0].contains("expires on 20"), "{soon:?}");
    assert_eq!(warnings(&sample::valid_for(&["a.example"], 31)), [""; 0]);
    // The chain does not belong to the first certificate.
    let mut unordered = sample::ecdsa(&["a.example"]);
    unordered.certificate += sample::ED25519_CERTIFICATE;
    let doubt = warnings(&unordered);
    assert!(
        doubt[0].contains("is not followed by its issuer's"),
        "{doubt:?}"
    );
}

#[test]
fn tls_to_targets_is_for_https_groups_and_makes_sense() {
    let group = |lines: &str| {
        told(&RIGHT.replace(
            "name = \"wordpress\"\n",
            &format!("name = \"wordpress\"\n{lines}\n"),
        ))
    };
    assert_eq!(group("protocol = \"HTTPS\""), [""; 0]);
    assert_eq!(
        group("tls = { verify = true }"),
        ["17:7 `tls` is for groups whose targets speak TLS"]
    );
    let https = |tls: &str| group(&format!("protocol = \"HTTPS\"\ntls = {{ {tls} }}"));
    assert_eq!(
        https("verify = false, ca = \"/ca.pem\", server_name = \"a b\", pinned_keys = [\"x\"]"),
        [
            "18:30 without `verify` no authority is asked",
            "18:55 `a b` is no name that TLS can ask for",
            "18:77 `x` is no SHA-256 in base64"
        ]
    );
}
