//! Why there is no certificate.

use std::io;
use std::path::PathBuf;

use instant_acme::Problem;
use thiserror::Error;

use super::storage::StorageError;
use super::transport::TransportError;
use super::{ChallengeKind, Reason};
use crate::tls::CertificateError;

/// Why there is no certificate. Displays what an operator needs to know, with all causes.
#[derive(Debug, Error)]
pub enum AcmeError {
    /// The authority cannot be reached.
    #[error("cannot {what}: {source}")]
    Transport {
        /// What was tried.
        what: &'static str,
        /// What went wrong.
        source: TransportError,
    },
    /// The authority has said no.
    #[error("cannot {what}: {}", of_problem(problem))]
    Refused {
        /// What was tried.
        what: &'static str,
        /// Its answer.
        problem: Problem,
    },
    /// The authority's answer is not one of the protocol.
    #[error("cannot {what}: {source}")]
    Protocol {
        /// What was tried.
        what: &'static str,
        /// What went wrong.
        source: instant_acme::Error,
    },
    /// It was not shown that the names are the balancer's.
    #[error("the authority found by {kind} that {}", failures.join("; "))]
    Challenge {
        /// How it tried.
        kind: ChallengeKind,
        /// For each name what it found.
        failures: Vec<String>,
    },
    /// The authority offers no challenge of that kind.
    #[error("the authority offers no challenge {kind} for {name}")]
    NoChallenge {
        /// What was wanted.
        kind: ChallengeKind,
        /// For which name.
        name: String,
    },
    /// The authority has chosen a token that is none.
    #[error("the authority has sent {0:?} as a token, which is none (RFC 8555, section 8.1)")]
    Token(String),
    /// What it has issued cannot be used.
    #[error("the certificate that has come cannot be used: {0}")]
    Unusable(#[from] CertificateError),
    /// What it has issued is for other names.
    #[error("the certificate that has come is not for {0}")]
    Missing(String),
    /// It took too long.
    #[error("{0}")]
    Timeout(&'static str),
    /// The key of the external account is not there.
    #[error("the key of the external account: {}: {why}", path.display())]
    ExternalKey {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The answer to a challenge cannot be put where other processes find it.
    #[error("cannot write {}: {source}", path.display())]
    Post {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The state directory cannot be used.
    #[error("{0}")]
    Storage(String),
    /// The cryptographic library refuses.
    #[error("cannot make a key or a request for it: {0}")]
    Library(#[from] rcgen::Error),
    /// The process is shutting down.
    #[error("the process is shutting down")]
    ShuttingDown,
}

impl AcmeError {
    /// What `error` means to what was tried.
    pub(super) fn of(what: &'static str, error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Api(problem) => Self::Refused { what, problem },
            instant_acme::Error::Timeout(_) => Self::Timeout("the authority took too long"),
            instant_acme::Error::Other(other) => match other.downcast() {
                Ok(source) => Self::Transport {
                    what,
                    source: *source,
                },
                Err(other) => Self::Protocol {
                    what,
                    source: instant_acme::Error::Other(other),
                },
            },
            source => Self::Protocol { what, source },
        }
    }

    /// Its kind, for metrics and for how long to wait.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Transport { source, .. } => match source {
                TransportError::Status(_) => Reason::Server,
                TransportError::Slow => Reason::Timeout,
                _ => Reason::Unreachable,
            },
            Self::Refused { problem, .. } => of_type(problem.r#type.as_deref()),
            Self::Protocol { .. }
            | Self::Token(_)
            | Self::Unusable(_)
            | Self::Missing(_)
            | Self::Library(_) => Reason::Server,
            Self::Challenge { .. } | Self::NoChallenge { .. } => Reason::Challenge,
            Self::Timeout(_) | Self::ShuttingDown => Reason::Timeout,
            Self::ExternalKey { .. } => Reason::Account,
            Self::Post { .. } | Self::Storage(_) => Reason::Storage,
        }
    }

    /// Whether the authority knows nothing of the account: it may have lost its memory, or been
    /// replaced by another under the same address.
    pub(super) fn is_unknown_account(&self) -> bool {
        matches!(self, Self::Refused { problem, .. }
            if kind(problem.r#type.as_deref()) == "accountDoesNotExist")
    }

    /// Whether another order has taken the place of the certificate that is renewed (RFC 9773,
    /// section 5).
    pub(super) fn is_already_replaced(&self) -> bool {
        matches!(self, Self::Refused { problem, .. }
            if kind(problem.r#type.as_deref()) == "alreadyReplaced")
    }
}

impl From<StorageError> for AcmeError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.to_string())
    }
}

/// RFC 8555, section 6.7.
fn of_type(problem: Option<&str>) -> Reason {
    match kind(problem) {
        "rateLimited" => Reason::RateLimited,
        "accountDoesNotExist"
        | "externalAccountRequired"
        | "invalidContact"
        | "unsupportedContact"
        | "userActionRequired"
        | "badPublicKey" => Reason::Account,
        "unauthorized" | "incorrectResponse" | "connection" | "dns" | "tls" => Reason::Challenge,
        "rejectedIdentifier"
        | "unsupportedIdentifier"
        | "caa"
        | "badCSR"
        | "invalidProfile"
        | "malformed"
        | "compound" => Reason::Rejected,
        _ => Reason::Server,
    }
}

fn kind(problem: Option<&str>) -> &str {
    let problem = problem.unwrap_or_default();
    problem
        .strip_prefix("urn:ietf:params:acme:error:")
        .unwrap_or(problem)
}

/// What an authority says, on one line.
pub(super) fn of_problem(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_default();
    if let Some(kind) = &problem.r#type {
        text.push_str(&format!(" ({kind})"));
    }
    for part in &problem.subproblems {
        text.push_str(&format!("; {part}"));
    }
    text.trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: &str) -> AcmeError {
        AcmeError::Refused {
            what: "order",
            problem: Problem {
                r#type: Some(format!("urn:ietf:params:acme:error:{kind}")),
                detail: Some("no".to_owned()),
                status: None,
                subproblems: Vec::new(),
            },
        }
    }

    #[test]
    fn what_an_authority_says_becomes_a_reason() {
        for (kind, reason) in [
            ("rateLimited", Reason::RateLimited),
            ("externalAccountRequired", Reason::Account),
            ("dns", Reason::Challenge),
            ("rejectedIdentifier", Reason::Rejected),
            ("serverInternal", Reason::Server),
            ("somethingNew", Reason::Server),
        ] {
            assert_eq!(refused(kind).reason(), reason, "{kind}");
        }
        assert!(refused("accountDoesNotExist").is_unknown_account());
        assert!(refused("alreadyReplaced").is_already_replaced());
        let said = refused("dns").to_string();
        assert_eq!(said, "cannot order: no (urn:ietf:params:acme:error:dns)");
    }
}
