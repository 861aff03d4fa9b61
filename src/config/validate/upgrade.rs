//! How a new process takes over.

use super::range;
use super::report::Report;
use crate::config::document::Config;
use crate::config::path::Path;
use crate::config::valid::ValidUpgrade;

/// The longest path that a Unix socket can have, less the ending of a temporary one (`unix(7)`).
const LONGEST: usize = 96;

pub(super) fn validate(config: &Config, report: &mut Report<'_>) -> ValidUpgrade {
    let path = Path::Root.key("upgrade");
    let upgrade = &config.upgrade;
    let deadline = path.key("deadline");
    range::duration(
        report,
        &deadline,
        upgrade.deadline,
        &range::UPGRADE_DEADLINE,
    );
    if let Some(socket) = &upgrade.socket {
        let length = socket.as_os_str().len();
        if length == 0 {
            let help = "write a path, or leave it out: `elbow upgrade` needs none";
            report.refuse(path.key("socket"), "the path of the socket is empty", help);
        } else if length > LONGEST {
            let message = format!("the path of the socket has {length} bytes");
            let help =
                format!("choose one of at most {LONGEST} bytes, such as /run/elbow/upgrade.sock");
            report.refuse(path.key("socket"), message, help);
        }
    }
    ValidUpgrade {
        deadline: upgrade.deadline.0,
        socket: upgrade.socket.clone(),
    }
}
