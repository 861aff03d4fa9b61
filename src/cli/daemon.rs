//! `elbow run` and `elbow demo`: the commands that stay.

use std::path::PathBuf;

use tokio::runtime::{Builder, Runtime};
use tracing::info;

use crate::app::signals::Signals;
use crate::app::{App, Options, Running};
use crate::demo::{self, Demo};
use crate::reload::Source;
use crate::telemetry::{self, LogForm};

use super::Failure;
use super::say::say;

/// Runs the load balancer until a signal ends it.
pub(super) fn run(config: PathBuf, log: LogForm) -> Result<(), Failure> {
    telemetry::start(log)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let running = App::start(Options::new(Source::File(config))).await?;
        info!("ready");
        signals.until_end(&running).await;
        end(&mut signals, running).await
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
        tokio::select! {
            () = signals.until_end(&running) => {}
            () = demo.obey_terminal() => {}
        }
        end(&mut signals, running).await
    })
}

/// Prints the demo's configuration.
pub(super) fn print_demo(port: u16, admin_port: u16) -> Result<(), Failure> {
    Ok(say(demo::configuration(port, admin_port))?)
}

async fn end(signals: &mut Signals, running: Running) -> Result<(), Failure> {
    match signals.shutdown(running).await {
        Some(_) => Ok(()),
        None => Err(Failure::Forced),
    }
}

/// Signals, and the demo's targets. The daemon has threads of its own.
fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
