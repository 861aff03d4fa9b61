//! Talking to the engine: all that is input and output about it.

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::models::{EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::{
    EventsOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::{Stream, StreamExt};

use super::container::Container;
use crate::causes::in_full;
use crate::config::DockerHost;

/// How long the engine may take to answer, in seconds.
const PATIENCE: u64 = 10;

/// A connection to the engine, so to speak: each request has one of its own.
#[derive(Debug)]
pub(super) struct Engine {
    docker: Docker,
}

/// Something that happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// The engine's id of the container.
    pub(super) id: String,
    pub(super) what: Happened,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// It was sent this signal.
    Signal(i32),
    /// It has begun to run.
    Started,
    /// Anything else that may matter.
    Changed,
}

impl Engine {
    /// Finds the engine, and an API version that both speak.
    ///
    /// # Errors
    ///
    /// Why it does not answer, in words.
    pub(super) async fn find(host: &DockerHost) -> Result<Self, String> {
        let docker = match host {
            DockerHost::Unix(path) => Docker::connect_with_unix(
                &path.display().to_string(),
                PATIENCE,
                API_DEFAULT_VERSION,
            ),
            DockerHost::Http(_) => {
                Docker::connect_with_http(&host.to_string(), PATIENCE, API_DEFAULT_VERSION)
            }
        };
        let docker = docker.map_err(|error| words(&error))?;
        let docker = docker.negotiate_version().await;
        Ok(Self {
            docker: docker.map_err(|error| words(&error))?,
        })
    }

    /// The ids of all containers with this label, running or not.
    ///
    /// # Errors
    ///
    /// The engine's answer, in words.
    pub(super) async fn list(&self, label: &str) -> Result<Vec<String>, String> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new();
        let options = options.all(true).filters(&filters).build();
        let listed = self.docker.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| words(&error))?;
        Ok(listed.into_iter().filter_map(|one| one.id).collect())
    }

    /// One container; none if there is no such one any more.
    ///
    /// # Errors
    ///
    /// The engine's answer, in words.
    pub(super) async fn inspect(&self, id: &str) -> Result<Option<Container>, String> {
        let options = None::<InspectContainerOptions>;
        match self.docker.inspect_container(id, options).await {
            Ok(said) => Ok(Some(Container::read(said))),
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(None),
            Err(error) => Err(words(&error)),
        }
    }

    /// What happens to containers from now on; ends with an error, or when the engine ends it.
    pub(super) fn events(&self) -> impl Stream<Item = Result<Event, String>> + Unpin + use<> {
        let filters = HashMap::from([("type", vec!["container", "network"])]);
        let options = EventsOptionsBuilder::new().filters(&filters).build();
        let events = self.docker.events(Some(options));
        let events = events.filter_map(|event| async {
            match event {
                Ok(message) => read(message).map(Ok),
                Err(error) => Some(Err(words(&error))),
            }
        });
        Box::pin(events)
    }
}

/// What an event says, if it may matter: what runs inside a container (exec, top) does not.
fn read(message: EventMessage) -> Option<Event> {
    let actor = message.actor?;
    let mut attributes = actor.attributes.unwrap_or_default();
    let action = message.action?;
    if message.typ == Some(EventMessageTypeEnum::NETWORK) {
        let concerned = matches!(action.as_str(), "connect" | "disconnect");
        let id = attributes.remove("container").filter(|_| concerned)?;
        let what = Happened::Changed;
        return Some(Event { id, what });
    }
    // `health_status: healthy`, `exec_start: sh -c ...`
    let action = action.split(':').next().unwrap_or_default();
    let what = match action {
        "kill" => {
            let signal = attributes.get("signal");
            Happened::Signal(signal.and_then(|number| super::signal::number(number))?)
        }
        "start" => Happened::Started,
        "create" | "die" | "stop" | "oom" | "restart" | "pause" | "unpause" | "destroy"
        | "rename" | "update" | "health_status" => Happened::Changed,
        _ => return None,
    };
    Some(Event {
        id: actor.id?,
        what,
    })
}

/// An error in full: the outer one often says only that a client has failed.
fn words(error: &Error) -> String {
    let mut text = in_full(error);
    if text.contains("Permission denied") {
        text += " (the user that Elbow runs as must be allowed to use the engine's socket)";
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn event(text: &str) -> Option<Event> {
        read(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn events_that_may_matter_are_told_apart_from_all_others() {
        let of = |typ: &str, action: &str, attributes: &str| {
            event(&format!(
                r#"{{ "Type": "{typ}", "Action": "{action}",
                      "Actor": {{ "ID": "abc", "Attributes": {{ {attributes} }} }} }}"#
            ))
            .map(|event| (event.id, event.what))
        };
        let container = |action: &str| of("container", action, "");
        let abc = |what| Some(("abc".to_owned(), what));
        assert_eq!(container("start"), abc(Happened::Started));
        assert_eq!(container("die"), abc(Happened::Changed));
        assert_eq!(container("health_status: healthy"), abc(Happened::Changed));
        assert_eq!(container("exec_start: sh -c true"), None);
        let kill = of("container", "kill", r#""signal": "28""#);
        assert_eq!(kill, abc(Happened::Signal(28)));
        let cut = of("network", "disconnect", r#""container": "def""#);
        assert_eq!(cut, Some(("def".to_owned(), Happened::Changed)));
        assert_eq!(of("network", "create", ""), None);
    }
}
