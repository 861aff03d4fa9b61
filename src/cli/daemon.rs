//! `elbow run` and `elbow demo`: the commands that stay.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tokio::runtime::{Builder, Runtime};
use tracing::info;

use crate::app::signals::{End, Signals};
use crate::app::{App, Options, Running};
use crate::demo::{self, Demo};
use crate::net::Activation;
use crate::reload::Source;
use crate::succession::{Program, Successor, service_manager};
use crate::telemetry::{self, LogForm};

use super::Failure;
use super::say::say;

/// Runs the load balancer until a signal ends it.
pub(super) fn run(config: PathBuf, log: LogForm, place: Option<PathBuf>) -> Result<(), Failure> {
    let activation = Activation::from_environment()?;
    telemetry::start(log)?;
    let successor = match &place {
        Some(place) => Successor::meet(place)?,
        None => None,
    };
    if let (Some(place), None) = (&place, &successor) {
        info!(socket = %place.display(), "no process is there to be taken over from");
    }
    let options = Options {
        program: Some(program(&config, log)),
        successor,
        activation,
        ..Options::new(Source::File(config))
    };
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let running = App::start(options).await?;
        info!("ready");
        service_manager::ready();
        let why = signals.until_end(&running).await;
        end(why, &mut signals, running).await
    })
}

/// Runs the demo until a signal, or `quit`, ends it.
pub(super) fn demo(port: u16, admin_port: u16, log: LogForm) -> Result<(), Failure> {
    telemetry::start(log)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let demo = Demo::start(port, admin_port)?;
        let running = App::start(demo.options()).await?;
        say(format_args!("{}\n", demo.guide()))?;
        let why = tokio::select! {
            why = signals.until_end(&running) => why,
            () = demo.obey_terminal() => End::Asked,
        };
        end(why, &mut signals, running).await
    })
}

/// Prints the demo's configuration.
pub(super) fn print_demo(port: u16, admin_port: u16) -> Result<(), Failure> {
    Ok(say(demo::configuration(port, admin_port))?)
}

/// How this very daemon is run again.
fn program(config: &Path, log: LogForm) -> Program {
    let form = log.to_possible_value();
    let form = form.map_or_else(String::new, |form| form.get_name().to_owned());
    let arguments: [OsString; 5] = [
        "run".into(),
        "--config".into(),
        config.into(),
        "--log-format".into(),
        form.into(),
    ];
    Program::this(arguments.into())
}

async fn end(why: End, signals: &mut Signals, running: Running) -> Result<(), Failure> {
    let ended = match why {
        End::Asked => {
            service_manager::stopping();
            signals.shutdown(running).await
        }
        End::Succeeded => signals.retire(running).await,
    };
    match ended {
        Some(_) => Ok(()),
        None => Err(Failure::Forced),
    }
}

/// Signals, and the demo's targets. The daemon has threads of its own.
fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
