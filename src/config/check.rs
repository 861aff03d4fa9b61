//! All that is to say about a configuration, at once.

use std::path::Path;
use std::time::SystemTime;

use super::certificates::{self, LoadedCertificates};
use super::document::Config;
use super::fit::Removed;
use super::inventory::{Inventory, InventoryError, Joined};
use super::preset::PresetReport;
use super::problem::{Problem, Problems};
use super::read::{Reading, read, spanned};
use super::source::Source;
use super::trust_stores::{self, LoadedTrustStores};
use super::valid::ValidConfig;
use super::validate::{self as validation};
use crate::causes::in_full;

/// What a check found.
#[derive(Debug)]
pub struct CheckReport {
    /// The configuration, if it can be used.
    pub config: Option<ValidConfig>,
    /// Errors, of which there are none if it can be used, and warnings.
    pub problems: Problems,
    /// What presets were laid under which target groups.
    pub presets: Vec<PresetReport>,
}

impl CheckReport {
    fn of(name: &str, problem: Problem) -> Self {
        Self {
            config: None,
            problems: Problems::new(name, vec![problem]),
            presets: Vec::new(),
        }
    }

    /// The configuration with its warnings, or the problems that keep it from being used.
    pub fn into_result(self) -> Result<(ValidConfig, Problems), Problems> {
        match self.config {
            Some(config) => Ok((config, self.problems)),
            None => Err(self.problems),
        }
    }
}

/// Checks a file: everything from its existence to the last dangling name, and the certificates
/// that it names.
pub fn check(path: &Path) -> CheckReport {
    let name = path.display().to_string();
    match read_file(path, &name) {
        Ok(text) => with_certificates(check_standing(&text, &name), &text, &name),
        Err(problems) => CheckReport {
            config: None,
            problems,
            presets: Vec::new(),
        },
    }
}

fn with_certificates(report: CheckReport, text: &str, name: &str) -> CheckReport {
    let Some(valid) = report.config else {
        return report;
    };
    let (config, found) =
        match load_certificates(&valid, &LoadedCertificates::default(), true, text, name) {
            Ok((_, doubts)) => (Some(valid), doubts),
            Err(problems) => (None, problems),
        };
    let mut problems = report.problems.problems;
    problems.extend(found.problems);
    let (config, found) = match config.map(|valid| (load_trust_stores(&valid, text, name), valid)) {
        Some((Ok(_), valid)) => (Some(valid), None),
        Some((Err(found), _)) => (None, Some(found)),
        None => (None, None),
    };
    problems.extend(found.into_iter().flat_map(|found| found.problems));
    CheckReport {
        config,
        problems: Problems::new(name, problems),
        presets: report.presets,
    }
}

/// Reads the certificates that a configuration names, those that are `known` only `anew`; `text` is what
/// it was made of. Blocks: the files may lie on a network. Returns warnings beside them, for example of
/// those that expire.
///
/// # Errors
///
/// All that keeps one of them from being used.
pub fn load_certificates(
    valid: &ValidConfig,
    known: &LoadedCertificates,
    anew: bool,
    text: &str,
    name: &str,
) -> Result<(LoadedCertificates, Problems), Problems> {
    let (loaded, found) = certificates::load(valid, known, anew, SystemTime::now());
    let found = locate_joined(valid, text, found);
    let problems = Problems::new(name, found);
    match problems.has_errors() {
        false => Ok((loaded, problems)),
        true => Err(problems),
    }
}

/// Reads the trust stores that a configuration names; `text` is what it was made of. Blocks: the files
/// may lie on a network.
///
/// # Errors
///
/// All that keeps one of them from being used.
pub fn load_trust_stores(
    valid: &ValidConfig,
    text: &str,
    name: &str,
) -> Result<LoadedTrustStores, Problems> {
    let (loaded, found) = trust_stores::load(valid);
    let found = locate_joined(valid, text, found);
    match found.is_empty() {
        true => Ok(loaded),
        false => Err(Problems::new(name, found)),
    }
}

/// Checks the text of a document; `name` is what the problems call it.
pub fn check_text(text: &str, name: &str) -> CheckReport {
    check_joined(text, name, &Inventory::default())
}

