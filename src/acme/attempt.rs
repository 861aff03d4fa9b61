//! What became of an order, in the words of metrics, logs and the admin address.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// An attempt to get a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it ended.
    #[serde(with = "seconds")]
    pub at: SystemTime,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of failure.
    pub reason: Reason,
    /// The whole story, with what to do about it.
    pub detail: String,
    /// Before this the authority does not want to hear of it again.
    #[serde(with = "maybe_seconds")]
    pub retry_after: Option<SystemTime>,
}

/// Kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The authority cannot be reached, or its own certificate is not trusted.
    Unreachable,
    /// The authority would not have the account.
    Account,
    /// It was not shown that a name is the balancer's.
    Challenge,
    /// The authority makes no certificate for these names.
    Rejected,
    /// Asked too often.
    RateLimited,
    /// The authority is in trouble itself, or answers what it should not.
    Server,
    /// It took too long.
    Timeout,
    /// The state directory cannot be read or written.
    Storage,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Unreachable,
        Self::Account,
        Self::Challenge,
        Self::Rejected,
        Self::RateLimited,
        Self::Server,
        Self::Timeout,
        Self::Storage,
    ];

    /// A word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Account => "account",
            Self::Challenge => "challenge",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate_limited",
            Self::Server => "server",
            Self::Timeout => "timeout",
            Self::Storage => "storage",
        }
    }
}

/// A time as whole seconds since 1970.
pub(super) mod seconds {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::acme) fn serialize<S: Serializer>(
        time: &SystemTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        since.as_secs().serialize(serializer)
    }

    pub(in crate::acme) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SystemTime, D::Error> {
        let seconds = u32::deserialize(deserializer)?; // More would be after 2106.
        Ok(UNIX_EPOCH + Duration::from_secs(seconds.into()))
    }
}

/// The same, where there may be none.
pub(super) mod maybe_seconds {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Seconds(#[serde(with = "super::seconds")] SystemTime);

    pub(in crate::acme) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Seconds).serialize(serializer)
    }

    pub(in crate::acme) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let seconds = Option::<Seconds>::deserialize(deserializer)?;
        Ok(seconds.map(|seconds| seconds.0))
    }
}
