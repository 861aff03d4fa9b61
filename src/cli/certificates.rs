//! The certificates that a running daemon orders, as a section of `elbow status`.

use serde::Deserialize;

use super::table::Table;

/// `/acme`, as far as it is printed.
#[derive(Debug, Deserialize)]
pub(super) struct Certificates {
    certificates: Vec<Certificate>,
}

#[derive(Debug, Deserialize)]
struct Certificate {
    name: String,
    names: Vec<String>,
    acme: String,
    certificate: Option<Shown>,
    ordering: bool,
    next_order: Option<String>,
    last_attempt: Option<Attempt>,
}

#[derive(Debug, Deserialize)]
struct Shown {
    not_after: String,
}

#[derive(Debug, Deserialize)]
struct Attempt {
    time: String,
    result: String,
    detail: Option<String>,
}

impl Certificates {
    /// Empty where none is ordered.
    pub(super) fn section(&self) -> String {
        if self.certificates.is_empty() {
            return String::new();
        }
        let mut table = Table::new([
            "CERTIFICATE",
            "NAMES",
            "ACME",
            "EXPIRES",
            "NEXT ORDER",
            "LAST ATTEMPT",
        ]);
        for certificate in &self.certificates {
            let shown = certificate.certificate.as_ref();
            let next = certificate.next_order.as_deref();
            table.row([
                certificate.name.clone(),
                certificate.names.len().to_string(),
                certificate.acme.clone(),
                shown
                    .map_or("PLACEHOLDER", |shown| minute(&shown.not_after))
                    .to_owned(),
                match certificate.ordering {
                    true => "under way",
                    false => next.map_or("-", minute),
                }
                .to_owned(),
                certificate
                    .last_attempt
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), attempt),
            ]);
        }
        format!("\n{table}")
    }
}

/// `2026-01-02T03:04 challenge: the authority found ...`
fn attempt(attempt: &Attempt) -> String {
    let (time, result) = (minute(&attempt.time), &attempt.result);
    match &attempt.detail {
        Some(detail) => format!("{time} {result}: {detail}"),
        None => format!("{time} {result}"),
    }
}

fn minute(time: &str) -> &str {
    time.get(.."2026-01-02T03:04".len()).unwrap_or(time)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn an_operator_sees_what_expires_when_and_what_went_wrong() {
        let none: Certificates = serde_json::from_str(r#"{ "certificates": [] }"#).unwrap();
        assert_eq!(none.section(), "");
        let some: Certificates = serde_json::from_str(
            r#"{ "certificates": [
              { "name": "shop", "names": ["shop.test", "www.shop.test"], "acme": "le",
                "certificate": { "not_after": "2026-04-02T03:04:05Z" }, "ordering": false,
                "next_order": "2026-03-03T00:00:00Z",
                "last_attempt": { "time": "2026-01-02T03:04:05Z", "result": "success" } },
              { "name": "blog.test", "names": ["blog.test"], "acme": "le", "certificate": null,
                "ordering": true, "next_order": null,
                "last_attempt": { "time": "2026-01-02T03:04:05Z", "result": "challenge",
                  "detail": "no such host" } }] }"#,
        )
        .unwrap();
        let expected = "
CERTIFICATE  NAMES  ACME  EXPIRES           NEXT ORDER        LAST ATTEMPT
shop         2      le    2026-04-02T03:04  2026-03-03T00:00  2026-01-02T03:04 success
blog.test    1      le    PLACEHOLDER       under way         2026-01-02T03:04 challenge: no such host
";
        assert_eq!(some.section(), expected);
    }
}
