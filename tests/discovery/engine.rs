//! A container engine as far as Elbow asks it: Docker's HTTP API over a Unix socket, scripted.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::support::Target;

/// What Debian 12's engine speaks, and nothing newer.
const API: &str = "1.41";

/// An engine on a Unix socket of its own; ends with the test.
pub(crate) struct Engine {
    directory: TempDir,
    world: Arc<World>,
    serving: Option<JoinHandle<()>>,
}

struct World {
    containers: Mutex<BTreeMap<String, Value>>,
    events: Mutex<broadcast::Sender<String>>,
    asked: Mutex<Vec<String>>,
}

impl Engine {
    pub(crate) async fn start() -> Self {
        let world = World {
            containers: Mutex::default(),
            events: Mutex::new(broadcast::channel(100).0),
            asked: Mutex::default(),
        };
        let mut engine = Self {
            directory: tempfile::tempdir().unwrap(),
            world: Arc::new(world),
            serving: None,
        };
        engine.listen();
        engine
    }

    /// The setting that leads to it, allowing `web`.
    pub(crate) fn setting(&self) -> String {
        let host = format!("unix://{}", self.socket().display());
        format!("[[docker]]\nhost = \"{host}\"\ntarget_groups = [\"web\"]\n")
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// Listens again, after [`Engine::vanish`].
    pub(crate) fn listen(&mut self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let routes = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&self.world));
        self.serving = Some(tokio::spawn(async move {
            axum::serve(listener, routes).await.unwrap();
        }));
    }

    /// Goes away, with its socket and all its streams of events.
    pub(crate) async fn vanish(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
        std::fs::remove_file(self.socket()).unwrap();
        *self.world.events.lock() = broadcast::channel(100).0;
    }

    /// The paths that were asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.world.asked.lock().clone()
    }

    /// Runs a container in front of a site: at its address, with its port in a label, and more
    /// labels.
    pub(crate) fn run(&self, name: &str, site: &Target, labels: &[(&str, &str)]) {
        let mut own = json!({
            "elbow.target_group": "web",
            "elbow.port": site.address.port().to_string(),
        });
        for (label, text) in labels {
            own[label] = json!(text);
        }
        let container = json!({
            "Id": format!("id-of-{name}"),
            "Name": format!("/{name}"),
            "Created": "2026-01-02T03:04:05.678901234Z",
            "State": { "Status": "running", "Running": true, "Paused": false },
            "HostConfig": { "NetworkMode": "lab" },
            "Config": { "Labels": own, "ExposedPorts": { "80/tcp": {} }, "StopSignal": "SIGWINCH" },
            "NetworkSettings": { "Ports": {}, "Networks": { "lab": endpoint(Some(site.address.ip())) } },
        });
        let id = format!("id-of-{name}");
        self.world.containers.lock().insert(id, container);
        self.tell("container", name, "start", json!({}));
    }

    /// Stops a container: its process ends, and with it its address.
    pub(crate) fn stop(&self, name: &str) {
        self.set(name, "exited", None);
        self.tell("container", name, "die", json!({ "exitCode": "0" }));
    }

    /// Starts a stopped container at an address.
    pub(crate) fn start_at(&self, name: &str, address: IpAddr) {
        self.set(name, "running", Some(address));
        self.tell("container", name, "start", json!({}));
    }

    /// Sends a container a signal, which it ignores so far.
    pub(crate) fn signal(&self, name: &str, signal: i32) {
        let attributes = json!({ "signal": signal.to_string() });
        self.tell("container", name, "kill", attributes);
    }

    pub(crate) fn pause(&self, name: &str, address: IpAddr) {
        self.set(name, "paused", Some(address));
        self.tell("container", name, "pause", json!({}));
    }

    pub(crate) fn unpause(&self, name: &str, address: IpAddr) {
        self.set(name, "running", Some(address));
        self.tell("container", name, "unpause", json!({}));
    }

    /// Takes a container off its network.
    pub(crate) fn disconnect(&self, name: &str) {
        let id = format!("id-of-{name}");
        let mut containers = self.world.containers.lock();
        containers.get_mut(&id).unwrap()["NetworkSettings"]["Networks"] = json!({});
        drop(containers);
        self.tell("network", "lab", "disconnect", json!({ "container": id }));
    }

    pub(crate) fn remove(&self, name: &str) {
        let id = format!("id-of-{name}");
        self.world.containers.lock().remove(&id);
        self.tell("container", name, "destroy", json!({}));
    }

    /// Changes a container without a word.
    pub(crate) fn remove_silently(&self, name: &str) {
        let id = format!("id-of-{name}");
        self.world.containers.lock().remove(&id);
    }

    fn set(&self, name: &str, status: &str, address: Option<IpAddr>) {
        let mut containers = self.world.containers.lock();
        let container = containers.get_mut(&format!("id-of-{name}")).unwrap();
        let running = address.is_some();
        container["State"] = json!({ "Status": status, "Running": running });
        container["NetworkSettings"]["Networks"] = json!({ "lab": endpoint(address) });
    }

    fn tell(&self, kind: &str, name: &str, action: &str, attributes: Value) {
        let actor = json!({ "ID": format!("id-of-{name}"), "Attributes": attributes });
        let event = json!({ "Type": kind, "Action": action, "Actor": actor, "scope": "local" });
        // Nobody may be listening.
        let _ = self.world.events.lock().send(format!("{event}\n"));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

fn endpoint(address: Option<IpAddr>) -> Value {
    let address = address.map(|address| address.to_string());
    json!({ "IPAddress": address.unwrap_or_default(), "GlobalIPv6Address": "" })
}

async fn answer(State(world): State<Arc<World>>, uri: Uri) -> Response {
    world.asked.lock().push(uri.to_string());
    let Some(path) = without_version(uri.path()) else {
        let message = format!("client version is too new. Maximum supported API version is {API}");
        let answer = json!({ "message": message });
        return (StatusCode::BAD_REQUEST, answer.to_string()).into_response();
    };
    match path {
        "/version" => json_response(&json!({ "ApiVersion": API, "MinAPIVersion": "1.12" })),
        "/containers/json" => {
            let containers = world.containers.lock();
            let listed: Vec<Value> = containers.keys().map(|id| json!({ "Id": id })).collect();
            json_response(&json!(listed))
        }
        "/events" => {
            let receiver = world.events.lock().subscribe();
            let stream = stream::unfold(receiver, |mut receiver| async {
                let event = receiver.recv().await.ok()?;
                Some((Ok::<_, Infallible>(event), receiver))
            });
            Body::from_stream(stream).into_response()
        }
        path => {
            let id = path.strip_prefix("/containers/");
            let id = id.and_then(|path| path.strip_suffix("/json"));
            let containers = world.containers.lock();
            match id.and_then(|id| containers.get(id)) {
                Some(container) => json_response(container),
                None => {
                    let message = json!({ "message": "No such container" });
                    (StatusCode::NOT_FOUND, message.to_string()).into_response()
                }
            }
        }
    }
}

/// The path without the API version before it; none if the engine does not speak that one.
fn without_version(path: &str) -> Option<&str> {
    let Some(rest) = path.strip_prefix("/v1.") else {
        return Some(path);
    };
    let (minor, _) = rest.split_once('/')?;
    let is_known = minor.parse::<u32>().is_ok_and(|minor| minor <= 41);
    is_known.then_some(&rest[minor.len()..])
}

fn json_response(document: &Value) -> Response {
    let kind = [("content-type", "application/json")];
    (kind, document.to_string()).into_response()
}
