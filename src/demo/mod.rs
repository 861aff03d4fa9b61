//! Four small sites to play with, and a configuration that balances them.
//!
//! Look at [`Demo`]. The balancer is the real one; only what stands behind it is built in: targets
//! in this process that can be stopped and started from the terminal, and by the admin address
//! (`GET /demo/targets`, `POST /demo/targets/{id}/stop`, `.../start`).

mod fleet;
mod page;
mod routes;
mod terminal;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;

use crate::app::Options;
use crate::reload::Source;

use fleet::Fleet;

/// The built-in configuration, with `{port}`, `{admin_port}` and `{port_1}` to `{port_4}` open.
const CONFIGURATION: &str = include_str!("elbow.toml");

/// What is said when the demo has started.
const GUIDE: &str = include_str!("guide.txt");

/// The targets as the configuration names them: id, and zone.
const TARGETS: [(&str, &str); 4] = [
    ("shop-a", "zone-a"),
    ("shop-c", "zone-c"),
    ("blog-a", "zone-a"),
    ("blog-c", "zone-c"),
];

/// Why the demo, or one of its targets, does not run.
#[derive(Debug, Error)]
pub enum DemoError {
    /// A port is taken.
    #[error(
        "demo target {id} cannot listen on {address} (if another demo runs, end it, or choose other \
         ports: --port, and --admin-port, whose next four ports are the targets')"
    )]
    Listen {
        /// Whose port.
        id: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// There is no such target.
    #[error("there is no demo target {0:?}; there are shop-a, shop-c, blog-a and blog-c")]
    Unknown(String),
}

/// The demo's targets, running.
#[derive(Debug)]
pub struct Demo {
    port: u16,
    admin_port: u16,
    fleet: Arc<Fleet>,
}

impl Demo {
    /// Starts the targets on the four ports after `admin_port`. Call it within a tokio runtime; they
    /// run there.
    ///
    /// # Errors
    ///
    /// [`DemoError::Listen`].
    pub fn start(port: u16, admin_port: u16) -> Result<Self, DemoError> {
        let addresses = target_ports(admin_port).map(loopback);
        Ok(Self {
            port,
            admin_port,
            fleet: Arc::new(Fleet::start(TARGETS, addresses)?),
        })
    }

    /// A daemon that balances them.
    pub fn options(&self) -> Options {
        let mut options = Options::new(Source::Text {
            name: "the demo's configuration".to_owned(),
            text: configuration(self.port, self.admin_port),
        });
        options.routes = routes::routes(Arc::clone(&self.fleet));
        options
    }

    /// What to look at, and what to try.
    pub fn guide(&self) -> String {
        fill(GUIDE, self.port, self.admin_port)
    }

    /// Obeys what is typed, until `quit`. Never returns if nobody can type.
    pub async fn obey_terminal(&self) {
        terminal::obey(&self.fleet).await;
    }
}

/// The demo's configuration for these ports.
pub fn configuration(port: u16, admin_port: u16) -> String {
    fill(CONFIGURATION, port, admin_port)
}

fn fill(text: &str, port: u16, admin_port: u16) -> String {
    let mut text = text
        .replace("{port}", &port.to_string())
        .replace("{admin_port}", &admin_port.to_string());
    for (place, port) in target_ports(admin_port).into_iter().enumerate() {
        text = text.replace(&format!("{{port_{}}}", place + 1), &port.to_string());
    }
    text
}

fn target_ports(admin_port: u16) -> [u16; 4] {
    [1, 2, 3, 4].map(|offset| admin_port.saturating_add(offset))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_built_in_configuration_has_no_problem() {
        let text = configuration(8080, 9900);
        let report = config::check_text(&text, "demo");
        assert!(report.problems.is_empty(), "{}", report.problems);
        let names: Vec<String> = report
            .config
            .unwrap()
            .target_groups
            .iter()
            .flat_map(|group| &group.registrations)
            .map(|registration| registration.key.id.to_string())
            .collect();
        assert_eq!(names, TARGETS.map(|(id, _)| id));
    }

    #[test]
    fn nothing_is_left_open_in_what_is_shown() {
        for text in [configuration(81, 91), fill(GUIDE, 81, 91)] {
            assert!(
                !text.contains("{port") && !text.contains("{admin"),
                "{text}"
            );
        }
    }
}
