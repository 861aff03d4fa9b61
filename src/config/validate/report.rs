//! The problems found so far, and what the checks have to know to find them.

use std::fmt::Display;

use crate::config::document::Ranges;
use crate::config::problem::Problem;

/// How much of the document is there: what was misspelt cannot be missed.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Knowledge {
    /// Whether all target groups are there, so that a name that is not among them is wrong.
    pub(in crate::config) all_groups: bool,
    /// Whether everything is there.
    pub(in crate::config) everything: bool,
}

impl Knowledge {
    /// A document of which nothing was taken out.
    pub(in crate::config) const COMPLETE: Self = Self {
        all_groups: true,
        everything: true,
    };
}

/// The problems found so far.
pub(super) struct Report {
    /// Which ranges are enforced.
    pub(super) ranges: Ranges,
    /// How much of the document is there.
    pub(super) knowledge: Knowledge,
    problems: Vec<Problem>,
}

impl Report {
    pub(super) fn new(ranges: Ranges, knowledge: Knowledge) -> Self {
        Self {
            ranges,
            knowledge,
            problems: Vec::new(),
        }
    }

    /// Whether ALB's ranges and quotas are enforced.
    pub(super) fn is_strict(&self) -> bool {
        self.ranges == Ranges::Alb
    }

    /// Adds a problem.
    pub(super) fn add(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Adds an error whose message says all.
    pub(super) fn error(&mut self, path: impl Display, message: impl Into<String>) {
        self.add(Problem::error(path, message));
    }

    /// Adds an error, and what would be right.
    pub(super) fn refuse(
        &mut self,
        path: impl Display,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Problem::error(path, message).with_help(help));
    }

    /// Adds a warning, unless what it misses may only be misspelt.
    pub(super) fn warn(
        &mut self,
        path: impl Display,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.knowledge.everything {
            self.add(Problem::warning(path, message).with_help(help));
        }
    }

    /// Hands out a checked value, or reports why there is none.
    pub(super) fn accept<T, E: Display>(
        &mut self,
        path: impl Display,
        result: Result<T, E>,
    ) -> Option<T> {
        result
            .map_err(|error| self.error(path, error.to_string()))
            .ok()
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}
