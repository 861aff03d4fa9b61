//! The problems found so far, and what the checks have to know to find them.

use std::fmt::Display;

use crate::config::document::Ranges;
use crate::config::fit::Removed;
use crate::config::problem::Problem;

/// The problems found so far.
pub(super) struct Report<'a> {
    ranges: Ranges,
    removed: &'a Removed,
    problems: Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(super) fn new(ranges: Ranges, removed: &'a Removed) -> Self {
        Self {
            ranges,
            removed,
            problems: Vec::new(),
        }
    }

    /// Whether the whole document is there: what was misspelt cannot be missed.
    pub(super) fn has_everything(&self) -> bool {
        self.removed.is_empty()
    }

    /// Whether all target groups are there.
    pub(super) fn has_all_groups(&self) -> bool {
        self.removed.has_all_groups()
    }

    /// Whether all that was written at `path` is there, so that its parts can be compared.
    pub(super) fn is_untouched(&self, path: impl Display) -> bool {
        let path = self.removed.original(&path.to_string());
        self.removed.is_untouched(&path)
    }

    /// Whether ALB's ranges and quotas are enforced. Who misspelt "relaxed" meant the others.
    pub(super) fn is_strict(&self) -> bool {
        self.ranges == Ranges::Alb && self.is_untouched("ranges")
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
        if self.has_everything() {
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