/// Checks the text of a document with what is kept of the AWS API in the state directory that it names. Blocks.
pub fn check_standing(text: &str, name: &str) -> CheckReport {
    match inventory(text, name) {
        Ok(inventory) => check_joined(text, name, &inventory),
        Err(error) => CheckReport::of(name, Problem::error("", in_full(&error))),
    }
}

/// Checks the text of a document with what was made through the AWS API. The problems of that have no location.
pub fn check_joined(text: &str, name: &str, inventory: &Inventory) -> CheckReport {
    let source = Source::new(text);
    if text.trim().is_empty() {
        // What an editor or a full disk leaves for a moment, or for good: taking it for a wish to
        // serve nothing would take every listener down.
        let problem = Problem::error("", "the file is empty");
        let mut found = vec![problem.with_help("begin with [[load_balancer]]")];
        locate(&source, &mut found);
        return CheckReport {
            config: None,
            problems: Problems::new(name, found),
            presets: Vec::new(),
        };
    }
    let Reading {
        config,
        mut problems,
        removed,
        presets,
    } = read(&source);
    let mut valid = None;
    if let Some(mut config) = config {
        let (joined, mut orphans) = inventory.join(&mut config);
        let (checked, found) = validation::validate(&config, &removed);
        let (mut made, mut found): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|it| joined.is_made(&it.path));
        for problem in &mut found {
            problem.path = removed.original(&problem.path);
        }
        found.retain(|problem| !removed.explains(&problem.path));
        locate(&source, &mut found);
        valid = checked.filter(|_| problems.is_empty());
        problems.append(&mut found);
        say_made(&joined, &mut made);
        problems.append(&mut made);
        problems.append(&mut orphans);
        if let Some(valid) = &mut valid {
            valid.joined = joined;
        }
    }
    CheckReport {
        config: valid,
        problems: Problems::new(name, problems),
        presets,
    }
}

/// Reads a file as a document. Whether it makes sense is another question.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let name = path.display().to_string();
    parse(&read_file(path, &name)?, &name)
}

/// Reads a document with what was made through the AWS API. Whether it makes sense is another question.
pub fn parse_joined(text: &str, name: &str, inventory: &Inventory) -> Result<Config, Problems> {
    let mut config = parse(text, name)?;
    inventory.join(&mut config);
    Ok(config)
}

/// Reads a document. Whether it makes sense is another question.
pub fn parse(text: &str, name: &str) -> Result<Config, Problems> {
    let Reading {
        config, problems, ..
    } = read(&Source::new(text));
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Problems::new(name, problems)),
    }
}

/// Checks a document that has no text, or whose text is not at hand: problems have a path, but no
/// location. Warnings are kept to [`check`].
pub fn validate(config: &Config) -> Result<ValidConfig, Problems> {
    let (valid, mut problems) = validation::validate(config, &Removed::default());
    problems.retain(Problem::is_error);
    valid.ok_or_else(|| Problems::new("configuration", problems))
}

fn read_file(path: &Path, name: &str) -> Result<String, Problems> {
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("the configuration cannot be read: {error}");
        Problems::new(name, vec![Problem::error("", message)])
    })
}

/// What is kept of the AWS API beside the file.
fn inventory(text: &str, name: &str) -> Result<Inventory, InventoryError> {
    // A text that cannot be read says so when it is checked.
    let state = parse(text, name).ok().and_then(|it| it.state_directory);
    state.map_or_else(|| Ok(Inventory::default()), |it| Inventory::read(&it))
}

/// Where else it is to be looked for than in the file.
fn say_made(joined: &Joined, problems: &mut [Problem]) {
    for problem in problems {
        problem.path = format!("AWS API: {}", joined.named(&problem.path));
    }
}

fn locate_joined(valid: &ValidConfig, text: &str, found: Vec<Problem>) -> Vec<Problem> {
    let (mut made, mut found): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|it| valid.joined.is_made(&it.path));
    locate(&Source::new(text), &mut found);
    say_made(&valid.joined, &mut made);
    found.append(&mut made);
    found
}

/// Reading takes the tree of spans apart, and only problems need it: it is made again for them.
fn locate(source: &Source<'_>, problems: &mut [Problem]) {
    if problems.is_empty() {
        return;
    }
    if let Some(document) = spanned(source) {
        source.locate(&document, problems);
    }
}
