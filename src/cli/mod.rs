//! The commands: what can be typed after `elbow`, and what the exit code says.
//!
//! Look at `Command`: its doc comments are the help texts. Each command is a file of its own.
//! Nothing is decided here that a test or another program could not ask of the library.

mod cert;
mod certificates;
mod check;
mod classic;
mod daemon;
mod explain;
mod failure;
mod nft;
mod offline;
mod reload;
mod remote;
mod say;
mod status;
mod switch;
mod table;
mod upgrade;
mod zonal_shift;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::explain::Question;
use crate::telemetry::LogForm;

use failure::Failure;

const EXIT_CODES: &str = "\
Exit codes: 0 all went well, 64 the configuration is wrong, 2 the command line is, 1 anything else.
Logs go to standard error; ELBOW_LOG says how much, for example ELBOW_LOG=debug.";

/// An elastic load balancer of your own: AWS ALB's behaviour as one daemon on your machines.
#[derive(Debug, Parser)]
#[command(name = "elbow", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the load balancer
    ///
    /// The configuration is read again when the file changes, on SIGHUP, and by `elbow reload`; one
    /// that is wrong changes nothing. SIGTERM and SIGINT let requests in flight finish, a second
    /// one does not. SIGUSR1 reopens the logs. SIGUSR2 is `elbow upgrade`.
    #[command(after_help = EXIT_CODES)]
    Run {
        /// The configuration file; `elbow check` says what is wrong with one
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
        /// Take over from the process that listens on this Unix socket (`[upgrade] socket`), if one
        /// does: its sockets, and what it knows
        #[arg(long, value_name = "SOCKET")]
        take_over: Option<PathBuf>,
        #[command(flatten)]
        log: Log,
    },
    /// Run the load balancer in front of two small sites to play with
    ///
    /// The real daemon with a built-in configuration: two sites with a target in each of two zones,
    /// all on loopback. Stop a target and watch the balancer notice, and nothing fail.
    #[command(after_help = EXIT_CODES)]
    Demo {
        /// The port to open in a browser
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// The port of the admin address; the targets take the four ports after it
        #[arg(long, default_value_t = 9900, value_parser = clap::value_parser!(u16).range(1..=65531))]
        admin_port: u16,
        /// Print the built-in configuration, a good start for one of your own, and end
        #[arg(long)]
        print_config: bool,
        #[command(flatten)]
        log: Log,
    },
    /// Say all that is wrong with a configuration file
    ///
    /// Every problem at once, with its line and what would be right. Starts nothing. Exit code 0 if
    /// the file can be used, 64 if not.
    Check {
        /// The configuration file
        file: PathBuf,
        /// Print what presets set in it, and why
        #[arg(long)]
        explain_presets: bool,
    },
    /// Say what would become of a request, and why
    ///
    /// Which listener and rule it meets, why it does not meet the rules before, what is rewritten,
    /// and which targets take it, in which shares. Nothing is sent. By default a running daemon is
    /// asked, which knows the health of its targets at this moment.
    ///
    /// elbow explain -c shop.toml GET http://shop.example.com/basket -H 'Cookie: beta=1'
    Explain {
        /// The method, such as GET
        method: String,
        /// The URL, as a client would write it
        url: String,
        /// A header field of the request, any number of them
        #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
        headers: Vec<String>,
        /// The client's address
        #[arg(long, value_name = "IP", default_value = "192.0.2.1")]
        source: IpAddr,
        /// The node that the request enters through, by its address
        #[arg(long, value_name = "IP")]
        node: Option<IpAddr>,
        /// The node that the request enters through, by its zone
        #[arg(long)]
        zone: Option<String>,
        /// Ask a configuration file instead of a daemon, as if all targets were healthy
        #[arg(short, long, value_name = "FILE", conflicts_with = "address")]
        config: Option<PathBuf>,
        #[command(flatten)]
        admin: Admin,
        /// Print a JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a certificate, and the authority that signs it, for labs and inner networks
    ///
    /// The authority is kept in a folder and used again the next time; clients accept its
    /// certificates once they trust it, and the output says how. For certificates that everybody
    /// trusts, let the daemon get them by ACME instead.
    Cert(cert::Cert),
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print rules for nftables by which targets can be reached only as their security groups say
    ///
    /// For `nft -f` on the targets' hosts, or on the router before them: ports of targets whose group
    /// has `security_groups` are open for whom these let in, the balancer's nodes say, and closed for
    /// everybody else. Nothing is loaded here. By default a running daemon is asked, which knows the
    /// targets that it has found.
    ///
    /// elbow nft | ssh root@wp-a nft -f -
    Nft {
        /// Ask a configuration file instead of a daemon
        #[arg(short, long, value_name = "FILE", conflicts_with = "address")]
        config: Option<PathBuf>,
        #[command(flatten)]
        admin: Admin,
    },
    /// Have a running daemon read its configuration again
    ///
    /// Prints what has changed, or why the configuration was refused; then the one before stays in
    /// force, and the exit code is 64.
    Reload {
        #[command(flatten)]
        admin: Admin,
    },
    /// Replace a running daemon by the program that is installed now, without an interruption
    ///
    /// The daemon starts the program anew, by the name and the arguments that it was started with. The
    /// new process reads the configuration, takes over all sockets, the health of targets and the keys
    /// of cookies and sessions, and serves; then the one before lets its connections finish. If
    /// anything goes wrong the running one goes on, and the exit code is not 0. SIGUSR2 does the same.
    #[command(after_help = EXIT_CODES)]
    Upgrade {
        #[command(flatten)]
        admin: Admin,
    },
    /// Have the best targets of an active/standby group take its traffic again
    ///
    /// For groups with `fail_back = "manual"`: of the healthy targets, those with the lowest priority
    /// become the active ones.
    FailBack {
        /// The target group
        group: String,
        #[command(flatten)]
        admin: Admin,
    },
    /// Have one target of an active/standby group, and those with its priority, take its traffic
    Activate {
        /// The target group
        group: String,
        /// The target's id
        target: String,
        #[command(flatten)]
        admin: Admin,
    },
    /// Keep the traffic of a running daemon away from a zone for a while, or let it back
    #[command(subcommand)]
    ZonalShift(zonal_shift::Order),
    /// Show what a running daemon balances, and the health of every target
    Status {
        #[command(flatten)]
        admin: Admin,
    },
}

