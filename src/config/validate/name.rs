//! Names: of load balancers, of zones, of whatever a document has several of and calls by name.

use std::collections::BTreeMap;

use super::report::Report;
use crate::config::path::Path;
use crate::config::suggest::listed;

/// ALB's limit.
const CHARACTERS: usize = 32;

/// The names of all that a document has of one kind, by which the rest of it speaks of them.
pub(super) struct Names<'a> {
    kind: &'static str,
    plural: &'static str,
    places: BTreeMap<&'a str, usize>,
    count: usize,
}

impl<'a> Names<'a> {
    /// None yet. `kind` is the key of the tables, `plural` what they are called in a sentence.
    pub(super) fn of(kind: &'static str, plural: &'static str) -> Self {
        Self {
            kind,
            plural,
            places: BTreeMap::new(),
            count: 0,
        }
    }

    /// Checks the name of the next one, whose table is at `path`: no other one may have it.
    pub(super) fn add(&mut self, name: &'a str, path: &Path<'_>, report: &mut Report<'_>) {
        validate(report, &path.key("name"), name);
        if let Some(first) = self.places.insert(name, self.count) {
            let message = format!("{}[{first}] is named `{name}`, too", self.kind);
            report.refuse(path.key("name"), message, "names are unique");
        }
        self.count += 1;
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.places.keys().copied()
    }

    /// What to do about a name that none of them has.
    pub(super) fn remedy(&self, missing: &str) -> String {
        let Self { kind, plural, .. } = self;
        match self.places.is_empty() {
            true => format!("there is none at all: add [[{kind}]] with name = \"{missing}\""),
            false => format!("{plural} here: {}", listed(missing, self.iter())),
        }
    }
}

/// Checks a name: ALB has the same rules for load balancers and target groups.
pub(super) fn validate(report: &mut Report<'_>, path: &Path<'_>, name: &str) {
    let is_known = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let length = name.chars().count();
    if name.is_empty() {
        return report.error(path, "the name is empty");
    }
    if length > CHARACTERS {
        report.refuse(
            path,
            format!("the name has {length} characters"),
            format!("a name has at most {CHARACTERS}"),
        );
    }
    if let Some(odd) = name.chars().find(|&character| !is_known(character)) {
        report.refuse(
            path,
            format!("the name holds {odd:?}"),
            "a name consists of letters (A-Z, a-z), digits and hyphens",
        );
    }
    if name.starts_with('-') || name.ends_with('-') {
        report.error(path, "a name neither begins nor ends with a hyphen");
    }
}

/// Checks the name of a zone, which is only compared, but stands in logs and labels.
pub(super) fn zone(report: &mut Report<'_>, path: &Path<'_>, zone: Option<&str>) {
    let Some(zone) = zone else {
        return;
    };
    if zone.is_empty() {
        report.refuse(
            path,
            "the name of the zone is empty",
            "write a name such as \"ap-northeast-1a\", or leave the zone out",
        );
    } else if zone.len() > 128 || zone.chars().any(|character| !character.is_ascii_graphic()) {
        report.error(
            path,
            "the name of a zone has at most 128 visible ASCII characters and no blank",
        );
    }
}
