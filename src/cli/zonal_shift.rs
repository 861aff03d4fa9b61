//! `elbow zonal-shift`: keeps traffic away from a zone for a while, or lets it back.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Subcommand;
use http::Method;
use serde::{Deserialize, Serialize};

use super::remote;
use super::say::say;
use super::{Admin, Failure};

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Order {
    /// Keep traffic away from a zone for a while
    ///
    /// Targets in the zone take no new requests, and its node is unhealthy to those who ask the
    /// admin address. It goes on over reloads and ends by itself. The load balancer needs
    /// `zonal_shift = true`. A shift away from the same zone is replaced.
    Start {
        /// The load balancer
        #[arg(long, value_name = "NAME")]
        load_balancer: String,
        /// The zone to keep traffic away from
        #[arg(long, value_name = "ZONE")]
        away_from: String,
        /// For how long, 1m to 72h
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        expires_in: Duration,
        /// Why, for those who see it on the admin page
        #[arg(long, default_value = "")]
        comment: String,
        #[command(flatten)]
        admin: Admin,
    },
    /// Let traffic back into the zone
    Cancel {
        /// The load balancer
        #[arg(long, value_name = "NAME")]
        load_balancer: String,
        #[command(flatten)]
        admin: Admin,
    },
}

#[derive(Debug, Serialize)]
struct Query<'a> {
    away_from: &'a str,
    expires_in: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: &'a str,
}

/// What the admin API answers, as far as it is printed.
#[derive(Debug, Deserialize)]
struct Done {
    load_balancer: String,
    description: String,
}

#[derive(Debug, Deserialize)]
struct Refused {
    error: String,
    help: String,
}

pub(super) fn zonal_shift(order: &Order) -> Result<(), Failure> {
    match order {
        Order::Start {
            load_balancer,
            away_from,
            expires_in,
            comment,
            admin,
        } => {
            let query = Query {
                away_from,
                expires_in: humantime::format_duration(*expires_in).to_string(),
                comment,
            };
            // Texts can always be written so.
            let query = serde_urlencoded::to_string(query).unwrap_or_default();
            let path = format!("{}?{query}", path(load_balancer));
            ask(admin.address, Method::POST, &path)
        }
        Order::Cancel {
            load_balancer,
            admin,
        } => ask(admin.address, Method::DELETE, &path(load_balancer)),
    }
}

fn path(load_balancer: &str) -> String {
    // A name that needed more than this is none.
    let name: String = load_balancer
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !"/?#%".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("/load-balancers/{name}/zonal-shift")
}

fn ask(admin: SocketAddr, method: Method, path: &str) -> Result<(), Failure> {
    let answer = remote::ask(admin, method, path)?;
    if !answer.status.is_success() {
        let refused: Refused = remote::parse(admin, &answer)?;
        return Err(Failure::Other(format!(
            "{} ({})",
            refused.error, refused.help
        )));
    }
    let done: Done = remote::parse(admin, &answer)?;
    Ok(say(format_args!(
        "{}: {}.\n",
        done.load_balancer, done.description
    ))?)
}