/// Where a running daemon is asked.
#[derive(Clone, Copy, Debug, Args)]
struct Admin {
    /// The daemon's admin address
    #[arg(
        long = "admin",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9900",
        value_parser = socket_address
    )]
    address: SocketAddr,
}

/// How a daemon logs.
#[derive(Clone, Copy, Debug, Args)]
struct Log {
    /// The form of the log on standard error
    #[arg(long = "log-format", value_enum, default_value_t)]
    form: LogForm,
}

/// Obeys the command line. What goes wrong is said on standard error.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run {
            config,
            take_over,
            log,
        } => daemon::run(config, log.form, take_over),
        Command::Demo {
            print_config: true,
            port,
            admin_port,
            ..
        } => daemon::print_demo(port, admin_port),
        Command::Demo {
            port,
            admin_port,
            log,
            ..
        } => daemon::demo(port, admin_port, log.form),
        Command::Check {
            file,
            explain_presets,
        } => check::check(&file, explain_presets),
        Command::Explain {
            method,
            url,
            headers,
            source,
            node,
            zone,
            config,
            admin,
            json,
        } => {
            let question = Question {
                method,
                url,
                headers,
                source,
                node,
                zone,
            };
            match config {
                Some(file) => explain::by_file(&file, &question, json),
                None => explain::by_daemon(admin.address, &question, json),
            }
        }
        Command::Cert(cert) => cert.run(),
        Command::Schema => check::schema(),
        Command::Nft { config, admin } => match config {
            Some(file) => nft::by_file(&file),
            None => nft::by_daemon(admin.address),
        },
        Command::Reload { admin } => reload::reload(admin.address),
        Command::Upgrade { admin } => upgrade::upgrade(admin.address),
        Command::FailBack { group, admin } => switch::fail_back(admin.address, &group),
        Command::Activate {
            group,
            target,
            admin,
        } => switch::activate(admin.address, &group, &target),
        Command::ZonalShift(order) => zonal_shift::zonal_shift(&order),
        Command::Status { admin } => status::status(admin.address),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// As `SocketAddr` reads it, with an error that shows one.
fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "write an IP address and a port: 127.0.0.1:9900, say")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_text_fits_a_terminal_and_says_what_it_does() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(command.get_about().is_some(), "{help}");
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
    }
}
